//===- Binary.cpp - functions of two or more elements -----------*- C++ -*-===//
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

//===----------------------------------------------------------------------===//
// Shared
//===----------------------------------------------------------------------===//

FailureOr<std::pair<Tensor *, Tensor *>> sectile::frontend::binaryInputs(Node &n) {
  Tensor *a = n.in(0), *b = n.in(1);
  if (n.opset() >= 7)
    return std::pair(a, b);
  n.ignoreAttr("consumed_inputs");
  bool broadcasts = n.intAttr("broadcast", 0) != 0;
  int64_t axis = n.intAttr("axis", a->rank() - b->rank());
  if (!broadcasts || b->rank() == 0)
    return std::pair(a, b);
  if (axis < 0)
    axis += a->rank();
  if (axis < 0 || axis + b->rank() > a->rank())
    return n.fail("expects the second input to fit at axis " + Twine(axis) + " of " +
                  Node::text(a->shape) + ", but got " + Node::text(b->shape));
  Shape shape = b->shape;
  shape.append(a->rank() - axis - b->rank(), SymExpr(1));
  return std::pair(a, n.emit.reshape(b, shape));
}

/// Whether a value is one of the type's.
static bool fits(int64_t value, DType dtype) {
  if (dtype == DType::Bool)
    return value == 0 || value == 1;
  unsigned bits = bitsOf(dtype);
  if (isUnsigned(dtype))
    return value >= 0 && (bits >= 64 || value < (int64_t(1) << bits));
  return bits >= 64 || (value >= -(int64_t(1) << (bits - 1)) && value < (int64_t(1) << (bits - 1)));
}

std::optional<Tensor *> sectile::frontend::evaluateElements(
    Node &n, ArrayRef<Tensor *> inputs, ArrayRef<SymExpr> shape, DType dtype,
    llvm::function_ref<std::optional<SymExpr>(ArrayRef<SymExpr>)> evaluate) {
  if (isFloat(dtype) || dtype == DType::U64)
    return std::nullopt;
  SmallVector<Shape, 2> known;
  for (Tensor *input : inputs) {
    std::optional<Shape> elements = n.emit.elements(input);
    if (!elements)
      return std::nullopt;
    known.push_back(*elements);
  }
  std::optional<int64_t> count = Emitter::product(shape).constant();
  if (!count || *count > 256)
    return std::nullopt;
  Shape results;
  for (int64_t linear = 0; linear < *count; ++linear) {
    SmallVector<SymExpr> args;
    for (auto [input, elements] : llvm::zip_equal(inputs, known)) {
      // Row-major position of this result in the broadcast input.
      int64_t rest = linear, position = 0, stride = 1;
      for (size_t back = 0; back < shape.size(); ++back) {
        int64_t extent = *shape[shape.size() - 1 - back].constant(), at = rest % extent;
        rest /= extent;
        if (back >= input->shape.size())
          continue;
        int64_t own = *input->shape[input->shape.size() - 1 - back].constant();
        position += own == 1 ? 0 : at * stride;
        stride *= own;
      }
      args.push_back(elements[position]);
    }
    std::optional<SymExpr> result = evaluate(args);
    if (!result || !result->isValid())
      return std::nullopt;
    std::optional<int64_t> constant = result->constant();
    // Sizes are taken to fit in 32 bits where a model computes with those; other types wrap.
    bool mayBeSymbolic = dtype == DType::I64 || dtype == DType::I32 || dtype == DType::Bool;
    if (constant ? !fits(*constant, dtype) : !mayBeSymbolic)
      return std::nullopt;
    results.push_back(*result);
  }
  return n.emit.known(dtype, Shape(shape.begin(), shape.end()), std::move(results));
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

static Value arithmetic(StringRef op, const Scalar &s, Value x, Value y) {
  if (op == "Add" || op == "Sum")
    return s.add(x, y);
  if (op == "Sub")
    return s.sub(x, y);
  if (op == "Mul")
    return s.mul(x, y);
  if (op == "Div")
    return s.div(x, y);
  if (op == "Max")
    return s.max(x, y);
  if (op == "Min")
    return s.min(x, y);
  if (op == "BitwiseAnd")
    return arith::AndIOp::create(s.b, s.loc, x, y);
  if (op == "BitwiseOr")
    return arith::OrIOp::create(s.b, s.loc, x, y);
  return arith::XOrIOp::create(s.b, s.loc, x, y); // BitwiseXor
}

static std::optional<SymExpr> symbolic(StringRef op, SymContext &syms, const SymExpr &x,
                                       const SymExpr &y) {
  if (op == "Add" || op == "Sum")
    return x + y;
  if (op == "Sub")
    return x - y;
  if (op == "Mul")
    return x * y;
  if (op == "Max")
    return syms.max(x, y);
  if (op == "Min")
    return syms.min(x, y);
  // Truncation is flooring where nothing is negative.
  if (op == "Div" && syms.isNonNegative(x) && syms.isPositive(y))
    return syms.floorDiv(x, y);
  if (op == "Div" && x.constant() && y.constant() && *y.constant() != 0 && *y.constant() != -1)
    return SymExpr(*x.constant() / *y.constant());
  return std::nullopt;
}

LogicalResult sectile::frontend::importArithmetic(Node &n) {
  FailureOr<std::pair<Tensor *, Tensor *>> inputs = binaryInputs(n);
  if (failed(inputs))
    return failure();
  auto [a, b] = *inputs;
  if (failed(n.expectSameType({a, b})) || failed(n.expectNumber(a)))
    return failure();
  if (n.op().starts_with("Bitwise") && !isInteger(a->dtype))
    return n.fail("expects integers, but got " + nameOf(a->dtype));
  FailureOr<Shape> shape = n.broadcast({a, b});
  if (failed(shape))
    return failure();
  auto known = evaluateElements(n, {a, b}, *shape, a->dtype, [&](ArrayRef<SymExpr> args) {
    return symbolic(n.op(), n.syms, args[0], args[1]);
  });
  n.result(
      0, known ? *known
               : n.emit.pointwise({a, b}, *shape, a->dtype, [&](const Scalar &s, ValueRange args) {
                   return arithmetic(n.op(), s, args[0], args[1]);
                 }));
  return success();
}

LogicalResult sectile::frontend::importVariadic(Node &n) {
  n.ignoreAttr("consumed_inputs");
  bool isMean = n.op() == "Mean";
  StringRef step = isMean ? "Sum" : n.op();
  Tensor *total = n.in(0);
  if (failed(n.expectSameType(n.allInputs())) || failed(n.expectNumber(total)))
    return failure();
  for (Tensor *next : n.allInputs().drop_front()) {
    if (!next)
      return n.fail("expects every input to be given");
    FailureOr<Shape> shape = n.broadcast({total, next});
    if (failed(shape))
      return failure();
    Tensor *last = total;
    auto known =
        evaluateElements(n, {last, next}, *shape, last->dtype, [&](ArrayRef<SymExpr> args) {
          return symbolic(step, n.syms, args[0], args[1]);
        });
    total = known ? *known
                  : n.emit.pointwise({last, next}, *shape, last->dtype,
                                     [&](const Scalar &s, ValueRange args) {
                                       return arithmetic(step, s, args[0], args[1]);
                                     });
  }
  if (isMean && n.numInputs() > 1) {
    double count = n.numInputs();
    total = n.emit.pointwise({total}, [&](const Scalar &s, ValueRange args) {
      return s.div(args[0], s.constant(count));
    });
  }
  n.result(0, total);
  return success();
}

LogicalResult sectile::frontend::importMod(Node &n) {
  Tensor *a = n.in(0), *b = n.in(1);
  bool truncates = n.intAttr("fmod", 0) != 0;
  if (failed(n.expectSameType({a, b})) || failed(n.expectNumber(a)))
    return failure();
  if (isFloat(a->dtype) && !truncates && n.opset() < 28)
    return n.fail("expects fmod to be 1 for " + nameOf(a->dtype) + " before opset 28");
  FailureOr<Shape> shape = n.broadcast({a, b});
  if (failed(shape))
    return failure();
  auto known = evaluateElements(n, {a, b}, *shape, a->dtype,
                                [&](ArrayRef<SymExpr> args) -> std::optional<SymExpr> {
                                  if (!n.syms.isNonNegative(args[0]) || !n.syms.isPositive(args[1]))
                                    return std::nullopt;
                                  return args[0] - args[1] * n.syms.floorDiv(args[0], args[1]);
                                });
  if (known) {
    n.result(0, *known);
    return success();
  }
  n.result(0, n.emit.pointwise(
                  {a, b}, *shape, a->dtype,
                  [&](const Scalar &s, ValueRange args) -> Value {
                    Value rest = s.rem(args[0], args[1]);
                    if (truncates || isUnsigned(s.dtype))
                      return rest;
                    // Python's sign: that of the divisor, which a zero of floats has too.
                    Value zero = s.integer(0);
                    if (isFloat(s.dtype)) {
                      Value isZero = s.compare(Compare::Equal, rest, zero);
                      Value signedZero = math::CopySignOp::create(s.b, s.loc, zero, args[1]);
                      rest = s.select(isZero, signedZero, rest);
                    }
                    Value differs =
                        arith::XOrIOp::create(s.b, s.loc, s.compare(Compare::Less, rest, zero),
                                              s.compare(Compare::Less, args[1], zero));
                    Value adjusts = arith::AndIOp::create(
                        s.b, s.loc, s.compare(Compare::NotEqual, rest, zero), differs);
                    return s.select(adjusts, s.add(rest, args[1]), rest);
                  },
                  /*wide=*/true));
  return success();
}

//===----------------------------------------------------------------------===//
// Pow
//===----------------------------------------------------------------------===//

/// x^e for integers: six bits of the exponent reach every power that 64 bits hold, besides those
/// of -1, 0 and 1, which the wrapped exponent gets right by parity. Negative exponents give 0,
/// and the reciprocal where it is an integer.
static Value integerPower(const Scalar &s, Value x, Value e) {
  Value one = s.integer(1), result = one, square = x;
  for (int bit = 0; bit < 6; ++bit) {
    Value isSet =
        s.compare(Compare::NotEqual,
                  arith::AndIOp::create(s.b, s.loc, e, s.integer(int64_t(1) << bit)), s.integer(0));
    result = s.select(isSet, s.mul(result, square), result);
    square = s.mul(square, square);
  }
  if (!isSigned(s.dtype))
    return result;
  Value isNegative = s.compare(Compare::Less, e, s.integer(0));
  Value hasInverse = s.compare(Compare::LessEqual, s.abs(x), one);
  Value inverse = s.select(hasInverse, result, s.integer(0));
  return s.select(isNegative, inverse, result);
}

/// x^e for the constant exponents that models are full of.
static Value constantPower(const Scalar &s, Value x, double e) {
  if (e == 1)
    return x;
  if (e == 2)
    return s.mul(x, x);
  if (e == 3)
    return s.mul(s.mul(x, x), x);
  if (e == 0)
    return s.constant(1);
  if (e == -1 && isFloat(s.dtype))
    return s.div(s.constant(1), x);
  return {};
}

LogicalResult sectile::frontend::importPow(Node &n) {
  FailureOr<std::pair<Tensor *, Tensor *>> inputs = binaryInputs(n);
  if (failed(inputs))
    return failure();
  auto [x, e] = *inputs;
  if (failed(n.expectNumber(x)) || failed(n.expectNumber(e)))
    return failure();
  FailureOr<Shape> shape = n.broadcast({x, e});
  if (failed(shape))
    return failure();
  std::optional<double> constant = n.emit.constantScalar(e);
  bool isSimple = constant && (*constant == 0 || *constant == 1 || *constant == 2 ||
                               *constant == 3 || (*constant == -1 && isFloat(x->dtype)));
  if (isSimple) {
    Tensor *stretched = n.emit.expand(x, *shape);
    n.result(0, n.emit.pointwise(
                    {stretched},
                    [&](const Scalar &s, ValueRange args) {
                      return constantPower(s, args[0], *constant);
                    },
                    /*wide=*/true));
    return success();
  }
  if (isInteger(x->dtype) && isInteger(e->dtype)) {
    DType dtype = isSigned(e->dtype) ? DType::I64 : x->dtype;
    Tensor *power = n.emit.pointwise(
        {n.emit.cast(x, dtype), n.emit.cast(e, dtype)}, *shape, dtype,
        [&](const Scalar &s, ValueRange args) { return integerPower(s, args[0], args[1]); });
    n.result(0, n.emit.cast(power, x->dtype));
    return success();
  }
  // An integer base with a fractional exponent goes through float64 and back.
  DType dtype = isFloat(x->dtype) ? computeType(x->dtype) : DType::F64;
  Tensor *power = n.emit.pointwise(
      {n.emit.cast(x, dtype), n.emit.cast(e, dtype)}, *shape, dtype,
      [&](const Scalar &s, ValueRange args) -> Value {
        if (constant == 0.5)
          return math::SqrtOp::create(s.b, s.loc, args[0]);
        Value result = math::PowFOp::create(s.b, s.loc, args[0], args[1]);
        if (isFloat(x->dtype))
          return result;
        // What follows cuts off fractions: a power that is an integer must not end up below it.
        Value whole = math::RoundEvenOp::create(s.b, s.loc, result);
        Value isWhole =
            s.compare(Compare::Equal, args[1], math::FloorOp::create(s.b, s.loc, args[1]));
        Value isPositive = s.compare(Compare::GreaterEqual, args[1], s.constant(0));
        Value isExact = arith::AndIOp::create(s.b, s.loc, isWhole, isPositive);
        return s.select(isExact, whole, result);
      });
  n.result(0, n.emit.cast(power, x->dtype));
  return success();
}

//===----------------------------------------------------------------------===//
// Comparison and logic
//===----------------------------------------------------------------------===//

LogicalResult sectile::frontend::importComparison(Node &n) {
  FailureOr<std::pair<Tensor *, Tensor *>> inputs = binaryInputs(n);
  if (failed(inputs))
    return failure();
  auto [a, b] = *inputs;
  StringRef op = n.op();
  Compare how = op == "Equal"         ? Compare::Equal
                : op == "Less"        ? Compare::Less
                : op == "LessOrEqual" ? Compare::LessEqual
                : op == "Greater"     ? Compare::Greater
                                      : Compare::GreaterEqual;
  if (failed(n.expectSameType({a, b})))
    return failure();
  if (how != Compare::Equal && failed(n.expectNumber(a)))
    return failure();
  FailureOr<Shape> shape = n.broadcast({a, b});
  if (failed(shape))
    return failure();
  auto known = evaluateElements(n, {a, b}, *shape, DType::Bool, [&](ArrayRef<SymExpr> args) {
    const SymExpr &x = args[0], &y = args[1];
    switch (how) {
    case Compare::Less:
      return std::optional(n.syms.less(x, y));
    case Compare::Greater:
      return std::optional(n.syms.less(y, x));
    case Compare::LessEqual:
      return std::optional(SymExpr(1) - n.syms.less(y, x));
    case Compare::GreaterEqual:
      return std::optional(SymExpr(1) - n.syms.less(x, y));
    default:
      return std::optional(n.syms.equal(x, y));
    }
  });
  n.result(0, known ? *known
                    : n.emit.pointwise({a, b}, *shape, DType::Bool,
                                       [&](const Scalar &s, ValueRange args) {
                                         return s.compare(how, args[0], args[1]);
                                       }));
  return success();
}

LogicalResult sectile::frontend::importLogical(Node &n) {
  FailureOr<std::pair<Tensor *, Tensor *>> inputs = binaryInputs(n);
  if (failed(inputs))
    return failure();
  auto [a, b] = *inputs;
  if (a->dtype != DType::Bool || b->dtype != DType::Bool)
    return n.fail("expects bool, but got " + nameOf(a->dtype) + " and " + nameOf(b->dtype));
  FailureOr<Shape> shape = n.broadcast({a, b});
  if (failed(shape))
    return failure();
  StringRef op = n.op();
  auto known = evaluateElements(n, {a, b}, *shape, DType::Bool, [&](ArrayRef<SymExpr> args) {
    SymExpr both = args[0] * args[1], sum = args[0] + args[1];
    return std::optional(op == "And" ? both : op == "Or" ? sum - both : sum - both - both);
  });
  n.result(0, known
                  ? *known
                  : n.emit.pointwise({a, b}, *shape, DType::Bool,
                                     [&](const Scalar &s, ValueRange args) -> Value {
                                       if (op == "And")
                                         return arith::AndIOp::create(s.b, s.loc, args[0], args[1]);
                                       if (op == "Or")
                                         return arith::OrIOp::create(s.b, s.loc, args[0], args[1]);
                                       return arith::XOrIOp::create(s.b, s.loc, args[0], args[1]);
                                     }));
  return success();
}
