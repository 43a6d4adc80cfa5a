//===- TopK.cpp - lists of the first pairs ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A list is one thread's: it offers its elements in the order of the formula
// (Serial.h). Lists of different places are those of other threads; a single list
// of many elements keeps the others waiting, which is right and slow.
//
//===----------------------------------------------------------------------===//

#include "Serial.h"
#include "ThreadEmitter.h"

#include "lib/Conversion/Support/Heap.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;

/// Places of the list at `coordinates`, of which that along `axis` is chosen here.
template <typename ListOp>
static PairLists locate(ListOp op, ScopedBuilder &builder, Location loc, Views &views,
                        IndexAlgebra &algebra, ArrayRef<Poly> dims, ArrayRef<Poly> symbols,
                        Type memory) {
  auto axis = static_cast<unsigned>(op.getAxis());
  PairLists list;
  list.element = op.getValues().getType().getElementType();
  list.memory = memory;
  list.length = op.getValues().getType().getShape()[axis];
  auto find = [&](Value view, Type type, Value &begin, Value &stride) {
    Value root;
    auto addressAt = [&](int64_t place) {
      SmallVector<Poly> coordinates;
      for (AffineExpr expr : moveResult(op.getMap(), axis, place).getResults())
        coordinates.push_back(algebra.evaluate(expr, dims, symbols));
      return views.linearise(view, coordinates, root);
    };
    Poly first = addressAt(0);
    stride = builder.emit(loc, addressAt(1) - first);
    begin = builder.emitPointer(loc, views.resolve(root).base, type, first);
  };
  find(op.getValues(), memory, list.values, list.valueStride);
  find(op.getIndices(), builder.getI64Type(), list.indices, list.indexStride);
  return list;
}

LogicalResult ThreadEmitter::emitTopK(TopKOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getCandidates().getType());
  std::optional<DistributedLayout> layout;
  if (type) {
    FailureOr<DistributedLayout> serial =
        layOutSerially(op, type, findMeetingDims(op.getMap(), type.getRank()), "elements");
    if (failed(serial))
      return failure();
    layout = std::move(*serial);
  }
  auto hold = [&](Value value) {
    return layout ? convert(getTile(value), *layout).value : getScalar(value);
  };
  Value candidates = hold(op.getCandidates()), positions = hold(op.getPositions());
  for (Value view : {Value(op.getValues()), Value(op.getIndices())})
    beginChange(view);
  SmallVector<Poly> symbols = polysOf(op.getMapOperands()),
                    setSymbols = polysOf(op.getSetOperands());
  HeapEmitter heap = makeHeap(op.getPrecedes().front());
  Type memory = getMemoryElement(op.getValues().getType().getElementType());
  int64_t count = layout ? layout->extent(Axis::Register) : 1;
  for (int64_t reg = 0; reg < count; ++reg) {
    SmallVector<Poly> dims;
    Condition condition;
    if (layout) {
      dims = coordinatesOf(*layout, reg);
      condition = isValid(*layout, reg);
      requireFirstCopy(condition, *layout, reg);
    } else {
      requireFirstThread(condition);
    }
    if (std::optional<IntegerSet> set = op.getWhere())
      requireSet(condition, *set, dims, setSymbols);
    if (condition.isNever)
      continue;
    auto pick = [&](Value value) {
      return isa<VectorType>(value.getType()) ? extractLane(builder, loc, value, reg) : value;
    };
    PairLists list = locate(op, builder, loc, views, algebra, dims, symbols, memory);
    PairValue pair{pick(candidates), pick(positions)};
    LogicalResult result = emitWhere(condition, [&] { return heap.insert(list, pair); });
    if (failed(result))
      return failure();
  }
  return success();
}

LogicalResult ThreadEmitter::emitSort(SortOp op) {
  for (Value view : {Value(op.getValues()), Value(op.getIndices())})
    beginChange(view);
  SmallVector<Poly> symbols = polysOf(op.getMapOperands());
  Type memory = getMemoryElement(op.getValues().getType().getElementType());
  PairLists list = locate(op, builder, loc, views, algebra, {}, symbols, memory);
  Condition condition;
  requireFirstThread(condition);
  return emitWhere(condition, [&] { return makeHeap(op.getPrecedes().front()).sort(list); });
}

HeapEmitter ThreadEmitter::makeHeap(Block &precedes) {
  return HeapEmitter(builder, loc, *this, [this, &precedes](ArrayRef<Value> pairs) {
    return emitBody(precedes, pairs);
  });
}

/// A barrier, if it takes one, before threads change places of `view` that others accessed.
void ThreadEmitter::beginChange(Value view) {
  while (auto window = view.getDefiningOp<ViewOp>())
    view = window.getSource();
  if (hazards.needsBarrier({.root = view, .isWrite = true}))
    emitBarrier();
}

void ThreadEmitter::requireFirstThread(Condition &condition) {
  require(condition, digitOf(static_cast<unsigned>(Axis::Lane), 1, target.threadsPerWarp), true);
  require(condition, digitOf(static_cast<unsigned>(Axis::Warp), 1, warps), true);
}

/// Emits `body` for the threads that `condition` names.
LogicalResult ThreadEmitter::emitWhere(const Condition &condition,
                                       llvm::function_ref<LogicalResult()> body) {
  Value holds = emitCondition(condition);
  if (!holds)
    return body();
  auto branch = scf::IfOp::create(builder, loc, holds);
  branch.thenBlock()->clear();
  builder.pushScope(branch.thenBlock());
  LogicalResult result = body();
  scf::YieldOp::create(builder, loc);
  builder.popScope();
  return result;
}
