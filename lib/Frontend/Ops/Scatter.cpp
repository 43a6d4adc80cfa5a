//===- Scatter.cpp - data-dependent changes ---------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// The attribute `reduction`: null where an update replaces what is there.
static FailureOr<Combine> readReduction(Node &n, Tensor *data) {
  std::string name = n.stringAttr("reduction", "none");
  if (name == "none")
    return Combine(nullptr);
  if (failed(n.expectNumber(data)))
    return failure();
  if (name == "add")
    return Combine(&Scalar::add);
  if (name == "mul")
    return Combine(&Scalar::mul);
  if (name == "max")
    return Combine(&Scalar::max);
  if (name == "min")
    return Combine(&Scalar::min);
  return n.fail("expects the reduction to be none, add, mul, max or min, but got '" + name + "'");
}

Tensor *sectile::frontend::scatterInto(Node &n, Tensor *data, Tensor *updates,
                                       ArrayRef<Tensor *> indices, ArrayRef<AffineMap> reads,
                                       ArrayRef<AffineExpr> place, Combine combine) {
  Emitter &e = n.emit;
  Value source = e.value(data), changes = e.value(updates);
  SmallVector<Value> chosen = llvm::map_to_vector(indices, [&](Tensor *t) { return e.value(t); });
  AffineMap map = AffineMap::get(updates->rank() + static_cast<int64_t>(indices.size()), 0, place,
                                 e.b.getContext());
  auto op = graph::ScatterOp::create(e.b, e.loc, source.getType(), changes, source, chosen,
                                     e.b.getAffineMapArrayAttr(reads), AffineMapAttr::get(map));
  Type element = getElementTypeOrSelf(source.getType());
  OpBuilder::InsertionGuard guard(e.b);
  Block *body = e.b.createBlock(&op.getCombine(), {}, {element, element}, {e.loc, e.loc});
  Value before = body->getArgument(0), update = body->getArgument(1);
  Scalar scalar(e.b, e.loc, data->dtype);
  graph::YieldOp::create(e.b, e.loc, combine ? (scalar.*combine)(before, update) : update);
  return e.make(data->dtype, data->shape, op.getResult());
}

/// Checks what both operators demand of their inputs' types.
static LogicalResult checkTypes(Node &n, Tensor *data, Tensor *indices, Tensor *updates,
                                bool allowsNarrow) {
  if (indices->dtype != DType::I64 && !(allowsNarrow && indices->dtype == DType::I32))
    return n.fail(llvm::Twine("expects indices of ") + (allowsNarrow ? "int32 or int64" : "int64") +
                  ", but got " + nameOf(indices->dtype));
  return n.expectSameType({data, updates});
}

LogicalResult sectile::frontend::importScatterElements(Node &n) {
  Tensor *data = n.in(0), *indices = n.in(1), *updates = n.in(2);
  int64_t rank = data->rank();
  if (failed(checkTypes(n, data, indices, updates, /*allowsNarrow=*/true)) ||
      failed(n.expectRank(data, 1)))
    return failure();
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", 0), rank);
  FailureOr<Combine> combine = readReduction(n, data);
  if (failed(axis) || failed(combine))
    return failure();
  for (Tensor *tensor : {indices, updates})
    if (tensor->rank() != rank)
      return n.fail("expects indices and updates of rank " + Twine(rank) +
                    ", the data's, but got " + Twine(indices->rank()) + " and " +
                    Twine(updates->rank()));
  SmallVector<AffineExpr> place;
  for (int64_t dim = 0; dim < rank; ++dim) {
    if (failed(n.expectEqual(indices->shape[dim], updates->shape[dim],
                             "extents of indices and updates")))
      return failure();
    place.push_back(n.emit.dim(dim == *axis ? rank : dim));
    if (dim != *axis &&
        failed(
            n.require(SymExpr(1) - n.syms.less(data->shape[dim], updates->shape[dim]),
                      "expects at most %0 updates along dimension " + Twine(dim) + ", but got %1",
                      {data->shape[dim], updates->shape[dim]})))
      return failure();
  }
  AffineMap read = n.emit.b.getMultiDimIdentityMap(rank);
  n.result(0, scatterInto(n, data, updates, indices, read, place, *combine));
  return success();
}

LogicalResult sectile::frontend::importScatterND(Node &n) {
  Tensor *data = n.in(0), *indices = n.in(1), *updates = n.in(2);
  if (failed(checkTypes(n, data, indices, updates, /*allowsNarrow=*/false)) ||
      failed(n.expectRank(data, 1)) || failed(n.expectRank(indices, 1)))
    return failure();
  FailureOr<Combine> combine = readReduction(n, data);
  if (failed(combine))
    return failure();
  std::optional<int64_t> depth = n.syms.simplify(indices->shape.back()).constant();
  if (!depth)
    return n.fail("expects indices whose last extent is known, but got " +
                  Node::text(indices->shape));
  int64_t outer = indices->rank() - 1, rank = data->rank();
  if (*depth > rank)
    return n.fail("expects at most " + Twine(rank) + " indices to an update, but got " +
                  Twine(*depth));
  if (updates->rank() != outer + rank - *depth)
    return n.fail("expects updates of rank " + Twine(outer + rank - *depth) + ", but got " +
                  Twine(updates->rank()));
  for (int64_t dim = 0; dim < outer; ++dim)
    if (failed(n.expectEqual(indices->shape[dim], updates->shape[dim],
                             "extents of indices and updates")))
      return failure();
  // Each index is one more coordinate of the data; what they leave are whole slices.
  Emitter &e = n.emit;
  SmallVector<Tensor *> tensors(*depth, indices);
  SmallVector<AffineMap> reads;
  SmallVector<AffineExpr> place, read;
  for (int64_t dim = 0; dim < outer; ++dim)
    read.push_back(e.dim(dim));
  for (int64_t k = 0; k < *depth; ++k) {
    read.push_back(e.b.getAffineConstantExpr(k));
    reads.push_back(AffineMap::get(updates->rank(), 0, read, e.b.getContext()));
    read.pop_back();
    place.push_back(e.dim(updates->rank() + k));
  }
  for (int64_t dim = *depth; dim < rank; ++dim) {
    if (failed(n.expectEqual(data->shape[dim], updates->shape[outer + dim - *depth],
                             "extents of data and updates")))
      return failure();
    place.push_back(e.dim(outer + dim - *depth));
  }
  n.result(0, scatterInto(n, data, updates, tensors, reads, place, *combine));
  return success();
}

Tensor *sectile::frontend::writeRows(Node &n, Tensor *cache, Tensor *update, Tensor *starts,
                                     int64_t axis, bool isCircular) {
  Emitter &e = n.emit;
  int64_t rank = cache->rank();
  SmallVector<Tensor *> inputs;
  if (starts)
    inputs.push_back(e.unsqueeze(starts, {1}));
  // What would lie in front of the cache must not count from its end: it is outside like what lies
  // behind it.
  Value extent = e.index(cache->shape[axis]);
  Tensor *places = e.pointwise(
      inputs, {cache->shape[0], update->shape[axis]}, DType::I64,
      [&](const Scalar &s, ValueRange args) {
        Scalar at = s.as(DType::I64);
        Value place = at.fromIndex(linalg::IndexOp::create(s.b, s.loc, 1));
        Value length = at.fromIndex(extent);
        if (!args.empty())
          place = at.add(place, args[0]);
        if (isCircular)
          place = at.rem(place, length);
        Value isNegative = at.compare(Compare::Less, place, at.integer(0));
        return at.select(isNegative, isCircular ? at.add(place, length) : length, place);
      });
  SmallVector<AffineExpr> place;
  for (int64_t dim = 0; dim < rank; ++dim)
    place.push_back(e.dim(dim == axis ? rank : dim));
  AffineMap read = AffineMap::get(rank, 0, {e.dim(0), e.dim(axis)}, e.b.getContext());
  return scatterInto(n, cache, update, places, read, place, /*combine=*/nullptr);
}

LogicalResult sectile::frontend::importTensorScatter(Node &n) {
  Tensor *cache = n.in(0), *update = n.in(1), *starts = n.has(2) ? n.in(2) : nullptr;
  std::string mode = n.stringAttr("mode", "linear");
  if (mode != "linear" && mode != "circular")
    return n.fail("expects mode linear or circular, but got '" + mode + "'");
  if (failed(n.expectSameType({cache, update})) || failed(n.expectRank(cache, 2)) ||
      failed(n.expectRank(update, cache->rank(), cache->rank())))
    return failure();
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", -2), cache->rank());
  if (failed(axis))
    return failure();
  if (*axis == 0)
    return n.fail("expects an axis other than that of the batch, 0");
  for (int64_t dim = 0; dim < cache->rank(); ++dim)
    if (dim != *axis && failed(n.expectEqual(cache->shape[dim], update->shape[dim],
                                             "extents of the cache and the update")))
      return failure();
  const SymExpr &most = cache->shape[*axis], &count = update->shape[*axis];
  if (failed(n.require(SymExpr(1) - n.syms.less(most, count),
                       "expects at most %0 updates along the axis, but got %1", {most, count})))
    return failure();
  if (starts) {
    if (starts->dtype != DType::I64)
      return n.fail("expects write_indices of int64, but got " + nameOf(starts->dtype));
    if (failed(n.expectRank(starts, 1, 1)) ||
        failed(n.expectEqual(starts->shape[0], cache->shape[0], "the batch and write_indices")))
      return failure();
  }
  n.result(0, writeRows(n, cache, update, starts, *axis, mode == "circular"));
  return success();
}
