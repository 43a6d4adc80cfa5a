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

LogicalResult Materializer::emitOrder(graph::TopKOp op, Region &region) {
  Location loc = op.getLoc();
  Type element = getElementTypeOrSelf(op.getInput().getType()), i64 = builder.getI64Type();
  Block *body =
      builder.createBlock(&region, {}, {element, i64, element, i64}, SmallVector<Location>(4, loc));
  TileValue a{body->getArgument(0), {}}, b{body->getArgument(2), {}};
  Value position = body->getArgument(1), other = body->getArgument(3);
  FailureOr<SmallVector<TileValue>> before = applyBlock(op.getPrecedes().front(), {a, b});
  FailureOr<SmallVector<TileValue>> after = applyBlock(op.getPrecedes().front(), {b, a});
  if (failed(before) || failed(after))
    return failure();
  auto compare = [&](arith::CmpIPredicate how, Value x, Value y) -> Value {
    return arith::CmpIOp::create(builder, loc, how, x, y);
  };
  // Nothing goes before an empty place, which goes before nothing; of equal elements the one of
  // lower position goes before the other.
  Value none = arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(0));
  Value truth = arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
  Value isThere = compare(arith::CmpIPredicate::sge, position, none);
  Value isEmpty = compare(arith::CmpIPredicate::slt, other, none);
  Value isLower = compare(arith::CmpIPredicate::slt, position, other);
  Value isNotAfter = arith::XOrIOp::create(builder, loc, after->front().value, truth);
  Value isEqualAndLower = arith::AndIOp::create(builder, loc, isNotAfter, isLower);
  Value precedes = arith::OrIOp::create(builder, loc, before->front().value, isEqualAndLower);
  precedes = arith::OrIOp::create(builder, loc, precedes, isEmpty);
  precedes = arith::AndIOp::create(builder, loc, precedes, isThere);
  tile::YieldOp::create(builder, loc, precedes);
  return success();
}

LogicalResult Materializer::emitSort(graph::TopKOp op, const Coords &coords, Value values,
                                     Value indices) {
  Coords list(coords);
  list[op.getAxis()] = space.constant(0);
  for (AffineExpr &expr : list)
    expr = space.simplify(expr);
  setInsertionPoint();
  SmallVector<Value> operands;
  AffineMap map = space.makeMap(list, {}, operands);
  auto sort = tile::SortOp::create(builder, op.getLoc(), values, indices, op.getAxisAttr(),
                                   operands, AffineMapAttr::get(map));
  LogicalResult result = emitOrder(op, sort.getPrecedes());
  setInsertionPoint();
  return result;
}

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
  LogicalResult result = emitOrder(op, topK.getPrecedes());
  setInsertionPoint();
  return result;
}
