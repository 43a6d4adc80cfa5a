//===- ByteProductTest.cpp - products of bytes and packed codes -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include "gtest/gtest.h"

#include <random>

using namespace sectile;
using namespace sectile::test;

namespace {
/// y = a * (q ^ flip) and z = the sums of a's rows, 32 steps at a time; `bits` of each code of q.
constexpr const char *kKernel = R"(
#codes = #tile.memory<(d0, d1) -> (d0, d1), bits = BITS along 0>
tile.kernel @k(%a: !tile.view<MxKxi8>, %q: !tile.view<KxNxi8, #codes>, %y: !tile.view<MxNxi32>,
               %z: !tile.view<Mx1xi32>) {
  %c0 = arith.constant 0 : index
  %c32 = arith.constant 32 : index
  %k = arith.constant K : index
  %zeros = arith.constant dense<0> : tensor<MxNxi32>
  %sum = scf.for %i = %c0 to %k step %c32 iter_args(%acc = %zeros) -> tensor<MxNxi32> {
    %x = tile.load %a at affine_map<(t0, t1)[i] -> (t0, t1 + i)>[%i] : !tile.view<MxKxi8> -> tensor<Mx32xi8>
    %c = tile.load %q at affine_map<(t0, t1)[i] -> (t0 + i, t1)>[%i] : !tile.view<KxNxi8, #codes> -> tensor<32xNxi8>
    %flip = arith.constant dense<FLIP> : tensor<32xNxi8>
    %d = arith.xori %c, %flip : tensor<32xNxi8>
    %e = tile.dot %x, %d, %acc {unsigned_rhs} : tensor<Mx32xi8>, tensor<32xNxi8> -> tensor<MxNxi32>
    scf.yield %e : tensor<MxNxi32>
  }
  tile.store %sum, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<MxNxi32>, !tile.view<MxNxi32>
  %all = tile.load %a at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<MxKxi8> -> tensor<MxKxi8>
  %ones = arith.constant dense<1> : tensor<Kx1xi8>
  %none = arith.constant dense<0> : tensor<Mx1xi32>
  %rows = tile.dot %all, %ones, %none {unsigned_rhs} : tensor<MxKxi8>, tensor<Kx1xi8> -> tensor<Mx1xi32>
  tile.store %rows, %z at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<Mx1xi32>, !tile.view<Mx1xi32>
  tile.return
}
)";

std::string makeKernel(int bits, int64_t m, int64_t k, int64_t n, int flip) {
  auto text = [](int64_t number) { return std::to_string(number); };
  return substitute(kKernel, {{"Mx", text(m) + "x"},
                              {"Kx", text(k) + "x"},
                              {"xK", "x" + text(k)},
                              {"xN", "x" + text(n)},
                              {"constant K", "constant " + text(k)},
                              {"FLIP", text(int8_t(flip))},
                              {"BITS", text(bits)}});
}

void check(const CpuLevel &level, int bits, int64_t m, int64_t k, int64_t n, bool isExtreme) {
  std::mt19937 random(static_cast<unsigned>(bits * 1000 + m * 100 + k + n));
  int flip = random() % 2 ? 1 << (bits - 1) : 0;
  auto kernel = LoadedKernel::compile(makeKernel(bits, m, k, n, flip), "k", level);
  ASSERT_TRUE(kernel) << level.name.str();
  std::vector<int> codes(k * n), a(m * k);
  for (int &code : codes)
    code = isExtreme ? ((1 << bits) - 1) ^ flip : static_cast<int>(random() % (1U << bits));
  for (int &number : a)
    number = isExtreme ? (random() % 8 ? -128 : 127) : static_cast<int>(random() % 256) - 128;
  // Code k = 4 q + j is number q of the stream of bits in byte j of its column's words.
  GuardedBuffer left(m * k, 1), packed((k / 4 * bits + 7) / 8 * n * 4, 4), y(m * n * 4, 4),
      z(m * 4, 4);
  std::memset(packed.data(), 0, packed.size());
  for (int64_t i = 0; i < k; ++i)
    for (int64_t column = 0; column < n; ++column)
      for (int64_t bit = 0; bit < bits; ++bit) {
        int64_t place = i / 4 * bits + bit;
        auto *words = reinterpret_cast<uint32_t *>(packed.data());
        uint32_t value = codes[i * n + column] >> bit & 1;
        words[place / 8 * n + column] |= value << (i % 4 * 8 + place % 8);
      }
  for (int64_t i = 0; i < m * k; ++i)
    reinterpret_cast<int8_t *>(left.data())[i] = static_cast<int8_t>(a[i]);
  ASSERT_EQ(kernel->run({left.data(), packed.data(), y.data(), z.data()}), 0);
  for (int64_t row = 0; row < m; ++row) {
    int32_t all = 0;
    for (int64_t i = 0; i < k; ++i)
      all += a[row * k + i];
    EXPECT_EQ(reinterpret_cast<int32_t *>(z.data())[row], all) << level.name.str();
    for (int64_t column = 0; column < n; ++column) {
      int32_t want = 0;
      for (int64_t i = 0; i < k; ++i)
        want += a[row * k + i] * (codes[i * n + column] ^ flip);
      ASSERT_EQ(reinterpret_cast<int32_t *>(y.data())[row * n + column], want)
          << row << ", " << column << " of " << m << 'x' << k << 'x' << n << ", " << bits
          << " bits on " << level.name.str();
    }
  }
}

TEST(ByteProduct, EveryWidth) {
  for (const CpuLevel *level : testedLevels())
    for (int bits = 1; bits <= 8; ++bits)
      check(*level, bits, bits % 2 + 1, 64, 21, false);
}

TEST(ByteProduct, GreatestSums) {
  // Up to 4 bits, 16 bits hold the sums of more than one step.
  for (const CpuLevel *level : testedLevels())
    for (int bits : {1, 3, 4, 6, 7, 8})
      check(*level, bits, 1, 96, 9, true);
}

TEST(ByteProduct, TakesItsInstruction) {
  for (const CpuLevel *level : presentLevels()) {
    auto kernel = LoadedKernel::compile(makeKernel(4, 1, 64, 32, 8), "k", *level);
    ASSERT_TRUE(kernel);
    bool hasPairs = level->bytes.dot.empty() && !level->bytes.multiplyPairs.empty();
    EXPECT_EQ(kernel->assembly.find("vpdpbusd") != std::string::npos, !level->bytes.dot.empty());
    if (hasPairs)
      EXPECT_NE(kernel->assembly.find("pmaddubsw"), std::string::npos);
  }
}

TEST(ByteProduct, OneColumn) {
  for (const CpuLevel *level : testedLevels())
    check(*level, 3, 2, 32, 1, false);
}
} // namespace
