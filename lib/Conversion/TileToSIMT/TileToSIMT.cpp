//===- TileToSIMT.cpp - the passes tile-to-simt and simt-expand-math -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/TileToSIMT/TileToSIMT.h"

#include "ThreadEmitter.h"

#include "dialects/Tile/Transforms/Passes.h"
#include "lib/Conversion/Support/ExpandMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace sectile::simt {
#define GEN_PASS_DEF_TILETOSIMTPASS
#define GEN_PASS_DEF_SIMTEXPANDMATHPASS
#include "lib/Conversion/TileToSIMT/Passes.h.inc"
} // namespace sectile::simt

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;

namespace {
struct TileToSIMTPass : simt::impl::TileToSIMTPassBase<TileToSIMTPass> {
  using TileToSIMTPassBase::TileToSIMTPassBase;

  LogicalResult lower(tile::KernelOp kernel) {
    FailureOr<tile::KernelDevice> device = tile::getKernelDevice(kernel);
    if (failed(device))
      return failure(); // an error says why
    StringRef name = device->target->name;
    // One module for each device.
    std::string moduleName = ("kernels." + name).str();
    auto module = getOperation().lookupSymbol<gpu::GPUModuleOp>(moduleName);
    if (!module) {
      OpBuilder builder(kernel);
      builder.setInsertionPointToEnd(getOperation().getBody());
      module = gpu::GPUModuleOp::create(builder, getOperation().getLoc(), moduleName);
      module->setAttr(tile::kTargetAttr, builder.getStringAttr(name));
    }
    auto builder = OpBuilder::atBlockEnd(module.getBody());
    Options options;
    options.isStrict = floatMode == "strict";
    options.argumentAlignment = argumentAlignment;
    return ThreadEmitter(kernel, *device->target, device->warps, options).emit(builder);
  }

  void runOnOperation() override {
    if (floatMode != "strict" && floatMode != "default" && floatMode != "fast") {
      getOperation().emitError("expects fp to be strict, default or fast, but got '")
          << floatMode << "'";
      return signalPassFailure();
    }
    for (tile::KernelOp kernel :
         llvm::make_early_inc_range(getOperation().getOps<tile::KernelOp>())) {
      if (failed(lower(kernel)))
        return signalPassFailure();
      kernel.erase();
    }
  }
};

struct ExpandMathPass : simt::impl::SIMTExpandMathPassBase<ExpandMathPass> {
  using SIMTExpandMathPassBase::SIMTExpandMathPassBase;

  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<arith::RemFOp>(op) ||
          (isa_and_nonnull<math::MathDialect>(op->getDialect()) && !lowering::isNativeMath(op)))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      Value value = lowering::expandMath(op, {.hasFma = true,
                                              .hasWideFma = true,
                                              .hasScale = false,
                                              .hasGather = false,
                                              .tableIntrinsic = ""});
      if (!value) {
        op->emitOpError("is not supported by simt-expand-math on ") << op->getOperand(0).getType();
        return signalPassFailure();
      }
      op->getResult(0).replaceAllUsesWith(value);
      op->erase();
    }
  }
};
} // namespace
