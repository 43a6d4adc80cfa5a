//===- TopKTest.cpp - lists of the first elements ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

using namespace sectile;
using namespace sectile::test;

/// 3 lists of 4 pairs, one for each row of 3 x 37 candidates; the last 2 of a row are masked,
/// and a pair below 0 is an empty place.
static const char *kShared = R"(
tile.kernel @k(%x: !tile.view<3x37xf32>, %v: !tile.view<3x4xf32>, %i: !tile.view<3x4xi64>) {
  %t = tile.load %x at affine_map<(d0, d1) -> (d0, d1)>[] : !tile.view<3x37xf32> -> tensor<3x37xf32>
  %p = tile.coord affine_map<(d0, d1) -> (d1)>[] : tensor<3x37xi64>
  tile.topk %t, %p into %v, %i axis 1 at affine_map<(d0, d1) -> (d0, 0)>[]
      where affine_set<(d0, d1) : (34 - d1 >= 0)>[] : tensor<3x37xf32>, tensor<3x37xi64> into !tile.view<3x4xf32>, !tile.view<3x4xi64> {
  ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
    %zero = arith.constant 0 : i64
    %there = arith.cmpi sge, %ai, %zero : i64
    %greater = arith.cmpf ogt, %a, %b : f32
    %equal = arith.cmpf oeq, %a, %b : f32
    %lower = arith.cmpi slt, %ai, %bi : i64
    %first = arith.andi %equal, %lower : i1
    %empty = arith.cmpi slt, %bi, %zero : i64
    %before = arith.ori %greater, %first : i1
    %some = arith.ori %before, %empty : i1
    %precedes = arith.andi %some, %there : i1
    tile.yield %precedes : i1
  }
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  scf.for %row = %c0 to %c3 step %c1 {
    tile.sort %v, %i axis 1 at affine_map<()[s0] -> (s0, 0)>[%row] : !tile.view<3x4xf32>, !tile.view<3x4xi64> {
    ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
      %zero = arith.constant 0 : i64
      %there = arith.cmpi sge, %ai, %zero : i64
      %greater = arith.cmpf ogt, %a, %b : f32
      %equal = arith.cmpf oeq, %a, %b : f32
      %lower = arith.cmpi slt, %ai, %bi : i64
      %first = arith.andi %equal, %lower : i1
      %empty = arith.cmpi slt, %bi, %zero : i64
      %before = arith.ori %greater, %first : i1
      %some = arith.ori %before, %empty : i1
      %precedes = arith.andi %some, %there : i1
      tile.yield %precedes : i1
    }
  }
  tile.return
}
)";

/// The same of columns: each lane has its own list.
static const char *kOwn = R"(
tile.kernel @k(%x: !tile.view<37x19xf32>, %v: !tile.view<4x19xf32>, %i: !tile.view<4x19xi64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c37 = arith.constant 37 : index
  scf.for %row = %c0 to %c37 step %c1 {
    %t = tile.load %x at affine_map<(d0)[s0] -> (s0, d0)>[%row] : !tile.view<37x19xf32> -> tensor<19xf32>
    %p = tile.coord affine_map<(d0)[s0] -> (s0)>[%row] : tensor<19xi64>
    tile.topk %t, %p into %v, %i axis 0 at affine_map<(d0) -> (0, d0)>[] : tensor<19xf32>, tensor<19xi64> into !tile.view<4x19xf32>, !tile.view<4x19xi64> {
    ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
      %zero = arith.constant 0 : i64
      %there = arith.cmpi sge, %ai, %zero : i64
      %greater = arith.cmpf ogt, %a, %b : f32
      %equal = arith.cmpf oeq, %a, %b : f32
      %lower = arith.cmpi slt, %ai, %bi : i64
      %first = arith.andi %equal, %lower : i1
      %empty = arith.cmpi slt, %bi, %zero : i64
      %before = arith.ori %greater, %first : i1
      %some = arith.ori %before, %empty : i1
      %precedes = arith.andi %some, %there : i1
      tile.yield %precedes : i1
    }
  }
  %c19 = arith.constant 19 : index
  scf.for %column = %c0 to %c19 step %c1 {
    tile.sort %v, %i axis 0 at affine_map<()[s0] -> (0, s0)>[%column] : !tile.view<4x19xf32>, !tile.view<4x19xi64> {
    ^bb0(%a: f32, %ai: i64, %b: f32, %bi: i64):
      %zero = arith.constant 0 : i64
      %there = arith.cmpi sge, %ai, %zero : i64
      %greater = arith.cmpf ogt, %a, %b : f32
      %equal = arith.cmpf oeq, %a, %b : f32
      %lower = arith.cmpi slt, %ai, %bi : i64
      %first = arith.andi %equal, %lower : i1
      %empty = arith.cmpi slt, %bi, %zero : i64
      %before = arith.ori %greater, %first : i1
      %some = arith.ori %before, %empty : i1
      %precedes = arith.andi %some, %there : i1
      tile.yield %precedes : i1
    }
  }
  tile.return
}
)";

/// The positions of `row` largest elements first, equal ones in order.
static std::vector<int64_t> sortedPositions(const std::vector<float> &row) {
  std::vector<int64_t> positions(row.size());
  std::iota(positions.begin(), positions.end(), 0);
  std::sort(positions.begin(), positions.end(),
            [&](int64_t a, int64_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
  return positions;
}

TEST(TopK, LanesShareAList) {
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(kShared, "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<float> x(111), v(12);
    std::vector<int64_t> i(12, -1);
    for (int n = 0; n < 111; ++n)
      x[n] = static_cast<float>(n % 37 > 34 ? 1000 : n < 37 ? n : n < 74 ? 100 - n : n * 7 % 11);
    ASSERT_EQ(kernel->run({x.data(), v.data(), i.data()}), 0);
    for (int row = 0; row < 3; ++row) {
      std::vector<float> seen(x.begin() + row * 37, x.begin() + row * 37 + 35);
      std::vector<int64_t> want = sortedPositions(seen);
      for (int n = 0; n < 4; ++n) {
        EXPECT_EQ(i[row * 4 + n], want[n]) << row << ", " << n << " on " << level->name.str();
        EXPECT_EQ(v[row * 4 + n], seen[want[n]]) << row << ", " << n << " on " << level->name.str();
      }
    }
  }
}

TEST(TopK, LanesHaveListsOfTheirOwn) {
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(kOwn, "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<float> x(703), v(76);
    std::vector<int64_t> i(76, -1);
    for (int n = 0; n < 703; ++n)
      x[n] = static_cast<float>(n * 31 % 23);
    ASSERT_EQ(kernel->run({x.data(), v.data(), i.data()}), 0);
    for (int column = 0; column < 19; ++column) {
      std::vector<float> seen(37);
      for (int row = 0; row < 37; ++row)
        seen[row] = x[row * 19 + column];
      std::vector<int64_t> want = sortedPositions(seen);
      for (int n = 0; n < 4; ++n) {
        EXPECT_EQ(i[n * 19 + column], want[n]) << column << " on " << level->name.str();
        EXPECT_EQ(v[n * 19 + column], seen[want[n]]) << column << " on " << level->name.str();
      }
    }
  }
}
