//===- DenseMath.cpp - products and a factorisation in double ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DenseMath.h"

#include "llvm/Support/Parallel.h"

#include <algorithm>
#include <cmath>

using namespace sectile;
using namespace sectile::quantize;

// The loop is compiled for several widths of vectors, and the loader takes the CPU's. Products and
// sums stay apart (no fused multiply-add), so that all give the same bits. Sanitizers run before
// the loader's choice could.
#if defined(__x86_64__) && !defined(SECTILE_SANITIZED) && !__has_feature(address_sanitizer) &&     \
    !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)
#define SECTILE_EVERY_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SECTILE_EVERY_WIDTH
#endif

/// out += a0 * b0 + a1 * b1 + a2 * b2 + a3 * b3, added in that order.
SECTILE_EVERY_WIDTH
static void addFour(double *__restrict out, const double *__restrict b, int64_t stride, double a0,
                    double a1, double a2, double a3, int64_t count) {
#pragma clang fp contract(off)
  const double *b1 = b + stride, *b2 = b1 + stride, *b3 = b2 + stride;
  for (int64_t j = 0; j < count; ++j)
    out[j] = (((out[j] + a0 * b[j]) + a1 * b1[j]) + a2 * b2[j]) + a3 * b3[j];
}

static void addOne(double *__restrict out, const double *__restrict b, double a, int64_t count) {
#pragma clang fp contract(off)
  for (int64_t j = 0; j < count; ++j)
    out[j] += a * b[j];
}

void quantize::addProduct(const Block &out, const ConstBlock &a, const ConstBlock &b, int64_t rows,
                          int64_t depth, int64_t columns) {
  // Four rows of b stay in the first-level cache while all rows of a meet them.
  constexpr int64_t kColumns = 512;
  for (int64_t j = 0; j < columns; j += kColumns) {
    int64_t count = std::min(kColumns, columns - j);
    int64_t k = 0;
    for (; k + 4 <= depth; k += 4)
      for (int64_t i = 0; i < rows; ++i) {
        const double *factors = a.row(i) + k;
        addFour(out.row(i) + j, b.row(k) + j, b.stride, factors[0], factors[1], factors[2],
                factors[3], count);
      }
    for (; k < depth; ++k)
      for (int64_t i = 0; i < rows; ++i)
        addOne(out.row(i) + j, b.row(k) + j, a.row(i)[k], count);
  }
}

bool quantize::factorize(std::vector<double> &matrix, int64_t size) {
  // From the last column to the first: R[i, j] = (matrix[i, j] - sum over k > j of R[i, k] R[j, k])
  // / R[j, j]. A block of columns is finished, then taken out of all columns before it. The rows of
  // R^T that this needs are copied, so that all inner loops run along memory.
  constexpr int64_t kBlock = 64;
  Block all{matrix.data(), size};
  std::vector<double> turned(kBlock * size), factors(kBlock * size);
  for (int64_t end = size; end > 0; end -= std::min(kBlock, end)) {
    int64_t begin = std::max<int64_t>(0, end - kBlock), width = end - begin;
    // The block's own columns, for the rows up to each.
    for (int64_t j = end; j-- > begin;) {
      double pivot = all.row(j)[j];
      for (int64_t k = j + 1; k < end; ++k)
        pivot -= all.row(j)[k] * all.row(j)[k];
      if (!(pivot > 0) || !std::isfinite(pivot))
        return false;
      double root = all.row(j)[j] = std::sqrt(pivot);
      for (int64_t i = 0; i < j; ++i) {
        double *row = all.row(i), sum = row[j];
        for (int64_t k = j + 1; k < end; ++k)
          sum -= row[k] * all.row(j)[k];
        row[j] = sum / root;
      }
    }
    // turned[k, i] = -R[i, begin + k] for all rows before the block.
    for (int64_t i = 0; i < begin; ++i)
      for (int64_t k = 0; k < width; ++k) {
        turned[k * size + i] = -all.row(i)[begin + k];
        factors[i * kBlock + k] = all.row(i)[begin + k];
      }
    constexpr int64_t kRows = 32;
    llvm::parallelFor(0, (begin + kRows - 1) / kRows, [&](int64_t chunk) {
      // Up from the diagonal: the square on it is computed whole, its lower half is not read.
      int64_t first = chunk * kRows, count = std::min(kRows, begin - first);
      addProduct({all.row(first) + first, size}, {factors.data() + first * kBlock, kBlock},
                 {turned.data() + first, size}, count, width, begin - first);
    });
  }
  for (int64_t i = 0; i < size; ++i)
    std::fill_n(all.row(i), i, 0.0);
  return true;
}
