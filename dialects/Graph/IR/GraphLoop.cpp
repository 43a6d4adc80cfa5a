//===- GraphLoop.cpp - functions that are repeated --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/ResultSizes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace sectile::graph;

LogicalResult LoopOp::verify() {
  if (!getTrips() && !getCondition())
    return emitOpError("expects a number of trips or a condition");
  int64_t dynamic = 0;
  for (Type type : getResultTypes())
    dynamic += cast<RankedTensorType>(type).getNumDynamicDims();
  if (static_cast<int64_t>(getSizes().size()) != dynamic)
    return emitOpError("expects ")
           << dynamic << " sizes, one per dynamic extent, but got " << getSizes().size();
  TypeRange carried = getCarried().getTypes();
  if (carried.size() > getNumResults() ||
      TypeRange(getResultTypes()).take_front(carried.size()) != carried)
    return emitOpError("expects results that begin with the types of what is carried");
  if (getRows().empty())
    return success();
  if (!getTrips() || getCondition())
    return emitOpError(
        "expects a number of trips and no condition, to know how many rows there are");
  for (Type type : getRows().getTypes())
    if (cast<RankedTensorType>(type).getRank() == 0)
      return emitOpError("expects rows to have a dimension");
  return success();
}

LogicalResult LoopOp::verifySymbolUses(SymbolTableCollection &symbols) {
  Operation *op = symbols.lookupNearestSymbolFrom(*this, getBodyAttr());
  auto function = dyn_cast_if_present<FunctionOpInterface>(op);
  auto symbol = dyn_cast_if_present<SymbolOpInterface>(op);
  if (!function || isa<KernelOp>(op) || !symbol.isPrivate() || function.isExternal())
    return emitOpError("expects a private function with a body named ")
           << getBodyAttr() << ", but found none";
  SmallVector<Type> inputs = {IndexType::get(getContext())}, results;
  llvm::append_range(inputs, getCarried().getTypes());
  llvm::append_range(inputs, getCaptured().getTypes());
  if (getCondition())
    results.push_back(getCondition().getType());
  llvm::append_range(results, getCarried().getTypes());
  for (Type rows : getRows().getTypes()) {
    auto type = cast<RankedTensorType>(rows);
    results.push_back(RankedTensorType::get(type.getShape().drop_front(), type.getElementType()));
  }
  auto expected = FunctionType::get(getContext(), inputs, results);
  if (function.getFunctionType() != expected)
    return emitOpError("expects a body of type ")
           << expected << ", but got " << function.getFunctionType();
  return success();
}

LogicalResult LoopOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes = getResultShapes(builder, getResultTypes(), getSizes());
  return success();
}
