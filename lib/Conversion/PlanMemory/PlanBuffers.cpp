//===- PlanBuffers.cpp - where tensors lie -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Planner.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sectile;

MemRefType sectile::getBufferType(RankedTensorType type, StridedLayoutAttr layout) {
  return MemRefType::get(type.getShape(), type.getElementType(), layout);
}

Value Planner::getMemory(Value owner, HostScalars &scalars) {
  auto it = buffers.find(owner);
  if (it == buffers.end()) {
    emitError(owner.getLoc(), "host program: a tensor has no memory");
    return {};
  }
  const Buffer &buffer = it->second;
  if (buffer.output)
    return parent ? outputs[*buffer.output] : showOutput(*buffer.output, scalars);
  auto type = getBufferType(cast<RankedTensorType>(owner.getType()));
  SmallVector<Value> sizes;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (type.isDynamicDim(dim))
      sizes.push_back(scalars.getExtent(owner, dim));
  return memref::ViewOp::create(builder, owner.getLoc(), type, arena, slotOffsets[buffer.slot],
                                sizes);
}

Value Planner::getBuffer(Value tensor, HostScalars &scalars, Attribute memory) {
  if (!memory)
    if (Value known = bufferOf.lookup(tensor))
      return known;
  Location loc = tensor.getLoc();
  auto type = getBufferType(cast<RankedTensorType>(tensor.getType()));
  ElementsAttr value;
  Operation *op = tensor.getDefiningOp();
  if (op && matchPattern(op, m_Constant(&value))) {
    Value offset = scalars.constantIndex(section.place(value, memory));
    Value buffer = memref::ViewOp::create(builder, loc, type, constants, offset, ValueRange());
    if (!memory)
      bufferOf[tensor] = buffer;
    return buffer;
  }
  Value owner = Placement::getOwner(tensor);
  // Offsets count from where the memory begins, of which an owner that is a row shows a part.
  auto it = buffers.find(owner);
  bool isRow = it != buffers.end() && it->second.output &&
               outputOffsets.contains(outputs[*it->second.output]);
  Value base = owner == tensor || isRow ? getMemory(owner, scalars) : getBuffer(owner, scalars);
  if (!base)
    return {};
  Place place = getPlace(placement, scalars, tensor);
  if (isRow)
    place.offset = scalars.add(place.offset, outputOffsets.lookup(base));
  Value buffer = showPlace(base, tensor, place, scalars);
  bufferOf[tensor] = buffer;
  return buffer;
}

bool Planner::hasExtentsOf(Value base, Value tensor) {
  if (!Placement::hasOwnersExtents(tensor))
    return false;
  // An output has those of the result that is returned.
  auto it = buffers.find(Placement::getOwner(tensor));
  if (it != buffers.end() && it->second.output)
    return Placement::hasOwnersExtents(block.getTerminator()->getOperand(*it->second.output));
  const auto *output = llvm::find(outputs, base);
  return output == outputs.end() ||
         Placement::hasOwnersExtents(block.getTerminator()->getOperand(output - outputs.begin()));
}

Value Planner::showPlace(Value base, Value tensor, const Place &place, HostScalars &scalars) {
  auto tensorType = cast<RankedTensorType>(tensor.getType());
  bool isAtStart = getConstantIntValue(place.offset) == 0;
  MemRefType type = getBufferType(tensorType, placement.getLayout(tensor));
  if (!isAtStart || !type.getLayout().isIdentity()) {
    SmallVector<int64_t> strides;
    for (OpFoldResult stride : place.strides)
      strides.push_back(getConstantIntValue(stride).value_or(ShapedType::kDynamic));
    type = MemRefType::get(
        type.getShape(), type.getElementType(),
        StridedLayoutAttr::get(type.getContext(),
                               getConstantIntValue(place.offset).value_or(ShapedType::kDynamic),
                               strides));
  }
  if (base.getType() == type && hasExtentsOf(base, tensor))
    return base;
  SmallVector<OpFoldResult> sizes;
  for (int64_t dim = 0; dim < tensorType.getRank(); ++dim)
    sizes.push_back(scalars.getMixedExtent(tensor, dim));
  return memref::ReinterpretCastOp::create(builder, tensor.getLoc(), type, base, place.offset,
                                           sizes, place.strides);
}
