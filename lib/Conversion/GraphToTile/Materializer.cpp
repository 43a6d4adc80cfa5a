//===- Materializer.cpp - scopes, transfers and residency -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Materializer.h"

#include "Analysis.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sectile;

Materializer::Materializer(graph::KernelOp source, tile::KernelOp target, RegisterFile file,
                           bool strict)
    : source(source), target(target), file(file), strict(strict), space(source.getContext()),
      builder(source.getContext()) {
  frames.emplace_back(&target.getBody().front());
}

//===----------------------------------------------------------------------===//
// Scopes
//===----------------------------------------------------------------------===//

void Materializer::setInsertionPoint() {
  Frame &frame = frames.back();
  if (frame.child)
    builder.setInsertionPoint(frame.child);
  else if (!frame.block->empty() && frame.block->back().hasTrait<OpTrait::IsTerminator>())
    builder.setInsertionPoint(&frame.block->back());
  else
    builder.setInsertionPointToEnd(frame.block);
}

Value Materializer::emitIndex(Location loc, AffineExpr expr) {
  setInsertionPoint();
  expr = space.simplify(expr);
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return arith::ConstantIndexOp::create(builder, loc, constant.getValue());
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return space.getValue(symbol.getPosition());
  SmallVector<Value> operands;
  AffineMap map = space.makeMap({expr}, {}, operands);
  return affine::AffineApplyOp::create(builder, loc, map, operands);
}

AffineExpr Materializer::openLoop(Location loc, AffineExpr count, ValueRange inits, bool sweeps,
                                  SmallVectorImpl<Value> *iterArgs, SymbolBounds bounds) {
  Value zero = emitIndex(loc, space.constant(0));
  Value one = emitIndex(loc, space.constant(1));
  auto loop = scf::ForOp::create(builder, loc, zero, emitIndex(loc, count), one, inits);
  Operation *outerChild = frames.back().child;
  frames.back().child = loop;
  Frame frame(loop.getBody());
  frame.sweeps = sweeps;
  frame.outerChild = outerChild;
  frames.push_back(std::move(frame));
  if (iterArgs)
    llvm::append_range(*iterArgs, loop.getRegionIterArgs());
  bounds.lower = 0;
  if (!bounds.upper)
    bounds.upper = count - 1;
  AffineExpr counter = space.addSymbol(loop.getInductionVar(), getLevel(), bounds);
  setInsertionPoint();
  return counter;
}

SmallVector<Value> Materializer::closeLoop(ValueRange values) {
  auto loop = cast<scf::ForOp>(frames.back().block->getParentOp());
  if (loop.getNumResults() != 0) {
    setInsertionPoint();
    scf::YieldOp::create(builder, loop.getLoc(), values);
  }
  Operation *outerChild = frames.back().outerChild;
  frames.pop_back();
  frames.back().child = outerChild;
  setInsertionPoint();
  return SmallVector<Value>(loop.getResults());
}

//===----------------------------------------------------------------------===//
// Tiles and transfers
//===----------------------------------------------------------------------===//

SmallVector<int64_t> Materializer::getExtents(ArrayRef<unsigned> dims) const {
  return llvm::map_to_vector(dims, [&](unsigned dim) { return space.getExtent(dim); });
}

Type Materializer::getTileType(Type element, ArrayRef<unsigned> dims) const {
  return dims.empty() ? element : RankedTensorType::get(getExtents(dims), element);
}

Value Materializer::broadcastTo(Location loc, const TileValue &tile, ArrayRef<unsigned> dims) {
  SmallVector<int64_t> added;
  for (auto [position, dim] : llvm::enumerate(dims))
    if (!llvm::is_contained(tile.dims, dim))
      added.push_back(position);
  if (added.empty())
    return tile.value;
  Type type = getTileType(getElementTypeOrSelf(tile.value.getType()), dims);
  return builder.createOrFold<tile::BroadcastOp>(loc, type, tile.value,
                                                 builder.getDenseI64ArrayAttr(added));
}

/// Whether a tile of these two dimensions runs along the first one in memory, and is large enough
/// both ways for a transposition to be cheaper than a gather.
bool Materializer::runsAlongFirst(Value view, const Coords &coords, ArrayRef<unsigned> dims) {
  if (dims.size() != 2 || coords.empty() || cast<tile::ViewType>(view.getType()).getMemory() ||
      space.getExtent(dims[0]) < kLeastSquare || space.getExtent(dims[1]) < kLeastSquare)
    return false;
  SmallVector<unsigned> last;
  space.collectTileDims(coords.back(), last);
  AffineExpr rest = space.simplify(coords.back() - getAffineDimExpr(dims[0], builder.getContext()));
  SmallVector<unsigned> others;
  space.collectTileDims(rest, others);
  return last.size() == 1 && last[0] == dims[0] && others.empty();
}

TileValue Materializer::emitLoad(Location loc, Value view, Coords coords, Constraints valid) {
  TileValue tile;
  for (AffineExpr expr : coords)
    space.collectTileDims(expr, tile.dims);
  for (AffineExpr expr : valid)
    space.collectTileDims(expr, tile.dims);
  Type element = cast<tile::ViewType>(view.getType()).getElementType();
  // Elements side by side in memory are read together, and turned in registers.
  SmallVector<unsigned> dims(tile.dims);
  bool turns = runsAlongFirst(view, coords, dims);
  if (turns)
    std::swap(dims[0], dims[1]);
  SmallVector<Value> mapOperands, setOperands;
  AffineMap map = space.makeMap(coords, dims, mapOperands);
  IntegerSetAttr where;
  TypedAttr fill;
  if (!valid.empty()) {
    where = IntegerSetAttr::get(space.makeSet(valid, dims, setOperands));
    fill = builder.getZeroAttr(element);
  }
  tile.value =
      tile::LoadOp::create(builder, loc, getTileType(element, dims), view, mapOperands, setOperands,
                           ValueRange(), AffineMapAttr::get(map), where, fill);
  if (turns)
    tile.value = tile::TransposeOp::create(builder, loc, getTileType(element, tile.dims),
                                           tile.value, ArrayRef<int64_t>{1, 0});
  return tile;
}

void Materializer::emitStore(Location loc, const TileValue &tile, Value view, Coords coords,
                             Constraints valid) {
  SmallVector<unsigned> dims(tile.dims);
  for (AffineExpr &expr : coords) {
    expr = space.simplify(expr);
    space.collectTileDims(expr, dims);
  }
  llvm::erase_if(valid, [&](AffineExpr expr) { return space.isNonNegative(expr); });
  for (AffineExpr expr : valid)
    space.collectTileDims(expr, dims);
  Value value = broadcastTo(loc, tile, dims);
  SmallVector<Value> mapOperands, setOperands;
  AffineMap map = space.makeMap(coords, dims, mapOperands);
  IntegerSetAttr where;
  if (!valid.empty())
    where = IntegerSetAttr::get(space.makeSet(valid, dims, setOperands));
  tile::StoreOp::create(builder, loc, value, view, mapOperands, setOperands, ValueRange(),
                        AffineMapAttr::get(map), where);
}

TileValue Materializer::select(Location loc, const Constraints &where, const TileValue &tile,
                               TypedAttr otherwise) {
  if (where.empty())
    return tile;
  TileValue result;
  result.dims = tile.dims;
  for (AffineExpr expr : where)
    space.collectTileDims(expr, result.dims);
  SmallVector<Value> operands;
  IntegerSet set = space.makeSet(where, result.dims, operands);
  Value mask = tile::MaskOp::create(builder, loc, getTileType(builder.getI1Type(), result.dims),
                                    operands, IntegerSetAttr::get(set));
  Value constant = arith::ConstantOp::create(builder, loc, otherwise);
  Value fill = broadcastTo(loc, {constant, {}}, result.dims);
  result.value =
      arith::SelectOp::create(builder, loc, mask, broadcastTo(loc, tile, result.dims), fill);
  return result;
}

//===----------------------------------------------------------------------===//
// Demand
//===----------------------------------------------------------------------===//

/// Drops constraints that always hold, and those on tile dimensions and symbols that the value
/// does not vary along: it is then computed for all of them. Coordinates that a constraint
/// over both kinds kept inside the value get the bounds they need instead.
void Materializer::prune(const Coords &coords, Constraints &valid) {
  SmallVector<unsigned> dims;
  for (AffineExpr expr : coords)
    space.collectTileDims(expr, dims);
  unsigned level = 0;
  for (AffineExpr expr : coords)
    level = std::max(level, space.getLevel(expr));
  Constraints kept;
  for (AffineExpr expr : valid) {
    expr = space.simplify(expr);
    if (space.isNonNegative(expr) || llvm::is_contained(kept, expr))
      continue;
    SmallVector<unsigned> used;
    space.collectTileDims(expr, used);
    bool isForeign = space.getLevel(expr) > level || !llvm::all_of(used, [&](unsigned dim) {
                       return llvm::is_contained(dims, dim);
                     });
    if (!isForeign)
      kept.push_back(expr);
  }
  valid = kept;
}

FailureOr<TileValue> Materializer::materialise(Value value, Coords coords, Constraints valid) {
  for (AffineExpr &expr : coords)
    expr = space.simplify(expr);
  Constraints before = valid;
  prune(coords, valid);
  if (valid.size() < before.size()) {
    // What was dropped may have been all that kept a coordinate inside.
    for (auto [dim, expr] : llvm::enumerate(coords)) {
      AffineExpr above = space.simplify(getSize(value, dim) - 1 - expr);
      for (AffineExpr bound : {expr, above}) {
        bool known = space.isNonNegative(bound) || llvm::is_contained(valid, bound);
        bool wasMixed = llvm::any_of(before, [&](AffineExpr constraint) {
          return !llvm::is_contained(valid, space.simplify(constraint)) &&
                 !space.isNonNegative(constraint);
        });
        if (!known && wasMixed)
          valid.push_back(bound);
      }
    }
  }
  unsigned level = 0;
  for (AffineExpr expr : coords)
    level = std::max(level, space.getLevel(expr));
  for (AffineExpr expr : valid)
    level = std::max(level, space.getLevel(expr));
  level = std::max(level, getPassLevel(value));
  LevelScope scope(*this, level);
  if (const TileValue *tile = findPassResult(value, coords))
    return *tile;
  for (MemoEntry &entry : frames.back().memo[value])
    if (entry.coords == coords && entry.valid == valid)
      return entry.tile;
  for (auto [pass, block] : jointPasses)
    if (Operation *op = value.getDefiningOp(); op == pass->leader || pass->getMember(op))
      return materialiseJointly(*pass, block, cast<OpResult>(value), coords);
  FailureOr<TileValue> tile = resident.contains(value)
                                  ? materialiseResident(value, coords, valid)
                                  : materialiseDefinition(value, coords, valid);
  if (failed(tile))
    return failure();
  frames.back().memo[value].push_back({coords, valid, *tile});
  return tile;
}

FailureOr<TileValue> Materializer::materialiseDefinition(Value value, const Coords &coords,
                                                         const Constraints &valid) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return materialiseArgument(value, coords, valid);
  if (isa<linalg::LinalgOp>(op))
    return materialiseLinalg(cast<OpResult>(value), coords, valid);
  if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::ExtractSliceOp,
          graph::BroadcastOp, tensor::CastOp>(op))
    return materialiseView(op, coords, valid);
  if (isa<tensor::PadOp>(op))
    return materialisePad(op, coords, valid);
  if (isa<tensor::ConcatOp>(op))
    return materialiseConcat(op, coords, valid);
  if (auto gather = dyn_cast<graph::GatherOp>(op))
    return materialiseGather(gather, coords, valid);
  if (auto scan = dyn_cast<graph::ScanOp>(op))
    return materialiseScan(scan, cast<OpResult>(value).getResultNumber(), coords, valid);
  Attribute constant;
  if (matchPattern(op, m_Constant(&constant)))
    if (auto splat = dyn_cast<SplatElementsAttr>(constant))
      return TileValue{arith::ConstantOp::create(builder, op->getLoc(),
                                                 cast<TypedAttr>(splat.getSplatValue<Attribute>())),
                       {}};
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    // Undefined by definition; zero is as good as any value.
    return TileValue{
        arith::ConstantOp::create(builder, op->getLoc(),
                                  builder.getZeroAttr(empty.getType().getElementType())),
        {}};
  if (isa<graph::ScatterOp, graph::TopKOp>(op))
    return op->emitOpError("cannot become part of a tile program: expects its result to be the "
                           "kernel's only one");
  return op->emitOpError("cannot become part of a tile program: there is no rule for this op");
}

FailureOr<TileValue> Materializer::materialiseArgument(Value value, const Coords &coords,
                                                       const Constraints &valid) {
  unsigned number = cast<BlockArgument>(value).getArgNumber();
  return emitLoad(value.getLoc(), target.getBody().getArgument(number), coords, valid);
}
