//===- Element.h - one number and how far it may be off -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The interpreter does not imitate the rounding of a machine. It computes every
// float in double, as if without rounding, and carries beside it a bound on what
// a machine that rounds each operation to its own type may be off:
//
//     (value, bound):  |machine - value| <= bound
//
// An operation passes on its inputs' bounds by its local slope and adds half a
// unit in the last place of its type. Where a decision (a comparison, a rounding
// to an integer, an index) could fall either way inside the bound, what depends
// on it gets a bound that covers both ways: a *tie*. Two programs agree where
// their values differ by no more than both bounds, and no tolerance is ever
// chosen by hand.
//
// Integers are exact in their own width; a bound above zero marks one that
// depends on a tie.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_INTERPRETER_ELEMENT_H
#define SECTILE_INTERPRETER_ELEMENT_H

#include "sectile/Formats/Float.h"

#include "mlir/IR/Types.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

namespace sectile::interp {

/// What numbers of an element type are like. One object per type and process.
struct NumberFormat {
  bool isFloat;
  unsigned bits;
  std::optional<formats::FloatLayout> layout; // of floats other than f64
  double unit;    // largest relative error of rounding to it, 2^-precision
  double tiny;    // half of the smallest number above zero
  double largest; // the largest finite number
};

/// The format of an integer type of at most 64 bits, of index (64 bits) or of a float type; null
/// for others.
const NumberFormat *getNumberFormat(mlir::Type type);

/// Bytes of an element in memory; i1 takes one.
inline int64_t getElementBytes(const NumberFormat &format) { return (format.bits + 7) / 8; }

/// A number: of which format, its holder knows.
struct Element {
  union {
    double real;
    int64_t integer; // sign-extended from its width
  };
  double bound; // below zero: undefined

  Element() : real(0), bound(-1) {}
  static Element makeReal(double value, double bound = 0) {
    Element element;
    element.real = value;
    element.bound = bound;
    return element;
  }
  static Element makeInteger(int64_t value, double bound = 0) {
    Element element;
    element.integer = value;
    element.bound = bound;
    return element;
  }
  /// What was never written, or computed from that.
  static Element makeUndefined() { return Element(); }

  bool isUndefined() const { return bound < 0; }
  bool isExact() const { return bound == 0; }
};

inline constexpr double kUnbounded = std::numeric_limits<double>::infinity();

/// `value` cut to the low `bits` bits, as a signed number and as an unsigned one.
inline int64_t signExtend(int64_t value, unsigned bits) {
  return bits >= 64 ? value : (value << (64 - bits)) >> (64 - bits);
}
inline uint64_t zeroExtend(int64_t value, unsigned bits) {
  return bits >= 64 ? uint64_t(value) : uint64_t(value) & ((uint64_t(1) << bits) - 1);
}

/// The bits of a number in a float format, rounded to nearest even; beyond its range infinity, NaN
/// or the largest number, by the format's rule. `value` is a NaN only if the format has one.
uint64_t encodeFloat(const NumberFormat &format, double value);
/// The number of the bits of a float.
double decodeFloat(const NumberFormat &format, uint64_t bits);

/// `value` rounded to nearest even in `format`.
double roundTo(const NumberFormat &format, double value);

/// How far apart two numbers are: 0 for equal ones and for two NaNs, infinite for a NaN or an
/// infinity and anything else.
double getDistance(const NumberFormat &format, const Element &a, const Element &b);

/// Whether two defined elements may be what one machine computes.
inline bool mayBeEqual(const NumberFormat &format, const Element &a, const Element &b) {
  return !(getDistance(format, a, b) > a.bound + b.bound);
}

} // namespace sectile::interp

#endif // SECTILE_INTERPRETER_ELEMENT_H
