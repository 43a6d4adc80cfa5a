//===- Context.h - one inference at a time ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_RUNTIME_CONTEXT_H
#define SECTILE_LIB_RUNTIME_CONTEXT_H

#include "CopyRuns.h"
#include "Memory.h"
#include "Message.h"
#include "Package.h"

#include "sectile/Package/Abi.h"

#include <atomic>

namespace sectile::runtime {
class GpuContext;
} // namespace sectile::runtime

/// The state of inferences on one package: the call structure that the package's
/// code sees, and the memory behind it. All arrays have the length that the
/// package gives and are made once.
struct sectile_context {
  sectile_context(sectile_package *package, const sectile_context_options &options)
      : package(package), options(options) {}
  sectile_context(const sectile_context &) = delete;
  sectile_context &operator=(const sectile_context &) = delete;

  /// Makes the arrays and starts the package's workers if this context uses them.
  sectile_status init(sectile::runtime::Message &reason);
  void release();

  sectile_status inferShapes(const sectile_tensor *inputs, size_t numInputs,
                             sectile_tensor *outputs, size_t numOutputs);
  sectile_status run(const sectile_tensor *inputs, size_t numInputs, sectile_tensor *outputs,
                     size_t numOutputs);

  /// Runs one kernel on all its blocks (Launch.cpp).
  int32_t launch(uint32_t kernel, void *const *bufs, const int64_t *sizes);

  /// What host programs ask for instead of touching memory themselves.
  int32_t read(void *to, const void *from, uint64_t bytes);
  int32_t copy(const sectile::runtime::StridedCopy &copy);

  /// What the package's code sees; `call` is first so that its address is ours.
  struct Call {
    sectile_abi_call call;
    sectile_context *context;
  };

  sectile_package *package;
  sectile_context_options options;
  sectile::runtime::Message message;
  std::atomic<bool> running{false};
  uint32_t threads = 1; // that may work for this context at once
  bool hasSymbols = false;
  sectile::runtime::GrowingBuffer arena;
  sectile::runtime::GrowingBuffer scratch;

  /// The status of a kernel's check that failed, whose index is number - 1.
  sectile_status explainFailure(uint32_t kernel, int64_t number, const int64_t (&values)[4]);

private:
  // Runs on a GPU (ContextGpu.cpp).
  sectile_status initGpu(sectile::runtime::Message &reason);
  void releaseGpu();
  void describeRun();
  sectile_status runOnGpu(sectile_tensor *outputs);
  sectile_status collectFromGpu();
  int32_t launchOnGpu(uint32_t kernel, int64_t blocks, void *const *bufs, const int64_t *sizes);
  int64_t lastLaunchNanoseconds() const;
  uint64_t gpuBytes() const;

  int32_t launchOnDevice(uint32_t kernel, int64_t blocks, void *const *bufs, const int64_t *sizes,
                         int64_t (&values)[4]);

  enum class Need { Shapes, Data };

  static constexpr unsigned kDeviceAlignment = 16; // what kernels take for granted
  sectile_status checkPlace(const char *kind, const char *name, const sectile_tensor &given);
  sectile_status checkCounts(size_t numInputs, size_t numOutputs, const sectile_tensor *inputs,
                             const sectile_tensor *outputs);
  sectile_status bindInput(uint32_t index, const sectile_tensor &given, Need need);
  sectile_status prepare(const sectile_tensor *inputs, Need need);
  sectile_status measureOutput(uint32_t index);
  sectile_status placeOutput(uint32_t index, const sectile_tensor &given,
                             const sectile_tensor *inputs);
  sectile_status finish(int32_t status);
  void describeOutput(uint32_t index, sectile_tensor &given) const;

  Call state = {};
  void **inputData = nullptr;
  const int64_t **inputDims = nullptr;
  void **outputData = nullptr;
  int64_t **outputDims = nullptr;
  uint64_t *outputBytes = nullptr;
  int64_t *dimStorage = nullptr; // behind inputDims and outputDims
  uint64_t numDims = 0;
  int64_t *symbols = nullptr;
  sectile::runtime::GrowingBuffer *ownOutputs = nullptr;
  /// Where the caller's tensors are in memory of the host, else null; inputData and outputData are
  /// what the package sees.
  const void **hostData = nullptr;
  uint64_t *inputBytes = nullptr;
  void **hostOutputs = nullptr;
  sectile::runtime::GpuContext *gpu = nullptr;
  int64_t *key = nullptr; // of the run in progress, see GpuContext::execute
  uint64_t keyLength = 0;

  friend sectile_status sectile_context_get_memory(const sectile_context *,
                                                   sectile_context_memory *);
  friend int64_t sectile_context_get_symbol(const sectile_context *, uint32_t);
};

#endif // SECTILE_LIB_RUNTIME_CONTEXT_H
