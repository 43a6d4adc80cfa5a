//===- DivisionTest.cpp - many numbers divided by one -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row divided by one number has the bits of a division, whatever stands for
// it in the code: for dividends and divisors of every kind, and for those whose
// quotient lies as close to the middle of two numbers as any does.
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

using namespace sectile;
using namespace sectile::test;

static constexpr int64_t kRow = 256;

/// y[i, j] = x[i, j] / d[i], in tiles of `tile` elements.
static std::string makeText(int64_t tile) {
  return substitute(R"(
tile.kernel @k(%x: !tile.view<?xROWxf32>, %d: !tile.view<?xf32>, %y: !tile.view<?xROWxf32>) {
  %n = tile.dim %x, 0 : !tile.view<?xROWxf32>
  %i = tile.block_id grid [%n]
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %tiles = arith.constant COUNT : index
  %s = tile.load %d at affine_map<()[i] -> (i)>[%i] : !tile.view<?xf32> -> f32
  %b = tile.broadcast %s dims [0] : f32 -> tensor<TILExf32>
  scf.for %j = %c0 to %tiles step %c1 {
    %t = tile.load %x at affine_map<(t)[i, j] -> (i, j * TILE + t)>[%i, %j]
         : !tile.view<?xROWxf32> -> tensor<TILExf32>
    %q = arith.divf %t, %b : tensor<TILExf32>
    tile.store %q, %y at affine_map<(t)[i, j] -> (i, j * TILE + t)>[%i, %j]
          : tensor<TILExf32>, !tile.view<?xROWxf32>
  }
  tile.return
}
)",
                    {{"ROW", std::to_string(kRow)},
                     {"COUNT", std::to_string(kRow / tile)},
                     {"TILE", std::to_string(tile)}});
}

static const float kSpecial[] = {0.0f,      -0.0f,      INFINITY,        -INFINITY, NAN,
                                 0x1p-149f, -0x1p-149f, 0x1p-126f,       0x1p-97f,  0x1p-96f,
                                 0x1p96f,   -0x1p95f,   0x1.fffffep127f, 1.0f,      3.0f};

static uint64_t invert(uint64_t a, uint64_t modulus) {
  int64_t t = 0, next = 1;
  uint64_t r = modulus, rest = a % modulus;
  while (rest != 0) {
    int64_t quotient = static_cast<int64_t>(r / rest);
    t = std::exchange(next, t - quotient * next);
    r = std::exchange(rest, r % rest);
  }
  return t < 0 ? static_cast<uint64_t>(t + static_cast<int64_t>(modulus)) : t;
}

/// A dividend with 2^k * x = (q + 1/2) * d + `distance` / 2 for some integer q: its quotient is as
/// close to a tie as `distance`, which is odd, says. `d` is an odd integer below 2^24.
static float makeNearTie(uint64_t d, int k, int64_t distance) {
  uint64_t half = (d + static_cast<uint64_t>(distance)) / 2;
  auto product = static_cast<unsigned __int128>(half % d) * invert((1ull << k) % d, d);
  return static_cast<float>(static_cast<uint64_t>(product % d));
}

static void check(float (*makeDivisor)(std::mt19937_64 &),
                  float (*makeDividend)(std::mt19937_64 &, float), int64_t rows) {
  std::mt19937_64 random(11);
  std::vector<float> x(rows * kRow), d(rows), y(rows * kRow);
  for (int64_t i = 0; i < rows; ++i) {
    d[i] = makeDivisor(random);
    for (int64_t j = 0; j < kRow; ++j)
      x[i * kRow + j] = makeDividend(random, d[i]);
  }
  for (const CpuLevel *level : testedLevels())
    for (int64_t tile : {64, 16, 128}) {
      auto kernel = LoadedKernel::compile(makeText(tile), "k", *level);
      ASSERT_TRUE(kernel);
      ASSERT_EQ(kernel->run({x.data(), d.data(), y.data()}, {rows, rows, rows}), 0);
      for (int64_t i = 0; i < rows * kRow; ++i) {
        float want = x[i] / d[i / kRow];
        ASSERT_TRUE(std::isnan(want)
                        ? std::isnan(y[i])
                        : std::bit_cast<uint32_t>(want) == std::bit_cast<uint32_t>(y[i]))
            << x[i] << " / " << d[i / kRow] << " = " << y[i] << ", expects " << want << " on "
            << level->name.str();
      }
    }
}

static float anyBits(std::mt19937_64 &random) {
  return std::bit_cast<float>(static_cast<uint32_t>(random()));
}

/// A number with exponent in [-`most`, `most`].
static float anyWithin(std::mt19937_64 &random, int most) {
  float significand = static_cast<float>((1u << 23) + (random() >> 41));
  int exponent = static_cast<int>(random() % (2 * most + 1)) - most - 23;
  return std::ldexp(random() % 2 ? significand : -significand, exponent);
}

TEST(Division, SpecialValues) {
  auto special = [](std::mt19937_64 &random) { return kSpecial[random() % std::size(kSpecial)]; };
  check(special, [](auto &random, float) { return kSpecial[random() % std::size(kSpecial)]; }, 200);
  check(special, [](auto &random, float) { return anyBits(random); }, 200);
  // Rows of zeros and usual numbers, as a softmax with a mask has them.
  check([](auto &random) { return anyWithin(random, 10); },
        [](auto &random, float) { return random() % 4 ? 0.0f : anyWithin(random, 10); }, 200);
}

TEST(Division, RandomValues) {
  check(anyBits, [](auto &random, float) { return anyBits(random); }, 500);
  check([](auto &random) { return anyWithin(random, 30); },
        [](auto &random, float) { return anyWithin(random, 100); }, 2000);
  check([](auto &random) { return anyWithin(random, 4); },
        [](auto &random, float) { return anyWithin(random, 4); }, 4000);
}

TEST(Division, QuotientsNearTies) {
  check([](auto &random) { return static_cast<float>((1u << 23) + (random() >> 41) | 1); },
        [](auto &random, float d) {
          int64_t distance = static_cast<int64_t>(random() % 16) * 2 - 15;
          return makeNearTie(static_cast<uint64_t>(d), 22 + static_cast<int>(random() % 4),
                             distance);
        },
        4000);
}

TEST(Division, UsesTheReciprocal) {
  for (const CpuLevel *level : testedLevels()) {
    if (level->vectorBytes < 64)
      continue;
    auto kernel = LoadedKernel::compile(makeText(64), "k", *level);
    ASSERT_TRUE(kernel);
    EXPECT_NE(kernel->assembly.find("vfnmadd"), std::string::npos);
    EXPECT_NE(kernel->assembly.find("vdivss"), std::string::npos);
  }
}
