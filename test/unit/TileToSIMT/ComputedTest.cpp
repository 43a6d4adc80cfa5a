//===- ComputedTest.cpp - operands computed from what is staged -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products whose operands elementwise ops compute: what is loaded is copied to
// shared memory, the rest is done on fragments. The emulator must find no race and
// no access outside, and results lie within the interpreter's bounds.
//
//===----------------------------------------------------------------------===//

#include "Products.h"
#include "Threads.h"

#include "KernelHarness.h"

#include <gtest/gtest.h>

using namespace sectile::test;

namespace {

struct Computed {
  int64_t m, n, k, tileM, tileN, tileK, group;
  /// Ops that make tensor<TKxTNxf16> %w from codes %q and scales %s of [TK, TN], and what codes
  /// are.
  std::string format, element = "f16";
  int64_t warps = 4, stages = 0;
  /// The right side's tile has its dimensions the other way round, and zero points.
  bool isTurned = false, hasZeros = false;
};

std::string textOf(const Computed &p) {
  std::string text = R"(
    tile.kernel @k(%a: !tile.view<MxKxELEM>, %b: !tile.view<KxNxi8>, %s: !tile.view<GxNxELEM>,
                   %z: !tile.view<GxNxi8>, %c: !tile.view<MxNxf32>) {
      %c0 = arith.constant 0 : index
      %step = arith.constant TK : index
      %m = arith.constant M : index
      %n = arith.constant N : index
      %k = arith.constant K : index
      %gm = arith.constant GM : index
      %gn = arith.constant GN : index
      %i, %j = tile.block_id grid [%gm, %gn]
      %zero = arith.constant dense<0.0> : tensor<TMxTNxf32>
      %none = arith.constant 0.0 : ELEM
      %sum = scf.for %p = %c0 to %k step %step iter_args(%acc = %zero) -> tensor<TMxTNxf32> {
        %x = tile.load %a at affine_map<(t0, t1)[i, s] -> (i * TM + t0, s + t1)>[%i, %p]
             where affine_set<(t0, t1)[i, s, m, k] : (m - i * TM - t0 - 1 >= 0, k - s - t1 - 1 >= 0)>[%i, %p, %m, %k]
             else 0.0 : ELEM : !tile.view<MxKxELEM> -> tensor<TMxTKxELEM>
        %h = arith.constant dense<0.5> : tensor<TMxTKxELEM>
        %x2 = arith.mulf %x, %h : tensor<TMxTKxELEM>
        %q = tile.load %b at affine_map<(t0, t1)[j, s] -> (s + t0, j * TN + t1)>[%j, %p]
             where affine_set<(t0, t1)[j, s, n, k] : (n - j * TN - t1 - 1 >= 0, k - s - t0 - 1 >= 0)>[%j, %p, %n, %k]
             else 0 : i8 : !tile.view<KxNxi8> -> tensor<TKxTNxi8>
        %f = tile.load %s at affine_map<(t0, t1)[j, s] -> ((s + t0) floordiv GROUP, j * TN + t1)>[%j, %p]
             where affine_set<(t0, t1)[j, s, n, k] : (n - j * TN - t1 - 1 >= 0, k - s - t0 - 1 >= 0)>[%j, %p, %n, %k]
             else 1.0 : ELEM : !tile.view<GxNxELEM> -> tensor<TKxTNxELEM>
        %o = tile.load %z at affine_map<(t0, t1)[j, s] -> ((s + t0) floordiv GROUP, j * TN + t1)>[%j, %p]
             where affine_set<(t0, t1)[j, s, n, k] : (n - j * TN - t1 - 1 >= 0, k - s - t0 - 1 >= 0)>[%j, %p, %n, %k]
             else 0 : i8 : !tile.view<GxNxi8> -> tensor<TKxTNxi8>
        DEQUANTIZE
        %in = tile.mask affine_set<(t0, t1)[s, k] : (k - s - t0 - 1 >= 0)>[%p, %k] : tensor<TKxTNxi1>
        %off = tile.broadcast %none dims [0, 1] : ELEM -> tensor<TKxTNxELEM>
        %y = arith.select %in, %w, %off : tensor<TKxTNxi1>, tensor<TKxTNxELEM>
        %d = tile.dot %x2, %y, %acc : tensor<TMxTKxELEM>, tensor<TKxTNxELEM> -> tensor<TMxTNxf32>
        scf.yield %d : tensor<TMxTNxf32>
      }
      tile.store %sum, %c at affine_map<(t0, t1)[i, j] -> (i * TM + t0, j * TN + t1)>[%i, %j]
           where affine_set<(t0, t1)[i, j, m, n] : (m - i * TM - t0 - 1 >= 0, n - j * TN - t1 - 1 >= 0)>[%i, %j, %m, %n]
           : tensor<TMxTNxf32>, !tile.view<MxNxf32>
      tile.return
    })";
  std::string zeros = p.hasZeros ? " zero %o" : "",
              zeroType = p.hasZeros ? ", tensor<TKxTNxi8>" : "";
  std::string decode = "%w = tile.dequantize %q scale %f" + zeros + " {format = \"" + p.format +
                       "\"} : (tensor<TKxTNxi8>, tensor<TKxTNxELEM>" + zeroType +
                       ") -> tensor<TKxTNxELEM>";
  if (p.isTurned)
    decode = R"(%qt = tile.transpose %q perm [1, 0] : tensor<TKxTNxi8> -> tensor<TNxTKxi8>
        %ft = tile.transpose %f perm [1, 0] : tensor<TKxTNxELEM> -> tensor<TNxTKxELEM>
        %wt = tile.dequantize %qt scale %ft {format = "FORMAT"}
            : (tensor<TNxTKxi8>, tensor<TNxTKxELEM>) -> tensor<TNxTKxELEM>
        %w = tile.transpose %wt perm [1, 0] : tensor<TNxTKxELEM> -> tensor<TKxTNxELEM>)";
  auto str = [](int64_t number) { return std::to_string(number); };
  text = substitute(text, {{"DEQUANTIZE", decode}});
  int64_t gm = (p.m + p.tileM - 1) / p.tileM, gn = (p.n + p.tileN - 1) / p.tileN;
  int64_t groups = (p.k + p.group - 1) / p.group;
  return substitute(text, {{"FORMAT", p.format},
                           {"constant GM", "constant " + str(gm)},
                           {"constant GN", "constant " + str(gn)},
                           {"constant TK", "constant " + str(p.tileK)},
                           {"constant M ", "constant " + str(p.m) + " "},
                           {"constant N ", "constant " + str(p.n) + " "},
                           {"constant K ", "constant " + str(p.k) + " "},
                           {"TMxTNx", str(p.tileM) + "x" + str(p.tileN) + "x"},
                           {"TMxTKx", str(p.tileM) + "x" + str(p.tileK) + "x"},
                           {"TKxTNx", str(p.tileK) + "x" + str(p.tileN) + "x"},
                           {"TNxTKx", str(p.tileN) + "x" + str(p.tileK) + "x"},
                           {"<MxKx", "<" + str(p.m) + "x" + str(p.k) + "x"},
                           {"<KxNx", "<" + str(p.k) + "x" + str(p.n) + "x"},
                           {"<GxNx", "<" + str(groups) + "x" + str(p.n) + "x"},
                           {"<MxNx", "<" + str(p.m) + "x" + str(p.n) + "x"},
                           {"* TM", "* " + str(p.tileM)},
                           {"* TN", "* " + str(p.tileN)},
                           {"GROUP", str(p.group)},
                           {"ELEM", p.element}});
}

void expectGood(const Computed &p) {
  static uint32_t calls = 0;
  int64_t groups = (p.k + p.group - 1) / p.group;
  Reference reference = interpret(textOf(p),
                                  {viewOf({p.m, p.k}, p.element), viewOf({p.k, p.n}, "i8"),
                                   viewOf({groups, p.n}, p.element), viewOf({groups, p.n}, "i8")},
                                  {viewOf({p.m, p.n}, "f32")}, ++calls);
  ASSERT_EQ(reference.finding.kind, Finding::Good) << reference.finding.text << textOf(p);
  int64_t blocks = (p.m + p.tileM - 1) / p.tileM * ((p.n + p.tileN - 1) / p.tileN);
  for (const char *target : {"sm_80", "sm_90a"}) {
    std::vector<sectile::emulator::MemoryCount> counts;
    ThreadOptions options;
    options.stages = p.stages;
    options.counts = &counts;
    Finding finding = runThreads(reference, target, p.warps, blocks, calls, options);
    EXPECT_EQ(finding.kind, Finding::Good) << finding.text << "\n" << textOf(p);
    bool copies = false;
    for (const auto &count : counts)
      copies |= count.op == "cp.async";
    EXPECT_TRUE(copies) << textOf(p);
  }
}

TEST(Computed, EveryKindOfFormat) {
  for (const char *format : {"int4", "uint3-5", "e2m1finite", "nf4", "ternary", "int8"})
    expectGood({20, 40, 72, 16, 32, 32, 24, format});
}

TEST(Computed, OddExtentsAndGroups) {
  expectGood({33, 44, 68, 32, 32, 32, 17, "int5", "f16", 2, 3});
  expectGood({7, 20, 40, 16, 32, 16, 64, "uint7-64", "f16", 1, 2});
  expectGood({16, 96, 100, 16, 96, 20, 32, "int2", "bf16", 4, 4});
  expectGood({40, 24, 52, 24, 24, 12, 5, "int6", "f32", 2, 2});
}

TEST(Computed, TurnedAndWithZeroPoints) {
  expectGood({18, 36, 64, 16, 32, 32, 32, "int4", "f16", 4, 2, true});
  expectGood({18, 36, 64, 16, 32, 32, 16, "uint4", "f16", 4, 1, false, true});
  expectGood({18, 36, 64, 16, 32, 32, 48, "int8", "bf16", 2, 3, false, true});
}

} // namespace
