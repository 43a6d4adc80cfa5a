//===- Read.cpp - what the body of a linalg op reads ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Read.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;
using graph::Read;

Read graph::skipUnitDims(Read read) {
  while (auto expand = read.tensor.getDefiningOp<tensor::ExpandShapeOp>()) {
    SmallVector<AffineExpr> kept;
    for (const ReassociationIndices &group : expand.getReassociationIndices()) {
      // Where all are units, one that the reader loops over, if there is one.
      int64_t whole = group.front(), numWhole = 0;
      for (int64_t dim : group) {
        bool isWhole = expand.getResultType().getDimSize(dim) != 1;
        numWhole += isWhole;
        if (isWhole || (numWhole == 0 && !isa<AffineDimExpr>(read.map.getResult(whole))))
          whole = dim;
      }
      if (numWhole > 1)
        return read;
      kept.push_back(read.map.getResult(whole));
    }
    read = {expand.getSrc(), AffineMap::get(read.map.getNumDims(), 0, kept, read.map.getContext())};
  }
  return read;
}

std::optional<Read> graph::getRead(linalg::LinalgOp op, Value scalar) {
  auto argument = dyn_cast<BlockArgument>(scalar);
  if (!argument || argument.getOwner() != op.getBlock())
    return std::nullopt;
  OpOperand *operand = op.getMatchingOpOperand(argument);
  if (!op.isDpsInput(operand))
    return std::nullopt;
  return skipUnitDims({operand->get(), op.getMatchingIndexingMap(operand)});
}
