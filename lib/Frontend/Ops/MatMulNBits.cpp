//===- MatMulNBits.cpp - products with packed weights -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ONNX Runtime's operator for weights of few bits (docs/ContribOperators.md of
// version 1.23): [N, K] of them, each row in blocks along K that share a scale, and
// each block in whole bytes, the first weight in the low bits. What it computes is
//
//     a [.., K] * transpose((weights - zero points) * scales) + bias
//
// with a zero point of 2^(bits - 1) where none is given. An `accuracy_level` of 4
// allows rounding `a` to 8 bits: each block of a row is then multiplied as integers of
// -127 to 127 and a scale, its largest magnitude / 127. Lower levels allow narrower
// floats, which would gain nothing.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "dialects/Graph/IR/Graph.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// Rows of codes side by side as a byte each: `count` codes in each of `rows` rows of `stride`
/// bytes.
static Tensor *unpackRows(Emitter &e, const Tensor *packed, int64_t rows, int64_t count,
                          int64_t stride, unsigned bits) {
  auto codes = std::make_shared<std::string>();
  codes->reserve(rows * count);
  int64_t perByte = 8 / bits;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < count; ++i) {
      auto byte = static_cast<uint8_t>(packed->constant->bytes[row * stride + i / perByte]);
      codes->push_back(static_cast<char>(byte >> (i % perByte * bits) & ((1u << bits) - 1)));
    }
  Constant bytes{ArrayRef<char>(codes->data(), codes->size()), codes};
  return e.constant(DType::U8, {SymExpr(rows), SymExpr(count)}, bytes, packed->name);
}

/// Checks that an input is a constant of bytes, as many as expected.
static LogicalResult expectBytes(Node &n, const Tensor *tensor, int64_t count, StringRef what) {
  if (!tensor->constant || tensor->dtype != DType::U8)
    return n.fail("expects constant " + what + " of type uint8, but got " +
                  (tensor->constant ? "" : "an input of type ") + nameOf(tensor->dtype));
  auto given = static_cast<int64_t>(tensor->constant->bytes.size());
  if (given != count)
    return n.fail("expects " + Twine(count) + " bytes of " + what + ", but got " + Twine(given));
  return success();
}

/// [.., K] as [rows, K] in f32, each block of `size` elements along K rounded to 8 bits.
static Tensor *roundToBytes(Emitter &e, Tensor *a, int64_t depth, int64_t size) {
  size = std::min(size, depth); // one block
  auto blocks = static_cast<int64_t>(llvm::divideCeil(depth, size));
  SymExpr rows = Emitter::product(ArrayRef(a->shape).drop_back());
  Tensor *x = e.cast(e.reshape(a, {rows, SymExpr(depth)}), DType::F32);
  Tensor *whole = x;
  if (depth % size != 0)
    whole = e.pad(x, {SymExpr(0), SymExpr(0)}, {SymExpr(0), SymExpr(blocks * size - depth)},
                  e.scalars(DType::F32).constant(0));
  whole = e.reshape(whole, {rows, SymExpr(blocks), SymExpr(size)});
  Tensor *magnitude =
      e.pointwise({whole}, [](const Scalar &s, ValueRange args) { return s.abs(args[0]); });
  // Blocks of zeros get a scale too; NaN and infinity go on in it.
  constexpr double kLeast = 0x1p-100, kMost = 127;
  Tensor *scale = e.pointwise({e.reduce(magnitude, {2}, /*keep=*/false, ReduceKind::Max)},
                              [](const Scalar &s, ValueRange args) {
                                return s.div(s.max(args[0], s.constant(kLeast)), s.constant(kMost));
                              });
  ArrayAttr block = e.b.getI64ArrayAttr({1, size});
  Value codes = graph::QuantizeOp::create(e.b, e.loc, e.type(DType::I8, x->shape), e.value(x),
                                          e.value(scale), Value(), "int8", block,
                                          /*special=*/false, TypeAttr());
  Value numbers =
      graph::DequantizeOp::create(e.b, e.loc, e.type(DType::F32, x->shape), codes, e.value(scale),
                                  Value(), e.b.getStringAttr("int8"), block);
  return e.make(DType::F32, x->shape, numbers);
}

LogicalResult sectile::frontend::importMatMulNBits(Node &n) {
  Emitter &e = n.emit;
  FailureOr<int64_t> depth = n.requiredIntAttr("K"), columns = n.requiredIntAttr("N"),
                     block = n.requiredIntAttr("block_size");
  int64_t bits = n.intAttr("bits", 4);
  int64_t accuracy = n.intAttr("accuracy_level", 0);
  if (failed(depth) || failed(columns) || failed(block))
    return failure();
  constexpr int64_t kMost = int64_t(1) << 30;
  for (int64_t size : {*depth, *columns, *block})
    if (size < 1 || size > kMost)
      return n.fail("expects K, N and block_size from 1 to 2^30, but got " + Twine(size));
  if (accuracy < 0 || accuracy > 4)
    return n.fail("expects an accuracy_level from 0 to 4, but got " + Twine(accuracy));
  if (bits != 2 && bits != 4 && bits != 8)
    return n.fail("expects 2, 4 or 8 bits, but got " + Twine(bits));
  if (*block * bits % 8 != 0)
    return n.fail("expects blocks of whole bytes, but got " + Twine(*block) + " times " +
                  Twine(bits) + " bits");
  if (n.has(4))
    return n.fail("an order of weights by groups (g_idx) is not supported");
  Tensor *a = n.in(0), *scales = n.in(2);
  auto blocks = static_cast<int64_t>(llvm::divideCeil(*depth, *block));
  int64_t stride = blocks * (*block * bits / 8);
  if (failed(n.expectFloat(a)) || failed(n.expectSameType({a, scales})) ||
      failed(expectBytes(n, n.in(1), *columns * stride, "weights")) ||
      failed(n.expectEqual(Emitter::product(scales->shape), SymExpr(*columns * blocks),
                           "the number of scales and of blocks")))
    return failure();
  Shape perBlock{SymExpr(*columns), SymExpr(blocks)};
  std::string format = ("uint" + Twine(bits)).str();
  Tensor *codes = unpackRows(e, n.in(1), *columns, *depth, stride, static_cast<unsigned>(bits));
  Value zero;
  if (!n.has(3)) {
    format += ("-" + Twine(1 << (bits - 1))).str();
  } else if (n.in(3)->dtype == DType::U8) {
    auto zeroStride = static_cast<int64_t>(llvm::divideCeil(blocks * bits, 8));
    if (failed(expectBytes(n, n.in(3), *columns * zeroStride, "zero points")))
      return failure();
    zero =
        e.value(unpackRows(e, n.in(3), *columns, blocks, zeroStride, static_cast<unsigned>(bits)));
  } else {
    if (failed(n.expectSameType({a, n.in(3)})) ||
        failed(n.expectEqual(Emitter::product(n.in(3)->shape), SymExpr(*columns * blocks),
                             "the number of zero points and of blocks")))
      return failure();
    zero = e.value(e.reshape(n.in(3), perBlock));
  }
  bool inBytes = accuracy == 4;
  DType dtype = inBytes ? DType::F32 : a->dtype;
  Shape shape{SymExpr(*columns), SymExpr(*depth)};
  Value weights = graph::DequantizeOp::create(
      e.b, e.loc, e.type(dtype, shape), e.value(codes), e.value(e.reshape(scales, perBlock)), zero,
      e.b.getStringAttr(format), e.b.getI64ArrayAttr({1, *block}));
  Tensor *turned = e.transpose(e.make(dtype, shape, weights), {1, 0});
  if (failed(n.expectRank(a, 1)) ||
      failed(n.expectEqual(a->shape.back(), SymExpr(*depth), "the last extent of A and K")))
    return failure();
  FailureOr<Tensor *> product =
      multiply(n, inBytes ? roundToBytes(e, a, *depth, *block) : a, turned);
  if (failed(product))
    return failure();
  if (inBytes) {
    Shape result = a->shape;
    result.back() = SymExpr(*columns);
    product = e.cast(e.reshape(*product, result), a->dtype);
  }
  if (n.has(5)) {
    if (failed(n.expectRank(n.in(5), 1, 1)) || failed(n.expectSameType({a, n.in(5)})) ||
        failed(n.expectEqual(n.in(5)->shape[0], SymExpr(*columns), "the bias and N")))
      return failure();
    product = e.pointwise({*product, n.in(5)},
                          [](const Scalar &s, ValueRange args) { return s.add(args[0], args[1]); });
  }
  n.result(0, *product);
  return success();
}
