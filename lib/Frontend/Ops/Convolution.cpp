//===- Convolution.cpp - Conv as one contraction ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A convolution is a contraction whose input is read at sums of dimensions:
//
//   y[n, g, oc, o..] += x[n, g, ic, o*stride + k*dilation ..] * w[g, oc, ic, k..]
//
// over the iteration space (n, [g], oc, o.., ic, k..). Groups split the
// channels, which is a view; a depthwise convolution, where each group is one
// channel, needs no view: its iteration space is (n, c, o.., k..).
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using utils::IteratorType;

/// Adds a bias per channel (dimension 1).
static Tensor *addBias(Emitter &e, Tensor *y, Tensor *bias) {
  SmallVector<int64_t> behind = llvm::to_vector(llvm::seq<int64_t>(1, y->rank() - 1));
  return e.pointwise({y, e.unsqueeze(bias, behind)}, [](const Scalar &s, ValueRange args) {
    return s.add(args[0], s.as(s.dtype).convert(args[1], s.dtype));
  });
}

/// `x` with padding around its spatial dimensions.
static Tensor *padSpatial(Emitter &e, Tensor *x, ArrayRef<SymExpr> low, ArrayRef<SymExpr> high) {
  SmallVector<SymExpr> before(2, 0), after(2, 0);
  before.append(low.begin(), low.end());
  after.append(high.begin(), high.end());
  return e.pad(x, before, after, e.scalars(x->dtype).integer(0));
}

namespace {
/// The dimensions of a convolution's iteration space, in order.
struct Space {
  SmallVector<IteratorType> iterators;
  AffineExpr add(Emitter &e, IteratorType type) {
    iterators.push_back(type);
    return e.dim(iterators.size() - 1);
  }
};
} // namespace

/// The contraction above, in the type of sums. `x` is padded; `readAt` gives the coordinate that
/// output position `o` reads for kernel position `k` of a spatial dimension. `weightIsInFirst`
/// says that the kernel is [ic, oc, k..] as in a transposed convolution.
static Tensor *
convolve(Emitter &e, Tensor *x, Tensor *w, int64_t groups, ArrayRef<SymExpr> output,
         bool weightIsInFirst,
         llvm::function_ref<AffineExpr(size_t dim, AffineExpr o, AffineExpr k)> readAt) {
  size_t spatial = output.size();
  SymExpr inChannels = e.syms.simplify(x->shape[1]);
  SymExpr outPerGroup = weightIsInFirst ? w->shape[1] : *w->shape[0].exactDiv(groups);
  SymExpr inPerGroup = *inChannels.exactDiv(groups);
  bool isDepthwise = groups > 1 && inPerGroup.isConstant(1) && outPerGroup.isConstant(1);
  bool isGrouped = groups > 1 && !isDepthwise;
  if (isGrouped) {
    Shape split{x->shape[0], groups, inPerGroup};
    split.append(x->shape.begin() + 2, x->shape.end());
    x = e.reshape(x, split);
    Shape weights{groups, weightIsInFirst ? inPerGroup : outPerGroup,
                  weightIsInFirst ? outPerGroup : inPerGroup};
    weights.append(w->shape.begin() + 2, w->shape.end());
    w = e.reshape(w, weights);
  }
  Space space;
  auto parallel = [&] { return space.add(e, IteratorType::parallel); };
  AffineExpr batch = parallel(), group = isGrouped ? parallel() : AffineExpr(),
             channel = parallel();
  SmallVector<AffineExpr> at, kernel;
  for (size_t dim = 0; dim < spatial; ++dim)
    at.push_back(parallel());
  AffineExpr in = isDepthwise ? AffineExpr() : space.add(e, IteratorType::reduction);
  for (size_t dim = 0; dim < spatial; ++dim)
    kernel.push_back(space.add(e, IteratorType::reduction));

  Access reads{x, {batch}}, weights{w, {}};
  SmallVector<AffineExpr> result{batch};
  Shape shape{x->shape[0]};
  if (isGrouped) {
    reads.map.push_back(group);
    weights.map.push_back(group);
    result.push_back(group);
    shape.push_back(groups);
  }
  result.push_back(channel);
  shape.push_back(isDepthwise ? SymExpr(groups) : outPerGroup);
  if (isDepthwise) {
    reads.map.push_back(channel);
    // The kernel is [groups, 1, k..] in both orders.
    weights.map.append({channel, e.b.getAffineConstantExpr(0)});
  } else {
    reads.map.push_back(in);
    weights.map.append({weightIsInFirst ? in : channel, weightIsInFirst ? channel : in});
  }
  for (size_t dim = 0; dim < spatial; ++dim) {
    reads.map.push_back(readAt(dim, at[dim], kernel[dim]));
    weights.map.push_back(kernel[dim]);
    result.push_back(at[dim]);
    shape.push_back(output[dim]);
  }
  Tensor *y = e.contract(reads, weights, shape, result, space.iterators);
  if (!isGrouped)
    return y;
  Shape joined{shape[0], SymExpr(groups) * outPerGroup};
  joined.append(output.begin(), output.end());
  return e.reshape(y, joined);
}

/// Checks what Conv and ConvTranspose share; the number of groups.
static FailureOr<int64_t> checkOperands(Node &n, Tensor *x, Tensor *w) {
  if (failed(n.expectRank(x, 3, 5)))
    return failure();
  if (w->rank() != x->rank())
    return n.fail("expects a kernel of rank " + Twine(x->rank()) + ", but got " +
                  Node::text(w->shape));
  int64_t groups = n.intAttr("group", 1);
  SymExpr channels = n.syms.simplify(x->shape[1]);
  if (groups < 1 || !channels.exactDiv(groups))
    return n.fail("expects the " + channels.str() + " channels to divide into " + Twine(groups) +
                  " groups");
  if (std::optional<SmallVector<int64_t>> declared = n.intsAttr("kernel_shape")) {
    if (static_cast<int64_t>(declared->size()) != x->rank() - 2)
      return n.fail("expects " + Twine(x->rank() - 2) + " values in kernel_shape, but got " +
                    Twine(declared->size()));
    for (auto [dim, extent] : llvm::enumerate(*declared))
      if (failed(n.expectEqual(w->shape[dim + 2], extent, "kernel_shape and the kernel's extents")))
        return failure();
  }
  return groups;
}

static LogicalResult checkBias(Node &n, const SymExpr &channels) {
  if (!n.has(2))
    return success();
  if (failed(n.expectSameType({n.in(0), n.in(2)})) || failed(n.expectRank(n.in(2), 1, 1)))
    return failure();
  return n.expectEqual(n.in(2)->shape[0], channels, "the bias's extent and the channels");
}

static void finish(Node &n, Tensor *y) {
  if (n.has(2))
    y = addBias(n.emit, y, n.emit.cast(n.in(2), y->dtype));
  n.result(0, n.emit.cast(y, n.in(0)->dtype));
}

/// Checks the operands of a convolution of floats.
static LogicalResult checkFloats(Node &n) {
  return success(succeeded(n.expectSameType({n.in(0), n.in(1)})) &&
                 succeeded(n.expectFloat(n.in(0))));
}

FailureOr<Tensor *> sectile::frontend::convolveInputs(Node &n, Tensor *x, Tensor *w) {
  // A kernel of known extents says how many channels an input has, and that they divide.
  if (failed(n.expectRank(x, 3, 5)) || failed(n.expectRank(w, 3, 5)) ||
      failed(n.expectEqual(w->shape[1] * SymExpr(std::max<int64_t>(n.intAttr("group", 1), 1)),
                           x->shape[1],
                           "the kernel's channels times groups and the input's channels")))
    return failure();
  FailureOr<int64_t> groups = checkOperands(n, x, w);
  if (failed(groups))
    return failure();
  Emitter &e = n.emit;
  if (!w->shape[0].exactDiv(*groups))
    return n.fail("expects the kernel's " + w->shape[0].str() + " channels to divide into " +
                  Twine(*groups) + " groups");
  FailureOr<Window> window = readWindow(n, ArrayRef(x->shape).drop_front(2),
                                        ArrayRef(w->shape).drop_front(2), /*ceilMode=*/false);
  if (failed(window))
    return failure();
  Tensor *padded = padSpatial(e, x, window->low, window->high);
  return convolve(e, padded, w, *groups, window->output, /*weightIsInFirst=*/false,
                  [&](size_t dim, AffineExpr o, AffineExpr k) {
                    return o * window->strides[dim] + k * window->dilations[dim];
                  });
}

LogicalResult sectile::frontend::importConv(Node &n) {
  if (failed(checkFloats(n)) || failed(n.expectRank(n.in(1), 3)) ||
      failed(checkBias(n, n.in(1)->shape[0])))
    return failure();
  FailureOr<Tensor *> y = convolveInputs(n, n.in(0), n.in(1));
  if (failed(y))
    return failure();
  finish(n, *y);
  return success();
}

LogicalResult sectile::frontend::importConvInteger(Node &n) {
  if (n.has(2) && !Emitter::product(n.in(2)->shape).isConstant(1))
    return n.fail("expects one zero point for the input, but got " + Node::text(n.in(2)->shape));
  // Padding comes after: it holds the zero point, which is then 0.
  FailureOr<Tensor *> x = withoutZeroPoint(n, n.in(0), 2, 0);
  FailureOr<Tensor *> w = withoutZeroPoint(n, n.in(1), 3, n.in(1)->rank() - 1);
  if (failed(x) || failed(w))
    return failure();
  FailureOr<Tensor *> y = convolveInputs(n, *x, *w);
  if (failed(y))
    return failure();
  n.result(0, *y);
  return success();
}

//===----------------------------------------------------------------------===//
// Transposed convolution
//===----------------------------------------------------------------------===//

/// Every spatial position followed by stride - 1 zeros: a view of a padded view.
static Tensor *insertZeros(Emitter &e, Tensor *x, ArrayRef<int64_t> strides) {
  if (llvm::all_of(strides, [](int64_t stride) { return stride == 1; }))
    return x;
  Shape split{x->shape[0], x->shape[1]}, joined = split;
  SmallVector<SymExpr> low(2, 0), high(2, 0);
  for (auto [dim, stride] : llvm::enumerate(strides)) {
    split.append({x->shape[dim + 2], 1});
    joined.push_back(x->shape[dim + 2] * SymExpr(stride));
    low.append({0, 0});
    high.append({0, stride - 1});
  }
  Tensor *spread = e.pad(e.reshape(x, split), low, high, e.scalars(x->dtype).integer(0));
  return e.reshape(spread, joined);
}

/// Where windows do not overlap and nothing is cut off, each input position makes its own block
/// of the output: y[n, oc, h, kh, w, kw] = sum over ic of x[n, ic, h, w] * w[ic, oc, kh, kw].
static Tensor *convolveBlocks(Emitter &e, Tensor *x, Tensor *w) {
  size_t spatial = x->rank() - 2;
  Space space;
  auto parallel = [&] { return space.add(e, IteratorType::parallel); };
  AffineExpr batch = parallel(), channel = parallel();
  SmallVector<AffineExpr> result{batch, channel}, at, kernel;
  Shape shape{x->shape[0], w->shape[1]}, joined = shape;
  for (size_t dim = 0; dim < spatial; ++dim) {
    at.push_back(parallel());
    kernel.push_back(parallel());
    result.append({at.back(), kernel.back()});
    shape.append({x->shape[dim + 2], w->shape[dim + 2]});
    joined.push_back(x->shape[dim + 2] * w->shape[dim + 2]);
  }
  AffineExpr in = space.add(e, IteratorType::reduction);
  Access reads{x, {batch, in}}, weights{w, {in, channel}};
  reads.map.append(at.begin(), at.end());
  weights.map.append(kernel.begin(), kernel.end());
  return e.reshape(e.contract(reads, weights, shape, result, space.iterators), joined);
}

namespace {
/// What of the full result of a transposed convolution is kept.
struct Crop {
  SmallVector<SymExpr> low; ///< cut off in front
  Shape output;
};
} // namespace

static FailureOr<Crop> readCrop(Node &n, Tensor *x, ArrayRef<int64_t> kernel,
                                ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations) {
  size_t spatial = kernel.size();
  std::string mode = n.stringAttr("auto_pad", "NOTSET");
  SmallVector<int64_t> pads = n.intsAttr("pads").value_or(SmallVector<int64_t>(2 * spatial, 0));
  SmallVector<int64_t> extra =
      n.intsAttr("output_padding").value_or(SmallVector<int64_t>(spatial, 0));
  std::optional<SmallVector<int64_t>> wanted = n.intsAttr("output_shape");
  if (pads.size() != 2 * spatial || extra.size() != spatial ||
      (wanted && wanted->size() != spatial && wanted->size() != spatial + 2))
    return n.fail("expects pads, output_padding and output_shape for " + Twine(spatial) +
                  " spatial dimensions");
  for (int64_t pad : llvm::concat<int64_t>(pads, extra))
    if (pad < 0 || pad > INT32_MAX)
      return n.fail("expects pads from 0 to " + Twine(INT32_MAX) + ", but got " + Twine(pad));
  Crop crop;
  for (size_t dim = 0; dim < spatial; ++dim) {
    SymExpr extent = x->shape[dim + 2], stride = strides[dim];
    SymExpr full = (extent - 1) * stride + extra[dim] + (kernel[dim] - 1) * dilations[dim] + 1;
    bool isSame = mode == "SAME_UPPER" || mode == "SAME_LOWER";
    if (wanted || isSame) {
      SymExpr output =
          wanted ? SymExpr((*wanted)[wanted->size() - spatial + dim]) : extent * stride;
      // The odd element goes to the end for SAME_UPPER, to the front otherwise.
      SymExpr total = n.syms.max(full - output, 0);
      SymExpr half = n.syms.floorDiv(total, 2);
      crop.low.push_back(mode == "SAME_UPPER" ? half : total - half);
      crop.output.push_back(output);
    } else {
      int64_t low = mode == "VALID" ? 0 : pads[dim];
      int64_t high = mode == "VALID" ? 0 : pads[spatial + dim];
      crop.low.push_back(low);
      crop.output.push_back(full - low - high);
    }
    if (failed(n.require(SymExpr(1) - n.syms.less(crop.output.back(), 0),
                         "expects a result of at least 0, but got %0", {crop.output.back()})))
      return failure();
  }
  return crop;
}

LogicalResult sectile::frontend::importConvTranspose(Node &n) {
  if (failed(checkFloats(n)))
    return failure();
  FailureOr<int64_t> groups = checkOperands(n, n.in(0), n.in(1));
  if (failed(groups))
    return failure();
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *w = n.in(1);
  size_t spatial = x->rank() - 2;
  if (failed(n.expectEqual(w->shape[0], x->shape[1], "the kernel's and the input's channels")) ||
      failed(checkBias(n, w->shape[1] * SymExpr(*groups))))
    return failure();
  SmallVector<int64_t> kernel;
  for (size_t dim = 0; dim < spatial; ++dim) {
    std::optional<int64_t> extent = e.syms.simplify(w->shape[dim + 2]).constant();
    if (!extent || *extent < 1)
      return n.fail("expects a kernel of constant extents of at least 1, but got " +
                    Node::text(w->shape));
    kernel.push_back(*extent);
  }
  SmallVector<int64_t> strides = n.intsAttr("strides").value_or(SmallVector<int64_t>(spatial, 1));
  SmallVector<int64_t> dilations =
      n.intsAttr("dilations").value_or(SmallVector<int64_t>(spatial, 1));
  auto isPositive = [](int64_t value) { return value >= 1 && value <= INT32_MAX; };
  if (strides.size() != spatial || dilations.size() != spatial ||
      !llvm::all_of(strides, isPositive) || !llvm::all_of(dilations, isPositive))
    return n.fail("expects " + Twine(spatial) + " strides and dilations of at least 1");
  FailureOr<Crop> crop = readCrop(n, x, kernel, strides, dilations);
  if (failed(crop))
    return failure();

  bool tiles = *groups == 1 && strides == kernel &&
               llvm::all_of(dilations, [](int64_t dilation) { return dilation == 1; });
  for (size_t dim = 0; dim < spatial; ++dim)
    tiles &= crop->low[dim].isConstant(0) &&
             e.same(crop->output[dim], x->shape[dim + 2] * SymExpr(kernel[dim]));
  if (tiles) {
    finish(n, convolveBlocks(e, x, w));
    return success();
  }
  // In gather form, y[o] reads the spread input at o + low - k*dilation. Padding in front moves
  // that to where nothing is negative, padding behind reaches the last output.
  Tensor *spread = insertZeros(e, x, strides);
  SmallVector<SymExpr> before, after;
  for (size_t dim = 0; dim < spatial; ++dim) {
    SymExpr reach = (SymExpr(kernel[dim]) - 1) * SymExpr(dilations[dim]);
    SymExpr front = e.syms.max(reach - crop->low[dim], 0);
    before.push_back(front);
    SymExpr last = crop->output[dim] - 1 + crop->low[dim] + front;
    after.push_back(e.syms.max(last + 1 - front - spread->shape[dim + 2], 0));
  }
  Tensor *padded = padSpatial(e, spread, before, after);
  SmallVector<int64_t> shift;
  for (size_t dim = 0; dim < spatial; ++dim) {
    std::optional<int64_t> constant = e.syms.simplify(crop->low[dim] + before[dim]).constant();
    if (!constant)
      return n.fail("expects padding that does not depend on the input's extents");
    shift.push_back(*constant);
  }
  finish(n, convolve(e, padded, w, *groups, crop->output, /*weightIsInFirst=*/true,
                     [&](size_t dim, AffineExpr o, AffineExpr k) {
                       return o - k * dilations[dim] + shift[dim];
                     }));
  return success();
}
