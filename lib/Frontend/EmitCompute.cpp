//===- EmitCompute.cpp - elementwise ops, reductions, contractions -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using utils::IteratorType;

Value Emitter::empty(ArrayRef<SymExpr> shape, DType dtype) {
  return tensor::EmptyOp::create(b, loc, sizes(shape), mlirType(dtype, b.getContext()));
}

Value Emitter::filled(ArrayRef<SymExpr> shape, DType dtype, Value element) {
  Value init = empty(shape, dtype);
  return linalg::FillOp::create(b, loc, element, init).getResult(0);
}

/// Reads `tensor`, aligned at the last of `rank` dimensions, with extents of 1 standing still
/// where the result's are not 1.
static AffineMap broadcastMap(Emitter &e, const Tensor *tensor, ArrayRef<SymExpr> shape) {
  SmallVector<AffineExpr> exprs;
  int64_t shift = static_cast<int64_t>(shape.size()) - tensor->rank();
  for (int64_t i = 0; i < tensor->rank(); ++i) {
    bool stands = e.syms.simplify(tensor->shape[i]).isConstant(1) &&
                  !e.syms.simplify(shape[shift + i]).isConstant(1);
    exprs.push_back(stands ? e.b.getAffineConstantExpr(0) : e.b.getAffineDimExpr(shift + i));
  }
  return AffineMap::get(shape.size(), 0, exprs, e.b.getContext());
}

Tensor *Emitter::pointwise(ArrayRef<Tensor *> inputs, Shape shape, DType dtype, Body body,
                           bool wide) {
  for (SymExpr &extent : shape)
    extent = syms.simplify(extent);
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  // A constant of one element is a number in the body, not an operand.
  SmallVector<std::optional<double>> numbers;
  for (Tensor *input : inputs) {
    numbers.push_back(constantScalar(input));
    if (numbers.back())
      continue;
    Tensor *operand = stretched(input, shape);
    operands.push_back(value(operand));
    maps.push_back(broadcastMap(*this, operand, shape));
  }
  maps.push_back(b.getMultiDimIdentityMap(shape.size()));
  Value init = empty(shape, dtype);
  SmallVector<IteratorType> iterators(shape.size(), IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      b, loc, init.getType(), operands, init, maps, iterators,
      [&](OpBuilder &builder, Location where, ValueRange args) {
        DType bodyType = inputs.empty() ? dtype : inputs[0]->dtype;
        if (wide)
          bodyType = computeType(bodyType);
        SmallVector<Value> values;
        unsigned next = 0;
        for (auto [input, number] : llvm::zip_equal(inputs, numbers)) {
          Scalar own(builder, where, input->dtype);
          DType seen = wide ? computeType(input->dtype) : input->dtype;
          if (number)
            values.push_back(isFloat(seen) ? own.as(seen).constant(*number)
                                           : own.integer(constantInteger(input, 0)));
          else
            values.push_back(own.convert(args[next++], seen));
        }
        Value result = body(Scalar(builder, where, bodyType), values);
        DType given = wide && isFloat(dtype) ? computeType(dtype) : dtype;
        linalg::YieldOp::create(builder, where,
                                Scalar(builder, where, given).convert(result, dtype));
      });
  return make(dtype, std::move(shape), op.getResult(0));
}

Tensor *Emitter::pointwise(ArrayRef<Tensor *> inputs, Body body, bool wide) {
  return pointwise(inputs, inputs[0]->shape, inputs[0]->dtype, body, wide);
}

Tensor *Emitter::generate(Shape shape, DType dtype, Body body) {
  Value init = empty(shape, dtype);
  SmallVector<IteratorType> iterators(shape.size(), IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      b, loc, init.getType(), ValueRange(), init, b.getMultiDimIdentityMap(shape.size()), iterators,
      [&](OpBuilder &builder, Location where, ValueRange) {
        SmallVector<Value> coordinates;
        for (size_t dim = 0; dim < shape.size(); ++dim)
          coordinates.push_back(linalg::IndexOp::create(builder, where, dim));
        Value result = body(Scalar(builder, where, dtype), coordinates);
        linalg::YieldOp::create(builder, where, result);
      });
  return make(dtype, std::move(shape), op.getResult(0));
}

Tensor *Emitter::cast(Tensor *tensor, DType dtype) {
  if (tensor->dtype == dtype)
    return tensor;
  return pointwise({tensor}, tensor->shape, dtype,
                   [&](const Scalar &s, ValueRange args) { return s.convert(args[0], dtype); });
}

Tensor *Emitter::reduce(Tensor *tensor, ArrayRef<int64_t> axes, bool keep, ReduceKind kind) {
  bool accumulates = kind == ReduceKind::Sum || kind == ReduceKind::Product;
  DType dtype = accumulates ? computeType(tensor->dtype) : tensor->dtype;
  Scalar s = scalars(dtype);
  Value neutral = kind == ReduceKind::Sum       ? s.integer(0)
                  : kind == ReduceKind::Product ? s.integer(1)
                  : kind == ReduceKind::Max     ? s.lowest()
                                                : s.highest();
  Shape shape, kept;
  SmallVector<AffineExpr> result;
  SmallVector<IteratorType> iterators;
  for (int64_t dim = 0; dim < tensor->rank(); ++dim) {
    bool reduced = llvm::is_contained(axes, dim);
    iterators.push_back(reduced ? IteratorType::reduction : IteratorType::parallel);
    kept.push_back(reduced ? SymExpr(1) : tensor->shape[dim]);
    if (reduced)
      continue;
    shape.push_back(tensor->shape[dim]);
    result.push_back(b.getAffineDimExpr(dim));
  }
  AffineMap maps[] = {b.getMultiDimIdentityMap(tensor->rank()),
                      AffineMap::get(tensor->rank(), 0, result, b.getContext())};
  Value source = value(tensor), init = filled(shape, dtype, neutral);
  auto op = linalg::GenericOp::create(
      b, loc, init.getType(), source, init, maps, iterators,
      [&](OpBuilder &builder, Location where, ValueRange args) {
        Scalar inner(builder, where, dtype);
        Value element = Scalar(builder, where, tensor->dtype).convert(args[0], dtype);
        Value next = kind == ReduceKind::Sum       ? inner.add(args[1], element)
                     : kind == ReduceKind::Product ? inner.mul(args[1], element)
                     : kind == ReduceKind::Max     ? inner.max(args[1], element)
                                                   : inner.min(args[1], element);
        linalg::YieldOp::create(builder, where, next);
      });
  Tensor *reduced = make(dtype, std::move(shape), op.getResult(0));
  return keep ? reshape(reduced, kept) : reduced;
}

Tensor *Emitter::mean(Tensor *tensor, ArrayRef<int64_t> axes, bool keep) {
  Tensor *sum = reduce(tensor, axes, keep, ReduceKind::Sum);
  SymExpr count = 1;
  for (int64_t axis : axes)
    count = count * tensor->shape[axis];
  count = syms.simplify(count);
  std::optional<int64_t> constant = count.constant();
  Value size = constant ? Value() : index(count);
  return pointwise({sum}, [&](const Scalar &s, ValueRange args) {
    return s.div(args[0], constant ? s.integer(*constant) : s.fromIndex(size));
  });
}

Tensor *Emitter::contract(const Access &a, const Access &c, Shape shape,
                          ArrayRef<AffineExpr> outMap, ArrayRef<IteratorType> iterators) {
  DType dtype = sumType(a.tensor->dtype);
  SmallVector<AffineMap> maps;
  for (ArrayRef<AffineExpr> exprs :
       {ArrayRef<AffineExpr>(a.map), ArrayRef<AffineExpr>(c.map), outMap})
    maps.push_back(AffineMap::get(iterators.size(), 0, exprs, b.getContext()));
  Value zero = scalars(dtype).integer(0);
  Value operands[] = {value(a.tensor), value(c.tensor)};
  Value init = filled(shape, dtype, zero);
  auto op = linalg::GenericOp::create(
      b, loc, init.getType(), operands, init, maps, iterators,
      [&](OpBuilder &builder, Location where, ValueRange args) {
        Scalar inner(builder, where, dtype);
        Value x = Scalar(builder, where, a.tensor->dtype).convert(args[0], dtype);
        Value y = Scalar(builder, where, c.tensor->dtype).convert(args[1], dtype);
        linalg::YieldOp::create(builder, where, inner.add(args[2], inner.mul(x, y)));
      });
  return make(dtype, std::move(shape), op.getResult(0));
}
