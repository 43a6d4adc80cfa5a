//===- Shape.cpp - shapes as values, and changes of shape -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Axes.h"
#include "Operators.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

//===----------------------------------------------------------------------===//
// Values made of nothing or of shapes
//===----------------------------------------------------------------------===//

LogicalResult sectile::frontend::importConstant(Node &n) {
  Emitter &e = n.emit;
  auto integers = [&](ArrayRef<int64_t> values, Shape shape) {
    return e.known(DType::I64, std::move(shape), Shape(values.begin(), values.end()));
  };
  if (const onnx::TensorProto *value = n.tensorAttr("value")) {
    FailureOr<Tensor *> tensor = n.readTensor(*value);
    if (failed(tensor))
      return failure();
    n.result(0, *tensor);
  } else if (n.hasAttr("value_float")) {
    n.result(0, e.scalar(DType::F32, n.floatAttr("value_float", 0)));
  } else if (n.hasAttr("value_int")) {
    n.result(0, integers({n.intAttr("value_int", 0)}, {}));
  } else if (auto values = n.intsAttr("value_ints")) {
    int64_t count = values->size();
    auto bytes = std::make_shared<SmallVector<int64_t>>(*values);
    n.result(0, e.constant(DType::I64, {count},
                           {ArrayRef<char>(reinterpret_cast<const char *>(bytes->data()),
                                           bytes->size() * sizeof(int64_t)),
                            bytes},
                           ""));
  } else if (auto floats = n.floatsAttr("value_floats")) {
    auto bytes = std::make_shared<SmallVector<float>>(floats->begin(), floats->end());
    n.result(0, e.constant(DType::F32, {static_cast<int64_t>(bytes->size())},
                           {ArrayRef<char>(reinterpret_cast<const char *>(bytes->data()),
                                           bytes->size() * sizeof(float)),
                            bytes},
                           ""));
  } else {
    return n.fail("expects a dense numeric value");
  }
  return success();
}

LogicalResult sectile::frontend::importConstantOfShape(Node &n) {
  FailureOr<Shape> shape = n.elements(0, "the shape");
  if (failed(shape))
    return failure();
  Tensor *value = n.emit.scalar(DType::F32, 0);
  if (const onnx::TensorProto *given = n.tensorAttr("value")) {
    FailureOr<Tensor *> tensor = n.readTensor(*given);
    if (failed(tensor))
      return failure();
    if (!Emitter::product((*tensor)->shape).isConstant(1))
      return n.fail("expects a value of one element, but got " + Node::text((*tensor)->shape));
    value = n.emit.reshape(*tensor, {});
  }
  for (const SymExpr &extent : *shape)
    if (extent.constant() && *extent.constant() < 0)
      return n.fail("expects extents of at least 0, but got " + extent.str());
  if (shape->size() > static_cast<size_t>(kMaxRank))
    return n.fail("expects a rank of at most " + Twine(kMaxRank));
  auto known = rearrangeElements(n, value, *shape, [](ArrayRef<int64_t>) { return 0; });
  n.result(0, known ? *known : n.emit.expand(value, *shape));
  return success();
}

LogicalResult sectile::frontend::importShape(Node &n) {
  Tensor *x = n.in(0);
  int64_t rank = x->rank();
  auto clamp = [&](int64_t value) {
    return std::clamp<int64_t>(value < 0 ? value + rank : value, 0, rank);
  };
  int64_t start = clamp(n.intAttr("start", 0)), end = clamp(n.intAttr("end", rank));
  Shape elements(x->shape.begin() + start, x->shape.begin() + std::max(start, end));
  int64_t count = elements.size();
  n.result(0, n.emit.known(DType::I64, {count}, std::move(elements)));
  return success();
}

LogicalResult sectile::frontend::importSize(Node &n) {
  n.result(0, n.emit.known(DType::I64, {}, {Emitter::product(n.in(0)->shape)}));
  return success();
}

/// Numbers of the run, floats: the host counts the elements, in float64 as numpy does.
static LogicalResult importFloatRange(Node &n) {
  Emitter &e = n.emit;
  SmallVector<Tensor *> parts;
  SmallVector<Value> numbers;
  Scalar wide = e.scalars(DType::F64);
  for (Tensor *input : n.allInputs()) {
    parts.push_back(e.reshape(input, {}));
    Value number = tensor::ExtractOp::create(e.b, e.loc, e.value(parts.back()), ValueRange());
    numbers.push_back(e.scalars(input->dtype).convert(number, DType::F64));
  }
  Value quotient = wide.div(wide.sub(numbers[1], numbers[0]), numbers[2]);
  // False on NaN too; what a conversion to integers would make of them is undefined.
  Value most = wide.constant(Emitter::kMostElements);
  Value fits = arith::AndIOp::create(e.b, e.loc, wide.compare(Compare::LessEqual, quotient, most),
                                     wide.compare(Compare::GreaterEqual, quotient, wide.neg(most)));
  e.check(fits, n.title() + ": expects at most 2^40 elements, and a step other than 0", {});
  Scalar whole = wide.as(DType::I64);
  Value inside = wide.select(fits, wide.max(quotient, wide.constant(0)), wide.constant(0));
  Value floor = wide.convert(inside, DType::I64);
  Value isBelow = wide.compare(Compare::Less, whole.convert(floor, DType::F64), inside);
  Value ceiling = whole.add(floor, whole.as(DType::Bool).convert(isBelow, DType::I64));
  Value index = arith::IndexCastOp::create(e.b, e.loc, e.b.getIndexType(), ceiling);
  SymExpr count = e.nameSize(index, "range", n.title() + ": %0 elements");
  n.result(0, e.pointwise(
                  {parts[0], parts[2]}, {count}, parts[0]->dtype,
                  [&](const Scalar &s, ValueRange args) {
                    Value at = linalg::IndexOp::create(s.b, s.loc, 0);
                    return s.add(args[0], s.mul(s.fromIndex(at), args[1]));
                  },
                  /*wide=*/true));
  return success();
}

LogicalResult sectile::frontend::importRange(Node &n) {
  Emitter &e = n.emit;
  Tensor *first = n.in(0);
  if (failed(n.expectSameType(n.allInputs())))
    return failure();
  n.ignoreAttr("stash_type"); // Of the narrow floats' intermediate values.
  for (Tensor *input : n.allInputs())
    if (!Emitter::product(input->shape).isConstant(1))
      return n.fail("expects single numbers");
  if (isFloat(first->dtype)) {
    std::optional<double> start = e.constantScalar(n.in(0)), limit = e.constantScalar(n.in(1)),
                          delta = e.constantScalar(n.in(2));
    if (!start || !limit || !delta)
      return importFloatRange(n);
    double count = std::max(0.0, std::ceil((*limit - *start) / *delta));
    if (!(count <= 9e15))
      return n.fail("expects a finite number of elements");
    Scalar s = e.scalars(first->dtype);
    Value begin = s.constant(*start), step = s.constant(*delta);
    n.result(0, e.generate({static_cast<int64_t>(count)}, first->dtype,
                           [&](const Scalar &s, ValueRange at) {
                             return s.add(begin, s.mul(s.fromIndex(at[0]), step));
                           }));
    return success();
  }
  FailureOr<Shape> starts = n.elements(0, "the start"), limits = n.elements(1, "the limit"),
                   steps = n.elements(2, "the step");
  if (failed(starts) || failed(limits) || failed(steps))
    return failure();
  SymContext &syms = n.syms;
  SymExpr start = starts->front(), step = steps->front();
  if (failed(n.require(SymExpr(1) - syms.equal(step, 0), "expects a step other than 0", {})))
    return failure();
  SymExpr forward = e.nameValue(syms.less(0, step), "range");
  SymExpr distance = syms.select(forward, limits->front() - start, start - limits->front());
  SymExpr length = e.nameValue(syms.max(step, SymExpr(0) - step), "range");
  SymExpr count = syms.max(syms.ceilDiv(e.nameValue(distance, "range"), length), 0);
  if (std::optional<int64_t> constant = count.constant(); constant && *constant <= 256) {
    Shape elements;
    for (int64_t i = 0; i < *constant; ++i)
      elements.push_back(start + SymExpr(i) * step);
    n.result(0, e.known(first->dtype, {*constant}, std::move(elements)));
    return success();
  }
  Value begin = e.index(start), stride = e.index(step);
  n.result(0, e.generate({count}, first->dtype, [&](const Scalar &s, ValueRange at) {
    Value offset = arith::MulIOp::create(s.b, s.loc, at[0], stride);
    return s.fromIndex(arith::AddIOp::create(s.b, s.loc, begin, offset));
  }));
  return success();
}

//===----------------------------------------------------------------------===//
// Reshapes
//===----------------------------------------------------------------------===//

/// The same elements under another shape, as expressions where they are that.
static Tensor *reshaped(Node &n, Tensor *x, Shape shape) {
  if (x->elements && !x->constant)
    return n.emit.known(x->dtype, std::move(shape), *x->elements);
  return n.emit.reshape(x, std::move(shape));
}

/// Refuses shapes that hold another number of elements than `x`, here or at run time.
static LogicalResult expectSameCount(Node &n, Tensor *x, ArrayRef<SymExpr> shape) {
  SymExpr have = n.syms.simplify(Emitter::product(x->shape));
  SymExpr want = n.syms.simplify(Emitter::product(shape));
  if (!have.isValid() || !want.isValid())
    return n.fail("the sizes overflow 64 bits");
  if (have == want)
    return success();
  // One unknown extent: the equation says what it is.
  for (const SymExpr &extent : x->shape) {
    std::optional<SymExpr> rest = have.exactDiv(n.syms.simplify(extent));
    if (!n.syms.simplify(extent).asAtom() || !rest || !n.syms.isPositive(*rest))
      continue;
    if (std::optional<SymExpr> value = want.exactDiv(*rest))
      return n.expectEqual(extent, *value, "an extent and what the new shape makes of it");
  }
  return n.require(n.syms.equal(have, want),
                   "expects a new shape of as many elements, but got %0 and %1", {have, want});
}

/// The new shape where some of its numbers are values of the run, 0 and -1 among them: sizes of
/// their own.
static Shape shapeOfValues(Node &n, Tensor *x, ArrayRef<SymExpr> target, bool allowZero) {
  Emitter &e = n.emit;
  OpBuilder &b = e.b;
  std::string name = n.numResults() == 0 ? std::string("size") : n.proto.output(0);
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, e.loc, value);
  };
  auto is = [&](arith::CmpIPredicate how, Value lhs, Value rhs) -> Value {
    return arith::CmpIOp::create(b, e.loc, how, lhs, rhs);
  };
  auto select = [&](Value condition, Value lhs, Value rhs) -> Value {
    return arith::SelectOp::create(b, e.loc, condition, lhs, rhs);
  };
  using P = arith::CmpIPredicate;
  Value zero = number(0), one = number(1), minusOne = number(-1), unknown = zero;
  SmallVector<Value> isInferred, extents, known;
  for (auto [dim, extent] : llvm::enumerate(target)) {
    Value value = e.index(extent);
    e.check(is(P::sge, value, minusOne), n.title() + ": expects extents of at least -1, but got %0",
            {value});
    isInferred.push_back(is(P::eq, value, minusOne));
    unknown = arith::AddIOp::create(b, e.loc, unknown, select(isInferred.back(), one, zero));
    if (!allowZero && dim < x->shape.size())
      value = select(is(P::eq, value, zero), e.index(x->shape[dim]), value);
    extents.push_back(value);
    known.push_back(select(isInferred.back(), one, value));
  }
  e.check(is(P::sle, unknown, one),
          n.title() + ": expects at most one extent of -1 in the new shape", {});
  SmallVector<Value> own =
      llvm::map_to_vector(x->shape, [&](const SymExpr &extent) { return e.index(extent); });
  Value have = e.countSafely(own), rest = e.countSafely(known);
  Value inferred =
      arith::DivUIOp::create(b, e.loc, have, arith::MaxSIOp::create(b, e.loc, rest, one));
  Shape shape;
  for (auto [dim, extent] : llvm::enumerate(extents)) {
    extent = select(isInferred[dim], inferred, extent);
    shape.push_back(target[dim].constant() > 0
                        ? target[dim]
                        : e.nameSize(extent, name + "_" + std::to_string(dim),
                                     n.title() + ": expects extents of at least 0, but got %0"));
  }
  Value want = e.countSafely(extents);
  e.check(is(P::eq, have, want),
          n.title() + ": expects a new shape of as many elements, but got %0 and %1", {have, want});
  return shape;
}

LogicalResult sectile::frontend::importReshape(Node &n) {
  Tensor *x = n.in(0);
  FailureOr<Shape> target = n.elements(1, "the new shape");
  bool allowZero = n.intAttr("allowzero", 0) != 0;
  if (failed(target))
    return failure();
  if (n.in(1)->rank() != 1 || target->size() > static_cast<size_t>(kMaxRank))
    return n.fail("expects a new shape of at most " + Twine(kMaxRank) + " extents, but got " +
                  Twine(target->size()));
  bool hasValues = false;
  for (const SymExpr &extent : *target)
    SymContext::visitValues(extent, [&](const SymAtom *) { hasValues = true; });
  if (hasValues) {
    n.result(0, reshaped(n, x, shapeOfValues(n, x, *target, allowZero)));
    return success();
  }
  Shape shape;
  std::optional<size_t> inferred;
  for (auto [dim, extent] : llvm::enumerate(*target)) {
    std::optional<int64_t> constant = extent.constant();
    if (constant == -1 && inferred)
      return n.fail("expects at most one extent of -1 in the new shape");
    if (constant && *constant < -1)
      return n.fail("expects extents of at least -1, but got " + extent.str());
    if (constant == 0 && !allowZero && dim >= x->shape.size())
      return n.fail("extent " + Twine(dim) + " shall be copied, but the input's rank is " +
                    Twine(x->rank()));
    if (constant == -1)
      inferred = dim;
    shape.push_back(constant == -1                ? SymExpr(1)
                    : constant == 0 && !allowZero ? x->shape[dim]
                                                  : extent);
  }
  if (inferred) {
    SymExpr have = n.syms.simplify(Emitter::product(x->shape));
    SymExpr rest = n.syms.simplify(Emitter::product(shape));
    shape[*inferred] = n.syms.floorDiv(have, rest);
  }
  if (failed(expectSameCount(n, x, shape)))
    return failure();
  n.result(0, reshaped(n, x, shape));
  return success();
}

LogicalResult sectile::frontend::importFlatten(Node &n) {
  Tensor *x = n.in(0);
  int64_t axis = n.intAttr("axis", 1), rank = x->rank();
  if (axis < -rank || axis > rank)
    return n.fail("expects an axis in [" + Twine(-rank) + ", " + Twine(rank) + "], but got " +
                  Twine(axis));
  if (axis < 0)
    axis += rank;
  ArrayRef<SymExpr> shape = x->shape;
  n.result(0, reshaped(n, x,
                       {Emitter::product(shape.take_front(axis)),
                        Emitter::product(shape.drop_front(axis))}));
  return success();
}

LogicalResult sectile::frontend::importSqueeze(Node &n) {
  Tensor *x = n.in(0);
  FailureOr<std::optional<Shape>> given = Axes::read(n, "axes", 1);
  if (failed(given))
    return failure();
  Shape places;
  if (*given) {
    places = **given;
  } else {
    for (int64_t dim = 0; dim < x->rank(); ++dim) {
      SymExpr extent = n.syms.simplify(x->shape[dim]);
      if (extent.isConstant(1))
        places.push_back(dim);
      else if (!n.syms.equal(extent, 1).isConstant(0))
        return n.fail("without axes, the result's rank depends on whether " + extent.str() +
                          " is 1",
                      "give the axes");
    }
  }
  FailureOr<Axes> axes = Axes::get(n, places, x->rank());
  if (failed(axes))
    return failure();
  for (int64_t dim = 0; dim < x->rank(); ++dim)
    if (failed(n.expectEqual(n.syms.select(axes->contains(dim), x->shape[dim], 1), 1,
                             "a squeezed extent and 1")))
      return failure();
  n.result(0, reshaped(n, x, axes->without(n, x->shape)));
  return success();
}

LogicalResult sectile::frontend::importUnsqueeze(Node &n) {
  Tensor *x = n.in(0);
  FailureOr<std::optional<Shape>> given = Axes::read(n, "axes", 1);
  if (failed(given))
    return failure();
  if (!*given)
    return n.fail("expects axes");
  int64_t rank = x->rank() + static_cast<int64_t>((*given)->size());
  if (rank > kMaxRank)
    return n.fail("expects a rank of at most " + Twine(kMaxRank) + ", but got " + Twine(rank));
  FailureOr<Axes> axes = Axes::get(n, **given, rank);
  if (failed(axes))
    return failure();
  Shape shape;
  SymExpr next = 0; // The dimension of x that comes next.
  for (int64_t dim = 0; dim < rank; ++dim) {
    SymExpr stays = SymExpr(1) - axes->contains(dim), extent = axes->contains(dim);
    for (int64_t source = 0; source < x->rank(); ++source)
      extent = extent +
               n.emit.nameValue(stays * n.syms.equal(next, source), "is_place") * x->shape[source];
    shape.push_back(extent);
    next = next + stays;
  }
  n.result(0, reshaped(n, x, shape));
  return success();
}

LogicalResult sectile::frontend::importExpand(Node &n) {
  Tensor *x = n.in(0);
  FailureOr<Shape> target = n.elements(1, "the new shape");
  if (failed(target))
    return failure();
  for (const SymExpr &extent : *target)
    if (extent.constant() && *extent.constant() < 0)
      return n.fail("expects extents of at least 0, but got " + extent.str());
  if (target->size() > static_cast<size_t>(kMaxRank))
    return n.fail("expects a rank of at most " + Twine(kMaxRank));
  FailureOr<Shape> shape = n.broadcast({ArrayRef<SymExpr>(x->shape), ArrayRef<SymExpr>(*target)});
  if (failed(shape))
    return failure();
  auto known = evaluateElements(n, {x}, *shape, x->dtype,
                                [](ArrayRef<SymExpr> args) { return std::optional(args[0]); });
  n.result(0, known ? *known : n.emit.expand(x, *shape));
  return success();
}
