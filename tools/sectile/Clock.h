//===- Clock.h - the clock of all measurements ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_CLOCK_H
#define SECTILE_TOOLS_SECTILE_CLOCK_H

#include <cstdint>
#include <ctime>

namespace sectile::tools {

/// Nanoseconds of CLOCK_MONOTONIC, the clock of sectile_kernel_event.
inline int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_CLOCK_H
