//===- SIMTToROCDL.h - programs of threads for AMD --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CONVERSION_SIMTTOROCDL_SIMTTOROCDL_H
#define SECTILE_CONVERSION_SIMTTOROCDL_SIMTTOROCDL_H

#include "mlir/Pass/Pass.h"

namespace sectile::simt {

#define GEN_PASS_DECL_SIMTTOROCDLPASS
#define GEN_PASS_REGISTRATION
#include "lib/Conversion/SIMTToROCDL/Passes.h.inc"

} // namespace sectile::simt

#endif // SECTILE_CONVERSION_SIMTTOROCDL_SIMTTOROCDL_H
