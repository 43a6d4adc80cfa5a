//===- BlockTest.cpp - block formats -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Block.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace sectile::formats;

static BlockFormat get(std::string_view text) {
  Result<BlockFormat> format = BlockFormat::parse(text);
  if (!format)
    ADD_FAILURE() << format.getMessage();
  return format ? *format : BlockFormat(Format::makeTernary());
}

static std::vector<float> makeValues(int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0.3F);
  std::vector<float> values(count);
  for (float &value : values)
    value = normal(generator) * std::exp2(static_cast<float>(generator() % 7));
  return values;
}

/// The group that a place belongs to, and what a code means there, from the definition in Block.h.
static size_t findGroup(const BlockFormat &format, int64_t columns, int64_t row, int64_t column) {
  switch (format.grouping) {
  case Grouping::Tensor:
    return 0;
  case Grouping::Channel:
    return row;
  case Grouping::Group:
    break;
  }
  int64_t perRow = columns / format.groupSize + (columns % format.groupSize != 0);
  return row * perRow + column / format.groupSize;
}

static double compute(const BlockFormat &format, const QuantizedMatrix &matrix, size_t group,
                      uint32_t code, unsigned position) {
  double scale = format.scale.decode(matrix.scales[group]);
  double x = format.element.decode(code, position);
  if (format.zeroForm == ZeroForm::ZeroPoint)
    x = (x - format.zero->decode(matrix.zeros[group])) * scale;
  else
    x *= scale;
  if (format.zeroForm == ZeroForm::Offset)
    x -= format.zero->decode(matrix.zeros[group]);
  return format.tensorScale ? x * format.tensorScale->decode(matrix.tensorScale) : x;
}

TEST(Block, EveryElementHasTheNearestCode) {
  for (const char *text : {"int4",
                           "int4 group=channel scale=f16",
                           "int3 group=7 scale=bf16",
                           "int8 group=128",
                           "uint4 group=16 scale=f16 zero=uint4",
                           "uint2 group=5 scale=f16 zero=uint2",
                           "uint4 group=16 scale=f16 zero=f16",
                           "uint4-8 group=16 scale=f16 offset=f16",
                           "uint8 group=channel zero=int8",
                           "bipolar2 group=32 scale=f16",
                           "bipolar1 group=8",
                           "ternary group=channel",
                           "int1 group=4",
                           "nf4 group=64 scale=f16",
                           "iq4nl group=32",
                           "codebook[(0,1),(1,0),(-1,-1),(0.5,0.5)] group=6",
                           "mxfp8e5m2",
                           "mxfp8e4m3",
                           "mxfp6e3m2",
                           "mxfp6e2m3",
                           "mxfp4",
                           "mxint8",
                           "nvfp4",
                           "e2m1 group=32 scale=e8m0fnu rule=up",
                           "e4m3fn group=32 scale=e8m0fnu",
                           "int8.6 group=3 offset=f32",
                           "e3m2 group=9 zero=f32"}) {
    SCOPED_TRACE(text);
    BlockFormat format = get(text);
    int64_t rows = 3, columns = 70; // 32 and most other lengths do not divide it
    std::vector<float> values = makeValues(rows * columns, 3);
    Result<QuantizedMatrix> matrix = quantize(format, values.data(), rows, columns);
    ASSERT_TRUE(matrix) << matrix.getMessage();
    Result<std::vector<double>> back = dequantize(format, *matrix);
    ASSERT_TRUE(back) << back.getMessage();
    unsigned dimension = format.element.getDimension();
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; column += dimension) {
        int64_t index = row * columns + column;
        size_t group = findGroup(format, columns, row, column);
        auto getDistance = [&](uint32_t code) {
          double sum = 0;
          for (unsigned i = 0; i < dimension; ++i)
            sum += std::pow(compute(format, *matrix, group, code, i) - values[index + i], 2);
          return std::sqrt(sum);
        };
        uint32_t code = matrix->codes[index / dimension];
        for (unsigned i = 0; i < dimension; ++i)
          EXPECT_EQ((*back)[index + i], compute(format, *matrix, group, code, i));
        double slack = 1e-13 * std::fabs(values[index]);
        for (uint32_t other = 0; other < format.element.getCodeCount(); ++other)
          if (std::isfinite(format.element.decode(other)))
            EXPECT_LE(getDistance(code), getDistance(other) + slack) << values[index];
      }
  }
}

TEST(Block, ScalesFollowTheirRule) {
  std::vector<float> values = makeValues(64, 9);
  auto getMagnitude = [&](size_t group) {
    double magnitude = 0;
    for (size_t i = 32 * group; i < 32 * group + 32; ++i)
      magnitude = std::max<double>(magnitude, std::fabs(values[i]));
    return magnitude;
  };
  auto getScales = [&](const char *text) {
    BlockFormat format = get(text);
    std::vector<double> scales;
    QuantizedMatrix matrix = *quantize(format, values.data(), 1, 64);
    scales.reserve(matrix.scales.size());
    for (uint32_t code : matrix.scales)
      scales.push_back(format.scale.decode(code));
    return scales;
  };
  for (size_t group : {0, 1}) {
    double magnitude = getMagnitude(group);
    // OCP MX v1.0, 6.3: 2^(floor(log2 max) - emax), emax of 2, 8, 15 and 0.
    EXPECT_EQ(getScales("mxfp4")[group], std::exp2(std::floor(std::log2(magnitude)) - 2));
    EXPECT_EQ(getScales("mxfp8e4m3")[group], std::exp2(std::floor(std::log2(magnitude)) - 8));
    EXPECT_EQ(getScales("mxfp8e5m2")[group], std::exp2(std::floor(std::log2(magnitude)) - 15));
    EXPECT_EQ(getScales("mxint8")[group], std::exp2(std::floor(std::log2(magnitude))));
    EXPECT_EQ(getScales("e2m1 group=32 scale=e8m0fnu rule=up")[group],
              std::exp2(std::ceil(std::log2(magnitude / 6))));
    EXPECT_EQ(getScales("int4 group=32")[group], static_cast<float>(magnitude / 7));
  }
}

TEST(Block, PowersOfTwoAreExactInEveryMXFormat) {
  std::vector<float> values(32);
  for (int exponent = -100; exponent <= 100; exponent += 25) {
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = std::ldexp(i % 2 == 0 ? 1.0F : -1.0F, exponent - (i % 3 == 0));
    for (const char *text :
         {"mxfp8e5m2", "mxfp8e4m3", "mxfp6e3m2", "mxfp6e2m3", "mxfp4", "mxint8"}) {
      BlockFormat format = get(text);
      std::vector<double> back = *dequantize(format, *quantize(format, values.data(), 1, 32));
      EXPECT_TRUE(std::equal(back.begin(), back.end(), values.begin())) << text << exponent;
    }
  }
}

TEST(Block, NVFP4HasTwoScales) {
  // 448 * 6 in the first group makes the tensor's scale 1; the second group's scale is 2 then.
  std::vector<float> values(32, 0.0F);
  values[0] = 448 * 6;
  values[16] = 12;
  values[17] = -5;
  BlockFormat format = get("nvfp4");
  QuantizedMatrix matrix = *quantize(format, values.data(), 1, 32);
  EXPECT_EQ(format.tensorScale->decode(matrix.tensorScale), 1);
  EXPECT_EQ(format.scale.decode(matrix.scales[0]), 448);
  EXPECT_EQ(format.scale.decode(matrix.scales[1]), 2);
  EXPECT_EQ(matrix.codes[16], 7);
  EXPECT_EQ(matrix.codes[17], 12); // 2.5 is halfway between 2 and 3, and 2 is even
}

TEST(Block, AnIntegerZeroPointKeepsZero) {
  std::vector<float> values = {0, 3, 7.5F, 1, 0, -2, -9, -1, 0, 0, 0, 0};
  BlockFormat format = get("uint4 group=4 scale=f16 zero=uint4");
  QuantizedMatrix matrix = *quantize(format, values.data(), 1, 12);
  std::vector<double> back = *dequantize(format, matrix);
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] == 0)
      EXPECT_EQ(back[i], 0);
  EXPECT_EQ(matrix.zeros, (std::vector<uint32_t>{0, 15, 0}));
}

TEST(Block, ZerosAndNothingAtAll) {
  for (const char *text : {"int4 group=3", "bipolar1 group=3", "mxfp4", "nvfp4",
                           "uint4 group=3 zero=f16", "uint4 group=3 offset=f16"}) {
    BlockFormat format = get(text);
    std::vector<float> values(10, 0.0F);
    std::vector<double> back = *dequantize(format, *quantize(format, values.data(), 2, 5));
    for (double value : back)
      EXPECT_EQ(value, 0) << text;
    EXPECT_TRUE(dequantize(format, *quantize(format, values.data(), 0, 5))->empty());
    EXPECT_TRUE(dequantize(format, *quantize(format, values.data(), 5, 0))->empty());
  }
}

TEST(Block, ScalesSmallerThanTheirFormatLeaveZeros) {
  std::vector<float> values = {1e-12F, -1e-12F};
  BlockFormat format = get("int4 group=2 scale=f16");
  EXPECT_EQ(*dequantize(format, *quantize(format, values.data(), 1, 2)),
            (std::vector<double>{0, 0}));
}

TEST(Block, WhatCannotBeIsRefused) {
  std::vector<float> values = {1, 2, NAN, 4};
  EXPECT_EQ(quantize(get("int4"), values.data(), 2, 2).getMessage(),
            "expects finite numbers, but got nan in row 1, column 0");
  BlockFormat pairs = get("codebook[(0,1),(2,3)]");
  EXPECT_EQ(quantize(pairs, values.data(), 1, 3).getMessage(),
            "expects rows that vectors of 2 divide, but got 3 columns");
  // The scale of entries this far out is below f32's numbers, and their squares beyond double's.
  EXPECT_EQ(quantize(get("codebook[(1e200,0),(0,1e200)]"), values.data(), 1, 2).getMessage(),
            "expects numbers within the reach of codebook[(1e+200,0),(0,1e+200)], but got 1.000000 "
            "in row 0, column 0");
  BlockFormat undeclared = get("int4");
  undeclared.zeroForm = ZeroForm::Offset;
  EXPECT_EQ(undeclared.findFault(),
            "expects a format of the zero point exactly where there is one");
  QuantizedMatrix odd;
  odd.columns = 3;
  EXPECT_EQ(dequantize(pairs, odd).getMessage(),
            "expects rows that vectors of 2 divide, but got 3 columns");
  BlockFormat format = get("int4 group=2 zero=int4");
  QuantizedMatrix matrix = *quantize(format, values.data(), 1, 2);
  auto complain = [&](auto change) {
    QuantizedMatrix wrong = matrix;
    change(wrong);
    return dequantize(format, wrong).getMessage();
  };
  EXPECT_EQ(complain([](QuantizedMatrix &wrong) { wrong.codes.push_back(0); }),
            "expects 2 elements, but got 3");
  EXPECT_EQ(complain([](QuantizedMatrix &wrong) { wrong.codes[0] = 16; }),
            "expects codes of int4 as elements, but got 16");
  EXPECT_EQ(complain([](QuantizedMatrix &wrong) { wrong.scales.clear(); }),
            "expects 1 scales, but got 0");
  EXPECT_EQ(complain([](QuantizedMatrix &wrong) { wrong.zeros.clear(); }),
            "expects 1 zero points, but got 0");
}
