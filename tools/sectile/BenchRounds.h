//===- BenchRounds.h - what sectile bench measured --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_BENCHROUNDS_H
#define SECTILE_TOOLS_SECTILE_BENCHROUNDS_H

#include "MachineRates.h"
#include "Model.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sectile::tools {

/// What one kernel did in one round.
struct KernelRound {
  int64_t nanoseconds = 0;
  int64_t launches = 0;
  int64_t bytes = 0;
  int64_t operations = 0;
};

/// One run of the model.
struct Round {
  int64_t begin = 0, nanoseconds = 0; ///< on the clock of the events
  std::vector<KernelRound> kernels;
  /// Every launch in order, where a trace is wanted.
  std::vector<sectile_kernel_event> launches;

  /// What kernels do not account for: with them it sums to the total.
  int64_t hostNanoseconds() const;
};

struct Measurement {
  const Model &model;
  std::vector<Round> rounds;
  MachineRates rates;

  /// The round whose total is the median (nearest rank), so that kernels and host sum to it.
  const Round &medianRound() const;
};

/// The median round, most expensive kernels first, and statistics of all rounds, on standard
/// output.
void printTable(const Measurement &measured);
/// The same and more for programs.
std::string makeJson(const Measurement &measured);
/// The median round in the trace event format, which Perfetto and chrome://tracing read: one track
/// of kernels, one of what the host program does between them; together they last as long as the
/// round.
std::string makeTrace(const Measurement &measured);

// Of two packages that ran in turns (BenchComparison.cpp).

/// Medians of both, and of each kernel whose name both have, as a table and for programs.
void printComparison(const Measurement &measured, const Measurement &other);
std::string makeComparisonJson(const Measurement &measured, const Measurement &other);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_BENCHROUNDS_H
