//===- NumbersToGeneric.h - dequantize and quantize element by element -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_TRANSFORMS_NUMBERSTOGENERIC_H
#define SECTILE_DIALECTS_GRAPH_TRANSFORMS_NUMBERSTOGENERIC_H

#include "mlir/IR/PatternMatch.h"

namespace sectile::graph {

/// Adds patterns that turn `graph.dequantize` and `graph.quantize` on tensors into elementwise
/// generics with the op on scalars in their body.
void populateNumbersToGenericPatterns(mlir::RewritePatternSet &patterns);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_TRANSFORMS_NUMBERSTOGENERIC_H
