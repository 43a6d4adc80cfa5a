//===- Contraction.cpp - reductions that are products -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Contraction.h"

#include "dialects/Graph/IR/Graph.h"
#include "sectile/Numbers/Codes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;

/// The format whose numbers `value` holds, if it is computed from codes and their scales alone.
static std::optional<formats::Format> getFormatOf(Value value) {
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  if (!op || op.getNumReductionLoops() != 0 || op->getNumResults() != 1)
    return std::nullopt;
  Operation *yield = op.getBlock()->getTerminator();
  auto dequantize = yield->getOperand(0).getDefiningOp<graph::DequantizeOp>();
  if (!dequantize || &op.getBlock()->front() != dequantize || dequantize->getNextNode() != yield)
    return std::nullopt;
  return numbers::getFormat(dequantize.getFormat());
}

OpOperand *graph::getCodeRows(linalg::LinalgOp op) {
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  OpOperand *first = op.getDpsInputOperand(0);
  bool hasColumns =
      op.getMatchingIndexingMap(first).getResultPosition(result.getResults().back()).has_value();
  return hasColumns ? op.getDpsInputOperand(1) : first;
}

bool graph::multipliesCodes(linalg::LinalgOp op) {
  if (!sumsProducts(op) || op.getNumDpsInputs() != 2 || op.getNumReductionLoops() != 1)
    return false;
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (result.getNumResults() == 0)
    return false;
  AffineExpr columnLoop = result.getResults().back();
  OpOperand *rows = getCodeRows(op);
  OpOperand *columns = op.getDpsInputOperand(1 - rows->getOperandNumber());
  AffineMap map = op.getMatchingIndexingMap(columns);
  auto type = cast<RankedTensorType>(columns->get().getType());
  if (type.getRank() != 2 || !type.hasStaticShape() || !type.getElementType().isF32() ||
      !map.isProjectedPermutation() || !map.getResultPosition(columnLoop) ||
      op.getMatchingIndexingMap(rows).getResultPosition(columnLoop))
    return false;
  std::optional<formats::Format> format = getFormatOf(rows->get());
  const formats::IntegerLayout *integer = format ? format->getInteger() : nullptr;
  return integer && integer->isSigned && integer->bits == 8 && getFormatOf(columns->get());
}

bool graph::sumsProducts(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() == 0 || op->getNumResults() != 1 || op.getNumDpsInputs() < 2)
    return false;
  SmallVector<Operation *> combiners;
  Value reduced = matchReduction(op.getRegionOutputArgs(), 0, combiners);
  if (!reduced || combiners.size() != 1 || !isa<arith::AddFOp, arith::AddIOp>(combiners[0]))
    return false;
  Operation *product = reduced.getDefiningOp();
  return isa_and_nonnull<arith::MulFOp, arith::MulIOp>(product) &&
         product->getOperand(0) != product->getOperand(1);
}
