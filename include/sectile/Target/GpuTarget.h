//===- GpuTarget.h - what each GPU has --------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Limits and memories of the devices that kernels are compiled for, as data.
// Whoever decides or generates asks for a fact by its name and never compares
// names of devices; a new device is a new row (GpuTarget.cpp).
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TARGET_GPUTARGET_H
#define SECTILE_TARGET_GPUTARGET_H

#include "sectile/Layout/Access.h"

#include <span>
#include <string>
#include <string_view>

namespace sectile::target {

/// The vendor, whose dialect (NVVM or ROCDL) and back end write the code for a device.
enum class GpuFamily : uint8_t { Nvidia, Amd };

struct GpuTarget {
  /// Name in options and packages.
  std::string_view name;
  GpuFamily family;
  /// LLVM's triple, processor and features.
  std::string_view triple, processor, features;
  int64_t threadsPerWarp;      ///< of a wavefront, in AMD's words
  int64_t threadsPerBlock;     ///< at most
  int64_t warpsPerCore;        ///< resident at most
  int64_t registersPerCore;    ///< of 32 bits
  int64_t registersPerThread;  ///< of 32 bits, at most
  int64_t sharedBytesPerBlock; ///< at most, on request
  /// What a kernel may declare itself; more is given at launch.
  int64_t staticSharedBytes;
  /// What the cost model asks for, of the board that most devices of this kind are: cores, f32
  /// multiply-adds of one in a cycle, bytes of memory for all in a cycle.
  int64_t cores;
  int64_t multiplyAddsPerCycle;
  int64_t memoryBytesPerCycle;
  /// How loads and stores of a warp are served; the last phase is the widest access of a lane.
  layout::AccessModel access;
  /// Whether a warp reads matrices of 8 x 8 elements of 16 bits from shared memory at once
  /// (ldmatrix).
  bool hasMatrixLoads;
  /// Whether threads copy to shared memory without waiting, by groups that they wait for
  /// (cp.async).
  bool hasAsyncCopies;
  /// The manual that the figures are published in.
  std::string_view source;

  /// Bytes that one lane may access at once.
  int64_t getVectorBytes() const { return access.phases.back().bytes; }
};

/// Shared memory in which a block may keep what it computes; the rest is for exchanges.
int64_t getPrivateBytes(const GpuTarget &target);

/// The device in the words of the cost model's option `device` (sectile/CostModel/Kernel.h).
std::string describeDevice(const GpuTarget &target);

/// All devices.
std::span<const GpuTarget> allGpuTargets();
/// The device of that name, or null.
const GpuTarget *findGpuTarget(std::string_view name);
/// Names of all devices as "sm_80, sm_86, ...", for messages.
std::string listGpuTargets();

} // namespace sectile::target

#endif // SECTILE_TARGET_GPUTARGET_H
