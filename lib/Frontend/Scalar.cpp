//===- Scalar.cpp - arithmetic of one element type, as IR -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Scalar.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile::frontend;

Value Scalar::constant(double value) const {
  if (!isFloat(dtype))
    return integer(static_cast<int64_t>(value));
  return arith::ConstantOp::create(b, loc, b.getFloatAttr(type(), value));
}

Value Scalar::integer(int64_t value) const {
  if (isFloat(dtype))
    return constant(static_cast<double>(value));
  unsigned width = cast<IntegerType>(type()).getWidth();
  APInt bits(64, static_cast<uint64_t>(value), /*isSigned=*/true);
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type(), bits.trunc(width)));
}

Value Scalar::highest() const {
  if (auto floating = dyn_cast<FloatType>(type()))
    return arith::ConstantOp::create(
        b, loc, b.getFloatAttr(floating, APFloat::getInf(floating.getFloatSemantics())));
  unsigned width = cast<IntegerType>(type()).getWidth();
  APInt bits = isSigned(dtype) ? APInt::getSignedMaxValue(width) : APInt::getMaxValue(width);
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type(), bits));
}

Value Scalar::lowest() const {
  if (auto floating = dyn_cast<FloatType>(type()))
    return arith::ConstantOp::create(
        b, loc, b.getFloatAttr(floating, APFloat::getInf(floating.getFloatSemantics(), true)));
  unsigned width = cast<IntegerType>(type()).getWidth();
  APInt bits = isSigned(dtype) ? APInt::getSignedMinValue(width) : APInt::getMinValue(width);
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(type(), bits));
}

Value Scalar::add(Value x, Value y) const {
  if (isFloat(dtype))
    return arith::AddFOp::create(b, loc, x, y);
  return arith::AddIOp::create(b, loc, x, y);
}

Value Scalar::sub(Value x, Value y) const {
  if (isFloat(dtype))
    return arith::SubFOp::create(b, loc, x, y);
  return arith::SubIOp::create(b, loc, x, y);
}

Value Scalar::mul(Value x, Value y) const {
  if (isFloat(dtype))
    return arith::MulFOp::create(b, loc, x, y);
  return arith::MulIOp::create(b, loc, x, y);
}

/// Whether an integer divisor can neither be 0 nor make the quotient overflow.
static bool isSafeDivisor(Value y) {
  APInt value;
  return matchPattern(y, m_ConstantInt(&value)) && !value.isZero() && !value.isAllOnes();
}

Value Scalar::div(Value x, Value y) const {
  if (isFloat(dtype))
    return arith::DivFOp::create(b, loc, x, y);
  bool isSafe = isSafeDivisor(y);
  Value one = integer(1), zero = integer(0);
  if (isUnsigned(dtype)) {
    if (isSafe)
      return arith::DivUIOp::create(b, loc, x, y);
    Value isZero = compare(Compare::Equal, y, zero);
    Value quotient = arith::DivUIOp::create(b, loc, x, select(isZero, one, y));
    return select(isZero, zero, quotient);
  }
  if (isSafe)
    return arith::DivSIOp::create(b, loc, x, y);
  Value isZero = compare(Compare::Equal, y, zero);
  Value isMinusOne = compare(Compare::Equal, y, integer(-1));
  Value traps = arith::OrIOp::create(b, loc, isZero, isMinusOne);
  Value quotient = arith::DivSIOp::create(b, loc, x, select(traps, one, y));
  quotient = select(isMinusOne, sub(zero, x), quotient);
  return select(isZero, zero, quotient);
}

Value Scalar::rem(Value x, Value y) const {
  if (isFloat(dtype))
    return arith::RemFOp::create(b, loc, x, y);
  Value one = integer(1), zero = integer(0);
  // A remainder by 1 is 0: what 0 and -1 shall give, without their traps.
  Value traps = compare(Compare::Equal, y, zero);
  if (isUnsigned(dtype))
    return arith::RemUIOp::create(b, loc, x, select(traps, one, y));
  traps = arith::OrIOp::create(b, loc, traps, compare(Compare::Equal, y, integer(-1)));
  return arith::RemSIOp::create(b, loc, x, select(traps, one, y));
}

Value Scalar::max(Value x, Value y) const {
  if (isFloat(dtype))
    return arith::MaximumFOp::create(b, loc, x, y);
  if (isSigned(dtype))
    return arith::MaxSIOp::create(b, loc, x, y);
  return arith::MaxUIOp::create(b, loc, x, y);
}

Value Scalar::min(Value x, Value y) const {
  if (isFloat(dtype))
    return arith::MinimumFOp::create(b, loc, x, y);
  if (isSigned(dtype))
    return arith::MinSIOp::create(b, loc, x, y);
  return arith::MinUIOp::create(b, loc, x, y);
}

Value Scalar::neg(Value x) const {
  if (isFloat(dtype))
    return arith::NegFOp::create(b, loc, x);
  return sub(integer(0), x);
}

Value Scalar::abs(Value x) const {
  if (isFloat(dtype))
    return math::AbsFOp::create(b, loc, x);
  if (isSigned(dtype))
    return max(x, neg(x));
  return x;
}

Value Scalar::compare(Compare how, Value x, Value y) const {
  if (isFloat(dtype)) {
    static constexpr arith::CmpFPredicate predicates[] = {
        arith::CmpFPredicate::OEQ, arith::CmpFPredicate::UNE, arith::CmpFPredicate::OLT,
        arith::CmpFPredicate::OLE, arith::CmpFPredicate::OGT, arith::CmpFPredicate::OGE};
    return arith::CmpFOp::create(b, loc, predicates[static_cast<int>(how)], x, y);
  }
  using P = arith::CmpIPredicate;
  static constexpr P forSigned[] = {P::eq, P::ne, P::slt, P::sle, P::sgt, P::sge};
  static constexpr P forUnsigned[] = {P::eq, P::ne, P::ult, P::ule, P::ugt, P::uge};
  const P *predicates = isSigned(dtype) ? forSigned : forUnsigned;
  return arith::CmpIOp::create(b, loc, predicates[static_cast<int>(how)], x, y);
}

Value Scalar::select(Value condition, Value x, Value y) const {
  return arith::SelectOp::create(b, loc, condition, x, y);
}

Value Scalar::convert(Value x, DType to) const {
  Type target = mlirType(to, b.getContext());
  if (dtype == to)
    return x;
  if (isHeldAsCode(dtype)) {
    Value number =
        graph::DequantizeOp::create(b, loc, b.getF32Type(), x, as(DType::F32).constant(1),
                                    /*zero=*/Value(), formatOf(dtype), ArrayAttr());
    return as(DType::F32).convert(number, to);
  }
  if (isHeldAsCode(to))
    return toSmallFloat(x, to, /*saturates=*/true);
  if (bitsOf(to) < 8) {
    // The low bits, as the value that they stand for.
    Scalar bytes = as(isSigned(to) ? DType::I8 : DType::U8);
    Value byte = convert(x, bytes.dtype);
    if (!isSigned(to))
      return arith::AndIOp::create(b, loc, byte, bytes.integer((1 << bitsOf(to)) - 1));
    Value unused = bytes.integer(8 - bitsOf(to));
    byte = arith::ShLIOp::create(b, loc, byte, unused);
    return arith::ShRSIOp::create(b, loc, byte, unused);
  }
  if (to == DType::Bool)
    return compare(Compare::NotEqual, x, integer(0));
  if (isFloat(dtype) && isFloat(to)) {
    unsigned from = x.getType().getIntOrFloatBitWidth(), width = target.getIntOrFloatBitWidth();
    if (from < width)
      return arith::ExtFOp::create(b, loc, target, x);
    if (from > width)
      return arith::TruncFOp::create(b, loc, target, x);
    // f16 to bf16 and the like: no type holds the other, f32 holds both.
    Value wide = arith::ExtFOp::create(b, loc, b.getF32Type(), x);
    return arith::TruncFOp::create(b, loc, target, wide);
  }
  if (isFloat(dtype)) {
    if (isUnsigned(to))
      return arith::FPToUIOp::create(b, loc, target, x);
    return arith::FPToSIOp::create(b, loc, target, x);
  }
  if (isFloat(to)) {
    if (isSigned(dtype))
      return arith::SIToFPOp::create(b, loc, target, x);
    return arith::UIToFPOp::create(b, loc, target, x);
  }
  unsigned from = x.getType().getIntOrFloatBitWidth(), width = target.getIntOrFloatBitWidth();
  if (from == width)
    return x;
  if (from > width)
    return arith::TruncIOp::create(b, loc, target, x);
  if (isSigned(dtype))
    return arith::ExtSIOp::create(b, loc, target, x);
  return arith::ExtUIOp::create(b, loc, target, x);
}

Value Scalar::toSmallFloat(Value x, DType to, bool saturates) const {
  if (isHeldAsCode(to)) {
    DType wide = dtype == DType::F64 ? DType::F64 : DType::F32;
    Scalar real = as(wide);
    return graph::QuantizeOp::create(b, loc, mlirType(to, b.getContext()), convert(x, wide),
                                     real.constant(1), /*zero=*/Value(), formatOf(to), ArrayAttr(),
                                     /*special=*/!saturates, /*precision=*/TypeAttr());
  }
  if (saturates) {
    auto type = cast<FloatType>(mlirType(to, b.getContext()));
    double most = APFloat::getLargest(type.getFloatSemantics()).convertToDouble();
    x = min(max(x, constant(-most)), constant(most));
  }
  return convert(x, to);
}

Value Scalar::fromIndex(Value x) const {
  if (dtype == DType::I64)
    return arith::IndexCastOp::create(b, loc, type(), x);
  Value wide = arith::IndexCastOp::create(b, loc, b.getI64Type(), x);
  return as(DType::I64).convert(wide, dtype);
}
