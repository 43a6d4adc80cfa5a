//===- Vectors.cpp - values in one or several lanes -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Vectors.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile::lowering;

bool sectile::lowering::isNarrowFloat(Type element) {
  return isa<Float16Type, BFloat16Type, Float8E4M3FNType, Float8E4M3FNUZType, Float8E5M2Type,
             Float8E5M2FNUZType>(element);
}

Type sectile::lowering::getRegisterType(Type element) {
  if (element.isIndex())
    return IntegerType::get(element.getContext(), 64);
  if (isNarrowFloat(element))
    return Float32Type::get(element.getContext());
  return element;
}

Type sectile::lowering::getPartType(Type registerElement, int64_t lanes) {
  return lanes == 1 ? registerElement : VectorType::get({lanes}, registerElement);
}

int64_t sectile::lowering::getNumLanes(Value value) {
  if (auto type = dyn_cast<VectorType>(value.getType()))
    return type.getDimSize(0);
  return 1;
}

Type sectile::lowering::withLanesOf(Value like, Type element) {
  return getPartType(element, getNumLanes(like));
}

Value sectile::lowering::splat(OpBuilder &builder, Location loc, Value value, int64_t lanes) {
  if (lanes == 1 || isa<VectorType>(value.getType()))
    return value;
  Attribute attr;
  if (matchPattern(value, m_Constant(&attr)))
    return makeConstant(builder, loc, VectorType::get({lanes}, value.getType()), attr);
  return vector::BroadcastOp::create(builder, loc, VectorType::get({lanes}, value.getType()),
                                     value);
}

Value sectile::lowering::extractLane(OpBuilder &builder, Location loc, Value value, int64_t lane) {
  if (!isa<VectorType>(value.getType()))
    return value;
  return vector::ExtractOp::create(builder, loc, value, ArrayRef<int64_t>{lane});
}

Value sectile::lowering::extractSlice(OpBuilder &builder, Location loc, Value value, int64_t first,
                                      int64_t count) {
  if (count == 1)
    return extractLane(builder, loc, value, first);
  if (!isa<VectorType>(value.getType()) || getNumLanes(value) == count)
    return value;
  auto mask = llvm::to_vector(llvm::seq(first, first + count));
  return vector::ShuffleOp::create(builder, loc, value, value, mask);
}

Value sectile::lowering::buildPart(OpBuilder &builder, Location loc, ArrayRef<Element> elements) {
  int64_t lanes = elements.size();
  // Distinct vectors that contribute, in order of appearance.
  SmallVector<Value> sources;
  bool allScalars = true;
  for (const Element &element : elements) {
    if (!llvm::is_contained(sources, element.value))
      sources.push_back(element.value);
    allScalars &= !isa<VectorType>(element.value.getType());
  }
  if (lanes == 1)
    return extractLane(builder, loc, elements[0].value, elements[0].lane);
  if (allScalars && sources.size() == 1)
    return sources[0];
  bool isWhole = sources.size() == 1 && getNumLanes(sources[0]) == lanes;
  for (auto [i, element] : llvm::enumerate(elements))
    isWhole &= element.lane == static_cast<int64_t>(i);
  if (isWhole)
    return sources[0];
  auto type = VectorType::get({lanes}, getElementTypeOrSelf(sources[0].getType()));
  if (allScalars) {
    SmallVector<Value> scalars;
    for (const Element &element : elements)
      scalars.push_back(element.value);
    return vector::FromElementsOp::create(builder, loc, type, scalars);
  }
  // Sources join two by two: first within each source, then blends of what is there already.
  Value result;
  SmallVector<int64_t> have(lanes, 0);
  for (Value source : sources) {
    if (!isa<VectorType>(source.getType())) {
      for (auto [i, element] : llvm::enumerate(elements))
        if (element.value == source) {
          if (!result)
            result = splat(builder, loc, source, lanes);
          else
            result = vector::InsertOp::create(builder, loc, source, result,
                                              ArrayRef<int64_t>{static_cast<int64_t>(i)});
        }
      continue;
    }
    int64_t width = getNumLanes(source);
    SmallVector<int64_t> mask;
    for (auto [i, element] : llvm::enumerate(elements)) {
      bool isHere = element.value == source;
      if (result)
        mask.push_back(isHere ? lanes + element.lane : static_cast<int64_t>(i));
      else
        mask.push_back(isHere ? element.lane : 0);
    }
    (void)width;
    result = result ? vector::ShuffleOp::create(builder, loc, result, source, mask).getResult()
                    : vector::ShuffleOp::create(builder, loc, source, source, mask).getResult();
  }
  return result;
}

Value sectile::lowering::makeConstant(OpBuilder &builder, Location loc, Type type, Attribute attr) {
  if (auto dense = dyn_cast<SplatElementsAttr>(attr))
    attr = dense.getSplatValue<Attribute>();
  if (auto vectorType = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(vectorType, attr));
  return arith::ConstantOp::create(builder, loc, cast<TypedAttr>(attr));
}

Value sectile::lowering::makeLaneConstants(OpBuilder &builder, Location loc, Type element,
                                           ArrayRef<int64_t> values) {
  SmallVector<Attribute> attrs;
  for (int64_t value : values)
    attrs.push_back(builder.getIntegerAttr(element, value));
  if (values.size() == 1)
    return arith::ConstantOp::create(builder, loc, cast<TypedAttr>(attrs[0]));
  auto type = VectorType::get({static_cast<int64_t>(values.size())}, element);
  return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, attrs));
}

TypedAttr sectile::lowering::toRegisterAttr(TypedAttr attr) {
  Type element = getRegisterType(attr.getType());
  if (element == attr.getType())
    return attr;
  if (auto integer = dyn_cast<IntegerAttr>(attr))
    return IntegerAttr::get(element, integer.getInt());
  APFloat value = cast<FloatAttr>(attr).getValue();
  bool losesInfo;
  value.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &losesInfo);
  return FloatAttr::get(element, value);
}

Value sectile::lowering::anyLane(OpBuilder &builder, Location loc, Value mask) {
  if (!isa<VectorType>(mask.getType()))
    return mask;
  return vector::ReductionOp::create(builder, loc, vector::CombiningKind::OR, mask);
}

Value sectile::lowering::allLanes(OpBuilder &builder, Location loc, Value mask) {
  if (!isa<VectorType>(mask.getType()))
    return mask;
  return vector::ReductionOp::create(builder, loc, vector::CombiningKind::AND, mask);
}
