//===- ScatterTest.cpp - elements changed one after the other ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include <gtest/gtest.h>

using namespace sectile;
using namespace sectile::test;

/// 37 elements of a vector, changed by an op that is not commutative; indices below 0 are masked.
static const char *kElements = R"(
tile.kernel @k(%x: !tile.view<20xi32>, %i: !tile.view<37xi64>, %u: !tile.view<37xi32>) {
  %t = tile.load %u at affine_map<(d0) -> (d0)>[] : !tile.view<37xi32> -> tensor<37xi32>
  %at = tile.load %i at affine_map<(d0) -> (d0)>[] : !tile.view<37xi64> -> tensor<37xi64>
  %none = arith.constant dense<-1> : tensor<37xi64>
  %ok = arith.cmpi sgt, %at, %none : tensor<37xi64>
  tile.scatter %t, %x at affine_map<(d0, i) -> (i)>[] indices (%at : tensor<37xi64>)
      where affine_set<(d0) : (33 - d0 >= 0)>[] if (%ok : tensor<37xi1>) : tensor<37xi32>, !tile.view<20xi32> {
  ^bb0(%before: i32, %update: i32):
    %two = arith.constant 2 : i32
    %twice = arith.muli %before, %two : i32
    %sum = arith.addi %twice, %update : i32
    tile.yield %sum : i32
  }
  tile.return
}
)";

TEST(Scatter, ElementsThatMeetAreChangedInTurn) {
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(kElements, "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<int32_t> x(20), want(20), u(37);
    std::vector<int64_t> i(37);
    for (int n = 0; n < 37; ++n) {
      u[n] = n - 7;
      i[n] = n % 5 == 4 ? -1000000000 : (n * n) % 20;
      x[n % 20] = want[n % 20] = n % 20;
    }
    for (int n = 0; n < 34; ++n)
      if (i[n] >= 0)
        want[i[n]] = want[i[n]] * 2 + u[n];
    ASSERT_EQ(kernel->run({x.data(), i.data(), u.data()}), 0);
    EXPECT_EQ(x, want) << level->name.str();
  }
}

/// Rows of a matrix: lanes differ, and change together, all or none.
static const char *kRows = R"(
tile.kernel @k(%x: !tile.view<5x37xf16>, %u: !tile.view<4x37xf16>, %i: !tile.view<4xi64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.for %row = %c0 to %c4 step %c1 {
    %at = tile.load %i at affine_map<()[s0] -> (s0)>[%row] : !tile.view<4xi64> -> i64
    %zero = arith.constant 0 : i64
    %ok = arith.cmpi sge, %at, %zero : i64
    %p = arith.index_cast %at : i64 to index
    %t = tile.load %u at affine_map<(d0)[s0] -> (s0, d0)>[%row] : !tile.view<4x37xf16> -> tensor<37xf16>
    tile.scatter %t, %x at affine_map<(d0)[s0] -> (s0, d0)>[%p] if (%ok : i1) : tensor<37xf16>, !tile.view<5x37xf16> {
    ^bb0(%before: f16, %update: f16):
      %sum = arith.addf %before, %update : f16
      tile.yield %sum : f16
    }
  }
  tile.return
}
)";

TEST(Scatter, RowsChangeTogether) {
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(kRows, "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<_Float16> x(185), u(148);
    std::vector<float> want(185);
    std::vector<int64_t> i = {3, -(int64_t(1) << 40), 3, 0};
    for (int n = 0; n < 185; ++n)
      want[n] = static_cast<float>(x[n] = static_cast<_Float16>(n % 11));
    for (int n = 0; n < 148; ++n) {
      u[n] = static_cast<_Float16>(n % 7);
      if (i[n / 37] >= 0)
        want[i[n / 37] * 37 + n % 37] += static_cast<float>(n % 7);
    }
    ASSERT_EQ(kernel->run({x.data(), u.data(), i.data()}), 0);
    for (int n = 0; n < 185; ++n)
      EXPECT_EQ(static_cast<float>(x[n]), want[n]) << n << " on " << level->name.str();
  }
}

/// All lanes of a tile in one place: a sum in their order.
static const char *kOnePlace = R"(
tile.kernel @k(%x: !tile.view<1xf32>, %u: !tile.view<37xf32>) {
  %t = tile.load %u at affine_map<(d0) -> (d0)>[] : !tile.view<37xf32> -> tensor<37xf32>
  tile.scatter %t, %x at affine_map<(d0) -> (0)>[] : tensor<37xf32>, !tile.view<1xf32> {
  ^bb0(%before: f32, %update: f32):
    %sum = arith.addf %before, %update : f32
    tile.yield %sum : f32
  }
  tile.return
}
)";

TEST(Scatter, OnePlaceForAll) {
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(kOnePlace, "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<float> x = {0.5F}, u(37);
    float want = x[0];
    for (int n = 0; n < 37; ++n)
      want += u[n] = 1.0F / static_cast<float>(n + 1);
    ASSERT_EQ(kernel->run({x.data(), u.data()}), 0);
    EXPECT_EQ(x[0], want) << level->name.str();
  }
}
