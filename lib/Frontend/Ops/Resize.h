//===- Resize.h - interpolation along one axis ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_OPS_RESIZE_H
#define SECTILE_LIB_FRONTEND_OPS_RESIZE_H

#include "Operators.h"

namespace sectile::frontend {

/// What the attributes say.
struct Interpolation {
  std::string mode, transform, rounding;
  double cubic = -0.75, extrapolation = 0;
  bool excludesOutside = false, antialiases = false;
  /// not_larger or not_smaller: sizes are bounds, and every axis has one scale; else empty.
  std::string policy;
};

/// One dimension to be resized.
struct ResizedAxis {
  int64_t dim;
  SymExpr extent;                                      ///< of the result
  Tensor *scale;                                       ///< result by input; float64, rank 0
  Tensor *regionStart = nullptr, *regionEnd = nullptr; ///< of tf_crop_and_resize; float64, rank 0
};

/// `x` resized along one axis, in its type. `outside` becomes where the coordinate lies outside of
/// the input, aligned with the result's dimensions.
Tensor *resizeAxis(Node &n, const Interpolation &how, const ResizedAxis &axis, Tensor *x,
                   Tensor *&outside);
/// `x` resized along one axis with a filter as wide as the result's elements: as many elements are
/// taken as it reaches, and weighted by their distance.
Tensor *filterAxis(Node &n, const Interpolation &how, const ResizedAxis &axis, Tensor *x);

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_OPS_RESIZE_H
