//===- NumberOps.cpp - quantize, dequantize, convert ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NumberOps.h"

#include "Numbers.h"

#include "sectile/Numbers/Codes.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::lowering;
using namespace sectile::tile;
using formats::Format;

/// A register value of a float as f32 or f64, as `l` computes.
static Num toCompute(Lanes &l, Value value) {
  bool isWide = getElementTypeOrSelf(value.getType()).isF64();
  if (l.wide && !isWide)
    value = arith::ExtFOp::create(l.builder, l.loc, l.numType(), value);
  if (!l.wide && isWide)
    value = arith::TruncFOp::create(l.builder, l.loc, l.numType(), value);
  return l.wrap(value);
}

/// Numbers of codes, which are integers, or floats that are in registers what they stand for.
static Num decodeHeld(Lanes &l, Value held, const Format &format) {
  if (isa<FloatType>(getElementTypeOrSelf(held.getType())))
    return toCompute(l, held);
  Lanes narrow(l.builder, l.loc, l.target, held, /*wide=*/false);
  if (std::optional<Num> numbers = decodeByTable(narrow, held, format))
    return toCompute(l, *numbers);
  return toCompute(l, decode(readCodes(narrow, held, format), format));
}

/// The difference of the numbers of two codes.
static Num subtractCodes(Lanes &l, Value codes, Value zero, const Format &format) {
  if (isa<IntegerType>(getElementTypeOrSelf(codes.getType()))) {
    // Differences of integers are exact, and one conversion serves both.
    Lanes narrow(l.builder, l.loc, l.target, codes, /*wide=*/false);
    std::optional<Num> left = decodeInteger(readCodes(narrow, codes, format), format);
    std::optional<Num> right = decodeInteger(readCodes(narrow, zero, format), format);
    if (left && right)
      return toCompute(l, toNumber(*left - *right, format));
  }
  return decodeHeld(l, codes, format) - decodeHeld(l, zero, format);
}

Value NumberOps::toElement(Value value, Type element) {
  bool isWide = getElementTypeOrSelf(value.getType()).isF64();
  if (element.isF64())
    return isWide ? value
                  : arith::ExtFOp::create(builder, loc, withLanesOf(value, element), value)
                        .getResult();
  if (isWide && isNarrowFloat(element))
    value = truncateToOdd(builder, loc, value);
  else if (isWide)
    value = arith::TruncFOp::create(builder, loc, withLanesOf(value, builder.getF32Type()), value);
  return formats.roundTo(value, element);
}

Value NumberOps::holdCodes(Value codes, Type element) {
  unsigned width = element.getIntOrFloatBitWidth();
  Type type = withLanesOf(codes, builder.getIntegerType(width));
  if (width < 32)
    codes = arith::TruncIOp::create(builder, loc, type, codes);
  else if (width > 32)
    codes = arith::ExtSIOp::create(builder, loc, type, codes);
  return isa<FloatType>(element) ? formats.fromMemoryFormat(codes, element) : codes;
}

Value NumberOps::convert(ConvertOp op, ArrayRef<Value> operands) {
  Type element = getElementTypeOrSelf(op.getType());
  Value source = operands[0];
  bool isWide = !op.getFrom() && getElementTypeOrSelf(source.getType()).isF64();
  Lanes l(builder, loc, target, source, isWide);
  Num number =
      op.getFrom() ? decodeHeld(l, source, numbers::getFormat(*op.getFrom())) : l.wrap(source);
  if (!op.getTo())
    return toElement(number, element);
  return holdCodes(encode(number, {}, numbers::getFormat(*op.getTo()), op.getSpecial()), element);
}

Value NumberOps::dequantize(DequantizeOp op, ArrayRef<Value> operands) {
  Type element = getElementTypeOrSelf(op.getType());
  Type codes = getElementTypeOrSelf(op.getCodes().getType());
  Type scale = getElementTypeOrSelf(op.getScale().getType());
  Format format = numbers::getFormat(op.getFormat());
  Lanes l(builder, loc, target, operands[0], numbers::getComputeType({element, scale}).isF64());
  auto subtractZero = [&]() -> Num {
    if (!op.getZero())
      return decodeHeld(l, operands[0], format);
    if (numbers::isCode(getElementTypeOrSelf(op.getZero().getType()), codes))
      return subtractCodes(l, operands[0], operands[2], format);
    return decodeHeld(l, operands[0], format) - toCompute(l, operands[2]);
  };
  return toElement(subtractZero() * toCompute(l, operands[1]), element);
}

Value NumberOps::quantize(QuantizeOp op, ArrayRef<Value> operands) {
  Type values = getElementTypeOrSelf(op.getValues().getType());
  Type codes = getElementTypeOrSelf(op.getCodes().getType());
  Type scale = getElementTypeOrSelf(op.getScale().getType());
  Type compute = numbers::getComputeType({values, scale});
  Type precision = op.getPrecision().value_or(compute);
  Format format = numbers::getFormat(op.getFormat());
  Lanes l(builder, loc, target, operands[0], precision.isF64());
  Value ratio =
      l.wrap(toElement(operands[0], precision)) / l.wrap(toElement(operands[1], precision));
  // Twice the bits of a narrow quotient and two more are less than f32 has: no bit of the second
  // rounding depends on the first.
  Num quotient = l.wrap(formats.roundTo(ratio, precision));
  std::optional<Num> shift;
  if (!op.getZero())
    return holdCodes(encode(quotient, shift, format, op.getSpecial()), codes);
  bool isCode = numbers::isCode(getElementTypeOrSelf(op.getZero().getType()), codes);
  if (isCode && format.isInteger()) {
    shift = decodeHeld(l, operands[2], format);
    return holdCodes(encode(quotient, shift, format, op.getSpecial()), codes);
  }
  // The sum is rounded to the type that is computed in, once the quotient is in `precision`.
  Lanes wide(builder, loc, target, operands[0], precision.isF64() || compute.isF64());
  Lanes own(builder, loc, target, operands[0], compute.isF64());
  Num zero =
      isCode ? decodeHeld(own, operands[2], format) : own.wrap(toElement(operands[2], compute));
  Num sum = toCompute(own, toCompute(wide, quotient) + toCompute(wide, zero));
  return holdCodes(encode(sum, shift, format, op.getSpecial()), codes);
}

FailureOr<Value> NumberOps::emit(Operation *op, ArrayRef<Value> operands, StringRef where) {
  if (auto quantizes = dyn_cast<QuantizeOp>(op); quantizes && quantizes.getPrecision())
    if (Type precision = *quantizes.getPrecision();
        !precision.isF32() && !precision.isF64() && !isNarrowFloat(precision))
      return op->emitOpError(
                 "expects precision f16, bf16, f32, f64 or an 8-bit float with code on ")
             << where << ", but got " << precision;
  if (auto converts = dyn_cast<ConvertOp>(op))
    return convert(converts, operands);
  if (auto dequantizes = dyn_cast<DequantizeOp>(op))
    return dequantize(dequantizes, operands);
  return quantize(cast<QuantizeOp>(op), operands);
}
