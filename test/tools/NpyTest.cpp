//===- NpyTest.cpp - NumPy array files --------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

using namespace sectile::tools;

namespace {

std::string header(const std::string &dictionary, int version = 1) {
  std::string text = std::string("\x93NUMPY", 6) + char(version) + '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i)
    text += char((dictionary.size() >> (8 * i)) & 0xff);
  return text + dictionary;
}

class Npy : public testing::Test {
protected:
  /// Reads `content` as a file, which lies in memory: there are thousands.
  Result<Tensor> read(const std::string &content) {
    int file = memfd_create("npy", 0);
    EXPECT_EQ(write(file, content.data(), content.size()), ssize_t(content.size()));
    Result<Tensor> tensor = readNpy("/proc/self/fd/" + std::to_string(file));
    close(file);
    return tensor;
  }
  void expectRefused(const std::string &content, const std::string &part) {
    Result<Tensor> tensor = read(content);
    ASSERT_FALSE(tensor);
    EXPECT_EQ(tensor.failure().status, kRefused);
    EXPECT_NE(tensor.failure().message.find(part), std::string::npos) << tensor.failure().message;
  }
};

TEST_F(Npy, ReadsWhatItWrites) {
  for (int32_t dtype = SECTILE_F32; dtype <= SECTILE_BOOL; ++dtype)
    for (const std::vector<int64_t> &dims :
         {std::vector<int64_t>{}, {3}, {2, 3}, {0}, {4, 0, 2}, {1, 1, 1, 1, 1, 1, 1, 1, 5}}) {
      Tensor tensor;
      tensor.dtype = dtype;
      tensor.dims = dims;
      tensor.data.resize(*countBytes(dtype, dims));
      fillRandom(tensor, 1, 0);
      Tensor stored = npyForm(tensor);
      std::string text = npyHeader(stored);
      EXPECT_EQ(text.size() % 64, 0u);
      EXPECT_EQ(text.back(), '\n');
      text.append(reinterpret_cast<const char *>(stored.data.data()), stored.data.size());
      Result<Tensor> back = read(text);
      ASSERT_TRUE(back) << back.failure().message;
      EXPECT_EQ(back->dtype, stored.dtype);
      EXPECT_EQ(back->dims, dims);
      EXPECT_EQ(back->data, stored.data);
    }
}

TEST_F(Npy, WidensBfloat16) {
  Tensor tensor;
  tensor.dtype = SECTILE_BF16;
  tensor.dims = {1};
  tensor.data = {std::byte(0x80), std::byte(0x3f)};
  Tensor wide = npyForm(tensor);
  EXPECT_EQ(wide.dtype, SECTILE_F32);
  EXPECT_EQ(readElement(wide, 0), 1.0);
  Result<Tensor> raw =
      read(header("{'descr': '<V2', 'fortran_order': False, 'shape': (1,)}") + "\x80\x3f");
  ASSERT_TRUE(raw);
  EXPECT_EQ(raw->dtype, SECTILE_BF16);
}

TEST_F(Npy, WidensSmallFloats) {
  Tensor tensor;
  tensor.dtype = SECTILE_F8E5M2;
  tensor.dims = {2};
  tensor.data = {std::byte(0x3c), std::byte(0xc1)};
  Tensor wide = npyForm(tensor);
  EXPECT_EQ(wide.dtype, SECTILE_F32);
  EXPECT_EQ(readElement(wide, 0), 1.0);
  EXPECT_EQ(readElement(wide, 1), -2.5);
  // ml_dtypes 0.5 writes float8_e5m2 as f1, the others as V1.
  for (auto [code, dtype] :
       {std::pair("<f1", SECTILE_F8E5M2), std::pair("<V1", SECTILE_F8E4M3FN)}) {
    Result<Tensor> raw = read(
        header(std::string("{'descr': '") + code + "', 'fortran_order': False, 'shape': (1,)}") +
        "\x38");
    ASSERT_TRUE(raw);
    EXPECT_EQ(raw->dtype, dtype);
  }
}

TEST_F(Npy, ReadsOtherOrders) {
  std::string shape = "'shape': (2, 3), }";
  std::string data(24, '\0');
  for (int i = 0; i < 6; ++i)
    data[i * 4 + 3] = char(i); // big endian
  Result<Tensor> rows = read(header("{'descr': '>i4', 'fortran_order': False, " + shape) + data);
  ASSERT_TRUE(rows) << rows.failure().message;
  Result<Tensor> columns =
      read(header("{\"fortran_order\": True, 'descr': '>i4', " + shape, 2) + data);
  ASSERT_TRUE(columns) << columns.failure().message;
  double expected[] = {0, 2, 4, 1, 3, 5};
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(readElement(*rows, i), i);
    EXPECT_EQ(readElement(*columns, i), expected[i]);
  }
}

TEST_F(Npy, RefusesBadFiles) {
  std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  std::string data(8, '\0');
  ASSERT_TRUE(read(header(good) + data));
  expectRefused("", "is not a .npy file");
  expectRefused("PK\3\4 something else", "is not a .npy file");
  expectRefused(header(good, 9) + data, "has .npy version 9, expected 1 to 3");
  expectRefused(header(good).substr(0, 30), "is truncated");
  expectRefused(header(good) + data.substr(1), "holds f32[2], but has 7 bytes of data");
  expectRefused(header(good) + data + "x", "but has 9 bytes of data");
  expectRefused(std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12), "has a header of 4294967295");
  auto expectBadHeader = [&](const std::string &dictionary, const std::string &part) {
    expectRefused(header(dictionary) + data, part);
  };
  expectBadHeader("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
                  "has dtype '|O', expected numbers or booleans");
  expectBadHeader("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", "has dtype '<c8'");
  expectBadHeader("{'descr': '', 'fortran_order': False, 'shape': (1,)}", "has dtype ''");
  expectBadHeader("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
                  "expected a plain dtype");
  expectBadHeader("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "True or False");
  expectBadHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", "tuple of sizes");
  expectBadHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
                  "tuple of sizes");
  expectBadHeader("{'descr': '<f4', 'fortran_order': False}", "once each");
  expectBadHeader("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False}", "once each");
  expectBadHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", "once each");
  expectBadHeader("", "expected a dictionary");
  expectBadHeader("{'descr': '<f4", "expected a plain dtype");
  expectBadHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
                  "but has 8 bytes");
}

TEST_F(Npy, SurvivesMutations) {
  std::string good =
      header("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }") + std::string(24, 'x');
  // The same mutations each time, so that a failure can be repeated.
  std::mt19937 random(1); // NOLINT(bugprone-random-generator-seed)
  for (int round = 0; round < 3000; ++round) {
    std::string bad = good;
    for (int i = random() % 4; i >= 0; --i)
      bad[random() % bad.size()] = char(random());
    if (random() % 4 == 0)
      bad.resize(random() % bad.size());
    (void)bool(read(bad)); // either result will do, as long as there is one
  }
}

} // namespace
