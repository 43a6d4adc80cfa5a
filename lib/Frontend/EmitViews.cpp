//===- EmitViews.cpp - reshapes, slices, concatenation, padding -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Emitter.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using Groups = SmallVector<SmallVector<int64_t, 2>>;

//===----------------------------------------------------------------------===//
// Broadcast
//===----------------------------------------------------------------------===//

Tensor *Emitter::stretched(Tensor *tensor, ArrayRef<SymExpr> shape) {
  int64_t shift = static_cast<int64_t>(shape.size()) - tensor->rank();
  Shape stretchedShape;
  SmallVector<Value> dynamicSizes;
  bool isKnown = true;
  for (auto [dim, extent] : llvm::enumerate(tensor->shape)) {
    SymExpr own = syms.simplify(extent), wanted = syms.simplify(shape[shift + dim]);
    bool stands = own.isConstant(1) || own == wanted;
    isKnown &= stands;
    stretchedShape.push_back(stands ? own : wanted);
    if (!stretchedShape.back().constant())
      dynamicSizes.push_back(index(stretchedShape.back()));
  }
  if (isKnown)
    return tensor;
  Value result = graph::BroadcastOp::create(b, loc, type(tensor->dtype, stretchedShape),
                                            value(tensor), dynamicSizes);
  return make(tensor->dtype, std::move(stretchedShape), result);
}

Tensor *Emitter::expand(Tensor *tensor, Shape shape) {
  for (SymExpr &extent : shape)
    extent = syms.simplify(extent);
  bool isSame = tensor->shape.size() == shape.size() &&
                llvm::all_of(llvm::zip_equal(tensor->shape, shape),
                             [&](auto pair) { return same(std::get<0>(pair), std::get<1>(pair)); });
  if (isSame)
    return tensor;
  if (std::optional<double> number = constantScalar(tensor)) {
    Scalar s = scalars(tensor->dtype);
    Value element =
        isFloat(tensor->dtype) ? s.constant(*number) : s.integer(constantInteger(tensor, 0));
    return make(tensor->dtype, shape, filled(shape, tensor->dtype, element));
  }
  return pointwise({tensor}, shape, tensor->dtype,
                   [](const Scalar &, ValueRange args) { return args[0]; });
}

//===----------------------------------------------------------------------===//
// Reshape
//===----------------------------------------------------------------------===//

/// Pairs runs of source dimensions with runs of result dimensions that hold the same number of
/// elements, as short as possible. Where the sizes do not tell, the rest is one pair.
static std::pair<Groups, Groups> matchDimensions(ArrayRef<SymExpr> source,
                                                 ArrayRef<SymExpr> result) {
  Groups from, to;
  size_t i = 0, j = 0;
  while (i < source.size() && j < result.size()) {
    SmallVector<int64_t, 2> left{static_cast<int64_t>(i)}, right{static_cast<int64_t>(j)};
    SymExpr p = source[i++], q = result[j++];
    while (p != q && (i < source.size() || j < result.size())) {
      bool isLeftShort = p.isConstant(1) || (q.exactDiv(p) && !q.isConstant(0));
      bool isRightShort = q.isConstant(1) || (p.exactDiv(q) && !p.isConstant(0));
      std::optional<int64_t> pc = p.constant(), qc = q.constant();
      if (pc && qc) {
        isLeftShort = *pc < *qc;
        isRightShort = !isLeftShort;
      }
      bool neither = !isLeftShort && !isRightShort;
      if ((isLeftShort || neither || j == result.size()) && i < source.size()) {
        left.push_back(i);
        p = p * source[i++];
      }
      if (p != q && (isRightShort || neither || i == source.size()) && j < result.size()) {
        right.push_back(j);
        q = q * result[j++];
      }
    }
    from.push_back(left);
    to.push_back(right);
  }
  // What is left on one side are ones, or belongs to sizes that do not tell.
  for (; i < source.size() && !from.empty(); ++i)
    from.back().push_back(i);
  for (; j < result.size() && !to.empty(); ++j)
    to.back().push_back(j);
  return {from, to};
}

static SmallVector<ReassociationIndices> reassociation(ArrayRef<SmallVector<int64_t, 2>> groups) {
  return llvm::map_to_vector(groups, [](const SmallVector<int64_t, 2> &group) {
    return ReassociationIndices(group.begin(), group.end());
  });
}

Tensor *Emitter::collapse(Tensor *tensor, ArrayRef<SmallVector<int64_t, 2>> groups, Shape shape) {
  Value source = value(tensor);
  if (groups.empty()) {
    // Rank 0 is only reached from extents that are statically 1.
    SmallVector<int64_t> ones(tensor->rank(), 1);
    auto wanted = RankedTensorType::get(ones, mlirType(tensor->dtype, b.getContext()));
    if (source.getType() != wanted)
      source = tensor::CastOp::create(b, loc, wanted, source);
  }
  Value result = tensor::CollapseShapeOp::create(b, loc, source, reassociation(groups));
  return make(tensor->dtype, shape, refine(result, tensor->dtype, shape));
}

Tensor *Emitter::expandGroups(Tensor *tensor, ArrayRef<SmallVector<int64_t, 2>> groups,
                              Shape shape) {
  RankedTensorType wanted = type(tensor->dtype, shape);
  // A source extent is static exactly if all extents of its group are.
  SmallVector<int64_t> extents;
  for (const auto &group : groups) {
    SymExpr count = 1;
    for (int64_t dim : group)
      count = wanted.isDynamicDim(dim) ? SymExpr::invalid() : count * wanted.getDimSize(dim);
    extents.push_back(count.constant().value_or(ShapedType::kDynamic));
  }
  Value source = value(tensor);
  auto from = RankedTensorType::get(extents, wanted.getElementType());
  if (source.getType() != from)
    source = tensor::CastOp::create(b, loc, from, source);
  Value result =
      tensor::ExpandShapeOp::create(b, loc, wanted, source, reassociation(groups), sizes(shape));
  return make(tensor->dtype, std::move(shape), result);
}

Tensor *Emitter::reshape(Tensor *tensor, Shape shape) {
  Shape source;
  for (const SymExpr &extent : tensor->shape)
    source.push_back(syms.simplify(extent));
  for (SymExpr &extent : shape)
    extent = syms.simplify(extent);
  if (llvm::equal(source, shape))
    return tensor;
  if (tensor->constant) {
    // The bytes stay; only what the constant is called changes.
    Tensor *renamed = constant(tensor->dtype, shape, *tensor->constant, tensor->name);
    if (product(shape).constant())
      return renamed;
  }
  auto [from, to] = matchDimensions(source, shape);
  auto hasRun = [](const Groups &groups) {
    return llvm::any_of(groups, [](const auto &group) { return group.size() > 1; });
  };
  Shape middle;
  for (auto [left, right] : llvm::zip_equal(from, to)) {
    SymExpr count = 1;
    // The shorter run says it in fewer terms; equal counts are checked before.
    if (right.size() == 1)
      count = shape[right[0]];
    else
      for (int64_t dim : left)
        count = count * source[dim];
    middle.push_back(count);
  }
  Tensor *result = tensor;
  if (hasRun(from) || from.empty() != source.empty())
    result = collapse(result, from, middle);
  if (hasRun(to) || to.empty() != shape.empty())
    return expandGroups(result, to, shape);
  return make(tensor->dtype, shape, refine(value(result), tensor->dtype, shape));
}

Tensor *Emitter::squeeze(Tensor *tensor, ArrayRef<int64_t> axes) {
  Shape shape;
  for (auto [dim, extent] : llvm::enumerate(tensor->shape))
    if (!llvm::is_contained(axes, static_cast<int64_t>(dim)))
      shape.push_back(extent);
  return reshape(tensor, shape);
}

Tensor *Emitter::unsqueeze(Tensor *tensor, ArrayRef<int64_t> axes) {
  Shape shape;
  const SymExpr *next = tensor->shape.begin();
  for (int64_t dim = 0, rank = tensor->rank() + axes.size(); dim < rank; ++dim)
    shape.push_back(llvm::is_contained(axes, dim) ? SymExpr(1) : *next++);
  return reshape(tensor, shape);
}

//===----------------------------------------------------------------------===//
// Transpose, slice, concatenate, pad
//===----------------------------------------------------------------------===//

Tensor *Emitter::transpose(Tensor *tensor, ArrayRef<int64_t> permutation) {
  if (llvm::is_sorted(permutation))
    return tensor;
  Shape shape;
  for (int64_t dim : permutation)
    shape.push_back(tensor->shape[dim]);
  Value source = value(tensor), init = empty(shape, tensor->dtype);
  Value result = linalg::TransposeOp::create(b, loc, source, init, permutation)->getResult(0);
  return make(tensor->dtype, std::move(shape), result);
}

Tensor *Emitter::slice(Tensor *tensor, ArrayRef<SymExpr> offsets, ArrayRef<SymExpr> extents,
                       ArrayRef<int64_t> strides) {
  bool isWhole = true;
  for (size_t dim = 0; dim < extents.size(); ++dim)
    isWhole &= same(extents[dim], tensor->shape[dim]) && strides[dim] == 1;
  if (isWhole)
    return tensor;
  Shape shape(extents.begin(), extents.end());
  for (SymExpr &extent : shape)
    extent = syms.simplify(extent);
  // Nothing is left: a constant, which may be a result of the model.
  if (product(shape).isConstant(0))
    return constant(tensor->dtype, shape, Constant{}, "");
  // Nothing is there, and MLIR knows no place in it: nothing of a size that only the run knows.
  if (product(tensor->shape).isConstant(0))
    return make(tensor->dtype, shape,
                filled(shape, tensor->dtype, scalars(tensor->dtype).integer(0)));
  Value result = tensor::ExtractSliceOp::create(b, loc, type(tensor->dtype, shape), value(tensor),
                                                sizes(offsets), sizes(shape),
                                                getAsIndexOpFoldResult(b.getContext(), strides));
  return make(tensor->dtype, std::move(shape), result);
}

Tensor *Emitter::reverse(Tensor *tensor, int64_t axis) {
  SymExpr extent = syms.simplify(tensor->shape[axis]);
  if (product(tensor->shape).isConstant(0))
    return tensor;
  if (!extent.constant()) {
    Value last = index(extent - 1);
    Tensor *order = generate({extent}, DType::I64, [&](const Scalar &s, ValueRange at) {
      return s.fromIndex(arith::SubIOp::create(s.b, s.loc, last, at[0]));
    });
    Value result = graph::GatherOp::create(b, loc, type(tensor->dtype, tensor->shape),
                                           value(tensor), order->value, axis);
    return make(tensor->dtype, tensor->shape, result);
  }
  SmallVector<AffineExpr> exprs;
  for (int64_t d = 0; d < tensor->rank(); ++d)
    exprs.push_back(d == axis ? *extent.constant() - 1 - dim(d) : dim(d));
  AffineMap maps[] = {AffineMap::get(tensor->rank(), 0, exprs, b.getContext()),
                      b.getMultiDimIdentityMap(tensor->rank())};
  SmallVector<utils::IteratorType> iterators(tensor->rank(), utils::IteratorType::parallel);
  Value source = value(tensor), init = empty(tensor->shape, tensor->dtype);
  auto op = linalg::GenericOp::create(b, loc, init.getType(), source, init, maps, iterators,
                                      [](OpBuilder &builder, Location where, ValueRange args) {
                                        linalg::YieldOp::create(builder, where, args[0]);
                                      });
  return make(tensor->dtype, tensor->shape, op.getResult(0));
}

Tensor *Emitter::concat(ArrayRef<Tensor *> parts, int64_t axis) {
  if (parts.size() == 1)
    return parts[0];
  Shape shape = parts[0]->shape;
  for (Tensor *part : parts.drop_front())
    shape[axis] = shape[axis] + part->shape[axis];
  SmallVector<Value> values = llvm::map_to_vector(parts, [&](Tensor *part) { return value(part); });
  Value result = tensor::ConcatOp::create(b, loc, axis, values);
  return make(parts[0]->dtype, shape, refine(result, parts[0]->dtype, shape));
}

Tensor *Emitter::pad(Tensor *tensor, ArrayRef<SymExpr> low, ArrayRef<SymExpr> high, Value element) {
  auto isZero = [&](const SymExpr &expr) { return syms.simplify(expr).isConstant(0); };
  if (llvm::all_of(low, isZero) && llvm::all_of(high, isZero))
    return tensor;
  Shape shape;
  for (auto [extent, before, after] : llvm::zip_equal(tensor->shape, low, high))
    shape.push_back(syms.simplify(extent + before + after));
  Value result =
      tensor::PadOp::create(b, loc, Type(), value(tensor), sizes(low), sizes(high), element);
  return make(tensor->dtype, shape, refine(result, tensor->dtype, shape));
}
