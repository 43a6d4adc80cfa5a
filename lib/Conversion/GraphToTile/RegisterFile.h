//===- RegisterFile.h - what holds the tiles of a kernel --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_REGISTERFILE_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_REGISTERFILE_H

#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cstdint>

namespace sectile {

/// What holds a tile: the register file of a core, or those of a block's threads together.
struct RegisterFile {
  /// Lanes of a vector of 32-bit elements.
  int64_t lanes = 16;
  int64_t registers = 32;
  /// Of a block of threads: elements of a tile that leave each thread registers to work with, and
  /// bytes along the reduced dimension that one step of a product takes of each operand. 0: a tile
  /// is a core's.
  int64_t blockElements = 0, dotBytes = 0;
  /// Of products of 16-bit elements that warp groups compute from shared memory: rows of one,
  /// columns at most, bytes along the reduced dimension of one and of a step. 0: there are none.
  int64_t groupRows = 0, groupColumns = 0, groupBytes = 0, groupDotBytes = 0;

  /// Whether threads hold a tile together. Then what full tiles leave is computed by masked ones
  /// (threads that have nothing to do cost nothing, code does), and operands that lie apart are
  /// brought together by the layouts of their tiles and not by copies.
  bool isShared() const { return blockElements != 0; }
  /// Whether warp groups compute products with so many rows and such elements.
  bool hasGroupsFor(int64_t rows, int64_t elementBytes) const {
    return groupRows != 0 && rows % groupRows == 0 && elementBytes == 2;
  }
  /// Vectors side by side that share each broadcast of a row's element: as many as leave
  /// registers for six or more rows.
  int64_t getMostVectors() const {
    if (isShared())
      return blockElements / lanes;
    return registers >= 32 ? 4 : 2;
  }
  /// Columns of a tile of `rows` rows whose partial results stay in registers, beside the
  /// vectors of one row and a broadcast: whole vectors, a power of two of them, at least one; of a
  /// shared tile, at least one element.
  int64_t getColumns(int64_t rows) const {
    if (isShared())
      return static_cast<int64_t>(
          llvm::bit_floor(uint64_t(std::max<int64_t>(blockElements / rows, 1))));
    int64_t vectors = getMostVectors();
    while (vectors > 1 && rows * vectors + vectors + 1 > registers)
      vectors /= 2;
    return vectors * lanes;
  }
  /// Elements of a tile that are taken one after the other: a vector, or, of a shared tile, as many
  /// as one thread has code for.
  int64_t getTurns() const { return isShared() ? 8 : lanes; }
  /// Whether sums can be formed in parts for each of so many results at a time.
  bool holdsPartialSums(int64_t results) const {
    return isShared() ? results * 2 <= blockElements : results <= registers;
  }
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_REGISTERFILE_H
