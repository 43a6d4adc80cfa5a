//===- IntegerTest.cpp - integer formats -*- C++ -*-===//
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

TEST(Integer, EveryWidthHoldsToTheLaws) {
  for (unsigned bits = 1; bits <= 8; ++bits) {
    checkLaws(Format::makeSigned(bits));
    checkLaws(Format::makeSigned(bits, /*fractionBits=*/6));
    checkLaws(Format::makeBipolar(bits));
    for (int bias : {0, 1, 1 << (bits - 1), (1 << bits) - 1, 300, -1, -7}) {
      checkLaws(Format::makeUnsigned(bits, bias));
      checkLaws(Format::makeUnsigned(bits, bias, /*fractionBits=*/3));
    }
  }
  checkLaws(Format::makeTernary());
}

TEST(Integer, CodesStandForTheirNumbers) {
  for (unsigned bits = 1; bits <= 8; ++bits)
    for (int code = 0; code < 1 << bits; ++code) {
      int half = 1 << (bits - 1), bipolar = 0;
      for (unsigned i = 0; i < bits; ++i)
        bipolar += (code >> i & 1 ? 1 : -1) * (1 << i);
      EXPECT_EQ(Format::makeSigned(bits).decode(code), code < half ? code : code - 2 * half);
      EXPECT_EQ(Format::makeUnsigned(bits).decode(code), code);
      EXPECT_EQ(Format::makeUnsigned(bits, half).decode(code), code - half);
      EXPECT_EQ(Format::makeBipolar(bits).decode(code), bipolar);
    }
  EXPECT_EQ(get("int1").decode(1), -1);
  EXPECT_EQ(get("int8.6").decode(0x81), -127.0 / 64);
  EXPECT_EQ(get("ternary").getCodeCount(), 3U);
}

TEST(Integer, TiesGoToTheEvenNumber) {
  for (const char *name : {"int8", "uint8", "uint8-128", "uint8-127", "uint6+3"}) {
    Format format = get(name);
    for (int low = static_cast<int>(format.getLowest()); low < format.getLargest(); ++low) {
      int even = low % 2 == 0 ? low : low + 1;
      EXPECT_EQ(format.decode(*format.encode(low + 0.5)), even) << name << " " << low;
    }
  }
  EXPECT_EQ(get("ternary").encode(0.5), 1);
  EXPECT_EQ(get("ternary").encode(-0.5), 1);
}

TEST(Integer, BipolarTiesGoUp) {
  EXPECT_EQ(get("bipolar1").encode(0), 1);
  EXPECT_EQ(get("bipolar1").encode(-0.0), 1);
  EXPECT_EQ(get("bipolar2").encode(-2), 1);
  EXPECT_EQ(get("bipolar2").encode(2), 3);
}

TEST(Integer, NaNHasNoCode) {
  for (const char *name : {"int4", "uint4-8", "bipolar2", "ternary"})
    EXPECT_EQ(get(name).encode(NAN), std::nullopt) << name;
}
