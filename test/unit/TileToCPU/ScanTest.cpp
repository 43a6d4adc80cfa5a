//===- ScanTest.cpp - recurrences along a dimension of tiles ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace sectile;
using namespace sectile::test;

/// The identity of maps from `rank` tile coordinates.
static std::string identity(size_t rank) {
  std::string dims;
  for (size_t i = 0; i < rank; ++i)
    dims.append(i ? ", d" : "d").append(std::to_string(i));
  return "affine_map<(" + dims + ") -> (" + dims + ")>[]";
}

/// Products of matrices (a, b) that take h to a * h + b: not commutative, exact on integers.
static const char *kMatrices = R"(
tile.kernel @k(%x: !tile.view<SHAPExi32>, %y: !tile.view<SHAPExi32>, %z: !tile.view<SHAPExi32>) {
  %p = arith.constant FIRST
  %q = arith.constant SECOND
  %a = tile.load %x at IDENTITY : !tile.view<SHAPExi32> -> tensor<SHAPExi32>
  %b = tile.load %y at IDENTITY : !tile.view<SHAPExi32> -> tensor<SHAPExi32>
  %s0, %s1, %l0, %l1 = tile.scan %a, %b from %p, %q dim DIM MODS : tensor<SHAPExi32>, tensor<SHAPExi32> from CARRY, CARRY -> tensor<SHAPExi32>, tensor<SHAPExi32> and CARRY, CARRY {
  ^bb0(%c: i32, %d: i32, %e: i32, %f: i32):
    %ce = arith.muli %c, %e : i32
    %de = arith.muli %d, %e : i32
    %g = arith.addi %de, %f : i32
    tile.yield %ce, %g : i32, i32
  }
  %r = arith.addi %s0, %s1 : tensor<SHAPExi32>
  tile.store %r, %z at IDENTITY : tensor<SHAPExi32>, !tile.view<SHAPExi32>
  tile.return
}
)";

/// Sums of a row, and the last of them once more.
static const char *kSums = R"(
tile.kernel @k(%x: !tile.view<100xf32>, %y: !tile.view<100xf32>, %z: !tile.view<f32>) {
  %zero = arith.constant 0.0 : f32
  %t = tile.load %x at affine_map<(d0) -> (d0)>[] : !tile.view<100xf32> -> tensor<100xf32>
  %s, %last = tile.scan %t from %zero dim 0 associative : tensor<100xf32> from f32 -> tensor<100xf32> and f32 {
  ^bb0(%sum: f32, %element: f32):
    %next = arith.addf %sum, %element : f32
    tile.yield %next : f32
  }
  tile.store %s, %y at affine_map<(d0) -> (d0)>[] : tensor<100xf32>, !tile.view<100xf32>
  tile.store %last, %z at affine_map<() -> ()>[] : f32, !tile.view<f32>
  tile.return
}
)";

TEST(Scan, AllDimensionsAndDirections) {
  struct Shape {
    std::vector<int64_t> dims;
    size_t along;
  };
  const Shape shapes[] = {{{1}, 0}, {{100}, 0}, {{5, 37}, 1}, {{5, 37}, 0}, {{2, 3, 4}, 1}};
  for (const CpuLevel *level : testedLevels())
    for (const Shape &shape : shapes)
      for (const char *mods :
           {"", "exclusive", "reverse", "exclusive reverse", "associative", "exclusive associative",
            "reverse associative", "exclusive reverse associative"}) {
        std::string text, kept;
        int64_t count = 1, inner = 1, extent = shape.dims[shape.along];
        for (size_t i = 0; i < shape.dims.size(); ++i) {
          text += (i ? "x" : "") + std::to_string(shape.dims[i]);
          kept += i == shape.along ? "" : std::to_string(shape.dims[i]) + "x";
          count *= shape.dims[i];
          inner *= i > shape.along ? shape.dims[i] : 1;
        }
        std::string carry = kept.empty() ? "i32" : "tensor<" + kept + "i32>";
        auto constant = [&](int value) {
          std::string number = std::to_string(value);
          std::string values = kept.empty() ? number : "dense<" + number + ">";
          values.append(" : ").append(carry);
          return values;
        };
        std::string full = substitute(kMatrices, {{"FIRST", constant(1)},
                                                  {"SECOND", constant(3)},
                                                  {"IDENTITY", identity(shape.dims.size())},
                                                  {"CARRY", carry},
                                                  {"SHAPE", text},
                                                  {"MODS", mods},
                                                  {"DIM", std::to_string(shape.along)}});
        auto kernel = LoadedKernel::compile(full, "k", *level);
        ASSERT_TRUE(kernel);
        std::vector<int32_t> a(count), b(count), y(count), want(count);
        for (int64_t i = 0; i < count; ++i) {
          a[i] = i % 3 - 1;
          b[i] = i % 23 - 11;
        }
        bool isExclusive = strstr(mods, "exclusive"), isReverse = strstr(mods, "reverse");
        for (int64_t row = 0; row < count / extent; ++row) {
          int32_t p = 1, q = 3;
          for (int64_t i = 0; i < extent; ++i) {
            int64_t place =
                (row / inner * extent + (isReverse ? extent - 1 - i : i)) * inner + row % inner;
            int32_t before = p + q;
            q = q * a[place] + b[place];
            p *= a[place];
            want[place] = isExclusive ? before : p + q;
          }
        }
        ASSERT_EQ(kernel->run({a.data(), b.data(), y.data()}), 0);
        EXPECT_EQ(y, want) << text << " along " << shape.along << " " << mods << " on "
                           << level->name.str();
      }
}

TEST(Scan, StrictSumsKeepTheirOrder) {
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(kSums, "k", *level, FloatMode::Strict);
    ASSERT_TRUE(kernel);
    std::vector<float> x(100), y(100);
    float last = 0;
    for (int i = 0; i < 100; ++i)
      x[i] = std::sin(static_cast<float>(i));
    ASSERT_EQ(kernel->run({x.data(), y.data(), &last}), 0);
    float sum = 0;
    for (int i = 0; i < 100; ++i)
      EXPECT_EQ(y[i], sum += x[i]) << i << " on " << level->name.str();
  }
}

TEST(Scan, LastsGoOnFromTheEnd) {
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(kSums, "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<float> x(100), y(100);
    float last = 0, sum = 0;
    for (int i = 0; i < 100; ++i)
      x[i] = static_cast<float>(i % 7);
    ASSERT_EQ(kernel->run({x.data(), y.data(), &last}), 0);
    for (int i = 0; i < 100; ++i)
      EXPECT_EQ(y[i], sum += x[i]) << i << " on " << level->name.str();
    EXPECT_EQ(last, sum);
  }
}
