//===- GpuDevice.h - a package on a GPU -------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What all contexts of a package share on a device: the device's primary context, the
// kernels, the constants. Immutable once loaded. What one run needs is in GpuContext.h.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_RUNTIME_GPUDEVICE_H
#define SECTILE_LIB_RUNTIME_GPUDEVICE_H

#include "GpuApi.h"
#include "Memory.h"

#include "sectile/Package/Abi.h"

namespace sectile::runtime {

/// A kernel as it is launched.
struct GpuKernel {
  void *function = nullptr;
  const char *arguments = nullptr; // 'b' and 'i', as the descriptor has them
  uint32_t threads = 0, sharedBytes = 0;
  bool hasChecks = false;
};

class GpuDevice {
public:
  explicit GpuDevice(const Memory &memory) : memory(memory) {}
  GpuDevice(const GpuDevice &) = delete;
  GpuDevice &operator=(const GpuDevice &) = delete;

  /// Finds the device that `name` says: "cuda", "hip", "cuda:1".
  sectile_status open(const char *name, Message &message);

  /// The best of the package's targets for this device, or `wanted` if that is one (null: any).
  sectile_status chooseTarget(const sectile_package_descriptor &descriptor, const char *wanted,
                              const sectile_abi_target *&target, Message &message) const;

  /// Loads the target's kernels and copies its constants, which begin at `constants`.
  sectile_status load(const sectile_package_descriptor &descriptor,
                      const sectile_abi_target &target, const char *constants, Message &message);

  /// Undoes all of it, however far it came. No context uses the device any more.
  void close();

  const char *describe() const { return title; }
  const GpuKernel &kernel(uint32_t number) const { return kernels[number]; }
  uint32_t mostArguments() const { return argumentsMost; }
  uint64_t constantsAddress() const { return constants; }

  /// Memory of the device, for users; both wait for what they do.
  sectile_status upload(uint64_t to, const void *from, uint64_t bytes, Message &message) const;
  sectile_status download(void *to, uint64_t from, uint64_t bytes, Message &message) const;

  GpuApi api;

private:
  friend class GpuScope;

  /// What a name such as sm_90a or gfx942 stands for.
  enum class Fit : uint8_t { None, Ptx, Cubin, Exact };
  Fit rate(const sectile_abi_target &target, const sectile_abi_device &device) const;
  sectile_status identify(Message &message);
  sectile_status loadImages(const sectile_abi_target &target, const sectile_abi_device &device,
                            Message &message);
  int loadImage(const sectile_abi_image &image, char *log, size_t logBytes);
  sectile_status findKernels(const sectile_package_descriptor &descriptor,
                             const sectile_abi_target &target, const sectile_abi_device &device,
                             Message &message);
  sectile_status copyConstants(const sectile_package_descriptor &descriptor,
                               const sectile_abi_device &device, const char *data,
                               Message &message);

  const Memory &memory;
  int ordinal = 0, device = 0;
  bool isRetained = false; // its context, where there are such, and with it the device is in use
  void *context = nullptr; // of CUDA
  int major = 0, minor = 0;
  char processor[64] = ""; // "sm_90" or "gfx942"
  char title[384] = "";    // "cuda:0 (NVIDIA H200, sm_90)"
  void *module = nullptr;
  void *transfers = nullptr; // the stream of upload and download
  GpuKernel *kernels = nullptr;
  uint32_t numKernels = 0, argumentsMost = 0;
  uint64_t constants = 0;
};

/// Makes the device current on this thread, and what was current before again at its end.
class GpuScope {
public:
  GpuScope(const GpuDevice &device, Message &message);
  ~GpuScope();
  GpuScope(const GpuScope &) = delete;
  GpuScope &operator=(const GpuScope &) = delete;

  /// What went wrong; nothing may be called in a scope that failed.
  sectile_status status() const { return result; }

private:
  const GpuDevice &device;
  int previous = -1; // of HIP
  sectile_status result;
};

/// Memory of the device that only grows, and whose contents a growth discards.
class GpuBuffer {
public:
  /// As GrowingBuffer. Nothing on the device may still use what it was.
  sectile_status reserve(const GpuApi &api, uint64_t bytes, Message &message);
  void release(const GpuApi &api);
  uint64_t address() const { return start; }
  uint64_t size() const { return capacity; }

private:
  uint64_t start = 0, capacity = 0;
};

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_GPUDEVICE_H
