//===- Calibrate.h - a model's outputs summed over samples ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_CALIBRATE_H
#define SECTILE_TOOLS_SECTILE_CALIBRATE_H

#include "Result.h"

#include "sectile/Quantize/Quantize.h"

#include <string_view>
#include <vector>

namespace sectile::tools {

/// Reads samples of a model's inputs from .npz files whose arrays are named like the inputs, and
/// gives what compiles a model for this machine's CPU, runs it on all of them and sums its outputs.
///
/// An array holds one sample where it has an input's shape; several, side by side along its first
/// dimension, where it has one dimension more, or where that dimension is a multiple of the
/// input's. Each array of a file has as many samples as the others, or one for all.
Result<quantize::SumOutputs> readCalibration(const std::vector<std::string_view> &paths);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_CALIBRATE_H
