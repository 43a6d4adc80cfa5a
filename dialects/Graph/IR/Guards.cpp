//===- Guards.cpp - when a value is needed ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Guards.h"

#include "Graph.h"

using namespace mlir;
using namespace sectile::graph;

Guards::Guards(Block &block) {
  // Users come after what they use: one walk back sees every user first.
  for (Operation &op : llvm::reverse(block)) {
    std::optional<Guard> needed; // By the users so far; none has been seen yet.
    for (OpOperand &use : op.getUses()) {
      Operation *user = block.findAncestorOpInBlock(*use.getOwner());
      Guard guard = guards.lookup(user);
      if (auto choose = dyn_cast<ChooseOp>(use.getOwner()); choose && use.getOperandNumber() != 0)
        guard.push_back({choose.getCondition(), use.getOperandNumber() == 1});
      if (!needed) {
        needed = std::move(guard);
        continue;
      }
      // What all users wait for is how far their guards are the same.
      size_t common = 0;
      while (common < std::min(needed->size(), guard.size()) && (*needed)[common] == guard[common])
        ++common;
      needed->resize(common);
    }
    if (!needed || !isMemoryEffectFree(&op))
      continue;
    // What stands in front of a condition cannot wait for it, nor for those further inside.
    auto *late = llvm::find_if(*needed, [&](const Literal &literal) {
      Operation *def = literal.condition.getDefiningOp();
      return def && !def->isBeforeInBlock(&op);
    });
    needed->erase(late, needed->end());
    if (!needed->empty())
      guards[&op] = std::move(*needed);
  }
}

ArrayRef<Literal> Guards::getGuard(Operation *op) const {
  auto it = guards.find(op);
  return it == guards.end() ? ArrayRef<Literal>() : ArrayRef<Literal>(it->second);
}
