//===- TopK.cpp - insertion into sorted lists -------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of many elements few get into a short list. All lanes of a vector are compared
// with the last pairs of their lists at once; only those that go before them are
// inserted, one after the other:
//
//     mask = precedes(candidates, last pairs)
//     if any lane of mask:
//       for each such lane: move pairs down until the candidate has its place
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

LogicalResult KernelEmitter::insertPair(TopKOp op, const Lists &list, Value value, Value position) {
  Type i64 = builder.getI64Type(), pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type element = op.getValues().getType().getElementType(), memory = getMemoryElement(element);
  unsigned bytes = memory.getIntOrFloatBitWidth() / 8;
  auto placeOf = [&](Value base, Type type, Value stride, Value number) -> Value {
    Value offset = arith::MulIOp::create(builder, loc, number, stride);
    return LLVM::GEPOp::create(builder, loc, pointer, type, base, ArrayRef<LLVM::GEPArg>{offset});
  };
  auto store = [&](Value number, Value stored, Value storedPosition) {
    LLVM::StoreOp::create(builder, loc, toMemoryFormat(stored, element),
                          placeOf(list.values, memory, list.valueStride, number), bytes);
    LLVM::StoreOp::create(builder, loc, storedPosition,
                          placeOf(list.indices, i64, list.indexStride, number), 8);
  };
  Value length = arith::ConstantIntOp::create(builder, loc, list.length, 64);
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 64);
  Value one = arith::ConstantIntOp::create(builder, loc, 1, 64);
  auto storeInside = [&](Value number, Value stored, Value storedPosition) {
    Value isInside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, number, length);
    auto branch = scf::IfOp::create(builder, loc, isInside);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    store(number, stored, storedPosition);
  };

  // The candidate's place is `number` at the latest; the pair before it moves down.
  SmallVector<Type> types{i64, value.getType(), i64};
  SmallVector<Location> locs(3, loc);
  auto loop = scf::WhileOp::create(builder, loc, types, ValueRange{length});
  Block *before = builder.createBlock(&loop.getBefore(), {}, {i64}, {loc});
  builder.pushScope(before);
  Value number = before->getArgument(0);
  Value hasPrevious = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sgt, number, zero);
  Value previous =
      arith::MaxSIOp::create(builder, loc, arith::SubIOp::create(builder, loc, number, one), zero);
  Value other = fromMemoryFormat(
      LLVM::LoadOp::create(builder, loc, memory,
                           placeOf(list.values, memory, list.valueStride, previous), bytes),
      element);
  Value otherPosition = LLVM::LoadOp::create(
      builder, loc, i64, placeOf(list.indices, i64, list.indexStride, previous), 8);
  FailureOr<SmallVector<Value>> precedes =
      emitBody(op.getPrecedes().front(), {value, position, other, otherPosition});
  if (failed(precedes))
    return failure();
  Value moves = arith::AndIOp::create(builder, loc, hasPrevious, precedes->front());
  scf::ConditionOp::create(builder, loc, moves, ValueRange{number, other, otherPosition});
  builder.popScope();

  Block *after = builder.createBlock(&loop.getAfter(), {}, types, locs);
  builder.pushScope(after);
  storeInside(after->getArgument(0), after->getArgument(1), after->getArgument(2));
  scf::YieldOp::create(builder, loc,
                       ValueRange{arith::SubIOp::create(builder, loc, after->getArgument(0), one)});
  builder.popScope();
  builder.setInsertionPointAfter(loop);
  storeInside(loop.getResult(0), value, position);
  return success();
}

LogicalResult KernelEmitter::insertLanes(TopKOp op, const Lists &lists, Value candidates,
                                         Value positions, Value mask, int64_t width) {
  if (width == 1)
    return insertPair(op, lists, candidates, positions);
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
  if (failed(insertPair(op, list, pick(candidates), pick(positions))))
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
      Poly lastValue = addressAt(op.getValues(), length - 1);
      Value valueBase = resolve(root).base;
      Poly firstIndex = addressAt(op.getIndices(), 0);
      Poly indexStride = addressAt(op.getIndices(), 1) - firstIndex;
      Poly lastIndex = addressAt(op.getIndices(), length - 1);
      Value indexBase = resolve(root).base;

      Value worst =
          loadPart(valueBase, element, lastValue, width, where, builder.getZeroAttr(element));
      Value worstPosition =
          loadPart(indexBase, i64, lastIndex, width, where, builder.getZeroAttr(i64));
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
                  begin(indexBase, i64, firstIndex), builder.emit(loc, valueStride),
                  builder.emit(loc, indexStride), length};
      if (failed(insertLanes(op, lists, candidate, position, mask, width)))
        return failure();
      scf::YieldOp::create(builder, loc);
      builder.popScope();
    }
  }
  return success();
}
