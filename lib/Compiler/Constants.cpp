//===- Constants.cpp - the section of constants -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace sectile;

ArrayRef<char> sectile::getRawBytes(ElementsAttr value, std::string &storage) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob();
        blob && !value.getElementType().isInteger(1))
      return blob->getData();
  auto dense = cast<DenseElementsAttr>(value);
  int64_t bytes = value.getElementType().isIndex()
                      ? 8
                      : (value.getElementType().getIntOrFloatBitWidth() + 7) / 8;
  if (!dense.isSplat() && !value.getElementType().isInteger(1))
    return dense.getRawData();
  auto append = [&](const APInt &bits) {
    for (int64_t byte = 0; byte < bytes; ++byte)
      storage.push_back(static_cast<char>(bits.extractBitsAsZExtValue(
          std::min<unsigned>(8, bits.getBitWidth() - 8 * byte), 8 * byte)));
  };
  if (isa<FloatType>(value.getElementType()))
    for (const APFloat &element : dense.getValues<APFloat>())
      append(element.bitcastToAPInt());
  else
    for (const APInt &element : dense.getValues<APInt>())
      append(element);
  return storage;
}

/// Copies `count` elements that lie `stride` elements apart.
template <typename T>
static void copyStrided(char *to, const char *from, int64_t count, int64_t stride) {
  for (int64_t i = 0; i < count; ++i)
    memcpy(to + i * sizeof(T), from + i * stride * sizeof(T), sizeof(T));
}

static void copyRun(char *to, const char *from, int64_t count, int64_t stride, size_t bytes) {
  if (stride == 1)
    memcpy(to, from, count * bytes);
  else if (bytes == 1)
    copyStrided<uint8_t>(to, from, count, stride);
  else if (bytes == 2)
    copyStrided<uint16_t>(to, from, count, stride);
  else if (bytes == 4)
    copyStrided<uint32_t>(to, from, count, stride);
  else if (bytes == 8)
    copyStrided<uint64_t>(to, from, count, stride);
  else
    llvm_unreachable("elements have 1, 2, 4 or 8 bytes");
}

/// Calls `take` with the rows of `source` in the order of `packing`: the elements along the last
/// physical dimension, side by side. Padding is zero.
static void packRows(ArrayRef<char> source, ShapedType type, tile::MemoryAttr packing,
                     llvm::function_ref<void(StringRef)> take) {
  ArrayRef<int64_t> shape = type.getShape();
  AffineMap map = packing.getMap();
  SmallVector<int64_t> physical = tile::getPhysicalShape(shape, map);
  size_t bytes = source.size() / std::max<int64_t>(type.getNumElements(), 1);
  SmallVector<int64_t> strides(shape.size(), 1);
  for (size_t dim = shape.size(); dim-- > 1;)
    strides[dim - 1] = strides[dim] * shape[dim];
  // What a step along each physical dimension adds to each coordinate.
  struct Step {
    unsigned dim;
    int64_t factor;
  };
  SmallVector<Step> steps;
  for (AffineExpr expr : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      steps.push_back({dim.getPosition(), 1});
      continue;
    }
    auto binary = cast<AffineBinaryOpExpr>(expr);
    bool isDiv = expr.getKind() == AffineExprKind::FloorDiv;
    steps.push_back({cast<AffineDimExpr>(binary.getLHS()).getPosition(),
                     isDiv ? cast<AffineConstantExpr>(binary.getRHS()).getValue() : 1});
  }
  std::string row(physical.back() * bytes, '\0');
  SmallVector<int64_t> index(physical.size(), 0), coords(shape.size(), 0);
  if (llvm::is_contained(physical, 0))
    return;
  Step last = steps.back();
  while (true) {
    bool inside = true;
    int64_t offset = 0;
    for (size_t dim = 0; dim < shape.size(); ++dim) {
      inside &= coords[dim] < shape[dim];
      offset += coords[dim] * strides[dim];
    }
    int64_t count = 0;
    if (inside)
      count = std::min(physical.back(),
                       llvm::divideCeilSigned(shape[last.dim] - coords[last.dim], last.factor));
    copyRun(row.data(), source.data() + offset * bytes, count, last.factor * strides[last.dim],
            bytes);
    memset(row.data() + count * bytes, 0, row.size() - count * bytes);
    take(row);
    size_t dim = physical.size() - 1;
    while (dim > 0) {
      --dim;
      coords[steps[dim].dim] += steps[dim].factor;
      if (++index[dim] < physical[dim])
        break;
      coords[steps[dim].dim] -= index[dim] * steps[dim].factor;
      index[dim] = 0;
      if (dim == 0)
        return;
    }
    if (physical.size() == 1)
      return;
  }
}

/// Writes the low bits of the elements of `source` as streams of bits in words, see #tile.memory.
static void packBits(ArrayRef<char> source, ShapedType type, tile::MemoryAttr packing,
                     llvm::raw_ostream &out) {
  SmallVector<int64_t> box = tile::getPhysicalShape(type.getShape(), packing.getMap());
  int64_t along = packing.getAlong(), bits = packing.getBits();
  size_t bytes = source.size() / std::max<int64_t>(type.getNumElements(), 1);
  // Streams that lie side by side, and rows of physical coordinates in each step along them.
  int64_t streams = ShapedType::getNumElements(ArrayRef(box).drop_front(along + 1));
  int64_t words = tile::countPackedWords(box[along], bits) * streams;
  std::vector<llvm::support::ulittle32_t> section(words);
  int64_t code = 0, stream = 0; // of the next element: its place along a stream, and which one
  uint32_t mask = (1U << bits) - 1;
  packRows(source, type, packing, [&](StringRef row) {
    for (size_t place = 0; place < row.size(); place += bytes) {
      uint32_t value = 0;
      for (size_t byte = bytes; byte-- > 0;)
        value = value << 8 | static_cast<uint8_t>(row[place + byte]);
      value &= mask;
      // Its word and, in its byte there, its first bit; what the byte does not hold is in the next.
      int64_t at = tile::getPackedPlace(code, packing.getOrder());
      int64_t bit = at / tile::kPackedStreams * bits, byte = at % tile::kPackedStreams * 8;
      int64_t word = bit / 8 * streams + stream, shift = bit % 8;
      section[word] = section[word] | (value << shift & 0xff) << byte;
      if (shift + bits > 8)
        section[word + streams] = section[word + streams] | value >> (8 - shift) << byte;
      if (++stream != streams)
        continue;
      stream = 0;
      if (++code != box[along])
        continue;
      code = 0;
      out.write(reinterpret_cast<const char *>(section.data()), words * sizeof(section[0]));
      std::fill(section.begin(), section.end(), 0);
    }
  });
}

void sectile::writeConstants(ArrayRef<PlannedConstant> constants, uint64_t bytes,
                             llvm::raw_ostream &out) {
  uint64_t begin = constants.empty() ? 0 : constants.front().offset, position = begin;
  for (const PlannedConstant &constant : constants) {
    out.write_zeros(constant.offset - position);
    std::string storage;
    ArrayRef<char> raw = getRawBytes(constant.value, storage);
    auto packing = dyn_cast_if_present<tile::MemoryAttr>(constant.memory);
    if (packing && packing.getBits() != 0)
      packBits(raw, constant.value.getShapedType(), packing, out);
    else if (packing)
      packRows(raw, constant.value.getShapedType(), packing, [&](StringRef row) { out << row; });
    else
      out.write(raw.data(), raw.size());
    position = constant.offset + constant.bytes;
  }
  out.write_zeros(begin + bytes - position);
}
