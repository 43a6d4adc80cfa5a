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
                     .source = source};
  };
  static const GpuTarget all[] = {
      make("sm_80", 64, 163 * kKiB, 108, 64, 1103),
      make("sm_86", 48, 99 * kKiB, 82, 128, 552),
      make("sm_89", 48, 99 * kKiB, 128, 128, 400),
      make("sm_90a", 64, 227 * kKiB, 132, 128, 1830),
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
