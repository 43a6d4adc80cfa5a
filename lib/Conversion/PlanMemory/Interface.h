//===- Interface.h - the model's interface, as it is recorded -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_PLANMEMORY_INTERFACE_H
#define SECTILE_LIB_CONVERSION_PLANMEMORY_INTERFACE_H

#include "sectile/Conversion/Host.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace sectile {

/// The module attribute that lists the constants, see PlannedConstant.
inline constexpr llvm::StringLiteral kConstantsAttr = "graph.constants";

/// Records on the module what getPlannedInterface reads: inputs, outputs, symbols and aliases.
void recordInterface(mlir::ModuleOp module, mlir::func::FuncOp model);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_PLANMEMORY_INTERFACE_H
