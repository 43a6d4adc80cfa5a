//===- Interface.cpp - the model's interface, as it is recorded -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Interface.h"

#include "dialects/Graph/IR/Alias.h"
#include "dialects/Graph/IR/Graph.h"

using namespace mlir;
using namespace sectile;

static constexpr llvm::StringLiteral kInterfaceAttr = "graph.interface";

SmallVector<PlannedConstant> sectile::getPlannedConstants(ModuleOp module) {
  SmallVector<PlannedConstant> constants;
  if (auto list = module->getAttrOfType<ArrayAttr>(kConstantsAttr))
    for (auto entry : list.getAsRange<DictionaryAttr>())
      constants.push_back({entry.getAs<ElementsAttr>("value"),
                           entry.getAs<IntegerAttr>("offset").getInt(),
                           entry.getAs<IntegerAttr>("bytes").getInt(), entry.get("memory")});
  llvm::sort(constants, [](const PlannedConstant &left, const PlannedConstant &right) {
    return left.offset < right.offset;
  });
  return constants;
}

PlannedInterface sectile::getPlannedInterface(ModuleOp module) {
  PlannedInterface interface;
  auto record = module->getAttrOfType<DictionaryAttr>(kInterfaceAttr);
  if (!record)
    return interface;
  auto read = [&](StringRef key, SmallVectorImpl<PlannedTensor> &tensors) {
    for (auto entry : record.getAs<ArrayAttr>(key).getAsRange<DictionaryAttr>()) {
      PlannedTensor &tensor = tensors.emplace_back();
      tensor.name = entry.getAs<StringAttr>("name").str();
      if (auto dtype = entry.getAs<StringAttr>("dtype"))
        tensor.dtype = dtype.str();
      tensor.type = cast<RankedTensorType>(entry.getAs<TypeAttr>("type").getValue());
      for (auto dim : entry.getAs<ArrayAttr>("dims").getAsRange<StringAttr>())
        tensor.dims.push_back(dim.str());
    }
  };
  read("inputs", interface.inputs);
  read("outputs", interface.outputs);
  for (auto symbol : record.getAs<ArrayAttr>("symbols").getAsRange<StringAttr>())
    interface.symbols.push_back(symbol.str());
  auto aliases = record.getAs<ArrayAttr>("aliases"); // none where no output shares a buffer
  for (Attribute element : aliases ? aliases.getValue() : ArrayRef<Attribute>()) {
    auto entry = cast<DictionaryAttr>(element);
    auto get = [&](StringRef key) { return entry.getAs<IntegerAttr>(key).getInt(); };
    interface.aliases.push_back({static_cast<unsigned>(get("input")),
                                 static_cast<unsigned>(get("output")), get("dim"),
                                 get("capacity")});
  }
  return interface;
}

/// Dimension expressions of an argument or result, from its attributes or its type.
static SmallVector<std::string> getDims(ArrayAttr names, RankedTensorType type, StringRef stem) {
  SmallVector<std::string> dims;
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (!type.isDynamicDim(dim))
      dims.push_back(std::to_string(type.getDimSize(dim)));
    else if (names)
      dims.push_back(cast<StringAttr>(names[dim]).str());
    else
      dims.push_back((stem + "_d" + Twine(dim)).str());
  }
  return dims;
}

void sectile::recordInterface(ModuleOp module, func::FuncOp model) {
  Builder builder(module.getContext());
  auto describe = [&](StringRef name, ArrayAttr dims, StringAttr dtype, RankedTensorType type) {
    SmallVector<Attribute> exprs;
    for (const std::string &dim : getDims(dims, type, name))
      exprs.push_back(builder.getStringAttr(dim));
    SmallVector<NamedAttribute> entries = {
        builder.getNamedAttr("name", builder.getStringAttr(name)),
        builder.getNamedAttr("type", TypeAttr::get(type)),
        builder.getNamedAttr("dims", builder.getArrayAttr(exprs))};
    if (dtype)
      entries.push_back(builder.getNamedAttr("dtype", dtype));
    return builder.getDictionaryAttr(entries);
  };
  SmallVector<Attribute> inputs, outputs, names, aliases;
  SmallVector<std::string> symbols;
  for (unsigned i = 0; i < model.getNumArguments(); ++i) {
    auto name = model.getArgAttrOfType<StringAttr>(i, graph::kNameAttr);
    std::string text = name ? name.str() : "in" + std::to_string(i);
    auto type = cast<RankedTensorType>(model.getArgumentTypes()[i]);
    auto dims = model.getArgAttrOfType<ArrayAttr>(i, graph::kDimsAttr);
    inputs.push_back(
        describe(text, dims, model.getArgAttrOfType<StringAttr>(i, graph::kDtypeAttr), type));
    for (auto [dim, expr] : llvm::enumerate(getDims(dims, type, text)))
      if (type.isDynamicDim(dim) && !llvm::is_contained(symbols, expr))
        symbols.push_back(expr);
  }
  for (unsigned i = 0; i < model.getNumResults(); ++i) {
    auto name = model.getResultAttrOfType<StringAttr>(i, graph::kNameAttr);
    outputs.push_back(describe(name ? name.str() : "out" + std::to_string(i),
                               model.getResultAttrOfType<ArrayAttr>(i, graph::kDimsAttr),
                               model.getResultAttrOfType<StringAttr>(i, graph::kDtypeAttr),
                               cast<RankedTensorType>(model.getResultTypes()[i])));
  }
  for (const std::string &symbol : symbols)
    names.push_back(builder.getStringAttr(symbol));
  for (const graph::Alias &alias : graph::getAliases(model)) {
    auto number = [&](StringRef key, int64_t value) {
      return builder.getNamedAttr(key, builder.getI64IntegerAttr(value));
    };
    aliases.push_back(
        builder.getDictionaryAttr({number("input", alias.input), number("output", alias.output),
                                   number("dim", alias.dim), number("capacity", alias.capacity)}));
  }
  module->setAttr(
      kInterfaceAttr,
      builder.getDictionaryAttr({builder.getNamedAttr("inputs", builder.getArrayAttr(inputs)),
                                 builder.getNamedAttr("outputs", builder.getArrayAttr(outputs)),
                                 builder.getNamedAttr("symbols", builder.getArrayAttr(names)),
                                 builder.getNamedAttr("aliases", builder.getArrayAttr(aliases))}));
}
