//===- Package.h - a loaded package -----------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_RUNTIME_PACKAGE_H
#define SECTILE_LIB_RUNTIME_PACKAGE_H

#include "GpuDevice.h"
#include "Memory.h"
#include "Message.h"
#include "SharedObject.h"
#include "ThreadPool.h"
#include "Weights.h"

#include "sectile/Package/Abi.h"

#include <atomic>
#include <pthread.h>

/// Everything that contexts share. Immutable after load, apart from the
/// reference count and the start of the workers.
struct sectile_package {
  explicit sectile_package(const sectile_package_options &options)
      : options(options), memory(options.allocator) {}
  sectile_package(const sectile_package &) = delete;
  sectile_package &operator=(const sectile_package &) = delete;

  /// Opens the file and chooses target, level and threads.
  sectile_status load(const char *path, sectile::runtime::Message &message);

  /// Undoes load, whether or not it succeeded.
  void unload();

  /// Starts the workers unless they run or the user has threads of their own.
  sectile_status startWorkers(sectile::runtime::Message &message);

  const sectile_abi_level &currentLevel() const { return target->levels[level]; }
  /// Index of the alias of an input or output, -1 if it has none.
  int32_t findInputAlias(uint32_t input) const;
  int32_t findOutputAlias(uint32_t output) const;

  sectile_package_options options;
  sectile::runtime::Memory memory;
  std::atomic<uint32_t> references{1};
  sectile::runtime::SharedObject object;
  sectile::runtime::Mapping weights;
  const sectile_package_descriptor *descriptor = nullptr;
  const sectile_abi_target *target = nullptr;
  const sectile_abi_device *device = nullptr; // of the target; null for the CPU
  sectile::runtime::GpuDevice *gpu = nullptr; // where the library runs kernels itself
  const void *constants = nullptr;
  uint32_t level = 0;
  uint32_t threads = 1;
  uint64_t cpuFeatures = 0;
  sectile::runtime::ThreadPool pool;

private:
  sectile_status openGpu(sectile::runtime::Message &message);
  sectile_status chooseTarget(sectile::runtime::Message &message);
  sectile_status chooseLevel(sectile::runtime::Message &message);

  pthread_mutex_t startMutex = PTHREAD_MUTEX_INITIALIZER;
};

#endif // SECTILE_LIB_RUNTIME_PACKAGE_H
