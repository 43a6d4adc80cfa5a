//===- QuantizedProducts.cpp - products of quantized numbers ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Codes without their zero points are multiplied as integers, exactly; the sums are
// then scaled and quantized again. ONNX leaves open whether the zero point of the
// result is added before the rounding; here it is added behind it, as QuantizeLinear
// does.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// Checks a scale or zero point of one number, and drops its dimensions.
static FailureOr<Tensor *> oneNumber(Node &n, unsigned input, StringRef what) {
  Tensor *x = n.in(input);
  if (failed(n.expectEqual(Emitter::product(x->shape), 1, "the number of elements and 1")))
    return n.fail("expects one number for " + what + ", but got " + Node::text(x->shape));
  return n.emit.reshape(x, {});
}

/// A scale of one number, or one for each element of the dimension that has `behind` others behind
/// it, as it broadcasts to `x`.
static FailureOr<Tensor *> fitScale(Node &n, Tensor *x, unsigned input, int64_t behind) {
  Tensor *scale = n.in(input);
  if (failed(n.expectFloat(scale)))
    return failure();
  if (Emitter::product(scale->shape).isConstant(1))
    return n.emit.reshape(scale, {});
  if (scale->rank() == 1)
    scale = n.emit.unsqueeze(scale, llvm::to_vector(llvm::seq<int64_t>(1, 1 + behind)));
  FailureOr<Shape> joined = n.broadcast({x, scale});
  if (failed(joined))
    return failure();
  if (static_cast<int64_t>(joined->size()) != x->rank())
    return n.fail("expects a scale that fits " + Node::text(x->shape) + ", but got " +
                  Node::text(scale->shape));
  for (auto [own, wanted] : llvm::zip_equal(*joined, x->shape))
    if (failed(n.expectEqual(own, wanted, "extents of a scale")))
      return failure();
  return scale;
}

/// The sums `x`, int32, scaled by a * b / y and quantized with the zero point that input
/// `zeroPoint` is.
static FailureOr<Tensor *> quantizeSums(Node &n, Tensor *x, Tensor *a, Tensor *b, unsigned yScale,
                                        unsigned zeroPoint) {
  Emitter &e = n.emit;
  FailureOr<Tensor *> y = oneNumber(n, yScale, "the result's scale"),
                      zero = oneNumber(n, zeroPoint, "the result's zero point");
  if (failed(y) || failed(zero) || failed(n.expectFloat(*y)))
    return failure();
  DType dtype = (*zero)->dtype;
  if (!isInteger(dtype) || bitsOf(dtype) != 8)
    return n.fail("expects a result of int8 or uint8, but got " + nameOf(dtype));
  auto real = [&](Tensor *tensor) { return e.cast(tensor, DType::F32); };
  Tensor *inputs[] = {real(x), real(a), real(b), real(*y), real(*zero)};
  return e.pointwise(inputs, x->shape, dtype, [&](const Scalar &s, ValueRange args) {
    Value factor = s.div(s.mul(args[1], args[2]), args[3]);
    return roundToInteger(s, s.mul(args[0], factor), args[4], dtype);
  });
}

LogicalResult sectile::frontend::importQLinearMatMul(Node &n) {
  // Parameters for each row of the first matrix, and for each column of the second.
  int64_t behindRow = n.in(0)->rank() > 1 ? 1 : 0;
  FailureOr<Tensor *> a = withoutZeroPoint(n, n.in(0), 2, behindRow);
  FailureOr<Tensor *> b = withoutZeroPoint(n, n.in(3), 5, 0);
  if (failed(a) || failed(b))
    return failure();
  FailureOr<Tensor *> product = multiply(n, *a, *b);
  if (failed(product))
    return failure();
  bool isVector = n.in(0)->rank() == 1 || n.in(3)->rank() == 1;
  for (unsigned scale : {1, 4})
    if (isVector && !Emitter::product(n.in(scale)->shape).isConstant(1))
      return n.fail("expects one scale for a product with a vector, but got " +
                    Node::text(n.in(scale)->shape));
  FailureOr<Tensor *> aScale = fitScale(n, *product, 1, behindRow);
  FailureOr<Tensor *> bScale = fitScale(n, *product, 4, 0);
  if (failed(aScale) || failed(bScale))
    return failure();
  FailureOr<Tensor *> result = quantizeSums(n, *product, *aScale, *bScale, 6, 7);
  if (failed(result))
    return failure();
  n.result(0, *result);
  return success();
}

LogicalResult sectile::frontend::importQLinearConv(Node &n) {
  Emitter &e = n.emit;
  FailureOr<Tensor *> one = oneNumber(n, 2, "the input's zero point"),
                      xScale = oneNumber(n, 1, "the input's scale");
  if (failed(one) || failed(xScale) || failed(n.expectFloat(*xScale)) ||
      failed(n.expectRank(n.in(3), 3)))
    return failure();
  // Padding comes after: it holds the zero point, which is then 0.
  FailureOr<Tensor *> x = withoutZeroPoint(n, n.in(0), 2, 0);
  FailureOr<Tensor *> w = withoutZeroPoint(n, n.in(3), 5, n.in(3)->rank() - 1);
  if (failed(x) || failed(w))
    return failure();
  FailureOr<Tensor *> sums = convolveInputs(n, *x, *w);
  if (failed(sums))
    return failure();
  int64_t spatial = (*sums)->rank() - 2;
  if (n.has(8)) {
    Tensor *bias = n.in(8);
    if (bias->dtype != DType::I32)
      return n.fail("expects a bias of int32, but got " + nameOf(bias->dtype));
    if (failed(n.expectRank(bias, 1, 1)) ||
        failed(
            n.expectEqual(bias->shape[0], (*sums)->shape[1], "the bias's extent and the channels")))
      return failure();
    Tensor *perChannel = e.unsqueeze(bias, llvm::to_vector(llvm::seq<int64_t>(1, spatial + 1)));
    sums = e.pointwise({*sums, perChannel},
                       [](const Scalar &s, ValueRange args) { return s.add(args[0], args[1]); });
  }
  FailureOr<Tensor *> wScale = fitScale(n, *sums, 4, spatial);
  if (failed(wScale))
    return failure();
  FailureOr<Tensor *> result = quantizeSums(n, *sums, *xScale, *wScale, 6, 7);
  if (failed(result))
    return failure();
  n.result(0, *result);
  return success();
}

LogicalResult sectile::frontend::importDynamicQuantizeLinear(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  if (x->dtype != DType::F32)
    return n.fail("expects float32, but got " + nameOf(x->dtype));
  SmallVector<int64_t> all = llvm::to_vector(llvm::seq<int64_t>(0, x->rank()));
  Tensor *most = e.reduce(x, all, /*keep=*/false, ReduceKind::Max);
  Tensor *least = e.reduce(x, all, /*keep=*/false, ReduceKind::Min);
  // The range holds 0; one of zeros alone is taken for 1, so that nothing divides by 0.
  Tensor *scale = e.pointwise({most, least}, [](const Scalar &s, ValueRange args) {
    Value zero = s.constant(0);
    Value range = s.sub(s.max(args[0], zero), s.min(args[1], zero));
    Value isEmpty = s.compare(Compare::Equal, range, zero);
    return s.div(s.select(isEmpty, s.constant(1), range), s.constant(255));
  });
  Tensor *zero = e.pointwise({least, scale}, {}, DType::U8, [](const Scalar &s, ValueRange args) {
    Value lowest = s.min(args[0], s.constant(0));
    return roundToInteger(s, s.div(s.neg(lowest), args[1]), Value(), DType::U8);
  });
  n.result(0, e.pointwise({x, scale, e.cast(zero, DType::F32)}, x->shape, DType::U8,
                          [](const Scalar &s, ValueRange args) {
                            return roundToInteger(s, s.div(args[0], args[1]), args[2], DType::U8);
                          }));
  n.result(1, scale);
  n.result(2, zero);
  return success();
}
