//===- ModelInputs.h - inputs for an interpreted model -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_MODELINPUTS_H
#define SECTILE_TOOLS_SECTILE_MODELINPUTS_H

#include "Result.h"
#include "Symbols.h"

#include "sectile/Interpreter/Tensor.h"

#include "mlir/Interfaces/FunctionInterfaces.h"

#include <map>
#include <string>
#include <vector>

namespace sectile::tools {

/// What one argument or result of a model is.
struct ModelTensor {
  std::string name; ///< graph.name, or in0.. and out0..
  const interp::NumberFormat *format;
  llvm::SmallVector<int64_t> shape; ///< as in the type
  std::vector<std::string> dims;    ///< one expression per dimension
};

/// The tensors that `function` takes. Fails with kRefused for arguments that are no ranked
/// tensors of numbers.
Result<std::vector<ModelTensor>> getModelInputs(mlir::FunctionOpInterface function);

/// The names of `function`'s results.
std::vector<std::string> getModelOutputNames(mlir::FunctionOpInterface function);

/// The names of the sizes that `inputs` depend on, in the order of their first use.
std::vector<std::string> getModelSymbols(const std::vector<ModelTensor> &inputs);

/// Gives every symbol that has no value a small odd size, another one for each.
void chooseSizes(const std::vector<std::string> &symbols, SymbolValues &sizes);

/// Reproducible random inputs: equal seeds, names and shapes give equal values.
Result<std::vector<interp::TensorRef>> makeInputs(const std::vector<ModelTensor> &inputs,
                                                  const SymbolValues &sizes,
                                                  const interp::RandomOptions &random);

/// A .npy file as a tensor of `format`; fails unless its dtype is the same.
Result<interp::TensorRef> readInput(const std::string &path, const ModelTensor &input);

/// The contents of a .npy file with the values of `tensor`, rounded to its format; integers of
/// widths that NumPy lacks are widened. Undefined elements are zero.
std::string toNpy(const interp::TensorObject &tensor);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_MODELINPUTS_H
