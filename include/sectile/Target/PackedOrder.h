//===- PackedOrder.h - codes in the order of a matrix instruction -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A constant that a matrix instruction multiplies as its right side is packed so
// that what a thread multiplies of a column, for several steps along k, is a run of
// whole words of its own. With mma.m16n8k16 and 4 bits, of 128 values of k:
//
//     lane % 4            0                 1            ...
//     words            w0 w1 w2 w3      w4 w5 w6 w7
//     k of w0          0 1 8 9 16 17 24 25               for two instructions
//
// Pairs that a register holds lie 16 bits apart, so that one mask takes both.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TARGET_PACKEDORDER_H
#define SECTILE_TARGET_PACKEDORDER_H

#include "sectile/Target/MatrixInstruction.h"

#include <vector>

namespace sectile::target {

/// Where codes along k lie, as #tile.memory has it: of each `codes` neighbours, by digits of values
/// and strides, the fastest first.
struct PackedOrder {
  int64_t codes = 0;
  std::vector<int64_t> digits;
};

/// The order of codes of 1 to 8 bits for the right side of `instruction`. Words have four streams
/// of bytes (see #tile.memory).
PackedOrder makePackedOrder(const MatrixInstruction &instruction, int64_t bits);

/// The instruction in whose order a device's products of these 16-bit types read packed codes, or
/// null: one for a family of devices, so that they can share constants.
const MatrixInstruction *findPackingInstruction(std::string_view target, std::string_view element);

} // namespace sectile::target

#endif // SECTILE_TARGET_PACKEDORDER_H
