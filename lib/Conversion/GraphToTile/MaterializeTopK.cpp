//===- MaterializeTopK.cpp - selections -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Materializer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;

LogicalResult Materializer::emitInsertions(graph::TopKOp op, const Coords &coords,
                                           const Constraints &valid, Value values, Value indices) {
  Location loc = op.getLoc();
  auto axis = static_cast<unsigned>(op.getAxis());
  FailureOr<TileValue> candidates = materialise(op.getInput(), coords, valid);
  if (failed(candidates))
    return failure();
  setInsertionPoint();
  SmallVector<unsigned> dims;
  for (AffineExpr expr : coords)
    space.collectTileDims(expr, dims);

  // Elements come in the order of their positions, so that of equal ones the first goes before.
  SmallVector<Value> operands;
  Type i64 = builder.getI64Type();
  AffineMap along = space.makeMap({space.simplify(coords[axis])}, dims, operands);
  Value positions = tile::CoordOp::create(builder, loc, getTileType(i64, dims), operands,
                                          AffineMapAttr::get(along));
  Coords lists(coords);
  lists[axis] = space.constant(0);
  for (AffineExpr &expr : lists)
    expr = space.simplify(expr);
  SmallVector<Value> mapOperands, setOperands;
  AffineMap map = space.makeMap(lists, dims, mapOperands);
  Constraints kept(valid);
  llvm::erase_if(kept, [&](AffineExpr expr) { return space.isNonNegative(expr); });
  IntegerSetAttr where;
  if (!kept.empty())
    where = IntegerSetAttr::get(space.makeSet(kept, dims, setOperands));
  auto topK = tile::TopKOp::create(builder, loc, broadcastTo(loc, *candidates, dims), positions,
                                   values, indices, builder.getI64IntegerAttr(axis), mapOperands,
                                   setOperands, AffineMapAttr::get(map), where);
  Type element = getElementTypeOrSelf(op.getInput().getType());
  Block *body = builder.createBlock(&topK.getPrecedes(), {}, {element, i64, element, i64},
                                    SmallVector<Location>(4, loc));
  FailureOr<SmallVector<TileValue>> precedes = applyBlock(
      op.getPrecedes().front(), {{body->getArgument(0), {}}, {body->getArgument(2), {}}});
  if (failed(precedes))
    return failure();
  Value none = arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(0));
  Value isEmpty =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, body->getArgument(3), none);
  Value answer = arith::OrIOp::create(builder, loc, precedes->front().value, isEmpty);
  tile::YieldOp::create(builder, loc, answer);
  setInsertionPoint();
  return success();
}
