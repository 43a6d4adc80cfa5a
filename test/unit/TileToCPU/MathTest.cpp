//===- MathTest.cpp - accuracy of elementary functions ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// f32 functions are compared with the C library's f64 ones (whose own error is
// far below what is visible here), on every level of this machine. By default
// one f32 in a few thousand is tried; with SECTILE_EXHAUSTIVE=1 all 2^32.
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>

using namespace sectile;
using namespace sectile::test;

template <typename T>
static T fromBits(std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t> bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// A kernel that maps `op` over 64 elements per block.
static std::unique_ptr<LoadedKernel> compileUnary(const std::string &op, const char *type,
                                                  const CpuLevel &level) {
  std::string text = R"(
tile.kernel @k(%x: !tile.view<?xT>, %y: !tile.view<?xT>) {
  %n = tile.dim %x, 0 : !tile.view<?xT>
  %blocks = affine.apply affine_map<()[s0] -> (s0 ceildiv 64)>()[%n]
  %b = tile.block_id grid [%blocks]
  %t = tile.load %x at affine_map<(t)[b] -> (b * 64 + t)>[%b] : !tile.view<?xT> -> tensor<64xT>
  %r = OP %t : tensor<64xT>
  tile.store %r, %y at affine_map<(t)[b] -> (b * 64 + t)>[%b] : tensor<64xT>, !tile.view<?xT>
  tile.return
}
)";
  for (const auto &[key, value] :
       {std::pair<std::string, std::string>{"OP", op}, {"xT", std::string("x") + type}})
    for (size_t at = 0; (at = text.find(key, at)) != std::string::npos; at += value.size())
      text.replace(at, key.size(), value);
  return LoadedKernel::compile(text, "k", level);
}

/// Distance of `got` from `want` in units of the last place of T at `want`.
template <typename T, typename Wide>
static double ulpError(T got, Wide want) {
  if (std::isnan(want))
    return std::isnan(got) ? 0 : INFINITY;
  T rounded = static_cast<T>(want);
  if (std::isinf(got) || std::isinf(rounded)) {
    if (got == rounded)
      return 0;
    // One step beyond the largest number is infinity.
    T largest = std::numeric_limits<T>::max();
    if (std::isinf(got) && std::abs(rounded) == largest &&
        std::signbit(got) == std::signbit(rounded))
      got = std::copysign(largest, got);
    else if (std::isinf(rounded) && std::abs(got) == largest)
      return 1;
    else
      return INFINITY;
  }
  if (want == 0 && got == 0)
    return std::signbit(got) == std::signbit(static_cast<T>(want)) ? 0 : INFINITY;
  int exponent;
  std::frexp(std::abs(want), &exponent);
  constexpr int digits = std::numeric_limits<T>::digits;
  exponent = std::max(exponent, std::numeric_limits<T>::min_exponent);
  return static_cast<double>(std::abs(static_cast<Wide>(got) - want) *
                             std::ldexp(Wide(1), digits - exponent));
}

namespace {
struct Function {
  const char *op;
  double (*reference)(double);
  double bound;
};
} // namespace

static double rsqrtReference(double x) { return 1 / std::sqrt(x); }

static const Function kFunctions[] = {
    {"math.exp", std::exp, 1},     {"math.exp2", std::exp2, 1}, {"math.expm1", std::expm1, 2},
    {"math.log", std::log, 1},     {"math.log2", std::log2, 2}, {"math.log10", std::log10, 2},
    {"math.log1p", std::log1p, 2}, {"math.tanh", std::tanh, 2}, {"math.erf", std::erf, 2},
    {"math.sin", std::sin, 2},     {"math.cos", std::cos, 2},   {"math.rsqrt", rsqrtReference, 2},
};

class MathF32 : public testing::TestWithParam<Function> {};

TEST_P(MathF32, StaysWithinItsBound) {
  const Function &function = GetParam();
  bool exhaustive = getenv("SECTILE_EXHAUSTIVE") != nullptr;
  // Odd, so that all low bits occur.
  const uint64_t stride = exhaustive ? 1 : 4093;
  constexpr size_t kChunk = 1 << 16;
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = compileUnary(function.op, "f32", *level);
    ASSERT_TRUE(kernel) << function.op << " on " << level->name.str();
    GuardedBuffer x(kChunk * 4), y(kChunk * 4);
    double worst = 0;
    float worstAt = 0, worstGot = 0;
    for (uint64_t bits = 0; bits < (1ull << 32); bits += kChunk * stride) {
      for (size_t i = 0; i < kChunk; ++i)
        x.as<uint32_t>()[i] = static_cast<uint32_t>(bits + i * stride);
      ASSERT_EQ(kernel->run({x.data(), y.data()}, {kChunk, kChunk}), 0);
      for (size_t i = 0; i < kChunk; ++i) {
        float input = x.as<float>()[i], got = y.as<float>()[i];
        double error = ulpError<float>(got, function.reference(input));
        if (error > worst) {
          worst = error;
          worstAt = input;
          worstGot = got;
        }
      }
    }
    RecordProperty(level->name.str(), std::to_string(worst));
    printf("%-10s %-11s %.3f ulp, at %a\n", function.op, level->name.str().c_str(), worst, worstAt);
    EXPECT_LE(worst, function.bound)
        << function.op << " on " << level->name.str() << " at " << worstAt << " gives " << worstGot
        << ", expects " << function.reference(worstAt);
  }
}

INSTANTIATE_TEST_SUITE_P(All, MathF32, testing::ValuesIn(kFunctions),
                         [](const auto &info) { return std::string(info.param.op).substr(5); });

/// Values at which functions have no neighbours to be right by.
TEST(MathF32Special, SpecialValues) {
  const float inputs[] = {0.0f,        -0.0f,      INFINITY,     -INFINITY, NAN,     1.0f,
                          -1.0f,       0x1p-149f,  -0x1p-149f,   0x1p-126f, FLT_MAX, -FLT_MAX,
                          88.7228394f, -87.33655f, -103.972084f, 0.5f};
  for (const CpuLevel *level : testedLevels())
    for (const Function &function : kFunctions) {
      auto kernel = compileUnary(function.op, "f32", *level);
      ASSERT_TRUE(kernel);
      std::vector<float> x(256, 1.0f), y(256);
      std::copy(std::begin(inputs), std::end(inputs), x.begin());
      kernel->run({x.data(), y.data()}, {256, 256});
      for (size_t i = 0; i < std::size(inputs); ++i)
        EXPECT_LE(ulpError<float>(y[i], function.reference(x[i])), function.bound)
            << function.op << '(' << x[i] << ") = " << y[i] << " on " << level->name.str();
    }
}

namespace {
struct WideFunction {
  const char *op;
  long double (*reference)(long double);
  double bound, low, high;
};
} // namespace

static long double wideRsqrt(long double x) { return 1 / std::sqrt(x); }

TEST(MathF64, StaysWithinItsBound) {
  const WideFunction functions[] = {
      {"math.exp", std::exp, 1.5, -750, 710},   {"math.exp2", std::exp2, 1.5, -1080, 1025},
      {"math.expm1", std::expm1, 2, -40, 710},  {"math.log", std::log, 1, 0, 1e3},
      {"math.log2", std::log2, 2, 0, 1e3},      {"math.log10", std::log10, 2, 0, 1e3},
      {"math.log1p", std::log1p, 2, -1, 1e3},   {"math.tanh", std::tanh, 2, -25, 25},
      {"math.rsqrt", wideRsqrt, 2, 0, 1e3},     {"math.erf", std::erf, 2, -6, 6},
      {"math.sin", std::sin, 2, -100, 100},     {"math.cos", std::cos, 2, -100, 100},
      {"math.tan", std::tan, 4, -100, 100},     {"math.atan", std::atan, 2, -10, 10},
      {"math.asin", std::asin, 4, -1, 1},       {"math.acos", std::acos, 4, -1, 1},
      {"math.sinh", std::sinh, 4, -712, 712},   {"math.cosh", std::cosh, 4, -712, 712},
      {"math.asinh", std::asinh, 4, -1e3, 1e3}, {"math.acosh", std::acosh, 4, 1, 1e3},
      {"math.atanh", std::atanh, 4, -1, 1},
  };
  std::mt19937_64 random(7);
  for (const CpuLevel *level : testedLevels())
    for (const WideFunction &function : functions) {
      auto kernel = compileUnary(function.op, "f64", *level);
      ASSERT_TRUE(kernel) << function.op;
      constexpr size_t kCount = 1 << 18;
      std::vector<double> x(kCount), y(kCount);
      std::uniform_real_distribution<double> uniform(function.low, function.high);
      // A third over the range, a third near zero (and one), the rest any bits.
      for (size_t i = 0; i < kCount; ++i)
        x[i] = i % 3 == 0   ? uniform(random)
               : i % 3 == 1 ? std::ldexp(1 + (random() % 1024) * 0x1p-10, -int(random() % 60)) *
                                  (random() % 2 ? 1 : -1)
                            : fromBits<double>(random());
      for (size_t i = 0; i < 4096; ++i)
        x[i] = 1 + (double(i) - 2048) * 0x1p-20;
      kernel->run({x.data(), y.data()}, {kCount, kCount});
      double worst = 0, worstAt = 0;
      bool isAngle = function.low == -100;
      for (size_t i = 0; i < kCount; ++i) {
        if (isAngle && std::abs(x[i]) > 0x1p20) {
          // To an absolute bound; tan has none.
          if (function.bound < 4)
            ASSERT_NEAR(y[i], double(function.reference(x[i])), 0x1p-50) << x[i];
          continue;
        }
        double error = ulpError<double>(y[i], function.reference(x[i]));
        if (error > worst) {
          worst = error;
          worstAt = x[i];
        }
      }
      printf("%-10s f64 %-11s %.3f ulp, at %a\n", function.op, level->name.str().c_str(), worst,
             worstAt);
      EXPECT_LE(worst, function.bound) << function.op << " at " << worstAt;
    }
}

static const char *kBinary = R"(
tile.kernel @k(%x: !tile.view<?xT>, %e: !tile.view<?xT>, %y: !tile.view<?xT>) {
  %n = tile.dim %x, 0 : !tile.view<?xT>
  %blocks = affine.apply affine_map<()[s0] -> (s0 ceildiv 64)>()[%n]
  %b = tile.block_id grid [%blocks]
  %t = tile.load %x at affine_map<(t)[b] -> (b * 64 + t)>[%b] : !tile.view<?xT> -> tensor<64xT>
  %u = tile.load %e at affine_map<(t)[b] -> (b * 64 + t)>[%b] : !tile.view<?xT> -> tensor<64xT>
  %r = OP %t, %u : tensor<64xT>
  tile.store %r, %y at affine_map<(t)[b] -> (b * 64 + t)>[%b] : tensor<64xT>, !tile.view<?xT>
  tile.return
}
)";

/// Special values in all pairs, then random ones; with a negative base where the exponent is whole.
template <typename T, typename Wide>
static void checkBinary(const char *op, const char *type, Wide (*reference)(Wide, Wide),
                        double bound, double spread) {
  std::string text = kBinary;
  for (const auto &[key, value] :
       {std::pair<std::string, std::string>{"OP", op}, {"xT", std::string("x") + type}})
    for (size_t at = 0; (at = text.find(key, at)) != std::string::npos; at += value.size())
      text.replace(at, key.size(), value);
  const T special[] = {0, T(-0.0), 1,       -1,       2,        -2,        T(0.5), T(-0.5),
                       3, -3,      T(1e30), T(-1e30), INFINITY, -INFINITY, NAN,    16777216};
  constexpr size_t kSpecial = std::size(special), kCount = kSpecial * kSpecial + 64 * 4096;
  std::vector<T> x(kCount), e(kCount), y(kCount);
  std::mt19937 random(3);
  std::normal_distribution<T> normal(0, 8);
  for (size_t i = 0; i < kCount; ++i) {
    bool isSpecial = i < kSpecial * kSpecial;
    x[i] = isSpecial ? special[i / kSpecial] : std::exp2(normal(random));
    e[i] = isSpecial ? special[i % kSpecial] : normal(random) * T(spread);
    if (!isSpecial && i % 7 == 0) {
      x[i] = -x[i];
      e[i] = std::round(e[i]);
    }
  }
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(text, "k", *level);
    ASSERT_TRUE(kernel);
    kernel->run({x.data(), e.data(), y.data()}, {kCount, kCount, kCount});
    for (size_t i = 0; i < kCount; ++i)
      ASSERT_LE((ulpError<T, Wide>(y[i], reference(x[i], e[i]))), bound)
          << op << '(' << x[i] << ", " << e[i] << ") = " << y[i] << " on " << level->name.str();
  }
}

TEST(MathBinary, Pow) {
  checkBinary<float, double>("math.powf", "f32", std::pow, 1, 1);
  checkBinary<double, long double>("math.powf", "f64", std::pow, 2, 8);
}

TEST(MathBinary, Atan2) {
  checkBinary<float, double>("math.atan2", "f32", std::atan2, 1, 1);
  checkBinary<double, long double>("math.atan2", "f64", std::atan2, 4, 1);
}

TEST(MathBinary, RemainderIsExact) {
  checkBinary<float, double>("arith.remf", "f32", std::fmod, 0, 1);
  checkBinary<double, long double>("arith.remf", "f64", std::fmod, 0, 1);
}
