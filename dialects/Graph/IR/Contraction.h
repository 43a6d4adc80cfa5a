//===- Contraction.h - reductions that are products -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_IR_CONTRACTION_H
#define SECTILE_DIALECTS_GRAPH_IR_CONTRACTION_H

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"

namespace sectile::graph {

/// Whether `op` sums products of two different values: a contraction, in whatever form it is
/// written. A sum of squares is none.
bool sumsProducts(mlir::linalg::LinalgOp op);

/// Whether `op` multiplies dequantized integers of 8 bits, its rows, with dequantized codes of a
/// matrix of known size, its columns, so that it can sum products of codes as integers.
bool multipliesCodes(mlir::linalg::LinalgOp op);

/// The op that dequantizes `value`, if it is computed from codes, scales and zero points alone.
DequantizeOp getDequantize(mlir::Value value);

/// The rows of a product that multiplies codes.
mlir::OpOperand *getCodeRows(mlir::linalg::LinalgOp op);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_IR_CONTRACTION_H
