//===- Heap.cpp - lists of first elements, as heaps in memory ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Heap.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::lowering;

PairValue HeapEmitter::load(const PairLists &list, Value place) {
  Value value = LLVM::LoadOp::create(builder, loc, list.memory,
                                     placeOf(list.values, list.memory, list.valueStride, place),
                                     list.memory.getIntOrFloatBitWidth() / 8);
  Type i64 = builder.getI64Type();
  Value position = LLVM::LoadOp::create(builder, loc, i64,
                                        placeOf(list.indices, i64, list.indexStride, place), 8);
  return {formats.fromMemoryFormat(value, list.element), position};
}

void HeapEmitter::store(const PairLists &list, Value place, PairValue pair) {
  LLVM::StoreOp::create(builder, loc, formats.toMemoryFormat(pair.value, list.element),
                        placeOf(list.values, list.memory, list.valueStride, place),
                        list.memory.getIntOrFloatBitWidth() / 8);
  LLVM::StoreOp::create(builder, loc, pair.position,
                        placeOf(list.indices, builder.getI64Type(), list.indexStride, place), 8);
}

Value HeapEmitter::placeOf(Value base, Type type, Value stride, Value number) {
  Value offset = arith::MulIOp::create(builder, loc, number, stride);
  return LLVM::GEPOp::create(builder, loc, base.getType(), type, base,
                             ArrayRef<LLVM::GEPArg>{offset});
}

LogicalResult HeapEmitter::siftDown(const PairLists &list, Value length, PairValue pair) {
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
    return load(list, arith::SelectOp::create(builder, loc, isBelow(place), place, zero));
  };
  PairValue a = readAt(left), b = readAt(right);
  FailureOr<SmallVector<Value>> isFirst = precedes({a.value, a.position, b.value, b.position});
  if (failed(isFirst))
    return failure();
  Value takesRight = arith::AndIOp::create(builder, loc, isBelow(right), isFirst->front());
  Value child = arith::SelectOp::create(builder, loc, takesRight, right, left);
  PairValue other{arith::SelectOp::create(builder, loc, takesRight, b.value, a.value),
                  arith::SelectOp::create(builder, loc, takesRight, b.position, a.position)};
  FailureOr<SmallVector<Value>> stops =
      precedes({other.value, other.position, pair.value, pair.position});
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
  store(list, after->getArgument(0), {after->getArgument(2), after->getArgument(3)});
  scf::YieldOp::create(builder, loc, after->getArgument(1));
  builder.popScope();
  builder.setInsertionPointAfter(loop);
  store(list, loop.getResult(0), pair);
  return success();
}

LogicalResult HeapEmitter::insert(const PairLists &list, PairValue pair) {
  // Another lane may have taken the place meanwhile.
  PairValue last = load(list, arith::ConstantIntOp::create(builder, loc, 0, 64));
  FailureOr<SmallVector<Value>> enters =
      precedes({pair.value, pair.position, last.value, last.position});
  if (failed(enters))
    return failure();
  auto branch = scf::IfOp::create(builder, loc, enters->front());
  branch.thenBlock()->clear();
  builder.pushScope(branch.thenBlock());
  Value length = arith::ConstantIntOp::create(builder, loc, list.length, 64);
  if (failed(siftDown(list, length, pair)))
    return failure();
  scf::YieldOp::create(builder, loc);
  builder.popScope();
  return success();
}

LogicalResult HeapEmitter::sort(const PairLists &list) {
  // The last of those that are left goes to the end.
  Value zero = builder.constant(loc, 0), one = builder.constant(loc, 1);
  Value length = builder.constant(loc, list.length);
  auto loop = scf::ForOp::create(builder, loc, one, length, one);
  loop.getBody()->clear();
  builder.pushScope(loop.getBody());
  Value end = arith::SubIOp::create(builder, loc, length, loop.getInductionVar());
  PairValue last = load(list, zero), moved = load(list, end);
  store(list, end, last);
  if (failed(siftDown(list, end, moved)))
    return failure();
  scf::YieldOp::create(builder, loc);
  builder.popScope();
  return success();
}

AffineMap lowering::moveResult(AffineMap map, unsigned axis, int64_t place) {
  SmallVector<AffineExpr> results(map.getResults());
  results[axis] = getAffineConstantExpr(place, map.getContext());
  return AffineMap::get(map.getNumDims(), map.getNumSymbols(), results, map.getContext());
}
