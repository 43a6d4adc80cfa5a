//===- ConstantSection.cpp - the constants of a package, one after the other -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConstantSection.h"

#include "HostScalars.h"

#include "dialects/Tile/IR/Tile.h"

using namespace mlir;
using namespace sectile;

int64_t ConstantSection::place(ElementsAttr value, Attribute memory) {
  auto [it, isNew] = offsets.try_emplace(std::pair(Attribute(value), memory), nextOffset);
  if (!isNew)
    return it->second;
  Builder builder(value.getContext());
  auto type = cast<RankedTensorType>(value.getType());
  int64_t elements = type.getNumElements(), size = getElementBytes(type.getElementType());
  if (auto packing = dyn_cast_if_present<tile::MemoryAttr>(memory)) {
    elements = ShapedType::getNumElements(tile::getMemoryShape(type.getShape(), packing));
    if (packing.getBits() != 0)
      size = tile::kPackedWordBits / 8;
  }
  int64_t bytes = elements * size;
  SmallVector<NamedAttribute> entry = {
      builder.getNamedAttr("value", value),
      builder.getNamedAttr("offset", builder.getI64IntegerAttr(nextOffset)),
      builder.getNamedAttr("bytes", builder.getI64IntegerAttr(bytes))};
  if (memory)
    entry.push_back(builder.getNamedAttr("memory", memory));
  entries.push_back(builder.getDictionaryAttr(entry));
  int64_t offset = nextOffset;
  nextOffset += llvm::alignTo(bytes, kAlignment);
  return offset;
}
