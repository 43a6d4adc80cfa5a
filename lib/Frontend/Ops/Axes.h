//===- Axes.h - axes that only the run knows --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Axes may be an input of the model. Their number is known, so that ranks are;
// which dimensions they are is a flag for each pair of an axis and a dimension:
//
//   axes = [a, b] of a tensor of rank 3
//             dim 0   dim 1   dim 2
//   axis a      0       1       0       a = 1 in this run
//   axis b      1       0       0       b = -3
//
// Sizes are then selections by flags, which fold away where the axes are
// constants. A reduction along such axes is one along dimensions that every
// extent is parted into: [n] is [n, 1] where its dimension stays, and [1, n]
// where it goes.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_OPS_AXES_H
#define SECTILE_LIB_FRONTEND_OPS_AXES_H

#include "../Node.h"

namespace sectile::frontend {

/// Distinct dimensions of a tensor, by flags: 0 or 1, constant or of the run.
class Axes {
public:
  /// `values`, counted from the end where negative; refused, or checked at run time, unless they
  /// lie inside [-rank, rank) and differ.
  static mlir::FailureOr<Axes> get(Node &n, llvm::ArrayRef<SymExpr> values, int64_t rank);
  /// What was an attribute up to some opset and an input after; nothing if neither is given.
  static mlir::FailureOr<std::optional<Shape>> read(Node &n, llvm::StringRef attribute,
                                                    unsigned input);

  int64_t rank() const { return static_cast<int64_t>(inSet.size()); }
  /// 1 where `dim` is axis number `entry`.
  const SymExpr &is(size_t entry, int64_t dim) const { return flags[entry][dim]; }
  /// 1 where `dim` is one of them.
  const SymExpr &contains(int64_t dim) const { return inSet[dim]; }
  /// The axes in increasing order, if they are known now.
  std::optional<llvm::SmallVector<int64_t>> constants() const;
  /// The extents of the other dimensions, in order.
  Shape without(Node &n, llvm::ArrayRef<SymExpr> shape) const;

private:
  llvm::SmallVector<llvm::SmallVector<SymExpr, 4>, 4> flags; ///< by entry and dimension
  llvm::SmallVector<SymExpr, 4> inSet;
};

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_OPS_AXES_H
