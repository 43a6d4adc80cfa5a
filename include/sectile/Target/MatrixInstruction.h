//===- MatrixInstruction.h - instructions of matrix units -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What matrix units compute, D[m, n] = C[m, n] + sum over k of A[m, k] B[k, n],
// and which register of which lane holds each element of A, B and of C and D.
// Fragments are layouts (docs/layouts.md) of the tiles [m, k], [k, n], [m, n]; a
// register of theirs is one element, not 32 bits: packing is by position, first
// element in the lowest bits.
//
// An instruction is data: nothing else in the compiler names one, and a device
// that has another one gets another row.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TARGET_MATRIXINSTRUCTION_H
#define SECTILE_TARGET_MATRIXINSTRUCTION_H

#include "sectile/Layout/DistributedLayout.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace sectile::target {

struct MatrixInstruction {
  /// As this project calls it: the vendor's mnemonic, its shape and its element types.
  std::string_view name;
  int64_t m, n, k;
  /// Element types of A, B and the accumulator: "f16", "bf16", "tf32", "f32", "f64", "s8", "s32",
  /// ...
  std::string_view a, b, accumulator;
  /// Text forms of the fragments; see fragment().
  std::string_view layoutA, layoutB, layoutC;
  /// The manual and the place in it that the fragments are from.
  std::string_view source;
  /// The op of MLIR's ROCDL dialect, without that name; empty where shape and types say it all.
  std::string_view intrinsic = {};
  /// Warps that execute it together; fragments are those of all of them.
  int64_t warps = 1;
  /// Whether it reads both sides from shared memory (GroupInstruction.h): B has no fragment then,
  /// and A's is for the form that takes it from registers.
  bool takesMemory = false;
};

/// Bits of an element of A or B.
int64_t getElementBits(const MatrixInstruction &instruction);

enum class Operand : uint8_t { A, B, Accumulator };

/// The layout of an operand: of [m, k], [k, n] or [m, n]. It must have one.
layout::DistributedLayout fragment(const MatrixInstruction &instruction, Operand operand);

/// All instructions on registers of a warp that any target has.
std::span<const MatrixInstruction> allMatrixInstructions();
/// The one of that name, or null.
const MatrixInstruction *findMatrixInstruction(std::string_view name);

/// Whether a device's matrix units execute it. PTX assembles some instructions for every later
/// device although the units dropped them: those are then many instructions of the plain ALUs.
enum class Support : uint8_t { None, Emulated, Native };

/// `target` is "sm_80", "sm_86", "sm_89", "sm_90a", "gfx90a", "gfx942" or "gfx1100"; any other has
/// none.
Support getSupport(std::string_view target, const MatrixInstruction &instruction);

/// Whether the device takes subnormal elements of A and B, and sums, for zero.
bool flushesSubnormals(std::string_view target, const MatrixInstruction &instruction);

} // namespace sectile::target

#endif // SECTILE_TARGET_MATRIXINSTRUCTION_H
