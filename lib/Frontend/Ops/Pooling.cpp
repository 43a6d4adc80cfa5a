//===- Pooling.cpp - maximum and average over windows -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pooling is a reduction over (n, c, o.., k..) that reads its padded input at
// o*stride + k*dilation. An operand of the window's shape, whose elements
// nobody reads, gives the extents of k.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using utils::IteratorType;

namespace {
/// The loops of a pooling over a tensor with `outer` dimensions before the spatial ones.
struct PoolLoops {
  PoolLoops(Emitter &e, size_t outer, const Window &window) : outer(outer) {
    size_t spatial = window.strides.size();
    SmallVector<AffineExpr> read, kernel, write;
    for (size_t dim = 0; dim < outer; ++dim) {
      read.push_back(e.dim(dim));
      write.push_back(e.dim(dim));
    }
    for (size_t dim = 0; dim < spatial; ++dim) {
      AffineExpr o = e.dim(outer + dim), k = e.dim(outer + spatial + dim);
      read.push_back(o * window.strides[dim] + k * window.dilations[dim]);
      kernel.push_back(k);
      write.push_back(o);
    }
    size_t rank = outer + 2 * spatial;
    iterators.assign(outer + spatial, IteratorType::parallel);
    iterators.append(spatial, IteratorType::reduction);
    for (const auto &exprs : {read, kernel, write})
      maps.push_back(AffineMap::get(rank, 0, exprs, e.b.getContext()));
  }
  size_t outer;
  SmallVector<IteratorType> iterators;
  SmallVector<AffineMap> maps; ///< input, window, output
};
} // namespace

/// `x` padded around its last dimensions.
static Tensor *padWindow(Emitter &e, Tensor *x, const Window &window, Value element,
                         bool onlyExtra = false) {
  size_t outer = x->rank() - window.strides.size();
  SmallVector<SymExpr> low(outer, 0), high(outer, 0);
  for (size_t dim = 0; dim < window.strides.size(); ++dim) {
    low.push_back(onlyExtra ? SymExpr(0) : window.low[dim]);
    high.push_back(onlyExtra ? window.extra[dim] : window.high[dim] + window.extra[dim]);
  }
  return e.pad(x, low, high, element);
}

static Shape pooledShape(Tensor *x, const Window &window) {
  Shape shape(x->shape.begin(), x->shape.end() - window.strides.size());
  shape.append(window.output.begin(), window.output.end());
  return shape;
}

/// Sums or takes the maximum over each window of `padded`, in its own type.
static Tensor *pool(Emitter &e, Tensor *padded, const Window &window, ReduceKind kind) {
  PoolLoops loops(e, padded->rank() - window.strides.size(), window);
  Scalar s = e.scalars(padded->dtype);
  Shape shape = pooledShape(padded, window);
  Value operands[] = {e.value(padded), e.empty(window.kernel, padded->dtype)};
  Value init = e.filled(shape, padded->dtype, kind == ReduceKind::Max ? s.lowest() : s.integer(0));
  auto op = linalg::GenericOp::create(
      e.b, e.loc, init.getType(), operands, init, loops.maps, loops.iterators,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        Scalar inner(b, loc, padded->dtype);
        linalg::YieldOp::create(b, loc,
                                kind == ReduceKind::Max ? inner.max(args[2], args[0])
                                                        : inner.add(args[2], args[0]));
      });
  return e.make(padded->dtype, shape, op.getResult(0));
}

/// The maximum of each window, and where in `x` it stands first.
static std::pair<Tensor *, Tensor *> poolWithIndices(Emitter &e, Tensor *x, Tensor *padded,
                                                     const Window &window, bool columnMajor) {
  size_t outer = 2, spatial = window.strides.size();
  PoolLoops loops(e, outer, window);
  Shape shape = pooledShape(x, window);
  Scalar s = e.scalars(x->dtype), at = e.scalars(DType::I64);
  Value operands[] = {e.value(padded), e.empty(window.kernel, x->dtype)};
  Value inits[] = {e.filled(shape, x->dtype, s.lowest()),
                   e.filled(shape, DType::I64, at.highest())};
  SmallVector<Value> extents, lows;
  for (const SymExpr &extent : x->shape)
    extents.push_back(e.index(extent));
  for (const SymExpr &low : window.low)
    lows.push_back(e.index(low));
  SmallVector<AffineMap> maps = loops.maps;
  maps.push_back(maps.back());
  auto op = linalg::GenericOp::create(
      e.b, e.loc, TypeRange{inits[0].getType(), inits[1].getType()}, operands, inits, maps,
      loops.iterators, [&](OpBuilder &b, Location loc, ValueRange args) {
        auto index = [&](size_t dim) -> Value { return linalg::IndexOp::create(b, loc, dim); };
        auto add = [&](Value x, Value y) -> Value { return arith::AddIOp::create(b, loc, x, y); };
        auto mul = [&](Value x, Value y) -> Value { return arith::MulIOp::create(b, loc, x, y); };
        auto number = [&](int64_t v) -> Value { return arith::ConstantIndexOp::create(b, loc, v); };
        // Coordinates in the unpadded input; unsigned comparison refuses negative ones too.
        SmallVector<Value> coordinates;
        Value inside = Scalar(b, loc, DType::Bool).integer(1);
        for (size_t dim = 0; dim < spatial; ++dim) {
          Value position = add(mul(index(outer + dim), number(window.strides[dim])),
                               mul(index(outer + spatial + dim), number(window.dilations[dim])));
          position = arith::SubIOp::create(b, loc, position, lows[dim]);
          Value valid = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, position,
                                              extents[outer + dim]);
          inside = arith::AndIOp::create(b, loc, inside, valid);
          coordinates.push_back(position);
        }
        Value flat = add(mul(index(0), extents[1]), index(1));
        Value within = number(0);
        for (size_t i = 0; i < spatial; ++i) {
          size_t dim = columnMajor ? spatial - 1 - i : i;
          within = add(mul(within, extents[outer + dim]), coordinates[dim]);
          flat = mul(flat, extents[outer + i]);
        }
        Scalar s(b, loc, x->dtype), at(b, loc, DType::I64);
        Value here = at.fromIndex(add(flat, within));
        Value better = s.compare(Compare::Greater, args[0], args[2]);
        Value ties = arith::AndIOp::create(b, loc, s.compare(Compare::Equal, args[0], args[2]),
                                           at.compare(Compare::Less, here, args[3]));
        Value takes =
            arith::AndIOp::create(b, loc, inside, arith::OrIOp::create(b, loc, better, ties));
        Value results[] = {s.select(takes, args[0], args[2]), s.select(takes, here, args[3])};
        linalg::YieldOp::create(b, loc, results);
      });
  return {e.make(x->dtype, shape, op.getResult(0)), e.make(DType::I64, shape, op.getResult(1))};
}

/// The average of each window over the elements that count: those of the input, and of the
/// padding if `countPadding`.
static Tensor *average(Emitter &e, Tensor *x, const Window &window, bool countPadding) {
  Tensor *wide = e.cast(x, computeType(x->dtype));
  Value zero = e.scalars(wide->dtype).integer(0), one = e.scalars(wide->dtype).integer(1);
  Tensor *sum = pool(e, padWindow(e, wide, window, zero), window, ReduceKind::Sum);
  auto isZero = [](const SymExpr &expr) { return expr.isConstant(0); };
  bool allCount =
      llvm::all_of(window.extra, isZero) &&
      (countPadding || (llvm::all_of(window.low, isZero) && llvm::all_of(window.high, isZero)));
  if (allCount) {
    std::optional<int64_t> count = Emitter::product(window.kernel).constant();
    return e.pointwise(
        {sum}, [&](const Scalar &s, ValueRange args) { return s.div(args[0], s.integer(*count)); });
  }
  // How many elements count in each window: the same pooling of ones, which constant folding does.
  Shape extents(x->shape.end() - window.strides.size(), x->shape.end());
  if (countPadding)
    for (size_t dim = 0; dim < extents.size(); ++dim)
      extents[dim] = extents[dim] + window.low[dim] + window.high[dim];
  Tensor *ones = e.make(wide->dtype, extents, e.filled(extents, wide->dtype, one));
  Tensor *counts = pool(e, padWindow(e, ones, window, zero, /*onlyExtra=*/countPadding), window,
                        ReduceKind::Sum);
  return e.pointwise({sum, counts},
                     [](const Scalar &s, ValueRange args) { return s.div(args[0], args[1]); });
}

/// x^p, or the p-th root of x, for x of at least 0.
static Value power(const Scalar &s, Value x, int64_t p, bool isRoot) {
  if (p == 1)
    return x;
  if (p == 2)
    return isRoot ? Value(math::SqrtOp::create(s.b, s.loc, x)) : s.mul(x, x);
  double exponent = isRoot ? 1.0 / static_cast<double>(p) : static_cast<double>(p);
  return math::PowFOp::create(s.b, s.loc, x, s.constant(exponent));
}

/// The sums that `sum` makes of |x|^p, to the power of 1/p.
static FailureOr<Tensor *> pNorms(Node &n, Tensor *x, llvm::function_ref<Tensor *(Tensor *)> sum) {
  Emitter &e = n.emit;
  int64_t p = n.intAttr("p", 2);
  if (p < 1 || p > INT16_MAX)
    return n.fail("expects p from 1 to " + Twine(INT16_MAX) + ", but got " + Twine(p));
  Tensor *powers =
      e.pointwise({e.cast(x, computeType(x->dtype))}, [&](const Scalar &s, ValueRange args) {
        return power(s, s.abs(args[0]), p, /*isRoot=*/false);
      });
  Tensor *roots = e.pointwise({sum(powers)}, [&](const Scalar &s, ValueRange args) {
    return power(s, args[0], p, /*isRoot=*/true);
  });
  return e.cast(roots, x->dtype);
}

LogicalResult sectile::frontend::importPool(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  bool isMax = n.op() == "MaxPool", isNorm = n.op() == "LpPool";
  bool ceilMode = n.intAttr("ceil_mode", 0) != 0;
  bool columnMajor = isMax && n.intAttr("storage_order", 0) != 0;
  bool countPadding = !isMax && !isNorm && n.intAttr("count_include_pad", 0) != 0;
  if (failed(isMax ? n.expectNumber(x) : n.expectFloat(x)) || failed(n.expectRank(x, 3, 5)))
    return failure();
  std::optional<SmallVector<int64_t>> kernel = n.intsAttr("kernel_shape");
  if (!kernel || static_cast<int64_t>(kernel->size()) != x->rank() - 2)
    return n.fail("expects " + Twine(x->rank() - 2) + " values in kernel_shape");
  for (int64_t extent : *kernel)
    if (extent < 1 || extent > INT32_MAX)
      return n.fail("expects kernel_shape from 1 to " + Twine(INT32_MAX) + ", but got " +
                    Twine(extent));
  SmallVector<SymExpr> extents(kernel->begin(), kernel->end());
  FailureOr<Window> window = readWindow(n, ArrayRef(x->shape).drop_front(2), extents, ceilMode);
  if (failed(window))
    return failure();
  if (isNorm) {
    FailureOr<Tensor *> norms = pNorms(n, x, [&](Tensor *powers) {
      Value zero = e.scalars(powers->dtype).integer(0);
      return pool(e, padWindow(e, powers, *window, zero), *window, ReduceKind::Sum);
    });
    if (failed(norms))
      return failure();
    n.result(0, *norms);
    return success();
  }
  if (!isMax) {
    n.result(0, e.cast(average(e, x, *window, countPadding), x->dtype));
    return success();
  }
  Tensor *padded = padWindow(e, x, *window, e.scalars(x->dtype).lowest());
  if (!n.wants(1)) {
    n.result(0, pool(e, padded, *window, ReduceKind::Max));
    return success();
  }
  auto [values, indices] = poolWithIndices(e, x, padded, *window, columnMajor);
  n.result(0, values);
  n.result(1, indices);
  return success();
}

LogicalResult sectile::frontend::importGlobalPool(Node &n) {
  Tensor *x = n.in(0);
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 2)))
    return failure();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(2, x->rank()));
  if (n.op() == "GlobalLpPool") {
    FailureOr<Tensor *> norms = pNorms(n, x, [&](Tensor *powers) {
      return n.emit.reduce(powers, axes, /*keep=*/true, ReduceKind::Sum);
    });
    if (failed(norms))
      return failure();
    n.result(0, *norms);
    return success();
  }
  Tensor *result = n.op() == "GlobalMaxPool"
                       ? n.emit.reduce(x, axes, /*keep=*/true, ReduceKind::Max)
                       : n.emit.mean(x, axes, /*keep=*/true);
  n.result(0, n.emit.cast(result, x->dtype));
  return success();
}
