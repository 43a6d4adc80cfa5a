//===- NumberOps.h - quantize, dequantize, convert --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_NUMBEROPS_H
#define SECTILE_LIB_CONVERSION_SUPPORT_NUMBEROPS_H

#include "Lanes.h"
#include "PartOps.h"

#include "dialects/Tile/IR/Tile.h"

namespace sectile::lowering {

/// The ops on codes, for a part of their elements: scalars or vectors of register types.
class NumberOps {
public:
  NumberOps(mlir::OpBuilder &builder, mlir::Location loc, const MathTarget &target,
            ElementFormats &formats)
      : builder(builder), loc(loc), target(target), formats(formats) {}

  /// A tile.convert, tile.dequantize or tile.quantize. All operands have as many lanes as the
  /// result. What has no code is an error that names `where`.
  llvm::FailureOr<mlir::Value> emit(mlir::Operation *op, llvm::ArrayRef<mlir::Value> operands,
                                    llvm::StringRef where);

private:
  mlir::Value convert(tile::ConvertOp op, llvm::ArrayRef<mlir::Value> operands);
  mlir::Value dequantize(tile::DequantizeOp op, llvm::ArrayRef<mlir::Value> operands);
  mlir::Value quantize(tile::QuantizeOp op, llvm::ArrayRef<mlir::Value> operands);
  /// f32 or f64 as `element`, rounded once.
  mlir::Value toElement(mlir::Value value, mlir::Type element);
  /// i32 codes as elements of type `element` hold them.
  mlir::Value holdCodes(mlir::Value codes, mlir::Type element);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  MathTarget target;
  ElementFormats &formats;
};

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_NUMBEROPS_H
