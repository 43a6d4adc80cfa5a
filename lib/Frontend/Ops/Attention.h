//===- Attention.h - what attention operators are made of -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Queries, keys and values are [batch, heads, positions, width]. Scores are
// [batch, heads, queries, keys], or [batch, heads of keys, query heads of each,
// queries, keys] where several query heads share one of keys.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_OPS_ATTENTION_H
#define SECTILE_LIB_FRONTEND_OPS_ATTENTION_H

#include "Operators.h"

namespace sectile::frontend {

/// Numbers of heads.
struct Heads {
  SymExpr ofQueries, ofKeys;
  SymExpr perKey; ///< heads of queries to one of keys
  bool isGrouped() const { return !perKey.isConstant(1); }
};
/// Refuses heads of queries that those of keys do not divide.
mlir::FailureOr<Heads> countHeads(Node &n, Tensor *q, Tensor *k);

/// [batch, positions, heads * width] as [batch, heads, positions, width].
mlir::FailureOr<Tensor *> splitHeads(Node &n, Tensor *x, int64_t heads);
/// The inverse.
Tensor *joinHeads(Emitter &e, Tensor *x);

/// Scores in the type that sums of `q`'s are computed in, times `scale`, or divided by the root of
/// the width.
Tensor *scoreKeys(Emitter &e, Tensor *q, Tensor *k, const Heads &heads,
                  std::optional<double> scale);
/// Scores, or weights, times `y` [batch, heads of keys, ...], whose dimension 3 is summed over, or
/// 2 if `transposed`.
Tensor *multiplyByHead(Emitter &e, Tensor *x, Tensor *y, const Heads &heads, bool transposed);
/// cap * tanh(scores / cap).
Tensor *capScores(Emitter &e, Tensor *scores, double cap);
/// `mask`, bool or added, for scores of `shape` [batch, query heads, queries, keys]: as it stands
/// at their last dimensions. Keys beyond the end of a mask are masked if `mayBeShort`.
mlir::FailureOr<Tensor *> fitMask(Node &n, Tensor *mask, const Heads &heads,
                                  llvm::ArrayRef<SymExpr> shape, bool mayBeShort);
/// Adds a mask that fits; what it masks is -inf.
Tensor *addMask(Emitter &e, Tensor *scores, Tensor *mask);

/// Which keys a query sees by their positions. Query i stands at i + past, or with `counts` at the
/// end of that many keys, one number for each batch, which are all there are.
struct Positions {
  std::optional<SymExpr> past;
  Tensor *counts = nullptr;
  std::optional<int64_t> before, behind; ///< how far away it sees; all if not given
};
Tensor *maskByPosition(Emitter &e, Tensor *scores, const Positions &positions);
/// The softmax over keys; zeros for rows of -inf alone if `mayBeEmpty`.
Tensor *softmaxOfKeys(Emitter &e, Tensor *scores, bool mayBeEmpty);
/// Scores, or results, as [batch, query heads, ...].
Tensor *ungroupScores(Emitter &e, Tensor *scores, const Heads &heads);

/// The rows of a table [positions, pairs] that `positions` [batch, sequence] name, as [batch,
/// sequence, pairs].
Tensor *rowsAt(Emitter &e, Tensor *table, Tensor *positions);
/// `x` with pairs of its last dimension turned by angles, one for each pair, of these cosines and
/// sines, which broadcast to `x` in front: first and second half of what turns, or neighbours.
/// Elements behind those that turn stay.
Tensor *rotatePairs(Emitter &e, Tensor *x, Tensor *cos, Tensor *sin, bool isInterleaved);

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_OPS_ATTENTION_H
