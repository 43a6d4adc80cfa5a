//===- Contraction.cpp - matrix products ------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using utils::IteratorType;

/// Reads batch dimensions, aligned at the last one, with extents of 1 standing still.
static void readBatch(Emitter &e, Access &access, ArrayRef<SymExpr> batch) {
  int64_t own = access.tensor->rank() - 2, shift = static_cast<int64_t>(batch.size()) - own;
  for (int64_t dim = 0; dim < own; ++dim) {
    bool stands = e.syms.simplify(access.tensor->shape[dim]).isConstant(1) &&
                  !batch[shift + dim].isConstant(1);
    access.map.push_back(stands ? e.b.getAffineConstantExpr(0) : e.dim(shift + dim));
  }
}

/// Stretches batch dimensions that are only known to fit at run time.
static Tensor *fitBatch(Emitter &e, Tensor *tensor, ArrayRef<SymExpr> batch) {
  int64_t own = tensor->rank() - 2, shift = static_cast<int64_t>(batch.size()) - own;
  Shape shape = tensor->shape;
  bool fits = true;
  for (int64_t dim = 0; dim < own; ++dim) {
    bool stands =
        e.syms.simplify(shape[dim]).isConstant(1) || e.same(shape[dim], batch[shift + dim]);
    fits &= stands;
    if (!stands)
      shape[dim] = batch[shift + dim];
  }
  return fits ? tensor : e.expand(tensor, shape);
}

FailureOr<Tensor *> sectile::frontend::multiply(Node &n, Tensor *a, Tensor *b) {
  Emitter &e = n.emit;
  if (failed(n.expectSameType({a, b})) || failed(n.expectNumber(a)) || failed(n.expectRank(a, 1)) ||
      failed(n.expectRank(b, 1)))
    return failure();
  DType dtype = a->dtype;
  bool aIsVector = a->rank() == 1, bIsVector = b->rank() == 1;
  if (failed(n.expectEqual(a->shape.back(), b->shape[bIsVector ? 0 : b->rank() - 2],
                           "the extents that are summed over")))
    return failure();
  ArrayRef<SymExpr> aBatch = ArrayRef(a->shape).drop_back(aIsVector ? 1 : 2);
  ArrayRef<SymExpr> bBatch = ArrayRef(b->shape).drop_back(bIsVector ? 1 : 2);
  FailureOr<Shape> batch = n.broadcast({aBatch, bBatch});
  if (failed(batch))
    return failure();

  // Iteration space: batch.., [m], [n], k.
  Access x{aIsVector ? a : fitBatch(e, a, *batch), {}},
      y{bIsVector ? b : fitBatch(e, b, *batch), {}};
  Shape shape = *batch;
  SmallVector<AffineExpr> result;
  SmallVector<IteratorType> iterators(batch->size(), IteratorType::parallel);
  for (size_t dim = 0; dim < batch->size(); ++dim)
    result.push_back(e.dim(dim));
  auto addDim = [&](const SymExpr &extent) {
    shape.push_back(extent);
    result.push_back(e.dim(iterators.size()));
    iterators.push_back(IteratorType::parallel);
  };
  if (!aIsVector) {
    readBatch(e, x, *batch);
    x.map.push_back(e.dim(iterators.size()));
    addDim(a->shape[a->rank() - 2]);
  }
  AffineExpr k = e.dim(iterators.size() + !bIsVector);
  x.map.push_back(k);
  if (!bIsVector)
    readBatch(e, y, *batch);
  y.map.push_back(k);
  if (!bIsVector) {
    y.map.push_back(e.dim(iterators.size()));
    addDim(b->shape.back());
  }
  iterators.push_back(IteratorType::reduction);
  Tensor *product = e.contract(x, y, shape, result, iterators);
  return dtype == DType::I16 ? product : e.cast(product, dtype);
}

LogicalResult sectile::frontend::importMatMul(Node &n) {
  FailureOr<Tensor *> product = multiply(n, n.in(0), n.in(1));
  if (failed(product))
    return failure();
  n.result(0, *product);
  return success();
}

/// A matrix, or a batch of them, with its rows and columns turned, or with the rows in front of the
/// batch.
static Tensor *turnMatrix(Emitter &e, Tensor *x, bool turns, bool turnsBatch) {
  int64_t rank = x->rank();
  if (rank < 2 || !(turns || turnsBatch))
    return x;
  SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  // [rows, batch.., columns] is [batch.., rows, columns].
  if (turnsBatch)
    std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
  if (turns)
    std::swap(order[rank - 2], order[rank - 1]);
  return e.transpose(x, order);
}

LogicalResult sectile::frontend::importFusedMatMul(Node &n) {
  Emitter &e = n.emit;
  Tensor *a = n.in(0), *b = n.in(1);
  double alpha = n.floatAttr("alpha", 1);
  if (failed(n.expectFloat(a)))
    return failure();
  a = turnMatrix(e, a, n.intAttr("transA", 0) != 0, n.intAttr("transBatchA", 0) != 0);
  b = turnMatrix(e, b, n.intAttr("transB", 0) != 0, n.intAttr("transBatchB", 0) != 0);
  FailureOr<Tensor *> product = multiply(n, a, b);
  if (failed(product))
    return failure();
  Tensor *result = *product;
  if (alpha != 1)
    result = e.pointwise(
        {result},
        [&](const Scalar &s, ValueRange args) { return s.mul(args[0], s.constant(alpha)); },
        /*wide=*/true);
  n.result(0, result);
  return success();
}

FailureOr<Tensor *> sectile::frontend::withoutZeroPoint(Node &n, Tensor *x, unsigned input,
                                                        int64_t behind) {
  Emitter &e = n.emit;
  if (bitsOf(x->dtype) != 8 || !isInteger(x->dtype))
    return n.fail("expects int8 or uint8, but got " + nameOf(x->dtype));
  Tensor *wide = e.cast(x, DType::I16);
  if (!n.has(input))
    return wide;
  Tensor *zero = n.in(input);
  if (failed(n.expectSameType({x, zero})))
    return failure();
  if (Emitter::product(zero->shape).isConstant(1)) {
    zero = e.reshape(zero, {});
  } else if (zero->rank() == 1) {
    zero = e.unsqueeze(zero, llvm::to_vector(llvm::seq<int64_t>(1, 1 + behind)));
  }
  FailureOr<Shape> shape = n.broadcast({wide, zero});
  if (failed(shape))
    return failure();
  if (static_cast<int64_t>(shape->size()) != x->rank())
    return n.fail("expects a zero point that fits " + Node::text(x->shape) + ", but got " +
                  Node::text(zero->shape));
  for (int64_t dim = 0; dim < x->rank(); ++dim)
    if (failed(n.expectEqual((*shape)[dim], x->shape[dim], "extents of a zero point")))
      return failure();
  return e.pointwise({wide, e.cast(zero, DType::I16)},
                     [](const Scalar &s, ValueRange args) { return s.sub(args[0], args[1]); });
}

LogicalResult sectile::frontend::importMatMulInteger(Node &n) {
  // A zero point for each row of the first matrix, and for each column of the second.
  FailureOr<Tensor *> a = withoutZeroPoint(n, n.in(0), 2, n.in(0)->rank() > 1 ? 1 : 0);
  FailureOr<Tensor *> b = withoutZeroPoint(n, n.in(1), 3, 0);
  if (failed(a) || failed(b))
    return failure();
  FailureOr<Tensor *> product = multiply(n, *a, *b);
  if (failed(product))
    return failure();
  n.result(0, *product);
  return success();
}

LogicalResult sectile::frontend::importGemm(Node &n) {
  Emitter &e = n.emit;
  Tensor *a = n.in(0), *b = n.in(1);
  bool transA = n.intAttr("transA", 0) != 0, transB = n.intAttr("transB", 0) != 0;
  double alpha = n.floatAttr("alpha", 1), beta = n.floatAttr("beta", 1);
  if (n.opset() < 7)
    n.ignoreAttr("broadcast"); // The shapes say as much.
  if (failed(n.expectSameType({a, b})) || failed(n.expectNumber(a)) ||
      failed(n.expectRank(a, 2, 2)) || failed(n.expectRank(b, 2, 2)) ||
      failed(n.expectEqual(a->shape[transA ? 0 : 1], b->shape[transB ? 1 : 0],
                           "the extents that are summed over")))
    return failure();
  AffineExpr row = e.dim(0), column = e.dim(1), k = e.dim(2);
  Access x{a, {transA ? k : row, transA ? row : k}};
  Access y{b, {transB ? column : k, transB ? k : column}};
  Shape shape{a->shape[transA ? 1 : 0], b->shape[transB ? 0 : 1]};
  IteratorType iterators[] = {IteratorType::parallel, IteratorType::parallel,
                              IteratorType::reduction};
  Tensor *c = n.has(2) ? n.in(2) : nullptr;
  if (c) {
    if (failed(n.expectSameType({a, c})))
      return failure();
    FailureOr<Shape> joined = n.broadcast({ArrayRef<SymExpr>(shape), ArrayRef<SymExpr>(c->shape)});
    if (failed(joined))
      return failure();
    for (size_t dim = 0; dim < joined->size(); ++dim)
      if (joined->size() != 2 || failed(n.expectEqual((*joined)[dim], shape[dim], "extents of C")))
        return n.reason.empty() ? n.fail("expects C to fit " + Node::text(shape) + ", but got " +
                                         Node::text(c->shape))
                                : failure();
  }
  DType dtype = a->dtype;
  Tensor *product = e.contract(x, y, shape, {row, column}, iterators);
  auto scaled = [](const Scalar &s, Value v, double factor) {
    return factor == 1 ? v : s.mul(s.constant(factor), v);
  };
  if (isInteger(dtype) && (alpha != 1 || beta != 1))
    return n.fail("expects alpha and beta to be 1 for " + nameOf(dtype));
  if (c)
    product =
        e.pointwise({product, e.cast(c, product->dtype)}, [&](const Scalar &s, ValueRange args) {
          return s.add(scaled(s, args[0], alpha), scaled(s, args[1], beta));
        });
  else if (alpha != 1)
    product = e.pointwise(
        {product}, [&](const Scalar &s, ValueRange args) { return scaled(s, args[0], alpha); });
  n.result(0, e.cast(product, dtype));
  return success();
}
