//===- Follow.cpp - what the coordinates inside a kernel follow -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Follow.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

using DimSet = llvm::SmallBitVector;

static void followLinalg(linalg::LinalgOp op, unsigned result, const Followed &dims, unsigned rank,
                         llvm::function_ref<void(OpOperand &, Followed)> visit) {
  Followed loops(op.getNumLoops(), DimSet(rank));
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  for (auto [expr, dim] : llvm::zip_equal(map.getResults(), dims))
    if (auto loop = dyn_cast<AffineDimExpr>(expr))
      loops[loop.getPosition()] = dim;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    Followed from;
    for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
      DimSet &all = from.emplace_back(rank);
      expr.walk([&](AffineExpr part) {
        if (auto loop = dyn_cast<AffineDimExpr>(part))
          all |= loops[loop.getPosition()];
      });
    }
    visit(operand, from);
  }
}

void graph::followOperands(OpResult value, const Followed &dims, unsigned rank,
                           llvm::function_ref<void(OpOperand &, Followed)> visit) {
  Operation *op = value.getOwner();
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return followLinalg(linalgOp, value.getResultNumber(), dims, rank, visit);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    Followed from;
    for (auto [dim, group] : llvm::enumerate(collapse.getReassociationIndices()))
      from.append(group.size(), dims[dim]);
    return visit(collapse.getSrcMutable(), from);
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    Followed from;
    for (ReassociationIndices &group : expand.getReassociationIndices()) {
      DimSet all(rank);
      for (int64_t dim : group)
        all |= dims[dim];
      from.push_back(all);
    }
    return visit(expand.getSrcMutable(), from);
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    Followed from;
    unsigned next = 0;
    for (int64_t dim = 0; dim < slice.getSourceType().getRank(); ++dim)
      from.push_back(dropped.test(dim) ? DimSet(rank) : dims[next++]);
    return visit(slice.getSourceMutable(), from);
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    auto sourceRank = cast<RankedTensorType>(broadcast.getSource().getType()).getRank();
    return visit(broadcast.getSourceMutable(), Followed(ArrayRef(dims).take_back(sourceRank)));
  }
  if (auto gather = dyn_cast<GatherOp>(op)) {
    // Where the source is read is known at run time only.
    auto indexRank = cast<RankedTensorType>(gather.getIndices().getType()).getRank();
    return visit(gather.getIndicesMutable(),
                 Followed(ArrayRef(dims).slice(gather.getAxis(), indexRank)));
  }
  if (auto scan = dyn_cast<ScanOp>(op)) {
    Followed without(dims);
    without.erase(without.begin() + scan.getAxis());
    for (OpOperand &input : scan.getInputsMutable())
      visit(input, dims);
    for (OpOperand &init : scan.getInitsMutable())
      visit(init, without);
    return;
  }
  for (OpOperand &operand : op->getOpOperands())
    if (auto type = dyn_cast<RankedTensorType>(operand.get().getType()))
      if (type.getRank() == static_cast<int64_t>(dims.size()))
        visit(operand, dims);
}
