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
