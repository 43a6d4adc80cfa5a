//===- Arena.h - sharing one arena between tensors -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_PLANMEMORY_ARENA_H
#define SECTILE_LIB_CONVERSION_PLANMEMORY_ARENA_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <optional>

namespace sectile {

/// A tensor that needs memory from step `begin` to step `end`, both included.
struct Lifetime {
  int64_t begin, end;
  /// Size in bytes where it is known before run time.
  std::optional<int64_t> bytes;
  /// Tensors of equal class have equal sizes, known or not.
  uint64_t sizeClass;
};

/// Assigns every tensor a slot such that no two tensors of a slot are alive at one step, and
/// returns the slots' numbers. A freed slot is taken again by a tensor of its size class if there
/// is one, else by one that wastes least of it.
llvm::SmallVector<unsigned> assignSlots(llvm::ArrayRef<Lifetime> tensors);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_PLANMEMORY_ARENA_H
