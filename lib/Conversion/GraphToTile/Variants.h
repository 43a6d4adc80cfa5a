//===- Variants.h - programs for particular sizes of a kernel ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is best for thousands of rows may be far from it for one. Where a
// decision hangs on an extent that only the run knows, a kernel gets a second
// program for a value of that extent. Both are branches of one tile.kernel:
//
//   %one = arith.cmpi eq, %rows, %c1
//   %grid = arith.select %one, ...
//   %block = tile.block_id grid [%grid]
//   scf.if %one { ... } else { ... }
//
// so that nothing behind this pass has to know. A schedule names its variants
// in the choice `variants`.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_VARIANTS_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_VARIANTS_H

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"

#include "mlir/IR/OwningOpRef.h"
#include "mlir/Rewrite/FrozenRewritePatternSet.h"

namespace sectile {

/// An index argument of a kernel, the value that it must have, and the schedule for it.
struct Variant {
  unsigned argument;
  int64_t value;
  tile::ScheduleAttr schedule;
};

/// The variants that a schedule names.
llvm::SmallVector<Variant> getVariants(tile::ScheduleAttr schedule);
/// `schedule` with one more variant.
tile::ScheduleAttr addVariant(tile::ScheduleAttr schedule, const Variant &variant);

/// The patterns that carry a known extent through a kernel.
mlir::FrozenRewritePatternSet getSpecialisingPatterns(mlir::MLIRContext *context);

/// A copy of `kernel`, outside of any module, in which index argument `argument` is `value` and
/// types say so. It keeps its arguments; the types of its results may be more static. Null if
/// `argument` is not an index.
mlir::OwningOpRef<graph::KernelOp> specialise(graph::KernelOp kernel, unsigned argument,
                                              int64_t value,
                                              const mlir::FrozenRewritePatternSet &patterns);

/// Makes `general`, of which `variant` is a program for a particular value of index argument
/// `argument`, choose between both; erases `variant`.
void mergeVariant(tile::KernelOp general, tile::KernelOp variant, unsigned argument, int64_t value);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_VARIANTS_H
