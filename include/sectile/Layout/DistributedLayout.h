//===- DistributedLayout.h - where a tile's elements live -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A distributed layout says which element of a tile each place of a block
// holds: register r of lane l of warp w. It is a DigitMap (DigitMap.h) from
// places to coordinates, and the tile's shape. The accumulator of
// mma.m16n8k16, fastest digit first (PTX ISA, "Matrix Fragments for
// mma.m16n8k16 with floating point type"):
//
//   [16, 8], register = [2:d1*1, 2:d0*8], lane = [4:d1*2, 8:d0*1]
//
//        column  0    1    2    3    4    5    6    7
//   row 0       l0r0 l0r1 l1r0 l1r1 l2r0 l2r1 l3r0 l3r1
//   row 1       l4r0 l4r1 l5r0 ...
//   ...
//   row 8       l0r2 l0r3 l1r2 ...
//
// The digits of a dimension fill a *box*, which may be larger than the tile: a
// tile of 48 columns over 32 lanes has 64 in its box. Places whose coordinates
// lie outside of the tile are *invalid*; which ones is known statically. A
// digit `4:_` makes four copies of everything.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LAYOUT_DISTRIBUTEDLAYOUT_H
#define SECTILE_LAYOUT_DISTRIBUTEDLAYOUT_H

#include "sectile/Layout/DigitMap.h"

#include <array>
#include <string>
#include <string_view>

namespace sectile::layout {

/// What a place is made of, from the nearest to the farthest.
enum class Axis : uint8_t { Register, Lane, Warp, Cta, TmemColumn, TmemLane };
inline constexpr size_t kNumAxes = 6;
/// "register", "lane", "warp", "cta", "tmem_column", "tmem_lane".
std::string_view nameOf(Axis axis);

/// A number for each axis.
using HardwarePlace = std::array<int64_t, kNumAxes>;

/// A digit of an axis: it selects `extent` elements, `stride` apart along `dim`, or copies.
struct TileDigit {
  int64_t extent;
  std::optional<Place> tile; ///< dimension and stride; absent: copies
};

class DistributedLayout {
public:
  static constexpr size_t kMostDims = 16;

  /// `digits[axis]`, fastest first. On each dimension they must nest without gaps or overlaps, in
  /// any order, and reach the shape's extent at least.
  static OrReason<DistributedLayout>
  create(std::vector<int64_t> shape, const std::array<std::vector<TileDigit>, kNumAxes> &digits);
  /// The text form shown above; axes that are not named have extent 1.
  static OrReason<DistributedLayout> parse(std::string_view text);
  /// What `parse` reads; equal layouts have equal texts.
  std::string str() const;

  std::span<const int64_t> shape() const { return tileShape; }
  /// Extents that the digits fill, at least the shape's.
  std::span<const int64_t> box() const { return places.range(); }
  /// How many registers, lanes, ... it takes.
  int64_t extent(Axis axis) const { return places.domain()[static_cast<size_t>(axis)]; }
  /// From places to coordinates inside the box.
  const DigitMap &map() const { return places; }
  bool operator==(const DistributedLayout &) const = default;

  /// The coordinates that a place holds; nothing if it is invalid.
  std::optional<std::vector<int64_t>> coordinatesAt(const HardwarePlace &place) const;
  /// Whether no other place of lower numbers holds the same: stores and atomics act on this one.
  bool isFirstCopy(const HardwarePlace &place) const;
  /// The first place that holds the element.
  HardwarePlace placeOf(std::span<const int64_t> coordinates) const;
  /// How many places hold each element.
  int64_t copies() const;
  /// How many neighbours along `dim` the first registers of each lane hold, in order.
  int64_t contiguousRegisters(unsigned dim) const;

  /// Dimension i of the result is `permutation[i]`.
  DistributedLayout transposed(std::span<const unsigned> permutation) const;
  /// Without `dim`: what differed along it only becomes copies. The layout of a reduction's result.
  DistributedLayout withoutDim(unsigned dim) const;
  /// With a dimension of extent 1 at `dim`.
  DistributedLayout withUnitDim(unsigned dim) const;
  /// With one register for each element of a lane: copies in registers hold nothing of their own.
  DistributedLayout withoutRegisterCopies() const;
  /// The same elements in row-major order with other extents, in the same places. Not representable
  /// with invalid places, or if a digit would be cut by the new extents.
  OrReason<DistributedLayout> reshaped(std::vector<int64_t> shape) const;
  /// The same digits over a tile of another shape inside the box.
  OrReason<DistributedLayout> withShape(std::vector<int64_t> shape) const;
  /// A tile of tiles: `inner`, which must have no invalid places, in each element of this layout.
  OrReason<DistributedLayout> times(const DistributedLayout &inner) const;
  /// Whether this layout is made of `inner`: q such that q.times(inner), cut to this shape, is this
  /// layout. How an instruction's fragment is found in a tile.
  OrReason<DistributedLayout> dividedBy(const DistributedLayout &inner) const;

private:
  DistributedLayout(std::vector<int64_t> shape, DigitMap places)
      : tileShape(std::move(shape)), places(std::move(places)) {}
  std::vector<int64_t> tileShape;
  DigitMap places;
};

/// The farthest that an element must travel.
enum class Movement : uint8_t {
  None,      ///< every place holds it already
  Registers, ///< between registers of a lane: a renaming
  Lanes,     ///< between lanes of a warp: shuffles
  Warps,     ///< between warps of a block: shared memory
  Ctas,      ///< between blocks of a cluster
};

/// How a tile in one layout becomes the same tile in another.
struct Conversion {
  /// From each place of the result to a place of the source that holds its element; among copies
  /// one in the same lane and warp where there is one. Invalid places map anywhere.
  DigitMap source;
  Movement movement;
};

/// Not representable if the layouts cut a dimension in ways that have no common digits; shapes must
/// be equal.
OrReason<Conversion> convert(const DistributedLayout &from, const DistributedLayout &to);

} // namespace sectile::layout

#endif // SECTILE_LAYOUT_DISTRIBUTEDLAYOUT_H
