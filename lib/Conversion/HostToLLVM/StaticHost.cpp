//===- StaticHost.cpp - lower the host program of static output -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Three functions with one list of arguments, known inside the object only:
//
//   prepare   checks extents; writes bytes of the arena and extents of outputs
//   measure   raises the bytes of private memory to what kernels need for which
//             the compiler could not tell
//   run       the kernels
//
// and one or two that are the user's, NAME_run and, where sizes are known at run
// time only, NAME_sizes. StaticEntries.cpp writes those.
//
//===----------------------------------------------------------------------===//

#include "StaticHost.h"

#include "sectile/Conversion/TileToCPU/TileToCPU.h"
#include "sectile/Package/Abi.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"

#include <cstddef>

namespace sectile {
#define GEN_PASS_DEF_HOSTTOSTATICPASS
#include "sectile/Conversion/HostPasses.h.inc"
} // namespace sectile

using namespace mlir;
using namespace sectile;

//===----------------------------------------------------------------------===//
// Where things are
//===----------------------------------------------------------------------===//

unsigned StaticFrame::getOutputSize(unsigned output, unsigned dim) const {
  unsigned position = kFirstOutputSize;
  for (const PlannedTensor &tensor : ArrayRef(interface.model.outputs).take_front(output))
    position += tensor.type.getRank();
  return position + dim;
}

unsigned StaticFrame::getNumSizes() const {
  return getOutputSize(interface.model.outputs.size(), 0);
}

SmallVector<Type> StaticFrame::getTypes(MLIRContext *context) const {
  SmallVector<Type> types(interface.parameters.size(), IntegerType::get(context, 64));
  types.append(interface.inputs.size() + interface.outputs.size() + 3,
               LLVM::LLVMPointerType::get(context));
  return types;
}

namespace {

class StaticHost : public HostEmitter {
public:
  StaticHost(ModuleOp module, const LLVMTypeConverter &converter, const StaticFrame &layout,
             StringRef suffix)
      : HostEmitter(module, converter), layout(layout), suffix(suffix) {}

  /// The function in progress runs no kernel, but asks how much private memory each needs.
  bool isMeasuring = false;

private:
  SmallVector<Type> frameTypes() override {
    report = {};
    values = {};
    return layout.getTypes(module.getContext());
  }
  Value getInputExtent(unsigned input, unsigned dim) override {
    return frame[layout.interface.inputs[input].parameters[dim]];
  }
  Value getOutputExtent(unsigned output, unsigned dim) override {
    return loadElement(frame[layout.getSizes()], layout.getOutputSize(output, dim), i64);
  }
  Value getInputData(unsigned input) override { return frame[layout.getInput(input)]; }
  Value getOutputData(unsigned output) override { return frame[layout.getOutput(output)]; }
  Value getArena() override { return frame[layout.getArena()]; }
  Value getConstants() override {
    auto global = module.lookupSymbol<LLVM::GlobalOp>(kStaticConstants);
    if (!global)
      return LLVM::ZeroOp::create(builder, loc, pointer);
    return LLVM::AddressOfOp::create(builder, loc, global);
  }

  void setSymbol(unsigned symbol, Value value) override {}
  void setOutputExtent(unsigned output, unsigned dim, Value value) override {
    storeElement(frame[layout.getSizes()], layout.getOutputSize(output, dim), value);
  }
  void setArenaBytes(Value value) override {
    storeElement(frame[layout.getSizes()], StaticFrame::kArenaSize, value);
  }

  Value emitFailure(graph::CheckOp check) override {
    // The model's checks have numbers; those that binding arguments adds are about null pointers.
    auto it = layout.interface.hostChecks.find(check.getMessage());
    return status(it == layout.interface.hostChecks.end() ? int32_t(kStaticNull) : it->second);
  }

  Value emitLaunch(graph::DispatchOp dispatch, Value buffers, Value sizes) override {
    std::string name = dispatch.getKernel().str();
    if (!report) {
      report = makeArray(dispatch, sizeof(sectile_abi_launch_info) / 8, i64);
      values = makeArray(dispatch, 4, i64);
    }
    auto infoType = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(module.getContext()),
                                                {pointer, pointer, pointer});
    LLVM::CallOp::create(builder, loc, declare(name + cpu::kInfoSuffix.str(), infoType),
                         ValueRange{buffers, sizes, report});
    if (isMeasuring) {
      Value needed = loadElement(report, offsetof(sectile_abi_launch_info, scratch_bytes) / 8, i64);
      Value most = loadElement(frame[layout.getSizes()], StaticFrame::kScratchSize, i64);
      Value isMore = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::sgt, needed, most);
      storeElement(frame[layout.getSizes()], StaticFrame::kScratchSize,
                   LLVM::SelectOp::create(builder, loc, isMore, needed, most));
      return status(0);
    }
    Value blocks = loadElement(report, offsetof(sectile_abi_launch_info, blocks) / 8, i64);
    for (int64_t i = 0; i < 4; ++i)
      storeElement(values, i, constant(0));
    auto runType = LLVM::LLVMFunctionType::get(i32, {pointer, pointer, i64, i64, pointer, pointer});
    Value result =
        LLVM::CallOp::create(
            builder, loc, declare(name + cpu::kRunSuffix.str(), runType),
            ValueRange{buffers, sizes, constant(0), blocks, frame[layout.getScratch()], values})
            .getResult();
    // 1 + the number of the check that failed.
    int32_t first = layout.interface.kernelChecks.lookup(name);
    Value ok = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::eq, result, status(0));
    Value failed = LLVM::AddOp::create(builder, loc, result, status(first - 1));
    return LLVM::SelectOp::create(builder, loc, ok, status(0), failed);
  }

  /// A function of a kernel, which lies in another part of the same object.
  LLVM::LLVMFuncOp declare(const std::string &name, LLVM::LLVMFunctionType type) {
    std::string symbol = name + suffix.str();
    if (auto known = module.lookupSymbol<LLVM::LLVMFuncOp>(symbol))
      return known;
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    auto func = LLVM::LLVMFuncOp::create(top, module.getLoc(), symbol, type);
    func.setVisibility_(LLVM::Visibility::Hidden);
    func.setDsoLocal(true);
    return func;
  }

  const StaticFrame &layout;
  StringRef suffix;
  Value report, values;
};

//===----------------------------------------------------------------------===//
// Measuring private memory
//===----------------------------------------------------------------------===//

/// Clones what the operands of dispatches are computed from, as far as the compiler does not know
/// their kernels' private memory, and the dispatches, into `measure`.
LogicalResult fillMeasure(func::FuncOp run, func::FuncOp measure, ModuleOp module,
                          const StaticInterface &interface) {
  Block &source = run.getBody().front();
  IRMapping map;
  map.map(source.getArguments(), measure.getBody().front().getArguments());
  OpBuilder builder(measure.getBody().front().getTerminator());
  WalkResult result = run.walk([&](graph::DispatchOp dispatch) -> WalkResult {
    auto kernel = module.lookupSymbol<graph::KernelOp>(dispatch.getKernel());
    if (!kernel || kernel->hasAttr(kScratchBytesAttr))
      return WalkResult::advance();
    SetVector<Operation *> slice;
    BackwardSliceOptions options;
    options.inclusive = true;
    options.omitBlockArguments = true; // they are looked at below
    auto refuse = [&](Twine why) {
      return dispatch.emitError("kernel '")
             << dispatch.getKernel() << "' needs private memory whose size " << why
             << "; static output has to know it before the run (--emit=package does not)";
    };
    for (Value operand : dispatch.getArgs())
      if (operand.getDefiningOp() && failed(getBackwardSlice(operand, &slice, options)))
        return refuse("cannot be followed to the sizes of inputs");
    for (Operation *op : slice) {
      bool isLoad = isa<memref::LoadOp>(op);
      if (isLoad) {
        auto argument = dyn_cast<BlockArgument>(cast<memref::LoadOp>(op).getMemRef());
        isLoad = !argument || argument.getOwner() != &source ||
                 !llvm::is_contained(interface.dataInputs, argument.getArgNumber());
      }
      if (isLoad || op->getBlock() != &source || op->getNumRegions() != 0)
        return refuse("is computed during the run");
    }
    auto isCarried = [&](Value value) {
      auto argument = dyn_cast<BlockArgument>(value);
      return argument && argument.getOwner() != &source;
    };
    if (llvm::any_of(dispatch.getArgs(), isCarried))
      return refuse("changes during the run");
    for (Operation *op : slice)
      if (!map.contains(op->getResult(0)))
        builder.clone(*op, map);
    auto copy = cast<graph::DispatchOp>(builder.clone(*dispatch, map));
    copy.getWhenMutable().clear();
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

struct HostToStaticPass : sectile::impl::HostToStaticPassBase<HostToStaticPass> {
  using HostToStaticPassBase::HostToStaticPassBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto prepare = module.lookupSymbol<func::FuncOp>(kPrepareFunction);
    auto run = module.lookupSymbol<func::FuncOp>(kRunFunction);
    if (!prepare || !run) {
      module.emitError("expects the functions that graph-plan-memory writes, @")
          << kPrepareFunction << " and @" << kRunFunction;
      return signalPassFailure();
    }
    if (pointerBytes != 4 && pointerBytes != 8) {
      module.emitError("expects pointers of 4 or 8 bytes, but got ") << int64_t(pointerBytes);
      return signalPassFailure();
    }
    StaticInterface interface = getStaticInterface(module);
    StaticFrame layout{interface};
    declareConstants(module);
    OpBuilder builder(run);
    auto measure = func::FuncOp::create(builder, run.getLoc(), kStaticMeasure,
                                        builder.getFunctionType(run.getArgumentTypes(), {}));
    builder.setInsertionPointToEnd(measure.addEntryBlock());
    func::ReturnOp::create(builder, run.getLoc());
    if (failed(fillMeasure(run, measure, module, interface)) ||
        failed(flattenHost(module, {prepare, run, measure})))
      return signalPassFailure();
    LLVMTypeConverter converter(&getContext(), LowerToLLVMOptions(&getContext()));
    StaticHost emitter(module, converter, layout, suffix);
    emitter.emitPrepare(prepare, kStaticPrepare);
    emitter.emitRun(run, kStaticRun);
    emitter.isMeasuring = true;
    emitter.emitRun(measure, kStaticMeasure);
    if (failed(lowerHost(module, converter)))
      return signalPassFailure();
    for (StringRef name : {kStaticPrepare, kStaticRun, kStaticMeasure})
      module.lookupSymbol<LLVM::LLVMFuncOp>(name).setLinkage(LLVM::Linkage::Internal);
    writeStaticEntries(module, layout, name, pointerBytes);
  }

  static void declareConstants(ModuleOp module) {
    if (getPlannedConstants(module).empty())
      return;
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    // Its size is the linker's business.
    auto type = LLVM::LLVMArrayType::get(top.getI8Type(), 0);
    auto global = LLVM::GlobalOp::create(top, module.getLoc(), type, /*isConstant=*/true,
                                         LLVM::Linkage::External, kStaticConstants, Attribute(),
                                         kStaticAlignment);
    global.setVisibility_(LLVM::Visibility::Hidden);
    global.setDsoLocal(true);
  }
};

} // namespace
