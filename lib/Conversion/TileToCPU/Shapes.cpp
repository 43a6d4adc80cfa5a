//===- Shapes.cpp - tiles of other shapes and of coordinates ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile::cpu;
using namespace sectile::tile;

LogicalResult KernelEmitter::emitBroadcast(BroadcastOp op) {
  const Tile source = repartition(getTile(op.getSource()), lanes);
  Tile tile = makeTile(op.getType());
  int64_t rank = tile.getRank();
  bool repeatsLast = llvm::is_contained(op.getDims(), rank - 1);
  for (int64_t row = 0; row < tile.getNumRows(); ++row) {
    SmallVector<int64_t> coords = rowCoords(tile, row);
    int64_t linear = 0;
    for (int64_t dim = 0; dim + 1 < rank; ++dim)
      if (!llvm::is_contained(op.getDims(), dim))
        linear = linear * tile.shape[dim] + coords[dim];
    // Kept last dimension: `linear` is a row of the source; else it is an element.
    if (!repeatsLast) {
      for (int64_t part = 0; part < tile.getPartsPerRow(); ++part)
        tile.parts.push_back(source.at(linear, part));
      continue;
    }
    Element element = getElement(source, linear);
    Value scalar = extractLane(builder, loc, element.value, element.lane);
    tile.parts.append(tile.getPartsPerRow(), scalar);
  }
  setTile(op.getResult(), std::move(tile));
  return success();
}

LogicalResult KernelEmitter::emitReshape(ReshapeOp op) {
  const Tile source = getTile(op.getSource());
  Tile tile = makeTile(op.getType());
  int64_t linear = 0;
  for (int64_t i = 0; i < tile.getNumParts(); ++i) {
    SmallVector<Element> elements;
    for (int64_t lane = 0; lane < tile.getWidth(i % tile.getPartsPerRow()); ++lane)
      elements.push_back(getElement(source, linear++));
    tile.parts.push_back(buildPart(builder, loc, elements));
  }
  setTile(op.getResult(), std::move(tile));
  return success();
}

LogicalResult KernelEmitter::emitCoord(CoordOp op) {
  Tile tile = makeTile(op.getType());
  SmallVector<Poly> symbols = polysOf(op.getMapOperands());
  Type element = getRegisterType(tile.element);
  for (int64_t row = 0; row < tile.getNumRows(); ++row) {
    SmallVector<Poly> dims;
    for (int64_t coord : rowCoords(tile, row))
      dims.push_back(Poly(coord));
    for (int64_t part = 0; part < tile.getPartsPerRow(); ++part) {
      int64_t width = tile.getWidth(part);
      if (!tile.shape.empty())
        dims.push_back(Poly(part * tile.lanes) + algebra.lane(width));
      Poly poly = algebra.evaluate(op.getMap().getResult(0), dims, symbols);
      if (!tile.shape.empty())
        dims.pop_back();
      tile.parts.push_back(
          builder.emitOnce(poly, "coord", width << 8 | element.getIntOrFloatBitWidth(), [&] {
            bool isPerLane = algebra.isPerLane(poly);
            Value value = isPerLane ? builder.emitLanes(loc, poly, width) : builder.emit(loc, poly);
            if (element.isInteger(64))
              return value;
            Type type = getPartType(element, getNumLanes(value));
            return arith::TruncIOp::create(builder, loc, type, value).getResult();
          }));
    }
  }
  setTile(op.getResult(), std::move(tile));
  return success();
}
