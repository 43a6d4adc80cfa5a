//===- LowerAsync.cpp - asynchronous copies as calls --------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LowerAsync.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace sectile::emulator;

bool sectile::emulator::isAsyncCopyOp(Operation *op) {
  return isa<NVVM::CpAsyncOp, NVVM::CpAsyncCommitGroupOp, NVVM::CpAsyncWaitGroupOp>(op);
}

std::vector<Site> sectile::emulator::describeAsyncCopy(Operation *op, const Site &site) {
  auto copy = dyn_cast<NVVM::CpAsyncOp>(op);
  if (!copy)
    return {};
  Site write = site;
  write.op = "cp.async";
  write.bytes = write.align = copy.getSize();
  Site read = write;
  write.space = 3;
  write.write = true;
  read.space = 1;
  read.read = true;
  return {write, read};
}

void sectile::emulator::replaceAsyncCopyOp(OpBuilder &builder, Operation *op, uint32_t site,
                                           llvm::function_ref<void(StringRef, ValueRange)> call) {
  Location loc = op->getLoc();
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(value));
  };
  if (auto copy = dyn_cast<NVVM::CpAsyncOp>(op)) {
    Type pointer = LLVM::LLVMPointerType::get(op->getContext());
    Value to = LLVM::AddrSpaceCastOp::create(builder, loc, pointer, copy.getDst());
    Value from = LLVM::AddrSpaceCastOp::create(builder, loc, pointer, copy.getSrc());
    Value read = copy.getCpSize() ? copy.getCpSize() : constant(copy.getSize());
    call("sectile_emulator_copy", {to, from, constant(copy.getSize()), read, constant(site)});
  } else if (auto wait = dyn_cast<NVVM::CpAsyncWaitGroupOp>(op)) {
    call("sectile_emulator_wait_for_copies", {constant(wait.getN())});
  } else {
    call("sectile_emulator_commit_copies", {});
  }
  op->erase();
}
