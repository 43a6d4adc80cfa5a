//===- DigitMap.h - maps between mixed-radix numbers ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every layout is a way to write the same number twice.
//
// A lane number of 32 lanes that hold an 8 x 8 tile, two elements each, may be
// read as two digits: lane = 4*a + b, with a < 8 and b < 4. The accumulator of
// mma.m16n8 says where the digits go: `a` is the row, `2*b` the column. A
// *digit* is one such part: an extent, a place where it is read (an axis and a
// stride: b is digit (lane, 1), a is (lane, 4)) and a place where it is written
// (b: column, stride 2; a: row, stride 1). A map is a list of digits. Nothing
// in this needs an extent to be a power of two.
//
//      from                      extent     to
//   register, stride 1              2       column, stride 1
//   lane, stride 1                  4       column, stride 2
//   lane, stride 4                  8       row, stride 1
//   register, stride 2              2       row, stride 8
//
// A digit that is written nowhere makes copies: numbers that differ in it only
// have the same result. Inverting such a map finds the first copy of each.
//
// The algebra works on such lists and never on tables of elements, so it costs
// the same for a tile of 16 and for one of a million. Its one difficulty is
// that two maps may cut the numbers between them differently, as 4 x 6 and as
// 6 x 4 cut 24. If all cuts form one chain in which each divides the next, both
// sides are cut finer until they agree; if not, the result has no digits, and
// the operation says so.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LAYOUT_DIGITMAP_H
#define SECTILE_LAYOUT_DIGITMAP_H

#include "sectile/Layout/OrReason.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sectile::layout {

/// Where a digit stands in a number: (number / stride) % extent.
struct Place {
  unsigned axis; ///< which number
  int64_t stride;
  bool operator==(const Place &) const = default;
};

struct Digit {
  int64_t extent;
  Place from;
  std::optional<Place> to; ///< absent: copies
  bool operator==(const Digit &) const = default;
};

/// A map from numbers, one for each axis of its domain, to numbers, one for each axis of its range.
class DigitMap {
public:
  /// The largest number of elements that a map may tell apart.
  static constexpr int64_t kMostElements = int64_t(1) << 48;

  /// On each axis of the domain the digits must say each number below its extent exactly once:
  /// strides 1, e0, e0*e1, ... On each axis of the range they must not overlap and must lie below
  /// its extent; gaps are allowed.
  static OrReason<DigitMap> create(std::vector<int64_t> domain, std::vector<int64_t> range,
                                   std::vector<Digit> digits);
  /// Each number to itself.
  static DigitMap identity(std::vector<int64_t> extents);

  /// Exclusive bounds of the numbers that are read and written.
  std::span<const int64_t> domain() const { return domainExtents; }
  std::span<const int64_t> range() const { return rangeExtents; }
  /// In canonical form: none of extent 1, neighbours on both sides joined, by where they are read.
  std::span<const Digit> digits() const { return canonical; }

  /// The numbers written for `numbers`, each of which must lie inside the domain.
  std::vector<int64_t> apply(std::span<const int64_t> numbers) const;
  /// Whether no two numbers of the domain have the same result.
  bool isInjective() const;
  /// Whether every number of the range is written.
  bool isSurjective() const;
  /// Equal domains, ranges and results. The canonical form is unique, so this compares lists.
  bool operator==(const DigitMap &) const = default;

  /// For each number that is written the first number that it is written for; numbers in the gaps
  /// of the range give that of a written one. Not representable if a gap is no digit: if the
  /// strides around it, or the last digit and the range's extent, do not divide.
  OrReason<DigitMap> inverse() const;
  /// `second` after this map. The range must lie inside `second`'s domain. Found whenever there is
  /// one and this map's range has no gaps; with gaps, whenever each stride that is written is a
  /// multiple of one that is read.
  OrReason<DigitMap> then(const DigitMap &second) const;
  /// Each number x of a larger domain: `inner` for its low part, this map for its high part, both
  /// sides. The axes must be as many.
  OrReason<DigitMap> times(const DigitMap &inner) const;
  /// The map q with q.times(inner) == *this, if there is one.
  OrReason<DigitMap> dividedBy(const DigitMap &inner) const;
  /// With the domain (range) of `axis` extended to `extent`: copies, for which it must be a
  /// multiple, or a gap.
  OrReason<DigitMap> extendDomain(unsigned axis, int64_t extent) const;
  OrReason<DigitMap> extendRange(unsigned axis, int64_t extent) const;

private:
  DigitMap() = default;
  std::vector<int64_t> domainExtents, rangeExtents;
  std::vector<Digit> canonical;
};

/// `digit` as two, the lower one of extent `low`, which must divide it.
std::pair<Digit, Digit> split(const Digit &digit, int64_t low);

} // namespace sectile::layout

#endif // SECTILE_LAYOUT_DIGITMAP_H
