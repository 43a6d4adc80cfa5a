//===- ThreadsTest.cpp - kernels written by hand, as threads ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What random programs rarely are: tiles of many registers, products through a
// loop over k, rows of several widths, results over inputs. Each is held against
// the interpreter's bounds by the emulator, which must find nothing.
//
//===----------------------------------------------------------------------===//

#include "Threads.h"

#include "KernelHarness.h"

#include <gtest/gtest.h>

using namespace sectile::test;

namespace {

ProgramView view(std::vector<int64_t> shape, std::string element) {
  std::vector<bool> isDynamic(shape.size(), false);
  return {std::move(shape), std::move(isDynamic), std::move(element)};
}
ProgramView dynamic(std::vector<int64_t> shape, std::string element) {
  ProgramView result = view(std::move(shape), std::move(element));
  result.isDynamic.assign(result.shape.size(), true);
  return result;
}
std::string str(int64_t number) { return std::to_string(number); }

/// On NVIDIA's device and on AMD's: on each of these, or in turn.
void expectSame(const std::string &text, const std::vector<ProgramView> &inputs,
                const std::vector<ProgramView> &outputs, int64_t warps, int64_t blocks = 1,
                bool isEverywhere = false) {
  // Lanes run in ascending order, or in any.
  static uint32_t calls = 0;
  uint32_t order = ++calls % 2 ? 0 : calls;
  Reference reference = interpret(text, inputs, outputs, calls);
  ASSERT_EQ(reference.finding.kind, Finding::Good) << reference.finding.text << text;
  std::vector<const char *> devices = {"sm_80", "gfx942", "gfx90a", "gfx1100"};
  if (!isEverywhere)
    devices = {devices[0], devices[1 + calls % 3]};
  for (const char *device : devices) {
    Finding finding = runThreads(reference, device, warps, blocks, order);
    EXPECT_EQ(finding.kind, Finding::Good) << device << ": " << finding.text << "\n" << text;
  }
}

/// A softmax of rows: a maximum, a sum, and what is made of both.
TEST(Threads, RowsOfAnyWidth) {
  for (int64_t width : {1, 7, 33, 48, 96, 200})
    for (int64_t warps : {1, 4}) {
      std::string tile = "tensor<3x" + str(width) + "xf32>";
      std::string text = substitute(R"(
        tile.kernel @k(%x: !tile.view<?x?xf32>, %y: !tile.view<6xWIDTHxf32>) {
          %c2 = arith.constant 2 : index
          %b = tile.block_id grid [%c2]
          %t = tile.load %x at affine_map<(t0, t1)[b] -> (b * 3 + t0, t1)>[%b] : !tile.view<?x?xf32> -> TILE
          %m = tile.reduce %t dims [1] : TILE -> tensor<3xf32> {
          ^bb0(%p: f32, %q: f32):
            %r = arith.maximumf %p, %q : f32
            tile.yield %r : f32
          }
          %mb = tile.broadcast %m dims [1] : tensor<3xf32> -> TILE
          %d = arith.subf %t, %mb : TILE
          %e = math.exp %d : TILE
          %s = tile.reduce %e dims [1] : TILE -> tensor<3xf32> {
          ^bb0(%p: f32, %q: f32):
            %r = arith.addf %p, %q : f32
            tile.yield %r : f32
          }
          %sb = tile.broadcast %s dims [1] : tensor<3xf32> -> TILE
          %o = arith.divf %e, %sb : TILE
          tile.store %o, %y at affine_map<(t0, t1)[b] -> (b * 3 + t0, t1)>[%b] : TILE, !tile.view<6xWIDTHxf32>
          tile.return
        })",
                                    {{"TILE", tile}, {"WIDTH", str(width)}});
      expectSame(text, {dynamic({6, width}, "f32")}, {view({6, width}, "f32")}, warps, 2);
    }
}

/// [m, k] x [k, n] with k in steps and masked edges, of every type that products have.
std::string product(int64_t m, int64_t n, int64_t k, const std::string &element,
                    const std::string &sum, const std::string &attributes = "") {
  std::string zero = sum[0] == 'f' ? "0.0" : "0";
  std::string fill = (element[0] == 'f' || element[0] == 'b' ? "0.0" : "0");
  return substitute(
      R"(
    tile.kernel @k(%a: !tile.view<?x?xELEM>, %b: !tile.view<?x?xELEM>, %c: !tile.view<Mx#NxSUM>) {
      %c0 = arith.constant 0 : index
      %c16 = arith.constant 16 : index
      %m = tile.dim %a, 0 : !tile.view<?x?xELEM>
      %n = tile.dim %b, 1 : !tile.view<?x?xELEM>
      %k = tile.dim %a, 1 : !tile.view<?x?xELEM>
      %gm = affine.apply affine_map<()[s0] -> (s0 ceildiv 48)>()[%m]
      %gn = affine.apply affine_map<()[s0] -> (s0 ceildiv 64)>()[%n]
      %i, %j = tile.block_id grid [%gm, %gn]
      %zero = arith.constant dense<ZERO> : tensor<48x64xSUM>
      %sum = scf.for %s = %c0 to %k step %c16 iter_args(%acc = %zero) -> tensor<48x64xSUM> {
        %x = tile.load %a at affine_map<(t0, t1)[i, s] -> (i * 48 + t0, s + t1)>[%i, %s]
             where affine_set<(t0, t1)[i, s, m, k] : (m - i * 48 - t0 - 1 >= 0, k - s - t1 - 1 >= 0)>[%i, %s, %m, %k]
             else FILL : ELEM : !tile.view<?x?xELEM> -> tensor<48x16xELEM>
        %y = tile.load %b at affine_map<(t0, t1)[j, s] -> (s + t0, j * 64 + t1)>[%j, %s]
             where affine_set<(t0, t1)[j, s, n, k] : (n - j * 64 - t1 - 1 >= 0, k - s - t0 - 1 >= 0)>[%j, %s, %n, %k]
             else FILL : ELEM : !tile.view<?x?xELEM> -> tensor<16x64xELEM>
        %d = tile.dot %x, %y, %acc ATTRS : tensor<48x16xELEM>, tensor<16x64xELEM> -> tensor<48x64xSUM>
        scf.yield %d : tensor<48x64xSUM>
      }
      tile.store %sum, %c at affine_map<(t0, t1)[i, j] -> (i * 48 + t0, j * 64 + t1)>[%i, %j]
           where affine_set<(t0, t1)[i, j, m, n] : (m - i * 48 - t0 - 1 >= 0, n - j * 64 - t1 - 1 >= 0)>[%i, %j, %m, %n]
           : tensor<48x64xSUM>, !tile.view<Mx#NxSUM>
      tile.return
    })",
      {{"<Mx#Nx", "<" + str(m) + "x" + str(n) + "x"},
       {"ELEM", element},
       {"SUM", sum},
       {"ZERO", zero},
       {"FILL", fill},
       {"ATTRS", attributes}});
}

void expectProduct(int64_t m, int64_t n, int64_t k, const std::string &element,
                   const std::string &sum, int64_t warps, const std::string &attributes = "") {
  int64_t blocks = (m + 47) / 48 * ((n + 63) / 64);
  expectSame(product(m, n, k, element, sum, attributes),
             {dynamic({m, k}, element), dynamic({k, n}, element)}, {view({m, n}, sum)}, warps,
             blocks, /*isEverywhere=*/true);
}

TEST(Threads, ProductsOfEveryType) {
  expectProduct(50, 70, 33, "f32", "f32", 4);
  expectProduct(50, 70, 33, "f16", "f32", 4);
  expectProduct(48, 64, 16, "f16", "f16", 2);
  expectProduct(50, 70, 33, "bf16", "f32", 4);
  expectProduct(50, 70, 33, "f64", "f64", 4);
  expectProduct(50, 70, 33, "i8", "i32", 4);
  expectProduct(50, 70, 33, "i8", "i32", 4, "{unsigned_lhs}");
  expectProduct(50, 70, 33, "i8", "i32", 4, "{unsigned_rhs}");
  expectProduct(7, 5, 3, "i16", "i64", 1);
}

TEST(Threads, ProductsOfEveryNumberOfWarps) {
  for (int64_t warps : {1, 2, 8, 16})
    expectProduct(96, 64, 48, "f32", "f32", warps);
  expectProduct(1, 1, 1, "f32", "f32", 4);
}

/// Elements below 2^-14, which gfx90a's instructions on f16 would take for zero.
TEST(Threads, ProductsOfSubnormals) {
  std::string text = substitute(R"(
    tile.kernel @k(%a: !tile.view<32x32xf16>, %b: !tile.view<32x32xf16>, %c: !tile.view<32x32xf32>) {
      %x = tile.load %a at MAP[] : !tile.view<32x32xf16> -> tensor<32x32xf16>
      %y = tile.load %b at MAP[] : !tile.view<32x32xf16> -> tensor<32x32xf16>
      %small = arith.constant dense<1.0e-05> : tensor<32x32xf16>
      %s = arith.mulf %x, %small : tensor<32x32xf16>
      %z = arith.constant dense<0.0> : tensor<32x32xf32>
      %d = tile.dot %s, %y, %z : tensor<32x32xf16>, tensor<32x32xf16> -> tensor<32x32xf32>
      tile.store %d, %c at MAP[] : tensor<32x32xf32>, !tile.view<32x32xf32>
      tile.return
    })",
                                {{"MAP", "affine_map<(t0, t1) -> (t0, t1)>"}});
  expectSame(text, {view({32, 32}, "f16"), view({32, 32}, "f16")}, {view({32, 32}, "f32")}, 1, 1,
             /*isEverywhere=*/true);
}

/// Both sides of a transposition, whole tiles and masked ones.
TEST(Threads, Transpositions) {
  for (const std::string element : {"i8", "f16", "f32", "f64"})
    for (auto [rows, columns] : {std::pair<int64_t, int64_t>{48, 96}, {33, 7}, {64, 64}}) {
      std::string text = substitute(R"(
        tile.kernel @k(%x: !tile.view<RxCxELEM>, %y: !tile.view<CxRxELEM>) {
          %t = tile.load %x at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<RxCxELEM> -> tensor<RxCxELEM>
          %u = tile.transpose %t perm [1, 0] : tensor<RxCxELEM> -> tensor<CxRxELEM>
          tile.store %u, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<CxRxELEM>, !tile.view<CxRxELEM>
          tile.return
        })",
                                    {{"RxCx", str(rows) + "x" + str(columns) + "x"},
                                     {"CxRx", str(columns) + "x" + str(rows) + "x"},
                                     {"ELEM", element}});
      expectSame(text, {view({rows, columns}, element)}, {view({columns, rows}, element)}, 4);
    }
}

/// The place of the largest element: two tiles combined together, also along columns.
TEST(Threads, ReductionsOfSeveralTiles) {
  for (int64_t warps : {1, 4})
    for (const std::string dim : {"0", "1"}) {
      std::string kept = dim == "0" ? "33" : "20";
      std::string text = substitute(R"(
        tile.kernel @k(%x: !tile.view<20x33xi32>, %v: !tile.view<KEPTxi32>, %p: !tile.view<KEPTxi64>) {
          %t = tile.load %x at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<20x33xi32> -> tensor<20x33xi32>
          %i = tile.coord affine_map<(t0, t1) -> (tDIM)>[] : tensor<20x33xi64>
          %m:2 = tile.reduce %t, %i dims [DIM] : tensor<20x33xi32>, tensor<20x33xi64> -> tensor<KEPTxi32>, tensor<KEPTxi64> {
          ^bb0(%a: i32, %ai: i64, %b: i32, %bi: i64):
            %more = arith.cmpi sgt, %a, %b : i32
            %same = arith.cmpi eq, %a, %b : i32
            %before = arith.cmpi slt, %ai, %bi : i64
            %tie = arith.andi %same, %before : i1
            %first = arith.ori %more, %tie : i1
            %r = arith.select %first, %a, %b : i32
            %ri = arith.select %first, %ai, %bi : i64
            tile.yield %r, %ri : i32, i64
          }
          tile.store %m#0, %v at affine_map<(t0) -> (t0)>[] : tensor<KEPTxi32>, !tile.view<KEPTxi32>
          tile.store %m#1, %p at affine_map<(t0) -> (t0)>[] : tensor<KEPTxi64>, !tile.view<KEPTxi64>
          tile.return
        })",
                                    {{"KEPT", kept}, {"DIM", dim}});
      int64_t extent = dim == "0" ? 33 : 20;
      expectSame(text, {view({20, 33}, "i32")}, {view({extent}, "i32"), view({extent}, "i64")},
                 warps);
    }
}

/// Memory of the block, a loop that ends by what it computes, tables, and a branch.
TEST(Threads, MemoryOfTheBlock) {
  expectSame(R"(
    tile.kernel @k(%x: !tile.view<33xi32>, %y: !tile.view<33xi32>) {
      %m = tile.alloc [] : !tile.view<33xi32>
      %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<33xi32> -> tensor<33xi32>
      tile.store %t, %m at affine_map<(t0) -> (t0)>[] : tensor<33xi32>, !tile.view<33xi32>
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c5 = arith.constant 5 : index
      scf.for %i = %c0 to %c5 step %c1 {
        %u = tile.load %m at affine_map<(t0) -> (-t0 + 32)>[] : !tile.view<33xi32> -> tensor<33xi32>
        %step = arith.index_cast %i : index to i32
        %b = tile.broadcast %step dims [0] : i32 -> tensor<33xi32>
        %v = arith.addi %u, %b : tensor<33xi32>
        tile.store %v, %m at affine_map<(t0) -> (t0)>[] : tensor<33xi32>, !tile.view<33xi32>
      }
      %w = tile.load %m at affine_map<(t0) -> (t0)>[] : !tile.view<33xi32> -> tensor<33xi32>
      tile.store %w, %y at affine_map<(t0) -> (t0)>[] : tensor<33xi32>, !tile.view<33xi32>
      tile.return
    })",
             {view({33}, "i32")}, {view({33}, "i32")}, 2);
}

TEST(Threads, LoopsThatEndByWhatTheyCompute) {
  expectSame(R"(
    tile.kernel @k(%x: !tile.view<40xi32>, %y: !tile.view<40xi32>) {
      %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<40xi32> -> tensor<40xi32>
      %c1 = arith.constant 1 : i32
      %limit = arith.constant 5000 : i32
      %table = arith.constant dense<[3, 1, 4, 1, 5, 9, 2, 6]> : tensor<8xi32>
      %r:2 = scf.while (%v = %t, %n = %c1) : (tensor<40xi32>, i32) -> (tensor<40xi32>, i32) {
        %largest = tile.reduce %v dims [0] : tensor<40xi32> -> i32 {
        ^bb0(%a: i32, %b: i32):
          %c = arith.maxsi %a, %b : i32
          tile.yield %c : i32
        }
        %more = arith.cmpi slt, %largest, %limit : i32
        scf.condition(%more) %v, %n : tensor<40xi32>, i32
      } do {
      ^bb0(%v: tensor<40xi32>, %n: i32):
        %p = tile.reshape %v : tensor<40xi32> -> tensor<5x8xi32>
        %q = tile.broadcast %table dims [0] : tensor<8xi32> -> tensor<5x8xi32>
        %s = arith.muli %p, %q : tensor<5x8xi32>
        %w = tile.reshape %s : tensor<5x8xi32> -> tensor<40xi32>
        %m = arith.addi %n, %c1 : i32
        scf.yield %w, %m : tensor<40xi32>, i32
      }
      %two = arith.constant 2 : i32
      %isLate = arith.cmpi sgt, %r#1, %two : i32
      %o = scf.if %isLate -> tensor<40xi32> {
        %b = tile.broadcast %r#1 dims [0] : i32 -> tensor<40xi32>
        %s = arith.addi %r#0, %b : tensor<40xi32>
        scf.yield %s : tensor<40xi32>
      } else {
        scf.yield %r#0 : tensor<40xi32>
      }
      tile.store %o, %y at affine_map<(t0) -> (t0)>[] : tensor<40xi32>, !tile.view<40xi32>
      tile.return
    })",
             {view({40}, "i32")}, {view({40}, "i32")}, 2);
}

/// Scores, their softmax, and what they weigh: a product whose left side is a result.
TEST(Threads, Attention) {
  expectSame(R"(
    tile.kernel @k(%q: !tile.view<16x24xf32>, %kt: !tile.view<24x48xf32>, %v: !tile.view<48x24xf32>,
                   %y: !tile.view<16x24xf32>) {
      %a = tile.load %q at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<16x24xf32> -> tensor<16x24xf32>
      %b = tile.load %kt at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<24x48xf32> -> tensor<24x48xf32>
      %c = tile.load %v at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<48x24xf32> -> tensor<48x24xf32>
      %z = arith.constant dense<0.0> : tensor<16x48xf32>
      %s = tile.dot %a, %b, %z : tensor<16x24xf32>, tensor<24x48xf32> -> tensor<16x48xf32>
      %m = tile.reduce %s dims [1] : tensor<16x48xf32> -> tensor<16xf32> {
      ^bb0(%p: f32, %r: f32):
        %t = arith.maximumf %p, %r : f32
        tile.yield %t : f32
      }
      %mb = tile.broadcast %m dims [1] : tensor<16xf32> -> tensor<16x48xf32>
      %d = arith.subf %s, %mb : tensor<16x48xf32>
      %e = math.exp %d : tensor<16x48xf32>
      %n = tile.reduce %e dims [1] : tensor<16x48xf32> -> tensor<16xf32> {
      ^bb0(%p: f32, %r: f32):
        %t = arith.addf %p, %r : f32
        tile.yield %t : f32
      }
      %nb = tile.broadcast %n dims [1] : tensor<16xf32> -> tensor<16x48xf32>
      %w = arith.divf %e, %nb : tensor<16x48xf32>
      %zo = arith.constant dense<0.0> : tensor<16x24xf32>
      %o = tile.dot %w, %c, %zo : tensor<16x48xf32>, tensor<48x24xf32> -> tensor<16x24xf32>
      tile.store %o, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<16x24xf32>, !tile.view<16x24xf32>
      tile.return
    })",
             {view({16, 24}, "f32"), view({24, 48}, "f32"), view({48, 24}, "f32")},
             {view({16, 24}, "f32")}, 4);
}

/// A gather that checks its indices: none, and one, is out of range.
TEST(Threads, ChecksOfUserData) {
  for (const std::string limit : {"10", "9"}) {
    std::string text = substitute(R"mlir(
      tile.kernel @k(%i: !tile.view<40xi64>, %x: !tile.view<10xf32>, %y: !tile.view<40xf32>) {
        %n = tile.load %i at affine_map<(t0) -> (t0)>[] : !tile.view<40xi64> -> tensor<40xi64>
        %count = tile.coord affine_map<(t0) -> (t0 floordiv 4)>[] : tensor<40xi64>
        %first = tile.mask affine_set<(t0) : (t0 - 36 == 0)> [] : tensor<40xi1>
        %zero = arith.constant dense<0> : tensor<40xi64>
        %only = arith.select %first, %count, %zero : tensor<40xi1>, tensor<40xi64>
        %limit = arith.constant dense<LIMIT> : tensor<40xi64>
        %ok = arith.cmpi slt, %only, %limit : tensor<40xi64>
        %size = arith.constant LIMIT : index
        tile.assert %ok, "node 'gather': index %0 is out of range [0, %1)"
            (%only, %size : tensor<40xi64>, index) : tensor<40xi1>
        %g = tile.load %x at affine_map<(t0, i) -> (i)>[] indices (%count : tensor<40xi64>)
             : !tile.view<10xf32> -> tensor<40xf32>
        tile.store %g, %y at affine_map<(t0) -> (t0)>[] : tensor<40xf32>, !tile.view<40xf32>
        tile.return
      })mlir",
                                  {{"LIMIT", limit}});
    Reference reference =
        interpret(text, {view({40}, "i64"), view({10}, "f32")}, {view({40}, "f32")}, 1);
    EXPECT_EQ(reference.refusal,
              limit == "10" ? "" : "node 'gather': index 9 is out of range [0, 9)");
    for (const char *device : {"sm_80", "gfx942", "gfx1100"}) {
      Finding finding = runThreads(reference, device, 2, 1, 0);
      EXPECT_EQ(finding.kind, Finding::Good) << device << ": " << finding.text;
    }
  }
}

/// Changes that meet, in the order of the formula: sums, the last one, and a quotient that no other
/// order gives; rows beside each other are those of several threads.
TEST(Threads, ChangesInOrder) {
  for (const std::string combine :
       {"%r = arith.addi %before, %update : i32", "%r = arith.ori %update, %update : i32",
        "%two = arith.constant 2 : i32\n%d = arith.divsi %before, %two : i32\n"
        "%r = arith.addi %d, %update : i32"})
    for (int64_t warps : {1, 4})
      expectSame(substitute(R"(
        tile.kernel @k(%x: !tile.view<23x40xi32>, %at: !tile.view<23x40xi64>, %y: !tile.view<5x40xi32>) {
          %zero = arith.constant dense<0> : tensor<5x40xi32>
          tile.store %zero, %y at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<5x40xi32>, !tile.view<5x40xi32>
          %t = tile.load %x at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<23x40xi32> -> tensor<23x40xi32>
          %p = tile.load %at at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<23x40xi64> -> tensor<23x40xi64>
          %five = arith.constant dense<5> : tensor<23x40xi64>
          %none = arith.constant dense<0> : tensor<23x40xi64>
          %rest = arith.remui %p, %five : tensor<23x40xi64>
          %ok = arith.cmpi ne, %p, %none : tensor<23x40xi64>
          tile.scatter %t, %y at affine_map<(t0, t1, i) -> (i, t1)>[] indices (%rest : tensor<23x40xi64>)
              where affine_set<(t0, t1) : (21 - t0 >= 0)>[]
              if (%ok : tensor<23x40xi1>) : tensor<23x40xi32>, !tile.view<5x40xi32> {
          ^bb0(%before: i32, %update: i32):
            COMBINE
            tile.yield %r : i32
          }
          tile.return
        })",
                            {{"COMBINE", combine}}),
                 {view({23, 40}, "i32"), view({23, 40}, "i64")}, {view({5, 40}, "i32")}, warps);
}

/// The first of many, along rows of one thread each and along one long row.
TEST(Threads, FirstElements) {
  for (auto [rows, length, kept] : {std::array<int64_t, 3>{37, 9, 4}, {1, 50, 7}, {3, 20, 1}})
    for (int64_t warps : {1, 2}) {
      std::string text = substitute(R"(
        tile.kernel @k(%x: !tile.view<RxLxi32>, %v: !tile.view<RxKxi32>, %p: !tile.view<RxKxi64>) {
          %none = arith.constant dense<-1> : tensor<RxKxi64>
          %zero = arith.constant dense<0> : tensor<RxKxi32>
          tile.store %zero, %v at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<RxKxi32>, !tile.view<RxKxi32>
          tile.store %none, %p at affine_map<(t0, t1) -> (t0, t1)>[] : tensor<RxKxi64>, !tile.view<RxKxi64>
          %t = tile.load %x at affine_map<(t0, t1) -> (t0, t1)>[] : !tile.view<RxLxi32> -> tensor<RxLxi32>
          %i = tile.coord affine_map<(t0, t1) -> (t1)>[] : tensor<RxLxi64>
          tile.topk %t, %i into %v, %p axis 1 at affine_map<(t0, t1) -> (t0, 0)>[]
              : tensor<RxLxi32>, tensor<RxLxi64> into !tile.view<RxKxi32>, !tile.view<RxKxi64> {
          ^bb0(%a: i32, %ai: i64, %b: i32, %bi: i64):
            ORDER
          }
          %c0 = arith.constant 0 : index
          %c1 = arith.constant 1 : index
          %n = arith.constant R : index
          scf.for %row = %c0 to %n step %c1 {
            tile.sort %v, %p axis 1 at affine_map<()[s0] -> (s0, 0)>[%row] : !tile.view<RxKxi32>, !tile.view<RxKxi64> {
            ^bb0(%a: i32, %ai: i64, %b: i32, %bi: i64):
              ORDER
            }
          }
          tile.return
        })",
                                    {{"ORDER", R"(
            %m = arith.constant -1 : i64
            %isEmpty = arith.cmpi eq, %bi, %m : i64
            %isOther = arith.cmpi ne, %ai, %m : i64
            %more = arith.cmpi sgt, %a, %b : i32
            %same = arith.cmpi eq, %a, %b : i32
            %before = arith.cmpi slt, %ai, %bi : i64
            %tie = arith.andi %same, %before : i1
            %first = arith.ori %more, %tie : i1
            %either = arith.ori %first, %isEmpty : i1
            %r = arith.andi %either, %isOther : i1
            tile.yield %r : i1)"},
                                     {"RxL", str(rows) + "x" + str(length)},
                                     {"RxK", str(rows) + "x" + str(kept)},
                                     {"constant R", "constant " + str(rows)}});
      expectSame(text, {view({rows, length}, "i32")},
                 {view({rows, kept}, "i32"), view({rows, kept}, "i64")}, warps);
    }
}

/// Codes of formats of several kinds, decoded and made, and 8-bit floats as elements.
TEST(Threads, Numbers) {
  for (const std::string format : {"e4m3fn", "e5m2", "e2m1", "uint4", "int4"})
    expectSame(substitute(R"(
      tile.kernel @k(%x: !tile.view<150xi8>, %y: !tile.view<150xf32>, %z: !tile.view<150xi8>) {
        %t = tile.load %x at affine_map<(t0) -> (t0)>[] : !tile.view<150xi8> -> tensor<150xi8>
        %r = tile.convert %t {from = "FORMAT"} : tensor<150xi8> -> tensor<150xf32>
        tile.store %r, %y at affine_map<(t0) -> (t0)>[] : tensor<150xf32>, !tile.view<150xf32>
        %half = arith.constant dense<0.5> : tensor<150xf32>
        %q = tile.quantize %r scale %half {format = "FORMAT"} : (tensor<150xf32>, tensor<150xf32>) -> tensor<150xi8>
        tile.store %q, %z at affine_map<(t0) -> (t0)>[] : tensor<150xi8>, !tile.view<150xi8>
        tile.return
      })",
                          {{"FORMAT", format}}),
               {view({150}, "i8")}, {view({150}, "f32"), view({150}, "i8")}, 2);
}

} // namespace
