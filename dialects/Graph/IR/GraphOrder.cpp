//===- GraphOrder.cpp - ops that follow an order of elements -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace sectile::graph;

/// The element types of tensors.
static SmallVector<Type> getElementTypes(TypeRange tensors) {
  return llvm::map_to_vector(tensors, [](Type type) { return getElementTypeOrSelf(type); });
}

//===----------------------------------------------------------------------===//
// ScanOp
//===----------------------------------------------------------------------===//

LogicalResult ScanOp::verify() {
  if (getInputs().empty() || getInits().empty())
    return emitOpError("expects inputs and inits, but got ")
           << getInputs().size() << " and " << getInits().size();
  auto first = cast<RankedTensorType>(getInputs()[0].getType());
  auto axis = static_cast<int64_t>(getAxis());
  if (axis >= first.getRank())
    return emitOpError("expects an axis below ") << first.getRank() << ", but got " << axis;
  ArrayRef<int64_t> shape = first.getShape();
  for (Type type : getInputs().getTypes())
    if (failed(verifyCompatibleShape(cast<RankedTensorType>(type).getShape(), shape)))
      return emitOpError("expects inputs of one shape, but got ") << first << " and " << type;
  SmallVector<int64_t> without(shape);
  without.erase(without.begin() + axis);
  for (Type type : getInits().getTypes())
    if (failed(verifyCompatibleShape(cast<RankedTensorType>(type).getShape(), without)))
      return emitOpError("expects inits compatible with ")
             << RankedTensorType::get(without, getElementTypeOrSelf(type)) << ", but got " << type;
  SmallVector<Type> state = getElementTypes(getInits().getTypes());
  SmallVector<Type> elements = getElementTypes(getInputs().getTypes());
  if (getElementTypes(getResultTypes()) != state)
    return emitOpError("expects a result for each init, of element types ")
           << TypeRange(state) << ", but got " << getResultTypes();
  for (Type type : getResultTypes())
    if (failed(verifyCompatibleShape(cast<RankedTensorType>(type).getShape(), shape)))
      return emitOpError("expects results of the inputs' shape, but got ")
             << type << " for " << first;
  SmallVector<Type> expected(state);
  llvm::append_range(expected, elements);
  if (getStep().getArgumentTypes() != TypeRange(expected))
    return emitOpError("expects a step that takes the state and an element of each input, ")
           << TypeRange(expected) << ", but got " << getStep().getArgumentTypes();
  TypeRange yielded = getStep().front().getTerminator()->getOperandTypes();
  if (yielded != TypeRange(state))
    return emitOpError("expects a step that yields ")
           << TypeRange(state) << ", but got " << yielded;
  if (getAssociative() && state != elements)
    return emitOpError("expects an associative step to combine values of the same types, but got ")
           << TypeRange(state) << " and " << TypeRange(elements);
  return success();
}

LogicalResult ScanOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> shape = tensor::getMixedSizes(builder, getLoc(), getInputs()[0]);
  shapes.assign(getNumResults(), shape);
  return success();
}

//===----------------------------------------------------------------------===//
// ScatterOp
//===----------------------------------------------------------------------===//

std::optional<unsigned> ScatterOp::getUpdateDim(unsigned dim) {
  unsigned position = cast<AffineDimExpr>(getPlace().getResult(dim)).getPosition();
  if (position < cast<RankedTensorType>(getUpdates().getType()).getRank())
    return position;
  return std::nullopt;
}

std::optional<unsigned> ScatterOp::getDataDim(unsigned dim) {
  return getPlace().getResultPosition(getAffineDimExpr(dim, getContext()));
}

LogicalResult ScatterOp::verify() {
  auto data = cast<RankedTensorType>(getData().getType());
  auto updates = cast<RankedTensorType>(getUpdates().getType());
  for (Type type : getIndices().getTypes())
    if (!getElementTypeOrSelf(type).isIntOrIndex())
      return emitOpError("expects indices to be integers, but got ") << type;
  if (getReads().size() != getIndices().size())
    return emitOpError("expects ")
           << getIndices().size() << " reads, one for each tensor of indices, but got "
           << getReads().size();
  for (auto [attr, type] : llvm::zip_equal(getReads(), getIndices().getTypes())) {
    AffineMap map = cast<AffineMapAttr>(attr).getValue();
    int64_t rank = cast<RankedTensorType>(type).getRank();
    if (map.getNumDims() != updates.getRank() || map.getNumSymbols() != 0 ||
        map.getNumResults() != rank)
      return emitOpError("expects reads from ") << updates.getRank() << " dimensions to the "
                                                << rank << " of " << type << ", but got " << attr;
  }
  AffineMap place = getPlace();
  auto numIndices = static_cast<int64_t>(getIndices().size());
  if (place.getNumDims() != updates.getRank() + numIndices || place.getNumSymbols() != 0 ||
      place.getNumResults() != data.getRank())
    return emitOpError("expects a place from ")
           << updates.getRank() << " dimensions and " << numIndices << " indices to "
           << data.getRank() << " dimensions, but got " << AffineMapAttr::get(place);
  llvm::SmallDenseSet<unsigned> used;
  for (AffineExpr expr : place.getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || !used.insert(dim.getPosition()).second)
      return emitOpError("expects a place of different dimensions, but got ")
             << AffineMapAttr::get(place);
  }
  for (int64_t i = 0; i < numIndices; ++i)
    if (!used.contains(updates.getRank() + i))
      return emitOpError("expects a place that uses every index, but got ")
             << AffineMapAttr::get(place);
  for (unsigned dim = 0; dim < data.getRank(); ++dim)
    if (std::optional<unsigned> from = getUpdateDim(dim);
        from && !data.isDynamicDim(dim) && !updates.isDynamicDim(*from) &&
        updates.getDimSize(*from) > data.getDimSize(dim))
      return emitOpError("expects at most ") << data.getDimSize(dim) << " updates along dimension "
                                             << dim << ", but got " << updates.getDimSize(*from);
  Type element = data.getElementType();
  if (updates.getElementType() != element)
    return emitOpError("expects updates of element type ")
           << element << ", but got " << updates.getElementType();
  SmallVector<Type> expected{element, element};
  if (getCombine().getArgumentTypes() != TypeRange(expected) ||
      getCombine().front().getTerminator()->getOperandTypes() != TypeRange(element))
    return emitOpError("expects a body that combines two values of type ") << element;
  return success();
}

LogicalResult ScatterOp::reifyResultShapes(OpBuilder &builder,
                                           ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(tensor::getMixedSizes(builder, getLoc(), getData()));
  return success();
}

//===----------------------------------------------------------------------===//
// TopKOp
//===----------------------------------------------------------------------===//

int64_t TopKOp::getK() {
  return cast<RankedTensorType>(getValues().getType()).getDimSize(getAxis());
}

LogicalResult TopKOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto values = cast<RankedTensorType>(getValues().getType());
  auto indices = cast<RankedTensorType>(getIndices().getType());
  if (static_cast<int64_t>(getAxis()) >= input.getRank())
    return emitOpError("expects an axis below ") << input.getRank() << ", but got " << getAxis();
  SmallVector<int64_t> shape(input.getShape());
  if (values.getRank() == input.getRank())
    shape[getAxis()] = values.getDimSize(getAxis());
  if (failed(verifyCompatibleShape(values.getShape(), shape)) ||
      values.getElementType() != input.getElementType())
    return emitOpError("expects values like ")
           << input << " but for the extent along the axis, but got " << values;
  if (indices.getShape() != values.getShape() || !indices.getElementType().isInteger(64))
    return emitOpError("expects indices of i64 and of the values' shape, but got ") << indices;
  int64_t most = input.isDynamicDim(getAxis()) ? INT64_MAX : input.getDimSize(getAxis());
  if (getK() < 1 || getK() > most)
    return emitOpError("expects a known extent, at least 1 and at most the input's, along the "
                       "results' axis, but got ")
           << values << " of " << input;
  Type element = input.getElementType(), truth = IntegerType::get(getContext(), 1);
  SmallVector<Type> expected{element, element};
  if (getPrecedes().getArgumentTypes() != TypeRange(expected) ||
      getPrecedes().front().getTerminator()->getOperandTypes() != TypeRange(truth))
    return emitOpError("expects a body that takes two values of type ")
           << element << " and yields an i1";
  return success();
}

LogicalResult TopKOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> shape = tensor::getMixedSizes(builder, getLoc(), getInput());
  shape[getAxis()] = builder.getIndexAttr(getK());
  shapes.assign(2, shape);
  return success();
}
