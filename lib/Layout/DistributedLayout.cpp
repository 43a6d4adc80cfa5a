//===- DistributedLayout.cpp - where a tile's elements live -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Layout/DistributedLayout.h"

#include <algorithm>

using namespace sectile::layout;

std::string_view sectile::layout::nameOf(Axis axis) {
  static constexpr std::string_view names[kNumAxes] = {"register", "lane",        "warp",
                                                       "cta",      "tmem_column", "tmem_lane"};
  return names[static_cast<size_t>(axis)];
}

//===----------------------------------------------------------------------===//
// Construction
//===----------------------------------------------------------------------===//

/// The extents that the digits of each dimension fill, or an overflow's reason.
static OrReason<std::vector<int64_t>>
fillBox(size_t rank, const std::array<std::vector<TileDigit>, kNumAxes> &digits) {
  std::vector<int64_t> box(rank, 1);
  for (const std::vector<TileDigit> &list : digits)
    for (const TileDigit &digit : list) {
      if (digit.extent < 1 || digit.extent > DigitMap::kMostElements)
        return Reason{"expects digits of an extent of at least 1, but got " +
                      std::to_string(digit.extent)};
      if (!digit.tile)
        continue;
      if (digit.tile->axis >= rank)
        return Reason{"expects dimensions below " + std::to_string(rank) + ", but got d" +
                      std::to_string(digit.tile->axis)};
      int64_t &extent = box[digit.tile->axis];
      if (extent > DigitMap::kMostElements / digit.extent)
        return Reason{"expects at most 2^48 elements"};
      extent *= digit.extent;
    }
  return box;
}

OrReason<DistributedLayout>
DistributedLayout::create(std::vector<int64_t> shape,
                          const std::array<std::vector<TileDigit>, kNumAxes> &digits) {
  if (shape.size() > kMostDims)
    return Reason{"expects at most 16 dimensions, but got " + std::to_string(shape.size())};
  OrReason<std::vector<int64_t>> box = fillBox(shape.size(), digits);
  if (!box)
    return box.reason();
  std::vector<int64_t> domain(kNumAxes, 1);
  std::vector<Digit> all;
  for (unsigned axis = 0; axis < kNumAxes; ++axis)
    for (const TileDigit &digit : digits[axis]) {
      all.push_back({digit.extent, Place{axis, domain[axis]}, digit.tile});
      if (domain[axis] > DigitMap::kMostElements / digit.extent)
        return Reason{"expects at most 2^48 places"};
      domain[axis] *= digit.extent;
    }
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (shape[dim] < 1 || shape[dim] > (*box)[dim])
      return Reason{"dimension " + std::to_string(dim) + ": expects an extent from 1 to " +
                    std::to_string((*box)[dim]) + ", which its digits fill, but got " +
                    std::to_string(shape[dim])};
  OrReason<DigitMap> map = DigitMap::create(std::move(domain), std::move(*box), std::move(all));
  if (!map)
    return map.reason();
  // The box is the product of the extents: digits that do not overlap inside of it leave no gap.
  return DistributedLayout(std::move(shape), std::move(*map));
}

//===----------------------------------------------------------------------===//
// Questions
//===----------------------------------------------------------------------===//

std::optional<std::vector<int64_t>>
DistributedLayout::coordinatesAt(const HardwarePlace &place) const {
  std::vector<int64_t> coordinates = places.apply(place);
  for (size_t dim = 0; dim < tileShape.size(); ++dim)
    if (coordinates[dim] >= tileShape[dim])
      return std::nullopt;
  return coordinates;
}

bool DistributedLayout::isFirstCopy(const HardwarePlace &place) const {
  return std::ranges::all_of(places.digits(), [&](const Digit &digit) {
    return digit.to || place[digit.from.axis] / digit.from.stride % digit.extent == 0;
  });
}

HardwarePlace DistributedLayout::placeOf(std::span<const int64_t> coordinates) const {
  HardwarePlace place{};
  for (const Digit &digit : places.digits())
    if (digit.to)
      place[digit.from.axis] +=
          coordinates[digit.to->axis] / digit.to->stride % digit.extent * digit.from.stride;
  return place;
}

int64_t DistributedLayout::copies() const {
  int64_t count = 1;
  for (const Digit &digit : places.digits())
    count *= digit.to ? 1 : digit.extent;
  return count;
}

int64_t DistributedLayout::contiguousRegisters(unsigned dim) const {
  for (const Digit &digit : places.digits())
    if (digit.from == Place{static_cast<unsigned>(Axis::Register), 1} && digit.to == Place{dim, 1})
      return digit.extent;
  return 1;
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// The digits with other dimensions: `rename` gives the new number of each, or nothing for copies.
template <typename F>
static DigitMap renameDims(const DigitMap &map, std::vector<int64_t> box, F rename) {
  std::vector<Digit> digits(map.digits().begin(), map.digits().end());
  for (Digit &digit : digits) {
    if (!digit.to)
      continue;
    std::optional<unsigned> dim = rename(digit.to->axis);
    if (dim)
      digit.to->axis = *dim;
    else
      digit.to.reset();
  }
  return *DigitMap::create({map.domain().begin(), map.domain().end()}, std::move(box),
                           std::move(digits));
}

DistributedLayout DistributedLayout::transposed(std::span<const unsigned> permutation) const {
  std::vector<int64_t> shape, extents;
  std::vector<unsigned> positions(permutation.size());
  for (unsigned i = 0; i < permutation.size(); ++i) {
    shape.push_back(tileShape[permutation[i]]);
    extents.push_back(box()[permutation[i]]);
    positions[permutation[i]] = i;
  }
  return {std::move(shape), renameDims(places, std::move(extents), [&](unsigned dim) {
            return std::optional(positions[dim]);
          })};
}

DistributedLayout DistributedLayout::withoutDim(unsigned dim) const {
  std::vector<int64_t> shape(tileShape), extents(box().begin(), box().end());
  shape.erase(shape.begin() + dim);
  extents.erase(extents.begin() + dim);
  return {std::move(shape), renameDims(places, std::move(extents), [&](unsigned old) {
            return old == dim ? std::nullopt : std::optional(old - (old > dim));
          })};
}

DistributedLayout DistributedLayout::withUnitDim(unsigned dim) const {
  std::vector<int64_t> shape(tileShape), extents(box().begin(), box().end());
  shape.insert(shape.begin() + dim, 1);
  extents.insert(extents.begin() + dim, 1);
  return {std::move(shape), renameDims(places, std::move(extents), [&](unsigned old) {
            return std::optional(old + (old >= dim));
          })};
}

DistributedLayout DistributedLayout::withoutRegisterCopies() const {
  std::array<std::vector<TileDigit>, kNumAxes> digits;
  for (const Digit &digit : places.digits())
    if (digit.to || digit.from.axis != static_cast<unsigned>(Axis::Register))
      digits[digit.from.axis].push_back({digit.extent, digit.to});
  return *create(tileShape, digits);
}

/// Coordinates in a tensor of that shape to their number in row-major order.
static DigitMap makeRowMajor(std::span<const int64_t> shape) {
  std::vector<Digit> digits;
  int64_t stride = 1;
  for (size_t dim = shape.size(); dim-- > 0; stride *= shape[dim])
    digits.push_back({shape[dim], {static_cast<unsigned>(dim), 1}, Place{0, stride}});
  return *DigitMap::create({shape.begin(), shape.end()}, {stride}, std::move(digits));
}

OrReason<DistributedLayout> DistributedLayout::reshaped(std::vector<int64_t> shape) const {
  if (!std::ranges::equal(tileShape, box()))
    return Reason{"expects a layout without invalid places"};
  DigitMap numbers = makeRowMajor(tileShape), others = makeRowMajor(shape);
  if (numbers.range()[0] != others.range()[0])
    return Reason{"expects a shape of " + std::to_string(numbers.range()[0]) +
                  " elements, but got " + std::to_string(others.range()[0])};
  OrReason<DigitMap> coordinates = others.inverse();
  if (!coordinates)
    return coordinates.reason();
  OrReason<DigitMap> toNumbers = places.then(numbers);
  if (!toNumbers)
    return toNumbers.reason();
  OrReason<DigitMap> map = toNumbers->then(*coordinates);
  if (!map)
    return map.reason();
  return DistributedLayout(std::move(shape), std::move(*map));
}

OrReason<DistributedLayout> DistributedLayout::withShape(std::vector<int64_t> shape) const {
  if (shape.size() != tileShape.size())
    return Reason{"expects a shape of rank " + std::to_string(tileShape.size()) + ", but got " +
                  std::to_string(shape.size())};
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (shape[dim] < 1 || shape[dim] > box()[dim])
      return Reason{"dimension " + std::to_string(dim) + ": expects an extent from 1 to " +
                    std::to_string(box()[dim]) + ", but got " + std::to_string(shape[dim])};
  return DistributedLayout(std::move(shape), places);
}

OrReason<DistributedLayout> DistributedLayout::times(const DistributedLayout &inner) const {
  if (!std::ranges::equal(inner.shape(), inner.box()))
    return Reason{"expects an inner layout without invalid places"};
  OrReason<DigitMap> map = places.times(inner.places);
  if (!map)
    return map.reason();
  std::vector<int64_t> shape(tileShape);
  for (size_t dim = 0; dim < shape.size(); ++dim)
    shape[dim] *= inner.tileShape[dim];
  return DistributedLayout(std::move(shape), std::move(*map));
}

OrReason<DistributedLayout> DistributedLayout::dividedBy(const DistributedLayout &inner) const {
  if (!std::ranges::equal(inner.shape(), inner.box()))
    return Reason{"expects a divisor without invalid places"};
  OrReason<DigitMap> map = places.dividedBy(inner.places);
  if (!map)
    return map.reason();
  std::vector<int64_t> shape(tileShape);
  for (size_t dim = 0; dim < shape.size(); ++dim)
    shape[dim] = (shape[dim] + inner.tileShape[dim] - 1) / inner.tileShape[dim];
  return DistributedLayout(std::move(shape), std::move(*map));
}

//===----------------------------------------------------------------------===//
// Conversion
//===----------------------------------------------------------------------===//

/// Lets digits of the result that choose nothing yet choose among the source's copies: those of the
/// same axis and stride, so that a copy nearby is read instead of the first one.
static OrReason<DigitMap> chooseCopies(const DigitMap &source, const DigitMap &from) {
  std::vector<Digit> digits(source.digits().begin(), source.digits().end());
  for (const Digit &copies : from.digits()) {
    if (copies.to)
      continue;
    for (size_t i = 0; i < digits.size(); ++i) {
      int64_t extent = std::min(digits[i].extent, copies.extent);
      if (digits[i].to || digits[i].from != copies.from || digits[i].extent % extent != 0)
        continue;
      auto [low, high] = split(digits[i], extent);
      low.to = copies.from;
      digits[i] = low;
      digits.push_back(high);
      break;
    }
  }
  return DigitMap::create({source.domain().begin(), source.domain().end()},
                          {source.range().begin(), source.range().end()}, std::move(digits));
}

/// Whether every place reads from its own number on `axis`.
static bool isIdentityOn(const DigitMap &map, unsigned axis) {
  int64_t count = 1;
  for (const Digit &digit : map.digits()) {
    bool isRead = digit.from.axis == axis, isWritten = digit.to && digit.to->axis == axis;
    if ((isRead || isWritten) && digit.to != digit.from)
      return false;
    count *= isRead ? digit.extent : 1;
  }
  return count == map.domain()[axis];
}

static Movement movementOf(const DigitMap &source) {
  auto stays = [&](std::initializer_list<Axis> axes) {
    return std::ranges::all_of(
        axes, [&](Axis axis) { return isIdentityOn(source, static_cast<unsigned>(axis)); });
  };
  if (!stays({Axis::Cta}))
    return Movement::Ctas;
  // Tensor memory belongs to the block: what moves in it moves between warps.
  if (!stays({Axis::Warp, Axis::TmemColumn, Axis::TmemLane}))
    return Movement::Warps;
  if (!stays({Axis::Lane}))
    return Movement::Lanes;
  return stays({Axis::Register}) ? Movement::None : Movement::Registers;
}

OrReason<Conversion> sectile::layout::convert(const DistributedLayout &from,
                                              const DistributedLayout &to) {
  if (!std::ranges::equal(from.shape(), to.shape()))
    return Reason{"expects layouts of one shape"};
  OrReason<DigitMap> locate = from.map().inverse();
  for (unsigned dim = 0; locate && dim < from.shape().size(); ++dim) {
    // Beyond the source's box all places of the result are invalid.
    int64_t extent = locate->domain()[dim], needed = to.box()[dim];
    if (needed > extent)
      locate = locate->extendDomain(dim, (needed + extent - 1) / extent * extent);
  }
  if (!locate)
    return locate.reason();
  OrReason<DigitMap> source = to.map().then(*locate);
  if (!source)
    return source.reason();
  source = chooseCopies(*source, from.map());
  if (!source)
    return source.reason();
  Movement movement = movementOf(*source);
  return Conversion{std::move(*source), movement};
}
