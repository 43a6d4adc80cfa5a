//===- TensorPbTest.cpp - ONNX TensorProto files ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TensorPb.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

using namespace sectile::tools;

namespace {

std::string varint(uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7)
    text += char(value | 0x80);
  return text + char(value);
}
std::string tag(uint64_t field, unsigned wire) { return varint(field << 3 | wire); }
std::string number(uint64_t field, uint64_t value) { return tag(field, 0) + varint(value); }
std::string bytes(uint64_t field, const std::string &content) {
  return tag(field, 2) + varint(content.size()) + content;
}
template <typename T>
std::string raw(std::initializer_list<T> values) {
  return std::string(reinterpret_cast<const char *>(values.begin()), values.size() * sizeof(T));
}
std::string packed(std::initializer_list<int64_t> values) {
  std::string text;
  for (int64_t value : values)
    text += varint(static_cast<uint64_t>(value));
  return text;
}

Result<Tensor> parse(const std::string &message) {
  return parseTensorPb(std::as_bytes(std::span(message)), "x.pb");
}

void expectElements(const Result<Tensor> &tensor, int32_t dtype,
                    const std::vector<double> &values) {
  ASSERT_TRUE(tensor) << tensor.failure().message;
  EXPECT_EQ(tensor->dtype, dtype);
  ASSERT_EQ(tensor->numElements(), static_cast<int64_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(readElement(*tensor, static_cast<int64_t>(i)), values[i]);
}

void expectRefused(const std::string &message, const std::string &part) {
  Result<Tensor> tensor = parse(message);
  ASSERT_FALSE(tensor) << part;
  EXPECT_EQ(tensor.failure().status, kRefused);
  EXPECT_NE(tensor.failure().message.find(part), std::string::npos) << tensor.failure().message;
}

enum {
  kDims = 1,
  kType = 2,
  kFloats = 4,
  kInt32s = 5,
  kInt64s = 7,
  kRaw = 9,
  kDoubles = 10,
  kUint64s = 11
};

TEST(TensorPb, ReadsRawData) {
  std::string dims = number(kDims, 1) + number(kDims, 2);
  expectElements(parse(dims + number(kType, 1) + bytes(kRaw, raw<float>({1.5, -2}))), SECTILE_F32,
                 {1.5, -2});
  expectElements(parse(dims + number(kType, 7) + bytes(kRaw, raw<int64_t>({-5, 6}))), SECTILE_I64,
                 {-5, 6});
  expectElements(parse(dims + number(kType, 16) + bytes(kRaw, raw<uint16_t>({0x3f80, 0xbf80}))),
                 SECTILE_BF16, {1, -1});
  expectElements(parse(dims + number(kType, 9) + bytes(kRaw, raw<uint8_t>({0, 7}))), SECTILE_BOOL,
                 {0, 1});
  Result<Tensor> tensor = parse(dims + number(kType, 1) + bytes(kRaw, raw<float>({1.5, -2})));
  EXPECT_EQ(tensor->dims, (std::vector<int64_t>{1, 2}));
}

TEST(TensorPb, ReadsTypedFields) {
  std::string dims = bytes(kDims, packed({2})); // packed and not are the same
  auto expect = [&](uint64_t type, const std::string &data, int32_t dtype,
                    const std::vector<double> &values) {
    expectElements(parse(data + dims + number(kType, type)), dtype, values);
  };
  expect(1, bytes(kFloats, raw<float>({1, 2})), SECTILE_F32, {1, 2});
  expect(1, tag(kFloats, 5) + raw<float>({1}) + tag(kFloats, 5) + raw<float>({2}), SECTILE_F32,
         {1, 2});
  expect(11, bytes(kDoubles, raw<double>({1, 2})), SECTILE_F64, {1, 2});
  expect(11, tag(kDoubles, 1) + raw<double>({1}) + tag(kDoubles, 1) + raw<double>({2}), SECTILE_F64,
         {1, 2});
  expect(10, bytes(kInt32s, packed({0x3c00, 0xbc00})), SECTILE_F16, {1, -1});
  expect(16, bytes(kInt32s, packed({0x3f80, 0xbf80})), SECTILE_BF16, {1, -1});
  expect(17, bytes(kInt32s, packed({0x38, 0x7e})), SECTILE_F8E4M3FN, {1, 448});
  expect(18, bytes(kInt32s, packed({0x40, 0xff})), SECTILE_F8E4M3FNUZ, {1, -240});
  expect(19, bytes(kInt32s, packed({0x3c, 0xfb})), SECTILE_F8E5M2, {1, -57344});
  expect(20, bytes(kInt32s, packed({0x40, 0x7f})), SECTILE_F8E5M2FNUZ, {1, 57344});
  // Several to a byte, the first in the low bits.
  expect(21, bytes(kInt32s, packed({0xf1})), SECTILE_U8, {1, 15});
  expect(22, bytes(kInt32s, packed({0xf7})), SECTILE_I8, {7, -1});
  expect(23, bytes(kInt32s, packed({0x92})), SECTILE_U8, {2, 9});
  expect(24, bytes(kInt32s, packed({127, 255})), SECTILE_U8, {127, 255});
  expect(25, bytes(kInt32s, packed({0x0d})), SECTILE_U8, {1, 3});
  expect(26, bytes(kInt32s, packed({0x0d})), SECTILE_I8, {1, -1});
  expect(2, bytes(kInt32s, packed({0, 255})), SECTILE_U8, {0, 255});
  expect(3, bytes(kInt32s, packed({-128, 127})), SECTILE_I8, {-128, 127});
  expect(4, bytes(kInt32s, packed({0, 65535})), SECTILE_U16, {0, 65535});
  expect(5, bytes(kInt32s, packed({-32768, 32767})), SECTILE_I16, {-32768, 32767});
  expect(6, number(kInt32s, uint64_t(-7)) + number(kInt32s, 7), SECTILE_I32, {-7, 7});
  expect(9, bytes(kInt32s, packed({0, 1})), SECTILE_BOOL, {0, 1});
  expect(7, bytes(kInt64s, packed({INT64_MIN, 3})), SECTILE_I64, {-0x1p63, 3});
  expect(12, bytes(kUint64s, packed({0, 4294967295})), SECTILE_U32, {0, 4294967295});
  expect(13, bytes(kUint64s, packed({0, -1})), SECTILE_U64, {0, 0x1p64});
}

TEST(TensorPb, ReadsScalarsEmptyTensorsAndNames) {
  expectElements(parse(number(kType, 1) + bytes(8, "name") + bytes(12, "doc") + number(99, 1) +
                       bytes(kRaw, raw<float>({3}))),
                 SECTILE_F32, {3});
  expectElements(parse(number(kDims, 0) + number(kDims, 5) + number(kType, 7)), SECTILE_I64, {});
}

TEST(TensorPb, RefusesBadMessages) {
  std::string two = number(kDims, 2);
  expectRefused("", "got ONNX data type 0");
  expectRefused(number(kType, 8), "got ONNX data type 8");
  expectRefused(number(kType, 14), "got ONNX data type 14");
  expectRefused(two + number(kType, 1) + bytes(kRaw, "1234567"),
                "holds f32[2] of 8 bytes, but has 7 bytes of data");
  expectRefused(two + number(kType, 1), "has 0 bytes of data");
  expectRefused(two + number(kType, 7) + bytes(kInt32s, packed({1, 2})), "has 0 bytes of data");
  expectRefused(number(kDims, uint64_t(-1)) + number(kType, 1), "dimensions of at least 0");
  expectRefused(number(kDims, 1ull << 40) + number(kDims, 1ull << 40) + number(kType, 1),
                "dimensions of at least 0 and a size below");
  expectRefused(bytes(kDims, std::string(65, '\1')) + number(kType, 1), "at most 64 dimensions");
  expectRefused(two + number(kType, 3) + bytes(kInt32s, packed({0, 128})),
                "out of the range of i8");
  expectRefused(two + number(kType, 12) + bytes(kUint64s, packed({0, 1ll << 32})),
                "out of the range of u32");
  expectRefused(two + number(kType, 1) + number(14, 1), "they lie in another file");
  expectRefused(two + number(kType, 1) + bytes(13, "x"), "they lie in another file");
  expectRefused(number(kType, 1) + bytes(3, ""), "expected a whole tensor");
  expectRefused(bytes(6, "text") + number(kType, 1), "expected a whole tensor");
  expectRefused(tag(kRaw, 2) + varint(1ull << 40) + "x", "malformed");
  expectRefused(tag(kRaw, 2) + varint(UINT64_MAX), "malformed");
  expectRefused(tag(kType, 0), "malformed");
  expectRefused(tag(kType, 0) + std::string(11, '\xff'), "malformed");
  expectRefused(tag(7, 3), "malformed");
  expectRefused(tag(0, 0) + varint(1), "malformed");
  expectRefused(bytes(kInt64s, "\xff"), "malformed");
  expectRefused(tag(kFloats, 5) + "abc", "malformed");
}

TEST(TensorPb, SurvivesMutations) {
  std::string good = bytes(kDims, packed({2, 3})) + number(kType, 6) +
                     bytes(kInt32s, packed({1, 2, 3, 400000, -5, 6})) + bytes(8, "name");
  ASSERT_TRUE(parse(good));
  // The same mutations each time, so that a failure can be repeated.
  std::mt19937 random(1); // NOLINT(bugprone-random-generator-seed)
  for (int round = 0; round < 200000; ++round) {
    std::string bad = good;
    for (int i = random() % 4; i >= 0; --i)
      bad[random() % bad.size()] = char(random());
    if (random() % 4 == 0)
      bad.resize(random() % bad.size());
    (void)bool(parse(bad)); // either result will do, as long as there is one
  }
}

} // namespace
