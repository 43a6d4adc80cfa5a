//===- DenseMath.h - products and a factorisation in double -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What Gptq spends its time in. Every sum has one order, whatever the machine, its
// vectors and the number of threads: equal inputs give equal codes.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_QUANTIZE_DENSEMATH_H
#define SECTILE_LIB_QUANTIZE_DENSEMATH_H

#include <cstdint>
#include <vector>

namespace sectile::quantize {

/// A block of a row-major matrix.
struct Block {
  double *data = nullptr;
  int64_t stride = 0;

  double *row(int64_t i) const { return data + i * stride; }
};

/// The same to be read only.
struct ConstBlock {
  const double *data = nullptr;
  int64_t stride = 0;

  const double *row(int64_t i) const { return data + i * stride; }
};

/// out[rows, columns] += a[rows, depth] * b[depth, columns].
void addProduct(const Block &out, const ConstBlock &a, const ConstBlock &b, int64_t rows,
                int64_t depth, int64_t columns);

/// Replaces a symmetric matrix, of which the upper half is read, by the upper triangular R with
/// R R^T = matrix. False, with the matrix in pieces, if it is not positive definite.
bool factorize(std::vector<double> &matrix, int64_t size);

} // namespace sectile::quantize

#endif // SECTILE_LIB_QUANTIZE_DENSEMATH_H
