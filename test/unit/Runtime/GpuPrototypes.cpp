//===- GpuPrototypes.cpp - our list of functions and the headers -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Compiled where cuda.h or HIP's header is installed (CMakeLists.txt), with CHECK_CUDA or
// CHECK_HIP; there is nothing to run. Two prototypes agree if they have as many parameters,
// each passed in the same way: of one size, and both pointers or integers of 64 bits, or
// both integers or enumerations of at most 32 bits.
//
//===----------------------------------------------------------------------===//

#ifdef CHECK_CUDA
#include <cuda.h>
#else
#include <hip/hip_runtime_api.h>
#endif

#include "GpuApi.h"

#include <type_traits>

namespace {

template <typename Ours, typename Theirs>
constexpr bool passesAlike() {
  constexpr bool isFloat = std::is_floating_point_v<Ours> || std::is_floating_point_v<Theirs>;
  return sizeof(Ours) == sizeof(Theirs) && !isFloat;
}

template <typename Ours, typename Theirs>
struct Agrees : std::false_type {};
template <typename R, typename... A, typename S, typename... B>
struct Agrees<R (*)(A...), S (*)(B...)> {
  static constexpr bool check() {
    if constexpr (sizeof...(A) == sizeof...(B))
      return passesAlike<R, S>() && (passesAlike<A, B>() && ...);
    else
      return false;
  }
  static constexpr bool value = check();
};

/// Where a family has no such function.
[[maybe_unused]] extern void none();
#if defined(CHECK_HIP) && HIP_VERSION_MAJOR < 6
extern int hipGetDevicePropertiesR0600(void *, int); // of later ones
#endif
template <typename R, typename... A>
struct Agrees<R (*)(A...), void (*)()> : std::true_type {};

using sectile::runtime::GpuApi;

#ifdef CHECK_CUDA
#define GPU_FUNCTION(member, need, parameters, cuda, hip)                                          \
  static_assert(Agrees<decltype(GpuApi::member), decltype(&cuda)>::value, #cuda);
#else
#define GPU_FUNCTION(member, need, parameters, cuda, hip)                                          \
  static_assert(Agrees<decltype(GpuApi::member), decltype(&hip)>::value, #hip);
#endif
#include "GpuFunctions.def"

using namespace sectile::runtime;
#ifdef CHECK_CUDA
static_assert(kCudaMajor == int(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) &&
              kCudaMinor == int(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR) &&
              kCudaSharedBytesOptin == int(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN) &&
              kCudaFunctionDynamicSharedBytes ==
                  int(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) &&
              kCudaErrorLog == int(CU_JIT_ERROR_LOG_BUFFER) &&
              kCudaErrorLogBytes == int(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES));
static_assert(kGpuStreamNonBlocking == unsigned(CU_STREAM_NON_BLOCKING) &&
              kGpuCaptureThreadLocal == int(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) &&
              kGpuOutOfMemory == int(CUDA_ERROR_OUT_OF_MEMORY) &&
              kGpuUnsupportedPtx == int(CUDA_ERROR_UNSUPPORTED_PTX_VERSION));
#else
static_assert(kGpuStreamNonBlocking == unsigned(hipStreamNonBlocking) &&
              kGpuCaptureThreadLocal == int(hipStreamCaptureModeThreadLocal) &&
              kGpuOutOfMemory == int(hipErrorOutOfMemory));
#if HIP_VERSION_MAJOR < 6
static_assert(offsetof(hipDeviceProp_t, gcnArchName) == kHipOldProperties.processorOffset &&
              sizeof(hipDeviceProp_t) == kHipOldProperties.bytes);
#else
static_assert(offsetof(hipDeviceProp_tR0600, gcnArchName) == kHipProperties.processorOffset &&
              sizeof(hipDeviceProp_tR0600) == kHipProperties.bytes);
#endif
#endif

} // namespace
