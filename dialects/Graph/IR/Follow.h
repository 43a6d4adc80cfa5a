//===- Follow.h - what the coordinates inside a kernel follow ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_IR_FOLLOW_H
#define SECTILE_DIALECTS_GRAPH_IR_FOLLOW_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/SmallVector.h"

namespace sectile::graph {

/// For each dimension of a tensor, the dimensions of a kernel's result that its coordinate follows:
/// changes with, when that result is computed from it.
using Followed = llvm::SmallVector<llvm::SmallBitVector>;

/// Calls `visit` with every tensor operand that result `value` of an op is computed from, and with
/// what the operand's dimensions follow if those of `value` follow `dims`, dimensions of a result
/// of rank `rank`. Reduced dimensions follow nothing; through a reshape that mixes dimensions, each
/// follows all of them.
void followOperands(mlir::OpResult value, const Followed &dims, unsigned rank,
                    llvm::function_ref<void(mlir::OpOperand &, Followed)> visit);

/// Calls `visit` with places of `value` that go into an element of `root`, of the same block: a
/// coordinate each as an expression of the root's dimensions, 0, or null where a reduction
/// runs through all. Found through ops that `contains` holds for, of which linalg ops and reshapes
/// that only add or drop unit dimensions tell.
void findPlaces(mlir::Value value, mlir::Value root,
                llvm::function_ref<bool(mlir::Operation *)> contains,
                llvm::function_ref<void(llvm::ArrayRef<mlir::AffineExpr>)> visit);

/// Where the element of `value` that goes into an element of `root`, of the same block, lies: its
/// coordinates, as a map from those of `root`, found as above. Each coordinate is 0 or one of the
/// root's, of the same extent; nothing if there is no such map.
std::optional<mlir::AffineMap> findPlace(mlir::Value value, mlir::Value root,
                                         llvm::function_ref<bool(mlir::Operation *)> contains);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_IR_FOLLOW_H
