//===- Division.h - many numbers divided by one ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_TILETOCPU_DIVISION_H
#define SECTILE_LIB_CONVERSION_TILETOCPU_DIVISION_H

#include "sectile/Target/CpuLevel.h"

#include "mlir/IR/Operation.h"

namespace sectile::cpu {

/// Replaces divisions of whole vectors by a number that their loop does not change: the results
/// have the same bits. Only on levels with vectors of 512 bits; see Division.cpp.
void shareReciprocals(mlir::Operation *root, const CpuLevel &level);

} // namespace sectile::cpu

#endif // SECTILE_LIB_CONVERSION_TILETOCPU_DIVISION_H
