//===- Elementwise.cpp - functions of one element ---------------*- C++ -*-===//
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

namespace {
enum class Types { Float, Number, Integer, Bool };

struct Unary {
  llvm::StringLiteral name;
  Types types;
  /// Computed in f32 for narrow floats.
  bool wide;
  Value (*body)(const Scalar &s, Value x);
};
} // namespace

template <typename Op>
static Value apply(const Scalar &s, Value x) {
  return Op::create(s.b, s.loc, x);
}

static Value sign(const Scalar &s, Value x) {
  Value zero = s.integer(0);
  // The third case keeps 0 and NaN.
  Value negative =
      isUnsigned(s.dtype) ? x : s.select(s.compare(Compare::Less, x, zero), s.integer(-1), x);
  return s.select(s.compare(Compare::Greater, x, zero), s.integer(1), negative);
}

static const Unary kUnary[] = {
    {"Abs", Types::Number, false, [](const Scalar &s, Value x) { return s.abs(x); }},
    {"Acos", Types::Float, true, apply<math::AcosOp>},
    {"Acosh", Types::Float, true, apply<math::AcoshOp>},
    {"Asin", Types::Float, true, apply<math::AsinOp>},
    {"Asinh", Types::Float, true, apply<math::AsinhOp>},
    {"Atan", Types::Float, true, apply<math::AtanOp>},
    {"Atanh", Types::Float, true, apply<math::AtanhOp>},
    {"BitwiseNot", Types::Integer, false,
     [](const Scalar &s, Value x) -> Value {
       return arith::XOrIOp::create(s.b, s.loc, x, s.integer(-1));
     }},
    {"Ceil", Types::Float, true, apply<math::CeilOp>},
    {"Cos", Types::Float, true, apply<math::CosOp>},
    {"Cosh", Types::Float, true, apply<math::CoshOp>},
    {"Erf", Types::Float, true, apply<math::ErfOp>},
    {"Exp", Types::Float, true, apply<math::ExpOp>},
    {"Floor", Types::Float, true, apply<math::FloorOp>},
    {"Log", Types::Float, true, apply<math::LogOp>},
    {"Neg", Types::Number, false, [](const Scalar &s, Value x) { return s.neg(x); }},
    {"Not", Types::Bool, false,
     [](const Scalar &s, Value x) -> Value {
       return arith::XOrIOp::create(s.b, s.loc, x, s.integer(1));
     }},
    {"Reciprocal", Types::Float, true,
     [](const Scalar &s, Value x) { return s.div(s.constant(1), x); }},
    {"Round", Types::Float, true, apply<math::RoundEvenOp>},
    {"Sign", Types::Number, false, sign},
    {"Sin", Types::Float, true, apply<math::SinOp>},
    {"Sinh", Types::Float, true, apply<math::SinhOp>},
    {"Sqrt", Types::Float, true, apply<math::SqrtOp>},
    {"Tan", Types::Float, true, apply<math::TanOp>},
    {"Tanh", Types::Float, true, apply<math::TanhOp>},
};

LogicalResult sectile::frontend::importUnary(Node &n) {
  const Unary &row = *llvm::find_if(kUnary, [&](const Unary &row) { return row.name == n.op(); });
  n.ignoreAttr("consumed_inputs");
  Tensor *x = n.in(0);
  if (row.types == Types::Float && failed(n.expectFloat(x)))
    return failure();
  if (row.types == Types::Number && failed(n.expectNumber(x)))
    return failure();
  if (row.types == Types::Integer && !isInteger(x->dtype))
    return n.fail("expects an integer type, but got " + nameOf(x->dtype));
  if (row.types == Types::Bool && x->dtype != DType::Bool)
    return n.fail("expects bool, but got " + nameOf(x->dtype));
  if (row.name == "Neg" || row.name == "Not") {
    bool isNot = row.name == "Not";
    auto known = evaluateElements(n, {x}, x->shape, x->dtype, [&](ArrayRef<SymExpr> args) {
      return std::optional<SymExpr>(SymExpr(isNot ? 1 : 0) - args[0]);
    });
    if (known) {
      n.result(0, *known);
      return success();
    }
  }
  n.result(0, n.emit.pointwise(
                  {x}, [&](const Scalar &s, ValueRange args) { return row.body(s, args[0]); },
                  row.wide));
  return success();
}

LogicalResult sectile::frontend::importIdentity(Node &n) {
  n.result(0, n.in(0));
  return success();
}

LogicalResult sectile::frontend::importDropout(Node &n) {
  Emitter &e = n.emit;
  n.ignoreAttr("ratio");
  n.ignoreAttr("seed");
  n.ignoreAttr("consumed_inputs");
  bool training = n.opset() < 7 && n.intAttr("is_test", 0) == 0 && n.hasAttr("is_test");
  // Of inputs, the run sees to it that nothing is dropped.
  Value mode = n.has(2) && n.opset() >= 12 ? e.readNumber(n.in(2), 0) : Value();
  Value ratio = mode && n.has(1) ? e.readNumber(n.in(1), 0) : Value();
  if (mode) {
    Scalar s = e.scalars(DType::F64);
    Value keeps = s.compare(Compare::Equal, mode, s.constant(0));
    std::optional<double> known = n.has(1) ? e.constantScalar(n.in(1)) : 0.5;
    if (ratio)
      keeps =
          arith::OrIOp::create(s.b, s.loc, keeps, s.compare(Compare::Equal, ratio, s.constant(0)));
    if (known != 0.0)
      e.check(keeps, n.title() + ": expects not to train, or a ratio of 0", {});
  } else if (n.has(2)) {
    FailureOr<double> constant = n.number(2, "training_mode");
    if (failed(constant))
      return failure();
    training = *constant != 0;
    if (training && n.has(1) && e.constantScalar(n.in(1)) == 0.0)
      training = false; // Nothing is dropped.
  }
  if (training)
    return n.fail("training is not supported", "export for inference");
  n.result(0, n.in(0));
  if (!n.wants(1))
    return success();
  // The mask: everything is kept. Before opset 10 it had the data's type.
  DType dtype = n.opset() < 10 ? n.in(0)->dtype : DType::Bool;
  n.result(1, n.emit.expand(n.emit.scalar(dtype, 1), n.in(0)->shape));
  return success();
}

/// The type that an attribute of Cast names: a number, before opset 6 a string.
static FailureOr<DType> targetType(Node &n) {
  if (n.op() == "CastLike")
    return n.in(1)->dtype;
  int64_t number = n.intAttr("to", 0);
  std::optional<DType> dtype = dtypeOf(number);
  if (!dtype)
    return n.fail("a cast to " + nameOfNumber(number) + " is not supported");
  return *dtype;
}

LogicalResult sectile::frontend::importCast(Node &n) {
  FailureOr<DType> to = targetType(n);
  if (failed(to))
    return failure();
  // Of 8-bit floats only; the mode is that of scales.
  bool saturates = n.intAttr("saturate", 1) != 0;
  std::string rounding = n.stringAttr("round_mode", "up");
  if (*to == DType::F8E8M0 && rounding != "nearest")
    return n.fail("a cast to " + nameOf(*to) + " that rounds '" + rounding + "' is not supported",
                  "round_mode='nearest' is");
  Tensor *x = n.in(0);
  if (isSmallFloat(*to) && x->dtype != *to) {
    // By way of f32, which holds all narrow floats.
    Tensor *wide = n.emit.cast(x, x->dtype == DType::F64 ? DType::F64 : DType::F32);
    n.result(0, n.emit.pointwise({wide}, x->shape, *to, [&](const Scalar &s, ValueRange args) {
      return s.toSmallFloat(args[0], *to, saturates);
    }));
    return success();
  }
  auto known = evaluateElements(n, {x}, x->shape, *to, [&](ArrayRef<SymExpr> args) {
    if (*to != DType::Bool)
      return std::optional<SymExpr>(args[0]);
    return std::optional<SymExpr>(SymExpr(1) - n.syms.equal(args[0], 0));
  });
  n.result(0, known ? *known : n.emit.cast(x, *to));
  return success();
}

LogicalResult sectile::frontend::importClip(Node &n) {
  n.ignoreAttr("consumed_inputs");
  Tensor *x = n.in(0);
  if (failed(n.expectNumber(x)))
    return failure();
  SmallVector<Tensor *> inputs{x};
  bool hasLow = false, hasHigh = false;
  auto bound = [&](StringRef name, unsigned input, bool &given) -> LogicalResult {
    if (n.opset() < 11) {
      given = n.hasAttr(name);
      if (given)
        inputs.push_back(n.emit.scalar(x->dtype, n.floatAttr(name, 0)));
      return success();
    }
    given = n.has(input);
    if (!given)
      return success();
    if (failed(n.expectSameType({x, n.in(input)})))
      return failure();
    if (!Emitter::product(n.in(input)->shape).isConstant(1))
      return n.fail("expects " + name + " to be one number, but got " +
                    Node::text(n.in(input)->shape));
    inputs.push_back(n.emit.reshape(n.in(input), {}));
    return success();
  };
  if (failed(bound("min", 1, hasLow)) || failed(bound("max", 2, hasHigh)))
    return failure();
  if (!hasLow && !hasHigh) {
    n.result(0, x);
    return success();
  }
  n.result(0, n.emit.pointwise(inputs, [&](const Scalar &s, ValueRange args) {
    Value clipped = args[0];
    if (hasLow)
      clipped = s.max(clipped, args[1]);
    return hasHigh ? s.min(clipped, args.back()) : clipped;
  }));
  return success();
}

LogicalResult sectile::frontend::importIsInf(Node &n) {
  if (failed(n.expectFloat(n.in(0))))
    return failure();
  bool isNan = n.op() == "IsNaN";
  bool positive = !isNan && n.intAttr("detect_positive", 1) != 0;
  bool negative = !isNan && n.intAttr("detect_negative", 1) != 0;
  n.result(0, n.emit.pointwise(
                  {n.in(0)}, n.in(0)->shape, DType::Bool,
                  [&](const Scalar &s, ValueRange args) -> Value {
                    if (isNan)
                      return s.compare(Compare::NotEqual, args[0], args[0]);
                    Value none = s.as(DType::Bool).integer(0);
                    Value up = positive ? s.compare(Compare::Equal, args[0], s.highest()) : none;
                    Value down = negative ? s.compare(Compare::Equal, args[0], s.lowest()) : none;
                    return arith::OrIOp::create(s.b, s.loc, up, down);
                  }));
  return success();
}

LogicalResult sectile::frontend::importWhere(Node &n) {
  Tensor *condition = n.in(0), *x = n.in(1), *y = n.in(2);
  if (condition->dtype != DType::Bool)
    return n.fail("expects a condition of type bool, but got " + nameOf(condition->dtype));
  if (failed(n.expectSameType({x, y})))
    return failure();
  FailureOr<Shape> shape = n.broadcast({condition, x, y});
  if (failed(shape))
    return failure();
  auto known =
      evaluateElements(n, {condition, x, y}, *shape, x->dtype, [&](ArrayRef<SymExpr> args) {
        return std::optional<SymExpr>(n.syms.select(args[0], args[1], args[2]));
      });
  n.result(0, known ? *known
                    : n.emit.pointwise({condition, x, y}, *shape, x->dtype,
                                       [](const Scalar &s, ValueRange args) {
                                         return s.select(args[0], args[1], args[2]);
                                       }));
  return success();
}
