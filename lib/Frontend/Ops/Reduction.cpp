//===- Reduction.cpp - reductions along axes --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Axes.h"
#include "Operators.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using utils::IteratorType;

/// Applies a function in the compute type, whose result it keeps.
template <typename F>
static Tensor *map(Emitter &e, Tensor *x, F body) {
  return e.pointwise({x}, [&](const Scalar &s, ValueRange args) { return body(s, args[0]); });
}

/// log(sum(exp(x))) with the maximum taken out; an infinite maximum is left in, where x - m would
/// be NaN.
static Tensor *logSumExp(Emitter &e, Tensor *x, ArrayRef<int64_t> axes) {
  Tensor *most = e.reduce(x, axes, /*keep=*/true, ReduceKind::Max);
  most = map(e, most, [](const Scalar &s, Value m) {
    Value isFinite = s.compare(Compare::Less, s.abs(m), s.highest());
    return s.select(isFinite, m, s.constant(0));
  });
  Tensor *power = e.pointwise({x, most}, [](const Scalar &s, ValueRange args) -> Value {
    return math::ExpOp::create(s.b, s.loc, s.sub(args[0], args[1]));
  });
  Tensor *sum = e.reduce(power, axes, /*keep=*/true, ReduceKind::Sum);
  return e.pointwise({sum, most}, [](const Scalar &s, ValueRange args) {
    return s.add(math::LogOp::create(s.b, s.loc, args[0]), args[1]);
  });
}

static Tensor *reduceAs(Emitter &e, StringRef op, Tensor *x, ArrayRef<int64_t> axes, bool keep) {
  if (op == "ReduceSum")
    return e.reduce(x, axes, keep, ReduceKind::Sum);
  if (op == "ReduceProd")
    return e.reduce(x, axes, keep, ReduceKind::Product);
  if (op == "ReduceMax")
    return e.reduce(x, axes, keep, ReduceKind::Max);
  if (op == "ReduceMin")
    return e.reduce(x, axes, keep, ReduceKind::Min);
  if (op == "ReduceMean")
    return e.mean(x, axes, keep);
  // The others compute before they sum, in a type that holds it.
  bool hasRoots = op == "ReduceL2" || op.starts_with("ReduceLog");
  DType wide = isInteger(x->dtype) && hasRoots ? DType::F64 : computeType(x->dtype);
  x = e.cast(x, wide);
  if (op == "ReduceL1")
    return e.reduce(map(e, x, [](const Scalar &s, Value v) { return s.abs(v); }), axes, keep,
                    ReduceKind::Sum);
  if (op == "ReduceLogSum")
    return map(e, e.reduce(x, axes, keep, ReduceKind::Sum), [](const Scalar &s, Value v) -> Value {
      return math::LogOp::create(s.b, s.loc, v);
    });
  if (op == "ReduceLogSumExp") {
    Tensor *result = logSumExp(e, x, axes);
    return keep ? result : e.squeeze(result, axes);
  }
  Tensor *squares = map(e, x, [](const Scalar &s, Value v) { return s.mul(v, v); });
  Tensor *sum = e.reduce(squares, axes, keep, ReduceKind::Sum);
  if (op == "ReduceSumSquare")
    return sum;
  return map(e, sum,
             [](const Scalar &s, Value v) -> Value { return math::SqrtOp::create(s.b, s.loc, v); });
}

/// Sums and products of shapes, as exporters compute element counts.
static std::optional<SymExpr> reduceElements(Node &n, ArrayRef<SymExpr> elements) {
  bool isProduct = n.op() == "ReduceProd", isSum = n.op() == "ReduceSum";
  bool isMax = n.op() == "ReduceMax", isMin = n.op() == "ReduceMin";
  if (elements.empty() || !(isProduct || isSum || isMax || isMin))
    return std::nullopt;
  SymExpr total = elements[0];
  for (const SymExpr &element : elements.drop_front())
    total = isProduct ? total * element
            : isSum   ? total + element
            : isMax   ? n.syms.max(total, element)
                      : n.syms.min(total, element);
  return total;
}

/// Reduces along axes of the run: each extent is parted into what stays and what goes, one of them
/// 1, and all that go are reduced.
static Tensor *reducedInRun(Node &n, Tensor *x, const Axes &axes, bool keep) {
  Emitter &e = n.emit;
  Shape parted, kept;
  SmallVector<int64_t> going;
  for (int64_t dim = 0; dim < x->rank(); ++dim) {
    const SymExpr &extent = x->shape[dim], &goes = axes.contains(dim);
    kept.push_back(e.nameSize(n.syms.select(goes, 1, extent), "kept", "%0 elements are kept"));
    SymExpr gone = e.nameSize(n.syms.select(goes, extent, 1), "reduced", "%0 elements are reduced");
    parted.append({kept.back(), gone});
    going.push_back(2 * dim + 1);
  }
  Tensor *result = reduceAs(e, n.op(), e.reshape(x, parted), going, /*keep=*/false);
  result = e.cast(result, x->dtype);
  return e.reshape(result, keep ? kept : axes.without(n, x->shape));
}

LogicalResult sectile::frontend::importReduce(Node &n) {
  Tensor *x = n.in(0);
  bool isBoolExtreme = x->dtype == DType::Bool && (n.op() == "ReduceMax" || n.op() == "ReduceMin");
  if (!isBoolExtreme && failed(n.expectNumber(x)))
    return failure();
  // Logarithms of integers went with opset 28.
  if (n.opset() >= 28 && n.op().starts_with("ReduceLog") && failed(n.expectFloat(x)))
    return failure();
  FailureOr<std::optional<Shape>> given = Axes::read(n, "axes", 1);
  bool keep = n.intAttr("keepdims", 1) != 0;
  bool emptyMeansNone = n.intAttr("noop_with_empty_axes", 0) != 0;
  if (failed(given))
    return failure();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, x->rank()));
  if (*given && (!(*given)->empty() || emptyMeansNone)) {
    FailureOr<Axes> chosen = Axes::get(n, **given, x->rank());
    if (failed(chosen))
      return failure();
    std::optional<SmallVector<int64_t>> known = chosen->constants();
    if (!known) {
      n.result(0, reducedInRun(n, x, *chosen, keep));
      return success();
    }
    axes = *known;
  } else if (emptyMeansNone) {
    axes.clear();
  }
  if (auto elements = n.emit.elements(x); elements && x->rank() == 1 && axes.size() == 1)
    if (std::optional<SymExpr> total = reduceElements(n, *elements)) {
      n.result(0, n.emit.known(x->dtype, keep ? Shape{1} : Shape{}, {*total}));
      return success();
    }
  n.result(0, n.emit.cast(reduceAs(n.emit, n.op(), x, axes, keep), x->dtype));
  return success();
}

Tensor *sectile::frontend::argExtreme(Emitter &e, Tensor *x, int64_t axis, bool isMax,
                                      bool takesLast) {
  Shape shape;
  SmallVector<AffineExpr> kept;
  SmallVector<IteratorType> iterators(x->rank(), IteratorType::parallel);
  iterators[axis] = IteratorType::reduction;
  for (int64_t dim = 0; dim < x->rank(); ++dim)
    if (dim != axis) {
      shape.push_back(x->shape[dim]);
      kept.push_back(e.dim(dim));
    }
  Scalar s = e.scalars(x->dtype), index = e.scalars(DType::I64);
  Value worst = isMax ? s.lowest() : s.highest();
  // Ties are decided by the index, so that the order of the reduction does not matter; the first
  // element wins against this index whatever it is.
  Value none = takesLast ? index.integer(-1) : index.highest();
  Value source = e.value(x);
  Value inits[] = {e.filled(shape, x->dtype, worst), e.filled(shape, DType::I64, none)};
  AffineMap result = AffineMap::get(x->rank(), 0, kept, e.b.getContext());
  AffineMap maps[] = {e.b.getMultiDimIdentityMap(x->rank()), result, result};
  auto op = linalg::GenericOp::create(
      e.b, e.loc, TypeRange{inits[0].getType(), inits[1].getType()}, source, inits, maps, iterators,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Scalar s(b, loc, x->dtype), at(b, loc, DType::I64);
        Value here = at.fromIndex(linalg::IndexOp::create(b, loc, axis));
        Value better = s.compare(isMax ? Compare::Greater : Compare::Less, args[0], args[1]);
        Value equal = s.compare(Compare::Equal, args[0], args[1]);
        if (isFloat(x->dtype)) {
          // NaN counts as the most extreme, as in numpy.
          Value isNan = s.compare(Compare::NotEqual, args[0], args[0]);
          Value bestIsNan = s.compare(Compare::NotEqual, args[1], args[1]);
          Value bothNan = arith::AndIOp::create(b, loc, isNan, bestIsNan);
          better = s.select(bestIsNan, at.as(DType::Bool).integer(0),
                            arith::OrIOp::create(b, loc, better, isNan));
          equal = arith::OrIOp::create(b, loc, equal, bothNan);
        }
        Value wins = at.compare(takesLast ? Compare::Greater : Compare::Less, here, args[2]);
        Value takes =
            arith::OrIOp::create(b, loc, better, arith::AndIOp::create(b, loc, equal, wins));
        Value results[] = {s.select(takes, args[0], args[1]), s.select(takes, here, args[2])};
        linalg::YieldOp::create(b, loc, results);
      });
  Tensor *indices = e.make(DType::I64, shape, op.getResult(1));
  return e.unsqueeze(indices, {axis});
}

LogicalResult sectile::frontend::importArgExtreme(Node &n) {
  Tensor *x = n.in(0);
  if (failed(n.expectNumber(x)) || failed(n.expectRank(x, 1)))
    return failure();
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", 0), x->rank());
  bool keep = n.intAttr("keepdims", 1) != 0, takesLast = n.intAttr("select_last_index", 0) != 0;
  if (failed(axis) || failed(n.require(SymExpr(1) - n.syms.equal(x->shape[*axis], 0),
                                       "expects an extent of at least 1 along the axis, but got %0",
                                       {x->shape[*axis]})))
    return failure();
  Tensor *indices = argExtreme(n.emit, x, *axis, n.op() == "ArgMax", takesLast);
  n.result(0, keep ? indices : n.emit.squeeze(indices, {*axis}));
  return success();
}

Tensor *sectile::frontend::cumulate(Emitter &e, Tensor *x, int64_t axis, Cumulation kind) {
  Value source = e.value(x);
  Shape without(x->shape);
  without.erase(without.begin() + axis);
  Value neutral = e.filled(without, x->dtype, e.scalars(x->dtype).integer(kind.isSum ? 0 : 1));
  auto op = graph::ScanOp::create(e.b, e.loc, e.type(x->dtype, x->shape), source, neutral, axis,
                                  kind.isExclusive, kind.isReverse, /*associative=*/true);
  Type element = getElementTypeOrSelf(source.getType());
  OpBuilder::InsertionGuard guard(e.b);
  Block *step = e.b.createBlock(&op.getStep(), {}, {element, element}, {e.loc, e.loc});
  Scalar s(e.b, e.loc, x->dtype);
  Value before = step->getArgument(0), next = step->getArgument(1);
  graph::YieldOp::create(e.b, e.loc, kind.isSum ? s.add(before, next) : s.mul(before, next));
  return e.make(x->dtype, x->shape, op.getResult(0));
}

LogicalResult sectile::frontend::importCumulative(Node &n) {
  Tensor *x = n.in(0);
  if (failed(n.expectNumber(x)) || failed(n.expectRank(x, 1)))
    return failure();
  FailureOr<Shape> number = n.elements(1, "the axis");
  bool exclusive = n.intAttr("exclusive", 0) != 0, reverse = n.intAttr("reverse", 0) != 0;
  if (failed(number))
    return failure();
  if (number->size() != 1)
    return n.fail("expects the axis to be one number");
  FailureOr<Axes> axes = Axes::get(n, *number, x->rank());
  if (failed(axes))
    return failure();
  std::optional<SmallVector<int64_t>> known = axes->constants();
  Shape shape = x->shape;
  int64_t axis = 1;
  if (known) {
    axis = known->front();
  } else {
    // What lies in front of the axis, the axis, and what lies behind it.
    SymExpr before = 1, along = 1, behind = 1, isPast = 0;
    for (auto [dim, extent] : llvm::enumerate(x->shape)) {
      const SymExpr &isHere = axes->contains(static_cast<int64_t>(dim));
      auto name = [&](const SymExpr &expr) { return n.emit.nameValue(expr, "scanned"); };
      before = name(before * n.syms.select(isPast + isHere, 1, extent));
      along = name(along * n.syms.select(isHere, extent, 1));
      behind = name(behind * n.syms.select(isPast, extent, 1));
      isPast = name(isPast + isHere);
    }
    shape.clear();
    for (const SymExpr &extent : {before, along, behind})
      shape.push_back(n.emit.nameSize(extent, "scanned", "%0 elements are scanned"));
    x = n.emit.reshape(x, shape);
  }
  // Sums and products of narrow floats are f32 ones, rounded as they are stored.
  Emitter &e = n.emit;
  bool isSum = n.op() == "CumSum";
  DType dtype = computeType(x->dtype);
  Cumulation kind = {.isSum = isSum, .isExclusive = exclusive, .isReverse = reverse};
  Tensor *result = e.cast(cumulate(e, e.cast(x, dtype), axis, kind), x->dtype);
  n.result(0, known ? result : e.reshape(result, n.in(0)->shape));
  return success();
}

std::pair<Tensor *, Tensor *> sectile::frontend::select(Emitter &e, Tensor *x, int64_t axis,
                                                        const SymExpr &count, Order order) {
  Shape shape(x->shape);
  shape[axis] = count;
  Value source = e.value(x);
  auto op = graph::TopKOp::create(e.b, e.loc, e.type(x->dtype, shape), e.type(DType::I64, shape),
                                  source, axis);
  Type element = getElementTypeOrSelf(source.getType());
  OpBuilder::InsertionGuard guard(e.b);
  Block *body = e.b.createBlock(&op.getPrecedes(), {}, {element, element}, {e.loc, e.loc});
  Value a = body->getArgument(0), b = body->getArgument(1);
  Scalar s(e.b, e.loc, x->dtype);
  Value precedes = s.compare(order.largestFirst ? Compare::Greater : Compare::Less, a, b);
  if (isFloat(x->dtype)) {
    Value isNan = s.compare(Compare::NotEqual, a, a),
          otherIsNan = s.compare(Compare::NotEqual, b, b);
    if (order.nanLast)
      std::swap(isNan, otherIsNan);
    Value goesFirst = s.select(otherIsNan, s.as(DType::Bool).integer(0), isNan);
    precedes = arith::OrIOp::create(e.b, e.loc, precedes, goesFirst);
  }
  graph::YieldOp::create(e.b, e.loc, precedes);
  return {e.make(x->dtype, shape, op.getValues()), e.make(DType::I64, shape, op.getIndices())};
}

LogicalResult sectile::frontend::importTopK(Node &n) {
  Tensor *x = n.in(0);
  if (failed(n.expectNumber(x)) || failed(n.expectRank(x, 1)))
    return failure();
  SymExpr k;
  if (n.has(1)) {
    FailureOr<Shape> number = n.elements(1, "k");
    if (failed(number))
      return failure();
    if (number->size() != 1)
      return n.fail("expects k to be one number");
    k = n.syms.simplify((*number)[0]);
  } else {
    FailureOr<int64_t> attribute = n.requiredIntAttr("k");
    if (failed(attribute))
      return failure();
    k = *attribute;
  }
  bool largest = n.intAttr("largest", 1) != 0;
  // Sorted is one of the orders that are allowed where none is asked for.
  n.ignoreAttr("sorted");
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", -1), x->rank());
  if (failed(axis))
    return failure();
  SymExpr extent = n.syms.simplify(x->shape[*axis]);
  if (failed(n.require(n.syms.less(0, k), "expects k to be at least 1, but got %0", {k})) ||
      failed(n.require(SymExpr(1) - n.syms.less(extent, k),
                       "expects an extent of at least %1, which is k, but got %0", {extent, k})))
    return failure();
  // Where only the run knows k, all are sorted, and the first k of them taken.
  bool isKnown = k.constant().has_value();
  if (!isKnown && !extent.constant())
    return n.fail("expects k or the extent along the axis to be constant, but got " + k.str() +
                  " and " + extent.str());
  Emitter &e = n.emit;
  Shape shape(x->shape);
  shape[*axis] = isKnown ? k : extent;
  auto [values, indices] = select(e, x, *axis, shape[*axis], {.largestFirst = largest});
  Shape taken(shape);
  taken[*axis] = k;
  auto first = [&](Tensor *all) {
    return e.slice(all, SmallVector<SymExpr>(shape.size(), 0), taken,
                   SmallVector<int64_t>(shape.size(), 1));
  };
  n.result(0, first(values));
  n.result(1, first(indices));
  return success();
}
