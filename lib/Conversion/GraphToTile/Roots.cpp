//===- Roots.cpp - the loops around a kernel's results -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Roots.h"

#include "Schedule.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;

namespace {

/// The part of a root dimension that a block computes.
struct BlockRange {
  AffineExpr size;      // of the dimension
  AffineExpr base;      // where the block starts
  AffineExpr remaining; // how much of it the block computes
  int64_t reg;          // extent of a register tile
};

class RootEmitter {
public:
  RootEmitter(Materializer &materializer, graph::KernelOp source, tile::ScheduleAttr schedule,
              ValueRange results)
      : materializer(materializer), space(materializer.getSpace()), source(source),
        schedule(schedule), results(results), roots(source.getBody().front().getTerminator()),
        rank(cast<RankedTensorType>(source.getResultTypes().front()).getRank()),
        order(getLoopOrder(schedule, rank)), coords(rank) {
    for (unsigned dim = 0; dim < rank; ++dim)
      if (materializer.getSize(roots->getOperand(0), dim) != space.constant(1))
        vectorDim = dim;
  }

  LogicalResult emit() {
    emitGrid();
    return emitLoops(0);
  }

private:
  /// Emits tile.block_id and fills `ranges`. Grid dimensions stand in loop order.
  void emitGrid() {
    Location loc = source.getLoc();
    ranges.resize(rank);
    SmallVector<unsigned> gridDims;
    SmallVector<Value> counts;
    for (unsigned dim : order) {
      AffineExpr size = materializer.getSize(roots->getOperand(0), dim);
      DimSizes sizes = getDimSizes(schedule, dim);
      ranges[dim] = {size, space.constant(0), size, sizes.reg};
      if (auto constant = dyn_cast<AffineConstantExpr>(size))
        if (constant.getValue() <= sizes.block)
          continue;
      if (isSwept(schedule, dim))
        continue;
      gridDims.push_back(dim);
      counts.push_back(materializer.emitIndex(loc, size.ceilDiv(sizes.block)));
    }
    if (gridDims.empty())
      return;
    OpBuilder &builder = materializer.getBuilder();
    SmallVector<Type> types(counts.size(), builder.getIndexType());
    auto ids = tile::BlockIdOp::create(builder, loc, types, counts);
    for (auto [dim, id] : llvm::zip_equal(gridDims, ids.getIds())) {
      BlockRange &range = ranges[dim];
      int64_t block = getDimSizes(schedule, dim).block;
      AffineExpr symbol = space.addSymbol(id, 0, {0, block, range.size - 1});
      range.base = symbol * block;
      auto constant = dyn_cast<AffineConstantExpr>(range.size);
      if (constant && constant.getValue() % block == 0) {
        range.remaining = space.constant(block);
        continue;
      }
      if (block == 1) {
        range.remaining = space.constant(1);
        continue;
      }
      SmallVector<Value> operands;
      AffineMap map = space.makeMap({space.constant(block), range.size - range.base}, {}, operands);
      Value remaining = affine::AffineMinOp::create(builder, loc, map, operands);
      range.remaining = space.addSymbol(remaining, 0, {1, 1, range.size - range.base});
    }
  }

  /// Opens the loops of `order[position]` and inner ones; the innermost stores tiles.
  LogicalResult emitLoops(unsigned position) {
    if (position == order.size())
      return emitStores();
    unsigned dim = order[position];
    const BlockRange &range = ranges[dim];
    Location loc = source.getLoc();
    bool sweeps = isSwept(schedule, dim);
    int64_t reg = range.reg;
    AffineExpr count = space.simplify(range.remaining.floorDiv(reg));
    AffineExpr tailBase = range.base + count * reg;
    auto run = [&](AffineExpr count, SymbolBounds bounds, auto setCoord) -> LogicalResult {
      if (count == space.constant(0))
        return success();
      AffineExpr counter = materializer.openLoop(loc, count, {}, sweeps, nullptr, bounds);
      setCoord(counter);
      if (failed(emitLoops(position + 1)))
        return failure();
      materializer.closeLoop();
      return success();
    };
    if (range.remaining == space.constant(1)) {
      coords[dim] = range.base;
      return emitLoops(position + 1);
    }
    // Full register tiles.
    if (failed(run(count, {0, reg, range.size - range.base - reg}, [&](AffineExpr counter) {
          coords[dim] =
              range.base + counter * reg + space.addTileDim(reg, materializer.getLevel(), dim);
        })))
      return failure();
    if (reg == 1)
      return success();
    if (auto size = dyn_cast<AffineConstantExpr>(range.size)) {
      // A rest of known size, always at the same place, in the last block.
      int64_t rest = size.getValue() % reg;
      if (rest == 0)
        return success();
      return run(space.simplify(range.remaining.ceilDiv(reg) - count), {}, [&](AffineExpr) {
        coords[dim] = space.constant(size.getValue() - rest) +
                      space.addTileDim(rest, materializer.getLevel(), dim);
      });
    }
    if (dim == vectorDim) {
      // One masked tile.
      size_t numValid = valid.size();
      LogicalResult result =
          run(range.remaining.ceilDiv(reg) - count, {0, 1, space.constant(0)}, [&](AffineExpr) {
            coords[dim] = tailBase + space.addTileDim(reg, materializer.getLevel(), dim);
            valid.push_back(range.size - 1 - coords[dim]);
          });
      valid.truncate(numValid);
      return result;
    }
    // A rest of unknown size: tiles of decreasing extents take what the one before left.
    AffineExpr rest = space.addSymbol(materializer.emitIndex(loc, range.remaining - count * reg),
                                      materializer.getLevel(), {0, 1, space.constant(reg - 1)});
    for (int64_t extent : getTailSizes(schedule, dim)) {
      AffineExpr start = range.base + range.remaining - rest;
      auto setCoord = [&](AffineExpr counter) {
        coords[dim] = start + counter * extent;
        if (extent != 1)
          coords[dim] = coords[dim] + space.addTileDim(extent, materializer.getLevel(), dim);
      };
      if (failed(run(rest.floorDiv(extent), {0, extent, rest - extent}, setCoord)))
        return failure();
      if (extent == 1)
        break;
      // No affine expression: nested remainders take canonicalisation time exponential in depth.
      Value before = materializer.emitIndex(loc, rest);
      Value size = materializer.emitIndex(loc, space.constant(extent));
      Value left = arith::RemUIOp::create(materializer.getBuilder(), loc, before, size);
      rest = space.addSymbol(left, materializer.getLevel(), {0, 1, space.constant(extent - 1)});
    }
    return success();
  }

  LogicalResult emitStores() {
    for (auto [value, view] : llvm::zip_equal(roots->getOperands(), results)) {
      FailureOr<TileValue> tile = materializer.materialise(value, coords, valid);
      if (failed(tile))
        return failure();
      materializer.setInsertionPoint();
      materializer.emitStore(value.getLoc(), *tile, view, coords, valid);
    }
    return success();
  }

  Materializer &materializer;
  IndexSpace &space;
  graph::KernelOp source;
  tile::ScheduleAttr schedule;
  ValueRange results;
  Operation *roots;
  unsigned rank;
  SmallVector<unsigned> order;
  std::optional<unsigned> vectorDim;
  SmallVector<BlockRange> ranges;
  Coords coords;
  Constraints valid;
};

} // namespace

LogicalResult sectile::emitRoots(Materializer &materializer, graph::KernelOp source,
                                 tile::KernelOp target, tile::ScheduleAttr schedule,
                                 ValueRange results) {
  return RootEmitter(materializer, source, schedule, results).emit();
}
