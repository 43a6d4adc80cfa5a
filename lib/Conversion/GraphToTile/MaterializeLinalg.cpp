//===- MaterializeLinalg.cpp - elementwise linalg ops and scalar bodies -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MaterializeLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sectile;

SmallVector<Value> Materializer::repeatAlike(Location loc, ArrayRef<TileValue> tiles,
                                             SmallVectorImpl<unsigned> &dims) {
  for (const TileValue &tile : tiles)
    for (unsigned dim : tile.dims)
      if (!llvm::is_contained(dims, dim))
        dims.push_back(dim);
  space.sortDims(dims);
  return llvm::map_to_vector(tiles,
                             [&](const TileValue &tile) { return broadcastTo(loc, tile, dims); });
}

void Materializer::allowContraction(Operation *op) const {
  // Conversions have no flags unless they are given some.
  auto fastMath = dyn_cast<arith::ArithFastMathInterface>(op);
  if (!fastMath || strict || !fastMath.getFastMathFlagsAttr())
    return;
  auto flags = fastMath.getFastMathFlagsAttr().getValue() | arith::FastMathFlags::contract;
  op->setAttr(fastMath.getFastMathAttrName(),
              arith::FastMathFlagsAttr::get(op->getContext(), flags));
}

/// The op that does on tiles what `op` does on elements: the same but for those of our own.
static std::optional<OperationName> getTileOp(Operation *op) {
  if (isa<graph::DequantizeOp>(op))
    return OperationName(tile::DequantizeOp::getOperationName(), op->getContext());
  if (isa<graph::QuantizeOp>(op))
    return OperationName(tile::QuantizeOp::getOperationName(), op->getContext());
  if (OpTrait::hasElementwiseMappableTraits(op) || isa<arith::ConstantOp>(op))
    return op->getName();
  return std::nullopt;
}

FailureOr<TileValue> Materializer::applyElementwise(Operation *op, ArrayRef<TileValue> operands) {
  std::optional<OperationName> name = getTileOp(op);
  if (op->getNumResults() != 1 || op->getNumRegions() != 0 || !name)
    return op->emitOpError("cannot become part of a tile program: expects an elementwise op in the "
                           "body of a linalg op");
  TileValue result;
  SmallVector<Value> values = repeatAlike(op->getLoc(), operands, result.dims);
  OperationState state(op->getLoc(), *name, values,
                       {getTileType(op->getResult(0).getType(), result.dims)}, op->getAttrs());
  Operation *made = builder.create(state);
  allowContraction(made);
  result.value = made->getResult(0);
  return result;
}

FailureOr<TileValue> Materializer::evaluate(Value scalar, BodyContext &body) {
  if (auto it = body.known.find(scalar); it != body.known.end())
    return it->second;
  auto remember = [&](FailureOr<TileValue> tile) {
    if (succeeded(tile))
      body.known[scalar] = *tile;
    return tile;
  };
  linalg::LinalgOp op = body.op;
  auto argument = dyn_cast<BlockArgument>(scalar);
  if (argument && argument.getOwner() == op.getBlock()) {
    OpOperand *operand = op.getMatchingOpOperand(argument);
    Coords coords;
    for (AffineExpr expr : op.getMatchingIndexingMap(operand).getResults())
      coords.push_back(expr.replaceDims(body.iterCoords));
    if (!isa<RankedTensorType>(operand->get().getType()))
      return remember(evaluate(operand->get(), body));
    FailureOr<TileValue> tile = materialise(operand->get(), coords, body.valid);
    setInsertionPoint();
    return remember(tile);
  }
  setInsertionPoint();
  Operation *def = scalar.getDefiningOp();
  bool isInside = def && def->getBlock() == op.getBlock();
  if (def && def->hasTrait<OpTrait::ConstantLike>())
    return remember(TileValue{builder.clone(*def)->getResult(0), {}});
  if (auto index = dyn_cast_if_present<linalg::IndexOp>(def)) {
    AffineExpr coord = space.simplify(body.iterCoords[index.getDim()]);
    TileValue tile;
    space.collectTileDims(coord, tile.dims);
    if (tile.dims.empty()) {
      tile.value = emitIndex(index.getLoc(), coord);
    } else {
      SmallVector<Value> operands;
      AffineMap map = space.makeMap({coord}, tile.dims, operands);
      tile.value = tile::CoordOp::create(builder, index.getLoc(),
                                         getTileType(builder.getIndexType(), tile.dims), operands,
                                         AffineMapAttr::get(map));
    }
    return remember(tile);
  }
  if (!isInside) {
    if (scalar.getType().isIndex())
      return remember(TileValue{emitIndex(op.getLoc(), getIndex(scalar)), {}});
    if (!def)
      return op->emitOpError("cannot become part of a tile program: its body uses a value of type ")
             << scalar.getType() << " from outside";
  }
  SmallVector<TileValue> operands;
  for (Value operand : def->getOperands()) {
    FailureOr<TileValue> tile = evaluate(operand, body);
    if (failed(tile))
      return failure();
    operands.push_back(*tile);
  }
  setInsertionPoint();
  return remember(applyElementwise(def, operands));
}

AffineExpr Materializer::getLoopSize(linalg::LinalgOp op, unsigned loop) {
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [position, expr] : llvm::enumerate(map.getResults()))
      if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && dim.getPosition() == loop)
        return getSize(operand.get(), position);
  }
  llvm_unreachable("linalg's verifier demands that every loop's size can be told");
}

FailureOr<TileValue> Materializer::materialiseElementwise(linalg::LinalgOp op, unsigned result,
                                                          Coords iterCoords,
                                                          const Constraints &valid) {
  BodyContext body(op, iterCoords, valid);
  // What a joint pass has for each of several coordinates of its leader comes first: it computes
  // the others, which do not tell those coordinates, on the way.
  for (auto [pass, block] : jointPasses)
    for (BlockArgument argument : op.getRegionInputArgs())
      if (!argument.use_empty() && pass->leadsFromWide(op.getMatchingOpOperand(argument)->get()) &&
          failed(evaluate(argument, body)))
        return failure();
  return evaluate(op.getBlock()->getTerminator()->getOperand(result), body);
}

FailureOr<TileValue> Materializer::materialiseLinalg(OpResult value, const Coords &coords,
                                                     const Constraints &valid) {
  auto op = cast<linalg::LinalgOp>(value.getOwner());
  unsigned result = value.getResultNumber();
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  Coords iterCoords(op.getNumLoops());
  for (auto [expr, coord] : llvm::zip_equal(map.getResults(), coords)) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || iterCoords[dim.getPosition()])
      return op->emitOpError("cannot become part of a tile program: expects a result indexed by "
                             "distinct loops, but got ")
             << AffineMapAttr::get(map);
    iterCoords[dim.getPosition()] = coord;
  }
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (kind == utils::IteratorType::parallel && !iterCoords[loop]) {
      if (auto size = dyn_cast<AffineConstantExpr>(getLoopSize(op, loop));
          size && size.getValue() == 1)
        iterCoords[loop] = space.constant(0);
      else
        return op->emitOpError("cannot become part of a tile program: parallel loop ")
               << loop << " does not index the result";
    }
  }
  if (op.getNumReductionLoops() == 0)
    return materialiseElementwise(op, result, iterCoords, valid);
  return materialiseReduction(op, result, iterCoords, valid);
}
