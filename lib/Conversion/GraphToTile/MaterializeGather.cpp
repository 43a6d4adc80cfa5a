//===- MaterializeGather.cpp - data-dependent reads -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Materializer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;

FailureOr<Materializer::CheckedIndex>
Materializer::materialiseIndex(Location loc, Value indices, const Coords &coords,
                               const Constraints &valid, AffineExpr extent, unsigned axis) {
  FailureOr<TileValue> index = materialise(indices, coords, valid);
  if (failed(index))
    return failure();

  // Next to the indices, so that they are checked once.
  unsigned level = 0;
  for (AffineExpr expr : coords)
    level = std::max(level, space.getLevel(expr));
  Constraints indexValid = valid;
  prune(coords, indexValid);
  for (AffineExpr expr : indexValid)
    level = std::max(level, space.getLevel(expr));
  LevelScope scope(*this, level);
  for (const IndexEntry &entry : frames.back().indices)
    if (entry.index == index->value && entry.axis == axis && entry.extent == extent)
      return entry.checked;
  Type element = getElementTypeOrSelf(index->value.getType());
  Type wide = builder.getI64Type();
  Value value = index->value;
  Type wideTile = getTileType(wide, index->dims);
  if (element.isIndex())
    value = arith::IndexCastOp::create(builder, loc, wideTile, value);
  else if (element != wide)
    value = arith::ExtSIOp::create(builder, loc, wideTile, value);
  auto splat = [&](Value scalar) { return broadcastTo(loc, {scalar, {}}, index->dims); };
  Value size = arith::IndexCastOp::create(builder, loc, wide, emitIndex(loc, extent));
  Value zero = arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(0));
  Value one = arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(1));
  Value last = arith::SubIOp::create(builder, loc, size, one);
  Value shifted = arith::AddIOp::create(builder, loc, value, splat(size));
  Value isNegative =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, value, splat(zero));
  Value position = arith::SelectOp::create(builder, loc, isNegative, shifted, value);
  Value isLow =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, position, splat(zero));
  Value isHigh =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle, position, splat(last));
  Value isInside = arith::AndIOp::create(builder, loc, isLow, isHigh);
  // An element outside `indexValid` holds no index. Indices that are all the same may still be
  // valid for some elements only.
  TileValue ok{isInside, index->dims};
  if (!indexValid.empty())
    ok = select(loc, indexValid, ok, builder.getBoolAttr(true));
  auto shown = [&](Value value) { return broadcastTo(loc, {value, index->dims}, ok.dims); };
  std::string message = "index %0 is out of range [-%1, %1) along axis " + std::to_string(axis);
  tile::AssertOp::create(builder, loc, ok.value, message,
                         ValueRange{shown(value), shown(splat(size))});
  CheckedIndex checked{{position, index->dims}, {isInside, index->dims}, zero, last, level};
  frames.back().indices.push_back({index->value, axis, extent, checked});
  return checked;
}

FailureOr<TileValue> Materializer::materialiseGather(graph::GatherOp op, const Coords &coords,
                                                     const Constraints &inside) {
  Location loc = op.getLoc();
  unsigned axis = op.getAxis();
  unsigned indexRank = cast<RankedTensorType>(op.getIndices().getType()).getRank();
  Coords indexCoords(ArrayRef(coords).slice(axis, indexRank));
  AffineExpr extent = getSize(op.getSource(), axis);
  // An empty source has no place to read, whatever the index: the check below fails then, but the
  // block goes on.
  Constraints valid(inside);
  if (AffineExpr last = space.simplify(extent - 1); !space.isNonNegative(last))
    valid.push_back(last);
  FailureOr<CheckedIndex> checked =
      materialiseIndex(loc, op.getIndices(), indexCoords, inside, extent, axis);
  if (failed(checked))
    return failure();
  TileValue clamped;
  {
    LevelScope scope(*this, checked->level);
    const auto &[position, dims] = checked->position;
    auto splat = [&, &dims = dims](Value scalar) { return broadcastTo(loc, {scalar, {}}, dims); };
    Value low = arith::MinSIOp::create(builder, loc, position, splat(checked->last));
    Value safe = arith::MaxSIOp::create(builder, loc, low, splat(checked->zero));
    clamped = {
        arith::IndexCastOp::create(builder, loc, getTileType(builder.getIndexType(), dims), safe),
        dims};
    if (clamped.dims.empty()) {
      AffineExpr symbol = space.addSymbol(clamped.value, checked->level, {0, 1, extent - 1});
      Coords from(ArrayRef(coords).take_front(axis));
      from.push_back(symbol);
      llvm::append_range(from, ArrayRef(coords).drop_front(axis + indexRank));
      // Emitted at the caller's level, below.
      indexCoords = from;
    }
  }
  if (clamped.dims.empty())
    return materialise(op.getSource(), indexCoords, valid);

  // Indices that differ inside the tile: a gather load, from an argument only.
  auto argument = dyn_cast<BlockArgument>(op.getSource());
  if (!argument)
    return op.emitOpError("cannot become part of a tile program: indices vary inside a tile, but "
                          "the source is not a kernel argument");
  setInsertionPoint();
  TileValue tile;
  tile.dims = clamped.dims;
  for (AffineExpr expr : coords)
    space.collectTileDims(expr, tile.dims);
  for (AffineExpr expr : valid)
    space.collectTileDims(expr, tile.dims);
  // The index value is one more dimension behind the tile's.
  Coords from(ArrayRef(coords).take_front(axis));
  llvm::append_range(from, ArrayRef(coords).drop_front(axis + indexRank));
  SmallVector<Value> mapOperands, setOperands;
  AffineMap map = space.makeMap(from, tile.dims, mapOperands, /*numExtraDims=*/1);
  SmallVector<AffineExpr> places(map.getResults());
  places.insert(places.begin() + axis, getAffineDimExpr(tile.dims.size(), op.getContext()));
  map = AffineMap::get(map.getNumDims(), map.getNumSymbols(), places, op.getContext());
  IntegerSetAttr where;
  TypedAttr fill;
  Type element = getElementTypeOrSelf(op.getType());
  if (!valid.empty()) {
    where = IntegerSetAttr::get(space.makeSet(valid, tile.dims, setOperands));
    fill = builder.getZeroAttr(element);
  }
  Value indices = broadcastTo(loc, clamped, tile.dims);
  tile.value =
      tile::LoadOp::create(builder, loc, getTileType(element, tile.dims),
                           target.getBody().getArgument(argument.getArgNumber()), mapOperands,
                           setOperands, ValueRange{indices}, AffineMapAttr::get(map), where, fill);
  return tile;
}
