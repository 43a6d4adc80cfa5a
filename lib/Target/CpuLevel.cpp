//===- CpuLevel.cpp - what each instruction-set level of a CPU has -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/CpuLevel.h"
#include "sectile/Package/Abi.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"

using namespace sectile;

// The features of x86-64-v2, v3 and v4 are those of the System V x86-64 psABI.
static constexpr CpuLevel kLevels[] = {
    {.name = "sse4",
     .triple = "x86_64-unknown-linux-gnu",
     .cpu = "x86-64-v2",
     .tuneCpu = "generic",
     .features = "",
     .requiredFeatures = SECTILE_ABI_X86_V2,
     .vectorBytes = 16,
     .vectorRegisters = 16,
     .hasFma = false,
     .hasF16Conversion = false,
     .minMaskedBytes = 0,
     .hasGather = false,
     .hasDotI8 = false,
     .sameWithoutDotI8 = "",
     .maxTileElements = 4096},
    {.name = "avx2",
     .triple = "x86_64-unknown-linux-gnu",
     .cpu = "x86-64-v3",
     .tuneCpu = "haswell",
     .features = "",
     .requiredFeatures = SECTILE_ABI_X86_V2 | SECTILE_ABI_X86_V3,
     .vectorBytes = 32,
     .vectorRegisters = 16,
     .hasFma = true,
     .hasF16Conversion = true,
     .minMaskedBytes = 4,
     .hasGather = false,
     .hasDotI8 = false,
     .sameWithoutDotI8 = "",
     .maxTileElements = 8192},
    // Without prefer-vector-width LLVM would keep to 256 bits.
    {.name = "avx512",
     .triple = "x86_64-unknown-linux-gnu",
     .cpu = "x86-64-v4",
     .tuneCpu = "cascadelake",
     .features = "-prefer-256-bit",
     .requiredFeatures = SECTILE_ABI_X86_V2 | SECTILE_ABI_X86_V3 | SECTILE_ABI_X86_V4,
     .vectorBytes = 64,
     .vectorRegisters = 32,
     .hasFma = true,
     .hasF16Conversion = true,
     .minMaskedBytes = 1,
     .hasGather = true,
     .hasDotI8 = false,
     .sameWithoutDotI8 = "",
     .maxTileElements = 16384},
    {.name = "avx512vnni",
     .triple = "x86_64-unknown-linux-gnu",
     .cpu = "x86-64-v4",
     .tuneCpu = "cascadelake",
     .features = "-prefer-256-bit,+avx512vnni,+avx512vbmi",
     .requiredFeatures = SECTILE_ABI_X86_V2 | SECTILE_ABI_X86_V3 | SECTILE_ABI_X86_V4 |
                         SECTILE_ABI_X86_AVX512VNNI | SECTILE_ABI_X86_AVX512VBMI,
     .vectorBytes = 64,
     .vectorRegisters = 32,
     .hasFma = true,
     .hasF16Conversion = true,
     .minMaskedBytes = 1,
     .hasGather = true,
     .hasDotI8 = true,
     .sameWithoutDotI8 = "avx512",
     .maxTileElements = 16384},
};

llvm::ArrayRef<CpuLevel> sectile::getCpuLevels() { return kLevels; }

const CpuLevel *sectile::lookupCpuLevel(llvm::StringRef name) {
  for (const CpuLevel &level : kLevels)
    if (level.name == name)
      return &level;
  return nullptr;
}

std::string sectile::listCpuLevels() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::interleaveComma(kLevels, stream, [&](const CpuLevel &level) { stream << level.name; });
  return text;
}

bool sectile::isCpuLevelPresent(const CpuLevel &level) {
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  auto has = [&](std::initializer_list<llvm::StringLiteral> names) {
    return llvm::all_of(names, [&](llvm::StringRef name) { return host.lookup(name); });
  };
  uint64_t present = 0;
  if (has({"sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16"}))
    present |= SECTILE_ABI_X86_V2;
  if (has({"avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe"}))
    present |= SECTILE_ABI_X86_V3;
  if (has({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}))
    present |= SECTILE_ABI_X86_V4;
  if (has({"avx512vnni"}))
    present |= SECTILE_ABI_X86_AVX512VNNI;
  if (has({"avx512vbmi"}))
    present |= SECTILE_ABI_X86_AVX512VBMI;
  return (level.requiredFeatures & ~present) == 0;
}
