//===- CompareTest.cpp - results against expected values --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace sectile::tools;

namespace {

template <typename T>
Tensor make(int32_t dtype, const std::vector<T> &values) {
  Tensor tensor;
  tensor.dtype = dtype;
  tensor.dims = {static_cast<int64_t>(values.size())};
  tensor.data.resize(values.size() * sizeof(T));
  memcpy(tensor.data.data(), values.data(), tensor.data.size());
  return tensor;
}
Tensor floats(const std::vector<float> &values) { return make(SECTILE_F32, values); }

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Compare, DemandsEqualityWithoutTolerances) {
  EXPECT_TRUE(compare(floats({1, -0.0f, kNan, kInf}), floats({1, 0, kNan, kInf}), 0, 0).matches());
  Comparison result = compare(floats({1, 2, 3}), floats({1, 2, std::nextafter(3.0f, 4.0f)}), 0, 0);
  EXPECT_EQ(result.mismatches, 1);
  EXPECT_EQ(result.firstMismatch, 2);
  EXPECT_GT(result.maxAbsolute, 0);
}

TEST(Compare, AddsBothTolerances) {
  EXPECT_TRUE(compare(floats({10.5f}), floats({10}), 0.05, 0).matches());
  EXPECT_TRUE(compare(floats({10.5f}), floats({10}), 0.04, 0.1).matches());
  EXPECT_FALSE(compare(floats({10.5f}), floats({10}), 0.04, 0).matches());
  Comparison result = compare(floats({10.5f, 1}), floats({10, 0}), 1, 1);
  EXPECT_EQ(result.maxAbsolute, 1);
  EXPECT_EQ(result.maxRelative, 0.05);
}

TEST(Compare, NeverToleratesNanOrInfinity) {
  EXPECT_FALSE(compare(floats({kNan}), floats({1}), 1, 1e30).matches());
  EXPECT_FALSE(compare(floats({1}), floats({kNan}), 1, 1e30).matches());
  EXPECT_FALSE(compare(floats({1}), floats({kInf}), 1, 1e30).matches());
  EXPECT_FALSE(compare(floats({-kInf}), floats({kInf}), 1, 1e30).matches());
}

TEST(Compare, ReadsWiderReferences) {
  EXPECT_TRUE(compare(floats({0.5f}), make<double>(SECTILE_F64, {0.5}), 0, 0).matches());
  EXPECT_TRUE(compare(make<uint16_t>(SECTILE_F16, {0x3800}), floats({0.5f}), 0, 0).matches());
  EXPECT_TRUE(compare(make<uint16_t>(SECTILE_BF16, {0x3f00}), floats({0.5f}), 0, 0).matches());
  EXPECT_TRUE(compare(make<uint8_t>(SECTILE_F8E4M3FN, {0x30}), floats({0.5f}), 0, 0).matches());
  EXPECT_EQ(compare(floats({1}), make<int32_t>(SECTILE_I32, {1}), 0, 0).typeMismatch,
            "expected i32[1], but got f32[1]");
  EXPECT_FALSE(compare(floats({1}), floats({1, 2}), 0, 0).matches());
}

TEST(Compare, IsExactForLargeIntegers) {
  int64_t large = (int64_t(1) << 53) + 1;
  EXPECT_TRUE(
      compare(make<int64_t>(SECTILE_I64, {large}), make<int64_t>(SECTILE_I64, {large}), 0, 0)
          .matches());
  EXPECT_FALSE(
      compare(make<int64_t>(SECTILE_I64, {large}), make<int64_t>(SECTILE_I64, {large - 1}), 0, 0)
          .matches());
}

TEST(Compare, ParsesExpectations) {
  Result<Expectation> plain = parseExpectation("a,b.npy");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->file, "a,b.npy");
  EXPECT_EQ(plain->rtol, 0);
  Result<Expectation> both = parseExpectation("a.npy,atol=1e-6,rtol=0.5");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->file, "a.npy");
  EXPECT_EQ(both->rtol, 0.5);
  EXPECT_EQ(both->atol, 1e-6);
  for (const char *bad : {"a,rtol=", "a,rtol=-1", "a,rtol=nan", "a,rtol=1,rtol=2", "a,atol=x"})
    EXPECT_FALSE(parseExpectation(bad)) << bad;
}

TEST(Tensor, ConvertsSixteenBitFloats) {
  EXPECT_EQ(floatToHalf(1.0f), 0x3c00);
  EXPECT_EQ(floatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(halfToFloat(0x0001), 0x1p-24f);
  EXPECT_EQ(floatToBf16(1.00390625f), 0x3f80); // a tie goes to even
  EXPECT_EQ(floatToBf16(1.01171875f), 0x3f82);
  EXPECT_TRUE(std::isnan(bf16ToFloat(floatToBf16(kNan))));
  for (uint32_t bits = 0; bits < 65536; ++bits)
    if (float value = bf16ToFloat(uint16_t(bits)); value == value) {
      ASSERT_EQ(floatToBf16(value), bits);
    }
}

TEST(Tensor, FillsReproducibly) {
  Tensor a = floats(std::vector<float>(1000)), b = a, c = a;
  fillRandom(a, 1, 0);
  fillRandom(b, 1, 0);
  fillRandom(c, 1, 1);
  EXPECT_EQ(a.data, b.data);
  EXPECT_NE(a.data, c.data);
  double sum = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    double value = readElement(a, i);
    ASSERT_GT(value, -1);
    ASSERT_LT(value, 1);
    sum += value;
  }
  EXPECT_LT(std::fabs(sum), 60); // over three standard deviations
  Tensor bits = make<uint8_t>(SECTILE_BOOL, std::vector<uint8_t>(100));
  fillRandom(bits, 3, 0);
  for (int64_t i = 0; i < 100; ++i)
    ASSERT_LE(readElement(bits, i), 1);
}

TEST(Tensor, CountsWithoutOverflow) {
  EXPECT_EQ(countElements({}), 1);
  EXPECT_EQ(countElements({int64_t(1) << 62, 0, int64_t(1) << 62}), 0);
  EXPECT_FALSE(countElements({int64_t(1) << 32, int64_t(1) << 32}));
  EXPECT_FALSE(countElements({int64_t(1) << 61}));
  EXPECT_FALSE(countElements({-1, 0}));
}

} // namespace
