//===- Lanes.cpp - arithmetic on lanes, written as formulas -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lanes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace sectile::lowering;

Type Lanes::numType() const {
  return getPartType(wide ? Type(builder.getF64Type()) : Type(builder.getF32Type()), count);
}
Type Lanes::intType() const { return getPartType(builder.getIntegerType(wide ? 64 : 32), count); }

Num Lanes::num(double value) {
  Type element = wide ? Type(builder.getF64Type()) : Type(builder.getF32Type());
  return wrap(makeConstant(builder, loc, numType(), builder.getFloatAttr(element, value)));
}

Num Lanes::integer(int64_t value) {
  Type element = builder.getIntegerType(wide ? 64 : 32);
  return wrap(makeConstant(builder, loc, intType(), builder.getIntegerAttr(element, value)));
}

namespace {
template <typename FloatOp, typename IntOp>
Num binary(Num a, Num b) {
  Lanes &l = *a.lanes;
  if (isa<FloatType>(getElementTypeOrSelf(a.value.getType())))
    return l.wrap(FloatOp::create(l.builder, l.loc, a.value, b.value));
  return l.wrap(IntOp::create(l.builder, l.loc, a.value, b.value));
}
} // namespace

namespace sectile::lowering {
Num operator+(Num a, Num b) { return binary<arith::AddFOp, arith::AddIOp>(a, b); }
Num operator-(Num a, Num b) { return binary<arith::SubFOp, arith::SubIOp>(a, b); }
Num operator*(Num a, Num b) { return binary<arith::MulFOp, arith::MulIOp>(a, b); }
Num operator/(Num a, Num b) { return binary<arith::DivFOp, arith::DivSIOp>(a, b); }
Num operator-(Num a) {
  Lanes &l = *a.lanes;
  return l.wrap(arith::NegFOp::create(l.builder, l.loc, a.value));
}
Num operator+(Num a, double b) { return a + a.lanes->num(b); }
Num operator-(Num a, double b) { return a - a.lanes->num(b); }
Num operator-(double a, Num b) { return b.lanes->num(a) - b; }
Num operator*(Num a, double b) { return a * a.lanes->num(b); }
Num operator/(double a, Num b) { return b.lanes->num(a) / b; }
Num operator<(Num a, double b) {
  return a.lanes->compare(arith::CmpFPredicate::OLT, a, a.lanes->num(b));
}
Num operator>(Num a, double b) {
  return a.lanes->compare(arith::CmpFPredicate::OGT, a, a.lanes->num(b));
}
} // namespace sectile::lowering

Num Lanes::mulAdd(Num a, Num b, Num c) {
  if (hasFma())
    return wrap(math::FmaOp::create(builder, loc, a.value, b.value, c.value));
  return a * b + c;
}

Num Lanes::polynomial(Num x, ArrayRef<double> coefficients) {
  auto chain = [&](Num variable, size_t first, size_t step) {
    size_t last = first + (coefficients.size() - 1 - first) / step * step;
    Num sum = num(coefficients[last]);
    for (size_t i = last; i != first; i -= step)
      sum = mulAdd(sum, variable, num(coefficients[i - step]));
    return sum;
  };
  if (coefficients.size() <= 7)
    return chain(x, 0, 1);
  Num square = x * x;
  return mulAdd(chain(square, 1, 2), x, chain(square, 0, 2));
}

Num Lanes::select(Num condition, Num a, Num b) {
  return wrap(arith::SelectOp::create(builder, loc, condition.value, a.value, b.value));
}
Num Lanes::compare(arith::CmpFPredicate predicate, Num a, Num b) {
  return wrap(arith::CmpFOp::create(builder, loc, predicate, a.value, b.value));
}
Num Lanes::compare(arith::CmpIPredicate predicate, Num a, Num b) {
  return wrap(arith::CmpIOp::create(builder, loc, predicate, a.value, b.value));
}
Num Lanes::abs(Num x) { return wrap(math::AbsFOp::create(builder, loc, x.value)); }
Num Lanes::copySign(Num x, Num sign) {
  return wrap(math::CopySignOp::create(builder, loc, x.value, sign.value));
}
Num Lanes::round(Num x) { return wrap(math::RoundEvenOp::create(builder, loc, x.value)); }
Num Lanes::sqrt(Num x) { return wrap(math::SqrtOp::create(builder, loc, x.value)); }
Num Lanes::atLeast(Num x, double limit) { return select(x < limit, num(limit), x); }
Num Lanes::atMost(Num x, double limit) { return select(x > limit, num(limit), x); }
Num Lanes::asInt(Num x) { return wrap(arith::BitcastOp::create(builder, loc, intType(), x.value)); }
Num Lanes::asNum(Num x) { return wrap(arith::BitcastOp::create(builder, loc, numType(), x.value)); }
Num Lanes::toInt(Num x) { return wrap(arith::FPToSIOp::create(builder, loc, intType(), x.value)); }
Num Lanes::toNum(Num x) { return wrap(arith::SIToFPOp::create(builder, loc, numType(), x.value)); }
Num Lanes::shiftLeft(Num x, int64_t n) {
  return wrap(arith::ShLIOp::create(builder, loc, x.value, integer(n).value));
}
Num Lanes::shiftRight(Num x, int64_t n) {
  return wrap(arith::ShRSIOp::create(builder, loc, x.value, integer(n).value));
}
Num Lanes::both(Num a, Num b) {
  return wrap(arith::AndIOp::create(builder, loc, a.value, b.value));
}
Num Lanes::either(Num a, Num b) {
  return wrap(arith::OrIOp::create(builder, loc, a.value, b.value));
}
Num Lanes::exclusive(Num a, Num b) {
  return wrap(arith::XOrIOp::create(builder, loc, a.value, b.value));
}

Num Lanes::powerOfTwo(Num n) {
  // Adding 1.5 * 2^(p - 1) leaves the integer in the low bits; one shift moves it to the exponent,
  // and whatever was above it out. Cheaper than a conversion (and SSE and AVX2 have none for i64).
  int64_t mantissa = wide ? 52 : 23, bias = wide ? 1023 : 127;
  double magic = wide ? 0x1.8p52 : 0x1.8p23;
  Num bits = asInt(n + magic);
  return asNum(shiftLeft(bits + integer(bias), mantissa));
}

Num Lanes::scale(Num x, Num n) {
  int64_t bits = count * (wide ? 64 : 32);
  if (target.hasScale && (bits == 512 || bits == 256 || bits == 128)) {
    std::string name = "llvm.x86.avx512.mask.scalef.";
    name += wide ? "pd." : "ps.";
    name += std::to_string(bits);
    Value mask = arith::ConstantIntOp::create(builder, loc, -1, count == 16 ? 16 : 8);
    SmallVector<Value> operands = {x, n, x, mask};
    if (bits == 512) // Rounding mode: that of MXCSR.
      operands.push_back(LLVM::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(4)));
    return wrap(LLVM::CallIntrinsicOp::create(builder, loc, numType(), builder.getStringAttr(name),
                                              operands)
                    .getResult(0));
  }
  // In two steps, since 2^n itself may not be a number although the product is one. The first is
  // exact, so there is only one rounding.
  Num half = round(n * 0.5);
  return x * powerOfTwo(half) * powerOfTwo(n - half);
}
