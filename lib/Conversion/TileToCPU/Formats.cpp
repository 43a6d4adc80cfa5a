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

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile::cpu;

namespace {
/// Integer and float arithmetic on a part of 32-bit elements.
struct Bits {
  OpBuilder &builder;
  Location loc;
  Type i32, f32, i16, i8;

  Bits(OpBuilder &builder, Location loc, Value like)
      : builder(builder), loc(loc), i32(getPartType(builder.getI32Type(), getNumLanes(like))),
        f32(getPartType(builder.getF32Type(), getNumLanes(like))),
        i16(getPartType(builder.getIntegerType(16), getNumLanes(like))),
        i8(getPartType(builder.getIntegerType(8), getNumLanes(like))) {}

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

namespace {
/// A float of 8 bits: sign, exponent, mantissa.
struct SmallFloat {
  unsigned mantissaBits;
  int32_t bias;
  /// Codes without a sign: the largest finite number, what is larger becomes, a NaN.
  uint32_t largest, overflow, nan;
  /// Whether codes have infinities and NaNs like those of IEEE formats.
  bool isIEEE;
  /// Whether 0x80, which would be -0, is the only NaN.
  bool isUnsignedZero;
};
} // namespace

/// The format of `type`, if it is a float of 8 bits. The figures are those of the OCP 8-bit
/// Floating Point Specification 1.0 and, of the forms without -0, of LLVM's APFloat.
static std::optional<SmallFloat> getSmallFloat(Type type) {
  if (isa<Float8E4M3FNType>(type))
    return SmallFloat{3, 7, 0x7e, 0x7f, 0x7f, false, false};
  if (isa<Float8E4M3FNUZType>(type))
    return SmallFloat{3, 8, 0x7f, 0x80, 0x80, false, true};
  if (isa<Float8E5M2Type>(type))
    return SmallFloat{2, 15, 0x7b, 0x7c, 0x7e, true, false};
  if (isa<Float8E5M2FNUZType>(type))
    return SmallFloat{2, 16, 0x7f, 0x80, 0x80, false, true};
  return std::nullopt;
}

/// 2 to the power of `exponent`, as the bits of f32.
static uint32_t powerBits(int32_t exponent) { return static_cast<uint32_t>(exponent + 127) << 23; }

static Value f32ToSmall(Bits &b, Value value, const SmallFloat &format) {
  Value bits = b.asInt(value), magnitude = b.both(bits, 0x7fffffff);
  unsigned dropped = 23 - format.mantissaBits;
  uint32_t rebias = static_cast<uint32_t>(127 - format.bias) << 23;
  Value normal = b.right(b.sub(roundBits(b, magnitude, dropped), b.constant(rebias)), dropped);
  // Subnormal: adding a number whose last place is theirs rounds.
  uint32_t aligner = powerBits(24 - format.bias - static_cast<int32_t>(format.mantissaBits));
  Value sum =
      arith::AddFOp::create(b.builder, b.loc, b.asFloat(magnitude), b.asFloat(b.constant(aligner)));
  Value subnormal = b.sub(b.asInt(sum), b.constant(aligner));
  Value finite = b.select(b.less(magnitude, powerBits(1 - format.bias)), subnormal, normal);
  Value isFinite = b.less(finite, format.largest + 1);
  Value special =
      b.select(b.less(magnitude, 0x7f800001), b.constant(format.overflow), b.constant(format.nan));
  // Beyond what f32 can rebias, the code alone would not tell.
  Value isSmall = b.less(magnitude, 0x7f800000);
  Value code = b.select(isSmall, b.select(isFinite, finite, special), special);
  Value sign = b.both(b.right(bits, 24), 0x80);
  if (format.isUnsignedZero)
    sign = b.select(b.less(b.sub(code, b.constant(1)), format.largest), sign, b.constant(0));
  return arith::TruncIOp::create(b.builder, b.loc, b.i8, b.either(code, sign));
}

static Value smallToF32(Bits &b, Value value, const SmallFloat &format) {
  Value bits = b.widen(value), magnitude = b.both(bits, 0x7f);
  Value moved = b.left(magnitude, 23 - format.mantissaBits);
  Value normal = b.add(moved, b.constant(static_cast<uint32_t>(127 - format.bias) << 23));
  Value scaled = arith::MulFOp::create(
      b.builder, b.loc, arith::SIToFPOp::create(b.builder, b.loc, b.f32, magnitude),
      b.asFloat(
          b.constant(powerBits(1 - format.bias - static_cast<int32_t>(format.mantissaBits)))));
  Value result = b.select(b.less(magnitude, 1u << format.mantissaBits), b.asInt(scaled), normal);
  if (format.isIEEE) // the largest exponent of f32 for that of the format
    result = b.select(b.less(magnitude, format.overflow), result,
                      b.add(moved, b.constant((255u - 31u) << 23)));
  else if (!format.isUnsignedZero)
    result = b.select(b.less(magnitude, format.nan), result, b.constant(0x7fc00000));
  result = b.either(result, b.left(b.both(bits, 0x80), 24));
  if (format.isUnsignedZero) {
    Value isNaN = arith::CmpIOp::create(b.builder, b.loc, arith::CmpIPredicate::eq, bits,
                                        b.constant(format.nan));
    result = b.select(isNaN, b.constant(0x7fc00000), result);
  }
  return b.asFloat(result);
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
  if (std::optional<SmallFloat> format = getSmallFloat(element))
    return f32ToSmall(bits, value, *format);
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
  if (std::optional<SmallFloat> format = getSmallFloat(element))
    result = smallToF32(bits, value, *format);
  else if (element.isBF16())
    result = bf16ToF32(bits, value);
  else if (!level.hasF16Conversion)
    result = f16ToF32(bits, value);
  else
    result = arith::ExtFOp::create(builder, loc, bits.f32, value);
  narrowSources[result] = {element, value};
  return result;
}
