//===- Recurrent.cpp - RNN, GRU and LSTM ------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A recurrent network is a graph.loop along the sequence, one for each
// direction. What does not depend on the state, the product of the whole
// sequence with the input weights, is computed in front of the loop:
//
//   pre[t, b, g*h] = x[t, b, i] * w[g*h, i] + bias
//   state = cell(pre[t] + state * r, ...)
//
// Sequences that are shorter than others keep their state beyond their end, and
// have zeros there.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using utils::IteratorType;

namespace {
/// An activation function with its parameters.
struct Activation {
  StringRef name;
  double alpha = 0, beta = 0;
};

/// One of the three operators, as its attributes say.
struct Cell {
  enum Kind { RNN, GRU, LSTM } kind;
  int64_t gates;
  SmallVector<Activation> activations; ///< those of all directions, one behind the other
  std::optional<double> clip;
  bool couplesForget = false, linearBeforeReset = false;
};

/// The parameters of one direction, seen from the loop's body; null where they are not given.
struct Weights {
  Tensor *pre, *recurrent, *recurrentBias, *peepholes, *lengths;
};

/// The name of a function, whether it takes parameters, and their defaults.
struct ActivationRow {
  StringLiteral name;
  bool takesAlpha, takesBeta;
  double alpha, beta;
};
} // namespace

static constexpr ActivationRow kActivations[] = {
    {"Affine", true, true, 1, 0},          {"Elu", true, false, 1, 0},
    {"HardSigmoid", true, true, 0.2, 0.5}, {"LeakyRelu", true, false, 0.01, 0},
    {"Relu", false, false, 0, 0},          {"ScaledTanh", true, true, 1, 1},
    {"Sigmoid", false, false, 0, 0},       {"Softplus", false, false, 0, 0},
    {"Softsign", false, false, 0, 0},      {"Tanh", false, false, 0, 0},
    {"ThresholdedRelu", true, false, 1, 0}};

static Value activate(const Scalar &s, const Activation &f, Value x) {
  Value zero = s.constant(0), one = s.constant(1);
  Value alpha = s.constant(f.alpha), beta = s.constant(f.beta);
  auto exp = [&](Value v) -> Value { return math::ExpOp::create(s.b, s.loc, v); };
  if (f.name == "Tanh")
    return math::TanhOp::create(s.b, s.loc, x);
  if (f.name == "Sigmoid")
    return s.div(one, s.add(one, exp(s.neg(x))));
  if (f.name == "Relu")
    return s.max(x, zero);
  if (f.name == "Affine")
    return s.add(s.mul(alpha, x), beta);
  if (f.name == "LeakyRelu")
    return s.select(s.compare(Compare::Less, x, zero), s.mul(alpha, x), x);
  if (f.name == "ThresholdedRelu")
    return s.select(s.compare(Compare::Greater, x, alpha), x, zero);
  if (f.name == "ScaledTanh")
    return s.mul(alpha, math::TanhOp::create(s.b, s.loc, s.mul(beta, x)));
  if (f.name == "HardSigmoid")
    return s.max(zero, s.min(one, s.add(s.mul(alpha, x), beta)));
  if (f.name == "Elu")
    return s.select(s.compare(Compare::Less, x, zero),
                    s.mul(alpha, math::ExpM1Op::create(s.b, s.loc, x)), x);
  if (f.name == "Softsign")
    return s.div(x, s.add(one, s.abs(x)));
  return s.add(s.max(x, zero), math::Log1pOp::create(s.b, s.loc, exp(s.neg(s.abs(x))))); // Softplus
}

/// Reads the attributes; `directions` is how many the node has.
static FailureOr<Cell> readCell(Node &n, int64_t directions) {
  Cell cell;
  cell.kind = n.op() == "LSTM" ? Cell::LSTM : n.op() == "GRU" ? Cell::GRU : Cell::RNN;
  cell.gates = cell.kind == Cell::LSTM ? 4 : cell.kind == Cell::GRU ? 3 : 1;
  SmallVector<StringRef> defaults =
      cell.kind == Cell::LSTM  ? SmallVector<StringRef>{"Sigmoid", "Tanh", "Tanh"}
      : cell.kind == Cell::GRU ? SmallVector<StringRef>{"Sigmoid", "Tanh"}
                               : SmallVector<StringRef>{"Tanh"};
  std::vector<std::string> names = n.stringsAttr("activations");
  size_t wanted = defaults.size() * directions;
  if (names.empty())
    for (int64_t direction = 0; direction < directions; ++direction)
      names.insert(names.end(), defaults.begin(), defaults.end());
  if (names.size() != wanted)
    return n.fail("expects " + Twine(wanted) + " activations, but got " + Twine(names.size()));
  SmallVector<double> alphas = n.floatsAttr("activation_alpha").value_or(SmallVector<double>());
  SmallVector<double> betas = n.floatsAttr("activation_beta").value_or(SmallVector<double>());
  size_t nextAlpha = 0, nextBeta = 0;
  for (const std::string &name : names) {
    const auto *row = llvm::find_if(
        kActivations, [&](const ActivationRow &row) { return row.name.equals_insensitive(name); });
    if (row == std::end(kActivations))
      return n.fail("activation '" + Twine(name) + "' is not supported");
    Activation f{row->name, row->alpha, row->beta};
    if (row->takesAlpha && nextAlpha < alphas.size())
      f.alpha = alphas[nextAlpha++];
    if (row->takesBeta && nextBeta < betas.size())
      f.beta = betas[nextBeta++];
    cell.activations.push_back(f);
  }
  if (n.hasAttr("clip"))
    cell.clip = n.floatAttr("clip", 0);
  if (cell.kind == Cell::LSTM)
    cell.couplesForget = n.intAttr("input_forget", 0) != 0;
  if (cell.kind == Cell::GRU)
    cell.linearBeforeReset = n.intAttr("linear_before_reset", 0) != 0;
  return cell;
}

/// Part `number` of `count` equal ones along the last dimension.
static Tensor *part(Emitter &e, Tensor *tensor, int64_t number, const SymExpr &size) {
  SmallVector<SymExpr> offsets(tensor->rank(), 0),
      sizes(tensor->shape.begin(), tensor->shape.end());
  offsets.back() = SymExpr(number) * size;
  sizes.back() = size;
  return e.slice(tensor, offsets, sizes, SmallVector<int64_t>(tensor->rank(), 1));
}

/// state[b, k] * weights[g, k].
static Tensor *multiplyState(Emitter &e, Tensor *state, Tensor *weights) {
  IteratorType iterators[] = {IteratorType::parallel, IteratorType::parallel,
                              IteratorType::reduction};
  Access a{state, {e.dim(0), e.dim(2)}}, b{weights, {e.dim(1), e.dim(2)}};
  return e.contract(a, b, {state->shape[0], weights->shape[0]}, {e.dim(0), e.dim(1)}, iterators);
}

static Tensor *add(Emitter &e, Tensor *a, Tensor *b) {
  return e.pointwise({a, b},
                     [](const Scalar &s, ValueRange args) { return s.add(args[0], args[1]); });
}

/// The states behind one step; the first of them is what the step returns.
static SmallVector<Tensor *> makeStep(Emitter &e, const Cell &cell, ArrayRef<Activation> f,
                                      const Weights &w, ArrayRef<Tensor *> states) {
  Tensor *h = states[0];
  SymExpr size = h->shape[1];
  auto clipped = [&](const Scalar &s, Value x) {
    if (!cell.clip)
      return x;
    return s.max(s.min(x, s.constant(*cell.clip)), s.constant(-*cell.clip));
  };
  auto gate = [&](Tensor *tensor, int64_t number) { return part(e, tensor, number, size); };
  if (cell.kind == Cell::RNN)
    return {e.pointwise({w.pre, multiplyState(e, h, w.recurrent)},
                        [&](const Scalar &s, ValueRange args) {
                          return activate(s, f[0], clipped(s, s.add(args[0], args[1])));
                        })};
  if (cell.kind == Cell::GRU) {
    // Update, reset, hidden.
    auto rows = [&](int64_t first, int64_t count) {
      return e.slice(w.recurrent, {SymExpr(first) * size, 0}, {SymExpr(count) * size, size},
                     {1, 1});
    };
    Tensor *both = multiplyState(e, h, rows(0, 2));
    auto gated = [&](int64_t number) {
      return e.pointwise({gate(w.pre, number), gate(both, number)},
                         [&](const Scalar &s, ValueRange args) {
                           return activate(s, f[0], clipped(s, s.add(args[0], args[1])));
                         });
    };
    Tensor *update = gated(0), *reset = gated(1), *inner;
    auto scale = [&](Tensor *tensor) {
      return e.pointwise({reset, tensor},
                         [](const Scalar &s, ValueRange args) { return s.mul(args[0], args[1]); });
    };
    if (cell.linearBeforeReset) {
      inner = multiplyState(e, h, rows(2, 1));
      if (w.recurrentBias)
        inner = add(e, inner, gate(w.recurrentBias, 2));
      inner = scale(inner);
    } else {
      inner = multiplyState(e, scale(h), rows(2, 1));
    }
    return {e.pointwise({update, gate(w.pre, 2), inner, h}, [&](const Scalar &s, ValueRange args) {
      Value hidden = activate(s, f[1], clipped(s, s.add(args[1], args[2])));
      Value rest = s.sub(s.constant(1), args[0]);
      return s.add(s.mul(rest, hidden), s.mul(args[0], args[3]));
    })};
  }
  // Input, output, forget, cell; peepholes input, output, forget.
  Tensor *all = add(e, w.pre, multiplyState(e, h, w.recurrent)), *c = states[1];
  auto gated = [&](int64_t number, std::optional<int64_t> peephole, Tensor *seen,
                   const Activation &function) {
    SmallVector<Tensor *> inputs{gate(all, number)};
    if (w.peepholes && peephole)
      inputs.append({gate(w.peepholes, *peephole), seen});
    return e.pointwise(inputs, [&](const Scalar &s, ValueRange args) {
      Value x = args.size() == 1 ? args[0] : s.add(args[0], s.mul(args[1], args[2]));
      return activate(s, function, clipped(s, x));
    });
  };
  Tensor *input = gated(0, 0, c, f[0]);
  Tensor *forget = cell.couplesForget ? e.pointwise({input},
                                                    [](const Scalar &s, ValueRange args) {
                                                      return s.sub(s.constant(1), args[0]);
                                                    })
                                      : gated(2, 2, c, f[0]);
  Tensor *candidate = gated(3, std::nullopt, nullptr, f[1]);
  Tensor *next = e.pointwise({forget, c, input, candidate}, [](const Scalar &s, ValueRange args) {
    return s.add(s.mul(args[0], args[1]), s.mul(args[2], args[3]));
  });
  Tensor *output = gated(1, 1, next, f[0]);
  Tensor *result = e.pointwise({output, next}, [&](const Scalar &s, ValueRange args) {
    return s.mul(args[0], activate(s, f[2], args[1]));
  });
  return {result, next};
}

/// Element `number` of the first dimension, without it; null for null.
static Tensor *directionOf(Emitter &e, Tensor *tensor, int64_t number) {
  return tensor ? takePart(e, tensor, 0, SymExpr(number)) : nullptr;
}

/// What goes into the loop of one direction.
static Tensor *projectInput(Emitter &e, const Cell &cell, Tensor *x, Tensor *w, Tensor *bias,
                            const SymExpr &size) {
  // x[t, b, i] * w[g, i]
  IteratorType iterators[] = {IteratorType::parallel, IteratorType::parallel,
                              IteratorType::parallel, IteratorType::reduction};
  Access a{x, {e.dim(0), e.dim(1), e.dim(3)}}, b{w, {e.dim(2), e.dim(3)}};
  Tensor *pre = e.contract(a, b, {x->shape[0], x->shape[1], w->shape[0]},
                           {e.dim(0), e.dim(1), e.dim(2)}, iterators);
  if (!bias)
    return pre;
  SymExpr gates = SymExpr(cell.gates) * size;
  Tensor *ofInput = part(e, bias, 0, gates), *ofState = part(e, bias, 1, gates);
  if (!cell.linearBeforeReset)
    return add(e, pre, add(e, ofInput, ofState));
  // The hidden gate's own bias is inside of what the reset gate scales.
  Tensor *outer = e.slice(ofState, {SymExpr(0)}, {SymExpr(2) * size}, {1});
  Tensor *none = e.expand(e.scalar(bias->dtype, 0), {size});
  return add(e, pre, add(e, ofInput, e.concat({outer, none}, 0)));
}

LogicalResult sectile::frontend::importRecurrent(Node &n) {
  Emitter &emit = n.emit;
  bool isLstm = n.op() == "LSTM";
  std::string direction = n.stringAttr("direction", "forward");
  if (direction != "forward" && direction != "reverse" && direction != "bidirectional")
    return n.fail("expects the direction to be forward, reverse or bidirectional, but got '" +
                  direction + "'");
  int64_t directions = direction == "bidirectional" ? 2 : 1;
  bool batchFirst = n.intAttr("layout", 0) != 0;
  FailureOr<Cell> cell = readCell(n, directions);
  if (failed(cell))
    return failure();
  Tensor *x = n.in(0), *w = n.in(1), *r = n.in(2);
  if (failed(n.expectFloat(x)) || failed(n.expectSameType({x, w, r})) ||
      failed(n.expectRank(x, 3, 3)) || failed(n.expectRank(w, 3, 3)) ||
      failed(n.expectRank(r, 3, 3)))
    return failure();
  DType dtype = computeType(x->dtype);
  auto optional = [&](unsigned i) { return n.has(i) ? n.in(i) : nullptr; };
  Tensor *bias = optional(3), *lengths = optional(4), *firstH = optional(5),
         *firstC = isLstm ? optional(6) : nullptr, *peepholes = isLstm ? optional(7) : nullptr;
  SymExpr size = n.syms.simplify(r->shape[2]), gates = SymExpr(cell->gates) * size;
  if (n.hasAttr("hidden_size") &&
      failed(n.expectEqual(size, n.intAttr("hidden_size", 0), "hidden_size and the weights")))
    return failure();
  if (batchFirst)
    x = emit.transpose(x, {1, 0, 2});
  SymExpr length = n.syms.simplify(x->shape[0]), batch = n.syms.simplify(x->shape[1]);
  auto expectShape = [&](Tensor *tensor, ArrayRef<SymExpr> shape, StringRef what) -> LogicalResult {
    if (!tensor)
      return success();
    if (failed(n.expectRank(tensor, shape.size(), shape.size())))
      return failure();
    for (auto [is, wanted] : llvm::zip_equal(tensor->shape, shape))
      if (failed(n.expectEqual(is, wanted, what)))
        return failure();
    return success();
  };
  for (Tensor **state : {&firstH, &firstC})
    if (*state && batchFirst) {
      if (failed(n.expectRank(*state, 3, 3)))
        return failure();
      *state = emit.transpose(*state, {1, 0, 2});
    }
  for (Tensor *tensor : {bias, firstH, firstC, peepholes})
    if (tensor && failed(n.expectSameType({x, tensor})))
      return failure();
  if (failed(expectShape(w, {directions, gates, x->shape[2]}, "extents of the input weights")) ||
      failed(expectShape(r, {directions, gates, size}, "extents of the recurrent weights")) ||
      failed(expectShape(bias, {directions, SymExpr(2) * gates}, "extents of the bias")) ||
      failed(expectShape(lengths, {batch}, "the number of lengths")) ||
      failed(expectShape(firstH, {directions, batch, size}, "extents of the first state")) ||
      failed(expectShape(firstC, {directions, batch, size}, "extents of the first cell state")) ||
      failed(expectShape(peepholes, {directions, SymExpr(3) * size}, "extents of peepholes")))
    return failure();
  if (lengths && lengths->dtype != DType::I32)
    return n.fail("expects lengths of int32, but got " + nameOf(lengths->dtype));

  auto wide = [&](Tensor *tensor) { return tensor ? emit.cast(tensor, dtype) : nullptr; };
  SmallVector<Tensor *> rows, lastH, lastC;
  for (int64_t number = 0; number < directions; ++number) {
    bool isBackward = direction == "reverse" || number == 1;
    auto own = [&](Tensor *tensor) { return directionOf(emit, wide(tensor), number); };
    Tensor *ownBias = own(bias);
    Tensor *pre = projectInput(emit, *cell, wide(x), own(w), ownBias, size);
    Tensor *recurrent = own(r), *ownPeepholes = own(peepholes);
    Tensor *recurrentBias =
        cell->linearBeforeReset && ownBias ? part(emit, ownBias, 1, gates) : nullptr;
    Tensor *zero = emit.expand(emit.scalar(dtype, 0), {batch, size});
    SmallVector<Tensor *> start{firstH ? own(firstH) : zero};
    if (isLstm)
      start.push_back(firstC ? own(firstC) : zero);

    auto step = [&](const Iteration &at) -> IterationResults {
      SymExpr time = isBackward ? length - SymExpr(1) - at.number : at.number;
      Weights weights{takePart(emit, at.capture(pre), 0, time), at.capture(recurrent),
                      at.capture(recurrentBias), at.capture(ownPeepholes), at.capture(lengths)};
      ArrayRef<Activation> functions = cell->activations;
      size_t perDirection = functions.size() / directions;
      SmallVector<Tensor *> states(at.state),
          next = makeStep(emit, *cell, functions.slice(number * perDirection, perDirection),
                          weights, states);
      Tensor *row = next[0];
      if (weights.lengths) {
        Value now = emit.index(time);
        Tensor *isIn = emit.pointwise({emit.unsqueeze(weights.lengths, {1})}, {batch, 1},
                                      DType::Bool, [&](const Scalar &s, ValueRange args) {
                                        return s.compare(Compare::Less, s.fromIndex(now), args[0]);
                                      });
        auto choose = [&](Tensor *inside, Tensor *beyond) {
          return emit.pointwise(
              {isIn, inside, beyond}, inside->shape, dtype,
              [](const Scalar &s, ValueRange args) { return s.select(args[0], args[1], args[2]); });
        };
        row = choose(row, emit.scalar(dtype, 0));
        for (auto [after, before] : llvm::zip_equal(next, states))
          after = choose(after, before);
      }
      return {next, {row}};
    };
    IterationResults made = n.repeat({length, nullptr, start}, step);
    made.rows[0]->shape[0] = length;
    rows.push_back(emit.unsqueeze(moveRows(emit, made.rows[0], 0, isBackward), {1}));
    lastH.push_back(emit.unsqueeze(made.state[0], {0}));
    if (isLstm)
      lastC.push_back(emit.unsqueeze(made.state[1], {0}));
  }
  auto give = [&](unsigned i, ArrayRef<Tensor *> parts, int64_t axis,
                  ArrayRef<int64_t> permutation) {
    if (!n.wants(i))
      return;
    Tensor *all = parts.size() == 1 ? parts[0] : emit.concat(parts, axis);
    n.result(i, emit.cast(batchFirst ? emit.transpose(all, permutation) : all, x->dtype));
  };
  give(0, rows, 1, {2, 0, 1, 3});
  give(1, lastH, 0, {1, 0, 2});
  if (isLstm)
    give(2, lastC, 0, {1, 0, 2});
  return success();
}
