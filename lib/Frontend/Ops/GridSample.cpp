//===- GridSample.cpp - images at coordinates that are data ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A coordinate between elements takes one, two or four elements along each
// spatial dimension. These are dimensions of one gather, beside those of the
// result, which a sum weighted along each of them takes away:
//
//   y[n, c, out..] = sum over k.. of x[n, c, at_d[n, out.., k_d]..] * product of w_d[n, out.., k_d]
//
// What lies outside of the image is zero, or a coordinate inside that takes its
// place.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

namespace {
struct Sampling {
  int64_t taps; ///< elements along a dimension: 1, 2 or 4
  std::string padding;
  bool alignsCorners;
};

/// The image along one dimension, as values of a body.
struct Extent {
  Value last, least, most; ///< last element; the borders that coordinates are reflected at
};
} // namespace

static Extent extentOf(const Scalar &s, const Sampling &how, const SymExpr &extent, Value run) {
  Value size = run ? s.fromIndex(run) : s.constant(static_cast<double>(*extent.constant()));
  Value last = s.sub(size, s.constant(1));
  if (how.alignsCorners)
    return {last, s.constant(0), last};
  return {last, s.constant(-0.5), s.sub(size, s.constant(0.5))};
}

static Value clampTo(const Scalar &s, Value x, Value low, Value high) {
  return s.max(s.min(x, high), low);
}

/// `x` reflected at both borders until it lies between them.
static Value reflect(const Scalar &s, Value x, const Extent &extent) {
  Value range = s.sub(extent.most, extent.least), zero = s.constant(0);
  auto folded = [&](Value beyond, Value near, Value far, bool goesUp) {
    Value turns = math::FloorOp::create(s.b, s.loc, s.div(beyond, range));
    Value rest = s.sub(beyond, s.mul(turns, range));
    Value half = math::FloorOp::create(s.b, s.loc, s.mul(turns, s.constant(0.5)));
    Value isEven = s.compare(Compare::Equal, s.add(half, half), turns);
    Value first = goesUp ? s.add(near, rest) : s.sub(near, rest);
    Value second = goesUp ? s.sub(far, rest) : s.add(far, rest);
    return s.select(isEven, first, second);
  };
  Value below = folded(s.sub(extent.least, x), extent.least, extent.most, true);
  Value above = folded(s.sub(x, extent.most), extent.most, extent.least, false);
  Value isBelow = s.compare(Compare::Less, x, extent.least);
  Value isAbove = s.compare(Compare::Greater, x, extent.most);
  Value inside = s.select(isBelow, below, s.select(isAbove, above, x));
  return s.select(s.compare(Compare::Greater, range, zero), inside, zero);
}

/// The coordinate in elements for `x` from -1 to 1; what lies outside is moved as the padding says.
static Value denormalise(const Scalar &s, const Sampling &how, Value x, const Extent &extent) {
  Value half = s.constant(0.5), moved = s.add(x, s.constant(1));
  Value at =
      how.alignsCorners
          ? s.mul(s.mul(moved, half), extent.last)
          : s.mul(s.sub(s.mul(moved, s.add(extent.last, s.constant(1))), s.constant(1)), half);
  if (how.taps == 1)
    at = math::RoundEvenOp::create(s.b, s.loc, at);
  if (how.padding == "zeros")
    return at;
  if (how.padding == "reflection")
    return reflect(s, at, extent);
  Value isOut = arith::OrIOp::create(s.b, s.loc, s.compare(Compare::Less, at, extent.least),
                                     s.compare(Compare::Greater, at, extent.most));
  return s.select(isOut, clampTo(s, at, s.constant(0), extent.last), at);
}

/// The weight of an element at distance `x` from the coordinate.
static Value weightOf(const Scalar &s, const Sampling &how, Value x) {
  Value one = s.constant(1);
  if (how.taps == 2)
    return s.sub(one, x);
  // Keys' cubic convolution with a = -0.75.
  double a = -0.75;
  auto times = [&](Value v, double c) { return s.add(s.mul(v, x), s.constant(c)); };
  Value near = times(times(times(s.constant(a + 2), -(a + 3)), 0), 1);
  Value far = times(times(times(s.constant(a), -5 * a), 8 * a), -4 * a);
  return s.select(s.compare(Compare::LessEqual, x, one), near, far);
}

/// What the coordinates `grid`, [n, 1, out.., 1..], take along a dimension of the image, whose taps
/// lie along dimension `dim`.
static Taps takeTaps(Emitter &e, const Sampling &how, Tensor *grid, const SymExpr &extent,
                     int64_t dim) {
  Value run = extent.constant() ? Value() : e.index(extent);
  Shape shape = grid->shape;
  shape[dim] = how.taps;
  // The coordinate, and the element that is taken.
  struct Place {
    Value coordinate, element;
    Extent image;
  };
  auto place = [&](const Scalar &s, Value x) {
    Extent image = extentOf(s, how, extent, run);
    Value at = denormalise(s, how, x, image);
    if (how.taps == 1)
      return Place{at, at, image};
    Value tap = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, dim));
    if (how.taps == 4)
      tap = s.sub(tap, s.constant(1));
    return Place{at, s.add(math::FloorOp::create(s.b, s.loc, at), tap), image};
  };
  Taps taps;
  taps.index = e.pointwise({grid}, shape, DType::I64, [&](const Scalar &s, ValueRange args) {
    auto [coordinate, at, image] = place(s, args[0]);
    if (how.padding == "reflection")
      at = reflect(s, at, image);
    at = clampTo(s, at, s.constant(0), image.last);
    // Not a number is no place; its weight says so.
    Value isNumber = s.compare(Compare::Equal, at, at);
    return s.convert(s.select(isNumber, at, s.constant(0)), DType::I64);
  });
  if (how.padding == "zeros")
    taps.isInside = e.pointwise({grid}, shape, DType::Bool, [&](const Scalar &s, ValueRange args) {
      auto [coordinate, at, image] = place(s, args[0]);
      Value isHigh = s.compare(Compare::LessEqual, at, image.last);
      Value isLow = s.compare(Compare::GreaterEqual, at, s.constant(0));
      return arith::AndIOp::create(s.b, s.loc, isLow, isHigh);
    });
  if (how.taps > 1)
    taps.weight = e.pointwise({grid}, shape, grid->dtype, [&](const Scalar &s, ValueRange args) {
      auto [coordinate, at, image] = place(s, args[0]);
      return weightOf(s, how, s.abs(s.sub(coordinate, at)));
    });
  return taps;
}

Tensor *sectile::frontend::reduceTaps(Node &n, Tensor *x, ArrayRef<SymExpr> shape,
                                      ArrayRef<Coordinate> at, ArrayRef<Taps> taps, int64_t numDims,
                                      ReduceKind kind) {
  Emitter &e = n.emit;
  SmallVector<Tensor *> weights, masks;
  for (const Taps &tap : taps) {
    if (tap.weight)
      weights.push_back(tap.weight);
    if (tap.isInside)
      masks.push_back(tap.isInside);
  }
  SmallVector<Tensor *> inputs{
      e.cast(gatherAt(n, x, shape, at, /*fromEnd=*/false), computeType(x->dtype))};
  llvm::append_range(inputs, masks);
  llvm::append_range(inputs, weights);
  Tensor *terms = e.pointwise(inputs, [&](const Scalar &s, ValueRange args) {
    Value term = args[0];
    for (Value mask : args.slice(1, masks.size()))
      term = s.select(mask, term, s.integer(0));
    for (Value weight : args.drop_front(1 + masks.size()))
      term = s.mul(term, weight);
    return term;
  });
  int64_t rank = static_cast<int64_t>(shape.size());
  SmallVector<int64_t> behind = llvm::to_vector(llvm::seq(rank - numDims, rank));
  return e.reduce(terms, behind, /*keep=*/false, kind);
}

static FailureOr<Sampling> readSampling(Node &n) {
  std::string mode = n.stringAttr("mode", n.opset() < 20 ? "bilinear" : "linear");
  Sampling how;
  how.taps = mode == "nearest"                        ? 1
             : mode == "bilinear" || mode == "linear" ? 2
             : mode == "bicubic" || mode == "cubic"   ? 4
                                                      : 0;
  if (how.taps == 0)
    return n.fail("expects the mode to be nearest, linear or cubic, but got '" + mode + "'");
  how.padding = n.stringAttr("padding_mode", "zeros");
  if (how.padding != "zeros" && how.padding != "border" && how.padding != "reflection")
    return n.fail("expects the padding_mode to be zeros, border or reflection, but got '" +
                  how.padding + "'");
  how.alignsCorners = n.intAttr("align_corners", 0) != 0;
  return how;
}

LogicalResult sectile::frontend::importGridSample(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *grid = n.in(1);
  FailureOr<Sampling> how = readSampling(n);
  if (failed(how) || failed(n.expectFloat(x)) || failed(n.expectFloat(grid)) ||
      failed(n.expectRank(x, 3, 5)) || failed(n.expectRank(grid, x->rank(), x->rank())) ||
      failed(n.expectEqual(x->shape[0], grid->shape[0], "the batches")) ||
      failed(n.expectEqual(grid->shape.back(), x->rank() - 2, "the number of coordinates")))
    return failure();
  int64_t spatial = x->rank() - 2;
  DType dtype = computeType(x->dtype);
  Shape shape{x->shape[0], x->shape[1]}, ofGrid{x->shape[0], 1};
  for (int64_t dim = 1; dim <= spatial; ++dim) {
    shape.push_back(grid->shape[dim]);
    ofGrid.push_back(grid->shape[dim]);
  }
  // The taps of all dimensions stand behind the result's.
  for (int64_t dim = 0; dim < spatial; ++dim) {
    shape.push_back(how->taps);
    ofGrid.push_back(1);
  }
  SmallVector<Coordinate> at{{nullptr, 0}, {nullptr, 1}};
  SmallVector<Taps> taps;
  for (int64_t dim = 0; dim < spatial; ++dim) {
    SymExpr extent = n.syms.simplify(x->shape[dim + 2]);
    if (failed(n.require(n.syms.less(0, extent), "expects extents of at least 1, but got %0",
                         {extent})))
      return failure();
    // The last dimension's coordinate comes first.
    SmallVector<SymExpr> offsets(spatial + 1, 0), sizes(grid->shape.begin(), grid->shape.end());
    offsets.push_back(spatial - 1 - dim);
    sizes.back() = 1;
    Tensor *part = e.slice(grid, offsets, sizes, SmallVector<int64_t>(spatial + 2, 1));
    taps.push_back(
        takeTaps(e, *how, e.cast(e.reshape(part, ofGrid), dtype), extent, x->rank() + dim));
    at.push_back({taps.back().index, 0});
  }
  n.result(0, e.cast(reduceTaps(n, x, shape, at, taps, spatial, ReduceKind::Sum), x->dtype));
  return success();
}

LogicalResult sectile::frontend::importAffineGrid(Node &n) {
  Emitter &e = n.emit;
  Tensor *theta = n.in(0);
  FailureOr<Shape> size = n.elements(1, "the size");
  bool alignsCorners = n.intAttr("align_corners", 0) != 0;
  if (failed(size) || failed(n.expectFloat(theta)) || failed(n.expectRank(theta, 3, 3)))
    return failure();
  int64_t spatial = static_cast<int64_t>(size->size()) - 2;
  if (spatial != 2 && spatial != 3)
    return n.fail("expects a size of 4 or 5 numbers, but got " + Twine(size->size()));
  if (failed(n.expectEqual(theta->shape[0], (*size)[0], "the batches")) ||
      failed(n.expectEqual(theta->shape[1], spatial, "rows of theta and spatial dimensions")) ||
      failed(n.expectEqual(theta->shape[2], spatial + 1, "columns of theta, one more of which")))
    return failure();
  // y[n, out.., i] = sum over j of theta[n, i, j] * coordinate j + theta[n, i, last]; the first
  // coordinate is that of the last dimension.
  DType dtype = computeType(theta->dtype);
  Shape shape{(*size)[0]};
  shape.append(size->begin() + 2, size->end());
  shape.push_back(spatial);
  SmallVector<Tensor *> columns;
  SmallVector<int64_t> ones = llvm::to_vector(llvm::seq<int64_t>(1, spatial + 1));
  for (int64_t j = 0; j <= spatial; ++j)
    columns.push_back(
        e.unsqueeze(takePart(e, e.cast(theta, dtype), 2, j), ones)); // [n, 1.., spatial]
  SmallVector<Value> runs;
  for (const SymExpr &extent : ArrayRef(shape).slice(1, spatial))
    runs.push_back(e.index(extent));
  Tensor *grid = e.pointwise(columns, shape, dtype, [&](const Scalar &s, ValueRange args) {
    Value sum = args.back(), one = s.constant(1), two = s.constant(2);
    for (int64_t j = 0; j < spatial; ++j) {
      int64_t dim = spatial - 1 - j;
      Value at = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, dim + 1));
      Value extent = s.fromIndex(runs[dim]), place;
      if (alignsCorners) // from -1 to 1; a single element stands at -1
        place = s.sub(s.div(s.mul(at, two), s.max(s.sub(extent, one), one)), one);
      else
        place = s.sub(s.div(s.add(s.mul(at, two), one), extent), one);
      sum = s.add(sum, s.mul(args[j], place));
    }
    return sum;
  });
  n.result(0, e.cast(grid, theta->dtype));
  return success();
}
