//===- Division.cpp - many numbers divided by one --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A 512-bit division keeps the divider busy for 16 cycles on Intel's cores and
// for 6 on Zen 4. Where a row is divided by one number d, its reciprocal r,
// rounded once, gives the same bits with three operations:
//
//     q = x * r,   e = x - q * d,   x / d = q + e * r        (each rounded once)
//
// which is Markstein's theorem (IBM J. Res. Dev. 34(1), 1990; Brisebarre,
// Muller, Raina, IEEE Trans. Comp. 53(8), 2004, for divisors known before). It
// asks that e be exact and that nothing overflows or becomes subnormal, which
// holds if x is +0 or in [2^-96, 2^96) and d in [2^-28, 2^28), by magnitude.
// Where a vector has other elements it is divided.
//
// Tried in f32: all 2^23 significands of d, each with the 100 to 600 dividends
// whose quotients come closest to a tie or are random, and 1600 of them with
// all 2^23 dividends: no bit differs from a division.
//
//===----------------------------------------------------------------------===//

#include "Division.h"

#include "lib/Conversion/Support/Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::lowering;

/// Bits of 2^`exponent` as an f32.
static constexpr int64_t bitsOfPower(int64_t exponent) { return (exponent + 127) << 23; }

namespace {
/// What is known of a divisor, where it is computed.
struct Divisor {
  Value reciprocal, isUsual; // a scalar; i1
};
} // namespace

/// The magnitude of `x` as an integer of the same lanes.
static Value emitMagnitude(OpBuilder &builder, Location loc, Value x) {
  Type bits = withLanesOf(x, builder.getI32Type());
  Value all = arith::BitcastOp::create(builder, loc, bits, x);
  Value mask = makeConstant(builder, loc, bits, builder.getI32IntegerAttr(0x7fffffff));
  return arith::AndIOp::create(builder, loc, all, mask);
}

/// Whether magnitudes lie in [2^from, 2^to).
static Value emitIsBetween(OpBuilder &builder, Location loc, Value magnitude, int64_t from,
                           int64_t to) {
  auto constant = [&](int64_t value) {
    return makeConstant(builder, loc, magnitude.getType(),
                        builder.getI32IntegerAttr(static_cast<int32_t>(value)));
  };
  Value above = arith::SubIOp::create(builder, loc, magnitude, constant(bitsOfPower(from)));
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult, above,
                               constant(bitsOfPower(to) - bitsOfPower(from)));
}

static Divisor describeDivisor(Value divisor) {
  OpBuilder builder(divisor.getContext());
  builder.setInsertionPointAfterValue(divisor);
  Location loc = divisor.getLoc();
  Value one = makeConstant(builder, loc, divisor.getType(), builder.getF32FloatAttr(1));
  Value reciprocal = arith::DivFOp::create(builder, loc, one, divisor);
  return {reciprocal, emitIsBetween(builder, loc, emitMagnitude(builder, loc, divisor), -28, 28)};
}

/// Replaces divisions that stand side by side by one number: one branch for all of them.
static void replaceDivisions(MutableArrayRef<arith::DivFOp> ops, const Divisor &divisor) {
  OpBuilder builder(ops.back());
  Location loc = ops.front().getLoc();
  Value all = divisor.isUsual;
  SmallVector<Value> corrected;
  Value isUsual;
  for (arith::DivFOp op : ops) {
    Value x = op.getLhs(), d = op.getRhs();
    // Of the zeros only the positive one: the correction of the other one is positive.
    Value bits = arith::BitcastOp::create(builder, loc, withLanesOf(x, builder.getI32Type()), x);
    Value zeros = makeConstant(builder, loc, bits.getType(), builder.getI32IntegerAttr(0));
    Value isZero = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, bits, zeros);
    Value isInRange = emitIsBetween(builder, loc, emitMagnitude(builder, loc, x), -96, 96);
    Value isFine = arith::OrIOp::create(builder, loc, isZero, isInRange);
    isUsual = isUsual ? arith::AndIOp::create(builder, loc, isUsual, isFine).getResult() : isFine;
    Value reciprocal = vector::BroadcastOp::create(builder, loc, x.getType(), divisor.reciprocal);
    Value quotient = arith::MulFOp::create(builder, loc, x, reciprocal);
    Value error =
        math::FmaOp::create(builder, loc, arith::NegFOp::create(builder, loc, quotient), d, x);
    corrected.push_back(math::FmaOp::create(builder, loc, error, reciprocal, quotient));
  }
  all = arith::AndIOp::create(builder, loc, allLanes(builder, loc, isUsual), all);
  // Or else LLVM divides in any case and saves the branch.
  all = LLVM::ExpectOp::create(builder, loc, all, arith::ConstantIntOp::create(builder, loc, 1, 1));
  SmallVector<Type> types;
  for (arith::DivFOp op : ops)
    types.push_back(op.getType());
  auto branch = scf::IfOp::create(builder, loc, types, all, /*addThenBlock=*/true,
                                  /*addElseBlock=*/true);
  builder.setInsertionPointToEnd(branch.thenBlock());
  scf::YieldOp::create(builder, loc, corrected);
  builder.setInsertionPointToEnd(branch.elseBlock());
  SmallVector<Value> divided;
  for (arith::DivFOp op : ops)
    divided.push_back(arith::DivFOp::create(builder, loc, op.getLhs(), op.getRhs()));
  scf::YieldOp::create(builder, loc, divided);
  for (auto [op, result] : llvm::zip_equal(ops, branch.getResults())) {
    op.replaceAllUsesWith(result);
    op.erase();
  }
}

void sectile::cpu::shareReciprocals(Operation *root, const CpuLevel &level) {
  if (!level.single.hasFma || level.vectorBytes < 64)
    return; // narrower dividers are hardly slower than this
  constexpr unsigned kMostTogether = 4;
  using Run = SmallVector<arith::DivFOp, kMostTogether>;
  llvm::MapVector<Value, SmallVector<Run>> byDivisor;
  root->walk([&](arith::DivFOp op) {
    auto broadcast = op.getRhs().getDefiningOp<vector::BroadcastOp>();
    if (!broadcast || !broadcast.getSource().getType().isF32() ||
        getNumLanes(op.getLhs()) != level.getLanes(4) || matchPattern(op.getLhs(), m_Constant()))
      return;
    auto loop = op->getParentOfType<scf::ForOp>();
    if (!loop || !loop.isDefinedOutsideOfLoop(broadcast.getSource()))
      return;
    SmallVector<Run> &runs = byDivisor[broadcast.getSource()];
    // The whole run moves to its last op: nothing between may need a result.
    bool joins = !runs.empty() && runs.back().size() < kMostTogether &&
                 runs.back().front()->getBlock() == op->getBlock() &&
                 llvm::none_of(
                     runs.back(),
                     [&](arith::DivFOp other) {
                       return llvm::any_of(other->getUsers(), [&](Operation *user) {
                         Operation *inBlock = op->getBlock()->findAncestorOpInBlock(*user);
                         return inBlock && !op->isBeforeInBlock(inBlock);
                       });
                     });
    if (!joins)
      runs.emplace_back();
    runs.back().push_back(op);
  });
  for (auto &[divisor, runs] : byDivisor) {
    Divisor known = describeDivisor(divisor);
    for (Run &run : runs)
      replaceDivisions(run, known);
  }
}
