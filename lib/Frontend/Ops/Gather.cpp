//===- Gather.cpp - data-dependent access -----------------------*- C++ -*-===//
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
  n.result(0, gatherAlong(e, x, indices, *axis));
  return success();
}

Tensor *sectile::frontend::gatherAlong(Emitter &e, Tensor *x, Tensor *indices, int64_t axis) {
  Shape shape(x->shape.begin(), x->shape.begin() + axis);
  shape.append(indices->shape);
  shape.append(x->shape.begin() + axis + 1, x->shape.end());
  Value source = e.value(x), chosen = e.value(indices);
  Value result = graph::GatherOp::create(e.b, e.loc, e.type(x->dtype, shape), source, chosen, axis);
  return e.make(x->dtype, shape, result);
}

Tensor *sectile::frontend::gatherAt(Node &n, Tensor *source, ArrayRef<SymExpr> shape,
                                    ArrayRef<Coordinate> at, bool fromEnd) {
  Emitter &e = n.emit;
  // The first dimensions become one, along which the position is computed.
  int64_t depth = static_cast<int64_t>(at.size());
  ArrayRef<SymExpr> indexed = ArrayRef<SymExpr>(source->shape).take_front(depth);
  SmallVector<Tensor *> inputs;
  SmallVector<Value> extents; // as indices; null where constant
  for (auto [coordinate, extent] : llvm::zip_equal(at, indexed)) {
    if (coordinate.indices)
      inputs.push_back(e.cast(coordinate.indices, DType::I64));
    extents.push_back(n.syms.simplify(extent).constant() ? Value() : e.index(extent));
  }
  auto body = [&](const Scalar &s, ValueRange args) {
    Value position = s.integer(0), isInside = s.as(DType::Bool).integer(1), count = s.integer(1);
    for (auto [coordinate, symbolic, run] : llvm::zip_equal(at, indexed, extents)) {
      Value extent = run ? s.fromIndex(run) : s.integer(*n.syms.simplify(symbolic).constant());
      Value index;
      if (coordinate.indices) {
        index = args.front();
        args = args.drop_front();
        if (fromEnd) {
          Value isNegative = s.compare(Compare::Less, index, s.integer(0));
          index = s.select(isNegative, s.add(index, extent), index);
        }
        Value isHigh = s.compare(Compare::Less, index, extent);
        Value isLow = s.compare(Compare::GreaterEqual, index, s.integer(0));
        isInside = arith::AndIOp::create(s.b, s.loc, isInside,
                                         arith::AndIOp::create(s.b, s.loc, isLow, isHigh));
      } else {
        index = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, coordinate.dim));
      }
      position = s.add(s.mul(position, extent), index);
      count = s.mul(count, extent);
    }
    // A position behind the last one is outside, whichever index was.
    return s.select(isInside, position, count);
  };
  Tensor *positions = e.pointwise(inputs, Shape(shape.begin(), shape.end()), DType::I64, body);
  Shape flat{Emitter::product(indexed)}, result(shape.begin(), shape.end());
  flat.append(source->shape.begin() + depth, source->shape.end());
  result.append(source->shape.begin() + depth, source->shape.end());
  Value from = e.value(e.reshape(source, flat)), chosen = e.value(positions);
  Value taken = graph::GatherOp::create(e.b, e.loc, e.type(source->dtype, result), from, chosen,
                                        /*axis=*/0);
  return e.make(source->dtype, result, taken);
}

LogicalResult sectile::frontend::importGatherElements(Node &n) {
  Tensor *x = n.in(0), *indices = n.in(1);
  int64_t rank = x->rank();
  if (indices->dtype != DType::I64 && indices->dtype != DType::I32)
    return n.fail("expects indices of int32 or int64, but got " + nameOf(indices->dtype));
  if (failed(n.expectRank(x, 1)))
    return failure();
  if (indices->rank() != rank)
    return n.fail("expects indices of rank " + Twine(rank) + ", the data's, but got " +
                  Node::text(indices->shape));
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", 0), rank);
  if (failed(axis))
    return failure();
  SmallVector<Coordinate> at;
  for (int64_t dim = 0; dim < rank; ++dim) {
    at.push_back(dim == *axis ? Coordinate{indices, 0} : Coordinate{nullptr, dim});
    if (dim != *axis &&
        failed(
            n.require(SymExpr(1) - n.syms.less(x->shape[dim], indices->shape[dim]),
                      "expects at most %0 indices along dimension " + Twine(dim) + ", but got %1",
                      {x->shape[dim], indices->shape[dim]})))
      return failure();
  }
  n.result(0, gatherAt(n, x, indices->shape, at, /*fromEnd=*/true));
  return success();
}

LogicalResult sectile::frontend::importGatherND(Node &n) {
  Tensor *x = n.in(0), *indices = n.in(1);
  int64_t rank = x->rank(), batch = n.intAttr("batch_dims", 0), outer = indices->rank() - 1;
  if (indices->dtype != DType::I64)
    return n.fail("expects indices of int64, but got " + nameOf(indices->dtype));
  if (failed(n.expectRank(x, 1)) || failed(n.expectRank(indices, 1)))
    return failure();
  if (batch < 0 || batch >= rank || batch > outer)
    return n.fail("expects batch_dims below the ranks of data and indices, but got " +
                  Twine(batch));
  std::optional<int64_t> depth = n.syms.simplify(indices->shape.back()).constant();
  if (!depth || *depth < 1 || *depth > rank - batch)
    return n.fail("expects indices whose last extent is known, and from 1 to " +
                  Twine(rank - batch) + ", but got " + Node::text(indices->shape));
  SmallVector<Coordinate> at;
  for (int64_t dim = 0; dim < batch; ++dim) {
    if (failed(n.expectEqual(x->shape[dim], indices->shape[dim], "batch extents")))
      return failure();
    at.push_back({nullptr, dim});
  }
  Shape shape(indices->shape.begin(), indices->shape.end() - 1);
  for (int64_t k = 0; k < *depth; ++k) {
    SmallVector<SymExpr> offsets(outer, 0), sizes(shape.begin(), shape.end());
    offsets.push_back(k);
    sizes.push_back(1);
    Tensor *part = n.emit.slice(indices, offsets, sizes, SmallVector<int64_t>(outer + 1, 1));
    at.push_back({n.emit.reshape(part, shape), 0});
  }
  n.result(0, gatherAt(n, x, shape, at, /*fromEnd=*/true));
  return success();
}

LogicalResult sectile::frontend::importReverseSequence(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *lengths = n.in(1);
  int64_t batch = n.intAttr("batch_axis", 1), time = n.intAttr("time_axis", 0);
  if (failed(n.expectRank(x, 2)) || failed(n.expectRank(lengths, 1, 1)))
    return failure();
  if (std::min(batch, time) != 0 || std::max(batch, time) != 1)
    return n.fail("expects batch_axis and time_axis to be 0 and 1, but got " + Twine(batch) +
                  " and " + Twine(time));
  if (lengths->dtype != DType::I64)
    return n.fail("expects lengths of int64, but got " + nameOf(lengths->dtype));
  if (failed(n.expectEqual(lengths->shape[0], x->shape[batch], "the batch and the lengths")))
    return failure();
  Tensor *perBatch = batch == 0 ? e.unsqueeze(lengths, {1}) : lengths;
  Shape shape(x->shape.begin(), x->shape.begin() + 2);
  Tensor *positions =
      e.pointwise({perBatch}, shape, DType::I64, [&](const Scalar &s, ValueRange args) {
        Value t = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, time));
        Value back = s.sub(s.sub(args[0], s.integer(1)), t);
        return s.select(s.compare(Compare::Less, t, args[0]), back, t);
      });
  SmallVector<Coordinate> at{{nullptr, 0}, {nullptr, 1}};
  at[time].indices = positions;
  n.result(0, gatherAt(n, x, shape, at, /*fromEnd=*/false));
  return success();
}
