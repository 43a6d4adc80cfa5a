//===- ConstantSection.h - the constants of a package, one after the other -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_PLANMEMORY_CONSTANTSECTION_H
#define SECTILE_LIB_CONVERSION_PLANMEMORY_CONSTANTSECTION_H

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/DenseMap.h"

namespace sectile {

/// Alignment of slots of the arena and of constants, in bytes: a cache line.
inline constexpr int64_t kAlignment = 64;

/// Gives each constant, in each packing, a place of its own.
class ConstantSection {
public:
  /// With `isInPieces`, large constants and runs of small ones begin where files can be mapped.
  explicit ConstantSection(bool isInPieces) : isInPieces(isInPieces) {}
  /// The offset of a constant in the given packing (a #tile.memory; null: row-major).
  int64_t place(mlir::ElementsAttr value, mlir::Attribute memory);
  /// What getPlannedConstants reads.
  llvm::ArrayRef<mlir::Attribute> getEntries() const { return entries; }

private:
  /// Takes room for a constant.
  int64_t allocate(int64_t bytes);

  bool isInPieces;
  llvm::SmallVector<mlir::Attribute> entries;
  llvm::DenseMap<std::pair<mlir::Attribute, mlir::Attribute>, int64_t> offsets;
  int64_t nextOffset = 0;
  /// What is left of the last run of small constants.
  int64_t smallOffset = 0, smallEnd = 0;
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_PLANMEMORY_CONSTANTSECTION_H
