//===- Tuning.h - schedules found by measuring ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The cost model chooses; where there is time, other choices are compiled and run. What is run is
// the whole model, so that each kernel finds in the caches what the ones before it left there, and
// all kernels try a schedule at the same time: a round takes as long for a hundred kernels as for
// one.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_COMPILER_TUNING_H
#define SECTILE_COMPILER_TUNING_H

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <chrono>
#include <functional>
#include <string>

namespace sectile {

/// Microseconds of one package, and the time of another one over it: the median of the ratios of
/// runs that came one right after the other, which a machine's mood changes less than the times.
struct ComparedTime {
  double time = 0, ratio = 1;
};

/// Times of two packages of one model that ran in turns.
struct ComparedTimes {
  ComparedTime total;
  /// Of all launches of a kernel in a run, by its name.
  llvm::StringMap<ComparedTime> kernels;
};

struct TuningSummary {
  unsigned schedules = 0; ///< that were compiled and run
  unsigned kernels = 0;   ///< that have another one than the model's now
  /// Microseconds of a run before, and what the kernels' gains leave of it; 0 if there are none.
  double before = 0, after = 0;
  /// Why nothing, or nothing more, was measured, if that is an error.
  std::string error;
};

struct TuningOptions {
  using Clock = std::chrono::steady_clock;
  /// When the package should be there.
  Clock::time_point deadline;
  /// Runs packages `path` and `otherPath` in turns, `rounds` times each, and gives up after
  /// `seconds`.
  std::function<llvm::Expected<ComparedTimes>(llvm::StringRef path, llvm::StringRef otherPath,
                                              unsigned rounds, double seconds)>
      measure;
  /// Told when packages begin to be compiled that are only measured, and when they end to be:
  /// remarks about them are of no interest.
  std::function<void(bool isTrial)> onTrials;
  /// Whether the user wants all of it to end: nothing is written then. May be null.
  std::function<bool()> isInterrupted;
  TuningSummary *summary = nullptr;
};

} // namespace sectile

#endif // SECTILE_COMPILER_TUNING_H
