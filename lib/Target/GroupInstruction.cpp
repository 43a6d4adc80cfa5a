//===- GroupInstruction.cpp - products of warp groups -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/GroupInstruction.h"

#include <algorithm>
#include <deque>

using namespace sectile;
using namespace sectile::target;
using layout::Axis;
using layout::DistributedLayout;
using layout::MemoryLayout;
using layout::OrReason;
using layout::Place;
using layout::Reason;
using layout::TileDigit;

namespace {

/// Instructions of one shape in m and k: types, and what n may be.
struct Family {
  std::string_view a, b, accumulator, suffix;
  int64_t k;
  /// n is a multiple of 8 up to 256, from 32 on of 16 where these are integers.
  bool isInteger = false;
};

// PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions", "Matrix Shape" and "Matrix Data
// types".
constexpr Family kFamilies[] = {
    {"f16", "f16", "f32", "f16", 16},         {"f16", "f16", "f16", "f16.f16", 16},
    {"bf16", "bf16", "f32", "bf16", 16},      {"tf32", "tf32", "f32", "tf32", 8},
    {"e4m3", "e4m3", "f32", "e4m3", 32},      {"e5m2", "e5m2", "f32", "e5m2", 32},
    {"e4m3", "e5m2", "f32", "e4m3.e5m2", 32}, {"e5m2", "e4m3", "f32", "e5m2.e4m3", 32},
    {"s8", "s8", "s32", "s8", 32, true},      {"u8", "u8", "s32", "u8", 32, true},
    {"u8", "s8", "s32", "u8.s8", 32, true},   {"s8", "u8", "s32", "s8.u8", 32, true},
};

struct Texts {
  std::string name, a, c;
};

/// Rows 16 w + lane / 4, and 8 below, are warp w's; a quad of lanes has 8 neighbouring columns of D
/// and 16 neighbouring bytes of A (PTX ISA, "Register Fragments" of m64nNk16, k8 and k32).
Texts describeFragments(const Family &family, int64_t n) {
  std::string columns = std::to_string(n), k = std::to_string(family.k);
  int64_t perLane = family.k / 8; // of A, in a register of 32 bits
  std::string neighbours = perLane == 1 ? "" : std::to_string(perLane) + ":d1, ";
  std::string place = perLane == 1 ? "d1" : "d1*" + std::to_string(perLane);
  return {"wgmma.m64n" + columns + "k" + k + "." + std::string(family.suffix),
          "[64, " + k + "], register = [" + neighbours + "2:d0*8, 2:d1*" +
              std::to_string(4 * perLane) + "], lane = [4:" + place + ", 8:d0], warp = [4:d0*16]",
          "[64, " + columns + "], register = [2:d1, 2:d0*8, " + std::to_string(n / 8) +
              ":d1*8], lane = [4:d1*2, 8:d0], warp = [4:d0*16]"};
}

struct Table {
  std::deque<Texts> texts; // which the rows refer to
  std::vector<MatrixInstruction> rows;

  Table() {
    for (const Family &family : kFamilies)
      for (int64_t n = 8; n <= 256; n += 8) {
        if (family.isInteger && n > 32 && n % 16 != 0)
          continue;
        const Texts &text = texts.emplace_back(describeFragments(family, n));
        rows.push_back({.name = text.name,
                        .m = 64,
                        .n = n,
                        .k = family.k,
                        .a = family.a,
                        .b = family.b,
                        .accumulator = family.accumulator,
                        .layoutA = text.a,
                        .layoutB = {},
                        .layoutC = text.c,
                        .source = "PTX ISA, Asynchronous Warpgroup Level Matrix Instructions, "
                                  "Register Fragments and Shared Memory Matrix Layout",
                        .intrinsic = {},
                        .warps = 4,
                        .takesMemory = true});
      }
  }
};

} // namespace

std::span<const MatrixInstruction> target::allGroupInstructions() {
  static const Table table;
  return table.rows;
}

std::optional<GroupShape> target::getGroupShape(std::string_view target) {
  std::optional<GroupShape> shape;
  for (const MatrixInstruction &instruction : allGroupInstructions())
    if (getElementBits(instruction) == 16 && getSupport(target, instruction) == Support::Native &&
        (!shape || instruction.n > shape->columns))
      shape = GroupShape{instruction.m, instruction.n,
                         instruction.k * getElementBits(instruction) / 8, 128};
  return shape;
}

std::optional<GroupTiling> target::chooseGroupInstruction(std::string_view target,
                                                          const ProductTypes &types, int64_t m,
                                                          int64_t n, int64_t k, int64_t warps) {
  std::optional<GroupTiling> best;
  int64_t fewest = 0;
  for (const MatrixInstruction &candidate : allGroupInstructions()) {
    if (candidate.a != types.a || candidate.b != types.b ||
        candidate.accumulator != types.accumulator || warps % candidate.warps != 0 ||
        m % candidate.m != 0 || k % candidate.k != 0 ||
        getSupport(target, candidate) != Support::Native)
      continue;
    int64_t groups = warps / candidate.warps;
    for (int64_t alongN = 1; alongN <= groups; alongN *= 2) {
      int64_t alongM = groups / alongN;
      if (m % (candidate.m * alongM) != 0 || n % (candidate.n * alongN) != 0)
        continue;
      // Each instruction reads its rows and columns anew.
      int64_t perGroup = m / alongM / candidate.m * (n / alongN / candidate.n);
      int64_t reads = perGroup * (candidate.m + candidate.n);
      if (best && (reads > fewest || (reads == fewest && candidate.n <= best->instruction->n)))
        continue;
      fewest = reads;
      best = GroupTiling{&candidate, alongN};
    }
  }
  return best;
}

DistributedLayout target::makeGroupAccumulator(const GroupTiling &tiling, int64_t m, int64_t n,
                                               int64_t warps) {
  const MatrixInstruction &instruction = *tiling.instruction;
  int64_t rows = m / instruction.m, columns = n / instruction.n;
  int64_t alongM = warps / instruction.warps / tiling.groupsAlongN;
  std::array<std::vector<TileDigit>, layout::kNumAxes> digits;
  // Each group has neighbours: windows of B that follow each other in memory.
  int64_t perGroup = columns / tiling.groupsAlongN;
  digits[static_cast<size_t>(Axis::Warp)] = {{tiling.groupsAlongN, Place{1, perGroup}},
                                             {alongM, Place{0, 1}}};
  digits[static_cast<size_t>(Axis::Register)] = {{perGroup, Place{1, 1}},
                                                 {rows / alongM, Place{0, alongM}}};
  return *DistributedLayout::create({rows, columns}, digits)
              ->times(fragment(instruction, Operand::Accumulator));
}

const MatrixInstruction *target::findWarpInstruction(std::string_view target,
                                                     const MatrixInstruction &instruction) {
  DistributedLayout sums = fragment(instruction, Operand::Accumulator);
  const MatrixInstruction *best = nullptr;
  for (const MatrixInstruction &candidate : allMatrixInstructions())
    if (candidate.a == instruction.a && candidate.b == instruction.b &&
        candidate.accumulator == instruction.accumulator && instruction.k % candidate.k == 0 &&
        getSupport(target, candidate) == Support::Native &&
        sums.dividedBy(fragment(candidate, Operand::Accumulator)) &&
        (!best || candidate.k > best->k))
      best = &candidate;
  return best;
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

// PTX ISA, "Shared Memory Matrix Layout", "Strides" and "Matrix Descriptor Format".
static constexpr int64_t kPiece = 16, kAtomRows = 8;

uint64_t MatrixDescriptor::encode() const {
  auto field = [](int64_t bytes) { return static_cast<uint64_t>(bytes & 0x3ffff) >> 4; };
  uint64_t mode = rowBytes == 128 ? 1 : rowBytes == 64 ? 2 : rowBytes == 32 ? 3 : 0;
  return field(leadingBytes) << 16 | field(strideBytes) << 32 | mode << 62;
}

/// XORs the number of a piece in its row with that of the row: as many bits as the row has pieces.
static std::vector<layout::Swizzle> swizzlesOf(int64_t rowBytes) {
  int64_t bits = 0;
  while (kPiece << bits < rowBytes)
    ++bits;
  return bits == 0 ? std::vector<layout::Swizzle>() : std::vector<layout::Swizzle>{{bits, 7, 4}};
}

/// Only 16-bit elements are read across: PTX ISA, wgmma.mma_async, "imm-trans-a and imm-trans-b".
static bool canRead(const MatrixInstruction &instruction, bool isKMajor) {
  return isKMajor || getElementBits(instruction) == 16;
}

OrReason<MemoryLayout> target::placeSide(const MatrixInstruction &instruction, Operand side,
                                         std::vector<int64_t> shape, bool isKMajor) {
  if (!canRead(instruction, isKMajor))
    return Reason{"its " + std::string(instruction.a) +
                  " elements must be neighbours along k in memory"};
  size_t kDim = side == Operand::A ? 1 : 0, along = isKMajor ? kDim : 1 - kDim, across = 1 - along;
  int64_t bits = getElementBits(instruction);
  // What one instruction reads must not begin within a row of another atom.
  int64_t unit = isKMajor ? shape[along] : side == Operand::A ? instruction.m : instruction.n;
  int64_t rowBytes = 128;
  while (rowBytes > kPiece && unit * bits % (rowBytes * 8) != 0)
    rowBytes /= 2;
  int64_t perRow = rowBytes * 8 / bits;
  if (unit % perRow != 0 || shape[along] % perRow != 0 || shape[across] % kAtomRows != 0)
    return Reason{"expects whole atoms of 8 rows of 16 bytes"};
  std::vector<std::vector<layout::MemoryDigit>> digits(3);
  digits[along] = {{perRow, bits}, {shape[along] / perRow, shape[across] * rowBytes * 8}};
  digits[across] = {{shape[across], rowBytes * 8}};
  digits[2] = {{bits, 1}};
  return MemoryLayout::create(std::move(shape), bits, digits, swizzlesOf(rowBytes));
}

/// Where the hardware finds an element of a part that begins at byte `start`, by its place along m
/// or n and along k, before the swizzle.
static int64_t addressIn(const MatrixDescriptor &descriptor, int64_t start, int64_t place,
                         int64_t k, int64_t bytes) {
  int64_t rowBytes = descriptor.rowBytes;
  int64_t along = (descriptor.isKMajor ? k : place) * bytes;
  int64_t across = descriptor.isKMajor ? place : k;
  int64_t inAtom = across % kAtomRows * rowBytes + along % rowBytes;
  int64_t nextRows = across / kAtomRows, nextPieces = along / rowBytes;
  // Without a swizzle the two distances change places where neighbours lie along m or n.
  bool isExchanged = !descriptor.isKMajor && rowBytes == kPiece;
  int64_t forRows = isExchanged ? descriptor.leadingBytes : descriptor.strideBytes;
  int64_t forPieces = isExchanged ? descriptor.strideBytes : descriptor.leadingBytes;
  // Along k a swizzled part stays within its rows.
  if (descriptor.isKMajor && rowBytes != kPiece)
    return start + across % kAtomRows * rowBytes + along + nextRows * forRows;
  return start + inAtom + nextRows * forRows + nextPieces * forPieces;
}

OrReason<MatrixWindow> target::describe(const MatrixInstruction &instruction, Operand side,
                                        const MemoryLayout &memory,
                                        std::span<const int64_t> origin) {
  int64_t bytes = getElementBits(instruction) / 8;
  size_t kDim = origin.size() - (side == Operand::A ? 1 : 2);
  size_t placeDim = origin.size() - (side == Operand::A ? 2 : 1);
  int64_t places = side == Operand::A ? instruction.m : instruction.n;
  auto at = [&](int64_t place, int64_t k, bool isSwizzled) {
    std::vector<int64_t> coordinates(origin.begin(), origin.end());
    coordinates[placeDim] += place;
    coordinates[kDim] += k;
    if (isSwizzled)
      return memory.bitAddress(coordinates) / 8;
    coordinates.push_back(0);
    return memory.map().apply(coordinates).front() / 8;
  };
  if (memory.elementBits() != bytes * 8 || origin[placeDim] + places > memory.shape()[placeDim] ||
      origin[kDim] + instruction.k > memory.shape()[kDim])
    return Reason{"expects elements of " + std::to_string(bytes * 8) + " bits and whole parts"};
  int64_t start = at(0, 0, false);
  for (bool isKMajor : {true, false}) {
    if (!canRead(instruction, isKMajor))
      continue;
    for (int64_t rowBytes : {128, 64, 32, 16}) {
      int64_t perRow = rowBytes / bytes;
      // The distances are those of two elements, where there are such.
      auto distance = [&](int64_t place, int64_t k) {
        return place < places && k < instruction.k ? at(place, k, false) - start : 0;
      };
      int64_t rows = isKMajor ? distance(kAtomRows, 0) : distance(0, kAtomRows);
      int64_t pieces = isKMajor ? distance(0, perRow) : distance(perRow, 0);
      MatrixDescriptor found{isKMajor, rowBytes, pieces, rows};
      if (!isKMajor && rowBytes == kPiece)
        std::swap(found.leadingBytes, found.strideBytes);
      if (isKMajor && rowBytes != kPiece)
        found.leadingBytes = 0;
      bool isSame = found.leadingBytes % kPiece == 0 && found.strideBytes % kPiece == 0 &&
                    start % kPiece == 0 &&
                    // A pattern begins at a multiple of its size: the base offset is 0.
                    (rowBytes == kPiece || start % (kAtomRows * rowBytes) < rowBytes);
      for (int64_t place = 0; place < places && isSame; ++place)
        for (int64_t k = 0; k < instruction.k && isSame; ++k)
          isSame = layout::applySwizzles(addressIn(found, start, place, k, bytes),
                                         swizzlesOf(rowBytes)) == at(place, k, true);
      if (isSame)
        return MatrixWindow{found, start};
    }
  }
  return Reason{"no descriptor says where these elements lie"};
}
