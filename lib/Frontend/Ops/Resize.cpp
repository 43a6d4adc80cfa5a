//===- Resize.cpp - Resize and Upsample -------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Resize.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

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

/// The one scale of every axis that keeps the proportions within `sizes`, which become those it
/// gives.
static FailureOr<Tensor *> keepProportions(Node &n, const Interpolation &how,
                                           ArrayRef<int64_t> dims, Shape &sizes) {
  Emitter &e = n.emit;
  SymExpr size, extent;
  auto name = [&](const SymExpr &expr) { return e.nameValue(n.syms.simplify(expr), "scaled"); };
  for (auto [number, dim] : llvm::enumerate(dims)) {
    SymExpr own = n.in(0)->shape[dim], wanted = name(sizes[number]);
    if (failed(n.require(n.syms.less(0, own), "expects extents of at least 1, but got %0", {own})))
      return failure();
    if (number == 0) {
      size = wanted;
      extent = own;
      continue;
    }
    // wanted / own against size / extent, without a division.
    SymExpr ours = wanted * extent, theirs = size * own;
    SymExpr isBetter =
        name(how.policy == "not_larger" ? n.syms.less(ours, theirs) : n.syms.less(theirs, ours));
    size = name(n.syms.select(isBetter, wanted, size));
    extent = name(n.syms.select(isBetter, own, extent));
  }
  // The nearest size, a half upwards.
  for (auto [dim, result] : llvm::zip_equal(dims, sizes))
    result = n.syms.floorDiv(size * n.in(0)->shape[dim] * SymExpr(2) + extent, extent * SymExpr(2));
  return ratioOf(e, size, extent);
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
  how.antialiases = how.mode != "nearest" && n.intAttr("antialias", 0) != 0;
  if (how.antialiases && how.transform == "tf_crop_and_resize")
    return n.fail("antialiasing with tf_crop_and_resize is not supported");
  std::string policy = n.stringAttr("keep_aspect_ratio_policy", "stretch");
  if (policy != "stretch" && policy != "not_larger" && policy != "not_smaller")
    return n.fail("keep_aspect_ratio_policy '" + policy + "' is not supported");
  if (policy != "stretch")
    how.policy = policy;
  return how;
}

/// Element `number` of a float input, as a float64 of rank 0.
static Tensor *elementOf(Emitter &e, Tensor *tensor, int64_t number) {
  if (tensor->constant)
    return e.scalar(DType::F64, e.constantElement(tensor, number));
  Tensor *element = e.slice(tensor, {SymExpr(number)}, {SymExpr(1)}, {1});
  return e.cast(e.reshape(element, {}), DType::F64);
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
  Tensor *common = nullptr;
  if (!how.policy.empty() && sizes && !dims.empty()) {
    FailureOr<Tensor *> kept = keepProportions(n, how, dims, extents);
    if (failed(kept))
      return failure();
    common = *kept;
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
      axis.scale = common ? common : ratioOf(e, axis.extent, extent);
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
    if (how->antialiases) {
      y = filterAxis(n, *how, axis, y);
      continue;
    }
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
