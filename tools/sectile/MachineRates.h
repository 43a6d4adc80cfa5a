//===- MachineRates.h - what this machine can do ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A roofline of the machine that runs the program, measured in about a quarter
// of a second: how fast it reads working sets of several sizes, and how fast it
// multiplies and adds floats of 32 bits, with the widest vectors it has.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_MACHINERATES_H
#define SECTILE_TOOLS_SECTILE_MACHINERATES_H

#include <cstdint>
#include <vector>

namespace sectile::tools {

/// The least time that work can take.
struct Bound {
  double nanoseconds = 0;
  bool byMemory = false; ///< rather than by arithmetic
};

class MachineRates {
public:
  /// Measures with `threads` threads at once; fewer where the system gives no more.
  static MachineRates measure(unsigned threads);

  /// Of work that reads or writes `bytes` once, all threads together, and performs `operations` (a
  /// fused multiply-add counting two). Bytes come from the smallest measured working set that
  /// holds them, so small kernels are bound by a cache. Arithmetic counts as 32-bit floats: work
  /// on narrower integers can be faster than its bound.
  Bound boundOf(int64_t bytes, int64_t operations) const;

  struct Reading {
    int64_t bytes;             ///< of the working set
    double bytesPerNanosecond; ///< GB/s
  };
  std::vector<Reading> readings; ///< by ascending size
  double operationsPerNanosecond = 0;
};

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_MACHINERATES_H
