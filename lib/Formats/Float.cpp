//===- Float.cpp - floats of any layout up to 32 bits -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Float.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

using namespace sectile::formats;

int FloatLayout::getDefaultBias(unsigned exponentBits, Special special) {
  int half = 1 << (exponentBits - 1);
  return special == Special::FNUZ ? half : half - 1;
}

std::optional<std::string> FloatLayout::findFault() const {
  if (exponentBits < 1 || exponentBits > 8)
    return "expects 1 to 8 exponent bits, but got " + std::to_string(exponentBits) +
           (exponentBits == 0 ? " (e1 with one mantissa bit less has the same codes)" : "");
  if (mantissaBits > 23)
    return "expects at most 23 mantissa bits, but got " + std::to_string(mantissaBits);
  // Every value stays a normal double, with room for the rounding.
  if (bias < -255 || bias > 512)
    return "expects a bias of -255 to 512, but got " + std::to_string(bias);
  if (special == Special::FNUZ && !isSigned)
    return "expects a sign bit, but got an unsigned fnuz format";
  if (!hasZero && (isSigned || special == Special::FNUZ))
    return "expects no sign bit in a format without zero";
  if (hasZero && getLargestCode() == 0)
    return "expects a finite number above zero, but every such code is special";
  return std::nullopt;
}

bool FloatLayout::hasNaN() const {
  return special == Special::AllOnes || special == Special::FNUZ ||
         (special == Special::IEEE && mantissaBits > 0);
}

/// Exponent and mantissa fields all ones: the highest code without its sign.
static uint32_t getMagnitudeMask(const FloatLayout &layout) {
  return (1U << (layout.exponentBits + layout.mantissaBits)) - 1;
}

/// The code of infinity in an IEEE format: the first one that is not finite.
static uint32_t getInfinityCode(const FloatLayout &layout) {
  return ((1U << layout.exponentBits) - 1) << layout.mantissaBits;
}

uint32_t FloatLayout::getLargestCode() const {
  switch (special) {
  case Special::IEEE:
    return getInfinityCode(*this) - 1;
  case Special::AllOnes:
    return getMagnitudeMask(*this) - 1;
  case Special::None:
  case Special::FNUZ:
    break;
  }
  return getMagnitudeMask(*this);
}

double FloatLayout::decode(uint32_t code) const {
  uint32_t mask = getMagnitudeMask(*this), magnitude = code & mask;
  bool isNegative = isSigned && code > mask;
  double sign = isNegative ? -1 : 1;
  if (special == Special::FNUZ && isNegative && magnitude == 0)
    return std::numeric_limits<double>::quiet_NaN();
  if (magnitude > getLargestCode()) {
    bool isInfinite = hasInfinity() && magnitude == getInfinityCode(*this);
    return std::copysign(isInfinite ? std::numeric_limits<double>::infinity()
                                    : std::numeric_limits<double>::quiet_NaN(),
                         sign);
  }
  uint32_t mantissa = magnitude & ((1U << mantissaBits) - 1);
  int exponent = static_cast<int>(magnitude >> mantissaBits);
  if (exponent > 0 || !hasZero)
    mantissa += 1U << mantissaBits;
  else
    exponent = 1;
  return sign * std::ldexp(mantissa, exponent - bias - static_cast<int>(mantissaBits));
}

/// The code of a magnitude above zero by the tuple's formula, as if exponents had no end; `sign`
/// tells the directed roundings which way is up. Larger than the largest code: an overflow.
static uint64_t roundMagnitude(const FloatLayout &layout, double magnitude, double sign,
                               Rounding rounding) {
  int mantissaBits = static_cast<int>(layout.mantissaBits);
  int lowest = (layout.hasZero ? 1 : 0) - layout.bias;
  int exponent = std::max(std::ilogb(magnitude), lowest);
  int unit = exponent - mantissaBits; // codes are 2^unit apart here
  double steps = std::ldexp(magnitude, -unit);
  double whole = std::floor(steps);
  // `steps` may have lost bits below the smallest double, far under one half: ask whether the
  // whole steps are all, not whether a rest is left.
  bool isExact = std::ldexp(whole, unit) == magnitude;
  double rest = steps - whole;

  // A carry out of the mantissa is the next exponent, because the fields are neighbours.
  int64_t code = (static_cast<int64_t>(exponent - lowest) << mantissaBits) +
                 static_cast<int64_t>(whole) - (layout.hasZero ? 0 : int64_t(1) << mantissaBits);
  if (code < 0)
    return 0; // nearer to zero than a format without zero goes
  bool away = false;
  switch (rounding) {
  case Rounding::NearestEven:
    away = rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) == 1);
    break;
  case Rounding::TowardZero:
    break;
  case Rounding::Up:
    away = !isExact && sign > 0;
    break;
  case Rounding::Down:
    away = !isExact && sign < 0;
    break;
  }
  return code + away;
}

std::optional<uint32_t> FloatLayout::encode(double value, Rounding rounding,
                                            Overflow overflow) const {
  bool isNegative = std::signbit(value);
  uint32_t signBit = isSigned && isNegative ? getMagnitudeMask(*this) + 1 : 0;
  std::optional<uint32_t> nan;
  if (special == Special::FNUZ)
    nan = getMagnitudeMask(*this) + 1;
  else if (special == Special::AllOnes)
    nan = signBit + getMagnitudeMask(*this);
  else if (hasNaN())
    nan = signBit + getInfinityCode(*this) + (1U << (mantissaBits - 1));
  if (std::isnan(value))
    return nan;

  if (isNegative && !isSigned && value != 0)
    return overflow == Overflow::Special && nan ? nan : 0;

  uint64_t magnitude = 0;
  if (std::isinf(value))
    magnitude = uint64_t(getLargestCode()) + 1;
  else if (value != 0)
    magnitude = roundMagnitude(*this, std::fabs(value), value, rounding);

  if (magnitude > getLargestCode()) {
    // A rounding toward zero never leaves the finite numbers.
    bool towardZero = rounding == Rounding::TowardZero ||
                      rounding == (isNegative ? Rounding::Up : Rounding::Down);
    bool becomesSpecial = overflow == Overflow::Special && (std::isinf(value) || !towardZero) &&
                          (hasInfinity() || nan);
    if (!becomesSpecial)
      return signBit + getLargestCode();
    return hasInfinity() ? signBit + getInfinityCode(*this) : nan;
  }
  if (magnitude == 0 && special == Special::FNUZ)
    return 0;
  return signBit + static_cast<uint32_t>(magnitude);
}
