//===- Lifetimes.cpp - when memory of the host program is in use -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Lifetimes.h"

#include "Placement.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/Guards.h"

using namespace mlir;
using namespace sectile;

Lifetimes::Lifetimes(func::FuncOp model) {
  int64_t step = 0;
  graph::Guards guards(model.getBody().front());
  for (Operation &op : model.getBody().front()) {
    stepOf[&op] = step;
    if (isa<graph::LaunchOp, graph::LoopOp>(op))
      for (Value result : op.getResults()) {
        Memory &memory = memories[Placement::getOwner(result)];
        if (memory.begin < 0)
          memory.begin = step;
        memory.end = step;
      }
    if (isa<graph::LaunchOp, graph::LoopOp, func::ReturnOp>(op))
      for (OpOperand &operand : op.getOpOperands())
        if (isa<RankedTensorType>(operand.get().getType())) {
          Memory &memory = memories[Placement::getOwner(operand.get())];
          memory.reads.push_back(&operand);
          memory.end = step;
        }
    // The host reads what was counted.
    if (auto count = dyn_cast<graph::CountOp>(op)) {
      Memory &memory = memories[Placement::getOwner(count.getNumber())];
      memory.reads.push_back(&count.getNumberMutable());
      memory.end = step;
    }
    // The host reads the conditions that a launch waits for in front of it.
    if (isa<graph::LaunchOp, graph::LoopOp>(op))
      for (const graph::Literal &literal : guards.getGuard(&op)) {
        Memory &memory = memories[Placement::getOwner(literal.condition)];
        memory.end = step;
        for (OpOperand &use : literal.condition.getUses())
          if (isa<graph::ChooseOp>(use.getOwner()) && use.getOperandNumber() == 0) {
            memory.reads.push_back(&use);
            break;
          }
      }
    ++step;
  }
}

ArrayRef<OpOperand *> Lifetimes::getReads(Value owner) const {
  auto it = memories.find(owner);
  return it == memories.end() ? ArrayRef<OpOperand *>() : it->second.reads;
}
