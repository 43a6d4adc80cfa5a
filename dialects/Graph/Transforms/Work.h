//===- Work.h - what a set of ops would do as one kernel -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_TRANSFORMS_WORK_H
#define SECTILE_DIALECTS_GRAPH_TRANSFORMS_WORK_H

#include "dialects/Graph/IR/Contraction.h"
#include "sectile/CostModel/Kernel.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SetVector.h"

namespace sectile::graph {

/// What an extent that is known only at run time counts as, unless another number is given.
inline constexpr double kTypicalExtent = 128;

/// Loops of `product` that index its result and its operand `input`: rows, if columns are what
/// the other operand brings in.
llvm::SmallVector<unsigned> getSharedLoops(mlir::linalg::LinalgOp product, mlir::OpOperand &input);

/// Arithmetic and traffic of `ops` as one kernel: tensors that come from outside are read once,
/// tensors that others use are written once. `blocks` is left at 1. Extents known only at run
/// time are taken to be `unknown`.
KernelWork estimateWork(const llvm::SetVector<mlir::Operation *> &ops,
                        double unknown = kTypicalExtent);

/// How often each element of `op`, a reduction, would be computed in a kernel of `group` that it is
/// to join: what computes a tile of the kernel's result computes all that the tile needs, so that
/// tiles which need the same elements repeat them. 1 if none is repeated. `columns` elements of the
/// result's last dimension are one tile.
double countRepetitions(mlir::Operation *op, const llvm::SetVector<mlir::Operation *> &group,
                        double columns, double unknown = kTypicalExtent);

/// Whether what lies side by side in the result of `op` still does in all that `group`, which it is
/// to join, stores.
bool keepsLastDim(mlir::Operation *op, const llvm::SetVector<mlir::Operation *> &group);

/// Whether vectors can run along the columns, elements of the last dimension, of all that `group`
/// stores, with `op`, which is to join: each column needs a result of its own, or vectors of them
/// share one.
bool keepsColumns(mlir::Operation *op, const llvm::SetVector<mlir::Operation *> &group);

/// Whether what `op`, which is to join `group`, computes follows the same dimensions of what the
/// group stores as the results of `chain`, ops of the group, do.
bool followsLike(mlir::Operation *op, const llvm::SmallDenseSet<mlir::Operation *> &chain,
                 const llvm::SetVector<mlir::Operation *> &group);

/// Blocks of a grid over the given loops of `op`, with `tile` elements of the last one in each
/// block, or over all elements of its result.
double countBlocks(mlir::linalg::LinalgOp op, llvm::ArrayRef<unsigned> loops, double tile,
                   double unknown = kTypicalExtent);

/// Blocks of a kernel of `ops` without products: none with less than about `tile` elements to
/// work on, and no more than any reduction among them has results.
double countBlocks(const llvm::SetVector<mlir::Operation *> &ops, double tile);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_TRANSFORMS_WORK_H
