//===- GroupInstruction.h - products of warp groups -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Some matrix units take their sides from shared memory: the instruction gets a
// *descriptor* of each, 64 bits that say where it begins and how it goes on. Which
// placements a descriptor can say is a rule of the device, and everything here asks
// that rule: a placement for a tile that it can say (placeSide), and whether it
// can say a given one (describe), found out by comparing the address of every
// element with what the hardware computes.
//
// A side lies in *atoms* of 8 rows of 16 to 128 bytes each. In a row neighbours
// follow each other along k (K-major) or along m or n; 16-byte pieces of a row are
// XORed with the row's number, so that any 8 pieces one below the other lie in
// different banks:
//
//    row 0   p0 p1 p2 p3 p4 p5 p6 p7        128-byte swizzle, one atom of 1024 bytes,
//    row 1   p1 p0 p3 p2 p5 p4 p7 p6        as MemoryLayout: swizzle = [3 of 7 at 4]
//    row 2   p2 p3 p0 p1 ...
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TARGET_GROUPINSTRUCTION_H
#define SECTILE_TARGET_GROUPINSTRUCTION_H

#include "sectile/Layout/MemoryLayout.h"
#include "sectile/Target/MatrixTiling.h"

namespace sectile::target {

/// Instructions of several warps together that read B, and here A too, from shared memory. They are
/// no part of allMatrixInstructions; findMatrixInstruction knows them.
std::span<const MatrixInstruction> allGroupInstructions();

/// What a tile should be made of so that such instructions compute it.
struct GroupShape {
  /// Rows and, at most, columns of one, and bytes of k.
  int64_t rows, columns, depthBytes;
  /// Bytes of k that make the widest rows in shared memory.
  int64_t rowBytes;
};

/// The shape of a device's instructions of 16-bit elements; nothing if it has none.
std::optional<GroupShape> getGroupShape(std::string_view target);

/// How a product [m, k] x [k, n] is shared out.
struct GroupTiling {
  const MatrixInstruction *instruction;
  /// Groups of warps side by side along n; the others lie along m.
  int64_t groupsAlongN;
};

/// The instruction for a product of whole instructions by all of `warps`, cut so that their
/// instructions read fewest rows and columns. Nothing if the device has none of these types, or if
/// one of them would be filled in part.
std::optional<GroupTiling> chooseGroupInstruction(std::string_view target,
                                                  const ProductTypes &types, int64_t m, int64_t n,
                                                  int64_t k, int64_t warps);

/// The accumulator [m, n] over `warps` warps.
layout::DistributedLayout makeGroupAccumulator(const GroupTiling &tiling, int64_t m, int64_t n,
                                               int64_t warps);

/// The instruction on registers of single warps that computes the same and whose fragments such an
/// accumulator is made of; null if there is none.
const MatrixInstruction *findWarpInstruction(std::string_view target,
                                             const MatrixInstruction &instruction);

/// What a descriptor says of a side, besides where it begins.
struct MatrixDescriptor {
  /// Neighbours in memory are neighbours along k.
  bool isKMajor;
  /// Bytes of an atom's row: 16, which is no swizzle, 32, 64 or 128.
  int64_t rowBytes;
  /// In bytes; 0 where it means nothing.
  int64_t leadingBytes, strideBytes;
  bool operator==(const MatrixDescriptor &) const = default;
  /// The bits of the descriptor for a side that begins at byte 0 of shared memory.
  uint64_t encode() const;
};

/// A placement of the tile of a side, [m, k] or [k, n], that descriptors can say, with the widest
/// rows that the extents allow; n of each group must be whole atoms. Not representable where
/// instructions of these types do not read it so.
layout::OrReason<layout::MemoryLayout> placeSide(const MatrixInstruction &instruction, Operand side,
                                                 std::vector<int64_t> shape, bool isKMajor);

/// A part of a side that one instruction reads.
struct MatrixWindow {
  MatrixDescriptor descriptor;
  /// Where it begins, in bytes of the memory.
  int64_t offset;
};

/// What says the part from `origin` on (the last two coordinates are those of the side) of
/// `memory`, which begins at a multiple of its swizzle's period. Not representable if nothing does.
layout::OrReason<MatrixWindow> describe(const MatrixInstruction &instruction, Operand side,
                                        const layout::MemoryLayout &memory,
                                        std::span<const int64_t> origin);

} // namespace sectile::target

#endif // SECTILE_TARGET_GROUPINSTRUCTION_H
