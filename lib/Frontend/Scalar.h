//===- Scalar.h - arithmetic of one element type, as IR ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_SCALAR_H
#define SECTILE_LIB_FRONTEND_SCALAR_H

#include "DType.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace sectile::frontend {

/// How values are compared. The float forms are false on NaN, except NotEqual.
enum class Compare { Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual };

/// Emits scalar operations on values of `dtype`: the bodies of linalg ops.
class Scalar {
public:
  Scalar(mlir::OpBuilder &builder, mlir::Location loc, DType dtype)
      : b(builder), loc(loc), dtype(dtype) {}

  /// The same place, another element type.
  Scalar as(DType other) const { return Scalar(b, loc, other); }
  mlir::Type type() const { return mlirType(dtype, b.getContext()); }

  /// `value` rounded to the type; integers must be exact.
  mlir::Value constant(double value) const;
  mlir::Value integer(int64_t value) const;
  /// The largest and the smallest value; infinities for floats.
  mlir::Value highest() const;
  mlir::Value lowest() const;

  mlir::Value add(mlir::Value x, mlir::Value y) const;
  mlir::Value sub(mlir::Value x, mlir::Value y) const;
  mlir::Value mul(mlir::Value x, mlir::Value y) const;
  /// Integers truncate; x / 0 is 0 and the most negative number / -1 wraps: never a trap.
  mlir::Value div(mlir::Value x, mlir::Value y) const;
  /// The remainder that goes with truncation (C's % and fmod); x % 0 is 0.
  mlir::Value rem(mlir::Value x, mlir::Value y) const;
  /// NaN if either is NaN.
  mlir::Value max(mlir::Value x, mlir::Value y) const;
  mlir::Value min(mlir::Value x, mlir::Value y) const;
  mlir::Value neg(mlir::Value x) const;
  mlir::Value abs(mlir::Value x) const;
  mlir::Value compare(Compare how, mlir::Value x, mlir::Value y) const;
  mlir::Value select(mlir::Value condition, mlir::Value x, mlir::Value y) const;
  /// `x`, a value of `dtype`, as a value of `to`.
  mlir::Value convert(mlir::Value x, DType to) const;
  /// `x`, a float, in a float type of 8 bits; what lies beyond its largest value becomes that, or
  /// what the type has for it. NaN stays NaN.
  mlir::Value toSmallFloat(mlir::Value x, DType to, bool saturates) const;
  /// An index as a value of `dtype`.
  mlir::Value fromIndex(mlir::Value x) const;

  mlir::OpBuilder &b;
  mlir::Location loc;
  DType dtype;
};

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_SCALAR_H
