//===- DataSizes.cpp - results whose size the data decides ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All of these are one step: the places of elements that a mask marks, in order.
// A running sum of the mask numbers them, a scatter puts each place where its
// number says, into memory for all of them and one more, which takes what is not
// marked; their count is the size of what is used of it.
//
//   mask     0 1 1 0 1
//   number   0 0 1 2 2      the sum of what stands in front
//   written  1 2 4 . . | .  a place for each mark, the others to the end
//   result   1 2 4          as many as were counted
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// `indices` as places in `data` along its only dimension.
static Tensor *scatterAlong(Node &n, Tensor *data, Tensor *updates, Tensor *indices,
                            Combine combine = nullptr) {
  AffineMap read = n.emit.b.getMultiDimIdentityMap(1);
  return scatterInto(n, data, updates, indices, read, {n.emit.dim(1)}, combine);
}

static Tensor *filledWith(Emitter &e, const SymExpr &extent, int64_t number) {
  Value element = e.scalars(DType::I64).integer(number);
  return e.make(DType::I64, {extent}, e.filled({extent}, DType::I64, element));
}

static Tensor *countUp(Emitter &e, const SymExpr &extent) {
  return e.generate({extent}, DType::I64, [](const Scalar &s, ValueRange at) {
    return s.as(DType::I64).fromIndex(at.front());
  });
}

/// result[i] = source[indices[i]], of vectors.
static Tensor *pick(Node &n, Tensor *source, Tensor *indices) {
  return gatherAt(n, source, indices->shape, Coordinate{indices, 0}, /*fromEnd=*/false);
}

namespace {
/// Places that are marked, and for each place how many are marked in front of it.
struct Marked {
  SymExpr count;
  Tensor *places, *numbers;
};
} // namespace

/// Of `mask`, a vector of bools. The size is called `name`.
static FailureOr<Marked> findMarked(Node &n, Tensor *mask, StringRef name) {
  Emitter &e = n.emit;
  if (e.isInFunction())
    return n.fail("its size depends on data, which a loop's body cannot have",
                  "compute it in front of the loop");
  SymExpr extent = mask->shape[0];
  Tensor *flags = e.cast(mask, DType::I64);
  Tensor *numbers = cumulate(e, flags, 0, {.isExclusive = true});
  Tensor *number = e.reduce(flags, {0}, /*keep=*/false, ReduceKind::Sum);
  Value behind = e.index(extent);
  Tensor *written =
      e.pointwise({numbers, mask}, mask->shape, DType::I64, [&](const Scalar &s, ValueRange args) {
        return s.select(args[1], args[0], s.fromIndex(behind));
      });
  Tensor *all = scatterAlong(n, filledWith(e, extent + 1, 0), countUp(e, extent), written);
  SymExpr count = e.countedSize(number, extent, name);
  return Marked{count, e.slice(all, {0}, {count}, {1}), numbers};
}

static Tensor *isNotZero(Emitter &e, Tensor *x) {
  if (x->dtype == DType::Bool)
    return x;
  return e.pointwise({x}, x->shape, DType::Bool, [](const Scalar &s, ValueRange args) {
    return s.compare(Compare::NotEqual, args[0], s.integer(0));
  });
}

static std::string sizeName(Node &n, unsigned result) {
  return n.proto.output(static_cast<int>(result)) + "_count";
}

static Tensor *flatten(Emitter &e, Tensor *x) {
  return x->rank() == 1 ? x : e.reshape(x, {Emitter::product(x->shape)});
}

LogicalResult sectile::frontend::importNonZero(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  FailureOr<Marked> marked = findMarked(n, flatten(e, isNotZero(e, x)), sizeName(n, 0));
  if (failed(marked))
    return failure();
  // The place of an element says its coordinates.
  SmallVector<Tensor *> rows;
  SymExpr stride = 1;
  for (int64_t dim = x->rank(); dim-- > 0; stride = stride * x->shape[dim]) {
    Value run = e.index(stride), extent = e.index(x->shape[dim]);
    bool isFirst = dim == 0;
    Tensor *row = e.pointwise(marked->places, [&](const Scalar &s, ValueRange args) {
      Value one = s.integer(1);
      Value position = s.div(args[0], s.max(s.fromIndex(run), one));
      return isFirst ? position : s.rem(position, s.max(s.fromIndex(extent), one));
    });
    rows.insert(rows.begin(), e.unsqueeze(row, {0}));
  }
  // A scalar has no coordinates.
  n.result(0, rows.empty() ? e.expand(e.scalar(DType::I64, 0), {0, marked->count})
                           : e.concat(rows, 0));
  return success();
}

LogicalResult sectile::frontend::importCompress(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *condition = n.in(1);
  if (condition->dtype != DType::Bool)
    return n.fail("expects a condition of bool, but got " + nameOf(condition->dtype));
  if (failed(n.expectRank(condition, 1, 1)) || failed(n.expectRank(x, 1)))
    return failure();
  int64_t axis = 0;
  if (n.hasAttr("axis")) {
    FailureOr<int64_t> given = n.axis(n.intAttr("axis", 0), x->rank());
    if (failed(given))
      return failure();
    axis = *given;
  } else {
    x = flatten(e, x);
  }
  SymExpr extent = x->shape[axis], length = condition->shape[0];
  if (failed(n.require(SymExpr(1) - n.syms.less(extent, length),
                       "expects a condition of at most %0 elements, but got %1", {extent, length})))
    return failure();
  FailureOr<Marked> marked = findMarked(n, condition, sizeName(n, 0));
  if (failed(marked))
    return failure();
  n.result(0, gatherAlong(e, x, marked->places, axis));
  return success();
}

LogicalResult sectile::frontend::importUnique(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  bool isSorted = n.intAttr("sorted", 1) != 0;
  if (failed(n.expectNumber(x)))
    return failure();
  if (n.hasAttr("axis")) {
    FailureOr<int64_t> axis = n.axis(n.intAttr("axis", 0), x->rank());
    if (failed(axis))
      return failure();
    if (x->rank() != 1)
      return n.fail("expects an axis of a vector: slices of more than an element are not compared "
                    "in this version");
  }
  x = flatten(e, x);
  SymExpr extent = n.syms.simplify(x->shape[0]);
  if (!extent.constant())
    return n.fail("expects a number of elements that is known when compiling, but got " +
                  extent.str());
  // Equal elements become neighbours, the first one in front.
  auto [sorted, origins] = select(e, x, 0, extent, {.nanLast = true});
  Tensor *here = countUp(e, extent);
  Tensor *before = e.pointwise(here, [](const Scalar &s, ValueRange args) {
    return s.max(s.sub(args[0], s.integer(1)), s.integer(0));
  });
  Tensor *previous = pick(n, sorted, before);
  bool areFloats = isFloat(x->dtype);
  Tensor *starts = e.pointwise(
      {sorted, previous, here}, {extent}, DType::Bool, [&](const Scalar &s, ValueRange args) {
        Value differs = s.compare(Compare::NotEqual, args[0], args[1]);
        if (areFloats) { // NaNs are one value, as in numpy
          Value isNan = s.compare(Compare::NotEqual, args[0], args[0]);
          Value wasNan = s.compare(Compare::NotEqual, args[1], args[1]);
          Value none = s.as(DType::Bool).integer(0);
          differs = s.select(s.select(isNan, wasNan, none), none, differs);
        }
        Scalar at = s.as(DType::I64);
        Value isFirst = at.compare(Compare::Equal, args[2], at.integer(0));
        return arith::OrIOp::create(s.b, s.loc, differs, isFirst).getResult();
      });
  FailureOr<Marked> groups = findMarked(n, starts, sizeName(n, 0));
  if (failed(groups))
    return failure();
  auto add = [](const Scalar &s, ValueRange args) { return s.sub(args[0], args[1]); };
  // The group of each place in order: how many begin up to it, less one.
  Tensor *flags = e.cast(starts, DType::I64);
  Tensor *groupOf =
      e.pointwise({cumulate(e, flags, 0, {}), filledWith(e, 1, 1)}, {extent}, DType::I64, add);
  Tensor *firsts = pick(n, origins, groups->places);
  Tensor *sizes =
      scatterAlong(n, filledWith(e, extent, 0), filledWith(e, extent, 1), groupOf, &Scalar::add);
  Tensor *inverse = scatterAlong(n, filledWith(e, extent, 0), groupOf, origins);
  if (!isSorted) {
    // In the order of their first elements: those are marked where they stand.
    Tensor *ones = filledWith(e, groups->count, 1);
    Tensor *marks = scatterAlong(n, filledWith(e, extent, 0), ones, firsts);
    FailureOr<Marked> ordered = findMarked(n, isNotZero(e, marks), sizeName(n, 0));
    if (failed(ordered))
      return failure();
    Tensor *group = pick(n, inverse, ordered->places); // by its rank in the new order
    sizes = pick(n, sizes, group);
    inverse = pick(n, ordered->numbers, pick(n, firsts, inverse));
    firsts = ordered->places;
  } else {
    sizes = e.slice(sizes, {0}, {groups->count}, {1});
  }
  n.result(0, pick(n, x, firsts));
  n.result(1, firsts);
  n.result(2, inverse);
  n.result(3, sizes);
  return success();
}
