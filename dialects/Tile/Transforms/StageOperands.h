//===- StageOperands.h - operands of products in shared memory --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_TILE_TRANSFORMS_STAGEOPERANDS_H
#define SECTILE_DIALECTS_TILE_TRANSFORMS_STAGEOPERANDS_H

#include "ChooseLayouts.h"

#include "dialects/Tile/IR/Tile.h"
#include "sectile/Target/GpuTarget.h"
#include "sectile/Target/MatrixInstruction.h"

namespace sectile::tile {

/// Sends both sides of a product of warp groups, `by`, to shared memory, placed as its descriptors
/// can say it, if both come straight from arguments; else says why not in a remark, and returns
/// false.
bool stageGroupProduct(DotOp dot, const target::MatrixInstruction &by,
                       const target::GpuTarget &target, Threads threads);

/// What `view` is a window of.
mlir::Value getRoot(mlir::Value view);

/// Whether `outer`, or something in it, writes what `view` may share memory with.
bool isWrittenIn(mlir::Operation *outer, mlir::Value view);

/// Why the tile of `load` cannot be copied to shared memory as it lies: its elements, what is
/// masked, or too few bytes that are neighbours. Empty if it can.
std::string whyNotCopied(LoadOp load, const target::GpuTarget &target, Threads threads);

/// Erases an op and what only it used.
void eraseUnused(mlir::Operation *op);

} // namespace sectile::tile

#endif // SECTILE_DIALECTS_TILE_TRANSFORMS_STAGEOPERANDS_H
