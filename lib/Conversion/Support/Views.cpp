//===- Views.cpp - views as memory, index values as polynomials ----- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Views.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile::lowering;
using namespace sectile::tile;

void Views::define(Value view, Value base, ArrayRef<Poly> extents, ArrayRef<Poly> dynamicStrides) {
  auto type = cast<ViewType>(view.getType());
  Memory memory;
  memory.base = base;
  memory.type = type;
  memory.extents.assign(extents.begin(), extents.end());
  AffineMap physical = type.getPhysicalMap();
  // Extents of the physical box, see #tile.memory.
  SmallVector<Poly> box;
  for (AffineExpr expr : physical.getResults()) {
    auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
    AffineExpr dim = binary ? binary.getLHS() : expr;
    Poly extent = extents[cast<AffineDimExpr>(dim).getPosition()];
    if (!binary) {
      box.push_back(extent);
      continue;
    }
    Poly factor(cast<AffineConstantExpr>(binary.getRHS()).getValue());
    box.push_back(expr.getKind() == AffineExprKind::Mod ? factor : algebra.ceilDiv(extent, factor));
  }
  if (int64_t bits = type.getPackedBits()) {
    Poly &extent = box[type.getPackedDim()];
    extent = algebra.ceilDiv(algebra.ceilDiv(extent, Poly(kPackedStreams)) * Poly(bits), Poly(8));
  }
  memory.strides.assign(box.size(), Poly(1));
  if (ArrayRef<int64_t> given =
          type.getMemory() ? type.getMemory().getStrides() : ArrayRef<int64_t>();
      !given.empty()) {
    for (auto [i, stride] : llvm::enumerate(given)) {
      bool isDynamic = ShapedType::isDynamic(stride);
      memory.strides[i] = isDynamic ? dynamicStrides.front() : Poly(stride);
      dynamicStrides = dynamicStrides.drop_front(isDynamic);
    }
  } else {
    for (size_t i = box.size(); i-- > 1;)
      memory.strides[i - 1] = memory.strides[i] * box[i];
  }
  if (type.getPackedBits() != 0) {
    memory.words = Poly(1);
    for (const Poly &extent : box)
      memory.words = memory.words * extent;
  }
  memories[view] = std::move(memory);
}

Place Views::locate(Value view, SmallVector<Poly> coords, Value &root) {
  while (auto window = view.getDefiningOp<ViewOp>()) {
    SmallVector<Poly> symbols = polysOf(window.getMapOperands()), outer;
    for (AffineExpr expr : window.getMap().getResults())
      outer.push_back(algebra.evaluate(expr, coords, symbols));
    coords = std::move(outer);
    view = window.getSource();
  }
  root = view;
  Memory &memory = resolve(view);
  int64_t bits = memory.type.getPackedBits();
  Place place;
  for (auto [number, expr] : llvm::enumerate(memory.type.getPhysicalMap().getResults())) {
    Poly coord = algebra.evaluate(expr, coords, {}), &stride = memory.strides[number];
    if (bits == 0 || static_cast<int64_t>(number) != memory.type.getPackedDim()) {
      place.address += coord * stride;
      place.last += coord * stride;
      continue;
    }
    if (ArrayRef<int64_t> order = memory.type.getMemory().getOrder(); !order.empty()) {
      Poly place, rest = coord;
      for (size_t i = 0; i < order.size(); i += 2) {
        place += algebra.mod(rest, Poly(order[i])) * Poly(order[i + 1]);
        rest = algebra.floorDiv(rest, Poly(order[i]));
      }
      coord = std::move(place);
    }
    Poly streams(kPackedStreams), byte(8);
    Poly first = algebra.floorDiv(coord, streams) * Poly(bits), end = first + Poly(bits - 1);
    place.address += algebra.floorDiv(first, byte) * stride;
    place.last += algebra.floorDiv(end, byte) * stride;
    place.byte = algebra.mod(coord, streams) * byte;
    place.shift = algebra.mod(first, byte);
  }
  return place;
}

SmallVector<Poly> Views::polysOf(ValueRange values) {
  SmallVector<Poly> result;
  for (Value value : values)
    result.push_back(polyOf(value));
  return result;
}

Poly Views::polyOf(Value value) {
  if (auto it = polys.find(value); it != polys.end())
    return it->second;
  auto compute = [&]() -> Poly {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
      if (!loop || argument != loop.getInductionVar())
        return algebra.value(value, {});
      Poly lower = polyOf(loop.getLowerBound()), upper = polyOf(loop.getUpperBound());
      Poly step = polyOf(loop.getStep()), span = upper - lower;
      IntRange number{0, std::nullopt};
      if (step.isConstant() && step.constant > 0) {
        if (span.isConstant())
          number.hi = span.constant <= 0 ? 0 : (span.constant - 1) / step.constant;
        if (step.constant > 1)
          return algebra.iteration(value, lower, step.constant, number);
      }
      IntRange range = algebra.getRange(lower);
      range.hi = number.hi && range.hi ? std::optional(*range.hi + *number.hi) : std::nullopt;
      return algebra.value(value, range);
    }
    Operation *op = value.getDefiningOp();
    APInt constant;
    if (matchPattern(value, m_ConstantInt(&constant)))
      return Poly(constant.getSExtValue());
    if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
      SmallVector<Poly> operands = polysOf(apply.getMapOperands());
      ArrayRef<Poly> dims(operands);
      unsigned numDims = apply.getAffineMap().getNumDims();
      return algebra.evaluate(apply.getAffineMap().getResult(0), dims.take_front(numDims),
                              dims.drop_front(numDims));
    }
    if (auto dim = dyn_cast<DimOp>(op)) {
      Value view = dim.getView();
      ViewType type = dim.getView().getType();
      if (!type.isDynamicDim(dim.getDim()))
        return Poly(type.getShape()[dim.getDim()]);
      int64_t position =
          llvm::count_if(type.getShape().take_front(dim.getDim()), ShapedType::isDynamic);
      if (auto alloc = view.getDefiningOp<AllocOp>())
        return polyOf(alloc.getSizes()[position]);
      if (auto window = view.getDefiningOp<ViewOp>())
        return polyOf(window.getSizes()[position]);
      return memories[view].extents[dim.getDim()];
    }
    if (value.getType().isIndex() || value.getType().isInteger(64)) {
      if (isa<arith::AddIOp>(op))
        return polyOf(op->getOperand(0)) + polyOf(op->getOperand(1));
      if (isa<arith::SubIOp>(op))
        return polyOf(op->getOperand(0)) - polyOf(op->getOperand(1));
      if (isa<arith::MulIOp>(op))
        return polyOf(op->getOperand(0)) * polyOf(op->getOperand(1));
      if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(op) &&
          (op->getOperand(0).getType().isIndex() || op->getOperand(0).getType().isInteger(64)))
        return polyOf(op->getOperand(0));
    }
    if (auto ids = dyn_cast<BlockIdOp>(op)) {
      IntRange range{0, std::nullopt};
      Poly extent = polyOf(ids.getGrid()[cast<OpResult>(value).getResultNumber()]);
      if (extent.isConstant())
        range.hi = std::max<int64_t>(extent.constant - 1, 0);
      return algebra.value(value, range);
    }
    return algebra.value(value, {});
  };
  Poly result = compute();
  polys[value] = result;
  return result;
}
