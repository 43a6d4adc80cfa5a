//===- GroupProductTest.cpp - products of warp groups -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products by wgmma on sm_90a: sides that lie along k, or along m and n, edges
// along all dimensions, all numbers of buffers. The emulator must find nothing,
// results lie within the interpreter's bounds, what the main loop takes of memory
// is counted, and ptxas, where it is found, must neither spill nor make products
// wait for each other.
//
//===----------------------------------------------------------------------===//

#include "Products.h"
#include "Threads.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

#include <gtest/gtest.h>

using namespace sectile::test;

namespace {

/// How a kernel multiplies.
struct Used {
  int groups = 0, warps = 0, waitsInFlight = 0;
};

Finding run(const Product &p, Used &used, ThreadOptions options = {}) {
  static uint32_t calls = 0;
  uint32_t order = ++calls % 2 ? 0 : calls;
  Reference reference = interpret(p, calls);
  if (reference.finding.kind != Finding::Good)
    return reference.finding;
  options.stages = p.stages;
  options.change = [&](mlir::ModuleOp module) {
    module.walk([&](mlir::Operation *op) {
      used.groups += mlir::isa<mlir::NVVM::WgmmaMmaAsyncOp>(op);
      used.warps += mlir::isa<mlir::NVVM::MmaOp>(op);
      if (auto wait = mlir::dyn_cast<mlir::NVVM::WgmmaWaitGroupSyncOp>(op))
        used.waitsInFlight += wait.getGroup() > 0;
    });
  };
  return runThreads(reference, "sm_90a", p.warps, p.blocks(), order, options);
}

void expectGood(const Product &p, ThreadOptions options = {}) {
  std::vector<sectile::emulator::MemoryCount> counts;
  Used used;
  options.counts = &counts;
  Finding finding = run(p, used, options);
  EXPECT_EQ(finding.kind, Finding::Good) << finding.text << "\n" << textOf(p);
  EXPECT_GT(used.groups, 0) << textOf(p);
  EXPECT_EQ(used.warps, 0) << textOf(p);
  if (p.stages > 2) {
    EXPECT_GT(used.waitsInFlight, 0);
  }
  for (const auto &count : counts)
    // Narrow copies of rows that begin anywhere leave gaps between lanes.
    if (count.op == "wgmma" || (count.op == "cp.async" && count.isShared && count.bytes == 16))
      EXPECT_EQ(count.conflicts(), 0u) << count.text() << "\n" << textOf(p);
}

TEST(GroupProducts, SidesInEveryDirection) {
  for (const char *element : {"f16", "bf16"})
    for (bool isTransposedA : {false, true})
      for (bool isTransposedB : {false, true})
        for (int64_t stages : element == std::string("f16") ? std::vector<int64_t>{1, 2, 3}
                                                            : std::vector<int64_t>{3})
          expectGood({64, 128, 192, 64, 64, 64, element, "f32", 4, stages, false, isTransposedA,
                      isTransposedB},
                     {.writesCode = element == std::string("f16")});
}

/// Edges of tiles, rows that copies take 4 or 8 bytes of at once, one iteration or fewer than there
/// are buffers.
TEST(GroupProducts, OddExtents) {
  for (auto [m, n, k] :
       {std::array<int64_t, 3>{50, 70, 34}, {65, 66, 100}, {1, 2, 2}, {130, 72, 200}})
    for (int64_t stages : {2, 4})
      for (bool isTransposed : {false, true})
        expectGood({m, n, k, 64, 64, 32, "f16", "f32", 4, stages, true, false,
                    isTransposed && k % 2 == 0});
}

TEST(GroupProducts, TilesOfManyShapes) {
  expectGood({128, 64, 64, 128, 64, 32, "f16", "f32", 4, 2});   // two parts below each other
  expectGood({128, 64, 96, 128, 64, 32, "f16", "f32", 8, 3});   // two groups
  expectGood({64, 192, 128, 64, 192, 64, "bf16", "f32", 8, 3}); // beside each other
  expectGood({64, 8, 128, 64, 8, 64, "f16", "f32", 4, 2});      // one atom of columns
  expectGood({64, 24, 80, 64, 24, 16, "f16", "f32", 4, 2});
  expectGood({64, 96, 96, 64, 96, 48, "f16", "f32", 4, 3, false, false, true});
  expectGood({256, 32, 64, 256, 32, 64, "f16", "f32", 16, 0});
}

/// A block with several tiles of rows: the next run of the loop along k copies to what products of
/// this one read last, and its sums begin anew.
TEST(GroupProducts, LoopsInLoops) {
  for (int64_t stages : {1, 2, 3, 4}) {
    const std::string text = R"(
      tile.kernel @k(%a: !tile.view<192x96xf16>, %b: !tile.view<96x64xf16>, %c: !tile.view<192x64xf32>)
          schedule #tile.schedule<v1, dims = {}, choices = {}> {
        %c0 = arith.constant 0 : index
        %c32 = arith.constant 32 : index
        %c64 = arith.constant 64 : index
        %c96 = arith.constant 96 : index
        %c192 = arith.constant 192 : index
        scf.for %i = %c0 to %c192 step %c64 {
          %zero = arith.constant dense<1.0> : tensor<64x64xf32>
          %sum = scf.for %s = %c0 to %c96 step %c32 iter_args(%acc = %zero) -> tensor<64x64xf32> {
            %x = tile.load %a at affine_map<(t0, t1)[i, s] -> (i + t0, s + t1)>[%i, %s]
                 : !tile.view<192x96xf16> -> tensor<64x32xf16>
            %y = tile.load %b at affine_map<(t0, t1)[s] -> (s + t0, t1)>[%s]
                 : !tile.view<96x64xf16> -> tensor<32x64xf16>
            %d = tile.dot %x, %y, %acc : tensor<64x32xf16>, tensor<32x64xf16> -> tensor<64x64xf32>
            scf.yield %d : tensor<64x64xf32>
          }
          tile.store %sum, %c at affine_map<(t0, t1)[i] -> (i + t0, t1)>[%i]
               : tensor<64x64xf32>, !tile.view<192x64xf32>
        }
        tile.return
      })";
    Reference reference = interpret(text, {viewOf({192, 96}, "f16"), viewOf({96, 64}, "f16")},
                                    {viewOf({192, 64}, "f32")}, 3);
    ASSERT_EQ(reference.finding.kind, Finding::Good) << reference.finding.text;
    for (int64_t warps : {4, 8}) {
      Finding finding =
          runThreads(reference, "sm_90a", warps, 1, 5, {.writesCode = true, .stages = stages});
      EXPECT_EQ(finding.kind, Finding::Good) << finding.text;
    }
  }
}

/// 8-bit elements are read along k alone: as [k, n] in memory they are multiplied from registers.
TEST(GroupProducts, BytesAlongK) {
  for (int64_t k : {64, 100})
    expectGood({64, 48, k, 64, 48, 64, "i8", "i32", 4, 3, k % 64 != 0, false, true});
  Used used;
  Product p{64, 64, 64, 64, 64, 64, "i8", "i32", 4, 2};
  Finding finding = run(p, used);
  EXPECT_EQ(finding.kind, Finding::Good) << finding.text;
  EXPECT_EQ(used.groups, 0);
  EXPECT_GT(used.warps, 0);
}

/// What the tile does not suit, or a row that cannot be copied, is multiplied by single warps.
TEST(GroupProducts, OthersGoByRegisters) {
  for (const Product &p : {Product{96, 160, 64, 96, 160, 64, "f16", "f32", 8, 2},
                           {64, 64, 64, 64, 64, 64, "f16", "f32", 2, 2},
                           {64, 65, 64, 64, 64, 32, "f16", "f32", 4, 2}}) {
    Used used;
    Finding finding = run(p, used);
    EXPECT_EQ(finding.kind, Finding::Good) << finding.text << textOf(p);
    EXPECT_EQ(used.groups, 0) << textOf(p);
    EXPECT_GT(used.warps, 0) << textOf(p);
  }
}

/// What an f16 product of whole tiles takes: every sector full, every turn of shared memory needed,
/// each element copied once, no register in memory, products under way together.
TEST(GroupProducts, TakesWhatItMust) {
  for (bool isTransposed : {false, true})
    for (auto [m, n, k] :
         {std::array<int64_t, 3>{128, 128, 32}, {64, 256, 64}, {128, 192, 64}, {128, 256, 64}}) {
      std::vector<sectile::emulator::MemoryCount> counts;
      Used used;
      Product p{m, n, 3 * k, m, n, k, "f16", "f32", 8, 0, false, false, isTransposed};
      Finding finding = run(p, used, {.writesCode = true, .counts = &counts});
      EXPECT_EQ(finding.kind, Finding::Good) << finding.text;
      EXPECT_GT(used.groups, 0);
      EXPECT_EQ(used.warps, 0);
      uint64_t copied = 0, products = 0;
      for (const auto &count : counts) {
        EXPECT_EQ(count.conflicts(), 0u) << m << " x " << n << ": " << count.text();
        EXPECT_EQ(count.sectors, count.leastSectors) << m << " x " << n << ": " << count.text();
        if (count.op == "cp.async" && !count.isShared) {
          copied += count.sectors * 32;
          EXPECT_EQ(count.bytes, 16u);
        }
        products += count.op == "wgmma";
      }
      EXPECT_EQ(copied, static_cast<uint64_t>((m + n) * 3 * k * 2));
      EXPECT_GT(products, 0u);
    }
}

} // namespace
