//===- Aliases.cpp - outputs in the memory of inputs, as the user asks -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Compiler/Aliases.h"

#include "dialects/Graph/IR/Alias.h"
#include "dialects/Graph/IR/Graph.h"
#include "sectile/Frontend/SymExpr.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace sectile;

namespace {

/// One side of the model's interface.
struct Port {
  std::string name;
  RankedTensorType type;
  StringAttr dtype; // where the type does not tell
  SmallVector<std::string> dims;

  std::string describeDims() const { return "[" + llvm::join(dims, ", ") + "]"; }
  std::string describeType() const {
    std::string text;
    llvm::raw_string_ostream out(text);
    if (!type)
      return "another type";
    if (dtype)
      out << dtype.getValue();
    else
      out << type.getElementType();
    return text + describeDims();
  }
};

Port describe(StringAttr name, ArrayAttr dims, StringAttr dtype, Type type,
              const Twine &otherwise) {
  Port port{name ? name.str() : otherwise.str(), dyn_cast<RankedTensorType>(type), dtype, {}};
  if (port.type)
    for (int64_t dim = 0; dim < port.type.getRank(); ++dim)
      port.dims.push_back(!port.type.isDynamicDim(dim) ? std::to_string(port.type.getDimSize(dim))
                          : dims                       ? cast<StringAttr>(dims[dim]).str()
                                                       : port.name + "_d" + std::to_string(dim));
  return port;
}

class AliasReader {
public:
  AliasReader(func::FuncOp model, StringRef text) : model(model), text(text) {
    for (unsigned i = 0; i < model.getNumArguments(); ++i)
      inputs.push_back(describe(model.getArgAttrOfType<StringAttr>(i, graph::kNameAttr),
                                model.getArgAttrOfType<ArrayAttr>(i, graph::kDimsAttr),
                                model.getArgAttrOfType<StringAttr>(i, graph::kDtypeAttr),
                                model.getArgumentTypes()[i], "in" + Twine(i)));
    for (unsigned i = 0; i < model.getNumResults(); ++i)
      outputs.push_back(describe(model.getResultAttrOfType<StringAttr>(i, graph::kNameAttr),
                                 model.getResultAttrOfType<ArrayAttr>(i, graph::kDimsAttr),
                                 model.getResultAttrOfType<StringAttr>(i, graph::kDtypeAttr),
                                 model.getResultTypes()[i], "out" + Twine(i)));
  }

  LogicalResult apply() {
    StringRef growth;
    if (failed(readNames(growth)) || failed(checkTypes()) || failed(readGrowth(growth)) ||
        failed(checkCapacity()))
      return failure();
    for (const graph::Alias &other : graph::getAliases(model))
      if (other.input == alias.input || other.output == alias.output)
        return error() << "expects each input and each output in one alias at most, but got '"
                       << (other.input == alias.input ? input().name : output().name) << "' twice";
    graph::setAlias(model, alias);
    return success();
  }

private:
  const Port &input() const { return inputs[alias.input]; }
  const Port &output() const { return outputs[alias.output]; }

  InFlightDiagnostic error() {
    return emitError(model->getParentOp()->getLoc(), "--alias=") << text << ": ";
  }

  static std::optional<unsigned> find(ArrayRef<Port> ports, StringRef name) {
    const Port *it = llvm::find_if(ports, [&](const Port &port) { return port.name == name; });
    return it == ports.end() ? std::nullopt : std::optional<unsigned>(it - ports.begin());
  }

  static std::string listNames(ArrayRef<Port> ports) {
    return llvm::join(llvm::map_range(ports, [](const Port &port) { return port.name; }), ", ");
  }

  /// Names may hold colons and commas: every split is tried.
  LogicalResult readNames(StringRef &growth) {
    std::optional<unsigned> knownInput;
    for (size_t colon = text.find(':'); colon != StringRef::npos;
         colon = text.find(':', colon + 1)) {
      std::optional<unsigned> from = find(inputs, text.take_front(colon));
      if (!from)
        continue;
      knownInput = from;
      StringRef rest = text.drop_front(colon + 1);
      for (size_t end = rest.size(); end != StringRef::npos; end = rest.rfind(',', end))
        if (std::optional<unsigned> to = find(outputs, rest.take_front(end))) {
          alias.input = *from;
          alias.output = *to;
          growth = rest.drop_front(end);
          return success();
        }
    }
    auto [from, to] = text.split(':');
    if (!knownInput)
      return error() << "expects an input out of " << listNames(inputs) << ", but got '" << from
                     << "'";
    return error() << "expects an output out of " << listNames(outputs) << ", but got '"
                   << to.split(',').first << "'";
  }

  LogicalResult checkTypes() {
    RankedTensorType from = input().type, to = output().type;
    if (!from || !to || from.getElementType() != to.getElementType() ||
        from.getRank() != to.getRank() || from.getRank() == 0 || input().dtype != output().dtype)
      return error() << "expects tensors of one type and a rank of at least 1, but got '"
                     << input().name << "' of " << input().describeType() << " and '"
                     << output().name << "' of " << output().describeType();
    return success();
  }

  LogicalResult readGrowth(StringRef growth) {
    alias.dim = 0;
    alias.capacity = -1;
    auto [symbol, capacity] = growth.drop_front(growth.empty() ? 0 : 1).rsplit('=');
    if (!growth.empty()) {
      if (symbol.empty() || capacity.getAsInteger(10, alias.capacity) || alias.capacity < 1)
        return error() << "expects DIM=CAPACITY with a capacity from 1 on, but got '"
                       << growth.drop_front() << "'";
      // Names that are no identifiers are quoted in expressions.
      std::string quoted = ("'" + symbol + "'").str();
      SmallVector<int64_t> places;
      for (auto [dim, expr] : llvm::enumerate(input().dims))
        if (input().type.isDynamicDim(dim) && (expr == symbol || expr == quoted))
          places.push_back(dim);
      if (places.size() != 1)
        return error() << "expects one dimension of '" << input().name << "' "
                       << input().describeDims() << " to be the symbol '" << symbol << "', but got "
                       << places.size();
      alias.dim = places.front();
    }
    for (int64_t dim = 0; dim < input().type.getRank(); ++dim) {
      if ((!growth.empty() && dim == alias.dim) || input().dims[dim] == output().dims[dim])
        continue;
      return error() << "expects '" << input().name << "' " << input().describeDims() << " and '"
                     << output().name << "' " << output().describeDims() << " to have the same "
                     << "extent in dimension " << dim
                     << (growth.empty() ? ", or a capacity for it (DIM=CAPACITY)" : "");
    }
    return success();
  }

  LogicalResult checkCapacity() {
    if (alias.capacity < 0)
      return success();
    SymContext symbols;
    std::optional<SymExpr> extent = SymContext::parse(
        output().dims[alias.dim],
        [&](StringRef name) { return std::optional(symbols.symbol(name)); }, symbols);
    int64_t least = extent ? symbols.range(*extent).low.value_or(0) : 0;
    if (least > alias.capacity)
      return error() << "expects a capacity of at least " << least << ", since '" << output().name
                     << "' has extent " << output().dims[alias.dim] << ", but got "
                     << alias.capacity;
    int64_t bytes = 8;
    for (int64_t dim = 0; dim < input().type.getRank(); ++dim) {
      int64_t size = dim == alias.dim ? alias.capacity
                     : input().type.isDynamicDim(dim)
                         ? 1
                         : std::max<int64_t>(input().type.getDimSize(dim), 1);
      if (__builtin_mul_overflow(bytes, size, &bytes))
        return error() << "expects a capacity whose buffer is smaller than 2^63 bytes, but got "
                       << alias.capacity;
    }
    return success();
  }

  func::FuncOp model;
  StringRef text;
  std::vector<Port> inputs, outputs;
  graph::Alias alias = {};
};

} // namespace

LogicalResult sectile::applyAliases(ModuleOp module, ArrayRef<std::string> texts) {
  for (auto model : module.getOps<func::FuncOp>())
    for (const std::string &text : texts)
      if (model.isPublic() && failed(AliasReader(model, text).apply()))
        return failure();
  return success();
}
