//===- Residency.h - what is kept in memory private to a block --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_RESIDENCY_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_RESIDENCY_H

#include <cstdint>

namespace sectile {

/// How a value lies in private memory.
struct Residency {
  /// The dimension that is contiguous there.
  unsigned lastDim = 0;
  /// The dimension that is contiguous where the value comes from.
  unsigned sourceDim = 0;
  /// Whether a product reads it column tile by column tile: it then lies in panels of columns,
  /// as a packed constant does. Row-major, the rows of a tile would be a power of two bytes
  /// apart more often than not and evict each other from the first-level cache.
  bool inPanels = false;
  /// Elements of a tile that fills it at most; 0 if only the register file limits them. Partial
  /// sums of products that read both operands along the reduced dimension are a vector each.
  int64_t mostElements = 0;
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_RESIDENCY_H
