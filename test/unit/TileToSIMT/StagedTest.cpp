//===- StagedTest.cpp - operands in shared memory, pipelined ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products whose operands are copied asynchronously, of every type, with edges
// along all dimensions and all numbers of buffers: the emulator must find
// nothing, results lie within the interpreter's bounds, and what the main loop
// takes of memory is counted.
//
//===----------------------------------------------------------------------===//

#include "Products.h"
#include "Threads.h"

#include <gtest/gtest.h>

using namespace sectile::test;

namespace {

Finding run(const Product &p, ThreadOptions options = {}) {
  static uint32_t calls = 0;
  uint32_t order = ++calls % 2 ? 0 : calls;
  Reference reference = interpret(p, calls);
  if (reference.finding.kind != Finding::Good)
    return reference.finding;
  options.stages = p.stages;
  return runThreads(reference, "sm_80", p.warps, p.blocks(), order, options);
}

void expectGood(const Product &p) {
  std::vector<sectile::emulator::MemoryCount> counts;
  Finding finding = run(p, {.counts = &counts});
  EXPECT_EQ(finding.kind, Finding::Good) << finding.text << "\n" << textOf(p);
  // Not by registers instead.
  bool copies = false;
  for (const auto &count : counts)
    copies |= count.op == "cp.async";
  EXPECT_TRUE(copies) << textOf(p);
}

TEST(Staged, ProductsOfEveryType) {
  for (const auto &[element, sum] : {std::pair<std::string, std::string>{"f16", "f32"},
                                     {"bf16", "f32"},
                                     {"f32", "f32"},
                                     {"f64", "f64"},
                                     {"i8", "i32"}})
    for (int64_t stages : {0, 1, 3})
      expectGood({40, 72, 88, 32, 64, 32, element, sum, 4, stages});
}

/// Extents along which only 4 or 8 bytes are neighbours, edges within those, one iteration or fewer
/// than there are buffers.
TEST(Staged, OddExtents) {
  for (auto [m, n, k] : {std::array<int64_t, 3>{50, 70, 34}, {33, 66, 100}, {1, 2, 2}})
    for (int64_t stages : {2, 3}) {
      expectGood({m, n, k, 48, 64, 32, "f16", "f32", 4, stages});
      expectGood({m, n, k, 32, 32, 16, "f32", "f32", 2, stages});
    }
  for (int64_t k : {4, 12, 36, 100})
    expectGood({48, 20, k, 32, 16, 32, "i8", "i32", 2, 3});
}

TEST(Staged, TilesOfAnyShape) {
  expectGood({96, 160, 96, 96, 160, 32, "f16", "f32", 8, 3});
  expectGood({48, 80, 48, 48, 80, 48, "bf16", "f32", 4, 2});
  expectGood({30, 40, 40, 24, 40, 20, "f16", "f32", 2, 2});
  for (int64_t warps : {1, 2, 8, 16})
    expectGood({64, 64, 64, 64, 64, 16, "f32", "f32", warps, 2});
}

/// Memory that is needed one after the other is the same memory: what one thread reads of the first
/// tile another one overwrites with the third.
TEST(Staged, MemoryInTurns) {
  for (int64_t warps : {1, 4}) {
    std::string text = "tile.kernel @k(%x: !tile.view<4x96xf32>, %y: !tile.view<4x96xf32>) {\n";
    for (int i = 0; i < 4; ++i) {
      std::string n = std::to_string(i), type = i % 2 ? "f32" : "f64";
      text += "%m" + n + " = tile.alloc [] : !tile.view<96x" + type + ">\n%t" + n +
              " = tile.load %x at affine_map<(t) -> (" + n +
              ", t)>[] : !tile.view<4x96xf32> -> tensor<96xf32>\n";
      std::string value = "%t" + n;
      if (i % 2 == 0) {
        text += "%w" + n + " = arith.extf %t" + n + " : tensor<96xf32> to tensor<96xf64>\n";
        value = "%w" + n;
      }
      text += "tile.store " + value + ", %m" + n + " at affine_map<(t) -> (t)>[] : tensor<96x" +
              type + ">, !tile.view<96x" + type + ">\n%u" + n + " = tile.load %m" + n +
              " at affine_map<(t) -> (-t + 95)>[] : !tile.view<96x" + type + "> -> tensor<96x" +
              type + ">\n";
      value = "%u" + n;
      if (i % 2 == 0) {
        text += "%v" + n + " = arith.truncf %u" + n + " : tensor<96xf64> to tensor<96xf32>\n";
        value = "%v" + n;
      }
      text += "tile.store " + value + ", %y at affine_map<(t) -> (" + n +
              ", t)>[] : tensor<96xf32>, !tile.view<4x96xf32>\n";
    }
    Reference reference =
        interpret(text + "tile.return\n}", {viewOf({4, 96}, "f32")}, {viewOf({4, 96}, "f32")}, 1);
    ASSERT_EQ(reference.finding.kind, Finding::Good) << reference.finding.text;
    Finding finding = runThreads(reference, "sm_80", warps, 1, 9);
    EXPECT_EQ(finding.kind, Finding::Good) << finding.text;
  }
}

/// A block with several tiles of rows: the next run of the loop along k copies to what masked
/// copies of this one may still write.
TEST(Staged, LoopsInLoops) {
  for (int64_t stages : {1, 2, 3, 4}) {
    const std::string text = R"(
      tile.kernel @k(%a: !tile.view<48x48xf16>, %b: !tile.view<48x32xf16>, %c: !tile.view<48x32xf32>)
          schedule #tile.schedule<v1, dims = {}, choices = {}> {
        %c0 = arith.constant 0 : index
        %c16 = arith.constant 16 : index
        %c48 = arith.constant 48 : index
        scf.for %i = %c0 to %c48 step %c16 {
          %zero = arith.constant dense<0.0> : tensor<16x32xf32>
          %sum = scf.for %s = %c0 to %c48 step %c16 iter_args(%acc = %zero) -> tensor<16x32xf32> {
            %x = tile.load %a at affine_map<(t0, t1)[i, s] -> (i + t0, s + t1)>[%i, %s]
                 : !tile.view<48x48xf16> -> tensor<16x16xf16>
            %y = tile.load %b at affine_map<(t0, t1)[s] -> (s + t0, t1)>[%s]
                 : !tile.view<48x32xf16> -> tensor<16x32xf16>
            %d = tile.dot %x, %y, %acc : tensor<16x16xf16>, tensor<16x32xf16> -> tensor<16x32xf32>
            scf.yield %d : tensor<16x32xf32>
          }
          tile.store %sum, %c at affine_map<(t0, t1)[i] -> (i + t0, t1)>[%i]
               : tensor<16x32xf32>, !tile.view<48x32xf32>
        }
        tile.return
      })";
    Reference reference = interpret(text, {viewOf({48, 48}, "f16"), viewOf({48, 32}, "f16")},
                                    {viewOf({48, 32}, "f32")}, 3);
    ASSERT_EQ(reference.finding.kind, Finding::Good) << reference.finding.text;
    Finding finding = runThreads(reference, "sm_80", 2, 1, 5, {.stages = stages});
    EXPECT_EQ(finding.kind, Finding::Good) << finding.text;
  }
}

/// What an f16 product of whole tiles takes: every sector full, every turn of shared memory needed,
/// and no register in memory.
TEST(Staged, TakesWhatItMust) {
  for (auto [m, n, k] :
       {std::array<int64_t, 3>{128, 128, 32}, {64, 256, 64}, {96, 160, 64}, {128, 192, 64}}) {
    std::vector<sectile::emulator::MemoryCount> counts;
    Product p{m, n, 3 * k, m, n, k, "f16", "f32", 0, 0, false};
    Finding finding = run(p, {.writesCode = true, .counts = &counts});
    EXPECT_EQ(finding.kind, Finding::Good) << finding.text;
    uint64_t copied = 0, matrices = 0;
    for (const auto &count : counts) {
      EXPECT_EQ(count.conflicts(), 0u) << m << " x " << n << ": " << count.text();
      EXPECT_EQ(count.sectors, count.leastSectors) << m << " x " << n << ": " << count.text();
      if (count.op == "cp.async" && !count.isShared)
        copied += count.sectors * 32;
      matrices += count.op == "ldmatrix";
    }
    // Each element comes once.
    EXPECT_EQ(copied, static_cast<uint64_t>((m + n) * 3 * k * 2));
    EXPECT_GT(matrices, 0u);
  }
}

} // namespace
