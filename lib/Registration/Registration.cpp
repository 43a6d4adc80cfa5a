//===- Registration.cpp - all dialects, passes and pipelines of sectile -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Registration/Registration.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/Transforms/Passes.h"
#include "dialects/Tile/IR/Tile.h"
#include "dialects/Tile/Transforms/Passes.h"
#include "sectile/Compiler/Pipelines.h"
#include "sectile/Conversion/GraphToTile.h"
#include "sectile/Conversion/Host.h"
#include "sectile/Conversion/SIMTToNVVM/SIMTToNVVM.h"
#include "sectile/Conversion/SIMTToROCDL/SIMTToROCDL.h"
#include "sectile/Conversion/TileToCPU/TileToCPU.h"
#include "sectile/Conversion/TileToSIMT/TileToSIMT.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"

void sectile::registerAllDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<graph::GraphDialect, tile::TileDialect>();
}

void sectile::registerAllPasses() {
  mlir::registerAllPasses();
  graph::registerGraphPasses();
  registerGraphToTilePasses();
  tile::registerTilePasses();
  registerHostPasses();
  registerPipelines();
  cpu::registerTileToCPUPasses();
  simt::registerTileToSIMTPasses();
  simt::registerSIMTToNVVMPasses();
  simt::registerSIMTToROCDLPasses();
}
