//===- Pipelines.cpp - the compiler's passes in their order -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Compiler/Pipelines.h"

#include "dialects/Graph/Transforms/Passes.h"
#include "dialects/Tile/Transforms/Passes.h"
#include "sectile/Conversion/GraphToTile.h"
#include "sectile/Conversion/Host.h"
#include "sectile/Conversion/ThreadLowering.h"
#include "sectile/Conversion/TileToSIMT/TileToSIMT.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace sectile;

void sectile::buildGraphPipeline(OpPassManager &passes, FloatMode floatMode, StringRef device,
                                 bool packsConstants, StringRef target) {
  passes.addNestedPass<func::FuncOp>(graph::createGraphNormalizePass());
  passes.addNestedPass<func::FuncOp>(graph::createGraphSimplifyPass());
  graph::GraphUngroupChannelsPassOptions ungroup;
  ungroup.reassociate = floatMode != FloatMode::Strict;
  passes.addNestedPass<func::FuncOp>(graph::createGraphUngroupChannelsPass(ungroup));
  passes.addNestedPass<func::FuncOp>(graph::createGraphSimplifyPass());
  if (packsConstants && floatMode != FloatMode::Strict)
    passes.addNestedPass<func::FuncOp>(graph::createGraphMultiplyIntegersPass());
  // Layouts before fusion: a transposition that remains is an op to be fused.
  passes.addNestedPass<func::FuncOp>(graph::createGraphPropagateLayoutsPass());
  passes.addNestedPass<func::FuncOp>(graph::createGraphSimplifyPass());
  if (floatMode != FloatMode::Strict)
    passes.addNestedPass<func::FuncOp>(graph::createGraphRescaleReductionsPass());
  graph::GraphSplitReductionsPassOptions split;
  split.reassociate = floatMode != FloatMode::Strict;
  split.device = device.str();
  // Stages are kernels of their own, or part of one: before fusion too.
  passes.addNestedPass<func::FuncOp>(graph::createGraphSplitReductionsPass(split));
  // After layouts and parts, which leave constants transposed and in other shapes.
  passes.addNestedPass<func::FuncOp>(graph::createGraphFoldConstantsPass());
  passes.addNestedPass<func::FuncOp>(graph::createGraphSimplifyPass());
  // Factors are known by now; the weights they go into are computed.
  graph::GraphAbsorbScalesPassOptions absorb;
  absorb.reassociate = floatMode != FloatMode::Strict;
  passes.addNestedPass<func::FuncOp>(graph::createGraphAbsorbScalesPass(absorb));
  passes.addNestedPass<func::FuncOp>(graph::createGraphFoldConstantsPass());
  passes.addNestedPass<func::FuncOp>(graph::createGraphSimplifyPass());
  passes.addNestedPass<func::FuncOp>(graph::createGraphFusePass(
      {.device = device.str(), .codes = packsConstants && floatMode != FloatMode::Strict}));
  passes.addNestedPass<func::FuncOp>(graph::createGraphFormViewsPass());
  passes.addPass(graph::createGraphOutlinePass());
  // Outlining leaves behind what only the moved ops used.
  passes.addNestedPass<func::FuncOp>(graph::createGraphSimplifyPass());
  if (packsConstants)
    passes.addPass(graph::createGraphPackConstantsPass({.device = device.str()}));
  else if (!target.empty())
    passes.addPass(
        graph::createGraphPackConstantsPass({.device = device.str(), .target = target.str()}));
  // Last, since it marks kernels with what their launches do.
  passes.addPass(createGraphPlaceTensorsPass());
}

/// Graph to tile kernels, and what every target does with them then.
static void addGraphToTile(OpPassManager &passes, const GraphToTilePassOptions &options) {
  passes.addPass(createGraphToTilePass(options));
  OpPassManager &nested = passes.nest<ModuleOp>();
  // Single-trip loops and constant coordinates disappear here.
  nested.addPass(createCanonicalizerPass());
  nested.addPass(createCSEPass());
  nested.addPass(createLoopInvariantCodeMotionPass());
  passes.addPass(createTileCheckInPlacePass());
}

GraphToTilePassOptions sectile::getTileOptions(const CpuLevel &level, FloatMode floatMode,
                                               StringRef device) {
  GraphToTilePassOptions options;
  options.level = level.name.str();
  options.lanes = level.getLanes(4);
  options.registers = level.vectorRegisters;
  options.strict = floatMode == FloatMode::Strict;
  options.device = device.str();
  return options;
}

void sectile::buildTilePipeline(OpPassManager &passes, const CpuLevel &level, FloatMode floatMode,
                                StringRef device) {
  addGraphToTile(passes, getTileOptions(level, floatMode, device));
  passes.nest<ModuleOp>().addNestedPass<tile::KernelOp>(tile::createTilePrefetchPass());
  // Behind what looks at loops as they were written.
  if (floatMode != FloatMode::Strict) {
    passes.nest<ModuleOp>().addNestedPass<tile::KernelOp>(tile::createTileMultiplyCodesPass());
    passes.nest<ModuleOp>().addNestedPass<tile::KernelOp>(tile::createTileFactorScalesPass(
        {.lanes = level.getLanes(4), .registers = level.vectorRegisters}));
  }
  passes.nest<ModuleOp>().addNestedPass<tile::KernelOp>(tile::createTileUnrollCodesPass());
}

void sectile::buildGpuTilePipeline(OpPassManager &passes, const target::GpuTarget &target,
                                   FloatMode floatMode) {
  GraphToTilePassOptions options;
  options.level = std::string(target.name);
  options.target = std::string(target.name);
  options.strict = floatMode == FloatMode::Strict;
  addGraphToTile(passes, options);
  if (floatMode != FloatMode::Strict)
    passes.nest<ModuleOp>().addNestedPass<tile::KernelOp>(tile::createTileFactorScalesPass());
}

void sectile::buildThreadPipeline(OpPassManager &passes, const target::GpuTarget &target,
                                  FloatMode floatMode) {
  tile::TileAssignLayoutsPassOptions layouts;
  simt::TileToSIMTPassOptions threads;
  layouts.target = std::string(target.name);
  threads.floatMode = layouts.floatMode = floatMode == FloatMode::Strict ? "strict"
                                          : floatMode == FloatMode::Fast ? "fast"
                                                                         : "default";
  passes.addNestedPass<tile::KernelOp>(tile::createTileAssignLayoutsPass(layouts));
  passes.addNestedPass<tile::KernelOp>(tile::createTileStageOperandsPass());
  passes.addNestedPass<tile::KernelOp>(tile::createTilePipelinePass());
  passes.addNestedPass<tile::KernelOp>(tile::createTileAllocateSharedPass());
  passes.addPass(simt::createTileToSIMTPass(threads));
  passes.addPass(createCSEPass());
  passes.addPass(simt::createSIMTExpandMathPass());
  simt::addThreadLowering(passes, target);
}

void sectile::buildPlanPipeline(OpPassManager &passes, bool pieces) {
  passes.addPass(createGraphPlanMemoryPass({.pieces = pieces}));
  passes.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  passes.addNestedPass<func::FuncOp>(createCSEPass());
}

void sectile::buildHostPipeline(OpPassManager &passes) {
  passes.addPass(createHostToLLVMPass());
  passes.addPass(createCanonicalizerPass());
}

void sectile::buildDeviceHostPipeline(OpPassManager &passes) {
  passes.addPass(createHostToLLVMPass({.deviceMemory = true}));
  passes.addPass(createCanonicalizerPass());
}

void sectile::buildStaticHostPipeline(OpPassManager &passes,
                                      const HostToStaticPassOptions &options) {
  passes.addPass(createHostToStaticPass(options));
  passes.addPass(createCanonicalizerPass());
}

void sectile::registerPipelines() {
  PassPipelineRegistration<> graphPipeline(
      "sectile-graph", "from an imported model to launches of fused regions",
      [](OpPassManager &passes) { buildGraphPipeline(passes); });
  PassPipelineRegistration<> tilePipeline(
      "sectile-tile", "tile programs of all fused regions, for the level avx512",
      [](OpPassManager &passes) { buildTilePipeline(passes, *lookupCpuLevel("avx512")); });
  PassPipelineRegistration<> hostPipeline("sectile-host", "memory plan and host program",
                                          [](OpPassManager &passes) {
                                            buildPlanPipeline(passes);
                                            buildHostPipeline(passes);
                                          });
}
