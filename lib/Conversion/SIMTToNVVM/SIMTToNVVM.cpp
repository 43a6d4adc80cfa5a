//===- SIMTToNVVM.cpp - programs of threads for NVIDIA ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The few ops of gpu that tile-to-simt leaves are replaced here; all else is
// lowered as for CPUs. Upstream's convert-gpu-to-nvvm is of no use: it calls
// libdevice for what the target has instructions for.
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/SIMTToNVVM/SIMTToNVVM.h"

#include "lib/Conversion/Support/ThreadFunctions.h"
#include "sectile/Codegen/Codegen.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace sectile::simt {
#define GEN_PASS_DEF_SIMTTONVVMPASS
#include "lib/Conversion/SIMTToNVVM/Passes.h.inc"
} // namespace sectile::simt

using namespace mlir;
using namespace sectile;

static Value constant(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIntOp::create(builder, loc, value, 32);
}

static Value readRegister(OpBuilder &builder, Location loc, gpu::Dimension dimension,
                          bool isThread) {
  auto read = isThread
                  ? lowering::readRegister<NVVM::ThreadIdXOp, NVVM::ThreadIdYOp, NVVM::ThreadIdZOp>
                  : lowering::readRegister<NVVM::BlockIdXOp, NVVM::BlockIdYOp, NVVM::BlockIdZOp>;
  return read(builder, loc, dimension);
}

static LogicalResult lowerShuffle(gpu::ShuffleOp op) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  APInt width;
  if (!op.getValue().getType().isInteger(32) || !op.getValid().use_empty() ||
      !matchPattern(op.getWidth(), m_ConstantInt(&width)) || width != 32)
    return op.emitOpError("is not supported by simt-to-nvvm: expects 32 bits of whole warps");
  static constexpr NVVM::ShflKind kKinds[] = {NVVM::ShflKind::bfly, NVVM::ShflKind::up,
                                              NVVM::ShflKind::down, NVVM::ShflKind::idx};
  // Up is clamped at lane 0, all others at lane 31 (PTX ISA, shfl.sync).
  bool isUp = op.getMode() == gpu::ShuffleMode::UP;
  Value result = NVVM::ShflOp::create(
      builder, loc, builder.getI32Type(), constant(builder, loc, -1), op.getValue(), op.getOffset(),
      constant(builder, loc, isUp ? 0 : 31), kKinds[static_cast<size_t>(op.getMode())],
      /*return_value_and_is_valid=*/nullptr);
  op.getShuffleResult().replaceAllUsesWith(result);
  op.erase();
  return success();
}

static void markKernel(LLVM::LLVMFuncOp function, DenseI32ArrayAttr size) {
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(),
                    UnitAttr::get(function.getContext()));
  if (size)
    function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(), size);
}

namespace {
struct SIMTToNVVMPass : sectile::simt::impl::SIMTToNVVMPassBase<SIMTToNVVMPass> {
  using SIMTToNVVMPassBase::SIMTToNVVMPassBase;

  void runOnOperation() override {
    SmallVector<gpu::GPUModuleOp> modules(getOperation().getOps<gpu::GPUModuleOp>());
    if (modules.size() > 1) {
      modules[1].emitOpError("is not supported by simt-to-nvvm: expects kernels of one device");
      return signalPassFailure();
    }
    lowering::ThreadLowering lowering{
        .pass = "simt-to-nvvm",
        .markKernel = markKernel,
        .readRegister = readRegister,
        .emitBarrier = [](OpBuilder &builder,
                          Location loc) { NVVM::Barrier0Op::create(builder, loc); },
        .lowerShuffle = lowerShuffle};
    for (gpu::GPUModuleOp module : modules)
      if (failed(lowering::lowerThreadModule(module, lowering)))
        return signalPassFailure();
    if (failed(sectile::lowerToLLVM(getOperation())))
      signalPassFailure();
  }
};
} // namespace
