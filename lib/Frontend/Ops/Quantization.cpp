//===- Quantization.cpp - QuantizeLinear and DequantizeLinear ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

namespace {
/// Scale and zero point in a form that broadcasts to the tensor, which for blocks is a view with
/// the axis split in two.
struct Parameters {
  Tensor *scale, *zeroPoint; ///< zeroPoint may be null
  Shape shape;               ///< of the tensor as the parameters see it
};
} // namespace

static FailureOr<Parameters> readParameters(Node &n, Tensor *x) {
  Emitter &e = n.emit;
  Tensor *scale = n.in(1), *zero = n.has(2) ? n.in(2) : nullptr;
  int64_t axisAttr = n.intAttr("axis", 1), block = n.intAttr("block_size", 0);
  if (failed(n.expectFloat(scale)))
    return failure();
  if (zero && scale->rank() != zero->rank())
    return n.fail("expects a scale and a zero point of one shape, but got " +
                  Node::text(scale->shape) + " and " + Node::text(zero->shape));
  for (int64_t dim = 0; zero && dim < scale->rank(); ++dim)
    if (failed(n.expectEqual(scale->shape[dim], zero->shape[dim],
                             "the scale's and the zero point's extents")))
      return failure();
  bool isOne = Emitter::product(scale->shape).isConstant(1);
  if (scale->rank() == 0 || (scale->rank() == 1 && isOne && block == 0))
    return Parameters{e.reshape(scale, {}), zero ? e.reshape(zero, {}) : nullptr, x->shape};
  FailureOr<int64_t> axis = n.axis(axisAttr, x->rank());
  if (failed(axis))
    return failure();
  if (block == 0) {
    if (failed(n.expectRank(scale, 1, 1)) ||
        failed(n.expectEqual(scale->shape[0], x->shape[*axis], "the scale's extent and the axis")))
      return failure();
    SmallVector<int64_t> behind = llvm::to_vector(llvm::seq<int64_t>(1, x->rank() - *axis));
    return Parameters{e.unsqueeze(scale, behind), zero ? e.unsqueeze(zero, behind) : nullptr,
                      x->shape};
  }
  // Blocks along the axis: [.., k, ..] is [.., k / block, block, ..] to scales [.., k / block, 1,
  // ..].
  if (block < 1 || failed(n.expectRank(scale, x->rank(), x->rank())))
    return n.reason.empty() ? n.fail("expects a block_size of at least 0") : failure();
  std::optional<SymExpr> blocks = n.syms.simplify(x->shape[*axis]).exactDiv(block);
  if (!blocks)
    return n.fail("expects an extent that divides by block_size " + Twine(block) + ", but got " +
                  x->shape[*axis].str());
  Shape shape;
  for (int64_t dim = 0; dim < x->rank(); ++dim) {
    SymExpr own = dim == *axis ? *blocks : x->shape[dim];
    if (failed(n.expectEqual(scale->shape[dim], own, "the scale's extent and the blocks")))
      return failure();
    shape.push_back(own);
    if (dim == *axis)
      shape.push_back(block);
  }
  return Parameters{e.unsqueeze(scale, {*axis + 1}),
                    zero ? e.unsqueeze(zero, {*axis + 1}) : nullptr, shape};
}

/// The smallest and largest value of an integer type.
static std::pair<double, double> limits(DType dtype) {
  unsigned bits = bitsOf(dtype);
  if (isUnsigned(dtype))
    return {0, static_cast<double>((uint64_t(1) << bits) - 1)};
  double half = static_cast<double>(uint64_t(1) << (bits - 1));
  return {-half, half - 1};
}

LogicalResult sectile::frontend::importQuantizeLinear(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  int64_t outputType = n.intAttr("output_dtype", 0), precision = n.intAttr("precision", 0);
  bool saturates = n.intAttr("saturate", 1) != 0; // Of 8-bit floats only.
  DType dtype = DType::U8;
  if (outputType != 0) {
    std::optional<DType> named = dtypeOf(outputType);
    if (!named)
      return n.fail("quantization to " + nameOfNumber(outputType) + " is not supported");
    dtype = *named;
  }
  if (n.has(2) && outputType != 0 && n.in(2)->dtype != dtype)
    return n.fail("expects output_dtype to be the zero point's type, " + nameOf(n.in(2)->dtype) +
                  ", but got " + nameOf(dtype));
  if (n.has(2))
    dtype = n.in(2)->dtype;
  if ((!isInteger(dtype) || bitsOf(dtype) > 16) && !isSmallFloat(dtype))
    return n.fail("quantization to " + nameOf(dtype) + " is not supported");
  if (x->dtype != DType::I32 && failed(n.expectFloat(x)))
    return failure();
  if (precision != 0 && precision != static_cast<int64_t>(DType::F32) &&
      precision != static_cast<int64_t>(x->dtype))
    return n.fail("precision " + nameOfNumber(precision) + " is not supported");
  FailureOr<Parameters> p = readParameters(n, x);
  if (failed(p))
    return failure();
  DType wide = x->dtype == DType::F64 ? DType::F64 : DType::F32;
  // The division is in the input's type, as the standard says: narrow floats round there.
  Tensor *seen = e.reshape(e.cast(x, isFloat(x->dtype) ? x->dtype : DType::F32), p->shape);
  SmallVector<Tensor *> inputs{seen, e.cast(p->scale, seen->dtype)};
  Tensor *ratio =
      e.pointwise(inputs, [](const Scalar &s, ValueRange args) { return s.div(args[0], args[1]); });
  if (isSmallFloat(dtype)) { // their zero point is 0
    Tensor *codes =
        e.pointwise({e.cast(ratio, wide)}, p->shape, dtype, [&](const Scalar &s, ValueRange args) {
          return s.toSmallFloat(args[0], dtype, saturates);
        });
    n.result(0, e.reshape(codes, x->shape));
    return success();
  }
  auto [low, high] = limits(dtype);
  inputs = {e.cast(ratio, wide)};
  if (p->zeroPoint)
    inputs.push_back(e.cast(p->zeroPoint, wide));
  Tensor *codes = e.pointwise(inputs, p->shape, dtype, [&](const Scalar &s, ValueRange args) {
    Value rounded = math::RoundEvenOp::create(s.b, s.loc, args[0]);
    Value shifted = args.size() > 1 ? s.add(rounded, args[1]) : rounded;
    // NaN must not reach the conversion to an integer: it becomes 0.
    Value isNumber = s.compare(Compare::Equal, shifted, shifted);
    shifted = s.select(isNumber, shifted, s.constant(0));
    return s.convert(s.min(s.max(shifted, s.constant(low)), s.constant(high)), dtype);
  });
  n.result(0, e.reshape(codes, x->shape));
  return success();
}

LogicalResult sectile::frontend::importDequantizeLinear(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  int64_t outputType = n.intAttr("output_dtype", 0);
  if (!isInteger(x->dtype) && !isSmallFloat(x->dtype))
    return n.fail("dequantization of " + nameOf(x->dtype) + " is not supported");
  if (n.has(2) && failed(n.expectSameType({x, n.in(2)})))
    return failure();
  FailureOr<Parameters> p = readParameters(n, x);
  if (failed(p))
    return failure();
  DType dtype = p->scale->dtype;
  if (outputType != 0) {
    std::optional<DType> named = dtypeOf(outputType);
    if (!named || !isFloat(*named))
      return n.fail("dequantization to " + nameOfNumber(outputType) + " is not supported");
    dtype = *named;
  }
  // Differences of codes are exact as 32-bit integers; then one multiplication in f32 or f64.
  bool hasCodes = isInteger(x->dtype) && bitsOf(x->dtype) <= 16;
  DType wide = computeType(p->scale->dtype), codeType = hasCodes ? DType::I32 : x->dtype;
  SmallVector<Tensor *> inputs{e.reshape(x, p->shape), e.cast(p->scale, wide)};
  if (p->zeroPoint)
    inputs.push_back(p->zeroPoint);
  DType own = x->dtype;
  Tensor *values = e.pointwise(inputs, p->shape, wide, [&](const Scalar &s, ValueRange args) {
    Scalar codes = s.as(codeType), real = s.as(wide);
    Value code = s.as(own).convert(args[0], codeType);
    bool subtracts = args.size() > 2 && isInteger(own);
    if (subtracts)
      code = codes.sub(code, s.as(own).convert(args[2], codeType));
    return real.mul(codes.convert(code, wide), args[1]);
  });
  n.result(0, e.cast(e.reshape(values, x->shape), dtype));
  return success();
}
