//===- ChooseLayouts.h - layouts that suit an access or a product -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_TILE_TRANSFORMS_CHOOSELAYOUTS_H
#define SECTILE_DIALECTS_TILE_TRANSFORMS_CHOOSELAYOUTS_H

#include "dialects/Tile/IR/Tile.h"
#include "sectile/Layout/DistributedLayout.h"
#include "sectile/Target/GpuTarget.h"

namespace sectile::tile {

inline bool isTile(mlir::Value value) { return mlir::isa<mlir::RankedTensorType>(value.getType()); }
inline llvm::ArrayRef<int64_t> shapeOf(mlir::Value tile) {
  return mlir::cast<mlir::RankedTensorType>(tile.getType()).getShape();
}
/// Gives a tile's type another layout.
void setLayout(mlir::Value tile, const layout::DistributedLayout &layout);

/// The layout of what is left of a tile without dimensions `dims`, of one register for each
/// element.
layout::DistributedLayout withoutDims(layout::DistributedLayout layout,
                                      llvm::ArrayRef<int64_t> dims);

/// The threads that share a tile.
struct Threads {
  int64_t lanes, warps;
};

/// How many threads hold a tile, and how.
struct BlockedForm {
  /// Dimensions, the one that neighbouring lanes run along first.
  llvm::SmallVector<unsigned> order;
  /// Neighbours along it that one lane holds.
  int64_t vector = 1;
  /// Lanes side by side along it at most; 0: any number.
  int64_t mostLanes = 0;
  /// Elements that lanes should at least cover side by side, where the tile is as long.
  int64_t run = 1;
};

/// Each lane has `vector` neighbours, lanes and then warps follow each other in the given order;
/// what is left of each dimension goes to registers, and threads without work hold copies. Extents
/// that are no powers of two go to registers as they are, unless lanes would lie too far apart: 96
/// columns are 8 lanes of 4 elements, three times.
layout::DistributedLayout makeBlocked(llvm::ArrayRef<int64_t> shape, const BlockedForm &form,
                                      Threads threads);

/// For an accumulator of plain multiply-adds: of all ways to cut lanes and warps the one whose
/// threads read fewest elements of both sides for each of k.
layout::DistributedLayout makeProduct(int64_t m, int64_t n, Threads threads);

/// How lanes should lie along a transfer between a tile of `shape` and `view` by `map`: along the
/// tile's dimension that is contiguous in memory, with as many elements per lane as a lane may move
/// at once and as all threads have.
BlockedForm getAccessForm(llvm::ArrayRef<int64_t> shape, mlir::Value view, mlir::AffineMap map,
                          Threads threads, const target::GpuTarget &target);

/// Whether every element of the load's tile is another one of the view's: along each dimension of
/// the tile some coordinate moves by a constant. Else several have the same, as scales of groups.
bool hasOwnElements(LoadOp load);

/// Whether the right side of a product is computed from packed codes in the order of a matrix
/// instruction.
bool readsOrderedCodes(mlir::Value side);

/// Puts a tile.convert_layout wherever an op of `kernel`, whose values have layouts, wants another
/// one of its inputs or gives another one of its results.
void placeConversions(KernelOp kernel, const target::GpuTarget &target, Threads threads);

/// Row-major, as if of `elementBytes`.
BlockedForm getDefaultForm(llvm::ArrayRef<int64_t> shape, int64_t elementBytes, Threads threads,
                           const target::GpuTarget &target);

} // namespace sectile::tile

#endif // SECTILE_DIALECTS_TILE_TRANSFORMS_CHOOSELAYOUTS_H
