//===- Parts.h - the parts of tiles -----------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_TILETOCPU_PARTS_H
#define SECTILE_LIB_CONVERSION_TILETOCPU_PARTS_H

#include "lib/Conversion/Support/Vectors.h"

namespace sectile::cpu {

/// A tile in registers. Rows along the last dimension are cut into *parts* of `lanes` elements,
/// the last part of a row holding what is left:
///
///     tensor<2x36xf32>, 16 lanes:   [16][16][4]
///                                   [16][16][4]
///
/// A part of one element is a scalar. A part whose elements are all equal may be a scalar too:
/// broadcasts then cost nothing until they meet a vector.
struct Tile {
  /// Element type of the tile, not of the registers.
  mlir::Type element;
  /// Empty for a scalar.
  llvm::SmallVector<int64_t> shape;
  int64_t lanes = 1;
  llvm::SmallVector<mlir::Value> parts;

  int64_t getRank() const { return shape.size(); }
  int64_t getRowLength() const { return shape.empty() ? 1 : shape.back(); }
  int64_t getNumRows() const {
    int64_t rows = 1;
    for (int64_t extent : llvm::ArrayRef(shape).drop_back(shape.empty() ? 0 : 1))
      rows *= extent;
    return rows;
  }
  int64_t getPartsPerRow() const { return (getRowLength() + lanes - 1) / lanes; }
  int64_t getNumParts() const { return getNumRows() * getPartsPerRow(); }
  /// Elements in part `part` of each row.
  int64_t getWidth(int64_t part) const { return std::min(lanes, getRowLength() - part * lanes); }
  mlir::Value &at(int64_t row, int64_t part) { return parts[row * getPartsPerRow() + part]; }
  mlir::Value at(int64_t row, int64_t part) const { return parts[row * getPartsPerRow() + part]; }
};

} // namespace sectile::cpu

#endif // SECTILE_LIB_CONVERSION_TILETOCPU_PARTS_H
