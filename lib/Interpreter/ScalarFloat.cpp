//===- ScalarFloat.cpp - float ops with their bounds -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarOp.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <algorithm>

using namespace mlir;
using namespace sectile::interp;

Element Arithmetic::round(const NumberFormat &format, double value, double bound,
                          unsigned halfUlps) const {
  if (rounds)
    return Element::makeReal(roundTo(format, value), bound);
  if (!std::isfinite(value))
    return Element::makeReal(value, bound);
  double magnitude = std::fabs(value);
  if (magnitude > format.largest) {
    // Beyond the type's range it is infinite, if it is beyond for certain.
    double infinity = std::copysign(std::numeric_limits<double>::infinity(), value);
    bool isCertain = magnitude - bound > format.largest * (1 + format.unit);
    return Element::makeReal(infinity, isCertain ? 0 : kUnbounded);
  }
  if (bound == 0 && halfUlps <= 1 && roundTo(format, value) == value)
    return Element::makeReal(value);
  // 2^-52 of the value is what the double computation itself may be off.
  bound += halfUlps * (format.unit * (magnitude + bound) + format.tiny) + 0x1p-52 * magnitude;
  return Element::makeReal(value, magnitude + bound > format.largest ? kUnbounded : bound);
}

Element Arithmetic::evaluate(const ScalarOp &op, const Element *operands) {
  if (op.kind == ScalarOp::Select) {
    if (operands[0].isUndefined())
      return Element::makeUndefined();
    bool first = operands[0].integer != 0;
    Element chosen = operands[first ? 1 : 2];
    const Element &other = operands[first ? 2 : 1];
    if (operands[0].isExact() || chosen.isUndefined())
      return chosen;
    if (other.isUndefined())
      return Element::makeUndefined();
    chosen.bound = std::max(chosen.bound, getDistance(*op.out, chosen, other) + other.bound);
    return chosen;
  }
  for (unsigned i = 0; i < op.numOperands; ++i)
    if (operands[i].isUndefined())
      return Element::makeUndefined();
  if (op.kind >= ScalarOp::AddF)
    return evaluateFloat(op, operands);
  if (op.kind >= ScalarOp::SignedToFloat)
    return evaluateConversion(op, operands[0]);
  return evaluateInteger(op, operands);
}

//===----------------------------------------------------------------------===//
// Tests
//===----------------------------------------------------------------------===//

static bool compare(int64_t predicate, double a, double b) {
  bool isUnordered = std::isnan(a) || std::isnan(b);
  switch (static_cast<arith::CmpFPredicate>(predicate)) {
  case arith::CmpFPredicate::AlwaysFalse:
    return false;
  case arith::CmpFPredicate::OEQ:
    return a == b;
  case arith::CmpFPredicate::OGT:
    return a > b;
  case arith::CmpFPredicate::OGE:
    return a >= b;
  case arith::CmpFPredicate::OLT:
    return a < b;
  case arith::CmpFPredicate::OLE:
    return a <= b;
  case arith::CmpFPredicate::ONE:
    return !isUnordered && a != b;
  case arith::CmpFPredicate::ORD:
    return !isUnordered;
  case arith::CmpFPredicate::UEQ:
    return isUnordered || a == b;
  case arith::CmpFPredicate::UGT:
    return isUnordered || a > b;
  case arith::CmpFPredicate::UGE:
    return isUnordered || a >= b;
  case arith::CmpFPredicate::ULT:
    return isUnordered || a < b;
  case arith::CmpFPredicate::ULE:
    return isUnordered || a <= b;
  case arith::CmpFPredicate::UNE:
    return isUnordered || a != b;
  case arith::CmpFPredicate::UNO:
    return isUnordered;
  case arith::CmpFPredicate::AlwaysTrue:
    return true;
  }
  return false;
}

Element Arithmetic::evaluateTest(const ScalarOp &op, const Element *operands) {
  const Element &a = operands[0], &b = operands[op.numOperands - 1];
  bool result = false, isTie = a.bound == kUnbounded || b.bound == kUnbounded;
  switch (op.kind) {
  case ScalarOp::IsNaN:
    result = std::isnan(a.real);
    break;
  case ScalarOp::IsInf:
    result = std::isinf(a.real);
    break;
  case ScalarOp::IsFinite:
    result = std::isfinite(a.real);
    break;
  default: {
    result = compare(op.predicate, a.real, b.real);
    double bound = a.bound + b.bound;
    if (!op.isReflexive && bound > 0 && std::fabs(a.real - b.real) <= bound)
      isTie = true;
  }
  }
  return Element::makeInteger(result ? -1 : 0, isTie ? 1 : 0);
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

Element Arithmetic::applyFunction(const ScalarOp &op, const Element &x) {
  const RealFunction &f = *op.function;
  double value = f.function(x.real), bound = 0;
  if (x.bound > 0) {
    double low = x.real - x.bound, high = x.real + x.bound;
    switch (f.shape) {
    case RealFunction::Oscillating:
      bound = std::min(x.bound, 2.0);
      break;
    case RealFunction::Tangent: {
      constexpr double kPi = 3.14159265358979323846;
      bool crossesPole = std::floor(low / kPi + 0.5) != std::floor(high / kPi + 0.5);
      bound =
          crossesPole ? kUnbounded : std::max(f.function(high) - value, value - f.function(low));
      break;
    }
    case RealFunction::Even:
      if (low < 0 && high > 0)
        bound = std::fabs(f.function(0) - value);
      [[fallthrough]];
    case RealFunction::Monotone:
      bound = std::max(
          {bound, std::fabs(f.function(low) - value), std::fabs(f.function(high) - value)});
      // Part of the interval may lie outside the function's domain.
      if (std::isnan(f.function(low)) || std::isnan(f.function(high)) || std::isnan(bound))
        bound = kUnbounded;
      break;
    }
  }
  if (f.halfUlps == 0)
    return Element::makeReal(value, bound);
  return round(*op.out, value, bound, f.halfUlps);
}

/// x^exponent, from the corners of the box.
Element Arithmetic::applyPower(const ScalarOp &op, const Element &x, double exponent,
                               double exponentBound) {
  double value = std::pow(x.real, exponent), bound = 0;
  if (x.bound > 0 || exponentBound > 0) {
    bool crosses = x.real - x.bound <= 0 && x.real + x.bound >= 0 && x.bound > 0;
    bool isPowerOfNegatives = exponentBound == 0 && exponent == std::rint(exponent);
    if ((crosses && (exponent - exponentBound < 0 || !isPowerOfNegatives)) ||
        (x.real < 0 && !isPowerOfNegatives)) {
      bound = kUnbounded;
    } else {
      if (crosses) // an extremum inside
        bound = std::fabs(value - std::pow(0.0, exponent));
      for (double base : {x.real - x.bound, x.real + x.bound})
        for (double power : {exponent - exponentBound, exponent + exponentBound})
          bound = std::max(bound, std::fabs(std::pow(base, power) - value));
    }
  }
  return round(*op.out, value, std::isnan(bound) ? kUnbounded : bound, 8);
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

static double getProductBound(const Element &a, const Element &b) {
  if (a.isExact() && b.isExact())
    return 0;
  if (!std::isfinite(a.real) || !std::isfinite(b.real)) {
    // Infinity times something that may be zero.
    bool mayVanish = (b.bound > 0 && std::fabs(b.real) <= b.bound) ||
                     (a.bound > 0 && std::fabs(a.real) <= a.bound);
    return mayVanish ? kUnbounded : 0;
  }
  return std::fabs(a.real) * b.bound + std::fabs(b.real) * a.bound + a.bound * b.bound;
}

// What computing in doubles loses, of finite results: f64 is no wider than they are, so that a
// rounded result looks exact, though a contraction with the next op rounds otherwise.

static double getLoss(double loss) { return std::isfinite(loss) ? std::fabs(loss) : 0; }

static double getSumLoss(double a, double b) { // Knuth's TwoSum
  double sum = a + b, part = sum - a;
  return getLoss((a - (sum - part)) + (b - part));
}

static double getProductLoss(double a, double b) { return getLoss(std::fma(a, b, -(a * b))); }

static double getQuotientLoss(double a, double b) { return getLoss(std::fma(-(a / b), b, a) / b); }

static double getQuotientBound(const Element &a, const Element &b) {
  if (a.isExact() && b.isExact())
    return 0;
  if (b.bound > 0 && std::fabs(b.real) <= b.bound)
    return kUnbounded;
  if (b.real == 0) // infinite, if the sign is certain
    return a.bound > 0 && std::fabs(a.real) <= a.bound ? kUnbounded : 0;
  if (!std::isfinite(a.real) || !std::isfinite(b.real))
    return 0;
  return (a.bound + std::fabs(a.real / b.real) * b.bound) / (std::fabs(b.real) - b.bound);
}

static double getRemainderBound(const Element &a, const Element &b) {
  if (a.isExact() && b.isExact())
    return 0;
  if (b.bound > 0 && std::fabs(b.real) <= b.bound)
    return kUnbounded;
  double quotient = std::trunc(a.real / b.real), spread = getQuotientBound(a, b);
  bool isSameMultiple = std::trunc(a.real / b.real - spread) == quotient &&
                        std::trunc(a.real / b.real + spread) == quotient;
  return isSameMultiple ? a.bound + std::fabs(quotient) * b.bound : std::fabs(b.real) + b.bound;
}

/// The larger (or smaller) of two numbers; which one does not matter inside the bounds.
static Element choose(const Element &a, const Element &b, bool larger, bool skipsNaN) {
  if (std::isnan(a.real))
    return skipsNaN ? b : a;
  if (std::isnan(b.real))
    return skipsNaN ? a : b;
  bool first = larger ? a.real >= b.real : a.real <= b.real;
  Element chosen = first ? a : b;
  const Element &other = first ? b : a;
  // The other can win by no more than its bound reaches beyond the chosen value.
  double reach = other.bound - std::fabs(chosen.real - other.real);
  if (reach > chosen.bound)
    chosen.bound = reach;
  return chosen;
}

Element Arithmetic::evaluateFloat(const ScalarOp &op, const Element *operands) {
  const Element &a = operands[0];
  const Element &b = operands[op.numOperands > 1 ? 1 : 0];
  if (op.kind >= ScalarOp::CmpF && op.kind <= ScalarOp::IsFinite)
    return evaluateTest(op, operands);
  bool isUnbounded = false;
  for (unsigned i = 0; i < op.numOperands; ++i)
    isUnbounded |= operands[i].bound == kUnbounded;
  if (isUnbounded) {
    Element exact[3];
    for (unsigned i = 0; i < op.numOperands; ++i) {
      exact[i] = operands[i];
      exact[i].bound = 0;
    }
    Element result = evaluateFloat(op, exact);
    result.bound = kUnbounded;
    return result;
  }
  switch (op.kind) {
  case ScalarOp::AddF:
    return round(*op.out, a.real + b.real, a.bound + b.bound + getSumLoss(a.real, b.real), 1);
  case ScalarOp::SubF:
    return round(*op.out, a.real - b.real, a.bound + b.bound + getSumLoss(a.real, -b.real), 1);
  case ScalarOp::MulF:
    return round(*op.out, a.real * b.real, getProductBound(a, b) + getProductLoss(a.real, b.real),
                 1);
  case ScalarOp::DivF:
    return round(*op.out, a.real / b.real, getQuotientBound(a, b) + getQuotientLoss(a.real, b.real),
                 1);
  case ScalarOp::RemF:
    return round(*op.out, std::fmod(a.real, b.real), getRemainderBound(a, b), 1);
  case ScalarOp::NegF:
    return Element::makeReal(-a.real, a.bound);
  case ScalarOp::AbsF:
    return Element::makeReal(std::fabs(a.real), a.bound);
  case ScalarOp::CopySign: {
    double value = std::copysign(a.real, b.real);
    bool isTie = b.bound > 0 && std::fabs(b.real) <= b.bound;
    return Element::makeReal(value, isTie ? a.bound + 2 * std::fabs(a.real) : a.bound);
  }
  case ScalarOp::MaximumF:
    return choose(a, b, /*larger=*/true, /*skipsNaN=*/false);
  case ScalarOp::MinimumF:
    return choose(a, b, /*larger=*/false, /*skipsNaN=*/false);
  case ScalarOp::MaxNumF:
    return choose(a, b, /*larger=*/true, /*skipsNaN=*/true);
  case ScalarOp::MinNumF:
    return choose(a, b, /*larger=*/false, /*skipsNaN=*/true);
  case ScalarOp::ClampF:
    return choose(choose(a, b, /*larger=*/true, /*skipsNaN=*/false), operands[2],
                  /*larger=*/false, /*skipsNaN=*/false);
  case ScalarOp::Fma: {
    // Rounded once or twice: the bound covers both.
    Element product =
        round(*op.out, a.real * b.real, getProductBound(a, b) + getProductLoss(a.real, b.real), 1);
    if (rounds)
      return round(*op.out, std::fma(a.real, b.real, operands[2].real), 0, 1);
    double bound = product.bound + operands[2].bound;
    return round(*op.out, product.real + operands[2].real,
                 bound + getSumLoss(product.real, operands[2].real), 1);
  }
  case ScalarOp::PowF:
    return applyPower(op, a, b.real, b.bound);
  case ScalarOp::FPowI:
    return applyPower(op, a, static_cast<double>(b.integer), b.bound);
  case ScalarOp::Atan2: {
    // The angle turns by at most the displacement over the distance that is left.
    double value = std::atan2(a.real, b.real), bound = 0;
    if (a.bound > 0 || b.bound > 0) {
      double distance = std::hypot(a.real, b.real), shift = std::hypot(a.bound, b.bound);
      bool crossesCut = b.real - b.bound < 0 && std::fabs(a.real) <= a.bound;
      bound = crossesCut || distance <= shift ? kUnbounded : shift / (distance - shift);
    }
    return round(*op.out, value, bound, 8);
  }
  default:
    return applyFunction(op, a);
  }
}
