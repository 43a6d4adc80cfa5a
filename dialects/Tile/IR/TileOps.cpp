//===- TileOps.cpp - verifiers and folders of the tile dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileShapes.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace sectile::tile;

#define GET_OP_CLASSES
#include "dialects/Tile/IR/TileOps.cpp.inc"

/// Checks that `dims` is strictly increasing and inside `rank`.
static LogicalResult verifyDims(Operation *op, ArrayRef<int64_t> dims, int64_t rank) {
  int64_t previous = -1;
  for (int64_t dim : dims) {
    if (dim <= previous || dim >= rank)
      return op->emitOpError("expects dims to be strictly increasing and below ")
             << rank << ", but got " << describe(dims);
    previous = dim;
  }
  return success();
}

static SmallVector<int64_t> dropDims(ArrayRef<int64_t> shape, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> result;
  for (auto [i, extent] : llvm::enumerate(shape))
    if (!llvm::is_contained(dims, static_cast<int64_t>(i)))
      result.push_back(extent);
  return result;
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

LogicalResult DimOp::verify() {
  if (static_cast<int64_t>(getDim()) >= getView().getType().getRank())
    return emitOpError("expects a dimension below ")
           << getView().getType().getRank() << ", but got " << getDim();
  return success();
}

OpFoldResult DimOp::fold(FoldAdaptor) {
  ViewType type = getView().getType();
  if (!type.isDynamicDim(getDim()))
    return IntegerAttr::get(IndexType::get(getContext()), type.getShape()[getDim()]);
  int64_t position = llvm::count_if(type.getShape().take_front(getDim()), ShapedType::isDynamic);
  if (auto alloc = getView().getDefiningOp<AllocOp>())
    return alloc.getSizes()[position];
  if (auto view = getView().getDefiningOp<ViewOp>())
    return view.getSizes()[position];
  return {};
}

LogicalResult AllocOp::verify() {
  if (static_cast<int64_t>(getSizes().size()) != getType().getNumDynamicDims())
    return emitOpError("expects ")
           << getType().getNumDynamicDims() << " sizes, one per dynamic dimension, but got "
           << getSizes().size();
  if (getType().getNumDynamicStrides() != 0)
    return emitOpError("expects static strides, but got ") << getType();
  return success();
}

LogicalResult ViewOp::verify() {
  ViewType source = getSource().getType(), result = getType();
  if (getMap().getNumDims() != result.getRank() ||
      getMap().getNumSymbols() != getMapOperands().size() ||
      getMap().getNumResults() != source.getRank())
    return emitOpError("expects a map of ")
           << result.getRank() << " dimensions, " << getMapOperands().size() << " symbols and "
           << source.getRank() << " results, but got " << getMapAttr();
  if (static_cast<int64_t>(getSizes().size()) != result.getNumDynamicDims())
    return emitOpError("expects ")
           << result.getNumDynamicDims() << " sizes, one per dynamic dimension, but got "
           << getSizes().size();
  if (source.getElementType() != result.getElementType())
    return emitOpError("expects element type ")
           << source.getElementType() << ", but got " << result.getElementType();
  if (result.getMemory())
    return emitOpError("expects a result without memory layout, but got ") << result.getMemory();
  return success();
}

//===----------------------------------------------------------------------===//
// Contraction and reduction
//===----------------------------------------------------------------------===//

bool sectile::tile::isProductOfHalves(DotOp op) {
  auto isHalf = [](Value value) { return getElementTypeOrSelf(value.getType()).isInteger(16); };
  return isHalf(op.getLhs()) && isHalf(op.getRhs()) && !op.getUnsignedLhs() &&
         !op.getUnsignedRhs() && getElementTypeOrSelf(op.getType()).isInteger(32) &&
         cast<RankedTensorType>(op.getLhs().getType()).getDimSize(1) == 1;
}

LogicalResult DotOp::verify() {
  auto lhs = cast<RankedTensorType>(getLhs().getType());
  auto rhs = cast<RankedTensorType>(getRhs().getType());
  auto acc = cast<RankedTensorType>(getAcc().getType());
  if (lhs.getRank() != 2 || rhs.getRank() != 2 || acc.getRank() != 2)
    return emitOpError("expects tiles of rank 2, but got ") << lhs << ", " << rhs << ", " << acc;
  if (lhs.getDimSize(0) != acc.getDimSize(0) || rhs.getDimSize(1) != acc.getDimSize(1) ||
      lhs.getDimSize(1) != rhs.getDimSize(0))
    return emitOpError("expects shapes [m, k], [k, n], [m, n], but got ")
           << describe(lhs.getShape()) << ", " << describe(rhs.getShape()) << ", "
           << describe(acc.getShape());
  Type accType = acc.getElementType();
  for (Type type : {lhs.getElementType(), rhs.getElementType()}) {
    bool floats = isa<FloatType>(type) && isa<FloatType>(accType);
    bool integers = isa<IntegerType>(type) && isa<IntegerType>(accType);
    if (!floats && !integers)
      return emitOpError(
                 "expects inputs and accumulator to be all floats or all integers, but got ")
             << type << " and " << accType;
    if (type.getIntOrFloatBitWidth() > accType.getIntOrFloatBitWidth())
      return emitOpError("expects an accumulator at least as wide as ")
             << type << ", but got " << accType;
  }
  return success();
}

LogicalResult ReduceOp::verify() {
  if (getInputs().empty())
    return emitOpError("expects at least one tile, but got none");
  ArrayRef<int64_t> shape = shapeOf(getInputs()[0].getType());
  for (Value input : getInputs())
    if (shapeOf(input.getType()) != shape)
      return emitOpError("expects tiles of one shape, ")
             << describe(shape) << ", but got " << input.getType();
  if (failed(verifyDims(*this, getDims(), shape.size())))
    return failure();
  SmallVector<int64_t> reduced = dropDims(shape, getDims());
  SmallVector<Type> scalars;
  for (auto [input, result] : llvm::zip_equal(getInputs(), getResults())) {
    Type element = getElementTypeOrSelf(input.getType());
    scalars.push_back(element);
    if (shapeOf(result.getType()) != ArrayRef(reduced) ||
        getElementTypeOrSelf(result.getType()) != element ||
        (reduced.empty() && isa<RankedTensorType>(result.getType())))
      return emitOpError("expects a result of shape ")
             << describe(reduced) << " and element type " << element << ", but got "
             << result.getType();
  }
  SmallVector<Type> expected(scalars);
  llvm::append_range(expected, scalars);
  if (getCombiner().getArgumentTypes() != TypeRange(expected))
    return emitOpError("expects the combiner to take two scalars per tile, ")
           << TypeRange(expected) << ", but got " << getCombiner().getArgumentTypes();
  if (getCombiner().front().getTerminator()->getOperandTypes() != TypeRange(scalars))
    return emitOpError("expects the combiner to yield ")
           << TypeRange(scalars) << ", but got "
           << getCombiner().front().getTerminator()->getOperandTypes();
  return success();
}

LogicalResult ScanOp::verify() {
  if (getInputs().empty() || getCarries().empty())
    return emitOpError("expects inputs and carries, but got ")
           << getInputs().size() << " and " << getCarries().size();
  ArrayRef<int64_t> shape = shapeOf(getInputs()[0].getType());
  for (Value input : getInputs())
    if (shapeOf(input.getType()) != shape)
      return emitOpError("expects inputs of one shape, ")
             << describe(shape) << ", but got " << input.getType();
  if (getDim() >= shape.size())
    return emitOpError("expects dim to be below ") << shape.size() << ", but got " << getDim();
  SmallVector<int64_t> without = dropDims(shape, {static_cast<int64_t>(getDim())});
  SmallVector<Type> state, elements;
  for (Type type : getCarries().getTypes()) {
    state.push_back(getElementTypeOrSelf(type));
    if (shapeOf(type) != ArrayRef(without) || (without.empty() && isa<RankedTensorType>(type)))
      return emitOpError("expects carries of shape ") << describe(without) << ", but got " << type;
  }
  for (Value input : getInputs())
    elements.push_back(getElementTypeOrSelf(input.getType()));
  auto isSameTile = [](auto pair) {
    auto [a, b] = pair;
    return shapeOf(a) == shapeOf(b) && getElementTypeOrSelf(a) == getElementTypeOrSelf(b) &&
           isa<RankedTensorType>(a) == isa<RankedTensorType>(b);
  };
  if (getLasts().size() != getCarries().size() ||
      !llvm::all_of(llvm::zip(getLasts().getTypes(), getCarries().getTypes()), isSameTile))
    return emitOpError("expects lasts of the carries' types ")
           << getCarries().getTypes() << ", but got " << getLasts().getTypes();
  auto isScanned = [&](auto pair) {
    auto [type, element] = pair;
    return shapeOf(type) == shape && getElementTypeOrSelf(type) == element;
  };
  if (getScanned().size() != state.size() ||
      !llvm::all_of(llvm::zip(getScanned().getTypes(), state), isScanned))
    return emitOpError("expects scanned tiles of shape ")
           << describe(shape) << " and elements " << TypeRange(state) << ", but got "
           << getScanned().getTypes();
  SmallVector<Type> expected(state);
  llvm::append_range(expected, elements);
  if (getStep().getArgumentTypes() != TypeRange(expected))
    return emitOpError("expects the step to take the state and an element of each input, ")
           << TypeRange(expected) << ", but got " << getStep().getArgumentTypes();
  TypeRange yielded = getStep().front().getTerminator()->getOperandTypes();
  if (yielded != TypeRange(state))
    return emitOpError("expects the step to yield ") << TypeRange(state) << ", but got " << yielded;
  if (getAssociative() && state != elements)
    return emitOpError("expects an associative step to combine values of the same types, but got ")
           << TypeRange(state) << " and " << TypeRange(elements);
  return success();
}

//===----------------------------------------------------------------------===//
// Shapes and coordinates
//===----------------------------------------------------------------------===//

/// Element types must agree in ops that only move elements.
static LogicalResult verifySameElements(Operation *op, Type source, Type result) {
  if (getElementTypeOrSelf(source) != getElementTypeOrSelf(result))
    return op->emitOpError("expects element type ")
           << getElementTypeOrSelf(source) << ", but got " << getElementTypeOrSelf(result);
  return success();
}

LogicalResult BroadcastOp::verify() {
  ArrayRef<int64_t> shape = shapeOf(getType());
  if (failed(verifyDims(*this, getDims(), shape.size())) ||
      failed(verifySameElements(*this, getSource().getType(), getType())))
    return failure();
  if (dropDims(shape, getDims()) != SmallVector<int64_t>(shapeOf(getSource().getType())))
    return emitOpError("expects the result without dims ")
           << describe(getDims()) << " to have the source's shape "
           << describe(shapeOf(getSource().getType())) << ", but got " << describe(shape);
  return success();
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (getSource().getType() == getType())
    return getSource();
  if (auto splat = dyn_cast_if_present<SplatElementsAttr>(adaptor.getSource()))
    return splat.resizeSplat(cast<ShapedType>(getType()));
  if (adaptor.getSource() && isa<IntegerAttr, FloatAttr>(adaptor.getSource()))
    return SplatElementsAttr::get(cast<ShapedType>(getType()), adaptor.getSource());
  return {};
}

LogicalResult TransposeOp::verify() {
  ArrayRef<int64_t> source = shapeOf(getSource().getType()), result = shapeOf(getType());
  SmallVector<int64_t> sorted(getPerm());
  llvm::sort(sorted);
  if (!llvm::equal(sorted, llvm::seq<int64_t>(0, source.size())))
    return emitOpError("expects a permutation of ")
           << source.size() << " dimensions, but got " << describe(getPerm());
  if (failed(verifySameElements(*this, getSource().getType(), getType())))
    return failure();
  SmallVector<int64_t> expected;
  for (int64_t dim : getPerm())
    expected.push_back(source[dim]);
  if (ArrayRef(expected) != result)
    return emitOpError("expects a result of shape ")
           << describe(expected) << ", but got " << describe(result);
  return success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  if (getSource().getType() == getType() &&
      llvm::equal(getPerm(), llvm::seq<int64_t>(0, getPerm().size())))
    return getSource();
  if (auto splat = dyn_cast_if_present<SplatElementsAttr>(adaptor.getSource()))
    return splat.resizeSplat(cast<ShapedType>(getType()));
  return {};
}

LogicalResult ReshapeOp::verify() {
  if (failed(verifySameElements(*this, getSource().getType(), getType())))
    return failure();
  auto count = [](Type type) { return ShapedType::getNumElements(shapeOf(type)); };
  if (count(getSource().getType()) != count(getType()))
    return emitOpError("expects ")
           << count(getSource().getType()) << " elements, but got " << count(getType());
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getSource().getType() == getType())
    return getSource();
  if (auto splat = dyn_cast_if_present<SplatElementsAttr>(adaptor.getSource()))
    if (auto type = dyn_cast<ShapedType>(getType()))
      return splat.resizeSplat(type);
  if (auto reshape = getSource().getDefiningOp<ReshapeOp>()) {
    getSourceMutable().assign(reshape.getSource());
    return getResult();
  }
  return {};
}

namespace {
/// reshape(load) -> load, where only dimensions of extent 1 come or go. A column of a product then
/// is a load of [m, 1], which lowerings read as m scalars, not as a vector of strided elements.
struct FoldUnitDimsIntoLoad : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op, PatternRewriter &rewriter) const override {
    auto load = op.getSource().getDefiningOp<LoadOp>();
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!load || !load->hasOneUse() || !type || !load.getIndices().empty())
      return rewriter.notifyMatchFailure(op, "is not the only use of a plain load");
    // New dimensions in the place of the old ones, in order.
    ArrayRef<int64_t> from = load.getTileShape(), to = type.getShape();
    SmallVector<AffineExpr> dims;
    size_t next = 0;
    for (int64_t extent : from) {
      while (extent != 1 && next < to.size() && to[next] == 1)
        ++next;
      if (extent == 1) {
        dims.push_back(rewriter.getAffineConstantExpr(0));
        continue;
      }
      if (next == to.size() || to[next] != extent)
        return rewriter.notifyMatchFailure(op, "changes more than dimensions of extent 1");
      dims.push_back(rewriter.getAffineDimExpr(next++));
    }
    AffineMap map = load.getMap();
    SmallVector<AffineExpr> results;
    for (AffineExpr expr : map.getResults())
      results.push_back(expr.replaceDims(dims));
    map = AffineMap::get(to.size(), map.getNumSymbols(), results, op.getContext());
    IntegerSetAttr where;
    if (std::optional<IntegerSet> set = load.getWhere()) {
      SmallVector<AffineExpr> constraints;
      for (AffineExpr expr : set->getConstraints())
        constraints.push_back(expr.replaceDims(dims));
      where = IntegerSetAttr::get(
          IntegerSet::get(to.size(), set->getNumSymbols(), constraints, set->getEqFlags()));
    }
    rewriter.setInsertionPoint(load);
    rewriter.replaceOpWithNewOp<LoadOp>(op, type, load.getView(), load.getMapOperands(),
                                        load.getSetOperands(), load.getIndices(),
                                        AffineMapAttr::get(map), where, load.getFillAttr());
    rewriter.eraseOp(load);
    return success();
  }
};
} // namespace

void ReshapeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldUnitDimsIntoLoad>(context);
}

/// A map or set over tile coordinates and index operands, as in `coord` and `mask`.
static LogicalResult verifySpace(Operation *op, unsigned dims, unsigned symbols, Type tile) {
  if (dims != shapeOf(tile).size())
    return op->emitOpError("expects ")
           << shapeOf(tile).size() << " dimensions, the tile's rank, but got " << dims;
  if (symbols != op->getNumOperands())
    return op->emitOpError("expects ")
           << symbols << " operands, one per symbol, but got " << op->getNumOperands();
  return success();
}

LogicalResult CoordOp::verify() {
  if (failed(verifySpace(*this, getMap().getNumDims(), getMap().getNumSymbols(), getType())))
    return failure();
  if (getMap().getNumResults() != 1)
    return emitOpError("expects a map of one result, but got ") << getMap().getNumResults();
  if (!getElementTypeOrSelf(getType()).isIntOrIndex())
    return emitOpError("expects integer elements, but got ") << getType();
  return success();
}

LogicalResult MaskOp::verify() {
  if (!getElementTypeOrSelf(getType()).isInteger(1))
    return emitOpError("expects i1 elements, but got ") << getType();
  return verifySpace(*this, getSet().getNumDims(), getSet().getNumSymbols(), getType());
}

LogicalResult AssertOp::verify() {
  if (!getElementTypeOrSelf(getCondition().getType()).isInteger(1))
    return emitOpError("expects i1 elements, but got ") << getCondition().getType();
  if (getValues().size() > 4)
    return emitOpError("expects at most 4 values, but got ") << getValues().size();
  for (Value value : getValues())
    if (isa<RankedTensorType>(value.getType()) &&
        shapeOf(value.getType()) != shapeOf(getCondition().getType()))
      return emitOpError("expects values of the condition's shape, but got ") << value.getType();
  return success();
}
