//===- EmitNumbers.cpp - dequantize, quantize, convert ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpuMath.h"
#include "KernelEmitter.h"
#include "Numbers.h"

#include "sectile/Numbers/Codes.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
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
static Num decodeHeld(Lanes &l, Value held, const Format &format, const CpuLevel &level) {
  if (isa<FloatType>(getElementTypeOrSelf(held.getType())))
    return toCompute(l, held);
  Lanes narrow(l.builder, l.loc, l.target, held, /*wide=*/false);
  if (std::optional<Num> numbers = decodeByTable(narrow, held, format, level))
    return toCompute(l, *numbers);
  return toCompute(l, decode(readCodes(narrow, held, format), format));
}

/// The difference of the numbers of two codes.
static Num subtractCodes(Lanes &l, Value codes, Value zero, const Format &format,
                         const CpuLevel &level) {
  if (isa<IntegerType>(getElementTypeOrSelf(codes.getType()))) {
    // Differences of integers are exact, and one conversion serves both.
    Lanes narrow(l.builder, l.loc, l.target, codes, /*wide=*/false);
    std::optional<Num> left = decodeInteger(readCodes(narrow, codes, format), format);
    std::optional<Num> right = decodeInteger(readCodes(narrow, zero, format), format);
    if (left && right)
      return toCompute(l, toNumber(*left - *right, format));
  }
  return decodeHeld(l, codes, format, level) - decodeHeld(l, zero, format, level);
}

Value KernelEmitter::toElement(Value value, Type element) {
  bool isWide = getElementTypeOrSelf(value.getType()).isF64();
  if (element.isF64())
    return isWide ? value
                  : arith::ExtFOp::create(builder, loc, withLanesOf(value, element), value)
                        .getResult();
  if (isWide && isNarrowFloat(element))
    value = truncateToOdd(builder, loc, value);
  else if (isWide)
    value = arith::TruncFOp::create(builder, loc, withLanesOf(value, builder.getF32Type()), value);
  return roundTo(value, element);
}

Value KernelEmitter::holdCodes(Value codes, Type element) {
  unsigned width = element.getIntOrFloatBitWidth();
  Type type = withLanesOf(codes, builder.getIntegerType(width));
  if (width < 32)
    codes = arith::TruncIOp::create(builder, loc, type, codes);
  else if (width > 32)
    codes = arith::ExtSIOp::create(builder, loc, type, codes);
  return isa<FloatType>(element) ? fromMemoryFormat(codes, element) : codes;
}

Value KernelEmitter::emitConvertPart(ConvertOp op, ArrayRef<Value> operands) {
  Type element = getElementTypeOrSelf(op.getType());
  Value source = operands[0];
  bool isWide = !op.getFrom() && getElementTypeOrSelf(source.getType()).isF64();
  Lanes l(builder, loc, getMathTarget(level), source, isWide);
  Num number = op.getFrom() ? decodeHeld(l, source, numbers::getFormat(*op.getFrom()), level)
                            : l.wrap(source);
  if (!op.getTo())
    return toElement(number, element);
  return holdCodes(encode(number, {}, numbers::getFormat(*op.getTo()), op.getSpecial()), element);
}

Value KernelEmitter::emitDequantizePart(DequantizeOp op, ArrayRef<Value> operands) {
  Type element = getElementTypeOrSelf(op.getType());
  Type codes = getElementTypeOrSelf(op.getCodes().getType());
  Type scale = getElementTypeOrSelf(op.getScale().getType());
  Format format = numbers::getFormat(op.getFormat());
  Lanes l(builder, loc, getMathTarget(level), operands[0],
          numbers::getComputeType({element, scale}).isF64());
  auto subtractZero = [&]() -> Num {
    if (!op.getZero())
      return decodeHeld(l, operands[0], format, level);
    if (numbers::isCode(getElementTypeOrSelf(op.getZero().getType()), codes))
      return subtractCodes(l, operands[0], operands[2], format, level);
    return decodeHeld(l, operands[0], format, level) - toCompute(l, operands[2]);
  };
  return toElement(subtractZero() * toCompute(l, operands[1]), element);
}

Value KernelEmitter::emitQuantizePart(QuantizeOp op, ArrayRef<Value> operands) {
  Type values = getElementTypeOrSelf(op.getValues().getType());
  Type codes = getElementTypeOrSelf(op.getCodes().getType());
  Type scale = getElementTypeOrSelf(op.getScale().getType());
  Type compute = numbers::getComputeType({values, scale});
  Type precision = op.getPrecision().value_or(compute);
  Format format = numbers::getFormat(op.getFormat());
  Lanes l(builder, loc, getMathTarget(level), operands[0], precision.isF64());
  Value ratio =
      l.wrap(toElement(operands[0], precision)) / l.wrap(toElement(operands[1], precision));
  // Twice the bits of a narrow quotient and two more are less than f32 has: no bit of the second
  // rounding depends on the first.
  Num quotient = l.wrap(roundTo(ratio, precision));
  std::optional<Num> shift;
  if (!op.getZero())
    return holdCodes(encode(quotient, shift, format, op.getSpecial()), codes);
  bool isCode = numbers::isCode(getElementTypeOrSelf(op.getZero().getType()), codes);
  if (isCode && format.isInteger()) {
    shift = decodeHeld(l, operands[2], format, level);
    return holdCodes(encode(quotient, shift, format, op.getSpecial()), codes);
  }
  // The sum is rounded to the type that is computed in, once the quotient is in `precision`.
  Lanes wide(builder, loc, getMathTarget(level), operands[0], precision.isF64() || compute.isF64());
  Lanes own(builder, loc, getMathTarget(level), operands[0], compute.isF64());
  Num zero = isCode ? decodeHeld(own, operands[2], format, level)
                    : own.wrap(toElement(operands[2], compute));
  Num sum = toCompute(own, toCompute(wide, quotient) + toCompute(wide, zero));
  return holdCodes(encode(sum, shift, format, op.getSpecial()), codes);
}

Value KernelEmitter::getRepeatedPart(const Tile &tile, const Tile &whole, int64_t row,
                                     int64_t part) {
  if (tile.shape.empty())
    return tile.parts[0];
  int64_t source = 0;
  for (auto [dim, coord] : llvm::enumerate(rowCoords(whole, row)))
    source = source * tile.shape[dim] + (tile.shape[dim] == 1 ? 0 : coord);
  if (tile.getRowLength() == whole.getRowLength())
    return tile.at(source, part);
  return tile.at(source, 0); // of one element
}

LogicalResult KernelEmitter::emitNumbers(Operation *op) {
  if (auto quantize = dyn_cast<QuantizeOp>(op); quantize && quantize.getPrecision())
    if (Type precision = *quantize.getPrecision();
        !precision.isF32() && !precision.isF64() && !isNarrowFloat(precision))
      return op->emitOpError(
                 "expects precision f16, bf16, f32, f64 or an 8-bit float with code on ")
             << level.name << ", but got " << precision;
  Value result = op->getResult(0);
  Tile tile = makeTile(result.getType());
  SmallVector<Tile> operands;
  for (Value operand : op->getOperands())
    operands.push_back(isa<RankedTensorType>(operand.getType())
                           ? repartition(getTile(operand), tile.lanes)
                           : getTile(operand));
  for (int64_t row = 0; row < tile.getNumRows(); ++row)
    for (int64_t part = 0; part < tile.getPartsPerRow(); ++part) {
      SmallVector<Value> values;
      int64_t width = 1;
      for (const Tile &operand : operands) {
        values.push_back(getRepeatedPart(operand, tile, row, part));
        width = std::max(width, getNumLanes(values.back()));
      }
      for (Value &value : values)
        value = splat(builder, loc, value, width);
      tile.parts.push_back(
          llvm::TypeSwitch<Operation *, Value>(op)
              .Case([&](ConvertOp convert) { return emitConvertPart(convert, values); })
              .Case([&](DequantizeOp dequantize) { return emitDequantizePart(dequantize, values); })
              .Case([&](QuantizeOp quantize) { return emitQuantizePart(quantize, values); }));
    }
  setTile(result, std::move(tile));
  return success();
}
