//===- Movement.cpp - transposes, slices, joins, padding --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

std::optional<Tensor *>
sectile::frontend::rearrangeElements(Node &n, Tensor *input, ArrayRef<SymExpr> shape,
                                     llvm::function_ref<int64_t(ArrayRef<int64_t>)> position) {
  std::optional<Shape> elements = n.emit.elements(input);
  std::optional<int64_t> count = Emitter::product(shape).constant();
  if (!elements || !count || *count > 256)
    return std::nullopt;
  SmallVector<int64_t> extents, at(shape.size(), 0);
  for (const SymExpr &extent : shape) {
    std::optional<int64_t> constant = extent.constant();
    if (!constant || *constant < 0)
      return std::nullopt;
    extents.push_back(*constant);
  }
  Shape results;
  for (int64_t linear = 0; linear < *count; ++linear) {
    results.push_back((*elements)[position(at)]);
    for (size_t dim = at.size(); dim-- > 0;) {
      if (++at[dim] != extents[dim])
        break;
      at[dim] = 0;
    }
  }
  return n.emit.known(input->dtype, Shape(shape.begin(), shape.end()), std::move(results));
}

int64_t sectile::frontend::linearize(ArrayRef<SymExpr> shape, ArrayRef<int64_t> at) {
  int64_t position = 0;
  for (auto [extent, coordinate] : llvm::zip_equal(shape, at))
    position = position * *extent.constant() + coordinate;
  return position;
}

LogicalResult sectile::frontend::importTranspose(Node &n) {
  Tensor *x = n.in(0);
  int64_t rank = x->rank();
  SmallVector<int64_t> permutation;
  if (std::optional<SmallVector<int64_t>> given = n.intsAttr("perm")) {
    permutation = *given;
    SmallVector<int64_t> sorted = permutation;
    llvm::sort(sorted);
    if (sorted != llvm::to_vector(llvm::seq<int64_t>(0, rank)))
      return n.fail("expects perm to be a permutation of 0 to " + Twine(rank - 1));
  } else {
    permutation = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  }
  Shape shape;
  for (int64_t dim : permutation)
    shape.push_back(x->shape[dim]);
  auto known = rearrangeElements(n, x, shape, [&](ArrayRef<int64_t> at) {
    SmallVector<int64_t> source(rank);
    for (auto [dim, from] : llvm::enumerate(permutation))
      source[from] = at[dim];
    return linearize(x->shape, source);
  });
  n.result(0, known ? *known : n.emit.transpose(x, permutation));
  return success();
}

LogicalResult sectile::frontend::importConcat(Node &n) {
  Tensor *first = n.in(0);
  if (failed(n.expectSameType(n.allInputs())) || failed(n.expectRank(first, 1)))
    return failure();
  FailureOr<int64_t> given = n.requiredIntAttr("axis");
  if (failed(given))
    return failure();
  FailureOr<int64_t> axis = n.axis(*given, first->rank());
  if (failed(axis))
    return failure();
  Shape joined;
  bool isKnown = first->rank() == 1;
  for (Tensor *part : n.allInputs()) {
    if (!part)
      return n.fail("expects every input to be given");
    if (failed(n.expectRank(part, first->rank(), first->rank())))
      return failure();
    for (int64_t dim = 0; dim < first->rank(); ++dim)
      if (dim != *axis &&
          failed(n.expectEqual(first->shape[dim], part->shape[dim], "extents beside the axis")))
        return failure();
    std::optional<Shape> elements = isKnown ? n.emit.elements(part) : std::nullopt;
    isKnown &= elements.has_value() && joined.size() + elements->size() <= 256;
    if (isKnown)
      joined.append(*elements);
  }
  if (isKnown) {
    int64_t count = joined.size();
    n.result(0, n.emit.known(first->dtype, {count}, std::move(joined)));
    return success();
  }
  n.result(0, n.emit.concat(n.allInputs(), *axis));
  return success();
}

//===----------------------------------------------------------------------===//
// Others
//===----------------------------------------------------------------------===//

LogicalResult sectile::frontend::importTile(Node &n) {
  Tensor *x = n.in(0);
  FailureOr<Shape> repeats = n.elements(1, "repeats");
  if (failed(repeats))
    return failure();
  if (static_cast<int64_t>(repeats->size()) != x->rank() || 2 * x->rank() > kMaxRank)
    return n.fail("expects " + Twine(x->rank()) + " repeats, but got " + Twine(repeats->size()));
  // [d] as [1, d], stretched to [r, d], joined to [r*d].
  Shape split, stretched, joined;
  for (int64_t dim = 0; dim < x->rank(); ++dim) {
    const SymExpr &count = (*repeats)[dim], &extent = x->shape[dim];
    if (failed(n.require(SymExpr(1) - n.syms.less(count, 0),
                         "expects repeats of at least 0, but got %0", {count})))
      return failure();
    joined.push_back(count * extent);
    if (!count.isConstant(1)) {
      split.push_back(1);
      stretched.push_back(count);
    }
    split.push_back(extent);
    stretched.push_back(extent);
  }
  Tensor *spread = n.emit.expand(n.emit.reshape(x, split), stretched);
  n.result(0, n.emit.reshape(spread, joined));
  return success();
}

LogicalResult sectile::frontend::importTrilu(Node &n) {
  Tensor *x = n.in(0);
  bool upper = n.intAttr("upper", 1) != 0;
  if (failed(n.expectRank(x, 2)))
    return failure();
  SymExpr k = 0;
  if (n.has(1)) {
    FailureOr<Shape> given = n.elements(1, "k");
    if (failed(given))
      return failure();
    if (given->size() != 1)
      return n.fail("expects k to be one number");
    k = (*given)[0];
  }
  Value diagonal = n.emit.index(k);
  int64_t rank = x->rank();
  n.result(0, n.emit.pointwise({x}, [&](const Scalar &s, ValueRange args) {
    Value row = linalg::IndexOp::create(s.b, s.loc, rank - 2);
    Value column = linalg::IndexOp::create(s.b, s.loc, rank - 1);
    Value edge = arith::AddIOp::create(s.b, s.loc, row, diagonal);
    Value keeps = arith::CmpIOp::create(
        s.b, s.loc, upper ? arith::CmpIPredicate::sge : arith::CmpIPredicate::sle, column, edge);
    return s.select(keeps, args[0], s.integer(0));
  }));
  return success();
}

/// `extent` divided by a power of the block size, which must come out even.
static FailureOr<SymExpr> divided(Node &n, const SymExpr &extent, int64_t block, int power) {
  if (block < 1 || block > INT16_MAX)
    return n.fail("expects blocksize from 1 to " + Twine(INT16_MAX) + ", but got " + Twine(block));
  SymExpr divisor = power == 2 ? block * block : block;
  SymExpr quotient = n.syms.floorDiv(extent, divisor);
  if (failed(n.require(n.syms.equal(quotient * divisor, extent),
                       "expects an extent that divides by %1, but got %0", {extent, divisor})))
    return failure();
  return quotient;
}

LogicalResult sectile::frontend::importDepthToSpace(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  int64_t block = n.intAttr("blocksize", 0);
  std::string mode = n.stringAttr("mode", "DCR");
  if (failed(n.expectRank(x, 4, 4)))
    return failure();
  if (mode != "DCR" && mode != "CRD")
    return n.fail("expects mode DCR or CRD, but got '" + mode + "'");
  FailureOr<SymExpr> depth = divided(n, x->shape[1], block, 2);
  if (failed(depth))
    return failure();
  SymExpr batch = x->shape[0], height = x->shape[2], width = x->shape[3];
  bool depthFirst = mode == "CRD";
  Shape split = depthFirst ? Shape{batch, *depth, block, block, height, width}
                           : Shape{batch, block, block, *depth, height, width};
  SmallVector<int64_t> order =
      depthFirst ? SmallVector<int64_t>{0, 1, 4, 2, 5, 3} : SmallVector<int64_t>{0, 3, 4, 1, 5, 2};
  Tensor *moved = e.transpose(e.reshape(x, split), order);
  n.result(0, e.reshape(moved, {batch, *depth, height * SymExpr(block), width * SymExpr(block)}));
  return success();
}

LogicalResult sectile::frontend::importSpaceToDepth(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0);
  int64_t block = n.intAttr("blocksize", 0);
  // The attribute came with opset 28.
  std::string mode = n.opset() < 28 ? "DCR" : n.stringAttr("mode", "DCR");
  if (failed(n.expectRank(x, 4, 4)))
    return failure();
  if (mode != "DCR" && mode != "CRD")
    return n.fail("expects mode DCR or CRD, but got '" + mode + "'");
  FailureOr<SymExpr> height = divided(n, x->shape[2], block, 1);
  FailureOr<SymExpr> width = divided(n, x->shape[3], block, 1);
  if (failed(height) || failed(width))
    return failure();
  SymExpr batch = x->shape[0], depth = x->shape[1];
  Tensor *split = e.reshape(x, {batch, depth, *height, block, *width, block});
  SmallVector<int64_t> order = mode == "CRD" ? SmallVector<int64_t>{0, 1, 3, 5, 2, 4}
                                             : SmallVector<int64_t>{0, 3, 5, 1, 2, 4};
  Tensor *moved = e.transpose(split, order);
  n.result(0, e.reshape(moved, {batch, depth * SymExpr(block * block), *height, *width}));
  return success();
}
