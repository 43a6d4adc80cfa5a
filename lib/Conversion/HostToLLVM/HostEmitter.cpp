//===- HostEmitter.cpp - the host program as native functions ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostEmitter.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace sectile;

HostEmitter::HostEmitter(ModuleOp module, const LLVMTypeConverter &converter)
    : module(module), converter(converter), builder(module.getContext()),
      pointer(LLVM::LLVMPointerType::get(module.getContext())), i32(builder.getI32Type()),
      i64(builder.getI64Type()), interface(getPlannedInterface(module)) {
  unsigned number = 0;
  for (auto kernel : module.getOps<graph::KernelOp>())
    kernels[kernel.getSymName()] = {kernel, number++};
}

void HostEmitter::emitPrepare(func::FuncOp func, StringRef name) {
  start(func, name);
  unsigned numFrame = frame.size(), next = 0;
  for (auto [number, input] : llvm::enumerate(interface.inputs))
    for (int64_t dim = 0; dim < input.type.getRank(); ++dim)
      if (input.type.isDynamicDim(dim))
        func.getArgument(numFrame + next++)
            .replaceAllUsesWith(toIndex(getInputExtent(number, dim)));
  if (auto data = func->getAttrOfType<DenseI64ArrayAttr>(kDataInputsAttr)) {
    bindData(func, data, numFrame + next);
    func->removeAttr(kDataInputsAttr);
  }
  finishArguments(func);
  auto ret = cast<func::ReturnOp>(func.getBody().back().getTerminator());
  builder.setInsertionPoint(ret);
  SmallVector<Value> results(ret.getOperands());
  unsigned position = 0;
  for (unsigned i = 0; i < interface.symbols.size(); ++i)
    setSymbol(i, toI64(results[position++]));
  for (auto [number, output] : llvm::enumerate(interface.outputs))
    for (int64_t dim = 0; dim < output.type.getRank(); ++dim)
      setOutputExtent(number, dim, toI64(results[position++]));
  setArenaBytes(toI64(results[position]));
  finish(func, ret);
}

/// Inputs whose elements sizes depend on. Who asks for shapes alone may have given no data.
void HostEmitter::bindData(func::FuncOp func, ArrayRef<int64_t> numbers, unsigned first) {
  Value none = LLVM::ZeroOp::create(builder, loc, pointer);
  for (auto [position, number] : llvm::enumerate(numbers)) {
    const PlannedTensor &tensor = interface.inputs[number];
    Value data = getInputData(number);
    Value isThere = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne, data, none);
    graph::CheckOp::create(builder, loc, isThere,
                           "sizes depend on the elements of input '" + tensor.name +
                               "', but its data is null",
                           ValueRange());
    SmallVector<Value> sizes;
    for (int64_t extent : tensor.type.getShape())
      sizes.push_back(constant(extent));
    bindBuffer(func.getArgument(first + position), data, sizes, sizes);
  }
}

void HostEmitter::emitRun(func::FuncOp func, StringRef name) {
  start(func, name);
  unsigned position = frame.size();
  auto bind = [&](ArrayRef<PlannedTensor> tensors, unsigned graph::Alias::*side,
                  function_ref<Value(unsigned)> getData,
                  function_ref<Value(unsigned, unsigned)> getExtent) {
    for (auto [number, tensor] : llvm::enumerate(tensors)) {
      SmallVector<Value> sizes;
      for (int64_t dim = 0; dim < tensor.type.getRank(); ++dim)
        sizes.push_back(tensor.type.isDynamicDim(dim) ? getExtent(number, dim)
                                                      : constant(tensor.type.getDimSize(dim)));
      // A shared buffer is laid out by its capacity.
      SmallVector<Value> memorySizes(sizes);
      for (const graph::Alias &alias : interface.aliases)
        if (alias.*side == number && alias.capacity >= 0)
          memorySizes[alias.dim] = constant(alias.capacity);
      bindBuffer(func.getArgument(position++), getData(number), sizes, memorySizes);
    }
  };
  bind(
      interface.inputs, &graph::Alias::input, [&](unsigned input) { return getInputData(input); },
      [&](unsigned input, unsigned dim) { return getInputExtent(input, dim); });
  bind(
      interface.outputs, &graph::Alias::output,
      [&](unsigned output) { return getOutputData(output); },
      [&](unsigned output, unsigned dim) { return getOutputExtent(output, dim); });
  // Views of the arena and of the constants are in bounds by construction.
  Value unbounded = constant(std::numeric_limits<int64_t>::max());
  bindBuffer(func.getArgument(position++), getArena(), unbounded, unbounded);
  bindBuffer(func.getArgument(position++), getConstants(), unbounded, unbounded);
  finishArguments(func);
  auto ret = cast<func::ReturnOp>(func.getBody().back().getTerminator());
  if (auto decided = func->getAttrOfType<DenseI64ArrayAttr>(kDecidedDimsAttr)) {
    builder.setInsertionPoint(ret);
    for (auto [number, extent] : llvm::enumerate(ret.getOperands()))
      setOutputExtent(decided[2 * number], decided[2 * number + 1], toI64(extent));
    func->removeAttr(kDecidedDimsAttr);
  }
  finish(func, ret);
}

//===----------------------------------------------------------------------===//
// Small pieces
//===----------------------------------------------------------------------===//

Value HostEmitter::constant(int64_t value) {
  return LLVM::ConstantOp::create(builder, loc, i64, builder.getI64IntegerAttr(value));
}
Value HostEmitter::status(int32_t value) {
  return LLVM::ConstantOp::create(builder, loc, i32, builder.getI32IntegerAttr(value));
}
Value HostEmitter::toIndex(Value value) {
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(), value);
}
Value HostEmitter::toI64(Value value) {
  return arith::IndexCastOp::create(builder, loc, i64, value);
}
Value HostEmitter::addressOf(Value base, int64_t bytes) {
  return LLVM::GEPOp::create(builder, loc, pointer, builder.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
}
Value HostEmitter::elementAddress(Value array, int64_t number, Type type) {
  return LLVM::GEPOp::create(builder, loc, pointer, type, array,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number)});
}
Value HostEmitter::loadElement(Value array, int64_t number, Type type) {
  return LLVM::LoadOp::create(builder, loc, type, elementAddress(array, number, type));
}
void HostEmitter::storeElement(Value array, int64_t number, Value value) {
  LLVM::StoreOp::create(builder, loc, value, elementAddress(array, number, value.getType()));
}

Value HostEmitter::makeArray(Operation *op, size_t size, Type element) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&op->getParentOfType<func::FuncOp>().getBody().front());
  Value count = constant(static_cast<int64_t>(std::max<size_t>(size, 1)));
  return LLVM::AllocaOp::create(builder, loc, pointer, element, count, /*alignment=*/8);
}

Value HostEmitter::shareArray(Operation *op, size_t size, Type element) {
  LLVM::AllocaOp &array = arrays[element];
  if (!array)
    array = makeArray(op, size, element).getDefiningOp<LLVM::AllocaOp>();
  auto count = array.getArraySize().getDefiningOp<LLVM::ConstantOp>();
  if (cast<IntegerAttr>(count.getValue()).getInt() < static_cast<int64_t>(size))
    count.setValueAttr(builder.getI64IntegerAttr(static_cast<int64_t>(size)));
  return array;
}

Value HostEmitter::addressOfText(StringRef text) {
  std::string name = "sectile_text_" + std::to_string(numTexts++);
  OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
  std::string bytes = text.str() + '\0';
  auto type = LLVM::LLVMArrayType::get(builder.getI8Type(), bytes.size());
  auto global = LLVM::GlobalOp::create(top, loc, type, /*isConstant=*/true, LLVM::Linkage::Internal,
                                       name, builder.getStringAttr(bytes));
  return LLVM::AddressOfOp::create(builder, loc, global);
}

void HostEmitter::bindBuffer(Value argument, Value data, ArrayRef<Value> sizes,
                             ArrayRef<Value> memorySizes) {
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

//===----------------------------------------------------------------------===//
// Function frames
//===----------------------------------------------------------------------===//

/// Puts the frame before the arguments and sets the builder to the entry.
void HostEmitter::start(func::FuncOp func, StringRef name) {
  loc = func.getLoc();
  function = func;
  arrays.clear();
  frame.clear();
  func.setName(name);
  Block &entry = func.getBody().front();
  for (auto [position, type] : llvm::enumerate(frameTypes()))
    frame.push_back(entry.insertArgument(position, type, loc));
  builder.setInsertionPointToStart(&entry);
}

void HostEmitter::finishArguments(func::FuncOp func) {
  Block &entry = func.getBody().front();
  entry.eraseArguments(frame.size(), entry.getNumArguments() - frame.size());
  func.setFunctionType(builder.getFunctionType(entry.getArgumentTypes(), {i32}));
}

void HostEmitter::finish(func::FuncOp func, func::ReturnOp ret) {
  builder.setInsertionPoint(ret);
  func::ReturnOp::create(builder, loc, status(0));
  ret.erase();
  // What can fail ends its block.
  SmallVector<Operation *> fallible;
  func.walk([&](Operation *op) {
    if (isa<graph::CheckOp, graph::DispatchOp>(op) ||
        (callsForMemory() && isa<memref::LoadOp, memref::CopyOp>(op)))
      fallible.push_back(op);
  });
  for (Operation *op : fallible) {
    loc = op->getLoc();
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](graph::CheckOp check) { lowerCheck(check); })
        .Case([&](graph::DispatchOp dispatch) { lowerDispatch(dispatch); })
        .Case([&](memref::LoadOp load) { lowerLoad(load); })
        .Case([&](memref::CopyOp copy) { lowerCopy(copy); });
  }
}

Block *HostEmitter::splitOn(Operation *op, Value ok) {
  Block *before = op->getBlock();
  Block *after = before->splitBlock(op);
  Block *failed = new Block;
  before->getParent()->getBlocks().insert(std::next(before->getIterator()), failed);
  builder.setInsertionPointToEnd(before);
  cf::CondBranchOp::create(builder, loc, ok, after, failed);
  return failed;
}

void HostEmitter::lowerCheck(graph::CheckOp check) {
  builder.setInsertionPoint(check);
  Block *failed = splitOn(check, check.getCondition());
  builder.setInsertionPointToEnd(failed);
  Value result = emitFailure(check);
  func::ReturnOp::create(builder, loc, result);
  check.erase();
}

void HostEmitter::skipUnless(Value when, Operation *op) {
  Block *before = op->getBlock();
  Block *rest = before->splitBlock(op->getNextNode());
  Block *body = before->splitBlock(op);
  builder.setInsertionPointToEnd(before);
  cf::CondBranchOp::create(builder, loc, when, body, rest);
  builder.setInsertionPointToEnd(body);
  cf::BranchOp::create(builder, loc, rest);
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

void HostEmitter::lowerDispatch(graph::DispatchOp dispatch) {
  if (Value when = dispatch.getWhen())
    skipUnless(when, dispatch);
  builder.setInsertionPoint(dispatch);
  graph::KernelOp callee = getKernel(dispatch).first;
  SmallVector<Value> pointers, numbers;
  for (auto [position, arg] : llvm::enumerate(dispatch.getArgs())) {
    auto type = dyn_cast<MemRefType>(arg.getType());
    if (!type) {
      numbers.push_back(toI64(arg));
      continue;
    }
    auto buffer = memref::ExtractStridedMetadataOp::create(builder, loc, arg);
    pointers.push_back(firstElement(arg));
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        numbers.push_back(toI64(memref::DimOp::create(builder, loc, arg, dim)));
    // What the kernel does not know of the strides follows the extents.
    if (auto layout = getLayout(callee, position))
      for (auto [dim, stride] : llvm::enumerate(layout.getStrides()))
        if (ShapedType::isDynamic(stride))
          numbers.push_back(toI64(buffer.getStrides()[dim]));
  }
  Value buffers = shareArray(dispatch, pointers.size(), pointer);
  Value sizes = shareArray(dispatch, numbers.size(), i64);
  for (auto [i, value] : llvm::enumerate(pointers))
    storeElement(buffers, i, value);
  for (auto [i, value] : llvm::enumerate(numbers))
    storeElement(sizes, i, value);
  Value result = emitLaunch(dispatch, buffers, sizes);
  returnUnlessZero(dispatch, result);
  dispatch.erase();
}

void HostEmitter::returnUnlessZero(Operation *op, Value result) {
  Value ok = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::eq, result, status(0));
  Block *failed = splitOn(op, ok);
  builder.setInsertionPointToEnd(failed);
  func::ReturnOp::create(builder, loc, result);
}

Value HostEmitter::firstElement(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, buffer);
  Value base = LLVM::IntToPtrOp::create(builder, loc, pointer, toI64(address));
  if (type.getLayout().isIdentity())
    return base;
  auto metadata = memref::ExtractStridedMetadataOp::create(builder, loc, buffer);
  return LLVM::GEPOp::create(builder, loc, pointer, converter.convertType(type.getElementType()),
                             base, ArrayRef<LLVM::GEPArg>{toI64(metadata.getOffset())});
}

//===----------------------------------------------------------------------===//
// Memory that the host cannot reach
//===----------------------------------------------------------------------===//

Value HostEmitter::emitRead(Value, Value, int64_t) {
  llvm_unreachable("who calls for memory says how");
}
Value HostEmitter::emitCopy(const Buffer &, const Buffer &) {
  llvm_unreachable("who calls for memory says how");
}

/// Bytes of an element in memory; of i1 one.
static int64_t countElementBytes(MemRefType type) {
  Type element = type.getElementType();
  return element.isIndex() ? 8 : llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

void HostEmitter::lowerLoad(memref::LoadOp load) {
  builder.setInsertionPoint(load);
  MemRefType type = load.getMemRefType();
  Type element = converter.convertType(type.getElementType());
  Value address = firstElement(load.getMemref());
  auto metadata = memref::ExtractStridedMetadataOp::create(builder, loc, load.getMemref());
  for (auto [index, stride] : llvm::zip_equal(load.getIndices(), metadata.getStrides())) {
    Value distance = LLVM::MulOp::create(builder, loc, toI64(index), toI64(stride));
    address = LLVM::GEPOp::create(builder, loc, pointer, element, address,
                                  ArrayRef<LLVM::GEPArg>{distance});
  }
  Value place = shareArray(load, 1, i64); // as wide as any element
  returnUnlessZero(load, emitRead(place, address, countElementBytes(type)));
  builder.setInsertionPoint(load);
  Value value = LLVM::LoadOp::create(builder, loc, element, place);
  if (type.getElementType().isIndex())
    value = toIndex(value);
  else if (element != type.getElementType())
    value =
        UnrealizedConversionCastOp::create(builder, loc, TypeRange{type.getElementType()}, value)
            .getResult(0);
  load.replaceAllUsesWith(value);
  load.erase();
}

void HostEmitter::lowerCopy(memref::CopyOp copy) {
  builder.setInsertionPoint(copy);
  auto describe = [&](Value buffer) {
    auto type = cast<MemRefType>(buffer.getType());
    size_t rank = static_cast<size_t>(type.getRank());
    Buffer result = {firstElement(buffer), makeArray(copy, rank, i64), makeArray(copy, rank, i64),
                     type.getRank(), countElementBytes(type)};
    auto metadata = memref::ExtractStridedMetadataOp::create(builder, loc, buffer);
    for (size_t dim = 0; dim < rank; ++dim) {
      storeElement(result.sizes, static_cast<int64_t>(dim), toI64(metadata.getSizes()[dim]));
      storeElement(result.strides, static_cast<int64_t>(dim), toI64(metadata.getStrides()[dim]));
    }
    return result;
  };
  Buffer from = describe(copy.getSource()), to = describe(copy.getTarget());
  returnUnlessZero(copy, emitCopy(to, from));
  copy.erase();
}
