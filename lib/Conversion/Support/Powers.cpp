//===- Powers.cpp - powers and remainders on lanes --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MathFunctions.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include <limits>

using namespace mlir;
using namespace sectile::lowering;

#include "MathPolynomials.inc"

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using P = arith::CmpFPredicate;

Num sectile::lowering::makeRsqrt(Lanes &l, Num x) { return 1.0 / l.sqrt(x); }

//===----------------------------------------------------------------------===//
// Sums of two doubles, for twice the precision (Dekker, Knuth)
//===----------------------------------------------------------------------===//

namespace {
struct Pair {
  Num high, low;
};
} // namespace

/// a + b exactly, for |a| >= |b|.
static Pair quickSum(Num a, Num b) {
  Num sum = a + b;
  return {sum, b - (sum - a)};
}

/// a + b exactly.
static Pair exactSum(Num a, Num b) {
  Num sum = a + b, part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}

/// a * b exactly.
static Pair exactProduct(Lanes &l, Num a, Num b) {
  Num product = a * b;
  if (l.hasFma())
    return {product, l.mulAdd(a, b, -product)};
  auto split = [](Num v) -> Pair {
    Num scaled = v * 0x1.0000002p27;
    Num high = scaled - (scaled - v);
    return {high, v - high};
  };
  Pair x = split(a), y = split(b);
  Num error = ((x.high * y.high - product) + x.high * y.low + x.low * y.high) + x.low * y.low;
  return {product, error};
}

static Pair multiply(Lanes &l, Pair a, Pair b) {
  Pair product = exactProduct(l, a.high, b.high);
  return quickSum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

/// log(x) to about 100 bits for positive finite f64.
static Pair longLog(Lanes &l, Num x) {
  auto [e, f] = decompose(l, x);
  Pair d = quickSum(l.num(2), f);
  Num quotient = f / d.high;
  Pair back = exactProduct(l, quotient, d.high);
  Pair s = {quotient, ((f - back.high) - back.low - quotient * d.low) / d.high};
  Pair z = multiply(l, s, s);
  // 2 atanh(s) = 2 s + s^3 (c0 + z q): all but z q to twice the precision.
  Num rest = z.high * l.polynomial(z.high, ArrayRef<double>(kLogF64).drop_front());
  Pair p = quickSum(l.num(kLogF64[0]), rest);
  Pair cubic = multiply(l, multiply(l, z, s), p);
  Pair powers = exactProduct(l, e, l.num(kLn2FullF64[0]));
  Pair sum = exactSum(powers.high, s.high + s.high);
  Pair total = exactSum(sum.high, cubic.high);
  Num low = total.low + sum.low + (powers.low + e * kLn2FullF64[1]) + (s.low + s.low) + cubic.low;
  return quickSum(total.high, low);
}

/// |x|^y of f64.
static Num widePower(Lanes &l, Num x, Num y) {
  // Larger exponents lead to 0, 1 or infinity as these do.
  Num bounded = l.atMost(l.atLeast(y, -0x1p70), 0x1p70);
  Pair log = longLog(l, x);
  Pair product = exactProduct(l, bounded, log.high);
  Num low = product.low + bounded * log.low;
  Num power = makeExp(l, product.high);
  power = l.select(power < kInfinity, l.mulAdd(power, low, power), power);
  // What the logarithm above does not know.
  Num grows = y > 0;
  power =
      l.select(l.compare(P::OEQ, x, l.num(0)), l.select(grows, l.num(0), l.num(kInfinity)), power);
  power = l.select(l.compare(P::OEQ, x, l.num(kInfinity)),
                   l.select(grows, l.num(kInfinity), l.num(0)), power);
  return l.select(l.compare(P::UNO, x, y), l.num(kNaN), power);
}

Num sectile::lowering::makePow(Lanes &l, Num x, Num y) {
  OpBuilder &b = l.builder;
  Num magnitude = l.abs(x);
  Num power = magnitude;
  if (l.wide) {
    power = widePower(l, magnitude, y);
  } else {
    // e^(y log |x|) in f64, whose 29 extra bits leave one rounding.
    Lanes w(b, l.loc, l.target, x, /*wide=*/true);
    auto widen = [&](Num v) {
      return w.wrap(arith::ExtFOp::create(b, l.loc, w.numType(), v.value));
    };
    Num product = widen(y) * makeLog(w, widen(magnitude));
    power = l.wrap(arith::TruncFOp::create(b, l.loc, l.numType(), makeExp(w, product).value));
  }
  // Negative bases: integers y keep or flip the sign, others have no result.
  Num whole = l.round(y), half = l.round(y * 0.5);
  Num isOdd = l.both(l.compare(P::OEQ, whole, y), l.compare(P::ONE, half + half, y));
  Num signedPower = l.copySign(power, l.select(isOdd, x, l.num(1)));
  Num isInvalid = l.both(l.both(x<0, x> - kInfinity), l.compare(P::ONE, whole, y));
  Num result = l.select(isInvalid, l.num(kNaN), signedPower);
  // 1 where there is 0 * infinity above: pow(1, y), pow(x, 0), pow(-1, +-infinity).
  Num isOne = l.compare(P::OEQ, x, l.num(1)), isZeroth = l.compare(P::OEQ, y, l.num(0));
  Num isUnit =
      l.both(l.compare(P::OEQ, magnitude, l.num(1)), l.compare(P::OEQ, l.abs(y), l.num(kInfinity)));
  return l.select(l.either(l.either(isOne, isZeroth), isUnit), l.num(1), result);
}

//===----------------------------------------------------------------------===//
// Remainder
//===----------------------------------------------------------------------===//

/// floor(log2(x)) for positive finite f64, subnormal ones included.
static Num floorLog2(Lanes &l, Num x) {
  Num isTiny = x < 0x1p-1022;
  Num bits = l.asInt(l.select(isTiny, x * 0x1p52, x));
  Num exponent = l.toNum(l.shiftRight(bits, 52)) - 1023.0;
  return l.select(isTiny, exponent - 52.0, exponent);
}

/// Of f64: subtracts the largest y * 2^k not above what is left, which is exact, until nothing of y
/// fits. As many rounds as the quotient has bits set.
static Num wideRem(Lanes &l, Num x, Num y) {
  OpBuilder &b = l.builder;
  Num isValid = l.both(l.compare(P::ONE, y, l.num(0)), l.abs(x) < kInfinity);
  isValid = l.both(isValid, l.compare(P::ORD, x, y));
  Num start = l.select(isValid, l.abs(x), l.num(0));
  Num divisor = l.select(isValid, l.abs(y), l.num(1));
  auto loop = scf::WhileOp::create(b, l.loc, TypeRange{l.numType()}, ValueRange{start.value});
  Block *before = b.createBlock(&loop.getBefore(), {}, {l.numType()}, {l.loc});
  Num left = l.wrap(before->getArgument(0));
  Num fits = l.compare(P::OGE, left, divisor);
  scf::ConditionOp::create(b, l.loc, anyLane(b, l.loc, fits), ValueRange{left.value});
  Block *after = b.createBlock(&loop.getAfter(), {}, {l.numType()}, {l.loc});
  left = l.wrap(after->getArgument(0));
  fits = l.compare(P::OGE, left, divisor);
  Num shift = l.select(fits, floorLog2(l, left) - floorLog2(l, divisor), l.num(0));
  Num multiple = l.scale(divisor, shift);
  multiple = l.select(l.compare(P::OGT, multiple, left), l.scale(divisor, shift - 1.0), multiple);
  Num next = l.select(fits, left - multiple, left);
  scf::YieldOp::create(b, l.loc, next.value);
  b.setInsertionPointAfter(loop);
  Num rest = l.copySign(l.wrap(loop.getResult(0)), x);
  return l.select(isValid, rest, l.num(kNaN));
}

Num sectile::lowering::makeRem(Lanes &l, Num x, Num y) {
  if (l.wide)
    return wideRem(l, x, y);
  // In f64 nothing is subnormal.
  Lanes w(l.builder, l.loc, l.target, x, /*wide=*/true);
  auto widen = [&](Num v) {
    return w.wrap(arith::ExtFOp::create(l.builder, l.loc, w.numType(), v.value));
  };
  Num rest = wideRem(w, widen(x), widen(y));
  return l.wrap(arith::TruncFOp::create(l.builder, l.loc, l.numType(), rest.value));
}
