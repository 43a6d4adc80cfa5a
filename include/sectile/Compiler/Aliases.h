//===- Aliases.h - outputs in the memory of inputs, as the user asks -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_COMPILER_ALIASES_H
#define SECTILE_COMPILER_ALIASES_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace sectile {

/// Marks results of the public function of an imported model as `texts` ask, each
/// IN:OUT[,DIM=CAPACITY]: result OUT lives in the buffer of input IN, laid out for CAPACITY along
/// the dimension whose extent is symbol DIM. Reports what cannot be.
mlir::LogicalResult applyAliases(mlir::ModuleOp module, llvm::ArrayRef<std::string> texts);

} // namespace sectile

#endif // SECTILE_COMPILER_ALIASES_H
