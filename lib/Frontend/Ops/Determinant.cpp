//===- Determinant.cpp - determinants by elimination ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Gaussian elimination with partial pivoting, all matrices of a batch at once, a
// column in each iteration: the row with the column's greatest element takes the
// place of row k, and is subtracted from those below it.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

/// Column `k` of the matrices `a` [batch, n, n], and what the product of the pivots is then.
static IterationResults eliminate(Node &n, const SymExpr &k, Tensor *a, Tensor *product) {
  Emitter &e = n.emit;
  Value now = e.index(k);
  SymExpr batch = a->shape[0], size = a->shape[1];
  Tensor *column = takePart(e, a, 2, k); // [batch, n]
  Tensor *candidates = e.pointwise({column}, [&](const Scalar &s, ValueRange args) {
    Scalar at = s.as(DType::I64);
    Value row = at.fromIndex(linalg::IndexOp::create(s.b, s.loc, 1));
    Value isLeft = at.compare(Compare::GreaterEqual, row, at.fromIndex(now));
    return s.select(isLeft, s.abs(args[0]), s.constant(-1));
  });
  Tensor *place = argExtreme(e, candidates, 1, /*isMax=*/true, /*takesLast=*/false); // [batch, 1]
  Tensor *pivotRow =
      gatherAt(n, a, {batch, 1}, {Coordinate{nullptr, 0}, Coordinate{place, 0}}, /*fromEnd=*/false);
  Tensor *pivot = takePart(e, pivotRow, 2, k), *upper = e.unsqueeze(takePart(e, a, 1, k), {1});
  Tensor *next =
      e.pointwise({a, pivotRow, upper, e.unsqueeze(column, {2}), e.unsqueeze(pivot, {2}),
                   e.unsqueeze(takePart(e, upper, 2, k), {2}), e.unsqueeze(place, {2})},
                  {batch, size, size}, a->dtype, [&](const Scalar &s, ValueRange args) {
                    Scalar at = s.as(DType::I64);
                    Value row = at.fromIndex(linalg::IndexOp::create(s.b, s.loc, 1));
                    Value isPivots = at.compare(Compare::Equal, row, args[6]);
                    Value isAbove = at.compare(Compare::LessEqual, row, at.fromIndex(now));
                    // What stands in the row after the exchange; above, nobody reads it again.
                    Value own = s.select(isPivots, args[2], args[0]);
                    Value first = s.select(isPivots, args[5], args[3]);
                    Value isZero = s.compare(Compare::Equal, args[4], s.constant(0));
                    Value factor = s.select(isZero, s.constant(0), s.div(first, args[4]));
                    return s.select(isAbove, own, s.sub(own, s.mul(factor, args[1])));
                  });
  Tensor *greater = e.pointwise({product, e.squeeze(pivot, {1}), e.squeeze(place, {1})},
                                [&](const Scalar &s, ValueRange args) {
                                  Scalar at = s.as(DType::I64);
                                  Value stays =
                                      at.compare(Compare::Equal, args[2], at.fromIndex(now));
                                  Value value = s.select(stays, args[1], s.neg(args[1]));
                                  return s.mul(args[0], value);
                                });
  return {{next, greater}, {}};
}

LogicalResult sectile::frontend::importDet(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  if (failed(n.expectFloat(x)) || failed(n.expectRank(x, 2)))
    return failure();
  Shape outer(x->shape);
  SymExpr size = n.syms.simplify(outer.pop_back_val()), rows = outer.pop_back_val();
  if (failed(n.expectEqual(rows, size, "rows and columns of a matrix")))
    return failure();
  SymExpr batch = n.syms.simplify(Emitter::product(outer));
  DType dtype = computeType(x->dtype);
  Tensor *matrices = e.reshape(e.cast(x, dtype), {batch, size, size});
  Tensor *one = e.expand(e.scalar(dtype, 1), {batch});
  auto step = [&](const Iteration &at) {
    return eliminate(n, at.number, at.state[0], at.state[1]);
  };
  Tensor *result = n.repeat({size, nullptr, {matrices, one}}, step).state[1];
  n.result(0, e.cast(e.reshape(result, outer), x->dtype));
  return success();
}
