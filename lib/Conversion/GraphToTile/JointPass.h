//===- JointPass.h - reductions that share one pass over a row --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reductions over the same elements, one after the other, read those once each.
// A joint pass cuts a loop that they share into blocks, and runs all of them over
// a block before it goes on to the next one, which is what a first-level cache
// holds. One of them leads. The others either do not depend on its result, or do
// by a *rescaling law*, which says what becomes of a partial result when the
// leader's partial result changes:
//
//     m = max over n of x[n]       s = sum over n of exp(x[n] - m) * w[n]
//
// over blocks B1, B2, ... is, with m' the greatest of the blocks so far,
//
//     s' = s * exp(m - m') + sum over n in B of exp(x[n] - m') * w[n]
//
// and with S the sum of n elements so far, and S_B that of the n_B of a block,
//
//     S = sum over n of x[n]       v = sum over n of (x[n] - S / N)^2
//     v' = v + sum over n in B of (x[n] - S_B / n_B)^2
//            + (S_B / n_B - S / n)^2 * n * n_B / (n + n_B)
//
// (Chan, Golub, LeVeque 1979). This makes an attention read its keys and values
// block by block, and reads a long row that is normalised once for both of its
// reductions.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_JOINTPASS_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_JOINTPASS_H

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/DenseSet.h"

namespace sectile {

/// What becomes of a result when the leader's grows by t.
enum class RescalingLaw {
  Independent, ///< nothing
  Exponential, ///< a sum of terms that are multiplied by exp(-t); the leader is a maximum
  Variance,    ///< a sum of squared distances to the mean; the leader is the sum of the elements
};

/// A reduction of a joint pass beside the leader.
struct JointMember {
  mlir::linalg::LinalgOp op;
  RescalingLaw law;
  /// The loop that runs in blocks.
  unsigned loop;
  /// From its loops to the coordinates of the leader's result.
  mlir::AffineMap shared;
};

struct JointPass {
  mlir::linalg::LinalgOp leader;
  /// The leader's loop that runs in blocks.
  unsigned loop;
  /// In the kernel's order.
  llvm::SmallVector<JointMember, 2> members;
  /// What follows from results of the leader and the members, those included.
  llvm::DenseSet<mlir::Value> dependents;
  /// Whether a product goes into it, which must then be computed in the pass alone.
  bool holdsProduct = false;

  const JointMember *getMember(mlir::Operation *op) const;
  /// Whether `member` has a result for each of several coordinates where the leader has one: what
  /// needs both must ask for it first.
  bool isWide(const JointMember &member) const;
  /// Whether the result of a wide member goes into `value`.
  bool leadsFromWide(mlir::Value value) const { return fromWide.contains(value); }

  llvm::DenseSet<mlir::Value> fromWide;
};

/// The joint passes that the reductions of `kernel` can form. Each has one result and is in one
/// pass at most. None of them need be made: that is the schedule's to say.
llvm::SmallVector<JointPass> findJointPasses(graph::KernelOp kernel);

/// Coordinates of the loops of `op` where its result, or a map of its loops `from`, has `coords`;
/// null for loops that those do not tell.
llvm::SmallVector<mlir::AffineExpr> getLoopCoords(mlir::linalg::LinalgOp op, mlir::AffineMap from,
                                                  llvm::ArrayRef<mlir::AffineExpr> coords);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_JOINTPASS_H
