//===- Compare.h - results against expected values --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_COMPARE_H
#define SECTILE_TOOLS_SECTILE_COMPARE_H

#include "Result.h"
#include "Tensor.h"

#include <optional>
#include <string>
#include <string_view>

namespace sectile::tools {

/// The value of --expect after "NAME=": FILE[,rtol=R][,atol=A].
struct Expectation {
  std::string file;
  double rtol = 0, atol = 0;
};

/// Parses it; tolerances are read from the end, so a file name may contain commas.
Result<Expectation> parseExpectation(std::string_view text);

/// How far `actual` is from `expected`.
struct Comparison {
  int64_t elements = 0;
  int64_t mismatches = 0;
  int64_t firstMismatch = -1; ///< row-major index
  double maxAbsolute = 0;     ///< infinite where one side is not finite and they differ
  double maxRelative = 0;     ///< |actual - expected| / |expected|, where expected is not 0
  std::string typeMismatch;   ///< set instead where dtype or shape differ

  bool matches() const { return mismatches == 0 && typeMismatch.empty(); }
};

/// Elements match where |actual - expected| <= atol + rtol * |expected|, where they
/// are equal, or where both are NaN; without tolerances only equality counts.
/// Integers are compared exactly. Float tensors may differ in width, so that a
/// float64 reference serves all.
Comparison compare(const Tensor &actual, const Tensor &expected, double rtol, double atol);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_COMPARE_H
