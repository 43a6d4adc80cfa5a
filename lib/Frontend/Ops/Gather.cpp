//===- Gather.cpp - data-dependent access -----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "dialects/Graph/IR/Graph.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// Elements of a rank-1 tensor of expressions chosen by constant indices.
static FailureOr<std::optional<Tensor *>> gatherElements(Node &n, Tensor *x, Tensor *indices) {
  std::optional<Shape> from = n.emit.elements(x), at = n.emit.elements(indices);
  if (x->rank() != 1 || !from || !at)
    return std::optional<Tensor *>();
  Shape results;
  for (const SymExpr &index : *at) {
    std::optional<int64_t> constant = index.constant();
    if (!constant)
      return std::optional<Tensor *>();
    FailureOr<int64_t> position = n.axis(*constant, from->size());
    if (failed(position))
      return n.fail("expects indices in [" + Twine(-static_cast<int64_t>(from->size())) + ", " +
                    Twine(from->size()) + "), but got " + Twine(*constant));
    results.push_back((*from)[*position]);
  }
  return std::optional(n.emit.known(x->dtype, indices->shape, std::move(results)));
}

LogicalResult sectile::frontend::importGather(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *indices = n.in(1);
  if (indices->dtype != DType::I64 && indices->dtype != DType::I32)
    return n.fail("expects indices of int32 or int64, but got " + nameOf(indices->dtype));
  if (failed(n.expectRank(x, 1)))
    return failure();
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", 0), x->rank());
  if (failed(axis))
    return failure();
  FailureOr<std::optional<Tensor *>> known = gatherElements(n, x, indices);
  if (failed(known))
    return failure();
  if (*known) {
    n.result(0, **known);
    return success();
  }
  SymExpr extent = n.syms.simplify(x->shape[*axis]);
  // One index that is known by now is a slice.
  if (std::optional<Shape> at = e.elements(indices); at && at->size() == 1) {
    SymExpr index = (*at)[0];
    SymExpr inside =
        (SymExpr(1) - n.syms.less(index, SymExpr(0) - extent)) * n.syms.less(index, extent);
    if (failed(n.require(inside, "index %0 is outside an extent of %1", {index, extent})))
      return failure();
    SmallVector<SymExpr> offsets(x->rank(), 0);
    Shape sizes = x->shape;
    offsets[*axis] = n.syms.select(n.syms.less(index, 0), index + extent, index);
    sizes[*axis] = 1;
    Tensor *slice = e.slice(x, offsets, sizes, SmallVector<int64_t>(x->rank(), 1));
    Shape shape(sizes.begin(), sizes.begin() + *axis);
    shape.append(indices->shape);
    shape.append(sizes.begin() + *axis + 1, sizes.end());
    n.result(0, e.reshape(slice, shape));
    return success();
  }
  Shape shape(x->shape.begin(), x->shape.begin() + *axis);
  shape.append(indices->shape);
  shape.append(x->shape.begin() + *axis + 1, x->shape.end());
  Value source = e.value(x), chosen = e.value(indices);
  Value result =
      graph::GatherOp::create(e.b, e.loc, e.type(x->dtype, shape), source, chosen, *axis);
  n.result(0, e.make(x->dtype, shape, result));
  return success();
}
