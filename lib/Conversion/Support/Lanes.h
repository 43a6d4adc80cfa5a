//===- Lanes.h - arithmetic on lanes, written as formulas -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thin layer over OpBuilder so that the functions of MathFunctions.cpp read
// like the formulas they are. All values of one builder have the same number of
// lanes; a number is f32 or f64, an integer has the same width.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_LANES_H
#define SECTILE_LIB_CONVERSION_SUPPORT_LANES_H

#include "Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace sectile::lowering {

/// What the machine has that makes formulas shorter.
struct MathTarget {
  /// Fused multiply-add on f32, and on f64.
  bool hasFma, hasWideFma;
  /// x * 2^n in one instruction on vectors of 128 to 512 bits (AVX-512's scalef).
  bool hasScale;
  /// Loads of lanes at unrelated addresses by one op; else each lane loads.
  bool hasGather;
  /// As CpuLevel has them; a device without such an instruction has 0 entries.
  int64_t tableEntries = 0;
  llvm::StringRef tableIntrinsic;
};

class Lanes;

/// A float, integer or boolean in each lane.
struct Num {
  mlir::Value value;
  Lanes *lanes;
  operator mlir::Value() const { return value; }
};

class Lanes {
public:
  /// `like` has the number of lanes; `wide` says f64, otherwise f32.
  Lanes(mlir::OpBuilder &builder, mlir::Location loc, MathTarget target, mlir::Value like,
        bool wide)
      : builder(builder), loc(loc), target(target), wide(wide), count(getNumLanes(like)) {}

  Num num(double value);
  Num integer(int64_t value);
  Num wrap(mlir::Value value) { return {value, this}; }

  /// a * b + c, in one rounding where the machine can.
  Num mulAdd(Num a, Num b, Num c);
  /// Value of a polynomial; coefficients lowest first. Short ones by Horner's rule: it takes the
  /// fewest instructions, and tiles of a few vectors hide its latency. Long ones in two chains.
  Num polynomial(Num x, llvm::ArrayRef<double> coefficients);
  Num select(Num condition, Num a, Num b);
  Num compare(mlir::arith::CmpFPredicate predicate, Num a, Num b);
  Num compare(mlir::arith::CmpIPredicate predicate, Num a, Num b);
  Num abs(Num x);
  /// Magnitude of `x` with the sign of `sign`.
  Num copySign(Num x, Num sign);
  /// Nearest integer, ties to even, as a number.
  Num round(Num x);
  Num sqrt(Num x);
  /// `x`, but at least / at most `limit`; NaN stays.
  Num atLeast(Num x, double limit);
  Num atMost(Num x, double limit);
  Num asInt(Num x);
  Num asNum(Num x);
  /// Truncation to an integer of the same width, and back.
  Num toInt(Num x);
  Num toNum(Num x);
  Num shiftLeft(Num x, int64_t n);
  Num shiftRight(Num x, int64_t n);
  Num both(Num a, Num b);
  Num either(Num a, Num b);
  Num exclusive(Num a, Num b);
  /// x * 2^n for integral n (as a number) with |n| up to twice the exponent range.
  Num scale(Num x, Num n);
  /// 2^n for integral n within the exponent range.
  Num powerOfTwo(Num n);

  /// Whether the machine multiplies and adds numbers of this width in one instruction.
  bool hasFma() const { return wide ? target.hasWideFma : target.hasFma; }
  mlir::Type numType() const;
  mlir::Type intType() const;

  mlir::OpBuilder &builder;
  mlir::Location loc;
  MathTarget target;
  bool wide;
  int64_t count;
};

Num operator+(Num a, Num b);
Num operator-(Num a, Num b);
Num operator*(Num a, Num b);
Num operator/(Num a, Num b);
Num operator-(Num a);
Num operator+(Num a, double b);
Num operator-(Num a, double b);
Num operator-(double a, Num b);
Num operator*(Num a, double b);
Num operator/(double a, Num b);
/// Ordered comparisons of numbers.
Num operator<(Num a, double b);
Num operator>(Num a, double b);

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_LANES_H
