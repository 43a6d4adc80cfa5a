//===- GroupProducts.h - products of warp groups ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_TILE_TRANSFORMS_GROUPPRODUCTS_H
#define SECTILE_DIALECTS_TILE_TRANSFORMS_GROUPPRODUCTS_H

#include "dialects/Tile/IR/Tile.h"
#include "sectile/Target/GpuTarget.h"
#include "sectile/Target/GroupInstruction.h"

namespace sectile::tile {

/// The instruction of warp groups for a product, if the device has one for these types, the tile is
/// made of whole ones, and both sides are loaded for it, so that they can go to shared memory; else
/// the reason, empty where the device has no such instructions at all.
layout::OrReason<target::GroupTiling> chooseGroupTiling(DotOp dot, const target::GpuTarget &target,
                                                        const target::ProductTypes &types,
                                                        int64_t warps);

/// Loads sides of products transposed where they were transposed behind their loads, so that memory
/// may hold them: of products whose rows suit the device's warp groups.
void foldTransposes(KernelOp kernel, const target::GpuTarget &target);

/// Gives a product of warp groups, whose sides are no tiles of memory after all, the instruction of
/// single warps for its accumulator, and its sides the layouts for that; multiply-adds, where there
/// is none. Returns that instruction, or null.
const target::MatrixInstruction *useRegisters(DotOp dot, const target::GpuTarget &target);

/// The matrix instruction of a product; null if it has none.
const target::MatrixInstruction *getInstruction(DotOp dot);

/// Whether a product reads its sides from memory.
bool isGroupProduct(DotOp dot);

} // namespace sectile::tile

#endif // SECTILE_DIALECTS_TILE_TRANSFORMS_GROUPPRODUCTS_H
