//===- Movement.cpp - transposes, slices, joins, padding --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

std::optional<Tensor *>
sectile::frontend::rearrangeElements(Node &n, Tensor *input, ArrayRef<SymExpr> shape,
                                     llvm::function_ref<int64_t(ArrayRef<int64_t>)> position) {
  std::optional<Shape> elements = n.emit.elements(input);
  std::optional<int64_t> count = Emitter::product(shape).constant();
  if (!elements || !count || *count > 256)
    return std::nullopt;
  SmallVector<int64_t> extents, at(shape.size(), 0);
  for (const SymExpr &extent : shape) {
    std::optional<int64_t> constant = extent.constant();
    if (!constant || *constant < 0)
      return std::nullopt;
    extents.push_back(*constant);
  }
  Shape results;
  for (int64_t linear = 0; linear < *count; ++linear) {
    results.push_back((*elements)[position(at)]);
    for (size_t dim = at.size(); dim-- > 0;) {
      if (++at[dim] != extents[dim])
        break;
      at[dim] = 0;
    }
  }
  return n.emit.known(input->dtype, Shape(shape.begin(), shape.end()), std::move(results));
}

/// Row-major position of coordinates in a constant shape.
static int64_t linearize(ArrayRef<SymExpr> shape, ArrayRef<int64_t> at) {
  int64_t position = 0;
  for (auto [extent, coordinate] : llvm::zip_equal(shape, at))
    position = position * *extent.constant() + coordinate;
  return position;
}

LogicalResult sectile::frontend::importTranspose(Node &n) {
  Tensor *x = n.in(0);
  int64_t rank = x->rank();
  SmallVector<int64_t> permutation;
  if (std::optional<SmallVector<int64_t>> given = n.intsAttr("perm")) {
    permutation = *given;
    SmallVector<int64_t> sorted = permutation;
    llvm::sort(sorted);
    if (sorted != llvm::to_vector(llvm::seq<int64_t>(0, rank)))
      return n.fail("expects perm to be a permutation of 0 to " + Twine(rank - 1));
  } else {
    permutation = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  }
  Shape shape;
  for (int64_t dim : permutation)
    shape.push_back(x->shape[dim]);
  auto known = rearrangeElements(n, x, shape, [&](ArrayRef<int64_t> at) {
    SmallVector<int64_t> source(rank);
    for (auto [dim, from] : llvm::enumerate(permutation))
      source[from] = at[dim];
    return linearize(x->shape, source);
  });
  n.result(0, known ? *known : n.emit.transpose(x, permutation));
  return success();
}

LogicalResult sectile::frontend::importConcat(Node &n) {
  Tensor *first = n.in(0);
  if (failed(n.expectSameType(n.allInputs())) || failed(n.expectRank(first, 1)))
    return failure();
  FailureOr<int64_t> given = n.requiredIntAttr("axis");
  if (failed(given))
    return failure();
  FailureOr<int64_t> axis = n.axis(*given, first->rank());
  if (failed(axis))
    return failure();
  Shape joined;
  bool isKnown = first->rank() == 1;
  for (Tensor *part : n.allInputs()) {
    if (!part)
      return n.fail("expects every input to be given");
    if (failed(n.expectRank(part, first->rank(), first->rank())))
      return failure();
    for (int64_t dim = 0; dim < first->rank(); ++dim)
      if (dim != *axis &&
          failed(n.expectEqual(first->shape[dim], part->shape[dim], "extents beside the axis")))
        return failure();
    std::optional<Shape> elements = isKnown ? n.emit.elements(part) : std::nullopt;
    isKnown &= elements.has_value() && joined.size() + elements->size() <= 256;
    if (isKnown)
      joined.append(*elements);
  }
  if (isKnown) {
    int64_t count = joined.size();
    n.result(0, n.emit.known(first->dtype, {count}, std::move(joined)));
    return success();
  }
  n.result(0, n.emit.concat(n.allInputs(), *axis));
  return success();
}

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

/// A start or end counted from the end if negative, clamped to [low, high]. Numbers beyond 32
/// bits are how exporters write "to the end".
static SymExpr clampIndex(SymContext &syms, const SymExpr &value, const SymExpr &extent,
                          const SymExpr &low, const SymExpr &high) {
  std::optional<int64_t> constant = value.constant();
  if (constant && *constant >= INT32_MAX)
    return high;
  if (constant && *constant <= INT32_MIN)
    return low;
  SymExpr isNegative = syms.less(value, 0);
  SymExpr counted = syms.select(isNegative, value + extent, value);
  return syms.max(low, syms.min(counted, high));
}

LogicalResult sectile::frontend::importSlice(Node &n) {
  Tensor *x = n.in(0);
  Shape starts, ends;
  SmallVector<int64_t> axes, steps;
  if (n.opset() < 10) {
    auto from = n.intsAttr("starts"), to = n.intsAttr("ends"), along = n.intsAttr("axes");
    if (!from || !to)
      return n.fail("expects starts and ends");
    starts.assign(from->begin(), from->end());
    ends.assign(to->begin(), to->end());
    axes = along.value_or(llvm::to_vector(llvm::seq<int64_t>(0, starts.size())));
  } else {
    if (n.numInputs() < 3 || !n.has(1) || !n.has(2))
      return n.fail("expects starts and ends");
    FailureOr<Shape> from = n.elements(1, "starts", /*mayBeCut=*/true),
                     to = n.elements(2, "ends", /*mayBeCut=*/true);
    if (failed(from) || failed(to))
      return failure();
    starts = *from;
    ends = *to;
    axes = llvm::to_vector(llvm::seq<int64_t>(0, starts.size()));
    if (n.has(3)) {
      FailureOr<SmallVector<int64_t>> along = n.integers(3, "axes");
      if (failed(along))
        return failure();
      axes = *along;
    }
    if (n.has(4)) {
      FailureOr<SmallVector<int64_t>> given = n.integers(4, "steps");
      if (failed(given))
        return failure();
      steps = *given;
    }
  }
  if (steps.empty())
    steps.assign(starts.size(), 1);
  if (starts.size() != ends.size() || starts.size() != axes.size() || starts.size() != steps.size())
    return n.fail("expects as many starts, ends, axes and steps");
  SmallVector<SymExpr> offsets(x->rank(), 0);
  Shape sizes = x->shape;
  SmallVector<int64_t> strides(x->rank(), 1);
  llvm::SmallDenseSet<int64_t> seen;
  for (size_t i = 0; i < axes.size(); ++i) {
    FailureOr<int64_t> axis = n.axis(axes[i], x->rank());
    if (failed(axis))
      return failure();
    if (!seen.insert(*axis).second)
      return n.fail("expects distinct axes, but got " + Twine(axes[i]) + " twice");
    if (steps[i] == 0 || steps[i] == INT64_MIN)
      return n.fail("expects a step other than 0");
    SymContext &syms = n.syms;
    SymExpr extent = syms.simplify(x->shape[*axis]);
    bool forward = steps[i] > 0;
    // Going backwards, -1 is the end past the first element.
    SymExpr low = forward ? 0 : -1, high = forward ? extent : extent - 1;
    SymExpr start = clampIndex(syms, starts[i], extent, forward ? 0 : low, high);
    SymExpr end = clampIndex(syms, ends[i], extent, low, high);
    SymExpr size = forward ? syms.ceilDiv(end - start, steps[i])
                           : syms.ceilDiv(start - end, SymExpr(0) - SymExpr(steps[i]));
    offsets[*axis] = start;
    sizes[*axis] = syms.max(size, 0);
    strides[*axis] = steps[i];
  }
  n.result(0, sliced(n, x, offsets, sizes, strides));
  return success();
}

LogicalResult sectile::frontend::importSplit(Node &n) {
  Tensor *x = n.in(0);
  if (failed(n.expectRank(x, 1)))
    return failure();
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", 0), x->rank());
  FailureOr<std::optional<SmallVector<int64_t>>> parts = n.integers("split", 1);
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
    for (int64_t part : **parts) {
      if (part < 0)
        return n.fail("expects parts of at least 0, but got " + Twine(part));
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

LogicalResult sectile::frontend::importPad(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  std::string mode = n.stringAttr("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" && mode != "wrap")
    return n.fail("mode '" + mode + "' is not supported");
  Shape pads;
  Value element;
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, x->rank()));
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
      FailureOr<double> value = n.number(2, "the padding's value");
      if (failed(value) || failed(n.expectSameType({x, n.in(2)})))
        return failure();
      Scalar s = e.scalars(x->dtype);
      element =
          isFloat(x->dtype) ? s.constant(*value) : s.integer(Emitter::constantInteger(n.in(2), 0));
    } else {
      element = e.scalars(x->dtype).integer(0);
    }
    if (n.has(3)) {
      FailureOr<SmallVector<int64_t>> along = n.integers(3, "axes");
      if (failed(along))
        return failure();
      axes.clear();
      for (int64_t value : *along) {
        FailureOr<int64_t> axis = n.axis(value, x->rank());
        if (failed(axis))
          return failure();
        if (llvm::is_contained(axes, *axis))
          return n.fail("expects distinct axes, but got " + Twine(value) + " twice");
        axes.push_back(*axis);
      }
    }
  }
  if (pads.size() != 2 * axes.size())
    return n.fail("expects " + Twine(2 * axes.size()) + " values in pads, but got " +
                  Twine(pads.size()));
  SmallVector<SymExpr> low(x->rank(), 0), high(x->rank(), 0), cutLow = low, cutHigh = low;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    const SymExpr &front = pads[i], &back = pads[axes.size() + i];
    low[axis] = n.syms.max(front, 0);
    high[axis] = n.syms.max(back, 0);
    cutLow[axis] = n.syms.max(SymExpr(0) - front, 0);
    cutHigh[axis] = n.syms.max(SymExpr(0) - back, 0);
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
    n.result(0, e.pad(cut, low, high, element));
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

//===----------------------------------------------------------------------===//
// Others
//===----------------------------------------------------------------------===//

LogicalResult sectile::frontend::importTile(Node &n) {
  Tensor *x = n.in(0);
  FailureOr<Shape> repeats = n.elements(1, "repeats");
  if (failed(repeats))
    return failure();
  if (static_cast<int64_t>(repeats->size()) != x->rank() || 2 * x->rank() > kMaxRank)
    return n.fail("expects " + Twine(x->rank()) + " repeats, but got " + Twine(repeats->size()));
  // [d] as [1, d], stretched to [r, d], joined to [r*d].
  Shape split, stretched, joined;
  for (int64_t dim = 0; dim < x->rank(); ++dim) {
    const SymExpr &count = (*repeats)[dim], &extent = x->shape[dim];
    if (failed(n.require(SymExpr(1) - n.syms.less(count, 0),
                         "expects repeats of at least 0, but got %0", {count})))
      return failure();
    joined.push_back(count * extent);
    if (!count.isConstant(1)) {
      split.push_back(1);
      stretched.push_back(count);
    }
    split.push_back(extent);
    stretched.push_back(extent);
  }
  Tensor *spread = n.emit.expand(n.emit.reshape(x, split), stretched);
  n.result(0, n.emit.reshape(spread, joined));
  return success();
}

LogicalResult sectile::frontend::importTrilu(Node &n) {
  Tensor *x = n.in(0);
  bool upper = n.intAttr("upper", 1) != 0;
  if (failed(n.expectRank(x, 2)))
    return failure();
  SymExpr k = 0;
  if (n.has(1)) {
    FailureOr<Shape> given = n.elements(1, "k");
    if (failed(given))
      return failure();
    if (given->size() != 1)
      return n.fail("expects k to be one number");
    k = (*given)[0];
  }
  Value diagonal = n.emit.index(k);
  int64_t rank = x->rank();
  n.result(0, n.emit.pointwise({x}, [&](const Scalar &s, ValueRange args) {
    Value row = linalg::IndexOp::create(s.b, s.loc, rank - 2);
    Value column = linalg::IndexOp::create(s.b, s.loc, rank - 1);
    Value edge = arith::AddIOp::create(s.b, s.loc, row, diagonal);
    Value keeps = arith::CmpIOp::create(
        s.b, s.loc, upper ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sle, column, edge);
    return s.select(keeps, args[0], s.integer(0));
  }));
  return success();
}

/// `extent` divided by a power of the block size, which must come out even.
static FailureOr<SymExpr> divided(Node &n, const SymExpr &extent, int64_t block, int power) {
  if (block < 1 || block > INT16_MAX)
    return n.fail("expects blocksize from 1 to " + Twine(INT16_MAX) + ", but got " + Twine(block));
  SymExpr divisor = power == 2 ? block * block : block;
  SymExpr quotient = n.syms.floorDiv(extent, divisor);
  if (failed(n.require(n.syms.equal(quotient * divisor, extent),
                       "expects an extent that divides by %1, but got %0", {extent, divisor})))
    return failure();
  return quotient;
}

LogicalResult sectile::frontend::importDepthToSpace(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  int64_t block = n.intAttr("blocksize", 0);
  std::string mode = n.stringAttr("mode", "DCR");
  if (failed(n.expectRank(x, 4, 4)))
    return failure();
  if (mode != "DCR" && mode != "CRD")
    return n.fail("expects mode DCR or CRD, but got '" + mode + "'");
  FailureOr<SymExpr> depth = divided(n, x->shape[1], block, 2);
  if (failed(depth))
    return failure();
  SymExpr batch = x->shape[0], height = x->shape[2], width = x->shape[3];
  bool depthFirst = mode == "CRD";
  Shape split = depthFirst ? Shape{batch, *depth, block, block, height, width}
                           : Shape{batch, block, block, *depth, height, width};
  SmallVector<int64_t> order =
      depthFirst ? SmallVector<int64_t>{0, 1, 4, 2, 5, 3} : SmallVector<int64_t>{0, 3, 4, 1, 5, 2};
  Tensor *moved = e.transpose(e.reshape(x, split), order);
  n.result(0, e.reshape(moved, {batch, *depth, height * SymExpr(block), width * SymExpr(block)}));
  return success();
}

LogicalResult sectile::frontend::importSpaceToDepth(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  int64_t block = n.intAttr("blocksize", 0);
  if (failed(n.expectRank(x, 4, 4)))
    return failure();
  FailureOr<SymExpr> height = divided(n, x->shape[2], block, 1);
  FailureOr<SymExpr> width = divided(n, x->shape[3], block, 1);
  if (failed(height) || failed(width))
    return failure();
  SymExpr batch = x->shape[0], depth = x->shape[1];
  Tensor *split = e.reshape(x, {batch, depth, *height, block, *width, block});
  Tensor *moved = e.transpose(split, {0, 3, 5, 1, 2, 4});
  n.result(0, e.reshape(moved, {batch, depth * SymExpr(block * block), *height, *width}));
  return success();
}
