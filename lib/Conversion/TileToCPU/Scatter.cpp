//===- Scatter.cpp - elements changed one after the other -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes whose addresses are known to differ are changed together: read,
// combined and written back. Others, those with an index of their own, may meet
// in one place and are changed one after the other.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::tile;

/// Whether the lanes of a part are known to have different addresses.
static bool differs(IndexAlgebra &algebra, const Poly &address, int64_t width) {
  if (width == 1)
    return true;
  if (!algebra.isPerLane(address))
    return false;
  Poly first = algebra.atLane(address, 0);
  if (algebra.isPerLane(first))
    return false;
  llvm::SmallDenseSet<int64_t> offsets;
  for (int64_t lane = 0; lane < width; ++lane) {
    Poly difference = algebra.atLane(address, lane) - first;
    if (!difference.isConstant() || !offsets.insert(difference.constant).second)
      return false;
  }
  return true;
}

LogicalResult KernelEmitter::changeTogether(ScatterOp op, Value update, Value base,
                                            const Poly &address, int64_t width,
                                            const PartMask &mask) {
  Type element = op.getView().getType().getElementType();
  Block &combine = op.getCombine().front();
  Value before = combine.getArgument(0).use_empty()
                     ? update // not used
                     : loadPart(base, element, address, width, mask, builder.getZeroAttr(element));
  FailureOr<SmallVector<Value>> after = emitBody(combine, {before, update});
  if (failed(after))
    return failure();
  storePart(after->front(), base, element, address, width, mask);
  return success();
}

LogicalResult KernelEmitter::changeInTurn(ScatterOp op, Value update, Value base,
                                          const Poly &address, int64_t width, Value mask) {
  Type element = op.getView().getType().getElementType(), memory = getMemoryElement(element);
  unsigned bytes = memory.getIntOrFloatBitWidth() / 8;
  Block &combine = op.getCombine().front();
  bool isPerLane = algebra.isPerLane(address);
  Value places = isPerLane ? lanePointers(base, memory, address, width)
                           : builder.emitPointer(loc, base, memory, address);
  for (int64_t lane = 0; lane < width; ++lane) {
    Value place = places;
    if (isPerLane)
      place = LLVM::ExtractElementOp::create(builder, loc, places,
                                             arith::ConstantIntOp::create(builder, loc, lane, 64));
    Value single = extractLane(builder, loc, update, lane);
    Value condition = mask ? extractLane(builder, loc, mask, lane) : Value();
    if (condition) {
      auto branch = scf::IfOp::create(builder, loc, condition);
      branch.thenBlock()->clear();
      builder.pushScope(branch.thenBlock());
    }
    Value before = single;
    if (!combine.getArgument(0).use_empty())
      before = fromMemoryFormat(LLVM::LoadOp::create(builder, loc, memory, place, bytes), element);
    FailureOr<SmallVector<Value>> after = emitBody(combine, {before, single});
    if (failed(after))
      return failure();
    LLVM::StoreOp::create(builder, loc, toMemoryFormat(after->front(), element), place, bytes);
    if (condition) {
      scf::YieldOp::create(builder, loc);
      builder.popScope();
    }
  }
  return success();
}

LogicalResult KernelEmitter::emitScatter(ScatterOp op) {
  const Tile tile = repartition(getTile(op.getValue()), lanes);
  std::optional<Tile> masks;
  if (op.getMask())
    masks = repartition(getTile(op.getMask()), lanes);
  SmallVector<Poly> setSymbols = polysOf(op.getSetOperands());
  for (int64_t row = 0; row < tile.getNumRows(); ++row) {
    SmallVector<int64_t> outer = rowCoords(tile, row);
    for (int64_t part = 0; part < tile.getPartsPerRow(); ++part) {
      int64_t width = tile.getWidth(part);
      PartMask where;
      if (op.getWhere())
        where = emitMask(*op.getWhere(), setSymbols, outer, part * tile.lanes, width);
      if (where.isEmpty)
        continue;
      Value mask = combineMask(where, width);
      if (masks) {
        Value given = masks->shape.empty() ? masks->parts[0] : masks->at(row, part);
        if (mask) {
          int64_t common = std::max(getNumLanes(mask), getNumLanes(given));
          mask = arith::AndIOp::create(builder, loc, splat(builder, loc, mask, common),
                                       splat(builder, loc, given, common));
        } else {
          mask = given;
        }
      }
      Value root;
      Poly address = addressOf(op.getView(), op.getMap(), op.getMapOperands(), op.getIndices(),
                               outer, row, part, tile, root);
      Value base = views.resolve(root).base, update = tile.at(row, part);
      if (!differs(algebra, address, width)) {
        if (failed(changeInTurn(op, update, base, address, width, mask)))
          return failure();
        continue;
      }
      PartMask together;
      bool isWhole = mask && !isa<VectorType>(mask.getType());
      if (mask && !isWhole)
        together.lanes = mask;
      if (isWhole) {
        auto branch = scf::IfOp::create(builder, loc, mask);
        branch.thenBlock()->clear();
        builder.pushScope(branch.thenBlock());
      }
      if (failed(changeTogether(op, update, base, address, width, together)))
        return failure();
      if (isWhole) {
        scf::YieldOp::create(builder, loc);
        builder.popScope();
      }
    }
  }
  return success();
}
