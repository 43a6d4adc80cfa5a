//===- StandIns.cpp - levels that a machine lacks, executed on it --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StandIns.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/ErrorHandling.h"

using namespace llvm;
using namespace sectile;

const std::vector<CpuLevel> &sectile::test::getStandIns() {
  static const std::vector<CpuLevel> standIns = [] {
    const CpuLevel *best = nullptr;
    std::vector<CpuLevel> levels;
    for (const CpuLevel &level : getCpuLevels()) {
      if (isCpuLevelPresent(level)) {
        best = &level;
      } else if (best && level.host == best->host && level.vectorBytes <= 2 * best->vectorBytes &&
                 best->vectorBytes == 32) {
        CpuLevel standIn = level;
        standIn.cpu = best->cpu;
        standIn.tuneCpu = best->tuneCpu;
        standIn.features = best->features;
        standIn.requiredFeatures = best->requiredFeatures;
        levels.push_back(standIn);
      }
    }
    return levels;
  }();
  return standIns;
}

namespace {
/// Writes what one call computes.
class Replacement {
public:
  explicit Replacement(CallInst *call) : call(call), builder(call) {}

  /// Null for an instruction that is not known.
  Value *emit(StringRef name) {
    if (name.starts_with("permvar."))
      return lookUp(arg(0), arg(1));
    if (name.starts_with("vpdpbusd."))
      return builder.CreateAdd(arg(0), sumNeighbours(multiply(arg(1), arg(2), false), 4));
    if (name.starts_with("pmaddubs.w."))
      return saturate(sumNeighbours(multiply(arg(0), arg(1), false), 2));
    if (name.starts_with("pmaddw.d."))
      return sumNeighbours(multiply(arg(0), arg(1), true), 2);
    if (name.starts_with("mask.scalef."))
      return scale(arg(0), arg(1));
    return nullptr;
  }

private:
  Value *arg(unsigned number) { return call->getArgOperand(number); }

  static unsigned countLanes(Value *value) {
    return cast<FixedVectorType>(value->getType())->getNumElements();
  }

  /// table[index mod lanes], lane by lane.
  Value *lookUp(Value *table, Value *indices) {
    Value *result = PoisonValue::get(table->getType());
    unsigned lanes = countLanes(table);
    Value *places = builder.CreateAnd(indices, ConstantInt::get(indices->getType(), lanes - 1));
    for (unsigned lane = 0; lane < lanes; ++lane)
      result = builder.CreateInsertElement(
          result, builder.CreateExtractElement(table, builder.CreateExtractElement(places, lane)),
          lane);
    return result;
  }

  /// Products in 32 bits of lanes without sign, or with one, and with one.
  Value *multiply(Value *a, Value *b, bool isSigned) {
    auto *type = FixedVectorType::get(builder.getInt32Ty(), countLanes(a));
    Value *left = isSigned ? builder.CreateSExt(a, type) : builder.CreateZExt(a, type);
    return builder.CreateMul(left, builder.CreateSExt(b, type));
  }

  Value *sumNeighbours(Value *value, unsigned count) {
    Value *sum = nullptr;
    for (unsigned first = 0; first < count; ++first) {
      SmallVector<int> lanes;
      for (unsigned lane = first; lane < countLanes(value); lane += count)
        lanes.push_back(static_cast<int>(lane));
      Value *part = builder.CreateShuffleVector(value, lanes);
      sum = sum ? builder.CreateAdd(sum, part) : part;
    }
    return sum;
  }

  Value *saturate(Value *value) {
    auto constant = [&](int64_t number) {
      return ConstantInt::getSigned(value->getType(), number);
    };
    value = builder.CreateBinaryIntrinsic(Intrinsic::smin, value, constant(32767));
    value = builder.CreateBinaryIntrinsic(Intrinsic::smax, value, constant(-32768));
    return builder.CreateTrunc(value,
                               FixedVectorType::get(builder.getInt16Ty(), countLanes(value)));
  }

  /// x * 2^floor(n), for a mask of ones, in four steps: the powers of each are numbers. One
  /// rounding where x is near 1, as it is where the code uses it.
  Value *scale(Value *x, Value *n) {
    Type *type = x->getType();
    bool isWide = type->getScalarType()->isDoubleTy();
    Type *integer =
        FixedVectorType::get(isWide ? builder.getInt64Ty() : builder.getInt32Ty(), countLanes(x));
    double limit = isWide ? 3000 : 400;
    Value *floor = builder.CreateUnaryIntrinsic(Intrinsic::floor, n);
    floor = builder.CreateMaxNum(floor, ConstantFP::get(type, -limit));
    floor = builder.CreateMinNum(floor, ConstantFP::get(type, limit));
    Value *whole = builder.CreateFPToSI(floor, integer);
    Value *quarter = builder.CreateAShr(whole, 2), *result = x;
    for (int step = 0; step < 4; ++step) {
      Value *power =
          step < 3
              ? quarter
              : builder.CreateSub(whole, builder.CreateMul(quarter, ConstantInt::get(integer, 3)));
      power = builder.CreateAdd(power, ConstantInt::get(integer, isWide ? 1023 : 127));
      power = builder.CreateShl(power, isWide ? 52 : 23);
      result = builder.CreateFMul(result, builder.CreateBitCast(power, type));
    }
    // NaN in either.
    return builder.CreateSelect(builder.CreateFCmpUNO(n, n), n, result);
  }

  CallInst *call;
  IRBuilder<> builder;
};
} // namespace

void sectile::test::replaceInstructions(Module &module) {
  for (Function &function : make_early_inc_range(module)) {
    StringRef name = function.getName();
    if (!name.consume_front("llvm.x86.avx512."))
      continue;
    for (User *user : make_early_inc_range(function.users())) {
      auto *call = cast<CallInst>(user);
      Value *value = Replacement(call).emit(name);
      if (!value)
        report_fatal_error("no replacement for " + function.getName());
      call->replaceAllUsesWith(value);
      call->eraseFromParent();
    }
    function.eraseFromParent();
  }
}
