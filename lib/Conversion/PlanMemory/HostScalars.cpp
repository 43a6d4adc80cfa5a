//===- HostScalars.cpp - sizes, in a function being written -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HostScalars.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;

int64_t sectile::getElementBytes(Type element) {
  return element.isIndex() ? 8 : (element.getIntOrFloatBitWidth() + 7) / 8;
}

Value sectile::getLaunchSize(Value tensor, int64_t dim) {
  Operation *op = tensor.getDefiningOp();
  auto loop = dyn_cast<graph::LoopOp>(op);
  ValueRange sizes = loop ? ValueRange(loop.getSizes()) : cast<graph::LaunchOp>(op).getSizes();
  unsigned position = 0;
  for (Value result : op->getResults()) {
    auto type = cast<RankedTensorType>(result.getType());
    for (int64_t i = 0; i < type.getRank(); ++i) {
      if (!type.isDynamicDim(i))
        continue;
      if (result == tensor && i == dim)
        return sizes[position];
      ++position;
    }
  }
  return {};
}

Value HostScalars::clone(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  if (Value operand = operands.lookup(value)) {
    Value known = outer->clone(operand);
    mapping.map(value, known);
    return known;
  }
  Operation *op = value.getDefiningOp();
  if (auto dim = dyn_cast_if_present<tensor::DimOp>(op)) {
    Value extent = getExtent(dim.getSource(), *dim.getConstantIndex());
    mapping.map(value, extent);
    return extent;
  }
  if (auto extract = dyn_cast_if_present<tensor::ExtractOp>(op)) {
    SmallVector<Value> place;
    for (Value index : extract.getIndices())
      place.push_back(clone(index));
    Value element =
        memref::LoadOp::create(builder, extract.getLoc(), buffers.at(extract.getTensor()), place);
    mapping.map(value, element);
    return element;
  }
  if (auto count = dyn_cast_if_present<graph::CountOp>(op)) {
    // In the run it is bound where the number is there.
    assert(takesBounds && "a size is used before it is counted");
    Value bound = clone(count.getBound());
    mapping.map(value, bound);
    return bound;
  }
  for (Value operand : op->getOperands())
    clone(operand);
  return builder.clone(*op, mapping)->getResult(cast<OpResult>(value).getResultNumber());
}

Value HostScalars::constantIndex(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value HostScalars::getExtent(Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return constantIndex(type.getDimSize(dim));
  if (auto it = extents.find({tensor, dim}); it != extents.end())
    return it->second;
  if (Value operand = operands.lookup(tensor))
    return outer->getExtent(operand, dim);
  Operation *op = tensor.getDefiningOp();
  if (isa<graph::LaunchOp, graph::LoopOp>(op))
    return clone(getLaunchSize(tensor, dim));
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    OpFoldResult size = expand.getMixedOutputShape()[dim];
    return clone(cast<Value>(size));
  }
  if (auto cast_ = dyn_cast<tensor::CastOp>(op))
    return getExtent(cast_.getSource(), dim);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    // Dimensions of extent 1 may be dropped.
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    SmallVector<OpFoldResult> sizes;
    for (auto [i, size] : llvm::enumerate(slice.getMixedSizes()))
      if (!dropped.test(i))
        sizes.push_back(size);
    return clone(cast<Value>(sizes[dim]));
  }
  if (auto choose = dyn_cast<graph::ChooseOp>(op))
    return getExtent(choose.getTaken(), dim);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    Value sum;
    for (Value operand : concat.getInputs()) {
      Value extent = getExtent(operand, dim);
      if (static_cast<uint64_t>(dim) != concat.getDim())
        return extent;
      sum = sum ? Value(arith::AddIOp::create(builder, op->getLoc(), sum, extent)) : extent;
    }
    return sum;
  }
  auto collapse = cast<tensor::CollapseShapeOp>(op);
  Value product;
  ReassociationIndices group = collapse.getReassociationIndices()[dim];
  for (int64_t inner : group) {
    Value extent = getExtent(collapse.getSrc(), inner);
    product =
        product ? Value(arith::MulIOp::create(builder, op->getLoc(), product, extent)) : extent;
  }
  return product;
}

Value HostScalars::getBytes(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Value bytes = constantIndex(getElementBytes(type.getElementType()));
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    bytes = arith::MulIOp::create(builder, loc, bytes, getExtent(tensor, dim));
  return bytes;
}

OpFoldResult HostScalars::multiply(OpFoldResult lhs, OpFoldResult rhs) {
  AffineExpr a = builder.getAffineSymbolExpr(0), b = builder.getAffineSymbolExpr(1);
  // A product of two symbols is no affine expression.
  if (!getConstantIntValue(lhs) && !getConstantIntValue(rhs))
    return Value(arith::MulIOp::create(builder, loc, cast<Value>(lhs), cast<Value>(rhs)));
  return affine::makeComposedFoldedAffineApply(builder, loc, a * b, {lhs, rhs});
}

OpFoldResult HostScalars::add(OpFoldResult lhs, OpFoldResult rhs) {
  AffineExpr a = builder.getAffineSymbolExpr(0), b = builder.getAffineSymbolExpr(1);
  return affine::makeComposedFoldedAffineApply(builder, loc, a + b, {lhs, rhs});
}

OpFoldResult HostScalars::getMixedExtent(Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return builder.getIndexAttr(type.getDimSize(dim));
  return getExtent(tensor, dim);
}

OpFoldResult HostScalars::clone(OpFoldResult scalar) {
  auto value = dyn_cast<Value>(scalar);
  return value ? OpFoldResult(clone(value)) : scalar;
}
