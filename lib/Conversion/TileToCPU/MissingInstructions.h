//===- MissingInstructions.h - what a level computes in steps ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_TILETOCPU_MISSINGINSTRUCTIONS_H
#define SECTILE_LIB_CONVERSION_TILETOCPU_MISSINGINSTRUCTIONS_H

#include "sectile/Target/CpuLevel.h"

#include "mlir/IR/Operation.h"

namespace sectile::cpu {

/// Replaces math.fma, sqrt, roundeven, floor, ceil and trunc and arith's maxima and minima in
/// `root`, of f32 and f64, wherever
/// `level` has no instruction for them.
void substituteMissing(mlir::Operation *root, const CpuLevel &level);

} // namespace sectile::cpu

#endif // SECTILE_LIB_CONVERSION_TILETOCPU_MISSINGINSTRUCTIONS_H
