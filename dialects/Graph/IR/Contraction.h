//===- Contraction.h - reductions that are products -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_IR_CONTRACTION_H
#define SECTILE_DIALECTS_GRAPH_IR_CONTRACTION_H

#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"

namespace sectile::graph {

/// Whether `op` sums products of two different values: a contraction, in whatever form it is
/// written. A sum of squares is none.
bool sumsProducts(mlir::linalg::LinalgOp op);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_IR_CONTRACTION_H
