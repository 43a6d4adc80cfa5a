//===- Device.cpp - options that choose a device ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Device.h"

namespace sectile::tools {

EmulatorMaker emulatorMaker = nullptr;

static constexpr std::string_view kEmulator = "emulator:";

static Result<EmulatorOptions> readEmulatorOptions(const Args &args) {
  EmulatorOptions options;
  if (auto checks = args.value("sanitize")) {
    options.bounds = false;
    for (std::string_view rest = *checks; !rest.empty();) {
      size_t comma = rest.find(',');
      std::string_view name = rest.substr(0, comma);
      rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
      if (name == "races")
        options.races = true;
      else if (name == "bounds")
        options.bounds = true;
      else
        return failure(kUsage, "option '--sanitize' expects races, bounds or both, but got '%.*s'",
                       int(checks->size()), checks->data());
    }
  }
  if (auto counted = args.value("count")) {
    if (*counted != "memory")
      return failure(kUsage, "option '--count' expects memory, but got '%.*s'",
                     int(counted->size()), counted->data());
    options.countsMemory = true;
  }
  Result<std::optional<int64_t>> seed = args.number("seed", 0, UINT32_MAX);
  if (!seed)
    return seed.failure();
  options.seed = static_cast<uint32_t>(seed->value_or(0));
  return options;
}

Result<DeviceChoice> chooseDevice(const Args &args, bool emulates) {
  DeviceChoice choice;
  std::string device(args.value("device").value_or(""));
  bool isEmulator = device.starts_with(kEmulator);
  for (const char *option : {"count", "sanitize", "seed"})
    if (emulates && !isEmulator && args.has(option))
      return failure(kUsage, "option '--%s' is for --device=emulator:ARCH", option);
  if (device.empty())
    return choice;
  if (device == "cpu") {
    choice.target = "cpu";
    return choice;
  }
  // The library says what is wrong with the rest of the name.
  if (device == "cuda" || device == "hip" || device.starts_with("cuda:") ||
      device.starts_with("hip:")) {
    choice.name = device;
    return choice;
  }
  if (!isEmulator)
    return failure(kUsage,
                   "option '--device' expects cpu, cuda, hip or emulator:ARCH, but got '%s'",
                   device.c_str());
  if (!emulates)
    return failure(kUsage,
                   "the emulator's times say nothing about a device: '--device=%s' is for "
                   "'sectile run'",
                   device.c_str());
  if (!emulatorMaker)
    return failure(kUsage, "this program has no emulator; 'sectile run --device=%s' has one",
                   device.c_str());
  Result<EmulatorOptions> options = readEmulatorOptions(args);
  if (!options)
    return options.failure();
  choice.target = device.substr(kEmulator.size());
  choice.device = emulatorMaker(*options);
  return choice;
}

} // namespace sectile::tools
