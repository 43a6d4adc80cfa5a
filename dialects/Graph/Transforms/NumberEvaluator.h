//===- NumberEvaluator.h - numbers of any width as constants -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_TRANSFORMS_NUMBEREVALUATOR_H
#define SECTILE_DIALECTS_GRAPH_TRANSFORMS_NUMBEREVALUATOR_H

#include "ScalarEvaluator.h"

namespace sectile::graph {

/// Whether `op` is a graph.dequantize or graph.quantize, on scalars whose results are always
/// determined.
bool canEvaluateNumbers(mlir::Operation *op);

/// The results of such an op on scalars, for each element of its operands.
Words evaluateNumbers(mlir::Operation *op, llvm::ArrayRef<const Words *> operands);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_TRANSFORMS_NUMBEREVALUATOR_H
