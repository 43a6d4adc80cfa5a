//===- GroupInstructionTest.cpp - wgmma by the manual -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions": formulas of the
// register fragments, the bits of a descriptor, and the layouts of shared memory,
// which are here as the figures have them: atoms of 8 rows of 16-byte pieces.
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/GroupInstruction.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace sectile::target;
using namespace sectile::layout;

namespace {

using Numbers = std::vector<int64_t>;

TEST(GroupInstruction, FragmentsAreThoseOfTheManual) {
  std::map<std::string_view, int64_t> shapes;
  std::set<std::string_view> names;
  for (const MatrixInstruction &instruction : allGroupInstructions()) {
    EXPECT_TRUE(names.insert(instruction.name).second) << instruction.name;
    EXPECT_EQ(findMatrixInstruction(instruction.name), &instruction);
    EXPECT_EQ(instruction.m, 64);
    EXPECT_EQ(instruction.k * getElementBits(instruction), 256) << instruction.name;
    ++shapes[instruction.name.substr(instruction.name.find('.', 7))];
    for (const char *target : {"sm_80", "sm_89", "gfx942", "sm_90a"})
      EXPECT_EQ(getSupport(target, instruction),
                target == std::string("sm_90a") ? Support::Native : Support::None);
    // d_i: row 16 (warp % 4) + groupID, + 8 for i with bit 1; column 8 (i / 4) + 2 threadID + bit
    // 0.
    DistributedLayout sums = fragment(instruction, Operand::Accumulator);
    ASSERT_EQ(sums.extent(Axis::Register), instruction.n / 2);
    DistributedLayout a = fragment(instruction, Operand::A);
    int64_t perRegister = 32 / getElementBits(instruction);
    ASSERT_EQ(a.extent(Axis::Register), 4 * perRegister);
    for (int64_t warp = 0; warp < 4; ++warp)
      for (int64_t lane = 0; lane < 32; ++lane) {
        int64_t group = lane / 4, thread = lane % 4;
        for (int64_t i = 0; i < instruction.n / 2; ++i)
          ASSERT_EQ(
              sums.coordinatesAt({i, lane, warp}),
              (Numbers{16 * warp + group + (i & 2 ? 8 : 0), i / 4 * 8 + thread * 2 + (i & 1)}));
        // a_i: four registers, rows as d's; the last two are 16 bytes further along k.
        for (int64_t i = 0; i < 4 * perRegister; ++i) {
          int64_t reg = i / perRegister;
          ASSERT_EQ(a.coordinatesAt({i, lane, warp}),
                    (Numbers{16 * warp + group + (reg & 1 ? 8 : 0),
                             reg / 2 * 4 * perRegister + thread * perRegister + i % perRegister}));
        }
      }
  }
  // Table "Matrix shape": all multiples of 8, of integers 8, 16, 24, 32 and then multiples of 16.
  EXPECT_EQ(shapes[".f16"], 32);
  EXPECT_EQ(shapes[".e4m3.e5m2"], 32);
  EXPECT_EQ(shapes[".s8"], 18);
  EXPECT_EQ(findMatrixInstruction("wgmma.m64n40k32.s8"), nullptr);
}

TEST(GroupInstruction, DescriptorsHaveTheManualsBits) {
  // "Matrix Descriptor Format": bits 16-29 leading, 32-45 stride, each (x & 0x3FFFF) >> 4, and
  // 62-63 the mode: 1, 2 and 3 for 128, 64 and 32 bytes.
  EXPECT_EQ((MatrixDescriptor{true, 128, 0, 1024}.encode()), uint64_t(64) << 32 | uint64_t(1)
                                                                                      << 62);
  EXPECT_EQ((MatrixDescriptor{true, 64, 0, 512}.encode()), uint64_t(32) << 32 | uint64_t(2) << 62);
  EXPECT_EQ((MatrixDescriptor{false, 32, 2048, 256}.encode()),
            uint64_t(128) << 16 | uint64_t(16) << 32 | uint64_t(3) << 62);
  EXPECT_EQ((MatrixDescriptor{true, 16, 128, 256}.encode()), uint64_t(8) << 16 | uint64_t(16)
                                                                                     << 32);
}

/// Byte of the element at `along` of row `across` of the figure's atoms: rows of `rowBytes`, those
/// of all atoms below each other first.
int64_t byteOf(int64_t along, int64_t across, int64_t rows, int64_t rowBytes, int64_t bytes) {
  int64_t piece = along * bytes % rowBytes / 16, inPiece = along * bytes % 16;
  int64_t line = across % 8 * rowBytes / 128; // of 128 bytes in the atom
  int64_t moved = piece ^ (line % (rowBytes / 16));
  return along * bytes / rowBytes * rows * rowBytes + across * rowBytes + moved * 16 + inPiece;
}

TEST(GroupInstruction, PlacementsAreThoseOfTheFigures) {
  for (const char *name : {"wgmma.m64n64k16.f16", "wgmma.m64n32k8.tf32", "wgmma.m64n128k32.s8",
                           "wgmma.m64n96k16.bf16", "wgmma.m64n8k16.f16", "wgmma.m64n256k16.f16"})
    for (Operand side : {Operand::A, Operand::B})
      for (bool isKMajor : {true, false})
        for (int64_t steps : {1, 2, 4, 6}) {
          const MatrixInstruction &instruction = *findMatrixInstruction(name);
          int64_t bytes = getElementBits(instruction) / 8, k = steps * instruction.k;
          int64_t places = 2 * (side == Operand::A ? 64 : instruction.n);
          bool isLeft = side == Operand::A;
          auto memory = placeSide(instruction, side,
                                  isLeft ? Numbers{places, k} : Numbers{k, places}, isKMajor);
          if (!isKMajor && bytes != 2) {
            EXPECT_FALSE(memory);
            continue;
          }
          ASSERT_TRUE(memory) << name << memory.reason().text;
          // The widest rows of 16 bytes times a power of two that a part is made of.
          int64_t unit = (isKMajor ? k : isLeft ? 64 : instruction.n) * bytes;
          int64_t rowBytes = std::min<int64_t>(128, unit & -unit);
          for (int64_t place = 0; place < places; place += 3)
            for (int64_t step = 0; step < k; ++step) {
              Numbers at = isLeft ? Numbers{place, step} : Numbers{step, place};
              ASSERT_EQ(memory->bitAddress(at) / 8,
                        isKMajor ? byteOf(step, place, places, rowBytes, bytes)
                                 : byteOf(place, step, k, rowBytes, bytes))
                  << name << " " << memory->str();
            }
          // Every part can be said.
          for (int64_t first : {int64_t(0), places / 2})
            for (int64_t step = 0; step < k; step += instruction.k) {
              Numbers origin = isLeft ? Numbers{first, step} : Numbers{step, first};
              auto window = describe(instruction, side, *memory, origin);
              ASSERT_TRUE(window) << name << " " << memory->str() << ": " << window.reason().text;
              EXPECT_EQ(window->descriptor.isKMajor, isKMajor);
              EXPECT_EQ(window->descriptor.rowBytes, rowBytes);
            }
        }
}

TEST(GroupInstruction, OtherPlacementsAreNotSaid) {
  const MatrixInstruction &instruction = *findMatrixInstruction("wgmma.m64n64k16.f16");
  Numbers origin{0, 0};
  auto expectNone = [&](const MemoryLayout &memory) {
    EXPECT_FALSE(describe(instruction, Operand::A, memory, origin)) << memory.str();
  };
  MemoryLayout rows = *MemoryLayout::rowMajor({64, 64}, 16);
  expectNone(rows);                                       // of 128 bytes without a swizzle
  expectNone(*MemoryLayout::rowMajor({64, 64}, 16, 128)); // with gaps
  for (Swizzle swizzle : {Swizzle{2, 7, 4}, Swizzle{3, 8, 4}, Swizzle{3, 7, 3}, Swizzle{1, 7, 4}})
    expectNone(*rows.withSwizzles({swizzle}));
  MemoryLayout swizzled = *rows.withSwizzles({{3, 7, 4}});
  EXPECT_TRUE(describe(instruction, Operand::A, swizzled, origin));
  // A part that begins within an atom, or that is not whole.
  MemoryLayout longer = *MemoryLayout::rowMajor({128, 64}, 16)->withSwizzles({{3, 7, 4}});
  EXPECT_FALSE(describe(instruction, Operand::A, longer, Numbers{4, 0}));
  EXPECT_TRUE(describe(instruction, Operand::A, longer, Numbers{8, 16}));
  EXPECT_FALSE(describe(instruction, Operand::A, longer, Numbers{8, 56}));
  EXPECT_FALSE(describe(instruction, Operand::A, longer, Numbers{72, 0}));
  // The second of two buffers.
  auto buffers = MemoryLayout::create(
      {2, 64, 64}, 16, {{{2, 64 * 64 * 16}}, {{64, 1024}}, {{64, 16}}, {{16, 1}}}, {{3, 7, 4}});
  auto window = describe(instruction, Operand::A, *buffers, Numbers{1, 0, 16});
  ASSERT_TRUE(window);
  EXPECT_EQ(window->offset, 64 * 128 + 32);
}

TEST(GroupInstruction, GroupsShareAProduct) {
  auto choose = [](int64_t m, int64_t n, int64_t k, int64_t warps) {
    auto tiling = chooseGroupInstruction("sm_90a", {"f16", "f16", "f32"}, m, n, k, warps);
    return tiling
               ? std::string(tiling->instruction->name) + " " + std::to_string(tiling->groupsAlongN)
               : "none";
  };
  EXPECT_EQ(choose(128, 128, 32, 8), "wgmma.m64n128k16.f16 1");
  EXPECT_EQ(choose(64, 256, 64, 8), "wgmma.m64n128k16.f16 2");
  EXPECT_EQ(choose(128, 192, 64, 8), "wgmma.m64n192k16.f16 1");
  EXPECT_EQ(choose(128, 256, 64, 8), "wgmma.m64n256k16.f16 1");
  EXPECT_EQ(choose(64, 320, 16, 4), "wgmma.m64n160k16.f16 1");
  EXPECT_EQ(choose(64, 8, 16, 4), "wgmma.m64n8k16.f16 1");
  EXPECT_EQ(choose(96, 160, 64, 8), "none"); // half a group's rows
  EXPECT_EQ(choose(64, 64, 40, 4), "none");  // and of k
  EXPECT_EQ(choose(64, 64, 64, 2), "none");  // no whole group
  EXPECT_EQ(choose(64, 20, 64, 4), "none");
  EXPECT_FALSE(chooseGroupInstruction("sm_89", {"f16", "f16", "f32"}, 64, 64, 64, 4));
}

/// Each group of four warps holds rows and columns of one instruction, and what a warp would
/// multiply from registers is what it holds.
TEST(GroupInstruction, AccumulatorsAreMadeOfFragments) {
  for (auto [m, n, warps] : {std::array<int64_t, 3>{128, 128, 8},
                             {64, 256, 8},
                             {256, 48, 16},
                             {64, 512, 4},
                             {192, 64, 4}}) {
    auto tiling = chooseGroupInstruction("sm_90a", {"f16", "f16", "f32"}, m, n, 64, warps);
    ASSERT_TRUE(tiling);
    DistributedLayout sums = makeGroupAccumulator(*tiling, m, n, warps);
    EXPECT_EQ(sums.extent(Axis::Warp), warps);
    EXPECT_EQ(sums.copies(), 1);
    auto grid = sums.dividedBy(fragment(*tiling->instruction, Operand::Accumulator));
    ASSERT_TRUE(grid) << sums.str();
    EXPECT_EQ(grid->extent(Axis::Warp), warps / 4);
    const MatrixInstruction *other = findWarpInstruction("sm_90a", *tiling->instruction);
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(other->name, "mma.m16n8k16.f16");
    EXPECT_TRUE(getSideLayout(*other, Operand::A, sums, 64));
    EXPECT_FALSE(getSideLayout(*tiling->instruction, Operand::A, sums, 64));
  }
}

} // namespace
