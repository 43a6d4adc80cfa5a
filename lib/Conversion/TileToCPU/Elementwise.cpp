//===- Elementwise.cpp - arith and math on the parts of tiles ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"
#include "lib/Conversion/Support/Numbers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;

Value KernelEmitter::roundTo(Value value, Type element) {
  if (!isNarrowFloat(element))
    return value;
  auto it = narrowSources.find(value);
  if (it != narrowSources.end() && it->second.first == element)
    return value;
  return fromMemoryFormat(toMemoryFormat(value, element), element);
}

LogicalResult KernelEmitter::emitConstant(Operation *op) {
  auto attr = cast<arith::ConstantOp>(op).getValue();
  Tile tile = makeTile(op->getResult(0).getType(), wantsScalars(op->getResult(0)));
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense || dense.isSplat()) {
    auto element = dense ? cast<TypedAttr>(dense.getSplatValue<Attribute>()) : attr;
    Value value = arith::ConstantOp::create(builder, loc, toRegisterAttr(element));
    tile.parts.assign(tile.getNumParts(), value);
    setTile(op->getResult(0), std::move(tile));
    return success();
  }
  SmallVector<Attribute> elements;
  for (Attribute element : dense.getValues<Attribute>())
    elements.push_back(toRegisterAttr(cast<TypedAttr>(element)));
  ArrayRef<Attribute> rest(elements);
  for (int64_t i = 0; i < tile.getNumParts(); ++i) {
    int64_t width = tile.getWidth(i % tile.getPartsPerRow());
    if (width == 1) {
      tile.parts.push_back(arith::ConstantOp::create(builder, loc, cast<TypedAttr>(rest[0])));
    } else {
      auto type = VectorType::get({width}, getRegisterType(tile.element));
      tile.parts.push_back(arith::ConstantOp::create(
          builder, loc, DenseElementsAttr::get(type, rest.take_front(width))));
    }
    rest = rest.drop_front(width);
  }
  setTile(op->getResult(0), std::move(tile));
  return success();
}

LogicalResult KernelEmitter::emitElementwise(Operation *op) {
  Value result = op->getResult(0);
  Tile tile = makeTile(result.getType(), wantsScalars(result));
  SmallVector<Tile> operands;
  for (Value operand : op->getOperands())
    operands.push_back(isa<RankedTensorType>(operand.getType())
                           ? repartition(getTile(operand), tile.lanes)
                           : getTile(operand));
  for (int64_t i = 0; i < tile.getNumParts(); ++i) {
    SmallVector<Value> values;
    for (const Tile &operand : operands)
      values.push_back(operand.shape.empty() ? operand.parts[0] : operand.parts[i]);
    FailureOr<Value> value = emitPartOp(op, values, tile.element);
    if (failed(value))
      return failure();
    tile.parts.push_back(*value);
  }
  setTile(result, std::move(tile));
  return success();
}

FailureOr<Value> KernelEmitter::emitPartOp(Operation *op, ArrayRef<Value> given,
                                           Type resultElement) {
  return lowering::emitPartOp(builder, loc, op, given, resultElement,
                              floatMode == FloatMode::Strict, *this);
}
