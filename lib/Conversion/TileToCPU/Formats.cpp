//===- Formats.cpp - elements in memory and in registers --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// f16 and bf16 are f32 in registers, booleans are bytes in memory. The
// conversions are spelled out in integer operations where the level has no
// instruction: LLVM would call its runtime library, once per lane.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile::cpu;

namespace {
/// Integer and float arithmetic on a part of 32-bit elements.
struct Bits {
  OpBuilder &builder;
  Location loc;
  Type i32, f32, i16;

  Bits(OpBuilder &builder, Location loc, Value like)
      : builder(builder), loc(loc), i32(getPartType(builder.getI32Type(), getNumLanes(like))),
        f32(getPartType(builder.getF32Type(), getNumLanes(like))),
        i16(getPartType(builder.getIntegerType(16), getNumLanes(like))) {}

  Value constant(uint32_t value) {
    return makeConstant(builder, loc, i32, builder.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  Value floatConstant(float value) {
    return makeConstant(builder, loc, f32, builder.getF32FloatAttr(value));
  }
  Value asInt(Value v) { return arith::BitcastOp::create(builder, loc, i32, v); }
  Value asFloat(Value v) { return arith::BitcastOp::create(builder, loc, f32, v); }
  Value widen(Value v) { return arith::ExtUIOp::create(builder, loc, i32, v); }
  Value narrow(Value v) { return arith::TruncIOp::create(builder, loc, i16, v); }
  Value add(Value a, Value b) { return arith::AddIOp::create(builder, loc, a, b); }
  Value sub(Value a, Value b) { return arith::SubIOp::create(builder, loc, a, b); }
  Value both(Value a, uint32_t b) { return arith::AndIOp::create(builder, loc, a, constant(b)); }
  Value either(Value a, Value b) { return arith::OrIOp::create(builder, loc, a, b); }
  Value left(Value a, unsigned n) { return arith::ShLIOp::create(builder, loc, a, constant(n)); }
  Value right(Value a, unsigned n) { return arith::ShRUIOp::create(builder, loc, a, constant(n)); }
  Value less(Value a, uint32_t b) {
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, a, constant(b));
  }
  Value select(Value c, Value a, Value b) { return arith::SelectOp::create(builder, loc, c, a, b); }
};
} // namespace

/// bits + (half - 1) + lowest kept bit: what rounding to nearest even drops then carries over.
static Value roundBits(Bits &b, Value bits, unsigned dropped) {
  Value even = b.both(b.right(bits, dropped), 1);
  return b.add(b.add(bits, b.constant((1u << (dropped - 1)) - 1)), even);
}

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
  if (element.isInteger(1))
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
  if (!element.isF16() && !element.isBF16())
    return value;
  Bits bits(builder, loc, value);
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
  if (!element.isF16() && !element.isBF16())
    return value;
  Bits bits(builder, loc, value);
  Value result;
  if (element.isBF16())
    result = bf16ToF32(bits, value);
  else if (!level.hasF16Conversion)
    result = f16ToF32(bits, value);
  else
    result = arith::ExtFOp::create(builder, loc, bits.f32, value);
  narrowSources[result] = {element, value};
  return result;
}
