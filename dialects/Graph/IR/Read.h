//===- Read.h - what the body of a linalg op reads --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_IR_READ_H
#define SECTILE_DIALECTS_GRAPH_IR_READ_H

#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"

namespace sectile::graph {

/// A tensor read at `map` of some loops.
struct Read {
  mlir::Value tensor;
  mlir::AffineMap map;
};

/// `read` seen through reshapes that only add unit dimensions.
Read skipUnitDims(Read read);

/// What `scalar`, an input argument of the op's body, is read from, seen through such reshapes;
/// nothing for any other scalar.
std::optional<Read> getRead(mlir::linalg::LinalgOp op, mlir::Value scalar);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_IR_READ_H
