//===- MatrixTilingTest.cpp - tiles made of matrix instructions -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/MatrixTiling.h"

#include "sectile/Target/GpuTarget.h"

#include <gtest/gtest.h>

using namespace sectile::target;
using namespace sectile::layout;

namespace {

TEST(MatrixTiling, TheInstructionThatWastesLeast) {
  auto name = [](std::string_view target, ProductTypes types, int64_t m, int64_t n, int64_t k) {
    const MatrixInstruction *found = chooseMatrixInstruction(target, types, m, n, k);
    return found ? found->name : "none";
  };
  EXPECT_EQ(name("sm_80", {"f16", "f16", "f32"}, 64, 64, 32), "mma.m16n8k16.f16");
  EXPECT_EQ(name("sm_80", {"f16", "f16", "f32"}, 64, 64, 8), "mma.m16n8k8.f16");
  EXPECT_EQ(name("sm_80", {"s8", "s8", "s32"}, 64, 64, 48), "mma.m16n8k16.s8");
  EXPECT_EQ(name("sm_80", {"s8", "s8", "s32"}, 64, 64, 64), "mma.m16n8k32.s8");
  EXPECT_EQ(name("sm_80", {"f32", "f32", "f32"}, 64, 64, 64), "none");
  EXPECT_EQ(name("sm_80", {"e4m3", "e4m3", "f32"}, 64, 64, 64), "none");
  EXPECT_EQ(name("sm_89", {"e4m3", "e4m3", "f32"}, 64, 64, 64), "mma.m16n8k32.e4m3");
}

/// Every instruction's product of several sizes: for each place of the accumulator, the same warp
/// holds in its registers every element of both sides that it needs.
TEST(MatrixTiling, WarpsHoldWhatTheyMultiply) {
  for (const MatrixInstruction &instruction : allMatrixInstructions())
    for (int64_t warps : {1, 4})
      for (auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 1}, {48, 40, 33}}) {
        DistributedLayout accumulator = makeAccumulator(instruction, m, n, warps);
        EXPECT_EQ(accumulator.extent(Axis::Warp), warps);
        auto a = getSideLayout(instruction, Operand::A, accumulator, k);
        auto b = getSideLayout(instruction, Operand::B, accumulator, k);
        ASSERT_TRUE(a && b) << instruction.name;
        // Which warps hold an element.
        auto holders = [&](const DistributedLayout &layout, std::vector<int64_t> at) {
          std::vector<bool> held(static_cast<size_t>(warps), false);
          HardwarePlace place{};
          auto &warp = place[static_cast<size_t>(Axis::Warp)];
          for (warp = 0; warp < warps; ++warp)
            for (int64_t lane = 0; lane < layout.extent(Axis::Lane) && !held[warp]; ++lane)
              for (int64_t reg = 0; reg < layout.extent(Axis::Register); ++reg) {
                place[static_cast<size_t>(Axis::Lane)] = lane;
                place[static_cast<size_t>(Axis::Register)] = reg;
                if (layout.coordinatesAt(place) == at) {
                  held[warp] = true;
                  break;
                }
              }
          return held;
        };
        for (int64_t i : {int64_t(0), m / 2, m - 1})
          for (int64_t j : {int64_t(0), n / 2, n - 1})
            for (int64_t step : {int64_t(0), k - 1}) {
              std::vector<bool> sums = holders(accumulator, {i, j});
              std::vector<bool> left = holders(*a, {i, step}), right = holders(*b, {step, j});
              for (int64_t warp = 0; warp < warps; ++warp)
                if (sums[warp]) {
                  EXPECT_TRUE(left[warp] && right[warp]) << instruction.name;
                }
            }
      }
}

TEST(GpuTargets, LimitsAreThoseOfTheManual) {
  // CUDA C++ Programming Guide, "Technical Specifications per Compute Capability".
  // For AMD: "AMD GPU specifications" of ROCm, "User Guide for AMDGPU Backend" of LLVM.
  for (const GpuTarget &target : allGpuTargets()) {
    bool isCdna = target.name == "gfx90a" || target.name == "gfx942";
    EXPECT_EQ(target.threadsPerWarp, isCdna ? 64 : 32);
    EXPECT_LE(target.threadsPerBlock, target.warpsPerCore * target.threadsPerWarp);
    EXPECT_EQ(target.getVectorBytes(), 16);
    EXPECT_FALSE(target.source.empty());
  }
  EXPECT_EQ(findGpuTarget("sm_80")->sharedBytesPerBlock, 166912);
  EXPECT_EQ(findGpuTarget("sm_86")->sharedBytesPerBlock, 101376);
  EXPECT_EQ(findGpuTarget("sm_90a")->sharedBytesPerBlock, 232448);
  EXPECT_EQ(findGpuTarget("sm_70"), nullptr);
  for (const char *name : {"gfx90a", "gfx942", "gfx1100"}) {
    EXPECT_EQ(findGpuTarget(name)->sharedBytesPerBlock, 65536);
    EXPECT_EQ(findGpuTarget(name)->access.banks, 32);
    EXPECT_FALSE(findGpuTarget(name)->hasMatrixLoads);
  }
  EXPECT_EQ(findGpuTarget("gfx942")->registersPerCore, 131072);
  EXPECT_EQ(findGpuTarget("gfx1100")->registersPerCore, 98304);
}

} // namespace
