//===- PlanRun.cpp - the model on buffers: dispatches and loops -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Planner.h"

#include "Interface.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile;

LogicalResult Planner::writeRun() {
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

  // Memory is laid out before anything is counted.
  HostScalars scalars(builder, loc), bounds(builder, loc);
  bounds.takeBounds();
  for (auto [tensor, buffer] : llvm::zip(model.getArguments(), entry->getArguments())) {
    bufferOf[tensor] = buffer;
    auto type = cast<RankedTensorType>(tensor.getType());
    SmallVector<Value> extents(type.getRank());
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        extents[dim] = memref::DimOp::create(builder, loc, buffer, dim);
    for (HostScalars *numbers : {&scalars, &bounds}) {
      numbers->bindBuffer(tensor, buffer);
      for (auto [dim, extent] : llvm::enumerate(extents))
        if (extent)
          numbers->bind(tensor, dim, extent);
    }
  }
  bool hasCounts = !block.getOps<graph::CountOp>().empty();
  layOutSlots(hasCounts ? bounds : scalars, builder);
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
    memref::CopyOp::create(builder, loc, source, showOutput(number, scalars));
  }
  SmallVector<Value> decided;
  SmallVector<int64_t> decidedDims;
  for (auto [number, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
    auto type = cast<RankedTensorType>(value.getType());
    for (int64_t dim = 0; hasCounts && dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim)) {
        decidedDims.append({static_cast<int64_t>(number), dim});
        decided.push_back(scalars.getExtent(value, dim));
      }
  }
  func::ReturnOp::create(builder, loc, decided);
  if (hasCounts) {
    run.setFunctionType(
        builder.getFunctionType(types, SmallVector<Type>(decided.size(), builder.getIndexType())));
    run->setAttr(kDecidedDimsAttr, builder.getDenseI64ArrayAttr(decidedDims));
  }
  module->setAttr(kConstantsAttr, builder.getArrayAttr(section.getEntries()));
  return success();
}

Value Planner::showOutput(unsigned number, HostScalars &scalars) {
  Value buffer = outputs[number];
  Value returned = block.getTerminator()->getOperand(number);
  if (!dependsOnCount(returned))
    return buffer;
  auto type = cast<RankedTensorType>(returned.getType());
  SmallVector<OpFoldResult> sizes, strides(type.getRank());
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    sizes.push_back(scalars.getMixedExtent(returned, dim));
  OpFoldResult stride = builder.getIndexAttr(1);
  for (int64_t dim = type.getRank(); dim-- > 0;) {
    strides[dim] = stride;
    stride = scalars.multiply(stride, sizes[dim]);
  }
  return memref::ReinterpretCastOp::create(builder, returned.getLoc(), getBufferType(type), buffer,
                                           builder.getIndexAttr(0), sizes, strides);
}

LogicalResult Planner::writeCount(graph::CountOp count, HostScalars &scalars) {
  Location loc = count.getLoc();
  Value buffer = getBuffer(count.getNumber(), scalars);
  if (!buffer)
    return failure();
  // Inside of a choice that is not taken nothing was counted; whatever is read must not matter.
  Value number =
      arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                 memref::LoadOp::create(builder, loc, buffer, ValueRange()));
  number = arith::MaxSIOp::create(builder, loc, number, scalars.constantIndex(0));
  number = arith::MinSIOp::create(builder, loc, number, scalars.clone(count.getBound()));
  scalars.bindIndex(count.getResult(), number);
  return success();
}

LogicalResult Planner::writeSteps(HostScalars &scalars) {
  for (Operation &op : block) {
    auto count = dyn_cast<graph::CountOp>(op);
    if (count && failed(writeCount(count, scalars)))
      return failure();
    auto check = dyn_cast<graph::CheckOp>(op);
    if (check && !parent &&
        llvm::any_of(check->getOperands(), [&](Value operand) { return dependsOnCount(operand); }))
      writeCheck(check, scalars, builder);
    auto launch = dyn_cast<graph::LaunchOp>(op);
    if (launch && failed(writeDispatch(launch, scalars)))
      return failure();
    auto inner = dyn_cast<graph::LoopOp>(op);
    if (inner && failed(writeLoop(inner, *children[inner], scalars)))
      return failure();
  }
  return success();
}

LogicalResult Planner::writeDispatch(graph::LaunchOp launch, HostScalars &scalars) {
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

FailureOr<Value> Planner::readGuard(Operation *op, HostScalars &scalars) {
  Value when;
  for (const graph::Literal &literal : guards.getGuard(op)) {
    Value holds = readCondition(literal, scalars);
    if (!holds)
      return failure();
    when = when ? arith::AndIOp::create(builder, op->getLoc(), when, holds) : holds;
  }
  return when;
}

LogicalResult Planner::writeLoop(graph::LoopOp loop, Planner &body, HostScalars &scalars) {
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
  Value next = memref::ViewOp::create(builder, loc, MemRefType::get({}, builder.getI1Type()), arena,
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
    Value isLess = arith::CmpIOp::create(inside, loc, arith::CmpIPredicate::slt, before[0], trips);
    holds = arith::AndIOp::create(inside, loc, isLess, holds);
  }
  scf::ConditionOp::create(inside, loc, holds, before);

  ValueRange args = body.builder.createBlock(&whileOp.getAfter(), {}, types, locs)->getArguments();
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

LogicalResult Planner::writeIteration(HostScalars &scalars) {
  for (auto [number, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
    auto it = buffers.find(Placement::getOwner(value));
    if (it == buffers.end() || it->second.output != number)
      return model.emitError("expects each result of a loop's body to have a launch of its own; "
                             "run graph-place-tensors first");
  }
  writeChecks(scalars, builder, /*ofIterations=*/true);
  return writeSteps(scalars);
}

Value Planner::readCondition(const graph::Literal &literal, HostScalars &scalars) {
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
