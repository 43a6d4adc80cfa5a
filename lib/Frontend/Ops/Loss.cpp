//===- Loss.cpp - losses of classifiers -------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// -sum of `logs` [n, c, d..] at the classes `labels` [n, d..], weighted by class, by the
/// attributes `reduction` and `ignore_index`.
static FailureOr<Tensor *> likelihoodLoss(Node &n, Tensor *logs, Tensor *labels, Tensor *weights) {
  Emitter &e = n.emit;
  std::string reduction = n.stringAttr("reduction", "mean");
  if (reduction != "none" && reduction != "mean" && reduction != "sum")
    return n.fail("expects the reduction to be none, mean or sum, but got '" + reduction + "'");
  std::optional<int64_t> ignored;
  if (n.hasAttr("ignore_index"))
    ignored = n.intAttr("ignore_index", 0);
  if (labels->dtype != DType::I64 && labels->dtype != DType::I32)
    return n.fail("expects classes of int32 or int64, but got " + nameOf(labels->dtype));
  if (labels->rank() != logs->rank() - 1)
    return n.fail("expects classes of rank " + Twine(logs->rank() - 1) + ", but got " +
                  Node::text(labels->shape));
  SmallVector<Coordinate> at;
  for (int64_t dim = 0; dim < labels->rank(); ++dim) {
    if (failed(n.expectEqual(logs->shape[dim == 0 ? 0 : dim + 1], labels->shape[dim],
                             "extents of scores and classes")))
      return failure();
    at.push_back({nullptr, dim});
  }
  Tensor *classes = e.cast(labels, DType::I64);
  // What is ignored may be no class at all: it reads class 0, and counts nothing.
  auto isIgnored = [&](const Scalar &s, Value label) {
    Scalar integers = s.as(DType::I64);
    return integers.compare(Compare::Equal, label, integers.integer(*ignored));
  };
  Tensor *chosen =
      !ignored ? classes : e.pointwise({classes}, [&](const Scalar &s, ValueRange args) {
        return s.select(isIgnored(s, args[0]), s.integer(0), args[0]);
      });
  at.insert(at.begin() + 1, Coordinate{chosen, 0});
  Tensor *taken = gatherAt(n, logs, labels->shape, at, /*fromEnd=*/false);
  // What each element counts; null where all count 1.
  Tensor *counts = nullptr;
  if (weights) {
    if (failed(n.expectRank(weights, 1, 1)) ||
        failed(n.expectEqual(logs->shape[1], weights->shape[0], "numbers of classes")))
      return failure();
    counts =
        e.cast(gatherAt(n, weights, labels->shape, {Coordinate{chosen, 0}}, false), logs->dtype);
  }
  if (ignored) {
    SmallVector<Tensor *> inputs{classes};
    if (counts)
      inputs.push_back(counts);
    counts = e.pointwise(inputs, labels->shape, logs->dtype, [&](const Scalar &s, ValueRange args) {
      Scalar floats = s.as(logs->dtype);
      Value count = args.size() > 1 ? args[1] : floats.constant(1);
      return floats.select(isIgnored(s, args[0]), floats.constant(0), count);
    });
  }
  SmallVector<Tensor *> inputs{taken};
  if (counts)
    inputs.push_back(counts);
  Tensor *loss = e.pointwise(inputs, [](const Scalar &s, ValueRange args) {
    Value negative = s.neg(args[0]);
    if (args.size() == 1)
      return negative;
    // Not infinity * 0 where nothing counts.
    Value isOut = s.compare(Compare::Equal, args[1], s.constant(0));
    return s.select(isOut, s.constant(0), s.mul(negative, args[1]));
  });
  if (reduction == "none")
    return loss;
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, loss->rank()));
  if (reduction == "mean" && !counts)
    return e.mean(loss, axes, /*keep=*/false);
  Tensor *sum = e.reduce(loss, axes, /*keep=*/false, ReduceKind::Sum);
  if (reduction == "sum")
    return sum;
  Tensor *total = e.reduce(counts, axes, /*keep=*/false, ReduceKind::Sum);
  return e.pointwise({sum, total},
                     [](const Scalar &s, ValueRange args) { return s.div(args[0], args[1]); });
}

LogicalResult sectile::frontend::importNegativeLogLikelihood(Node &n) {
  Tensor *x = n.in(0), *weights = n.has(2) ? n.in(2) : nullptr;
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 2)) ||
      (weights && failed(n.expectSameType({x, weights}))))
    return failure();
  Tensor *wide = n.emit.cast(x, computeType(x->dtype));
  FailureOr<Tensor *> loss = likelihoodLoss(n, wide, n.in(1), weights);
  if (failed(loss))
    return failure();
  n.result(0, n.emit.cast(*loss, x->dtype));
  return success();
}

LogicalResult sectile::frontend::importSoftmaxCrossEntropy(Node &n) {
  Tensor *x = n.in(0), *weights = n.has(2) ? n.in(2) : nullptr;
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 2)) ||
      (weights && failed(n.expectSameType({x, weights}))))
    return failure();
  Tensor *logs = logSoftmax(n.emit, n.emit.cast(x, computeType(x->dtype)), {1});
  FailureOr<Tensor *> loss = likelihoodLoss(n, logs, n.in(1), weights);
  if (failed(loss))
    return failure();
  n.result(0, n.emit.cast(*loss, x->dtype));
  n.result(1, n.emit.cast(logs, x->dtype));
  return success();
}
