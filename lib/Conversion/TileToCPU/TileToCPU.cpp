//===- TileToCPU.cpp - the pass tile-to-cpu ---------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace sectile::cpu {
#define GEN_PASS_DEF_TILETOCPUPASS
#include "lib/Conversion/TileToCPU/Passes.h.inc"
} // namespace sectile::cpu

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;

namespace {
struct TileToCPUPass : cpu::impl::TileToCPUPassBase<TileToCPUPass> {
  using TileToCPUPassBase::TileToCPUPassBase;

  void runOnOperation() override {
    const CpuLevel *level = lookupCpuLevel(levelName);
    std::optional<FloatMode> mode = llvm::StringSwitch<std::optional<FloatMode>>(floatMode)
                                        .Case("strict", FloatMode::Strict)
                                        .Case("default", FloatMode::Default)
                                        .Case("fast", FloatMode::Fast)
                                        .Default(std::nullopt);
    if (!level) {
      getOperation().emitError("expects level to be one of ")
          << listCpuLevels() << ", but got '" << levelName << "'";
      return signalPassFailure();
    }
    if (!mode) {
      getOperation().emitError("expects fp to be strict, default or fast, but got '")
          << floatMode << "'";
      return signalPassFailure();
    }
    for (tile::KernelOp kernel :
         llvm::make_early_inc_range(getOperation().getOps<tile::KernelOp>())) {
      KernelEmitter emitter(kernel, *level, *mode);
      if (failed(infoOnly ? emitter.emitInfoOnly() : emitter.emit()))
        return signalPassFailure();
      kernel.erase();
    }
  }
};
} // namespace

std::unique_ptr<Pass> sectile::cpu::createTileToCPUPass(const CpuLevel &level, FloatMode mode,
                                                        bool infoOnly) {
  TileToCPUPassOptions options;
  options.infoOnly = infoOnly;
  options.levelName = level.name.str();
  options.floatMode = mode == FloatMode::Strict ? "strict"
                      : mode == FloatMode::Fast ? "fast"
                                                : "default";
  return createTileToCPUPass(options);
}
