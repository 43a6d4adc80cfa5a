//===- Indicator.cpp - ones at chosen places --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// Coordinate `dim` of an elementwise body, as int64.
static Value coordinate(const Scalar &s, int64_t dim) {
  return s.as(DType::I64).fromIndex(linalg::IndexOp::create(s.b, s.loc, dim));
}

LogicalResult sectile::frontend::importEyeLike(Node &n) {
  Tensor *x = n.in(0);
  if (failed(n.expectRank(x, 2, 2)))
    return failure();
  int64_t diagonal = n.intAttr("k", 0), number = n.intAttr("dtype", int64_t(x->dtype));
  std::optional<DType> dtype = dtypeOf(number);
  if (!dtype || (!isFloat(*dtype) && !isInteger(*dtype) && *dtype != DType::Bool) ||
      isSmallFloat(*dtype))
    return n.fail("elements of type " + nameOfNumber(number) + " are not supported");
  n.result(0, n.emit.generate(x->shape, *dtype, [&](const Scalar &s, ValueRange) {
    Scalar index = s.as(DType::I64);
    Value place = index.add(coordinate(s, 0), index.integer(diagonal));
    Value isOn = index.compare(Compare::Equal, coordinate(s, 1), place);
    return s.select(isOn, s.integer(1), s.integer(0));
  }));
  return success();
}

LogicalResult sectile::frontend::importHardmax(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 1)))
    return failure();
  // Before opset 13 everything from the axis on was one dimension.
  bool isFlat = n.opset() < 13;
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", isFlat && x->rank() > 1 ? 1 : -1), x->rank());
  if (failed(axis))
    return failure();
  Tensor *seen = x;
  if (isFlat) {
    ArrayRef<SymExpr> shape = x->shape;
    seen = e.reshape(
        x, {Emitter::product(shape.take_front(*axis)), Emitter::product(shape.drop_front(*axis))});
    axis = 1;
  }
  if (failed(n.require(SymExpr(1) - n.syms.equal(seen->shape[*axis], 0),
                       "expects an extent of at least 1 along the axis, but got %0",
                       {seen->shape[*axis]})))
    return failure();
  Tensor *most = argExtreme(e, seen, *axis, /*isMax=*/true, /*takesLast=*/false);
  Tensor *result =
      e.pointwise({most}, seen->shape, x->dtype, [&](const Scalar &s, ValueRange args) {
        Value isHere = s.compare(Compare::Equal, coordinate(s, *axis), args[0]);
        Scalar to = s.as(x->dtype);
        return s.select(isHere, to.integer(1), to.integer(0));
      });
  n.result(0, isFlat ? e.reshape(result, x->shape) : result);
  return success();
}

LogicalResult sectile::frontend::importOneHot(Node &n) {
  Emitter &e = n.emit;
  Tensor *indices = n.in(0), *values = n.in(2);
  if (failed(n.expectNumber(indices)))
    return failure();
  SymExpr depth;
  if (isFloat(n.in(1)->dtype)) {
    if (!Emitter::product(n.in(1)->shape).isConstant(1))
      return n.fail("expects the depth to be one number, but got " + Node::text(n.in(1)->shape));
    FailureOr<SymExpr> number = n.scaledExtent(1, n.in(1), 0, "depth");
    if (failed(number))
      return failure();
    depth = *number;
  } else {
    FailureOr<Shape> elements = n.elements(1, "the depth");
    if (failed(elements))
      return failure();
    if (elements->size() != 1)
      return n.fail("expects the depth to be one number, but got " + Twine(elements->size()));
    depth = elements->front();
  }
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", -1), indices->rank() + 1);
  if (failed(axis) || failed(n.expectRank(values, 1, 1)) ||
      failed(n.expectEqual(values->shape[0], 2, "the number of values")) ||
      failed(
          n.require(n.syms.less(0, depth), "expects a depth of at least 1, but got %0", {depth})))
    return failure();
  depth = e.nameSize(depth, "depth", "expects a depth of at least 1, but got %0");
  // Fractions are cut off, as a conversion does.
  Tensor *places = e.unsqueeze(e.cast(indices, DType::I64), {*axis});
  Shape shape = places->shape;
  shape[*axis] = depth;
  auto valueAt = [&](int64_t number) {
    return e.reshape(e.slice(values, {SymExpr(number)}, {SymExpr(1)}, {1}), {});
  };
  std::optional<int64_t> constant = n.syms.simplify(depth).constant();
  Value run = constant ? Value() : e.index(depth);
  n.result(0, e.pointwise({places, valueAt(0), valueAt(1)}, shape, values->dtype,
                          [&](const Scalar &s, ValueRange args) {
                            // Counted from the end where negative; outside, nothing is hot.
                            Value size = constant ? s.integer(*constant) : s.fromIndex(run);
                            Value isNegative = s.compare(Compare::Less, args[0], s.integer(0));
                            Value at = s.select(isNegative, s.add(args[0], size), args[0]);
                            Value isHot = s.compare(Compare::Equal, coordinate(s, *axis), at);
                            return s.select(isHot, args[2], args[1]);
                          }));
  return success();
}
