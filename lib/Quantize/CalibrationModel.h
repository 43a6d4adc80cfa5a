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
  /// `model` holds all of its data. `isSequential`: each run is for weights of equal inputs only,
  /// so that `replace` reaches all that come later.
  Calibrator(onnx::ModelProto model, const SumOutputs &sumOutputs, bool isSequential);

  /// Says that a weight will be asked for, in the order in which they will be.
  void expect(llvm::StringRef weight, int64_t depth, llvm::StringRef tensor, bool isTurned);

  /// The products of a weight's inputs, once. The first weight that is not there yet brings those
  /// after it, as many as memory is meant for, with one run.
  llvm::Expected<Gram> take(llvm::StringRef weight);

  /// From now on runs have the numbers of codes in the place of a weight.
  void replace(const Weight &weight, const Scheme &scheme, const Codes &codes);

private:
  llvm::Error run(llvm::StringRef first);

  onnx::ModelProto model; ///< without its larger tensors, which each run has as they are
  WrittenModel written;
  llvm::StringMap<size_t> parts; ///< of `written.data`, by the tensor whose bytes they are
  const SumOutputs &sumOutputs;
  bool isSequential;
  std::vector<WeightInputs> expected;
  llvm::StringMap<size_t> places; ///< in `expected`
  llvm::StringMap<Gram> found;
};

} // namespace sectile::quantize

#endif // SECTILE_LIB_QUANTIZE_CALIBRATIONMODEL_H
