//===- Control.cpp - loops and branches with tiles in registers -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile::cpu;

void KernelEmitter::flatten(Value value, SmallVectorImpl<Value> &parts) {
  const Tile tile = repartition(getTile(value), lanes);
  for (int64_t i = 0; i < tile.getNumParts(); ++i)
    parts.push_back(splat(builder, loc, tile.parts[i], tile.getWidth(i % tile.getPartsPerRow())));
}

void KernelEmitter::unflatten(Value original, ValueRange &flat) {
  Tile tile = makeTile(original.getType());
  llvm::append_range(tile.parts, flat.take_front(tile.getNumParts()));
  flat = flat.drop_front(tile.getNumParts());
  setTile(original, std::move(tile));
}

void KernelEmitter::emitYield(Operation *terminator, ValueRange values) {
  SmallVector<Value> parts;
  for (Value value : values)
    flatten(value, parts);
  scf::YieldOp::create(builder, terminator->getLoc(), parts);
}

scf::ForOp KernelEmitter::makeLoop(Value lower, Value upper, Value step, ValueRange inits) {
  int64_t bits = 8 * level.getHost().pointerBytes;
  auto narrow = [&](Value value) -> Value {
    if (bits == 64)
      return value;
    return arith::TruncIOp::create(builder, loc, builder.getIntegerType(bits), value);
  };
  return scf::ForOp::create(builder, loc, narrow(lower), narrow(upper), narrow(step), inits);
}

Value KernelEmitter::getCounter(scf::ForOp loop) {
  Value counter = loop.getInductionVar();
  if (counter.getType().isInteger(64))
    return counter;
  return arith::ExtSIOp::create(builder, loc, builder.getI64Type(), counter);
}

Value KernelEmitter::limitToAddresses(Value number) {
  int64_t bits = 8 * level.getHost().pointerBytes;
  if (bits == 64)
    return number;
  Value narrow = arith::TruncIOp::create(builder, loc, builder.getIntegerType(bits), number);
  return arith::ExtUIOp::create(builder, loc, builder.getI64Type(), narrow);
}

LogicalResult KernelEmitter::emitFor(Operation *op) {
  auto loop = cast<scf::ForOp>(op);
  SmallVector<Value> inits;
  for (Value init : loop.getInitArgs())
    flatten(init, inits);
  scf::ForOp emittedLoop =
      makeLoop(getScalar(loop.getLowerBound()), getScalar(loop.getUpperBound()),
               getScalar(loop.getStep()), inits);
  emittedLoop.getBody()->clear();
  builder.pushScope(emittedLoop.getBody());
  Tile counter = makeTile(loop.getInductionVar().getType());
  counter.parts = {getCounter(emittedLoop)};
  setTile(loop.getInductionVar(), std::move(counter));
  ValueRange flat = emittedLoop.getRegionIterArgs();
  for (Value argument : loop.getRegionIterArgs())
    unflatten(argument, flat);
  if (failed(emitBlock(*loop.getBody())))
    return failure();
  Operation *terminator = loop.getBody()->getTerminator();
  emitYield(terminator, terminator->getOperands());
  builder.popScope();
  flat = emittedLoop.getResults();
  for (Value result : loop.getResults())
    unflatten(result, flat);
  return success();
}

/// Types of the parts of values of `types`.
static SmallVector<Type> flattenTypes(TypeRange types, function_ref<Tile(Type)> makeTile) {
  SmallVector<Type> result;
  for (Type type : types) {
    Tile tile = makeTile(type);
    for (int64_t i = 0; i < tile.getNumParts(); ++i)
      result.push_back(
          getPartType(getRegisterType(tile.element), tile.getWidth(i % tile.getPartsPerRow())));
  }
  return result;
}

LogicalResult KernelEmitter::emitIf(Operation *op) {
  auto branch = cast<scf::IfOp>(op);
  auto make = [&](Type type) { return makeTile(type); };
  bool hasElse = !branch.getElseRegion().empty();
  auto emittedIf =
      scf::IfOp::create(builder, loc, flattenTypes(branch.getResultTypes(), make),
                        getScalar(branch.getCondition()), /*addThenBlock=*/true, hasElse);
  for (auto [from, to] : llvm::zip(branch->getRegions(), emittedIf->getRegions())) {
    if (from.empty())
      continue;
    to.front().clear();
    builder.pushScope(&to.front());
    if (failed(emitBlock(from.front())))
      return failure();
    Operation *terminator = from.front().getTerminator();
    emitYield(terminator, terminator->getOperands());
    builder.popScope();
  }
  ValueRange flat = emittedIf.getResults();
  for (Value result : branch.getResults())
    unflatten(result, flat);
  return success();
}

LogicalResult KernelEmitter::emitWhile(Operation *op) {
  auto loop = cast<scf::WhileOp>(op);
  auto make = [&](Type type) { return makeTile(type); };
  SmallVector<Value> inits;
  for (Value init : loop.getInits())
    flatten(init, inits);
  auto emittedLoop =
      scf::WhileOp::create(builder, loc, flattenTypes(loop.getResultTypes(), make), inits);
  auto addBlock = [&](Region &region, TypeRange types) {
    SmallVector<Type> flat = flattenTypes(types, make);
    return builder.createBlock(&region, {}, flat, SmallVector<Location>(flat.size(), loc));
  };
  Block *before = addBlock(emittedLoop.getBefore(), loop.getBefore().getArgumentTypes());
  Block *after = addBlock(emittedLoop.getAfter(), loop.getAfter().getArgumentTypes());

  builder.pushScope(before);
  ValueRange flat = before->getArguments();
  for (Value argument : loop.getBeforeArguments())
    unflatten(argument, flat);
  if (failed(emitBlock(*loop.getBeforeBody())))
    return failure();
  scf::ConditionOp condition = loop.getConditionOp();
  SmallVector<Value> passed;
  for (Value value : condition.getArgs())
    flatten(value, passed);
  scf::ConditionOp::create(builder, condition.getLoc(), getScalar(condition.getCondition()),
                           passed);
  builder.popScope();

  builder.pushScope(after);
  flat = after->getArguments();
  for (Value argument : loop.getAfterArguments())
    unflatten(argument, flat);
  if (failed(emitBlock(*loop.getAfterBody())))
    return failure();
  emitYield(loop.getYieldOp(), loop.getYieldOp()->getOperands());
  builder.popScope();

  flat = emittedLoop.getResults();
  for (Value result : loop.getResults())
    unflatten(result, flat);
  return success();
}
