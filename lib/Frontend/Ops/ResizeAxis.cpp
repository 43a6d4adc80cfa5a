//===- ResizeAxis.cpp - interpolation along one axis ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A result's coordinate o goes back to a coordinate x of the input, which lies
// between elements. One, two or four of them are taken along the axis and
// weighted, which is a gather each, at positions that are computed:
//
//   y[.., o, ..] = sum over k of weight_k[o] * x[.., clamp(floor(x(o)) + k), ..]
//
// Positions and weights are tensors of one dimension, in float64 until they
// are used. Axes are independent of each other, so one follows the other.
//
//===----------------------------------------------------------------------===//

#include "Resize.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// The extent of an input, as a float64 in a body.
static Value floatExtent(const Scalar &s, const SymExpr &extent, Value run) {
  return run ? s.fromIndex(run) : s.constant(static_cast<double>(*extent.constant()));
}

/// x(o) for each o.
static Tensor *sourceCoordinates(Node &n, const Interpolation &how, const ResizedAxis &axis,
                                 const SymExpr &extent) {
  Emitter &e = n.emit;
  SmallVector<Tensor *> inputs{axis.scale};
  if (axis.regionStart)
    inputs.append({axis.regionStart, axis.regionEnd});
  Value runIn = extent.constant() ? Value() : e.index(extent);
  Value runOut = axis.extent.constant() ? Value() : e.index(axis.extent);
  return e.pointwise(inputs, {axis.extent}, DType::F64, [&](const Scalar &s, ValueRange args) {
    Value o = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, 0)), scale = args[0];
    Value in = floatExtent(s, extent, runIn), one = s.constant(1), half = s.constant(0.5);
    Value out = s.mul(scale, in), last = s.sub(in, one);
    Value isSingle = s.compare(Compare::Equal, out, one);
    Value halfPixel = s.sub(s.div(s.add(o, half), scale), half);
    if (how.transform == "asymmetric")
      return s.div(o, scale);
    if (how.transform == "align_corners")
      return s.select(isSingle, s.constant(0), s.div(s.mul(o, last), s.sub(out, one)));
    if (how.transform == "tf_half_pixel_for_nn")
      return s.div(s.add(o, half), scale);
    if (how.transform == "pytorch_half_pixel")
      return s.select(isSingle, s.constant(-0.5), halfPixel);
    if (how.transform == "half_pixel_symmetric") {
      // The extent is cut off: what is missing is shared by both ends.
      Value ratio = s.div(floatExtent(s, axis.extent, runOut), out);
      return s.add(s.mul(s.mul(in, half), s.sub(one, ratio)), halfPixel);
    }
    if (how.transform == "tf_crop_and_resize") {
      Value size = s.mul(s.sub(args[2], args[1]), last);
      Value inside = s.select(isSingle, s.mul(size, half), s.div(s.mul(o, size), s.sub(out, one)));
      return s.add(inside, s.mul(args[1], last));
    }
    return halfPixel;
  });
}

/// The position nearest to `x`, a float.
static Value nearest(const Scalar &s, StringRef rounding, Value x) {
  auto floor = [&](Value v) -> Value { return math::FloorOp::create(s.b, s.loc, v); };
  auto ceil = [&](Value v) -> Value { return math::CeilOp::create(s.b, s.loc, v); };
  if (rounding == "floor")
    return floor(x);
  if (rounding == "ceil")
    return ceil(x);
  if (rounding == "round_prefer_ceil")
    return floor(s.add(x, s.constant(0.5)));
  return ceil(s.sub(x, s.constant(0.5))); // round_prefer_floor
}

/// Keys' cubic convolution at distance `x` >= 0 from an element that is `far` (1 to 2) or near.
static Value cubicWeight(const Scalar &s, double a, Value x, bool isFar) {
  auto times = [&](Value v, double c) { return s.add(s.mul(v, x), s.constant(c)); };
  if (isFar) // a x^3 - 5a x^2 + 8a x - 4a
    return times(times(times(s.constant(a), -5 * a), 8 * a), -4 * a);
  return times(times(times(s.constant(a + 2), -(a + 3)), 0), 1); // (a+2) x^3 - (a+3) x^2 + 1
}

/// How far the elements that are taken lie from floor(x).
static SmallVector<int64_t> tapsOf(const Interpolation &how) {
  if (how.mode == "nearest")
    return {0};
  if (how.mode == "linear")
    return {0, 1};
  return {-1, 0, 1, 2};
}

/// The weight of each of those, where x lies `part` behind floor(x).
static SmallVector<Value> weightsOf(const Scalar &s, const Interpolation &how, Value part) {
  Value rest = s.sub(s.constant(1), part);
  if (how.mode == "linear")
    return {rest, part};
  return {cubicWeight(s, how.cubic, s.add(part, s.constant(1)), true),
          cubicWeight(s, how.cubic, part, false), cubicWeight(s, how.cubic, rest, false),
          cubicWeight(s, how.cubic, s.add(rest, s.constant(1)), true)};
}

/// The weight of an element at distance `x` of the result's, for the filter of the mode.
static Value filterAt(const Scalar &s, const Interpolation &how, Value x) {
  Value far = s.abs(x), zero = s.constant(0), one = s.constant(1);
  if (how.mode == "linear")
    return s.max(s.sub(one, far), zero);
  Value near = cubicWeight(s, how.cubic, far, false), behind = cubicWeight(s, how.cubic, far, true);
  Value isClose = s.compare(Compare::Less, far, s.constant(2));
  return s.select(s.compare(Compare::LessEqual, far, one), near, s.select(isClose, behind, zero));
}

Tensor *sectile::frontend::filterAxis(Node &n, const Interpolation &how, const ResizedAxis &axis,
                                      Tensor *x) {
  Emitter &e = n.emit;
  SymExpr extent = n.syms.simplify(x->shape[axis.dim]);
  Value runIn = extent.constant() ? Value() : e.index(extent);
  Tensor *source = e.unsqueeze(sourceCoordinates(n, how, axis, extent), {1});
  // On each side as many as the mode takes, by how much smaller the result is at most: sizes are
  // rounded down.
  SymExpr reach = how.mode == "linear" ? 1 : 2;
  SymExpr least = n.syms.max(n.syms.min(axis.extent, extent), 1);
  SymExpr side = n.syms.simplify(n.syms.ceilDiv(reach * extent, least));
  SymExpr taps = side + side;
  if (!taps.constant())
    taps = e.nameSize(taps, "taps", "%0 elements are weighted");
  Shape table{axis.extent, taps};
  Value below = e.index(side);
  // Element number k lies at ceil(x) - side + k: of two at one distance the lower one is taken.
  auto placeOf = [&](const Scalar &s, Value x) {
    Value base = s.sub(math::CeilOp::create(s.b, s.loc, x), s.fromIndex(below));
    return s.add(base, s.fromIndex(linalg::IndexOp::create(s.b, s.loc, 1)));
  };
  auto lastOf = [&](const Scalar &s) {
    return s.sub(floatExtent(s, extent, runIn), s.constant(1));
  };
  Tensor *inputs[] = {source, axis.scale};
  Tensor *weights = e.pointwise(inputs, table, DType::F64, [&](const Scalar &s, ValueRange args) {
    Value place = placeOf(s, args[0]), scale = s.min(args[1], s.constant(1));
    Value weight = filterAt(s, how, s.mul(s.sub(place, args[0]), scale));
    if (!how.excludesOutside)
      return weight;
    Value isInside =
        arith::AndIOp::create(s.b, s.loc, s.compare(Compare::GreaterEqual, place, s.constant(0)),
                              s.compare(Compare::LessEqual, place, lastOf(s)));
    return s.select(isInside, weight, s.constant(0));
  });
  Tensor *sum = e.reduce(weights, {1}, /*keep=*/true, ReduceKind::Sum);
  weights =
      e.cast(e.pointwise({weights, sum},
                         [](const Scalar &s, ValueRange args) { return s.div(args[0], args[1]); }),
             x->dtype);
  Tensor *places = e.pointwise({source}, table, DType::I64, [&](const Scalar &s, ValueRange args) {
    Value place = placeOf(s, args[0]);
    return s.convert(s.max(s.min(place, lastOf(s)), s.constant(0)), DType::I64);
  });
  Shape gathered(x->shape.begin(), x->shape.begin() + axis.dim);
  gathered.append(table);
  gathered.append(x->shape.begin() + axis.dim + 1, x->shape.end());
  Value from = e.value(x), chosen = e.value(places);
  Value taken =
      graph::GatherOp::create(e.b, e.loc, e.type(x->dtype, gathered), from, chosen, axis.dim);
  // The sum over the elements taken, which lie behind the axis.
  int64_t rank = x->rank();
  Shape shape(x->shape);
  shape[axis.dim] = axis.extent;
  SmallVector<AffineExpr> read, result;
  for (int64_t dim = 0; dim < rank; ++dim) {
    read.push_back(e.dim(dim));
    result.push_back(e.dim(dim));
    if (dim == axis.dim)
      read.push_back(e.dim(rank));
  }
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  return e.contract({e.make(x->dtype, gathered, taken), read},
                    {weights, {e.dim(axis.dim), e.dim(rank)}}, shape, result, iterators);
}

Tensor *sectile::frontend::resizeAxis(Node &n, const Interpolation &how, const ResizedAxis &axis,
                                      Tensor *x, Tensor *&outside) {
  Emitter &e = n.emit;
  SymExpr extent = n.syms.simplify(x->shape[axis.dim]);
  Value runIn = extent.constant() ? Value() : e.index(extent);
  Tensor *source = sourceCoordinates(n, how, axis, extent);
  SmallVector<int64_t> behind = llvm::to_vector(llvm::seq<int64_t>(1, x->rank() - axis.dim));
  Shape shape = x->shape;
  shape[axis.dim] = axis.extent;
  auto floorOf = [](const Scalar &s, Value v) -> Value {
    return math::FloorOp::create(s.b, s.loc, v);
  };
  SmallVector<Tensor *> parts;
  SmallVector<int64_t> taps = tapsOf(how);
  for (auto [number, tap] : llvm::enumerate(taps)) {
    Tensor *positions =
        e.pointwise({source}, {axis.extent}, DType::I64, [&](const Scalar &s, ValueRange args) {
          Value base =
              how.mode == "nearest" ? nearest(s, how.rounding, args[0]) : floorOf(s, args[0]);
          Value last = s.sub(floatExtent(s, extent, runIn), s.constant(1));
          Value moved = s.add(base, s.constant(static_cast<double>(tap)));
          return s.convert(s.max(s.min(moved, last), s.constant(0)), DType::I64);
        });
    Value from = e.value(x), chosen = e.value(positions);
    Value taken =
        graph::GatherOp::create(e.b, e.loc, e.type(x->dtype, shape), from, chosen, axis.dim);
    parts.push_back(e.make(x->dtype, shape, taken));
    if (how.mode == "nearest")
      continue;
    Tensor *weight =
        e.pointwise({source}, {axis.extent}, x->dtype, [&](const Scalar &s, ValueRange args) {
          Value base = floorOf(s, args[0]);
          SmallVector<Value> weights = weightsOf(s, how, s.sub(args[0], base));
          if (how.excludesOutside) {
            Value last = s.sub(floatExtent(s, extent, runIn), s.constant(1)), sum;
            for (auto [weight, tap] : llvm::zip_equal(weights, taps)) {
              Value at = s.add(base, s.constant(static_cast<double>(tap)));
              Value isInside = arith::AndIOp::create(
                  s.b, s.loc, s.compare(Compare::GreaterEqual, at, s.constant(0)),
                  s.compare(Compare::LessEqual, at, last));
              weight = s.select(isInside, weight, s.constant(0));
              sum = sum ? s.add(sum, weight) : weight;
            }
            weights[number] = s.div(weights[number], sum);
          }
          return s.convert(weights[number], x->dtype);
        });
    parts.push_back(e.unsqueeze(weight, behind));
  }
  if (how.transform == "tf_crop_and_resize") {
    Tensor *isOut =
        e.pointwise({source}, {axis.extent}, DType::Bool, [&](const Scalar &s, ValueRange args) {
          Value last = s.sub(floatExtent(s, extent, runIn), s.constant(1));
          return arith::OrIOp::create(s.b, s.loc, s.compare(Compare::Less, args[0], s.constant(0)),
                                      s.compare(Compare::Greater, args[0], last));
        });
    outside = e.unsqueeze(isOut, behind);
  }
  if (how.mode == "nearest")
    return parts[0];
  return e.pointwise(parts, shape, x->dtype, [](const Scalar &s, ValueRange args) {
    Value sum;
    for (size_t i = 0; i < args.size(); i += 2) {
      Value term = s.mul(args[i], args[i + 1]);
      sum = sum ? s.add(sum, term) : term;
    }
    return sum;
  });
}
