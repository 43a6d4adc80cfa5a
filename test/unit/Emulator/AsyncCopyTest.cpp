//===- AsyncCopyTest.cpp - cp.async, and what memory is counted to take -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Emulator/Emulator.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>
#include <map>
#include <set>

using namespace mlir;
using namespace sectile::emulator;

namespace {

constexpr uint32_t kThreads = 64;

std::string str(int64_t number) { return std::to_string(number); }

/// 64 threads; each one names the bytes `stride` t of @tile as %own and of the argument as %p, and
/// writes what `body` yields as %w (i32) to place t of the second argument.
std::string kernelOf(const std::string &body, int64_t stride) {
  return R"(
    llvm.mlir.global internal @tile() {addr_space = 3 : i32} : !llvm.array<8192 x i8>
    llvm.func @k(%base: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {
      %t = nvvm.read.ptx.sreg.tid.x : i32
      %l = llvm.zext %t : i32 to i64
      %stride = llvm.mlir.constant()" +
         str(stride) + R"( : i64) : i64
      %offset = llvm.mul %l, %stride : i64
      %last = llvm.mlir.constant(63 : i64) : i64
      %reversed = llvm.sub %last, %l : i64
      %otherOffset = llvm.mul %reversed, %stride : i64
      %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
      %own = llvm.getelementptr %tile[%offset] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8
      %other = llvm.getelementptr %tile[%otherOffset] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8
      %p = llvm.getelementptr %base[%offset] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8
)" + body +
         R"(
      %q = llvm.getelementptr %out[%l] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32
      llvm.store %w, %q : i32, !llvm.ptr<1>
      llvm.return
    })";
}

struct Outcome {
  std::string findings;
  std::vector<int32_t> results;
  Report report;
};

/// Runs it on the bytes 1, 2, ... 251, 1, ... of a buffer of `bytes`.
Outcome run(const std::string &body, int64_t stride, size_t bytes = 8192, uint32_t seed = 0) {
  static auto *context = new MLIRContext(MLIRContext::Threading::DISABLED);
  context->loadDialect<LLVM::LLVMDialect, NVVM::NVVMDialect>();
  auto module =
      parseSourceString<ModuleOp>(kernelOf(body, stride), ParserConfig(context), "k.mlir");
  if (!module)
    return {"not parsed", {}, {}};
  auto emulator = Emulator::load(*module);
  if (failed(emulator))
    return {"not loaded", {}, {}};
  std::vector<char> data(bytes);
  for (size_t i = 0; i < bytes; ++i)
    data[i] = static_cast<char>(i % 251 + 1);
  char *input = (*emulator)->allocate("input", data);
  int32_t *output = (*emulator)->allocate("output", std::vector<int32_t>(kThreads));
  LaunchOptions options;
  options.block = {kThreads, 1, 1};
  options.orderSeed = seed;
  options.countMemory = true;
  auto report = (*emulator)->launch("k", options, {input, output});
  if (!report)
    return {llvm::toString(report.takeError()), {}, {}};
  Outcome outcome;
  for (const Finding &finding : report->findings)
    outcome.findings += finding.text() + "\n";
  outcome.results.assign(output, output + kThreads);
  outcome.report = std::move(*report);
  return outcome;
}

std::string copyOf(int64_t bytes, const std::string &size = "") {
  return "nvvm.cp.async.shared.global %own, %p, " + str(bytes) +
         ", cache = " + (bytes == 16 ? "cg" : "ca") + (size.empty() ? "" : ", " + size) +
         " : !llvm.ptr<3>, !llvm.ptr<1>" + (size.empty() ? "" : ", i32") + "\n";
}
const std::string kCommit = "nvvm.cp.async.commit.group\n", kBarrier = "nvvm.barrier0\n";
std::string waitFor(int64_t pending) { return "nvvm.cp.async.wait.group " + str(pending) + "\n"; }
std::string readOf(const std::string &pointer) {
  return "%w = llvm.load " + pointer + " : !llvm.ptr<3> -> i32\n";
}

/// The four bytes from byte `offset` on, those before `bound`.
int32_t wordAt(int64_t offset, int64_t bound = INT64_MAX) {
  uint32_t word = 0;
  for (int i = 0; i < 4; ++i)
    word |= offset + i < bound ? uint32_t((offset + i) % 251 + 1) << 8 * i : 0;
  return static_cast<int32_t>(word);
}

TEST(AsyncCopy, LandsAtAWait) {
  for (int64_t bytes : {4, 8, 16})
    for (uint32_t seed : {0, 5}) {
      Outcome outcome = run(copyOf(bytes) + kCommit + waitFor(0) + kBarrier + readOf("%other"),
                            bytes, 8192, seed);
      EXPECT_EQ(outcome.findings, "");
      for (int64_t t = 0; t < kThreads; ++t)
        EXPECT_EQ(outcome.results[t], wordAt((63 - t) * bytes));
    }
}

TEST(AsyncCopy, FillsWithZeroes) {
  for (int64_t size : {0, 1, 3, 4, 16}) {
    std::string body = "%size = llvm.mlir.constant(" + str(size) + " : i32) : i32\n" +
                       copyOf(16, "%size") + kCommit + waitFor(0) + readOf("%own");
    // Nothing beyond the size is read: the buffer ends there.
    Outcome outcome = run(body, 16, 63 * 16 + size);
    EXPECT_EQ(outcome.findings, "");
    for (int64_t t = 0; t < kThreads; ++t)
      EXPECT_EQ(outcome.results[t], wordAt(t * 16, t * 16 + size));
  }
  std::string body = "%size = llvm.mlir.constant(17 : i32) : i32\n" + copyOf(16, "%size") +
                     kCommit + waitFor(0) + readOf("%own");
  EXPECT_NE(run(body, 16).findings.find("reads 17 bytes for a copy of 16"), std::string::npos);
}

TEST(AsyncCopy, FindsAMissingWait) {
  for (const std::string &wait : {std::string(), kCommit, kCommit + waitFor(1), waitFor(0)}) {
    Outcome outcome = run(copyOf(16) + wait + kBarrier + readOf("%own"), 16);
    EXPECT_NE(outcome.findings.find("an asynchronous copy to it is under way"), std::string::npos)
        << wait << outcome.findings;
  }
}

TEST(AsyncCopy, FindsAMissingBarrier) {
  Outcome outcome = run(copyOf(16) + kCommit + waitFor(0) + readOf("%other"), 16);
  EXPECT_NE(outcome.findings.find("k.mlir"), std::string::npos);
  // A barrier before the wait orders nothing that the wait brings.
  outcome = run(copyOf(16) + kCommit + kBarrier + waitFor(0) + readOf("%other"), 16);
  EXPECT_NE(outcome.findings.find("race"), std::string::npos) << outcome.findings;
}

TEST(AsyncCopy, WaitsForTheGroupsBeforeTheLastOnes) {
  // The second group goes to the second half of the tile.
  std::string second = R"(
      %half = llvm.mlir.constant(4096 : i64) : i64
      %far = llvm.getelementptr %own[%half] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i8
      nvvm.cp.async.shared.global %far, %p, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>
)";
  std::string both = copyOf(16) + kCommit + second + kCommit;
  EXPECT_EQ(run(both + waitFor(1) + readOf("%own"), 16).findings, "");
  EXPECT_NE(run(both + waitFor(1) + readOf("%far"), 16).findings, "");
  EXPECT_EQ(run(both + waitFor(0) + readOf("%far"), 16).findings, "");
}

TEST(AsyncCopy, FindsWhatOverwritesItsBytes) {
  std::string store = "llvm.store %t, %own : i32, !llvm.ptr<3>\n";
  std::string rest = kCommit + waitFor(0) + kBarrier + readOf("%own");
  EXPECT_NE(run(copyOf(16) + store + rest, 16).findings.find("under way"), std::string::npos);
  EXPECT_EQ(run(store + copyOf(16) + rest, 16).findings, "");
  // A read by another lane that no barrier orders before the copy.
  std::string early = "llvm.store %t, %own : i32, !llvm.ptr<3>\n" + kBarrier +
                      "%early = llvm.load %other : !llvm.ptr<3> -> i32\n";
  EXPECT_NE(run(early + copyOf(16) + rest, 16).findings.find("race"), std::string::npos);
  EXPECT_EQ(run(early + kBarrier + copyOf(16) + rest, 16).findings, "");
}

TEST(AsyncCopy, FindsAccessesOutOfBoundsAndMisalignedOnes) {
  std::string rest = kCommit + waitFor(0) + readOf("%own");
  EXPECT_NE(run(copyOf(16) + rest, 16, 63 * 16 + 8).findings.find("out of bounds"),
            std::string::npos);
  EXPECT_NE(run(copyOf(16) + rest, 8).findings.find("misaligned"), std::string::npos);
  // 64 copies 256 bytes apart reach behind the tile.
  EXPECT_NE(run(copyOf(16) + rest, 256, 1 << 15).findings.find("out of bounds"), std::string::npos);
}

const MemoryCount *find(const Outcome &outcome, const std::string &op, bool isShared) {
  for (const MemoryCount &count : outcome.report.memory)
    if (count.op == op && count.isShared == isShared)
      return &count;
  return nullptr;
}

TEST(MemoryCount, OfCopies) {
  Outcome outcome = run(copyOf(16) + kCommit + waitFor(0) + readOf("%own"), 16);
  const MemoryCount *read = find(outcome, "cp.async", false),
                    *write = find(outcome, "cp.async", true);
  ASSERT_TRUE(read && write);
  // Two warps of 512 bytes each; quarter warps fill all banks.
  EXPECT_EQ(read->requests, 2u);
  EXPECT_EQ(read->sectors, 32u);
  EXPECT_EQ(read->leastSectors, 32u);
  EXPECT_EQ(write->phases, 8u);
  EXPECT_EQ(write->conflicts(), 0u);
  // Words 16 bytes apart: every fourth bank, 4 turns for each warp.
  const MemoryCount *load = find(outcome, "load", true);
  ASSERT_TRUE(load);
  EXPECT_EQ(load->phases, 2u);
  EXPECT_EQ(load->turns, 8u);
  const MemoryCount *store = find(outcome, "store", false);
  ASSERT_TRUE(store);
  EXPECT_EQ(store->sectors, 8u);
  EXPECT_NE(store->text().find("k.mlir:"), std::string::npos);
}

/// Words `stride` bytes apart, for all strides: counted here by the definition.
TEST(MemoryCount, OfStrides) {
  for (int64_t stride = 4; stride <= 128; stride += 4) {
    std::string body = "%v = llvm.load %p : !llvm.ptr<1> -> i32\n"
                       "llvm.store %v, %own : i32, !llvm.ptr<3>\n" +
                       readOf("%own");
    Outcome outcome = run(body, stride);
    ASSERT_EQ(outcome.findings, "");
    uint64_t sectors = 0, turns = 0;
    for (int64_t warp = 0; warp < 2; ++warp) {
      std::set<int64_t> seen;
      std::map<int64_t, uint64_t> banks;
      for (int64_t lane = 32 * warp; lane < 32 * warp + 32; ++lane) {
        seen.insert(lane * stride / 32);
        ++banks[lane * stride / 4 % 32];
      }
      sectors += seen.size();
      uint64_t most = 0;
      for (auto [bank, words] : banks)
        most = std::max(most, words);
      turns += most;
    }
    EXPECT_EQ(find(outcome, "load", false)->sectors, sectors) << stride;
    EXPECT_EQ(find(outcome, "load", false)->leastSectors, 8u);
    EXPECT_EQ(find(outcome, "store", true)->turns, turns) << stride;
  }
}

/// Rows 64 bytes apart meet in every second one: four turns for each matrix of eight.
TEST(MemoryCount, OfMatrices) {
  for (auto [stride, turns] : {std::pair<int64_t, uint64_t>{64, 4}, {128, 8}, {16, 1}, {80, 1}}) {
    std::string body =
        copyOf(16) + kCommit + waitFor(0) + kBarrier +
        "%w = nvvm.ldmatrix %own {num = 1 : i32, layout = #nvvm.mma_layout<row>, shape = "
        "#nvvm.ld_st_matrix_shape<m = 8, n = 8>, eltType = #nvvm.ld_st_matrix_elt_type<b16>} : "
        "(!llvm.ptr<3>) -> i32\n";
    Outcome outcome = run(body, stride);
    ASSERT_EQ(outcome.findings, "") << stride;
    const MemoryCount *load = find(outcome, "ldmatrix", true);
    ASSERT_TRUE(load);
    EXPECT_EQ(load->requests, 2u);
    EXPECT_EQ(load->phases, 2u);
    EXPECT_EQ(load->turns, 2 * turns) << stride;
  }
}

} // namespace
