//===- PlanMemory.cpp - give every tensor of the host program a place in memory -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/Host.h"

#include "Arena.h"
#include "ConstantSection.h"
#include "Interface.h"
#include "Lifetimes.h"
#include "Places.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/Guards.h"
#include "dialects/Tile/IR/Tile.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

namespace sectile {
#define GEN_PASS_DEF_GRAPHPLANMEMORYPASS
#include "sectile/Conversion/HostPasses.h.inc"
} // namespace sectile

using namespace mlir;
using namespace sectile;

//===----------------------------------------------------------------------===//
// Planning
//===----------------------------------------------------------------------===//

/// The same elements in memory: i1 is stored as bytes.
static MemRefType getBufferType(RankedTensorType type, StridedLayoutAttr layout = {}) {
  return MemRefType::get(type.getShape(), type.getElementType(), layout);
}

namespace {

class Planner {
public:
  Planner(ModuleOp module, func::FuncOp model)
      : module(module), model(model), block(model.getBody().front()), builder(module.getContext()),
        placement(model), guards(block) {}

  LogicalResult run() {
    if (failed(checkChoices()) || failed(collectBuffers()))
      return failure();
    recordInterface(module, model);
    writePrepare();
    if (failed(writeRun()))
      return failure();
    model.erase();
    return success();
  }

private:
  /// What holds the memory of an owner (see Placement.h) that is no input and no constant.
  struct Buffer {
    std::optional<unsigned> output; // this output of the model
    unsigned slot = 0;              // else this slot of the arena
  };

  /// Both sides of a choice have its memory: each must be written in its case only, as
  /// graph-place-tensors has arranged.
  LogicalResult checkChoices() {
    for (auto choose : block.getOps<graph::ChooseOp>())
      for (auto [value, side] :
           {std::pair(true, choose.getTaken()), {false, choose.getOtherwise()}}) {
        auto launch = side.getDefiningOp<graph::LaunchOp>();
        if (!launch || !side.hasOneUse() ||
            !llvm::is_contained(guards.getGuard(launch),
                                graph::Literal{choose.getCondition(), value}))
          return choose.emitOpError("expects each side to be a launch that runs in its case only; "
                                    "run graph-place-tensors first");
      }
    return success();
  }

  LogicalResult collectBuffers() {
    for (Operation &op : block) {
      if (isa<graph::LaunchOp, tensor::ConcatOp, graph::ChooseOp>(op)) {
        for (Value result : op.getResults()) {
          if (getWindow(result))
            continue;
          // With an alias that is the input's buffer too.
          const graph::Alias *alias = placement.getAlias(result);
          buffers[result].output = alias ? std::optional(alias->output) : std::nullopt;
        }
        continue;
      }
      bool isHost = isa<arith::ArithDialect, affine::AffineDialect>(op.getDialect()) ||
                    isa<tensor::DimOp, tensor::EmptyOp, graph::CheckOp, func::ReturnOp>(op);
      // Numbers that sizes are made of, read where the user keeps them.
      if (auto extract = dyn_cast<tensor::ExtractOp>(op))
        isHost = isa<BlockArgument>(extract.getTensor());
      if (!isReshape(&op) && !isa<tensor::ExtractSliceOp>(op) && !isHost)
        return op.emitOpError("is left in the host program: expects every op on tensors to be "
                              "part of a kernel");
    }
    for (auto [number, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
      auto it = buffers.find(Placement::getOwner(value));
      if (it != buffers.end() && !it->second.output && Placement::isWhole(value))
        it->second.output = number;
    }
    Lifetimes uses(model);
    SmallVector<Lifetime> lifetimes;
    SmallVector<Buffer *> inArena;
    for (auto &[tensor, buffer] : buffers) {
      if (buffer.output)
        continue;
      auto type = cast<RankedTensorType>(tensor.getType());
      Lifetime lifetime;
      lifetime.begin = uses.getBegin(tensor);
      lifetime.end = uses.getEnd(tensor);
      llvm::hash_code sizeClass = llvm::hash_value(getElementBytes(type.getElementType()));
      if (type.hasStaticShape()) {
        lifetime.bytes = type.getNumElements() * getElementBytes(type.getElementType());
        sizeClass = llvm::hash_combine(*lifetime.bytes);
      } else {
        for (int64_t dim = 0; dim < type.getRank(); ++dim)
          sizeClass = type.isDynamicDim(dim)
                          ? llvm::hash_combine(sizeClass, getSizeKey(tensor, dim))
                          : llvm::hash_combine(sizeClass, type.getDimSize(dim));
      }
      lifetime.sizeClass = sizeClass;
      lifetimes.push_back(lifetime);
      inArena.push_back(&buffer);
    }
    for (auto [buffer, slot] : llvm::zip_equal(inArena, assignSlots(lifetimes))) {
      buffer->slot = slot;
      numSlots = std::max(numSlots, slot + 1);
    }
    return success();
  }

  /// Something that equal sizes have in common: the size value of a launch result's dynamic
  /// dimension; of a concatenation's, what no other tensor has.
  static void *getSizeKey(Value tensor, int64_t dim) {
    bool isLaunched = tensor.getDefiningOp<graph::LaunchOp>() != nullptr;
    return (isLaunched ? getLaunchSize(tensor, dim) : tensor).getAsOpaquePointer();
  }

  /// Offsets of all slots and, last, the size of the arena.
  SmallVector<Value> layOutSlots(HostScalars &scalars) {
    Location loc = model.getLoc();
    SmallVector<Value> sizes(numSlots);
    for (auto &[tensor, buffer] : buffers) {
      if (buffer.output)
        continue;
      Value bytes = scalars.getBytes(tensor);
      Value &size = sizes[buffer.slot];
      size = size ? Value(arith::MaxUIOp::create(builder, loc, size, bytes)) : bytes;
    }
    SmallVector<Value> offsets;
    Value offset = scalars.constantIndex(0);
    AffineExpr symbol = builder.getAffineSymbolExpr(0);
    for (Value size : sizes) {
      offsets.push_back(offset);
      Value padded = affine::AffineApplyOp::create(
          builder, loc, AffineMap::get(0, 1, symbol.ceilDiv(kAlignment) * kAlignment),
          ValueRange{size});
      offset = arith::AddIOp::create(builder, loc, offset, padded);
    }
    offsets.push_back(offset);
    return offsets;
  }

  void writePrepare() {
    Location loc = model.getLoc();
    SmallVector<Type> inputs;
    for (Type type : model.getArgumentTypes())
      inputs.append(cast<RankedTensorType>(type).getNumDynamicDims(), builder.getIndexType());
    builder.setInsertionPoint(model);
    auto prepare =
        func::FuncOp::create(builder, loc, kPrepareFunction, builder.getFunctionType(inputs, {}));
    builder.setInsertionPointToStart(prepare.addEntryBlock());

    HostScalars scalars(builder, loc);
    SmallVector<int64_t> dataInputs;
    for (BlockArgument argument : model.getArguments()) {
      if (llvm::none_of(argument.getUsers(), llvm::IsaPred<tensor::ExtractOp>))
        continue;
      dataInputs.push_back(argument.getArgNumber());
      inputs.push_back(
          getBufferType(cast<RankedTensorType>(argument.getType()), placement.getLayout(argument)));
      scalars.bindBuffer(argument,
                         prepare.getBody().front().addArgument(inputs.back(), argument.getLoc()));
    }
    if (!dataInputs.empty())
      prepare->setAttr(kDataInputsAttr, builder.getDenseI64ArrayAttr(dataInputs));
    llvm::StringMap<std::pair<Value, std::string>> bound;
    SmallVector<Value> results;
    unsigned next = 0;
    PlannedInterface interface = getPlannedInterface(module);
    for (auto [number, argument] : llvm::enumerate(model.getArguments())) {
      auto type = cast<RankedTensorType>(argument.getType());
      const PlannedTensor &tensor = interface.inputs[number];
      for (int64_t dim = 0; dim < type.getRank(); ++dim) {
        if (!type.isDynamicDim(dim))
          continue;
        Value extent = prepare.getArgument(next++);
        scalars.bind(argument, dim, extent);
        auto [it, isFirst] = bound.try_emplace(tensor.dims[dim], extent, tensor.name);
        if (isFirst) {
          results.push_back(extent);
          continue;
        }
        Value equal =
            arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, extent, it->second.first);
        std::string message = "input '" + tensor.name + "' has extent %0 in dimension " +
                              std::to_string(dim) + ", but '" + tensor.dims[dim] +
                              "' is %1 in input '" + it->second.second + "'";
        graph::CheckOp::create(builder, loc, equal, message, ValueRange{extent, it->second.first});
      }
    }
    for (auto check : block.getOps<graph::CheckOp>()) {
      IRMapping mapping;
      for (Value operand : check->getOperands())
        mapping.map(operand, scalars.clone(operand));
      builder.clone(*check, mapping);
    }
    for (Value output : block.getTerminator()->getOperands())
      for (int64_t dim = 0; dim < cast<RankedTensorType>(output.getType()).getRank(); ++dim)
        results.push_back(scalars.getExtent(output, dim));
    results.push_back(layOutSlots(scalars).back());
    func::ReturnOp::create(builder, loc, results);
    prepare.setFunctionType(
        builder.getFunctionType(inputs, SmallVector<Type>(results.size(), builder.getIndexType())));
  }

  LogicalResult writeRun() {
    Location loc = model.getLoc();
    SmallVector<Type> types;
    for (Value input : model.getArguments())
      types.push_back(
          getBufferType(cast<RankedTensorType>(input.getType()), placement.getLayout(input)));
    for (auto [number, type] : llvm::enumerate(model.getResultTypes())) {
      // Both names of a shared buffer have its layout.
      StridedLayoutAttr layout;
      for (const graph::Alias &alias : placement.getAliases())
        if (alias.output == number)
          layout = placement.getLayout(model.getArgument(alias.input));
      types.push_back(getBufferType(cast<RankedTensorType>(type), layout));
    }
    auto bytesType = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
    types.append(2, bytesType);
    builder.setInsertionPoint(model);
    auto run = func::FuncOp::create(builder, loc, kRunFunction, builder.getFunctionType(types, {}));
    Block *entry = run.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    unsigned numInputs = model.getNumArguments(), numOutputs = model.getNumResults();
    arena = entry->getArgument(numInputs + numOutputs);
    constants = entry->getArgument(numInputs + numOutputs + 1);

    HostScalars scalars(builder, loc);
    for (auto [tensor, buffer] : llvm::zip(model.getArguments(), entry->getArguments())) {
      bufferOf[tensor] = buffer;
      scalars.bindBuffer(tensor, buffer);
      auto type = cast<RankedTensorType>(tensor.getType());
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          scalars.bind(tensor, dim, memref::DimOp::create(builder, loc, buffer, dim));
    }
    slotOffsets = layOutSlots(scalars);
    for (auto launch : block.getOps<graph::LaunchOp>())
      if (failed(writeDispatch(launch, scalars)))
        return failure();

    // Outputs that no kernel wrote in place.
    for (auto [number, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
      Value owner = Placement::getOwner(value);
      auto it = buffers.find(owner);
      if (it != buffers.end() && it->second.output == number)
        continue;
      // In the aliased buffer it is in place, whoever owns that.
      const graph::Alias *alias = placement.getAlias(owner);
      if (alias && alias->output == number)
        continue;
      Value source = getBuffer(value, scalars);
      if (!source)
        return failure();
      memref::CopyOp::create(builder, loc, source, entry->getArgument(numInputs + number));
    }
    func::ReturnOp::create(builder, loc);
    module->setAttr(kConstantsAttr, builder.getArrayAttr(section.getEntries()));
    return success();
  }

  LogicalResult writeDispatch(graph::LaunchOp launch, HostScalars &scalars) {
    auto kernel = module.lookupSymbol<graph::KernelOp>(launch.getKernel());
    SmallVector<Value> args;
    auto add = [&](Value tensor, Attribute memory) -> LogicalResult {
      Value buffer = getBuffer(tensor, scalars, memory);
      args.push_back(buffer);
      return success(buffer != nullptr);
    };
    for (auto [number, input] : llvm::enumerate(launch.getInputs())) {
      if (input.getType().isIndex())
        args.push_back(scalars.clone(input));
      else if (failed(add(input, kernel.getArgAttr(number, graph::kMemoryAttr))))
        return failure();
    }
    for (Value result : launch.getResults())
      if (failed(add(result, {})))
        return failure();
    Value when;
    for (const graph::Literal &literal : guards.getGuard(launch)) {
      Value holds = readCondition(literal, scalars);
      if (!holds)
        return failure();
      when = when ? arith::AndIOp::create(builder, launch.getLoc(), when, holds) : holds;
    }
    graph::DispatchOp::create(builder, launch.getLoc(), launch.getKernelAttr(), args, when,
                              builder.getI64IntegerAttr(launch.getInputs().size()));
    return success();
  }

  /// Whether a condition is what a launch waits for; null after an error. What computed it has run:
  /// its launch stands in front. Inside of a choice that is not taken it has not, and what is read
  /// does not matter.
  Value readCondition(const graph::Literal &literal, HostScalars &scalars) {
    Location loc = literal.condition.getLoc();
    Value buffer = getBuffer(literal.condition, scalars);
    if (!buffer)
      return {};
    Value &known = conditions[literal.condition];
    if (!known)
      known = memref::LoadOp::create(builder, loc, buffer, ValueRange());
    if (literal.value)
      return known;
    Value one = arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
    return arith::XOrIOp::create(builder, loc, known, one);
  }

  //===--------------------------------------------------------------------===//
  // Where tensors lie
  //===--------------------------------------------------------------------===//

  /// The memory of an owner, with its offset 0 where it begins; null after an error.
  Value getMemory(Value owner, HostScalars &scalars) {
    Block *entry = arena.getParentBlock();
    auto it = buffers.find(owner);
    if (it == buffers.end()) {
      emitError(owner.getLoc(), "host program: a tensor has no memory");
      return {};
    }
    const Buffer &buffer = it->second;
    if (buffer.output)
      return entry->getArgument(model.getNumArguments() + *buffer.output);
    auto type = getBufferType(cast<RankedTensorType>(owner.getType()));
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        sizes.push_back(scalars.getExtent(owner, dim));
    return memref::ViewOp::create(builder, owner.getLoc(), type, arena, slotOffsets[buffer.slot],
                                  sizes);
  }

  /// The buffer of a tensor, made at its first use; null after an error.
  Value getBuffer(Value tensor, HostScalars &scalars, Attribute memory = {}) {
    if (!memory)
      if (Value known = bufferOf.lookup(tensor))
        return known;
    Location loc = tensor.getLoc();
    auto type = getBufferType(cast<RankedTensorType>(tensor.getType()));
    ElementsAttr value;
    Operation *op = tensor.getDefiningOp();
    if (op && matchPattern(op, m_Constant(&value))) {
      Value offset = scalars.constantIndex(section.place(value, memory));
      Value buffer = memref::ViewOp::create(builder, loc, type, constants, offset, ValueRange());
      if (!memory)
        bufferOf[tensor] = buffer;
      return buffer;
    }
    Value owner = Placement::getOwner(tensor);
    Value base = owner == tensor ? getMemory(owner, scalars) : getBuffer(owner, scalars);
    if (!base)
      return {};
    Value buffer = showPlace(base, tensor, getPlace(placement, scalars, tensor), scalars);
    bufferOf[tensor] = buffer;
    return buffer;
  }

  /// Whether `base`, memory of the owner of `tensor`, has the extents of `tensor` too.
  bool hasExtentsOf(Value base, Value tensor) {
    if (!Placement::hasOwnersExtents(tensor))
      return false;
    // An output has those of the result that is returned.
    auto argument = dyn_cast<BlockArgument>(base);
    unsigned numInputs = model.getNumArguments();
    return !argument || argument.getArgNumber() < numInputs ||
           Placement::hasOwnersExtents(
               block.getTerminator()->getOperand(argument.getArgNumber() - numInputs));
  }

  /// The window of `tensor` on `base`, which begins where the owner's memory does.
  Value showPlace(Value base, Value tensor, const Place &place, HostScalars &scalars) {
    auto tensorType = cast<RankedTensorType>(tensor.getType());
    bool isAtStart = getConstantIntValue(place.offset) == 0;
    MemRefType type = getBufferType(tensorType, placement.getLayout(tensor));
    if (!isAtStart || !type.getLayout().isIdentity()) {
      SmallVector<int64_t> strides;
      for (OpFoldResult stride : place.strides)
        strides.push_back(getConstantIntValue(stride).value_or(ShapedType::kDynamic));
      type = MemRefType::get(
          type.getShape(), type.getElementType(),
          StridedLayoutAttr::get(type.getContext(),
                                 getConstantIntValue(place.offset).value_or(ShapedType::kDynamic),
                                 strides));
    }
    if (base.getType() == type && hasExtentsOf(base, tensor))
      return base;
    SmallVector<OpFoldResult> sizes;
    for (int64_t dim = 0; dim < tensorType.getRank(); ++dim)
      sizes.push_back(scalars.getMixedExtent(tensor, dim));
    return memref::ReinterpretCastOp::create(builder, tensor.getLoc(), type, base, place.offset,
                                             sizes, place.strides);
  }

  ModuleOp module;
  func::FuncOp model;
  Block &block;
  OpBuilder builder;
  Placement placement;
  graph::Guards guards;
  llvm::DenseMap<Value, Value> conditions; // read already, by tensor
  llvm::MapVector<Value, Buffer> buffers;  // by owner
  unsigned numSlots = 0;
  /// Of the function that runs the model.
  Value arena, constants;
  SmallVector<Value> slotOffsets;
  ConstantSection section;
  llvm::DenseMap<Value, Value> bufferOf; // by tensor
};

struct GraphPlanMemoryPass : sectile::impl::GraphPlanMemoryPassBase<GraphPlanMemoryPass> {
  void runOnOperation() override {
    SmallVector<func::FuncOp> models;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func.isPublic() && !func.isExternal())
        models.push_back(func);
    if (models.size() != 1) {
      getOperation().emitError("expects one public function, the model, but got ") << models.size();
      return signalPassFailure();
    }
    if (failed(Planner(getOperation(), models.front()).run()))
      signalPassFailure();
  }
};

} // namespace
