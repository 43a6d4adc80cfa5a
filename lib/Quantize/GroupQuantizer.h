//===- GroupQuantizer.h - scales of groups of weights -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_QUANTIZE_GROUPQUANTIZER_H
#define SECTILE_LIB_QUANTIZE_GROUPQUANTIZER_H

#include "sectile/Quantize/Quantize.h"

#include <algorithm>
#include <cmath>

namespace sectile::quantize {

/// How a group's codes become numbers: (number of code - zero) * scale.
struct GroupScale {
  float scale = 1;
  double zero = 0; ///< a number of the format
};

/// Finds scales of groups of weights, and codes under them.
class GroupQuantizer {
public:
  GroupQuantizer(const Scheme &scheme, llvm::function_ref<float(float)> roundScale)
      : scheme(scheme), roundScale(roundScale), lowest(scheme.format.getLowest()),
        largest(scheme.format.getLargest()), zeroCode(*scheme.format.encode(0)) {}

  /// The scale of a group by the rule of `method` (that of least squares for Gptq).
  template <typename T>
  GroupScale find(llvm::ArrayRef<T> values, Method method) const {
    auto [least, most] = std::minmax_element(values.begin(), values.end());
    double low = std::min<double>(0, *least), high = std::max<double>(0, *most);
    // Down to half of the range, in steps of 1/32: what lies outside is cut off.
    int steps = method == Method::RoundToNearest ? 1 : 17;
    GroupScale best;
    double bestErrors = INFINITY;
    for (int step = 0; step < steps; ++step) {
      double shrink = 1 - step / 32.0;
      GroupScale tried = makeScale(low * shrink, high * shrink);
      double errors = 0;
      for (T value : values) {
        double error = decode(tried, encode(tried, value)) - value;
        errors += error * error;
      }
      if (errors < bestErrors) {
        bestErrors = errors;
        best = tried;
      }
    }
    return best;
  }

  uint8_t encode(const GroupScale &group, double value) const {
    return static_cast<uint8_t>(*scheme.format.encode(value / double(group.scale) + group.zero));
  }
  double decode(const GroupScale &group, uint8_t code) const {
    return (scheme.format.decode(code) - group.zero) * group.scale;
  }
  /// The code of a group's zero point.
  uint8_t encodeZero(const GroupScale &group) const {
    return static_cast<uint8_t>(scheme.hasZeroPoint ? *scheme.format.encode(group.zero) : zeroCode);
  }

private:
  GroupScale makeScale(double low, double high) const {
    GroupScale group;
    if (scheme.hasZeroPoint) {
      group.scale = getScale((high - low) / (largest - lowest));
      group.zero = std::clamp(std::nearbyint(lowest - low / group.scale), lowest, largest);
    } else {
      // Both ends keep their places; a format may have numbers on one side only.
      double scale = -low / -lowest;
      if (largest > 0)
        scale = std::max(-low, high) / largest;
      group.scale = getScale(scale);
    }
    return group;
  }

  /// A group of zeros has any scale.
  float getScale(double scale) const {
    auto rounded = roundScale(static_cast<float>(scale));
    return rounded > 0 && std::isfinite(rounded) ? rounded : roundScale(1);
  }

  const Scheme &scheme;
  llvm::function_ref<float(float)> roundScale;
  double lowest, largest;
  uint32_t zeroCode;
};

} // namespace sectile::quantize

#endif // SECTILE_LIB_QUANTIZE_GROUPQUANTIZER_H
