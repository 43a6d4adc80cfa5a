//===- DistributedLayoutTest.cpp - laws of distributed layouts --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Layout/DistributedLayout.h"

#include "Random.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace sectile::layout;
using namespace sectile::layout::test;

namespace {

using Numbers = std::vector<int64_t>;

DistributedLayout parse(std::string_view text) {
  OrReason<DistributedLayout> layout = DistributedLayout::parse(text);
  EXPECT_TRUE(layout) << text << ": " << layout.reason().text;
  return *layout;
}

/// Calls `visit` with every place of a layout.
template <typename F>
void forEachPlace(const DistributedLayout &layout, F visit) {
  forEach(layout.map().domain(), [&](const Numbers &at) {
    HardwarePlace place;
    std::ranges::copy(at, place.begin());
    visit(place);
  });
}

/// A random layout of registers, lanes and warps whose box has these extents.
DistributedLayout drawBox(Random &random, const Numbers &box, bool hasCopies) {
  std::vector<TileDigit> all;
  for (unsigned dim = 0; dim < box.size(); ++dim) {
    int64_t stride = 1;
    for (int64_t extent : random.factors(box[dim])) {
      all.push_back({extent, Place{dim, stride}});
      stride *= extent;
    }
  }
  while (hasCopies && random.chance(40))
    all.push_back({random.number(2, 3), std::nullopt});
  random.shuffle(all);
  std::array<std::vector<TileDigit>, kNumAxes> digits;
  for (const TileDigit &digit : all)
    digits[static_cast<size_t>(random.number(0, 2))].push_back(digit);
  return *DistributedLayout::create(box, digits);
}

constexpr int64_t kExtents[] = {1, 2, 3, 4, 6, 8, 10, 12, 16};

/// The same for a random tile, which may be smaller than the box.
DistributedLayout draw(Random &random, size_t rank = 2) {
  Numbers box, shape;
  for (size_t dim = 0; dim < rank; ++dim) {
    box.push_back(kExtents[random.number(0, 8)]);
    shape.push_back(random.chance(60) ? box[dim] : random.number((box[dim] + 1) / 2, box[dim]));
  }
  return *drawBox(random, box, /*hasCopies=*/true).withShape(shape);
}

TEST(DistributedLayout, AccumulatorOfMma) {
  DistributedLayout layout = parse("[16, 8], register = [2:d1*1, 2:d0*8], lane = [4:d1*2, 8:d0*1]");
  // PTX ISA, fragments of mma.m16n8k16: groupID = lane / 4, threadID = lane % 4.
  for (int64_t lane = 0; lane < 32; ++lane)
    for (int64_t i = 0; i < 4; ++i) {
      int64_t row = i < 2 ? lane / 4 : lane / 4 + 8, column = lane % 4 * 2 + (i & 1);
      EXPECT_EQ(layout.coordinatesAt({i, lane}), (Numbers{row, column}));
      EXPECT_EQ(layout.placeOf(Numbers{row, column}), (HardwarePlace{i, lane}));
    }
  EXPECT_EQ(layout.extent(Axis::Register), 4);
  EXPECT_EQ(layout.extent(Axis::Lane), 32);
  EXPECT_EQ(layout.extent(Axis::Warp), 1);
  EXPECT_EQ(layout.contiguousRegisters(1), 2);
  EXPECT_EQ(layout.contiguousRegisters(0), 1);
}

TEST(DistributedLayout, EveryElementIsHeldByAsManyPlacesAsThereAreCopies) {
  Random random(11);
  for (int round = 0; round < 1500; ++round) {
    DistributedLayout layout = draw(random);
    std::map<Numbers, std::vector<HardwarePlace>> holders;
    forEachPlace(layout, [&](const HardwarePlace &place) {
      if (std::optional<Numbers> at = layout.coordinatesAt(place))
        holders[*at].push_back(place);
    });
    size_t elements = 1;
    for (int64_t extent : layout.shape())
      elements *= static_cast<size_t>(extent);
    ASSERT_EQ(holders.size(), elements);
    for (auto &[at, places] : holders) {
      ASSERT_EQ(static_cast<int64_t>(places.size()), layout.copies());
      int64_t first = 0;
      for (const HardwarePlace &place : places)
        first += layout.isFirstCopy(place);
      ASSERT_EQ(first, 1);
      ASSERT_TRUE(layout.isFirstCopy(layout.placeOf(at)));
      ASSERT_EQ(layout.coordinatesAt(layout.placeOf(at)), at);
    }
  }
}

TEST(DistributedLayout, TextsAreReadAsTheyArePrinted) {
  Random random(12);
  for (int round = 0; round < 2000; ++round) {
    DistributedLayout layout = draw(random, static_cast<size_t>(random.number(0, 3)));
    EXPECT_EQ(parse(layout.str()), layout) << layout.str();
  }
}

TEST(DistributedLayout, DimensionsMove) {
  Random random(13);
  for (int round = 0; round < 500; ++round) {
    DistributedLayout layout = draw(random, 3);
    std::vector<unsigned> permutation = {0, 1, 2};
    random.shuffle(permutation);
    DistributedLayout transposed = layout.transposed(permutation);
    unsigned gone = static_cast<unsigned>(random.number(0, 2));
    DistributedLayout without = layout.withoutDim(gone);
    unsigned put = static_cast<unsigned>(random.number(0, 3));
    DistributedLayout wider = layout.withUnitDim(put);
    EXPECT_EQ(wider.withoutDim(put), layout);
    forEachPlace(layout, [&](const HardwarePlace &place) {
      std::optional<Numbers> at = layout.coordinatesAt(place);
      std::optional<Numbers> moved = transposed.coordinatesAt(place);
      ASSERT_EQ(at.has_value(), moved.has_value());
      if (!at)
        return;
      for (size_t i = 0; i < 3; ++i)
        ASSERT_EQ((*moved)[i], (*at)[permutation[i]]);
      Numbers fewer(*at), more(*at);
      fewer.erase(fewer.begin() + gone);
      more.insert(more.begin() + put, 0);
      ASSERT_EQ(without.coordinatesAt(place), fewer);
      ASSERT_EQ(wider.coordinatesAt(place), more);
    });
  }
}

TEST(DistributedLayout, RegistersLoseTheirCopies) {
  Random random(16);
  for (int round = 0; round < 500; ++round) {
    DistributedLayout layout = draw(random, 2), fewer = layout.withoutRegisterCopies();
    EXPECT_EQ(fewer.withoutRegisterCopies(), fewer);
    EXPECT_EQ(fewer.extent(Axis::Lane), layout.extent(Axis::Lane));
    OrReason<Conversion> conversion = convert(layout, fewer);
    ASSERT_TRUE(conversion) << layout.str();
    EXPECT_LE(conversion->movement, Movement::Registers) << layout.str();
    // Every element that a lane holds it still holds, once.
    forEachPlace(layout, [&](const HardwarePlace &place) {
      if (place[0] != 0)
        return;
      std::multiset<Numbers> before, after;
      for (HardwarePlace at = place; at[0] < layout.extent(Axis::Register); ++at[0])
        if (auto held = layout.coordinatesAt(at); held && !before.contains(*held))
          before.insert(*held);
      for (HardwarePlace at = place; at[0] < fewer.extent(Axis::Register); ++at[0])
        if (auto held = fewer.coordinatesAt(at))
          after.insert(*held);
      ASSERT_EQ(before, after) << layout.str();
    });
  }
}

TEST(DistributedLayout, ReshapesKeepNumbers) {
  Random random(17);
  int found = 0;
  for (int round = 0; round < 3000; ++round) {
    DistributedLayout layout = draw(random, 2);
    int64_t count = layout.shape()[0] * layout.shape()[1];
    Numbers shape = random.factors(count);
    OrReason<DistributedLayout> other = layout.reshaped(shape);
    if (!other)
      continue;
    ++found;
    auto numberOf = [](const Numbers &at, std::span<const int64_t> extents) {
      int64_t number = 0;
      for (size_t dim = 0; dim < at.size(); ++dim)
        number = number * extents[dim] + at[dim];
      return number;
    };
    forEachPlace(layout, [&](const HardwarePlace &place) {
      ASSERT_EQ(numberOf(*layout.coordinatesAt(place), layout.shape()),
                numberOf(*other->coordinatesAt(place), other->shape()))
          << layout.str();
    });
  }
  EXPECT_GT(found, 100);
  EXPECT_EQ(parse("[8, 4], register = [4:d1], lane = [8:d0]").reshaped({32})->str(),
            "[32], register = [4:d0*1], lane = [8:d0*4]");
  EXPECT_EQ(parse("[6, 4], lane = [8:d0, 4:d1]").reshaped({24}).reason().text,
            "expects a layout without invalid places");
}

TEST(DistributedLayout, TilesOfTilesDivideAgain) {
  Random random(14);
  for (int round = 0; round < 1500; ++round) {
    Numbers box = {kExtents[random.number(0, 6)], kExtents[random.number(0, 6)]};
    DistributedLayout inner = drawBox(random, box, /*hasCopies=*/true);
    DistributedLayout outer = draw(random);
    DistributedLayout product = *outer.times(inner);
    EXPECT_EQ(*product.dividedBy(inner), outer);
    // Cut to a shape that is no multiple of the inner one.
    Numbers shape;
    for (size_t dim = 0; dim < 2; ++dim)
      shape.push_back(product.shape()[dim] - random.number(0, box[dim] - 1));
    DistributedLayout cut = *product.withShape(shape);
    DistributedLayout quotient = *cut.dividedBy(inner);
    EXPECT_EQ(*quotient.times(inner)->withShape(shape), cut);
  }
}

TEST(DistributedLayout, FragmentsAreFoundInTiles) {
  DistributedLayout fragment =
      parse("[16, 8], register = [2:d1*1, 2:d0*8], lane = [4:d1*2, 8:d0*1]");
  DistributedLayout tile = parse("[64, 96], register = [2:d1*1, 2:d0*8, 6:d1*8, 2:d0*16], "
                                 "lane = [4:d1*2, 8:d0*1], warp = [2:d0*32, 2:d1*48]");
  OrReason<DistributedLayout> quotient = tile.dividedBy(fragment);
  ASSERT_TRUE(quotient) << quotient.reason().text;
  EXPECT_EQ(quotient->str(), "[4, 12], register = [6:d1*1, 2:d0*1], warp = [2:d0*2, 2:d1*6]");
  DistributedLayout other = parse("[64, 96], register = [4:d1*1, 6:d1*16, 2:d0*16], "
                                  "lane = [4:d1*4, 16:d0*1], warp = [2:d0*32]");
  EXPECT_FALSE(other.dividedBy(fragment));
}

TEST(DistributedLayout, ConversionsReadTheSameElement) {
  Random random(15);
  int found = 0;
  std::map<Movement, int> movements;
  for (int round = 0; round < 6000; ++round) {
    DistributedLayout from = draw(random);
    DistributedLayout to = random.chance(20) ? from : draw(random);
    Numbers shape(from.shape().begin(), from.shape().end());
    OrReason<DistributedLayout> fitted = to.withShape(shape);
    if (!fitted)
      continue;
    OrReason<Conversion> conversion = convert(from, *fitted);
    if (!conversion) {
      EXPECT_NE(conversion.reason().text.find("no digits are common"), std::string::npos)
          << conversion.reason().text;
      continue;
    }
    ++found;
    int farthest = -1;
    forEachPlace(*fitted, [&](const HardwarePlace &place) {
      Numbers read = conversion->source.apply(place);
      HardwarePlace source;
      std::ranges::copy(read, source.begin());
      for (int axis = 0; axis < 4; ++axis)
        if (source[static_cast<size_t>(axis)] != place[static_cast<size_t>(axis)])
          farthest = std::max(farthest, axis);
      if (std::optional<Numbers> at = fitted->coordinatesAt(place))
        ASSERT_EQ(from.coordinatesAt(source), at) << from.str() << " to " << fitted->str();
    });
    EXPECT_EQ(static_cast<int>(conversion->movement), farthest + 1);
    ++movements[conversion->movement];
    if (from == *fitted)
      EXPECT_EQ(conversion->movement, Movement::None) << from.str();
  }
  EXPECT_GT(found, 1000);
  for (Movement movement : {Movement::None, Movement::Registers, Movement::Lanes, Movement::Warps})
    EXPECT_GT(movements[movement], 3);
}

TEST(DistributedLayout, MistakesAreNamed) {
  auto reasonFor = [](std::string_view text) {
    OrReason<DistributedLayout> layout = DistributedLayout::parse(text);
    return layout ? std::string("none") : layout.reason().text;
  };
  EXPECT_EQ(reasonFor("16, 8"), "expects the tile's shape, such as [16, 8], at '16, 8'");
  EXPECT_EQ(reasonFor("[4], thread = [4:d0]"),
            "expects register, lane, warp, cta, tmem_column or tmem_lane at 'thread = [4:d0]'");
  EXPECT_EQ(reasonFor("[4], lane = 4"), "expects = [ at '4'");
  EXPECT_EQ(reasonFor("[4], lane = [4]"), "expects a digit, such as 4:d1*2 or 4:_, at ']'");
  EXPECT_EQ(reasonFor("[4], lane = [2:d0 2:d0*2]"), "expects a comma or ] at '2:d0*2]'");
  EXPECT_EQ(reasonFor("[4], lane = [4:d0], lane = [2:_]"),
            "expects each axis once, but got lane twice");
  EXPECT_EQ(reasonFor("[4], lane = [4:d0] x"), "expects a comma or the end at 'x'");
  EXPECT_EQ(reasonFor("[4], lane = [4:d1]"), "expects dimensions below 1, but got d1");
  EXPECT_EQ(reasonFor("[8], lane = [4:d0]"),
            "dimension 0: expects an extent from 1 to 4, which its digits fill, but got 8");
  EXPECT_EQ(reasonFor("[0], lane = [4:d0]"),
            "dimension 0: expects an extent from 1 to 4, which its digits fill, but got 0");
  EXPECT_EQ(reasonFor("[8], lane = [4:d0], register = [2:d0*2]"),
            "range 0: expects a digit of stride at least 4, but got 2");
  EXPECT_EQ(reasonFor("[4], lane = [0:d0]"),
            "expects digits of an extent of at least 1, but got 0");
  EXPECT_EQ(reasonFor("[4], lane = [99999999999999999999:d0]"),
            "expects a digit, such as 4:d1*2 or 4:_, at '99999999999999999999:d0]'");
  EXPECT_EQ(reasonFor("[4], lane = [16777216:d0, 16777216:d0*16777216, 2:d0]"),
            "expects at most 2^48 elements");
  EXPECT_EQ(reasonFor("[4], lane = [4:d0, 16777216:_, 16777216:_]"), "expects at most 2^48 places");
}

} // namespace
