//===- MaterializeScatter.cpp - data-dependent writes -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Materializer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;

LogicalResult Materializer::emitUpdates(graph::ScatterOp op, const Coords &coords,
                                        const Constraints &valid, Value view) {
  Location loc = op.getLoc();
  unsigned rank = coords.size();
  SmallVector<CheckedIndex> indices;
  for (auto [k, tensor] : llvm::enumerate(op.getIndices())) {
    Coords read;
    for (AffineExpr expr : cast<AffineMapAttr>(op.getReads()[k]).getValue().getResults())
      read.push_back(expr.replaceDims(coords));
    unsigned axis = *op.getPlace().getResultPosition(getAffineDimExpr(rank + k, op.getContext()));
    FailureOr<CheckedIndex> checked =
        materialiseIndex(loc, tensor, read, valid, getSize(op.getData(), axis), axis);
    if (failed(checked))
      return failure();
    indices.push_back(*checked);
  }
  FailureOr<TileValue> update = materialise(op.getUpdates(), coords, valid);
  if (failed(update))
    return failure();
  setInsertionPoint();
  SmallVector<unsigned> dims;
  for (AffineExpr expr : coords)
    space.collectTileDims(expr, dims);

  // An update is made where all its indices are inside; where none varies along the tile, for all
  // of it or not at all.
  TileValue mask;
  for (const CheckedIndex &index : indices) {
    if (!mask.value) {
      mask = index.isInside;
      continue;
    }
    SmallVector<unsigned> both(mask.dims);
    for (unsigned dim : index.isInside.dims)
      if (!llvm::is_contained(both, dim))
        both.push_back(dim);
    space.sortDims(both);
    mask = {arith::AndIOp::create(builder, loc, broadcastTo(loc, mask, both),
                                  broadcastTo(loc, index.isInside, both)),
            both};
  }
  if (!mask.dims.empty())
    mask = {broadcastTo(loc, mask, dims), dims};

  // Indices that are scalars are symbols of the map; others are its last dimensions.
  SmallVector<AffineExpr> places, varying;
  SmallVector<Value> tiles;
  for (AffineExpr expr : op.getPlace().getResults()) {
    unsigned position = cast<AffineDimExpr>(expr).getPosition();
    if (position < rank) {
      places.push_back(space.simplify(coords[position]));
      continue;
    }
    const CheckedIndex &index = indices[position - rank];
    Value value = arith::IndexCastOp::create(
        builder, loc, getTileType(builder.getIndexType(), index.position.dims),
        index.position.value);
    if (index.position.dims.empty()) {
      places.push_back(space.addSymbol(value, getLevel()));
      continue;
    }
    places.push_back(AffineExpr());
    tiles.push_back(broadcastTo(loc, {value, index.position.dims}, dims));
  }
  SmallVector<AffineExpr> known;
  for (AffineExpr expr : places)
    if (expr)
      known.push_back(expr);
  SmallVector<Value> mapOperands, setOperands;
  AffineMap map = space.makeMap(known, dims, mapOperands, /*numExtraDims=*/tiles.size());
  unsigned nextKnown = 0, nextTile = dims.size();
  for (AffineExpr &expr : places)
    expr = expr ? map.getResult(nextKnown++) : getAffineDimExpr(nextTile++, op.getContext());
  map = AffineMap::get(map.getNumDims(), map.getNumSymbols(), places, op.getContext());
  Constraints kept(valid);
  llvm::erase_if(kept, [&](AffineExpr expr) { return space.isNonNegative(expr); });
  IntegerSetAttr where;
  if (!kept.empty())
    where = IntegerSetAttr::get(space.makeSet(kept, dims, setOperands));
  auto scatter =
      tile::ScatterOp::create(builder, loc, broadcastTo(loc, *update, dims), view, mapOperands,
                              setOperands, tiles, mask.value, AffineMapAttr::get(map), where);
  Type element = getElementTypeOrSelf(op.getData().getType());
  Block *body = builder.createBlock(&scatter.getCombine(), {}, {element, element}, {loc, loc});
  FailureOr<SmallVector<TileValue>> combined =
      applyBlock(op.getCombine().front(), {{body->getArgument(0), {}}, {body->getArgument(1), {}}});
  if (failed(combined))
    return failure();
  tile::YieldOp::create(builder, loc, combined->front().value);
  setInsertionPoint();
  return success();
}
