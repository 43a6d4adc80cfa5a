//===- Slice.cpp - slices and splits -------------------------- -*- C++ -*-===//
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
// Slices
//===----------------------------------------------------------------------===//

/// Part of `x`, by constant strides that may be negative.
static Tensor *sliced(Node &n, Tensor *x, ArrayRef<SymExpr> starts, ArrayRef<SymExpr> sizes,
                      ArrayRef<int64_t> steps) {
  bool isConstant = llvm::all_of(starts, [](const SymExpr &e) { return e.constant().has_value(); });
  if (isConstant) {
    auto known = rearrangeElements(n, x, sizes, [&](ArrayRef<int64_t> at) {
      SmallVector<int64_t> source;
      for (size_t dim = 0; dim < at.size(); ++dim)
        source.push_back(*starts[dim].constant() + at[dim] * steps[dim]);
      return linearize(x->shape, source);
    });
    if (known)
      return *known;
  }
  // Backwards is forwards from the last element, then reversed.
  SmallVector<SymExpr> offsets(starts);
  SmallVector<int64_t> strides(steps);
  for (size_t dim = 0; dim < strides.size(); ++dim)
    if (steps[dim] < 0) {
      offsets[dim] = starts[dim] + (sizes[dim] - 1) * SymExpr(steps[dim]);
      strides[dim] = -steps[dim];
    }
  Tensor *result = n.emit.slice(x, offsets, sizes, strides);
  for (size_t dim = 0; dim < steps.size(); ++dim)
    if (steps[dim] < 0)
      result = n.emit.reverse(result, dim);
  return result;
}

/// A start or end counted from the end if negative, clamped to [low, high]; `high` where that is
/// empty. Numbers beyond 32 bits are how exporters write "to the end".
static SymExpr clampIndex(SymContext &syms, const SymExpr &value, const SymExpr &extent,
                          const SymExpr &low, const SymExpr &high) {
  std::optional<int64_t> constant = value.constant();
  if (constant && *constant >= INT32_MAX)
    return high;
  if (constant && *constant <= INT32_MIN)
    return syms.min(low, high);
  SymExpr isNegative = syms.less(value, 0);
  SymExpr counted = syms.select(isNegative, value + extent, value);
  return syms.min(high, syms.max(counted, low));
}

namespace {
/// What is taken along one dimension: `size` elements, `step` apart, from `start` on.
struct Part {
  SymExpr start, size, step;
};
} // namespace

/// What a slice takes of `extent` elements; the step is not 0.
static Part partOf(Node &n, const SymExpr &from, const SymExpr &to, const SymExpr &step,
                   const SymExpr &extent) {
  SymContext &syms = n.syms;
  auto name = [&](const SymExpr &expr) { return n.emit.nameValue(expr, "slice"); };
  SymExpr forward = name(syms.less(0, step));
  // Going backwards, -1 is the end past the first element. A start in front of all elements is the
  // first one then (the standard's text; Python takes nothing).
  SymExpr low = syms.select(forward, 0, -1), high = syms.select(forward, extent, extent - 1);
  SymExpr start = name(clampIndex(syms, from, extent, 0, high));
  SymExpr end = name(clampIndex(syms, to, extent, low, high));
  SymExpr distance = name(syms.select(forward, end - start, start - end));
  SymExpr length = name(syms.max(step, SymExpr(0) - step));
  return {start, name(syms.max(syms.ceilDiv(distance, length), 0)), step};
}

/// `x[start + i * step]` along `axis`, for steps that only the run knows.
static Tensor *stepped(Node &n, Tensor *x, int64_t axis, const Part &part) {
  Emitter &e = n.emit;
  Value start = e.index(part.start), step = e.index(part.step);
  Tensor *indices = e.generate({part.size}, DType::I64, [&](const Scalar &s, ValueRange at) {
    Value offset = arith::MulIOp::create(s.b, s.loc, at[0], step);
    return s.fromIndex(arith::AddIOp::create(s.b, s.loc, start, offset));
  });
  Shape shape = x->shape;
  shape[axis] = part.size;
  Value source = e.value(x), chosen = e.value(indices);
  Value taken = graph::GatherOp::create(e.b, e.loc, e.type(x->dtype, shape), source, chosen, axis);
  return e.make(x->dtype, shape, taken);
}

/// Starts, ends, axes and steps: attributes before opset 10, inputs since.
static LogicalResult readSlice(Node &n, Shape &starts, Shape &ends, Shape &axes, Shape &steps) {
  std::optional<Shape> along;
  if (n.opset() < 10) {
    auto from = n.intsAttr("starts"), to = n.intsAttr("ends");
    if (!from || !to)
      return n.fail("expects starts and ends");
    starts.assign(from->begin(), from->end());
    ends.assign(to->begin(), to->end());
    if (std::optional<SmallVector<int64_t>> given = n.intsAttr("axes"))
      along.emplace(given->begin(), given->end());
  } else {
    if (n.numInputs() < 3 || !n.has(1) || !n.has(2))
      return n.fail("expects starts and ends");
    FailureOr<Shape> from = n.elements(1, "starts", /*mayBeCut=*/true),
                     to = n.elements(2, "ends", /*mayBeCut=*/true);
    FailureOr<std::optional<Shape>> given = Axes::read(n, "axes", 3);
    if (failed(from) || failed(to) || failed(given))
      return failure();
    starts = *from;
    ends = *to;
    along = *given;
    if (n.has(4)) {
      FailureOr<Shape> apart = n.elements(4, "steps");
      if (failed(apart))
        return failure();
      steps = *apart;
    }
  }
  for (int64_t dim = 0, count = starts.size(); !along && dim < count; ++dim)
    axes.push_back(dim);
  if (along)
    axes = std::move(*along);
  if (steps.empty())
    steps.assign(starts.size(), 1);
  if (starts.size() != ends.size() || starts.size() != axes.size() || starts.size() != steps.size())
    return n.fail("expects as many starts, ends, axes and steps");
  return success();
}

/// A number of the run is cut where an extent could be larger: refuse to be wrong there.
static LogicalResult expectWithinValues(Node &n, const SymExpr &number, const SymExpr &extent) {
  if (number.constant())
    return success();
  return n.require(n.syms.less(extent, Emitter::kMostValue),
                   "expects an extent below 2^31 where starts or ends are inputs, but got %0",
                   {extent});
}

LogicalResult sectile::frontend::importSlice(Node &n) {
  Tensor *x = n.in(0);
  SymContext &syms = n.syms;
  Shape starts, ends, places, steps;
  if (failed(readSlice(n, starts, ends, places, steps)))
    return failure();
  FailureOr<Axes> axes = Axes::get(n, places, x->rank());
  if (failed(axes))
    return failure();
  for (const SymExpr &step : steps) {
    if (step.constant() == INT64_MIN ||
        failed(n.require(SymExpr(1) - syms.equal(step, 0), "expects a step other than 0", {})))
      return n.fail("expects a step other than 0");
  }
  SmallVector<Part> parts;
  SmallVector<SymExpr> offsets;
  SmallVector<int64_t> strides;
  Shape sizes;
  for (int64_t dim = 0; dim < x->rank(); ++dim) {
    SymExpr extent = syms.simplify(x->shape[dim]);
    Part part{0, extent, 1};
    for (size_t i = 0; i < places.size(); ++i) {
      const SymExpr &isHere = axes->is(i, dim);
      if (isHere.isConstant(0))
        continue;
      if (failed(expectWithinValues(n, starts[i], extent)) ||
          failed(expectWithinValues(n, ends[i], extent)))
        return failure();
      Part own = partOf(n, starts[i], ends[i], steps[i], extent);
      auto choose = [&](const SymExpr &a, const SymExpr &b) {
        return n.emit.nameValue(syms.select(isHere, a, b), "slice");
      };
      part = {choose(own.start, part.start), choose(own.size, part.size),
              choose(own.step, part.step)};
    }
    // Steps of the run are taken by indices, behind what a view can say.
    std::optional<int64_t> step = part.step.constant();
    offsets.push_back(step ? part.start : 0);
    sizes.push_back(step ? part.size : extent);
    strides.push_back(step.value_or(1));
    parts.push_back(std::move(part));
  }
  Tensor *result = sliced(n, x, offsets, sizes, strides);
  for (auto [dim, part] : llvm::enumerate(parts))
    if (!part.step.constant())
      result = stepped(n, result, static_cast<int64_t>(dim), part);
  n.result(0, result);
  return success();
}

LogicalResult sectile::frontend::importSplit(Node &n) {
  Tensor *x = n.in(0);
  if (failed(n.expectRank(x, 1)))
    return failure();
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", 0), x->rank());
  FailureOr<std::optional<Shape>> parts = Axes::read(n, "split", 1);
  int64_t count = n.intAttr("num_outputs", n.numResults());
  if (failed(axis) || failed(parts))
    return failure();
  if (count != static_cast<int64_t>(n.numResults()) || count < 1)
    return n.fail("expects num_outputs to be the number of results, " + Twine(n.numResults()) +
                  ", but got " + Twine(count));
  SymExpr extent = n.syms.simplify(x->shape[*axis]);
  SmallVector<SymExpr> sizes;
  if (*parts) {
    if (static_cast<int64_t>((*parts)->size()) != count)
      return n.fail("expects " + Twine(count) + " parts, but got " + Twine((*parts)->size()));
    SymExpr sum;
    for (const SymExpr &part : **parts) {
      if (failed(n.require(SymExpr(1) - n.syms.less(part, 0),
                           "expects parts of at least 0, but got %0", {part})))
        return failure();
      sizes.push_back(part);
      sum = sum + part;
    }
    if (failed(n.expectEqual(extent, sum, "the extent and the sum of the parts")))
      return failure();
  } else {
    // Equal parts; since opset 18 the last one may be smaller.
    SymExpr part = n.syms.ceilDiv(extent, count);
    sizes.assign(count, part);
    sizes.back() = extent - part * SymExpr(count - 1);
    if (n.opset() < 18 && failed(n.expectEqual(sizes.back(), part, "the parts")))
      return failure();
  }
  SmallVector<SymExpr> offsets(x->rank(), 0);
  SmallVector<int64_t> strides(x->rank(), 1);
  for (int64_t i = 0; i < count; ++i) {
    Shape shape = x->shape;
    shape[*axis] = sizes[i];
    n.result(i, sliced(n, x, offsets, shape, strides));
    offsets[*axis] = offsets[*axis] + sizes[i];
  }
  return success();
}
