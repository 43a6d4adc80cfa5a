//===- GgufTest.cpp - GGUF's block structures -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// test/reference/run_formats.py compares every type with the gguf package; here are the
// laws that need no second source, and a few blocks by hand.
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Gguf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace sectile::formats;

/// How often each bit of a block is read.
static std::vector<int> countReads(const GgufType &type) {
  std::vector<int> reads(8 * type.bytes);
  for (const auto &field : {std::optional(type.codes), type.d, type.scales, type.m, type.mins}) {
    if (!field)
      continue;
    for (const BitSegment &segment : field->segments)
      for (unsigned index = 0; index < segment.count; ++index) {
        unsigned bit = segment.baseBit, rest = index, trit = 0;
        for (const BitDigit &digit : segment.digits) {
          bit += rest % digit.extent * digit.bitStride;
          trit += rest % digit.extent * digit.tritStride;
          rest /= digit.extent;
        }
        for (unsigned i = 0; trit == 0 && i < segment.width; ++i)
          ++reads.at(bit + i);
      }
  }
  return reads;
}

TEST(Gguf, EveryBitIsReadOnce) {
  EXPECT_EQ(getGgufTypes().size(), 16U);
  for (const GgufType &type : getGgufTypes()) {
    std::vector<int> reads = countReads(type);
    for (size_t bit = 0; bit < reads.size(); ++bit) {
      bool isSign = type.name == "NVFP4" && bit < 32 && bit % 8 == 7; // of its unsigned scales
      EXPECT_EQ(reads[bit], isSign ? 0 : 1) << type.name << " bit " << bit;
    }
  }
}

TEST(Gguf, EveryIndexHasTheBitsOfItsFormat) {
  for (const GgufType &type : getGgufTypes())
    for (const auto &field : {std::optional(type.codes), type.d, type.scales, type.m, type.mins}) {
      if (!field)
        continue;
      EXPECT_EQ(type.elements % field->count, 0U) << type.name;
      for (unsigned index = 0; index < field->count; ++index) {
        uint32_t covered = 0;
        for (const BitSegment &segment : field->segments)
          if (index >= segment.first && index < segment.first + segment.count)
            covered += segment.isTrit ? 3U : ((1U << segment.width) - 1) << segment.position;
        EXPECT_EQ(covered, (1U << field->format.getBits()) - 1) << type.name << " " << index;
      }
    }
}

TEST(Gguf, BlocksByHand) {
  // Q4_0: d = 0.5 (f16 0x3800); byte 0 holds numbers 0 and 16.
  std::vector<uint8_t> block(18);
  block[1] = 0x38;
  block[2] = 0xf3;
  std::vector<double> values(256);
  decodeGguf(*findGgufType("Q4_0"), block.data(), values.data());
  EXPECT_EQ(values[0], 0.5 * (3 - 8));
  EXPECT_EQ(values[16], 0.5 * (15 - 8));
  EXPECT_EQ(values[1], 0.5 * -8);

  // Q4_K: d = 1, dmin = 2; part 5 has scale 0b10'0011 and min 0b01'0101; its numbers are the high
  // nibbles of bytes 64 to 95.
  block.assign(144, 0);
  block[1] = 0x3c;
  block[3] = 0x40;
  block[4 + 1] = 0x80;
  block[4 + 5] = 0x40;
  block[4 + 9] = 0x53;
  block[16 + 64 + 7] = 0xa0;
  decodeGguf(*findGgufType("Q4_K"), block.data(), values.data());
  EXPECT_EQ(values[160 + 7], 35.0 * 10 - 2 * 21);
  EXPECT_EQ(values[160 + 8], -2.0 * 21);
  EXPECT_EQ(values[0], 0);

  // MXFP4 with the scale NaN.
  block.assign(17, 0);
  block[0] = 0xff;
  decodeGguf(*findGgufType("MXFP4"), block.data(), values.data());
  EXPECT_TRUE(std::isnan(values[0]));
}

TEST(Gguf, WhatATypeHoldsExactlyReadsBack) {
  std::mt19937 generator(2);
  for (const GgufType &type : getGgufTypes()) {
    if (type.rule == GgufRule::None)
      continue;
    SCOPED_TRACE(type.name);
    const Format &format = type.codes.format;
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::vector<float> values(type.elements);
      for (float &value : values)
        value = static_cast<float>(format.decode(generator() % format.getCodeCount()));
      // Both ends, so that every rule finds a scale of 1 (or a min of the lowest).
      auto lowest = static_cast<float>(format.getLowest());
      auto largest = static_cast<float>(format.getLargest());
      if (type.rule == GgufRule::Magnitude) {
        largest = std::fmin(largest, -lowest);
        lowest = -largest;
      }
      for (float &value : values)
        value = std::clamp(value, lowest, largest);
      values[0] = lowest;
      values[1] = largest;
      Result<std::vector<uint8_t>> block = encodeGguf(type, values.data());
      ASSERT_TRUE(block) << block.getMessage();
      std::vector<double> back(type.elements);
      decodeGguf(type, block->data(), back.data());
      for (unsigned j = 0; j < type.elements; ++j)
        EXPECT_EQ(back[j], values[j]) << j;
    }
  }
}

TEST(Gguf, WhatCannotBeEncodedIsRefused) {
  std::vector<float> values(256, 1.0F);
  EXPECT_EQ(encodeGguf(*findGgufType("Q4_K"), values.data()).getMessage(),
            "there is no simple rule for encoding Q4_K");
  values[3] = INFINITY;
  EXPECT_EQ(encodeGguf(*findGgufType("Q8_0"), values.data()).getMessage(),
            "expects finite numbers, but got inf at position 3");
  EXPECT_EQ(findGgufType("Q9_9"), nullptr);
}

TEST(Gguf, PartsMakeTheSameNumbers) {
  std::mt19937 random(5);
  for (const GgufType &type : getGgufTypes())
    for (int round = 0; round < 20; ++round) {
      std::vector<uint8_t> block(type.bytes), codes;
      for (uint8_t &byte : block)
        byte = static_cast<uint8_t>(random());
      std::vector<double> values(type.elements), scales, mins;
      decodeGguf(type, block.data(), values.data());
      unsigned length = splitGguf(type, block.data(), codes, scales, mins);
      ASSERT_EQ(scales.size() * length, type.elements) << type.name;
      ASSERT_EQ(mins.size(), scales.size());
      ASSERT_EQ(codes.size(), type.elements);
      for (unsigned j = 0; j < type.elements; ++j) {
        double number = type.codes.format.decode(codes[j]) * scales[j / length];
        double value = type.m ? number + mins[j / length] : number;
        EXPECT_TRUE(value == values[j] || (std::isnan(value) && std::isnan(values[j])))
            << type.name << " number " << j << ": " << value << ", " << values[j];
        // What `sectile quantize --weights` relies on.
        double scale = scales[j / length];
        EXPECT_TRUE(!std::isfinite(scale) || double(float(scale)) == scale) << type.name;
      }
    }
}
