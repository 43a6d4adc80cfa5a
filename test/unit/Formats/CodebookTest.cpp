//===- CodebookTest.cpp - codebooks -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Laws.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace sectile::formats;
using namespace sectile::formats::test;

TEST(Codebook, NamedOnesHoldToTheLaws) {
  for (const char *name : {"nf4", "af4", "fp4-bnb", "iq4nl"})
    checkLaws(get(name));
}

TEST(Codebook, RandomOnesOfEveryLengthHoldToTheLaws) {
  std::mt19937_64 generator(5);
  std::normal_distribution<double> normal;
  for (size_t count = 1; count <= 256; count += count < 20 ? 1 : 47) {
    std::vector<double> entries(count);
    for (double &entry : entries)
      entry = count % 3 == 0 ? std::round(4 * normal(generator)) // with entries that come twice
                             : normal(generator) * std::exp2(20 * normal(generator));
    Format format = *Format::makeCodebook(1, entries);
    EXPECT_EQ(format.getCodeCount(), count);
    checkLaws(format);
  }
}

TEST(Codebook, TiesAndDoublesGoToTheLowerCode) {
  Format format = get("codebook[3,1,-1,1,-3]");
  EXPECT_EQ(format.encode(2), 0);
  EXPECT_EQ(format.encode(0), 1);
  EXPECT_EQ(format.encode(1), 1);
  EXPECT_EQ(format.encode(-2), 2);
  EXPECT_EQ(get("codebook[0,0.1]").encode(0.1 / 2), 0);
}

TEST(Codebook, TheMiddleIsExactThoughItIsNoDouble) {
  // The middle of 2 and 2 + 3 ulp lies between two doubles.
  double low = 1, high = 1 + 3 * 0x1p-52;
  Format format = *Format::makeCodebook(1, {low, high});
  EXPECT_EQ(format.encode(1 + 0x1p-52), 0);
  EXPECT_EQ(format.encode(1 + 2 * 0x1p-52), 1);
  // 1e300 and its neighbour-to-be: the sum of both overflows.
  Format huge = *Format::makeCodebook(1, {1e308, 1.7e308});
  EXPECT_EQ(huge.encode(1.34e308), 0);
  EXPECT_EQ(huge.encode(1.36e308), 1);
}

TEST(Codebook, VectorsGoToTheNearestEntry) {
  std::mt19937 generator(6);
  std::normal_distribution<double> normal;
  for (unsigned dimension : {2U, 3U, 8U}) {
    size_t count = 253;
    std::vector<double> entries(count * dimension);
    for (double &entry : entries)
      entry = normal(generator);
    Format format = *Format::makeCodebook(dimension, entries);
    EXPECT_EQ(format.getBits(), 8U);
    std::vector<double> point(dimension);
    for (int i = 0; i < 200; ++i) {
      for (double &value : point)
        value = normal(generator) * (i % 5 == 0 ? 100 : 1);
      auto getDistance = [&](size_t code) {
        long double sum = 0;
        for (unsigned k = 0; k < dimension; ++k)
          sum += std::pow(static_cast<long double>(point[k]) - entries[code * dimension + k], 2);
        return sum;
      };
      size_t best = 0;
      for (size_t code = 1; code < count; ++code)
        if (getDistance(code) < getDistance(best))
          best = code;
      EXPECT_EQ(format.encodeVector(point.data()), best);
    }
    for (uint32_t code = 0; code < count; ++code)
      EXPECT_EQ(format.encodeVector(&entries[code * dimension]), code);
  }
}

TEST(Codebook, VectorsWithoutADistanceHaveNoCode) {
  Format format = get("codebook[(0,1),(2,3)]");
  for (double bad : {double(NAN), HUGE_VAL, 1e200}) {
    double vector[] = {0, bad};
    EXPECT_EQ(format.encodeVector(vector), std::nullopt);
  }
}
