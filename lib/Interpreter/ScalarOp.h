//===- ScalarOp.h - arith and math on one element -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_INTERPRETER_SCALAROP_H
#define SECTILE_LIB_INTERPRETER_SCALAROP_H

#include "sectile/Interpreter/Element.h"

#include <optional>

namespace mlir {
class Operation;
} // namespace mlir

namespace sectile::interp {

/// A real function of one argument.
struct RealFunction {
  double (*function)(double);
  /// How its error follows from its argument's.
  enum Shape : uint8_t {
    Monotone,    // from its values at both ends of the argument's interval
    Even,        // likewise, with its extremum at zero
    Oscillating, // slope and range at most 1 (sine, cosine)
    Tangent,     // monotone between poles
  } shape;
  /// Error of an implementation, in halves of a unit in the last place; 0 where results are exact.
  unsigned halfUlps;
};

/// An op of arith or math on scalars, resolved once and evaluated many times.
struct ScalarOp {
  enum Kind : uint8_t {
    // Integers.
    AddI,
    SubI,
    MulI,
    DivSI,
    DivUI,
    RemSI,
    RemUI,
    CeilDivSI,
    CeilDivUI,
    FloorDivSI,
    AndI,
    OrI,
    XOrI,
    ShLI,
    ShRSI,
    ShRUI,
    MaxSI,
    MinSI,
    MaxUI,
    MinUI,
    AbsI,
    CountOnes,
    CountLeadingZeros,
    CountTrailingZeros,
    PowI,
    CmpI,
    // Conversions.
    SignExtend, // also truncation and index_cast
    ZeroExtend,
    SignedToFloat,
    UnsignedToFloat,
    FloatToSigned,
    FloatToUnsigned,
    WidenFloat,
    NarrowFloat,
    Bitcast,
    // Floats.
    AddF,
    SubF,
    MulF,
    DivF,
    RemF,
    NegF,
    AbsF,
    CopySign,
    MaximumF,
    MinimumF,
    MaxNumF,
    MinNumF,
    Fma,
    PowF,
    FPowI,
    Atan2,
    ClampF,
    CmpF,
    IsNaN,
    IsInf,
    IsFinite,
    Apply, // `function`
    // Either.
    Select,
  };

  Kind kind;
  unsigned numOperands;
  const NumberFormat *in;  // of the last operand
  const NumberFormat *out; // of the result
  /// Of a comparison: the predicate, and whether it compares a value with itself.
  int64_t predicate = 0;
  bool isReflexive = false;
  const RealFunction *function = nullptr;
};

/// The scalar op that `op` applies, to scalars or to the elements of its tensors; none for ops
/// that are no such op or whose types have no format.
std::optional<ScalarOp> getScalarOp(mlir::Operation *op);

/// Evaluates scalar ops.
struct Arithmetic {
  /// Round every result to its type instead of bounding what rounding would do.
  bool rounds = false;
  /// Integer divisions by zero so far. Their results are unbounded.
  uint64_t divisionsByZero = 0;

  Element evaluate(const ScalarOp &op, const Element *operands);
  /// A real result of an op whose exact operands give exactly `value`, or whose bounds give
  /// `bound`; adds the rounding of `halfUlps` halves of a unit in the last place.
  Element round(const NumberFormat &format, double value, double bound, unsigned halfUlps) const;

private:
  Element evaluateInteger(const ScalarOp &op, const Element *operands);
  Element evaluateInexactInteger(const ScalarOp &op, const Element *operands);
  Element evaluateConversion(const ScalarOp &op, const Element &operand);
  Element evaluateFloat(const ScalarOp &op, const Element *operands);
  Element evaluateTest(const ScalarOp &op, const Element *operands);
  Element applyFunction(const ScalarOp &op, const Element &x);
  Element applyPower(const ScalarOp &op, const Element &x, double exponent, double exponentBound);
};

} // namespace sectile::interp

#endif // SECTILE_LIB_INTERPRETER_SCALAROP_H
