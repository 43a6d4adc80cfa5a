//===- Threads.h - programs as threads, on the emulator ------------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_FUZZ_THREADS_H
#define SECTILE_TEST_FUZZ_THREADS_H

#include "Reference.h"

#include "sectile/Emulator/Emulator.h"

#include <functional>

namespace sectile::test {

struct ThreadOptions {
  /// The kernel is also compiled to PTX, and assembled where ptxas is found: it must not spill; or
  /// to a code object.
  bool writesCode = false;
  /// Choice `stages` of the schedule, 0: the pass's.
  int64_t stages = 0;
  /// What happens to the kernel's NVVM form before it is executed.
  std::function<void(mlir::ModuleOp)> change = {};
  /// Gets what the launch's accesses took.
  std::vector<emulator::MemoryCount> *counts = nullptr;
};

/// Compiles the kernel of `reference` for `target` with blocks of `warps` warps (0: as many as the
/// pass chooses), runs it on the emulator and compares. `order` is the seed for the order of lanes.
/// A program that refuses its input must do so by the same message.
Finding runThreads(Reference &reference, const std::string &target, int64_t warps, int64_t blocks,
                   uint32_t order, const ThreadOptions &options = {});

} // namespace sectile::test

#endif // SECTILE_TEST_FUZZ_THREADS_H
