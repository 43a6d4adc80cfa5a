//===- CalibrationModel.h - what weights are multiplied with ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_QUANTIZE_CALIBRATIONMODEL_H
#define SECTILE_LIB_QUANTIZE_CALIBRATIONMODEL_H

#include "Gptq.h"
#include "OnnxParts.h"

#include "llvm/ADT/StringMap.h"

namespace sectile::quantize {

/// The inputs of products with one weight.
struct WeightInputs {
  std::string weight;
  int64_t depth = 0;
  /// Tensors [.., K], and whether they are [K, ..] instead.
  llvm::SmallVector<std::pair<std::string, bool>> tensors;
};

/// Finds products of inputs by running a model whose outputs they are: for each tensor x that a
/// weight is multiplied with, a model gets the output transpose(x) * x. So the compiler's own
/// kernels do the work, and what comes out of a run does not grow with what goes in.
class Calibrator {
public:
  /// `model` holds all of its data.
  Calibrator(onnx::ModelProto model, const SumOutputs &sumOutputs);

  /// Says that a weight will be asked for, in the order in which they will be.
  void expect(llvm::StringRef weight, int64_t depth, llvm::StringRef tensor, bool isTurned);

  /// The products of a weight's inputs, once. The first weight that is not there yet brings those
  /// after it, as many as memory is meant for, with one run.
  llvm::Expected<Gram> take(llvm::StringRef weight);

private:
  llvm::Error run(llvm::StringRef first);

  onnx::ModelProto model; ///< without its larger tensors, which each run has as they are
  WrittenModel written;
  const SumOutputs &sumOutputs;
  std::vector<WeightInputs> expected;
  llvm::StringMap<size_t> places; ///< in `expected`
  llvm::StringMap<Gram> found;
};

} // namespace sectile::quantize

#endif // SECTILE_LIB_QUANTIZE_CALIBRATIONMODEL_H
