//===- MathFunctions.cpp - elementary functions on lanes --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MathFunctions.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace sectile::lowering;

#include "MathPolynomials.inc"

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
static constexpr double kLog2E = 0x1.71547652b82fep0;
static constexpr double kLog10E = 0x1.bcb7b1526e50ep-2;
static constexpr double kLog10Of2 = 0x1.34413509f79ffp-2;

//===----------------------------------------------------------------------===//
// Exponentials:  e^x = 2^n e^r,  n = round(x / ln 2),  |r| <= ln 2 / 2
//===----------------------------------------------------------------------===//

namespace {
struct Reduced {
  Num n, r;
};
} // namespace

/// round(x * log2 e). Where products are added in one instruction, adding 1.5 * 2^23 rounds in the
/// same one; |x * log2 e| must be below 2^22, which whoever clamps x sees to.
static Num countPowers(Lanes &l, Num x) {
  if (l.wide || !l.hasFma())
    return l.round(x * kLog2E);
  constexpr double kRound = 0x1.8p23;
  return l.mulAdd(x, l.num(kLog2E), l.num(kRound)) - kRound;
}

static Reduced reduceExp(Lanes &l, Num x) {
  Num n = countPowers(l, x);
  const double *ln2 = l.wide ? kLn2F64 : kLn2F32;
  Num r = l.mulAdd(-n, l.num(ln2[0]), x); // exact
  return {n, l.mulAdd(-n, l.num(ln2[1]), r)};
}

/// e^r - 1 for reduced r, to the precision of e^r or, at the price of a term, of e^r - 1.
static Num polynomialExpM1(Lanes &l, Num r, bool isFinal = false) {
  ArrayRef<double> coefficients = l.wide    ? ArrayRef<double>(kExpM1F64)
                                  : isFinal ? ArrayRef<double>(kExpM1F32)
                                            : ArrayRef<double>(kExpF32);
  return l.mulAdd(r * r, l.polynomial(r, coefficients), r);
}

Num sectile::lowering::makeExp(Lanes &l, Num x) {
  // Beyond these the result is 0 or infinity either way, and the reduction stays exact.
  Num clamped = l.wide ? l.atMost(l.atLeast(x, -746), 710) : l.atMost(l.atLeast(x, -104), 89);
  auto [n, r] = reduceExp(l, clamped);
  if (l.wide || !l.hasFma())
    return l.scale(polynomialExpM1(l, r) + 1.0, n);
  // 1 + r (1 + r q): an instruction less, and the inner sum's rounding counts by r < 0.35 only.
  Num inner = l.mulAdd(l.polynomial(r, kExpF32), r, l.num(1));
  return l.scale(l.mulAdd(inner, r, l.num(1)), n);
}

Num sectile::lowering::makeExp2(Lanes &l, Num x) {
  Num clamped = l.wide ? l.atMost(l.atLeast(x, -1077), 1025) : l.atMost(l.atLeast(x, -152), 129);
  Num n = l.round(clamped);
  Num r = clamped - n; // exact
  ArrayRef<double> coefficients = l.wide ? ArrayRef<double>(kExp2F64) : kExp2F32;
  // 1 + (c0 r + r^2 q): only the last two steps round at the size of the result.
  Num high = r * r * l.polynomial(r, coefficients.drop_front());
  return l.scale(l.mulAdd(r, l.num(coefficients[0]), high) + 1.0, n);
}

/// e^x - 1 where 2^n is a number, that is n <= 127 (1023).
static Num boundedExpM1(Lanes &l, Num x) {
  auto [n, r] = reduceExp(l, x);
  Num power = l.powerOfTwo(n);
  return l.mulAdd(polynomialExpM1(l, r, /*isFinal=*/true), power, power - 1.0);
}

Num sectile::lowering::makeExpM1(Lanes &l, Num x) {
  // The last doubling is done apart: e^x - 1 is a number a little beyond 2^127.
  double high = l.wide ? 709.0 : 88.0, low = l.wide ? -38.0 : -18.0;
  Num bounded = boundedExpM1(l, l.atMost(l.atLeast(x, low), high));
  Num result = l.select(x > high, makeExp(l, x), bounded);
  return l.select(l.compare(arith::CmpFPredicate::OEQ, x, l.num(0)), x, result);
}

Num sectile::lowering::makeTanh(Lanes &l, Num x) {
  // 1 - 2 / (e^(2|x|) + 1) cancels near 0, where a polynomial takes over.
  Num magnitude = l.atMost(l.abs(x), l.wide ? 22 : 10);
  auto [n, r] = reduceExp(l, magnitude + magnitude);
  Num power = l.powerOfTwo(n);
  Num large = 1.0 - 2.0 / (l.mulAdd(polynomialExpM1(l, r), power, power) + 1.0);
  Num square = magnitude * magnitude;
  ArrayRef<double> coefficients = l.wide ? ArrayRef<double>(kTanhSmallF64) : kTanhSmallF32;
  Num small = l.mulAdd(square * magnitude, l.polynomial(square, coefficients), magnitude);
  return l.copySign(l.select(magnitude > 0.55, large, small), x);
}

//===----------------------------------------------------------------------===//
// Logarithms:  x = 2^e (1 + f),  sqrt(1/2) <= 1 + f < sqrt(2)
//===----------------------------------------------------------------------===//

Decomposed sectile::lowering::decompose(Lanes &l, Num x) {
  int64_t mantissa = l.wide ? 52 : 23;
  Num isTiny = x < (l.wide ? 0x1p-1022 : 0x1p-126);
  Num normal = l.select(isTiny, x * (l.wide ? 0x1p52 : 0x1p23), x);
  Num bits = l.asInt(normal);
  Num rootHalf = l.integer(l.wide ? 0x3fe6a09e667f3bcd : 0x3f3504f3);
  Num e = l.shiftRight(bits - rootHalf, mantissa);
  Num f = l.asNum(bits - l.shiftLeft(e, mantissa)) - 1.0;
  Num exponent = l.toNum(e);
  return {l.select(isTiny, exponent - double(mantissa), exponent), f};
}

/// Low part of log(1 + f) = f + low.
static Num log1pLow(Lanes &l, Num f) {
  Num square = f * f;
  if (!l.wide)
    return l.mulAdd(square, l.num(-0.5), f * square * l.polynomial(f, kLogF32));
  // 2 atanh(s), s = f / (2 + f), rearranged so that what is added to f is small.
  Num s = f / (f + 2.0), z = s * s;
  Num half = square * 0.5;
  return s * (half + z * l.polynomial(z, kLogF64)) - half;
}

/// Results at and beyond the ends of the domain: x < 0, 0, infinity, NaN.
static Num fixLog(Lanes &l, Num x, Num result) {
  Num finite = l.select(x < kInfinity, result, x);
  Num isZero = l.compare(arith::CmpFPredicate::OEQ, x, l.num(0));
  return l.select(x > 0, finite, l.select(isZero, l.num(-kInfinity), l.num(kNaN)));
}

static Num logOfPositive(Lanes &l, Num x) {
  auto [e, f] = decompose(l, x);
  const double *ln2 = l.wide ? kLn2F64 : kLn2F32;
  Num low = l.mulAdd(e, l.num(ln2[1]), log1pLow(l, f));
  return l.mulAdd(e, l.num(ln2[0]), f + low);
}

Num sectile::lowering::makeLog(Lanes &l, Num x) { return fixLog(l, x, logOfPositive(l, x)); }

/// Logarithm to a base with log(2) = `ofTwo` and 1 / ln(base) = `scale`.
static Num logToBase(Lanes &l, Num x, double ofTwo, double scale) {
  auto [e, f] = decompose(l, x);
  // scale * (f + low) with the leading product in two parts.
  Num low = log1pLow(l, f);
  double high = static_cast<float>(scale);
  if (!l.wide) {
    Num small = l.mulAdd(low, l.num(high), (f + low) * (scale - high));
    if (ofTwo == 1.0)
      return fixLog(l, x, e + l.mulAdd(f, l.num(high), small));
    double ofTwoHigh = 0x1.344p-2;
    small = l.mulAdd(e, l.num(ofTwo - ofTwoHigh), small);
    return fixLog(l, x, l.mulAdd(e, l.num(ofTwoHigh), l.mulAdd(f, l.num(high), small)));
  }
  double wideHigh = scale, ofTwoHigh = 0x1.34413509f8p-2;
  Num natural = (f + low) * wideHigh;
  if (ofTwo == 1.0)
    return fixLog(l, x, e + natural);
  // The low part of log10(2) to double precision.
  Num small = l.mulAdd(e, l.num(-0x1.80433b83b532ap-44), natural);
  return fixLog(l, x, l.mulAdd(e, l.num(ofTwoHigh), small));
}

Num sectile::lowering::makeLog2(Lanes &l, Num x) { return logToBase(l, x, 1.0, kLog2E); }
Num sectile::lowering::makeLog10(Lanes &l, Num x) { return logToBase(l, x, kLog10Of2, kLog10E); }

Num sectile::lowering::makeLog1P(Lanes &l, Num x) {
  // What 1 + x loses in rounding is made up for to first order.
  Num u = x + 1.0;
  Num lost = l.select(x < (l.wide ? 0x1p53 : 0x1p24), x - (u - 1.0), l.num(0));
  auto [e, f] = decompose(l, u);
  const double *ln2 = l.wide ? kLn2F64 : kLn2F32;
  Num low = l.mulAdd(e, l.num(ln2[1]), log1pLow(l, f) + lost / u);
  Num result = fixLog(l, u, l.mulAdd(e, l.num(ln2[0]), f + low));
  // Keeps the sign of zero, and x where 1 + x is 1.
  return l.select(l.compare(arith::CmpFPredicate::OLT, l.abs(x), l.num(l.wide ? 0x1p-54 : 0x1p-25)),
                  x, result);
}

//===----------------------------------------------------------------------===//
// Error function
//===----------------------------------------------------------------------===//

/// Beyond 1, 1 - e^(-x^2) g(x): the error is scaled down by erfc.
static Num wideErf(Lanes &l, Num x) {
  Num magnitude = l.atMost(l.abs(x), 6);
  Num square = magnitude * magnitude;
  auto [n, r] = reduceExp(l, -square);
  Num power = l.powerOfTwo(n);
  Num gauss = l.mulAdd(polynomialExpM1(l, r), power, power);
  Num g = l.polynomial((magnitude - 2.0) / (magnitude + 2.0), kErfLargeF64);
  Num small = l.mulAdd(l.polynomial(square, kErfSmallF64), magnitude, magnitude);
  return l.copySign(l.select(magnitude > 1.0, 1.0 - gauss * g, small), x);
}

Num sectile::lowering::makeErf(Lanes &l, Num x) {
  if (l.wide)
    return wideErf(l, x);
  Num magnitude = l.atMost(l.abs(x), 4);
  // Beyond 0.92, 1 - exp(log(erfc(x))).
  auto [n, r] = reduceExp(l, l.polynomial(magnitude, kErfLargeF32));
  Num power = l.powerOfTwo(n);
  Num large = 1.0 - l.mulAdd(polynomialExpM1(l, r), power, power);
  Num small = l.mulAdd(l.polynomial(x * x, kErfSmallF32), magnitude, magnitude);
  return l.copySign(l.select(magnitude > 0.92, large, small), x);
}

//===----------------------------------------------------------------------===//
// Hyperbolic functions and their inverses
//===----------------------------------------------------------------------===//

Num sectile::lowering::makeSinh(Lanes &l, Num x) {
  // (t + t / (t + 1)) / 2,  t = e^|x| - 1; where that overflows, e^(|x| / 2) squared, halved first.
  Num magnitude = l.abs(x);
  Num t = makeExpM1(l, magnitude);
  Num root = makeExp(l, magnitude * 0.5);
  Num value = l.select(magnitude > 700.0, root * 0.5 * root, (t + t / (t + 1.0)) * 0.5);
  return l.copySign(value, x);
}

Num sectile::lowering::makeCosh(Lanes &l, Num x) {
  Num magnitude = l.abs(x);
  Num e = makeExp(l, magnitude), root = makeExp(l, magnitude * 0.5);
  return l.select(magnitude > 700.0, root * 0.5 * root, (e + 1.0 / e) * 0.5);
}

Num sectile::lowering::makeAsinh(Lanes &l, Num x) {
  Num magnitude = l.abs(x), square = magnitude * magnitude;
  Num small = makeLog1P(l, magnitude + square / (l.sqrt(square + 1.0) + 1.0));
  Num large = makeLog(l, magnitude) + 0x1.62e42fefa39efp-1;
  return l.copySign(l.select(magnitude > 0x1p500, large, small), x);
}

Num sectile::lowering::makeAcosh(Lanes &l, Num x) {
  Num t = x - 1.0;
  Num small = makeLog1P(l, t + l.sqrt(t * (t + 2.0)));
  Num large = makeLog(l, x) + 0x1.62e42fefa39efp-1;
  Num value = l.select(x > 0x1p500, large, small);
  return l.select(x < 1.0, l.num(kNaN), value);
}

Num sectile::lowering::makeAtanh(Lanes &l, Num x) {
  Num magnitude = l.abs(x);
  Num value = makeLog1P(l, (magnitude + magnitude) / (1.0 - magnitude)) * 0.5;
  return l.copySign(value, x);
}
