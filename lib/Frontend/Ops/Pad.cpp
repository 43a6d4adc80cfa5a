//===- Pad.cpp - padding -------------------------------------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Axes.h"
#include "Operators.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

//===----------------------------------------------------------------------===//
// Padding
//===----------------------------------------------------------------------===//

/// What stands in front (or behind) along an axis for modes that repeat the input.
static Tensor *border(Node &n, Tensor *x, int64_t axis, const SymExpr &count, StringRef mode,
                      bool isFront) {
  SymExpr extent = x->shape[axis];
  SmallVector<SymExpr> offsets(x->rank(), 0);
  Shape sizes = x->shape;
  SmallVector<int64_t> strides(x->rank(), 1);
  if (mode == "edge") {
    offsets[axis] = isFront ? SymExpr(0) : extent - 1;
    sizes[axis] = 1;
    Tensor *edge = n.emit.slice(x, offsets, sizes, strides);
    sizes[axis] = count;
    return n.emit.expand(edge, sizes);
  }
  sizes[axis] = count;
  if (mode == "wrap") {
    offsets[axis] = isFront ? extent - count : SymExpr(0);
    return n.emit.slice(x, offsets, sizes, strides);
  }
  offsets[axis] = isFront ? SymExpr(1) : extent - 1 - count;
  return n.emit.reverse(n.emit.slice(x, offsets, sizes, strides), axis);
}

/// The same where `count` may exceed what one turn along the axis gives: the input is then
/// repeated, or reflected at both ends again and again.
static Tensor *repeatedBorder(Node &n, Tensor *x, int64_t axis, const SymExpr &count,
                              StringRef mode, bool isFront) {
  Emitter &e = n.emit;
  const SymExpr &extent = x->shape[axis];
  Value size = e.index(extent), first = e.index(isFront ? SymExpr(0) - count : extent);
  Tensor *indices = e.generate({count}, DType::I64, [&](const Scalar &s, ValueRange coords) {
    Value length = s.fromIndex(size), one = s.integer(1), zero = s.integer(0);
    Value place = s.add(s.fromIndex(coords[0]), s.fromIndex(first));
    bool wraps = mode == "wrap";
    Value period = s.max(wraps ? length : s.mul(s.sub(length, one), s.integer(2)), one);
    Value rest = s.rem(place, period);
    Value inTurn = s.select(s.compare(Compare::Less, rest, zero), s.add(rest, period), rest);
    if (wraps)
      return inTurn;
    // An extent of 1 reflects to itself: its period is taken for 1.
    return s.min(inTurn, s.sub(period, inTurn));
  });
  Shape shape = x->shape;
  shape[axis] = count;
  Value source = e.value(x), chosen = e.value(indices);
  Value border = graph::GatherOp::create(e.b, e.loc, e.type(x->dtype, shape), source, chosen, axis);
  return e.make(x->dtype, shape, border);
}

/// `padded` with the scalar `fill` wherever it does not lie in the box of `sizes` from `low` on.
static Tensor *filledOutside(Node &n, Tensor *padded, Tensor *fill, ArrayRef<SymExpr> low,
                             ArrayRef<SymExpr> sizes) {
  SmallVector<Value> begins, ends;
  for (auto [begin, size] : llvm::zip_equal(low, sizes)) {
    begins.push_back(n.emit.index(begin));
    ends.push_back(n.emit.index(begin + size));
  }
  return n.emit.pointwise({padded, fill}, [&](const Scalar &s, ValueRange args) {
    Value inside = s.as(DType::Bool).integer(1);
    for (auto [dim, begin, end] : llvm::enumerate(begins, ends)) {
      Value at = linalg::IndexOp::create(s.b, s.loc, dim);
      for (Value holds :
           {arith::CmpIOp::create(s.b, s.loc, arith::CmpIPredicate::sge, at, begin).getResult(),
            arith::CmpIOp::create(s.b, s.loc, arith::CmpIPredicate::slt, at, end).getResult()})
        inside = arith::AndIOp::create(s.b, s.loc, inside, holds);
    }
    return s.select(inside, args[0], args[1]);
  });
}

LogicalResult sectile::frontend::importPad(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  std::string mode = n.stringAttr("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")
    return n.fail("mode '" + mode + "' is not supported");
  Shape pads;
  Value element;
  Tensor *fill = nullptr; ///< of the run
  Shape places;
  for (int64_t dim = 0; dim < x->rank(); ++dim)
    places.push_back(dim);
  if (n.opset() < 11) {
    std::optional<SmallVector<int64_t>> given = n.intsAttr("pads");
    if (!given)
      return n.fail("expects pads");
    pads.assign(given->begin(), given->end());
    element = e.scalars(x->dtype).constant(n.floatAttr("value", 0));
  } else {
    if (n.numInputs() < 2 || !n.has(1))
      return n.fail("expects pads");
    FailureOr<Shape> given = n.elements(1, "pads");
    if (failed(given))
      return failure();
    pads = *given;
    if (n.has(2)) {
      if (failed(n.expectSameType({x, n.in(2)})))
        return failure();
      if (!Emitter::product(n.in(2)->shape).isConstant(1))
        return n.fail("expects the padding's value to be one number");
      Scalar s = e.scalars(x->dtype);
      if (std::optional<double> known = e.constantScalar(n.in(2)))
        element = isFloat(x->dtype) ? s.constant(*known)
                                    : s.integer(Emitter::constantInteger(n.in(2), 0));
      else
        fill = e.reshape(n.in(2), {});
    }
    if (!element)
      element = e.scalars(x->dtype).integer(0);
    FailureOr<std::optional<Shape>> along = Axes::read(n, "axes", 3);
    if (failed(along))
      return failure();
    if (*along)
      places = **along;
  }
  if (pads.size() != 2 * places.size())
    return n.fail("expects " + Twine(2 * places.size()) + " values in pads, but got " +
                  Twine(pads.size()));
  FailureOr<Axes> axes = Axes::get(n, places, x->rank());
  if (failed(axes))
    return failure();
  SmallVector<SymExpr> low, high, cutLow, cutHigh;
  for (int64_t dim = 0; dim < x->rank(); ++dim) {
    SymExpr front = 0, back = 0;
    for (size_t i = 0; i < places.size(); ++i) {
      front = front + axes->is(i, dim) * pads[i];
      back = back + axes->is(i, dim) * pads[places.size() + i];
    }
    front = e.nameValue(front, "pad");
    back = e.nameValue(back, "pad");
    low.push_back(n.syms.max(front, 0));
    high.push_back(n.syms.max(back, 0));
    cutLow.push_back(n.syms.max(SymExpr(0) - front, 0));
    cutHigh.push_back(n.syms.max(SymExpr(0) - back, 0));
  }
  // Negative padding cuts off.
  Shape kept;
  for (int64_t dim = 0; dim < x->rank(); ++dim) {
    kept.push_back(x->shape[dim] - cutLow[dim] - cutHigh[dim]);
    if (failed(n.require(SymExpr(1) - n.syms.less(kept.back(), 0),
                         "expects padding that leaves at least 0 elements, but got %0",
                         {kept.back()})))
      return failure();
  }
  Tensor *cut = e.slice(x, cutLow, kept, SmallVector<int64_t>(x->rank(), 1));
  if (mode == "constant") {
    Tensor *padded = e.pad(cut, low, high, element);
    n.result(0, fill ? filledOutside(n, padded, fill, low, cut->shape) : padded);
    return success();
  }
  for (int64_t dim = 0; dim < x->rank(); ++dim) {
    if (low[dim].isConstant(0) && high[dim].isConstant(0))
      continue;
    const SymExpr &extent = cut->shape[dim];
    if (failed(n.require(SymExpr(1) - n.syms.equal(extent, 0),
                         "expects padding that an extent of %0 can give", {extent})))
      return failure();
    SymExpr most = mode == "reflect" ? extent - 1 : extent;
    auto add = [&](const SymExpr &count, bool isFront) {
      bool isOneTurn = mode == "edge" || n.syms.simplify(n.syms.less(most, count)).isConstant(0);
      return (isOneTurn ? border : repeatedBorder)(n, cut, dim, count, mode, isFront);
    };
    SmallVector<Tensor *> parts;
    if (!low[dim].isConstant(0))
      parts.push_back(add(low[dim], /*isFront=*/true));
    parts.push_back(cut);
    if (!high[dim].isConstant(0))
      parts.push_back(add(high[dim], /*isFront=*/false));
    cut = e.concat(parts, dim);
  }
  n.result(0, cut);
  return success();
}

LogicalResult sectile::frontend::importCenterCropPad(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  FailureOr<Shape> wanted = n.elements(1, "the new shape");
  if (failed(wanted))
    return failure();
  SmallVector<int64_t> all = llvm::to_vector(llvm::seq<int64_t>(0, x->rank()));
  SmallVector<int64_t> places = n.intsAttr("axes").value_or(all);
  // One by one, since the new extents go by the order in which axes are given.
  if (failed(n.axes(places, x->rank())))
    return failure();
  if (wanted->size() != places.size())
    return n.fail("expects " + Twine(places.size()) + " extents of the new shape, but got " +
                  Twine(wanted->size()));
  SmallVector<SymExpr> low(x->rank(), 0), high(x->rank(), 0), cut(x->rank(), 0);
  Shape kept(x->shape);
  for (auto [place, extent] : llvm::zip_equal(places, *wanted)) {
    int64_t dim = place < 0 ? place + x->rank() : place;
    if (failed(n.require(SymExpr(1) - n.syms.less(extent, 0),
                         "expects an extent of at least 0, but got %0", {extent})))
      return failure();
    SymExpr more = e.nameValue(n.syms.max(extent - x->shape[dim], 0), "added");
    SymExpr less = e.nameValue(n.syms.max(x->shape[dim] - extent, 0), "cut");
    low[dim] = n.syms.floorDiv(more, 2);
    high[dim] = more - low[dim];
    cut[dim] = n.syms.floorDiv(less, 2);
    kept[dim] = x->shape[dim] - less;
  }
  Tensor *middle = e.slice(x, cut, kept, SmallVector<int64_t>(x->rank(), 1));
  n.result(0, e.pad(middle, low, high, e.scalars(x->dtype).integer(0)));
  return success();
}
