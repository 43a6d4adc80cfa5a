//===- MissingInstructions.cpp - what a level computes in steps -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rounding to integral values, maxima, square roots and fused multiply-adds are one
// instruction on large CPUs. Where they are none, LLVM would call a mathematical
// library, which our code does without. All but the fused multiply-add are exact:
// they give the bits that the instruction gives.
//
//===----------------------------------------------------------------------===//

#include "MissingInstructions.h"

#include "CpuMath.h"
#include "lib/Conversion/Support/Lanes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::lowering;

using P = arith::CmpFPredicate;
using I = arith::CmpIPredicate;

/// Above 2^p, p being the bits of the significand behind its first, every float is integral.
static double integralFrom(Lanes &l) { return l.wide ? 0x1p52 : 0x1p23; }

/// Nearest integral value, ties to even: the sum with 2^p has no room for a fraction.
static Num makeRoundEven(Lanes &l, Num x) {
  Num magnitude = l.abs(x), shift = l.num(integralFrom(l));
  Num rounded = l.copySign((magnitude + shift) - shift, x); // -0.25 becomes -0
  return l.select(l.compare(P::OLT, magnitude, shift), rounded, x);
}

/// Nearest integral value that is not above x. The nearest one is above it by less than 1, or is
/// it.
static Num makeFloor(Lanes &l, Num x) {
  Num nearest = makeRoundEven(l, x);
  Num isAbove = l.compare(P::OGT, nearest, x);
  return l.copySign(l.select(isAbove, nearest - 1.0, nearest), x);
}

static Num makeCeil(Lanes &l, Num x) { return -makeFloor(l, -x); }

static Num makeTrunc(Lanes &l, Num x) { return l.copySign(makeFloor(l, l.abs(x)), x); }

/// Square root, correctly rounded: one bit of the result at a time, as one does it by hand. With
/// x = m 4^e and m in [1, 4) a fixed-point number, root and remainder are integers; the bit behind
/// the last one rounds, and it is never alone (no square root of a float lies halfway between two).
static Num makeSqrt(Lanes &l, Num x) {
  int64_t fraction = l.wide ? 52 : 23, bias = l.wide ? 1023 : 127;
  double lift = l.wide ? 0x1p54 : 0x1p24, lower = l.wide ? 0x1p-27 : 0x1p-12;
  double smallest = l.wide ? std::numeric_limits<double>::min() : std::numeric_limits<float>::min();
  OpBuilder &b = l.builder;
  auto shiftRight = [&](Num value, int64_t bits) {
    return l.wrap(arith::ShRUIOp::create(b, l.loc, value.value, l.integer(bits).value));
  };
  // Denormal numbers are scaled by an even power of two, which the root is scaled back by.
  Num isSmall = l.compare(P::OLT, x, l.num(smallest));
  Num bits = l.asInt(l.select(isSmall, x * lift, x));
  Num exponent = shiftRight(bits, fraction) - l.integer(bias);
  Num mantissa = l.either(l.both(bits, l.integer((int64_t(1) << fraction) - 1)),
                          l.integer(int64_t(1) << fraction));
  Num isOdd = l.compare(I::ne, l.both(exponent, l.integer(1)), l.integer(0));
  mantissa = l.select(isOdd, l.shiftLeft(mantissa, 1), mantissa);
  Num half = l.shiftRight(exponent, 1);

  // fraction + 2 bits of the root, the highest first. `rest` is what remains of the mantissa, times
  // two for each bit; `twice` is the root so far, times two.
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(b, l.loc, value, 32);
  };
  SmallVector<Value> inits = {l.shiftLeft(mantissa, 1), l.integer(0), l.integer(0),
                              l.integer(int64_t(1) << (fraction + 1))};
  auto loop = scf::ForOp::create(b, l.loc, number(0), number(fraction + 2), number(1), inits);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Num rest = l.wrap(loop.getRegionIterArg(0)), twice = l.wrap(loop.getRegionIterArg(1));
    Num root = l.wrap(loop.getRegionIterArg(2)), bit = l.wrap(loop.getRegionIterArg(3));
    Num trial = twice + bit;
    Num fits = l.compare(I::sle, trial, rest);
    SmallVector<Value> next = {l.shiftLeft(l.select(fits, rest - trial, rest), 1),
                               l.select(fits, trial + bit, twice), l.select(fits, root + bit, root),
                               shiftRight(bit, 1)};
    scf::YieldOp::create(b, l.loc, next);
  }
  Num root = l.wrap(loop.getResult(2));
  Num rounded = shiftRight(root + l.both(root, l.integer(1)), 1);
  // The leading bit of the root adds one to the exponent's field.
  Num result = l.asNum(rounded + l.shiftLeft(half + l.integer(bias - 1), fraction));
  result = l.select(isSmall, result * lower, result);
  // Zeros, infinity and NaN are their own roots; negative numbers have none.
  Num isPositive = l.compare(P::OGT, x, l.num(0));
  Num isFinite = l.compare(P::OLT, x, l.num(std::numeric_limits<double>::infinity()));
  Num isNegative = l.compare(P::OLT, x, l.num(0));
  Num other = l.select(isNegative, l.num(std::numeric_limits<double>::quiet_NaN()), x);
  return l.select(l.both(isPositive, isFinite), result, other);
}

/// The greater or smaller of two, as arith's maximumf and minimumf (NaN if either is, -0 below 0)
/// or maxnumf and minnumf (the other one if either is NaN).
static Value makeExtremum(Lanes &l, Operation *op) {
  Num a = l.wrap(op->getOperand(0)), b = l.wrap(op->getOperand(1));
  bool isMax = isa<arith::MaximumFOp, arith::MaxNumFOp>(op);
  bool keepsNaN = isa<arith::MaximumFOp, arith::MinimumFOp>(op);
  // What is compared with a NaN is not greater: b.
  Num result = l.select(l.compare(isMax ? P::OGT : P::OLT, a, b), a, b);
  auto flags = cast<arith::ArithFastMathInterface>(op).getFastMathFlagsAttr().getValue();
  if (keepsNaN && !arith::bitEnumContainsAny(flags, arith::FastMathFlags::nsz)) {
    // Equal numbers have equal bits, except for zeros.
    Num zero = isMax ? l.both(l.asInt(a), l.asInt(b)) : l.either(l.asInt(a), l.asInt(b));
    result = l.select(l.compare(P::OEQ, a, b), l.asNum(zero), result);
  }
  Num other = keepsNaN ? a : b;
  Num isSpecial = l.compare(P::UNO, other, other);
  return l.select(isSpecial, a, result);
}

/// A fused multiply-add rounds twice: contraction is an optimisation here.
static void splitFma(math::FmaOp op) {
  OpBuilder builder(op);
  Value product = arith::MulFOp::create(builder, op.getLoc(), op.getA(), op.getB());
  Value sum = arith::AddFOp::create(builder, op.getLoc(), product, op.getC());
  op.replaceAllUsesWith(sum);
  op.erase();
}

/// What computes `op` where `unit` has no instruction for it; null where it has one.
static Num (*getSubstitute(Operation *op, const FloatUnit &unit))(Lanes &, Num) {
  using Function = Num (*)(Lanes &, Num);
  if (isa<math::SqrtOp>(op))
    return unit.hasSqrt ? nullptr : makeSqrt;
  if (unit.hasRoundingAndMaxima)
    return nullptr;
  return llvm::TypeSwitch<Operation *, Function>(op)
      .Case<math::RoundEvenOp>([](auto) { return makeRoundEven; })
      .Case<math::FloorOp>([](auto) { return makeFloor; })
      .Case<math::CeilOp>([](auto) { return makeCeil; })
      .Case<math::TruncOp>([](auto) { return makeTrunc; })
      .Default([](Operation *) { return nullptr; });
}

void sectile::cpu::substituteMissing(Operation *root, const CpuLevel &level) {
  root->walk([&](Operation *op) {
    if (op->getNumResults() != 1)
      return;
    Type element = getElementTypeOrSelf(op->getResult(0).getType());
    if (!element.isF32() && !element.isF64())
      return;
    const FloatUnit &unit = level.getFloatUnit(element.isF64());
    if (auto fma = dyn_cast<math::FmaOp>(op); fma && !unit.hasFma) {
      splitFma(fma);
      return;
    }
    bool isExtremum =
        isa<arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp, arith::MinNumFOp>(op) &&
        !unit.hasRoundingAndMaxima;
    auto function = getSubstitute(op, unit);
    if (!function && !isExtremum)
      return;
    OpBuilder builder(op);
    Lanes l(builder, op->getLoc(), getMathTarget(level), op->getResult(0), element.isF64());
    Value result = isExtremum ? makeExtremum(l, op) : function(l, l.wrap(op->getOperand(0))).value;
    op->getResult(0).replaceAllUsesWith(result);
    op->erase();
  });
}
