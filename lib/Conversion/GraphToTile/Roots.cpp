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
              ValueRange results, const RegionAnalysis &analysis)
      : isShared(materializer.getFile().isShared()), materializer(materializer),
        space(materializer.getSpace()), source(source), schedule(schedule), results(results),
        analysis(analysis), roots(source.getBody().front().getTerminator()), rank(analysis.rank),
        order(getLoopOrder(schedule, rank)), coords(rank) {
    for (unsigned dim = 0; dim < rank; ++dim)
      if (materializer.getSize(analysis.mainRoot, dim) != space.constant(1))
        vectorDim = dim;
  }

  LogicalResult emit() {
    if (analysis.scanDim &&
        (order.back() != *analysis.scanDim || !isSwept(schedule, *analysis.scanDim)))
      return source.emitOpError("expects a schedule that sweeps d")
             << *analysis.scanDim
             << " in its innermost loop, since the kernel scans along it, but got " << schedule;
    emitGrid();
    for (auto [i, map] : llvm::enumerate(analysis.rootMaps))
      for (unsigned dim : ArrayRef(order).take_front(getStorePosition(i)))
        if (!map.isFunctionOfDim(dim) && ranges[dim].size != space.constant(1))
          return source.emitOpError("expects a schedule that sweeps d")
                 << dim << " in its innermost loops, since result " << i
                 << " does not have it, but got " << schedule;
    if (analysis.scatter)
      return emitScatter();
    return analysis.topK ? emitTopK() : emitLoops(0);
  }

private:
  /// Emits tile.block_id and fills `ranges`. Grid dimensions stand in loop order.
  void emitGrid() {
    Location loc = source.getLoc();
    ranges.resize(rank);
    SmallVector<unsigned> gridDims;
    SmallVector<Value> counts;
    for (unsigned dim : order) {
      AffineExpr size = materializer.getSize(analysis.mainRoot, dim);
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
    if (failed(emitStores(position)))
      return failure();
    if (position == order.size())
      return success();
    unsigned dim = order[position];
    if (dim == analysis.scanDim)
      return emitScanLoops(position);
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
    if (isMasked(dim)) {
      // One tile for all: what lies beyond the end is masked.
      AffineExpr tiles = space.simplify(range.remaining.ceilDiv(reg));
      if (getDimSizes(schedule, dim).block == reg && !sweeps)
        tiles = space.constant(1);
      size_t numValid = valid.size();
      LogicalResult result = run(tiles, {}, [&](AffineExpr counter) {
        coords[dim] =
            range.base + counter * reg + space.addTileDim(reg, materializer.getLevel(), dim);
        valid.push_back(range.size - 1 - coords[dim]);
      });
      valid.truncate(numValid);
      return result;
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

  /// Whether tiles along a dimension are all of one size, the last one in part beyond its end. Of
  /// vectors that lie side by side it costs wide accesses, which only products have few of.
  bool isMasked(unsigned dim) const {
    auto size = dyn_cast<AffineConstantExpr>(ranges[dim].size);
    bool divides = size && size.getValue() % ranges[dim].reg == 0;
    bool hasProduct = llvm::any_of(analysis.reductions,
                                   [](const ReductionInfo &info) { return info.isContraction; });
    return isShared && ranges[dim].reg != 1 && !divides && (dim != vectorDim || hasProduct);
  }

  /// Opens the loops along the dimension of scans, which carry their states. They run from the last
  /// element to the first if the scans do; the tile that is not whole comes last either way.
  LogicalResult emitScanLoops(unsigned position) {
    unsigned dim = order[position];
    AffineExpr size = ranges[dim].size;
    int64_t reg = ranges[dim].reg;
    Location loc = source.getLoc();
    coords[dim] = AffineExpr();
    for (graph::ScanOp scan : analysis.scans)
      if (failed(materializer.startScan(scan, coords, valid)))
        return failure();
    graph::ScanOp first = analysis.scans.front();
    bool isReverse = first.getReverse();
    if (size == space.constant(1)) {
      coords[dim] = space.constant(0);
      materializer.setScanPlace(coords);
      return emitLoops(position + 1);
    }
    // `count` tiles of `extent` elements that begin where `getBase` says.
    auto run = [&](AffineExpr count, int64_t extent, SymbolBounds bounds, auto getBase,
                   bool isMasked) -> LogicalResult {
      if (count == space.constant(0))
        return success();
      SmallVector<Value> states;
      AffineExpr counter = materializer.openLoop(loc, count, materializer.getScanStates(),
                                                 /*sweeps=*/true, &states, bounds);
      materializer.setScanStates(states);
      coords[dim] = getBase(counter) + space.addTileDim(extent, materializer.getLevel(), dim);
      materializer.setScanPlace(coords);
      size_t numValid = valid.size();
      if (isMasked)
        valid.push_back(isReverse ? coords[dim] : size - 1 - coords[dim]);
      LogicalResult result = emitLoops(position + 1);
      valid.truncate(numValid);
      if (failed(result))
        return failure();
      materializer.setScanStates(materializer.closeLoop(materializer.getScanStates()));
      return success();
    };
    AffineExpr full = space.simplify(size.floorDiv(reg));
    if (failed(run(
            full, reg, {0, reg, size - reg},
            [&](AffineExpr counter) {
              return isReverse ? size - (counter + 1) * reg : counter * reg;
            },
            /*isMasked=*/false)))
      return failure();
    if (auto constant = dyn_cast<AffineConstantExpr>(size)) {
      int64_t rest = constant.getValue() % reg;
      if (rest == 0)
        return success();
      // A tile of one element has no dimension that ties it to its loop, so its counter does.
      return run(
          space.constant(1), rest, {0, 1, space.constant(0)},
          [&](AffineExpr counter) {
            return counter + (isReverse ? 0 : constant.getValue() - rest);
          },
          /*isMasked=*/false);
    }
    if (reg == 1)
      return success();
    return run(
        size.ceilDiv(reg) - full, reg, {0, 1, space.constant(0)},
        [&](AffineExpr) { return isReverse ? size - (full + 1) * reg : full * reg; },
        /*isMasked=*/true);
  }

  /// The data, unless the result lies over it already, then all updates in order.
  LogicalResult emitScatter() {
    graph::ScatterOp op = analysis.scatter;
    auto argument = dyn_cast<BlockArgument>(op.getData());
    auto overwrites = source.getResultAttrOfType<IntegerAttr>(0, graph::kOverwritesAttr);
    if (!(argument && overwrites && overwrites.getInt() == argument.getArgNumber()) &&
        failed(emitLoops(0)))
      return failure();
    // Dimensions that blocks share first: no two of their places meet. Then the others, in order,
    // and the last one as tiles.
    SmallVector<unsigned> updateDims;
    auto updateRank =
        static_cast<unsigned>(cast<RankedTensorType>(op.getUpdates().getType()).getRank());
    for (bool isShared : {true, false})
      for (unsigned dim = 0; dim + 1 < updateRank; ++dim)
        if (op.getDataDim(dim).has_value() == isShared)
          updateDims.push_back(dim);
    if (updateRank != 0)
      updateDims.push_back(updateRank - 1);
    innerCoords.resize(updateRank);
    return emitInnerLoops(
        updateDims, [&](unsigned dim) { return getUpdateRange(dim); },
        [&](unsigned dim) { return dim + 1 == updateRank ? getUpdatesPerTile(schedule) : 1; },
        [&] { return materializer.emitUpdates(op, innerCoords, valid, results.front()); });
  }

  /// Empty lists, then all elements; what stays is sorted.
  LogicalResult emitTopK() {
    if (failed(emitLoops(0)))
      return failure();
    graph::TopKOp op = analysis.topK;
    auto axis = static_cast<unsigned>(op.getAxis());
    SmallVector<unsigned> dims;
    for (unsigned dim = 0; dim < rank; ++dim)
      if (dim != axis)
        dims.push_back(dim);
    innerCoords.assign(rank, space.constant(0));
    auto getRange = [&](unsigned dim) {
      if (dim == axis)
        return std::pair(space.constant(0), materializer.getSize(op.getInput(), dim));
      return std::pair(ranges[dim].base, ranges[dim].remaining);
    };
    auto getTile = [&](unsigned dim) {
      if (dim + 1 != rank)
        return int64_t(1);
      return dim == axis ? getUpdatesPerTile(schedule) : getDimSizes(schedule, dim).reg;
    };
    SmallVector<unsigned> all(dims);
    all.push_back(axis);
    if (failed(emitInnerLoops(all, getRange, getTile, [&] {
          return materializer.emitInsertions(op, innerCoords, valid, results[0], results[1]);
        })))
      return failure();
    if (op.getK() == 1)
      return success();
    innerCoords.assign(rank, space.constant(0));
    return emitInnerLoops(
        dims, getRange, [](unsigned) { return int64_t(1); },
        [&] { return materializer.emitSort(op, innerCoords, results[0], results[1]); });
  }

  /// The block's part of dimension `dim` of the updates: where it begins, and its extent.
  std::pair<AffineExpr, AffineExpr> getUpdateRange(unsigned dim) {
    AffineExpr size = materializer.getSize(analysis.scatter.getUpdates(), dim);
    std::optional<unsigned> dataDim = analysis.scatter.getDataDim(dim);
    if (!dataDim)
      return {space.constant(0), size};
    const BlockRange &range = ranges[*dataDim];
    if (range.remaining == range.size)
      return {range.base, size}; // no more updates than data
    if (size == range.size)
      return {range.base, range.remaining};
    // Beyond the last update a block has nothing to do.
    OpBuilder &builder = materializer.getBuilder();
    Location loc = analysis.scatter.getLoc();
    SmallVector<Value> operands;
    AffineMap map = space.makeMap({range.remaining, size - range.base}, {}, operands);
    Value least = affine::AffineMinOp::create(builder, loc, map, operands);
    AffineExpr part = space.addSymbol(least, materializer.getLevel());
    operands.clear();
    map = space.makeMap({part, space.constant(0)}, {}, operands);
    Value count = affine::AffineMaxOp::create(builder, loc, map, operands);
    return {range.base, space.addSymbol(count, materializer.getLevel(), {0, 1, size - range.base})};
  }

  /// Loops over parts of `dims`, in that order, and in them what `emitBody` emits at innerCoords.
  /// `getRange` says where the part of a dimension begins and its extent, `getTile` how much of it
  /// a tile has.
  LogicalResult
  emitInnerLoops(ArrayRef<unsigned> dims,
                 llvm::function_ref<std::pair<AffineExpr, AffineExpr>(unsigned)> getRange,
                 llvm::function_ref<int64_t(unsigned)> getTile,
                 llvm::function_ref<LogicalResult()> emitBody) {
    if (dims.empty())
      return emitBody();
    unsigned dim = dims.front();
    materializer.setInsertionPoint();
    auto [base, size] = getRange(dim);
    if (size == space.constant(1)) {
      innerCoords[dim] = base;
      return emitInnerLoops(dims.drop_front(), getRange, getTile, emitBody);
    }
    // `count` tiles of `extent` elements from element `from` of the part on.
    auto run = [&, base = base, size = size](AffineExpr count, int64_t extent, AffineExpr from,
                                             bool isMasked) -> LogicalResult {
      if (count == space.constant(0))
        return success();
      SymbolBounds bounds{0, extent, size - from - extent};
      if (isMasked)
        bounds = {0, 1, space.constant(0)};
      AffineExpr counter =
          materializer.openLoop(source.getLoc(), count, {}, /*sweeps=*/true, nullptr, bounds);
      AffineExpr element = space.addTileDim(extent, materializer.getLevel(), dim);
      innerCoords[dim] = base + from + counter * extent + element;
      size_t numValid = valid.size();
      if (isMasked)
        valid.push_back(base + size - 1 - innerCoords[dim]);
      LogicalResult result = emitInnerLoops(dims.drop_front(), getRange, getTile, emitBody);
      valid.truncate(numValid);
      if (succeeded(result))
        materializer.closeLoop();
      return result;
    };
    int64_t extent = getTile(dim);
    AffineExpr full = space.simplify(size.floorDiv(extent));
    if (failed(run(full, extent, space.constant(0), /*isMasked=*/false)))
      return failure();
    if (extent == 1)
      return success();
    if (auto constant = dyn_cast<AffineConstantExpr>(size)) {
      int64_t rest = constant.getValue() % extent;
      return rest == 0 ? success()
                       : run(space.constant(1), rest, space.constant(constant.getValue() - rest),
                             /*isMasked=*/false);
    }
    return run(size.ceilDiv(extent) - full, extent, full * extent, /*isMasked=*/true);
  }

  /// Nothing yet: the index says so.
  LogicalResult emitEmptyLists() {
    OpBuilder &builder = materializer.getBuilder();
    Location loc = source.getLoc();
    for (auto [number, view] : llvm::enumerate(results)) {
      materializer.setInsertionPoint();
      Type element = cast<tile::ViewType>(view.getType()).getElementType();
      TypedAttr attr =
          number == 0 ? builder.getZeroAttr(element) : TypedAttr(builder.getI64IntegerAttr(-1));
      Value value = arith::ConstantOp::create(builder, loc, attr);
      materializer.emitStore(loc, {value, {}}, view, coords, valid);
    }
    return success();
  }

  /// The loop outside of which the result of number `root` is stored: the loops over dimensions
  /// that it does not have are innermost, and every block runs through all of them.
  unsigned getStorePosition(unsigned root) {
    AffineMap map = analysis.rootMaps[root];
    unsigned position = order.size();
    while (position > 0 && !map.isFunctionOfDim(order[position - 1]) &&
           (isSwept(schedule, order[position - 1]) ||
            ranges[order[position - 1]].size == space.constant(1)))
      --position;
    return position;
  }

  /// Stores the results whose place all loops outside of `position` tell.
  LogicalResult emitStores(unsigned position) {
    if (analysis.topK)
      return position == order.size() ? emitEmptyLists() : success();
    for (auto [i, root] : llvm::enumerate(roots->getOperands())) {
      if (getStorePosition(i) != position)
        continue;
      graph::ScatterOp scatter = analysis.scatter;
      Value value = scatter ? scatter.getData() : root;
      Coords place;
      for (AffineExpr expr : analysis.rootMaps[i].getResults()) {
        auto dim = dyn_cast<AffineDimExpr>(expr);
        place.push_back(dim ? coords[dim.getPosition()] : expr);
      }
      FailureOr<TileValue> tile = materializer.materialise(value, place, valid);
      if (failed(tile))
        return failure();
      materializer.setInsertionPoint();
      materializer.emitStore(value.getLoc(), *tile, results[i], place, valid);
    }
    return success();
  }

  bool isShared;
  Materializer &materializer;
  IndexSpace &space;
  graph::KernelOp source;
  tile::ScheduleAttr schedule;
  ValueRange results;
  RegionAnalysis analysis;
  Operation *roots;
  unsigned rank;
  SmallVector<unsigned> order;
  std::optional<unsigned> vectorDim;
  SmallVector<BlockRange> ranges;
  Coords coords;
  Constraints valid;
  /// Where the loops over a scatter's updates or a selection's elements are.
  Coords innerCoords;
};

} // namespace

LogicalResult sectile::emitRoots(Materializer &materializer, graph::KernelOp source,
                                 tile::KernelOp target, tile::ScheduleAttr schedule,
                                 ValueRange results, const RegionAnalysis &analysis) {
  return RootEmitter(materializer, source, schedule, results, analysis).emit();
}
