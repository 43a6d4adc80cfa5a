//===- Aliases.h - outputs in the memory of inputs, as the user asks -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_COMPILER_ALIASES_H
#define SECTILE_LIB_COMPILER_ALIASES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace sectile {

/// Marks the results of an imported model as `text` asks, IN:OUT[,DIM=CAPACITY]: result OUT lives
/// in the buffer of input IN, laid out for CAPACITY along the dimension whose extent is symbol DIM.
/// Reports what cannot be.
mlir::LogicalResult applyAlias(mlir::func::FuncOp model, llvm::StringRef text);

} // namespace sectile

#endif // SECTILE_LIB_COMPILER_ALIASES_H
