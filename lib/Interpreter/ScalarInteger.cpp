//===- ScalarInteger.cpp - integer ops and conversions -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarOp.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace sectile::interp;

/// Wraps around, as machine integers do; unsigned so that it is defined.
static int64_t wrap(uint64_t value) { return static_cast<int64_t>(value); }

static int64_t raise(int64_t base, int64_t exponent) {
  if (exponent < 0) // the truncated quotient 1 / base^-exponent
    return base == 1 ? 1 : base == -1 ? (exponent % 2 ? -1 : 1) : 0;
  uint64_t result = 1, square = static_cast<uint64_t>(base);
  for (; exponent; exponent >>= 1, square *= square)
    if (exponent & 1)
      result *= square;
  return wrap(result);
}

static bool compare(int64_t predicate, int64_t a, int64_t b, unsigned bits) {
  uint64_t ua = zeroExtend(a, bits), ub = zeroExtend(b, bits);
  switch (static_cast<arith::CmpIPredicate>(predicate)) {
  case arith::CmpIPredicate::eq:
    return a == b;
  case arith::CmpIPredicate::ne:
    return a != b;
  case arith::CmpIPredicate::slt:
    return a < b;
  case arith::CmpIPredicate::sle:
    return a <= b;
  case arith::CmpIPredicate::sgt:
    return a > b;
  case arith::CmpIPredicate::sge:
    return a >= b;
  case arith::CmpIPredicate::ult:
    return ua < ub;
  case arith::CmpIPredicate::ule:
    return ua <= ub;
  case arith::CmpIPredicate::ugt:
    return ua > ub;
  case arith::CmpIPredicate::uge:
    return ua >= ub;
  }
  return false;
}

/// The quotient or remainder; `b` is not zero.
static int64_t divide(ScalarOp::Kind kind, int64_t a, int64_t b, unsigned bits) {
  uint64_t ua = zeroExtend(a, bits), ub = zeroExtend(b, bits);
  switch (kind) {
  case ScalarOp::DivUI:
    return wrap(ua / ub);
  case ScalarOp::RemUI:
    return wrap(ua % ub);
  case ScalarOp::CeilDivUI:
    return wrap(ua / ub + (ua % ub != 0));
  default:
    break;
  }
  if (b == -1) // the most negative number has no positive counterpart
    return kind == ScalarOp::RemSI ? 0 : wrap(0 - static_cast<uint64_t>(a));
  int64_t quotient = a / b, remainder = a % b;
  switch (kind) {
  case ScalarOp::DivSI:
    return quotient;
  case ScalarOp::RemSI:
    return remainder;
  case ScalarOp::CeilDivSI:
    return quotient + (remainder != 0 && (remainder < 0) == (b < 0));
  default: // FloorDivSI
    return quotient - (remainder != 0 && (remainder < 0) != (b < 0));
  }
}

Element Arithmetic::evaluateInteger(const ScalarOp &op, const Element *operands) {
  for (unsigned i = 0; i < op.numOperands; ++i)
    if (!operands[i].isExact())
      return evaluateInexactInteger(op, operands);
  unsigned bits = op.in->bits;
  int64_t a = operands[0].integer, b = op.numOperands > 1 ? operands[1].integer : 0;
  uint64_t ua = zeroExtend(a, bits), ub = zeroExtend(b, bits);
  auto make = [&](int64_t value) { return Element::makeInteger(signExtend(value, op.out->bits)); };
  switch (op.kind) {
  case ScalarOp::AddI:
    return make(wrap(ua + ub));
  case ScalarOp::SubI:
    return make(wrap(ua - ub));
  case ScalarOp::MulI:
    return make(wrap(ua * ub));
  case ScalarOp::AndI:
    return make(a & b);
  case ScalarOp::OrI:
    return make(a | b);
  case ScalarOp::XOrI:
    return make(a ^ b);
  case ScalarOp::ShLI:
  case ScalarOp::ShRSI:
  case ScalarOp::ShRUI:
    if (ub >= bits)
      return Element::makeInteger(0, kUnbounded);
    return make(op.kind == ScalarOp::ShLI    ? wrap(ua << ub)
                : op.kind == ScalarOp::ShRSI ? a >> ub
                                             : wrap(ua >> ub));
  case ScalarOp::MaxSI:
    return make(std::max(a, b));
  case ScalarOp::MinSI:
    return make(std::min(a, b));
  case ScalarOp::MaxUI:
    return make(ua > ub ? a : b);
  case ScalarOp::MinUI:
    return make(ua < ub ? a : b);
  case ScalarOp::AbsI:
    return make(a < 0 ? wrap(0 - static_cast<uint64_t>(a)) : a);
  case ScalarOp::CountOnes:
    return make(llvm::popcount(ua));
  case ScalarOp::CountLeadingZeros:
    return make(llvm::countl_zero(ua) - (64 - static_cast<int>(bits)));
  case ScalarOp::CountTrailingZeros:
    return make(std::min<int64_t>(llvm::countr_zero(ua), bits));
  case ScalarOp::PowI:
    return make(raise(a, b));
  case ScalarOp::CmpI:
    return make(compare(op.predicate, a, b, bits) ? -1 : 0);
  case ScalarOp::SignExtend:
    return make(a);
  case ScalarOp::ZeroExtend:
    return make(wrap(ua));
  default: // divisions
    if (b == 0) {
      ++divisionsByZero;
      return Element::makeInteger(0, kUnbounded);
    }
    return make(divide(op.kind, a, b, bits));
  }
}

/// Of integers that depend on a tie: bounds are kept where they follow simply.
Element Arithmetic::evaluateInexactInteger(const ScalarOp &op, const Element *operands) {
  const Element &a = operands[0], &b = operands[op.numOperands - 1];
  bool isBool = op.out->bits == 1;
  // The value that the operands' values have.
  Element exact[3];
  for (unsigned i = 0; i < op.numOperands; ++i)
    exact[i] = Element::makeInteger(operands[i].integer);
  Element result = evaluateInteger(op, exact);
  double bound = kUnbounded;
  switch (op.kind) {
  case ScalarOp::AddI:
  case ScalarOp::SubI:
    bound = a.bound + b.bound;
    break;
  case ScalarOp::MulI:
    bound = std::fabs(double(a.integer)) * b.bound + std::fabs(double(b.integer)) * a.bound +
            a.bound * b.bound;
    break;
  case ScalarOp::MaxSI:
  case ScalarOp::MinSI:
    bound = std::max(a.bound, b.bound);
    break;
  case ScalarOp::AbsI:
  case ScalarOp::SignExtend:
    bound = a.bound;
    break;
  case ScalarOp::ZeroExtend:
    // A boolean keeps its two values; a signed interval below zero has no simple image.
    bound = op.in->bits == 1 ? 1 : a.integer - a.bound >= 0 ? a.bound : kUnbounded;
    break;
  case ScalarOp::AndI:
  case ScalarOp::OrI: {
    int64_t decisive = op.kind == ScalarOp::AndI ? 0 : -1;
    for (const Element *operand : {&a, &b})
      if (operand->isExact() && operand->integer == decisive)
        return Element::makeInteger(decisive);
    break;
  }
  case ScalarOp::CmpI:
    // Without sign, the order of an interval that crosses zero is not the numbers' own.
    if (op.predicate <= static_cast<int64_t>(arith::CmpIPredicate::sge) &&
        std::fabs(double(a.integer) - double(b.integer)) > a.bound + b.bound)
      return result;
    break;
  default:
    break;
  }
  if (isBool)
    return Element::makeInteger(result.integer, 1);
  double limit = std::ldexp(1.0, static_cast<int>(op.out->bits) - 1);
  double value = static_cast<double>(result.integer);
  if (value + bound >= limit || value - bound < -limit)
    bound = kUnbounded;
  return Element::makeInteger(result.integer, bound);
}

//===----------------------------------------------------------------------===//
// Conversions
//===----------------------------------------------------------------------===//

static Element bitcast(const ScalarOp &op, const Element &operand) {
  if (op.in->isFloat == op.out->isFloat)
    return operand;
  if (op.in->isFloat) {
    if (!operand.isExact() || std::isnan(operand.real))
      return Element::makeInteger(0, kUnbounded);
    auto bits = static_cast<int64_t>(encodeFloat(*op.in, operand.real));
    bool isRounded = roundTo(*op.in, operand.real) != operand.real;
    return Element::makeInteger(signExtend(bits, op.out->bits), isRounded ? kUnbounded : 0);
  }
  if (!operand.isExact())
    return Element::makeReal(0, kUnbounded);
  return Element::makeReal(decodeFloat(*op.out, zeroExtend(operand.integer, op.in->bits)));
}

/// The integer that a float is cut to, with both ends of its interval.
static Element toInteger(const ScalarOp &op, const Element &x) {
  bool isSigned = op.kind == ScalarOp::FloatToSigned;
  int bits = static_cast<int>(op.out->bits);
  double low = isSigned ? -std::ldexp(1.0, bits - 1) : 0;
  double high = std::ldexp(1.0, isSigned ? bits - 1 : bits); // the first number beyond
  double value = std::trunc(x.real);
  if (!(value >= low && value < high))
    return Element::makeInteger(0, kUnbounded); // no value is defined
  double least = std::trunc(x.real - x.bound), most = std::trunc(x.real + x.bound);
  double bound = std::max(value - least, most - value);
  if (least < low || most >= high)
    bound = kUnbounded;
  int64_t integer = value >= 9223372036854775808.0 ? wrap(static_cast<uint64_t>(value))
                                                   : static_cast<int64_t>(value);
  // Unsigned numbers above the signed range are held as negative ones: no interval across.
  if (!isSigned && bound > 0 && most >= std::ldexp(1.0, bits - 1))
    bound = kUnbounded;
  return Element::makeInteger(signExtend(integer, op.out->bits), bound);
}

Element Arithmetic::evaluateConversion(const ScalarOp &op, const Element &operand) {
  switch (op.kind) {
  case ScalarOp::SignedToFloat:
    return round(*op.out, static_cast<double>(operand.integer), operand.bound, 1);
  case ScalarOp::UnsignedToFloat: {
    bool crosses = operand.integer - operand.bound < 0 && op.in->bits > 1;
    double bound = operand.isExact() || !crosses ? operand.bound : kUnbounded;
    return round(*op.out, static_cast<double>(zeroExtend(operand.integer, op.in->bits)), bound, 1);
  }
  case ScalarOp::FloatToSigned:
  case ScalarOp::FloatToUnsigned:
    return toInteger(op, operand);
  case ScalarOp::WidenFloat:
    return operand;
  case ScalarOp::NarrowFloat:
    return round(*op.out, operand.real, operand.bound, 1);
  default:
    return bitcast(op, operand);
  }
}
