//===- PackingTest.cpp - codes in bytes -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Packing.h"

#include <gtest/gtest.h>

#include <random>

using namespace sectile::formats;

TEST(Packing, EveryWidthAndLengthReadsBack) {
  std::mt19937 generator(1);
  for (unsigned bits = 1; bits <= 8; ++bits)
    for (size_t count = 0; count <= 40; ++count) {
      std::vector<uint8_t> codes(count);
      for (uint8_t &code : codes)
        code = generator() & ((1U << bits) - 1);
      auto bytes = pack(codes, bits);
      ASSERT_TRUE(bytes);
      EXPECT_EQ(bytes->size(), (count * bits + 7) / 8);
      // Bit k of code i is bit i * bits + k.
      for (size_t bit = 0; bit < 8 * bytes->size(); ++bit) {
        unsigned expected = bit < count * bits ? codes[bit / bits] >> (bit % bits) & 1 : 0;
        EXPECT_EQ((*bytes)[bit / 8] >> (bit % 8) & 1U, expected);
      }
      EXPECT_EQ(*unpack(*bytes, bits, count), codes);
    }
}

TEST(Packing, EveryByteOfFiveTritsReadsBack) {
  for (unsigned byte = 0; byte < 243; ++byte) {
    auto codes = unpackTernary({static_cast<uint8_t>(byte)}, 5);
    ASSERT_TRUE(codes);
    unsigned value = 0, weight = 1;
    for (uint8_t code : *codes) {
      value += code * weight;
      weight *= 3;
    }
    EXPECT_EQ(value, byte);
    EXPECT_EQ(*packTernary(*codes), std::vector<uint8_t>{static_cast<uint8_t>(byte)});
  }
  for (size_t count = 0; count < 23; ++count) {
    std::vector<uint8_t> codes(count);
    for (size_t i = 0; i < count; ++i)
      codes[i] = (i * i + 2) % 3;
    auto bytes = packTernary(codes);
    EXPECT_EQ(bytes->size(), (count + 4) / 5);
    EXPECT_EQ(*unpackTernary(*bytes, count), codes);
  }
}

TEST(Packing, WhatDoesNotFitIsRefused) {
  EXPECT_EQ(pack({1, 8}, 3).getMessage(), "expects codes below 8, but got 8 at position 1");
  EXPECT_EQ(unpack({0, 0}, 3, 6).getMessage(), "expects 3 bytes, but got 2");
  EXPECT_EQ(packTernary({3}).getMessage(), "expects codes below 3, but got 3 at position 0");
  EXPECT_EQ(unpackTernary({0, 243}, 6).getMessage(),
            "expects codes below 243, but got 243 at position 1");
  EXPECT_EQ(unpackTernary({}, 1).getMessage(), "expects 1 bytes, but got 0");
}
