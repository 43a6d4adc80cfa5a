//===- MaterializeShape.cpp - sizes, and ops that only move elements -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Materializer.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sectile;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

AffineExpr Materializer::getIndex(Value index) {
  APInt constant;
  if (matchPattern(index, m_ConstantInt(&constant)))
    return space.constant(constant.getSExtValue());
  if (auto argument = dyn_cast<BlockArgument>(index))
    return space.addSymbol(target.getBody().getArgument(argument.getArgNumber()), 0, {0, 1, {}});
  Operation *op = index.getDefiningOp();
  if (auto dim = dyn_cast<tensor::DimOp>(op))
    if (std::optional<int64_t> position = dim.getConstantIndex())
      return getSize(dim.getSource(), *position);
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    AffineMap map = apply.getAffineMap();
    SmallVector<AffineExpr> operands;
    for (Value operand : apply.getMapOperands())
      operands.push_back(getIndex(operand));
    return map.getResult(0).replaceDimsAndSymbols(ArrayRef(operands).take_front(map.getNumDims()),
                                                  ArrayRef(operands).drop_front(map.getNumDims()));
  }
  if (isa<arith::AddIOp, arith::SubIOp, arith::MulIOp>(op)) {
    AffineExpr lhs = getIndex(op->getOperand(0)), rhs = getIndex(op->getOperand(1));
    if (isa<arith::AddIOp>(op))
      return lhs + rhs;
    return isa<arith::SubIOp>(op) ? lhs - rhs : lhs * rhs;
  }
  // Any other computation is repeated at the kernel's start and named by a symbol.
  LevelScope scope(*this, 0);
  Operation *clone = op->cloneWithoutRegions();
  for (OpOperand &operand : clone->getOpOperands())
    if (operand.get().getType().isIndex())
      operand.set(emitIndex(op->getLoc(), getIndex(operand.get())));
  setInsertionPoint();
  builder.insert(clone);
  return space.addSymbol(clone->getResult(cast<OpResult>(index).getResultNumber()), 0);
}

AffineExpr Materializer::getSize(Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dim))
    return space.constant(type.getDimSize(dim));
  if (auto argument = dyn_cast<BlockArgument>(tensor)) {
    // Extents of equal name are one index argument; see graph-outline.
    if (auto dims = source.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), graph::kDimsAttr)) {
      auto name = dyn_cast<StringAttr>(dims[dim]);
      for (unsigned i = 0; name && i < source.getNumArguments(); ++i)
        if (source.getArgAttrOfType<StringAttr>(i, graph::kNameAttr) == name &&
            source.getArgument(i).getType().isIndex())
          return getIndex(source.getArgument(i));
    }
    LevelScope scope(*this, 0);
    auto view = target.getBody().getArgument(argument.getArgNumber());
    for (auto op : target.getBody().getOps<tile::DimOp>())
      if (op.getView() == view && static_cast<int64_t>(op.getDim()) == dim)
        return space.addSymbol(op, 0, {0, 1, {}});
    Value extent = tile::DimOp::create(builder, tensor.getLoc(), view, dim);
    return space.addSymbol(extent, 0, {0, 1, {}});
  }
  Operation *op = tensor.getDefiningOp();
  auto fold = [&](OpFoldResult size) {
    if (std::optional<int64_t> constant = getConstantIntValue(size))
      return space.constant(*constant);
    return getIndex(cast<Value>(size));
  };
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return fold(empty.getMixedSizes()[dim]);
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return getSize(linalgOp.getDpsInits()[cast<OpResult>(tensor).getResultNumber()], dim);
  if (auto scan = dyn_cast<graph::ScanOp>(op))
    return getSize(scan.getInputs()[0], dim);
  if (auto topK = dyn_cast<graph::TopKOp>(op))
    return getSize(topK.getInput(), dim); // known along the axis
  if (auto scatter = dyn_cast<graph::ScatterOp>(op))
    return getSize(scatter.getData(), dim);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return fold(expand.getMixedOutputShape()[dim]);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (auto [i, size] : llvm::enumerate(slice.getMixedSizes()))
      if (!dropped.test(i) && dim-- == 0)
        return fold(size);
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    AffineExpr size = space.constant(1);
    ReassociationIndices group = collapse.getReassociationIndices()[dim];
    for (int64_t inner : group)
      size = size * getSize(collapse.getSrc(), inner);
    return size;
  }
  if (auto pad = dyn_cast<tensor::PadOp>(op))
    return getSize(pad.getSource(), dim) + fold(pad.getMixedLowPad()[dim]) +
           fold(pad.getMixedHighPad()[dim]);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    if (static_cast<int64_t>(concat.getDim()) != dim)
      return getSize(concat.getInputs().front(), dim);
    AffineExpr size = space.constant(0);
    for (Value input : concat.getInputs())
      size = size + getSize(input, dim);
    return size;
  }
  if (auto cast_ = dyn_cast<tensor::CastOp>(op))
    return getSize(cast_.getSource(), dim);
  if (auto reify = dyn_cast<ReifyRankedShapedTypeOpInterface>(op)) {
    // Emitted next to the op in the graph kernel, read back as an expression.
    OpBuilder graphBuilder(op);
    ReifiedRankedShapedTypeDims shapes;
    if (succeeded(reify.reifyResultShapes(graphBuilder, shapes)))
      return fold(shapes[cast<OpResult>(tensor).getResultNumber()][dim]);
  }
  llvm_unreachable("every tensor op of a kernel has a rule for its sizes");
}

//===----------------------------------------------------------------------===//
// Reshapes, slices, run-time broadcasts
//===----------------------------------------------------------------------===//

Coords Materializer::getSourceCoords(Operation *op, const Coords &coords) {
  Coords from;
  Value input = op->getOperand(0);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    // Row-major delinearisation; the first extent of a group is never needed.
    for (auto [dim, group] : llvm::enumerate(collapse.getReassociationIndices())) {
      AffineExpr rest = coords[dim];
      Coords reversed;
      for (int64_t inner : llvm::reverse(ArrayRef(group).drop_front())) {
        AffineExpr size = getSize(input, inner);
        reversed.push_back(rest % size);
        rest = rest.floorDiv(size);
      }
      from.push_back(rest);
      llvm::append_range(from, llvm::reverse(reversed));
    }
    // A scalar's reshape has no groups: its source has unit dimensions only.
    from.resize(collapse.getSrcType().getRank(), space.constant(0));
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    for (ReassociationIndices &group : expand.getReassociationIndices()) {
      AffineExpr linear = space.constant(0);
      for (int64_t outer : group)
        linear = linear * getSize(expand.getResult(), outer) + coords[outer];
      from.push_back(linear);
    }
  } else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    auto index = [&](OpFoldResult value) {
      if (std::optional<int64_t> constant = getConstantIntValue(value))
        return space.constant(*constant);
      return getIndex(cast<Value>(value));
    };
    unsigned next = 0;
    for (unsigned dim = 0; dim < slice.getSourceType().getRank(); ++dim) {
      AffineExpr coord = dropped.test(dim) ? space.constant(0) : coords[next++];
      from.push_back(index(slice.getMixedOffsets()[dim]) +
                     coord * index(slice.getMixedStrides()[dim]));
    }
  } else if (auto broadcast = dyn_cast<graph::BroadcastOp>(op)) {
    auto type = cast<RankedTensorType>(input.getType());
    int64_t leading = cast<RankedTensorType>(broadcast.getType()).getRank() - type.getRank();
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      AffineExpr coord = coords[leading + dim];
      if (type.getDimSize(dim) == 1) {
        coord = space.constant(0);
      } else if (type.isDynamicDim(dim)) {
        // Stride 0 or 1, decided when the kernel starts: min(extent - 1, 1) for extents >= 1.
        LevelScope scope(*this, 0);
        Value extent = emitIndex(op->getLoc(), getSize(input, dim));
        Value one = emitIndex(op->getLoc(), space.constant(1));
        Value stretched =
            arith::CmpIOp::create(builder, op->getLoc(), arith::CmpIPredicate::ne, extent, one);
        Value stride =
            arith::IndexCastUIOp::create(builder, op->getLoc(), builder.getIndexType(), stretched);
        AffineExpr symbol = space.addSymbol(stride, 0, {0, 1, space.constant(1)});
        coord = coord * symbol;
      }
      from.push_back(coord);
    }
  } else {
    from = coords;
  }
  return from;
}

FailureOr<TileValue> Materializer::materialiseView(Operation *op, const Coords &coords,
                                                   const Constraints &valid) {
  return materialise(op->getOperand(0), getSourceCoords(op, coords), valid);
}

//===----------------------------------------------------------------------===//
// Pad and concatenation
//===----------------------------------------------------------------------===//

FailureOr<TileValue> Materializer::materialisePad(Operation *op, const Coords &coords,
                                                  const Constraints &valid) {
  auto pad = cast<tensor::PadOp>(op);
  Value padding = pad.getConstantPaddingValue();
  TypedAttr fill;
  if (!padding || !matchPattern(padding, m_Constant(&fill)))
    return op->emitOpError("cannot become part of a tile program: expects a constant pad value");
  Coords from;
  Constraints inside;
  for (auto [dim, coord] : llvm::enumerate(coords)) {
    OpFoldResult low = pad.getMixedLowPad()[dim];
    std::optional<int64_t> constant = getConstantIntValue(low);
    from.push_back(space.simplify(
        coord - (constant ? space.constant(*constant) : getIndex(cast<Value>(low)))));
    inside.push_back(from.back());
    inside.push_back(space.simplify(getSize(pad.getSource(), dim) - 1 - from.back()));
  }
  llvm::erase_if(inside, [&](AffineExpr expr) { return space.isNonNegative(expr); });
  Constraints both = valid;
  llvm::append_range(both, inside);
  FailureOr<TileValue> tile = materialise(pad.getSource(), from, both);
  if (failed(tile))
    return failure();
  // A masked load of an argument yields zero already; where that is the pad, there is nothing
  // to select. What the load does not vary along (a reshaped scalar) has no mask, though.
  Value origin = pad.getSource();
  while (origin.getDefiningOp() &&
         isa<tensor::ExtractSliceOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(
             origin.getDefiningOp())) {
    from = getSourceCoords(origin.getDefiningOp(), from);
    origin = origin.getDefiningOp()->getOperand(0);
  }
  Constraints masked = inside;
  prune(from, masked);
  if (isa<BlockArgument>(origin) && masked.size() == inside.size() &&
      fill == builder.getZeroAttr(fill.getType()))
    return tile;
  return select(op->getLoc(), inside, *tile, fill);
}

FailureOr<TileValue> Materializer::materialiseConcat(Operation *op, const Coords &coords,
                                                     const Constraints &valid) {
  auto concat = cast<tensor::ConcatOp>(op);
  unsigned dim = concat.getDim();
  AffineExpr offset = space.constant(0);
  std::optional<TileValue> result;
  for (Value input : concat.getInputs()) {
    AffineExpr size = getSize(input, dim);
    Coords from = coords;
    from[dim] = space.simplify(coords[dim] - offset);
    Constraints inside = {from[dim], space.simplify(size - 1 - from[dim])};
    offset = offset + size;
    // A piece that the tile cannot meet needs no code.
    if (space.isNonNegative(-1 - inside[0]) || space.isNonNegative(-1 - inside[1]))
      continue;
    llvm::erase_if(inside, [&](AffineExpr expr) { return space.isNonNegative(expr); });
    Constraints both = valid;
    llvm::append_range(both, inside);
    FailureOr<TileValue> tile = materialise(input, from, both);
    if (failed(tile))
      return failure();
    if (!result || inside.empty()) {
      result = *tile;
      continue;
    }
    TileValue merged;
    merged.dims = tile->dims;
    for (unsigned other : result->dims)
      if (!llvm::is_contained(merged.dims, other))
        merged.dims.push_back(other);
    for (AffineExpr expr : inside)
      space.collectTileDims(expr, merged.dims);
    space.sortDims(merged.dims);
    SmallVector<Value> operands;
    IntegerSet set = space.makeSet(inside, merged.dims, operands);
    setInsertionPoint();
    Value mask =
        tile::MaskOp::create(builder, op->getLoc(), getTileType(builder.getI1Type(), merged.dims),
                             operands, IntegerSetAttr::get(set));
    merged.value = arith::SelectOp::create(builder, op->getLoc(), mask,
                                           broadcastTo(op->getLoc(), *tile, merged.dims),
                                           broadcastTo(op->getLoc(), *result, merged.dims));
    result = merged;
  }
  if (!result)
    return TileValue{
        arith::ConstantOp::create(builder, op->getLoc(),
                                  builder.getZeroAttr(getElementTypeOrSelf(concat.getType()))),
        {}};
  return *result;
}
