//===- WarpGroup.h - products of four warps ---------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_WARPGROUP_H
#define SECTILE_LIB_EMULATOR_WARPGROUP_H

#include "MatrixElement.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sectile::emulator {

/// wgmma.mma_async.sync.aligned.m64nNkK, both sides in shared memory. Accumulators are f32, or s32
/// of integers.
struct GroupMatrixOp {
  int n, k;
  MatrixElement a, b;
  /// Whether neighbours in memory are neighbours along m and along n (imm-trans-a, imm-trans-b).
  bool isTransposedA = false, isTransposedB = false;
  bool negatesA = false, negatesB = false, addsToSums = true, saturates = false;
  /// Which registers its sums are in: those that only renamings part are one number.
  uint32_t registers = 0;

  int countSums() const { return n / 2; }
  bool hasShapeOf(const GroupMatrixOp &other) const {
    return n == other.n && k == other.k && a == other.a && b == other.b;
  }
};

/// A descriptor, decoded.
struct MatrixDescriptor {
  explicit MatrixDescriptor(uint64_t bits);
  uint64_t start, leadingBytes, strideBytes, baseOffset;
  /// Of a row of the pattern: 16 without a swizzle.
  uint64_t rowBytes;
  /// Whether bits are set that have no meaning.
  bool hasUnknownBits;

  /// What is wrong with it for rows of `places` along m or n and `bytes` of k each; empty if
  /// nothing.
  std::string whyNot(bool isTransposed) const;
  /// Where the 16 bytes number `piece` of row `row` are; of a transposed side, rows are those of k.
  uint64_t addressOf(uint64_t row, uint64_t piece, bool isTransposed) const;
};

/// A product that was begun and not waited for.
struct GroupProduct {
  uint32_t registers, site, group;
  /// The pieces of 16 bytes of shared memory that it reads, by number.
  std::vector<uint32_t> pieces;
};

/// What the four warps of a group do in turn: the n-th of each must be the same.
struct GroupStep {
  uint32_t site;
  uint64_t a, b;
  bool operator==(const GroupStep &) const = default;
};

/// A warp's products and what it has seen of its registers.
struct WarpProducts {
  std::vector<GroupProduct> underWay;
  /// Groups that it has committed, and steps that it has taken.
  uint32_t groups = 0, steps = 0;
  /// For each number of registers, the last product on them and when it was begun, by the warp's
  /// first lane.
  struct Last {
    uint32_t op = 0;
    uint64_t when = 0;
  };
  std::vector<Last> last;
};

/// A lane's accesses to registers of products, and fences, in order.
struct LaneRegisters {
  uint64_t now = 0, fence = 0;
  /// For each number of registers the last access.
  std::vector<uint64_t> accessed;
  /// What it wrote to shared memory since its last fence.proxy.async: offset and bytes.
  std::vector<std::pair<uint32_t, uint32_t>> unfenced;
  /// What it knew of others then (Lane::knows).
  uint32_t fencedKnowing = 0;
};

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_WARPGROUP_H
