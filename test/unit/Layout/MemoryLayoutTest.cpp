//===- MemoryLayoutTest.cpp - laws of memory layouts ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Layout/Access.h"

#include "Random.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace sectile::layout;
using namespace sectile::layout::test;

namespace {

using Numbers = std::vector<int64_t>;

MemoryLayout parse(std::string_view text) {
  OrReason<MemoryLayout> layout = MemoryLayout::parse(text);
  EXPECT_TRUE(layout) << text << ": " << (layout ? "" : layout.reason().text);
  return *layout;
}

DistributedLayout registers(std::string_view text) { return *DistributedLayout::parse(text); }

/// Shared memory of NVIDIA GPUs since Volta: 32 banks of 4 bytes; 8 and 16 bytes per lane are
/// served by halves and quarters of a warp.
const AccessModel kModel{{{1, 32}, {2, 32}, {4, 32}, {8, 16}, {16, 8}}, 32, 4, 32};

MemoryLayout draw(Random &random) {
  int64_t bits = random.number(1, 9), address = 1;
  Numbers shape = {random.number(1, 12), random.number(1, 12)};
  struct Part {
    size_t axis;
    int64_t extent;
  };
  std::vector<Part> parts;
  for (size_t axis = 0; axis < 3; ++axis)
    for (int64_t extent : random.factors(axis < 2 ? shape[axis] : bits))
      parts.push_back({axis, extent});
  random.shuffle(parts);
  std::vector<std::vector<MemoryDigit>> digits(3);
  for (const Part &part : parts) {
    digits[part.axis].push_back({part.extent, address});
    address *= part.extent;
    if (random.chance(20))
      address += random.number(1, 40);
  }
  std::vector<Swizzle> swizzles;
  if (random.chance(50)) {
    int64_t count = random.number(1, 2), to = random.number(0, 2);
    swizzles.push_back({count, to + count + random.number(0, 2), to});
  }
  return *MemoryLayout::create(shape, bits, digits, swizzles);
}

TEST(MemoryLayout, NoTwoBitsShareAnAddress) {
  Random random(21);
  for (int round = 0; round < 1500; ++round) {
    MemoryLayout layout = draw(random);
    std::set<int64_t> seen;
    forEach(layout.map().domain(), [&](const Numbers &at) {
      int64_t address = layout.bitAddress(std::span(at).first(2), at[2]);
      ASSERT_GE(address, 0);
      ASSERT_LT(address, layout.sizeBits()) << layout.str();
      ASSERT_TRUE(seen.insert(address).second) << layout.str();
    });
  }
}

TEST(MemoryLayout, TextsAreReadAsTheyArePrinted) {
  Random random(22);
  for (int round = 0; round < 2000; ++round) {
    MemoryLayout layout = draw(random);
    EXPECT_EQ(parse(layout.str()), layout) << layout.str();
  }
  EXPECT_EQ(parse("[8] x 4, d0 = [8:4], bit = [4:1], size = 64").sizeBits(), 64);
}

TEST(MemoryLayout, OrdersOfNibblesAndPlanes) {
  MemoryLayout pairs = parse("[8] x 4, d0 = [8:4], bit = [4:1]");
  MemoryLayout halves = parse("[8] x 4, d0 = [4:8, 2:4], bit = [4:1]");
  MemoryLayout planes = parse("[8] x 4, d0 = [8:1], bit = [4:8]");
  for (int64_t i = 0; i < 8; ++i)
    for (int64_t bit = 0; bit < 4; ++bit) {
      EXPECT_EQ(pairs.bitAddress(Numbers{i}, bit), 4 * i + bit);
      EXPECT_EQ(halves.bitAddress(Numbers{i}, bit), i % 4 * 8 + i / 4 * 4 + bit);
      EXPECT_EQ(planes.bitAddress(Numbers{i}, bit), bit * 8 + i);
    }
}

TEST(MemoryLayout, RowsMayBePadded) {
  MemoryLayout layout = *MemoryLayout::rowMajor({3, 5, 7}, 16, 32);
  forEach(layout.shape(), [&](const Numbers &at) {
    EXPECT_EQ(layout.bitAddress(at), (at[0] * 5 + at[1]) * (7 * 16 + 32) + at[2] * 16);
  });
}

TEST(MemoryLayout, TheModesOfBulkCopies) {
  // PTX ISA, "Swizzling Modes": 16-byte chunks of each 128-byte row change places by the row.
  MemoryLayout layout = parse("[16, 64] x 16, d1 = [64:16], d0 = [16:1024], bit = [16:1], "
                              "swizzle = [3 of 7 at 4]");
  for (int64_t row = 0; row < 16; ++row)
    for (int64_t column = 0; column < 64; ++column)
      EXPECT_EQ(layout.bitAddress(Numbers{row, column}) / 8,
                row * 128 + ((column / 8) ^ (row % 8)) * 16 + column % 8 * 2);
}

TEST(MemoryLayout, MistakesAreNamed) {
  auto reasonFor = [](std::string_view text) {
    OrReason<MemoryLayout> layout = MemoryLayout::parse(text);
    return layout ? std::string("none") : layout.reason().text;
  };
  EXPECT_EQ(reasonFor("[4]"),
            "expects the shape and the element's bits, such as [64, 32] x 16, at ''");
  EXPECT_EQ(reasonFor("[4] x 8, d1 = [4:8]"),
            "expects a dimension, bit, swizzle or size at '= [4:8]'");
  EXPECT_EQ(reasonFor("[4] x 8, d0 = [4]"), "expects digits, such as [8:4, 2:64], at ']'");
  EXPECT_EQ(reasonFor("[4] x 8, d0 = [4:8], d0 = [4:8]"), "expects digits for each dimension once");
  EXPECT_EQ(reasonFor("[4] x 8, swizzle = [3]"), "expects swizzles, such as [3 of 7 at 4], at ']'");
  EXPECT_EQ(reasonFor("[4] x 8, size = x"), "expects the size in bits at 'x'");
  EXPECT_EQ(reasonFor("[4] x 8 d0"), "expects a comma or the end at 'd0'");
  EXPECT_EQ(reasonFor("[4] x 2000"), "expects elements of 1 to 1024 bits, but got 2000");
  EXPECT_EQ(reasonFor("[4] x 8, d0 = [4:8], bit = [8:1], size = 16"),
            "expects a size of at least 32 bits and a multiple of 8, but got 16");
  EXPECT_EQ(reasonFor("[4] x 8, d0 = [4:4], bit = [8:1]"),
            "range 0: expects a digit of stride at least 8, but got 4");
  EXPECT_EQ(reasonFor("[4] x 8, d0 = [2:8], bit = [8:1]"),
            "domain 0: expects digits for all numbers below 4, but got those below 2");
  EXPECT_EQ(reasonFor("[4] x 8, d0 = [4:8], bit = [8:1], swizzle = [2 of 1 at 0]"),
            "expects a swizzle's bits from 1 to lie above those that it changes, 0 to 1");
  EXPECT_EQ(reasonFor("[4] x 8, d0 = [4:8], bit = [8:1], swizzle = [2 of 39 at 0]"),
            "expects a swizzle of at least one bit below bit 40");
  EXPECT_EQ(reasonFor("[4] x 8, d0 = [4:0], bit = [8:1]"),
            "expects digits of at least 1 and addresses below 2^48 bits");
}

//===----------------------------------------------------------------------===//
// Counting
//===----------------------------------------------------------------------===//

TEST(Access, RowsAreCoalescedColumnsAreNot) {
  MemoryLayout memory = *MemoryLayout::rowMajor({32, 32}, 32);
  AccessCount row = *countAccess(registers("[32, 32], register = [32:d0], lane = [32:d1]"), memory,
                                 AccessKind::Load, kModel);
  EXPECT_EQ(row.laneBytes, 4);
  EXPECT_EQ(row.instructions, 32);
  EXPECT_EQ(row.sectors, 32 * 4);
  EXPECT_EQ(row.conflicts(), 0);
  // A lane holds a row: 16 bytes at once, each lane in sectors of its own.
  AccessCount column = *countAccess(registers("[32, 32], register = [32:d1], lane = [32:d0]"),
                                    memory, AccessKind::Load, kModel);
  EXPECT_EQ(column.laneBytes, 16);
  EXPECT_EQ(column.instructions, 8);
  EXPECT_EQ(column.sectors, 8 * 32);
  EXPECT_EQ(column.leastSectors, 8 * 16);
  // 8 lanes in a phase, 128 bytes apart: all in the same four banks.
  EXPECT_EQ(column.phases, 8 * 4);
  EXPECT_EQ(column.wavefronts, 8 * 4 * 8);
}

TEST(Access, PaddingAndSwizzlesRemoveTheConflictsOfATransposition) {
  DistributedLayout writer = registers("[32, 32], register = [32:d0], lane = [32:d1]");
  DistributedLayout reader = registers("[32, 32], register = [32:d1], lane = [32:d0]");
  MemoryLayout plain = *MemoryLayout::rowMajor({32, 32}, 32);
  MemoryLayout padded = *MemoryLayout::rowMajor({32, 32}, 32, 32);
  EXPECT_EQ(countAccess(writer, padded, AccessKind::Store, kModel)->conflicts(), 0);
  EXPECT_EQ(countAccess(reader, padded, AccessKind::Load, kModel)->conflicts(), 0);
  Access accesses[] = {{&writer, AccessKind::Store}, {&reader, AccessKind::Load}};
  OrReason<MemoryLayout> swizzled = chooseSwizzle(plain, accesses, kModel);
  ASSERT_TRUE(swizzled);
  EXPECT_EQ(countAccess(writer, *swizzled, AccessKind::Store, kModel)->conflicts(), 0);
  EXPECT_EQ(countAccess(reader, *swizzled, AccessKind::Load, kModel)->conflicts(), 0);
  EXPECT_EQ(countAccess(reader, *swizzled, AccessKind::Load, kModel)->laneBytes, 16);
}

TEST(Access, MatrixRowsOfSixteenBytesFindTheModeOfBulkCopies) {
  // Rows of 64 f16, written row by row; read as ldmatrix does, 8 rows of 16 bytes in a phase.
  DistributedLayout writer =
      registers("[64, 64], register = [8:d1, 16:d0*4], lane = [8:d1*8, 4:d0]");
  DistributedLayout reader =
      registers("[64, 64], register = [8:d1, 8:d1*8, 2:d0*32], lane = [32:d0]");
  Access accesses[] = {{&writer, AccessKind::Store}, {&reader, AccessKind::Load}};
  MemoryLayout plain = *MemoryLayout::rowMajor({64, 64}, 16);
  EXPECT_GT(countAccess(reader, plain, AccessKind::Load, kModel)->conflicts(), 0);
  OrReason<MemoryLayout> swizzled = chooseSwizzle(plain, accesses, kModel);
  ASSERT_TRUE(swizzled);
  ASSERT_EQ(swizzled->swizzles().size(), 1u);
  EXPECT_EQ(swizzled->swizzles()[0], (Swizzle{3, 7, 4}));
  for (const Access &access : accesses)
    EXPECT_EQ(countAccess(*access.registers, *swizzled, access.kind, kModel)->conflicts(), 0);
}

TEST(Access, CopiesWriteOnceAndReadTogether) {
  DistributedLayout copies = registers("[16], lane = [16:d0, 2:_]");
  MemoryLayout memory = *MemoryLayout::rowMajor({16}, 32);
  AccessCount load = *countAccess(copies, memory, AccessKind::Load, kModel);
  EXPECT_EQ(load.wavefronts, 1); // Lanes that read one word share it.
  EXPECT_EQ(load.sectors, 2);
  DistributedLayout warps = registers("[32], lane = [32:d0], warp = [4:_]");
  MemoryLayout wide = *MemoryLayout::rowMajor({32}, 32);
  EXPECT_EQ(countAccess(warps, wide, AccessKind::Load, kModel)->instructions, 4);
  EXPECT_EQ(countAccess(warps, wide, AccessKind::Store, kModel)->instructions, 1);
}

/// LDS of CDNA serves loads of 16 bytes to lanes 0 to 3 and 20 to 23 first.
TEST(Access, LoadsComeInAnOrderOfTheirOwn) {
  AccessModel model = kModel;
  model.phases.back().loadOrder = {0, 1, 2,  3,  20, 21, 22, 23, 4,  5,  6,  7,  16, 17, 18, 19,
                                   8, 9, 10, 11, 28, 29, 30, 31, 12, 13, 14, 15, 24, 25, 26, 27};
  // Rows of 16 bytes, eight to a turn of the banks, as they come: no conflict in either order.
  DistributedLayout plain = registers("[64, 4], register = [4:d1], lane = [64:d0]");
  MemoryLayout memory = *MemoryLayout::rowMajor({64, 4}, 32);
  for (AccessKind kind : {AccessKind::Load, AccessKind::Store}) {
    AccessCount count = *countAccess(plain, memory, kind, model);
    EXPECT_EQ(count.phases, 8);
    EXPECT_EQ(count.conflicts(), 0);
  }
  // Lanes 4 to 7 hold rows 8 to 11, in the banks of rows 0 to 3; lanes 20 to 23 rows 12 to 15.
  DistributedLayout crossed =
      registers("[64, 4], register = [4:d1], lane = [4:d0, 2:d0*8, 2:d0*16, 2:d0*4, 2:d0*32]");
  EXPECT_EQ(countAccess(crossed, memory, AccessKind::Load, model)->conflicts(), 0);
  EXPECT_EQ(countAccess(crossed, memory, AccessKind::Store, model)->conflicts(), 8);
  EXPECT_EQ(countAccess(crossed, memory, AccessKind::Load, kModel)->conflicts(), 8);
}

/// A swizzle of bytes within an element would take away its alignment, whatever it saves.
TEST(Access, SwizzlesMoveWholeElements) {
  DistributedLayout writer = registers("[5, 2], lane = [2:d1, 8:d0, 4:_], warp = [2:_]");
  DistributedLayout reader =
      registers("[5, 2], register = [2:d1], lane = [16:_, 4:d0], warp = [2:d0*4]");
  AccessModel model = kModel;
  model.phases.back().loadOrder = {0, 1, 2,  3,  20, 21, 22, 23, 4,  5,  6,  7,  16, 17, 18, 19,
                                   8, 9, 10, 11, 28, 29, 30, 31, 12, 13, 14, 15, 24, 25, 26, 27};
  for (int64_t bits : {8, 16, 32, 64}) {
    MemoryLayout memory = *MemoryLayout::rowMajor({5, 2}, bits);
    Access accesses[] = {{&writer, AccessKind::Store}, {&reader, AccessKind::Load}};
    OrReason<MemoryLayout> swizzled = chooseSwizzle(memory, accesses, model);
    ASSERT_TRUE(swizzled);
    for (const Swizzle &swizzle : swizzled->swizzles())
      EXPECT_GE(int64_t(8) << swizzle.to, bits);
  }
}

TEST(Access, InvalidPlacesTakeNoPart) {
  DistributedLayout layout = registers("[20], register = [2:d0], lane = [32:d0*2]");
  MemoryLayout memory = *MemoryLayout::rowMajor({20}, 32);
  AccessCount count = *countAccess(layout, memory, AccessKind::Load, kModel);
  EXPECT_EQ(count.laneBytes, 8);
  EXPECT_EQ(count.phases, 1); // The second half of the warp has nothing to do.
  EXPECT_EQ(count.sectors, 3);
  // An odd end leaves half a pair: single elements then.
  DistributedLayout odd = registers("[19], register = [2:d0], lane = [32:d0*2]");
  MemoryLayout shorter = *MemoryLayout::rowMajor({19}, 32);
  EXPECT_EQ(countAccess(odd, shorter, AccessKind::Load, kModel)->laneBytes, 4);
}

/// The same figures, counted lane by lane from the definitions.
TEST(Access, CountsAreThoseOfAPlainEnumeration) {
  Random random(23);
  for (int round = 0; round < 400; ++round) {
    std::string swizzle = random.chance(50) ? ", swizzle = [2 of 6 at 3]" : "";
    std::string order =
        random.chance(50) ? "d1 = [32:32], d0 = [16:1024]" : "d0 = [16:32], d1 = [32:512]";
    MemoryLayout memory = parse("[16, 32] x 32, " + order + ", bit = [32:1]" + swizzle);
    std::vector<TileDigit> digits;
    for (unsigned dim = 0; dim < 2; ++dim)
      for (int64_t stride = 1; stride < (dim ? 32 : 16); stride *= 2)
        digits.push_back({2, Place{dim, stride}});
    random.shuffle(digits);
    std::array<std::vector<TileDigit>, kNumAxes> axes;
    axes[0].assign(digits.begin(), digits.begin() + 3);
    axes[1].assign(digits.begin() + 3, digits.begin() + 8);
    axes[2].assign(digits.begin() + 8, digits.end());
    DistributedLayout layout = *DistributedLayout::create({16, 32}, axes);
    AccessCount count = *countAccess(layout, memory, AccessKind::Load, kModel);

    int64_t elements = count.laneBytes / 4, wavefronts = 0, sectors = 0;
    int64_t lanesPerPhase = elements == 1 ? 32 : elements == 2 ? 16 : 8;
    for (int64_t warp = 0; warp < 2; ++warp)
      for (int64_t reg = 0; reg < 8; reg += elements) {
        std::set<int64_t> touched;
        for (int64_t phase = 0; phase < 32 / lanesPerPhase; ++phase) {
          std::map<int64_t, std::set<int64_t>> wordsOfBank;
          for (int64_t lane = 0; lane < lanesPerPhase; ++lane)
            for (int64_t i = 0; i < elements; ++i) {
              auto at = layout.coordinatesAt({reg + i, phase * lanesPerPhase + lane, warp});
              int64_t word = memory.bitAddress(*at) / 32;
              wordsOfBank[word % 32].insert(word);
              touched.insert(word / 8);
            }
          size_t most = 0;
          for (const auto &[bank, words] : wordsOfBank)
            most = std::max(most, words.size());
          wavefronts += static_cast<int64_t>(most);
        }
        sectors += static_cast<int64_t>(touched.size());
      }
    EXPECT_EQ(count.wavefronts, wavefronts);
    EXPECT_EQ(count.sectors, sectors);
    EXPECT_EQ(count.instructions, 2 * 8 / elements);
  }
}

TEST(Access, WhatCannotBeCountedIsNamed) {
  DistributedLayout layout = registers("[8], lane = [8:d0]");
  auto reasonFor = [&](const MemoryLayout &memory) {
    return countAccess(layout, memory, AccessKind::Load, kModel).reason().text;
  };
  EXPECT_EQ(reasonFor(*MemoryLayout::rowMajor({8}, 4)),
            "expects elements of whole bytes, each in one piece");
  EXPECT_EQ(reasonFor(*MemoryLayout::rowMajor({8}, 256)),
            "expects elements of at most 16 bytes, but got 32");
  EXPECT_EQ(reasonFor(*MemoryLayout::rowMajor({9}, 32)), "expects layouts of one shape");
}

} // namespace
