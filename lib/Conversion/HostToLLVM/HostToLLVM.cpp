//===- HostToLLVM.cpp - lower the host program of a package -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostEmitter.h"

#include "sectile/Package/Abi.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"

#include <cstddef>

namespace sectile {
#define GEN_PASS_DEF_HOSTTOLLVMPASS
#include "sectile/Conversion/HostPasses.h.inc"
} // namespace sectile

using namespace mlir;
using namespace sectile;

namespace {

/// The host program as the runtime calls it: all it works on is in the call.
class PackageHost : public HostEmitter {
public:
  PackageHost(ModuleOp module, const LLVMTypeConverter &converter, bool callsForAll)
      : HostEmitter(module, converter), callsForAll(callsForAll) {}

private:
  SmallVector<Type> frameTypes() override { return {pointer}; }

  Value loadField(size_t offset) {
    return LLVM::LoadOp::create(builder, loc, pointer, addressOf(frame[0], offset));
  }
  Value getExtent(size_t field, unsigned tensor, unsigned dim) {
    return loadElement(loadElement(loadField(field), tensor, pointer), dim, i64);
  }
  Value getInputExtent(unsigned input, unsigned dim) override {
    return getExtent(offsetof(sectile_abi_call, input_dims), input, dim);
  }
  Value getOutputExtent(unsigned output, unsigned dim) override {
    return getExtent(offsetof(sectile_abi_call, output_dims), output, dim);
  }
  Value getInputData(unsigned input) override {
    return loadElement(loadField(offsetof(sectile_abi_call, input_data)), input, pointer);
  }
  Value getOutputData(unsigned output) override {
    return loadElement(loadField(offsetof(sectile_abi_call, output_data)), output, pointer);
  }
  Value getArena() override { return loadField(offsetof(sectile_abi_call, arena)); }
  Value getConstants() override { return loadField(offsetof(sectile_abi_call, constants)); }

  void setSymbol(unsigned symbol, Value value) override {
    storeElement(loadField(offsetof(sectile_abi_call, symbols)), symbol, value);
  }
  void setOutputExtent(unsigned output, unsigned dim, Value value) override {
    Value dims = loadElement(loadField(offsetof(sectile_abi_call, output_dims)), output, pointer);
    storeElement(dims, dim, value);
  }
  void setArenaBytes(Value value) override {
    Value place = addressOf(frame[0], offsetof(sectile_abi_call, arena_bytes));
    LLVM::StoreOp::create(builder, loc, value, place);
  }

  Value emitFailure(graph::CheckOp check) override {
    Value values = makeArray(check, check.getValues().size(), i64);
    for (auto [i, value] : llvm::enumerate(check.getValues()))
      storeElement(values, i, toI64(value));
    Value message = addressOfText(check.getMessage());
    auto type = LLVM::LLVMFunctionType::get(i32, {pointer, i32, pointer, pointer, i32});
    Value fail = loadField(offsetof(sectile_abi_call, fail));
    return LLVM::CallOp::create(builder, loc, type,
                                ValueRange{fail, frame[0], status(SECTILE_ABI_INVALID_INPUT),
                                           message, values, status(check.getValues().size())})
        .getResult();
  }

  Value emitLaunch(graph::DispatchOp dispatch, Value buffers, Value sizes) override {
    auto type = LLVM::LLVMFunctionType::get(i32, {pointer, i32, pointer, pointer});
    Value launch = loadField(offsetof(sectile_abi_call, launch));
    return LLVM::CallOp::create(
               builder, loc, type,
               ValueRange{launch, frame[0], status(getKernel(dispatch).second), buffers, sizes})
        .getResult();
  }

  bool callsForMemory() const override { return callsForAll; }

  Value emitRead(Value to, Value from, int64_t bytes) override {
    auto type = LLVM::LLVMFunctionType::get(i32, {pointer, pointer, pointer, i64});
    Value read = loadField(offsetof(sectile_abi_call, read));
    return LLVM::CallOp::create(builder, loc, type,
                                ValueRange{read, frame[0], to, from, constant(bytes)})
        .getResult();
  }

  Value emitCopy(const Buffer &to, const Buffer &from) override {
    auto type = LLVM::LLVMFunctionType::get(
        i32, {pointer, pointer, pointer, pointer, pointer, pointer, i32, i32});
    Value copy = loadField(offsetof(sectile_abi_call, copy));
    return LLVM::CallOp::create(builder, loc, type,
                                ValueRange{copy, frame[0], to.data, to.strides, from.data,
                                           from.strides, from.sizes,
                                           status(static_cast<int32_t>(from.rank)),
                                           status(static_cast<int32_t>(from.elementBytes))})
        .getResult();
  }

  bool callsForAll;
};

struct HostToLLVMPass : sectile::impl::HostToLLVMPassBase<HostToLLVMPass> {
  using HostToLLVMPassBase::HostToLLVMPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto prepare = module.lookupSymbol<func::FuncOp>(kPrepareFunction);
    auto run = module.lookupSymbol<func::FuncOp>(kRunFunction);
    if (!prepare || !run) {
      module.emitError("expects the functions that graph-plan-memory writes, @")
          << kPrepareFunction << " and @" << kRunFunction;
      return signalPassFailure();
    }
    if (failed(flattenHost(module, {prepare, run}, /*expandsCopies=*/!deviceMemory)))
      return signalPassFailure();
    LLVMTypeConverter converter(&getContext(), LowerToLLVMOptions(&getContext()));
    PackageHost emitter(module, converter, deviceMemory);
    emitter.emitPrepare(prepare, kHostPrepare);
    emitter.emitRun(run, kHostRun);
    if (failed(lowerHost(module, converter)))
      return signalPassFailure();
  }
};

} // namespace
