//===- Regions.cpp - images from windows, windows from images ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Col2Im sums what overlapping windows have of an image: each element of the image
// takes one element from every position inside of a window.
//
//   y[n, c, out..] = sum over k.. of x[n, c, k.., (out + pad - k * dilation) / stride ..]
//
// RoiAlign takes the mean, or the maximum, of samples inside of each part of a
// region; a sample takes two elements along each dimension, as GridSample does.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

//===----------------------------------------------------------------------===//
// Col2Im
//===----------------------------------------------------------------------===//

/// Which windows position `dim + rank` of a window stands in for element `dim` of the image.
static Taps takeWindows(Emitter &e, const Window &window, size_t dim, ArrayRef<SymExpr> image) {
  size_t rank = image.size();
  Shape shape(2 + 2 * rank, 1);
  shape[2 + dim] = image[dim];
  shape[2 + rank + dim] = window.kernel[dim];
  Value pad = e.index(window.low[dim]), count = e.index(window.output[dim]);
  auto body = [&](bool givesPlace) {
    return [&, givesPlace](const Scalar &scalar, ValueRange) -> Value {
      Scalar s = scalar.as(DType::I64);
      Value at = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, 2 + dim));
      Value inWindow = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, 2 + rank + dim));
      Value stride = s.integer(window.strides[dim]), zero = s.integer(0);
      Value offset =
          s.sub(s.add(at, s.fromIndex(pad)), s.mul(inWindow, s.integer(window.dilations[dim])));
      Value place = s.div(offset, stride), most = s.fromIndex(count);
      if (givesPlace)
        return s.max(s.min(place, s.sub(most, s.integer(1))), zero);
      Value isStart = s.compare(Compare::Equal, s.rem(offset, stride), zero);
      Value isIn = arith::AndIOp::create(s.b, s.loc, s.compare(Compare::GreaterEqual, offset, zero),
                                         s.compare(Compare::Less, place, most));
      return arith::AndIOp::create(s.b, s.loc, isStart, isIn);
    };
  };
  return {e.pointwise({}, shape, DType::I64, body(true)), nullptr,
          e.pointwise({}, shape, DType::Bool, body(false))};
}

LogicalResult sectile::frontend::importCol2Im(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  FailureOr<Shape> image = n.elements(1, "the shape of the image"),
                   block = n.elements(2, "the shape of a block");
  if (failed(image) || failed(block) || failed(n.expectNumber(x)) || failed(n.expectRank(x, 3, 3)))
    return failure();
  size_t rank = image->size();
  if (rank == 0 || block->size() != rank)
    return n.fail("expects as many extents of a block as of the image, and one at least, but got " +
                  Twine(block->size()) + " and " + Twine(rank));
  FailureOr<Window> window = readWindow(n, *image, *block, /*ceilMode=*/false);
  if (failed(window))
    return failure();
  SymExpr perBlock = Emitter::product(*block), windows = Emitter::product(window->output);
  for (const SymExpr &extent : *block)
    if (failed(n.require(n.syms.less(0, extent),
                         "expects extents of a block of at least 1, but got %0", {extent})))
      return failure();
  SymExpr channels = n.syms.floorDiv(x->shape[1], perBlock);
  if (failed(n.expectEqual(x->shape[1], channels * perBlock, "rows and blocks of channels")) ||
      failed(n.expectEqual(x->shape[2], windows, "columns and positions of the block")))
    return failure();
  Shape source{x->shape[0], channels}, shape{x->shape[0], channels};
  source.append(*block);
  source.append(window->output);
  shape.append(*image);
  shape.append(*block);
  SmallVector<Coordinate> at{{nullptr, 0}, {nullptr, 1}};
  SmallVector<Taps> taps;
  for (size_t dim = 0; dim < rank; ++dim) {
    taps.push_back(takeWindows(e, *window, dim, *image));
    at.push_back({nullptr, static_cast<int64_t>(2 + rank + dim)});
  }
  for (const Taps &tap : taps)
    at.push_back({tap.index, 0});
  Tensor *sum = reduceTaps(n, e.reshape(x, source), shape, at, taps, static_cast<int64_t>(rank),
                           ReduceKind::Sum);
  n.result(0, e.cast(sum, x->dtype));
  return success();
}

//===----------------------------------------------------------------------===//
// MaxUnpool
//===----------------------------------------------------------------------===//

LogicalResult sectile::frontend::importMaxUnpool(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *places = n.in(1);
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 3)))
    return failure();
  if (places->dtype != DType::I64)
    return n.fail("expects indices of int64, but got " + nameOf(places->dtype));
  int64_t rank = x->rank(), spatial = rank - 2;
  if (failed(n.expectRank(places, rank, rank)))
    return failure();
  for (int64_t dim = 0; dim < rank; ++dim)
    if (failed(n.expectEqual(x->shape[dim], places->shape[dim], "extents of values and indices")))
      return failure();
  auto numbers = [&](StringRef name, int64_t count,
                     int64_t otherwise) -> FailureOr<SmallVector<int64_t>> {
    SmallVector<int64_t> values = n.intsAttr(name).value_or(SmallVector<int64_t>(count, otherwise));
    if (static_cast<int64_t>(values.size()) != count)
      return n.fail("expects " + Twine(count) + " values in " + name + ", but got " +
                    Twine(values.size()));
    for (int64_t value : values)
      if (value < 0 || value > INT32_MAX)
        return n.fail("expects " + name + " from 0 to " + Twine(INT32_MAX) + ", but got " +
                      Twine(value));
    return values;
  };
  if (!n.hasAttr("kernel_shape"))
    return n.fail("expects an attribute 'kernel_shape'");
  FailureOr<SmallVector<int64_t>> kernel = numbers("kernel_shape", spatial, 1),
                                  strides = numbers("strides", spatial, 1),
                                  pads = numbers("pads", 2 * spatial, 0);
  if (failed(kernel) || failed(strides) || failed(pads))
    return failure();
  // What was pooled; the indices are places in it.
  Shape shape{x->shape[0], x->shape[1]};
  for (int64_t dim = 0; dim < spatial; ++dim) {
    SymExpr extent = (x->shape[dim + 2] - 1) * SymExpr((*strides)[dim]) +
                     SymExpr((*kernel)[dim] - (*pads)[dim] - (*pads)[spatial + dim]);
    if (failed(n.require(SymExpr(1) - n.syms.less(extent, 0),
                         "expects extents of at least 0, but got %0", {extent})))
      return failure();
    shape.push_back(n.syms.simplify(extent));
  }
  Tensor *zeros = e.expand(e.scalar(x->dtype, 0), {Emitter::product(shape)});
  SymExpr count = Emitter::product(x->shape);
  Tensor *result = scatterInto(n, zeros, e.reshape(x, {count}), {e.reshape(places, {count})},
                               e.b.getMultiDimIdentityMap(1), {e.dim(1)}, /*combine=*/nullptr);
  result = e.reshape(result, shape);
  if (n.has(2)) {
    // Larger than what was pooled, which then stands in its corner.
    FailureOr<Shape> wanted = n.elements(2, "the output shape");
    if (failed(wanted))
      return failure();
    if (static_cast<int64_t>(wanted->size()) != rank)
      return n.fail("expects " + Twine(rank) + " extents of the output, but got " +
                    Twine(wanted->size()));
    SmallVector<SymExpr> low(rank, 0), high;
    for (auto [extent, own] : llvm::zip_equal(*wanted, shape)) {
      if (failed(n.require(SymExpr(1) - n.syms.less(extent, own),
                           "expects an output extent of at least %1, but got %0", {extent, own})))
        return failure();
      high.push_back(n.syms.simplify(extent - own));
    }
    result = e.pad(result, low, high, e.scalars(x->dtype).constant(0));
  }
  n.result(0, result);
  return success();
}

//===----------------------------------------------------------------------===//
// RoiAlign
//===----------------------------------------------------------------------===//

namespace {
/// Samples of all regions along one dimension of the image.
struct Samples {
  int64_t parts, perPart; ///< parts of a region, and samples of each
  double scale;           ///< from coordinates of regions to elements
  bool isHalfPixel;
  int64_t part, sample, tap; ///< the dimensions of the result where they lie
};
} // namespace

/// What the samples take; `low` and `high` are the ends of the regions, [regions, 1..].
static Taps takeSamples(Emitter &e, const Samples &how, Tensor *low, Tensor *high,
                        const SymExpr &extent) {
  Shape shape(8, 1);
  shape[0] = low->shape[0];
  shape[how.part] = how.parts;
  shape[how.sample] = how.perPart;
  shape[how.tap] = 2;
  Value run = e.index(extent);
  struct Place {
    Value sample, element, fraction, last, isNear;
  };
  auto place = [&](const Scalar &s, ValueRange ends) {
    Value offset = s.constant(how.isHalfPixel ? 0.5 : 0), scale = s.constant(how.scale);
    Value start = s.sub(s.mul(ends[0], scale), offset), end = s.sub(s.mul(ends[1], scale), offset);
    Value size = s.sub(end, start);
    if (!how.isHalfPixel)
      size = s.max(size, s.constant(1));
    Value part = s.div(size, s.constant(static_cast<double>(how.parts)));
    auto index = [&](int64_t dim) { return s.fromIndex(linalg::IndexOp::create(s.b, s.loc, dim)); };
    Value within = s.div(s.mul(s.add(index(how.sample), s.constant(0.5)), part),
                         s.constant(static_cast<double>(how.perPart)));
    Value at = s.add(s.add(start, s.mul(index(how.part), part)), within);
    Value size1 = s.fromIndex(run), last = s.sub(size1, s.constant(1)), zero = s.constant(0);
    // Samples beyond the border by more than an element are none.
    Value isNear =
        arith::AndIOp::create(s.b, s.loc, s.compare(Compare::GreaterEqual, at, s.constant(-1)),
                              s.compare(Compare::LessEqual, at, size1));
    Value inside = s.max(s.min(at, last), zero);
    Value floor = math::FloorOp::create(s.b, s.loc, inside);
    Value element = s.min(s.add(floor, index(how.tap)), last);
    return Place{at, element, s.sub(inside, floor), last, isNear};
  };
  Taps taps;
  taps.index = e.pointwise({low, high}, shape, DType::I64, [&](const Scalar &s, ValueRange ends) {
    Value element = place(s, ends).element;
    // Not a number is no place; it is not near either.
    Value isNumber = s.compare(Compare::Equal, element, element);
    return s.convert(s.select(isNumber, element, s.constant(0)), DType::I64);
  });
  taps.weight = e.pointwise({low, high}, shape, low->dtype, [&](const Scalar &s, ValueRange ends) {
    Value fraction = place(s, ends).fraction;
    Value isSecond = linalg::IndexOp::create(s.b, s.loc, how.tap);
    isSecond = s.compare(Compare::Greater, s.fromIndex(isSecond), s.constant(0));
    return s.select(isSecond, fraction, s.sub(s.constant(1), fraction));
  });
  taps.isInside =
      e.pointwise({low, high}, shape, DType::Bool,
                  [&](const Scalar &s, ValueRange ends) { return place(s, ends).isNear; });
  return taps;
}

LogicalResult sectile::frontend::importRoiAlign(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *regions = n.in(1), *batches = n.in(2);
  if (failed(n.expectFloat(x)) || failed(n.expectSameType({x, regions})) ||
      failed(n.expectRank(x, 4, 4)) || failed(n.expectRank(regions, 2, 2)) ||
      failed(n.expectRank(batches, 1, 1)) ||
      failed(n.expectEqual(regions->shape[1], 4, "the numbers of a region and 4")) ||
      failed(n.expectEqual(regions->shape[0], batches->shape[0], "regions and batch indices")))
    return failure();
  if (batches->dtype != DType::I64)
    return n.fail("expects batch indices of int64, but got " + nameOf(batches->dtype));
  std::string mode = n.stringAttr("mode", "avg");
  if (mode != "avg" && mode != "max")
    return n.fail("expects the mode to be avg or max, but got '" + mode + "'");
  // Before opset 16 there was one way only.
  std::string transform = n.stringAttr("coordinate_transformation_mode",
                                       n.opset() < 16 ? "output_half_pixel" : "half_pixel");
  if (transform != "half_pixel" && transform != "output_half_pixel")
    return n.fail("expects the coordinate_transformation_mode to be half_pixel or "
                  "output_half_pixel, but got '" +
                  transform + "'");
  int64_t samples = n.intAttr("sampling_ratio", 0), height = n.intAttr("output_height", 1),
          width = n.intAttr("output_width", 1);
  double scale = n.floatAttr("spatial_scale", 1);
  if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX)
    return n.fail("expects an output of at least one element, but got " + Twine(height) + " x " +
                  Twine(width));
  if (samples < 1 || samples > 1024)
    return n.fail("expects a sampling_ratio from 1 to 1024, but got " + Twine(samples) +
                      ": a number of samples that depends on each region is not supported",
                  "set sampling_ratio, for example to 2");
  for (int64_t dim : {2, 3})
    if (failed(n.require(n.syms.less(0, x->shape[dim]), "expects extents of at least 1, but got %0",
                         {x->shape[dim]})))
      return failure();
  DType dtype = computeType(x->dtype);
  Tensor *wide = e.cast(regions, dtype);
  auto end = [&](int64_t number) {
    return e.unsqueeze(takePart(e, wide, 1, number), {1, 2, 3, 4, 5, 6, 7});
  };
  Samples down{height, samples, scale, transform == "half_pixel", 2, 4, 6};
  Samples across{width, samples, scale, transform == "half_pixel", 3, 5, 7};
  SmallVector<Taps> taps{takeSamples(e, down, end(1), end(3), x->shape[2]),
                         takeSamples(e, across, end(0), end(2), x->shape[3])};
  Shape shape{regions->shape[0], x->shape[1], height, width, samples, samples, 2, 2};
  SmallVector<Coordinate> at{{e.unsqueeze(batches, {1, 2, 3, 4, 5, 6, 7}), 0},
                             {nullptr, 1},
                             {taps[0].index, 0},
                             {taps[1].index, 0}};
  bool isMax = mode == "max";
  Tensor *result = reduceTaps(n, x, shape, at, taps, 4, isMax ? ReduceKind::Max : ReduceKind::Sum);
  if (!isMax)
    result = e.pointwise(result, [&](const Scalar &s, ValueRange args) {
      return s.div(args[0], s.constant(static_cast<double>(samples * samples)));
    });
  n.result(0, e.cast(result, x->dtype));
  return success();
}
