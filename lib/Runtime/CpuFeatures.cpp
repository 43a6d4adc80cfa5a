//===- CpuFeatures.cpp - what this CPU can execute --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpuFeatures.h"

#include "sectile/Package/Abi.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace sectile::runtime {

namespace {

struct FeatureName {
  uint64_t feature;
  const char *name;
};

constexpr FeatureName kFeatureNames[] = {
    {SECTILE_ABI_X86_V2, "x86-64-v2"},
    {SECTILE_ABI_X86_V3, "x86-64-v3"},
    {SECTILE_ABI_X86_V4, "x86-64-v4"},
    {SECTILE_ABI_X86_AVX512VNNI, "AVX-512 VNNI"},
    {SECTILE_ABI_X86_AVX512VBMI, "AVX-512 VBMI"},
    {SECTILE_ABI_AARCH64_NEON, "NEON"},
};

#if defined(__x86_64__)

constexpr uint32_t bit(int index) { return uint32_t(1) << index; }

bool hasAll(uint32_t value, uint32_t mask) { return (value & mask) == mask; }

/// XCR0: which register files the operating system saves and restores.
uint32_t readXcr0() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

/// Intel SDM volume 2A, CPUID; feature sets of the x86-64 psABI, table 3.1.
uint64_t detectX86() {
  uint32_t eax, ebx, ecx1 = 0, edx, ebx7 = 0, ecx7 = 0, edx7, ecx81 = 0;
  if (!__get_cpuid(1, &eax, &ebx, &ecx1, &edx))
    return 0;
  // Leaf 7 stays 0 where the CPU does not have it.
  if (!__get_cpuid_count(7, 0, &eax, &ebx7, &ecx7, &edx7))
    ebx7 = ecx7 = 0;
  if (!__get_cpuid(0x80000001, &eax, &ebx, &ecx81, &edx))
    ecx81 = 0;

  uint64_t features = 0;
  // SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; LAHF.
  constexpr uint32_t v2Leaf1 = bit(0) | bit(9) | bit(13) | bit(19) | bit(20) | bit(23);
  if (!hasAll(ecx1, v2Leaf1) || !hasAll(ecx81, bit(0)))
    return features;
  features |= SECTILE_ABI_X86_V2;

  // FMA, MOVBE, OSXSAVE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT.
  constexpr uint32_t v3Leaf1 = bit(12) | bit(22) | bit(27) | bit(28) | bit(29);
  constexpr uint32_t v3Leaf7 = bit(3) | bit(5) | bit(8);
  if (!hasAll(ecx1, v3Leaf1) || !hasAll(ebx7, v3Leaf7) || !hasAll(ecx81, bit(5)))
    return features;
  uint32_t xcr0 = readXcr0();
  if (!hasAll(xcr0, bit(1) | bit(2))) // xmm, ymm
    return features;
  features |= SECTILE_ABI_X86_V3;

  // AVX-512 F, DQ, CD, BW, VL.
  constexpr uint32_t v4Leaf7 = bit(16) | bit(17) | bit(28) | bit(30) | bit(31);
  // Mask registers, upper halves of zmm0-15, zmm16-31.
  if (!hasAll(ebx7, v4Leaf7) || !hasAll(xcr0, bit(5) | bit(6) | bit(7)))
    return features;
  features |= SECTILE_ABI_X86_V4;
  if (ecx7 & bit(11))
    features |= SECTILE_ABI_X86_AVX512VNNI;
  if (ecx7 & bit(1))
    features |= SECTILE_ABI_X86_AVX512VBMI;
  return features;
}

#endif

} // namespace

uint64_t detectCpuFeatures() {
#if defined(__x86_64__)
  return detectX86();
#elif defined(__aarch64__)
  return SECTILE_ABI_AARCH64_NEON; // part of the base architecture
#else
  return 0;
#endif
}

void appendFeatureNames(Message &message, uint64_t features) {
  const char *separator = "";
  for (int index = 0; index < 64; ++index) {
    uint64_t feature = uint64_t(1) << index;
    if (!(features & feature))
      continue;
    const char *name = nullptr;
    for (const FeatureName &entry : kFeatureNames)
      if (entry.feature == feature)
        name = entry.name;
    if (name)
      message.append("%s%s", separator, name);
    else
      message.append("%sfeature %d", separator, index);
    separator = ", ";
  }
}

} // namespace sectile::runtime
