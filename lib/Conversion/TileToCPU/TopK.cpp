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

/// `map` with result `axis` replaced by a constant.
static AffineMap moveTo(AffineMap map, unsigned axis, int64_t place) {
  SmallVector<AffineExpr> results(map.getResults());
  results[axis] = getAffineConstantExpr(place, map.getContext());
  return AffineMap::get(map.getNumDims(), map.getNumSymbols(), results, map.getContext());
}

KernelEmitter::PairValue KernelEmitter::loadPair(const Lists &list, Value place) {
  Value value = LLVM::LoadOp::create(builder, loc, list.memory,
                                     placeOf(list.values, list.memory, list.valueStride, place),
                                     list.memory.getIntOrFloatBitWidth() / 8);
  Type i64 = builder.getI64Type();
  Value position = LLVM::LoadOp::create(builder, loc, i64,
                                        placeOf(list.indices, i64, list.indexStride, place), 8);
  return {fromMemoryFormat(value, list.element), position};
}

void KernelEmitter::storePair(const Lists &list, Value place, PairValue pair) {
  LLVM::StoreOp::create(builder, loc, toMemoryFormat(pair.value, list.element),
                        placeOf(list.values, list.memory, list.valueStride, place),
                        list.memory.getIntOrFloatBitWidth() / 8);
  LLVM::StoreOp::create(builder, loc, pair.position,
                        placeOf(list.indices, builder.getI64Type(), list.indexStride, place), 8);
}

Value KernelEmitter::placeOf(Value base, Type type, Value stride, Value number) {
  Value offset = arith::MulIOp::create(builder, loc, number, stride);
  return LLVM::GEPOp::create(builder, loc, LLVM::LLVMPointerType::get(builder.getContext()), type,
                             base, ArrayRef<LLVM::GEPArg>{offset});
}

LogicalResult KernelEmitter::siftDown(Block &precedes, const Lists &list, Value length,
                                      PairValue pair) {
  // while child < length:
  //   the one of both children that the other precedes; stop if it precedes the pair
  //   move it up
  Type i64 = builder.getI64Type();
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 64);
  Value one = arith::ConstantIntOp::create(builder, loc, 1, 64);
  Value two = arith::ConstantIntOp::create(builder, loc, 2, 64);
  SmallVector<Type> types{i64, i64, pair.value.getType(), i64};
  auto loop = scf::WhileOp::create(builder, loc, types, ValueRange{zero});
  Block *before = builder.createBlock(&loop.getBefore(), {}, {i64}, {loc});
  builder.pushScope(before);
  Value hole = before->getArgument(0);
  Value left =
      arith::AddIOp::create(builder, loc, arith::MulIOp::create(builder, loc, hole, two), one);
  Value right = arith::AddIOp::create(builder, loc, left, one);
  auto isBelow = [&](Value place) -> Value {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, place, length);
  };
  // Places that do not exist are read as place 0, and never taken.
  auto readAt = [&](Value place) {
    return loadPair(list, arith::SelectOp::create(builder, loc, isBelow(place), place, zero));
  };
  PairValue a = readAt(left), b = readAt(right);
  FailureOr<SmallVector<Value>> isFirst =
      emitBody(precedes, {a.value, a.position, b.value, b.position});
  if (failed(isFirst))
    return failure();
  Value takesRight = arith::AndIOp::create(builder, loc, isBelow(right), isFirst->front());
  Value child = arith::SelectOp::create(builder, loc, takesRight, right, left);
  PairValue other{arith::SelectOp::create(builder, loc, takesRight, b.value, a.value),
                  arith::SelectOp::create(builder, loc, takesRight, b.position, a.position)};
  FailureOr<SmallVector<Value>> stops =
      emitBody(precedes, {other.value, other.position, pair.value, pair.position});
  if (failed(stops))
    return failure();
  Value truth = arith::ConstantIntOp::create(builder, loc, 1, 1);
  Value moves = arith::AndIOp::create(builder, loc, isBelow(left),
                                      arith::XOrIOp::create(builder, loc, stops->front(), truth));
  scf::ConditionOp::create(builder, loc, moves,
                           ValueRange{hole, child, other.value, other.position});
  builder.popScope();

  Block *after =
      builder.createBlock(&loop.getAfter(), {}, types, SmallVector<Location>(types.size(), loc));
  builder.pushScope(after);
  storePair(list, after->getArgument(0), {after->getArgument(2), after->getArgument(3)});
  scf::YieldOp::create(builder, loc, after->getArgument(1));
  builder.popScope();
  builder.setInsertionPointAfter(loop);
  storePair(list, loop.getResult(0), pair);
  return success();
}

LogicalResult KernelEmitter::insertPair(Block &precedes, const Lists &list, PairValue pair) {
  // Another lane may have taken the place meanwhile.
  PairValue last = loadPair(list, arith::ConstantIntOp::create(builder, loc, 0, 64));
  FailureOr<SmallVector<Value>> enters =
      emitBody(precedes, {pair.value, pair.position, last.value, last.position});
  if (failed(enters))
    return failure();
  auto branch = scf::IfOp::create(builder, loc, enters->front());
  branch.thenBlock()->clear();
  builder.pushScope(branch.thenBlock());
  Value length = arith::ConstantIntOp::create(builder, loc, list.length, 64);
  if (failed(siftDown(precedes, list, length, pair)))
    return failure();
  scf::YieldOp::create(builder, loc);
  builder.popScope();
  return success();
}

LogicalResult KernelEmitter::insertLanes(Block &precedes, const Lists &lists, Value candidates,
                                         Value positions, Value mask, int64_t width) {
  if (width == 1)
    return insertPair(precedes, lists, {candidates, positions});
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
  Lists list(lists);
  list.values = pick(lists.values);
  list.indices = pick(lists.indices);
  if (failed(insertPair(precedes, list, {pick(candidates), pick(positions)})))
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
        return addressOf(view, moveTo(op.getMap(), axis, place), op.getMapOperands(), {}, outer,
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
      Lists lists{begin(valueBase, getMemoryElement(element), firstValue),
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
  Lists list;
  list.element = op.getValues().getType().getElementType();
  list.memory = getMemoryElement(list.element);
  list.length = op.getValues().getType().getShape()[axis];
  SmallVector<Poly> symbols = polysOf(op.getMapOperands());
  auto locate = [&](Value view, Type memory, Value &begin, Value &stride) {
    Value root;
    auto addressAt = [&](int64_t place) {
      SmallVector<Poly> coords;
      for (AffineExpr expr : moveTo(op.getMap(), axis, place).getResults())
        coords.push_back(algebra.evaluate(expr, {}, symbols));
      return views.linearise(view, coords, root);
    };
    Poly first = addressAt(0);
    stride = builder.emit(loc, addressAt(1) - first);
    begin = builder.emitPointer(loc, views.resolve(root).base, memory, first);
  };
  locate(op.getValues(), list.memory, list.values, list.valueStride);
  locate(op.getIndices(), i64, list.indices, list.indexStride);
  // The last of those that are left goes to the end.
  Value zero = builder.constant(loc, 0), one = builder.constant(loc, 1);
  Value length = builder.constant(loc, list.length);
  auto loop = scf::ForOp::create(builder, loc, one, length, one);
  loop.getBody()->clear();
  builder.pushScope(loop.getBody());
  Value end = arith::SubIOp::create(builder, loc, length, loop.getInductionVar());
  PairValue last = loadPair(list, zero), moved = loadPair(list, end);
  storePair(list, end, last);
  if (failed(siftDown(op.getPrecedes().front(), list, end, moved)))
    return failure();
  scf::YieldOp::create(builder, loc);
  builder.popScope();
  return success();
}
