//===- Control.cpp - loops and branches with tiles in registers -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;

Value ThreadEmitter::valueOf(Value value) {
  return isa<RankedTensorType>(value.getType()) ? getTile(value).value : getScalar(value);
}

SmallVector<Value> ThreadEmitter::valuesOf(ValueRange values) {
  return llvm::map_to_vector(values, [&](Value value) { return valueOf(value); });
}

Type ThreadEmitter::typeOf(Type type) const {
  Type element = getRegisterType(getElementTypeOrSelf(type));
  LayoutAttr attr = LayoutAttr::of(type);
  return attr ? getPartType(element, attr.getLayout().extent(layout::Axis::Register)) : element;
}

void ThreadEmitter::bind(Value original, Value emitted) {
  if (isa<RankedTensorType>(original.getType()))
    setTile(original, emitted);
  else
    setScalar(original, emitted);
}

void ThreadEmitter::bindAll(ValueRange originals, ValueRange emitted) {
  for (auto [original, value] : llvm::zip_equal(originals, emitted))
    bind(original, value);
}

/// What the ops in `op` may access in an earlier iteration: places of any thread.
static SmallVector<MemoryAccess> accessesIn(Operation *op) {
  SmallVector<MemoryAccess> accesses{{.root = {}, .isWrite = true}};
  auto rootOf = [](Value view) {
    while (auto window = view.getDefiningOp<ViewOp>())
      view = window.getSource();
    return view;
  };
  op->walk([&](Operation *inner) {
    if (auto load = dyn_cast<LoadOp>(inner))
      accesses.push_back({.root = rootOf(load.getView()), .isWrite = false});
    else if (auto store = dyn_cast<StoreOp>(inner))
      accesses.push_back({.root = rootOf(store.getView()), .isWrite = true});
  });
  return accesses;
}

LogicalResult ThreadEmitter::emitFor(Operation *op) {
  auto loop = cast<scf::ForOp>(op);
  SmallVector<MemoryAccess> before = hazards.get();
  auto emitted = scf::ForOp::create(builder, loc, getScalar(loop.getLowerBound()),
                                    getScalar(loop.getUpperBound()), getScalar(loop.getStep()),
                                    valuesOf(loop.getInitArgs()));
  emitted.getBody()->clear();
  hazards.add(accessesIn(op));
  builder.pushScope(emitted.getBody());
  setScalar(loop.getInductionVar(), emitted.getInductionVar());
  bindAll(loop.getRegionIterArgs(), emitted.getRegionIterArgs());
  if (failed(emitBlock(*loop.getBody())))
    return failure();
  scf::YieldOp::create(builder, loc, valuesOf(loop.getYieldedValues()));
  builder.popScope();
  // It may have run no iteration.
  hazards.add(before);
  bindAll(loop.getResults(), emitted.getResults());
  return success();
}

LogicalResult ThreadEmitter::emitIf(Operation *op) {
  auto branch = cast<scf::IfOp>(op);
  SmallVector<Type> types;
  for (Type type : branch.getResultTypes())
    types.push_back(typeOf(type));
  bool hasElse = !branch.getElseRegion().empty();
  auto emitted = scf::IfOp::create(builder, loc, types, getScalar(branch.getCondition()),
                                   /*addThenBlock=*/true, hasElse);
  SmallVector<MemoryAccess> before = hazards.get(), after = before;
  for (auto [from, to] : llvm::zip(branch->getRegions(), emitted->getRegions())) {
    if (from.empty())
      continue;
    hazards.clear();
    hazards.add(before);
    to.front().clear();
    builder.pushScope(&to.front());
    if (failed(emitBlock(from.front())))
      return failure();
    scf::YieldOp::create(builder, loc, valuesOf(from.front().getTerminator()->getOperands()));
    builder.popScope();
    after.append(hazards.get());
  }
  hazards.clear();
  hazards.add(after);
  bindAll(branch.getResults(), emitted.getResults());
  return success();
}

LogicalResult ThreadEmitter::emitWhile(Operation *op) {
  auto loop = cast<scf::WhileOp>(op);
  SmallVector<MemoryAccess> pending = hazards.get();
  SmallVector<Type> types;
  for (Type type : loop.getResultTypes())
    types.push_back(typeOf(type));
  auto emitted = scf::WhileOp::create(builder, loc, types, valuesOf(loop.getInits()));
  auto addBlock = [&](Region &region, TypeRange arguments) {
    SmallVector<Type> emittedTypes;
    for (Type type : arguments)
      emittedTypes.push_back(typeOf(type));
    OpBuilder::InsertionGuard guard(builder);
    return builder.createBlock(&region, {}, emittedTypes,
                               SmallVector<Location>(emittedTypes.size(), loc));
  };
  Block *before = addBlock(emitted.getBefore(), loop.getBefore().getArgumentTypes());
  Block *after = addBlock(emitted.getAfter(), loop.getAfter().getArgumentTypes());
  hazards.add(accessesIn(op));

  builder.pushScope(before);
  bindAll(loop.getBeforeArguments(), before->getArguments());
  if (failed(emitBlock(*loop.getBeforeBody())))
    return failure();
  scf::ConditionOp condition = loop.getConditionOp();
  scf::ConditionOp::create(builder, condition.getLoc(), getScalar(condition.getCondition()),
                           valuesOf(condition.getArgs()));
  builder.popScope();
  SmallVector<MemoryAccess> left = hazards.get();

  builder.pushScope(after);
  bindAll(loop.getAfterArguments(), after->getArguments());
  if (failed(emitBlock(*loop.getAfterBody())))
    return failure();
  scf::YieldOp::create(builder, loop.getYieldOp().getLoc(),
                       valuesOf(loop.getYieldOp()->getOperands()));
  builder.popScope();
  hazards.add(left);
  hazards.add(pending);
  bindAll(loop.getResults(), emitted.getResults());
  return success();
}
