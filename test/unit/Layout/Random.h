//===- Random.h - random layouts --------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_UNIT_LAYOUT_RANDOM_H
#define SECTILE_TEST_UNIT_LAYOUT_RANDOM_H

#include "sectile/Layout/DigitMap.h"

#include <algorithm>
#include <random>

namespace sectile::layout::test {

/// Draws that are the same on every machine.
class Random {
public:
  explicit Random(uint64_t seed) : engine(seed) {}

  /// In [low, high].
  int64_t number(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return number(1, 100) <= percent; }
  template <typename T>
  void shuffle(std::vector<T> &list) {
    for (size_t i = list.size(); i > 1; --i)
      std::swap(list[i - 1], list[static_cast<size_t>(number(0, static_cast<int64_t>(i) - 1))]);
  }

  /// Ordered factors whose product is `extent`.
  std::vector<int64_t> factors(int64_t extent) {
    std::vector<int64_t> primes;
    for (int64_t rest = extent, p = 2; rest > 1; rest % p == 0 ? rest /= p : ++p)
      if (rest % p == 0)
        primes.push_back(p);
    shuffle(primes);
    std::vector<int64_t> joined;
    for (int64_t prime : primes) {
      if (!joined.empty() && chance(40))
        joined.back() *= prime;
      else
        joined.push_back(prime);
    }
    return joined;
  }

  /// A map of digits of these extents between up to two numbers on each side.
  DigitMap map(std::vector<int64_t> extents, int percentCopies, int percentGaps) {
    std::vector<int64_t> domain(static_cast<size_t>(number(1, 2)), 1),
        range(static_cast<size_t>(number(1, 2)), 1);
    std::vector<Digit> digits;
    for (int64_t extent : extents) {
      unsigned axis = static_cast<unsigned>(number(0, static_cast<int64_t>(domain.size()) - 1));
      digits.push_back({extent, Place{axis, domain[axis]}, std::nullopt});
      domain[axis] *= extent;
    }
    shuffle(digits);
    for (Digit &digit : digits) {
      if (chance(percentCopies))
        continue;
      unsigned axis = static_cast<unsigned>(number(0, static_cast<int64_t>(range.size()) - 1));
      if (chance(percentGaps))
        range[axis] *= number(2, 3);
      digit.to = Place{axis, range[axis]};
      range[axis] *= digit.extent;
    }
    return *DigitMap::create(domain, range, digits);
  }

private:
  std::mt19937_64 engine;
};

/// Calls `visit` with every number tuple below `extents`, the first number fastest.
template <typename F>
void forEach(std::span<const int64_t> extents, F visit) {
  std::vector<int64_t> at(extents.size(), 0);
  while (true) {
    visit(at);
    size_t axis = 0;
    for (; axis < at.size() && ++at[axis] == extents[axis]; ++axis)
      at[axis] = 0;
    if (axis == at.size())
      return;
  }
}

} // namespace sectile::layout::test

#endif // SECTILE_TEST_UNIT_LAYOUT_RANDOM_H
