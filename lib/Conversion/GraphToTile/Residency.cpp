//===- Residency.cpp - values kept in memory private to a block -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Materializer.h"

using namespace mlir;
using namespace sectile;

/// Memory for `value` at `coords`: one axis for each tile dimension that its unswept coordinates
/// vary along, and one for each swept dimension, the dimension chosen to be contiguous last.
void Materializer::makeStrip(Value value, Strip &strip) {
  const Coords &outer = strip.outer;
  Residency residency = resident.lookup(value);
  unsigned lastDim = residency.lastDim;
  SmallVector<unsigned> tileDims, lastTileDims;
  if (lastDim < outer.size() && outer[lastDim])
    space.collectTileDims(outer[lastDim], lastTileDims);
  for (AffineExpr expr : outer)
    if (expr)
      space.collectTileDims(expr, tileDims);
  for (unsigned dim : tileDims)
    if (!llvm::is_contained(lastTileDims, dim))
      strip.axes.push_back({true, dim});
  for (unsigned dim = 0; dim < outer.size(); ++dim)
    if (!outer[dim] && dim != lastDim)
      strip.axes.push_back({false, dim});
  for (unsigned dim : lastTileDims)
    strip.axes.push_back({true, dim});
  if (lastDim < outer.size() && !outer[lastDim])
    strip.axes.push_back({false, lastDim});

  SmallVector<int64_t> shape;
  SmallVector<Value> sizes;
  // Memory is the kernel's, not a loop's: one allocation serves all iterations.
  LevelScope kernelScope(*this, 0);
  for (const Strip::Axis &axis : strip.axes) {
    if (axis.isTileDim) {
      shape.push_back(space.getExtent(axis.dim));
      continue;
    }
    AffineExpr size = getSize(value, axis.dim);
    if (strip.window && strip.window->dim == axis.dim)
      size = space.constant(strip.window->capacity);
    auto constant = dyn_cast<AffineConstantExpr>(size);
    shape.push_back(constant ? constant.getValue() : ShapedType::kDynamic);
    if (!constant)
      sizes.push_back(emitIndex(value.getLoc(), size));
  }
  Type element = getElementTypeOrSelf(value.getType());
  tile::MemoryAttr memory;
  int64_t panel = file.getMostVectors() * file.lanes;
  if (residency.inPanels && !file.isShared() && shape.size() > 1 &&
      (ShapedType::isDynamic(shape.back()) || shape.back() > panel)) {
    MLIRContext *context = builder.getContext();
    SmallVector<AffineExpr> physical;
    AffineExpr columns = getAffineDimExpr(shape.size() - 1, context);
    physical.push_back(columns.floorDiv(panel));
    for (unsigned dim = 0; dim + 1 < shape.size(); ++dim)
      physical.push_back(getAffineDimExpr(dim, context));
    physical.push_back(columns % panel);
    memory = tile::MemoryAttr::get(context, AffineMap::get(shape.size(), 0, physical, context), {});
  }
  setInsertionPoint();
  strip.view = tile::AllocOp::create(builder, value.getLoc(),
                                     tile::ViewType::get(shape, element, memory), sizes);
}

/// Where in the strip the element at `coords` of its value lies.
Coords Materializer::getPlace(const Strip &strip, const Coords &coords) {
  Coords place;
  for (const Strip::Axis &axis : strip.axes) {
    if (axis.isTileDim)
      place.push_back(getAffineDimExpr(axis.dim, builder.getContext()));
    else if (strip.window && strip.window->dim == axis.dim)
      place.push_back(space.simplify(coords[axis.dim] - strip.window->base));
    else
      place.push_back(coords[axis.dim]);
  }
  return place;
}

LogicalResult Materializer::fillStrip(Value value, const Strip &strip) {
  Location loc = value.getLoc();
  // Chunks along the dimension that is contiguous where the value comes from, and along the
  // strip's, if that is another. Plain loops along the rest.
  Residency residency = resident.lookup(value);
  bool transposes = residency.sourceDim != residency.lastDim;
  int64_t rows = 1;
  for (const Strip::Axis &axis : strip.axes)
    if (axis.isTileDim)
      rows *= space.getExtent(axis.dim);
  SmallVector<unsigned> swept;
  for (unsigned dim = 0; dim < strip.outer.size(); ++dim)
    if (!strip.outer[dim])
      swept.push_back(dim);

  Coords coords = strip.outer;
  // What the strip does not sweep may reach beyond the value: its place in the strip then stays
  // empty, and whoever reads the strip masks it as it would mask the value.
  Constraints valid;
  for (auto [dim, coord] : llvm::enumerate(strip.outer)) {
    if (!coord)
      continue;
    for (AffineExpr bound : {coord, getSize(value, dim) - 1 - coord}) {
      bound = space.simplify(bound);
      if (!space.isNonNegative(bound))
        valid.push_back(bound);
    }
  }
  auto store = [&]() -> LogicalResult {
    FailureOr<TileValue> tile = materialiseDefinition(value, coords, valid);
    if (failed(tile))
      return failure();
    setInsertionPoint();
    Coords place = getPlace(strip, coords);
    if (transposes && tile->dims.size() == 2) {
      // The element order of memory, so that both sides move whole vectors.
      SmallVector<unsigned> order;
      for (AffineExpr expr : place)
        expr.walk([&](AffineExpr part) {
          if (auto dim = dyn_cast<AffineDimExpr>(part);
              dim && !llvm::is_contained(order, dim.getPosition()))
            order.push_back(dim.getPosition());
        });
      if (order.size() == 2 && order[0] == tile->dims[1] && order[1] == tile->dims[0] &&
          valid.empty()) {
        Type type = getTileType(getElementTypeOrSelf(value.getType()), order);
        Value transposed =
            tile::TransposeOp::create(builder, loc, type, tile->value, ArrayRef<int64_t>{1, 0});
        SmallVector<Value> operands;
        AffineMap map = space.makeMap(place, order, operands);
        tile::StoreOp::create(builder, loc, transposed, strip.view, operands, ValueRange(),
                              ValueRange(), AffineMapAttr::get(map), IntegerSetAttr());
        return success();
      }
    }
    emitStore(loc, *tile, strip.view, place, valid);
    return success();
  };

  auto nest = [&](auto &self, unsigned position) -> LogicalResult {
    if (position == swept.size())
      return store();
    unsigned dim = swept[position];
    AffineExpr size = getSize(value, dim), origin = space.constant(0);
    if (strip.window && strip.window->dim == dim) {
      size = strip.window->size;
      origin = strip.window->base;
    }
    auto constant = dyn_cast<AffineConstantExpr>(size);
    bool isChunked = dim == residency.sourceDim || dim == residency.lastDim;
    // A square of one vector per row is transposed in registers.
    int64_t chunk = !isChunked ? 1 : transposes ? file.lanes : file.getColumns(rows);
    if (residency.mostElements != 0)
      chunk = std::min(chunk, std::max<int64_t>(residency.mostElements / rows, 1));
    if (constant)
      chunk = std::max<int64_t>(1, std::min(chunk, constant.getValue()));
    // One loop over `count` tiles of `extent` elements from `base` on.
    auto run = [&](AffineExpr count, AffineExpr base, int64_t extent, bool isMasked) {
      SymbolBounds bounds;
      bounds.scale = isMasked ? 1 : extent;
      bounds.upper = isMasked ? space.constant(0) : size - base - extent;
      AffineExpr counter = openLoop(loc, count, {}, /*sweeps=*/true, nullptr, bounds);
      // Like the dimension it runs along, before or after others; what is contiguous is last.
      unsigned order = IndexSpace::kReducedPosition - 64 + dim;
      if (dim == residency.sourceDim)
        order = IndexSpace::kReducedPosition - 1;
      AffineExpr element = space.addTileDim(extent, getLevel(), order);
      coords[dim] = origin + base + counter * extent + element;
      if (isMasked)
        valid.push_back(origin + size - 1 - coords[dim]);
      LogicalResult result = self(self, position + 1);
      if (isMasked)
        valid.pop_back();
      if (succeeded(result))
        closeLoop();
      return result;
    };
    AffineExpr full = space.simplify(size.floorDiv(chunk));
    if (failed(run(full, space.constant(0), chunk, false)))
      return failure();
    if (constant && constant.getValue() % chunk != 0)
      return run(space.constant(1), space.constant(constant.getValue() / chunk * chunk),
                 constant.getValue() % chunk, false);
    if (!constant && chunk > 1)
      return run(size.ceilDiv(chunk) - full, full * chunk, chunk, true);
    return success();
  };
  return nest(nest, 0);
}

/// Where memory for `value` at `coords` belongs: outside of all loops that sweep over its
/// coordinates. Only what follows a joint pass step by step is kept in it, for one block.
Materializer::Strip Materializer::placeStrip(Value value, const Coords &coords,
                                             const Constraints &valid, unsigned &level) {
  auto place = [&](Strip &strip, unsigned firstSwept) {
    unsigned level = 0;
    for (AffineExpr expr : coords) {
      bool isSwept = space.getLevel(expr) >= firstSwept;
      strip.outer.push_back(isSwept ? AffineExpr() : expr);
      if (!isSwept)
        level = std::max(level, space.getLevel(expr));
    }
    return level;
  };
  auto isRunning = [](const Frame &frame) {
    return llvm::any_of(frame.passes, [](const Frame::Pass &pass) { return pass.isRunning; });
  };
  unsigned firstSwept = 0;
  while (firstSwept < frames.size() && !frames[firstSwept].sweeps && !isRunning(frames[firstSwept]))
    ++firstSwept;
  Strip strip;
  level = place(strip, firstSwept);

  unsigned passLevel = frames.size();
  while (passLevel > 0 && !isRunning(frames[passLevel - 1]))
    --passLevel;
  if (passLevel-- == 0)
    return strip;
  const Frame::Pass &pass = *llvm::find_if(frames[passLevel].passes,
                                           [](const Frame::Pass &pass) { return pass.isRunning; });
  bool follows = pass.pass->dependents.contains(value);
  if (!follows && level < pass.sharedLevel)
    return strip; // others than this pass's row read it too
  firstSwept = passLevel + 1;
  while (firstSwept < frames.size() && !frames[firstSwept].sweeps)
    ++firstSwept;
  Strip inPass;
  unsigned inPassLevel = std::max(place(inPass, firstSwept), follows ? passLevel : 0);
  for (auto [dim, expr] : llvm::enumerate(coords)) {
    if (inPass.outer[dim])
      continue;
    // The counter of the pass's loop is in it if the difference has it no more.
    AffineExpr offset = space.simplify(expr - pass.base);
    AffineExpr above = space.simplify(pass.size - 1 - offset);
    bool isInside = space.isNonNegative(offset) &&
                    (space.isNonNegative(above) || llvm::is_contained(valid, above));
    if (!isInside || inPass.window)
      continue;
    inPass.window = Window{static_cast<unsigned>(dim), pass.base, pass.size, pass.block};
    inPassLevel = passLevel;
  }
  if (!inPass.window && !follows)
    return strip;
  level = inPassLevel;
  return inPass;
}

FailureOr<TileValue> Materializer::materialiseResident(Value value, const Coords &coords,
                                                       const Constraints &valid) {
  unsigned level = 0;
  Strip wanted = placeStrip(value, coords, valid, level);
  if (llvm::all_of(wanted.outer, [](AffineExpr expr) { return bool(expr); }))
    return materialiseDefinition(value, coords, valid);

  auto isSame = [](const std::optional<Window> &a, const std::optional<Window> &b) {
    return a.has_value() == b.has_value() && (!a || (a->dim == b->dim && a->base == b->base));
  };
  std::optional<Strip> strip;
  for (Strip &candidate : frames[level].strips[value])
    if (candidate.outer == wanted.outer && isSame(candidate.window, wanted.window))
      strip = candidate;
  if (!strip) {
    LevelScope scope(*this, level);
    strip = wanted;
    makeStrip(value, *strip);
    setInsertionPoint();
    if (failed(fillStrip(value, *strip)))
      return failure();
    frames.back().strips[value].push_back(*strip);
  }
  setInsertionPoint();
  return emitLoad(value.getLoc(), strip->view, getPlace(*strip, coords), valid);
}
