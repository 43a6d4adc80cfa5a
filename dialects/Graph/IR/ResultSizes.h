//===- ResultSizes.h - results whose dynamic extents are operands -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_IR_RESULTSIZES_H
#define SECTILE_DIALECTS_GRAPH_IR_RESULTSIZES_H

#include "mlir/IR/Builders.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

namespace sectile::graph {

/// The extents of tensors of `types`, of which the dynamic ones are `sizes`, in order.
inline mlir::ReifiedRankedShapedTypeDims
getResultShapes(mlir::OpBuilder &builder, mlir::TypeRange types, mlir::ValueRange sizes) {
  mlir::ReifiedRankedShapedTypeDims shapes;
  for (mlir::Type type : types) {
    auto &shape = shapes.emplace_back();
    for (int64_t extent : mlir::cast<mlir::RankedTensorType>(type).getShape()) {
      if (mlir::ShapedType::isDynamic(extent)) {
        shape.push_back(sizes.front());
        sizes = sizes.drop_front();
      } else {
        shape.push_back(builder.getIndexAttr(extent));
      }
    }
  }
  return shapes;
}

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_IR_RESULTSIZES_H
