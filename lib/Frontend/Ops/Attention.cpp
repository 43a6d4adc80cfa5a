//===- Attention.cpp - scaled products of queries and keys ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An attention is written as two products with a softmax between them, which fusion
// makes one kernel of (docs/decisions/attention-is-linalg.md). Query heads that
// share a head of keys are a dimension of their own behind it, which keys and values
// do not have:
//
//   scores[b, h, g, i, j] = scale * sum over d of q[b, h, g, i, d] * k[b, h, j, d]
//
// Scores stay in the type that sums are computed in until the result is rounded. A
// row whose keys are all masked gives zeros.
//
//===----------------------------------------------------------------------===//

#include "Attention.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using utils::IteratorType;

FailureOr<Tensor *> sectile::frontend::splitHeads(Node &n, Tensor *x, int64_t heads) {
  if (heads < 1)
    return n.fail("expects at least 1 head, but got " + Twine(heads));
  std::optional<SymExpr> width = n.syms.simplify(x->shape[2]).exactDiv(heads);
  if (!width) {
    width = n.syms.floorDiv(x->shape[2], heads);
    if (failed(
            n.require(n.syms.equal(*width * SymExpr(heads), x->shape[2]),
                      "expects an extent that divides into " + Twine(heads) + " heads, but got %0",
                      {x->shape[2]})))
      return failure();
  }
  Tensor *split = n.emit.reshape(x, {x->shape[0], x->shape[1], heads, *width});
  return n.emit.transpose(split, {0, 2, 1, 3});
}

Tensor *sectile::frontend::joinHeads(Emitter &e, Tensor *x) {
  Tensor *turned = e.transpose(x, {0, 2, 1, 3});
  return e.reshape(turned,
                   {turned->shape[0], turned->shape[1], turned->shape[2] * turned->shape[3]});
}

/// [b, h * g, i, d] as [b, h, g, i, d].
static Tensor *groupHeads(Emitter &e, Tensor *x, const Heads &heads) {
  return e.reshape(x, {x->shape[0], heads.ofKeys, heads.perKey, x->shape[2], x->shape[3]});
}

static Tensor *ungroupHeads(Emitter &e, Tensor *x, const Heads &heads) {
  return e.reshape(x, {x->shape[0], heads.ofQueries, x->shape[3], x->shape[4]});
}

FailureOr<Heads> sectile::frontend::countHeads(Node &n, Tensor *q, Tensor *k) {
  SymExpr ofQueries = n.syms.simplify(q->shape[1]), ofKeys = n.syms.simplify(k->shape[1]);
  if (ofQueries == ofKeys)
    return Heads{ofQueries, ofKeys, 1};
  if (failed(n.require(n.syms.less(0, ofKeys), "expects at least 1 head of keys, but got %0",
                       {ofKeys})))
    return failure();
  SymExpr perKey = n.syms.floorDiv(ofQueries, ofKeys);
  if (failed(n.require(n.syms.equal(perKey * ofKeys, ofQueries),
                       "expects the heads of keys to divide those of queries, but got %1 and %0",
                       {ofQueries, ofKeys})))
    return failure();
  return Heads{ofQueries, ofKeys, n.syms.simplify(perKey)};
}

/// The product of `x` [b, h, g, i, s] with `y` [b, h, .., ..], summed over s: its last dimension,
/// or the one before if `transposed`.
static Tensor *multiplyGroups(Emitter &e, Tensor *x, Tensor *y, bool transposed) {
  AffineExpr b = e.dim(0), h = e.dim(1), g = e.dim(2), i = e.dim(3), j = e.dim(4), s = e.dim(5);
  Access left{x, {b, h, g, i, s}}, right{y, {b, h, transposed ? s : j, transposed ? j : s}};
  Shape shape(x->shape.begin(), x->shape.end() - 1);
  shape.push_back(y->shape[transposed ? 3 : 2]);
  SmallVector<IteratorType> iterators(5, IteratorType::parallel);
  iterators.push_back(IteratorType::reduction);
  return e.contract(left, right, shape, {b, h, g, i, j}, iterators);
}

/// The same for [b, h, i, s].
static Tensor *multiplyHeads(Emitter &e, Tensor *x, Tensor *y, bool transposed) {
  AffineExpr b = e.dim(0), h = e.dim(1), i = e.dim(2), j = e.dim(3), s = e.dim(4);
  Access left{x, {b, h, i, s}}, right{y, {b, h, transposed ? s : j, transposed ? j : s}};
  Shape shape(x->shape.begin(), x->shape.end() - 1);
  shape.push_back(y->shape[transposed ? 3 : 2]);
  SmallVector<IteratorType> iterators(4, IteratorType::parallel);
  iterators.push_back(IteratorType::reduction);
  return e.contract(left, right, shape, {b, h, i, j}, iterators);
}

Tensor *sectile::frontend::multiplyByHead(Emitter &e, Tensor *x, Tensor *y, const Heads &heads,
                                          bool transposed) {
  if (!heads.isGrouped())
    return multiplyHeads(e, x, y, transposed);
  return multiplyGroups(e, x, y, transposed);
}

Tensor *sectile::frontend::scoreKeys(Emitter &e, Tensor *q, Tensor *k, const Heads &heads,
                                     std::optional<double> scale) {
  Tensor *queries = heads.isGrouped() ? groupHeads(e, q, heads) : q;
  Tensor *products = multiplyByHead(e, queries, k, heads, /*transposed=*/false);
  SymExpr width = e.syms.simplify(q->shape[3]);
  Value extent;
  if (!scale) {
    if (std::optional<int64_t> known = width.constant())
      scale = 1 / std::sqrt(static_cast<double>(std::max<int64_t>(*known, 1)));
    else
      extent = e.index(width);
  }
  return e.pointwise({products}, [&](const Scalar &s, ValueRange args) {
    if (scale)
      return s.mul(args[0], s.constant(*scale));
    return s.div(args[0], math::SqrtOp::create(s.b, s.loc, s.fromIndex(extent)));
  });
}

Tensor *sectile::frontend::softmaxOfKeys(Emitter &e, Tensor *scores, bool mayBeEmpty) {
  int64_t last = scores->rank() - 1;
  Tensor *most = e.reduce(scores, {last}, /*keep=*/true, ReduceKind::Max);
  if (mayBeEmpty)
    most = e.pointwise({most}, [](const Scalar &s, ValueRange args) {
      Value isEmpty = s.compare(Compare::Equal, args[0], s.lowest());
      return s.select(isEmpty, s.constant(0), args[0]);
    });
  Tensor *power = e.pointwise({scores, most}, [](const Scalar &s, ValueRange args) -> Value {
    return math::ExpOp::create(s.b, s.loc, s.sub(args[0], args[1]));
  });
  Tensor *sum = e.reduce(power, {last}, /*keep=*/true, ReduceKind::Sum);
  return e.pointwise({power, sum}, [&](const Scalar &s, ValueRange args) {
    if (!mayBeEmpty)
      return s.div(args[0], args[1]);
    Value isEmpty = s.compare(Compare::Equal, args[1], s.constant(0));
    return s.div(args[0], s.select(isEmpty, s.constant(1), args[1]));
  });
}

FailureOr<Tensor *> sectile::frontend::fitMask(Node &n, Tensor *mask, const Heads &heads,
                                               ArrayRef<SymExpr> shape, bool mayBeShort) {
  Emitter &e = n.emit;
  if (mask->dtype != DType::Bool && failed(n.expectFloat(mask)))
    return failure();
  if (failed(n.expectRank(mask, 1, 4)))
    return failure();
  int64_t rank = mask->rank();
  const SymExpr &keys = shape[3];
  SymExpr missing = n.syms.simplify(keys - mask->shape.back());
  if (mayBeShort && !missing.isConstant(0)) {
    // Keys beyond the mask's end are masked.
    if (failed(n.require(SymExpr(1) - n.syms.less(missing, 0),
                         "expects a mask for at most %0 keys, but got %1",
                         {keys, mask->shape.back()})))
      return failure();
    SmallVector<SymExpr> low(rank, 0), high(rank, 0);
    high.back() = missing;
    Scalar s = e.scalars(mask->dtype);
    mask = e.pad(mask, low, high, mask->dtype == DType::Bool ? s.integer(0) : s.lowest());
    mask->shape.back() = keys;
  }
  FailureOr<Shape> joined = n.broadcast({ArrayRef<SymExpr>(mask->shape), shape});
  if (failed(joined))
    return failure();
  for (auto [own, wanted] : llvm::zip_equal(*joined, shape))
    if (failed(n.expectEqual(own, wanted, "extents of the mask and the scores")))
      return failure();
  if (!heads.isGrouped() || rank < 3)
    return mask;
  // The heads' dimension becomes two.
  Shape grouped(mask->shape);
  auto *at = grouped.end() - 3;
  bool isOne = n.syms.simplify(*at).isConstant(1);
  if (!isOne && !e.same(*at, shape[1])) {
    Shape stretched(mask->shape);
    *(stretched.end() - 3) = shape[1];
    mask = e.expand(mask, stretched);
  }
  *at = isOne ? SymExpr(1) : heads.perKey;
  grouped.insert(grouped.end() - 3, isOne ? SymExpr(1) : heads.ofKeys);
  return e.reshape(mask, grouped);
}

Tensor *sectile::frontend::addMask(Emitter &e, Tensor *scores, Tensor *mask) {
  bool isBool = mask->dtype == DType::Bool;
  Tensor *bias = isBool ? mask : e.cast(mask, scores->dtype);
  return e.pointwise({scores, bias}, [&](const Scalar &s, ValueRange args) {
    // What is masked is so whatever its score, NaN included.
    if (isBool)
      return s.select(args[1], args[0], s.lowest());
    Value isMasked = s.compare(Compare::Equal, args[1], s.lowest());
    return s.select(isMasked, s.lowest(), s.add(args[0], args[1]));
  });
}

Tensor *sectile::frontend::maskByPosition(Emitter &e, Tensor *scores, const Positions &positions) {
  int64_t rank = scores->rank();
  SmallVector<Tensor *> inputs{scores};
  // One number for each batch.
  auto addPerBatch = [&](Tensor *numbers) {
    inputs.push_back(
        e.unsqueeze(e.cast(numbers, DType::I64), llvm::to_vector(llvm::seq<int64_t>(1, rank))));
    return inputs.size() - 1;
  };
  size_t count = positions.counts ? addPerBatch(positions.counts) : 0;
  Value past = positions.past ? e.index(*positions.past) : Value();
  Value queries = positions.counts ? e.index(scores->shape[rank - 2]) : Value();
  return e.pointwise(inputs, [&](const Scalar &s, ValueRange args) {
    Scalar at = s.as(DType::I64);
    Value key = at.fromIndex(linalg::IndexOp::create(s.b, s.loc, rank - 1));
    Value query = at.fromIndex(linalg::IndexOp::create(s.b, s.loc, rank - 2));
    if (past)
      query = at.add(query, at.fromIndex(past));
    else if (positions.counts)
      query = at.add(query, at.sub(args[count], at.fromIndex(queries)));
    Value isSeen = s.as(DType::Bool).integer(1);
    auto demand = [&](Value holds) { isSeen = arith::AndIOp::create(s.b, s.loc, isSeen, holds); };
    if (positions.before)
      demand(at.compare(Compare::LessEqual, at.sub(query, at.integer(*positions.before)), key));
    if (positions.behind)
      demand(at.compare(Compare::LessEqual, key, at.add(query, at.integer(*positions.behind))));
    if (positions.counts)
      demand(at.compare(Compare::Less, key, args[count]));
    return s.select(isSeen, args[0], s.lowest());
  });
}

Tensor *sectile::frontend::capScores(Emitter &e, Tensor *scores, double cap) {
  return e.pointwise({scores}, [&](const Scalar &s, ValueRange args) {
    Value ratio = s.div(args[0], s.constant(cap));
    return s.mul(math::TanhOp::create(s.b, s.loc, ratio), s.constant(cap));
  });
}

Tensor *sectile::frontend::ungroupScores(Emitter &e, Tensor *scores, const Heads &heads) {
  return heads.isGrouped() ? ungroupHeads(e, scores, heads) : scores;
}

//===----------------------------------------------------------------------===//
// The operator
//===----------------------------------------------------------------------===//

namespace {
/// Queries, keys and values as [b, h, i, d].
struct Operands {
  Tensor *q, *k, *v;
  bool isFlat; ///< whether they came as [b, i, h * d]
};
} // namespace

static FailureOr<Operands> readOperands(Node &n) {
  Operands o{n.in(0), n.in(1), n.in(2), n.in(0)->rank() == 3};
  int64_t qHeads = n.intAttr("q_num_heads", 0), kvHeads = n.intAttr("kv_num_heads", 0);
  if (failed(n.expectRank(o.q, 3, 4)) || failed(n.expectSameType({o.q, o.k})))
    return failure();
  for (Tensor *x : {o.q, o.k, o.v})
    if (failed(n.expectFloat(x)) || failed(n.expectRank(x, o.q->rank(), o.q->rank())))
      return failure();
  if (o.isFlat) {
    FailureOr<Tensor *> q = splitHeads(n, o.q, qHeads), k = splitHeads(n, o.k, kvHeads),
                        v = splitHeads(n, o.v, kvHeads);
    if (failed(q) || failed(k) || failed(v))
      return failure();
    o.q = *q;
    o.k = *k;
    o.v = *v;
  } else if (qHeads != 0 || kvHeads != 0) {
    return n.fail("expects numbers of heads for inputs of rank 3 only");
  }
  return o;
}

/// Puts what earlier calls left in front of keys or values.
static FailureOr<Tensor *> appendTo(Node &n, Tensor *past, Tensor *x) {
  if (failed(n.expectSameType({x, past})) || failed(n.expectRank(past, 4, 4)))
    return failure();
  for (int64_t dim : {0, 1, 3})
    if (failed(n.expectEqual(past->shape[dim], x->shape[dim], "extents of past and present")))
      return failure();
  return n.emit.concat({past, x}, 2);
}

/// The type that the softmax is computed in: at least `own`.
static FailureOr<DType> softmaxType(Node &n, DType own) {
  int64_t number = n.intAttr("softmax_precision", 0);
  std::optional<DType> named = dtypeOf(number);
  if (number == 0)
    return own;
  if (!named || !isFloat(*named) || isSmallFloat(*named))
    return n.fail("expects softmax_precision to be a float type, but got " + nameOfNumber(number));
  return *named == DType::F64 ? DType::F64 : own;
}

LogicalResult sectile::frontend::importAttention(Node &n) {
  Emitter &e = n.emit;
  double cap = n.floatAttr("softcap", 0);
  int64_t mode = n.intAttr("qk_matmul_output_mode", 0);
  bool isCausal = n.intAttr("is_causal", 0) != 0;
  // Windows came with opset 25.
  int64_t before = n.opset() < 25 ? -1 : n.intAttr("left_window_size", -1);
  int64_t behind = n.opset() < 25 ? -1 : n.intAttr("right_window_size", -1);
  std::optional<double> scale;
  if (n.hasAttr("scale"))
    scale = n.floatAttr("scale", 1);
  FailureOr<Operands> operands = readOperands(n);
  if (failed(operands))
    return failure();
  auto [q, k, v, isFlat] = *operands;
  if (cap < 0 || (scale && *scale < 0) || before < -1 || behind < -1 || mode < 0 || mode > 3)
    return n.fail("expects softcap and scale of at least 0, windows of at least -1 and "
                  "qk_matmul_output_mode from 0 to 3");
  SymExpr past = 0;
  bool hasPast = n.has(4);
  if (hasPast != n.has(5))
    return n.fail("expects past_key and past_value together");
  if (hasPast) {
    past = n.in(4)->rank() == 4 ? n.in(4)->shape[2] : SymExpr(0);
    FailureOr<Tensor *> keys = appendTo(n, n.in(4), k), values = appendTo(n, n.in(5), v);
    if (failed(keys) || failed(values))
      return failure();
    k = *keys;
    v = *values;
  }
  Tensor *counts = n.has(6) ? n.in(6) : nullptr;
  if (counts && hasPast)
    return n.fail("expects either past_key or nonpad_kv_seqlen, but got both");
  if (counts && (failed(n.expectRank(counts, 1, 1)) ||
                 failed(n.expectEqual(counts->shape[0], q->shape[0], "the batch and the counts"))))
    return failure();
  if (failed(n.expectEqual(q->shape[0], k->shape[0], "batches of queries and keys")) ||
      failed(n.expectEqual(q->shape[3], k->shape[3], "extents of queries and keys")))
    return failure();
  for (int64_t dim : {0, 1, 2})
    if (failed(n.expectEqual(k->shape[dim], v->shape[dim], "extents of keys and values")))
      return failure();
  FailureOr<Heads> heads = countHeads(n, q, k);
  FailureOr<DType> precision = softmaxType(n, computeType(q->dtype));
  if (failed(heads) || failed(precision))
    return failure();

  Shape shape{q->shape[0], q->shape[1], q->shape[2], k->shape[2]};
  SmallVector<Tensor *> stages{scoreKeys(e, q, k, *heads, scale)}; // by qk_matmul_output_mode
  stages.push_back(cap > 0 ? capScores(e, stages.back(), cap) : stages.back());
  Tensor *scores = stages.back();
  if (n.has(3)) {
    FailureOr<Tensor *> mask = fitMask(n, n.in(3), *heads, shape, n.opset() >= 24);
    if (failed(mask))
      return failure();
    scores = addMask(e, scores, *mask);
  }
  bool hasWindow = before >= 0 || behind >= 0;
  if (isCausal || hasWindow || counts) {
    Positions positions;
    positions.counts = counts;
    if (hasPast)
      positions.past = past;
    if (before >= 0)
      positions.before = before;
    if (behind >= 0 || isCausal)
      positions.behind = isCausal ? 0 : behind;
    scores = maskByPosition(e, scores, positions);
  }
  stages.push_back(scores);
  // The first key stands before every query, unless more than the order masks it.
  bool mayBeEmpty = n.has(3) || hasWindow || counts;
  Tensor *weights = softmaxOfKeys(e, e.cast(scores, *precision), mayBeEmpty);
  weights = e.cast(weights, stages.front()->dtype);
  stages.push_back(weights);
  Tensor *result = multiplyByHead(e, weights, v, *heads, /*transposed=*/true);
  result = ungroupScores(e, e.cast(result, q->dtype), *heads);
  n.result(0, isFlat ? joinHeads(e, result) : result);
  n.result(1, k);
  n.result(2, v);
  if (n.wants(3))
    n.result(3, e.cast(ungroupScores(e, stages[mode], *heads), q->dtype));
  return success();
}
