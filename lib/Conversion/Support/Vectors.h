//===- Vectors.h - values in one or several lanes ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_VECTORS_H
#define SECTILE_LIB_CONVERSION_SUPPORT_VECTORS_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace sectile::lowering {

// Elements live in *register types*: index as i64, f16 and bf16 as f32. A vector of one element is
// a scalar.

/// The type that holds elements of type `element` in registers.
mlir::Type getRegisterType(mlir::Type element);
/// Floats of 8 and 16 bits, which are f32 in registers.
bool isNarrowFloat(mlir::Type element);
/// Vector of `lanes` elements, or the element itself for one lane.
mlir::Type getPartType(mlir::Type registerElement, int64_t lanes);
/// Lanes of a value; 1 for scalars.
int64_t getNumLanes(mlir::Value value);
/// `element` in as many lanes as `like` has.
mlir::Type withLanesOf(mlir::Value like, mlir::Type element);

/// `value` in every one of `lanes` lanes; vectors of that many lanes are returned as they are.
mlir::Value splat(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value, int64_t lanes);
/// Lane `lane` of a vector, or the scalar itself.
mlir::Value extractLane(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                        int64_t lane);
/// Lanes [first, first + count) of a vector.
mlir::Value extractSlice(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value,
                         int64_t first, int64_t count);

/// One element: a lane of a vector, or a scalar.
struct Element {
  mlir::Value value;
  int64_t lane = 0;
};
/// A vector of the given elements, with few shuffles. One element gives a scalar.
mlir::Value buildPart(mlir::OpBuilder &builder, mlir::Location loc,
                      llvm::ArrayRef<Element> elements);

/// Scalar or vector constant of `attr`, which is of the element type of `type`.
mlir::Value makeConstant(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type type,
                         mlir::Attribute attr);
/// Integer vector constant.
mlir::Value makeLaneConstants(mlir::OpBuilder &builder, mlir::Location loc, mlir::Type element,
                              llvm::ArrayRef<int64_t> values);
/// `attr` of element type f16 or bf16 as an attribute of f32, index as i64; others unchanged.
mlir::TypedAttr toRegisterAttr(mlir::TypedAttr attr);

/// True in one lane at least, or in every lane, of an i1 scalar or vector.
mlir::Value anyLane(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value mask);
mlir::Value allLanes(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value mask);

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_VECTORS_H
