//===- WarpGroupTest.cpp - wgmma on the emulator ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Products of matrices that are zero but for one element, placed by the table of
// targets, which was written down from the manual apart from the emulator; and
// kernels with a mistake in their order, each of which must be found.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "sectile/Target/GroupInstruction.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace sectile;
using namespace sectile::emulator;
using namespace sectile::test;
using layout::Axis;

namespace {

std::string str(int64_t number) { return std::to_string(number); }

/// A kernel of one group that copies both sides, as they lie in shared memory, from its first
/// argument, multiplies once and writes sums to its second, those of a thread together.
struct Kernel {
  target::MatrixInstruction spec;
  int64_t bytesA, bytesB;
  uint64_t descriptorA, descriptorB;
  bool isTransposedA = false, isTransposedB = false;
  // Parts that mistakes replace.
  std::string fenceProxy =
      "nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}\n";
  std::string barrier = "nvvm.barrier0\n";
  std::string fence = "nvvm.wgmma.fence.aligned\n";
  std::string commit = "nvvm.wgmma.commit.group.sync.aligned\n";
  std::string behind = {};
  std::string wait = "nvvm.wgmma.wait.group.sync.aligned 0\n";
  std::string store = "i32"; // width of the copies
  std::string sums = "%z";
  std::string before = {};

  bool isInteger() const { return spec.accumulator == "s32"; }
  std::string sum() const { return isInteger() ? "i32" : "f32"; }
  std::string structure() const {
    std::string list;
    for (int64_t i = 0; i < spec.n / 2; ++i)
      list += (i ? ", " : "") + sum();
    return "!llvm.struct<(" + list + ")>";
  }
  std::string product(const std::string &result, const std::string &sums) const {
    auto layout = [](bool isColumn) { return std::string(isColumn ? "<col>" : "<row>"); };
    return result + " = nvvm.wgmma.mma_async %da, %db, " + sums +
           ", #nvvm.shape<m = 64, n = " + str(spec.n) + ", k = " + str(spec.k) + ">, D[<" +
           std::string(spec.accumulator) + ">, #nvvm.wgmma_scale_out<one>" +
           (isInteger() ? ", <wrapped>" : "") + "], A[<" + std::string(spec.a) +
           ">, #nvvm.wgmma_scale_in<one>, " + layout(isTransposedA) + "], B[<" +
           std::string(spec.b) + ">, #nvvm.wgmma_scale_in<one>, " + layout(!isTransposedB) +
           "] : " + structure() + " -> " + structure() + "\n";
  }

  std::string print() const {
    std::string text =
        "llvm.mlir.global internal @tile() {addr_space = 3 : i32, alignment = 1024 : i64} : "
        "!llvm.array<" +
        str(bytesA + bytesB) +
        " x i8>\n"
        "llvm.func @k(%in: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {nvvm.kernel} {\n"
        "%t = nvvm.read.ptx.sreg.tid.x : i32\n"
        "%l = llvm.zext %t : i32 to i64\n"
        "%c0 = llvm.mlir.constant(0 : i64) : i64\n"
        "%c1 = llvm.mlir.constant(1 : i64) : i64\n"
        "%threads = llvm.mlir.constant(128 : i64) : i64\n"
        "%words = llvm.mlir.constant(" +
        str((bytesA + bytesB) / 4) +
        " : i64) : i64\n"
        "%tile = llvm.mlir.addressof @tile : !llvm.ptr<3>\n"
        "%warp32 = llvm.mlir.constant(32 : i32) : i32\n"
        "%warp = llvm.udiv %t, %warp32 : i32\n"
        "%zero32 = llvm.mlir.constant(0 : i32) : i32\n"
        "llvm.br ^copy(%l : i64)\n"
        "^copy(%i: i64):\n"
        "%more = llvm.icmp \"slt\" %i, %words : i64\n"
        "llvm.cond_br %more, ^one, ^done\n"
        "^one:\n"
        "%from = llvm.getelementptr %in[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32\n"
        "%to = llvm.getelementptr %tile[%i] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i32\n"
        "%w = llvm.load %from : !llvm.ptr<1> -> i32\n"
        "llvm.store %w, %to : i32, !llvm.ptr<3>\n"
        "%next = llvm.add %i, %threads : i64\n"
        "llvm.br ^copy(%next : i64)\n"
        "^done:\n" +
        fenceProxy + barrier +
        // What comes from 32 bits of address is the place in shared memory.
        "%address = llvm.ptrtoint %tile : !llvm.ptr<3> to i64\n"
        "%mask = llvm.mlir.constant(262143 : i64) : i64\n"
        "%c4 = llvm.mlir.constant(4 : i64) : i64\n"
        "%masked = llvm.and %address, %mask : i64\n"
        "%start = llvm.lshr %masked, %c4 : i64\n"
        "%fa = llvm.mlir.constant(" +
        std::to_string(static_cast<int64_t>(descriptorA)) +
        " : i64) : i64\n"
        "%fb = llvm.mlir.constant(" +
        std::to_string(static_cast<int64_t>(descriptorB + static_cast<uint64_t>(bytesA / 16))) +
        " : i64) : i64\n"
        "%da = llvm.add %start, %fa : i64\n"
        "%db = llvm.add %start, %fb : i64\n"
        "%z = llvm.mlir.zero : " +
        structure() + "\n" + before + fence + product("%r", sums) + commit + behind + wait +
        "%n = llvm.mlir.constant(" + str(spec.n / 2) +
        " : i64) : i64\n"
        "%g = llvm.mul %l, %n : i64\n"
        "%o = llvm.getelementptr %out[%g] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i32\n";
    for (int64_t i = 0; i < spec.n / 2; ++i) {
      std::string n = str(i);
      text += "%e" + n + " = llvm.extractvalue %r[" + n + "] : " + structure() + "\n%o" + n +
              " = llvm.getelementptr %o[" + n + "] : (!llvm.ptr<1>) -> !llvm.ptr<1>, i32\n" +
              "llvm.store %e" + n + ", %o" + n + " : " + sum() + ", !llvm.ptr<1>\n";
    }
    return text + "llvm.return\n}\n";
  }
};

struct Sides {
  layout::MemoryLayout a, b;
  Kernel kernel;
};

Sides place(const target::MatrixInstruction &spec, bool isKMajorA, bool isKMajorB) {
  auto a = target::placeSide(spec, target::Operand::A, {spec.m, spec.k}, isKMajorA);
  auto b = target::placeSide(spec, target::Operand::B, {spec.k, spec.n}, isKMajorB);
  std::vector<int64_t> origin{0, 0};
  auto windowA = target::describe(spec, target::Operand::A, *a, origin);
  auto windowB = target::describe(spec, target::Operand::B, *b, origin);
  // B begins at a multiple of every pattern.
  int64_t bytesA = (a->sizeBits() / 8 + 1023) / 1024 * 1024;
  return {*a, *b,
          Kernel{.spec = spec,
                 .bytesA = bytesA,
                 .bytesB = b->sizeBits() / 8,
                 .descriptorA = windowA->descriptor.encode(),
                 .descriptorB = windowB->descriptor.encode(),
                 .isTransposedA = !windowA->descriptor.isKMajor,
                 .isTransposedB = !windowB->descriptor.isKMajor}};
}

uint64_t oneOf(std::string_view type) {
  return type == "f16"                     ? 0x3c00
         : type == "bf16"                  ? 0x3f80
         : type == "e4m3"                  ? 0x38
         : type == "e5m2"                  ? 0x3c
         : type == "tf32" || type == "f32" ? 0x3f800000
                                           : 1;
}

LaunchOptions groupOptions(uint32_t threads = 128) {
  LaunchOptions options;
  options.block = {threads, 1, 1};
  return options;
}

TEST(EmulatorWarpGroup, ProductsOfSingleElements) {
  for (auto [name, isKMajorA, isKMajorB] :
       {std::tuple<const char *, bool, bool>{"wgmma.m64n8k16.f16", true, true},
        {"wgmma.m64n16k16.f16", true, false},
        {"wgmma.m64n64k16.bf16", false, false},
        {"wgmma.m64n96k16.f16", false, true},
        {"wgmma.m64n192k16.f16", true, false},
        {"wgmma.m64n24k8.tf32", true, true},
        {"wgmma.m64n48k32.s8", true, true},
        {"wgmma.m64n16k32.u8.s8", true, true},
        {"wgmma.m64n40k32.e4m3", true, true},
        {"wgmma.m64n8k32.e5m2.e4m3", true, true}}) {
    const target::MatrixInstruction &spec = *target::findMatrixInstruction(name);
    Sides sides = place(spec, isKMajorA, isKMajorB);
    std::unique_ptr<Emulator> emulated = load(sides.kernel.print());
    ASSERT_TRUE(emulated) << sides.kernel.print();
    std::vector<char> in(static_cast<size_t>(sides.kernel.bytesA + sides.kernel.bytesB), 0);
    char *input = static_cast<char *>(emulated->allocate("in", llvm::ArrayRef<char>(in)));
    uint32_t *output =
        emulated->allocate("out", std::vector<uint32_t>(static_cast<size_t>(64 * spec.n)));
    int64_t bytes = target::getElementBits(spec) / 8;
    layout::DistributedLayout sums = target::fragment(spec, target::Operand::Accumulator);
    auto check = [&](int64_t i, int64_t step, int64_t j) {
      std::copy(in.begin(), in.end(), input);
      uint64_t a = oneOf(spec.a), b = oneOf(spec.b);
      std::memcpy(input + sides.a.bitAddress(std::vector<int64_t>{i, step}) / 8, &a, bytes);
      std::memcpy(input + sides.kernel.bytesA +
                      sides.b.bitAddress(std::vector<int64_t>{step, j}) / 8,
                  &b, bytes);
      auto report = emulated->launch("k", groupOptions(), {input, output});
      ASSERT_TRUE(bool(report));
      ASSERT_TRUE(report->findings.empty()) << report->findings[0].text();
      layout::HardwarePlace place = sums.placeOf(std::vector<int64_t>{i, j});
      int64_t thread =
          place[static_cast<size_t>(Axis::Warp)] * 32 + place[static_cast<size_t>(Axis::Lane)];
      int64_t expected = thread * spec.n / 2 + place[static_cast<size_t>(Axis::Register)];
      for (int64_t slot = 0; slot < 64 * spec.n; ++slot)
        ASSERT_EQ(output[slot], slot == expected ? oneOf(spec.accumulator) : 0)
            << name << ": " << i << ", " << step << ", " << j;
    };
    for (int64_t step = 0; step < spec.k; ++step)
      for (int64_t i = step % 5; i < std::max(spec.m, spec.n); i += 5)
        check((i * 3 + step) % spec.m, step, i % spec.n);
  }
}

/// What the emulator finds in a kernel, as text.
std::string find(const Kernel &kernel, uint32_t threads = 128) {
  std::unique_ptr<Emulator> emulated = load(kernel.print());
  if (!emulated)
    return "not loaded";
  auto *input = emulated->allocate(
      "in", std::vector<char>(static_cast<size_t>(kernel.bytesA + kernel.bytesB), 0));
  auto *output = emulated->allocate(
      "out", std::vector<uint32_t>(static_cast<size_t>(threads * kernel.spec.n / 2)));
  std::string text;
  for (uint32_t seed : {0, 3}) {
    LaunchOptions options = groupOptions(threads);
    options.orderSeed = seed;
    auto report = emulated->launch("k", options, {input, output});
    if (!report)
      return llvm::toString(report.takeError());
    for (const Finding &finding : report->findings)
      text += finding.text() + "\n";
  }
  return text;
}

Kernel makeKernel() {
  return place(*target::findMatrixInstruction("wgmma.m64n64k16.f16"), true, false).kernel;
}

void expectFinding(const Kernel &kernel, const std::string &text) {
  std::string found = find(kernel);
  EXPECT_NE(found.find(text), std::string::npos) << text << "\nfound: " << found;
}

TEST(EmulatorWarpGroup, FindsMissingFences) {
  Kernel good = makeKernel();
  EXPECT_EQ(find(good), "");
  Kernel kernel = good;
  kernel.fence = "";
  expectFinding(kernel, "no wgmma.fence stands before the first product");
  // A write of the sums behind the fence.
  kernel = good;
  kernel.before = kernel.fence +
                  "%v = llvm.sitofp %t : i32 to f32\n%zv = llvm.insertvalue %v, "
                  "%z[3] : " +
                  kernel.structure() + "\n";
  kernel.sums = "%zv";
  EXPECT_EQ(find(kernel), "");
  kernel.fence = "";
  expectFinding(kernel,
                "no wgmma.fence stands between this product and an access to its registers");
  kernel = good;
  kernel.fenceProxy = "";
  expectFinding(kernel, "no fence.proxy.async");
  // The fence in the readers is one as well; before the write it is none.
  kernel.barrier += good.fenceProxy;
  EXPECT_EQ(find(kernel), "");
}

TEST(EmulatorWarpGroup, ProductsOfOneShapeFollowEachOther) {
  Kernel kernel = makeKernel();
  // Without a fence or a wait in between: the manual's exception.
  kernel.before = kernel.fence + kernel.product("%r0", "%z");
  kernel.fence = "";
  kernel.sums = "%r0";
  EXPECT_EQ(find(kernel), "");
}

TEST(EmulatorWarpGroup, FindsAccessesBeforeTheWait) {
  Kernel kernel = makeKernel();
  kernel.wait = "";
  expectFinding(kernel, "are accessed before a wait for it");
  kernel.wait = "nvvm.wgmma.wait.group.sync.aligned 1\n";
  expectFinding(kernel, "are accessed before a wait for it");
  kernel = makeKernel();
  kernel.commit = ""; // of no group
  expectFinding(kernel, "are accessed before a wait for it");
  // Through a branch and a vector.
  kernel = makeKernel();
  kernel.behind = "%first = llvm.extractvalue %r[0] : " + kernel.structure() +
                  "\nllvm.br ^on(%first : f32)\n^on(%f: f32):\n%sum = llvm.fadd %f, %f : f32\n";
  expectFinding(kernel, "are accessed before a wait for it");
}

TEST(EmulatorWarpGroup, FindsRacesWithMemory) {
  Kernel kernel = makeKernel();
  kernel.barrier = "";
  expectFinding(kernel, "race");
  // Overwritten while under way, by anybody.
  std::string store = "llvm.store %t, %own : i32, !llvm.ptr<3>\n";
  kernel = makeKernel();
  kernel.before =
      "%own = llvm.getelementptr %tile[%l] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i32\n";
  kernel.behind = store;
  expectFinding(kernel, "a product that reads it is under way");
  // Behind one's own wait other warps may still read B.
  kernel.behind = "";
  std::string wait = kernel.wait;
  kernel.wait = wait + store;
  expectFinding(kernel, "race");
  kernel.wait = wait + "nvvm.barrier0\n" + store;
  EXPECT_EQ(find(kernel), "");
}

TEST(EmulatorWarpGroup, FindsWarpsThatDiverge) {
  Kernel kernel = makeKernel();
  kernel.before = "%odd = llvm.icmp \"eq\" %warp, %zero32 : i32\nllvm.cond_br %odd, ^skip, ^go\n"
                  "^go:\n" +
                  kernel.fence + "llvm.br ^skip\n^skip:\n";
  expectFinding(kernel, "divergent warp group");
  kernel = makeKernel();
  EXPECT_NE(find(kernel, 96).find("expects groups of four whole warps"), std::string::npos);
}

TEST(EmulatorWarpGroup, FindsDescriptorsThatMakeNoSense) {
  Kernel kernel = makeKernel();
  kernel.descriptorA |= uint64_t(1) << 55;
  expectFinding(kernel, "bits are set that mean nothing");
  kernel = makeKernel();
  kernel.descriptorB += 8; // 128 bytes into the pattern
  expectFinding(kernel, "bytes into the pattern, but its base offset is 0");
  kernel = makeKernel();
  kernel.descriptorA += 1; // 16 bytes: the second half of a row and what follows it
  expectFinding(kernel, "do not lie in a row");
  kernel = makeKernel();
  kernel.descriptorB += uint64_t(64) << 32; // twice the distance of rows
  expectFinding(kernel, "out of bounds");
  // Different ones in one warp, and in different warps.
  kernel = makeKernel();
  kernel.before = "%start2 = llvm.add %da, %l : i64\n";
  std::string product = kernel.print();
  auto findText = [&](std::string text, const std::string &from, const std::string &to) {
    text.replace(text.find(from), from.size(), to);
    auto emulated = load(text);
    if (!emulated)
      return std::string("not loaded");
    auto *input = emulated->allocate(
        "in", std::vector<char>(static_cast<size_t>(kernel.bytesA + kernel.bytesB), 0));
    auto *output = emulated->allocate("out", std::vector<uint32_t>(64 * 64));
    auto report = emulated->launch("k", groupOptions(), {input, output});
    std::string found;
    if (report)
      for (const Finding &finding : report->findings)
        found += finding.text() + "\n";
    return found;
  };
  EXPECT_NE(findText(product, "mma_async %da", "mma_async %start2")
                .find("lanes of the warp have different descriptors"),
            std::string::npos);
  kernel.before = "%w64 = llvm.zext %warp : i32 to i64\n%w256 = llvm.shl %w64, %c4 : i64\n"
                  "%start2 = llvm.add %da, %w256 : i64\n";
  EXPECT_NE(findText(kernel.print(), "mma_async %da", "mma_async %start2")
                .find("warps of the group have different descriptors"),
            std::string::npos);
}

/// A pattern reads eight rows of 16 bytes in a turn of all banks; rows of 128 bytes without one
/// take eight turns.
TEST(EmulatorWarpGroup, CountsTurnsOfMemory) {
  for (bool isKMajor : {true, false}) {
    Kernel kernel =
        place(*target::findMatrixInstruction("wgmma.m64n64k16.f16"), isKMajor, isKMajor).kernel;
    auto emulated = load(kernel.print());
    ASSERT_TRUE(emulated);
    auto *input = emulated->allocate(
        "in", std::vector<char>(static_cast<size_t>(kernel.bytesA + kernel.bytesB), 0));
    auto *output = emulated->allocate("out", std::vector<uint32_t>(64 * 64));
    LaunchOptions options = groupOptions();
    options.countMemory = true;
    auto report = emulated->launch("k", options, {input, output});
    ASSERT_TRUE(bool(report));
    uint64_t phases = 0, conflicts = 0;
    for (const MemoryCount &count : report->memory)
      if (count.op == "wgmma") {
        phases += count.phases;
        conflicts += count.conflicts();
      }
    // Each warp reads 16 rows of 32 bytes of A and 64 columns of B.
    EXPECT_EQ(phases, 4u * (16 + 64) * 32 / 128);
    EXPECT_EQ(conflicts, 0u);
  }
}

TEST(EmulatorWarpGroup, OthersAreRefused) {
  std::string message;
  ScopedDiagnosticHandler handler(&getContext(), [&](Diagnostic &diagnostic) {
    message += diagnostic.str();
    return success();
  });
  std::string text = makeKernel().print();
  text.replace(text.find("nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = "
                         "#nvvm.shared_space<cta>}"),
               92, "nvvm.fence.proxy {kind = #nvvm.proxy_kind<alias>}\n//");
  EXPECT_EQ(load(text), nullptr);
  EXPECT_NE(message.find("only fences of the async proxy are emulated"), std::string::npos)
      << message;
}

} // namespace
