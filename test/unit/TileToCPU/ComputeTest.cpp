//===- ComputeTest.cpp - what kernels compute -------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <random>

using namespace sectile;
using namespace sectile::test;

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

template <typename T>
static void checkBinary(const char *type, const char *op, T (*reference)(T, T), T low, T high) {
  std::string body = "  %out = " + std::string(op) + " %in0, %in1 : tensor<77x" + type + ">";
  std::string view = std::string("77x") + type;
  std::mt19937 random(9);
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(wrapBody({view, view}, view, body), "k", *level);
    ASSERT_TRUE(kernel) << op;
    std::vector<T> a(77), b(77), y(77);
    for (size_t i = 0; i < 77; ++i) {
      a[i] = low + (high - low) * (random() % 1000 / 999.0);
      b[i] = low + (high - low) * (random() % 1000 / 999.0);
    }
    ASSERT_EQ(kernel->run({a.data(), b.data(), y.data()}), 0);
    for (size_t i = 0; i < 77; ++i)
      ASSERT_EQ(y[i], reference(a[i], b[i])) << op << ' ' << type << " on " << level->name.str();
  }
}

TEST(Elementwise, Arithmetic) {
  checkBinary<float>("f32", "arith.addf", [](float a, float b) { return a + b; }, -9, 9);
  checkBinary<float>("f32", "arith.divf", [](float a, float b) { return a / b; }, 1, 9);
  checkBinary<float>(
      "f32", "arith.maximumf", [](float a, float b) { return std::max(a, b); }, -9, 9);
  checkBinary<double>("f64", "arith.mulf", [](double a, double b) { return a * b; }, -9, 9);
  checkBinary<_Float16>(
      "f16", "arith.mulf", [](_Float16 a, _Float16 b) { return _Float16(float(a) * float(b)); }, -9,
      9);
  checkBinary<int8_t>(
      "i8", "arith.addi", [](int8_t a, int8_t b) { return int8_t(a + b); }, -60, 60);
  checkBinary<int16_t>(
      "i16", "arith.muli", [](int16_t a, int16_t b) { return int16_t(a * b); }, -90, 90);
  checkBinary<int32_t>(
      "i32", "arith.minsi", [](int32_t a, int32_t b) { return std::min(a, b); }, -90, 90);
  checkBinary<int64_t>("i64", "arith.xori", [](int64_t a, int64_t b) { return a ^ b; }, -90, 90);
  checkBinary<uint8_t>(
      "i8", "arith.maxui", [](uint8_t a, uint8_t b) { return std::max(a, b); }, 0, 250);
}

TEST(Elementwise, DivisionNeverTraps) {
  // The quotient of a division by zero is the dividend.
  auto reference = [](int32_t a, int32_t b) {
    return b == 0 ? a : b == -1 ? int32_t(-uint32_t(a)) : a / b;
  };
  std::string body = "  %out = arith.divsi %in0, %in1 : tensor<21xi32>";
  const int32_t values[] = {0, 1, -1, 7, -7, INT32_MIN, INT32_MAX};
  for (const CpuLevel *level : testedLevels()) {
    auto kernel =
        LoadedKernel::compile(wrapBody({"21xi32", "21xi32"}, "21xi32", body), "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<int32_t> a(21), b(21), y(21);
    for (size_t i = 0; i < 21; ++i) {
      a[i] = values[i % 7];
      b[i] = values[i / 7 + i % 2];
    }
    ASSERT_EQ(kernel->run({a.data(), b.data(), y.data()}), 0);
    for (size_t i = 0; i < 21; ++i)
      EXPECT_EQ(y[i], reference(a[i], b[i])) << a[i] << " / " << b[i];
  }
}

TEST(Elementwise, NaNPassesThroughMaximum) {
  std::string body = R"(
  %z = arith.constant dense<0.0> : tensor<19xf32>
  %out = arith.maximumf %in0, %z : tensor<19xf32>)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(wrapBody({"19xf32"}, "19xf32", body), "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<float> x(19, NAN), y(19);
    x[3] = -2;
    x[4] = 2;
    kernel->run({x.data(), y.data()});
    for (size_t i = 0; i < 19; ++i)
      if (i == 3 || i == 4)
        EXPECT_EQ(y[i], i == 3 ? 0 : 2);
      else
        EXPECT_TRUE(std::isnan(y[i]));
  }
}

TEST(Elementwise, ChainsOfMixedTypes) {
  std::string body = R"(
  %c = arith.constant dense<3> : tensor<5x19xi8>
  %i = arith.addi %in1, %c : tensor<5x19xi8>
  %w = arith.extsi %i : tensor<5x19xi8> to tensor<5x19xi32>
  %f = arith.sitofp %w : tensor<5x19xi32> to tensor<5x19xf32>
  %m = arith.cmpf ogt, %in0, %f : tensor<5x19xf32>
  %n = arith.negf %f : tensor<5x19xf32>
  %s = arith.select %m, %in0, %n : tensor<5x19xi1>, tensor<5x19xf32>
  %d = arith.extf %s : tensor<5x19xf32> to tensor<5x19xf64>
  %out = math.sqrt %d : tensor<5x19xf64>)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel =
        LoadedKernel::compile(wrapBody({"5x19xf32", "5x19xi8"}, "5x19xf64", body), "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<float> a(95);
    std::vector<int8_t> b(95);
    std::vector<double> y(95);
    for (int i = 0; i < 95; ++i) {
      a[i] = (i % 11) * 0.7f;
      b[i] = -(i % 9) - 3;
    }
    kernel->run({a.data(), b.data(), y.data()});
    for (int i = 0; i < 95; ++i) {
      float f = b[i] + 3;
      EXPECT_EQ(y[i], std::sqrt(double(a[i] > f ? a[i] : -f)));
    }
  }
}

//===----------------------------------------------------------------------===//
// Contraction and reduction
//===----------------------------------------------------------------------===//

template <typename In, typename Acc>
static void checkDot(int64_t m, int64_t k, int64_t n, const char *in, const char *acc,
                     const char *attrs = "") {
  auto text = [](int64_t v) { return std::to_string(v) + "x"; };
  std::string lhs = text(m) + text(k) + in, rhs = text(k) + text(n) + in,
              out = text(m) + text(n) + acc;
  std::string body = "  %out = tile.dot %in0, %in1, %in2 " + std::string(attrs) + " : tensor<" +
                     lhs + ">, tensor<" + rhs + "> -> tensor<" + out + ">";
  std::mt19937 random(4);
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(wrapBody({lhs, rhs, out}, out, body), "k", *level);
    ASSERT_TRUE(kernel);
    GuardedBuffer a(m * k * sizeof(In)), b(k * n * sizeof(In)), c(m * n * sizeof(Acc)),
        y(m * n * sizeof(Acc));
    auto fill = [&](auto *values, int64_t count) {
      for (int64_t i = 0; i < count; ++i)
        values[i] = int(random() % 17) - (std::is_unsigned_v<In> ? 0 : 8);
    };
    fill(a.as<In>(), m * k);
    fill(b.as<In>(), k * n);
    fill(c.as<Acc>(), m * n);
    ASSERT_EQ(kernel->run({a.data(), b.data(), c.data(), y.data()}), 0);
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        Acc sum = c.as<Acc>()[i * n + j];
        for (int64_t p = 0; p < k; ++p)
          sum += Acc(a.as<In>()[i * k + p]) * Acc(b.as<In>()[p * n + j]);
        ASSERT_EQ(y.as<Acc>()[i * n + j], sum)
            << m << 'x' << k << 'x' << n << ' ' << in << " on " << level->name.str();
      }
  }
}

TEST(Dot, AllTypes) {
  checkDot<float, float>(6, 1, 64, "f32", "f32");
  checkDot<float, float>(3, 5, 37, "f32", "f32");
  checkDot<float, float>(1, 7, 1, "f32", "f32");
  checkDot<float, float>(13, 16, 3, "f32", "f32");
  checkDot<double, double>(4, 3, 17, "f64", "f64");
  checkDot<float, double>(4, 3, 17, "f32", "f64");
  checkDot<_Float16, float>(6, 4, 33, "f16", "f32");
  checkDot<int8_t, int32_t>(5, 8, 40, "i8", "i32");
  checkDot<uint8_t, int32_t>(5, 8, 40, "i8", "i32", "{unsigned_lhs, unsigned_rhs}");
  checkDot<int32_t, int64_t>(2, 3, 9, "i32", "i64");
}

TEST(Reduce, SumsAlongEveryDimension) {
  struct Shape {
    std::vector<int64_t> dims;
    std::vector<int64_t> reduced;
  };
  const Shape shapes[] = {{{100}, {0}},         {{1}, {0}},        {{3}, {0}},
                          {{6, 64}, {1}},       {{6, 64}, {0}},    {{5, 37}, {1}},
                          {{5, 37}, {0}},       {{5, 37}, {0, 1}}, {{2, 3, 20}, {1}},
                          {{2, 3, 20}, {0, 2}}, {{4, 1}, {0}},     {{7, 1}, {1}}};
  for (const CpuLevel *level : testedLevels())
    for (const Shape &shape : shapes) {
      std::string in, out, dims;
      int64_t count = 1, results = 1;
      std::vector<int64_t> kept;
      for (size_t i = 0; i < shape.dims.size(); ++i) {
        in += std::to_string(shape.dims[i]) + "x";
        count *= shape.dims[i];
        if (std::count(shape.reduced.begin(), shape.reduced.end(), i)) {
          dims += (dims.empty() ? "" : ", ") + std::to_string(i);
        } else {
          out += std::to_string(shape.dims[i]) + "x";
          results *= shape.dims[i];
          kept.push_back(i);
        }
      }
      std::string result = kept.empty() ? "f32" : "tensor<" + out + "f32>";
      std::string body =
          "  %r = tile.reduce %in0 dims [" + dims + "] : tensor<" + in + "f32> -> " + result + R"( {
    ^bb0(%a: f32, %b: f32):
      %c = arith.addf %a, %b : f32
      tile.yield %c : f32
  }
)";
      if (kept.empty()) {
        body += "  %out = tile.broadcast %r dims [0] : f32 -> tensor<1xf32>";
        out = "1x";
      } else {
        body += "  %z = arith.constant dense<0.0> : tensor<" + out +
                "f32>\n  %out = arith.addf %r, %z : tensor<" + out + "f32>";
      }
      auto kernel = LoadedKernel::compile(wrapBody({in + "f32"}, out + "f32", body), "k", *level);
      ASSERT_TRUE(kernel);
      std::vector<float> x(count), y(results), want(results, 0);
      for (int64_t i = 0; i < count; ++i) {
        x[i] = i % 23 - 11;
        int64_t rest = i, linear = 0, scale = 1;
        for (size_t d = shape.dims.size(); d-- > 0; rest /= shape.dims[d])
          if (std::count(kept.begin(), kept.end(), int64_t(d))) {
            linear += rest % shape.dims[d] * scale;
            scale *= shape.dims[d];
          }
        want[linear] += x[i];
      }
      ASSERT_EQ(kernel->run({x.data(), y.data()}), 0);
      EXPECT_EQ(y, want) << in << " along " << dims << " on " << level->name.str();
    }
}

TEST(Reduce, ArgMaxWithTwoOperands) {
  std::string body = R"(
  %i = tile.coord affine_map<(t, u) -> (u)> [] : tensor<3x45xi64>
  %v, %out = tile.reduce %in0, %i dims [1] : tensor<3x45xf32>, tensor<3x45xi64> -> tensor<3xf32>, tensor<3xi64> {
    ^bb0(%a: f32, %p: i64, %b: f32, %q: i64):
      %gt = arith.cmpf ogt, %b, %a : f32
      %eq = arith.cmpf oeq, %b, %a : f32
      %lt = arith.cmpi slt, %q, %p : i64
      %tie = arith.andi %eq, %lt : i1
      %take = arith.ori %gt, %tie : i1
      %w = arith.select %take, %b, %a : f32
      %r = arith.select %take, %q, %p : i64
      tile.yield %w, %r : f32, i64
  })";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(wrapBody({"3x45xf32"}, "3xi64", body), "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<float> x(135);
    std::vector<int64_t> y(3);
    for (int i = 0; i < 135; ++i)
      x[i] = (i * 31) % 40;
    kernel->run({x.data(), y.data()});
    for (int r = 0; r < 3; ++r)
      EXPECT_EQ(y[r], std::max_element(&x[r * 45], &x[r * 45] + 45) - &x[r * 45]);
  }
}

//===----------------------------------------------------------------------===//
// Shapes, gathers, memory
//===----------------------------------------------------------------------===//

TEST(Shapes, TransposeReshapeBroadcast) {
  std::string body = R"(
  %t = tile.transpose %in0 perm [2, 0, 1] : tensor<3x5x20xf32> -> tensor<20x3x5xf32>
  %r = tile.reshape %t : tensor<20x3x5xf32> -> tensor<4x75xf32>
  %b = tile.broadcast %in1 dims [1] : tensor<4xf32> -> tensor<4x75xf32>
  %out = arith.mulf %r, %b : tensor<4x75xf32>)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel =
        LoadedKernel::compile(wrapBody({"3x5x20xf32", "4xf32"}, "4x75xf32", body), "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<float> x(300), s = {1, 2, 3, 4}, y(300);
    for (int i = 0; i < 300; ++i)
      x[i] = i;
    kernel->run({x.data(), s.data(), y.data()});
    for (int i = 0; i < 300; ++i) {
      int c = i / 15, a = i % 15 / 5, b = i % 5;
      EXPECT_EQ(y[i], x[(a * 5 + b) * 20 + c] * s[i / 75]);
    }
  }
}

TEST(Shapes, TransposeOfTwoDimensions) {
  // Blocks of vectors, parts that are none, and element types of other widths.
  for (const CpuLevel *level : testedLevels())
    for (auto [rows, columns] : {std::pair(16, 16),
                                 {8, 16},
                                 {16, 8},
                                 {4, 4},
                                 {32, 16},
                                 {8, 24},
                                 {4, 40},
                                 {12, 16},
                                 {3, 16},
                                 {16, 5},
                                 {1, 8},
                                 {64, 4}})
      for (const char *type : {"f32", "i8"}) {
        std::string in = std::to_string(rows) + "x" + std::to_string(columns) + "x" + type,
                    out = std::to_string(columns) + "x" + std::to_string(rows) + "x" + type;
        std::string body =
            "%out = tile.transpose %in0 perm [1, 0] : tensor<" + in + "> -> tensor<" + out + ">";
        auto kernel = LoadedKernel::compile(wrapBody({in}, out, body), "k", *level);
        ASSERT_TRUE(kernel) << in;
        size_t bytes = type[0] == 'i' ? 1 : 4;
        std::vector<unsigned char> x(rows * columns * bytes), y(x.size());
        for (size_t i = 0; i < x.size(); ++i)
          x[i] = static_cast<unsigned char>(i * 37 + i / 251);
        kernel->run({x.data(), y.data()});
        for (int r = 0; r < rows; ++r)
          for (int c = 0; c < columns; ++c)
            ASSERT_EQ(memcmp(&x[(r * columns + c) * bytes], &y[(c * rows + r) * bytes], bytes), 0)
                << in << " at " << r << ", " << c;
      }
}

TEST(Shapes, MaskAndCoord) {
  std::string body = R"(
  %c3 = arith.constant 3 : index
  %m = tile.mask affine_set<(t, u)[n] : (t * 7 + u - n * 4 >= 0, u mod 3 == 0)> [%c3] : tensor<6x21xi1>
  %i = tile.coord affine_map<(t, u)[n] -> (t * 100 + u floordiv n)> [%c3] : tensor<6x21xi32>
  %z = arith.constant dense<-1> : tensor<6x21xi32>
  %out = arith.select %m, %i, %z : tensor<6x21xi1>, tensor<6x21xi32>)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(wrapBody({}, "6x21xi32", body), "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<int32_t> y(126);
    kernel->run({y.data()});
    for (int t = 0; t < 6; ++t)
      for (int u = 0; u < 21; ++u)
        EXPECT_EQ(y[t * 21 + u], t * 7 + u >= 12 && u % 3 == 0 ? t * 100 + u / 3 : -1);
  }
}

TEST(Gather, RowsAndElements) {
  const char *text = R"(
tile.kernel @k(%x: !tile.view<?x40xf32>, %i: !tile.view<8xINT>, %rows: !tile.view<8x40xf32>,
               %e: !tile.view<8xf32>, %s: !tile.view<?xf32>) {
  %n = tile.dim %x, 0 : !tile.view<?x40xf32>
  %idx = tile.load %i at affine_map<(t) -> (t)> [] : !tile.view<8xINT> -> tensor<8xINT>
  %all = tile.broadcast %idx dims [1] : tensor<8xINT> -> tensor<8x40xINT>
  %r = tile.load %x at affine_map<(t, u, g) -> (g, u)> [] indices (%all : tensor<8x40xINT>)
     : !tile.view<?x40xf32> -> tensor<8x40xf32>
  tile.store %r, %rows at affine_map<(t, u) -> (t, u)> [] : tensor<8x40xf32>, !tile.view<8x40xf32>
  %v = tile.load %x at affine_map<(t, g) -> (g, t * 3)> [] indices (%idx : tensor<8xINT>)
     where affine_set<(t) : (6 - t >= 0)> [] else 9.0 : f32 : !tile.view<?x40xf32> -> tensor<8xf32>
  tile.store %v, %e at affine_map<(t) -> (t)> [] : tensor<8xf32>, !tile.view<8xf32>
  tile.store %v, %s at affine_map<(t, g) -> (g)> [] indices (%idx : tensor<8xINT>)
     : tensor<8xf32>, !tile.view<?xf32>
  tile.return
}
)";
  auto check = [&]<typename Int>(const char *type, Int) {
    for (const CpuLevel *level : testedLevels()) {
      auto kernel = LoadedKernel::compile(substitute(text, {{"INT", type}}), "k", *level);
      ASSERT_TRUE(kernel);
      constexpr int64_t kRows = 50;
      GuardedBuffer x(kRows * 40 * 4), rows(8 * 40 * 4), e(32), s(kRows * 4), idx(8 * sizeof(Int));
      for (int64_t i = 0; i < kRows * 40; ++i)
        x.as<float>()[i] = i;
      const Int values[] = {49, 0, 7, 8, 33, 21, 12, 48};
      std::copy(std::begin(values), std::end(values), idx.as<Int>());
      ASSERT_EQ(
          kernel->run({x.data(), idx.data(), rows.data(), e.data(), s.data()}, {kRows, kRows}), 0);
      for (int64_t r = 0; r < 8; ++r) {
        for (int64_t c = 0; c < 40; ++c)
          EXPECT_EQ(rows.as<float>()[r * 40 + c], values[r] * 40 + c);
        float want = r < 7 ? values[r] * 40 + r * 3 : 9;
        EXPECT_EQ(e.as<float>()[r], want);
        EXPECT_EQ(s.as<float>()[values[r]], want);
      }
    }
  };
  check("i64", int64_t());
  check("i32", int32_t());
  check("i8", int8_t());
}

TEST(Memory, PanelsStridesScratchAndWindows) {
  const char *text = R"(
#panels = #tile.memory<(d0, d1) -> (d1 floordiv 32, d0, d1 mod 32)>
#strided = #tile.memory<(d0, d1) -> (d0, d1), strides = [?, 1]>
tile.kernel @k(%x: !tile.view<?x100xf32, #panels>, %y: !tile.view<?x100xf32, #strided>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = tile.dim %x, 0 : !tile.view<?x100xf32, #panels>
  %blocks = affine.apply affine_map<()[s0] -> (s0 ceildiv 4)>()[%n]
  %b, %q = tile.block_id grid [%blocks, %c1]
  %i = affine.apply affine_map<()[s0] -> (s0 * 4)>()[%b]
  %s = tile.alloc [%n] : !tile.view<100x?xf32>
  %w = tile.view %x at affine_map<(a, b) -> (b, a)> [] sizes [%n] : !tile.view<?x100xf32, #panels> -> !tile.view<100x?xf32>
  %t = tile.load %w at affine_map<(a, b)[i] -> (a, i + b)>[%i]
    where affine_set<(a, b)[i, n] : (n - i - b - 1 >= 0)>[%i, %n] else -1.0 : f32
    : !tile.view<100x?xf32> -> tensor<100x4xf32>
  tile.store %t, %s at affine_map<(a, b)[i] -> (a, i + b)>[%i]
    where affine_set<(a, b)[i, n] : (n - i - b - 1 >= 0)>[%i, %n] : tensor<100x4xf32>, !tile.view<100x?xf32>
  %u = tile.load %s at affine_map<(a, b)[i] -> (b, i + a)>[%i]
    where affine_set<(a, b)[i, n] : (n - i - a - 1 >= 0)>[%i, %n] else -2.0 : f32
    : !tile.view<100x?xf32> -> tensor<4x100xf32>
  tile.store %u, %y at affine_map<(a, b)[i] -> (i + a, b)>[%i]
    where affine_set<(a, b)[i, n] : (n - i - a - 1 >= 0)>[%i, %n] : tensor<4x100xf32>, !tile.view<?x100xf32, #strided>
  tile.return
}
)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(text, "k", *level);
    ASSERT_TRUE(kernel);
    constexpr int64_t kRows = 7, kStride = 103;
    GuardedBuffer x(4 * kRows * 32 * 4), y(((kRows - 1) * kStride + 100) * 4);
    for (int64_t i = 0; i < 4 * kRows * 32; ++i)
      x.as<float>()[i] = i;
    std::vector<int64_t> sizes = {kRows, kRows, kStride};
    sectile_abi_launch_info info = kernel->info({x.data(), y.data()}, sizes);
    EXPECT_EQ(info.blocks, 2);
    EXPECT_EQ(info.scratch_bytes, (100 * kRows * 4 + 63) / 64 * 64);
    EXPECT_EQ(info.bytes, 2 * kRows * 100 * 4);
    ASSERT_EQ(kernel->run({x.data(), y.data()}, sizes), 0);
    for (int64_t i = 0; i < kRows; ++i)
      for (int64_t j = 0; j < 100; ++j)
        ASSERT_EQ(y.as<float>()[i * kStride + j], (j / 32 * kRows + i) * 32 + j % 32)
            << i << ' ' << j << " on " << level->name.str();
  }
}

//===----------------------------------------------------------------------===//
// Control flow and checks
//===----------------------------------------------------------------------===//

TEST(Control, LoopsAndBranches) {
  std::string body = R"(
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c10 = arith.constant 10 : index
  %one = arith.constant dense<1.0> : tensor<37xf32>
  %r:2 = scf.for %i = %c1 to %c10 step %c3 iter_args(%a = %in0, %n = %c0) -> (tensor<37xf32>, index) {
    %odd = arith.cmpi eq, %i, %c1 : index
    %v = scf.if %odd -> tensor<37xf32> {
      %p = arith.addf %a, %one : tensor<37xf32>
      scf.yield %p : tensor<37xf32>
    } else {
      %p = arith.addf %a, %a : tensor<37xf32>
      scf.yield %p : tensor<37xf32>
    }
    %m = arith.addi %n, %i : index
    scf.yield %v, %m : tensor<37xf32>, index
  }
  %w:2 = scf.while (%k = %r#1, %b = %r#0) : (index, tensor<37xf32>) -> (index, tensor<37xf32>) {
    %go = arith.cmpi sgt, %k, %c10 : index
    scf.condition(%go) %k, %b : index, tensor<37xf32>
  } do {
    ^bb0(%k: index, %b: tensor<37xf32>):
    %l = arith.subi %k, %c1 : index
    %d = arith.addf %b, %one : tensor<37xf32>
    scf.yield %l, %d : index, tensor<37xf32>
  }
  %f = arith.index_cast %w#0 : index to i64
  %g = arith.sitofp %f : i64 to f32
  %h = tensor.splat %g : tensor<37xf32>
  %out = arith.addf %w#1, %h : tensor<37xf32>)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(wrapBody({"37xf32"}, "37xf32", body), "k", *level);
    ASSERT_TRUE(kernel);
    std::vector<float> x(37), y(37);
    for (int i = 0; i < 37; ++i)
      x[i] = i;
    kernel->run({x.data(), y.data()});
    for (int i = 0; i < 37; ++i)
      EXPECT_EQ(y[i], (x[i] + 1) * 4 + 2 + 10);
  }
}

TEST(Assert, RecordsTheFirstFailure) {
  const char *text = R"(
tile.kernel @k(%i: !tile.view<?xi32>, %n: index) {
  %m = tile.dim %i, 0 : !tile.view<?xi32>
  %blocks = affine.apply affine_map<()[s0] -> (s0 ceildiv 40)>()[%m]
  %b = tile.block_id grid [%blocks]
  %idx = tile.load %i at affine_map<(t)[b] -> (b * 40 + t)>[%b]
    where affine_set<(t)[b, n] : (n - b * 40 - t - 1 >= 0)>[%b, %m] else 0 : i32 : !tile.view<?xi32> -> tensor<40xi32>
  %c = arith.index_cast %n : index to i32
  %lim = tensor.splat %c : tensor<40xi32>
  %zero = arith.constant dense<0> : tensor<40xi32>
  %low = arith.cmpi sge, %idx, %zero : tensor<40xi32>
  %high = arith.cmpi slt, %idx, %lim : tensor<40xi32>
  tile.assert %low, "%0 is negative" (%idx : tensor<40xi32>) : tensor<40xi1>
  tile.assert %high, "%0 is not below %1" (%idx, %n : tensor<40xi32>, index) : tensor<40xi1>
  tile.return
}
)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(text, "k", *level);
    ASSERT_TRUE(kernel);
    ASSERT_EQ(kernel->failures, (std::vector<std::string>{"%0 is negative", "%0 is not below %1"}));
    std::vector<int32_t> idx(100, 5);
    EXPECT_EQ(kernel->run({idx.data()}, {100, 50}), 0);
    idx[87] = 51;
    idx[93] = -4;
    EXPECT_EQ(kernel->run({idx.data()}, {100, 50}), 1);
    EXPECT_EQ(kernel->values[0], -4);
    idx[45] = 60;
    EXPECT_EQ(kernel->run({idx.data()}, {100, 50}), 2);
    EXPECT_EQ(kernel->values[0], 60);
    EXPECT_EQ(kernel->values[1], 50);
    EXPECT_EQ(kernel->run({idx.data()}, {100, 61}), 1);
  }
}

TEST(Info, CountsEachBlockAsLargeAsItIs) {
  // Blocks of 4 x 3 rows and columns of tiles; those at the ends are smaller.
  const char *text = R"(
tile.kernel @k(%x: !tile.view<?x?x16xf32>, %y: !tile.view<?x?x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = tile.dim %x, 0 : !tile.view<?x?x16xf32>
  %n = tile.dim %x, 1 : !tile.view<?x?x16xf32>
  %rows = affine.apply affine_map<()[s0] -> (s0 ceildiv 4)>()[%m]
  %columns = affine.apply affine_map<()[s0] -> (s0 ceildiv 3)>()[%n]
  %i, %j = tile.block_id grid [%rows, %columns]
  %r = affine.min affine_map<()[i, m] -> (4, m - i * 4)>()[%i, %m]
  %c = affine.min affine_map<()[j, n] -> (3, n - j * 3)>()[%j, %n]
  scf.for %a = %c0 to %r step %c1 {
    scf.for %b = %c0 to %c step %c1 {
      %t = tile.load %x at affine_map<(t)[i, a, j, b] -> (i * 4 + a, j * 3 + b, t)>[%i, %a, %j, %b]
           : !tile.view<?x?x16xf32> -> tensor<16xf32>
      %s = arith.addf %t, %t : tensor<16xf32>
      tile.store %s, %y at affine_map<(t)[i, a, j, b] -> (i * 4 + a, j * 3 + b, t)>[%i, %a, %j, %b]
            : tensor<16xf32>, !tile.view<?x?x16xf32>
    }
  }
  tile.return
}
)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(text, "k", *level);
    ASSERT_TRUE(kernel);
    for (int64_t m : {0, 1, 4, 7, 10})
      for (int64_t n : {0, 1, 3, 8}) {
        std::vector<float> x(m * n * 16), y(m * n * 16);
        sectile_abi_launch_info info = kernel->info({x.data(), y.data()}, {m, n, m, n});
        EXPECT_EQ(info.operations, static_cast<decltype(info.operations)>(m * n * 16))
            << m << " x " << n;
        EXPECT_EQ(info.blocks, (m + 3) / 4 * ((n + 2) / 3));
      }
  }
}
