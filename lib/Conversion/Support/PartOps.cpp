//===- PartOps.cpp - elementwise ops on values in registers --------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PartOps.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile::lowering;

/// Division that does not trap: by zero it yields the dividend, and overflow wraps.
static Value emitDivision(OpBuilder &builder, Location loc, Operation *op, Value lhs, Value rhs) {
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

Value sectile::lowering::emitPartOp(OpBuilder &builder, Location loc, Operation *op,
                                    ArrayRef<Value> given, Type resultElement, bool isStrict,
                                    ElementFormats &formats) {
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
    return emitDivision(builder, loc, op, operands[0], operands[1]);
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
    return formats.roundTo(from.isF64() ? truncateToOdd(builder, loc, operands[0]) : operands[0],
                           resultElement);
  if (isa<arith::BitcastOp>(op) && (isNarrowFloat(from) || isNarrowFloat(resultElement))) {
    Type bits =
        withLanesOf(operands[0], builder.getIntegerType(resultElement.getIntOrFloatBitWidth()));
    Value value = isNarrowFloat(from) ? formats.toMemoryFormat(operands[0], from) : operands[0];
    if (value.getType() != bits)
      value = arith::BitcastOp::create(builder, loc, bits, value);
    if (!isNarrowFloat(resultElement))
      return value;
    Type memory = withLanesOf(value, formats.getMemoryElement(resultElement));
    if (value.getType() != memory)
      value = arith::BitcastOp::create(builder, loc, memory, value);
    return formats.fromMemoryFormat(value, resultElement);
  }
  OperationState state(loc, op->getName(), operands, type, op->getAttrs());
  arith::FastMathFlags allowed = arith::FastMathFlags::none;
  if (isa<arith::AddFOp, arith::SubFOp, arith::MulFOp>(op))
    allowed = arith::FastMathFlags::contract;
  if (isa<arith::MaximumFOp, arith::MinimumFOp>(op))
    allowed = arith::FastMathFlags::nsz;
  if (!isStrict && allowed != arith::FastMathFlags::none) {
    auto given = cast<arith::ArithFastMathInterface>(op).getFastMathFlagsAttr().getValue();
    state.attributes.set("fastmath",
                         arith::FastMathFlagsAttr::get(builder.getContext(), given | allowed));
  }
  Value result = builder.create(state)->getResult(0);
  bool isConversion = isa<arith::SIToFPOp, arith::UIToFPOp>(op);
  bool isRounded = isStrict && !isa<arith::SelectOp, arith::NegFOp>(op);
  if (isNarrowFloat(resultElement) && (isConversion || isRounded))
    return formats.roundTo(result, resultElement);
  return result;
}

FailureOr<SmallVector<Value>> sectile::lowering::emitBody(OpBuilder &builder, Location loc,
                                                          Block &block, ArrayRef<Value> arguments,
                                                          function_ref<Value(Value)> outer,
                                                          StringRef where, bool isStrict,
                                                          ElementFormats &formats) {
  DenseMap<Value, Value> values;
  int64_t width = 1;
  for (Value value : arguments)
    width = std::max(width, getNumLanes(value));
  for (auto [argument, value] : llvm::zip_equal(block.getArguments(), arguments))
    values[argument] = splat(builder, loc, value, width);
  auto valueOf = [&](Value value) {
    auto it = values.find(value);
    return it != values.end() ? it->second : outer(value);
  };
  for (Operation &inner : block.without_terminator()) {
    if (auto constant = dyn_cast<arith::ConstantOp>(inner)) {
      values[constant] =
          arith::ConstantOp::create(builder, loc, toRegisterAttr(constant.getValue()));
      continue;
    }
    if (!OpTrait::hasElementwiseMappableTraits(&inner) || inner.getNumResults() != 1)
      return inner.emitOpError("is not supported in the body of '")
             << block.getParentOp()->getName() << "' by " << where;
    SmallVector<Value> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(valueOf(operand));
    values[inner.getResult(0)] =
        emitPartOp(builder, loc, &inner, operands,
                   getElementTypeOrSelf(inner.getResult(0).getType()), isStrict, formats);
  }
  SmallVector<Value> results;
  for (Value value : block.getTerminator()->getOperands())
    results.push_back(valueOf(value));
  return results;
}

Value sectile::lowering::truncateToOdd(OpBuilder &builder, Location loc, Value value) {
  Type f32 = withLanesOf(value, builder.getF32Type()),
       i32 = withLanesOf(value, builder.getI32Type());
  auto constant = [&](int64_t bits) {
    return makeConstant(builder, loc, i32, builder.getI32IntegerAttr(bits));
  };
  Value near = arith::TruncFOp::create(builder, loc, f32, value);
  Value back = arith::ExtFOp::create(builder, loc, value.getType(), near);
  // NaN compares as exact, and keeps its bits.
  Value isInexact = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::ONE, back, value);
  Value isBeyond = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT,
                                         math::AbsFOp::create(builder, loc, back),
                                         math::AbsFOp::create(builder, loc, value));
  Value bits = arith::BitcastOp::create(builder, loc, i32, near);
  Value towardZero = arith::SubIOp::create(builder, loc, bits, constant(1));
  Value chopped = arith::SelectOp::create(builder, loc, isBeyond, towardZero, bits);
  Value odd = arith::OrIOp::create(builder, loc, chopped, constant(1));
  Value result = arith::SelectOp::create(builder, loc, isInexact, odd, bits);
  return arith::BitcastOp::create(builder, loc, f32, result);
}
