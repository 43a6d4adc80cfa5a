//===- Tune.h - the search for schedules ------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_COMPILER_TUNE_H
#define SECTILE_LIB_COMPILER_TUNE_H

#include "dialects/Tile/IR/Tile.h"
#include "sectile/Compiler/Tuning.h"

#include "mlir/IR/BuiltinOps.h"

namespace sectile {

struct GraphToTilePassOptions;

/// Schedules by the kernel's name.
using Schedules = llvm::StringMap<tile::ScheduleAttr>;

/// Looks for faster schedules of the kernels of `module`, launches of fused regions, until
/// only `buildsLeft` packages can be built before the deadline. `build` makes the package of the
/// model with given schedules at a path in `folder`, which exists; it reports what it cannot.
/// Returns the schedules that are faster than the model's.
Schedules tuneSchedules(
    mlir::ModuleOp module, const GraphToTilePassOptions &options, const TuningOptions &tuning,
    unsigned buildsLeft, llvm::StringRef folder,
    llvm::function_ref<llvm::LogicalResult(const Schedules &schedules, llvm::StringRef path)>
        build);

} // namespace sectile

#endif // SECTILE_LIB_COMPILER_TUNE_H
