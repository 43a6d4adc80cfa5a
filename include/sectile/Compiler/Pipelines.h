//===- Pipelines.h - the compiler's passes in their order -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A compilation runs three pipelines. They are also registered under the names
// given here, so that sectile-opt can run each on its own:
//
//   sectile-graph   once per target: from an imported model to launches of
//                   fused regions (graph.kernel)
//   sectile-tile    once per instruction-set level, on a copy: tile programs
//   sectile-host    once per target: memory plan, host program as LLVM IR
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_COMPILER_PIPELINES_H
#define SECTILE_COMPILER_PIPELINES_H

#include "sectile/Conversion/TileToCPU/TileToCPU.h"
#include "sectile/Target/CpuLevel.h"
#include "sectile/Target/GpuTarget.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace sectile {

struct GraphToTilePassOptions;
struct HostToStaticPassOptions;

/// Where the code of static output runs, as passes take it (DeviceModel): one core, on which a
/// kernel is a call and a block a turn of a loop.
inline constexpr llvm::StringLiteral kStaticDevice = "cores=1,launchCycles=100,blockCycles=50";

/// `device` is what passes are told of the device beyond the defaults. With `packsConstants`, the
/// constants that products read by columns are laid out in panels, as CPUs read them.
void buildGraphPipeline(mlir::OpPassManager &passes, FloatMode floatMode = FloatMode::Default,
                        llvm::StringRef device = {}, bool packsConstants = true,
                        llvm::StringRef target = {});
/// What graph-to-tile is told of `level`.
GraphToTilePassOptions getTileOptions(const CpuLevel &level, FloatMode floatMode,
                                      llvm::StringRef device = {});
/// Leaves a nested module named after `level` that holds the tile programs.
void buildTilePipeline(mlir::OpPassManager &passes, const CpuLevel &level,
                       FloatMode floatMode = FloatMode::Default, llvm::StringRef device = {});
/// The same for a GPU.
void buildGpuTilePipeline(mlir::OpPassManager &passes, const target::GpuTarget &target,
                          FloatMode floatMode = FloatMode::Default);
/// From the tile programs of such a module to the LLVM dialect and NVVM or ROCDL.
void buildThreadPipeline(mlir::OpPassManager &passes, const target::GpuTarget &target,
                         FloatMode floatMode = FloatMode::Default);
/// Up to the memory plan, in which constants lie in `pieces` or one after the other; the second
/// part lowers to the LLVM dialect and drops the kernels.
void buildPlanPipeline(mlir::OpPassManager &passes, bool pieces = false);
void buildHostPipeline(mlir::OpPassManager &passes);
/// The second part where a device may have the tensors in memory of its own.
void buildDeviceHostPipeline(mlir::OpPassManager &passes);
/// The second part for static output.
void buildStaticHostPipeline(mlir::OpPassManager &passes, const HostToStaticPassOptions &options);

/// Registers the pipelines above by name.
void registerPipelines();

} // namespace sectile

#endif // SECTILE_COMPILER_PIPELINES_H
