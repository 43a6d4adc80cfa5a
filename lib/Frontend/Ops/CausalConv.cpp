//===- CausalConv.cpp - convolution with a carried state --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each channel is convolved along its length with a kernel of its own, behind the
// last elements of what came before: a contraction that reads at sums of dimensions.
//
//===----------------------------------------------------------------------===//

#include "Operators.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using utils::IteratorType;

LogicalResult sectile::frontend::importCausalConv(Node &n) {
  Emitter &e = n.emit;
  Tensor *x = n.in(0), *w = n.in(1);
  Tensor *bias = n.has(2) ? n.in(2) : nullptr, *past = n.has(3) ? n.in(3) : nullptr;
  std::string activation = n.stringAttr("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    return n.fail("expects activation none, silu or swish, but got '" + activation + "'");
  if (failed(n.expectFloat(x)) || failed(n.expectSameType({x, w, bias, past})) ||
      failed(n.expectRank(x, 3, 3)) || failed(n.expectRank(w, 3, 3)) ||
      failed(n.expectEqual(w->shape[0], x->shape[1], "the kernel's and the input's channels")) ||
      failed(n.expectEqual(w->shape[1], 1, "the kernel's second extent and 1")) ||
      failed(n.require(n.syms.less(0, w->shape[2]),
                       "expects a kernel of at least 1 element, but got %0", {w->shape[2]})))
    return failure();
  SymExpr before = n.syms.simplify(w->shape[2] - 1);
  if (past) {
    if (failed(n.expectRank(past, 3, 3)))
      return failure();
    SymExpr wanted[] = {x->shape[0], x->shape[1], before};
    for (auto [own, extent] : llvm::zip_equal(past->shape, wanted))
      if (failed(n.expectEqual(own, extent, "extents of the state")))
        return failure();
  }
  Tensor *whole = x;
  if (past && !before.isConstant(0))
    whole = e.concat({past, x}, 2);
  else if (!past)
    whole = e.pad(x, {0, 0, before}, {0, 0, 0}, e.scalars(x->dtype).integer(0));
  AffineExpr b = e.dim(0), c = e.dim(1), i = e.dim(2), k = e.dim(3);
  Access reads{whole, {b, c, i + k}}, kernel{w, {c, e.b.getAffineConstantExpr(0), k}};
  IteratorType iterators[] = {IteratorType::parallel, IteratorType::parallel,
                              IteratorType::parallel, IteratorType::reduction};
  Tensor *y = e.contract(reads, kernel, x->shape, {b, c, i}, iterators);
  if (bias) {
    if (failed(n.expectRank(bias, 1, 1)) ||
        failed(n.expectEqual(bias->shape[0], x->shape[1], "the bias's extent and the channels")))
      return failure();
    y = e.pointwise({y, e.unsqueeze(e.cast(bias, y->dtype), {1})},
                    [](const Scalar &s, ValueRange args) { return s.add(args[0], args[1]); });
  }
  if (activation != "none")
    y = e.pointwise({y}, [](const Scalar &s, ValueRange args) {
      Value power = math::ExpOp::create(s.b, s.loc, s.neg(args[0]));
      return s.div(args[0], s.add(s.constant(1), power));
    });
  n.result(0, e.cast(y, x->dtype));
  if (n.wants(1))
    n.result(1, e.slice(whole, {0, 0, x->shape[2]}, {x->shape[0], x->shape[1], before}, {1, 1, 1}));
  return success();
}
