//===- Schedule.h - choosing a kernel's schedule -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_SCHEDULE_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_SCHEDULE_H

#include "Analysis.h"
#include "Materializer.h"

#include "dialects/Tile/IR/Tile.h"
#include "sectile/Conversion/ChooseSchedule.h"
#include "sectile/CostModel/Kernel.h"

namespace sectile {

/// The sizes of a root dimension: how much of it a block computes, and a register tile.
struct DimSizes {
  int64_t block, reg;
};

/// Chooses sizes for all root dimensions (named d0, d1, ...) and the order of the loops inside
/// a block (choice `order`, outermost first); asks the cost model how many tiles a block takes.
/// `limits` says what to do otherwise, of tiles that a core holds.
tile::ScheduleAttr chooseSchedule(graph::KernelOp kernel, const RegionAnalysis &analysis,
                                  const RegisterFile &file, const DeviceModel &device,
                                  const ScheduleLimits &limits = {});

/// The same for tiles that a block's threads hold together (BlockSchedule.cpp): a block computes
/// one tile, of at most `mostRows` rows beside its last dimension.
tile::ScheduleAttr chooseBlockSchedule(const RegionAnalysis &analysis, const RegisterFile &file,
                                       const DeviceModel &device, int64_t mostRows = 1 << 20);

// What both have in common.

/// Tiles where an argument's elements lie side by side along another dimension than the result's,
/// `vectorDim`: its vectors run along that one, and squares of them are transposed in registers.
void chooseSquare(const RegionAnalysis &analysis, unsigned vectorDim,
                  llvm::function_ref<int64_t(unsigned)> extent, const RegisterFile &file,
                  llvm::SmallVectorImpl<DimSizes> &sizes);
/// Elements that go into one of the roots' elements, other than along swept dimensions.
int64_t countReducedElements(const RegionAnalysis &analysis,
                             llvm::function_ref<int64_t(unsigned)> extent);
/// Adds the swept dimensions to `inner`, the loops inside a block, from the outermost in.
void appendSwept(const RegionAnalysis &analysis, llvm::function_ref<int64_t(unsigned)> extent,
                 llvm::SmallVectorImpl<unsigned> &inner);
/// The schedule of these sizes, blocks of joint passes and loops, and of further choices.
tile::ScheduleAttr makeSchedule(const RegionAnalysis &analysis, llvm::ArrayRef<DimSizes> sizes,
                                llvm::ArrayRef<int64_t> jointBlocks, llvm::ArrayRef<unsigned> inner,
                                llvm::SmallVector<mlir::NamedAttribute> choices);

/// Says in a clause, with figures, what led to a schedule that `chooseSchedule` made, or what one
/// written by hand amounts to.
std::string explainSchedule(graph::KernelOp kernel, const RegionAnalysis &analysis,
                            const RegisterFile &file, tile::ScheduleAttr schedule);

/// What a schedule says of root dimension `dim`; both sizes are 1 if it says nothing.
DimSizes getDimSizes(tile::ScheduleAttr schedule, unsigned dim);
/// Whether every block computes the whole of root dimension `dim` (choice `sweep`).
bool isSwept(tile::ScheduleAttr schedule, unsigned dim);
/// Extents of the tiles that compute what full tiles leave of a dimension of unknown size, falling,
/// the last one 1 (choice `tails`); single elements if the schedule says nothing.
llvm::SmallVector<int64_t> getTailSizes(tile::ScheduleAttr schedule, unsigned dim);
/// The updates that a tile of a scatter has (size `u`), along their last dimension, or the elements
/// that one of a selection has along its axis.
int64_t getUpdatesPerTile(tile::ScheduleAttr schedule);
/// Steps of a block of the region's joint pass of number `pass` (size `r0`, `r1`, ...); 0 if the
/// schedule does not make that pass.
int64_t getJointBlock(tile::ScheduleAttr schedule, unsigned pass);
/// The same, chosen by price for register tiles of `sizes`.
int64_t chooseJointBlock(const JointPass &pass, const RegionAnalysis &analysis,
                         llvm::ArrayRef<DimSizes> sizes, mlir::RankedTensorType root,
                         const RegisterFile &file, const DeviceModel &device);
/// The same for tiles that threads share, of a pass over `steps` x `inner` elements of the tile's
/// `rows` elements along the dimensions `followed` of the root that its leader follows.
int64_t chooseSharedJointBlock(const JointPass &pass, const RegionAnalysis &analysis,
                               const DimSet &followed, mlir::RankedTensorType root, int64_t rows,
                               int64_t inner, int64_t steps, int64_t elementBytes);
/// Whether `value`, which would be kept for its several readers, is rather computed twice where the
/// pass is made: at most one of its reductions reads it.
bool isRecomputedAfter(const JointPass &pass, mlir::Value value);
/// The order of the loops inside a block; dimensions not named come first.
llvm::SmallVector<unsigned> getLoopOrder(tile::ScheduleAttr schedule, unsigned rank);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_SCHEDULE_H
