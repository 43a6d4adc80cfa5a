//===- WavefrontTest.cpp - what AMD's devices have, on the emulator -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"

#include "sectile/Target/MatrixInstruction.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

using namespace mlir;
using namespace sectile;
using namespace sectile::emulator;
using namespace sectile::test;
using layout::Axis;

namespace {

/// A kernel `k` of one pointer, whose body begins with the thread's number %t (and its extension
/// %l) and its address %p = base + 8 t.
std::string kernelOf(const std::string &processor, const std::string &body,
                     const std::string &globals = "") {
  return globals + R"(
    llvm.func @k(%base: !llvm.ptr<1>) attributes {rocdl.kernel, target_cpu = ")" +
         processor + R"("} {
      %t = rocdl.workitem.id.x : i32
      %l = llvm.zext %t : i32 to i64
      %c0 = llvm.mlir.constant(0 : i32) : i32
      %c1 = llvm.mlir.constant(1 : i32) : i32
      %c2 = llvm.mlir.constant(2 : i32) : i32
      %p = llvm.getelementptr %base[%l] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i64
)" + body +
         R"(
      llvm.return
    })";
}

std::string refusalOf(const std::string &text) {
  std::string message;
  ScopedDiagnosticHandler handler(&getContext(), [&](Diagnostic &diagnostic) {
    message += diagnostic.str();
    return success();
  });
  EXPECT_EQ(load(text), nullptr);
  return message;
}

Report run(const std::string &text, std::vector<uint64_t> &data, uint32_t threads,
           uint32_t seed = 0) {
  auto emulator = load(text);
  if (!emulator) {
    ADD_FAILURE() << text;
    return {};
  }
  uint64_t *buffer = emulator->allocate("data", data);
  LaunchOptions options;
  options.block = {threads, 1, 1};
  options.orderSeed = seed;
  auto report = emulator->launch("k", options, {buffer});
  if (!report) {
    ADD_FAILURE() << llvm::toString(report.takeError());
    return {};
  }
  std::copy_n(buffer, data.size(), data.begin());
  return std::move(*report);
}

/// What each of two wavefronts' lanes gets by `op`, which makes %r of %t.
std::vector<uint64_t> lanesOf(const std::string &processor, const std::string &op) {
  uint32_t lanes = processor == "gfx1100" ? 32 : 64;
  std::vector<uint64_t> data(2 * lanes, 0);
  Report report = run(kernelOf(processor, op + R"(
      %w = llvm.zext %r : i32 to i64
      llvm.store %w, %p : i64, !llvm.ptr<1>)"),
                      data, 2 * lanes, /*seed=*/7);
  EXPECT_TRUE(report.findings.empty()) << report.findings[0].text();
  return data;
}

const char *const kProcessors[] = {"gfx90a", "gfx942", "gfx1100"};

TEST(EmulatorWavefront, LanesReadEachOther) {
  for (const char *processor : kProcessors) {
    uint64_t lanes = std::string(processor) == "gfx1100" ? 32 : 64;
    auto expectSources = [&](const std::string &op, auto &&sourceOf) {
      std::vector<uint64_t> found = lanesOf(processor, op);
      for (uint64_t thread = 0; thread < 2 * lanes; ++thread)
        EXPECT_EQ(found[thread], thread / lanes * lanes + sourceOf(thread % lanes))
            << processor << ", " << op << ": thread " << thread;
    };
    // [1, 0, 3, 2] in groups of four; ISA manuals, "DPP_QUAD_PERM".
    expectSources("%r = rocdl.update.dpp %c0, %t with 177, 15, 15, true : i32",
                  [](uint64_t lane) { return lane ^ 1; });
    // Rows of 16 rotated by 8: DPP_ROW_RR8.
    expectSources("%r = rocdl.update.dpp %c0, %t with 296, 15, 15, true : i32",
                  [](uint64_t lane) { return lane / 16 * 16 + (lane + 8) % 16; });
    // By 3 to the right: lane 3 gets what lane 0 has.
    expectSources("%r = rocdl.update.dpp %c0, %t with 291, 15, 15, true : i32",
                  [](uint64_t lane) { return lane / 16 * 16 + (lane + 13) % 16; });
    expectSources("%r = rocdl.update.dpp %c0, %t with 320, 15, 15, true : i32",
                  [](uint64_t lane) { return lane / 16 * 16 + 15 - lane % 16; });
    expectSources("%r = rocdl.update.dpp %c0, %t with 321, 15, 15, true : i32",
                  [](uint64_t lane) { return lane / 8 * 8 + 7 - lane % 8; });
    // ds_swizzle, xor by 4 and by 16.
    for (int mask : {4, 16})
      expectSources("%o = llvm.mlir.constant(" + std::to_string(mask << 10 | 31) +
                        " : i32) : i32\n%r = rocdl.ds_swizzle %t, %o : (i32, i32) -> i32",
                    [&](uint64_t lane) { return lane ^ mask; });
    // Broadcast of lane 5 of each 32: and 0, or 5.
    expectSources("%o = llvm.mlir.constant(160 : i32) : i32\n"
                  "%r = rocdl.ds_swizzle %t, %o : (i32, i32) -> i32",
                  [](uint64_t lane) { return lane / 32 * 32 + 5; });
    // ds_bpermute, of the lane behind, around the wavefront; the address is four times its number.
    expectSources("%n = llvm.add %t, %c1 : i32\n%a = llvm.shl %n, %c2 : i32\n"
                  "%r = rocdl.ds_bpermute %a, %t : (i32, i32) -> i32",
                  [&](uint64_t lane) { return (lane + 1) % lanes; });
  }
}

/// A lane that reads none gets zero, or keeps what it has (bound_ctrl).
TEST(EmulatorWavefront, WhatIsShiftedInIsZeroOrOld) {
  for (bool isZero : {true, false}) {
    std::vector<uint64_t> found =
        lanesOf("gfx942", "%old = llvm.mlir.constant(99 : i32) : i32\n"
                          "%r = rocdl.update.dpp %old, %t with 273, 15, 15, " +
                              std::string(isZero ? "true" : "false") + " : i32");
    for (uint64_t thread = 0; thread < 128; ++thread)
      EXPECT_EQ(found[thread], thread % 16 ? thread - 1 : isZero ? 0 : 99);
  }
}

TEST(EmulatorWavefront, Votes) {
  std::vector<uint64_t> data(64, 0);
  std::string vote = R"(
      %b = llvm.and %t, %c1 : i32
      %odd = llvm.trunc %b : i32 to i1
      %v = rocdl.ballot %odd : i64
      llvm.store %v, %p : i64, !llvm.ptr<1>)";
  EXPECT_TRUE(run(kernelOf("gfx942", vote), data, 64).findings.empty());
  EXPECT_EQ(data, std::vector<uint64_t>(64, 0xaaaaaaaaaaaaaaaa));
  EXPECT_NE(refusalOf(kernelOf("gfx1100", vote)).find("a bit for each lane of the wavefront"),
            std::string::npos);
}

//===----------------------------------------------------------------------===//
// Matrix instructions
//===----------------------------------------------------------------------===//

/// One instruction, as a kernel that loads each lane's operands from behind each other in memory.
class Instruction {
public:
  Instruction(const target::MatrixInstruction &spec, std::string processor)
      : spec(spec), processor(std::move(processor)), bits(target::getElementBits(spec)),
        lanes(this->processor == "gfx1100" ? 32 : 64) {
    for (auto operand : {target::Operand::A, target::Operand::B, target::Operand::Accumulator}) {
      int64_t registers = target::fragment(spec, operand).extent(Axis::Register);
      int64_t elementBits =
          operand == target::Operand::Accumulator ? (spec.accumulator == "f64" ? 64 : 32) : bits;
      bytes.push_back(registers * elementBits / 8);
    }
  }

  int64_t bytesOfLane() const { return bytes[0] + bytes[1] + bytes[2]; }

  std::string print() const {
    auto vectorOf = [](int64_t count, const std::string &type) {
      return count == 1 ? type : "vector<" + std::to_string(count) + "x" + type + ">";
    };
    std::string side = spec.a == "bf16"                         ? "i16"
                       : spec.accumulator == "s32" && bits == 8 ? "i32"
                                                                : std::string(spec.a);
    int64_t sideBits = spec.a == "bf16" ? 16 : side == "i32" ? 32 : bits;
    std::string type = vectorOf(bytes[0] * 8 / sideBits, side);
    if (type == "vector<2xi32>")
      type = "i64";
    std::string element = spec.accumulator == "s32" ? "i32" : std::string(spec.accumulator);
    std::string sum = vectorOf(bytes[2] * 8 / (element == "f64" ? 64 : 32), element);
    std::string text =
        "llvm.func @k(%in: !llvm.ptr<1>, %out: !llvm.ptr<1>) attributes {rocdl.kernel, target_cpu "
        "= \"" +
        processor +
        "\"} {\n%t = rocdl.workitem.id.x : i32\n%l = llvm.zext %t : i32 to i64\n"
        "%zero = llvm.mlir.constant(0 : i32) : i32\n%s = llvm.mlir.constant(" +
        std::to_string(bytesOfLane()) + " : i64) : i64\n%f = llvm.mul %l, %s : i64\n";
    int64_t offset = 0;
    for (int i = 0; i < 3; ++i) {
      std::string n = std::to_string(i);
      text += "%o" + n + " = llvm.mlir.constant(" + std::to_string(offset) + " : i64) : i64\n%a" +
              n + " = llvm.add %f, %o" + n + " : i64\n%p" + n + " = llvm.getelementptr %in[%a" + n +
              "] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8\n%v" + n + " = llvm.load %p" + n +
              " {alignment = 1 : i64} : !llvm.ptr<1> -> " + (i < 2 ? type : sum) + "\n";
      offset += bytes[i];
    }
    bool isMfma = spec.name.starts_with("mfma");
    std::string signs = spec.accumulator == "s32" && !isMfma
                            ? " {signA = " + std::string(spec.a == "s8" ? "true" : "false") +
                                  ", signB = " + (spec.b == "s8" ? "true" : "false") + "}"
                            : "";
    text += "%d = rocdl." + std::string(spec.intrinsic) + " %v0, %v1, %v2" +
            (isMfma ? ", %zero, %zero, %zero" : "") + signs + " : (" + type + ", " + type + ", " +
            sum + (isMfma ? ", i32, i32, i32" : "") + ") -> " + sum + "\n%n = llvm.mlir.constant(" +
            std::to_string(bytes[2]) +
            " : i64) : i64\n%g = llvm.mul %l, %n : i64\n"
            "%q = llvm.getelementptr %out[%g] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, i8\n"
            "llvm.store %d, %q {alignment = 1 : i64} : " +
            sum + ", !llvm.ptr<1>\nllvm.return\n}\n";
    return text;
  }

  static uint64_t one(std::string_view type) {
    return type == "f64"    ? 0x3ff0000000000000
           : type == "f16"  ? 0x3c00
           : type == "bf16" ? 0x3f80
           : type == "f32"  ? 0x3f800000
                            : 1;
  }

  /// Writes `value` to element `at` of a side, and to its copies.
  void set(std::vector<char> &in, target::Operand side, std::vector<int64_t> at,
           uint64_t value) const {
    layout::DistributedLayout fragment = target::fragment(spec, side);
    layout::HardwarePlace place{};
    for (int64_t lane = 0; lane < lanes; ++lane)
      for (int64_t reg = 0; reg < fragment.extent(Axis::Register); ++reg) {
        place[static_cast<size_t>(Axis::Lane)] = lane;
        place[static_cast<size_t>(Axis::Register)] = reg;
        if (fragment.coordinatesAt(place) != at)
          continue;
        int64_t first = lane * bytesOfLane() + (side == target::Operand::A ? 0 : bytes[0]);
        std::memcpy(&in[first + reg * bits / 8], &value, bits / 8);
      }
  }

  const target::MatrixInstruction &spec;
  std::string processor;
  int64_t bits, lanes;
  std::vector<int64_t> bytes;
};

/// Executes an instruction on `in`.
std::vector<char> execute(Emulator &emulator, const Instruction &instruction, char *input,
                          char *output, const std::vector<char> &in) {
  std::copy(in.begin(), in.end(), input);
  LaunchOptions options;
  options.block = {static_cast<uint32_t>(instruction.lanes), 1, 1};
  options.checkRaces = false;
  auto report = emulator.launch("k", options, {input, output});
  if (!report) {
    ADD_FAILURE() << llvm::toString(report.takeError());
    return {};
  }
  EXPECT_TRUE(report->findings.empty()) << report->findings[0].text();
  return {output, output + instruction.lanes * instruction.bytes[2]};
}

TEST(EmulatorWavefront, ProductsOfSingleElements) {
  int tested = 0;
  for (const target::MatrixInstruction &spec : target::allMatrixInstructions())
    for (const char *processor : kProcessors) {
      if (spec.intrinsic.empty() || spec.a.ends_with("fnuz") ||
          target::getSupport(processor, spec) != target::Support::Native)
        continue;
      ++tested;
      Instruction instruction(spec, processor);
      auto emulator = load(instruction.print());
      ASSERT_TRUE(emulator) << instruction.print();
      std::vector<char> in(static_cast<size_t>(instruction.lanes * instruction.bytesOfLane()), 0);
      size_t outBytes = static_cast<size_t>(instruction.lanes * instruction.bytes[2]);
      char *input = emulator->allocate("in", in);
      char *output = emulator->allocate("out", std::vector<char>(outBytes, 0));
      layout::DistributedLayout sums = target::fragment(spec, target::Operand::Accumulator);
      int64_t sumBytes = spec.accumulator == "f64" ? 8 : 4;
      auto check = [&](int64_t i, int64_t step, int64_t j) {
        std::vector<char> values(in);
        instruction.set(values, target::Operand::A, {i, step}, Instruction::one(spec.a));
        instruction.set(values, target::Operand::B, {step, j}, Instruction::one(spec.b));
        std::vector<char> expected(outBytes, 0);
        layout::HardwarePlace place = sums.placeOf(std::vector<int64_t>{i, j});
        uint64_t one = Instruction::one(spec.accumulator);
        std::memcpy(&expected[place[static_cast<size_t>(Axis::Lane)] * instruction.bytes[2] +
                              place[static_cast<size_t>(Axis::Register)] * sumBytes],
                    &one, sumBytes);
        ASSERT_EQ(execute(*emulator, instruction, input, output, values), expected)
            << spec.name << " on " << processor << ": " << i << ", " << step << ", " << j;
      };
      for (int64_t step = 0; step < spec.k; ++step)
        for (int64_t i = 0; i < spec.m; ++i)
          check(i, step, (i * 5 + step) % spec.n);
    }
  EXPECT_EQ(tested, 9 + 9 + 6); // of gfx90a, gfx942 and gfx1100
}

/// 2^-15 is subnormal in f16: gfx90a takes it for zero, gfx942 does not.
TEST(EmulatorWavefront, SubnormalsAreFlushedWhereTheDeviceDoes) {
  for (const char *processor : {"gfx90a", "gfx942"}) {
    Instruction instruction(*target::findMatrixInstruction("mfma.16x16x16.f16"), processor);
    auto emulator = load(instruction.print());
    ASSERT_TRUE(emulator);
    std::vector<char> in(static_cast<size_t>(64 * instruction.bytesOfLane()), 0);
    char *input = emulator->allocate("in", in);
    char *output = emulator->allocate("out", std::vector<char>(64 * 16, 0));
    instruction.set(in, target::Operand::A, {0, 0}, 0x0200);
    instruction.set(in, target::Operand::B, {0, 0}, Instruction::one("f16"));
    std::vector<char> out = execute(*emulator, instruction, input, output, in);
    float sum = 0;
    std::memcpy(&sum, out.data(), sizeof(sum));
    EXPECT_EQ(sum, std::string(processor) == "gfx90a" ? 0.0F : 0x1p-15F);
  }
}

/// Signs of bytes are those of the instruction: 255 is -1 where it is signed.
TEST(EmulatorWavefront, BytesHaveSigns) {
  for (const char *name :
       {"wmma.16x16x16.s8", "wmma.16x16x16.u8", "wmma.16x16x16.u8.s8", "wmma.16x16x16.s8.u8"}) {
    const target::MatrixInstruction &spec = *target::findMatrixInstruction(name);
    Instruction instruction(spec, "gfx1100");
    auto emulator = load(instruction.print());
    ASSERT_TRUE(emulator);
    std::vector<char> in(static_cast<size_t>(32 * instruction.bytesOfLane()), 0);
    char *input = emulator->allocate("in", in);
    char *output = emulator->allocate("out", std::vector<char>(32 * 32, 0));
    instruction.set(in, target::Operand::A, {0, 0}, 255);
    instruction.set(in, target::Operand::B, {0, 0}, 255);
    std::vector<char> out = execute(*emulator, instruction, input, output, in);
    int32_t sum = 0;
    std::memcpy(&sum, out.data(), sizeof(sum));
    EXPECT_EQ(sum, (spec.a == "s8" ? -1 : 255) * (spec.b == "s8" ? -1 : 255)) << name;
  }
}

//===----------------------------------------------------------------------===//
// Findings
//===----------------------------------------------------------------------===//

/// Threads write their number to shared memory, and read that of the thread 32 further, which is in
/// the same wavefront of 64, or in another one of 32.
std::string mirror(const std::string &processor, const std::string &between) {
  return kernelOf(
      processor, R"(
      %tile = llvm.mlir.addressof @tile : !llvm.ptr<3>
      %q = llvm.getelementptr %tile[%l] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i64
      llvm.store %l, %q : i64, !llvm.ptr<3>
      )" + between + R"(
      %c32 = llvm.mlir.constant(32 : i64) : i64
      %m = llvm.xor %l, %c32 : i64
      %s = llvm.getelementptr %tile[%m] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, i64
      %v = llvm.load %s : !llvm.ptr<3> -> i64
      llvm.store %v, %p : i64, !llvm.ptr<1>)",
      "llvm.mlir.global internal @tile() {addr_space = 3 : i32} : !llvm.array<64 x i64>");
}

TEST(EmulatorWavefront, BarriersOrderMemory) {
  for (const char *processor : kProcessors)
    for (uint32_t seed : {0U, 3U}) {
      std::vector<uint64_t> data(64, 0);
      Report report = run(mirror(processor, "rocdl.barrier"), data, 64, seed);
      EXPECT_TRUE(report.findings.empty()) << report.findings[0].text();
      for (uint64_t i = 0; i < 64; ++i)
        EXPECT_EQ(data[i], i ^ 32);
      // A wavefront executes together, but that is no order of memory.
      report = run(mirror(processor, ""), data, 64, seed);
      ASSERT_FALSE(report.findings.empty());
      EXPECT_TRUE(report.findings[0].kind == FindingKind::Race ||
                  report.findings[0].kind == FindingKind::Uninitialized);
    }
}

TEST(EmulatorWavefront, LanesThatBranchedAwayAreMissed) {
  std::vector<uint64_t> data(64, 0);
  Report report = run(kernelOf("gfx942", R"(
      %b = llvm.and %t, %c1 : i32
      %odd = llvm.trunc %b : i32 to i1
      llvm.cond_br %odd, ^one, ^other
    ^one:
      %r = rocdl.update.dpp %c0, %t with 177, 15, 15, true : i32
      %w = llvm.zext %r : i32 to i64
      llvm.store %w, %p : i64, !llvm.ptr<1>
      llvm.br ^other
    ^other:)"),
                      data, 64);
  ASSERT_FALSE(report.findings.empty());
  EXPECT_EQ(report.findings[0].kind, FindingKind::InvalidMask) << report.findings[0].text();
}

TEST(EmulatorWavefront, RefusesWhatItCannotExecute) {
  auto expectRefusal = [](const std::string &text, const std::string &reason) {
    std::string message = refusalOf(text);
    EXPECT_NE(message.find(reason), std::string::npos) << message;
  };
  expectRefusal(kernelOf("gfx803", ""), "expects 'target_cpu' to be gfx90a, gfx942 or gfx1100");
  expectRefusal(kernelOf("gfx942", "rocdl.s.barrier"), "it orders no memory by itself");
  expectRefusal(kernelOf("gfx942", "%r = rocdl.update.dpp %c0, %t with 304, 15, 15, true : i32"),
                "its control is not emulated");
  expectRefusal(kernelOf("gfx942", "%r = rocdl.update.dpp %c0, %t with 177, 3, 15, true : i32"),
                "expects 32 bits of all rows and banks");
  expectRefusal(kernelOf("gfx942", "%r = rocdl.ds_swizzle %t, %t : (i32, i32) -> i32"),
                "its offset is not a constant");
  expectRefusal(kernelOf("gfx942", "%r = nvvm.read.ptx.sreg.tid.x : i32"),
                "the kernel is for gfx942");
  // Instructions of other processors.
  expectRefusal(Instruction(*target::findMatrixInstruction("wmma.16x16x16.f16"), "gfx942").print(),
                "the instruction is not emulated on gfx942");
  expectRefusal(Instruction(*target::findMatrixInstruction("mfma.16x16x16.s8"), "gfx942").print(),
                "the instruction is not emulated on gfx942");
  expectRefusal(kernelOf("gfx942", "",
                         "llvm.mlir.global internal @tile() {addr_space = 3 : i32} : "
                         "!llvm.array<65552 x i8>"),
                "expects at most 65536 bytes of static shared memory");
}

} // namespace
