//===- Laws.cpp - what every format must hold to -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Laws.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <random>

using namespace sectile::formats;

Format test::get(std::string_view text) {
  Result<Format> format = Format::parse(text);
  if (!format)
    ADD_FAILURE() << format.getMessage();
  return format ? *format : Format::makeTernary();
}

std::vector<Format> test::getAllSmallFloats() {
  std::vector<Format> formats;
  for (unsigned exponentBits = 1; exponentBits <= 8; ++exponentBits)
    for (unsigned mantissaBits = 0; mantissaBits + exponentBits <= 8; ++mantissaBits)
      for (Special special : {Special::None, Special::IEEE, Special::AllOnes, Special::FNUZ})
        for (int variant = 0; variant < 6; ++variant) {
          int usual = FloatLayout::getDefaultBias(exponentBits, special);
          FloatLayout layout{variant % 3 == 0, exponentBits,
                             mantissaBits,     variant < 3 ? usual : usual + 3,
                             special,          variant % 3 != 2};
          if (!layout.findFault() && layout.getBits() <= 8)
            formats.push_back(Format::makeFloat(layout));
        }
  return formats;
}

std::vector<double> test::getNumbers(const Format &format) {
  std::vector<double> numbers;
  for (uint32_t code = 0; code < format.getCodeCount(); ++code)
    if (double number = format.decode(code); std::isfinite(number))
      numbers.push_back(number);
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

std::vector<double> test::getInteresting(const Format &format) {
  std::vector<double> numbers = getNumbers(format), points = numbers;
  for (size_t i = 1; i < numbers.size(); ++i)
    points.push_back(numbers[i - 1] / 2 + numbers[i] / 2);
  double largest = std::max(std::fabs(numbers.front()), std::fabs(numbers.back()));
  for (double factor : {1.0625, 1.25, 1.5, 2.0, 1e6}) {
    points.push_back(largest * factor);
    points.push_back(-largest * factor);
  }
  points.insert(points.end(), {0.0, -0.0, DBL_TRUE_MIN, -DBL_TRUE_MIN, DBL_MAX, -DBL_MAX, HUGE_VAL,
                               -HUGE_VAL, 0.1, -0.1});
  std::mt19937_64 generator(numbers.size());
  std::uniform_real_distribution<double> uniform(-1.1 * largest, 1.1 * largest);
  std::uniform_real_distribution<double> exponent(-12, 1);
  for (int i = 0; i < 200; ++i) {
    points.push_back(uniform(generator));
    points.push_back(uniform(generator) * std::exp2(exponent(generator)));
  }
  for (size_t i = 0, count = points.size(); i < count; ++i) {
    points.push_back(std::nextafter(points[i], HUGE_VAL));
    points.push_back(std::nextafter(points[i], -HUGE_VAL));
  }
  return points;
}

/// What a number becomes: the value of its code.
static double roundTrip(const Format &format, double value, Rounding rounding) {
  std::optional<uint32_t> code = format.encode(value, rounding);
  if (!code || *code >= format.getCodeCount()) {
    ADD_FAILURE() << format.print() << " has no code for " << value;
    return NAN;
  }
  return format.decode(*code);
}

/// How far apart two numbers are, exactly enough to compare two such distances from one number.
static long double getDistance(long double left, long double right) {
  return std::fabs(left - right);
}

void test::checkLaws(const Format &format) {
  SCOPED_TRACE(format.print());
  std::vector<double> numbers = getNumbers(format), points = getInteresting(format);
  for (uint32_t code = 0; code < format.getCodeCount(); ++code) {
    double number = format.decode(code);
    std::optional<uint32_t> again = format.encode(number, Rounding::NearestEven, Overflow::Special);
    ASSERT_TRUE(again) << code;
    double back = format.decode(*again);
    EXPECT_TRUE(back == number || (std::isnan(back) && std::isnan(number))) << number;
  }
  EXPECT_EQ(numbers.front(), format.getLowest());
  EXPECT_EQ(numbers.back(), format.getLargest());

  std::sort(points.begin(), points.end());
  double before = -HUGE_VAL;
  for (double point : points) {
    double nearest = roundTrip(format, point, Rounding::NearestEven);
    EXPECT_GE(nearest, before) << point;
    before = nearest;
    double up = roundTrip(format, point, Rounding::Up);
    double down = roundTrip(format, point, Rounding::Down);
    double inward = roundTrip(format, point, Rounding::TowardZero);
    if (point <= numbers.front() || point >= numbers.back()) {
      double end = point <= numbers.front() ? numbers.front() : numbers.back();
      EXPECT_TRUE(nearest == end && up == end && down == end && inward == end) << point;
      continue;
    }
    // The two neighbours by a search of all numbers.
    double below = numbers.front(), above = numbers.back();
    for (double number : numbers) {
      if (number <= point)
        below = number;
      if (number >= point && number < above)
        above = number;
    }
    EXPECT_EQ(down, below) << point;
    EXPECT_EQ(up, above) << point;
    EXPECT_TRUE(nearest == below || nearest == above) << point;
    double other = nearest == below ? above : below;
    EXPECT_LE(getDistance(nearest, point), getDistance(other, point)) << point;
    if (below < 0 && above > 0)
      EXPECT_EQ(inward, point < 0 ? below : above) << point;
    else
      EXPECT_EQ(inward, point < 0 ? above : below) << point;
  }
}
