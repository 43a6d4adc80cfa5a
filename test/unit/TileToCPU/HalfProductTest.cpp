//===- HalfProductTest.cpp - products of 16-bit integers ------------*- C++ -*-===//
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
/// y = a * b in steps of two, as unrolled loops have them, and one more behind them.
constexpr const char *kKernel = R"(
tile.kernel @k(%a: !tile.view<MxKxi16>, %b: !tile.view<KxNxi16>, %y: !tile.view<MxNxi32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %last = arith.constant LAST : index
  %zeros = arith.constant dense<0> : tensor<MxNxi32>
  %sum = scf.for %i = %c0 to %last step %c2 iter_args(%acc = %zeros) -> tensor<MxNxi32> {
    %x = tile.load %a at affine_map<(t0, t1)[i] -> (t0, i)>[%i] : !tile.view<MxKxi16> -> tensor<Mx1xi16>
    %v = tile.load %b at affine_map<(t0, t1)[i] -> (i, t1)>[%i] : !tile.view<KxNxi16> -> tensor<1xNxi16>
    %s = tile.dot %x, %v, %acc : tensor<Mx1xi16>, tensor<1xNxi16> -> tensor<MxNxi32>
    %j = arith.addi %i, %c1 : index
    %z = tile.load %a at affine_map<(t0, t1)[i] -> (t0, i)>[%j] : !tile.view<MxKxi16> -> tensor<Mx1xi16>
    %w = tile.load %b at affine_map<(t0, t1)[i] -> (i, t1)>[%j] : !tile.view<KxNxi16> -> tensor<1xNxi16>
    %t = tile.dot %z, %w, %s : tensor<Mx1xi16>, tensor<1xNxi16> -> tensor<MxNxi32>
    scf.yield %t : tensor<MxNxi32>
  }
  %x = tile.load %a at affine_map<(t0, t1)[i] -> (t0, i)>[%last] : !tile.view<MxKxi16> -> tensor<Mx1xi16>
  %v = tile.load %b at affine_map<(t0, t1)[i] -> (i, t1)>[%last] : !tile.view<KxNxi16> -> tensor<1xNxi16>
  %s = tile.dot %x, %v, %sum : tensor<Mx1xi16>, tensor<1xNxi16> -> tensor<MxNxi32>
  tile.store %s, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<MxNxi32>, !tile.view<MxNxi32>
  tile.return
}
)";

std::string makeKernel(int64_t m, int64_t k, int64_t n) {
  auto text = [](int64_t number) { return std::to_string(number); };
  return substitute(kKernel, {{"<Mx", "<" + text(m) + "x"},
                              {"<Kx", "<" + text(k) + "x"},
                              {"xKx", "x" + text(k) + "x"},
                              {"xNx", "x" + text(n) + "x"},
                              {"LAST", text(k - 1)}});
}

/// `isExtreme`: the greatest numbers that codes of 8 bits without a zero point can be.
void check(const CpuLevel &level, int64_t m, int64_t k, int64_t n, bool isExtreme) {
  std::mt19937 random(static_cast<unsigned>(m * 100 + k + n));
  auto kernel = LoadedKernel::compile(makeKernel(m, k, n), "k", level);
  ASSERT_TRUE(kernel) << level.name.str();
  GuardedBuffer a(m * k * 2, 2), b(k * n * 2, 2), y(m * n * 4, 4);
  auto fill = [&](GuardedBuffer &buffer, int64_t count) {
    auto *halves = reinterpret_cast<int16_t *>(buffer.data());
    for (int64_t i = 0; i < count; ++i)
      halves[i] = static_cast<int16_t>(isExtreme ? (random() % 2 ? 255 : -255)
                                                 : static_cast<int>(random() % 511) - 255);
    return halves;
  };
  int16_t *left = fill(a, m * k), *right = fill(b, k * n);
  ASSERT_EQ(kernel->run({a.data(), b.data(), y.data()}), 0);
  for (int64_t row = 0; row < m; ++row)
    for (int64_t column = 0; column < n; ++column) {
      int64_t want = 0;
      for (int64_t i = 0; i < k; ++i)
        want += int64_t(left[row * k + i]) * right[i * n + column];
      ASSERT_EQ(reinterpret_cast<int32_t *>(y.data())[row * n + column], want)
          << row << ", " << column << " of " << m << 'x' << k << 'x' << n << " on "
          << level.name.str();
    }
}

/// Columns of bytes, of which a zero point is taken off on the way.
constexpr const char *kByteKernel = R"(
tile.kernel @k(%a: !tile.view<2x8xi16>, %b: !tile.view<8xNxi8>, %y: !tile.view<2xNxi32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant dense<ZERO> : tensor<1xNxi16>
  %zeros = arith.constant dense<0> : tensor<2xNxi32>
  %sum = scf.for %i = %c0 to %c8 step %c2 iter_args(%acc = %zeros) -> tensor<2xNxi32> {
    %x = tile.load %a at affine_map<(t0, t1)[i] -> (t0, i)>[%i] : !tile.view<2x8xi16> -> tensor<2x1xi16>
    %v = tile.load %b at affine_map<(t0, t1)[i] -> (i, t1)>[%i] : !tile.view<8xNxi8> -> tensor<1xNxi8>
    %e = arith.EXTEND %v : tensor<1xNxi8> to tensor<1xNxi16>
    %d = arith.subi %e, %zero : tensor<1xNxi16>
    %s = tile.dot %x, %d, %acc : tensor<2x1xi16>, tensor<1xNxi16> -> tensor<2xNxi32>
    %j = arith.addi %i, %c1 : index
    %z = tile.load %a at affine_map<(t0, t1)[i] -> (t0, i)>[%j] : !tile.view<2x8xi16> -> tensor<2x1xi16>
    %w = tile.load %b at affine_map<(t0, t1)[i] -> (i, t1)>[%j] : !tile.view<8xNxi8> -> tensor<1xNxi8>
    %f = arith.EXTEND %w : tensor<1xNxi8> to tensor<1xNxi16>
    %g = arith.subi %f, %zero : tensor<1xNxi16>
    %t = tile.dot %z, %g, %s : tensor<2x1xi16>, tensor<1xNxi16> -> tensor<2xNxi32>
    scf.yield %t : tensor<2xNxi32>
  }
  tile.store %sum, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<2xNxi32>, !tile.view<2xNxi32>
  tile.return
}
)";

void checkBytes(const CpuLevel &level, int64_t n, bool isSigned, int zero) {
  std::mt19937 random(static_cast<unsigned>(n));
  std::string text = substitute(kByteKernel, {{"xNx", "x" + std::to_string(n) + "x"},
                                              {"ZERO", std::to_string(zero)},
                                              {"EXTEND", isSigned ? "extsi" : "extui"}});
  auto kernel = LoadedKernel::compile(text, "k", level);
  ASSERT_TRUE(kernel) << level.name.str();
  GuardedBuffer a(2 * 8 * 2, 2), b(8 * n, 1), y(2 * n * 4, 4);
  auto *left = reinterpret_cast<int16_t *>(a.data());
  auto *right = reinterpret_cast<uint8_t *>(b.data());
  for (int i = 0; i < 16; ++i)
    left[i] = static_cast<int16_t>(static_cast<int>(random() % 511) - 255);
  for (int64_t i = 0; i < 8 * n; ++i)
    right[i] = static_cast<uint8_t>(random());
  ASSERT_EQ(kernel->run({a.data(), b.data(), y.data()}), 0);
  for (int64_t row = 0; row < 2; ++row)
    for (int64_t column = 0; column < n; ++column) {
      int32_t want = 0;
      for (int64_t i = 0; i < 8; ++i) {
        int code = right[i * n + column];
        want += left[row * 8 + i] * ((isSigned ? int8_t(code) : code) - zero);
      }
      ASSERT_EQ(reinterpret_cast<int32_t *>(y.data())[row * n + column], want)
          << row << ", " << column << " of " << n << " on " << level.name.str();
    }
}

TEST(HalfProduct, OfBytes) {
  for (const CpuLevel *level : testedLevels())
    for (int64_t n : {1, 4, 8, 15, 16, 33})
      for (bool isSigned : {false, true})
        checkBytes(*level, n, isSigned, isSigned ? -7 : 131);
}

TEST(HalfProduct, EveryNumberOfColumns) {
  for (const CpuLevel *level : testedLevels())
    for (int64_t n : {1, 2, 3, 5, 7, 8, 9, 13, 16, 17, 24, 31, 32, 40})
      check(*level, n % 3 + 1, 9, n, false);
}

TEST(HalfProduct, GreatestSums) {
  for (const CpuLevel *level : testedLevels())
    check(*level, 2, 301, 19, true);
}

TEST(HalfProduct, TakesItsInstruction) {
  for (const CpuLevel *level : presentLevels()) {
    auto kernel = LoadedKernel::compile(makeKernel(4, 9, 32), "k", *level);
    ASSERT_TRUE(kernel);
    EXPECT_EQ(kernel->assembly.find("pmaddwd") != std::string::npos,
              !level->bytes.sumPairsOfHalves.empty());
  }
}
} // namespace
