//===- Normalization.cpp - softmax and the normalisations -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All in the numerically standard form, in f32 for narrow floats: softmax with
// the maximum subtracted, the variance from values with the mean subtracted.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

static SmallVector<int64_t> axesFrom(int64_t first, int64_t rank) {
  return llvm::to_vector(llvm::seq<int64_t>(first, rank));
}

Tensor *sectile::frontend::logSoftmax(Emitter &e, Tensor *x, ArrayRef<int64_t> axes) {
  Tensor *most = e.reduce(x, axes, /*keep=*/true, ReduceKind::Max);
  Tensor *centred = e.pointwise(
      {x, most}, [](const Scalar &s, ValueRange args) { return s.sub(args[0], args[1]); });
  Tensor *power = e.pointwise({centred}, [](const Scalar &s, ValueRange args) -> Value {
    return math::ExpOp::create(s.b, s.loc, args[0]);
  });
  Tensor *sum = e.reduce(power, axes, /*keep=*/true, ReduceKind::Sum);
  return e.pointwise({centred, sum}, [](const Scalar &s, ValueRange args) {
    return s.sub(args[0], math::LogOp::create(s.b, s.loc, args[1]));
  });
}

LogicalResult sectile::frontend::importSoftmax(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  if (failed(n.expectFloat(x)))
    return failure();
  // Before opset 13 everything from the axis on was one dimension.
  bool isFlat = n.opset() < 13;
  if (x->rank() == 0)
    return n.fail("expects an input of rank 1 or more, but got []");
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", isFlat && x->rank() > 1 ? 1 : -1), x->rank());
  if (failed(axis))
    return failure();
  SmallVector<int64_t> axes = isFlat ? axesFrom(*axis, x->rank()) : SmallVector<int64_t>{*axis};
  Tensor *wide = e.cast(x, computeType(x->dtype));
  Tensor *result;
  if (n.op() == "LogSoftmax") {
    result = logSoftmax(e, wide, axes);
  } else {
    Tensor *most = e.reduce(wide, axes, /*keep=*/true, ReduceKind::Max);
    Tensor *power = e.pointwise({wide, most}, [](const Scalar &s, ValueRange args) -> Value {
      return math::ExpOp::create(s.b, s.loc, s.sub(args[0], args[1]));
    });
    Tensor *sum = e.reduce(power, axes, /*keep=*/true, ReduceKind::Sum);
    result = e.pointwise({power, sum},
                         [](const Scalar &s, ValueRange args) { return s.div(args[0], args[1]); });
  }
  n.result(0, e.cast(result, x->dtype));
  return success();
}

namespace {
/// x - mean, 1 / sqrt(variance + epsilon), and the mean, over some axes.
struct Centred {
  Tensor *value, *inverse, *mean;
};
} // namespace

static Tensor *inverseRoot(Emitter &e, Tensor *variance, double epsilon) {
  return e.pointwise({variance}, [&](const Scalar &s, ValueRange args) {
    Value root = math::SqrtOp::create(s.b, s.loc, s.add(args[0], s.constant(epsilon)));
    return s.div(s.constant(1), root);
  });
}

static Tensor *meanOfSquares(Emitter &e, Tensor *x, ArrayRef<int64_t> axes) {
  Tensor *squares =
      e.pointwise({x}, [](const Scalar &s, ValueRange args) { return s.mul(args[0], args[0]); });
  return e.mean(squares, axes, /*keep=*/true);
}

static Centred centre(Emitter &e, Tensor *x, ArrayRef<int64_t> axes, double epsilon) {
  Tensor *mean = e.mean(x, axes, /*keep=*/true);
  Tensor *centred = e.pointwise(
      {x, mean}, [](const Scalar &s, ValueRange args) { return s.sub(args[0], args[1]); });
  return {centred, inverseRoot(e, meanOfSquares(e, centred, axes), epsilon), mean};
}

/// value * inverse * scale + bias, where `bias` may be missing.
static Tensor *applyScale(Emitter &e, Tensor *value, Tensor *inverse, Tensor *scale, Tensor *bias) {
  SmallVector<Tensor *> inputs{value, inverse, e.cast(scale, value->dtype)};
  if (bias)
    inputs.push_back(e.cast(bias, value->dtype));
  return e.pointwise(inputs, [&](const Scalar &s, ValueRange args) {
    Value scaled = s.mul(s.mul(args[0], args[1]), args[2]);
    return bias ? s.add(scaled, args[3]) : scaled;
  });
}

/// A parameter must broadcast to the input without stretching it.
static LogicalResult expectFits(Node &n, Tensor *parameter, Tensor *x) {
  if (failed(n.expectFloat(parameter)))
    return failure();
  if (parameter->rank() > x->rank())
    return n.fail("expects a parameter that fits " + Node::text(x->shape) + ", but got " +
                  Node::text(parameter->shape));
  int64_t shift = x->rank() - parameter->rank();
  for (int64_t dim = 0; dim < parameter->rank(); ++dim)
    if (!n.syms.simplify(parameter->shape[dim]).isConstant(1) &&
        failed(n.expectEqual(parameter->shape[dim], x->shape[shift + dim],
                             "the parameter's and the input's extents")))
      return failure();
  return success();
}

LogicalResult sectile::frontend::importLayerNorm(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  double epsilon = n.floatAttr("epsilon", 1e-5);
  int64_t stash = n.intAttr("stash_type", 1);
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 1)))
    return failure();
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", -1), x->rank());
  if (failed(axis) || failed(expectFits(n, n.in(1), x)) ||
      (n.has(2) && failed(expectFits(n, n.in(2), x))))
    return failure();
  std::optional<DType> stashType = dtypeOf(stash);
  if (!stashType || !isFloat(*stashType))
    return n.fail("expects stash_type to be a float type, but got " + nameOfNumber(stash));
  SmallVector<int64_t> axes = axesFrom(*axis, x->rank());
  Centred c = centre(e, e.cast(x, computeType(x->dtype)), axes, epsilon);
  Tensor *result = applyScale(e, c.value, c.inverse, n.in(1), n.has(2) ? n.in(2) : nullptr);
  n.result(0, e.cast(result, x->dtype));
  if (n.wants(1))
    n.result(1, e.cast(c.mean, *stashType));
  if (n.wants(2))
    n.result(2, e.cast(c.inverse, *stashType));
  return success();
}

LogicalResult sectile::frontend::importRmsNorm(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  double epsilon = n.floatAttr("epsilon", 1e-5);
  n.ignoreAttr("stash_type"); // Computed in f32 or f64 in any case.
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 1)))
    return failure();
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", -1), x->rank());
  if (failed(axis) || failed(expectFits(n, n.in(1), x)))
    return failure();
  Tensor *wide = e.cast(x, computeType(x->dtype));
  Tensor *inverse = inverseRoot(e, meanOfSquares(e, wide, axesFrom(*axis, x->rank())), epsilon);
  n.result(0, e.cast(applyScale(e, wide, inverse, n.in(1), nullptr), x->dtype));
  // ONNX Runtime's older name of the operator gives this too.
  if (n.op() == "SimplifiedLayerNormalization" && n.wants(1))
    n.result(1, inverse);
  return success();
}

LogicalResult sectile::frontend::importSkipNorm(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *skip = n.in(1), *scale = n.in(2);
  double epsilon = n.floatAttr("epsilon", 1e-12);
  bool isSimple = n.op() == "SkipSimplifiedLayerNormalization";
  Tensor *shift = !isSimple && n.has(3) ? n.in(3) : nullptr;
  unsigned biasInput = isSimple ? 3 : 4;
  Tensor *bias = n.has(biasInput) ? n.in(biasInput) : nullptr;
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 2, 3)) ||
      failed(n.expectSameType({x, skip, scale, shift, bias})))
    return failure();
  // The summand may stand for every batch.
  FailureOr<Shape> joined = n.broadcast({x, skip});
  if (failed(joined))
    return failure();
  if (static_cast<int64_t>(joined->size()) != x->rank())
    return n.fail("expects a summand that fits " + Node::text(x->shape) + ", but got " +
                  Node::text(skip->shape));
  for (auto [own, wanted] : llvm::zip_equal(*joined, x->shape))
    if (failed(n.expectEqual(own, wanted, "extents of the input and the summand")))
      return failure();
  SmallVector<Tensor *> summands{x, skip};
  for (Tensor *vector : {scale, shift, bias})
    if (vector && (failed(n.expectRank(vector, 1, 1)) ||
                   failed(n.expectEqual(vector->shape[0], x->shape.back(),
                                        "the parameter's extent and the input's last one"))))
      return failure();
  if (bias)
    summands.push_back(bias);
  DType wide = computeType(x->dtype);
  for (Tensor *&summand : summands)
    summand = e.cast(summand, wide);
  Tensor *sum = e.pointwise(summands, [](const Scalar &s, ValueRange args) {
    Value both = s.add(args[0], args[1]);
    return args.size() > 2 ? s.add(both, args[2]) : both;
  });
  SmallVector<int64_t> last{x->rank() - 1};
  Centred c{sum, nullptr, nullptr};
  if (isSimple)
    c.inverse = inverseRoot(e, meanOfSquares(e, sum, last), epsilon);
  else
    c = centre(e, sum, last, epsilon);
  n.result(0, e.cast(applyScale(e, c.value, c.inverse, scale, shift), x->dtype));
  if (c.mean)
    n.result(1, c.mean);
  n.result(2, c.inverse);
  n.result(3, e.cast(sum, x->dtype));
  return success();
}

/// A per-channel vector as [C, 1, ..], to stand at dimension 1 of a tensor of that rank.
static Tensor *perChannel(Emitter &e, Tensor *vector, int64_t rank) {
  return e.unsqueeze(vector, axesFrom(1, rank - 1));
}

/// Checks a vector of one element per channel.
static LogicalResult expectChannels(Node &n, Tensor *vector, Tensor *x) {
  if (failed(n.expectFloat(vector)) || failed(n.expectRank(vector, 1, 1)))
    return failure();
  return n.expectEqual(vector->shape[0], x->shape[1], "the parameter's extent and the channels");
}

LogicalResult sectile::frontend::importInstanceNorm(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  double epsilon = n.floatAttr("epsilon", 1e-5);
  n.ignoreAttr("consumed_inputs");
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 3)) ||
      failed(expectChannels(n, n.in(1), x)) || failed(expectChannels(n, n.in(2), x)))
    return failure();
  Centred c = centre(e, e.cast(x, computeType(x->dtype)), axesFrom(2, x->rank()), epsilon);
  Tensor *result = applyScale(e, c.value, c.inverse, perChannel(e, n.in(1), x->rank()),
                              perChannel(e, n.in(2), x->rank()));
  n.result(0, e.cast(result, x->dtype));
  return success();
}

LogicalResult sectile::frontend::importGroupNorm(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *scale = n.in(1), *bias = n.in(2);
  double epsilon = n.floatAttr("epsilon", 1e-5);
  int64_t groups = n.intAttr("num_groups", 0);
  n.ignoreAttr("stash_type");
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 3)))
    return failure();
  std::optional<SymExpr> perGroup;
  if (groups >= 1)
    perGroup = x->shape[1].exactDiv(groups);
  if (!perGroup)
    return n.fail("expects the " + x->shape[1].str() +
                  " channels to divide into num_groups = " + Twine(groups));
  // Scale and bias were per group in opset 18 and are per channel since 21.
  bool isPerGroup = n.opset() < 21;
  for (Tensor *parameter : {scale, bias}) {
    if (failed(n.expectFloat(parameter)) || failed(n.expectRank(parameter, 1, 1)))
      return failure();
    if (failed(n.expectEqual(parameter->shape[0], isPerGroup ? SymExpr(groups) : x->shape[1],
                             "the parameter's extent and the groups or channels")))
      return failure();
  }
  Shape split{x->shape[0], groups, *perGroup};
  split.append(x->shape.begin() + 2, x->shape.end());
  Tensor *grouped = e.reshape(e.cast(x, computeType(x->dtype)), split);
  int64_t rank = grouped->rank();
  Centred c = centre(e, grouped, axesFrom(2, rank), epsilon);
  auto spread = [&](Tensor *parameter) {
    if (isPerGroup)
      return perChannel(e, parameter, rank);
    return e.unsqueeze(e.reshape(parameter, {groups, *perGroup}), axesFrom(2, rank - 1));
  };
  Tensor *result = applyScale(e, c.value, c.inverse, spread(scale), spread(bias));
  n.result(0, e.cast(e.reshape(result, x->shape), x->dtype));
  return success();
}

LogicalResult sectile::frontend::importBatchNorm(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  double epsilon = n.floatAttr("epsilon", 1e-5);
  double momentum = n.floatAttr("momentum", 0.9);
  n.ignoreAttr("consumed_inputs");
  // Before opset 14, what training gives beside the result was left open.
  bool trains = n.opset() >= 14 && n.intAttr("training_mode", 0) != 0;
  if (n.intAttr("training_mode", 0) != static_cast<int64_t>(trains) ||
      (n.opset() < 7 && n.intAttr("is_test", 0) == 0) || n.intAttr("spatial", 1) == 0)
    return n.fail("training and spatial = 0 are not supported", "export for inference");
  for (unsigned i = 1; i < n.numResults() && !trains; ++i)
    if (n.wants(i))
      return n.fail("results beyond the first belong to training", "export for inference");
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 2)))
    return failure();
  for (unsigned i = 1; i < 5; ++i)
    if (failed(expectChannels(n, n.in(i), x)))
      return failure();
  // Per channel: factor = scale / sqrt(var + eps), offset = bias - mean * factor. On constants,
  // which is what they nearly always are, folding leaves two constants.
  DType dtype = computeType(x->dtype);
  auto parameter = [&](unsigned i) { return e.cast(n.in(i), dtype); };
  Tensor *scale = parameter(1), *bias = parameter(2), *mean = parameter(3),
         *variance = parameter(4);
  if (trains) {
    // The batch's own statistics normalise it; the running ones move towards them.
    SmallVector<int64_t> axes{0};
    for (int64_t dim = 2; dim < x->rank(); ++dim)
      axes.push_back(dim);
    Tensor *wide = e.cast(x, dtype), *center = e.mean(wide, axes, /*keep=*/true);
    Tensor *centred = e.pointwise(
        {wide, center}, [](const Scalar &s, ValueRange args) { return s.sub(args[0], args[1]); });
    Tensor *now[] = {e.squeeze(center, axes), e.squeeze(meanOfSquares(e, centred, axes), axes)};
    for (unsigned i : {0u, 1u})
      n.result(i + 1, e.cast(e.pointwise({parameter(i + 3), now[i]},
                                         [&](const Scalar &s, ValueRange args) {
                                           return s.add(s.mul(args[0], s.constant(momentum)),
                                                        s.mul(args[1], s.constant(1 - momentum)));
                                         }),
                             n.in(i + 3)->dtype));
    mean = now[0];
    variance = now[1];
  }
  Tensor *factor = e.pointwise({scale, variance}, [&](const Scalar &s, ValueRange args) {
    Value root = math::SqrtOp::create(s.b, s.loc, s.add(args[1], s.constant(epsilon)));
    return s.div(args[0], root);
  });
  Tensor *offset = e.pointwise({bias, mean, factor}, [](const Scalar &s, ValueRange args) {
    return s.sub(args[0], s.mul(args[1], args[2]));
  });
  Tensor *result = e.pointwise(
      {e.cast(x, dtype), perChannel(e, factor, x->rank()), perChannel(e, offset, x->rank())},
      [](const Scalar &s, ValueRange args) { return s.add(s.mul(args[0], args[1]), args[2]); });
  n.result(0, e.cast(result, x->dtype));
  return success();
}

LogicalResult sectile::frontend::importMeanVarianceNorm(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  if (failed(n.expectFloat(x)))
    return failure();
  FailureOr<SmallVector<int64_t>> axes =
      n.axes(n.intsAttr("axes").value_or(SmallVector<int64_t>{0, 2, 3}), x->rank());
  if (failed(axes))
    return failure();
  Tensor *wide = e.cast(x, computeType(x->dtype));
  Tensor *mean = e.mean(wide, *axes, /*keep=*/true);
  Tensor *centred = e.pointwise(
      {wide, mean}, [](const Scalar &s, ValueRange args) { return s.sub(args[0], args[1]); });
  // The standard adds its epsilon to the deviation, not to the variance.
  Tensor *deviation =
      e.pointwise({meanOfSquares(e, centred, *axes)}, [](const Scalar &s, ValueRange args) {
        return s.add(math::SqrtOp::create(s.b, s.loc, args[0]), s.constant(1e-9));
      });
  Tensor *result = e.pointwise({centred, deviation}, [](const Scalar &s, ValueRange args) {
    return s.div(args[0], args[1]);
  });
  n.result(0, e.cast(result, x->dtype));
  return success();
}

LogicalResult sectile::frontend::importLpNorm(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  int64_t p = n.intAttr("p", 2);
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 1)))
    return failure();
  FailureOr<int64_t> axis = n.axis(n.intAttr("axis", -1), x->rank());
  if (failed(axis))
    return failure();
  if (p != 1 && p != 2)
    return n.fail("expects p to be 1 or 2, but got " + Twine(p));
  Tensor *wide = e.cast(x, computeType(x->dtype));
  Tensor *powers = e.pointwise({wide}, [&](const Scalar &s, ValueRange args) {
    return p == 1 ? s.abs(args[0]) : s.mul(args[0], args[0]);
  });
  Tensor *sum = e.reduce(powers, {*axis}, /*keep=*/true, ReduceKind::Sum);
  Tensor *result = e.pointwise({wide, sum}, [&](const Scalar &s, ValueRange args) {
    Value norm = p == 1 ? args[1] : Value(math::SqrtOp::create(s.b, s.loc, args[1]));
    // A row of zeros stays one.
    Value isZero = s.compare(Compare::Equal, norm, s.constant(0));
    return s.select(isZero, s.constant(0), s.div(args[0], norm));
  });
  n.result(0, e.cast(result, x->dtype));
  return success();
}

LogicalResult sectile::frontend::importLocalResponseNorm(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  double alpha = n.floatAttr("alpha", 1e-4), beta = n.floatAttr("beta", 0.75),
         bias = n.floatAttr("bias", 1);
  FailureOr<int64_t> size = n.requiredIntAttr("size");
  if (failed(size) || failed(n.expectFloat(x)) || failed(n.expectRank(x, 2)))
    return failure();
  if (*size < 1 || *size > INT32_MAX)
    return n.fail("expects a size from 1 to " + Twine(INT32_MAX) + ", but got " + Twine(*size));
  Tensor *wide = e.cast(x, computeType(x->dtype));
  Tensor *squares =
      e.pointwise({wide}, [](const Scalar &s, ValueRange args) { return s.mul(args[0], args[0]); });
  // Sums over windows of channels: a contraction with ones that reads at sums of dimensions.
  SmallVector<SymExpr> low(x->rank(), 0), high(x->rank(), 0);
  low[1] = (*size - 1) / 2;
  high[1] = *size / 2;
  Tensor *padded = e.pad(squares, low, high, e.scalars(wide->dtype).integer(0));
  Tensor *ones = e.expand(e.scalar(wide->dtype, 1), {SymExpr(*size)});
  SmallVector<utils::IteratorType> iterators(x->rank(), utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  SmallVector<AffineExpr> place;
  for (int64_t dim = 0; dim < x->rank(); ++dim)
    place.push_back(e.dim(dim));
  Access reads{padded, place}, weights{ones, {e.dim(x->rank())}};
  reads.map[1] = e.dim(1) + e.dim(x->rank());
  Tensor *sums = e.contract(reads, weights, x->shape, place, iterators);
  double factor = alpha / static_cast<double>(*size);
  Tensor *result = e.pointwise({wide, sums}, [&](const Scalar &s, ValueRange args) {
    Value base = s.add(s.constant(bias), s.mul(s.constant(factor), args[1]));
    return s.div(args[0], math::PowFOp::create(s.b, s.loc, base, s.constant(beta)));
  });
  n.result(0, e.cast(result, x->dtype));
  return success();
}
