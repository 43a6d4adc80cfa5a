//===- Axes.cpp - axes that only the run knows ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Axes.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

FailureOr<std::optional<Shape>> Axes::read(Node &n, StringRef attribute, unsigned input) {
  if (std::optional<SmallVector<int64_t>> values = n.intsAttr(attribute))
    return std::optional(Shape(values->begin(), values->end()));
  if (!n.has(input))
    return std::optional<Shape>();
  FailureOr<Shape> values = n.elements(input, attribute);
  if (failed(values))
    return failure();
  return std::optional<Shape>(std::in_place, std::move(*values));
}

/// `value` counted from the start, in [0, rank).
static FailureOr<SymExpr> counted(Node &n, const SymExpr &value, int64_t rank) {
  if (std::optional<int64_t> constant = value.constant()) {
    FailureOr<int64_t> axis = n.axis(*constant, rank);
    if (failed(axis))
      return failure();
    return SymExpr(*axis);
  }
  SymContext &syms = n.syms;
  SymExpr isInside = syms.less(value, rank) * (SymExpr(1) - syms.less(value, -rank));
  if (failed(n.require(isInside,
                       "expects an axis in [" + Twine(-rank) + ", " + Twine(rank) + "), but got %0",
                       {value})))
    return failure();
  return syms.select(syms.less(value, 0), value + SymExpr(rank), value);
}

FailureOr<Axes> Axes::get(Node &n, ArrayRef<SymExpr> values, int64_t rank) {
  Axes axes;
  axes.inSet.assign(rank, 0);
  for (const SymExpr &value : values) {
    FailureOr<SymExpr> axis = counted(n, value, rank);
    if (failed(axis))
      return failure();
    SmallVector<SymExpr, 4> row;
    for (int64_t dim = 0; dim < rank; ++dim) {
      row.push_back(n.emit.nameValue(n.syms.equal(*axis, dim), "is_axis"));
      axes.inSet[dim] = axes.inSet[dim] + row.back();
    }
    for (int64_t dim = 0; dim < rank; ++dim)
      if (failed(n.require(SymExpr(1) - n.syms.less(1, axes.inSet[dim]),
                           "expects distinct axes, but got %0 twice", {value})))
        return failure();
    axes.flags.push_back(std::move(row));
  }
  return axes;
}

std::optional<SmallVector<int64_t>> Axes::constants() const {
  SmallVector<int64_t> dims;
  for (auto [dim, flag] : llvm::enumerate(inSet)) {
    std::optional<int64_t> known = flag.constant();
    if (!known)
      return std::nullopt;
    if (*known)
      dims.push_back(static_cast<int64_t>(dim));
  }
  return dims;
}

Shape Axes::without(Node &n, ArrayRef<SymExpr> shape) const {
  SymContext &syms = n.syms;
  Shape kept(rank() - static_cast<int64_t>(flags.size()), 0);
  SymExpr before = 0; // Dimensions in front that stay.
  for (int64_t dim = 0; dim < rank(); ++dim) {
    SymExpr stays = SymExpr(1) - inSet[dim];
    for (auto [place, extent] : llvm::enumerate(kept)) {
      SymExpr isHere = n.emit.nameValue(
          syms.equal(before, SymExpr(static_cast<int64_t>(place))) * stays, "is_place");
      extent = extent + isHere * shape[dim];
    }
    before = before + stays;
  }
  return kept;
}
