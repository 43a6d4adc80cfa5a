//===- MatrixInstruction.cpp - instructions of matrix units -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/GroupInstruction.h"

#include <algorithm>

using namespace sectile;
using namespace sectile::target;

namespace {

/// Fragments that several instructions of a vendor share. In PTX's words a lane is
/// 4 * groupID + threadID_in_group; an element of 32 bits or less per register, packed as it comes.
struct Fragments {
  std::string_view a, b, c, source;
};

constexpr std::string_view kMmaC = "[16, 8], register = [2:d1, 2:d0*8], lane = [4:d1*2, 8:d0]";

// Four bytes of k per thread and row half: 4, 8, 16, 32 and 128 bits per element give the rest.
constexpr Fragments kMma64{"[8, 4], lane = [4:d1, 8:d0]", "[4, 8], lane = [4:d0, 8:d1]",
                           "[8, 8], register = [2:d1], lane = [4:d1*2, 8:d0]",
                           "PTX ISA, Matrix Fragments for mma.m8n8k4 with .f64"};
constexpr Fragments kMma32k4{"[16, 4], register = [2:d0*8], lane = [4:d1, 8:d0]",
                             "[4, 8], lane = [4:d0, 8:d1]", kMmaC,
                             "PTX ISA, Matrix Fragments for mma.m16n8k4"};
constexpr Fragments kMma32{"[16, 8], register = [2:d0*8, 2:d1*4], lane = [4:d1, 8:d0]",
                           "[8, 8], register = [2:d0*4], lane = [4:d0, 8:d1]", kMmaC,
                           "PTX ISA, Matrix Fragments for mma.m16n8k8, .tf32"};
constexpr Fragments kMma16k8{"[16, 8], register = [2:d1, 2:d0*8], lane = [4:d1*2, 8:d0]",
                             "[8, 8], register = [2:d0], lane = [4:d0*2, 8:d1]", kMmaC,
                             "PTX ISA, Matrix Fragments for mma.m16n8k8, .f16"};
constexpr Fragments kMma16{"[16, 16], register = [2:d1, 2:d0*8, 2:d1*8], lane = [4:d1*2, 8:d0]",
                           "[16, 8], register = [2:d0, 2:d0*8], lane = [4:d0*2, 8:d1]", kMmaC,
                           "PTX ISA, Matrix Fragments for mma.m16n8k16 with floating point type"};
constexpr Fragments kMma8k16{"[16, 16], register = [4:d1, 2:d0*8], lane = [4:d1*4, 8:d0]",
                             "[16, 8], register = [4:d0], lane = [4:d0*4, 8:d1]", kMmaC,
                             "PTX ISA, Matrix Fragments for mma.m16n8k16 with integer type"};
constexpr Fragments kMma8{"[16, 32], register = [4:d1, 2:d0*8, 2:d1*16], lane = [4:d1*4, 8:d0]",
                          "[32, 8], register = [4:d0, 2:d0*16], lane = [4:d0*4, 8:d1]", kMmaC,
                          "PTX ISA, Matrix Fragments for mma.m16n8k32"};
constexpr Fragments kMma4{"[16, 64], register = [8:d1, 2:d0*8, 2:d1*32], lane = [4:d1*8, 8:d0]",
                          "[64, 8], register = [8:d0, 2:d0*32], lane = [4:d0*8, 8:d1]", kMmaC,
                          "PTX ISA, Matrix Fragments for mma.m16n8k64"};
constexpr Fragments kMma1{"[16, 256], register = [32:d1, 2:d0*8, 2:d1*128], lane = [4:d1*32, 8:d0]",
                          "[256, 8], register = [32:d0, 2:d0*128], lane = [4:d0*32, 8:d1]", kMmaC,
                          "PTX ISA, Matrix Fragments for mma.m16n8k256"};

constexpr std::string_view kCalculator = "AMD Matrix Instruction Calculator, --register-layout";
constexpr std::string_view kMfmaC32 = "[32, 32], register = [4:d0, 4:d0*8], lane = [32:d1, 2:d0*4]";
constexpr std::string_view kMfmaC16 = "[16, 16], register = [4:d0], lane = [16:d1, 4:d0*4]";
// A lane holds neighbours along k: 1, 4 or 8 of them, as many as its registers take.
constexpr Fragments kMfma32x2{"[32, 2], lane = [32:d0, 2:d1]", "[2, 32], lane = [32:d1, 2:d0]",
                              kMfmaC32, kCalculator};
constexpr Fragments kMfma16x4{"[16, 4], lane = [16:d0, 4:d1]", "[4, 16], lane = [16:d1, 4:d0]",
                              kMfmaC16, kCalculator};
constexpr Fragments kMfma32x8{"[32, 8], register = [4:d1], lane = [32:d0, 2:d1*4]",
                              "[8, 32], register = [4:d0], lane = [32:d1, 2:d0*4]", kMfmaC32,
                              kCalculator};
constexpr Fragments kMfma16x16{"[16, 16], register = [4:d1], lane = [16:d0, 4:d1*4]",
                               "[16, 16], register = [4:d0], lane = [16:d1, 4:d0*4]", kMfmaC16,
                               kCalculator};
constexpr Fragments kMfma32x16{"[32, 16], register = [8:d1], lane = [32:d0, 2:d1*8]",
                               "[16, 32], register = [8:d0], lane = [32:d1, 2:d0*8]", kMfmaC32,
                               kCalculator};
constexpr Fragments kMfma16x32{"[16, 32], register = [8:d1], lane = [16:d0, 4:d1*8]",
                               "[32, 16], register = [8:d0], lane = [16:d1, 4:d0*8]", kMfmaC16,
                               kCalculator};
// f64 stores rows four apart in neighbouring registers.
constexpr Fragments kMfma64{"[16, 4], lane = [16:d0, 4:d1]", "[4, 16], lane = [16:d1, 4:d0]",
                            "[16, 16], register = [4:d0*4], lane = [16:d1, 4:d0]", kCalculator};
// Both halves of a wave of 32 hold A and B: copies.
constexpr Fragments kWmma16{"[16, 16], register = [16:d1], lane = [16:d0, 2:_]",
                            "[16, 16], register = [16:d0], lane = [16:d1, 2:_]",
                            "[16, 16], register = [8:d0*2], lane = [16:d1, 2:d0]",
                            "AMD Matrix Instruction Calculator, --register-layout, wave 32"};

constexpr MatrixInstruction make(std::string_view name, int64_t m, int64_t n, int64_t k,
                                 std::string_view a, std::string_view b, std::string_view c,
                                 const Fragments &fragments, std::string_view intrinsic = {}) {
  return {name,     m, n, k, a, b, c, fragments.a, fragments.b, fragments.c, fragments.source,
          intrinsic};
}

constexpr MatrixInstruction kAll[] = {
    make("mma.m8n8k4.f64", 8, 8, 4, "f64", "f64", "f64", kMma64),
    make("mma.m16n8k4.tf32", 16, 8, 4, "tf32", "tf32", "f32", kMma32k4),
    make("mma.m16n8k8.tf32", 16, 8, 8, "tf32", "tf32", "f32", kMma32),
    make("mma.m16n8k8.f16", 16, 8, 8, "f16", "f16", "f32", kMma16k8),
    make("mma.m16n8k8.bf16", 16, 8, 8, "bf16", "bf16", "f32", kMma16k8),
    make("mma.m16n8k16.f16", 16, 8, 16, "f16", "f16", "f32", kMma16),
    make("mma.m16n8k16.f16.f16", 16, 8, 16, "f16", "f16", "f16", kMma16),
    make("mma.m16n8k16.bf16", 16, 8, 16, "bf16", "bf16", "f32", kMma16),
    make("mma.m16n8k16.s8", 16, 8, 16, "s8", "s8", "s32", kMma8k16),
    make("mma.m16n8k16.u8", 16, 8, 16, "u8", "u8", "s32", kMma8k16),
    make("mma.m16n8k32.s8", 16, 8, 32, "s8", "s8", "s32", kMma8),
    make("mma.m16n8k32.u8", 16, 8, 32, "u8", "u8", "s32", kMma8),
    make("mma.m16n8k32.u8.s8", 16, 8, 32, "u8", "s8", "s32", kMma8),
    make("mma.m16n8k32.e4m3", 16, 8, 32, "e4m3", "e4m3", "f32", kMma8),
    make("mma.m16n8k32.e5m2", 16, 8, 32, "e5m2", "e5m2", "f32", kMma8),
    make("mma.m16n8k64.s4", 16, 8, 64, "s4", "s4", "s32", kMma4),
    make("mma.m16n8k64.u4", 16, 8, 64, "u4", "u4", "s32", kMma4),
    make("mma.m16n8k256.b1.and", 16, 8, 256, "b1", "b1", "s32", kMma1),
    make("mma.m16n8k256.b1.xor", 16, 8, 256, "b1", "b1", "s32", kMma1),

    make("mfma.32x32x2.f32", 32, 32, 2, "f32", "f32", "f32", kMfma32x2, "mfma.f32.32x32x2f32"),
    make("mfma.16x16x4.f32", 16, 16, 4, "f32", "f32", "f32", kMfma16x4, "mfma.f32.16x16x4f32"),
    make("mfma.16x16x4.f64", 16, 16, 4, "f64", "f64", "f64", kMfma64, "mfma.f64.16x16x4f64"),
    make("mfma.32x32x8.f16", 32, 32, 8, "f16", "f16", "f32", kMfma32x8, "mfma.f32.32x32x8f16"),
    make("mfma.16x16x16.f16", 16, 16, 16, "f16", "f16", "f32", kMfma16x16, "mfma.f32.16x16x16f16"),
    make("mfma.32x32x8.bf16", 32, 32, 8, "bf16", "bf16", "f32", kMfma32x8,
         "mfma.f32.32x32x8bf16.1k"),
    make("mfma.16x16x16.bf16", 16, 16, 16, "bf16", "bf16", "f32", kMfma16x16,
         "mfma.f32.16x16x16bf16.1k"),
    make("mfma.32x32x8.s8", 32, 32, 8, "s8", "s8", "s32", kMfma32x8, "mfma.i32.32x32x8i8"),
    make("mfma.16x16x16.s8", 16, 16, 16, "s8", "s8", "s32", kMfma16x16, "mfma.i32.16x16x16i8"),
    make("mfma.32x32x16.s8", 32, 32, 16, "s8", "s8", "s32", kMfma32x16, "mfma.i32.32x32x16.i8"),
    make("mfma.16x16x32.s8", 16, 16, 32, "s8", "s8", "s32", kMfma16x32, "mfma.i32.16x16x32.i8"),
    make("mfma.32x32x16.e4m3fnuz", 32, 32, 16, "e4m3fnuz", "e4m3fnuz", "f32", kMfma32x16,
         "mfma.f32.32x32x16.fp8.fp8"),
    make("mfma.16x16x32.e4m3fnuz", 16, 16, 32, "e4m3fnuz", "e4m3fnuz", "f32", kMfma16x32,
         "mfma.f32.16x16x32.fp8.fp8"),
    make("mfma.32x32x16.e5m2fnuz", 32, 32, 16, "e5m2fnuz", "e5m2fnuz", "f32", kMfma32x16,
         "mfma.f32.32x32x16.bf8.bf8"),
    make("mfma.16x16x32.e5m2fnuz", 16, 16, 32, "e5m2fnuz", "e5m2fnuz", "f32", kMfma16x32,
         "mfma.f32.16x16x32.bf8.bf8"),

    make("wmma.16x16x16.f16", 16, 16, 16, "f16", "f16", "f32", kWmma16, "wmma.f32.16x16x16.f16"),
    make("wmma.16x16x16.bf16", 16, 16, 16, "bf16", "bf16", "f32", kWmma16,
         "wmma.f32.16x16x16.bf16"),
    make("wmma.16x16x16.s8", 16, 16, 16, "s8", "s8", "s32", kWmma16, "wmma.i32.16x16x16.iu8"),
    make("wmma.16x16x16.u8", 16, 16, 16, "u8", "u8", "s32", kWmma16, "wmma.i32.16x16x16.iu8"),
    make("wmma.16x16x16.u8.s8", 16, 16, 16, "u8", "s8", "s32", kWmma16, "wmma.i32.16x16x16.iu8"),
    make("wmma.16x16x16.s8.u8", 16, 16, 16, "s8", "u8", "s32", kWmma16, "wmma.i32.16x16x16.iu8"),
};

/// Which devices have instructions whose names begin like this. The last row that fits counts.
struct SupportRow {
  std::string_view prefix;
  std::initializer_list<std::string_view> native, emulated;
};

// PTX ISA, mma, "Target ISA Notes"; what is emulated was read off the machine code of ptxas
// 13.0: s4 from sm_90 on, XOR of b1 on sm_90. AMD: LLVM 22's assembler for each processor.
const SupportRow kSupport[] = {
    {"mma.", {"sm_80", "sm_86", "sm_89", "sm_90a"}, {}},
    {"mma.m16n8k32.e", {"sm_89", "sm_90a"}, {}},
    {"mma.m16n8k64.", {"sm_80", "sm_86", "sm_89"}, {"sm_90a"}},
    {"mma.m16n8k256.b1.xor", {"sm_80", "sm_86", "sm_89"}, {"sm_90a"}},
    {"mfma.", {"gfx90a", "gfx942"}, {}},
    {"mfma.32x32x8.s8", {"gfx90a"}, {}},
    {"mfma.16x16x16.s8", {"gfx90a"}, {}},
    {"mfma.32x32x16.", {"gfx942"}, {}},
    {"mfma.16x16x32.", {"gfx942"}, {}},
    {"wmma.", {"gfx1100"}, {}},
    {"wgmma.", {"sm_90a"}, {}},
};

} // namespace

int64_t target::getElementBits(const MatrixInstruction &instruction) {
  // "e4m3" and the like are 8 bits; all others end in how many.
  if (instruction.a.starts_with("e"))
    return 8;
  int64_t bits = 0;
  for (char digit : instruction.a.substr(instruction.a.find_first_of("0123456789")))
    bits = bits * 10 + (digit - '0');
  return bits;
}

bool target::flushesSubnormals(std::string_view target, const MatrixInstruction &instruction) {
  // ROCm, MIOpen, "MI200 MFMA behavior specifics": MFMA_F16, MFMA_BF16 and MFMA_BF16_1K do; f32 and
  // f64 do not (PyTorch, "Numerical accuracy").
  return target == "gfx90a" && (instruction.a == "f16" || instruction.a == "bf16");
}

layout::DistributedLayout target::fragment(const MatrixInstruction &instruction, Operand operand) {
  std::string_view text = operand == Operand::A   ? instruction.layoutA
                          : operand == Operand::B ? instruction.layoutB
                                                  : instruction.layoutC;
  return *layout::DistributedLayout::parse(text);
}

std::span<const MatrixInstruction> target::allMatrixInstructions() { return kAll; }

const MatrixInstruction *target::findMatrixInstruction(std::string_view name) {
  for (std::span<const MatrixInstruction> list : {allMatrixInstructions(), allGroupInstructions()})
    if (auto found = std::ranges::find(list, name, &MatrixInstruction::name); found != list.end())
      return &*found;
  return nullptr;
}

Support target::getSupport(std::string_view target, const MatrixInstruction &instruction) {
  Support support = Support::None;
  for (const SupportRow &row : kSupport) {
    if (!instruction.name.starts_with(row.prefix))
      continue;
    auto lists = [&](const std::initializer_list<std::string_view> &list) {
      return std::ranges::find(list, target) != list.end();
    };
    support = lists(row.native)     ? Support::Native
              : lists(row.emulated) ? Support::Emulated
                                    : Support::None;
  }
  return support;
}
