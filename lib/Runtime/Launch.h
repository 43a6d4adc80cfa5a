//===- Launch.h - how a kernel's grid is shared among threads ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_RUNTIME_LAUNCH_H
#define SECTILE_LIB_RUNTIME_LAUNCH_H

#include "sectile/Package/Abi.h"

#include <cstdint>

namespace sectile::runtime {

/// How one launch runs.
struct LaunchPlan {
  uint32_t threads; // that may take part, at least 1
  uint32_t chunks;  // consecutive block ranges of nearly equal length, at least 1
};

/// Decides from what the kernel says about itself. One thread and one chunk where
/// the work is worth less than waking others; else chunks long enough to hide
/// their hand-over and many enough to even out threads that lose their core.
LaunchPlan planLaunch(const sectile_abi_launch_info &info, uint32_t threads);

/// First block of `chunk`; of chunk number `chunks` the end of the grid.
int64_t firstBlock(int64_t blocks, uint32_t chunks, uint32_t chunk);

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_LAUNCH_H
