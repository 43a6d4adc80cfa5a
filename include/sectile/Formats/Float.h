//===- Float.h - floats of any layout up to 32 bits -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A float format is a tuple: sign bit or none, exponent bits, mantissa bits, bias,
// and a rule for special values. From high to low a code is sign, exponent field E,
// mantissa field M, and stands for
//
//     (-1)^sign * 2^(E - bias) * (1 + M / 2^m)       E > 0
//     (-1)^sign * 2^(1 - bias) * (M / 2^m)           E = 0
//
// so the positive codes are in the order of their values, and rounding is a matter
// of the code's neighbours. The named formats of OCP, IEEE and the vendors are
// values of the tuple, never cases in the code.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_FORMATS_FLOAT_H
#define SECTILE_FORMATS_FLOAT_H

#include <cstdint>
#include <optional>
#include <string>

namespace sectile::formats {

/// Which of the two neighbours a number between them becomes.
enum class Rounding {
  NearestEven, // the nearer; halfway, the one that the format's rule for ties names
  TowardZero,
  Up,  // toward plus infinity
  Down // toward minus infinity
};

/// What becomes of a number that is beyond the largest finite one after rounding.
enum class Overflow {
  Saturate, // the largest finite number of its sign, for infinities too
  Special   // infinity if the format has one, else NaN, else as Saturate
};

/// Which codes of a float stand for no finite number.
enum class Special {
  None,    // every code is finite (OCP FP6 and FP4)
  IEEE,    // the highest exponent: infinity if M = 0, else NaN
  AllOnes, // NaN where exponent and mantissa are all ones (OCP E4M3, E8M0)
  FNUZ     // NaN is the code of a negative zero, which does not exist
};

/// The tuple that describes a float format.
struct FloatLayout {
  bool isSigned = true;
  unsigned exponentBits = 0; // 1 to 8
  unsigned mantissaBits = 0; // 0 to 23
  int bias = 0;
  Special special = Special::None;
  bool hasZero = true; // false: E = 0 is an exponent like any other (E8M0)

  /// The bias that a format has if its name says nothing: 2^(e-1) - 1, for FNUZ 2^(e-1).
  static int getDefaultBias(unsigned exponentBits, Special special);
  /// What is wrong with the tuple; nothing for those that the functions below take.
  std::optional<std::string> findFault() const;

  /// Bits of a code, sign included.
  unsigned getBits() const { return isSigned + exponentBits + mantissaBits; }
  bool hasInfinity() const { return special == Special::IEEE; }
  bool hasNaN() const;
  /// The code of the largest finite number.
  uint32_t getLargestCode() const;
  /// Exactly what a code of `getBits()` bits stands for.
  double decode(uint32_t code) const;
  /// The code of `value` after a single rounding. Halfway goes to the even significand; where both
  /// are odd, between powers of two without mantissa, to the larger magnitude (IEEE 754-2019,
  /// 4.3.1). A number nearer to zero than the smallest of a format without zero becomes the
  /// smallest; a negative one in a format without sign overflows (to zero, or to the smallest). NaN
  /// becomes the quiet NaN with all other mantissa bits zero, its sign kept; nothing if the format
  /// has none.
  std::optional<uint32_t> encode(double value, Rounding rounding, Overflow overflow) const;

  bool operator==(const FloatLayout &) const = default;
};

} // namespace sectile::formats

#endif // SECTILE_FORMATS_FLOAT_H
