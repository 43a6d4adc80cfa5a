//===- QuantizeWeights.cpp - codes and scales of a matrix -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Quantize/Quantize.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <cmath>

using namespace sectile;
using namespace sectile::quantize;
using formats::Format;
using llvm::ArrayRef;
using llvm::Expected;
using llvm::StringRef;

static llvm::Error refuse(const llvm::Twine &why) { return llvm::createStringError(why); }

Expected<Scheme> Scheme::parse(StringRef text) {
  // A codebook's entries have commas of their own.
  size_t end = text.starts_with("codebook[") ? text.find(']') : text.find(',');
  if (text.starts_with("codebook[") && end != StringRef::npos)
    ++end;
  formats::Result<Format> format = Format::parse(std::string_view(text.take_front(end)));
  if (!format)
    return refuse("expects a number format: " + format.getMessage());
  if (format->getBits() > 8 || format->getDimension() != 1)
    return refuse("expects a format of at most 8 bits and of one number per code, but got '" +
                  text.take_front(end) + "'");
  Scheme scheme{*format};
  llvm::SmallVector<StringRef> words;
  StringRef rest = text.drop_front(std::min(end, text.size()));
  rest.consume_front(",");
  rest.split(words, ',', -1, /*KeepEmpty=*/false);
  for (StringRef word : words) {
    if (word == "zero") {
      scheme.hasZeroPoint = true;
    } else if (word.consume_front("group=")) {
      if (word != "channel" && (word.getAsInteger(10, scheme.group) || scheme.group < 1 ||
                                scheme.group > (int64_t(1) << 30)))
        return refuse("expects group to be 'channel' or a number from 1 to 2^30, but got '" + word +
                      "'");
    } else {
      return refuse("expects FORMAT[,group=N][,zero], but got '" + word + "'");
    }
  }
  if (scheme.hasZeroPoint && !scheme.format.isInteger())
    return refuse("expects a format of consecutive integers for zero points, but got '" +
                  scheme.format.print() + "'");
  if (!scheme.hasZeroPoint && scheme.format.getLowest() >= 0)
    return refuse("'" + scheme.format.print() +
                  "' has no negative numbers: expects zero points (FORMAT,zero)");
  return scheme;
}

namespace {
/// A group's codes under one scale.
struct Attempt {
  float scale = 1;
  double zero = 0; // a number of the format
  double squaredErrors = INFINITY, largestError = 0;
};

/// Finds scales of groups, one after the other.
class GroupQuantizer {
public:
  GroupQuantizer(const Scheme &scheme, llvm::function_ref<float(float)> roundScale)
      : scheme(scheme), roundScale(roundScale), lowest(scheme.format.getLowest()),
        largest(scheme.format.getLargest()), zeroCode(*scheme.format.encode(0)) {}

  /// Writes the group's codes; the scale, zero point and errors are the result's.
  Attempt quantize(ArrayRef<float> values, uint8_t *codes, uint8_t &zero) {
    auto [low, high] = std::minmax_element(values.begin(), values.end());
    Attempt best;
    // Down to half of the range, in steps of 1/32: what lies outside is cut off.
    int steps = scheme.method == Method::LeastSquares ? 17 : 1;
    for (int step = 0; step < steps; ++step) {
      double shrink = 1 - step / 32.0;
      Attempt attempt =
          encode(values, std::min(0.0f, *low) * shrink, std::max(0.0f, *high) * shrink, nullptr);
      if (attempt.squaredErrors < best.squaredErrors)
        best = attempt;
    }
    fill(values, best, codes);
    zero = static_cast<uint8_t>(scheme.hasZeroPoint ? *scheme.format.encode(best.zero) : zeroCode);
    return best;
  }

private:
  Attempt encode(ArrayRef<float> values, double low, double high, uint8_t *codes) {
    Attempt attempt;
    if (scheme.hasZeroPoint) {
      attempt.scale = getScale((high - low) / (largest - lowest));
      attempt.zero = std::clamp(std::nearbyint(lowest - low / attempt.scale), lowest, largest);
    } else {
      // Both ends keep their places; a format may have numbers on one side only.
      double scale = -low / -lowest;
      if (largest > 0)
        scale = std::max(-low, high) / largest;
      attempt.scale = getScale(scale);
    }
    attempt.squaredErrors = 0;
    fill(values, attempt, codes);
    return attempt;
  }

  /// A group of zeros has any scale.
  float getScale(double scale) {
    auto rounded = roundScale(static_cast<float>(scale));
    return rounded > 0 && std::isfinite(rounded) ? rounded : roundScale(1);
  }

  void fill(ArrayRef<float> values, Attempt &attempt, uint8_t *codes) {
    attempt.squaredErrors = attempt.largestError = 0;
    for (auto [i, value] : llvm::enumerate(values)) {
      uint32_t code = *scheme.format.encode(value / double(attempt.scale) + attempt.zero);
      double error = std::fabs((scheme.format.decode(code) - attempt.zero) * attempt.scale - value);
      attempt.squaredErrors += error * error;
      attempt.largestError = std::max(attempt.largestError, error);
      if (codes)
        codes[i] = static_cast<uint8_t>(code);
    }
  }

  const Scheme &scheme;
  llvm::function_ref<float(float)> roundScale;
  double lowest, largest;
  uint32_t zeroCode;
};
} // namespace

Expected<Codes> quantize::quantize(const Scheme &scheme, ArrayRef<float> values, int64_t rows,
                                   int64_t depth, llvm::function_ref<float(float)> roundScale) {
  for (auto [i, value] : llvm::enumerate(values))
    if (!std::isfinite(value))
      return refuse("expects finite numbers, but got " + llvm::Twine(std::to_string(value)) +
                    " in column " + llvm::Twine(i / depth) + ", row " + llvm::Twine(i % depth));
  int64_t group = scheme.group == 0 ? std::max<int64_t>(depth, 1) : scheme.group;
  Codes result;
  result.rows = rows;
  result.depth = depth;
  result.groupsPerRow = (depth + group - 1) / group;
  result.codes.resize(rows * depth);
  result.scales.reserve(rows * result.groupsPerRow);
  GroupQuantizer quantizer(scheme, roundScale);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t start = 0; start < depth; start += group) {
      int64_t first = row * depth + start, count = std::min(group, depth - start);
      uint8_t zero = 0;
      Attempt done = quantizer.quantize(values.slice(first, count), &result.codes[first], zero);
      result.scales.push_back(done.scale);
      if (scheme.hasZeroPoint)
        result.zeros.push_back(zero);
      result.squaredErrors += done.squaredErrors;
      result.largestError = std::max(result.largestError, done.largestError);
    }
  for (float value : values)
    result.squares += double(value) * value;
  return result;
}
