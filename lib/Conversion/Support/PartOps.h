//===- PartOps.h - elementwise ops on values in registers ----------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_PARTOPS_H
#define SECTILE_LIB_CONVERSION_SUPPORT_PARTOPS_H

#include "Vectors.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace sectile::lowering {

/// How a machine holds elements in memory, and goes from there to registers and back.
class ElementFormats {
public:
  virtual ~ElementFormats() = default;
  /// The type that elements of type `element` have in memory.
  virtual mlir::Type getMemoryElement(mlir::Type element) const = 0;
  virtual mlir::Value toMemoryFormat(mlir::Value value, mlir::Type element) = 0;
  virtual mlir::Value fromMemoryFormat(mlir::Value value, mlir::Type element) = 0;
  /// A narrow float's register value rounded to that type; others as they are.
  virtual mlir::Value roundTo(mlir::Value value, mlir::Type element) = 0;
};

/// `op`, which is elementwise, on scalars or vectors of register types. Integer divisions do not
/// trap: by zero they yield the dividend, and overflow wraps. Unless `isStrict`, sums and products
/// may be contracted and narrow floats keep the digits that f32 has.
mlir::Value emitPartOp(mlir::OpBuilder &builder, mlir::Location loc, mlir::Operation *op,
                       llvm::ArrayRef<mlir::Value> operands, mlir::Type resultElement,
                       bool isStrict, ElementFormats &formats);

/// What a block of elementwise ops yields for `arguments`; scalars are repeated in every lane.
/// `outer` gives values of register types that the block takes from outside. An op that is not
/// elementwise is an error that names it and `where`.
llvm::FailureOr<llvm::SmallVector<mlir::Value>>
emitBody(mlir::OpBuilder &builder, mlir::Location loc, mlir::Block &block,
         llvm::ArrayRef<mlir::Value> arguments, llvm::function_ref<mlir::Value(mlir::Value)> outer,
         llvm::StringRef where, bool isStrict, ElementFormats &formats);

/// f64 as f32 such that rounding on to a narrower format is as if from f64: where bits are lost the
/// last bit is set ("round to odd").
mlir::Value truncateToOdd(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value value);

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_PARTOPS_H
