//===- Matrix.h - matrix instructions of warps ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_MATRIX_H
#define SECTILE_LIB_EMULATOR_MATRIX_H

#include "MatrixElement.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sectile::emulator {

/// mma.sync.aligned.mMnNkK.row.col. Accumulators are f32, f64 for f64, s32 for integers.
struct MatrixOp {
  int m, n, k;
  MatrixElement a, b;
  bool saturates = false;

  /// Registers of each lane: 32 bits, 64 for f64.
  int countA() const;
  int countB() const;
  int countC() const { return m * n / 32; }
};

/// The op of that shape and those types ("f16", "s8"), or nothing if it is not emulated.
std::optional<MatrixOp> findMatrixOp(int64_t m, int64_t n, int64_t k, const std::string &a,
                                     const std::string &b, bool saturates);

/// Computes the op for a warp. `in[lane]` are a lane's registers of A, B and C, one behind the
/// other and each in 64 bits; `out[lane]` those of D.
void multiply(const MatrixOp &op, const uint64_t *const in[32], uint64_t *const out[32]);

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_MATRIX_H
