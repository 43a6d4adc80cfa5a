//===- TopK.cpp - lists of the first pairs ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of many elements few get into a short list. All lanes of a vector are compared
// with the last pairs of their lists at once, which lie at their beginnings; only
// those that go before them are inserted, one after the other:
//
//     mask = precedes(candidates, first places)
//     if any lane of mask:
//       for each such lane: sift the candidate down its heap
//
// Sorting takes pairs off the heap, the last ones first.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::tile;

HeapEmitter KernelEmitter::makeHeap(Block &precedes) {
  return HeapEmitter(builder, loc, *this, [this, &precedes](ArrayRef<Value> pairs) {
    return emitBody(precedes, pairs);
  });
}

LogicalResult KernelEmitter::insertLanes(Block &precedes, const PairLists &lists, Value candidates,
                                         Value positions, Value mask, int64_t width) {
  if (width == 1)
    return makeHeap(precedes).insert(lists, {candidates, positions});
  Type i64 = builder.getI64Type(), bits = builder.getIntegerType(width);
  Value packed =
      vector::ExtractOp::create(builder, loc,
                                vector::BitCastOp::create(builder, loc, VectorType::get({1}, bits),
                                                          splat(builder, loc, mask, width)),
                                ArrayRef<int64_t>{0});
  Value rest = width < 64 ? arith::ExtUIOp::create(builder, loc, i64, packed).getResult() : packed;
  auto loop = scf::WhileOp::create(builder, loc, TypeRange{i64}, ValueRange{rest});
  Block *before = builder.createBlock(&loop.getBefore(), {}, {i64}, {loc});
  builder.pushScope(before);
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 64);
  Value hasMore =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, before->getArgument(0), zero);
  scf::ConditionOp::create(builder, loc, hasMore, before->getArguments());
  builder.popScope();

  // Lanes in order: the lowest bit that is set, which is then cleared.
  Block *after = builder.createBlock(&loop.getAfter(), {}, {i64}, {loc});
  builder.pushScope(after);
  Value set = after->getArgument(0);
  Value lane = math::CountTrailingZerosOp::create(builder, loc, set);
  auto pick = [&](Value value) -> Value {
    if (!isa<VectorType>(value.getType()))
      return value;
    return LLVM::ExtractElementOp::create(builder, loc, value, lane);
  };
  PairLists list(lists);
  list.values = pick(lists.values);
  list.indices = pick(lists.indices);
  if (failed(makeHeap(precedes).insert(list, {pick(candidates), pick(positions)})))
    return failure();
  Value one = arith::ConstantIntOp::create(builder, loc, 1, 64);
  Value cleared =
      arith::AndIOp::create(builder, loc, set, arith::SubIOp::create(builder, loc, set, one));
  scf::YieldOp::create(builder, loc, cleared);
  builder.popScope();
  builder.setInsertionPointAfter(loop);
  return success();
}

LogicalResult KernelEmitter::emitTopK(TopKOp op) {
  const Tile candidates = repartition(getTile(op.getCandidates()), lanes);
  const Tile positions = repartition(getTile(op.getPositions()), lanes);
  SmallVector<Poly> setSymbols = polysOf(op.getSetOperands());
  auto axis = static_cast<unsigned>(op.getAxis());
  Type element = candidates.element, i64 = builder.getI64Type();
  int64_t length = op.getValues().getType().getShape()[axis];
  for (int64_t row = 0; row < candidates.getNumRows(); ++row) {
    SmallVector<int64_t> outer = rowCoords(candidates, row);
    for (int64_t part = 0; part < candidates.getPartsPerRow(); ++part) {
      int64_t width = candidates.getWidth(part);
      PartMask where;
      if (op.getWhere())
        where = emitMask(*op.getWhere(), setSymbols, outer, part * lanes, width);
      if (where.isEmpty)
        continue;
      Value root;
      auto addressAt = [&](Value view, int64_t place) {
        return addressOf(view, moveResult(op.getMap(), axis, place), op.getMapOperands(), {}, outer,
                         row, part, candidates, root);
      };
      Poly firstValue = addressAt(op.getValues(), 0);
      Poly valueStride = addressAt(op.getValues(), 1) - firstValue;
      Value valueBase = views.resolve(root).base;
      Poly firstIndex = addressAt(op.getIndices(), 0);
      Poly indexStride = addressAt(op.getIndices(), 1) - firstIndex;
      Value indexBase = views.resolve(root).base;

      Value worst =
          loadPart(valueBase, element, firstValue, width, where, builder.getZeroAttr(element));
      Value worstPosition =
          loadPart(indexBase, i64, firstIndex, width, where, builder.getZeroAttr(i64));
      Value candidate = candidates.at(row, part), position = positions.at(row, part);
      FailureOr<SmallVector<Value>> precedes =
          emitBody(op.getPrecedes().front(), {candidate, position, worst, worstPosition});
      if (failed(precedes))
        return failure();
      Value mask = precedes->front();
      if (Value valid = combineMask(where, width)) {
        int64_t common = std::max(getNumLanes(mask), getNumLanes(valid));
        mask = arith::AndIOp::create(builder, loc, splat(builder, loc, mask, common),
                                     splat(builder, loc, valid, common));
      }
      auto branch = scf::IfOp::create(builder, loc, anyLane(builder, loc, mask));
      branch.thenBlock()->clear();
      builder.pushScope(branch.thenBlock());
      auto begin = [&](Value base, Type memory, const Poly &address) {
        return algebra.isPerLane(address) ? lanePointers(base, memory, address, width)
                                          : builder.emitPointer(loc, base, memory, address);
      };
      PairLists lists{begin(valueBase, getMemoryElement(element), firstValue),
                      begin(indexBase, i64, firstIndex),
                      builder.emit(loc, valueStride),
                      builder.emit(loc, indexStride),
                      length,
                      element,
                      getMemoryElement(element)};
      if (failed(insertLanes(op.getPrecedes().front(), lists, candidate, position, mask, width)))
        return failure();
      scf::YieldOp::create(builder, loc);
      builder.popScope();
    }
  }
  return success();
}

LogicalResult KernelEmitter::emitSort(SortOp op) {
  auto axis = static_cast<unsigned>(op.getAxis());
  Type i64 = builder.getI64Type();
  PairLists list;
  list.element = op.getValues().getType().getElementType();
  list.memory = getMemoryElement(list.element);
  list.length = op.getValues().getType().getShape()[axis];
  SmallVector<Poly> symbols = polysOf(op.getMapOperands());
  auto locate = [&](Value view, Type memory, Value &begin, Value &stride) {
    Value root;
    auto addressAt = [&](int64_t place) {
      SmallVector<Poly> coords;
      for (AffineExpr expr : moveResult(op.getMap(), axis, place).getResults())
        coords.push_back(algebra.evaluate(expr, {}, symbols));
      return views.linearise(view, coords, root);
    };
    Poly first = addressAt(0);
    stride = builder.emit(loc, addressAt(1) - first);
    begin = builder.emitPointer(loc, views.resolve(root).base, memory, first);
  };
  locate(op.getValues(), list.memory, list.values, list.valueStride);
  locate(op.getIndices(), i64, list.indices, list.indexStride);
  return makeHeap(op.getPrecedes().front()).sort(list);
}
