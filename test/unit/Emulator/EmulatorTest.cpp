//===- EmulatorTest.cpp - kernels written by hand -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "mlir/IR/Diagnostics.h"

#include <gtest/gtest.h>
#include <numeric>

using namespace mlir;
using namespace sectile::emulator;
using namespace sectile::test;

namespace {

/// A kernel `k` of one pointer, whose body begins with the thread's number %t (and its extension
/// %l), its address %p = base + 4 t, and the constants c0, c1, all.
std::string kernelOf(const std::string &body, const std::string &globals = "") {
  return globals + R"(
    llvm.func @k(%base: !llvm.ptr<1>) attributes {nvvm.kernel} {
      %t = nvvm.read.ptx.sreg.tid.x : i32
      %l = llvm.zext %t : i32 to i64
      %c0 = llvm.mlir.constant(0 : i32) : i32
      %c1 = llvm.mlir.constant(1 : i32) : i32
      %c31 = llvm.mlir.constant(31 : i32) : i32
      %all = llvm.mlir.constant(-1 : i32) : i32
      %p = llvm.getelementptr %base[%l] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32
)" + body +
         R"(
    })";
}

Report run(Emulator &emulator, LaunchOptions options, std::vector<Argument> arguments) {
  auto report = emulator.launch("k", options, arguments);
  if (!report) {
    ADD_FAILURE() << llvm::toString(report.takeError());
    return {};
  }
  return std::move(*report);
}

/// Runs a kernel of kernelOf() on one block and the numbers 100, 101, ...
Report runOn(const std::string &text, std::vector<int32_t> &data, uint32_t threads,
             bool checkRaces = true, uint32_t seed = 0) {
  auto emulator = load(text);
  if (!emulator) {
    ADD_FAILURE() << "not loaded";
    return {};
  }
  std::iota(data.begin(), data.end(), 100);
  int32_t *buffer = emulator->allocate("data", data);
  LaunchOptions options;
  options.block = {threads, 1, 1};
  options.checkRaces = checkRaces;
  options.orderSeed = seed;
  Report report = run(*emulator, options, {buffer});
  std::copy(buffer, buffer + data.size(), data.begin());
  return report;
}

std::string textOf(const Report &report) {
  std::string text;
  for (const Finding &finding : report.findings)
    text += finding.text() + "\n";
  return text;
}

void expectOnly(const Report &report, FindingKind kind) {
  ASSERT_EQ(report.findings.size(), 1u) << textOf(report);
  EXPECT_EQ(report.findings[0].kind, kind) << textOf(report);
  EXPECT_EQ(report.findings[0].kernel, "k");
  EXPECT_NE(report.findings[0].location.find("kernels.mlir:"), std::string::npos);
}

const char *kTile =
    "llvm.mlir.global internal @tile() {addr_space = 3 : i32} : !llvm.array<64 x i32>";

/// Each lane stores its number to shared memory, and reads that of the lane 63 - t.
std::string mirror(const std::string &between, const std::string &last = "63") {
  return kernelOf(R"(
      %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
      %own = llvm.getelementptr %tile[%l] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i32
      %v = llvm.load %p : !llvm.ptr<1> -> i32
      llvm.store %v, %own : i32, !llvm.ptr<3>
)" + between + R"(
      %last = llvm.mlir.constant()" +
                      last + R"( : i64) : i64
      %mirrored = llvm.sub %last, %l : i64
      %other = llvm.getelementptr %tile[%mirrored] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i32
      %w = llvm.load %other : !llvm.ptr<3> -> i32
      llvm.store %w, %p : i32, !llvm.ptr<1>
      llvm.return
)",
                  kTile);
}

TEST(Emulator, AddsVectors) {
  auto emulator = load(R"(
    llvm.func @k(%a: !llvm.ptr<1>, %b: !llvm.ptr<1>, %c: !llvm.ptr<1>, %n: i32)
        attributes {nvvm.kernel} {
      %t = nvvm.read.ptx.sreg.tid.x : i32
      %b_ = nvvm.read.ptx.sreg.ctaid.x : i32
      %d = nvvm.read.ptx.sreg.ntid.x : i32
      %s = llvm.mul %b_, %d : i32
      %i = llvm.add %s, %t : i32
      %in = llvm.icmp "slt" %i, %n : i32
      llvm.cond_br %in, ^work, ^end
    ^work:
      %l = llvm.sext %i : i32 to i64
      %pa = llvm.getelementptr %a[%l] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
      %pb = llvm.getelementptr %b[%l] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
      %pc = llvm.getelementptr %c[%l] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
      %x = llvm.load %pa : !llvm.ptr<1> -> f32
      %y = llvm.load %pb : !llvm.ptr<1> -> f32
      %z = llvm.fadd %x, %y : f32
      llvm.store %z, %pc : f32, !llvm.ptr<1>
      llvm.br ^end
    ^end:
      llvm.return
    })");
  ASSERT_TRUE(emulator);
  const int n = 1000;
  std::vector<float> a(n), b(n);
  std::iota(a.begin(), a.end(), 0.5f);
  std::iota(b.begin(), b.end(), 2.0f);
  auto *c = static_cast<float *>(emulator->allocate("c", n * sizeof(float)));
  LaunchOptions options;
  options.grid = {8, 1, 1};
  options.block = {128, 1, 1};
  Report report = run(*emulator, options,
                      {emulator->allocate("a", a), emulator->allocate("b", b), c, int32_t(n)});
  EXPECT_EQ(textOf(report), "");
  for (int i = 0; i < n; ++i)
    EXPECT_EQ(c[i], a[i] + b[i]);
  EXPECT_EQ(report.counts.loads, 2000u);
  EXPECT_EQ(report.counts.stores, 1000u);
}

TEST(Emulator, ReducesByShuffles) {
  std::string body = "      %v0 = llvm.load %p : !llvm.ptr<1> -> i32\n";
  for (int step = 0; step < 5; ++step) {
    std::string i = std::to_string(step), next = std::to_string(step + 1);
    body += "      %o" + i + " = llvm.mlir.constant(" + std::to_string(16 >> step) +
            " : i32) : i32\n      %s" + i + " = nvvm.shfl.sync bfly %all, %v" + i + ", %o" + i +
            ", %c31 : i32 -> i32\n      %v" + next + " = llvm.add %v" + i + ", %s" + i + " : i32\n";
  }
  body += "      llvm.store %v5, %p : i32, !llvm.ptr<1>\n      llvm.return\n";
  std::vector<int32_t> data(64);
  Report report = runOn(kernelOf(body), data, 64);
  EXPECT_EQ(textOf(report), "");
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(data[i], i < 32 ? 100 * 32 + 31 * 16 : 132 * 32 + 31 * 16);
  EXPECT_EQ(report.counts.collectives, 320u);
}

/// What shfl.sync gives lane `lane` of segments of 8, of values 100 + lane; and the predicate.
std::pair<int, bool> expectedShuffle(const std::string &kind, int lane) {
  int first = lane / 8 * 8, source = kind == "up"     ? lane - 3
                                     : kind == "down" ? lane + 3
                                     : kind == "bfly" ? lane ^ 3
                                                      : first + 3;
  bool valid = source >= first && source < first + 8;
  return {100 + (valid ? source : lane), valid};
}

TEST(Emulator, ShufflesInSegments) {
  for (std::string kind : {"up", "down", "bfly", "idx"}) {
    // The mask of segments of 8 in bits 8 to 12; "up" clamps at the first lane, the others at the
    // last one of the segment.
    std::string clamp = std::to_string(kind == "up" ? 0x1800 : 0x181f);
    std::vector<int32_t> data(32);
    Report report = runOn(
        kernelOf(
            R"(
      %three = llvm.mlir.constant(3 : i32) : i32
      %clamp = llvm.mlir.constant()" +
            clamp + R"( : i32) : i32
      %v = llvm.load %p : !llvm.ptr<1> -> i32
      %r = nvvm.shfl.sync )" +
            kind +
            R"( %all, %v, %three, %clamp {return_value_and_is_valid} : i32 -> !llvm.struct<(i32, i1)>
      %a = llvm.extractvalue %r[0] : !llvm.struct<(i32, i1)>
      %b = llvm.extractvalue %r[1] : !llvm.struct<(i32, i1)>
      %x = llvm.zext %b : i1 to i32
      %k = llvm.mlir.constant(1000 : i32) : i32
      %y = llvm.mul %x, %k : i32
      %z = llvm.add %a, %y : i32
      llvm.store %z, %p : i32, !llvm.ptr<1>
      llvm.return)"),
        data, 32);
    EXPECT_EQ(textOf(report), "");
    for (int lane = 0; lane < 32; ++lane) {
      auto [value, valid] = expectedShuffle(kind, lane);
      EXPECT_EQ(data[lane], value + valid * 1000) << kind << " " << lane;
    }
  }
}

/// The value of one collective of all lanes, on numbers t / 4.
std::vector<int32_t> collective(const std::string &op) {
  std::vector<int32_t> data(32);
  Report report = runOn(kernelOf(R"(
      %two = llvm.mlir.constant(2 : i32) : i32
      %v = llvm.lshr %t, %two : i32
      %odd = llvm.trunc %t : i32 to i1
)" + op + R"(
      llvm.store %r, %p : i32, !llvm.ptr<1>
      llvm.return)"),
                        data, 32);
  EXPECT_EQ(textOf(report), "");
  return data;
}

TEST(Emulator, VotesMatchesAndReduces) {
  EXPECT_EQ(collective("%r = nvvm.vote.sync ballot %all, %odd -> i32"),
            std::vector<int32_t>(32, 0xaaaaaaaa));
  EXPECT_EQ(collective("%b = nvvm.vote.sync any %all, %odd -> i1\n%r = llvm.zext %b : i1 to i32"),
            std::vector<int32_t>(32, 1));
  EXPECT_EQ(collective("%b = nvvm.vote.sync all %all, %odd -> i1\n%r = llvm.zext %b : i1 to i32"),
            std::vector<int32_t>(32, 0));
  EXPECT_EQ(collective("%b = nvvm.vote.sync uni %all, %odd -> i1\n%r = llvm.zext %b : i1 to i32"),
            std::vector<int32_t>(32, 0));
  auto matched = collective("%r = nvvm.match.sync any %all, %v : i32 -> i32");
  for (int i = 0; i < 32; ++i)
    EXPECT_EQ(uint32_t(matched[i]), 0xfu << i / 4 * 4);
  EXPECT_EQ(collective("%m = nvvm.match.sync all %all, %c1 : i32 -> !llvm.struct<(i32, i1)>\n"
                       "%r = llvm.extractvalue %m[0] : !llvm.struct<(i32, i1)>"),
            std::vector<int32_t>(32, -1));
  EXPECT_EQ(collective("%r = nvvm.redux.sync add %v, %all : i32 -> i32"),
            std::vector<int32_t>(32, 4 * 28));
  EXPECT_EQ(collective("%r = nvvm.redux.sync max %v, %all : i32 -> i32"),
            std::vector<int32_t>(32, 7));
  std::vector<int32_t> leader(32);
  leader[0] = 1;
  EXPECT_EQ(collective("%b = nvvm.elect.sync -> i1\n%r = llvm.zext %b : i1 to i32"), leader);
  EXPECT_EQ(collective("%s = llvm.zext %odd : i1 to i32\n"
                       "%r = nvvm.barrier #nvvm.reduction<popc> %s -> i32"),
            std::vector<int32_t>(32, 16));
}

TEST(Emulator, ExchangesThroughSharedMemory) {
  for (uint32_t seed : {0, 1, 2}) {
    std::vector<int32_t> data(64);
    Report report = runOn(mirror("nvvm.barrier0"), data, 64, true, seed);
    EXPECT_EQ(textOf(report), "");
    for (int i = 0; i < 64; ++i)
      EXPECT_EQ(data[i], 163 - i);
  }
}

TEST(Emulator, FindsRaces) {
  std::vector<int32_t> data(64);
  Report report = runOn(mirror("nvvm.barrier0", "62"), data, 63);
  EXPECT_EQ(textOf(report), "");
  // The lanes of the second half run last and read what the first half stored.
  bool found = false;
  report = runOn(mirror(""), data, 64);
  for (const Finding &finding : report.findings)
    if (finding.kind == FindingKind::Race) {
      found = true;
      EXPECT_EQ(finding.buffer, "shared @tile");
      EXPECT_NE(finding.otherLocation, "");
    }
  EXPECT_TRUE(found);
  // Switched off, only what was never written is left.
  report = runOn(mirror(""), data, 64, false);
  for (const Finding &finding : report.findings)
    EXPECT_EQ(finding.kind, FindingKind::Uninitialized);
  // Lanes of other warps are not ordered by a warp's barrier, those of the same warp are.
  std::string sync = "nvvm.bar.warp.sync %all : i32";
  EXPECT_FALSE(runOn(mirror(sync), data, 64).findings.empty());
  EXPECT_EQ(textOf(runOn(mirror(sync, "31"), data, 32)), "");
  // Nor does a shuffle order memory.
  EXPECT_FALSE(
      runOn(mirror("%s = nvvm.shfl.sync bfly %all, %v, %c1, %c31 : i32 -> i32", "31"), data, 32)
          .findings.empty());
}

TEST(Emulator, FindsRacesBetweenBlocks) {
  for (bool atomic : {false, true}) {
    auto emulator = load(kernelOf(
        std::string(atomic ? "%r = llvm.atomicrmw add %p, %c1 monotonic : !llvm.ptr<1>, i32\n"
                           : "llvm.store %c1, %p : i32, !llvm.ptr<1>\n") +
        "llvm.return"));
    ASSERT_TRUE(emulator);
    int32_t *buffer = emulator->allocate("data", std::vector<int32_t>(32));
    LaunchOptions options;
    options.grid = {3, 1, 1};
    options.block = {32, 1, 1};
    Report report = run(*emulator, options, {buffer});
    if (atomic) {
      EXPECT_EQ(textOf(report), "");
      EXPECT_EQ(buffer[31], 3);
    } else {
      expectOnly(report, FindingKind::Race);
      EXPECT_EQ(report.findings[0].otherBlock.x, 0u);
      EXPECT_EQ(report.findings[0].block.x, 1u);
    }
  }
}

TEST(Emulator, OrdersByANamedBarrier) {
  std::vector<int32_t> data(64);
  std::string text = mirror("%id = llvm.mlir.constant(3 : i32) : i32\n"
                            "%n = llvm.mlir.constant(64 : i32) : i32\n"
                            "nvvm.barrier id = %id number_of_threads = %n");
  EXPECT_EQ(textOf(runOn(text, data, 64)), "");
}

TEST(Emulator, FindsAccessesOutOfBounds) {
  std::vector<int32_t> data(31);
  Report report = runOn(kernelOf("llvm.store %t, %p : i32, !llvm.ptr<1>\nllvm.return"), data, 32);
  expectOnly(report, FindingKind::OutOfBounds);
  EXPECT_EQ(report.findings[0].thread.x, 31u);
  EXPECT_NE(textOf(report).find("0 bytes behind the end of data"), std::string::npos);
  // A shared variable ends where it ends, although more shared memory follows.
  data.resize(65);
  report = runOn(mirror("nvvm.barrier0", "64"), data, 65);
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].kind, FindingKind::OutOfBounds);
}

/// Memory of the host is as far as it was mapped, holds what it holds, and races where asked.
TEST(Emulator, MapsMemoryOfTheHost) {
  auto emulator = load(kernelOf("%v = llvm.load %p : !llvm.ptr<1> -> i32\n"
                                "llvm.store %v, %base : i32, !llvm.ptr<1>\nllvm.return"));
  ASSERT_TRUE(emulator);
  std::vector<int32_t> data(64, 7);
  LaunchOptions options;
  options.block = {32, 1, 1};
  for (bool tracks : {false, true}) {
    emulator->map("all", data.data(), data.size() * 4, tracks);
    Report report = run(*emulator, options, {data.data()});
    EXPECT_EQ(report.findings.empty(), !tracks) << textOf(report);
    emulator->unmapAll();
  }
  emulator->map("half", data.data(), 16 * 4, false);
  expectOnly(run(*emulator, options, {data.data()}), FindingKind::OutOfBounds);
  emulator->unmapAll();
  EXPECT_FALSE(run(*emulator, options, {data.data()}).findings.empty());
}

TEST(Emulator, FindsUninitializedReads) {
  std::vector<int32_t> data(32);
  Report report = runOn(mirror("nvvm.barrier0"), data, 32);
  expectOnly(report, FindingKind::Uninitialized);
  EXPECT_EQ(report.findings[0].buffer, "shared @tile");
  // The last lane to arrive goes on first.
  EXPECT_EQ(report.findings[0].thread.x, 31u);
  EXPECT_EQ(report.findings[0].offset, 32 * 4);
}

TEST(Emulator, FindsMisalignedAccesses) {
  // Pairs of numbers at multiples of 4: fine where the access says so, which splits it.
  for (std::string alignment : {"", " {alignment = 4 : i64}"}) {
    std::vector<int32_t> data(64);
    Report report = runOn(
        kernelOf("%w = llvm.load %p" + alignment + " : !llvm.ptr<1> -> vector<2xi32>\nllvm.return"),
        data, 32);
    if (!alignment.empty()) {
      EXPECT_EQ(textOf(report), "");
      continue;
    }
    expectOnly(report, FindingKind::Misaligned);
    EXPECT_EQ(report.findings[0].thread.x, 1u);
    EXPECT_EQ(report.findings[0].occurrences, 16u);
  }
}

/// Threads below 16 take ^few, the others ^many.
std::string diverging(const std::string &few, const std::string &many) {
  return kernelOf(R"(
      %half = llvm.mlir.constant(16 : i32) : i32
      %low = llvm.icmp "ult" %t, %half : i32
      llvm.cond_br %low, ^few, ^many
    ^few:
)" + few + R"(
      llvm.br ^end
    ^many:
)" + many + R"(
      llvm.br ^end
    ^end:
      llvm.return)");
}

TEST(Emulator, FindsDivergentBarriers) {
  std::vector<int32_t> data(32);
  expectOnly(runOn(diverging("nvvm.barrier0", "nvvm.barrier0"), data, 32),
             FindingKind::DivergentBarrier);
  expectOnly(runOn(diverging("nvvm.barrier0", ""), data, 32), FindingKind::DivergentBarrier);
  // A warp that has ended takes part in nothing.
  EXPECT_EQ(textOf(runOn(diverging("nvvm.barrier0", ""), data, 16)), "");
}

TEST(Emulator, FindsInvalidMasks) {
  std::vector<int32_t> data(32);
  expectOnly(runOn(diverging("", "nvvm.bar.warp.sync %half : i32"), data, 18),
             FindingKind::InvalidMask);
}

TEST(Emulator, FindsDeadlocks) {
  std::vector<int32_t> data(32);
  Report report = runOn(diverging("nvvm.barrier0", "nvvm.bar.warp.sync %all : i32"), data, 32);
  expectOnly(report, FindingKind::Deadlock);
  EXPECT_NE(textOf(report).find("16 threads wait at barrier 0"), std::string::npos);
  EXPECT_NE(textOf(report).find("lanes 0xFFFF0000 of warp 0 wait for lanes 0xFFFF"),
            std::string::npos);
}

TEST(Emulator, RefusesWhatItCannotExecute) {
  std::string message;
  ScopedDiagnosticHandler handler(&getContext(), [&](Diagnostic &diagnostic) {
    message += diagnostic.str() + "\n";
    return success();
  });
  EXPECT_FALSE(load(kernelOf("nvvm.cp.async.bulk.commit.group\nllvm.return")));
  EXPECT_EQ(message,
            "the emulator cannot execute 'nvvm.cp.async.bulk.commit.group' in kernel 'k': the "
            "op has no meaning in the "
            "emulator\n");
  message.clear();
  EXPECT_FALSE(load(kernelOf("llvm.inline_asm has_side_effects \"nop\", \"\" : () -> ()\n"
                             "llvm.return")));
  EXPECT_NE(message.find("names instructions of the device"), std::string::npos);
}

TEST(Emulator, RefusesWrongLaunches) {
  auto emulator = load(kernelOf("llvm.return"));
  ASSERT_TRUE(emulator);
  auto reason = [&](StringRef kernel, LaunchOptions options, ArrayRef<Argument> arguments) {
    auto report = emulator->launch(kernel, options, arguments);
    return report ? std::string() : llvm::toString(report.takeError());
  };
  LaunchOptions options;
  EXPECT_EQ(reason("l", options, {}), "no kernel 'l'");
  EXPECT_EQ(reason("k", options, {}), "kernel 'k' expects 1 arguments, but got 0");
  EXPECT_EQ(reason("k", options, {Argument(int32_t(0))}),
            "kernel 'k' expects 8 bytes for argument 0, but got 4");
  options.block = {1025, 1, 1};
  EXPECT_NE(reason("k", options, {Argument(int64_t(0))}).find("1 to 1024 threads"),
            std::string::npos);
  options.block = {};
  options.dynamicSharedBytes = 1 << 20;
  EXPECT_NE(reason("k", options, {Argument(int64_t(0))}).find("bytes of shared memory"),
            std::string::npos);
}

/// PTX ISA, lop3: a table's value for (a, b, c) is its bit 4 a + 2 b + c; the manual's examples are
/// F(0xf0, 0xcc, 0xaa).
TEST(Emulator, LogicOfThreeOperands) {
  for (unsigned table : {0x80u, 0x6au, 0xeau, 0x96u, 0x1u, 0xfeu, 0xcau, 0x0u, 0xffu}) {
    std::vector<int32_t> data(32);
    const int32_t b = 0x33cc55aa, c = 0x0ff0f0f1;
    runOn(kernelOf("%b = llvm.mlir.constant(" + std::to_string(b) + " : i32) : i32\n" +
                   "%c = llvm.mlir.constant(" + std::to_string(c) + " : i32) : i32\n" +
                   R"(%v = llvm.load %p : !llvm.ptr<1> -> i32
                      %w = llvm.mul %v, %b : i32
                      %r = llvm.inline_asm "lop3.b32 $0, $1, $2, $3, )" +
                   std::to_string(table) + R"(;", "=r,r,r,r" %w, %b, %c : (i32, i32, i32) -> i32
                      llvm.store %r, %p : i32, !llvm.ptr<1>
                      llvm.return)"),
          data, 32);
    for (int32_t lane = 0; lane < 32; ++lane) {
      auto a = static_cast<int32_t>(static_cast<uint32_t>(100 + lane) * static_cast<uint32_t>(b));
      int32_t wanted = 0;
      for (int bit = 0; bit < 32; ++bit)
        wanted |= static_cast<int32_t>(
            (table >> ((a >> bit & 1) * 4 + (b >> bit & 1) * 2 + (c >> bit & 1)) & 1) << bit);
      EXPECT_EQ(data[lane], wanted) << table;
    }
  }
  EXPECT_FALSE(load(kernelOf(
      R"(%r = llvm.inline_asm "lop3.b32 $0, $1, $2, $3, 256;", "=r,r,r,r" %t, %t, %t : (i32, i32, i32) -> i32
         llvm.return)")));
}

} // namespace
