//===- TensorPool.h - tensors found again by their values -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_VERIFY_TENSORPOOL_H
#define SECTILE_LIB_VERIFY_TENSORPOOL_H

#include "sectile/Interpreter/Tensor.h"

#include <map>

namespace sectile::verify {

/// The tensor rounded to its type and taken as exact. Elements that rounding leaves undetermined
/// (ties without a bound) stay so.
interp::TensorRef cut(const interp::TensorObject &tensor);

bool isExact(const interp::TensorObject &tensor);

/// One line on how two tensors differ.
std::string describe(const interp::Comparison &comparison, const interp::TensorObject &a,
                     const interp::TensorObject &b);

/// Tensors of a reference execution.
class TensorPool {
public:
  void add(interp::TensorRef tensor, interp::TensorRef exact);

  /// The exact values of a tensor that agrees with `tensor` inside the bounds, element for
  /// element in row-major order, with the dimensions of the former permuted if need be; in the
  /// shape of `tensor`. Null if there is none, or several that are rounded to different values,
  /// of which none was computed to the last bit like `tensor`.
  interp::TensorRef find(const interp::TensorObject &tensor) const;

private:
  struct Entry {
    interp::TensorRef tensor, exact;
  };
  std::map<size_t, std::vector<Entry>> entries; // by number of elements
};

} // namespace sectile::verify

#endif // SECTILE_LIB_VERIFY_TENSORPOOL_H
