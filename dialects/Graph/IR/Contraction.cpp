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
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <numeric>

using namespace mlir;
using namespace sectile;

graph::DequantizeOp graph::getDequantize(Value value) {
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  if (!op || op.getNumReductionLoops() != 0 || op->getNumResults() != 1)
    return {};
  Operation *yield = op.getBlock()->getTerminator();
  auto dequantize = yield->getOperand(0).getDefiningOp<graph::DequantizeOp>();
  bool isAlone =
      dequantize && &op.getBlock()->front() == dequantize && dequantize->getNextNode() == yield;
  return isAlone ? dequantize : graph::DequantizeOp();
}

/// Elements along dimension `dim` of `value` that are the same one of what it is a view of: 0 for
/// all, 1 where that is not known.
static int64_t countRepeated(Value value, unsigned dim) {
  if (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>()) {
    bool isPrefix = slice.getSourceType().getRank() == slice.getType().getRank() &&
                    slice.getStaticOffsets()[dim] == 0 && slice.getStaticStrides()[dim] == 1;
    return isPrefix ? countRepeated(slice.getSource(), dim) : 1;
  }
  if (auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>()) {
    ReassociationIndices group = collapse.getReassociationIndices()[dim];
    int64_t extent = collapse.getSrcType().getDimSize(group.back());
    int64_t repeated = countRepeated(collapse.getSrc(), group.back());
    if (group.size() == 1 || repeated != 0)
      return repeated;
    return group.size() == 2 && !ShapedType::isDynamic(extent) ? extent : 1;
  }
  auto view = value.getDefiningOp<linalg::LinalgOp>();
  if (!view || view.getNumReductionLoops() != 0 || view.getNumDpsInputs() != 1 ||
      !view.getBlock()->without_terminator().empty() ||
      !view.getMatchingIndexingMap(view.getDpsInitOperand(0)).isIdentity())
    return 1;
  return view.getMatchingIndexingMap(view.getDpsInputOperand(0)).isFunctionOfDim(dim) ? 1 : 0;
}

/// Elements along dimension `dim` of dequantized `value` that share scale and zero point: 0 for
/// all, 1 where that is not known.
static int64_t getGroup(Value value, unsigned dim) {
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  graph::DequantizeOp dequantize = graph::getDequantize(value);
  int64_t group = 0;
  for (Value parameter : {dequantize.getScale(), dequantize.getZero()}) {
    auto argument = dyn_cast_if_present<BlockArgument>(parameter);
    if (!argument)
      continue; // the same for all
    OpOperand &operand = op->getOpOperand(argument.getArgNumber());
    std::optional<unsigned> place = op.getMatchingIndexingMap(&operand).getResultPosition(
        getAffineDimExpr(dim, op.getContext()));
    group = std::gcd(group, place ? countRepeated(operand.get(), *place) : 0);
  }
  return group;
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
  graph::DequantizeOp left = graph::getDequantize(rows->get()),
                      right = graph::getDequantize(columns->get());
  if (!left || !right || left.getZero())
    return false;
  formats::Format bytes = numbers::getFormat(left.getFormat());
  const formats::IntegerLayout *integer = bytes.getInteger();
  std::optional<numbers::LinearCodes> codes =
      numbers::getLinearCodes(numbers::getFormat(right.getFormat()));
  if (!integer || !integer->isSigned || integer->bits != 8 || integer->fractionBits != 0 || !codes)
    return false;
  // Zero points of codes; those of other types, and of other numbers, are floats.
  if (Value zero = right.getZero())
    if (zero.getType() != right.getCodes().getType() || codes->slope != 1 || codes->unit != 1)
      return false;
  // Only constants are packed; a kernel does not know which of its arguments are.
  auto argument = dyn_cast<BlockArgument>(right.getCodes());
  if (!argument)
    return false;
  Value held = columns->get().getDefiningOp()->getOperand(argument.getArgNumber());
  bool isArgument = isa<BlockArgument>(held) && op->getParentOfType<graph::KernelOp>();
  if (!isArgument && !matchPattern(held, m_Constant()))
    return false;
  // Steps with one scale: whole words of codes, and whole in what a kernel sums at once.
  AffineExpr depth;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      depth = getAffineDimExpr(loop, op.getContext());
  constexpr int64_t kLeastGroup = 16, kSummedAtOnce = 256, kMostGroup = 8192;
  int64_t group = 0;
  for (OpOperand *side : {rows, columns}) {
    std::optional<unsigned> place = op.getMatchingIndexingMap(side).getResultPosition(depth);
    if (!place)
      return false;
    group = std::gcd(group, getGroup(side->get(), *place));
  }
  if (group == 0)
    return true;
  bool isWhole = group % kSummedAtOnce == 0 || kSummedAtOnce % group == 0;
  return isWhole && group >= kLeastGroup && group <= kMostGroup &&
         group * numbers::getFormat(right.getFormat()).getBits() % 32 == 0;
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
