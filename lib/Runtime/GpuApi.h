//===- GpuApi.h - CUDA's driver or HIP, found at run time -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Nothing of either is needed to build or to link. The library is looked for when a
// package is loaded for a device, at $SECTILE_CUDA_LIBRARY or $SECTILE_HIP_LIBRARY, else
// by its name. Once loaded it stays in the process, as its makers have it: both leave
// threads and handlers behind.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_RUNTIME_GPUAPI_H
#define SECTILE_LIB_RUNTIME_GPUAPI_H

#include "Message.h"

#include <bit>
#include <cstddef>
#include <cstdint>

namespace sectile::runtime {

enum class GpuFamily : uint8_t { Cuda, Hip };

/// Results that are more than failures, equal in CUDA (cuda.h) and HIP (hip_runtime_api.h).
enum GpuResult : int {
  kGpuSuccess = 0,
  kGpuOutOfMemory = 2,
  kGpuNoBinary = 209,
  kGpuUnsupportedPtx = 222, // of CUDA alone
};

/// CUDA's attributes of devices and functions.
enum CudaAttribute : int {
  kCudaMajor = 75,
  kCudaMinor = 76,
  kCudaSharedBytesOptin = 97,
  kCudaFunctionDynamicSharedBytes = 8,
};

/// CUDA's options of modules that are assembled.
enum CudaJitOption : int { kCudaErrorLog = 5, kCudaErrorLogBytes = 6 };

inline constexpr unsigned kGpuStreamNonBlocking = 1;
inline constexpr int kGpuCaptureThreadLocal = 1;

/// Where HIP's structures of a device's properties hold the processor's name, and how large they
/// are: hipDeviceProp_tR0600, and hipDeviceProp_t before HIP 6.
struct HipProperties {
  size_t processorOffset, bytes;
};
inline constexpr HipProperties kHipProperties = {1160, 1472}, kHipOldProperties = {396, 792};

enum class GpuFunction : uint8_t {
#define GPU_FUNCTION(member, need, parameters, cuda, hip) member,
#include "GpuFunctions.def"
};

/// An address of the device as the pointer that packages and users have of it.
inline void *toPointer(uint64_t address) { return std::bit_cast<void *>(address); }

/// The functions of one library. Those that it lacks are null.
struct GpuApi {
#define GPU_FUNCTION(member, need, parameters, cuda, hip) int(*member) parameters = nullptr;
#include "GpuFunctions.def"
  /// HIP has these two in place of CUDA's.
  const char *(*hipErrorName)(int error) = nullptr;
  const char *(*hipErrorText)(int error) = nullptr;

  GpuFamily family = GpuFamily::Cuda;
  void *library = nullptr;

  /// Finds the library and its functions. SECTILE_UNSUPPORTED where there is none, or an old one.
  sectile_status open(GpuFamily family, Message &message);
  void close();

  const char *familyName() const { return family == GpuFamily::Cuda ? "cuda" : "hip"; }
  /// As the library calls it, for messages.
  const char *nameOf(GpuFunction function) const;
  bool hasGraphs() const;

  /// Turns a result into a status, with a message that names the call and has the library's own
  /// words.
  sectile_status check(int result, GpuFunction function, Message &message) const;
  /// Appends "cuMemAlloc_v2 failed: CUDA_ERROR_OUT_OF_MEMORY, out of memory".
  void appendFailure(int result, GpuFunction function, Message &message) const;
};

/// Calls a function of the table: GPU_CALL(api, message, allocate, &address, bytes).
#define GPU_CALL(api, message, member, ...)                                                        \
  (api).check((api).member(__VA_ARGS__), ::sectile::runtime::GpuFunction::member, message)

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_GPUAPI_H
