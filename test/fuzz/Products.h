//===- Products.h - products of matrices in tiles ------------  -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_FUZZ_PRODUCTS_H
#define SECTILE_TEST_FUZZ_PRODUCTS_H

#include "Reference.h"

namespace sectile::test {

/// A view whose type says its extents.
ProgramView viewOf(std::vector<int64_t> shape, std::string element);

/// [m, k] x [k, n] in tiles, whose loop steps along k.
struct Product {
  int64_t m, n, k, tileM, tileN, tileK;
  std::string element, sum;
  int64_t warps = 0, stages = 0;
  bool isMasked = true;
  /// Whether the sides lie as [k, m] and [n, k].
  bool isTransposedA = false, isTransposedB = false;

  int64_t blocks() const { return (m + tileM - 1) / tileM * ((n + tileN - 1) / tileN); }
};

/// The kernel, with masks where there are edges, or everywhere.
std::string textOf(const Product &product);
/// What the interpreter makes of it.
Reference interpret(const Product &product, uint64_t seed);

} // namespace sectile::test

#endif // SECTILE_TEST_FUZZ_PRODUCTS_H
