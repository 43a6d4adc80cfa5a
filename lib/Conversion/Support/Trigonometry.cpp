//===- Trigonometry.cpp - angles on lanes -----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MathFunctions.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/APInt.h"

#include <array>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace sectile::lowering;

#include "MathPolynomials.inc"

static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
static constexpr double kPi = 0x1.921fb54442d18p1;
static constexpr double kTwoOverPiNear = 0x1.45f306dc9c883p-1;

using P = arith::CmpFPredicate;

//===----------------------------------------------------------------------===//
// Reduction:  x = n pi / 2 + r,  |r| <= pi / 4
//===----------------------------------------------------------------------===//

namespace {
struct Angle {
  /// n modulo 4, as an integer.
  Num quadrant;
  Num r;
};
} // namespace

/// Bits [first, first + count) behind the point of 2^e * 2 / pi modulo 4, as a number; bits -2 and
/// -1 are in front of it.
static double sliceTwoOverPi(int e, int first, unsigned count) {
  constexpr unsigned kBits = 64 * std::size(kTwoOverPi);
  llvm::APInt bits(kBits, kTwoOverPi);
  // Behind the point, 2^e * 2 / pi starts at bit e.
  int high = e + first;
  uint64_t slice = 0;
  for (unsigned i = 0; i < count; ++i) {
    int at = high + static_cast<int>(i);
    bool isSet = at >= 0 && bits[kBits - 1 - at];
    slice = slice << 1 | isSet;
  }
  return std::ldexp(static_cast<double>(slice), -(first + static_cast<int>(count)));
}

/// table[index] for an index in each lane.
static Num lookUp(Lanes &w, StringRef name, ArrayRef<double> table, Value index) {
  OpBuilder &b = w.builder;
  Operation *module = SymbolTable::getNearestSymbolTable(b.getInsertionBlock()->getParentOp());
  auto type = RankedTensorType::get({static_cast<int64_t>(table.size())}, b.getF64Type());
  if (!SymbolTable::lookupSymbolIn(module, name)) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&module->getRegion(0).front());
    auto array = LLVM::LLVMArrayType::get(b.getF64Type(), table.size());
    LLVM::GlobalOp::create(b, w.loc, array, /*isConstant=*/true, LLVM::Linkage::Internal, name,
                           DenseElementsAttr::get(type, table), /*alignment=*/64);
  }
  auto pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value base = LLVM::AddressOfOp::create(b, w.loc, pointer, name);
  if (!w.target.hasGather) {
    SmallVector<Element> elements;
    for (int64_t i = 0; i < w.count; ++i) {
      Value place = LLVM::GEPOp::create(b, w.loc, pointer, b.getF64Type(), base,
                                        ArrayRef<LLVM::GEPArg>{extractLane(b, w.loc, index, i)});
      elements.push_back({LLVM::LoadOp::create(b, w.loc, b.getF64Type(), place, 8), 0});
    }
    return w.wrap(splat(b, w.loc, buildPart(b, w.loc, elements), w.count));
  }
  Value place = LLVM::GEPOp::create(b, w.loc, getPartType(pointer, w.count), b.getF64Type(), base,
                                    ArrayRef<LLVM::GEPArg>{index});
  if (w.count == 1)
    return w.wrap(LLVM::LoadOp::create(b, w.loc, b.getF64Type(), place, 8));
  Value all =
      makeConstant(b, w.loc, VectorType::get({w.count}, b.getI1Type()), b.getBoolAttr(true));
  return w.wrap(LLVM::masked_gather::create(b, w.loc, w.numType(), place, all, ValueRange{},
                                            b.getI32IntegerAttr(8)));
}

/// An angle from terms whose sum is x * 2 / pi modulo 4; all but the last are exact multiples of
/// 2^-52 or so, and below 4 after reduction.
static Angle angleOf(Lanes &w, ArrayRef<Num> terms) {
  Num whole = w.num(0), fraction = w.num(0);
  for (Num term : terms) {
    Num near = w.round(term);
    whole = whole + near;
    fraction = fraction + (term - near);
  }
  Num near = w.round(fraction);
  Num n = whole + near;
  Num r = (fraction - near) * (kPi / 2);
  return {w.asInt(n + 0x1.8p52), r}; // the low bits of the sum hold n
}

/// f32 of any size: x = m 2^e with e >= 0 and |m| < 2^24, against a table of 2^e * 2 / pi modulo 4
/// in two doubles, of which the first is short enough for an exact product with m.
static Angle reduceLargeF32(Lanes &l, Num x) {
  static const auto kTables = [] {
    std::array<std::vector<double>, 2> tables;
    for (int e = 0; e < 105; ++e) {
      tables[0].push_back(sliceTwoOverPi(e, -2, 28));
      tables[1].push_back(sliceTwoOverPi(e, 26, 53));
    }
    return tables;
  }();
  OpBuilder &b = l.builder;
  Num bits = l.asInt(x);
  Num exponent = l.both(l.shiftRight(bits, 23), l.integer(0xff)) - l.integer(150);
  Num isPositive = l.compare(arith::CmpIPredicate::sgt, exponent, l.integer(0));
  Num e = l.select(isPositive, exponent, l.integer(0));
  Num isFinite = l.compare(arith::CmpIPredicate::slt, e, l.integer(105));
  e = l.select(isFinite, e, l.integer(0));
  Num m = l.asNum(bits - l.shiftLeft(e, 23));
  Lanes w(b, l.loc, l.target, x, /*wide=*/true);
  Num wide = w.wrap(arith::ExtFOp::create(b, l.loc, w.numType(), m.value));
  Num high = wide * lookUp(w, "sectile.two_over_pi.0", kTables[0], e);
  Num low = wide * lookUp(w, "sectile.two_over_pi.1", kTables[1], e);
  auto [n, angle] = angleOf(w, {high - w.round(high * 0.25) * 4.0, low});
  Num r = l.wrap(arith::TruncFOp::create(b, l.loc, l.numType(), angle.value));
  Num quadrant = l.wrap(arith::TruncIOp::create(b, l.loc, l.intType(), n.value));
  return {quadrant, l.select(isFinite, r, l.num(kNaN))};
}

/// The same for f64 from 2^20 on: x = m 2^e with |m| < 2^53 an integer. It is taken in two halves
/// and the table in four parts, so that all products but the last are exact.
static Angle reduceLargeF64(Lanes &l, Num x) {
  constexpr int kLowest = -32, kHighest = 971;
  static const auto kTables = [] {
    std::array<std::vector<double>, 4> tables;
    for (int e = kLowest; e <= kHighest; ++e) {
      tables[0].push_back(sliceTwoOverPi(e, -2, 24));
      tables[1].push_back(sliceTwoOverPi(e, 22, 24));
      tables[2].push_back(sliceTwoOverPi(e, 46, 24));
      tables[3].push_back(sliceTwoOverPi(e, 70, 53));
    }
    return tables;
  }();
  Num bits = l.asInt(x);
  Num e = l.both(l.shiftRight(bits, 52), l.integer(0x7ff)) - l.integer(1075);
  Num isFinite = l.compare(arith::CmpIPredicate::sle, e, l.integer(kHighest));
  Num isLarge = l.compare(arith::CmpIPredicate::sge, e, l.integer(kLowest));
  e = l.select(l.both(isFinite, isLarge), e, l.integer(0));
  Num m = l.asNum(bits - l.shiftLeft(e, 52));
  Num high = l.round(m * 0x1p-26) * 0x1p26, low = m - high;
  SmallVector<Num> terms;
  for (unsigned i = 0; i < 4; ++i) {
    Num part = lookUp(l, ("sectile.two_over_pi.wide" + Twine(i)).str(), kTables[i],
                      e - l.integer(kLowest));
    auto add = [&](Num product) { terms.push_back(product - l.round(product * 0.25) * 4.0); };
    if (i != 0) // The first is a multiple of 4.
      add(high * part);
    add(low * part);
  }
  auto [quadrant, r] = angleOf(l, terms);
  return {quadrant, l.select(isFinite, r, l.num(kNaN))};
}

static Angle reduceAngle(Lanes &l, Num x) {
  Num n = l.round(x * kTwoOverPiNear);
  Num r = x;
  if (l.hasFma()) {
    // The first step is exact, the last one too small to count: r is rounded once.
    ArrayRef<double> parts = l.wide ? ArrayRef<double>(kPiHalfFusedF64) : kPiHalfF32;
    for (double part : parts)
      r = l.mulAdd(-n, l.num(part), r);
  } else if (l.wide) {
    for (double part : kPiHalfF64)
      r = r - n * part;
  } else {
    // Products with parts of 33 bits are exact in f64.
    Lanes w(l.builder, l.loc, l.target, x, /*wide=*/true);
    auto widen = [&](Num v) {
      return w.wrap(arith::ExtFOp::create(l.builder, l.loc, w.numType(), v.value));
    };
    Num wide = widen(x) - widen(n) * kPiHalfF64[0] - widen(n) * kPiHalfF64[1];
    r = l.wrap(arith::TruncFOp::create(l.builder, l.loc, l.numType(), wide.value));
  }
  Num quadrant = l.asInt(n + (l.wide ? 0x1.8p52 : 0x1.8p23));
  // Up to here n is the nearest integer and its products are exact.
  double limit = !l.wide ? 10000 : l.hasFma() ? 0x1p30 : 0x1p20;
  Num isLarge = l.compare(P::UGT, l.abs(x), l.num(limit));
  Value any = anyLane(l.builder, l.loc, isLarge);
  OpBuilder &b = l.builder;
  auto branch = scf::IfOp::create(b, l.loc, TypeRange{l.intType(), l.numType()}, any,
                                  /*addThenBlock=*/true, /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  Angle large = l.wide ? reduceLargeF64(l, x) : reduceLargeF32(l, x);
  SmallVector<Value> chosen = {l.select(isLarge, large.quadrant, quadrant),
                               l.select(isLarge, large.r, r)};
  scf::YieldOp::create(b, l.loc, chosen);
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, l.loc, ValueRange{quadrant, r});
  return {l.wrap(branch.getResult(0)), l.wrap(branch.getResult(1))};
}

//===----------------------------------------------------------------------===//
// Functions of angles
//===----------------------------------------------------------------------===//

static Num sinOfReduced(Lanes &l, Num r) {
  Num z = r * r;
  ArrayRef<double> coefficients = l.wide ? ArrayRef<double>(kSinF64) : kSinF32;
  return l.mulAdd(z * r, l.polynomial(z, coefficients), r);
}

static Num cosOfReduced(Lanes &l, Num r) {
  Num z = r * r;
  ArrayRef<double> coefficients = l.wide ? ArrayRef<double>(kCosF64) : kCosF32;
  return l.mulAdd(z * z, l.polynomial(z, coefficients), l.mulAdd(z, l.num(-0.5), l.num(1)));
}

static Num isOdd(Lanes &l, Num quadrant) {
  return l.compare(arith::CmpIPredicate::ne, l.both(quadrant, l.integer(1)), l.integer(0));
}

/// sin(x + shift * pi / 2)
static Num sine(Lanes &l, Num x, int64_t shift) {
  auto [quadrant, r] = reduceAngle(l, x);
  quadrant = quadrant + l.integer(shift);
  Num value = l.select(isOdd(l, quadrant), cosOfReduced(l, r), sinOfReduced(l, r));
  Num sign = l.shiftLeft(l.both(quadrant, l.integer(2)), l.wide ? 62 : 30);
  return l.asNum(l.exclusive(l.asInt(value), sign));
}

/// `value`, but x where x is a zero: its sign has no other way through.
static Num keepZero(Lanes &l, Num x, Num value) {
  return l.select(l.compare(P::OEQ, x, l.num(0)), x, value);
}

Num sectile::lowering::makeSin(Lanes &l, Num x) { return keepZero(l, x, sine(l, x, 0)); }
Num sectile::lowering::makeCos(Lanes &l, Num x) { return sine(l, x, 1); }

Num sectile::lowering::makeTan(Lanes &l, Num x) {
  auto [quadrant, r] = reduceAngle(l, x);
  Num s = sinOfReduced(l, r), c = cosOfReduced(l, r), odd = isOdd(l, quadrant);
  return keepZero(l, x, l.select(odd, -c, s) / l.select(odd, s, c));
}

/// atan(a / b) for 0 <= a, b.
static Num atanOfQuotient(Lanes &l, Num a, Num b) {
  // Against pi / 4 in the middle, and the complement of b / a beyond 1.
  Num isSteep = l.compare(P::OGT, a, b);
  Num low = l.select(isSteep, b, a), high = l.select(isSteep, a, b);
  Num isMiddle = l.compare(P::OGT, low, high * 0x1.a827999fcef32p-2); // tan(pi / 8)
  Num t = l.select(isMiddle, low - high, low) / l.select(isMiddle, low + high, high);
  Num z = t * t;
  Num value = l.mulAdd(z * t, l.polynomial(z, kAtanF64), t);
  // The halves of pi to more than double precision.
  constexpr double kQuarterLow = 0x1.1a62633145c07p-55;
  value = l.select(isMiddle, l.num(kPi / 4) + (value + kQuarterLow), value);
  return l.select(isSteep, l.num(kPi / 2) - (value - 2 * kQuarterLow), value);
}

Num sectile::lowering::makeAtan(Lanes &l, Num x) {
  Num magnitude = l.abs(x);
  // infinity / 1 would lose the middle's difference.
  Num bounded = l.atMost(magnitude, 0x1p60);
  return keepZero(l, x, l.copySign(atanOfQuotient(l, bounded, l.num(1)), x));
}

Num sectile::lowering::makeAsin(Lanes &l, Num x) {
  Num magnitude = l.abs(x);
  Num other = l.sqrt((1.0 - magnitude) * (magnitude + 1.0)); // NaN beyond 1
  Num value = atanOfQuotient(l, magnitude, other);
  value = l.select(l.compare(P::UNO, other, other), other, value);
  return keepZero(l, x, l.copySign(value, x));
}

Num sectile::lowering::makeAcos(Lanes &l, Num x) {
  Num a = l.sqrt(1.0 - x), b = l.sqrt(x + 1.0);
  Num value = atanOfQuotient(l, a, b) * 2.0;
  return l.select(l.compare(P::UNO, a, b), l.num(kNaN), value);
}

Num sectile::lowering::makeAtan2(Lanes &l, Num y, Num x) {
  // Infinities count as equal to each other and far beyond everything else.
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Num a = l.abs(y), b = l.abs(x);
  Num isFar = l.compare(P::OEQ, a, l.num(kInfinity)),
      isFarX = l.compare(P::OEQ, b, l.num(kInfinity));
  Num eitherFar = l.either(isFar, isFarX);
  Num top = l.select(eitherFar, l.select(isFar, l.num(1), l.num(0)), a);
  Num bottom = l.select(eitherFar, l.select(isFarX, l.num(1), l.num(0)), b);
  // 0 / 0 counts as 0 / 1.
  Num bothZero = l.both(l.compare(P::OEQ, top, l.num(0)), l.compare(P::OEQ, bottom, l.num(0)));
  Num value = atanOfQuotient(l, top, l.select(bothZero, l.num(1), bottom));
  Num sign = l.copySign(l.num(1), x);
  value = l.select(sign < 0, l.num(kPi) - (value - 0x1.1a62633145c07p-53), value);
  value = l.select(l.compare(P::UNO, y, x), l.num(kNaN), value);
  return l.copySign(value, y);
}
