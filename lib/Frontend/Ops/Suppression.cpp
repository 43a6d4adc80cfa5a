//===- Suppression.cpp - boxes that no better one covers --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What may be taken of each class is gathered first: few of many boxes have a score
// above the threshold. Each iteration then takes the best box that is left of every
// class of every image at once, and strikes out what it covers. There are as many
// iterations as the fullest class takes boxes, and no sorting.
//
// What is carried is one integer for each candidate, its key:
//
//   struck    the lowest integer
//   taken     struck + 1 + the iteration
//   else      the bits of the score in the order of the floats, from kLeast on,
//             which is -infinity
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

static constexpr int64_t kStruck = INT32_MIN;
static constexpr int64_t kLeast = INT32_MIN + 0x7fffff;

static Value both(const Scalar &s, Value a, Value b) {
  return arith::AndIOp::create(s.b, s.loc, a, b);
}

/// The key of `score`, a float32; NaN has that of -infinity.
static Value makeKey(const Scalar &s, Value score) {
  Scalar bits = s.as(DType::I32);
  Value key = arith::BitcastOp::create(s.b, s.loc, bits.type(),
                                       s.add(score, s.constant(0))); // zeros have one sign
  Value isNegative = bits.compare(Compare::Less, key, bits.integer(0));
  Value flipped = arith::XOrIOp::create(s.b, s.loc, key, bits.highest());
  Value isNumber = s.compare(Compare::Equal, score, score);
  return bits.select(isNumber, bits.select(isNegative, flipped, key), bits.integer(kLeast));
}

namespace {
/// What may be taken of each class, in the order of the boxes: [batch, classes, most].
struct Candidates {
  Tensor *box;  ///< int32; 0 behind the last one
  Tensor *key;  ///< int32; struck behind the last one
  SymExpr most; ///< candidates of the fullest class
};
} // namespace

/// Those of `scores` that are above `threshold`, or all where that is null.
static Candidates gatherCandidates(Node &n, Tensor *scores, Tensor *threshold) {
  Emitter &e = n.emit;
  Shape shape = scores->shape;
  SmallVector<Tensor *> inputs{scores};
  if (threshold)
    inputs.push_back(threshold);
  auto isCandidate = [&](const Scalar &s, ValueRange args) {
    return threshold ? s.compare(Compare::Greater, args[0], args[1]) : s.as(DType::Bool).integer(1);
  };
  Tensor *flags = e.pointwise(inputs, shape, DType::I32, [&](const Scalar &s, ValueRange args) {
    return s.as(DType::Bool).convert(isCandidate(s, args), DType::I32);
  });
  Tensor *counts = e.reduce(flags, {2}, /*keep=*/true, ReduceKind::Sum);
  Tensor *fullest = e.reduce(counts, {0, 1, 2}, /*keep=*/false, ReduceKind::Max);
  std::string name = n.proto.output(0) + "_candidates";
  SymExpr most = e.countedSize(e.cast(fullest, DType::I64), shape[2], name);
  // What is none is written behind the last one.
  Value behind = e.index(most);
  inputs.push_back(cumulate(e, flags, 2, {.isExclusive = true}));
  Tensor *slots = e.pointwise(inputs, shape, DType::I32, [&](const Scalar &s, ValueRange args) {
    return s.select(isCandidate(s, args), args.back(), s.as(DType::I32).fromIndex(behind));
  });
  Tensor *boxes = e.generate(shape, DType::I32, [](const Scalar &s, ValueRange at) {
    return s.as(DType::I32).fromIndex(at[2]);
  });
  Tensor *none = e.expand(e.scalar(DType::I32, 0), {shape[0], shape[1], most + 1});
  Tensor *table = scatterInto(n, none, boxes, {slots}, e.b.getMultiDimIdentityMap(3),
                              {e.dim(0), e.dim(1), e.dim(3)}, /*combine=*/nullptr);
  Shape kept{shape[0], shape[1], most};
  Candidates candidates{e.slice(table, {0, 0, 0}, kept, {1, 1, 1}), nullptr, most};
  Tensor *chosen = gatherAt(n, scores, kept,
                            {Coordinate{nullptr, 0}, Coordinate{nullptr, 1}, {candidates.box, 0}},
                            /*fromEnd=*/false);
  candidates.key =
      e.pointwise({chosen, counts}, kept, DType::I32, [&](const Scalar &s, ValueRange args) {
        Scalar bits = s.as(DType::I32);
        Value slot = bits.fromIndex(linalg::IndexOp::create(s.b, s.loc, 2));
        Value isOne = bits.compare(Compare::Less, slot, args[1]);
        return bits.select(isOne, makeKey(s, args[0]), bits.integer(kStruck));
      });
  return candidates;
}

/// `boxes` [.., 4] as two corners: [4, ..], the low ends along both axes, and the high ones.
static Tensor *makeCorners(Emitter &e, Tensor *boxes, bool isCentered) {
  auto part = [&](int64_t number) { return takePart(e, boxes, boxes->rank() - 1, number); };
  SmallVector<Tensor *> corners;
  for (bool isHigh : {false, true})
    for (int64_t axis : {0, 1}) {
      auto body = [&](const Scalar &s, ValueRange args) {
        if (!isCentered)
          return isHigh ? s.max(args[0], args[1]) : s.min(args[0], args[1]);
        Value half = s.mul(args[1], s.constant(0.5));
        return isHigh ? s.add(args[0], half) : s.sub(args[0], half);
      };
      corners.push_back(e.unsqueeze(e.pointwise({part(axis), part(axis + 2)}, body), {0}));
    }
  return e.concat(corners, 0);
}

/// Whether two boxes, each given by its corners, share more of what they cover together
/// than `threshold`. Boxes without an area share nothing.
static Value covers(const Scalar &s, ValueRange a, ValueRange b, Value threshold) {
  Value zero = s.constant(0), shared, isShared, areas;
  for (int64_t axis : {0, 1}) {
    Value extent = s.sub(s.min(a[axis + 2], b[axis + 2]), s.max(a[axis], b[axis]));
    Value isPositive = s.compare(Compare::Greater, extent, zero);
    shared = shared ? s.mul(shared, extent) : extent;
    isShared = isShared ? both(s, isShared, isPositive) : isPositive;
  }
  for (ValueRange box : {a, b}) {
    Value area = s.mul(s.sub(box[2], box[0]), s.sub(box[3], box[1]));
    areas = areas ? s.add(areas, area) : area;
    isShared = both(s, isShared, s.compare(Compare::Greater, area, zero));
  }
  Value isOver = s.compare(Compare::Greater, s.div(shared, s.sub(areas, shared)), threshold);
  return both(s, isShared, isOver);
}

/// Takes the best candidate of each class, of `corners` [4, batch, classes, most], and strikes out
/// those that share more than `overlap` with it. The state is the keys.
static IterationResults takeBest(Node &n, const Iteration &at, Tensor *corners, Tensor *overlap) {
  Emitter &e = n.emit;
  Tensor *keys = at.state[0];
  Shape perBox = keys->shape;
  // The greatest key, and the first place that has it: two reductions of 32 bits take less than one
  // of both together.
  Tensor *best = e.reduce(keys, {2}, /*keep=*/true, ReduceKind::Max);
  Tensor *places =
      e.pointwise({keys, best}, perBox, DType::I32, [](const Scalar &s, ValueRange args) {
        Value slot = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, 2));
        return s.select(s.compare(Compare::Equal, args[0], args[1]), slot, s.highest());
      });
  Tensor *place = e.reduce(places, {2}, /*keep=*/true, ReduceKind::Min);
  auto isLeft = [](const Scalar &s, Value key) {
    return s.compare(Compare::GreaterEqual, key, s.integer(kLeast));
  };
  Tensor *chosen = gatherAt(n, corners, {4, perBox[0], perBox[1]},
                            {Coordinate{nullptr, 0},
                             Coordinate{nullptr, 1},
                             Coordinate{nullptr, 2},
                             {e.reshape(place, {1, perBox[0], perBox[1]}), 0}},
                            /*fromEnd=*/false);
  SmallVector<Tensor *> inputs{keys, best, place, overlap};
  for (int64_t i = 0; i < 4; ++i)
    inputs.push_back(e.unsqueeze(takePart(e, chosen, 0, i), {2}));
  for (int64_t i = 0; i < 4; ++i)
    inputs.push_back(takePart(e, corners, 0, i));
  Value now = e.index(at.number);
  Tensor *next = e.pointwise(inputs, perBox, DType::I32, [&](const Scalar &s, ValueRange args) {
    // Taken ones stay that; where none is left, nothing is done.
    Value isGone = both(s, covers(s.as(DType::F32), args.slice(4, 4), args.slice(8, 4), args[3]),
                        both(s, isLeft(s, args[0]), isLeft(s, args[1])));
    Value slot = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, 2));
    Value isIt = both(s, s.compare(Compare::Equal, slot, args[2]), isLeft(s, args[1]));
    Value taken = s.add(s.fromIndex(now), s.integer(kStruck + 1));
    return s.select(isIt, taken, s.select(isGone, s.integer(kStruck), args[0]));
  });
  Tensor *greatest = e.reduce(best, {0, 1, 2}, /*keep=*/false, ReduceKind::Max);
  Tensor *goesOn = e.pointwise({greatest}, {}, DType::Bool, [&](const Scalar &s, ValueRange args) {
    return isLeft(s, args[0]);
  });
  return {{next}, {}, goesOn};
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
  if (e.isInFunction())
    return n.fail("its size depends on data, which a loop's body cannot have",
                  "compute it in front of the loop");
  // Iterations have numbers below the keys of scores.
  if (failed(n.require(n.syms.less(number, kLeast - kStruck - 1),
                       "expects fewer than 2^23 - 2 boxes, but got %0", {number})))
    return failure();
  if (!*overlap)
    *overlap = e.scalar(DType::F32, 0);
  Candidates candidates = gatherCandidates(n, scores, *threshold);
  // How many of a class at most; none unless it is said.
  SymExpr trips = *most ? candidates.most : SymExpr(0);
  std::optional<Shape> known = *most ? e.elements(*most) : std::nullopt;
  if (known)
    trips = n.syms.min(trips, n.syms.max((*known)[0], 0));

  Shape perBox{batch, classes, candidates.most}, perClass{batch, classes};
  Tensor *corners = gatherAt(
      n, makeCorners(e, boxes, isCentered != 0), {4, batch, classes, candidates.most},
      {Coordinate{nullptr, 0}, Coordinate{nullptr, 1}, {e.unsqueeze(candidates.box, {0}), 0}},
      /*fromEnd=*/false);
  auto step = [&](const Iteration &at) {
    return takeBest(n, at, at.capture(corners), at.capture(*overlap));
  };
  Repetition repetition{trips, known ? nullptr : *most, {candidates.key}};
  Tensor *keys = n.repeat(repetition, step).state[0];

  // Behind those of the classes before, in the order in which they were taken.
  Tensor *order = e.pointwise({keys}, perBox, DType::I64, [](const Scalar &s, ValueRange args) {
    Scalar wide = s.as(DType::I64);
    Value key = s.convert(args[0], DType::I64);
    Value isScore = wide.compare(Compare::GreaterEqual, key, wide.integer(kLeast));
    return wide.select(isScore, wide.integer(-1), wide.sub(key, wide.integer(kStruck + 1)));
  });
  Tensor *isTaken = e.pointwise({order}, perBox, DType::I64, [](const Scalar &s, ValueRange args) {
    Value is = s.compare(Compare::GreaterEqual, args[0], s.integer(0));
    return s.select(is, s.integer(1), s.integer(0));
  });
  Tensor *perRow =
      e.reshape(e.reduce(isTaken, {2}, /*keep=*/false, ReduceKind::Sum), {batch * classes});
  Tensor *offsets =
      e.unsqueeze(e.reshape(cumulate(e, perRow, 0, {.isExclusive = true}), perClass), {2});
  SymExpr all = Emitter::product(perBox);
  Value behind = e.index(all);
  Tensor *numbers =
      e.pointwise({order, offsets}, perBox, DType::I64, [&](const Scalar &s, ValueRange args) {
        Value is = s.compare(Compare::GreaterEqual, args[0], s.integer(0));
        return s.select(is, s.add(args[0], args[1]), s.fromIndex(behind));
      });
  Tensor *count = e.reduce(perRow, {0}, /*keep=*/false, ReduceKind::Sum);
  FailureOr<Tensor *> places =
      placesByNumber(n, e.reshape(numbers, {all}), count, batch * classes * trips, 0);
  if (failed(places))
    return failure();
  SmallVector<Tensor *> columns = coordinatesOf(e, *places, perBox);
  columns.back() = e.cast(gatherAlong(e, e.reshape(candidates.box, {all}), *places, 0), DType::I64);
  for (Tensor *&column : columns)
    column = e.unsqueeze(column, {1});
  n.result(0, e.concat(columns, 1));
  return success();
}
