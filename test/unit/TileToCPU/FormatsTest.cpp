//===- FormatsTest.cpp - conversions between element formats -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfloat>
#include <cmath>
#include <random>

using namespace sectile;
using namespace sectile::test;

static float roundToBF16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  if (std::isnan(value))
    bits |= 0x400000;
  else
    bits += 0x7fff + ((bits >> 16) & 1);
  bits &= 0xffff0000;
  std::memcpy(&value, &bits, 4);
  return value;
}

//===----------------------------------------------------------------------===//
// Element formats
//===----------------------------------------------------------------------===//

TEST(Formats, EveryF16WidensExactly) {
  std::string text = R"(
tile.kernel @k(%x: !tile.view<65536xf16>, %y: !tile.view<65536xf32>, %z: !tile.view<65536xf16>) {
  %n = arith.constant 1024 : index
  %b = tile.block_id grid [%n]
  %t = tile.load %x at affine_map<(t)[b] -> (b * 64 + t)>[%b] : !tile.view<65536xf16> -> tensor<64xf16>
  %u = arith.extf %t : tensor<64xf16> to tensor<64xf32>
  tile.store %u, %y at affine_map<(t)[b] -> (b * 64 + t)>[%b] : tensor<64xf32>, !tile.view<65536xf32>
  %v = arith.truncf %u : tensor<64xf32> to tensor<64xf16>
  tile.store %v, %z at affine_map<(t)[b] -> (b * 64 + t)>[%b] : tensor<64xf16>, !tile.view<65536xf16>
  tile.return
}
)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(text, "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<_Float16> x(65536), z(65536);
    std::vector<float> y(65536);
    for (uint32_t i = 0; i < 65536; ++i) {
      uint16_t bits = i;
      std::memcpy(&x[i], &bits, 2);
    }
    ASSERT_EQ(kernel->run({x.data(), y.data(), z.data()}), 0);
    for (uint32_t i = 0; i < 65536; ++i) {
      if (std::isnan(float(x[i]))) {
        EXPECT_TRUE(std::isnan(y[i]) && std::isnan(float(z[i])));
        continue;
      }
      ASSERT_EQ(y[i], float(x[i])) << i << " on " << level->name.str();
      ASSERT_EQ(std::bit_cast<uint16_t>(x[i]), std::bit_cast<uint16_t>(z[i]))
          << i << " on " << level->name.str();
    }
  }
}

TEST(Formats, NarrowingRoundsToNearestEven) {
  std::string text = R"(
tile.kernel @k(%x: !tile.view<65536xFROM>, %y: !tile.view<65536xTO>) {
  %n = arith.constant 1024 : index
  %b = tile.block_id grid [%n]
  %t = tile.load %x at affine_map<(t)[b] -> (b * 64 + t)>[%b] : !tile.view<65536xFROM> -> tensor<64xFROM>
  %u = arith.truncf %t : tensor<64xFROM> to tensor<64xTO>
  tile.store %u, %y at affine_map<(t)[b] -> (b * 64 + t)>[%b] : tensor<64xTO>, !tile.view<65536xTO>
  tile.return
}
)";
  std::mt19937_64 random(5);
  std::vector<double> wide(65536);
  for (size_t i = 0; i < wide.size(); ++i) {
    // Values around halfway points of f16, subnormal ones and overflow among them.
    int exponent = int(random() % 45) - 26;
    double mantissa = 1 + (random() % 2048) * 0x1p-11;
    wide[i] = std::ldexp(mantissa, exponent) * (random() % 2 ? 1 : -1);
    if (i % 4 == 0)
      wide[i] *= 1 + 0x1p-40;
  }
  wide[0] = INFINITY;
  wide[1] = NAN;
  wide[2] = 65520;
  wide[3] = -65519.99;
  for (const CpuLevel *level : testedLevels())
    for (bool isWide : {false, true}) {
      auto kernel = LoadedKernel::compile(
          substitute(text, {{"FROM", isWide ? "f64" : "f32"}, {"TO", "f16"}}), "k", *level);
      ASSERT_TRUE(kernel);
      std::vector<float> narrow(wide.begin(), wide.end());
      std::vector<_Float16> y(65536);
      ASSERT_EQ(kernel->run({isWide ? (void *)wide.data() : narrow.data(), y.data()}), 0);
      for (size_t i = 0; i < wide.size(); ++i) {
        _Float16 want = isWide ? static_cast<_Float16>(wide[i]) : static_cast<_Float16>(narrow[i]);
        if (std::isnan(float(want)))
          EXPECT_TRUE(std::isnan(float(y[i])));
        else
          ASSERT_EQ(float(y[i]), float(want)) << wide[i] << " on " << level->name.str();
      }
      kernel =
          LoadedKernel::compile(substitute(text, {{"FROM", "f32"}, {"TO", "bf16"}}), "k", *level);
      ASSERT_TRUE(kernel);
      std::vector<uint16_t> z(65536);
      ASSERT_EQ(kernel->run({narrow.data(), z.data()}), 0);
      for (size_t i = 0; i < wide.size(); ++i) {
        uint32_t bits = uint32_t(z[i]) << 16;
        float got;
        std::memcpy(&got, &bits, 4);
        if (std::isnan(narrow[i]))
          EXPECT_TRUE(std::isnan(got));
        else
          ASSERT_EQ(got, roundToBF16(narrow[i])) << narrow[i] << " on " << level->name.str();
      }
    }
}
