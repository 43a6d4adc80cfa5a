//===- ChooseSchedule.h - schedules to choose from --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// graph-to-tile chooses by a model. Who can measure asks here what else there is: a schedule
// follows from few numbers, so that each one that is asked for fits the kernel.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CONVERSION_CHOOSESCHEDULE_H
#define SECTILE_CONVERSION_CHOOSESCHEDULE_H

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"

#include <optional>

namespace sectile {

struct GraphToTilePassOptions;

/// What is asked of a schedule instead of the model's choice. Where a kernel has no use for a
/// number (rows, without a product) or too few registers or elements, the nearest one that it has.
struct ScheduleLimits {
  /// Vectors side by side in a register tile.
  std::optional<int64_t> vectors;
  /// Rows of a product's register tile, at most.
  std::optional<int64_t> rows;
  /// Factor on the tiles that a block takes.
  double blockScale = 1;
};

/// The schedule that graph-to-tile, run with `options` for a CPU, gives `kernel` where it has none.
/// Kernels that cannot be scheduled are reported.
mlir::FailureOr<tile::ScheduleAttr> chooseSchedule(graph::KernelOp kernel,
                                                   const GraphToTilePassOptions &options,
                                                   const ScheduleLimits &limits = {});

} // namespace sectile

#endif // SECTILE_CONVERSION_CHOOSESCHEDULE_H
