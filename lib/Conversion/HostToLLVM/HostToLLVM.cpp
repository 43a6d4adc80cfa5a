//===- HostToLLVM.cpp - lower the host program to the LLVM dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/Host.h"

#include "dialects/Graph/IR/Graph.h"
#include "sectile/Package/Abi.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Transforms/DialectConversion.h"

#include <cstddef>

namespace sectile {
#define GEN_PASS_DEF_HOSTTOLLVMPASS
#include "sectile/Conversion/HostPasses.h.inc"
} // namespace sectile

using namespace mlir;
using namespace sectile;

namespace {

class HostEmitter {
public:
  HostEmitter(ModuleOp module, const LLVMTypeConverter &converter)
      : module(module), converter(converter), builder(module.getContext()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())), i32(builder.getI32Type()),
        i64(builder.getI64Type()), interface(getPlannedInterface(module)) {
    unsigned number = 0;
    for (auto kernel : module.getOps<graph::KernelOp>())
      kernels[kernel.getSymName()] = {kernel, number++};
  }

  void emitPrepare(func::FuncOp func) {
    start(func, kHostPrepare);
    // Extents come from the call's input_dims.
    Value inputDims = loadField(offsetof(sectile_abi_call, input_dims), pointer);
    unsigned next = 0;
    for (auto [number, input] : llvm::enumerate(interface.inputs)) {
      Value dims;
      for (int64_t dim = 0; dim < input.type.getRank(); ++dim) {
        if (!input.type.isDynamicDim(dim))
          continue;
        if (!dims)
          dims = loadElement(inputDims, number, pointer);
        func.getArgument(1 + next++).replaceAllUsesWith(toIndex(loadElement(dims, dim, i64)));
      }
    }
    if (auto data = func->getAttrOfType<DenseI64ArrayAttr>(kDataInputsAttr)) {
      bindData(func, data, next);
      func->removeAttr(kDataInputsAttr);
    }
    finishArguments(func);
    // Results go to symbols, output_dims and arena_bytes.
    auto ret = cast<func::ReturnOp>(func.getBody().back().getTerminator());
    builder.setInsertionPoint(ret);
    SmallVector<Value> results(ret.getOperands());
    unsigned position = 0;
    Value symbols = loadField(offsetof(sectile_abi_call, symbols), pointer);
    for (unsigned i = 0; i < interface.symbols.size(); ++i)
      storeElement(symbols, i, toI64(results[position++]));
    Value outputDims = loadField(offsetof(sectile_abi_call, output_dims), pointer);
    for (auto [number, output] : llvm::enumerate(interface.outputs)) {
      Value dims = loadElement(outputDims, number, pointer);
      for (int64_t dim = 0; dim < output.type.getRank(); ++dim)
        storeElement(dims, dim, toI64(results[position++]));
    }
    Value place = addressOf(call, offsetof(sectile_abi_call, arena_bytes));
    LLVM::StoreOp::create(builder, loc, toI64(results[position]), place);
    finish(func, ret);
  }

  /// Inputs whose elements sizes depend on. Who asks for shapes alone may have given no data.
  void bindData(func::FuncOp func, DenseI64ArrayAttr numbers, unsigned first) {
    Value pointers = loadField(offsetof(sectile_abi_call, input_data), pointer);
    Value none = LLVM::ZeroOp::create(builder, loc, pointer);
    for (auto [position, number] : llvm::enumerate(numbers.asArrayRef())) {
      const PlannedTensor &tensor = interface.inputs[number];
      Value data = loadElement(pointers, number, pointer);
      Value isThere = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne, data, none);
      graph::CheckOp::create(builder, loc, isThere,
                             "sizes depend on the elements of input '" + tensor.name +
                                 "', but its data is null",
                             ValueRange());
      SmallVector<Value> sizes;
      for (int64_t extent : tensor.type.getShape())
        sizes.push_back(constant(extent));
      bindBuffer(func.getArgument(1 + first + position), data, sizes, sizes);
    }
  }

  void emitRun(func::FuncOp func) {
    start(func, kHostRun);
    unsigned position = 1;
    auto bind = [&](size_t data, size_t allDims, ArrayRef<PlannedTensor> tensors,
                    unsigned graph::Alias::*side) {
      Value pointers = loadField(data, pointer), dimPointers = loadField(allDims, pointer);
      for (auto [number, tensor] : llvm::enumerate(tensors)) {
        Value dims;
        SmallVector<Value> sizes;
        for (int64_t dim = 0; dim < tensor.type.getRank(); ++dim) {
          if (!tensor.type.isDynamicDim(dim)) {
            sizes.push_back(constant(tensor.type.getDimSize(dim)));
            continue;
          }
          if (!dims)
            dims = loadElement(dimPointers, number, pointer);
          sizes.push_back(loadElement(dims, dim, i64));
        }
        // A shared buffer is laid out by its capacity.
        SmallVector<Value> memorySizes(sizes);
        for (const graph::Alias &alias : interface.aliases)
          if (alias.*side == number && alias.capacity >= 0)
            memorySizes[alias.dim] = constant(alias.capacity);
        bindBuffer(func.getArgument(position++), loadElement(pointers, number, pointer), sizes,
                   memorySizes);
      }
    };
    bind(offsetof(sectile_abi_call, input_data), offsetof(sectile_abi_call, input_dims),
         interface.inputs, &graph::Alias::input);
    bind(offsetof(sectile_abi_call, output_data), offsetof(sectile_abi_call, output_dims),
         interface.outputs, &graph::Alias::output);
    // Views of the arena and of the constants are in bounds by construction.
    Value unbounded = constant(std::numeric_limits<int64_t>::max());
    for (size_t field : {offsetof(sectile_abi_call, arena), offsetof(sectile_abi_call, constants)})
      bindBuffer(func.getArgument(position++), loadField(field, pointer), unbounded, unbounded);
    finishArguments(func);
    auto ret = cast<func::ReturnOp>(func.getBody().back().getTerminator());
    if (auto decided = func->getAttrOfType<DenseI64ArrayAttr>(kDecidedDimsAttr)) {
      builder.setInsertionPoint(ret);
      Value outputDims = loadField(offsetof(sectile_abi_call, output_dims), pointer);
      for (auto [number, extent] : llvm::enumerate(ret.getOperands()))
        storeElement(loadElement(outputDims, decided[2 * number], pointer), decided[2 * number + 1],
                     toI64(extent));
      func->removeAttr(kDecidedDimsAttr);
    }
    finish(func, ret);
  }

private:
  //===--------------------------------------------------------------------===//
  // Small pieces
  //===--------------------------------------------------------------------===//

  Value constant(int64_t value) {
    return LLVM::ConstantOp::create(builder, loc, i64, builder.getI64IntegerAttr(value));
  }
  Value toIndex(Value value) {
    return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), value);
  }
  Value toI64(Value value) { return arith::IndexCastOp::create(builder, loc, i64, value); }
  Value addressOf(Value base, int64_t bytes) {
    return LLVM::GEPOp::create(builder, loc, pointer, builder.getI8Type(), base,
                               ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
  }
  Value loadField(size_t offset, Type type) {
    return LLVM::LoadOp::create(builder, loc, type, addressOf(call, offset));
  }
  Value elementAddress(Value array, int64_t number) { return addressOf(array, 8 * number); }
  Value loadElement(Value array, int64_t number, Type type) {
    return LLVM::LoadOp::create(builder, loc, type, elementAddress(array, number));
  }
  void storeElement(Value array, int64_t number, Value value) {
    LLVM::StoreOp::create(builder, loc, value, elementAddress(array, number));
  }

  /// Makes `argument` a buffer that is row-major for `memorySizes`, of which `sizes` are in use.
  void bindBuffer(Value argument, Value data, ArrayRef<Value> sizes, ArrayRef<Value> memorySizes) {
    auto type = cast<MemRefType>(argument.getType());
    SmallVector<Value> strides(sizes.size()), fields = {data, data, constant(0)};
    Value stride = constant(1);
    for (size_t dim = sizes.size(); dim-- > 0;) {
      strides[dim] = stride;
      stride = LLVM::MulOp::create(builder, loc, stride, memorySizes[dim]);
    }
    llvm::append_range(fields, sizes);
    llvm::append_range(fields, strides);
    Value descriptor = MemRefDescriptor::pack(builder, loc, converter, type, fields);
    argument.replaceAllUsesWith(
        UnrealizedConversionCastOp::create(builder, loc, TypeRange{type}, descriptor).getResult(0));
  }

  //===--------------------------------------------------------------------===//
  // Function frames
  //===--------------------------------------------------------------------===//

  /// Makes the call the first argument and sets the builder to the entry.
  void start(func::FuncOp func, StringRef name) {
    loc = func.getLoc();
    func.setName(name);
    Block &entry = func.getBody().front();
    call = entry.insertArgument(0u, pointer, loc);
    builder.setInsertionPointToStart(&entry);
  }

  void finishArguments(func::FuncOp func) {
    Block &entry = func.getBody().front();
    entry.eraseArguments(1, entry.getNumArguments() - 1);
    func.setFunctionType(builder.getFunctionType({pointer}, {i32}));
  }

  void finish(func::FuncOp func, func::ReturnOp ret) {
    builder.setInsertionPoint(ret);
    Value zero = LLVM::ConstantOp::create(builder, loc, i32, builder.getI32IntegerAttr(0));
    func::ReturnOp::create(builder, loc, zero);
    ret.erase();
    // What can fail ends its block.
    SmallVector<Operation *> fallible;
    func.walk([&](Operation *op) {
      if (isa<graph::CheckOp, graph::DispatchOp>(op))
        fallible.push_back(op);
    });
    for (Operation *op : fallible) {
      loc = op->getLoc();
      if (auto check = dyn_cast<graph::CheckOp>(op))
        lowerCheck(check);
      else
        lowerDispatch(cast<graph::DispatchOp>(op));
    }
  }

  /// Ends the block before `op` with a branch on `ok`; returns the block of the other outcome.
  Block *splitOn(Operation *op, Value ok) {
    Block *before = op->getBlock();
    Block *after = before->splitBlock(op);
    Block *failed = new Block;
    before->getParent()->getBlocks().insert(std::next(before->getIterator()), failed);
    builder.setInsertionPointToEnd(before);
    cf::CondBranchOp::create(builder, loc, ok, after, failed);
    return failed;
  }

  /// An array on the stack, allocated in the entry block.
  Value makeArray(Operation *op, size_t size, Type element) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&op->getParentOfType<func::FuncOp>().getBody().front());
    Value count = constant(std::max<size_t>(size, 1));
    return LLVM::AllocaOp::create(builder, loc, pointer, element, count, /*alignment=*/8);
  }

  void lowerCheck(graph::CheckOp check) {
    builder.setInsertionPoint(check);
    Block *failed = splitOn(check, check.getCondition());
    builder.setInsertionPointToEnd(failed);
    Value values = makeArray(check, check.getValues().size(), i64);
    for (auto [i, value] : llvm::enumerate(check.getValues()))
      storeElement(values, i, toI64(value));
    Value message = addressOfText(check.getMessage());
    auto type = LLVM::LLVMFunctionType::get(i32, {pointer, i32, pointer, pointer, i32});
    Value function = loadField(offsetof(sectile_abi_call, fail), pointer);
    auto number = [&](int32_t value) {
      return LLVM::ConstantOp::create(builder, loc, i32, builder.getI32IntegerAttr(value));
    };
    Value status =
        LLVM::CallOp::create(builder, loc, type,
                             ValueRange{function, call, number(SECTILE_ABI_INVALID_INPUT), message,
                                        values, number(check.getValues().size())})
            .getResult();
    func::ReturnOp::create(builder, loc, status);
    check.erase();
  }

  /// Lets `op` run only if `when` holds.
  void skipUnless(Value when, Operation *op) {
    Block *before = op->getBlock();
    Block *rest = before->splitBlock(op->getNextNode());
    Block *body = before->splitBlock(op);
    builder.setInsertionPointToEnd(before);
    cf::CondBranchOp::create(builder, loc, when, body, rest);
    builder.setInsertionPointToEnd(body);
    cf::BranchOp::create(builder, loc, rest);
  }

  void lowerDispatch(graph::DispatchOp dispatch) {
    if (Value when = dispatch.getWhen())
      skipUnless(when, dispatch);
    builder.setInsertionPoint(dispatch);
    auto [callee, kernelNumber] = kernels.lookup(dispatch.getKernel());
    SmallVector<Value> pointers, numbers;
    for (auto [position, arg] : llvm::enumerate(dispatch.getArgs())) {
      auto type = dyn_cast<MemRefType>(arg.getType());
      if (!type) {
        numbers.push_back(toI64(arg));
        continue;
      }
      Value address = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, arg);
      Value base = LLVM::IntToPtrOp::create(builder, loc, pointer, toI64(address));
      auto buffer = memref::ExtractStridedMetadataOp::create(builder, loc, arg);
      if (!type.getLayout().isIdentity())
        base =
            LLVM::GEPOp::create(builder, loc, pointer, converter.convertType(type.getElementType()),
                                base, ArrayRef<LLVM::GEPArg>{toI64(buffer.getOffset())});
      pointers.push_back(base);
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          numbers.push_back(toI64(memref::DimOp::create(builder, loc, arg, dim)));
      // What the kernel does not know of the strides follows the extents.
      if (auto layout = getLayout(callee, position))
        for (auto [dim, stride] : llvm::enumerate(layout.getStrides()))
          if (ShapedType::isDynamic(stride))
            numbers.push_back(toI64(buffer.getStrides()[dim]));
    }
    Value buffers = makeArray(dispatch, pointers.size(), pointer);
    Value sizes = makeArray(dispatch, numbers.size(), i64);
    for (auto [i, value] : llvm::enumerate(pointers))
      storeElement(buffers, i, value);
    for (auto [i, value] : llvm::enumerate(numbers))
      storeElement(sizes, i, value);
    auto type = LLVM::LLVMFunctionType::get(i32, {pointer, i32, pointer, pointer});
    Value function = loadField(offsetof(sectile_abi_call, launch), pointer);
    Value kernel =
        LLVM::ConstantOp::create(builder, loc, i32, builder.getI32IntegerAttr(kernelNumber));
    Value status =
        LLVM::CallOp::create(builder, loc, type, ValueRange{function, call, kernel, buffers, sizes})
            .getResult();
    Value zero = LLVM::ConstantOp::create(builder, loc, i32, builder.getI32IntegerAttr(0));
    Value ok = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::eq, status, zero);
    Block *failed = splitOn(dispatch, ok);
    builder.setInsertionPointToEnd(failed);
    func::ReturnOp::create(builder, loc, status);
    dispatch.erase();
  }

  /// The layout of the kernel's argument or, after those, result; null if it is contiguous.
  static StridedLayoutAttr getLayout(graph::KernelOp kernel, unsigned position) {
    if (!kernel)
      return {};
    unsigned numInputs = kernel.getNumArguments();
    return position < numInputs
               ? kernel.getArgAttrOfType<StridedLayoutAttr>(position, graph::kLayoutAttr)
               : kernel.getResultAttrOfType<StridedLayoutAttr>(position - numInputs,
                                                               graph::kLayoutAttr);
  }

  Value addressOfText(StringRef text) {
    std::string name = "sectile_text_" + std::to_string(numTexts++);
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    std::string bytes = text.str() + '\0';
    auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size());
    auto global =
        LLVM::GlobalOp::create(top, loc, type, /*isConstant=*/true, LLVM::Linkage::Internal, name,
                               builder.getStringAttr(bytes));
    return LLVM::AddressOfOp::create(builder, loc, global);
  }

  ModuleOp module;
  const LLVMTypeConverter &converter;
  OpBuilder builder;
  Type pointer, i32, i64;
  PlannedInterface interface;
  llvm::StringMap<std::pair<graph::KernelOp, unsigned>> kernels;
  unsigned numTexts = 0;
  Location loc = builder.getUnknownLoc();
  Value call;
};

/// Spells a copy out in loops where the memory of either side has strides: as one op it would be a
/// call of MLIR's runtime library, which packages do not have.
void expandStridedCopy(memref::CopyOp copy) {
  auto isRowMajor = [](Value buffer) {
    return cast<MemRefType>(buffer.getType()).getLayout().isIdentity();
  };
  if (isRowMajor(copy.getSource()) && isRowMajor(copy.getTarget()))
    return;
  OpBuilder builder(copy);
  Location loc = copy.getLoc();
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  SmallVector<Value> coords;
  int64_t rank = cast<MemRefType>(copy.getSource().getType()).getRank();
  for (int64_t dim = 0; dim < rank; ++dim) {
    Value extent = memref::DimOp::create(builder, loc, copy.getSource(), dim);
    auto loop = scf::ForOp::create(builder, loc, zero, extent, one);
    coords.push_back(loop.getInductionVar());
    builder.setInsertionPointToStart(loop.getBody());
  }
  Value element = memref::LoadOp::create(builder, loc, copy.getSource(), coords);
  memref::StoreOp::create(builder, loc, element, copy.getTarget(), coords);
  copy.erase();
}

struct HostToLLVMPass : sectile::impl::HostToLLVMPassBase<HostToLLVMPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    auto prepare = module.lookupSymbol<func::FuncOp>(kPrepareFunction);
    auto run = module.lookupSymbol<func::FuncOp>(kRunFunction);
    if (!prepare || !run) {
      module.emitError("expects the functions that graph-plan-memory writes, @")
          << kPrepareFunction << " and @" << kRunFunction;
      return signalPassFailure();
    }
    // What can fail ends its block: loops must be blocks by then.
    module.walk([](memref::CopyOp copy) { expandStridedCopy(copy); });
    RewritePatternSet loops(context);
    populateSCFToControlFlowConversionPatterns(loops);
    ConversionTarget flat(*context);
    flat.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    flat.addIllegalDialect<scf::SCFDialect>();
    if (failed(applyPartialConversion({prepare, run}, flat, std::move(loops))))
      return signalPassFailure();
    LowerToLLVMOptions options(context);
    LLVMTypeConverter converter(context, options);
    HostEmitter emitter(module, converter);
    emitter.emitPrepare(prepare);
    emitter.emitRun(run);
    for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
      if (isa<graph::KernelOp, ModuleOp>(op))
        op.erase();

    RewritePatternSet patterns(context);
    populateAffineToStdConversionPatterns(patterns);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    ConversionTarget standard(*context);
    standard.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    standard.addIllegalDialect<affine::AffineDialect>();
    standard.addIllegalOp<arith::CeilDivSIOp, arith::CeilDivUIOp, arith::FloorDivSIOp>();
    if (failed(applyPartialConversion(module, standard, std::move(patterns))))
      return signalPassFailure();

    RewritePatternSet toLLVM(context);
    arith::populateArithToLLVMConversionPatterns(converter, toLLVM);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, toLLVM);
    populateFuncToLLVMConversionPatterns(converter, toLLVM);
    cf::populateControlFlowToLLVMConversionPatterns(converter, toLLVM);
    LLVMConversionTarget target(*context);
    target.addLegalOp<ModuleOp, UnrealizedConversionCastOp>();
    if (failed(applyFullConversion(module, target, std::move(toLLVM))))
      return signalPassFailure();
    SmallVector<UnrealizedConversionCastOp> casts;
    module.walk([&](UnrealizedConversionCastOp cast) { casts.push_back(cast); });
    reconcileUnrealizedCasts(casts);
  }
};

} // namespace
