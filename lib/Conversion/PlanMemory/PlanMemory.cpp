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
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

#include <memory>

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
  Planner(ModuleOp module, func::FuncOp model, ConstantSection &section)
      : module(module), model(model), block(model.getBody().front()), builder(module.getContext()),
        placement(model), guards(block), section(section) {}

  LogicalResult run() {
    if (failed(analyze()))
      return failure();
    recordInterface(module, model);
    writePrepare();
    return writeRun();
  }

private:
  /// Of the body of `loop`, which `parent` runs.
  Planner(Planner &parent, graph::LoopOp loop, func::FuncOp body)
      : Planner(parent.module, body, parent.section) {
    this->parent = &parent;
    this->loop = loop;
  }

  LogicalResult analyze() {
    for (auto inner : block.getOps<graph::LoopOp>()) {
      auto body = module.lookupSymbol<func::FuncOp>(inner.getBody());
      auto *child = new Planner(*this, inner, body);
      children[inner].reset(child);
      if (failed(child->analyze()))
        return failure();
    }
    return success(succeeded(checkChoices()) && succeeded(checkLoops()) &&
                   succeeded(collectBuffers()) && succeeded(checkSizes()));
  }

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

  /// Iterations begin in the memory of what the loop begins with, and end there.
  LogicalResult checkLoops() {
    for (auto &[inner, child] : children)
      for (OpOperand &start : inner.getCarriedMutable())
        if (!isLoopStart(start))
          return inner.emitOpError("expects to begin with results of launches that nothing else "
                                   "uses; run graph-place-tensors first");
    return success();
  }

  /// Whether a number of a body follows from how many iterations were made.
  bool dependsOnIteration(Value scalar) {
    if (auto argument = dyn_cast<BlockArgument>(scalar)) {
      if (!parent || !argument.getType().isIndex())
        return false; // extents
      unsigned number = argument.getArgNumber();
      return number == 0 ||
             parent->dependsOnIteration(loop->getOperand(loop.getFirstCarried() + number - 1));
    }
    return llvm::any_of(scalar.getDefiningOp()->getOperands(), [&](Value operand) {
      return !isa<RankedTensorType>(operand.getType()) && dependsOnIteration(operand);
    });
  }

  /// The places of a body are laid out before it runs.
  LogicalResult checkSizes() {
    for (Operation &op : block) {
      ValueRange sizes;
      if (auto launch = dyn_cast<graph::LaunchOp>(op))
        sizes = launch.getSizes();
      else if (auto inner = dyn_cast<graph::LoopOp>(op))
        sizes = inner.getSizes();
      if (llvm::any_of(sizes, [&](Value size) { return dependsOnIteration(size); }))
        return op.emitOpError("has a size that differs from iteration to iteration of the loop it "
                              "is in: expects sizes that are known in front of the loop");
    }
    return success();
  }

  LogicalResult collectBuffers() {
    for (Operation &op : block) {
      if (isa<graph::LaunchOp, graph::LoopOp, tensor::ConcatOp, graph::ChooseOp>(op)) {
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
        isHost = !parent && isa<BlockArgument>(extract.getTensor());
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
    // The places of a body are one place of the function around it.
    for (auto &[inner, child] : children) {
      Lifetime lifetime;
      lifetime.begin = lifetime.end = uses.getStep(inner);
      lifetime.sizeClass = llvm::hash_value(inner.getOperation());
      lifetimes.push_back(lifetime);
    }
    SmallVector<unsigned> slots = assignSlots(lifetimes);
    for (auto [buffer, slot] : llvm::zip(inArena, slots))
      buffer->slot = slot;
    for (auto [entry, slot] : llvm::zip_equal(children, ArrayRef(slots).drop_front(inArena.size())))
      entry.second->slotInParent = slot;
    for (unsigned slot : slots)
      numSlots = std::max(numSlots, slot + 1);
    return success();
  }

  /// Something that equal sizes have in common: the size value of a launch result's dynamic
  /// dimension; of a concatenation's, what no other tensor has.
  static void *getSizeKey(Value tensor, int64_t dim) {
    bool isLaunched = isa<graph::LaunchOp, graph::LoopOp>(tensor.getDefiningOp());
    return (isLaunched ? getLaunchSize(tensor, dim) : tensor).getAsOpaquePointer();
  }

  /// Computes where slots begin in the function's part of the arena; returns its size. A body has
  /// a second place for everything it carries, and one for its condition.
  Value layOutSlots(HostScalars &scalars, OpBuilder &at) {
    Location loc = model.getLoc();
    SmallVector<Value> sizes(numSlots);
    for (auto &[tensor, buffer] : buffers) {
      if (buffer.output)
        continue;
      Value bytes = scalars.getBytes(tensor);
      Value &size = sizes[buffer.slot];
      size = size ? Value(arith::MaxUIOp::create(at, loc, size, bytes)) : bytes;
    }
    for (auto &[inner, child] : children) {
      HostScalars ofBody(scalars, loc);
      child->bindOuter(ofBody);
      Value bytes = child->layOutSlots(ofBody, at);
      Value &size = sizes[child->slotInParent];
      size = size ? Value(arith::MaxUIOp::create(at, loc, size, bytes)) : bytes;
    }
    if (parent) {
      for (Value state : getCarriedArguments())
        sizes.push_back(scalars.getBytes(state));
      sizes.push_back(scalars.constantIndex(1));
    }
    slotOffsets.clear();
    Value offset = scalars.constantIndex(0);
    AffineExpr symbol = builder.getAffineSymbolExpr(0);
    for (Value size : sizes) {
      if (!size) // of a tensor that is an output
        size = scalars.constantIndex(0);
      slotOffsets.push_back(offset);
      Value padded = affine::AffineApplyOp::create(
          at, loc, AffineMap::get(0, 1, symbol.ceilDiv(kAlignment) * kAlignment), ValueRange{size});
      offset = arith::AddIOp::create(at, loc, offset, padded);
    }
    return offset;
  }

  /// Makes offsets of slots count from the start of the arena, in bodies too.
  void moveSlots(Value base, OpBuilder &at) {
    if (base)
      for (Value &offset : slotOffsets)
        offset = arith::AddIOp::create(at, model.getLoc(), base, offset);
    for (auto &[inner, child] : children)
      child->moveSlots(slotOffsets[child->slotInParent], at);
  }

  ArrayRef<BlockArgument> getCarriedArguments() {
    return model.getArguments().slice(1, loop.getCarried().size());
  }

  /// Makes arguments of the body what the function around it has there.
  void bindOuter(HostScalars &scalars) {
    for (auto [number, argument] : llvm::enumerate(model.getArguments().drop_front()))
      scalars.bindOuter(argument, loop->getOperand(loop.getFirstCarried() + number));
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
    writeChecks(scalars, builder, /*ofIterations=*/false);
    for (Value output : block.getTerminator()->getOperands())
      for (int64_t dim = 0; dim < cast<RankedTensorType>(output.getType()).getRank(); ++dim)
        results.push_back(scalars.getExtent(output, dim));
    results.push_back(layOutSlots(scalars, builder));
    func::ReturnOp::create(builder, loc, results);
    prepare.setFunctionType(
        builder.getFunctionType(inputs, SmallVector<Type>(results.size(), builder.getIndexType())));
  }

  /// Writes what is checked before the model runs, in bodies too, or what only an iteration can
  /// tell.
  void writeChecks(HostScalars &scalars, OpBuilder &at, bool ofIterations) {
    for (auto check : block.getOps<graph::CheckOp>()) {
      bool isOfIterations = llvm::any_of(
          check->getOperands(), [&](Value operand) { return dependsOnIteration(operand); });
      if (isOfIterations != ofIterations)
        continue;
      IRMapping mapping;
      for (Value operand : check->getOperands())
        mapping.map(operand, scalars.clone(operand));
      at.clone(*check, mapping);
    }
    if (ofIterations)
      return;
    for (auto &[inner, child] : children) {
      HostScalars ofBody(scalars, inner.getLoc());
      child->bindOuter(ofBody);
      child->writeChecks(ofBody, at, false);
    }
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
    llvm::append_range(outputs, entry->getArguments().slice(numInputs, numOutputs));

    HostScalars scalars(builder, loc);
    for (auto [tensor, buffer] : llvm::zip(model.getArguments(), entry->getArguments())) {
      bufferOf[tensor] = buffer;
      scalars.bindBuffer(tensor, buffer);
      auto type = cast<RankedTensorType>(tensor.getType());
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          scalars.bind(tensor, dim, memref::DimOp::create(builder, loc, buffer, dim));
    }
    layOutSlots(scalars, builder);
    moveSlots({}, builder);
    if (failed(writeSteps(scalars)))
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

  LogicalResult writeSteps(HostScalars &scalars) {
    for (Operation &op : block) {
      auto launch = dyn_cast<graph::LaunchOp>(op);
      if (launch && failed(writeDispatch(launch, scalars)))
        return failure();
      auto inner = dyn_cast<graph::LoopOp>(op);
      if (inner && failed(writeLoop(inner, *children[inner], scalars)))
        return failure();
    }
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
    FailureOr<Value> when = readGuard(launch, scalars);
    if (failed(when))
      return failure();
    graph::DispatchOp::create(builder, launch.getLoc(), launch.getKernelAttr(), args, *when,
                              builder.getI64IntegerAttr(launch.getInputs().size()));
    return success();
  }

  /// Whether all holds that `op` waits for; null if it waits for nothing.
  FailureOr<Value> readGuard(Operation *op, HostScalars &scalars) {
    Value when;
    for (const graph::Literal &literal : guards.getGuard(op)) {
      Value holds = readCondition(literal, scalars);
      if (!holds)
        return failure();
      when = when ? arith::AndIOp::create(builder, op->getLoc(), when, holds) : holds;
    }
    return when;
  }

  /// What is carried changes between two places: the memory of the result, where the loop begins,
  /// and one of the body's. If it ends in the latter, it is copied.
  LogicalResult writeLoop(graph::LoopOp loop, Planner &body, HostScalars &scalars) {
    Location loc = loop.getLoc();
    unsigned numCarried = loop.getCarried().size();
    auto boolean = [&](bool value) -> Value {
      return arith::ConstantOp::create(builder, loc, builder.getBoolAttr(value));
    };
    FailureOr<Value> goes = readGuard(loop, scalars);
    if (failed(goes))
      return failure();
    if (loop.getCondition()) {
      Value buffer = getBuffer(loop.getCondition(), scalars);
      if (!buffer)
        return failure();
      Value first = memref::LoadOp::create(builder, loc, buffer, ValueRange());
      *goes = *goes ? arith::AndIOp::create(builder, loc, *goes, first) : first;
    }
    Value trips = loop.getTrips() ? scalars.clone(loop.getTrips()) : Value();
    // Everything from outside is made in front of the loop.
    HostScalars ofBody(body.builder, loc);
    SmallVector<Value> state, other;
    for (auto [number, argument] : llvm::enumerate(body.model.getArguments().drop_front())) {
      Value operand = loop->getOperand(loop.getFirstCarried() + number);
      auto type = dyn_cast<RankedTensorType>(operand.getType());
      if (!type) {
        ofBody.bindIndex(argument, scalars.clone(operand));
        continue;
      }
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          ofBody.bind(argument, dim, scalars.getExtent(operand, dim));
      Value buffer = getBuffer(number < numCarried ? loop.getResult(number) : operand, scalars);
      if (!buffer)
        return failure();
      if (number >= numCarried) {
        body.bufferOf[argument] = buffer;
        continue;
      }
      state.push_back(buffer);
      SmallVector<Value> sizes;
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim))
          sizes.push_back(scalars.getExtent(operand, dim));
      other.push_back(memref::ViewOp::create(builder, loc, getBufferType(type), arena,
                                             body.slotOffsets[body.numSlots + number], sizes));
    }
    SmallVector<std::pair<Value, Value>> rows; // and how many elements each has
    for (Value result : loop.getRows()) {
      Value elements = scalars.constantIndex(1), buffer = getBuffer(result, scalars);
      if (!buffer)
        return failure();
      for (int64_t dim = 1; dim < cast<RankedTensorType>(result.getType()).getRank(); ++dim)
        elements = arith::MulIOp::create(builder, loc, elements, scalars.getExtent(result, dim));
      rows.emplace_back(buffer, elements);
    }
    Value next =
        memref::ViewOp::create(builder, loc, MemRefType::get({}, builder.getI1Type()), arena,
                               body.slotOffsets[body.numSlots + numCarried], ValueRange());
    Value one = scalars.constantIndex(1);
    SmallVector<Value> starts = {scalars.constantIndex(0), *goes ? *goes : boolean(true)};
    llvm::append_range(starts, state);
    llvm::append_range(starts, other);
    body.arena = arena;
    body.constants = constants;
    TypeRange types = ValueRange(starts).getTypes();
    SmallVector<Location> locs(starts.size(), loc);
    auto whileOp = scf::WhileOp::create(builder, loc, types, starts);
    OpBuilder inside(builder.getContext());
    ValueRange before = inside.createBlock(&whileOp.getBefore(), {}, types, locs)->getArguments();
    Value holds = before[1];
    if (trips) {
      Value isLess =
          arith::CmpIOp::create(inside, loc, arith::CmpIPredicate::slt, before[0], trips);
      holds = arith::AndIOp::create(inside, loc, isLess, holds);
    }
    scf::ConditionOp::create(inside, loc, holds, before);

    ValueRange args =
        body.builder.createBlock(&whileOp.getAfter(), {}, types, locs)->getArguments();
    ValueRange here = args.slice(2, numCarried), there = args.drop_front(2 + numCarried);
    ofBody.bindIndex(body.model.getArgument(0), args[0]);
    for (auto [argument, buffer] : llvm::zip_equal(body.getCarriedArguments(), here))
      body.bufferOf[argument] = buffer;
    if (loop.getCondition())
      body.outputs.push_back(next);
    llvm::append_range(body.outputs, there);
    for (auto [buffer, elements] : rows) {
      body.outputs.push_back(buffer);
      body.outputOffsets[buffer] = arith::MulIOp::create(body.builder, loc, args[0], elements);
    }
    if (failed(body.writeIteration(ofBody)))
      return failure();
    SmallVector<Value> yields = {arith::AddIOp::create(body.builder, loc, args[0], one)};
    yields.push_back(loop.getCondition()
                         ? memref::LoadOp::create(body.builder, loc, next, ValueRange()).getResult()
                         : args[1]);
    llvm::append_range(yields, there);
    llvm::append_range(yields, here);
    scf::YieldOp::create(body.builder, loc, yields);
    if (numCarried == 0)
      return success();
    Value isOdd = arith::TruncIOp::create(
        builder, loc, builder.getI1Type(),
        arith::IndexCastOp::create(builder, loc, builder.getI64Type(), whileOp.getResult(0)));
    scf::IfOp::create(builder, loc, isOdd, [&](OpBuilder &then, Location) {
      for (auto [from, to] : llvm::zip_equal(other, state))
        memref::CopyOp::create(then, loc, from, to);
      scf::YieldOp::create(then, loc);
    });
    return success();
  }

  /// One run of a body, whose arguments and outputs are known.
  LogicalResult writeIteration(HostScalars &scalars) {
    for (auto [number, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
      auto it = buffers.find(Placement::getOwner(value));
      if (it == buffers.end() || it->second.output != number)
        return model.emitError("expects each result of a loop's body to have a launch of its own; "
                               "run graph-place-tensors first");
    }
    writeChecks(scalars, builder, /*ofIterations=*/true);
    return writeSteps(scalars);
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
    auto it = buffers.find(owner);
    if (it == buffers.end()) {
      emitError(owner.getLoc(), "host program: a tensor has no memory");
      return {};
    }
    const Buffer &buffer = it->second;
    if (buffer.output)
      return outputs[*buffer.output];
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
    // Offsets count from where the memory begins, of which an owner that is a row shows a part.
    auto it = buffers.find(owner);
    bool isRow = it != buffers.end() && it->second.output &&
                 outputOffsets.contains(outputs[*it->second.output]);
    Value base = owner == tensor || isRow ? getMemory(owner, scalars) : getBuffer(owner, scalars);
    if (!base)
      return {};
    Place place = getPlace(placement, scalars, tensor);
    if (isRow)
      place.offset = scalars.add(place.offset, outputOffsets.lookup(base));
    Value buffer = showPlace(base, tensor, place, scalars);
    bufferOf[tensor] = buffer;
    return buffer;
  }

  /// Whether `base`, memory of the owner of `tensor`, has the extents of `tensor` too.
  bool hasExtentsOf(Value base, Value tensor) {
    if (!Placement::hasOwnersExtents(tensor))
      return false;
    // An output has those of the result that is returned.
    const auto *output = llvm::find(outputs, base);
    return output == outputs.end() ||
           Placement::hasOwnersExtents(block.getTerminator()->getOperand(output - outputs.begin()));
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
  llvm::MapVector<graph::LoopOp, std::unique_ptr<Planner>> children; // of its loops
  /// Of a body.
  Planner *parent = nullptr;
  graph::LoopOp loop;
  unsigned slotInParent = 0;
  /// Of the function that runs the model.
  Value arena, constants;
  SmallVector<Value> outputs;
  llvm::DenseMap<Value, Value> outputOffsets; // in elements, of rows in their memory
  SmallVector<Value> slotOffsets;
  ConstantSection &section;
  llvm::DenseMap<Value, Value> bufferOf; // by tensor
};

struct GraphPlanMemoryPass : sectile::impl::GraphPlanMemoryPassBase<GraphPlanMemoryPass> {
  /// Of the functions that are left: bodies are private, what was written is not.
  static bool isBody(func::FuncOp func) { return func.isPrivate() && !func.isExternal(); }

  void runOnOperation() override {
    SmallVector<func::FuncOp> models;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func.isPublic() && !func.isExternal())
        models.push_back(func);
    if (models.size() != 1) {
      getOperation().emitError("expects one public function, the model, but got ") << models.size();
      return signalPassFailure();
    }
    ConstantSection section;
    if (failed(Planner(getOperation(), models.front(), section).run()))
      return signalPassFailure();
    for (auto func : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (func == models.front() || isBody(func))
        func.erase();
  }
};

} // namespace
