//===- Heap.h - lists of first elements, as heaps in memory -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What tile.topk and tile.sort come down to, whatever runs it: one list of pairs,
// a value and a position each, of which no pair precedes the one at place 0.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_HEAP_H
#define SECTILE_LIB_CONVERSION_SUPPORT_HEAP_H

#include "PartOps.h"
#include "ScopedBuilder.h"

#include <functional>

namespace sectile::lowering {

/// Lists of pairs in memory: where they begin, and how far apart their pairs are.
struct PairLists {
  mlir::Value values, indices; // pointers, or vectors of them, one for each lane
  mlir::Value valueStride, indexStride;
  int64_t length;
  mlir::Type element, memory; // of values, and as they are stored
};

/// Scalars of register types.
struct PairValue {
  mlir::Value value, position;
};

/// Emits code on single lists.
class HeapEmitter {
public:
  /// What the order's body yields for two pairs: whether the first one goes before the second.
  using Precedes =
      std::function<llvm::FailureOr<llvm::SmallVector<mlir::Value>>(llvm::ArrayRef<mlir::Value>)>;

  HeapEmitter(ScopedBuilder &builder, mlir::Location loc, ElementFormats &formats,
              Precedes precedes)
      : builder(builder), loc(loc), formats(formats), precedes(std::move(precedes)) {}

  /// Offers a pair to the list.
  llvm::LogicalResult insert(const PairLists &list, PairValue pair);
  /// Brings the list in order.
  llvm::LogicalResult sort(const PairLists &list);

private:
  /// Gives `pair` its place in a heap of `length` pairs of which the first one is gone.
  llvm::LogicalResult siftDown(const PairLists &list, mlir::Value length, PairValue pair);
  PairValue load(const PairLists &list, mlir::Value place);
  void store(const PairLists &list, mlir::Value place, PairValue pair);
  mlir::Value placeOf(mlir::Value base, mlir::Type type, mlir::Value stride, mlir::Value number);

  ScopedBuilder &builder;
  mlir::Location loc;
  ElementFormats &formats;
  Precedes precedes;
};

/// `map` with result `number` replaced by a constant.
mlir::AffineMap moveResult(mlir::AffineMap map, unsigned number, int64_t value);

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_HEAP_H
