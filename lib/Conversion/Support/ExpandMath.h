//===- ExpandMath.h - functions of math as arithmetic ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_EXPANDMATH_H
#define SECTILE_LIB_CONVERSION_SUPPORT_EXPANDMATH_H

#include "Lanes.h"

namespace sectile::lowering {

/// Ops that back ends turn into instructions, on floats and integers alike.
bool isNativeMath(mlir::Operation *op);
/// Whether `expandMath` knows the op, for f32 and f64.
bool hasExpansion(mlir::Operation *op);
/// The value of an op of math, or of arith.remf, on f32 or f64, scalars or vectors, built before it
/// from arithmetic and native ops: no library is called. Bounds are in MathFunctions.h. Null if
/// there is no expansion for this op and type.
mlir::Value expandMath(mlir::Operation *op, MathTarget target);

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_EXPANDMATH_H
