//===- DigitMapTest.cpp - laws of maps between numbers ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each operation is compared with tables of all numbers. Where it says that
// there is no result, a search over all lists of digits must find none either.
//
//===----------------------------------------------------------------------===//

#include "Random.h"

#include <gtest/gtest.h>

#include <functional>

using namespace sectile::layout;
using namespace sectile::layout::test;

namespace {

using Numbers = std::vector<int64_t>;
using Function = std::function<Numbers(const Numbers &)>;

Numbers tableOf(const DigitMap &map) {
  Numbers table;
  forEach(map.domain(), [&](const Numbers &at) {
    Numbers result = map.apply(at);
    table.insert(table.end(), result.begin(), result.end());
  });
  return table;
}

/// A map that equals `function` on all of `domain`, found without the algebra: each axis is cut in
/// every way, a digit's stride is what 1 in it gives, and the list is tried on all numbers.
std::optional<DigitMap> findMap(const Numbers &domain, const Numbers &range,
                                const Function &function) {
  std::vector<Digit> digits;
  auto isRight = [&](const DigitMap &map) {
    bool same = true;
    forEach(domain, [&](const Numbers &at) { same = same && map.apply(at) == function(at); });
    return same;
  };
  std::function<std::optional<DigitMap>(unsigned, int64_t)> extend =
      [&](unsigned axis, int64_t stride) -> std::optional<DigitMap> {
    if (axis == domain.size()) {
      OrReason<DigitMap> map = DigitMap::create(domain, range, digits);
      return map && isRight(*map) ? std::optional(*map) : std::nullopt;
    }
    if (stride == domain[axis])
      return extend(axis + 1, 1);
    Numbers one(domain.size(), 0);
    one[axis] = stride;
    Numbers result = function(one);
    std::optional<Place> to;
    for (unsigned other = 0; other < range.size(); ++other) {
      if (result[other] != 0 && to)
        return std::nullopt;
      if (result[other] != 0)
        to = Place{other, result[other]};
    }
    int64_t rest = domain[axis] / stride;
    for (int64_t extent = 2; extent <= rest; ++extent) {
      if (rest % extent != 0)
        continue;
      digits.push_back({extent, Place{axis, stride}, to});
      if (std::optional<DigitMap> found = extend(axis, stride * extent))
        return found;
      digits.pop_back();
    }
    return std::nullopt;
  };
  return extend(0, 1);
}

Numbers toNumbers(std::span<const int64_t> span) { return {span.begin(), span.end()}; }

constexpr int64_t kSizes[] = {1, 2, 3, 4, 6, 8, 12, 16, 18, 24, 30, 36, 48};

TEST(DigitMap, TwoMapsAreEqualIfAndOnlyIfTheyDoTheSame) {
  Random random(1);
  int64_t equal = 0;
  for (int round = 0; round < 20000; ++round) {
    int64_t size = kSizes[random.number(0, 8)];
    DigitMap a = random.map(random.factors(size), 20, 10);
    DigitMap b = random.map(random.factors(size), 20, 10);
    if (!std::ranges::equal(a.domain(), b.domain()) || !std::ranges::equal(a.range(), b.range()))
      continue;
    equal += a == b;
    ASSERT_EQ(a == b, tableOf(a) == tableOf(b));
  }
  EXPECT_GT(equal, 500);
}

TEST(DigitMap, IdentityIsNeutral) {
  Random random(2);
  for (int round = 0; round < 2000; ++round) {
    DigitMap map = random.map(random.factors(kSizes[random.number(0, 12)]), 20, 10);
    EXPECT_EQ(*DigitMap::identity(toNumbers(map.domain())).then(map), map);
    EXPECT_EQ(*map.then(DigitMap::identity(toNumbers(map.range()))), map);
  }
}

TEST(DigitMap, InverseFindsTheFirstNumberOfEachResult) {
  Random random(3);
  for (int round = 0; round < 3000; ++round) {
    DigitMap map = random.map(random.factors(kSizes[random.number(0, 12)]), 20, 15);
    OrReason<DigitMap> inverse = map.inverse();
    ASSERT_TRUE(inverse) << inverse.reason().text; // The gaps of these maps are digits.
    forEach(map.domain(), [&](const Numbers &at) {
      Numbers result = map.apply(at), first = inverse->apply(result);
      ASSERT_EQ(map.apply(first), result);
      for (size_t axis = 0; axis < at.size(); ++axis)
        ASSERT_LE(first[axis], at[axis]);
    });
    if (map.isInjective() && map.isSurjective())
      EXPECT_EQ(*inverse->inverse(), map);
  }
}

TEST(DigitMap, InjectiveAndSurjectiveSayWhatTheyMean) {
  Random random(4);
  for (int round = 0; round < 3000; ++round) {
    DigitMap map = random.map(random.factors(kSizes[random.number(0, 9)]), 20, 15);
    std::vector<Numbers> results;
    forEach(map.domain(), [&](const Numbers &at) { results.push_back(map.apply(at)); });
    size_t all = results.size();
    std::ranges::sort(results);
    size_t distinct =
        static_cast<size_t>(std::unique(results.begin(), results.end()) - results.begin());
    EXPECT_EQ(map.isInjective(), distinct == all);
    int64_t range = 1;
    for (int64_t extent : map.range())
      range *= extent;
    EXPECT_EQ(map.isSurjective(), static_cast<int64_t>(distinct) == range);
  }
}

TEST(DigitMap, CompositionIsThatOfFunctions) {
  Random random(5);
  int composed = 0, refused = 0;
  for (int round = 0; round < 30000; ++round) {
    bool hasGaps = random.chance(30);
    DigitMap first = random.map(random.factors(kSizes[random.number(0, 12)]), 15, 30 * hasGaps);
    DigitMap second = random.map(random.factors(kSizes[random.number(2, 12)]), 15, 10);
    bool fits = first.range().size() == second.domain().size();
    for (size_t axis = 0; fits && axis < first.range().size(); ++axis)
      fits = first.range()[axis] <= second.domain()[axis];
    OrReason<DigitMap> both = first.then(second);
    auto function = [&](const Numbers &at) { return second.apply(first.apply(at)); };
    if (!fits) {
      EXPECT_FALSE(both);
    } else if (both) {
      ++composed;
      forEach(first.domain(), [&](const Numbers &at) { ASSERT_EQ(both->apply(at), function(at)); });
    } else if (!hasGaps) { // With gaps a number may happen to avoid every carry.
      ++refused;
      ASSERT_FALSE(findMap(toNumbers(first.domain()), toNumbers(second.range()), function))
          << both.reason().text;
    }
  }
  EXPECT_GT(composed, 2000);
  EXPECT_GT(refused, 500);
}

TEST(DigitMap, WideNumbersComposeAndInvert) {
  Random random(6);
  int composed = 0;
  for (int64_t size : {48, 80, 96, 160, 192, 1000})
    for (int round = 0; round < 300; ++round) {
      DigitMap first = random.map(random.factors(size), 0, 0);
      DigitMap second = random.map(random.factors(size), 0, 0);
      EXPECT_EQ(*first.inverse()->inverse(), first);
      EXPECT_EQ(*first.then(*first.inverse()), DigitMap::identity(toNumbers(first.domain())));
      if (!std::ranges::equal(first.range(), second.domain()))
        continue;
      if (OrReason<DigitMap> both = first.then(second)) {
        ++composed;
        forEach(first.domain(), [&](const Numbers &at) {
          ASSERT_EQ(both->apply(at), second.apply(first.apply(at)));
        });
      }
    }
  EXPECT_GT(composed, 100);
}

TEST(DigitMap, ProductPutsTheInnerMapIntoEachElement) {
  Random random(7);
  for (int round = 0; round < 5000; ++round) {
    DigitMap outer = random.map(random.factors(kSizes[random.number(0, 8)]), 20, 10);
    DigitMap inner = random.map(random.factors(kSizes[random.number(0, 6)]), 20, 10);
    OrReason<DigitMap> product = outer.times(inner);
    bool fits = outer.domain().size() == inner.domain().size() &&
                outer.range().size() == inner.range().size();
    ASSERT_EQ(static_cast<bool>(product), fits);
    if (!fits)
      continue;
    forEach(product->domain(), [&](const Numbers &at) {
      Numbers low(at), high(at);
      for (size_t axis = 0; axis < at.size(); ++axis) {
        low[axis] %= inner.domain()[axis];
        high[axis] /= inner.domain()[axis];
      }
      Numbers expected = outer.apply(high), inside = inner.apply(low);
      for (size_t axis = 0; axis < expected.size(); ++axis)
        expected[axis] = expected[axis] * inner.range()[axis] + inside[axis];
      ASSERT_EQ(product->apply(at), expected);
    });
    OrReason<DigitMap> quotient = product->dividedBy(inner);
    ASSERT_TRUE(quotient) << quotient.reason().text;
    EXPECT_EQ(*quotient, outer);
  }
}

TEST(DigitMap, QuotientIsFoundWheneverThereIsOne) {
  Random random(8);
  int found = 0;
  for (int round = 0; round < 30000; ++round) {
    DigitMap map = random.map(random.factors(kSizes[random.number(3, 10)]), 15, 5);
    DigitMap inner = random.map(random.factors(kSizes[random.number(0, 4)]), 15, 5);
    OrReason<DigitMap> quotient = map.dividedBy(inner);
    if (quotient) {
      ++found;
      EXPECT_EQ(*quotient->times(inner), map);
      continue;
    }
    // If there were a quotient, it would say where each inner block lies.
    bool divides =
        map.domain().size() == inner.domain().size() && map.range().size() == inner.range().size();
    Numbers domain, range;
    for (size_t axis = 0; divides && axis < map.domain().size(); ++axis) {
      divides = map.domain()[axis] % inner.domain()[axis] == 0;
      domain.push_back(map.domain()[axis] / inner.domain()[axis]);
    }
    for (size_t axis = 0; divides && axis < map.range().size(); ++axis) {
      divides = map.range()[axis] % inner.range()[axis] == 0;
      range.push_back(map.range()[axis] / inner.range()[axis]);
    }
    if (!divides)
      continue;
    std::optional<DigitMap> outer = findMap(domain, range, [&](const Numbers &high) {
      Numbers at(high);
      for (size_t axis = 0; axis < at.size(); ++axis)
        at[axis] *= inner.domain()[axis];
      Numbers result = map.apply(at);
      for (size_t axis = 0; axis < result.size(); ++axis)
        result[axis] /= inner.range()[axis];
      return result;
    });
    ASSERT_FALSE(outer && *outer->times(inner) == map) << quotient.reason().text;
  }
  EXPECT_GT(found, 300);
}

TEST(DigitMap, CutsThatDoNotDivideAreRefused) {
  DigitMap four =
      *DigitMap::create({24}, {4, 6}, {{4, {0, 1}, Place{0, 1}}, {6, {0, 4}, Place{1, 1}}});
  DigitMap six =
      *DigitMap::create({24}, {6, 4}, {{6, {0, 1}, Place{0, 1}}, {4, {0, 6}, Place{1, 1}}});
  OrReason<DigitMap> both = four.inverse()->then(six);
  ASSERT_FALSE(both);
  EXPECT_NE(both.reason().text.find("no digits are common to both"), std::string::npos);
}

TEST(DigitMap, MalformedMapsAreRefusedWithTheReason) {
  auto reasonFor = [](Numbers domain, Numbers range, std::vector<Digit> digits) {
    OrReason<DigitMap> map =
        DigitMap::create(std::move(domain), std::move(range), std::move(digits));
    return map ? std::string("none") : map.reason().text;
  };
  EXPECT_EQ(reasonFor({4}, {4}, {{2, {0, 1}, Place{0, 1}}}),
            "domain 0: expects digits for all numbers below 4, but got those below 2");
  EXPECT_EQ(reasonFor({4}, {4}, {{2, {0, 2}, Place{0, 1}}}),
            "domain 0: expects a digit of stride 1, but got 2");
  EXPECT_EQ(reasonFor({4}, {4}, {{2, {0, 1}, Place{0, 1}}, {2, {0, 2}, Place{0, 1}}}),
            "range 0: expects a digit of stride at least 2, but got 1");
  EXPECT_EQ(reasonFor({4}, {4}, {{4, {0, 1}, Place{0, 2}}}),
            "range 0: expects digits below 4, but one of extent 4 has stride 2");
  EXPECT_EQ(reasonFor({4}, {4}, {{4, {1, 1}, Place{0, 1}}}),
            "expects digits from one of 1 numbers");
  EXPECT_EQ(reasonFor({4}, {4}, {{4, {0, 1}, Place{3, 1}}}), "expects digits to one of 1 numbers");
  EXPECT_EQ(reasonFor({0}, {4}, {}), "expects extents of at least 1 and at most 2^48 elements");
  EXPECT_EQ(reasonFor({1 << 30, 1 << 30}, {4}, {}),
            "expects extents of at least 1 and at most 2^48 elements");
  EXPECT_EQ(reasonFor({4}, {4}, {{-4, {0, 1}, Place{0, 1}}}),
            "expects digits of an extent of at least 1, but got -4");
}

TEST(DigitMap, DomainsAndRangesExtend) {
  DigitMap map = *DigitMap::create({4}, {4}, {{2, {0, 1}, Place{0, 2}}, {2, {0, 2}, Place{0, 1}}});
  DigitMap wide = *map.extendDomain(0, 12);
  for (int64_t i = 0; i < 12; ++i)
    EXPECT_EQ(wide.apply(Numbers{i}), map.apply(Numbers{i % 4}));
  EXPECT_FALSE(map.extendDomain(0, 6));
  EXPECT_EQ(map.extendRange(0, 7)->range()[0], 7);
  EXPECT_FALSE(map.extendRange(0, 3));
  EXPECT_FALSE(map.extendRange(0, 7)->inverse()); // A gap of 7 / 4.
}

} // namespace
