//===- MatrixTiling.h - tiles made of matrix instructions -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product of tiles is a grid of instructions: warps share it out along m and n,
// each warp goes through its part, and through k, in registers. The accumulator's
// layout is that grid with the instruction's fragment in each place; what it needs
// of the two sides follows from it.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TARGET_MATRIXTILING_H
#define SECTILE_TARGET_MATRIXTILING_H

#include "sectile/Target/MatrixInstruction.h"

#include <optional>

namespace sectile::target {

/// Element types of a product in the words of MatrixInstruction.
struct ProductTypes {
  std::string_view a, b, accumulator;
};

/// The instruction that `target` executes natively for these types and wastes fewest
/// multiplications of [m, k] x [k, n] on what lies outside, of those the one of most; null if there
/// is none. Instructions that take subnormal elements for zero count only if that `mayFlush`.
const MatrixInstruction *chooseMatrixInstruction(std::string_view target, const ProductTypes &types,
                                                 int64_t m, int64_t n, int64_t k,
                                                 bool mayFlush = false);

/// The accumulator [m, n] over `warps` warps (a power of two), cut so that a warp reads fewest rows
/// and columns for each k.
layout::DistributedLayout makeAccumulator(const MatrixInstruction &instruction, int64_t m,
                                          int64_t n, int64_t warps);

/// What the left ([m, k]) or right ([k, n]) side must be for such an accumulator. k is in
/// registers, behind the places along the other dimension. Not representable if the accumulator is
/// not made of the instruction's fragments.
layout::OrReason<layout::DistributedLayout>
getSideLayout(const MatrixInstruction &instruction, Operand side,
              const layout::DistributedLayout &accumulator, int64_t k);

} // namespace sectile::target

#endif // SECTILE_TARGET_MATRIXTILING_H
