//===- Roots.h - the loops around a kernel's results -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_ROOTS_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_ROOTS_H

#include "Analysis.h"
#include "Materializer.h"

namespace sectile {

/// Writes the body of `target`: the grid, the loops of a block over register tiles of the roots
/// as `schedule` says, and the stores of what `materializer` computes for them. `results` are the
/// views that receive the kernel's results.
mlir::LogicalResult emitRoots(Materializer &materializer, graph::KernelOp source,
                              tile::KernelOp target, tile::ScheduleAttr schedule,
                              mlir::ValueRange results, const RegionAnalysis &analysis);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_ROOTS_H
