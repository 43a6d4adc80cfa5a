//===- CpuLevel.h - what each instruction-set level of a CPU has -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A package holds code for several instruction-set levels of one architecture;
// the best one present is taken when it is loaded. A level is data: whoever
// generates code asks for capabilities and never compares names.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TARGET_CPULEVEL_H
#define SECTILE_TARGET_CPULEVEL_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace sectile {

/// One instruction-set level.
struct CpuLevel {
  /// Name in options, packages and SECTILE_CPU_LEVEL.
  llvm::StringLiteral name;
  /// Architecture in LLVM's spelling.
  llvm::StringLiteral triple;
  /// LLVM processor whose features the level has; scheduling is `tuneCpu`'s.
  llvm::StringLiteral cpu;
  llvm::StringLiteral tuneCpu;
  /// Features beyond those of `cpu`, in LLVM's spelling ("+a,+b"); may be empty.
  llvm::StringLiteral features;
  /// Bits of enum sectile_abi_cpu_feature that the CPU must have.
  uint64_t requiredFeatures;
  /// Width of a vector register in bytes, and how many there are.
  int64_t vectorBytes;
  int64_t vectorRegisters;
  /// Fused multiply-add on f32 and f64 vectors.
  bool hasFma;
  /// Conversion between f16 and f32 vectors.
  bool hasF16Conversion;
  /// Smallest element, in bytes, of loads and stores that leave masked lanes alone; 0: none.
  int64_t minMaskedBytes;
  /// Loads of lanes at unrelated addresses that are faster than scalar loads.
  bool hasGather;
  /// Sums of four u8 x s8 products into each i32 lane.
  bool hasDotI8;
  /// Level that kernels without products of bytes compile to the same code for; may be empty.
  llvm::StringLiteral sameWithoutDotI8;
  /// Largest tile, in elements, that the lowering keeps as a value. Tiles beyond the register
  /// file live on the stack, which is correct but slow; beyond this limit compiling is slow too.
  int64_t maxTileElements;

  /// True if vectors of elements of `bytes` bytes can be loaded and stored under a mask.
  bool hasMaskedMemory(int64_t bytes) const {
    return minMaskedBytes != 0 && bytes >= minMaskedBytes;
  }
  /// Lanes of a vector of elements of `bytes` bytes.
  int64_t getLanes(int64_t bytes) const { return vectorBytes / bytes; }
};

/// All levels, the most demanding one last.
llvm::ArrayRef<CpuLevel> getCpuLevels();

/// The level of that name, or null.
const CpuLevel *lookupCpuLevel(llvm::StringRef name);

/// Names of all levels as "sse4, avx2, ...", for messages.
std::string listCpuLevels();

/// True if the CPU this process runs on has everything that `level` needs.
bool isCpuLevelPresent(const CpuLevel &level);

} // namespace sectile

#endif // SECTILE_TARGET_CPULEVEL_H
