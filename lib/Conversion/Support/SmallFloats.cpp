//===- SmallFloats.cpp - floats of up to 8 bits from their fields -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A code without its sign is exponent and mantissa side by side, as f32 has them:
// normal numbers move over by a shift and one addition to the exponent. Below them
// a code is an integer times a power of two, and rounding to one is what an
// addition does whose result has its last place there.
//
//===----------------------------------------------------------------------===//

#include "Numbers.h"

#include <cmath>

using namespace mlir;
using namespace sectile;
using namespace sectile::lowering;
using sectile::formats::FloatLayout;
using sectile::formats::Special;

static constexpr uint32_t kInfinity = 0x7f800000, kNaN = 0x7fc00000;

/// The exponent of the smallest normal number.
static int getLowestExponent(const FloatLayout &layout) {
  return (layout.hasZero ? 1 : 0) - layout.bias;
}

/// The exponent of what the codes of the smallest numbers count.
static int getUnitExponent(const FloatLayout &layout) {
  return getLowestExponent(layout) - static_cast<int>(layout.mantissaBits);
}

/// Whether the lowest exponent, of a format without zero, is one below f32's normal numbers.
static bool isSubnormalAtFirst(const FloatLayout &layout) {
  return !layout.hasZero && layout.bias == 127;
}

static uint32_t getMagnitudeMask(const FloatLayout &layout) {
  return (1u << (layout.exponentBits + layout.mantissaBits)) - 1;
}

static uint32_t getInfinityCode(const FloatLayout &layout) {
  return ((1u << layout.exponentBits) - 1) << layout.mantissaBits;
}

bool lowering::isWithinF32(const FloatLayout &layout) {
  int largest = (1 << layout.exponentBits) - 1 - layout.bias;
  bool isNormal = getLowestExponent(layout) >= -126 || isSubnormalAtFirst(layout);
  // What `encodeFloat` adds to the smallest numbers is one of f32 too.
  return layout.getBits() <= 8 && isNormal && largest <= 127 && getUnitExponent(layout) + 23 <= 127;
}

/// The bits of f32 that stand for 0 in the exponent field of the format.
static uint32_t getRebias(const FloatLayout &layout) {
  return static_cast<uint32_t>(127 - layout.bias) << 23;
}

/// `integers` times the number that the smallest codes count.
static Value scaleByUnit(Bits &b, Value integers, const FloatLayout &layout) {
  Value converted = arith::SIToFPOp::create(b.builder, b.loc, b.f32, integers);
  Value unit = b.floatConstant(std::ldexp(1.0f, getUnitExponent(layout)));
  return b.asInt(arith::MulFOp::create(b.builder, b.loc, converted, unit));
}

Value lowering::decodeFloat(Bits &b, Value codes, const FloatLayout &layout) {
  uint32_t mask = getMagnitudeMask(layout), implied = 1u << layout.mantissaBits;
  Value magnitude = b.both(codes, mask);
  Value moved = b.left(magnitude, 23 - layout.mantissaBits);
  Value result = b.add(moved, b.constant(getRebias(layout)));
  if (layout.hasZero)
    result = b.select(b.less(magnitude, implied), scaleByUnit(b, magnitude, layout), result);
  else if (isSubnormalAtFirst(layout))
    result = b.select(b.less(magnitude, implied),
                      scaleByUnit(b, b.add(magnitude, b.constant(implied)), layout), result);
  if (layout.special == Special::IEEE) { // the largest exponent of f32 for that of the format
    uint32_t difference = 255u - ((1u << layout.exponentBits) - 1);
    result = b.select(b.less(magnitude, getInfinityCode(layout)), result,
                      b.add(moved, b.constant(difference << 23)));
  } else if (layout.special == Special::AllOnes) {
    result = b.select(b.less(magnitude, mask), result, b.constant(kNaN));
  }
  if (!layout.isSigned)
    return b.asFloat(result);
  unsigned toSign = 31 - (layout.exponentBits + layout.mantissaBits);
  result = b.either(result, b.left(b.both(codes, mask + 1), toSign));
  if (layout.special == Special::FNUZ) {
    Value code = b.both(codes, 2 * mask + 1);
    Value isNaN = arith::CmpIOp::create(b.builder, b.loc, arith::CmpIPredicate::eq, code,
                                        b.constant(mask + 1));
    result = b.select(isNaN, b.constant(kNaN), result);
  }
  return b.asFloat(result);
}

/// `bits` without the lowest `dropped`, rounded to nearest. Halfway goes to the even code, but
/// without mantissa to the larger one (docs/formats.md).
static Value roundOff(Bits &b, Value bits, unsigned dropped, const FloatLayout &layout) {
  Value rounded = layout.mantissaBits != 0 ? roundBits(b, bits, dropped)
                                           : b.add(bits, b.constant(1u << (dropped - 1)));
  return b.right(rounded, dropped);
}

/// Codes of numbers below the normal ones.
static Value encodeSubnormal(Bits &b, Value magnitude, const FloatLayout &layout) {
  if (layout.hasZero) {
    Value aligner = b.floatConstant(std::ldexp(1.0f, getUnitExponent(layout) + 23));
    Value sum = arith::AddFOp::create(b.builder, b.loc, b.asFloat(magnitude), aligner);
    return b.sub(b.asInt(sum), b.asInt(aligner));
  }
  if (!isSubnormalAtFirst(layout))
    return b.constant(0);
  // In f32 these are integers as well, times 2^-149; the smallest is 2^22 of them.
  Value code = b.sub(roundOff(b, magnitude, 22 - layout.mantissaBits, layout),
                     b.constant(1u << layout.mantissaBits));
  return b.select(b.less(magnitude, 1u << 22), b.constant(0), code);
}

Value lowering::encodeFloat(Bits &b, Value values, const FloatLayout &layout, bool special) {
  uint32_t mask = getMagnitudeMask(layout), signBit = mask + 1;
  uint32_t largest = layout.getLargestCode(), infinity = getInfinityCode(layout);
  uint32_t nan = layout.special == Special::FNUZ      ? signBit
                 : layout.special == Special::AllOnes ? mask
                 : layout.hasNaN()                    ? infinity + (1u << (layout.mantissaBits - 1))
                                                      : 0;
  bool becomesSpecial = special && (layout.hasInfinity() || layout.hasNaN());
  uint32_t overflow = !becomesSpecial ? largest : layout.hasInfinity() ? infinity : nan;

  Value bits = b.asInt(values), magnitude = b.both(bits, 0x7fffffff);
  unsigned dropped = 23 - layout.mantissaBits;
  Value rebiased = roundOff(b, b.sub(magnitude, b.constant(getRebias(layout))), dropped, layout);
  uint32_t lowest = static_cast<uint32_t>(getLowestExponent(layout) + 127) << 23;
  if (isSubnormalAtFirst(layout))
    lowest = 1u << 23;
  Value finite =
      b.select(b.less(magnitude, lowest), encodeSubnormal(b, magnitude, layout), rebiased);
  Value isNumber = b.less(magnitude, kInfinity + 1);
  Value beyond = b.select(isNumber, b.constant(overflow), b.constant(nan));
  // Beyond what f32 can rebias, the code alone would not tell.
  Value code = b.select(b.less(finite, largest + 1), finite, beyond);
  code = b.select(b.less(magnitude, kInfinity), code, beyond);
  if (!layout.isSigned) {
    Value isNegative = b.less(b.sub(bits, b.constant(0x80000001)), kInfinity);
    return b.select(isNegative, b.constant(becomesSpecial ? nan : 0), code);
  }
  Value sign = b.both(b.right(bits, 31 - (layout.exponentBits + layout.mantissaBits)), signBit);
  if (layout.special == Special::FNUZ)
    sign = b.select(b.less(b.sub(code, b.constant(1)), largest), sign, b.constant(0));
  else if (!layout.hasNaN()) // a NaN becomes +0
    sign = b.select(isNumber, sign, b.constant(0));
  return b.either(code, sign);
}

std::optional<FloatLayout> lowering::getSmallFloat(Type type) {
  if (!isNarrowFloat(type) || type.getIntOrFloatBitWidth() != 8)
    return std::nullopt;
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return *sectile::formats::Format::parse(name)->getFloat();
}
