//===- Transpose.cpp - tiles turned in registers ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block of R row vectors of C columns becomes C vectors of R. Each step is a
// shuffle of two vectors that x86 has as one instruction:
//
//   four rows, within each group of four lanes (unpcklps, unpcklpd, ...)
//     a0 a1 a2 a3 | a4 ...        a0 b0 c0 d0 | a4 b4 c4 d4
//     b0 b1 b2 b3 | b4 ...   ->   a1 b1 c1 d1 | a5 ...
//     c0 c1 c2 c3 | c4 ...        a2 b2 c2 d2 | ...
//     d0 d1 d2 d3 | d4 ...        a3 b3 c3 d3 | ...
//
//   then groups among rows (vperm2f128, vshuff64x2): of two vectors those at
//   even places and those at odd ones, until each vector has one column
//     A0 A1 | B0 B1   ->   A0 B0 | A1 B1
//
// 16 x 16 takes 64 instructions on AVX-512, 8 x 8 takes 24 on AVX2, 4 x 4 takes
// 8 on SSE: the number of vectors times the logarithm of their length. Joining
// one element after the other takes about eight times as many.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile::cpu;
using namespace sectile::tile;

namespace {

class Turner {
public:
  Turner(OpBuilder &builder, Location loc) : builder(builder), loc(loc) {}

  /// Whether `turn` knows blocks of that size.
  static bool isBlock(int64_t rows, int64_t columns) {
    return rows >= kGroup && columns >= kGroup && llvm::isPowerOf2_64(rows) &&
           llvm::isPowerOf2_64(columns);
  }

  /// The columns of these rows.
  SmallVector<Value> turn(ArrayRef<Value> rows) {
    // What column c of each group of four holds, for each four rows.
    SmallVector<SmallVector<Value>> byColumn(kGroup);
    for (size_t row = 0; row < rows.size(); row += kGroup) {
      Value ab = interleave(rows[row], rows[row + 1], 1, 0);
      Value abHigh = interleave(rows[row], rows[row + 1], 1, 2);
      Value cd = interleave(rows[row + 2], rows[row + 3], 1, 0);
      Value cdHigh = interleave(rows[row + 2], rows[row + 3], 1, 2);
      byColumn[0].push_back(interleave(ab, cd, 2, 0));
      byColumn[1].push_back(interleave(ab, cd, 2, 2));
      byColumn[2].push_back(interleave(abHigh, cdHigh, 2, 0));
      byColumn[3].push_back(interleave(abHigh, cdHigh, 2, 2));
    }
    int64_t groups = getNumLanes(rows[0]) / kGroup;
    SmallVector<Value> columns(groups * kGroup);
    for (auto [column, vectors] : llvm::enumerate(byColumn))
      for (auto [group, value] : llvm::enumerate(separate(vectors, groups)))
        columns[group * kGroup + column] = value;
    return columns;
  }

private:
  static constexpr int64_t kGroup = 4;

  Value shuffle(Value a, Value b, ArrayRef<int64_t> lanes) {
    return vector::ShuffleOp::create(builder, loc, a, b, lanes);
  }

  /// In each group of four lanes pieces of `piece` lanes, from lane `first` on, of a and b in turn.
  Value interleave(Value a, Value b, int64_t piece, int64_t first) {
    int64_t count = getNumLanes(a);
    SmallVector<int64_t> lanes;
    for (int64_t group = 0; group < count; group += kGroup)
      for (int64_t at = first; at < first + kGroup / 2; at += piece)
        for (int64_t source : {int64_t(0), count})
          for (int64_t lane = 0; lane < piece; ++lane)
            lanes.push_back(source + group + at + lane);
    return shuffle(a, b, lanes);
  }

  /// The groups of a and b at even (odd) places, one after the other.
  Value every(Value a, Value b, bool odd) {
    int64_t count = getNumLanes(a), all = a == b ? count : 2 * count;
    SmallVector<int64_t> lanes;
    for (int64_t group = odd ? kGroup : 0; group < all; group += 2 * kGroup)
      for (int64_t lane = 0; lane < kGroup; ++lane)
        lanes.push_back(group + lane);
    return shuffle(a, b, lanes);
  }

  /// Vectors of several groups -> for each place of a group the groups there, in order.
  SmallVector<Value> separate(ArrayRef<Value> vectors, int64_t places) {
    if (places == 1)
      return {join(vectors)};
    SmallVector<Value> even, odd;
    for (size_t i = 0; i < vectors.size(); i += 2) {
      Value a = vectors[i], b = vectors.size() == 1 ? a : vectors[i + 1];
      even.push_back(every(a, b, /*odd=*/false));
      odd.push_back(every(a, b, /*odd=*/true));
    }
    SmallVector<Value> atEven = separate(even, places / 2), atOdd = separate(odd, places / 2), all;
    for (auto [a, b] : llvm::zip_equal(atEven, atOdd))
      all.append({a, b});
    return all;
  }

  /// One vector of all, a power of two.
  Value join(ArrayRef<Value> vectors) {
    if (vectors.size() == 1)
      return vectors[0];
    Value a = join(vectors.take_front(vectors.size() / 2)),
          b = join(vectors.drop_front(vectors.size() / 2));
    return shuffle(a, b, llvm::to_vector(llvm::seq<int64_t>(0, 2 * getNumLanes(a))));
  }

  OpBuilder &builder;
  Location loc;
};

} // namespace

/// Whether each element of these parts is in a vector of that many lanes.
static bool areVectors(ArrayRef<Value> parts, int64_t lanes) {
  return llvm::all_of(parts, [&](Value part) {
    return isa<VectorType>(part.getType()) && getNumLanes(part) == lanes &&
           !getElementTypeOrSelf(part.getType()).isInteger(1);
  });
}

/// Elements of a column that are not turned in blocks, joined.
Value KernelEmitter::gatherColumn(Location loc, const Tile &source, int64_t base, int64_t step,
                                  int64_t count) {
  SmallVector<Element> elements;
  for (int64_t i = 0; i < count; ++i)
    elements.push_back(getElement(source, base + i * step));
  return buildPart(builder, loc, elements);
}

LogicalResult KernelEmitter::emitTranspose(TransposeOp op) {
  const Tile source = getTile(op.getSource());
  Tile tile = makeTile(op.getType());
  int64_t rank = tile.getRank();
  if (rank == 2 && op.getPerm()[0] == 1) {
    tile.parts.resize(tile.getNumParts());
    for (int64_t part = 0; part < tile.getPartsPerRow(); ++part) {
      int64_t first = part * tile.lanes, rows = tile.getWidth(part);
      for (int64_t column = 0, at = 0; at < source.getPartsPerRow();
           column += source.getWidth(at), ++at) {
        SmallVector<Value> block;
        for (int64_t row = first; row < first + rows; ++row)
          block.push_back(source.at(row, at));
        int64_t columns = source.getWidth(at);
        bool isBlock = Turner::isBlock(rows, columns) && areVectors(block, columns);
        SmallVector<Value> turned;
        if (isBlock)
          turned = Turner(builder, loc).turn(block);
        for (int64_t i = 0; i < columns; ++i)
          tile.at(column + i, part) =
              isBlock ? turned[i]
                      : gatherColumn(loc, source, first * source.getRowLength() + column + i,
                                     source.getRowLength(), rows);
      }
    }
    setTile(op.getResult(), std::move(tile));
    return success();
  }
  SmallVector<int64_t> sourceStrides(rank, 1);
  for (int64_t dim = rank - 1; dim-- > 0;)
    sourceStrides[dim] = sourceStrides[dim + 1] * source.shape[dim + 1];
  for (int64_t row = 0; row < tile.getNumRows(); ++row) {
    SmallVector<int64_t> coords = rowCoords(tile, row);
    int64_t base = 0;
    for (int64_t dim = 0; dim + 1 < rank; ++dim)
      base += coords[dim] * sourceStrides[op.getPerm()[dim]];
    int64_t step = sourceStrides[op.getPerm()[rank - 1]];
    for (int64_t part = 0; part < tile.getPartsPerRow(); ++part)
      tile.parts.push_back(
          gatherColumn(loc, source, base + part * tile.lanes * step, step, tile.getWidth(part)));
  }
  setTile(op.getResult(), std::move(tile));
  return success();
}
