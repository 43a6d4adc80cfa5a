//===- FloatTest.cpp - float formats -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Laws.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace sectile::formats;
using namespace sectile::formats::test;

TEST(Float, EverySmallFloatHoldsToTheLaws) {
  for (const Format &format : getAllSmallFloats())
    checkLaws(format);
}

TEST(Float, PositiveCodesAreInOrder) {
  for (const Format &format : getAllSmallFloats())
    for (uint32_t code = 1; code <= format.getFloat()->getLargestCode(); ++code)
      EXPECT_LT(format.decode(code - 1), format.decode(code)) << format.print();
}

TEST(Float, TiesGoToTheEvenSignificand) {
  for (const Format &format : getAllSmallFloats()) {
    const FloatLayout &layout = *format.getFloat();
    for (uint32_t code = 0; code < layout.getLargestCode(); ++code) {
      double middle = format.decode(code) / 2 + format.decode(code + 1) / 2;
      bool hasEven = layout.mantissaBits > 0 || (layout.hasZero && code == 0);
      uint32_t expected = hasEven ? code + code % 2 : code + 1;
      EXPECT_EQ(format.encode(middle), expected) << format.print() << " " << middle;
    }
  }
}

TEST(Float, LargestAndSmallestNumbers) {
  struct Expected {
    const char *name;
    double largest, smallest;
  };
  // OCP OFP8 and MX v1.0; ml_dtypes' documentation for the rest.
  const Expected table[] = {{"f8E5M2", 57344, 0x1p-16},     {"f8E4M3FN", 448, 0x1p-9},
                            {"f8E4M3", 240, 0x1p-9},        {"f8E3M4", 15.5, 0x1p-6},
                            {"f8E5M2FNUZ", 57344, 0x1p-17}, {"f8E4M3FNUZ", 240, 0x1p-10},
                            {"f6E3M2FN", 28, 0x1p-4},       {"f6E2M3FN", 7.5, 0x1p-3},
                            {"f4E2M1FN", 6, 0.5},           {"f8E4M3B11FNUZ", 30, 0x1p-13},
                            {"ue4m3", 448, 0x1p-9},         {"f16", 65504, 0x1p-24},
                            {"bf16", 0x1.fep127, 0x1p-133}, {"f32", 0x1.fffffep127, 0x1p-149}};
  for (const Expected &expected : table) {
    Format format = get(expected.name);
    EXPECT_EQ(format.getLargest(), expected.largest) << expected.name;
    EXPECT_EQ(format.decode(1), expected.smallest) << expected.name;
  }
  EXPECT_EQ(get("f8E8M0FNU").decode(0), 0x1p-127);
  EXPECT_EQ(get("f8E8M0FNU").getLargest(), 0x1p127);
}

TEST(Float, OverflowFollowsTheRuleForSpecialValues) {
  auto encode = [](const char *name, double value, Rounding rounding = Rounding::NearestEven) {
    return get(name).encode(value, rounding, Overflow::Special);
  };
  EXPECT_EQ(encode("f8E5M2", 61439), 0x7b); // below halfway to 65536
  EXPECT_EQ(encode("f8E5M2", 61440), 0x7c);
  EXPECT_EQ(encode("f8E5M2", -HUGE_VAL), 0xfc);
  EXPECT_EQ(encode("f8E5M2", 1e9, Rounding::TowardZero), 0x7b);
  EXPECT_EQ(encode("f8E5M2", 1e9, Rounding::Down), 0x7b);
  EXPECT_EQ(encode("f8E5M2", 1e9, Rounding::Up), 0x7c);
  EXPECT_EQ(encode("f8E5M2", -1e9, Rounding::Up), 0xfb);
  EXPECT_EQ(encode("f8E4M3FN", 464), 0x7e); // halfway to 480, whose code is NaN's
  EXPECT_EQ(encode("f8E4M3FN", 465), 0x7f);
  EXPECT_EQ(encode("f8E4M3FN", HUGE_VAL, Rounding::TowardZero), 0x7f);
  EXPECT_EQ(encode("f8E4M3FNUZ", -1e9), 0x80);
  EXPECT_EQ(encode("f4E2M1FN", 1e9), 7);
  EXPECT_EQ(encode("f4E2M1FN", -HUGE_VAL), 15);
  EXPECT_EQ(encode("f8E8M0FNU", 0x1p128), 0xff);
  EXPECT_EQ(encode("f8E8M0FNU", -1), 0xff);
  EXPECT_EQ(encode("ue4m3", -1), 0x7f);
}

TEST(Float, SaturationReachesInfinities) {
  EXPECT_EQ(get("f8E5M2").encode(HUGE_VAL), 0x7b);
  EXPECT_EQ(get("f8E4M3FN").encode(-HUGE_VAL), 0xfe);
  EXPECT_EQ(get("ue4m3").encode(-3), 0);
  EXPECT_EQ(get("f8E8M0FNU").encode(0), 0);
}

TEST(Float, NaNIsQuietAndKeepsItsSign) {
  EXPECT_EQ(get("f8E5M2").encode(NAN), 0x7e);
  EXPECT_EQ(get("f16").encode(-NAN), 0xfe00);
  EXPECT_EQ(get("f8E4M3FN").encode(-NAN), 0xff);
  EXPECT_EQ(get("f8E4M3FNUZ").encode(NAN), 0x80);
  EXPECT_EQ(get("f8E8M0FNU").encode(NAN), 0xff);
  EXPECT_EQ(get("f4E2M1FN").encode(NAN), std::nullopt);
  EXPECT_EQ(get("e5m0ieee").encode(NAN), std::nullopt);
}

TEST(Float, NegativeZeroIsKeptWhereItExists) {
  EXPECT_EQ(get("f4E2M1FN").encode(-0.0), 8);
  EXPECT_EQ(get("f4E2M1FN").encode(-0.1), 8);
  EXPECT_EQ(get("f8E4M3FNUZ").encode(-0.0), 0);
  EXPECT_EQ(get("f8E4M3FNUZ").encode(-1e-9), 0);
  EXPECT_EQ(get("ue4m3").encode(-0.0), 0);
}

TEST(Float, ScalesRoundDownUpAndToNearest) {
  Format scale = get("e8m0");
  EXPECT_EQ(scale.encode(5, Rounding::Down), 129);
  EXPECT_EQ(scale.encode(5, Rounding::TowardZero), 129);
  EXPECT_EQ(scale.encode(5, Rounding::Up), 130);
  EXPECT_EQ(scale.encode(5), 129);
  EXPECT_EQ(scale.encode(6), 130); // halfway
  EXPECT_EQ(scale.encode(7), 130);
  EXPECT_EQ(scale.encode(1e-300, Rounding::Down), 0);
}

TEST(Float, RoundsADoubleOnce) {
  // Through f32 this would first become the point halfway between 1 and 1.125, then 1.
  EXPECT_EQ(get("f8E4M3FN").encode(1.0625 + 0x1p-40), 0x39);
  EXPECT_EQ(get("f32").encode(1 + 0x1p-24 + 0x1p-52), 0x3f800001);
  EXPECT_EQ(get("f32").encode(0x1p-150), 0);
  EXPECT_EQ(get("f32").encode(std::nextafter(0x1p-150, 1)), 1);
}
