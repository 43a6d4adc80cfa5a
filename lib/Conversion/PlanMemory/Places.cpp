//===- Places.cpp - where tensors lie, as values of the host program -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Places.h"

using namespace mlir;
using namespace sectile;

static Place getRowMajorPlace(HostScalars &scalars, Value tensor, ArrayRef<int64_t> shape) {
  Place place{Builder(tensor.getContext()).getIndexAttr(0),
              SmallVector<OpFoldResult>(shape.size())};
  OpFoldResult stride = Builder(tensor.getContext()).getIndexAttr(1);
  for (int64_t dim = shape.size(); dim-- > 0;) {
    place.strides[dim] = stride;
    if (dim == 0)
      break;
    OpFoldResult extent = ShapedType::isDynamic(shape[dim])
                              ? scalars.getMixedExtent(tensor, dim)
                              : Builder(tensor.getContext()).getIndexAttr(shape[dim]);
    stride = scalars.multiply(stride, extent);
  }
  return place;
}

/// The place as it follows from those of the tensors around it.
static Place derivePlace(const Placement &placement, HostScalars &scalars, Value tensor) {
  std::optional<Window> window = getWindow(tensor);
  if (!window)
    return getRowMajorPlace(scalars, tensor, placement.getMemoryShape(tensor));
  Place place = derivePlace(placement, scalars, window->parent);
  switch (window->kind) {
  case Window::InPlace:
  case Window::Choice:
    break;
  case Window::Reshape: {
    Place own =
        getRowMajorPlace(scalars, tensor, cast<RankedTensorType>(tensor.getType()).getShape());
    // A cast keeps whatever strides there are, reshapes are of what is contiguous.
    if (!isa<tensor::CastOp>(window->op))
      place.strides = own.strides;
    break;
  }
  case Window::Operand: {
    auto concat = cast<tensor::ConcatOp>(window->op);
    int64_t dim = concat.getDim();
    for (Value before : concat.getInputs().take_front(window->number))
      place.offset = scalars.add(
          place.offset, scalars.multiply(scalars.getMixedExtent(before, dim), place.strides[dim]));
    break;
  }
  case Window::Slice: {
    auto slice = cast<tensor::ExtractSliceOp>(window->op);
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    SmallVector<OpFoldResult> strides;
    for (auto [dim, stride] : llvm::enumerate(place.strides)) {
      place.offset = scalars.add(
          place.offset, scalars.multiply(scalars.clone(slice.getMixedOffsets()[dim]), stride));
      if (!dropped.test(dim))
        strides.push_back(scalars.multiply(scalars.clone(slice.getMixedStrides()[dim]), stride));
    }
    place.strides = strides;
    break;
  }
  }
  return place;
}

Place sectile::getPlace(const Placement &placement, HostScalars &scalars, Value tensor) {
  Place place = derivePlace(placement, scalars, tensor);
  // The stride of a dimension of one element does not matter: a part of a single row is contiguous,
  // however long the row.
  if (placement.isContiguous(tensor))
    place.strides =
        getRowMajorPlace(scalars, tensor, cast<RankedTensorType>(tensor.getType()).getShape())
            .strides;
  return place;
}
