//===- Quantization.cpp - QuantizeLinear and DequantizeLinear ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

namespace {
/// Scale and zero point with a dimension for each of the tensor's, and how many elements along each
/// share one of them (0 for all), as graph.dequantize has it.
struct Parameters {
  Tensor *scale, *zeroPoint; ///< zeroPoint may be null
  SmallVector<int64_t> block;
};
} // namespace

/// Checks that scales along the axis are as many as blocks, if that is known by now; else the op
/// checks it when it runs.
static LogicalResult checkBlocks(Node &n, const SymExpr &extent, const SymExpr &scales,
                                 int64_t size) {
  std::optional<int64_t> known = n.syms.simplify(extent).constant();
  std::optional<SymExpr> exact = n.syms.simplify(extent).exactDiv(size);
  if (known)
    exact = SymExpr(static_cast<int64_t>(llvm::divideCeil(*known, size)));
  return exact ? n.expectEqual(scales, *exact, "the scale's extent and the blocks") : success();
}

static FailureOr<Parameters> readParameters(Node &n, Tensor *x) {
  Emitter &e = n.emit;
  Tensor *scale = n.in(1), *zero = n.has(2) ? n.in(2) : nullptr;
  int64_t axisAttr = n.intAttr("axis", 1), block = n.intAttr("block_size", 0);
  if (scale->dtype == DType::F8E8M0)
    scale = e.cast(scale, DType::F32);
  if (failed(n.expectFloat(scale)))
    return failure();
  // One number is one, with a dimension or without.
  bool isNumber = Emitter::product(scale->shape).isConstant(1);
  if (zero && isNumber && Emitter::product(zero->shape).isConstant(1))
    zero = e.reshape(zero, scale->shape);
  if (zero && scale->rank() != zero->rank())
    return n.fail("expects a scale and a zero point of one shape, but got " +
                  Node::text(scale->shape) + " and " + Node::text(zero->shape));
  for (int64_t dim = 0; zero && dim < scale->rank(); ++dim)
    if (failed(n.expectEqual(scale->shape[dim], zero->shape[dim],
                             "the scale's and the zero point's extents")))
      return failure();
  // Nothing to subtract: symmetric quantization, spelled out.
  if (zero && zero->constant && isInteger(zero->dtype) &&
      llvm::all_of(zero->constant->bytes, [](char byte) { return byte == 0; }))
    zero = nullptr;
  bool isOne = Emitter::product(scale->shape).isConstant(1);
  Shape shape(x->rank(), SymExpr(1));
  Parameters result{scale, zero, SmallVector<int64_t>(x->rank(), 0)};
  if (scale->rank() != 0 && (scale->rank() != 1 || !isOne || block != 0)) {
    FailureOr<int64_t> axis = n.axis(axisAttr, x->rank());
    if (failed(axis))
      return failure();
    if (block < 0)
      return n.fail("expects a block_size of at least 0");
    if (block == 0) {
      if (failed(n.expectRank(scale, 1, 1)) ||
          failed(
              n.expectEqual(scale->shape[0], x->shape[*axis], "the scale's extent and the axis")))
        return failure();
      shape[*axis] = x->shape[*axis];
      result.block[*axis] = 1;
    } else {
      if (failed(n.expectRank(scale, x->rank(), x->rank())) ||
          failed(checkBlocks(n, x->shape[*axis], scale->shape[*axis], block)))
        return failure();
      for (int64_t dim = 0; dim < x->rank(); ++dim)
        if (dim != *axis && failed(n.expectEqual(scale->shape[dim], x->shape[dim],
                                                 "the scale's and the input's extents")))
          return failure();
      shape = scale->shape;
      result.block.assign(x->rank(), 1);
      result.block[*axis] = block;
    }
  }
  result.scale = e.reshape(result.scale, shape);
  if (zero)
    result.zeroPoint = e.reshape(zero, shape);
  return result;
}

/// A scale or zero point with as many elements along blocked dimensions as `x` has.
static Tensor *repeatForBlocks(Node &n, Tensor *parameter, ArrayRef<int64_t> block, Tensor *x) {
  Emitter &e = n.emit;
  for (auto [dim, size] : llvm::enumerate(block)) {
    if (size < 2)
      continue;
    auto axis = static_cast<int64_t>(dim);
    Shape wide = parameter->shape, flat = parameter->shape;
    wide.insert(wide.begin() + axis + 1, SymExpr(size));
    flat[axis] = flat[axis] * SymExpr(size);
    parameter = e.reshape(e.expand(e.unsqueeze(parameter, {axis + 1}), wide), flat);
    flat[axis] = x->shape[axis];
    parameter = e.slice(parameter, Shape(flat.size(), SymExpr(0)), flat,
                        SmallVector<int64_t>(flat.size(), 1));
  }
  return parameter;
}

/// The smallest and largest value of an integer type.
static std::pair<double, double> limits(DType dtype) {
  unsigned bits = bitsOf(dtype);
  if (isUnsigned(dtype))
    return {0, static_cast<double>((uint64_t(1) << bits) - 1)};
  double half = static_cast<double>(uint64_t(1) << (bits - 1));
  return {-half, half - 1};
}

Value sectile::frontend::roundToInteger(const Scalar &s, Value x, Value zeroPoint, DType dtype) {
  auto [low, high] = limits(dtype);
  Value rounded = math::RoundEvenOp::create(s.b, s.loc, x);
  Value shifted = zeroPoint ? s.add(rounded, zeroPoint) : rounded;
  // NaN must not reach the conversion to an integer: it becomes 0.
  Value isNumber = s.compare(Compare::Equal, shifted, shifted);
  shifted = s.select(isNumber, shifted, s.constant(0));
  return s.convert(s.min(s.max(shifted, s.constant(low)), s.constant(high)), dtype);
}

/// Quantization to integers that no number format has, which end at 8 bits.
static Tensor *quantizeWide(Node &n, Tensor *x, const Parameters &p, DType dtype, DType precision) {
  Emitter &e = n.emit;
  DType wide = x->dtype == DType::F64 ? DType::F64 : DType::F32;
  SmallVector<Tensor *> inputs{e.cast(x, precision),
                               e.cast(repeatForBlocks(n, p.scale, p.block, x), precision)};
  Tensor *ratio =
      e.pointwise(inputs, [](const Scalar &s, ValueRange args) { return s.div(args[0], args[1]); });
  inputs = {e.cast(ratio, wide)};
  if (p.zeroPoint)
    inputs.push_back(e.cast(repeatForBlocks(n, p.zeroPoint, p.block, x), wide));
  return e.pointwise(inputs, x->shape, dtype, [&](const Scalar &s, ValueRange args) {
    return roundToInteger(s, args[0], args.size() > 1 ? args[1] : Value(), dtype);
  });
}

LogicalResult sectile::frontend::importQuantizeLinear(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  int64_t outputType = n.intAttr("output_dtype", 0), precisionAttr = n.intAttr("precision", 0);
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
  if (!isFloat(x->dtype))
    x = e.cast(x, DType::F32);
  // The division is in the input's type unless the node says otherwise: narrow floats round there.
  DType precision = x->dtype;
  if (precisionAttr != 0) {
    std::optional<DType> named = dtypeOf(precisionAttr);
    if (!named || !isFloat(*named) || isSmallFloat(*named))
      return n.fail("precision " + nameOfNumber(precisionAttr) + " is not supported");
    precision = *named;
  }
  FailureOr<Parameters> p = readParameters(n, x);
  if (failed(p))
    return failure();
  if (formatOf(dtype).empty()) {
    n.result(0, quantizeWide(n, x, *p, dtype, precision));
    return success();
  }
  // Zero points of floats are 0.
  Value zero = p->zeroPoint && isInteger(dtype) ? e.value(p->zeroPoint) : Value();
  Value codes = graph::QuantizeOp::create(
      e.b, e.loc, e.type(dtype, x->shape), e.value(x), e.value(p->scale), zero, formatOf(dtype),
      e.b.getI64ArrayAttr(p->block), isSmallFloat(dtype) && !saturates,
      TypeAttr::get(mlirType(precision, e.b.getContext())));
  n.result(0, e.make(dtype, x->shape, codes));
  return success();
}

/// The inverse for integers that no number format has.
static Tensor *dequantizeWide(Node &n, Tensor *x, const Parameters &p, DType dtype) {
  Emitter &e = n.emit;
  // Differences of codes are exact as 32-bit integers; then one multiplication in f32 or f64.
  bool isNarrow = bitsOf(x->dtype) <= 16;
  DType wide = computeType(p.scale->dtype), codeType = isNarrow ? DType::I32 : x->dtype;
  SmallVector<Tensor *> inputs{x, e.cast(repeatForBlocks(n, p.scale, p.block, x), wide)};
  if (p.zeroPoint)
    inputs.push_back(repeatForBlocks(n, p.zeroPoint, p.block, x));
  DType own = x->dtype;
  Tensor *values = e.pointwise(inputs, x->shape, wide, [&](const Scalar &s, ValueRange args) {
    Scalar codes = s.as(codeType), real = s.as(wide);
    Value code = s.as(own).convert(args[0], codeType);
    if (args.size() > 2)
      code = codes.sub(code, s.as(own).convert(args[2], codeType));
    return real.mul(codes.convert(code, wide), args[1]);
  });
  return e.cast(values, dtype);
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
    if (!named || !isFloat(*named) || isSmallFloat(*named))
      return n.fail("dequantization to " + nameOfNumber(outputType) + " is not supported");
    dtype = *named;
  }
  if (formatOf(x->dtype).empty()) {
    n.result(0, dequantizeWide(n, x, *p, dtype));
    return success();
  }
  // Zero points of floats are 0.
  Value zero = p->zeroPoint && isInteger(x->dtype) ? e.value(p->zeroPoint) : Value();
  Value values = graph::DequantizeOp::create(
      e.b, e.loc, e.type(dtype, x->shape), e.value(x), e.value(p->scale), zero,
      e.b.getStringAttr(formatOf(x->dtype)), e.b.getI64ArrayAttr(p->block));
  n.result(0, e.make(dtype, x->shape, values));
  return success();
}
