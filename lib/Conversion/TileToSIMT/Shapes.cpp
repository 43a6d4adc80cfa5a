//===- Shapes.cpp - tiles of other shapes, and of coordinates ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;

LogicalResult ThreadEmitter::emitBroadcast(BroadcastOp op) {
  if (!isa<RankedTensorType>(op.getSource().getType())) {
    setTile(op.getResult(), getScalar(op.getSource()));
    return success();
  }
  // What differs along the new dimensions only is a copy: each register of the result finds its
  // element in the same register.
  DistributedLayout layout = layoutOf(op.getResult());
  for (int64_t dim : llvm::reverse(op.getDims()))
    layout = layout.withoutDim(static_cast<unsigned>(dim));
  setTile(op.getResult(), convert(getTile(op.getSource()), layout).value);
  return success();
}

LogicalResult ThreadEmitter::emitTranspose(TransposeOp op) {
  const Registers &source = getTile(op.getSource());
  SmallVector<unsigned> permutation(op.getPerm());
  setConverted(op.getResult(),
               {source.layout.transposed(permutation), source.element, source.value});
  return success();
}

LogicalResult ThreadEmitter::emitReshape(ReshapeOp op) {
  auto source = dyn_cast<RankedTensorType>(op.getSource().getType());
  auto result = dyn_cast<RankedTensorType>(op.getType());
  if (!source) {
    if (result)
      setTile(op.getResult(), getScalar(op.getSource()));
    else
      setScalar(op.getResult(), getScalar(op.getSource()));
    return success();
  }
  const Registers &tile = getTile(op.getSource());
  if (!result) {
    // Of its single element every thread gets a copy.
    std::array<std::vector<layout::TileDigit>, layout::kNumAxes> digits;
    digits[static_cast<size_t>(Axis::Lane)] = {{target.threadsPerWarp, std::nullopt}};
    digits[static_cast<size_t>(Axis::Warp)] = {{warps, std::nullopt}};
    auto everywhere =
        DistributedLayout::create({source.getShape().begin(), source.getShape().end()}, digits);
    setScalar(op.getResult(), convert(tile, *everywhere).value);
    return success();
  }
  ArrayRef<int64_t> shape = result.getShape();
  if (auto layout = tile.layout.reshaped({shape.begin(), shape.end()})) {
    setConverted(op.getResult(), {*layout, tile.element, tile.value});
    return success();
  }
  // In row-major order memory knows no shape.
  int64_t bits = getSharedElement(tile.element).getIntOrFloatBitWidth();
  SharedTile shared =
      writeShared(tile, *layout::MemoryLayout::rowMajor(
                            {tile.layout.shape().begin(), tile.layout.shape().end()}, bits));
  shared.memory = *layout::MemoryLayout::rowMajor({shape.begin(), shape.end()}, bits);
  DistributedLayout wanted = layoutOf(op.getResult());
  auto all = llvm::to_vector(llvm::seq<int64_t>(0, wanted.extent(Axis::Register)));
  setTile(op.getResult(), readShared(shared, wanted, all));
  return success();
}

void ThreadEmitter::setFromCoordinates(Value result, function_ref<Value(ArrayRef<Poly>)> emitAt) {
  if (!isa<RankedTensorType>(result.getType())) {
    setScalar(result, emitAt({}));
    return;
  }
  DistributedLayout layout = layoutOf(result);
  SmallVector<Element> elements;
  for (int64_t reg = 0; reg < layout.extent(Axis::Register); ++reg)
    elements.push_back({emitAt(coordinatesOf(layout, reg)), 0});
  setTile(result, buildPart(builder, loc, elements));
}

LogicalResult ThreadEmitter::emitCoord(CoordOp op) {
  SmallVector<Poly> symbols = polysOf(op.getMapOperands());
  Type type = getRegisterType(getElementTypeOrSelf(op.getType()));
  auto emitAt = [&](ArrayRef<Poly> coordinates) {
    Value value =
        builder.emit(loc, algebra.evaluate(op.getMap().getResult(0), coordinates, symbols));
    if (type.getIntOrFloatBitWidth() < 64)
      value = arith::TruncIOp::create(builder, loc, type, value);
    return value;
  };
  setFromCoordinates(op.getResult(), emitAt);
  return success();
}

LogicalResult ThreadEmitter::emitMask(MaskOp op) {
  SmallVector<Poly> symbols = polysOf(op.getMapOperands());
  auto emitAt = [&](ArrayRef<Poly> coordinates) {
    Condition condition;
    requireSet(condition, op.getSet(), coordinates, symbols);
    Value value = condition.isNever ? makeBool(false) : emitCondition(condition);
    return value ? value : makeBool(true);
  };
  setFromCoordinates(op.getResult(), emitAt);
  return success();
}
