//===- MaterializeLinalg.h - state shared by the rules for linalg ops -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_MATERIALIZELINALG_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_MATERIALIZELINALG_H

#include "Materializer.h"

namespace sectile {

/// One evaluation of a linalg op's scalar body on tiles.
struct Materializer::BodyContext {
  BodyContext(mlir::linalg::LinalgOp op, Coords iterCoords, Constraints valid)
      : op(op), iterCoords(std::move(iterCoords)), valid(std::move(valid)) {}

  mlir::linalg::LinalgOp op;
  /// A coordinate for every loop of the op.
  Coords iterCoords;
  Constraints valid;
  /// Scalars of the body whose tiles are known: carried partial results, and what was computed.
  llvm::DenseMap<mlir::Value, TileValue> known;
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_MATERIALIZELINALG_H
