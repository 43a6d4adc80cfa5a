//===- MatrixLoad.h - fragments that instructions load ------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TARGET_MATRIXLOAD_H
#define SECTILE_TARGET_MATRIXLOAD_H

#include "sectile/Layout/DistributedLayout.h"
#include "sectile/Target/GpuTarget.h"

#include <optional>
#include <utility>

namespace sectile::target {

/// The grid of matrices of 8 x 8 that a layout is made of as ldmatrix loads them, and whether it
/// does so by columns; nothing if it is made of none.
std::optional<std::pair<layout::DistributedLayout, bool>>
getMatrices(const layout::DistributedLayout &layout);

/// Which lane names which row of 8 elements where the device loads a tile of `layout` by such an
/// instruction, as a layout; nothing if it does not. Matrices are counted in no particular order.
std::optional<layout::DistributedLayout> getMatrixRows(const GpuTarget &target,
                                                       const layout::DistributedLayout &layout,
                                                       int64_t elementBits);

} // namespace sectile::target

#endif // SECTILE_TARGET_MATRIXLOAD_H
