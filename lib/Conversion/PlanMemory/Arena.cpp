//===- Arena.cpp - sharing one arena between tensors -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arena.h"

#include "llvm/ADT/STLExtras.h"

using namespace sectile;

llvm::SmallVector<unsigned> sectile::assignSlots(llvm::ArrayRef<Lifetime> tensors) {
  struct Slot {
    int64_t busyUntil;
    std::optional<int64_t> bytes;
    uint64_t sizeClass; // of the tensor that opened it
  };
  llvm::SmallVector<Slot> slots;
  llvm::SmallVector<unsigned> order;
  for (unsigned i = 0; i < tensors.size(); ++i)
    order.push_back(i);
  llvm::sort(order, [&](unsigned lhs, unsigned rhs) {
    return std::pair(tensors[lhs].begin, lhs) < std::pair(tensors[rhs].begin, rhs);
  });
  // How badly a tensor fits a slot: by class, then by the bytes that one side leaves unused.
  auto misfit = [](const Slot &slot, const Lifetime &tensor) -> std::pair<int, int64_t> {
    if (slot.sizeClass == tensor.sizeClass)
      return {0, 0};
    if (slot.bytes && tensor.bytes)
      return {1, std::abs(*slot.bytes - *tensor.bytes)};
    return {2, 0};
  };
  llvm::SmallVector<unsigned> result(tensors.size());
  for (unsigned index : order) {
    const Lifetime &tensor = tensors[index];
    std::optional<unsigned> best;
    for (auto [number, slot] : llvm::enumerate(slots)) {
      if (slot.busyUntil >= tensor.begin)
        continue;
      if (!best || misfit(slot, tensor) < misfit(slots[*best], tensor))
        best = number;
    }
    if (!best) {
      best = slots.size();
      slots.push_back({0, tensor.bytes, tensor.sizeClass});
    }
    Slot &slot = slots[*best];
    slot.busyUntil = tensor.end;
    if (slot.bytes && tensor.bytes)
      slot.bytes = std::max(*slot.bytes, *tensor.bytes);
    result[index] = *best;
  }
  return result;
}
