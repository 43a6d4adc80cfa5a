//===- ThreadFunctions.cpp - programs of threads to the LLVM dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sectile::lowering;

static LogicalResult lowerOp(Operation *op, const ThreadLowering &lowering) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  auto replaceId = [&](auto id, bool isThread) {
    Value number = lowering.readRegister(builder, loc, id.getDimension(), isThread);
    id.replaceAllUsesWith(
        arith::IndexCastUIOp::create(builder, loc, id.getType(), number).getResult());
    op->erase();
    return success();
  };
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](gpu::ReturnOp) {
        LLVM::ReturnOp::create(builder, loc, ValueRange());
        op->erase();
        return success();
      })
      .Case([&](gpu::BarrierOp) {
        lowering.emitBarrier(builder, loc);
        op->erase();
        return success();
      })
      .Case([&](gpu::ThreadIdOp id) { return replaceId(id, true); })
      .Case([&](gpu::BlockIdOp id) { return replaceId(id, false); })
      .Case([&](gpu::ShuffleOp shuffle) { return lowering.lowerShuffle(shuffle); })
      .Default([&](Operation *) -> LogicalResult {
        if (isa_and_nonnull<gpu::GPUDialect>(op->getDialect()))
          return op->emitOpError("is not supported by ") << lowering.pass;
        return success();
      });
}

static LogicalResult lowerFunction(gpu::GPUFuncOp func, OpBuilder &outer,
                                   const ThreadLowering &lowering) {
  MLIRContext *context = func.getContext();
  if (func.getNumWorkgroupAttributions() || func.getNumPrivateAttributions())
    return func.emitOpError("is not supported by ") << lowering.pass << ": expects no attributions";
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), func.getArgumentTypes());
  auto lowered = LLVM::LLVMFuncOp::create(outer, func.getLoc(), func.getName(), type);
  for (NamedAttribute attr : func->getDiscardableAttrs())
    if (attr.getNameDialect() && !isa<gpu::GPUDialect>(attr.getNameDialect()))
      lowered->setAttr(attr.getName(), attr.getValue());
    else if (attr.getName().getValue().starts_with("sectile."))
      lowered->setAttr(attr.getName(), attr.getValue());
  if (func.isKernel())
    lowering.markKernel(lowered, func.getKnownBlockSizeAttr());
  lowered.getBody().takeBody(func.getBody());
  WalkResult result =
      lowered.walk([&](Operation *op) -> WalkResult { return lowerOp(op, lowering); });
  func.erase();
  return failure(result.wasInterrupted());
}

LogicalResult sectile::lowering::lowerThreadModule(gpu::GPUModuleOp module,
                                                   const ThreadLowering &lowering) {
  OpBuilder outer(module);
  for (Operation &op : llvm::make_early_inc_range(*module.getBody())) {
    auto func = dyn_cast<gpu::GPUFuncOp>(op);
    if (!func)
      op.moveBefore(module);
    else if (failed(lowerFunction(func, outer, lowering)))
      return failure();
  }
  module.erase();
  return success();
}
