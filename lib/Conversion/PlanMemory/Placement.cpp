//===- Placement.cpp - which tensors of the host program share memory -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Placement.h"

#include "dialects/Graph/IR/Graph.h"

using namespace mlir;
using namespace sectile;

bool sectile::isReshape(Operation *op) {
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op);
}

bool sectile::isLoopStart(OpOperand &start) {
  auto isOther = [&](OpOperand &use) {
    return &use != &start && !isa<tensor::DimOp>(use.getOwner());
  };
  return start.get().getDefiningOp<graph::LaunchOp>() &&
         llvm::none_of(start.get().getUses(), isOther);
}

std::optional<Window> sectile::getWindow(Value tensor) {
  Operation *op = tensor.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (isReshape(op))
    return Window{Window::Reshape, op->getOperand(0), op};
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return Window{Window::Slice, slice.getSource(), op};
  auto launch = dyn_cast<graph::LaunchOp>(op);
  if (launch)
    if (auto inputs = launch->getAttrOfType<DenseI64ArrayAttr>(graph::kInPlaceAttr)) {
      int64_t input = inputs[cast<OpResult>(tensor).getResultNumber()];
      if (input >= 0)
        return Window{Window::InPlace, launch.getInputs()[input], op};
    }
  // What a loop carries ends where it began.
  if (auto loop = dyn_cast<graph::LoopOp>(op))
    if (unsigned number = cast<OpResult>(tensor).getResultNumber();
        number < loop.getCarried().size())
      return Window{Window::InPlace, loop.getCarried()[number], op};
  // Both sides of a choice are written where its result lies.
  if (launch)
    for (OpOperand &use : tensor.getUses())
      if (auto choose = dyn_cast<graph::ChooseOp>(use.getOwner());
          choose && use.getOperandNumber() != 0)
        return Window{Window::Choice, choose.getResult(), choose, use.getOperandNumber()};
  if (launch || isa<tensor::ConcatOp>(op))
    for (OpOperand &use : tensor.getUses())
      if (auto concat = dyn_cast<tensor::ConcatOp>(use.getOwner()))
        return Window{Window::Operand, concat.getResult(), concat, use.getOperandNumber()};
  return std::nullopt;
}

Placement::Placement(func::FuncOp model) : aliases(graph::getAliases(model)) {
  Operation *terminator = model.getBody().front().getTerminator();
  for (auto [number, alias] : llvm::enumerate(aliases)) {
    aliasOf[model.getArgument(alias.input)] = number;
    Value returned = terminator->getOperand(alias.output);
    if (isWhole(returned))
      aliasOf.try_emplace(getOwner(returned), number);
  }
}

Value Placement::getOwner(Value tensor) {
  while (std::optional<Window> window = getWindow(tensor))
    tensor = window->parent;
  return tensor;
}

bool Placement::isWhole(Value tensor) {
  while (std::optional<Window> window = getWindow(tensor)) {
    if (!window->isWhole())
      return false;
    tensor = window->parent;
  }
  return true;
}

bool Placement::hasOwnersExtents(Value tensor) {
  while (std::optional<Window> window = getWindow(tensor)) {
    if (window->kind != Window::InPlace && window->kind != Window::Choice)
      return false;
    tensor = window->parent;
  }
  return true;
}

const graph::Alias *Placement::getAlias(Value owner) const {
  auto it = aliasOf.find(owner);
  return it == aliasOf.end() ? nullptr : &aliases[it->second];
}

SmallVector<int64_t> Placement::getMemoryShape(Value owner) const {
  SmallVector<int64_t> shape(cast<RankedTensorType>(owner.getType()).getShape());
  if (const graph::Alias *alias = getAlias(owner); alias && alias->capacity >= 0)
    shape[alias->dim] = alias->capacity;
  return shape;
}

static SmallVector<int64_t> getRowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t dim = shape.size(); dim-- > 0;) {
    strides[dim] = stride;
    bool isKnown = !ShapedType::isDynamic(stride) && !ShapedType::isDynamic(shape[dim]);
    stride = isKnown ? stride * shape[dim] : ShapedType::kDynamic;
  }
  return strides;
}

SmallVector<int64_t> Placement::getStrides(Value tensor) const {
  std::optional<Window> window = getWindow(tensor);
  if (!window)
    return getRowMajorStrides(getMemoryShape(tensor));
  switch (window->kind) {
  case Window::Reshape: // of what is contiguous, unless the extents stay
    if (isa<tensor::CastOp>(window->op))
      return getStrides(window->parent);
    return getRowMajorStrides(cast<RankedTensorType>(tensor.getType()).getShape());
  case Window::Operand:
  case Window::InPlace:
  case Window::Choice:
    return getStrides(window->parent);
  case Window::Slice:
    break;
  }
  auto slice = cast<tensor::ExtractSliceOp>(window->op);
  llvm::SmallBitVector dropped = slice.getDroppedDims();
  SmallVector<int64_t> strides;
  for (auto [dim, stride] : llvm::enumerate(getStrides(window->parent))) {
    if (dropped.test(dim))
      continue;
    int64_t step = slice.getStaticStrides()[dim];
    bool isKnown = !ShapedType::isDynamic(stride) && !ShapedType::isDynamic(step);
    strides.push_back(isKnown ? stride * step : step == 1 ? stride : ShapedType::kDynamic);
  }
  return strides;
}

bool Placement::isContiguous(Value tensor) const {
  auto isOne = [](RankedTensorType type, int64_t dims) {
    return llvm::all_of(type.getShape().take_front(dims), [](int64_t size) { return size == 1; });
  };
  auto type = cast<RankedTensorType>(tensor.getType());
  std::optional<Window> window = getWindow(tensor);
  if (!window) {
    const graph::Alias *alias = getAlias(tensor);
    return !alias || alias->capacity < 0 || isOne(type, alias->dim);
  }
  if (!isContiguous(window->parent))
    return false;
  if (auto concat = dyn_cast<tensor::ConcatOp>(window->op))
    return isOne(type, concat.getDim());
  if (window->kind != Window::Slice)
    return true;
  // What known strides prove; unknown ones prove it where the slice has the source's extents.
  auto slice = cast<tensor::ExtractSliceOp>(window->op);
  if (!slice.hasUnitStride())
    return false;
  bool isWholeSoFar = true;
  for (int64_t dim = slice.getSourceType().getRank(); dim-- > 0;) {
    OpFoldResult size = slice.getMixedSizes()[dim];
    std::optional<int64_t> known = getConstantIntValue(size);
    if (!isWholeSoFar && known != 1)
      return false;
    isWholeSoFar &= known && known == slice.getSourceType().getDimSize(dim);
  }
  return true;
}

StridedLayoutAttr Placement::getLayout(Value tensor) const {
  if (isContiguous(tensor))
    return {};
  return StridedLayoutAttr::get(tensor.getContext(), 0, getStrides(tensor));
}
