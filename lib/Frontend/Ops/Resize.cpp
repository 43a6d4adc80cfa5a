//===- Resize.cpp - interpolation along one axis at a time -----*- C++ -*-===//
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

#include "Operators.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

namespace {
/// What the attributes say.
struct Interpolation {
  std::string mode, transform, rounding;
  double cubic = -0.75, extrapolation = 0;
  bool excludesOutside = false;
};

/// One dimension to be resized.
struct ResizedAxis {
  int64_t dim;
  SymExpr extent;                                      ///< of the result
  Tensor *scale;                                       ///< result by input; float64, rank 0
  Tensor *regionStart = nullptr, *regionEnd = nullptr; ///< of tf_crop_and_resize; float64, rank 0
};
} // namespace

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

/// `x` resized along one axis, in its type. `outside` becomes where the coordinate lies outside of
/// the input, aligned with the result's dimensions.
static Tensor *resizeAxis(Node &n, const Interpolation &how, const ResizedAxis &axis, Tensor *x,
                          Tensor *&outside) {
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

/// Reads what says how elements are interpolated.
static FailureOr<Interpolation> readInterpolation(Node &n) {
  Interpolation how;
  how.mode = n.stringAttr("mode", "nearest");
  if (how.mode != "nearest" && how.mode != "linear" && how.mode != "cubic")
    return n.fail("expects the mode to be nearest, linear or cubic, but got '" + how.mode + "'");
  if (n.op() == "Upsample" || n.opset() < 11) {
    how.transform = "asymmetric";
    how.rounding = "floor";
    return how;
  }
  static const llvm::StringSet<> transforms = {
      "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",  "align_corners",
      "asymmetric", "tf_crop_and_resize",   "tf_half_pixel_for_nn"};
  how.transform = n.stringAttr("coordinate_transformation_mode", "half_pixel");
  if (!transforms.contains(how.transform))
    return n.fail("coordinate_transformation_mode '" + how.transform + "' is not supported");
  static const llvm::StringSet<> roundings = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                              "ceil"};
  how.rounding = n.stringAttr("nearest_mode", "round_prefer_floor");
  if (!roundings.contains(how.rounding))
    return n.fail("nearest_mode '" + how.rounding + "' is not supported");
  how.cubic = n.floatAttr("cubic_coeff_a", -0.75);
  how.extrapolation = n.floatAttr("extrapolation_value", 0);
  how.excludesOutside = n.intAttr("exclude_outside", 0) != 0;
  if (n.intAttr("antialias", 0) != 0)
    return n.fail("antialiasing is not supported");
  std::string policy = n.stringAttr("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch")
    return n.fail("keep_aspect_ratio_policy '" + policy + "' is not supported");
  return how;
}

/// Element `number` of a float input, as a float64 of rank 0.
static Tensor *elementOf(Emitter &e, Tensor *tensor, int64_t number) {
  if (tensor->constant)
    return e.scalar(DType::F64, e.constantElement(tensor, number));
  Tensor *element = e.slice(tensor, {SymExpr(number)}, {SymExpr(1)}, {1});
  return e.cast(e.reshape(element, {}), DType::F64);
}

/// A float64 of rank 0: a / b.
static Tensor *ratioOf(Emitter &e, const SymExpr &a, const SymExpr &b) {
  std::optional<int64_t> x = a.constant(), y = b.constant();
  if (x && y && *y != 0)
    return e.scalar(DType::F64, static_cast<double>(*x) / static_cast<double>(*y));
  Value above = e.index(a), below = e.index(b);
  return e.generate({}, DType::F64, [&](const Scalar &s, ValueRange) {
    return s.div(s.fromIndex(above), s.fromIndex(below));
  });
}

/// The dimensions that `axes` names, or all, and what becomes of each.
static FailureOr<SmallVector<ResizedAxis>> readAxes(Node &n, const Interpolation &how) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  bool hasRegion = n.op() == "Resize" && n.opset() >= 11;
  auto given = [&](unsigned input) -> Tensor * {
    // Before opset 13 what is not given may be a tensor without elements.
    bool isGiven = n.has(input) && !Emitter::product(n.in(input)->shape).isConstant(0);
    return isGiven ? n.in(input) : nullptr;
  };
  SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, x->rank()));
  if (std::optional<SmallVector<int64_t>> axes = n.intsAttr("axes")) {
    dims.clear();
    for (int64_t axis : *axes) {
      FailureOr<int64_t> dim = n.axis(axis, x->rank());
      if (failed(dim))
        return failure();
      dims.push_back(*dim);
    }
  }
  int64_t count = static_cast<int64_t>(dims.size());
  std::optional<SmallVector<double>> attribute;
  if (n.op() == "Upsample" && n.opset() < 9)
    attribute = n.floatsAttr("scales");
  Tensor *scales = given(hasRegion ? 2 : 1), *sizes = hasRegion ? given(3) : nullptr;
  if (!attribute && !scales == !sizes)
    return n.fail("expects either scales or sizes to be given");
  for (Tensor *tensor : {scales, sizes})
    if (tensor && (failed(n.expectRank(tensor, 1, 1)) ||
                   failed(n.expectEqual(tensor->shape[0], count, "the number of scales or sizes"))))
      return failure();
  if (attribute && static_cast<int64_t>(attribute->size()) != count)
    return n.fail("expects " + Twine(count) + " scales, but got " + Twine(attribute->size()));
  if (scales && failed(n.expectFloat(scales)))
    return failure();
  Shape extents;
  if (sizes) {
    FailureOr<Shape> elements = n.elements(3, "sizes");
    if (failed(elements))
      return failure();
    extents = *elements;
  }
  bool crops = how.transform == "tf_crop_and_resize";
  Tensor *region = crops ? given(1) : nullptr;
  if (crops && (!region || region->rank() != 1 || !region->shape[0].isConstant(2 * count) ||
                !isFloat(region->dtype)))
    return n.fail("expects a roi of " + Twine(2 * count) + " floats");
  SmallVector<ResizedAxis> resized;
  for (int64_t number = 0; number < count; ++number) {
    ResizedAxis axis{dims[number], {}, nullptr};
    SymExpr extent = n.syms.simplify(x->shape[axis.dim]);
    if (attribute) {
      axis.scale = e.scalar(DType::F64, (*attribute)[number]);
    } else if (scales) {
      axis.scale = elementOf(e, scales, number);
    } else {
      axis.extent = e.nameSize(extents[number], "size", "expects sizes of at least 0, but got %0");
      axis.scale = ratioOf(e, axis.extent, extent);
    }
    if (!sizes) {
      FailureOr<SymExpr> size =
          attribute ? n.scaledExtent(extent, e.scalar(DType::F32, (*attribute)[number]), 0, "scale")
                    : n.scaledExtent(extent, scales, number, "scale");
      if (failed(size))
        return failure();
      axis.extent = *size;
    }
    if (region) {
      axis.regionStart = elementOf(e, region, number);
      axis.regionEnd = elementOf(e, region, count + number);
    } else if (e.constantScalar(axis.scale) == 1.0 && e.same(axis.extent, extent)) {
      continue;
    }
    resized.push_back(axis);
  }
  return resized;
}

LogicalResult sectile::frontend::importResize(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  if (failed(n.expectRank(x, 1)))
    return failure();
  FailureOr<Interpolation> how = readInterpolation(n);
  if (failed(how) || (how->mode != "nearest" && failed(n.expectFloat(x))))
    return failure();
  FailureOr<SmallVector<ResizedAxis>> axes = readAxes(n, *how);
  if (failed(axes))
    return failure();
  bool isNearest = how->mode == "nearest";
  Tensor *y = isNearest ? x : e.cast(x, computeType(x->dtype));
  SmallVector<Tensor *> outside;
  for (const ResizedAxis &axis : *axes) {
    Tensor *isOut = nullptr;
    y = resizeAxis(n, *how, axis, y, isOut);
    if (isOut)
      outside.push_back(isOut);
  }
  if (!outside.empty()) {
    SmallVector<Tensor *> inputs{y};
    llvm::append_range(inputs, outside);
    y = e.pointwise(inputs, [&](const Scalar &s, ValueRange args) {
      Value isOut = args[1];
      for (Value other : args.drop_front(2))
        isOut = arith::OrIOp::create(s.b, s.loc, isOut, other);
      return s.select(isOut, s.constant(how->extrapolation), args[0]);
    });
  }
  n.result(0, e.cast(y, x->dtype));
  return success();
}
