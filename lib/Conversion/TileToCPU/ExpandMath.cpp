//===- ExpandMath.cpp - the pass cpu-expand-math ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Division.h"
#include "MathFunctions.h"
#include "MissingInstructions.h"

#include "sectile/Conversion/TileToCPU/TileToCPU.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

namespace sectile::cpu {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "lib/Conversion/TileToCPU/Passes.h.inc"
} // namespace sectile::cpu

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;

/// Ops that the back end turns into instructions, on floats and integers alike.
static bool isNative(Operation *op) {
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

bool sectile::cpu::hasCode(Operation *op) {
  return isNative(op) || getUnary(op) || getBinary(op) || getWideUnary(op) ||
         isa<math::Atan2Op>(op);
}

/// The expansion, or a null value if there is none for this op and type.
static Value expand(Operation *op, const CpuLevel &level) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  Type element = getElementTypeOrSelf(op->getResult(0).getType());
  if (!element.isF32() && !element.isF64())
    return {};
  bool wide = element.isF64();
  Lanes l(builder, loc, level, op->getResult(0), wide);
  Lanes w(builder, loc, level, op->getResult(0), /*wide=*/true);
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

namespace {
struct ExpandMathPass : cpu::impl::ExpandMathPassBase<ExpandMathPass> {
  using ExpandMathPassBase::ExpandMathPassBase;

  void runOnOperation() override {
    const CpuLevel *level = lookupCpuLevel(levelName);
    if (!level) {
      getOperation().emitError("expects level to be one of ")
          << listCpuLevels() << ", but got '" << levelName << "'";
      return signalPassFailure();
    }
    shareReciprocals(getOperation(), *level);
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<arith::RemFOp>(op) || (isa<math::MathDialect>(op->getDialect()) && !isNative(op)))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      Value value = expand(op, *level);
      if (!value) {
        op->emitOpError("is not supported by cpu-expand-math on ")
            << op->getOperand(0).getType() << " at level " << level->name;
        return signalPassFailure();
      }
      op->getResult(0).replaceAllUsesWith(value);
      op->erase();
    }
    // Last, since the expansions round and take roots too.
    substituteMissing(getOperation(), *level);
  }
};
} // namespace

std::unique_ptr<Pass> sectile::cpu::createExpandMathPass(const CpuLevel &level) {
  ExpandMathPassOptions options;
  options.levelName = level.name.str();
  return createExpandMathPass(options);
}
