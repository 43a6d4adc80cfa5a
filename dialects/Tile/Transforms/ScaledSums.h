//===- ScaledSums.h - loops that sum products of dequantized numbers -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the passes that take scales out of sums (tile-multiply-codes,
// tile-factor-scales) ask of a loop.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_TILE_TRANSFORMS_SCALEDSUMS_H
#define SECTILE_DIALECTS_TILE_TRANSFORMS_SCALEDSUMS_H

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

namespace sectile::tile {

/// The value behind reshapes.
mlir::Value skipReshapes(mlir::Value value);

/// The only use of `value`, behind reshapes; null if there are others.
mlir::OpOperand *getOnlyReader(mlir::Value value);

/// The only product that `loop` sums, step by step, in f32, and returns; null if it does anything
/// else with it. The loop has a step of 1 and known bounds, and its body no regions.
DotOp getSummedProduct(mlir::scf::ForOp loop);

/// Steps of the loop's counter after which the load's place changes; nothing if it may sooner.
std::optional<int64_t> getGroup(LoadOp load, mlir::scf::ForOp loop);

/// Rewrites products of several steps along k whose right side has one scale for each column: the
/// sums are scaled instead of the numbers, where that takes fewer multiplications.
void factorScalesOfProducts(KernelOp kernel);

} // namespace sectile::tile

#endif // SECTILE_DIALECTS_TILE_TRANSFORMS_SCALEDSUMS_H
