//===- TileTransfers.cpp - what moves between tiles and memory --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileShapes.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace sectile::tile;

ArrayRef<int64_t> LoadOp::getTileShape() { return shapeOf(getType()); }
int64_t LoadOp::getTileRank() { return shapeOf(getType()).size(); }
ArrayRef<int64_t> StoreOp::getTileShape() { return shapeOf(getValue().getType()); }
int64_t StoreOp::getTileRank() { return shapeOf(getValue().getType()).size(); }
ArrayRef<int64_t> ScatterOp::getTileShape() { return shapeOf(getValue().getType()); }
int64_t ScatterOp::getTileRank() { return shapeOf(getValue().getType()).size(); }

/// What loads and stores have in common: constraints 1 to 4 of `tile.load`, but for the fill.
template <typename TransferOp>
static LogicalResult verifyTransfer(TransferOp op, Type tileType) {
  ViewType view = op.getView().getType();
  if (getElementTypeOrSelf(tileType) != view.getElementType())
    return op.emitOpError("expects element type ")
           << view.getElementType() << ", the view's, but got " << getElementTypeOrSelf(tileType);
  int64_t rank = op.getTileRank(), numIndices = op.getIndices().size();
  AffineMap map = op.getMap();
  if (map.getNumDims() != rank + numIndices)
    return op.emitOpError("expects a map of ")
           << rank << " tile coordinates and " << numIndices << " index values, but got "
           << map.getNumDims() << " dimensions";
  if (map.getNumSymbols() != op.getMapOperands().size())
    return op.emitOpError("expects ")
           << map.getNumSymbols() << " map operands, one per symbol, but got "
           << op.getMapOperands().size();
  if (map.getNumResults() != view.getRank())
    return op.emitOpError("expects a map of ")
           << view.getRank() << " results, the view's rank, but got " << map.getNumResults();
  if (std::optional<IntegerSet> set = op.getWhere()) {
    if (set->getNumDims() != rank)
      return op.emitOpError("expects a mask of ")
             << rank << " dimensions, the tile's rank, but got " << set->getNumDims();
    if (set->getNumSymbols() != op.getSetOperands().size())
      return op.emitOpError("expects ")
             << set->getNumSymbols() << " mask operands, one per symbol, but got "
             << op.getSetOperands().size();
  }
  for (Value index : op.getIndices()) {
    auto type = cast<RankedTensorType>(index.getType());
    if (type.getShape() != op.getTileShape())
      return op.emitOpError("expects index tiles of shape ")
             << describe(op.getTileShape()) << ", the tile's, but got " << type;
    if (!type.getElementType().isIntOrIndex())
      return op.emitOpError("expects index tiles of integers, but got ") << type;
  }
  return success();
}

LogicalResult LoadOp::verify() {
  if (failed(verifyTransfer(*this, getType())))
    return failure();
  if (getWhere().has_value() != getFill().has_value())
    return emitOpError("expects a mask and a fill, or neither, but got only a ")
           << (getFill() ? "fill" : "mask");
  if (getFill() && getFill()->getType() != getView().getType().getElementType())
    return emitOpError("expects a fill of type ")
           << getView().getType().getElementType() << ", but got " << getFill()->getType();
  return success();
}

LogicalResult PrefetchOp::verify() {
  AffineMap map = getMap();
  for (int64_t extent : getExtents())
    if (extent < 1)
      return emitOpError("expects positive extents, but got ") << extent;
  if (map.getNumDims() != getExtents().size())
    return emitOpError("expects a map of ") << getExtents().size() << " tile coordinates, but got "
                                            << map.getNumDims() << " dimensions";
  if (map.getNumSymbols() != getMapOperands().size())
    return emitOpError("expects ")
           << map.getNumSymbols() << " map operands, one per symbol, but got "
           << getMapOperands().size();
  if (map.getNumResults() != getView().getType().getRank())
    return emitOpError("expects a map of ")
           << getView().getType().getRank() << " results, the view's rank, but got "
           << map.getNumResults();
  return success();
}

/// Neighbours of a packed code share its word, and another block may write them.
static LogicalResult verifyWritable(Operation *op, ViewType view) {
  if (view.getPackedBits() == 0)
    return success();
  return op->emitOpError("expects a view of whole elements, but got packed codes: ") << view;
}

LogicalResult StoreOp::verify() {
  // A copy (tile.commit_copies) may be one of whole words, in memory of the block's own.
  bool isCopy = (*this)->hasAttr("tile.async") && getView().getDefiningOp<AllocOp>();
  if (!isCopy && failed(verifyWritable(*this, getView().getType())))
    return failure();
  return verifyTransfer(*this, getValue().getType());
}

LogicalResult ScatterOp::verify() {
  if (failed(verifyWritable(*this, getView().getType())))
    return failure();
  if (failed(verifyTransfer(*this, getValue().getType())))
    return failure();
  if (Value mask = getMask()) {
    if (!getElementTypeOrSelf(mask.getType()).isInteger(1) ||
        (isa<RankedTensorType>(mask.getType()) && shapeOf(mask.getType()) != getTileShape()))
      return emitOpError("expects a mask of i1, or of a tile of shape ")
             << describe(getTileShape()) << " of them, but got " << mask.getType();
  }
  Type element = getView().getType().getElementType();
  SmallVector<Type> expected{element, element};
  if (getCombine().getArgumentTypes() != TypeRange(expected) ||
      getCombine().front().getTerminator()->getOperandTypes() != TypeRange(element))
    return emitOpError("expects a body that combines two values of type ") << element;
  return success();
}

void ScatterOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  effects.emplace_back(MemoryEffects::Read::get(), &getViewMutable());
  effects.emplace_back(MemoryEffects::Write::get(), &getViewMutable());
}

/// What ops on lists of pairs have in common: views, axis, map over a tile of `rank`, and region.
template <typename ListOp>
static LogicalResult verifyLists(ListOp op, Type element, unsigned rank) {
  MLIRContext *context = op.getContext();
  Type position = IntegerType::get(context, 64), truth = IntegerType::get(context, 1);
  ViewType values = op.getValues().getType(), indices = op.getIndices().getType();
  if (values.getShape() != indices.getShape() || values.getElementType() != element ||
      indices.getElementType() != position)
    return op.emitOpError("expects views of one shape that hold ")
           << element << " and 'i64', but got " << values << " and " << indices;
  auto axis = static_cast<int64_t>(op.getAxis());
  if (axis >= values.getRank() || values.isDynamicDim(axis) || values.getShape()[axis] < 1)
    return op.emitOpError("expects an axis of known extent, at least 1, but got ")
           << axis << " of " << values;
  if (op.getMap().getNumDims() != rank ||
      op.getMap().getNumSymbols() != op.getMapOperands().size() ||
      op.getMap().getNumResults() != values.getRank())
    return op.emitOpError("expects lists to be found by a map of ")
           << rank << " dimensions, " << op.getMapOperands().size() << " symbols and "
           << values.getRank() << " results, but got " << op.getMapAttr();
  SmallVector<Type> expected{element, position, element, position};
  if (op.getPrecedes().getArgumentTypes() != TypeRange(expected) ||
      op.getPrecedes().front().getTerminator()->getOperandTypes() != TypeRange(truth))
    return op.emitOpError("expects a body that takes two pairs of ")
           << element << " and 'i64' and yields an i1";
  return success();
}

LogicalResult TopKOp::verify() {
  ArrayRef<int64_t> shape = shapeOf(getCandidates().getType());
  if (shapeOf(getPositions().getType()) != shape ||
      !getElementTypeOrSelf(getPositions().getType()).isInteger(64))
    return emitOpError("expects positions of i64 and shape ")
           << describe(shape) << ", but got " << getPositions().getType();
  if (std::optional<IntegerSet> set = getWhere();
      set && (set->getNumDims() != shape.size() || set->getNumSymbols() != getSetOperands().size()))
    return emitOpError("expects a mask of ")
           << shape.size() << " dimensions and " << getSetOperands().size() << " symbols, but got "
           << getWhereAttr();
  return verifyLists(*this, getElementTypeOrSelf(getCandidates().getType()), shape.size());
}

LogicalResult SortOp::verify() {
  return verifyLists(*this, getValues().getType().getElementType(), 0);
}

/// Both views are read and written.
template <typename ListOp>
static void
getListEffects(ListOp op,
               SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  for (OpOperand *view : {&op.getValuesMutable(), &op.getIndicesMutable()}) {
    effects.emplace_back(MemoryEffects::Read::get(), view);
    effects.emplace_back(MemoryEffects::Write::get(), view);
  }
}

void SortOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  getListEffects(*this, effects);
}

void TopKOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  getListEffects(*this, effects);
}

void LoadOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  effects.emplace_back(MemoryEffects::Read::get(), &getViewMutable());
}

void StoreOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  effects.emplace_back(MemoryEffects::Write::get(), &getViewMutable());
}

namespace {
/// transfer(view(%x, m1), m2) -> transfer(%x, m1 o m2)
template <typename TransferOp>
struct FoldViewIntoTransfer : OpRewritePattern<TransferOp> {
  using OpRewritePattern<TransferOp>::OpRewritePattern;
  LogicalResult matchAndRewrite(TransferOp op, PatternRewriter &rewriter) const override {
    auto view = op.getView().template getDefiningOp<ViewOp>();
    if (!view)
      return rewriter.notifyMatchFailure(op, "does not transfer through a tile.view");
    // The composition keeps the outer map's symbols first.
    SmallVector<Value> operands(view.getMapOperands());
    llvm::append_range(operands, op.getMapOperands());
    rewriter.modifyOpInPlace(op, [&] {
      op.getViewMutable().assign(view.getSource());
      op.getMapOperandsMutable().assign(operands);
      op.setMap(view.getMap().compose(op.getMap()));
    });
    return success();
  }
};
} // namespace

void LoadOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldViewIntoTransfer<LoadOp>>(context);
}

void StoreOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldViewIntoTransfer<StoreOp>>(context);
}

void ScatterOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldViewIntoTransfer<ScatterOp>>(context);
}
