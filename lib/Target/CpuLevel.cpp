//===- CpuLevel.cpp - what each instruction-set level of a CPU has -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/CpuLevel.h"
#include "sectile/Package/Abi.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using namespace sectile;

// With "gnueabi", block copies and fills are memcpy and memset, not functions of the Arm run-time
// ABI that only some C libraries have; and floats are passed in core registers. Nothing of ours
// passes any, apart from helpers for arithmetic, which take them there on every Arm: the code links
// with either convention.
static constexpr CpuHost kHosts[] = {
    {.name = "x86_64-linux",
     .triple = "x86_64-unknown-linux-gnu",
     .packageLevels = "sse4,avx2,avx512",
     .baseLevel = "sse4",
     .pointerBytes = 8,
     .isPositionIndependent = true,
     .directives = ""},
    {.name = "aarch64-linux",
     .triple = "aarch64-unknown-linux-gnu",
     .packageLevels = "neon",
     .baseLevel = "neon",
     .pointerBytes = 8,
     .isPositionIndependent = true,
     .directives = ""},
    {.name = "thumbv7em-none-eabi",
     .triple = "thumbv7em-unknown-none-gnueabi",
     .packageLevels = "",
     .baseLevel = "cortex-m4",
     .pointerBytes = 4,
     .isPositionIndependent = false,
     // Tag_ABI_VFP_args: compatible with floats in core registers and in those of the unit (Addenda
     // to, and Errata in, the ABI for the Arm Architecture).
     .directives = "\t.eabi_attribute 28, 3\n"},
};

// The features of x86-64-v2, v3 and v4 are those of the System V x86-64 psABI.
static constexpr CpuLevel kLevels[] = {
    {.name = "sse4",
     .host = "x86_64-linux",
     .cpu = "x86-64-v2",
     .tuneCpu = "generic",
     .features = "",
     .requiredFeatures = SECTILE_ABI_X86_V2,
     .vectorBytes = 16,
     .vectorRegisters = 16,
     .single = {false, true, true},
     .wide = {false, true, true},
     .mayCallHelpers = false,
     .hasF16Conversion = false,
     .minMaskedBytes = 0,
     .hasGather = false,
     .tableEntries = 0,
     .tableIntrinsic = "",
     .bytes = {"", "llvm.x86.ssse3.pmadd.ub.sw.128", "llvm.x86.sse2.pmadd.wd"},
     .sameWithoutDotI8 = "",
     .maxTileElements = 4096},
    {.name = "avx2",
     .host = "x86_64-linux",
     .cpu = "x86-64-v3",
     .tuneCpu = "haswell",
     .features = "",
     .requiredFeatures = SECTILE_ABI_X86_V2 | SECTILE_ABI_X86_V3,
     .vectorBytes = 32,
     .vectorRegisters = 16,
     .single = {true, true, true},
     .wide = {true, true, true},
     .mayCallHelpers = false,
     .hasF16Conversion = true,
     .minMaskedBytes = 4,
     .hasGather = false,
     .tableEntries = 8,
     .tableIntrinsic = "llvm.x86.avx2.permps",
     .bytes = {"", "llvm.x86.avx2.pmadd.ub.sw", "llvm.x86.avx2.pmadd.wd"},
     .sameWithoutDotI8 = "",
     .maxTileElements = 8192},
    // Without prefer-vector-width LLVM would keep to 256 bits.
    {.name = "avx512",
     .host = "x86_64-linux",
     .cpu = "x86-64-v4",
     .tuneCpu = "cascadelake",
     .features = "-prefer-256-bit",
     .requiredFeatures = SECTILE_ABI_X86_V2 | SECTILE_ABI_X86_V3 | SECTILE_ABI_X86_V4,
     .vectorBytes = 64,
     .vectorRegisters = 32,
     .single = {true, true, true},
     .wide = {true, true, true},
     .mayCallHelpers = false,
     .hasF16Conversion = true,
     .minMaskedBytes = 1,
     .hasGather = true,
     .tableEntries = 16,
     .tableIntrinsic = "llvm.x86.avx512.permvar.sf.512",
     .bytes = {"", "llvm.x86.avx512.pmaddubs.w.512", "llvm.x86.avx512.pmaddw.d.512"},
     .sameWithoutDotI8 = "",
     .maxTileElements = 16384},
    {.name = "avx512vnni",
     .host = "x86_64-linux",
     .cpu = "x86-64-v4",
     .tuneCpu = "cascadelake",
     .features = "-prefer-256-bit,+avx512vnni,+avx512vbmi",
     .requiredFeatures = SECTILE_ABI_X86_V2 | SECTILE_ABI_X86_V3 | SECTILE_ABI_X86_V4 |
                         SECTILE_ABI_X86_AVX512VNNI | SECTILE_ABI_X86_AVX512VBMI,
     .vectorBytes = 64,
     .vectorRegisters = 32,
     .single = {true, true, true},
     .wide = {true, true, true},
     .mayCallHelpers = false,
     .hasF16Conversion = true,
     .minMaskedBytes = 1,
     .hasGather = true,
     .tableEntries = 16,
     .tableIntrinsic = "llvm.x86.avx512.permvar.sf.512",
     .bytes = {"llvm.x86.avx512.vpdpbusd.512", "llvm.x86.avx512.pmaddubs.w.512",
               "llvm.x86.avx512.pmaddw.d.512"},
     .sameWithoutDotI8 = "avx512",
     .maxTileElements = 16384},
    // Armv8.0-A, which every 64-bit Arm CPU that runs Linux has.
    {.name = "neon",
     .host = "aarch64-linux",
     .cpu = "generic",
     .tuneCpu = "cortex-a72",
     .features = "",
     .requiredFeatures = SECTILE_ABI_AARCH64_NEON,
     .vectorBytes = 16,
     .vectorRegisters = 32,
     .single = {true, true, true},
     .wide = {true, true, true},
     .mayCallHelpers = false,
     .hasF16Conversion = true,
     .minMaskedBytes = 0,
     .hasGather = false,
     .tableEntries = 0,
     .tableIntrinsic = "",
     .bytes = {},
     .sameWithoutDotI8 = "",
     .maxTileElements = 4096},
    // Armv7E-M without a floating-point unit: floats are computed by helpers. A "vector" is one
    // core register, of which twelve are free.
    {.name = "cortex-m4",
     .host = "thumbv7em-none-eabi",
     .cpu = "generic",
     .tuneCpu = "cortex-m4",
     .features = "",
     .requiredFeatures = 0,
     .vectorBytes = 4,
     .vectorRegisters = 12,
     .single = {false, false, false},
     .wide = {false, false, false},
     .mayCallHelpers = true,
     .hasF16Conversion = false,
     .minMaskedBytes = 0,
     .hasGather = false,
     .tableEntries = 0,
     .tableIntrinsic = "",
     .bytes = {},
     .sameWithoutDotI8 = "",
     .maxTileElements = 256},
    // FPv4-SP-D16: 32 single-precision registers, no double precision.
    {.name = "cortex-m4f",
     .host = "thumbv7em-none-eabi",
     .cpu = "cortex-m4",
     .tuneCpu = "cortex-m4",
     .features = "",
     .requiredFeatures = 0,
     .vectorBytes = 4,
     .vectorRegisters = 32,
     .single = {true, true, false},
     .wide = {false, false, false},
     .mayCallHelpers = true,
     .hasF16Conversion = true,
     .minMaskedBytes = 0,
     .hasGather = false,
     .tableEntries = 0,
     .tableIntrinsic = "",
     .bytes = {},
     .sameWithoutDotI8 = "",
     .maxTileElements = 256},
    // FPv5-D16: the same with double precision.
    {.name = "cortex-m7",
     .host = "thumbv7em-none-eabi",
     .cpu = "cortex-m7",
     .tuneCpu = "cortex-m7",
     .features = "",
     .requiredFeatures = 0,
     .vectorBytes = 4,
     .vectorRegisters = 32,
     .single = {true, true, true},
     .wide = {true, true, true},
     .mayCallHelpers = true,
     .hasF16Conversion = true,
     .minMaskedBytes = 0,
     .hasGather = false,
     .tableEntries = 0,
     .tableIntrinsic = "",
     .bytes = {},
     .sameWithoutDotI8 = "",
     .maxTileElements = 256},
};

llvm::ArrayRef<CpuHost> sectile::getCpuHosts() { return kHosts; }

const CpuHost *sectile::lookupCpuHost(llvm::StringRef name) {
  for (const CpuHost &host : kHosts)
    if (host.name == name)
      return &host;
  return nullptr;
}

std::string sectile::listCpuHosts() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::interleaveComma(kHosts, stream, [&](const CpuHost &host) { stream << host.name; });
  return text;
}

const CpuHost &CpuLevel::getHost() const { return *lookupCpuHost(host); }

llvm::ArrayRef<CpuLevel> sectile::getCpuLevels() { return kLevels; }

const CpuLevel *sectile::lookupCpuLevel(llvm::StringRef name) {
  for (const CpuLevel &level : kLevels)
    if (level.name == name)
      return &level;
  return nullptr;
}

std::string sectile::listCpuLevels(llvm::StringRef host) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::ListSeparator comma;
  for (const CpuLevel &level : kLevels)
    if (host.empty() || level.host == host)
      stream << comma << level.name;
  return text;
}

bool sectile::isCpuLevelPresent(const CpuLevel &level) {
  llvm::Triple process(llvm::sys::getProcessTriple()), wanted(level.getHost().triple);
  if (process.getArch() != wanted.getArch() || process.getOS() != wanted.getOS())
    return false;
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  auto has = [&](std::initializer_list<llvm::StringLiteral> names) {
    return llvm::all_of(names, [&](llvm::StringRef name) { return host.lookup(name); });
  };
  uint64_t present = wanted.isAArch64() ? SECTILE_ABI_AARCH64_NEON : 0;
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
