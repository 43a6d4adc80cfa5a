//===- LoopStats.cpp - counts of vector and scalar work ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LoopStats.h"

#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Analysis/LoopInfo.h"
#include "llvm/IR/Dominators.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicInst.h"

using namespace llvm;
using namespace sectile;

static bool isVector(const Instruction &instruction) {
  return instruction.getType()->isVectorTy() || any_of(instruction.operands(), [](const Use &use) {
           return use->getType()->isVectorTy();
         });
}

/// Arithmetic, as against memory access and control.
static bool isArithmetic(const Instruction &instruction) {
  return isa<BinaryOperator, UnaryOperator, CastInst, CmpInst, SelectInst>(instruction) ||
         isa<IntrinsicInst>(instruction);
}

/// Adds to `data` the scalar arithmetic of `loop` that `value` is computed from. A broadcast
/// operand of a vector instruction is data, too.
static void collectData(Value *value, const Loop &loop, SmallPtrSetImpl<Instruction *> &data) {
  auto *instruction = dyn_cast<Instruction>(value);
  if (!instruction || !loop.contains(instruction) || isa<LoadInst>(instruction) ||
      isVector(*instruction))
    return;
  if (!isa<PHINode>(instruction) && !isArithmetic(*instruction))
    return;
  if (!data.insert(instruction).second)
    return;
  for (Value *operand : instruction->operands())
    collectData(operand, loop, data);
}

static LoopStats countLoop(const Loop &loop) {
  LoopStats stats;
  SmallPtrSet<Instruction *, 16> data;
  auto isLiveOut = [&](const Instruction &instruction) {
    return any_of(instruction.users(),
                  [&](const User *user) { return !loop.contains(cast<Instruction>(user)); });
  };
  for (BasicBlock *block : loop.blocks())
    for (Instruction &instruction : *block) {
      if (isVector(instruction)) {
        ++stats.vectorOps;
        continue;
      }
      bool isFloat = instruction.getType()->isFloatingPointTy();
      if (auto *store = dyn_cast<StoreInst>(&instruction)) {
        ++stats.scalarOps;
        collectData(store->getValueOperand(), loop, data);
      } else if (isFloat && (isLiveOut(instruction) || isArithmetic(instruction))) {
        collectData(&instruction, loop, data);
      }
    }
  for (Instruction *instruction : data)
    stats.scalarOps += isArithmetic(*instruction);
  return stats;
}

FunctionStats sectile::countInnermostLoops(Function &function) {
  DominatorTree dominators(function);
  LoopInfo loops(dominators);
  FunctionStats stats;
  for (Loop *loop : loops.getLoopsInPreorder()) {
    if (!loop->isInnermost())
      continue;
    LoopStats counts = countLoop(*loop);
    stats.total.vectorOps += counts.vectorOps;
    stats.total.scalarOps += counts.scalarOps;
    stats.loops.push_back(counts);
  }
  return stats;
}
