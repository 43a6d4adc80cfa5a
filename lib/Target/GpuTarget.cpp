//===- GpuTarget.cpp - what each GPU has ------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/GpuTarget.h"

#include <algorithm>

using namespace sectile;
using namespace sectile::target;

std::span<const GpuTarget> target::allGpuTargets() {
  constexpr int64_t kKiB = 1024;
  // Shared memory since sm_50: 32 banks of 4 bytes; 8 and 16 bytes per lane are served by half and
  // quarter warps. Global memory moves in sectors of 32 bytes. (CUDA C++ Programming Guide, "Shared
  // Memory" and "Device Memory Accesses".)
  static const layout::AccessModel nvidia{{{1, 32}, {2, 32}, {4, 32}, {8, 16}, {16, 8}}, 32, 4, 32};
  constexpr std::string_view source =
      "CUDA C++ Programming Guide 12.9, Technical Specifications per Compute Capability";
  // Arithmetic throughput: the same guide, "Throughput of Native Arithmetic Instructions". Cores
  // and memory: A100 40 GB (1555 GB/s at 1.41 GHz), RTX 3090 (936 GB/s at 1.70 GHz), RTX 4090 (1008
  // GB/s at 2.52 GHz), H100 SXM (3350 GB/s at 1.83 GHz), of NVIDIA's white papers on Ampere GA100
  // and GA102, Ada and Hopper; published figures, not measured ones. PTX 8.0 is the first that
  // knows all of them; every later assembler takes it.
  auto make = [&](std::string_view name, int64_t warps, int64_t sharedBytes, int64_t cores,
                  int64_t multiplyAdds, int64_t memoryBytes) {
    return GpuTarget{.name = name,
                     .family = GpuFamily::Nvidia,
                     .triple = "nvptx64-nvidia-cuda",
                     .processor = name,
                     .features = "+ptx80",
                     .threadsPerWarp = 32,
                     .threadsPerBlock = 1024,
                     .warpsPerCore = warps,
                     .registersPerCore = 64 * kKiB,
                     .registersPerThread = 255,
                     .sharedBytesPerBlock = sharedBytes,
                     .staticSharedBytes = 48 * kKiB,
                     .cores = cores,
                     .multiplyAddsPerCycle = multiplyAdds,
                     .memoryBytesPerCycle = memoryBytes,
                     .access = nvidia,
                     .hasMatrixLoads = true,
                     .hasAsyncCopies = true,
                     .source = source};
  };
  // LDS: 32 banks of 4 bytes, 128 bytes in a cycle; what lanes 0 to 31 and 32 to 63 access in 4
  // bytes each is served one after the other, and groups of 8 lanes in 16 bytes: stores from
  // neighbours, loads from lanes 0 to 3 and 20 to 23, and so on. (ROCm, Composable Kernel,
  // "Understanding AMD GPU LDS and Bank Conflicts", for CDNA; RDNA 3's manual gives the banks of a
  // compute unit, and no order of loads.) Memory moves in pieces of 64 bytes, of cache lines of 64
  // to 128.
  static const layout::AccessModel cdna{
      {{1, 32}, {2, 32}, {4, 32}, {8, 16}, {16, 8, {0,  1,  2,  3,  20, 21, 22, 23, 4,  5,  6,
                                                    7,  16, 17, 18, 19, 8,  9,  10, 11, 28, 29,
                                                    30, 31, 12, 13, 14, 15, 24, 25, 26, 27}}},
      32,
      4,
      64};
  static const layout::AccessModel rdna{{{1, 32}, {2, 32}, {4, 32}, {8, 16}, {16, 8}}, 32, 4, 64};
  // Registers, LDS and compute units: ROCm, "AMD GPU specifications" (VGPR file of a compute unit:
  // 512 KiB on CDNA 2 and 3, 384 KiB on Navi 31). Registers of a thread: 256 of vectors and as many
  // of sums on CDNA, 256 on RDNA; wavefronts: 8 for each of 4 SIMDs, 16 for each of 2 (LLVM,
  // "User Guide for AMDGPU Backend"; AMD's ISA manuals). Multiply-adds of f32 that are not packed
  // or paired, clocks and bandwidth: a die of MI250X (1638 GB/s at 1.70 GHz), MI300X (5300 GB/s at
  // 2.10 GHz), RX 7900 XTX (960 GB/s at 2.50 GHz), of AMD's white papers on CDNA 2, CDNA 3 and data
  // sheets; published figures, not measured ones.
  auto makeAmd = [&](std::string_view name, std::string_view features, int64_t lanes, int64_t warps,
                     int64_t registers, int64_t perThread, int64_t cores, int64_t multiplyAdds,
                     int64_t memoryBytes, const layout::AccessModel &access,
                     std::string_view manual) {
    return GpuTarget{.name = name,
                     .family = GpuFamily::Amd,
                     .triple = "amdgcn-amd-amdhsa",
                     .processor = name,
                     .features = features,
                     .threadsPerWarp = lanes,
                     .threadsPerBlock = 1024,
                     .warpsPerCore = warps,
                     .registersPerCore = registers,
                     .registersPerThread = perThread,
                     .sharedBytesPerBlock = 64 * kKiB,
                     .staticSharedBytes = 64 * kKiB,
                     .cores = cores,
                     .multiplyAddsPerCycle = multiplyAdds,
                     .memoryBytesPerCycle = memoryBytes,
                     .access = access,
                     .hasMatrixLoads = false,
                     .hasAsyncCopies = false,
                     .source = manual};
  };
  static const GpuTarget all[] = {
      make("sm_80", 64, 163 * kKiB, 108, 64, 1103),
      make("sm_86", 48, 99 * kKiB, 82, 128, 552),
      make("sm_89", 48, 99 * kKiB, 128, 128, 400),
      make("sm_90a", 64, 227 * kKiB, 132, 128, 1830),
      makeAmd("gfx90a", "", 64, 32, 128 * kKiB, 512, 110, 64, 964, cdna,
              "AMD Instinct MI200 (CDNA 2) ISA Reference Guide; ROCm, AMD GPU specifications"),
      makeAmd("gfx942", "", 64, 32, 128 * kKiB, 512, 304, 128, 2524, cdna,
              "AMD Instinct MI300 (CDNA 3) ISA Reference Guide; ROCm, AMD GPU specifications"),
      makeAmd("gfx1100", "+wavefrontsize32", 32, 32, 96 * kKiB, 256, 96, 64, 384, rdna,
              "RDNA 3 ISA Reference Guide; ROCm, AMD GPU specifications"),
  };
  return all;
}

const GpuTarget *target::findGpuTarget(std::string_view name) {
  std::span<const GpuTarget> all = allGpuTargets();
  auto found = std::ranges::find(all, name, &GpuTarget::name);
  return found == all.end() ? nullptr : &*found;
}

int64_t target::getPrivateBytes(const GpuTarget &target) {
  return target.staticSharedBytes * 2 / 3;
}

std::string target::describeDevice(const GpuTarget &target) {
  // A launch is about 5 microseconds from call to end; a block starts in some hundred cycles.
  constexpr int64_t kLaunchCycles = 7000, kBlockCycles = 500, kLaneBytes = 4;
  return "cores=" + std::to_string(target.cores) +
         ",memoryBytesPerCycle=" + std::to_string(target.memoryBytesPerCycle) +
         ",coreBytesPerCycle=" + std::to_string(target.access.sectorBytes) +
         ",launchCycles=" + std::to_string(kLaunchCycles) +
         ",blockCycles=" + std::to_string(kBlockCycles) +
         ",privateBytes=" + std::to_string(getPrivateBytes(target)) +
         ",vectorBytes=" + std::to_string(target.threadsPerWarp * kLaneBytes) +
         ",multiplyAdds=" + std::to_string(target.multiplyAddsPerCycle / target.threadsPerWarp);
}

std::string target::listGpuTargets() {
  std::string names;
  for (const GpuTarget &target : allGpuTargets())
    names += (names.empty() ? "" : ", ") + std::string(target.name);
  return names;
}
