//===- KernelHarness.h - runs single tile kernels in tests ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_TEST_UNIT_SUPPORT_KERNELHARNESS_H
#define SECTILE_TEST_UNIT_SUPPORT_KERNELHARNESS_H

#include "sectile/Codegen/Kernels.h"
#include "sectile/Package/Abi.h"

#include "mlir/IR/MLIRContext.h"

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace sectile::test {

/// Memory between two pages that may not be touched. The last byte is the last before the upper
/// one, so that an access beyond the end faults at once; `alignment` may leave a few bytes.
class GuardedBuffer {
public:
  explicit GuardedBuffer(size_t bytes, size_t alignment = 1);
  ~GuardedBuffer();
  GuardedBuffer(GuardedBuffer &&other) noexcept;
  GuardedBuffer(const GuardedBuffer &) = delete;
  void *data() const { return start; }
  template <typename T>
  T *as() const {
    return static_cast<T *>(start);
  }
  size_t size() const { return bytes; }

private:
  void *mapping, *start;
  size_t mapped, bytes;
};

/// A kernel compiled for one level and loaded into this process.
class LoadedKernel {
public:
  /// Compiles the kernel `name` of the module `text`; prints diagnostics and returns null on error.
  static std::unique_ptr<LoadedKernel> compile(llvm::StringRef text, llvm::StringRef name,
                                               const CpuLevel &level,
                                               FloatMode mode = FloatMode::Default);
  ~LoadedKernel();

  sectile_abi_launch_info info(const std::vector<void *> &bufs,
                               const std::vector<int64_t> &sizes = {}) const;
  /// Runs all blocks, or [begin, end), and returns the kernel's status.
  int32_t run(const std::vector<void *> &bufs, const std::vector<int64_t> &sizes = {},
              int64_t begin = 0, int64_t end = -1);
  /// What the last failed check recorded.
  int64_t values[4] = {};
  LoopStats stats;
  std::string assembly;
  std::vector<std::string> failures;

private:
  void *handle = nullptr;
  std::unique_ptr<GuardedBuffer> scratch;
  decltype(sectile_abi_kernel_code::info) infoFunction = nullptr;
  decltype(sectile_abi_kernel_code::run) runFunction = nullptr;
};

/// A context with all dialects that kernels use, shared by the tests of a process.
mlir::MLIRContext &getContext();

/// Levels that this machine has.
std::vector<const CpuLevel *> presentLevels();

/// Those, and levels that it lacks in the form that StandIns.h gives them.
std::vector<const CpuLevel *> testedLevels();

/// `text` with every key replaced by its value, one pair after the other.
std::string substitute(std::string text,
                       const std::vector<std::pair<std::string, std::string>> &values);

/// A kernel `k` around `body`, with `%in0..` loaded whole from views of the given tensor types
/// (without "tensor<>") and `%out` stored whole.
std::string wrapBody(const std::vector<std::string> &inputs, const std::string &output,
                     const std::string &body);

} // namespace sectile::test

#endif // SECTILE_TEST_UNIT_SUPPORT_KERNELHARNESS_H
