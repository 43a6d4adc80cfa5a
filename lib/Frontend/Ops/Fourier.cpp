//===- Fourier.cpp - Fourier transforms and windows -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A transform of N elements is a product with a matrix of cosines and one of sines:
// N^2 multiplications, in any type and for any N, known or not. Angles are reduced as
// integers, (k * n mod N) / N of a turn, and their functions computed in float64.
//
//===----------------------------------------------------------------------===//

#include "Axes.h"
#include "Operators.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <numbers>

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using utils::IteratorType;

namespace {
/// A signal as [before, along, behind], its parts apart; `imaginary` is null where it is real.
struct Signal {
  Tensor *real, *imaginary;
};

/// The matrices [n, k] of one transform.
struct Circle {
  Tensor *cos, *sin;
};
} // namespace

/// cos and sin of 2 pi n k / count for `rows` values of n and `columns` of k. Of a half spectrum
/// that is turned back (`isHalf`) each element but the ends stands for two; `isInverse` divides by
/// the count.
static Circle makeCircle(Emitter &e, const SymExpr &count, const SymExpr &rows,
                         const SymExpr &columns, DType dtype, bool isInverse, bool isHalf) {
  Value extent = e.index(count);
  auto make = [&](bool isSine) {
    Tensor *table = e.generate({rows, columns}, DType::F64, [&](const Scalar &s, ValueRange at) {
      Scalar whole = s.as(DType::I64);
      Value n = whole.fromIndex(at[0]), all = whole.fromIndex(extent);
      Value turned = whole.rem(whole.mul(n, whole.fromIndex(at[1])), all);
      Value size = whole.convert(all, DType::F64);
      Value angle =
          s.mul(s.div(whole.convert(turned, DType::F64), size), s.constant(2 * std::numbers::pi));
      Value value = isSine ? Value(math::SinOp::create(s.b, s.loc, angle))
                           : Value(math::CosOp::create(s.b, s.loc, angle));
      if (isHalf) {
        Value isFirst = whole.compare(Compare::Equal, n, whole.integer(0));
        Value isLast = whole.compare(Compare::Equal, whole.add(n, n), all);
        Value isEnd = arith::OrIOp::create(s.b, s.loc, isFirst, isLast);
        value = s.mul(value, s.select(isEnd, s.constant(1), s.constant(2)));
      }
      return isInverse ? s.div(value, size) : value;
    });
    return e.cast(table, dtype);
  };
  return {make(false), make(true)};
}

/// The sums over n of `signal` [b, n, r] times `table` [n, k], as [b, k, r].
static Tensor *transform(Emitter &e, Tensor *signal, Tensor *table) {
  AffineExpr b = e.dim(0), k = e.dim(1), r = e.dim(2), n = e.dim(3);
  IteratorType iterators[] = {IteratorType::parallel, IteratorType::parallel,
                              IteratorType::parallel, IteratorType::reduction};
  return e.contract({signal, {b, n, r}}, {table, {n, k}},
                    {signal->shape[0], table->shape[1], signal->shape[2]}, {b, k, r}, iterators);
}

static Tensor *join(Emitter &e, Tensor *a, Tensor *b, bool adds) {
  return e.pointwise({a, b}, [&](const Scalar &s, ValueRange args) {
    return adds ? s.add(args[0], args[1]) : s.sub(args[0], args[1]);
  });
}

/// The transform of a signal: [before, k, behind, parts]. A half spectrum (`isHalf`) that is turned
/// back is real.
static Tensor *transformSignal(Emitter &e, const Signal &x, const Circle &circle, bool isInverse,
                               bool isReal) {
  // exp(-i a) = cos a - i sin a, and its conjugate for the inverse.
  Tensor *real = transform(e, x.real, circle.cos), *imaginary;
  if (x.imaginary)
    real = join(e, real, transform(e, x.imaginary, circle.sin), /*adds=*/!isInverse);
  SmallVector<int64_t> last{3};
  if (isReal)
    return e.unsqueeze(real, last);
  imaginary = transform(e, x.real, circle.sin);
  if (x.imaginary) {
    Tensor *turned = transform(e, x.imaginary, circle.cos);
    imaginary = isInverse ? join(e, turned, imaginary, true) : join(e, turned, imaginary, false);
  } else if (!isInverse) {
    imaginary =
        e.pointwise({imaginary}, [](const Scalar &s, ValueRange args) { return s.neg(args[0]); });
  }
  return e.concat({e.unsqueeze(real, last), e.unsqueeze(imaginary, last)}, 3);
}

/// One number that sizes are made of: an input, or `otherwise` where it is not given.
static FailureOr<SymExpr> readNumber(Node &n, unsigned input, StringRef what,
                                     const SymExpr &otherwise) {
  if (!n.has(input))
    return otherwise;
  FailureOr<Shape> given = n.elements(input, what);
  if (failed(given))
    return failure();
  if (given->size() != 1)
    return n.fail("expects " + what + " to be one number");
  return n.emit.nameValue(n.syms.simplify(given->front()), what);
}

/// Whether the last dimension holds complex numbers.
static FailureOr<bool> isComplex(Node &n, Tensor *x) {
  std::optional<int64_t> parts = n.syms.simplify(x->shape.back()).constant();
  if (!parts || (*parts != 1 && *parts != 2))
    return n.fail("expects a last extent of 1 or 2, but got " + Node::text(x->shape));
  return *parts == 2;
}

/// The parts of `x` [before, along, behind, parts], of which the first `used` elements along count.
static Signal splitParts(Emitter &e, Tensor *x, const SymExpr &used, bool isComplex) {
  auto part = [&](int64_t number) {
    Shape sizes{x->shape[0], used, x->shape[2], 1};
    Tensor *taken = e.slice(x, {0, 0, 0, number}, sizes, {1, 1, 1, 1});
    sizes.pop_back();
    return e.reshape(taken, sizes);
  };
  return {part(0), isComplex ? part(1) : nullptr};
}

LogicalResult sectile::frontend::importDFT(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  bool isInverse = n.intAttr("inverse", 0) != 0, isHalf = n.intAttr("onesided", 0) != 0;
  int64_t rank = x->rank();
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 2)))
    return failure();
  FailureOr<bool> complex = isComplex(n, x);
  if (failed(complex))
    return failure();
  if (isHalf && *complex != isInverse)
    return n.fail(isInverse ? "expects complex numbers where onesided and inverse are set"
                            : "expects real numbers where onesided is set");
  // The axis was an attribute up to opset 19.
  Shape number{n.opset() < 20 ? n.intAttr("axis", 1) : -2};
  if (n.opset() >= 20 && n.has(2)) {
    FailureOr<Shape> given = n.elements(2, "the axis");
    if (failed(given))
      return failure();
    number = *given;
  }
  if (number.size() != 1)
    return n.fail("expects the axis to be one number");
  FailureOr<Axes> axes = Axes::get(n, number, rank);
  if (failed(axes) ||
      failed(n.require(SymExpr(1) - axes->contains(rank - 1),
                       "expects an axis other than the last one, but got %0", {number[0]})))
    return failure();
  // What lies in front of the axis, the axis, and what lies behind it.
  SymExpr before = 1, along = 1, behind = 1, isPast = 0;
  for (int64_t dim = 0; dim < rank - 1; ++dim) {
    const SymExpr &isHere = axes->contains(dim), &extent = x->shape[dim];
    auto name = [&](const SymExpr &expr) { return e.nameValue(expr, "transformed"); };
    before = name(before * n.syms.select(isPast + isHere, 1, extent));
    along = name(along * n.syms.select(isHere, extent, 1));
    behind = name(behind * n.syms.select(isPast, extent, 1));
    isPast = name(isPast + isHere);
  }
  Shape split;
  for (const SymExpr &extent : {before, along, behind})
    split.push_back(axes->constants() ? n.syms.simplify(extent)
                                      : e.nameSize(extent, "transformed", "%0 are transformed"));
  along = split[1];
  bool isReal = isHalf && isInverse;
  FailureOr<SymExpr> count =
      readNumber(n, 1, "dft_length", isReal ? (along - 1) * SymExpr(2) : along);
  if (failed(count) ||
      failed(n.require(n.syms.less(0, *count), "expects a dft_length of at least 1, but got %0",
                       {*count})))
    return failure();
  SymExpr half = n.syms.floorDiv(*count, 2) + 1;
  SymExpr results = isHalf && !isInverse ? half : *count;
  SymExpr used = n.syms.min(along, isReal ? half : *count);
  if (!axes->constants() || n.has(1))
    used = e.nameSize(used, "transformed", "%0 elements are transformed");
  split.push_back(x->shape.back());
  Signal signal = splitParts(e, e.reshape(x, split), used, *complex);
  Circle circle = makeCircle(e, *count, used, results, computeType(x->dtype), isInverse, isReal);
  Tensor *result = transformSignal(e, signal, circle, isInverse, isReal);
  Shape shape;
  for (int64_t dim = 0; dim < rank - 1; ++dim)
    shape.push_back(n.syms.select(axes->contains(dim), results, x->shape[dim]));
  shape.push_back(isReal ? 1 : 2);
  n.result(0, e.cast(e.reshape(result, shape), x->dtype));
  return success();
}

LogicalResult sectile::frontend::importSTFT(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *window = n.has(2) ? n.in(2) : nullptr;
  bool isHalf = n.intAttr("onesided", 1) != 0;
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 3, 3)))
    return failure();
  FailureOr<bool> complex = isComplex(n, x);
  FailureOr<SymExpr> step = readNumber(n, 1, "frame_step", 1);
  if (failed(complex) || failed(step))
    return failure();
  if (isHalf && *complex)
    return n.fail("expects real numbers where onesided is set");
  if (window && (failed(n.expectSameType({x, window})) || failed(n.expectRank(window, 1, 1))))
    return failure();
  const SymExpr batch = x->shape[0], length = x->shape[1];
  SymExpr count = window ? window->shape[0] : length;
  if (n.has(3)) {
    FailureOr<SymExpr> given = readNumber(n, 3, "frame_length", count);
    if (failed(given) ||
        (window && failed(n.expectEqual(*given, count, "frame_length and the window's extent"))))
      return failure();
    if (!window)
      count = *given;
  }
  if (failed(n.require(n.syms.less(0, *step), "expects a frame_step of at least 1, but got %0",
                       {*step})) ||
      failed(
          n.require(n.syms.less(0, count), "expects frames of at least 1, but got %0", {count})) ||
      failed(n.require(SymExpr(1) - n.syms.less(length, count),
                       "expects a signal of at least %1, which is a frame, but got %0",
                       {length, count})))
    return failure();
  SymExpr frames = n.syms.floorDiv(length - count, *step) + 1;
  SymExpr results = isHalf ? n.syms.floorDiv(count, 2) + 1 : count;
  if (!frames.constant())
    frames = e.nameSize(frames, "frames", "%0 frames");
  // Frames overlap: a gather, as [batch, frames, count, parts].
  Value distance = e.index(*step);
  Tensor *places = e.generate({frames, count}, DType::I64, [&](const Scalar &s, ValueRange at) {
    return s.add(s.mul(s.fromIndex(at[0]), s.fromIndex(distance)), s.fromIndex(at[1]));
  });
  Shape gathered{batch, frames, count, x->shape[2]};
  Value source = e.value(x), chosen = e.value(places);
  Value taken = graph::GatherOp::create(e.b, e.loc, e.type(x->dtype, gathered), source, chosen,
                                        /*axis=*/1);
  Tensor *framed = e.make(x->dtype, gathered, taken);
  if (window)
    framed = e.pointwise({framed, e.unsqueeze(window, {1})},
                         [](const Scalar &s, ValueRange args) { return s.mul(args[0], args[1]); });
  Shape split{batch * frames, count, 1, x->shape[2]};
  Signal signal = splitParts(e, e.reshape(framed, split), count, *complex);
  Circle circle = makeCircle(e, count, count, results, computeType(x->dtype), /*isInverse=*/false,
                             /*isHalf=*/false);
  Tensor *result = transformSignal(e, signal, circle, /*isInverse=*/false, /*isReal=*/false);
  n.result(0, e.cast(e.reshape(result, {batch, frames, results, 2}), x->dtype));
  return success();
}

LogicalResult sectile::frontend::importWindow(Node &n) {
  Emitter &e = n.emit;
  int64_t number = n.intAttr("output_datatype", 1);
  bool isPeriodic = n.intAttr("periodic", 1) != 0;
  std::optional<DType> dtype = dtypeOf(number);
  if (!dtype || isSmallFloat(*dtype) || *dtype == DType::Bool)
    return n.fail("windows of " + nameOfNumber(number) + " are not supported");
  FailureOr<SymExpr> size = readNumber(n, 0, "size", 1);
  if (failed(size) || failed(n.require(SymExpr(1) - n.syms.less(*size, 0),
                                       "expects a size of at least 0, but got %0", {*size})))
    return failure();
  // a - b cos(t) + c cos(2 t), over one turn.
  double a = 0.5, b = 0.5, c = 0;
  if (n.op() == "HammingWindow") {
    a = 25.0 / 46;
    b = 21.0 / 46;
  } else if (n.op() == "BlackmanWindow") {
    a = 0.42;
    c = 0.08;
  }
  // A symmetric window of one element is its first one.
  Value turn = e.index(n.syms.max(isPeriodic ? *size : *size - 1, 1));
  Tensor *window = e.generate({*size}, DType::F64, [&](const Scalar &s, ValueRange at) {
    Value part = s.div(s.fromIndex(at[0]), s.fromIndex(turn));
    auto wave = [&](double turns, double height) {
      Value angle = s.mul(part, s.constant(2 * std::numbers::pi * turns));
      return s.mul(math::CosOp::create(s.b, s.loc, angle), s.constant(height));
    };
    Value sum = s.sub(s.constant(a), wave(1, b));
    return c == 0 ? sum : s.add(sum, wave(2, c));
  });
  n.result(0, e.cast(window, *dtype));
  return success();
}

/// How many Hertz a mel of `number` is, and the other way around. Both are exact at 0.
static Value melToHertz(const Scalar &s, Value number) {
  Value power = s.mul(number, s.constant(std::numbers::ln10 / 2595));
  return s.mul(s.constant(700), math::ExpM1Op::create(s.b, s.loc, power));
}
static Value hertzToMel(const Scalar &s, Value number) {
  Value log = math::Log1pOp::create(s.b, s.loc, s.div(number, s.constant(700)));
  return s.mul(log, s.constant(2595 / std::numbers::ln10));
}

LogicalResult sectile::frontend::importMelWeightMatrix(Node &n) {
  Emitter &e = n.emit;
  int64_t number = n.intAttr("output_datatype", 1);
  std::optional<DType> dtype = dtypeOf(number);
  if (!dtype || isSmallFloat(*dtype) || *dtype == DType::Bool)
    return n.fail("weights of " + nameOfNumber(number) + " are not supported");
  FailureOr<SymExpr> bands = readNumber(n, 0, "num_mel_bins", 1),
                     length = readNumber(n, 1, "dft_length", 1);
  if (failed(bands) || failed(length))
    return failure();
  for (const SymExpr &extent : {*bands, *length})
    if (failed(n.require(n.syms.less(0, extent),
                         "expects num_mel_bins and dft_length of at least 1, but got %0",
                         {extent})))
      return failure();
  SmallVector<Tensor *> inputs;
  for (unsigned i : {2u, 3u, 4u}) {
    if (failed(n.require(n.syms.equal(Emitter::product(n.in(i)->shape), 1),
                         "expects input " + Twine(i) + " to be one number", {})))
      return failure();
    inputs.push_back(e.cast(e.reshape(n.in(i), {}), DType::F64));
  }
  // The ends of the triangles as numbers of a spectrum's elements, evenly spread over the mels.
  Value points = e.index(*bands + 2), elements = e.index(*length + 1);
  Tensor *ends =
      e.pointwise(inputs, {*bands + 2}, DType::F64, [&](const Scalar &s, ValueRange args) {
        Value low = hertzToMel(s, args[1]), high = hertzToMel(s, args[2]);
        Value step = s.div(s.sub(high, low), s.fromIndex(points));
        Value at = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, 0));
        Value hertz = melToHertz(s, s.add(s.mul(at, step), low));
        Value place = s.div(s.mul(s.fromIndex(elements), hertz), args[0]);
        return Value(math::FloorOp::create(s.b, s.loc, place));
      });
  auto end = [&](int64_t from) { return e.slice(ends, {from}, {*bands}, {1}); };
  SymExpr rows = n.syms.floorDiv(*length, 2) + 1;
  Tensor *weights = e.pointwise(
      {end(0), end(1), end(2)}, {rows, *bands}, DType::F64, [&](const Scalar &s, ValueRange args) {
        Value at = s.fromIndex(linalg::IndexOp::create(s.b, s.loc, 0));
        Value low = args[0], center = args[1], high = args[2], zero = s.constant(0);
        auto isIn = [&](Value from, Compare how, Value to) {
          Value isFrom = s.compare(Compare::GreaterEqual, at, from);
          return arith::AndIOp::create(s.b, s.loc, isFrom, s.compare(how, at, to));
        };
        Value width = s.sub(center, low), isThin = s.compare(Compare::Equal, width, zero);
        Value up = s.select(isThin, s.constant(1), s.div(s.sub(at, low), width));
        Value rising = s.select(isIn(low, Compare::LessEqual, center), up, zero);
        Value down = s.div(s.sub(high, at), s.sub(high, center));
        return s.select(isIn(center, Compare::Less, high), down, rising);
      });
  n.result(0, e.cast(weights, *dtype));
  return success();
}
