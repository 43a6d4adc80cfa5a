//===- InPlace.h - kernels that may overwrite what they read -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_PLANMEMORY_INPLACE_H
#define SECTILE_LIB_CONVERSION_PLANMEMORY_INPLACE_H

#include "dialects/Graph/IR/Graph.h"

namespace sectile {

/// The argument numbers whose memory result `number` of `kernel` may be written over. Each element
/// of such an argument is read for nothing but elements of the same coordinates: every use of it
/// is the operand of an elementwise op under the map of the op's result, and so on up to the
/// kernel's results. Other values may be reduced or multiplied on the way to the result.
///
/// That is enough because of how graph-to-tile goes about it (tile-check-in-place proves it of each
/// tile program): all results of a kernel are computed tile by tile in one loop nest, each tile
/// once, and results are stored in order. A later result must therefore not read the argument.
llvm::SmallVector<unsigned> findOverwritable(graph::KernelOp kernel, unsigned number);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_PLANMEMORY_INPLACE_H
