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

FailureOr<Tensor *> sectile::frontend::placesByNumber(Node &n, Tensor *numbers, Tensor *count,
                                                      const SymExpr &most, unsigned named) {
  Emitter &e = n.emit;
  if (e.isInFunction())
    return n.fail("its size depends on data, which a loop's body cannot have",
                  "compute it in front of the loop");
  SymExpr extent = numbers->shape[0];
  Tensor *all = scatterAlong(n, filledWith(e, extent + 1, 0), countUp(e, extent), numbers);
  std::string name = n.proto.output(static_cast<int>(named)) + "_count";
  SymExpr size = e.countedSize(count, most, name);
  return e.slice(all, {0}, {size}, {1});
}

namespace {
/// Places that are marked, and for each place how many are marked in front of it.
struct Marked {
  SymExpr count;
  Tensor *places, *numbers;
};
} // namespace

/// Of `mask`, a vector of bools, for result `named`.
static FailureOr<Marked> findMarked(Node &n, Tensor *mask, unsigned named) {
  Emitter &e = n.emit;
  SymExpr extent = mask->shape[0];
  Tensor *flags = e.cast(mask, DType::I64);
  Tensor *numbers = cumulate(e, flags, 0, {.isExclusive = true});
  Tensor *number = e.reduce(flags, {0}, /*keep=*/false, ReduceKind::Sum);
  Value behind = e.index(extent);
  Tensor *written =
      e.pointwise({numbers, mask}, mask->shape, DType::I64, [&](const Scalar &s, ValueRange args) {
        return s.select(args[1], args[0], s.fromIndex(behind));
      });
  FailureOr<Tensor *> places = placesByNumber(n, written, number, extent, named);
  if (failed(places))
    return failure();
  return Marked{(*places)->shape[0], *places, numbers};
}

static Tensor *isNotZero(Emitter &e, Tensor *x) {
  if (x->dtype == DType::Bool)
    return x;
  return e.pointwise({x}, x->shape, DType::Bool, [](const Scalar &s, ValueRange args) {
    return s.compare(Compare::NotEqual, args[0], s.integer(0));
  });
}

static Tensor *flatten(Emitter &e, Tensor *x) {
  return x->rank() == 1 ? x : e.reshape(x, {Emitter::product(x->shape)});
}

SmallVector<Tensor *> sectile::frontend::coordinatesOf(Emitter &e, Tensor *places,
                                                       ArrayRef<SymExpr> shape) {
  SmallVector<Tensor *> coordinates(shape.size());
  SymExpr stride = 1;
  for (size_t dim = shape.size(); dim-- > 0; stride = stride * shape[dim]) {
    Value run = e.index(stride), extent = e.index(shape[dim]);
    coordinates[dim] = e.pointwise(places, [&](const Scalar &s, ValueRange args) {
      Value one = s.integer(1);
      Value position = s.div(args[0], s.max(s.fromIndex(run), one));
      return dim == 0 ? position : s.rem(position, s.max(s.fromIndex(extent), one));
    });
  }
  return coordinates;
}

LogicalResult sectile::frontend::importNonZero(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  FailureOr<Marked> marked = findMarked(n, flatten(e, isNotZero(e, x)), 0);
  if (failed(marked))
    return failure();
  SmallVector<Tensor *> rows;
  for (Tensor *coordinate : coordinatesOf(e, marked->places, x->shape))
    rows.push_back(e.unsqueeze(coordinate, {0}));
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
  FailureOr<Marked> marked = findMarked(n, condition, 0);
  if (failed(marked))
    return failure();
  n.result(0, gatherAlong(e, x, marked->places, axis));
  return success();
}

/// Whether `args[0]` and `args[1]` differ; NaNs are one value, as in numpy.
static Value differs(const Scalar &s, ValueRange args) {
  Value differs = s.compare(Compare::NotEqual, args[0], args[1]);
  if (!isFloat(s.dtype))
    return differs;
  Value isNan = s.compare(Compare::NotEqual, args[0], args[0]);
  Value wasNan = s.compare(Compare::NotEqual, args[1], args[1]);
  Value none = s.as(DType::Bool).integer(0);
  return s.select(s.select(isNan, wasNan, none), none, differs);
}

/// Where the rows of `x` [n, columns] stand in lexicographic order; equal ones keep theirs. The
/// last column is sorted first: what a later one leaves in place is in the order of those before.
static Tensor *sortRows(Node &n, Tensor *x) {
  Emitter &e = n.emit;
  SymExpr extent = n.syms.simplify(x->shape[0]), columns = n.syms.simplify(x->shape[1]);
  if (columns.isConstant(1))
    return select(e, e.reshape(x, {extent}), 0, extent, {.nanLast = true}).second;
  auto step = [&](const Iteration &at) -> IterationResults {
    Tensor *column = takePart(e, at.capture(x), 1, columns - SymExpr(1) - at.number);
    Tensor *order = at.state[0];
    Tensor *origins = select(e, pick(n, column, order), 0, extent, {.nanLast = true}).second;
    return {{pick(n, order, origins)}, {}};
  };
  return n.repeat({columns, nullptr, {countUp(e, extent)}}, step).state[0];
}

LogicalResult sectile::frontend::importUnique(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  bool isSorted = n.intAttr("sorted", 1) != 0;
  if (failed(n.expectNumber(x)))
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
  SymExpr extent = n.syms.simplify(x->shape[axis]);
  if (!extent.constant())
    return n.fail("expects a number of elements that is known when compiling, but got " +
                  extent.str());
  // What is compared are rows.
  SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, x->rank()));
  order.erase(order.begin() + axis);
  order.insert(order.begin(), axis);
  Shape others(x->shape);
  others.erase(others.begin() + axis);
  Tensor *rows = e.reshape(e.transpose(x, order), {extent, Emitter::product(others)});
  // Equal ones become neighbours, the first one in front.
  Tensor *origins = sortRows(n, rows), *sorted = gatherAlong(e, rows, origins, 0);
  Tensor *here = countUp(e, extent);
  Tensor *before = e.pointwise(here, [](const Scalar &s, ValueRange args) {
    return s.max(s.sub(args[0], s.integer(1)), s.integer(0));
  });
  Tensor *changes = e.reduce(
      e.pointwise({sorted, gatherAlong(e, sorted, before, 0)}, sorted->shape, DType::Bool, differs),
      {1}, /*keep=*/false, ReduceKind::Max);
  Tensor *starts =
      e.pointwise({changes, here}, {extent}, DType::Bool, [](const Scalar &s, ValueRange args) {
        Scalar at = s.as(DType::I64);
        Value isFirst = at.compare(Compare::Equal, args[1], at.integer(0));
        return arith::OrIOp::create(s.b, s.loc, args[0], isFirst).getResult();
      });
  FailureOr<Marked> groups = findMarked(n, starts, 0);
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
    FailureOr<Marked> ordered = findMarked(n, isNotZero(e, marks), 0);
    if (failed(ordered))
      return failure();
    Tensor *group = pick(n, inverse, ordered->places); // by its rank in the new order
    sizes = pick(n, sizes, group);
    inverse = pick(n, ordered->numbers, pick(n, firsts, inverse));
    firsts = ordered->places;
  } else {
    sizes = e.slice(sizes, {0}, {groups->count}, {1});
  }
  n.result(0, gatherAlong(e, x, firsts, axis));
  n.result(1, firsts);
  n.result(2, inverse);
  n.result(3, sizes);
  return success();
}
