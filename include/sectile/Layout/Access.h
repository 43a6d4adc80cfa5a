//===- Access.h - what an access to memory costs, counted -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Vector widths, coalescing and bank conflicts are not derived by a formula but
// counted: the addresses of all lanes are written down, for each instruction,
// and looked at in the phases that the hardware serves them in. What the phases
// are, a target says (AccessModel); nothing here knows a device.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LAYOUT_ACCESS_H
#define SECTILE_LAYOUT_ACCESS_H

#include "sectile/Layout/DistributedLayout.h"
#include "sectile/Layout/MemoryLayout.h"

namespace sectile::layout {

enum class AccessKind : uint8_t {
  Load, ///< every valid place reads
  Store ///< of copies only the first one writes
};

/// How a device serves the accesses of one warp.
struct AccessModel {
  /// Bytes that one lane may access at once, in increasing order, and how many lanes are served
  /// together for each: neighbours, unless loads come in an order of their own. That order names
  /// the lanes of a group, and holds for each group of as many.
  struct Phase {
    int64_t bytes, lanes;
    std::vector<int64_t> loadOrder = {};
    /// The lane that comes at `position` among all.
    int64_t laneAt(int64_t position, AccessKind kind) const {
      auto period = static_cast<int64_t>(loadOrder.size());
      if (kind == AccessKind::Store || period == 0)
        return position;
      return position / period * period + loadOrder[static_cast<size_t>(position % period)];
    }
  };
  std::vector<Phase> phases;
  int64_t banks;       ///< of shared memory
  int64_t bankBytes;   ///< that a bank gives at once
  int64_t sectorBytes; ///< the unit of global memory
};

/// What all accesses of a tile take, in all warps.
struct AccessCount {
  int64_t laneBytes = 0;    ///< per instruction and lane; below 1 byte counts as 1
  int64_t instructions = 0; ///< one for each warp and group of registers
  int64_t phases = 0;       ///< with at least one lane that takes part
  int64_t wavefronts = 0;   ///< turns of shared memory: at least one for each phase
  int64_t sectors = 0;      ///< of global memory, counted once for each instruction
  int64_t leastSectors = 0; ///< if the bytes of each instruction were dense
  /// Turns that conflicts cost.
  int64_t conflicts() const { return wavefronts - phases; }
};

/// Counts the access of the tile `registers` in `memory`, both of one shape. Lanes access as many
/// registers at once as are neighbours in memory and aligned, everywhere. Not representable if an
/// element is not whole bytes there: sub-byte elements need a layout of the words that hold them.
OrReason<AccessCount> countAccess(const DistributedLayout &registers, const MemoryLayout &memory,
                                  AccessKind kind, const AccessModel &model);

/// A side of the traffic through shared memory.
struct Access {
  const DistributedLayout *registers;
  AccessKind kind;
};

/// What `memory` becomes with the swizzle for which all `accesses` together take fewest turns of
/// shared memory, then fewest instructions, and of those the one of fewest bits; without any if
/// none is better.
OrReason<MemoryLayout> chooseSwizzle(const MemoryLayout &memory, std::span<const Access> accesses,
                                     const AccessModel &model);

} // namespace sectile::layout

#endif // SECTILE_LAYOUT_ACCESS_H
