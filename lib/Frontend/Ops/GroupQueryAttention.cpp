//===- GroupQueryAttention.cpp - attention with a cache ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ONNX Runtime's operator for decoders: new keys and values are written into a cache
// behind those that a batch has, and its queries see all keys up to their own
// position. A batch has seqlens_k + 1 keys with the new ones; at the first call,
// where the new ones are all there are, it begins at 0 whatever seqlens_k says.
//
//===----------------------------------------------------------------------===//

#include "Attention.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

namespace {
/// Queries, keys and values as [batch, heads, positions, width].
struct Operands {
  Tensor *q, *k, *v;
};
} // namespace

static FailureOr<Operands> readOperands(Node &n, int64_t heads, int64_t keyHeads) {
  Tensor *x = n.in(0);
  SmallVector<Tensor *, 3> parts{x};
  const int64_t counts[] = {heads, keyHeads, keyHeads};
  if (failed(n.expectRank(x, 3, 3)))
    return failure();
  if (n.has(1) != n.has(2))
    return n.fail("expects key and value together");
  if (n.has(1)) {
    parts.append({n.in(1), n.in(2)});
  } else {
    // All in one: the heads of queries, of keys and of values.
    SymExpr all = heads + 2 * keyHeads, width = n.syms.floorDiv(x->shape[2], all);
    if (failed(n.require(n.syms.equal(width * all, x->shape[2]),
                         "expects an extent that divides into %1 heads, but got %0",
                         {x->shape[2], all})))
      return failure();
    parts.clear();
    SymExpr at = 0;
    for (int64_t count : counts) {
      SymExpr size = width * SymExpr(count);
      parts.push_back(n.emit.slice(x, {0, 0, at}, {x->shape[0], x->shape[1], size}, {1, 1, 1}));
      at = at + size;
    }
  }
  for (auto [part, count] : llvm::zip_equal(parts, counts)) {
    if (failed(n.expectRank(part, 3, 3)) ||
        failed(n.expectEqual(part->shape[0], x->shape[0], "batches")) ||
        failed(n.expectEqual(part->shape[1], x->shape[1], "extents of the sequence")))
      return failure();
    FailureOr<Tensor *> split = splitHeads(n, part, count);
    if (failed(split))
      return failure();
    part = *split;
  }
  for (Tensor *part : {parts[1], parts[2]})
    if (failed(n.expectEqual(part->shape[3], parts[0]->shape[3], "widths of heads")))
      return failure();
  return Operands{parts[0], parts[1], parts[2]};
}

/// The cache with `x` written behind what each batch has.
static FailureOr<Tensor *> extendCache(Node &n, unsigned input, Tensor *x, Tensor *starts,
                                       const SymExpr &extent) {
  Emitter &e = n.emit;
  Tensor *cache;
  Value zero = e.scalars(x->dtype).integer(0);
  if (n.has(input)) {
    cache = n.in(input);
    if (failed(n.expectSameType({x, cache})) || failed(n.expectRank(cache, 4, 4)))
      return failure();
    for (int64_t dim : {0, 1, 3})
      if (failed(n.expectEqual(cache->shape[dim], x->shape[dim], "extents of the cache")))
        return failure();
    cache = e.pad(cache, {0, 0, 0, 0}, {0, 0, extent - cache->shape[2], 0}, zero);
    cache->shape[2] = extent;
  } else {
    Shape shape(x->shape);
    shape[2] = extent;
    cache = e.make(x->dtype, shape, e.filled(shape, x->dtype, zero));
  }
  return writeRows(n, cache, x, starts, 2, /*isCircular=*/false);
}

/// Turns `x` by the angles of its positions.
static FailureOr<Tensor *> rotateAt(Node &n, Tensor *x, Tensor *positions, bool isInterleaved) {
  Emitter &e = n.emit;
  if (!n.has(7) || !n.has(8))
    return n.fail("expects cos_cache and sin_cache for do_rotary");
  SmallVector<Tensor *> tables;
  for (unsigned input : {7, 8}) {
    Tensor *table = n.in(input);
    if (failed(n.expectSameType({x, table})) || failed(n.expectRank(table, 2, 2)) ||
        failed(n.require(SymExpr(1) - n.syms.less(x->shape[3], table->shape[1] * SymExpr(2)),
                         "expects angles for at most half of %0 elements, but got %1",
                         {x->shape[3], table->shape[1]})))
      return failure();
    tables.push_back(e.unsqueeze(rowsAt(e, table, positions), {1}));
  }
  if (failed(n.expectEqual(tables[0]->shape.back(), tables[1]->shape.back(),
                           "the numbers of cosines and sines")))
    return failure();
  return rotatePairs(e, x, tables[0], tables[1], isInterleaved);
}

LogicalResult sectile::frontend::importGroupQueryAttention(Node &n) {
  Emitter &e = n.emit;
  FailureOr<int64_t> heads = n.requiredIntAttr("num_heads"),
                     keyHeads = n.requiredIntAttr("kv_num_heads");
  double factor = n.floatAttr("scale", 0), cap = n.floatAttr("softcap", 0);
  int64_t window = n.intAttr("local_window_size", -1);
  bool turns = n.intAttr("do_rotary", 0) != 0;
  bool isInterleaved = n.intAttr("rotary_interleaved", 0) != 0;
  if (failed(heads) || failed(keyHeads))
    return failure();
  if (n.intAttr("smooth_softmax", 0) > 0 || n.has(11) || n.intAttr("qk_output", 0) > 0)
    return n.fail("smooth softmax, head sinks and results of the products are not supported");
  if (!n.has(5) || !n.has(6) || n.has(3) != n.has(4))
    return n.fail("expects seqlens_k, total_sequence_length, and past_key with past_value");
  constexpr int64_t kMostHeads = 1 << 16;
  if (*heads < 1 || *keyHeads < 1 || *heads > kMostHeads || *keyHeads > kMostHeads ||
      *heads % *keyHeads != 0 || factor < 0 || cap < 0)
    return n.fail("expects numbers of heads that divide, and scale and softcap of at least 0");
  Tensor *lengths = n.in(5);
  if (lengths->dtype != DType::I32)
    return n.fail("expects seqlens_k of int32, but got " + nameOf(lengths->dtype));
  if (failed(n.expectFloat(n.in(0))) ||
      failed(
          n.expectSameType({n.in(0), n.has(1) ? n.in(1) : nullptr, n.has(2) ? n.in(2) : nullptr})))
    return failure();
  FailureOr<Operands> operands = readOperands(n, *heads, *keyHeads);
  FailureOr<Shape> given = n.elements(6, "total_sequence_length");
  if (failed(operands) || failed(given))
    return failure();
  auto [q, k, v] = *operands;
  SymExpr batch = q->shape[0], sequence = q->shape[2];
  if (given->size() != 1)
    return n.fail("expects total_sequence_length to be one number");
  SymExpr total = n.syms.simplify(given->front());
  if (failed(n.expectEqual(Emitter::product(lengths->shape), batch, "the batch and seqlens_k")) ||
      failed(n.require(SymExpr(1) - n.syms.less(total, sequence),
                       "expects a total_sequence_length of at least %1, but got %0",
                       {total, sequence})))
    return failure();
  // Where each batch's new keys begin.
  Value isFirst = e.index(n.syms.equal(total, sequence)), count = e.index(sequence);
  Tensor *starts = e.pointwise(
      {e.cast(e.reshape(lengths, {batch}), DType::I64)}, [&](const Scalar &s, ValueRange args) {
        Value behind = s.add(s.sub(args[0], s.fromIndex(count)), s.integer(1));
        Value isPrompt = s.compare(Compare::NotEqual, s.fromIndex(isFirst), s.integer(0));
        return s.select(isPrompt, s.integer(0), behind);
      });
  if (turns) {
    Tensor *positions;
    if (n.has(9)) {
      positions = n.in(9);
      if (positions->dtype != DType::I64)
        return n.fail("expects positions of int64, but got " + nameOf(positions->dtype));
      if (failed(n.expectRank(positions, 2, 2)) ||
          failed(n.expectEqual(positions->shape[0], batch, "the batch and the positions")) ||
          failed(n.expectEqual(positions->shape[1], sequence, "the sequence and the positions")))
        return failure();
    } else {
      positions = e.pointwise({e.unsqueeze(starts, {1})}, {batch, sequence}, DType::I64,
                              [](const Scalar &s, ValueRange args) {
                                Value at = linalg::IndexOp::create(s.b, s.loc, 1);
                                return s.add(args[0], s.fromIndex(at));
                              });
    }
    FailureOr<Tensor *> queries = rotateAt(n, q, positions, isInterleaved);
    FailureOr<Tensor *> keys = rotateAt(n, k, positions, isInterleaved);
    if (failed(queries) || failed(keys))
      return failure();
    q = *queries;
    k = *keys;
  }
  // A cache that has room for more than the keys stays as long as it is.
  SymExpr extent = total;
  if (n.has(3) && n.in(3)->rank() == 4)
    extent = n.syms.max(total, n.in(3)->shape[2]);
  extent = e.nameValue(n.syms.simplify(extent), "cached");
  FailureOr<Tensor *> keys = extendCache(n, 3, k, starts, extent);
  FailureOr<Tensor *> values = extendCache(n, 4, v, starts, extent);
  if (failed(keys) || failed(values))
    return failure();

  FailureOr<Heads> groups = countHeads(n, q, *keys);
  if (failed(groups))
    return failure();
  std::optional<double> scale;
  if (factor != 0)
    scale = factor;
  Tensor *scores = scoreKeys(e, q, *keys, *groups, scale);
  if (cap > 0)
    scores = capScores(e, scores, cap);
  if (n.has(10)) {
    FailureOr<Tensor *> bias =
        fitMask(n, n.in(10), *groups, {batch, q->shape[1], sequence, extent}, /*mayBeShort=*/true);
    if (failed(bias))
      return failure();
    scores = addMask(e, scores, *bias);
  }
  Positions positions;
  positions.counts = e.pointwise({starts}, [&](const Scalar &s, ValueRange args) {
    return s.add(args[0], s.fromIndex(count));
  });
  positions.behind = 0;
  if (window > 0)
    positions.before = window - 1;
  scores = maskByPosition(e, scores, positions);
  // Each query sees its own key, unless a bias masks it.
  Tensor *weights = softmaxOfKeys(e, scores, /*mayBeEmpty=*/n.has(10));
  Tensor *result = multiplyByHead(e, weights, *values, *groups, /*transposed=*/true);
  result = ungroupScores(e, e.cast(result, q->dtype), *groups);
  n.result(0, joinHeads(e, result));
  n.result(1, *keys);
  n.result(2, *values);
  return success();
}
