//===- Hazards.cpp - which accesses a barrier must keep apart ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Hazards.h"

#include "dialects/Tile/IR/Tile.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;

bool Hazards::mayShareMemory(const MemoryAccess &earlier, const MemoryAccess &later) const {
  if (earlier.root == later.root)
    return true;
  auto one = earlier.root ? places.find(earlier.root) : places.end();
  auto other = later.root ? places.find(later.root) : places.end();
  if (one != places.end() && other != places.end()) {
    auto [begin, bytes] = one->second;
    auto [otherBegin, otherBytes] = other->second;
    return begin < otherBegin + otherBytes && otherBegin < begin + bytes;
  }
  if (!earlier.root || !later.root || !isa<BlockArgument>(earlier.root) ||
      !isa<BlockArgument>(later.root))
    return false;
  // Of two arguments in one place, the one is read before the other one is written.
  return !earlier.isWrite && later.isWrite &&
         cast<tile::ViewType>(earlier.root.getType()).getElementType() ==
             cast<tile::ViewType>(later.root.getType()).getElementType();
}

/// Whether each thread accesses the very places that it accessed before.
static bool isSamePlaces(const MemoryAccess &a, const MemoryAccess &b) {
  // Different allocs in one place may have elements of different sizes.
  bool isOne = a.root == b.root ||
               (isa_and_nonnull<BlockArgument>(a.root) && isa_and_nonnull<BlockArgument>(b.root));
  return !a.layout.empty() && isOne && a.layout == b.layout && a.map == b.map &&
         a.operands == b.operands;
}

bool Hazards::needsBarrier(const MemoryAccess &access) {
  bool isDue = llvm::any_of(pending, [&](const MemoryAccess &earlier) {
    return (earlier.isWrite || access.isWrite) && mayShareMemory(earlier, access) &&
           !isSamePlaces(earlier, access);
  });
  if (isDue)
    pending.clear();
  pending.push_back(access);
  return isDue;
}
