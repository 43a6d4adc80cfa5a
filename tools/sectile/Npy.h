//===- Npy.h - NumPy array files --------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_NPY_H
#define SECTILE_TOOLS_SECTILE_NPY_H

#include "Result.h"
#include "Tensor.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sectile::tools {

/// Reads a .npy file of format version 1 to 3 (numpy.lib.format), of either byte
/// order and either memory order. NumPy has no bfloat16: a two-byte void type, as
/// ml_dtypes writes it, is read as bf16. Fails with kRefused for other dtypes and
/// for files that are not whole; memory stays within the size of the file.
Result<Tensor> readNpy(const std::string &path);

/// The same from memory; `shown` is what errors call it.
Result<Tensor> parseNpy(std::span<const std::byte> bytes, const std::string &shown);

/// The arrays of a .npz file, by name. Fails as readNpy does, and on archives that are damaged or
/// hold anything else.
Result<std::vector<std::pair<std::string, Tensor>>> readNpz(const std::string &path);

/// The header of a .npy file (version 1) for a tensor from npyForm, to be followed
/// by its data.
std::string npyHeader(const Tensor &tensor);

/// The tensor as it is stored in a .npy file: bf16 widened to f32, exactly.
Tensor npyForm(Tensor tensor);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_NPY_H
