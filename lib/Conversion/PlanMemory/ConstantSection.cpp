//===- ConstantSection.cpp - the constants of a package, one after the other -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ConstantSection.h"

#include "HostScalars.h"

#include "dialects/Tile/IR/Tile.h"
#include "sectile/Package/Abi.h"

#include <utility>

using namespace mlir;
using namespace sectile;

/// Constants of so many bytes are pieces of their own, and so long are runs of smaller ones: in
/// files, pages and mappings that are much larger than their unused ends.
static constexpr int64_t kPieceBytes = 256 << 10;

int64_t ConstantSection::allocate(int64_t bytes) {
  int64_t room = llvm::alignTo(bytes, kAlignment);
  if (!isInPieces)
    return std::exchange(nextOffset, nextOffset + room);
  if (room >= kPieceBytes)
    return std::exchange(nextOffset, nextOffset + llvm::alignTo(room, SECTILE_PIECE_ALIGNMENT));
  if (room > smallEnd - smallOffset) {
    smallOffset = nextOffset;
    smallEnd = nextOffset += kPieceBytes;
  }
  return std::exchange(smallOffset, smallOffset + room);
}

int64_t ConstantSection::place(ElementsAttr value, Attribute memory) {
  auto [it, isNew] = offsets.try_emplace(std::pair(Attribute(value), memory), 0);
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
  it->second = allocate(bytes);
  SmallVector<NamedAttribute> entry = {
      builder.getNamedAttr("value", value),
      builder.getNamedAttr("offset", builder.getI64IntegerAttr(it->second)),
      builder.getNamedAttr("bytes", builder.getI64IntegerAttr(bytes))};
  if (memory)
    entry.push_back(builder.getNamedAttr("memory", memory));
  entries.push_back(builder.getDictionaryAttr(entry));
  return it->second;
}
