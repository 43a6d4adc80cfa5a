//===- Contract.cpp - products of tiles in registers ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::tile;

/// `value` as accumulator elements of type `acc` (a register type).
static Value widen(OpBuilder &builder, Location loc, Value value, Type acc, bool isUnsigned) {
  Type type = getPartType(acc, getNumLanes(value));
  if (value.getType() == type)
    return value;
  if (isa<FloatType>(acc))
    return arith::ExtFOp::create(builder, loc, type, value);
  if (isUnsigned)
    return arith::ExtUIOp::create(builder, loc, type, value);
  return arith::ExtSIOp::create(builder, loc, type, value);
}

LogicalResult KernelEmitter::emitDot(DotOp op) {
  if (const ByteColumns *columns = getByteColumns(op))
    return emitByteProduct(op, *columns);
  if (isSumOfBytes(op))
    return emitSumOfBytes(op);
  if (DotOp first = getFirstOfPair(op))
    return emitHalfProducts(first, op);
  Tile lhs = getTile(op.getLhs()), rhs = repartition(getTile(op.getRhs()), lanes);
  Tile acc = repartition(getTile(op.getAcc()), lanes);
  Type element = getRegisterType(acc.element);
  bool isFloat = isa<FloatType>(element);
  int64_t m = lhs.shape[0], k = lhs.shape[1];
  auto multiplyAdd = [&](Value a, Value b, Value c) -> Value {
    if (!isFloat) {
      Value product = arith::MulIOp::create(builder, loc, a, b);
      return arith::AddIOp::create(builder, loc, c, product);
    }
    if (level.getFloatUnit(element.isF64()).hasFma && floatMode != FloatMode::Strict)
      return math::FmaOp::create(builder, loc, a, b, c);
    Value product = arith::MulFOp::create(builder, loc, a, b);
    return arith::AddFOp::create(builder, loc, c, product);
  };
  // Per step of k: the row of rhs is in registers, each element of lhs is broadcast once and
  // meets all of it. LLVM folds the broadcast of a loaded scalar into its load.
  for (int64_t step = 0; step < k; ++step) {
    SmallVector<Value> row;
    for (int64_t part = 0; part < acc.getPartsPerRow(); ++part)
      row.push_back(widen(builder, loc, splat(builder, loc, rhs.at(step, part), acc.getWidth(part)),
                          element, op.getUnsignedRhs()));
    for (int64_t i = 0; i < m; ++i) {
      Element place = getElement(lhs, i * k + step);
      Value scalar = widen(builder, loc, extractLane(builder, loc, place.value, place.lane),
                           element, op.getUnsignedLhs());
      for (int64_t part = 0; part < acc.getPartsPerRow(); ++part) {
        int64_t width = acc.getWidth(part);
        Value &sum = acc.at(i, part);
        sum = multiplyAdd(splat(builder, loc, scalar, width), row[part],
                          splat(builder, loc, sum, width));
      }
    }
  }
  setTile(op.getResult(), std::move(acc));
  return success();
}
