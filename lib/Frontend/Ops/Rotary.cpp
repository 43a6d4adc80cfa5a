//===- Rotary.cpp - rotary position embedding -------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pairs of elements, the two halves of a head or neighbours, are turned by an angle
// that depends on the position and on the pair:
//
//   y1 = cos * x1 - sin * x2,   y2 = sin * x1 + cos * x2
//
//===----------------------------------------------------------------------===//

#include "Attention.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// `count` elements of the last dimension from `first` on, `stride` apart.
static Tensor *part(Emitter &e, Tensor *x, const SymExpr &first, const SymExpr &count,
                    int64_t stride) {
  SmallVector<SymExpr> offsets(x->rank(), 0);
  Shape sizes(x->shape);
  SmallVector<int64_t> strides(x->rank(), 1);
  offsets.back() = first;
  sizes.back() = count;
  strides.back() = stride;
  return e.slice(x, offsets, sizes, strides);
}

Tensor *sectile::frontend::rotatePairs(Emitter &e, Tensor *x, Tensor *cos, Tensor *sin,
                                       bool isInterleaved) {
  const SymExpr &half = cos->shape.back();
  SymExpr turned = half + half, rest = e.syms.simplify(x->shape.back() - turned);
  Tensor *x1 = part(e, x, 0, half, isInterleaved ? 2 : 1);
  Tensor *x2 = part(e, x, isInterleaved ? SymExpr(1) : half, half, isInterleaved ? 2 : 1);
  auto combine = [&](Tensor *a, Tensor *b, bool adds) {
    return e.pointwise(
        {a, cos, b, sin},
        [&](const Scalar &s, ValueRange args) {
          Value first = s.mul(args[0], args[1]), second = s.mul(args[2], args[3]);
          return adds ? s.add(first, second) : s.sub(first, second);
        },
        /*wide=*/true);
  };
  Tensor *y1 = combine(x1, x2, /*adds=*/false), *y2 = combine(x2, x1, /*adds=*/true);
  SmallVector<Tensor *> parts{y1, y2};
  if (isInterleaved) {
    // Neighbours again: [.., half, 2].
    Tensor *pairs =
        e.concat({e.unsqueeze(y1, {x->rank()}), e.unsqueeze(y2, {x->rank()})}, x->rank());
    Shape shape(x->shape);
    shape.back() = turned;
    parts = {e.reshape(pairs, shape)};
  }
  if (!rest.isConstant(0))
    parts.push_back(part(e, x, turned, rest, 1));
  return e.concat(parts, x->rank() - 1);
}

Tensor *sectile::frontend::rowsAt(Emitter &e, Tensor *table, Tensor *positions) {
  Shape shape{positions->shape[0], positions->shape[1], table->shape[1]};
  Value source = e.value(table), chosen = e.value(positions);
  Value rows = graph::GatherOp::create(e.b, e.loc, e.type(table->dtype, shape), source, chosen,
                                       /*axis=*/0);
  return e.make(table->dtype, shape, rows);
}

/// Turns heads of `x`, [b, s, h * d] or [b, h, s, d], by the angles of `positions` [b, s] in
/// tables, or by angles [b, s, pairs] where there are no positions.
static LogicalResult rotate(Node &n, Tensor *x, Tensor *cos, Tensor *sin, Tensor *positions,
                            std::optional<SymExpr> headWidth, int64_t turning) {
  Emitter &e = n.emit;
  bool isFlat = x->rank() == 3, isInterleaved = n.intAttr("interleaved", 0) != 0;
  const SymExpr batch = x->shape[0], sequence = x->shape[isFlat ? 1 : 2];
  Shape shape(x->shape);
  if (isFlat) {
    if (!headWidth)
      return n.fail("expects num_heads for an input of rank 3");
    SymExpr heads = n.syms.floorDiv(x->shape[2], *headWidth);
    if (failed(n.require(n.syms.equal(heads * *headWidth, x->shape[2]),
                         "expects an extent of whole heads of %1, but got %0",
                         {x->shape[2], *headWidth})))
      return failure();
    x = e.reshape(x, {batch, sequence, heads, *headWidth});
  }
  if (positions) {
    if (failed(n.expectRank(positions, 2, 2)) || failed(n.expectRank(cos, 2, 2)) ||
        failed(n.expectRank(sin, 2, 2)))
      return failure();
    cos = rowsAt(e, cos, positions);
    sin = rowsAt(e, sin, positions);
  }
  SymExpr turned = turning == 0 ? x->shape.back() : SymExpr(turning);
  if (failed(n.require(SymExpr(1) - n.syms.less(x->shape.back(), turned),
                       "expects heads of at least %1 elements, but got %0",
                       {x->shape.back(), turned})))
    return failure();
  for (Tensor **which : {&cos, &sin}) {
    Tensor *&table = *which;
    if (failed(n.expectRank(table, 3, 3)) ||
        failed(n.expectEqual(table->shape[0], batch, "batches of the input and of the angles")) ||
        failed(n.expectEqual(table->shape[1], sequence,
                             "extents of the sequence and of the angles")) ||
        failed(n.expectEqual(table->shape[2] * SymExpr(2), turned,
                             "twice the number of angles and the elements that turn")))
      return failure();
    // Angles are for all heads: dimension 2 of [b, s, h, d], and 1 of [b, h, s, d].
    table = e.unsqueeze(table, {isFlat ? 2 : 1});
  }
  n.result(0, e.reshape(rotatePairs(e, x, cos, sin, isInterleaved), shape));
  return success();
}

LogicalResult sectile::frontend::importRotaryEmbedding(Node &n) {
  Tensor *x = n.in(0), *cos = n.in(1), *sin = n.in(2);
  Tensor *positions = n.has(3) ? n.in(3) : nullptr;
  int64_t heads = n.intAttr("num_heads", 0);
  if (failed(n.expectFloat(x)) || failed(n.expectSameType({x, cos, sin})) ||
      failed(n.expectRank(x, 3, 4)))
    return failure();
  if (positions && positions->dtype != DType::I64)
    return n.fail("expects positions of int64, but got " + nameOf(positions->dtype));
  std::optional<SymExpr> width;
  if (heads >= 1 && x->rank() == 3)
    width = n.syms.floorDiv(x->shape[2], heads);
  return rotate(n, x, cos, sin, positions, width, n.intAttr("rotary_embedding_dim", 0));
}

LogicalResult sectile::frontend::importMicrosoftRotaryEmbedding(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *positions = n.in(1), *cos = n.in(2), *sin = n.in(3);
  int64_t heads = n.intAttr("num_heads", 0), turning = n.intAttr("rotary_embedding_dim", 0);
  if (n.floatAttr("scale", 1) != 1 || n.intAttr("is_packed_batching", 0) != 0)
    return n.fail("a scale and packed batches are not supported");
  if (failed(n.expectFloat(x)) || failed(n.expectSameType({x, cos, sin})) ||
      failed(n.expectRank(x, 3, 4)) || failed(n.expectRank(cos, 2, 2)))
    return failure();
  if (positions->dtype != DType::I64)
    return n.fail("expects positions of int64, but got " + nameOf(positions->dtype));
  if (turning > 0 && heads < 1)
    return n.fail("expects num_heads where rotary_embedding_dim is given");
  // Without a number of heads all of a head turns.
  std::optional<SymExpr> width = cos->shape[1] * SymExpr(2);
  if (heads >= 1 && x->rank() == 3)
    width = n.syms.floorDiv(x->shape[2], heads);
  if (positions->rank() == 1) {
    // One number: where the sequence begins.
    if (failed(n.expectEqual(positions->shape[0], 1, "the number of positions and 1")))
      return failure();
    Shape shape{x->shape[0], x->shape[x->rank() == 3 ? 1 : 2]};
    positions = e.pointwise({e.reshape(positions, {1})}, shape, DType::I64,
                            [](const Scalar &s, ValueRange args) {
                              Value at = linalg::IndexOp::create(s.b, s.loc, 1);
                              return s.add(args[0], s.fromIndex(at));
                            });
  }
  return rotate(n, x, cos, sin, positions, width, turning);
}
