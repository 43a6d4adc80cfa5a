//===- Formats.cpp - elements in memory and in registers --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Floats of 8 and 16 bits are f32 in registers, booleans are bytes in memory. The
// conversions are spelled out in integer operations where the level has no
// instruction: LLVM would call its runtime library, once per lane.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "lib/Conversion/Support/Bits.h"
#include "lib/Conversion/Support/Numbers.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;

static Value f32ToBF16(Bits &b, Value value) {
  Value bits = b.asInt(value);
  Value isNumber = b.less(b.both(bits, 0x7fffffff), 0x7f800001);
  Value quiet = b.either(bits, b.constant(0x00400000));
  return b.narrow(b.right(b.select(isNumber, roundBits(b, bits, 16), quiet), 16));
}

static Value bf16ToF32(Bits &b, Value value) { return b.asFloat(b.left(b.widen(value), 16)); }

static Value f32ToF16(Bits &b, Value value) {
  Value bits = b.asInt(value), magnitude = b.both(bits, 0x7fffffff);
  // Normal: rebias the exponent after rounding; a carry into it is right, up to infinity.
  Value normal = b.right(b.sub(roundBits(b, magnitude, 13), b.constant(0x38000000)), 13);
  // Subnormal: adding 0.5 aligns the last place to 2^-24 and rounds.
  Value half = b.floatConstant(0.5f);
  Value sum = arith::AddFOp::create(b.builder, b.loc, b.asFloat(magnitude), half);
  Value subnormal = b.sub(b.asInt(sum), b.asInt(half));
  Value payload = b.either(b.both(b.right(magnitude, 13), 0x3ff), b.constant(0x7e00));
  Value special = b.select(b.less(magnitude, 0x7f800001), b.constant(0x7c00), payload);
  Value finite = b.select(b.less(magnitude, 0x38800000), subnormal, normal);
  Value result = b.select(b.less(magnitude, 0x47800000), finite, special);
  return b.narrow(b.either(result, b.both(b.right(bits, 16), 0x8000)));
}

static Value f16ToF32(Bits &b, Value value) {
  Value bits = b.widen(value), magnitude = b.both(bits, 0x7fff);
  Value moved = b.left(magnitude, 13);
  Value normal = b.add(moved, b.constant(0x38000000));
  Value special = b.add(moved, b.constant(0x70000000));
  Value scaled = arith::MulFOp::create(b.builder, b.loc,
                                       arith::SIToFPOp::create(b.builder, b.loc, b.f32, magnitude),
                                       b.floatConstant(0x1p-24f));
  Value finite = b.select(b.less(magnitude, 0x0400), b.asInt(scaled), normal);
  Value result = b.select(b.less(magnitude, 0x7c00), finite, special);
  return b.asFloat(b.either(result, b.left(b.both(bits, 0x8000), 16)));
}

Type KernelEmitter::getMemoryElement(Type element) const {
  MLIRContext *context = element.getContext();
  if (element.isInteger(1) || getSmallFloat(element))
    return IntegerType::get(context, 8);
  if (element.isBF16() || (element.isF16() && !level.hasF16Conversion))
    return IntegerType::get(context, 16);
  return element.isF16() ? element : getRegisterType(element);
}

Value KernelEmitter::toMemoryFormat(Value value, Type element) {
  auto it = narrowSources.find(value);
  if (it != narrowSources.end() && it->second.first == element)
    return it->second.second;
  Type memory = getPartType(getMemoryElement(element), getNumLanes(value));
  if (element.isInteger(1))
    return arith::ExtUIOp::create(builder, loc, memory, value);
  if (!isNarrowFloat(element))
    return value;
  Bits bits(builder, loc, value);
  if (std::optional<formats::FloatLayout> layout = getSmallFloat(element))
    return arith::TruncIOp::create(builder, loc, bits.i8,
                                   encodeFloat(bits, value, *layout, /*special=*/true));
  if (element.isBF16())
    return f32ToBF16(bits, value);
  if (!level.hasF16Conversion)
    return f32ToF16(bits, value);
  return arith::TruncFOp::create(builder, loc, memory, value);
}

Value KernelEmitter::fromMemoryFormat(Value value, Type element) {
  if (element.isInteger(1)) {
    Value zero = makeConstant(builder, loc, value.getType(), builder.getI8IntegerAttr(0));
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, value, zero);
  }
  if (!isNarrowFloat(element))
    return value;
  Bits bits(builder, loc, value);
  Value result;
  if (std::optional<formats::FloatLayout> layout = getSmallFloat(element))
    result = decodeFloat(bits, bits.widen(value), *layout);
  else if (element.isBF16())
    result = bf16ToF32(bits, value);
  else if (!level.hasF16Conversion)
    result = f16ToF32(bits, value);
  else
    result = arith::ExtFOp::create(builder, loc, bits.f32, value);
  narrowSources[result] = {element, value};
  return result;
}
