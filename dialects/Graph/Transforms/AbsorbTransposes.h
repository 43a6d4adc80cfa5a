//===- AbsorbTransposes.h - products that read weights transposed -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_TRANSFORMS_ABSORBTRANSPOSES_H
#define SECTILE_DIALECTS_GRAPH_TRANSFORMS_ABSORBTRANSPOSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace sectile::graph {

/// Lets products read transposed weights where they lie, if these are computed element by element
/// from constants.
void absorbTransposes(mlir::func::FuncOp func);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_TRANSFORMS_ABSORBTRANSPOSES_H
