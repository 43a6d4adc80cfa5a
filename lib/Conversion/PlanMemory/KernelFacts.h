//===- KernelFacts.h - what kernels may rely on of their arguments' memory -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_PLANMEMORY_KERNELFACTS_H
#define SECTILE_LIB_CONVERSION_PLANMEMORY_KERNELFACTS_H

#include "Placement.h"

#include "mlir/IR/BuiltinOps.h"

namespace sectile {

/// Writes `graph.layout`, `graph.readonly` and `graph.noalias` on the arguments and results of the
/// kernels that `model` launches. A kernel whose launches differ in layout is cloned; one that is
/// not launched is erased.
void recordKernelFacts(mlir::ModuleOp module, mlir::func::FuncOp model, const Placement &placement);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_PLANMEMORY_KERNELFACTS_H
