//===- WaveMatrix.h - matrix instructions of wavefronts ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_WAVEMATRIX_H
#define SECTILE_LIB_EMULATOR_WAVEMATRIX_H

#include "MatrixElement.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace sectile::emulator {

/// MFMA of one block (CDNA), or WMMA in a wavefront of 32 (RDNA 3). Sums are f32, f64 for f64, s32
/// for integers.
struct WaveMatrixOp {
  bool isWmma;
  int m, n, k;
  MatrixElement a, b;
  /// Whether subnormal elements of 16 bits, and sums, are taken for zero.
  bool flushes = false;

  int lanes() const { return isWmma ? 32 : 64; }
  /// Elements that each lane holds, one behind the other from the lowest bits on.
  int countA() const { return isWmma ? k : m * k / 64; }
  int countB() const { return isWmma ? k : n * k / 64; }
  int countC() const { return m * n / lanes(); }
  /// Bytes of a lane's operand.
  int bytesA() const;
  int bytesB() const;
  int bytesC() const;
};

/// The op of MLIR's ROCDL dialect of that name ("rocdl.mfma.f32.32x32x8f16"), or nothing if it is
/// not emulated. Signs of WMMA's bytes are the op's attributes. `processor` is "gfx90a".
std::optional<WaveMatrixOp> findWaveMatrixOp(std::string_view name, bool signedA, bool signedB,
                                             std::string_view processor);

/// Computes the op for a wavefront. `in[lane]` are the bytes of a lane's A, B and C, one behind the
/// other; `out[lane]` those of D.
void multiply(const WaveMatrixOp &op, const char *const *in, char *const *out);

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_WAVEMATRIX_H
