//===- GridSample.cpp - images at coordinates that are data ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A coordinate between elements takes one, two or four elements along each
// spatial dimension; the result is the sum, over all combinations, of a gather
// times the product of the dimensions' weights. What lies outside of the image
// is zero, or a coordinate inside that takes its place.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

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

/// One of the elements that a coordinate takes along one dimension; each is [n, 1, out..].
struct Tap {
  Tensor *index;              ///< int64, inside the image
  Tensor *weight = nullptr;   ///< null where it is 1
  Tensor *isInside = nullptr; ///< where the element is not zero; null where it never is
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

/// The weight of the tap at distance `tap` from floor(x), where x lies `part` behind that.
static Value weightOf(const Scalar &s, const Sampling &how, int64_t tap, Value part) {
  if (how.taps == 2)
    return tap == 0 ? s.sub(s.constant(1), part) : part;
  // Keys' cubic convolution with a = -0.75.
  double a = -0.75;
  Value x = s.abs(s.sub(s.constant(static_cast<double>(tap)), part));
  auto times = [&](Value v, double c) { return s.add(s.mul(v, x), s.constant(c)); };
  if (tap == -1 || tap == 2)
    return times(times(times(s.constant(a), -5 * a), 8 * a), -4 * a);
  return times(times(times(s.constant(a + 2), -(a + 3)), 0), 1);
}

/// What the coordinates `grid`, [n, 1, out..], take along a dimension of that extent.
static SmallVector<Tap> takeTaps(Emitter &e, const Sampling &how, Tensor *grid,
                                 const SymExpr &extent) {
  Value run = extent.constant() ? Value() : e.index(extent);
  auto place = [&](const Scalar &s, Value x, int64_t tap) {
    Extent all = extentOf(s, how, extent, run);
    Value base = denormalise(s, how, x, all);
    if (how.taps > 1)
      base = math::FloorOp::create(s.b, s.loc, base);
    return std::pair(s.add(base, s.constant(static_cast<double>(tap))), all);
  };
  SmallVector<Tap> taps;
  for (int64_t number = 0; number < how.taps; ++number) {
    int64_t offset = how.taps == 4 ? number - 1 : number;
    Tap tap;
    tap.index = e.pointwise({grid}, grid->shape, DType::I64, [&](const Scalar &s, ValueRange args) {
      auto [at, all] = place(s, args[0], offset);
      if (how.padding == "reflection")
        at = reflect(s, at, all);
      at = clampTo(s, at, s.constant(0), all.last);
      // Not a number is no place; its weight says so.
      Value isNumber = s.compare(Compare::Equal, at, at);
      return s.convert(s.select(isNumber, at, s.constant(0)), DType::I64);
    });
    if (how.padding == "zeros")
      tap.isInside =
          e.pointwise({grid}, grid->shape, DType::Bool, [&](const Scalar &s, ValueRange args) {
            auto [at, all] = place(s, args[0], offset);
            return arith::AndIOp::create(s.b, s.loc,
                                         s.compare(Compare::GreaterEqual, at, s.constant(0)),
                                         s.compare(Compare::LessEqual, at, all.last));
          });
    if (how.taps > 1)
      tap.weight = e.pointwise({grid}, [&](const Scalar &s, ValueRange args) {
        Value at = denormalise(s, how, args[0], extentOf(s, how, extent, run));
        Value part = s.sub(at, math::FloorOp::create(s.b, s.loc, at));
        return weightOf(s, how, offset, part);
      });
    taps.push_back(tap);
  }
  return taps;
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
  SmallVector<SmallVector<Tap>> taps;
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
    taps.push_back(takeTaps(e, *how, e.cast(e.reshape(part, ofGrid), dtype), extent));
  }
  Tensor *sum = nullptr;
  SmallVector<int64_t> chosen(spatial, 0);
  do {
    SmallVector<Coordinate> at{{nullptr, 0}, {nullptr, 1}};
    SmallVector<Tensor *> weights, masks;
    for (int64_t dim = 0; dim < spatial; ++dim) {
      const Tap &tap = taps[dim][chosen[dim]];
      at.push_back({tap.index, 0});
      if (tap.weight)
        weights.push_back(tap.weight);
      if (tap.isInside)
        masks.push_back(tap.isInside);
    }
    SmallVector<Tensor *> inputs{e.cast(gatherAt(n, x, shape, at, /*fromEnd=*/false), dtype)};
    llvm::append_range(inputs, masks);
    llvm::append_range(inputs, weights);
    if (sum)
      inputs.push_back(sum);
    sum = e.pointwise(inputs, [&](const Scalar &s, ValueRange args) {
      Value term = args[0];
      for (Value mask : args.slice(1, masks.size()))
        term = s.select(mask, term, s.constant(0));
      for (Value weight : args.slice(1 + masks.size(), weights.size()))
        term = s.mul(term, weight);
      return sum ? s.add(args.back(), term) : term;
    });
    // The next combination.
    int64_t dim = spatial;
    while (dim-- > 0 && ++chosen[dim] == how->taps)
      chosen[dim] = 0;
  } while (llvm::any_of(chosen, [](int64_t number) { return number != 0; }));
  n.result(0, e.cast(sum, x->dtype));
  return success();
}
