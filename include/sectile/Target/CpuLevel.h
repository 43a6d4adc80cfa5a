//===- CpuLevel.h - what each instruction-set level of a CPU has -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A package holds code for several instruction-set levels of one architecture;
// the best one present is taken when it is loaded. Static output holds one. A
// level is data: whoever generates code asks for capabilities and never compares
// names or architectures.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TARGET_CPULEVEL_H
#define SECTILE_TARGET_CPULEVEL_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace sectile {

/// What code runs on: an architecture, an operating system or none (`--host`).
struct CpuHost {
  /// Name in options.
  llvm::StringLiteral name;
  /// Architecture in LLVM's spelling.
  llvm::StringLiteral triple;
  /// Levels that packages hold where none are asked for, separated by commas, best last; empty
  /// where no runtime library exists that would load a package.
  llvm::StringLiteral packageLevels;
  /// The level of static output where none is asked for: what every CPU of the host has.
  llvm::StringLiteral baseLevel;
  /// Size of pointers and of a size_t.
  int64_t pointerBytes;
  /// Whether an object may be linked into programs and libraries whose place in memory is known
  /// only when they start.
  bool isPositionIndependent;
  /// Directives that assembly of the host begins with; may be empty.
  llvm::StringLiteral directives;
};

/// All hosts.
llvm::ArrayRef<CpuHost> getCpuHosts();

/// The host of that name, or null.
const CpuHost *lookupCpuHost(llvm::StringRef name);

/// Names of all hosts as "x86_64-linux, ...", for messages.
std::string listCpuHosts();

/// Instructions for floats of one width, apart from sums, products and comparisons.
struct FloatUnit {
  /// Fused multiply-add.
  bool hasFma;
  bool hasSqrt;
  /// Rounding to integral values, to nearest even, down, up and toward zero; greater and smaller of
  /// two (Armv8-M and FPv5 brought all of it at once).
  bool hasRoundingAndMaxima;
};

/// LLVM's names of instructions that multiply bytes, on whole vectors; empty where there is none.
struct ByteUnit {
  /// Adds the sums of four products of u8 and s8 to each i32 lane.
  llvm::StringLiteral dot = "";
  /// Sums of two products of u8 and s8 in each i16 lane, saturated.
  llvm::StringLiteral multiplyPairs = "";
  /// Sums of two products of i16 in each i32 lane.
  llvm::StringLiteral sumPairsOfHalves = "";
};

/// One instruction-set level.
struct CpuLevel {
  /// Name in options, packages and SECTILE_CPU_LEVEL.
  llvm::StringLiteral name;
  /// Name of the host that it is a level of.
  llvm::StringLiteral host;
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
  /// Instructions on f32 and f64, and on vectors of them.
  FloatUnit single, wide;
  /// Whether arithmetic that the CPU lacks may be calls of the helper functions that every compiler
  /// for the architecture brings (libgcc, compiler-rt).
  bool mayCallHelpers;
  /// Conversion between f16 and f32 vectors.
  bool hasF16Conversion;
  /// Smallest element, in bytes, of loads and stores that leave masked lanes alone; 0: none.
  int64_t minMaskedBytes;
  /// Loads of lanes at unrelated addresses that are faster than scalar loads.
  bool hasGather;
  /// Entries, 32 bits wide, of a table that one instruction looks lanes up in, by their low bits:
  /// as many as a vector has lanes; 0: there is none.
  int64_t tableEntries;
  /// LLVM's name of that instruction on floats: table, then indices.
  llvm::StringLiteral tableIntrinsic;
  ByteUnit bytes;
  /// Level that kernels without products of bytes compile to the same code for; may be empty.
  llvm::StringLiteral sameWithoutDotI8;
  /// Largest tile, in elements, that the lowering keeps as a value. Tiles beyond the register
  /// file live on the stack, which is correct but slow; beyond this limit compiling is slow too.
  int64_t maxTileElements;

  const FloatUnit &getFloatUnit(bool isWide) const { return isWide ? wide : single; }
  /// The host that it is a level of.
  const CpuHost &getHost() const;
  /// True if vectors of elements of `bytes` bytes can be loaded and stored under a mask.
  bool hasMaskedMemory(int64_t bytes) const {
    return minMaskedBytes != 0 && bytes >= minMaskedBytes;
  }
  /// Lanes of a vector of elements of `bytes` bytes, at least one.
  int64_t getLanes(int64_t bytes) const { return std::max<int64_t>(1, vectorBytes / bytes); }
};

/// All levels, host by host, the most demanding one of each last.
llvm::ArrayRef<CpuLevel> getCpuLevels();

/// The level of that name, or null.
const CpuLevel *lookupCpuLevel(llvm::StringRef name);

/// Names of all levels, or of those of one host, as "sse4, avx2, ...", for messages.
std::string listCpuLevels(llvm::StringRef host = {});

/// True if the CPU this process runs on has everything that `level` needs.
bool isCpuLevelPresent(const CpuLevel &level);

} // namespace sectile

#endif // SECTILE_TARGET_CPULEVEL_H
