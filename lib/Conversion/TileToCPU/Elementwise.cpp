//===- Elementwise.cpp - arith and math on the parts of tiles ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "Numbers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;

Value KernelEmitter::roundTo(Value value, Type element) {
  if (!isNarrowFloat(element))
    return value;
  auto it = narrowSources.find(value);
  if (it != narrowSources.end() && it->second.first == element)
    return value;
  return fromMemoryFormat(toMemoryFormat(value, element), element);
}

LogicalResult KernelEmitter::emitConstant(Operation *op) {
  auto attr = cast<arith::ConstantOp>(op).getValue();
  Tile tile = makeTile(op->getResult(0).getType(), wantsScalars(op->getResult(0)));
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense || dense.isSplat()) {
    auto element = dense ? cast<TypedAttr>(dense.getSplatValue<Attribute>()) : attr;
    Value value = arith::ConstantOp::create(builder, loc, toRegisterAttr(element));
    tile.parts.assign(tile.getNumParts(), value);
    setTile(op->getResult(0), std::move(tile));
    return success();
  }
  SmallVector<Attribute> elements;
  for (Attribute element : dense.getValues<Attribute>())
    elements.push_back(toRegisterAttr(cast<TypedAttr>(element)));
  ArrayRef<Attribute> rest(elements);
  for (int64_t i = 0; i < tile.getNumParts(); ++i) {
    int64_t width = tile.getWidth(i % tile.getPartsPerRow());
    if (width == 1) {
      tile.parts.push_back(arith::ConstantOp::create(builder, loc, cast<TypedAttr>(rest[0])));
    } else {
      auto type = VectorType::get({width}, getRegisterType(tile.element));
      tile.parts.push_back(arith::ConstantOp::create(
          builder, loc, DenseElementsAttr::get(type, rest.take_front(width))));
    }
    rest = rest.drop_front(width);
  }
  setTile(op->getResult(0), std::move(tile));
  return success();
}

LogicalResult KernelEmitter::emitElementwise(Operation *op) {
  Value result = op->getResult(0);
  Tile tile = makeTile(result.getType(), wantsScalars(result));
  SmallVector<Tile> operands;
  for (Value operand : op->getOperands())
    operands.push_back(isa<RankedTensorType>(operand.getType())
                           ? repartition(getTile(operand), tile.lanes)
                           : getTile(operand));
  for (int64_t i = 0; i < tile.getNumParts(); ++i) {
    SmallVector<Value> values;
    for (const Tile &operand : operands)
      values.push_back(operand.shape.empty() ? operand.parts[0] : operand.parts[i]);
    FailureOr<Value> value = emitPartOp(op, values, tile.element);
    if (failed(value))
      return failure();
    tile.parts.push_back(*value);
  }
  setTile(result, std::move(tile));
  return success();
}

/// Division that does not trap: by zero it yields the dividend, and overflow wraps.
Value KernelEmitter::emitDivision(Operation *op, Value lhs, Value rhs) {
  auto clone = [&](Value divisor) {
    OperationState state(loc, op->getName(), {lhs, divisor}, lhs.getType(), op->getAttrs());
    return builder.create(state)->getResult(0);
  };
  if (matchPattern(rhs, m_Constant())) {
    APInt value;
    if (matchPattern(rhs, m_ConstantInt(&value)) && !value.isZero() && !value.isAllOnes())
      return clone(rhs);
  }
  Type element = getElementTypeOrSelf(lhs.getType());
  auto constant = [&](int64_t value) {
    return makeConstant(builder, loc, lhs.getType(), builder.getIntegerAttr(element, value));
  };
  auto equals = [&](Value value) -> Value {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, rhs, value);
  };
  bool isSigned = isa<arith::DivSIOp, arith::RemSIOp, arith::FloorDivSIOp, arith::CeilDivSIOp>(op);
  Value unsafe = equals(constant(0)), isMinusOne;
  if (isSigned) {
    isMinusOne = equals(constant(-1));
    unsafe = arith::OrIOp::create(builder, loc, unsafe, isMinusOne);
  }
  Value safe = arith::SelectOp::create(builder, loc, unsafe, constant(1), rhs);
  Value result = clone(safe);
  if (!isSigned || isa<arith::RemSIOp>(op))
    return result;
  Value negated = arith::SubIOp::create(builder, loc, constant(0), lhs);
  return arith::SelectOp::create(builder, loc, isMinusOne, negated, result);
}

FailureOr<Value> KernelEmitter::emitPartOp(Operation *op, ArrayRef<Value> given,
                                           Type resultElement) {
  int64_t width = 1;
  for (Value operand : given)
    width = std::max(width, getNumLanes(operand));
  SmallVector<Value> operands;
  for (auto [i, operand] : llvm::enumerate(given)) {
    bool isScalarCondition = i == 0 && isa<arith::SelectOp>(op);
    operands.push_back(isScalarCondition ? operand : splat(builder, loc, operand, width));
  }
  Type from = getElementTypeOrSelf(op->getOperand(0).getType());
  Type registers = getRegisterType(resultElement);
  Type type = getPartType(registers, width);

  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp, arith::FloorDivSIOp,
          arith::CeilDivSIOp, arith::CeilDivUIOp>(op))
    return emitDivision(op, operands[0], operands[1]);
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op)) {
    unsigned fromBits = getRegisterType(from).getIntOrFloatBitWidth();
    unsigned toBits = registers.getIntOrFloatBitWidth();
    if (fromBits == toBits)
      return operands[0];
    if (fromBits > toBits)
      return arith::TruncIOp::create(builder, loc, type, operands[0]).getResult();
    return isa<arith::IndexCastOp>(op)
               ? arith::ExtSIOp::create(builder, loc, type, operands[0]).getResult()
               : arith::ExtUIOp::create(builder, loc, type, operands[0]).getResult();
  }
  if (isa<arith::ExtFOp>(op) && isNarrowFloat(from) && !resultElement.isF64())
    return operands[0];
  if (isa<arith::TruncFOp>(op) && isNarrowFloat(resultElement))
    return roundTo(from.isF64() ? truncateToOdd(builder, loc, operands[0]) : operands[0],
                   resultElement);
  if (isa<arith::BitcastOp>(op) && (isNarrowFloat(from) || isNarrowFloat(resultElement))) {
    Type bits =
        withLanesOf(operands[0], builder.getIntegerType(resultElement.getIntOrFloatBitWidth()));
    Value value = isNarrowFloat(from) ? toMemoryFormat(operands[0], from) : operands[0];
    if (value.getType() != bits)
      value = arith::BitcastOp::create(builder, loc, bits, value);
    if (!isNarrowFloat(resultElement))
      return value;
    Type memory = withLanesOf(value, getMemoryElement(resultElement));
    if (value.getType() != memory)
      value = arith::BitcastOp::create(builder, loc, memory, value);
    return fromMemoryFormat(value, resultElement);
  }
  OperationState state(loc, op->getName(), operands, type, op->getAttrs());
  arith::FastMathFlags allowed = arith::FastMathFlags::none;
  if (isa<arith::AddFOp, arith::SubFOp, arith::MulFOp>(op))
    allowed = arith::FastMathFlags::contract;
  if (isa<arith::MaximumFOp, arith::MinimumFOp>(op))
    allowed = arith::FastMathFlags::nsz;
  if (floatMode != FloatMode::Strict && allowed != arith::FastMathFlags::none) {
    auto given = cast<arith::ArithFastMathInterface>(op).getFastMathFlagsAttr().getValue();
    state.attributes.set("fastmath",
                         arith::FastMathFlagsAttr::get(builder.getContext(), given | allowed));
  }
  Value result = builder.create(state)->getResult(0);
  bool isConversion = isa<arith::SIToFPOp, arith::UIToFPOp>(op);
  bool isRounded = floatMode == FloatMode::Strict && !isa<arith::SelectOp, arith::NegFOp>(op);
  if (isNarrowFloat(resultElement) && (isConversion || isRounded))
    return roundTo(result, resultElement);
  return result;
}
