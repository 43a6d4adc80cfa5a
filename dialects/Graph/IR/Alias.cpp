//===- Alias.cpp - results of a model that live in an input's buffer -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Alias.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace sectile;

SmallVector<graph::Alias> graph::getAliases(FunctionOpInterface model) {
  SmallVector<Alias> aliases;
  for (unsigned output = 0; output < model.getNumResults(); ++output) {
    auto entry = model.getResultAttrOfType<DictionaryAttr>(output, kAliasAttr);
    if (!entry)
      continue;
    auto get = [&](StringRef key) { return entry.getAs<IntegerAttr>(key).getInt(); };
    aliases.push_back({static_cast<unsigned>(get("input")), output, get("dim"), get("capacity")});
  }
  return aliases;
}

void graph::setAlias(FunctionOpInterface model, const Alias &alias) {
  Builder builder(model.getContext());
  auto number = [&](StringRef key, int64_t value) {
    return builder.getNamedAttr(key, builder.getI64IntegerAttr(value));
  };
  model.setResultAttr(
      alias.output, kAliasAttr,
      builder.getDictionaryAttr({number("capacity", alias.capacity), number("dim", alias.dim),
                                 number("input", alias.input)}));
}

LogicalResult graph::GraphDialect::verifyRegionResultAttribute(Operation *op, unsigned,
                                                               unsigned result,
                                                               NamedAttribute attribute) {
  if (attribute.getName() != kAliasAttr)
    return success();
  auto model = dyn_cast<FunctionOpInterface>(op);
  auto entry = dyn_cast<DictionaryAttr>(attribute.getValue());
  auto get = [&](StringRef key) { return entry ? entry.getAs<IntegerAttr>(key) : IntegerAttr(); };
  IntegerAttr input = get("input"), dim = get("dim"), capacity = get("capacity");
  if (!model || !input || !dim || !capacity)
    return op->emitOpError("expects 'graph.alias' on a function's result to give the integers "
                           "input, dim and capacity, but got ")
           << attribute.getValue();
  if (input.getInt() < 0 || input.getInt() >= model.getNumArguments())
    return op->emitOpError("expects the input of 'graph.alias' to be below ")
           << model.getNumArguments() << ", but got " << input.getInt();
  Type from = model.getArgumentTypes()[input.getInt()], to = model.getResultTypes()[result];
  auto tensor = dyn_cast<RankedTensorType>(from);
  if (!tensor || getElementTypeOrSelf(from) != getElementTypeOrSelf(to) ||
      failed(verifyCompatibleShape(from, to)))
    return op->emitOpError("expects the input of 'graph.alias' to be of type ")
           << to << ", but got " << from;
  if (dim.getInt() < 0 || dim.getInt() >= tensor.getRank())
    return op->emitOpError("expects the dimension of 'graph.alias' to be below ")
           << tensor.getRank() << ", but got " << dim.getInt();
  if (capacity.getInt() < -1)
    return op->emitOpError("expects the capacity of 'graph.alias' to be -1 or more, but got ")
           << capacity.getInt();
  return success();
}
