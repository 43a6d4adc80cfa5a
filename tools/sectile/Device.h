//===- Device.h - what runs kernels that are not the CPU's ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_DEVICE_H
#define SECTILE_TOOLS_SECTILE_DEVICE_H

#include "Args.h"
#include "Model.h"

#include <memory>

namespace sectile::tools {

/// What the emulator looks for beside misaligned accesses, divergent barriers and deadlocks, what
/// it counts, and in which order threads run.
struct EmulatorOptions {
  bool races = false, bounds = true, countsMemory = false;
  uint32_t seed = 0;
};

/// Runs the kernels of a package's target. Lives at least as long as contexts of the package.
class Device {
public:
  virtual ~Device() = default;
  virtual sectile_device get() = 0;
  /// Called once the package is loaded, before its first run.
  virtual Result<Done> attach(const Model &model) = 0;
  /// What was counted so far, as lines of text.
  virtual std::string getCounts() const { return {}; }
};

/// Makes the emulator; null in programs that have none.
using EmulatorMaker = std::unique_ptr<Device> (*)(const EmulatorOptions &options);
extern EmulatorMaker emulatorMaker;
std::unique_ptr<Device> makeEmulator(const EmulatorOptions &options);

/// What --device, --sanitize and --seed ask for.
struct DeviceChoice {
  /// Null: the CPU, or what the library does for other targets.
  std::unique_ptr<Device> device;
  /// Name of the target, or empty: the package's.
  std::string target;
  /// A GPU by the library's name for it, or empty.
  std::string name;
};
/// Without `emulates` the emulator is refused: its times mean nothing.
Result<DeviceChoice> chooseDevice(const Args &args, bool emulates = true);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_DEVICE_H
