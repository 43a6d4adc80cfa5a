//===- Suppression.cpp - boxes that no better one covers --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each iteration takes the best box that is left of every class of every image at
// once, and strikes out what it covers. What is carried is a score for each box,
// or `struck`, and the iteration in which a box was taken. There are as many
// iterations as the fullest class takes boxes, and no sorting.
//
// Scores are carried as integers in the order of the floats, so that -infinity is
// a score like another and struck boxes are below it.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// No float that is a number has this key.
static Value struck(const Scalar &s) { return s.as(DType::I32).lowest(); }

static Value both(const Scalar &s, Value a, Value b) {
  return arith::AndIOp::create(s.b, s.loc, a, b);
}

/// Keys of `scores` in their order; NaN, and what is not above `threshold` unless that is null, is
/// struck.
static Tensor *makeKeys(Emitter &e, Tensor *scores, Tensor *threshold) {
  SmallVector<Tensor *> inputs{scores};
  if (threshold)
    inputs.push_back(threshold);
  return e.pointwise(inputs, scores->shape, DType::I32, [&](const Scalar &s, ValueRange args) {
    Scalar bits = s.as(DType::I32);
    Value score = s.add(args[0], s.constant(0)); // zeros have one sign
    Value key = arith::BitcastOp::create(s.b, s.loc, bits.type(), score);
    Value isNegative = bits.compare(Compare::Less, key, bits.integer(0));
    Value flipped = arith::XOrIOp::create(s.b, s.loc, key, bits.highest());
    key = bits.select(isNegative, flipped, key);
    Value isLeft = threshold ? s.compare(Compare::Greater, args[0], args[1])
                             : s.compare(Compare::Equal, args[0], args[0]);
    return bits.select(isLeft, key, struck(s));
  });
}

/// `boxes` [.., 4] as two corners and an area: [.., 1] each of low and high ends along both axes,
/// and their product.
static SmallVector<Tensor *> makeCorners(Emitter &e, Tensor *boxes, bool isCentered) {
  auto part = [&](int64_t number) {
    SmallVector<SymExpr> offsets(boxes->rank(), 0), sizes(boxes->shape.begin(), boxes->shape.end());
    offsets.back() = number;
    sizes.back() = 1;
    return e.slice(boxes, offsets, sizes, SmallVector<int64_t>(boxes->rank(), 1));
  };
  SmallVector<Tensor *> corners;
  for (bool isHigh : {false, true})
    for (int64_t axis : {0, 1})
      corners.push_back(
          e.pointwise({part(axis), part(axis + 2)}, [&](const Scalar &s, ValueRange args) {
            if (!isCentered)
              return isHigh ? s.max(args[0], args[1]) : s.min(args[0], args[1]);
            Value half = s.mul(args[1], s.constant(0.5));
            return isHigh ? s.add(args[0], half) : s.sub(args[0], half);
          }));
  corners.push_back(e.pointwise(corners, [](const Scalar &s, ValueRange args) {
    return s.mul(s.sub(args[2], args[0]), s.sub(args[3], args[1]));
  }));
  return corners;
}

/// Whether two boxes, each given by its corners and area, share more of what they cover together
/// than `threshold`. Boxes without an area share nothing.
static Value covers(const Scalar &s, ValueRange a, ValueRange b, Value threshold) {
  Value zero = s.constant(0), shared, isShared;
  for (int64_t axis : {0, 1}) {
    Value extent = s.sub(s.min(a[axis + 2], b[axis + 2]), s.max(a[axis], b[axis]));
    Value isPositive = s.compare(Compare::Greater, extent, zero);
    shared = shared ? s.mul(shared, extent) : extent;
    isShared = isShared ? both(s, isShared, isPositive) : isPositive;
  }
  for (Value area : {a[4], b[4]})
    isShared = both(s, isShared, s.compare(Compare::Greater, area, zero));
  Value together = s.sub(s.add(a[4], b[4]), shared);
  Value isOver = s.compare(Compare::Greater, s.div(shared, together), threshold);
  return both(s, isShared, isOver);
}

/// An optional input of one number; null if it is not given.
static FailureOr<Tensor *> readNumber(Node &n, unsigned input, DType dtype) {
  if (!n.has(input))
    return static_cast<Tensor *>(nullptr);
  Tensor *x = n.in(input);
  if (x->dtype != dtype)
    return n.fail("expects input " + Twine(input) + " of " + nameOf(dtype) + ", but got " +
                  nameOf(x->dtype));
  SymExpr count = Emitter::product(x->shape);
  if (failed(n.require(n.syms.equal(count, 1),
                       "expects input " + Twine(input) + " to be one number, but got %0", {count})))
    return failure();
  return n.emit.reshape(x, {});
}

LogicalResult sectile::frontend::importNonMaxSuppression(Node &n) {
  Emitter &e = n.emit;
  Tensor *boxes = n.in(0), *scores = n.in(1);
  if (boxes->dtype != DType::F32 || scores->dtype != DType::F32)
    return n.fail("expects boxes and scores of float32, but got " + nameOf(boxes->dtype) + " and " +
                  nameOf(scores->dtype));
  int64_t isCentered = n.intAttr("center_point_box", 0);
  if (isCentered != 0 && isCentered != 1)
    return n.fail("expects center_point_box to be 0 or 1, but got " + Twine(isCentered));
  FailureOr<Tensor *> most = readNumber(n, 2, DType::I64), overlap = readNumber(n, 3, DType::F32),
                      threshold = readNumber(n, 4, DType::F32);
  if (failed(most) || failed(overlap) || failed(threshold) || failed(n.expectRank(boxes, 3, 3)) ||
      failed(n.expectRank(scores, 3, 3)) ||
      failed(n.expectEqual(boxes->shape[2], 4, "the numbers of a box and 4")) ||
      failed(n.expectEqual(boxes->shape[0], scores->shape[0], "the batches of boxes and scores")) ||
      failed(n.expectEqual(boxes->shape[1], scores->shape[2], "the numbers of boxes and scores")))
    return failure();
  SymExpr batch = n.syms.simplify(scores->shape[0]), classes = n.syms.simplify(scores->shape[1]),
          number = n.syms.simplify(scores->shape[2]);
  // How many of a class at most; none unless it is said.
  SymExpr trips = *most ? number : SymExpr(0);
  std::optional<Shape> known = *most ? e.elements(*most) : std::nullopt;
  if (known)
    trips = n.syms.min(number, n.syms.max((*known)[0], 0));
  if (!*overlap)
    *overlap = e.scalar(DType::F32, 0);

  Shape perBox{batch, classes, number}, perClass{batch, classes, 1};
  Tensor *keys = makeKeys(e, scores, *threshold);
  Tensor *none = e.expand(e.scalar(DType::I64, -1), perBox);
  Tensor *corners = e.concat(makeCorners(e, boxes, isCentered != 0), 2); // [batch, number, 5]
  auto step = [&](const Iteration &at) -> IterationResults {
    Tensor *left = at.state[0], *taken = at.state[1], *all = at.capture(corners);
    Tensor *best = argExtreme(e, left, 2, /*isMax=*/true, /*takesLast=*/false);
    Tensor *key = e.reduce(left, {2}, /*keep=*/true, ReduceKind::Max);
    Tensor *chosen = gatherAt(n, all, perClass, {Coordinate{nullptr, 0}, Coordinate{best, 0}},
                              /*fromEnd=*/false); // [batch, classes, 1, 5]
    SmallVector<Tensor *> inputs{left, key, best, at.capture(*overlap)};
    for (int64_t i = 0; i < 5; ++i)
      inputs.push_back(takePart(e, chosen, 3, i));
    for (int64_t i = 0; i < 5; ++i)
      inputs.push_back(e.unsqueeze(takePart(e, all, 2, i), {1}));
    Tensor *next = e.pointwise(inputs, perBox, DType::I32, [&](const Scalar &s, ValueRange args) {
      Scalar real = s.as(DType::F32), index = s.as(DType::I64);
      Value isGone = covers(real, args.slice(4, 5), args.slice(9, 5), args[3]);
      Value here = index.fromIndex(linalg::IndexOp::create(s.b, s.loc, 2));
      isGone =
          arith::OrIOp::create(s.b, s.loc, isGone, index.compare(Compare::Equal, here, args[2]));
      isGone = both(s, isGone, s.compare(Compare::NotEqual, args[1], struck(s)));
      return s.select(isGone, struck(s), args[0]);
    });
    Value now = e.index(at.number);
    Tensor *when =
        e.pointwise({taken, key, best}, perBox, DType::I64, [&](const Scalar &s, ValueRange args) {
          Scalar keyed = s.as(DType::I32);
          Value here = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, 2));
          Value isIt = both(s, s.compare(Compare::Equal, here, args[2]),
                            keyed.compare(Compare::NotEqual, args[1], struck(s)));
          return s.select(isIt, s.fromIndex(now), args[0]);
        });
    Tensor *greatest = e.reduce(next, {0, 1, 2}, /*keep=*/false, ReduceKind::Max);
    Tensor *goesOn = e.pointwise({greatest}, {}, DType::Bool, [](const Scalar &s, ValueRange args) {
      return s.compare(Compare::NotEqual, args[0], struck(s));
    });
    return {{next, when}, {}, goesOn};
  };
  Repetition repetition{trips, known ? nullptr : *most, {keys, none}};
  Tensor *taken = n.repeat(repetition, step).state[1];

  // Behind those of the classes before, in the order in which they were taken.
  Tensor *isTaken = e.pointwise({taken}, perBox, DType::I64, [](const Scalar &s, ValueRange args) {
    Value is = s.compare(Compare::GreaterEqual, args[0], s.integer(0));
    return s.select(is, s.integer(1), s.integer(0));
  });
  Tensor *perRow =
      e.reshape(e.reduce(isTaken, {2}, /*keep=*/false, ReduceKind::Sum), {batch * classes});
  Tensor *offsets = e.reshape(cumulate(e, perRow, 0, {.isExclusive = true}), perClass);
  Value behind = e.index(Emitter::product(perBox));
  Tensor *numbers =
      e.pointwise({taken, offsets}, perBox, DType::I64, [&](const Scalar &s, ValueRange args) {
        Value is = s.compare(Compare::GreaterEqual, args[0], s.integer(0));
        return s.select(is, s.add(args[0], args[1]), s.fromIndex(behind));
      });
  Tensor *count = e.reduce(perRow, {0}, /*keep=*/false, ReduceKind::Sum);
  FailureOr<Tensor *> places = placesByNumber(n, e.reshape(numbers, {Emitter::product(perBox)}),
                                              count, batch * classes * trips, 0);
  if (failed(places))
    return failure();
  SmallVector<Tensor *> columns;
  for (Tensor *coordinate : coordinatesOf(e, *places, perBox))
    columns.push_back(e.unsqueeze(coordinate, {1}));
  n.result(0, e.concat(columns, 1));
  return success();
}
