//===- Hazards.h - which accesses a barrier must keep apart -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block of a tile program does one thing after the other, its threads do not.
// What one thread writes another one may read only behind a barrier, and what one
// reads another one may overwrite only behind a barrier. This keeps the accesses
// since the last one and says when the next barrier is due.
//
// Views of different arguments share memory only where one is read and then the
// other one is written, element by element in one place (tile.kernel): so a read
// of an argument is in the way of writes to other ones of its element type.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_TILETOSIMT_HAZARDS_H
#define SECTILE_LIB_CONVERSION_TILETOSIMT_HAZARDS_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <string>

namespace sectile::simt {

/// An access of all threads to a view's root, an argument or an alloc; null: the scratch.
struct MemoryAccess {
  mlir::Value root;
  bool isWrite = false;
  /// What places the threads access: equal texts, maps and operands are equal places of each
  /// thread. Empty where threads access places of others too.
  std::string layout = {};
  mlir::AffineMap map = {};
  llvm::SmallVector<mlir::Value> operands = {};
};

class Hazards {
public:
  /// Says which bytes of the block's memory an alloc is; others may be the same.
  void place(mlir::Value alloc, int64_t offset, int64_t bytes) { places[alloc] = {offset, bytes}; }
  /// Whether a barrier must come first; the access is recorded behind it.
  bool needsBarrier(const MemoryAccess &access);
  /// The last access that was recorded happens later.
  void forgetLast() { pending.pop_back(); }
  /// A barrier was emitted for another reason.
  void clear() { pending.clear(); }
  /// What may be pending where a region is entered again, or two meet.
  llvm::SmallVector<MemoryAccess> get() const { return pending; }
  void add(const llvm::SmallVector<MemoryAccess> &accesses) {
    pending.append(accesses.begin(), accesses.end());
  }

private:
  bool mayShareMemory(const MemoryAccess &earlier, const MemoryAccess &later) const;

  llvm::SmallVector<MemoryAccess> pending;
  llvm::DenseMap<mlir::Value, std::pair<int64_t, int64_t>> places;
};

} // namespace sectile::simt

#endif // SECTILE_LIB_CONVERSION_TILETOSIMT_HAZARDS_H
