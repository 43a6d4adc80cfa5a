//===- ExpandMath.cpp - functions of math as arithmetic --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExpandMath.h"

#include "MathFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sectile::lowering;

bool sectile::lowering::isNativeMath(Operation *op) {
  return isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp, math::CountLeadingZerosOp,
             math::CountTrailingZerosOp, math::CtPopOp, math::FloorOp, math::FmaOp,
             math::IsFiniteOp, math::IsInfOp, math::IsNaNOp, math::IsNormalOp, math::RoundEvenOp,
             math::SqrtOp, math::TruncOp>(op);
}

/// The function that `op` stands for; null if there is none.
static Num (*getUnary(Operation *op))(Lanes &, Num) {
  using Function = Num (*)(Lanes &, Num);
  return llvm::TypeSwitch<Operation *, Function>(op)
      .Case<math::ExpOp>([](auto) { return makeExp; })
      .Case<math::Exp2Op>([](auto) { return makeExp2; })
      .Case<math::ExpM1Op>([](auto) { return makeExpM1; })
      .Case<math::LogOp>([](auto) { return makeLog; })
      .Case<math::Log2Op>([](auto) { return makeLog2; })
      .Case<math::Log10Op>([](auto) { return makeLog10; })
      .Case<math::Log1pOp>([](auto) { return makeLog1P; })
      .Case<math::TanhOp>([](auto) { return makeTanh; })
      .Case<math::ErfOp>([](auto) { return makeErf; })
      .Case<math::SinOp>([](auto) { return makeSin; })
      .Case<math::CosOp>([](auto) { return makeCos; })
      .Case<math::RsqrtOp>([](auto) { return makeRsqrt; })
      .Default([](Operation *) { return nullptr; });
}

/// The same for functions that are computed in f64 only.
static Num (*getWideUnary(Operation *op))(Lanes &, Num) {
  using Function = Num (*)(Lanes &, Num);
  return llvm::TypeSwitch<Operation *, Function>(op)
      .Case<math::TanOp>([](auto) { return makeTan; })
      .Case<math::AtanOp>([](auto) { return makeAtan; })
      .Case<math::AsinOp>([](auto) { return makeAsin; })
      .Case<math::AcosOp>([](auto) { return makeAcos; })
      .Case<math::SinhOp>([](auto) { return makeSinh; })
      .Case<math::CoshOp>([](auto) { return makeCosh; })
      .Case<math::AsinhOp>([](auto) { return makeAsinh; })
      .Case<math::AcoshOp>([](auto) { return makeAcosh; })
      .Case<math::AtanhOp>([](auto) { return makeAtanh; })
      .Default([](Operation *) { return nullptr; });
}

static Num (*getBinary(Operation *op))(Lanes &, Num, Num) {
  using Function = Num (*)(Lanes &, Num, Num);
  return llvm::TypeSwitch<Operation *, Function>(op)
      .Case<math::PowFOp>([](auto) { return makePow; })
      .Case<arith::RemFOp>([](auto) { return makeRem; })
      .Default([](Operation *) { return nullptr; });
}

bool sectile::lowering::hasExpansion(Operation *op) {
  return getUnary(op) || getBinary(op) || getWideUnary(op) || isa<math::Atan2Op>(op);
}

Value sectile::lowering::expandMath(Operation *op, MathTarget target) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  if (!element.isF32() && !element.isF64())
    return {};
  bool wide = element.isF64();
  Lanes l(builder, loc, target, op->getResult(0), wide);
  Lanes w(builder, loc, target, op->getResult(0), /*wide=*/true);
  auto widen = [&](Value value) {
    return w.wrap(wide ? value : arith::ExtFOp::create(builder, loc, w.numType(), value));
  };
  auto narrow = [&](Num value) {
    return wide ? value.value
                : arith::TruncFOp::create(builder, loc, l.numType(), value).getResult();
  };
  if (auto function = getUnary(op))
    return function(l, l.wrap(op->getOperand(0)));
  if (auto function = getBinary(op))
    return function(l, l.wrap(op->getOperand(0)), l.wrap(op->getOperand(1)));
  if (auto function = getWideUnary(op))
    return narrow(function(w, widen(op->getOperand(0))));
  if (isa<math::Atan2Op>(op))
    return narrow(makeAtan2(w, widen(op->getOperand(0)), widen(op->getOperand(1))));
  return {};
}
