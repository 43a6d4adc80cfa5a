//===- RegisterTile.h - the register tile of a product -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_COSTMODEL_REGISTERTILE_H
#define SECTILE_COSTMODEL_REGISTERTILE_H

#include <cstdint>

namespace sectile {

/// What the choice of a register tile depends on, per core.
struct CoreModel {
  int64_t vectorBytes = 64;
  int64_t registers = 32;
  /// Per cycle: vector multiply-adds, loads.
  double multiplyAdds = 2, loads = 2;
  /// Sizes that a panel may have to be read from each cache again and again, leaving room for the
  /// other operand, and the bytes per cycle that each level then delivers.
  double firstCacheBytes = 24 << 10, secondCacheBytes = 768 << 10;
  double secondCacheBytesPerCycle = 32, thirdCacheBytesPerCycle = 8;
  /// The first cache's geometry: rows a multiple of `aliasBytes` apart share a set of `ways`.
  int64_t aliasBytes = 4096, ways = 8;
};

/// A product of [rows, depth] and [depth, columns], f32.
struct ProductShape {
  int64_t rows, columns, depth;
  /// Distance in bytes between rows of the left operand; 0 if unknown.
  int64_t rowBytes = 0;
};

struct RegisterTile {
  int64_t rows, columns;
};

/// Cycles that the product takes with the given tile: multiply-adds, loads or the panel's stream,
/// whichever is slowest, over all tiles, those at the edges counted as they are.
double predictCycles(const ProductShape &shape, const RegisterTile &tile, const CoreModel &core);

/// The tile of fewest predicted cycles out of those that fit the register file.
/// `columns` is a multiple of a vector, or all columns if they are fewer.
RegisterTile chooseRegisterTile(const ProductShape &shape, const CoreModel &core);

/// The size of equal parts that `extent` is cut into, none larger than `most`.
int64_t splitEvenly(int64_t extent, int64_t most);

} // namespace sectile

#endif // SECTILE_COSTMODEL_REGISTERTILE_H
