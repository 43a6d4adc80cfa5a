//===- Activation.cpp - activation functions --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// 1 / (1 + exp(-x)). The exponential may overflow to infinity, and the result is then 0.
static Value sigmoid(const Scalar &s, Value x) {
  Value one = s.constant(1);
  return s.div(one, s.add(one, math::ExpOp::create(s.b, s.loc, s.neg(x))));
}

/// log(1 + exp(x)) without overflow: max(x, 0) + log1p(exp(-|x|)).
static Value softplus(const Scalar &s, Value x) {
  Value decayed = math::ExpOp::create(s.b, s.loc, s.neg(s.abs(x)));
  return s.add(s.max(x, s.constant(0)), math::Log1pOp::create(s.b, s.loc, decayed));
}

/// alpha * (exp(x) - 1), accurate near 0.
static Value scaledExpm1(const Scalar &s, Value x, double alpha) {
  return s.mul(s.constant(alpha), math::ExpM1Op::create(s.b, s.loc, x));
}

static Value gelu(const Scalar &s, Value x, bool usesTanh) {
  Value half = s.constant(0.5), one = s.constant(1), curve;
  if (usesTanh) {
    // sqrt(2/pi) * (x + 0.044715 x^3)
    Value cube = s.mul(x, s.mul(x, x));
    Value inner =
        s.mul(s.constant(0.7978845608028654), s.add(x, s.mul(s.constant(0.044715), cube)));
    curve = math::TanhOp::create(s.b, s.loc, inner);
  } else {
    curve = math::ErfOp::create(s.b, s.loc, s.mul(x, s.constant(0.7071067811865476)));
  }
  return s.mul(s.mul(half, x), s.add(one, curve));
}

LogicalResult sectile::frontend::importActivation(Node &n) {
  StringRef op = n.op();
  Tensor *x = n.in(0);
  n.ignoreAttr("consumed_inputs");
  bool takesIntegers = op == "Relu" || op == "Shrink";
  if (failed(takesIntegers ? n.expectNumber(x) : n.expectFloat(x)))
    return failure();

  // Attributes, with the defaults of each operator.
  double alpha = 0, beta = 0;
  bool usesTanh = false;
  if (op == "LeakyRelu")
    alpha = n.floatAttr("alpha", 0.01);
  else if (op == "Elu" || op == "Celu" || op == "ThresholdedRelu" || op == "Swish")
    alpha = n.floatAttr("alpha", 1);
  else if (op == "Selu") {
    alpha = n.floatAttr("alpha", 1.67326319217681884765625);
    beta = n.floatAttr("gamma", 1.05070102214813232421875);
  } else if (op == "HardSigmoid") {
    alpha = n.floatAttr("alpha", 0.2);
    beta = n.floatAttr("beta", 0.5);
  } else if (op == "HardSwish") {
    alpha = 1.0 / 6;
    beta = 0.5;
  } else if (op == "Shrink") {
    alpha = n.floatAttr("lambd", 0.5);
    beta = n.floatAttr("bias", 0);
  } else if (op == "Gelu") {
    std::string how = n.stringAttr("approximate", "none");
    if (how != "none" && how != "tanh")
      return n.fail("expects approximate to be 'none' or 'tanh', but got '" + how + "'");
    usesTanh = how == "tanh";
  }

  auto body = [&](const Scalar &s, ValueRange args) -> Value {
    Value v = args[0];
    Value zero = s.integer(0);
    auto positive = [&] { return s.compare(Compare::Greater, v, zero); };
    auto hardSigmoid = [&] {
      Value line = s.add(s.mul(s.constant(alpha), v), s.constant(beta));
      return s.max(zero, s.min(s.constant(1), line));
    };
    if (op == "Relu")
      return s.max(v, zero);
    if (op == "Sigmoid")
      return sigmoid(s, v);
    if (op == "Swish")
      return s.mul(v, sigmoid(s, s.mul(s.constant(alpha), v)));
    if (op == "LeakyRelu")
      return s.select(s.compare(Compare::Less, v, zero), s.mul(s.constant(alpha), v), v);
    if (op == "Elu")
      return s.select(positive(), v, scaledExpm1(s, v, alpha));
    if (op == "Celu")
      return s.add(s.max(v, zero), s.min(zero, scaledExpm1(s, s.div(v, s.constant(alpha)), alpha)));
    if (op == "Selu")
      return s.mul(s.constant(beta), s.select(positive(), v, scaledExpm1(s, v, alpha)));
    if (op == "ThresholdedRelu")
      return s.select(s.compare(Compare::Greater, v, s.constant(alpha)), v, zero);
    if (op == "HardSigmoid")
      return hardSigmoid();
    if (op == "HardSwish")
      return s.mul(v, hardSigmoid());
    if (op == "Softplus")
      return softplus(s, v);
    if (op == "Softsign")
      return s.div(v, s.add(s.constant(1), s.abs(v)));
    if (op == "Mish")
      return s.mul(v, math::TanhOp::create(s.b, s.loc, softplus(s, v)));
    if (op == "Gelu")
      return gelu(s, v, usesTanh);
    // Shrink: towards 0 by bias, and to 0 inside [-lambd, lambd].
    Value above = s.sub(v, s.constant(beta)), below = s.add(v, s.constant(beta));
    Value outside = s.select(s.compare(Compare::Less, v, s.constant(-alpha)), below, zero);
    return s.select(s.compare(Compare::Greater, v, s.constant(alpha)), above, outside);
  };
  if (isInteger(x->dtype) && op == "Shrink") {
    // The bounds are floats.
    Tensor *wide = n.emit.cast(x, DType::F64);
    n.result(0, n.emit.cast(n.emit.pointwise({wide}, body), x->dtype));
    return success();
  }
  n.result(0, n.emit.pointwise({x}, body, /*wide=*/true));
  return success();
}

LogicalResult sectile::frontend::importPRelu(Node &n) {
  n.ignoreAttr("consumed_inputs");
  Tensor *x = n.in(0), *slope = n.in(1);
  if (failed(n.expectNumber(x)) || failed(n.expectSameType({x, slope})))
    return failure();
  // Up to opset 6 a slope of one dimension belonged to the channels, dimension 1.
  if (n.opset() < 7 && slope->rank() == 1 && x->rank() > 2 && !slope->shape[0].isConstant(1)) {
    SmallVector<int64_t> behind;
    for (int64_t dim = 2; dim < x->rank(); ++dim)
      behind.push_back(dim - 1);
    slope = n.emit.unsqueeze(slope, behind);
  }
  FailureOr<Shape> shape = n.broadcast({x, slope});
  if (failed(shape))
    return failure();
  n.result(0, n.emit.pointwise({x, slope}, *shape, x->dtype, [](const Scalar &s, ValueRange args) {
    Value isNegative = s.compare(Compare::Less, args[0], s.integer(0));
    return s.select(isNegative, s.mul(args[1], args[0]), args[0]);
  }));
  return success();
}

LogicalResult sectile::frontend::importSwiGLU(Node &n) {
  Tensor *gate = n.in(0), *value = n.in(1);
  double alpha = n.floatAttr("alpha", 1);
  if (failed(n.expectFloat(gate)) || failed(n.expectSameType({gate, value})) ||
      failed(n.expectRank(value, gate->rank(), gate->rank())))
    return failure();
  for (auto [a, b] : llvm::zip_equal(gate->shape, value->shape))
    if (failed(n.expectEqual(a, b, "extents of the gate and the value")))
      return failure();
  n.result(0, n.emit.pointwise(
                  {gate, value},
                  [&](const Scalar &s, ValueRange args) {
                    Value open = sigmoid(s, s.mul(s.constant(alpha), args[0]));
                    return s.mul(s.mul(args[0], open), args[1]);
                  },
                  /*wide=*/true));
  return success();
}

LogicalResult sectile::frontend::importBiasGelu(Node &n) {
  Tensor *x = n.in(0);
  double alpha = n.op() == "QuickGelu" ? n.floatAttr("alpha", 1.702) : 0;
  SmallVector<Tensor *> inputs{x};
  if (failed(n.expectFloat(x)))
    return failure();
  if (n.has(1)) {
    inputs.push_back(n.in(1));
    if (failed(n.expectSameType(inputs)) || failed(n.expectRank(n.in(1), 1, 1)) ||
        failed(n.expectRank(x, 1)) ||
        failed(n.expectEqual(n.in(1)->shape[0], x->shape.back(),
                             "the bias's extent and the input's last one")))
      return failure();
  }
  n.result(0, n.emit.pointwise(
                  inputs,
                  [&](const Scalar &s, ValueRange args) {
                    Value v = args.size() > 1 ? s.add(args[0], args[1]) : args[0];
                    if (alpha != 0)
                      return s.mul(v, sigmoid(s, s.mul(s.constant(alpha), v)));
                    return gelu(s, v, /*usesTanh=*/n.op() == "FastGelu");
                  },
                  /*wide=*/true));
  return success();
}
