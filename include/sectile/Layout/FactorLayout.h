//===- FactorLayout.h - what threads need of a product's sides --- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LAYOUT_FACTORLAYOUT_H
#define SECTILE_LAYOUT_FACTORLAYOUT_H

#include "sectile/Layout/DistributedLayout.h"

namespace sectile::layout {

/// What a thread that holds its places of `accumulator` needs of the side with its dimension `kept`
/// of a product by multiply-adds, for `k` steps along dimension `kDim` of that side: k is fastest
/// on the left, where it is contiguous in memory, and slowest on the right.
DistributedLayout getFactorLayout(const DistributedLayout &accumulator, unsigned kept,
                                  unsigned kDim, int64_t k);

} // namespace sectile::layout

#endif // SECTILE_LAYOUT_FACTORLAYOUT_H
