//===- TileShapes.h - what verifiers say of shapes --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_TILE_IR_TILESHAPES_H
#define SECTILE_DIALECTS_TILE_IR_TILESHAPES_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/raw_ostream.h"

#include <string>

namespace sectile::tile {

/// Shape of a tile; empty for a scalar.
inline llvm::ArrayRef<int64_t> shapeOf(mlir::Type type) {
  if (auto tensor = mlir::dyn_cast<mlir::RankedTensorType>(type))
    return tensor.getShape();
  return {};
}

/// "[8, 64]".
inline std::string describe(llvm::ArrayRef<int64_t> shape) {
  std::string text = "[";
  llvm::raw_string_ostream stream(text);
  llvm::interleaveComma(shape, stream);
  stream << ']';
  return text;
}

} // namespace sectile::tile

#endif // SECTILE_DIALECTS_TILE_IR_TILESHAPES_H
