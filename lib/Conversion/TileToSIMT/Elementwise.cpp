//===- Elementwise.cpp - arith, math and constants in registers -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "lib/Conversion/Support/Bits.h"
#include "lib/Conversion/Support/NumberOps.h"
#include "lib/Conversion/Support/Numbers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

#include "sectile/Numbers/Codes.h"

using namespace mlir;
using namespace sectile::simt;

Type ThreadEmitter::getMemoryElement(Type element) const {
  if (element.isInteger(1) || getSmallFloat(element))
    return IntegerType::get(element.getContext(), 8);
  return isNarrowFloat(element) ? element : getRegisterType(element);
}

Value ThreadEmitter::toMemoryFormat(Value value, Type element) {
  Type memory = withLanesOf(value, getMemoryElement(element));
  if (element.isInteger(1))
    return arith::ExtUIOp::create(builder, loc, memory, value);
  if (std::optional<formats::FloatLayout> layout = getSmallFloat(element)) {
    Bits bits(builder, loc, value);
    return arith::TruncIOp::create(builder, loc, memory,
                                   encodeFloat(bits, value, *layout, /*special=*/true));
  }
  if (isNarrowFloat(element))
    return arith::TruncFOp::create(builder, loc, memory, value);
  return value;
}

Value ThreadEmitter::fromMemoryFormat(Value value, Type element) {
  if (element.isInteger(1))
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, value,
                                 constantLike(value.getType(), 0));
  if (std::optional<formats::FloatLayout> layout = getSmallFloat(element)) {
    Bits bits(builder, loc, value);
    return decodeFloat(bits, bits.widen(value), *layout);
  }
  if (isNarrowFloat(element))
    return arith::ExtFOp::create(builder, loc, withLanesOf(value, builder.getF32Type()), value);
  return value;
}

Value ThreadEmitter::roundTo(Value value, Type element) {
  return isNarrowFloat(element) ? fromMemoryFormat(toMemoryFormat(value, element), element) : value;
}

LogicalResult ThreadEmitter::emitConstant(Operation *op) {
  auto attr = cast<arith::ConstantOp>(op).getValue();
  Value result = op->getResult(0);
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense) {
    setScalar(result, arith::ConstantOp::create(builder, loc, toRegisterAttr(attr)));
    return success();
  }
  if (dense.isSplat()) {
    auto element = cast<TypedAttr>(dense.getSplatValue<Attribute>());
    setTile(result, arith::ConstantOp::create(builder, loc, toRegisterAttr(element)));
    return success();
  }
  // A table in memory: which of its elements a register holds, the thread's number says.
  DistributedLayout layout = layoutOf(result);
  Type element = dense.getElementType(), memory = getMemoryElement(element);
  SmallVector<Attribute> elements;
  for (Attribute value : dense.getValues<Attribute>()) {
    auto typed = cast<TypedAttr>(value);
    if (memory != element)
      typed = isNarrowFloat(element)
                  ? TypedAttr(builder.getIntegerAttr(
                        memory, cast<FloatAttr>(value).getValue().bitcastToAPInt()))
                  : TypedAttr(builder.getIntegerAttr(
                        memory, cast<IntegerAttr>(value).getValue().getZExtValue()));
    elements.push_back(typed);
  }
  auto tableType = RankedTensorType::get({dense.getNumElements()}, memory);
  Value base = makeGlobal("table" + std::to_string(numGlobals++),
                          LLVM::LLVMArrayType::get(memory, dense.getNumElements()),
                          /*addressSpace=*/1, DenseElementsAttr::get(tableType, elements));
  SmallVector<Element> parts;
  for (int64_t reg = 0; reg < layout.extent(layout::Axis::Register); ++reg) {
    Poly number;
    for (auto [dim, coordinate] : llvm::enumerate(coordinatesOf(layout, reg)))
      number = number * Poly(layout.shape()[dim]) + coordinate;
    Value pointer = builder.emitPointer(loc, base, memory, number);
    int64_t bytes = memory.getIntOrFloatBitWidth() / 8;
    Value value = loadIf(isValid(layout, reg), memory, pointer, bytes, {});
    parts.push_back({fromMemoryFormat(value, element), 0});
  }
  setTile(result, buildPart(builder, loc, parts));
  return success();
}

LogicalResult ThreadEmitter::emitElementwise(Operation *op) {
  Value result = op->getResult(0);
  bool isTile = isa<RankedTensorType>(result.getType());
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(isTile && isa<RankedTensorType>(operand.getType())
                           ? convert(getTile(operand), layoutOf(result)).value
                           : valueOf(operand));
  bind(result, emitPartOp(builder, loc, op, operands, getElementTypeOrSelf(result.getType()),
                          options.isStrict, *this));
  return success();
}

/// What a dequantization of packed codes to f16 or bf16 is where two of them are decoded at once:
/// the numbers of codes are exact there, a product with a scale of the same type is rounded once,
/// as is that of f32, and so is the difference to a zero point that is an integer.
std::optional<Value> ThreadEmitter::emitHalves(tile::DequantizeOp op) {
  Type element = getElementTypeOrSelf(op.getType());
  auto packed = packedCodes.find(op.getCodes());
  if (packed == packedCodes.end() || (!element.isF16() && !element.isBF16()) || op.getZero())
    return std::nullopt;
  HalfFormat half = element.isF16() ? HalfFormat::F16 : HalfFormat::BF16;
  std::optional<Value> numbers =
      decodePairs(builder, loc, packed->second, sectile::numbers::getFormat(op.getFormat()), half,
                  target.family == target::GpuFamily::Nvidia, shiftedWords);
  if (!numbers)
    return std::nullopt;
  // Those of a factor 1 are done.
  Value value = fromMemoryFormat(*numbers, element);
  FloatAttr factor;
  if (matchPattern(op.getScale(), m_Constant(&factor)) && factor.getValueAsDouble() == 1)
    return value;
  Type scale = getElementTypeOrSelf(op.getScale().getType());
  Value scales = isa<RankedTensorType>(op.getScale().getType())
                     ? convert(getTile(op.getScale()), layoutOf(op.getResult())).value
                     : getScalar(op.getScale());
  scales = splat(builder, loc, scales, getNumLanes(value));
  if (scale == element) {
    // Exact in f32: rounding there first would change nothing.
    Value product = arith::MulFOp::create(builder, loc, *numbers, toMemoryFormat(scales, element));
    return fromMemoryFormat(product, element);
  }
  if (!scale.isF32() && !isNarrowFloat(scale))
    return std::nullopt;
  return roundTo(arith::MulFOp::create(builder, loc, value, scales), element);
}

LogicalResult ThreadEmitter::emitNumbers(Operation *op) {
  Value result = op->getResult(0);
  auto type = dyn_cast<RankedTensorType>(result.getType());
  SmallVector<Value> operands;
  int64_t width = type ? layoutOf(result).extent(layout::Axis::Register) : 1;
  for (Value operand : op->getOperands()) {
    auto other = dyn_cast<RankedTensorType>(operand.getType());
    if (other && other.getShape() != type.getShape())
      return refuse(op) << "expects operands of one shape, or scalars, but got " << other
                        << " for a result of " << type;
    Value value = other ? convert(getTile(operand), layoutOf(result)).value : valueOf(operand);
    operands.push_back(splat(builder, loc, value, width));
  }
  if (auto dequantize = dyn_cast<tile::DequantizeOp>(op))
    if (std::optional<Value> halves = emitHalves(dequantize)) {
      bind(result, *halves);
      return success();
    }
  FailureOr<Value> value =
      NumberOps(builder, loc, kMathTarget, *this).emit(op, operands, StringRef(target.name));
  if (failed(value))
    return failure();
  bind(result, *value);
  return success();
}

FailureOr<SmallVector<Value>> ThreadEmitter::emitBody(Block &block, ArrayRef<Value> arguments) {
  return lowering::emitBody(
      builder, loc, block, arguments, [&](Value value) { return getScalar(value); },
      "tile-to-simt on " + std::string(target.name), options.isStrict, *this);
}
