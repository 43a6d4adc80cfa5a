//===- Compare.cpp - results against expected values ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Compare.h"

#include "Args.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace sectile::tools {

Result<Expectation> parseExpectation(std::string_view text) {
  Expectation result;
  bool haveRtol = false, haveAtol = false;
  for (;;) {
    size_t comma = text.rfind(',');
    std::string_view last =
        comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    bool isRtol = last.starts_with("rtol=");
    if (!isRtol && !last.starts_with("atol="))
      break;
    std::optional<double> value = parseDouble(last.substr(5));
    bool &have = isRtol ? haveRtol : haveAtol;
    if (!value || *value < 0 || have)
      return failure(kUsage,
                     "option '--expect' expects one tolerance of at least 0, but got '%.*s'",
                     int(last.size()), last.data());
    have = true;
    (isRtol ? result.rtol : result.atol) = *value;
    text = text.substr(0, comma);
  }
  result.file = text;
  return result;
}

namespace {

/// The bits of an integer element, extended by its sign if its type has one.
int64_t readInteger(const Tensor &tensor, int64_t index) {
  uint32_t bytes = sectile_dtype_bytes(tensor.dtype);
  uint64_t bits = 0;
  memcpy(&bits, tensor.data.data() + index * bytes, bytes);
  if (tensor.dtype >= SECTILE_I8 && tensor.dtype <= SECTILE_I64) {
    int unused = 64 - 8 * int(bytes);
    return static_cast<int64_t>(bits << unused) >> unused;
  }
  return static_cast<int64_t>(bits);
}

} // namespace

Comparison compare(const Tensor &actual, const Tensor &expected, double rtol, double atol) {
  Comparison result;
  bool floats = isFloat(actual.dtype) && isFloat(expected.dtype);
  if (actual.dims != expected.dims || (!floats && actual.dtype != expected.dtype)) {
    result.typeMismatch = "expected " + describeType(expected.dtype, expected.dims) + ", but got " +
                          describeType(actual.dtype, actual.dims);
    return result;
  }
  result.elements = actual.numElements();
  for (int64_t i = 0; i < result.elements; ++i) {
    double got = readElement(actual, i), want = readElement(expected, i);
    bool equal = floats ? got == want || (std::isnan(got) && std::isnan(want))
                        : readInteger(actual, i) == readInteger(expected, i);
    if (equal)
      continue;
    double difference = std::fabs(got - want);
    if (!std::isfinite(difference))
      difference = std::numeric_limits<double>::infinity();
    result.maxAbsolute = std::fmax(result.maxAbsolute, difference);
    if (want != 0)
      result.maxRelative = std::fmax(
          result.maxRelative, std::isfinite(want) ? difference / std::fabs(want) : difference);
    bool tolerated = std::isfinite(difference) && (rtol > 0 || atol > 0) &&
                     difference <= atol + rtol * std::fabs(want);
    if (tolerated)
      continue;
    if (result.mismatches++ == 0)
      result.firstMismatch = i;
  }
  return result;
}

} // namespace sectile::tools
