//===- TransferTest.cpp - loads and stores of every form --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every form of access is compared with the definition of tile.load, element by
// element, at odd extents and under masks. Buffers end at a page that may not be
// touched, and what surrounds them is checked to be as it was.
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include <gtest/gtest.h>

#include <random>

using namespace sectile;
using namespace sectile::test;

/// "3x5x" for {3, 5}.
static std::string shapeText(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t extent : shape)
    text += std::to_string(extent) + "x";
  return text;
}

/// Bytes that tell elements apart; booleans are 0 or 1.
static void fillRandom(GuardedBuffer &buffer, bool isBool, std::mt19937 &random) {
  for (size_t i = 0; i < buffer.size(); ++i)
    buffer.as<uint8_t>()[i] = isBool ? random() % 2 : random() % 120;
}

namespace {
/// One access: view extents, tile extents and, as text for the kernel and as functions for the
/// reference, the map and the mask.
struct Case {
  const char *name;
  std::vector<int64_t> view, tile;
  std::string map, mask;
  std::vector<int64_t> (*place)(const std::vector<int64_t> &t);
  bool (*valid)(const std::vector<int64_t> &t);
};
using Coords = std::vector<int64_t>;
} // namespace

static bool always(const Coords &) { return true; }

static const Case kCases[] = {
    {"Vector", {100}, {100}, "(t) -> (t)", "", [](const Coords &t) { return t; }, always},
    {"One",
     {5},
     {1},
     "(t) -> (t + 4)",
     "",
     [](const Coords &t) { return Coords{t[0] + 4}; },
     always},
    {"Tail",
     {100},
     {128},
     "(t) -> (t)",
     "(t) : (99 - t >= 0)",
     [](const Coords &t) { return t; },
     [](const Coords &t) { return t[0] < 100; }},
    {"ShortTail",
     {3},
     {16},
     "(t) -> (t)",
     "(t) : (2 - t >= 0)",
     [](const Coords &t) { return t; },
     [](const Coords &t) { return t[0] < 3; }},
    {"Window",
     {50},
     {64},
     "(t) -> (t - 7)",
     "(t) : (t - 7 >= 0, 56 - t >= 0)",
     [](const Coords &t) { return Coords{t[0] - 7}; },
     [](const Coords &t) { return t[0] >= 7 && t[0] < 57; }},
    {"Rows",
     {7, 33},
     {5, 33},
     "(t, u) -> (t + 2, u)",
     "",
     [](const Coords &t) { return Coords{t[0] + 2, t[1]}; },
     always},
    {"RowsMasked",
     {7, 33},
     {6, 48},
     "(t, u) -> (t + 3, u)",
     "(t, u) : (3 - t >= 0, 32 - u >= 0)",
     [](const Coords &t) { return Coords{t[0] + 3, t[1]}; },
     [](const Coords &t) { return t[0] < 4 && t[1] < 33; }},
    {"Column",
     {9, 6},
     {9, 1},
     "(t, u) -> (t, u + 5)",
     "",
     [](const Coords &t) { return Coords{t[0], t[1] + 5}; },
     always},
    {"ColumnMasked",
     {9, 6},
     {12, 1},
     "(t, u) -> (t, u + 5)",
     "(t, u) : (8 - t >= 0)",
     [](const Coords &t) { return Coords{t[0], t[1] + 5}; },
     [](const Coords &t) { return t[0] < 9; }},
    {"Transposed",
     {20, 11},
     {11, 20},
     "(t, u) -> (u, t)",
     "",
     [](const Coords &t) { return Coords{t[1], t[0]}; },
     always},
    {"TransposedMasked",
     {20, 11},
     {4, 32},
     "(t, u) -> (u, t)",
     "(t, u) : (19 - u >= 0)",
     [](const Coords &t) { return Coords{t[1], t[0]}; },
     [](const Coords &t) { return t[1] < 20; }},
    {"Stride2",
     {70},
     {35},
     "(t) -> (2 * t)",
     "",
     [](const Coords &t) { return Coords{2 * t[0]}; },
     always},
    {"Stride3Masked",
     {70},
     {32},
     "(t) -> (3 * t + 1)",
     "(t) : (22 - t >= 0)",
     [](const Coords &t) { return Coords{3 * t[0] + 1}; },
     [](const Coords &t) { return t[0] < 23; }},
    {"Reversed",
     {40},
     {40},
     "(t) -> (39 - t)",
     "",
     [](const Coords &t) { return Coords{39 - t[0]}; },
     always},
    {"ReversedMasked",
     {40},
     {48},
     "(t) -> (39 - t)",
     "(t) : (39 - t >= 0)",
     [](const Coords &t) { return Coords{39 - t[0]}; },
     [](const Coords &t) { return t[0] < 40; }},
    {"Diagonal",
     {12, 12},
     {12},
     "(t) -> (t, t)",
     "",
     [](const Coords &t) { return Coords{t[0], t[0]}; },
     always},
    {"Reshaped",
     {6, 10},
     {60},
     "(t) -> (t floordiv 10, t mod 10)",
     "",
     [](const Coords &t) { return Coords{t[0] / 10, t[0] % 10}; },
     always},
    {"ReshapedMasked",
     {6, 10},
     {64},
     "(t) -> (t floordiv 10, t mod 10)",
     "(t) : (59 - t >= 0)",
     [](const Coords &t) { return Coords{t[0] / 10, t[0] % 10}; },
     [](const Coords &t) { return t[0] < 60; }},
    {"Even",
     {33},
     {33},
     "(t) -> (t)",
     "(t) : (t mod 2 == 0)",
     [](const Coords &t) { return t; },
     [](const Coords &t) { return t[0] % 2 == 0; }},
    {"Equal",
     {33},
     {33},
     "(t) -> (t)",
     "(t) : (t - 20 == 0)",
     [](const Coords &t) { return t; },
     [](const Coords &t) { return t[0] == 20; }},
    {"Nothing",
     {33},
     {16},
     "(t) -> (t)",
     "(t) : (-1 - t >= 0)",
     [](const Coords &t) { return t; },
     [](const Coords &) { return false; }},
    {"Cube",
     {3, 4, 21},
     {2, 3, 20},
     "(t, u, v) -> (t + 1, u, v + 1)",
     "",
     [](const Coords &t) { return Coords{t[0] + 1, t[1], t[2] + 1}; },
     always},
};

/// Cases whose places may repeat are loads only.
static const Case kLoadOnly[] = {
    {"BroadcastRow",
     {17},
     {4, 17},
     "(t, u) -> (u)",
     "",
     [](const Coords &t) { return Coords{t[1]}; },
     always},
    {"BroadcastColumn",
     {5},
     {5, 37},
     "(t, u) -> (t)",
     "",
     [](const Coords &t) { return Coords{t[0]}; },
     always},
    {"BroadcastColumnMasked",
     {5},
     {8, 37},
     "(t, u) -> (t)",
     "(t, u) : (4 - t >= 0, u - 3 >= 0)",
     [](const Coords &t) { return Coords{t[0]}; },
     [](const Coords &t) { return t[0] < 5 && t[1] >= 3; }},
    {"Upsampled",
     {20},
     {40},
     "(t) -> (t floordiv 2)",
     "",
     [](const Coords &t) { return Coords{t[0] / 2}; },
     always},
    {"Periodic",
     {7},
     {40},
     "(t) -> (t mod 7)",
     "",
     [](const Coords &t) { return Coords{t[0] % 7}; },
     always},
};

static int64_t product(const Coords &shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

static Coords unravel(int64_t linear, const Coords &shape) {
  Coords coords(shape.size());
  for (size_t i = shape.size(); i-- > 0; linear /= shape[i])
    coords[i] = linear % shape[i];
  return coords;
}

static int64_t ravel(const Coords &coords, const Coords &shape) {
  int64_t linear = 0;
  for (size_t i = 0; i < shape.size(); ++i)
    linear = linear * shape[i] + coords[i];
  return linear;
}

namespace {
struct ElementType {
  const char *name;
  int64_t bytes;
  const char *fill;
  std::vector<uint8_t> fillBytes;
};
// Of a table the rows that are read count, of a small one no more than it holds.
TEST(Gather, CountsWhatItReads) {
  const char *text = R"(
tile.kernel @k(%table: !tile.view<?x16xf32>, %rows: !tile.view<12xi64>, %y: !tile.view<12x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  %b = tile.block_id grid [%c3]
  scf.for %i = %c0 to %c4 step %c1 {
    %r = tile.load %rows at affine_map<()[b, i] -> (b * 4 + i)>[%b, %i] : !tile.view<12xi64> -> i64
    %row = arith.index_cast %r : i64 to index
    %t = tile.load %table at affine_map<(t)[r] -> (r, t)>[%row] : !tile.view<?x16xf32> -> tensor<16xf32>
    tile.store %t, %y at affine_map<(t)[b, i] -> (b * 4 + i, t)>[%b, %i] : tensor<16xf32>, !tile.view<12x16xf32>
  }
  tile.return
}
)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(text, "k", *level);
    ASSERT_TRUE(kernel);
    constexpr int64_t kOthers = 12 * 8 + 12 * 16 * 4, kRow = 16 * 4;
    for (int64_t rows : {5, 12, 100000}) {
      sectile_abi_launch_info info = kernel->info({nullptr, nullptr, nullptr}, {rows});
      EXPECT_EQ(info.bytes, kOthers + std::min<int64_t>(rows, 12) * kRow);
      EXPECT_EQ(info.blocks, 3);
    }
  }
}

} // namespace

static const ElementType kTypes[] = {
    {"f32", 4, "1.0 : f32", {0, 0, 0x80, 0x3f}},
    {"f64", 8, "1.0 : f64", {0, 0, 0, 0, 0, 0, 0xf0, 0x3f}},
    {"f16", 2, "1.0 : f16", {0, 0x3c}},
    {"bf16", 2, "1.0 : bf16", {0x80, 0x3f}},
    {"i8", 1, "-3 : i8", {0xfd}},
    {"i16", 2, "-3 : i16", {0xfd, 0xff}},
    {"i32", 4, "-3 : i32", {0xfd, 0xff, 0xff, 0xff}},
    {"i64", 8, "-3 : i64", {0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
    {"i1", 1, "true", {1}},
};

class Transfers : public testing::TestWithParam<const ElementType *> {};

static void checkLoad(const Case &c, const ElementType &type, const CpuLevel &level) {
  std::string text = substitute(
      R"(
tile.kernel @k(%x: !tile.view<VIEWTYPE>, %y: !tile.view<TILETYPE>) {
  %t = tile.load %x at affine_map<MAP> [] MASK : !tile.view<VIEWTYPE> -> tensor<TILETYPE>
  tile.store %t, %y at affine_map<IDENTITY> [] : tensor<TILETYPE>, !tile.view<TILETYPE>
  tile.return
}
)",
      {{"VIEW", shapeText(c.view)},
       {"TILE", shapeText(c.tile)},
       {"MASK", c.mask.empty() ? "" : "where affine_set<" + c.mask + "> [] else " + type.fill},
       {"MAP", c.map},
       {"IDENTITY", c.tile.size() == 1   ? "(a) -> (a)"
                    : c.tile.size() == 2 ? "(a, b) -> (a, b)"
                                         : "(a, b, c) -> (a, b, c)"},
       {"TYPE", type.name}});
  auto kernel = LoadedKernel::compile(text, "k", level);
  ASSERT_TRUE(kernel) << c.name << ' ' << type.name << ' ' << level.name.str();
  std::mt19937 random(1);
  GuardedBuffer x(product(c.view) * type.bytes), y(product(c.tile) * type.bytes);
  fillRandom(x, type.name == std::string("i1"), random);
  ASSERT_EQ(kernel->run({x.data(), y.data()}), 0);
  for (int64_t i = 0; i < product(c.tile); ++i) {
    Coords t = unravel(i, c.tile);
    const uint8_t *want = c.valid(t) ? x.as<uint8_t>() + ravel(c.place(t), c.view) * type.bytes
                                     : type.fillBytes.data();
    ASSERT_EQ(std::memcmp(want, y.as<uint8_t>() + i * type.bytes, type.bytes), 0)
        << c.name << " of " << type.name << " on " << level.name.str() << ", element " << i;
  }
}

static void checkStore(const Case &c, const ElementType &type, const CpuLevel &level) {
  std::string text = substitute(
      R"(
tile.kernel @k(%x: !tile.view<TILETYPE>, %y: !tile.view<VIEWTYPE>) {
  %t = tile.load %x at affine_map<IDENTITY> [] : !tile.view<TILETYPE> -> tensor<TILETYPE>
  tile.store %t, %y at affine_map<MAP> [] MASK : tensor<TILETYPE>, !tile.view<VIEWTYPE>
  tile.return
}
)",
      {{"VIEW", shapeText(c.view)},
       {"TILE", shapeText(c.tile)},
       {"MASK", c.mask.empty() ? "" : "where affine_set<" + c.mask + "> []"},
       {"MAP", c.map},
       {"IDENTITY", c.tile.size() == 1   ? "(a) -> (a)"
                    : c.tile.size() == 2 ? "(a, b) -> (a, b)"
                                         : "(a, b, c) -> (a, b, c)"},
       {"TYPE", type.name}});
  auto kernel = LoadedKernel::compile(text, "k", level);
  ASSERT_TRUE(kernel) << c.name << ' ' << type.name << ' ' << level.name.str();
  std::mt19937 random(2);
  GuardedBuffer x(product(c.tile) * type.bytes), y(product(c.view) * type.bytes);
  bool isBool = type.name == std::string("i1");
  fillRandom(x, isBool, random);
  fillRandom(y, isBool, random);
  std::vector<uint8_t> want(y.as<uint8_t>(), y.as<uint8_t>() + y.size());
  for (int64_t i = 0; i < product(c.tile); ++i) {
    Coords t = unravel(i, c.tile);
    if (c.valid(t))
      std::memcpy(want.data() + ravel(c.place(t), c.view) * type.bytes,
                  x.as<uint8_t>() + i * type.bytes, type.bytes);
  }
  ASSERT_EQ(kernel->run({x.data(), y.data()}), 0);
  for (size_t i = 0; i < want.size(); ++i)
    ASSERT_EQ(want[i], y.as<uint8_t>()[i])
        << c.name << " of " << type.name << " on " << level.name.str() << ", byte " << i;
}

TEST_P(Transfers, LoadsAgreeWithTheDefinition) {
  for (const CpuLevel *level : testedLevels()) {
    for (const Case &c : kCases)
      checkLoad(c, *GetParam(), *level);
    for (const Case &c : kLoadOnly)
      checkLoad(c, *GetParam(), *level);
  }
}

TEST_P(Transfers, StoresAgreeWithTheDefinition) {
  for (const CpuLevel *level : testedLevels())
    for (const Case &c : kCases)
      checkStore(c, *GetParam(), *level);
}

static std::vector<const ElementType *> allTypes() {
  std::vector<const ElementType *> types;
  for (const ElementType &type : kTypes)
    types.push_back(&type);
  return types;
}

INSTANTIATE_TEST_SUITE_P(All, Transfers, testing::ValuesIn(allTypes()),
                         [](const auto &info) { return std::string(info.param->name); });

TEST(Prefetch, ReadsNothing) {
  // Rows far behind the page that may not be touched.
  const char *text = R"(
tile.kernel @k(%x: !tile.view<4x40xf32>, %y: !tile.view<4x40xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.for %i = %c0 to %c4 step %c1 {
    tile.prefetch [1, 40] of %x at affine_map<(t0, t1)[i] -> (t0 + i + 1000, t1)>[%i]
         : !tile.view<4x40xf32>
    %t = tile.load %x at affine_map<(t)[i] -> (i, t)>[%i] : !tile.view<4x40xf32> -> tensor<40xf32>
    tile.store %t, %y at affine_map<(t)[i] -> (i, t)>[%i] : tensor<40xf32>, !tile.view<4x40xf32>
  }
  tile.return
}
)";
  for (const CpuLevel *level : testedLevels()) {
    auto kernel = LoadedKernel::compile(text, "k", *level);
    ASSERT_TRUE(kernel);
    GuardedBuffer x(4 * 40 * 4), y(4 * 40 * 4);
    for (int i = 0; i < 160; ++i)
      x.as<float>()[i] = i;
    ASSERT_EQ(kernel->run({x.data(), y.data()}), 0);
    EXPECT_EQ(std::memcmp(x.data(), y.data(), x.size()), 0);
    // Three lines of 64 bytes hold 40 elements.
    size_t count = 0;
    for (size_t at = 0; (at = kernel->assembly.find("prefetcht0", at)) != std::string::npos; ++at)
      ++count;
    EXPECT_EQ(count % 3, 0u);
    EXPECT_GT(count, 0u);
  }
}
