//===- SIMTToNVVM.h - programs of threads for NVIDIA ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CONVERSION_SIMTTONVVM_SIMTTONVVM_H
#define SECTILE_CONVERSION_SIMTTONVVM_SIMTTONVVM_H

#include "mlir/Pass/Pass.h"

namespace sectile::simt {

#define GEN_PASS_DECL_SIMTTONVVMPASS
#define GEN_PASS_REGISTRATION
#include "lib/Conversion/SIMTToNVVM/Passes.h.inc"

} // namespace sectile::simt

#endif // SECTILE_CONVERSION_SIMTTONVVM_SIMTTONVVM_H
