//===- SplitLoop.h - a reduction loop in parts ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// r = combine over k < n of f(k) becomes, for parts of s iterations,
//
//     t[p] = combine over j < s of f(p * s + j)        p < n floordiv s, in parallel
//     u    = combine over s * (n floordiv s) <= k < n of f(k)
//     r    = combine over p of t[p], and u
//
// Parts are whole, so that nothing in them is masked; n may be known only at run
// time. Inputs are sliced and expanded, never copied: where an elementwise op computes
// one, the slices are of that op's operands.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_TRANSFORMS_SPLITLOOP_H
#define SECTILE_DIALECTS_GRAPH_TRANSFORMS_SPLITLOOP_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace sectile::graph {

/// A reduction by one op: result[i..] = combiner over the reduction loops, from the initial value.
struct LoopReduction {
  mlir::linalg::LinalgOp op;
  /// The op of the body that combines, and the element that it combines with.
  mlir::Operation *combiner;
  mlir::Value reduced;
  mlir::TypedAttr neutral;
};

/// Whether `splitLoop` can cut a loop of `reduction`: one result of static shape, no loop index in
/// the body, and operands that are indexed by one loop in each dimension.
bool canSplitLoop(const LoopReduction &reduction);

/// Cuts reduction loop `loop` into parts of `size` iterations and replaces the op.
void splitLoop(const LoopReduction &reduction, unsigned loop, int64_t size);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_TRANSFORMS_SPLITLOOP_H
