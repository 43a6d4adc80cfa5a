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

#include "sectile/Codegen/Codegen.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/ADT/TypeSwitch.h"

namespace sectile::simt {
#define GEN_PASS_DEF_SIMTTONVVMPASS
#include "lib/Conversion/SIMTToNVVM/Passes.h.inc"
} // namespace sectile::simt

using namespace mlir;

static Value constant(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIntOp::create(builder, loc, value, 32);
}

static Value readRegister(OpBuilder &builder, Location loc, Type type, gpu::Dimension dimension,
                          bool isThread) {
  auto read = [&]<typename X, typename Y, typename Z>() -> Value {
    Type i32 = builder.getI32Type();
    switch (dimension) {
    case gpu::Dimension::x:
      return X::create(builder, loc, i32);
    case gpu::Dimension::y:
      return Y::create(builder, loc, i32);
    case gpu::Dimension::z:
      return Z::create(builder, loc, i32);
    }
    llvm_unreachable("not a dimension");
  };
  Value value =
      isThread ? read.template operator()<NVVM::ThreadIdXOp, NVVM::ThreadIdYOp, NVVM::ThreadIdZOp>()
               : read.template operator()<NVVM::BlockIdXOp, NVVM::BlockIdYOp, NVVM::BlockIdZOp>();
  return arith::IndexCastUIOp::create(builder, loc, type, value);
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

static LogicalResult lowerFunction(gpu::GPUFuncOp func, OpBuilder &outer) {
  MLIRContext *context = func.getContext();
  if (func.getNumWorkgroupAttributions() || func.getNumPrivateAttributions())
    return func.emitOpError("is not supported by simt-to-nvvm: expects no attributions");
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), func.getArgumentTypes());
  auto lowered = LLVM::LLVMFuncOp::create(outer, func.getLoc(), func.getName(), type);
  for (NamedAttribute attr : func->getDiscardableAttrs())
    if (attr.getNameDialect() && !isa<gpu::GPUDialect>(attr.getNameDialect()))
      lowered->setAttr(attr.getName(), attr.getValue());
    else if (attr.getName().getValue().starts_with("sectile."))
      lowered->setAttr(attr.getName(), attr.getValue());
  if (func.isKernel()) {
    lowered->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), outer.getUnitAttr());
    if (DenseI32ArrayAttr size = func.getKnownBlockSizeAttr())
      lowered->setAttr(NVVM::NVVMDialect::getReqntidAttrName(), size);
  }
  lowered.getBody().takeBody(func.getBody());
  WalkResult result = lowered.walk([&](Operation *op) -> WalkResult {
    OpBuilder builder(op);
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case([&](gpu::ReturnOp) {
          LLVM::ReturnOp::create(builder, op->getLoc(), ValueRange());
          op->erase();
          return success();
        })
        .Case([&](gpu::BarrierOp) {
          NVVM::Barrier0Op::create(builder, op->getLoc());
          op->erase();
          return success();
        })
        .Case([&](gpu::ThreadIdOp id) {
          id.replaceAllUsesWith(
              readRegister(builder, op->getLoc(), id.getType(), id.getDimension(), true));
          op->erase();
          return success();
        })
        .Case([&](gpu::BlockIdOp id) {
          id.replaceAllUsesWith(
              readRegister(builder, op->getLoc(), id.getType(), id.getDimension(), false));
          op->erase();
          return success();
        })
        .Case([&](gpu::ShuffleOp shuffle) { return lowerShuffle(shuffle); })
        .Default([&](Operation *) -> LogicalResult {
          if (isa_and_nonnull<gpu::GPUDialect>(op->getDialect()))
            return op->emitOpError("is not supported by simt-to-nvvm");
          return success();
        });
  });
  func.erase();
  return failure(result.wasInterrupted());
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
    for (gpu::GPUModuleOp module : modules) {
      OpBuilder outer(module);
      for (Operation &op : llvm::make_early_inc_range(*module.getBody())) {
        auto func = dyn_cast<gpu::GPUFuncOp>(op);
        if (!func)
          op.moveBefore(module);
        else if (failed(lowerFunction(func, outer)))
          return signalPassFailure();
      }
      module.erase();
    }
    if (failed(sectile::lowerToLLVM(getOperation())))
      signalPassFailure();
  }
};
} // namespace
