//===- GraphOps.cpp - verifiers and folders of the graph dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace sectile::graph;

#define GET_OP_CLASSES
#include "dialects/Graph/IR/GraphOps.cpp.inc"

//===----------------------------------------------------------------------===//
// BroadcastOp
//===----------------------------------------------------------------------===//

LogicalResult BroadcastOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getType());
  if (source.getElementType() != result.getElementType())
    return emitOpError("expects element type ")
           << source.getElementType() << ", but got " << result.getElementType();
  if (source.getRank() > result.getRank())
    return emitOpError("expects a result of rank at least ")
           << source.getRank() << ", but got " << result.getRank();
  if (static_cast<int64_t>(getSizes().size()) != static_cast<int64_t>(result.getNumDynamicDims()))
    return emitOpError("expects ")
           << result.getNumDynamicDims() << " sizes, one per dynamic extent, but got "
           << getSizes().size();
  ArrayRef<int64_t> aligned = result.getShape().take_back(source.getRank());
  for (auto [from, to] : llvm::zip_equal(source.getShape(), aligned))
    if (!ShapedType::isDynamic(from) && !ShapedType::isDynamic(to) && from != 1 && from != to)
      return emitOpError("expects extents to be 1 or equal, but got ") << from << " and " << to;
  return success();
}

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  if (getSource().getType() == getType() && cast<RankedTensorType>(getType()).hasStaticShape())
    return getSource();
  return {};
}

LogicalResult BroadcastOp::reifyResultShapes(OpBuilder &builder,
                                             ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(getMixedValues(cast<RankedTensorType>(getType()).getShape(), getSizes(),
                                  builder.getContext()));
  return success();
}

//===----------------------------------------------------------------------===//
// CountOp
//===----------------------------------------------------------------------===//

OpFoldResult CountOp::fold(FoldAdaptor adaptor) {
  auto number = dyn_cast_or_null<DenseIntElementsAttr>(adaptor.getNumber());
  auto bound = dyn_cast_or_null<IntegerAttr>(adaptor.getBound());
  if (!number || !bound)
    return {};
  int64_t value = (*number.begin()).getSExtValue();
  return IntegerAttr::get(getType(), std::clamp<int64_t>(value, 0, bound.getInt()));
}

//===----------------------------------------------------------------------===//
// CheckOp
//===----------------------------------------------------------------------===//

namespace {
struct EraseCheckThatHolds : OpRewritePattern<CheckOp> {
  using OpRewritePattern<CheckOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(CheckOp op, PatternRewriter &rewriter) const override {
    if (!matchPattern(op.getCondition(), m_One()))
      return rewriter.notifyMatchFailure(op, "is not known to hold");
    rewriter.eraseOp(op);
    return success();
  }
};
} // namespace

void CheckOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<EraseCheckThatHolds>(context);
}

//===----------------------------------------------------------------------===//
// ChooseOp
//===----------------------------------------------------------------------===//

LogicalResult ChooseOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getTaken()));
  return success();
}

OpFoldResult ChooseOp::fold(FoldAdaptor adaptor) {
  if (getTaken() == getOtherwise())
    return getTaken();
  auto known = dyn_cast_if_present<DenseElementsAttr>(adaptor.getCondition());
  if (!known)
    return {};
  return known.getSplatValue<bool>() ? getTaken() : getOtherwise();
}

//===----------------------------------------------------------------------===//
// GatherOp
//===----------------------------------------------------------------------===//

LogicalResult GatherOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto indices = cast<RankedTensorType>(getIndices().getType());
  auto result = cast<RankedTensorType>(getType());
  int64_t axis = getAxis();
  if (axis >= source.getRank())
    return emitOpError("expects an axis below ") << source.getRank() << ", but got " << axis;
  if (!indices.getElementType().isIntOrIndex())
    return emitOpError("expects indices to be integers, but got ") << indices;
  SmallVector<int64_t> shape(source.getShape().take_front(axis));
  llvm::append_range(shape, indices.getShape());
  llvm::append_range(shape, source.getShape().drop_front(axis + 1));
  if (failed(verifyCompatibleShape(shape, result.getShape())) ||
      source.getElementType() != result.getElementType())
    return emitOpError("expects a result compatible with ")
           << RankedTensorType::get(shape, source.getElementType()) << ", but got " << result;
  return success();
}

LogicalResult GatherOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  int64_t axis = getAxis();
  SmallVector<OpFoldResult> &shape = shapes.emplace_back();
  auto append = [&](Value tensor, int64_t begin, int64_t end) {
    for (int64_t dim = begin; dim < end; ++dim)
      shape.push_back(tensor::getMixedSize(builder, getLoc(), tensor, dim));
  };
  append(getSource(), 0, axis);
  append(getIndices(), 0, cast<RankedTensorType>(getIndices().getType()).getRank());
  append(getSource(), axis + 1, cast<RankedTensorType>(getSource().getType()).getRank());
  return success();
}
