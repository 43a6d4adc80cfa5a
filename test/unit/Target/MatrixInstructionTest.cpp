//===- MatrixInstructionTest.cpp - fragments by the manuals -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The formulas below are those of the manuals, in their words: groupID is
// lane / 4, threadID is lane % 4 (PTX ISA, "Matrix Fragments for mma"); for AMD
// those of the Matrix Instruction Calculator.
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/MatrixInstruction.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

using namespace sectile;
using namespace sectile::target;

namespace {

using Numbers = std::vector<int64_t>;
/// Register and lane -> row and column.
using Formula = std::function<Numbers(int64_t, int64_t)>;

void expectFragment(std::string_view name, Operand operand, int64_t registers,
                    const Formula &formula) {
  const MatrixInstruction *instruction = findMatrixInstruction(name);
  ASSERT_NE(instruction, nullptr) << name;
  layout::DistributedLayout layout = fragment(*instruction, operand);
  ASSERT_EQ(layout.extent(layout::Axis::Register), registers) << name;
  for (int64_t lane = 0; lane < layout.extent(layout::Axis::Lane); ++lane)
    for (int64_t i = 0; i < registers; ++i)
      EXPECT_EQ(layout.coordinatesAt({i, lane}), formula(i, lane))
          << name << ": register " << i << " of lane " << lane;
}

TEST(MatrixInstruction, FragmentsAreWellFormed) {
  std::set<std::string_view> names;
  for (const MatrixInstruction &instruction : allMatrixInstructions()) {
    EXPECT_TRUE(names.insert(instruction.name).second) << instruction.name;
    const std::pair<std::string_view, Numbers> operands[] = {
        {instruction.layoutA, {instruction.m, instruction.k}},
        {instruction.layoutB, {instruction.k, instruction.n}},
        {instruction.layoutC, {instruction.m, instruction.n}}};
    int64_t lanes = 0;
    for (const auto &[text, shape] : operands) {
      auto layout = layout::DistributedLayout::parse(text);
      ASSERT_TRUE(layout) << instruction.name << ": " << layout.reason().text;
      EXPECT_TRUE(std::ranges::equal(layout->shape(), shape)) << instruction.name;
      EXPECT_TRUE(std::ranges::equal(layout->shape(), layout->box())) << instruction.name;
      lanes = std::max(lanes, layout->extent(layout::Axis::Lane));
      EXPECT_EQ(layout->extent(layout::Axis::Lane), lanes) << instruction.name;
    }
    EXPECT_EQ(lanes, instruction.name.starts_with("mfma") ? 64 : 32);
    EXPECT_FALSE(instruction.source.empty());
  }
}

TEST(MatrixInstruction, MmaFragments) {
  auto group = [](int64_t lane) { return lane / 4; };
  auto thread = [](int64_t lane) { return lane % 4; };
  for (const char *name : {"mma.m16n8k16.f16", "mma.m16n8k16.bf16", "mma.m16n8k16.f16.f16"}) {
    expectFragment(name, Operand::A, 8, [&](int64_t i, int64_t lane) {
      bool first = i < 2 || (i >= 4 && i < 6);
      return Numbers{group(lane) + (first ? 0 : 8), thread(lane) * 2 + (i & 1) + (i < 4 ? 0 : 8)};
    });
    expectFragment(name, Operand::B, 4, [&](int64_t i, int64_t lane) {
      return Numbers{thread(lane) * 2 + (i & 1) + (i < 2 ? 0 : 8), group(lane)};
    });
  }
  for (const MatrixInstruction &instruction : allMatrixInstructions())
    if (instruction.name.starts_with("mma.m16"))
      expectFragment(instruction.name, Operand::Accumulator, 4, [&](int64_t i, int64_t lane) {
        return Numbers{group(lane) + (i < 2 ? 0 : 8), thread(lane) * 2 + (i & 1)};
      });
  expectFragment("mma.m16n8k8.f16", Operand::A, 4, [&](int64_t i, int64_t lane) {
    return Numbers{group(lane) + (i < 2 ? 0 : 8), thread(lane) * 2 + (i & 1)};
  });
  expectFragment("mma.m16n8k8.f16", Operand::B, 2, [&](int64_t i, int64_t lane) {
    return Numbers{thread(lane) * 2 + i, group(lane)};
  });
  expectFragment("mma.m16n8k8.tf32", Operand::A, 4, [&](int64_t i, int64_t lane) {
    return Numbers{group(lane) + (i == 0 || i == 2 ? 0 : 8), thread(lane) + (i < 2 ? 0 : 4)};
  });
  expectFragment("mma.m16n8k8.tf32", Operand::B, 2, [&](int64_t i, int64_t lane) {
    return Numbers{thread(lane) + (i == 0 ? 0 : 4), group(lane)};
  });
  expectFragment("mma.m16n8k4.tf32", Operand::A, 2, [&](int64_t i, int64_t lane) {
    return Numbers{group(lane) + (i == 0 ? 0 : 8), thread(lane)};
  });
  expectFragment("mma.m8n8k4.f64", Operand::A, 1,
                 [&](int64_t, int64_t lane) { return Numbers{group(lane), thread(lane)}; });
  expectFragment("mma.m8n8k4.f64", Operand::Accumulator, 2, [&](int64_t i, int64_t lane) {
    return Numbers{group(lane), thread(lane) * 2 + i};
  });
  expectFragment("mma.m16n8k16.s8", Operand::A, 8, [&](int64_t i, int64_t lane) {
    return Numbers{group(lane) + (i < 4 ? 0 : 8), thread(lane) * 4 + (i & 3)};
  });
  expectFragment("mma.m16n8k16.s8", Operand::B, 4, [&](int64_t i, int64_t lane) {
    return Numbers{thread(lane) * 4 + i, group(lane)};
  });
  for (const char *name : {"mma.m16n8k32.s8", "mma.m16n8k32.e4m3"}) {
    expectFragment(name, Operand::A, 16, [&](int64_t i, int64_t lane) {
      bool first = i < 4 || (i >= 8 && i < 12);
      return Numbers{group(lane) + (first ? 0 : 8), thread(lane) * 4 + (i & 3) + (i < 8 ? 0 : 16)};
    });
    expectFragment(name, Operand::B, 8, [&](int64_t i, int64_t lane) {
      return Numbers{thread(lane) * 4 + (i & 3) + (i < 4 ? 0 : 16), group(lane)};
    });
  }
  expectFragment("mma.m16n8k64.s4", Operand::A, 32, [&](int64_t i, int64_t lane) {
    bool first = i < 8 || (i >= 16 && i < 24);
    return Numbers{group(lane) + (first ? 0 : 8), thread(lane) * 8 + (i & 7) + (i < 16 ? 0 : 32)};
  });
  expectFragment("mma.m16n8k64.s4", Operand::B, 16, [&](int64_t i, int64_t lane) {
    return Numbers{thread(lane) * 8 + (i & 7) + (i < 8 ? 0 : 32), group(lane)};
  });
  expectFragment("mma.m16n8k256.b1.and", Operand::A, 128, [&](int64_t i, int64_t lane) {
    bool first = i < 32 || (i >= 64 && i < 96);
    return Numbers{group(lane) + (first ? 0 : 8),
                   thread(lane) * 32 + (i & 31) + (i < 64 ? 0 : 128)};
  });
  expectFragment("mma.m16n8k256.b1.and", Operand::B, 64, [&](int64_t i, int64_t lane) {
    return Numbers{thread(lane) * 32 + (i & 31) + (i < 32 ? 0 : 128), group(lane)};
  });
}

TEST(MatrixInstruction, MfmaAndWmmaFragments) {
  for (int64_t side : {32, 16})
    for (int64_t perLane : {1, 4, 8}) {
      std::string shape = std::to_string(side) + "x" + std::to_string(side) + "x" +
                          std::to_string(64 / side * perLane);
      std::string type = perLane == 1 ? ".f32" : perLane == 4 ? ".f16" : ".s8";
      std::string name = "mfma." + shape + type;
      expectFragment(name, Operand::A, perLane, [&](int64_t i, int64_t lane) {
        return Numbers{lane % side, lane / side * perLane + i};
      });
      expectFragment(name, Operand::B, perLane, [&](int64_t i, int64_t lane) {
        return Numbers{lane / side * perLane + i, lane % side};
      });
      expectFragment(name, Operand::Accumulator, side * side / 64, [&](int64_t i, int64_t lane) {
        return Numbers{8 * (i / 4) * (side == 32) + 4 * (lane / side) + i % 4, lane % side};
      });
    }
  expectFragment("mfma.16x16x4.f64", Operand::Accumulator, 4,
                 [](int64_t i, int64_t lane) { return Numbers{4 * i + lane / 16, lane % 16}; });
  expectFragment("wmma.16x16x16.f16", Operand::A, 16,
                 [](int64_t i, int64_t lane) { return Numbers{lane % 16, i}; });
  expectFragment("wmma.16x16x16.f16", Operand::B, 16,
                 [](int64_t i, int64_t lane) { return Numbers{i, lane % 16}; });
  expectFragment("wmma.16x16x16.f16", Operand::Accumulator, 8,
                 [](int64_t i, int64_t lane) { return Numbers{2 * i + lane / 16, lane % 16}; });
}

/// An accumulator can be the next product's A without leaving its lanes only where the manual's
/// layouts allow it: the algebra finds that out.
TEST(MatrixInstruction, AccumulatorsBecomeOperandsInPlace) {
  auto movement = [](std::string_view from, std::string_view to, std::string_view tile) {
    // A row of fragments of C beside each other against one of A.
    layout::DistributedLayout c = fragment(*findMatrixInstruction(from), Operand::Accumulator);
    layout::DistributedLayout a = fragment(*findMatrixInstruction(to), Operand::A);
    layout::DistributedLayout many = *layout::DistributedLayout::parse(tile)->times(c);
    return layout::convert(many, a)->movement;
  };
  EXPECT_EQ(movement("mma.m16n8k16.f16", "mma.m16n8k16.f16", "[1, 2], register = [2:d1]"),
            layout::Movement::None);
  EXPECT_EQ(movement("mma.m16n8k32.s8", "mma.m16n8k32.s8", "[1, 4], register = [4:d1]"),
            layout::Movement::Lanes);
}

TEST(MatrixInstruction, SupportIsThatOfTheManuals) {
  auto support = [](std::string_view target, std::string_view name) {
    return getSupport(target, *findMatrixInstruction(name));
  };
  EXPECT_EQ(support("sm_80", "mma.m16n8k16.f16"), Support::Native);
  EXPECT_EQ(support("sm_80", "mma.m16n8k32.e4m3"), Support::None);
  EXPECT_EQ(support("sm_89", "mma.m16n8k32.e4m3"), Support::Native);
  EXPECT_EQ(support("sm_89", "mma.m16n8k64.s4"), Support::Native);
  EXPECT_EQ(support("sm_90a", "mma.m16n8k64.s4"), Support::Emulated);
  EXPECT_EQ(support("sm_90a", "mma.m16n8k256.b1.and"), Support::Native);
  EXPECT_EQ(support("sm_90a", "mma.m16n8k256.b1.xor"), Support::Emulated);
  EXPECT_EQ(support("gfx90a", "mfma.32x32x8.s8"), Support::Native);
  EXPECT_EQ(support("gfx942", "mfma.32x32x8.s8"), Support::None);
  EXPECT_EQ(support("gfx942", "mfma.16x16x32.e4m3fnuz"), Support::Native);
  EXPECT_EQ(support("gfx1100", "wmma.16x16x16.f16"), Support::Native);
  EXPECT_EQ(support("gfx942", "mma.m16n8k16.f16"), Support::None);
  EXPECT_EQ(support("sm_1", "mma.m16n8k16.f16"), Support::None);
  for (const MatrixInstruction &instruction : allMatrixInstructions()) {
    int native = 0;
    for (const char *target : {"sm_80", "sm_86", "sm_89", "sm_90a", "gfx90a", "gfx942", "gfx1100"})
      native += getSupport(target, instruction) == Support::Native;
    EXPECT_GT(native, 0) << instruction.name;
  }
}

} // namespace
