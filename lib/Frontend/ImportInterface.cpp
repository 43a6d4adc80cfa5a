//===- ImportInterface.cpp - a model's inputs and outputs -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

static bool isIdentifier(StringRef name) {
  return !name.empty() && !llvm::isDigit(name[0]) &&
         llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

std::optional<SymExpr> GraphImporter::extent(const onnx::TensorShapeProto::Dimension &dim,
                                             const Twine &unnamed) {
  if (dim.has_dim_value())
    return dim.dim_value() < 0 ? std::nullopt : std::optional<SymExpr>(dim.dim_value());
  std::string name = dim.dim_param().empty() ? unnamed.str() : dim.dim_param();
  auto resolve = [&](StringRef symbol) -> std::optional<SymExpr> {
    if (auto fixed = options.dims.find(symbol.str()); fixed != options.dims.end())
      return SymExpr(fixed->second);
    if (!freeNames.count(symbol.str()))
      return std::nullopt;
    return syms.symbol(symbol);
  };
  freeNames.emplace(name, 0);
  if (auto fixed = options.dims.find(name); fixed != options.dims.end())
    return SymExpr(fixed->second);
  // Exporters write "past + 1" as a name. Where each name in it is an extent of its own it is the
  // expression it looks like; otherwise it is a name.
  if (!isIdentifier(name))
    if (std::optional<SymExpr> expr = SymContext::parse(name, resolve, syms))
      return expr;
  return syms.symbol(name);
}

/// What a tensor's dimensions and type are called in attributes.
static DictionaryAttr describe(OpBuilder &b, StringRef name, DType dtype, ArrayRef<SymExpr> shape) {
  SmallVector<Attribute> dims;
  for (const SymExpr &extent : shape)
    dims.push_back(b.getStringAttr(extent.str()));
  SmallVector<NamedAttribute> attrs{{graph::kNameAttr, b.getStringAttr(name)},
                                    {graph::kDimsAttr, b.getArrayAttr(dims)}};
  if (isUnsigned(dtype) || bitsOf(dtype) < 8 || isHeldAsCode(dtype))
    attrs.push_back({graph::kDtypeAttr, b.getStringAttr(nameOf(dtype))});
  return b.getDictionaryAttr(attrs);
}

/// Values of the graph that shapes are made of, as far back as integer arithmetic on them goes.
static llvm::StringSet<> findShapeValues(const onnx::GraphProto &graph) {
  // Which inputs of an operator say the shape of its result, or where its elements come from.
  static const std::map<StringRef, SmallVector<int>> shapes = {{"AffineGrid", {1}},
                                                               {"BlackmanWindow", {0}},
                                                               {"CenterCropPad", {1}},
                                                               {"Col2Im", {1, 2}},
                                                               {"ConstantOfShape", {0}},
                                                               {"CumProd", {1}},
                                                               {"CumSum", {1}},
                                                               {"DFT", {1, 2}},
                                                               {"Expand", {1}},
                                                               {"GroupQueryAttention", {6}},
                                                               {"HammingWindow", {0}},
                                                               {"HannWindow", {0}},
                                                               {"Loop", {0}},
                                                               {"MaxUnpool", {2}},
                                                               {"MelWeightMatrix", {0, 1}},
                                                               {"OneHot", {1}},
                                                               {"Pad", {1, 3}},
                                                               {"Range", {0, 1, 2}},
                                                               {"Reshape", {1}},
                                                               {"Resize", {3}},
                                                               {"Slice", {1, 2, 3, 4}},
                                                               {"Split", {1}},
                                                               {"Squeeze", {1}},
                                                               {"STFT", {1, 3}},
                                                               {"Tile", {1}},
                                                               {"TopK", {1}},
                                                               {"Trilu", {1}},
                                                               {"Unsqueeze", {1}}};
  static const llvm::StringSet<> arithmetic = {
      "Add", "Cast", "Concat", "Div",     "Flatten", "Gather",  "Identity", "Max",
      "Min", "Mul",  "Neg",    "Reshape", "Slice",   "Squeeze", "Sub",      "Unsqueeze"};
  llvm::StringSet<> values;
  // Nodes come after what they read: one walk back sees every user first.
  for (int number = graph.node_size(); number-- > 0;) {
    const onnx::NodeProto &node = graph.node(number);
    auto add = [&](int input) {
      if (input < node.input_size() && !node.input(input).empty())
        values.insert(node.input(input));
    };
    if (auto it = shapes.find(node.op_type()); it != shapes.end())
      for (int input : it->second)
        add(input);
    else if (StringRef(node.op_type()).starts_with("Reduce"))
      add(1);
    bool isAsked = llvm::any_of(node.output(),
                                [&](const std::string &output) { return values.contains(output); });
    if (!isAsked || !arithmetic.contains(node.op_type()))
      continue;
    bool movesFirst = node.op_type() == "Gather" || node.op_type() == "Reshape" ||
                      node.op_type() == "Slice" || node.op_type() == "Squeeze" ||
                      node.op_type() == "Unsqueeze";
    for (int input = 0, count = movesFirst ? 1 : node.input_size(); input < count; ++input)
      add(input);
  }
  return values;
}

LogicalResult GraphImporter::importInputs(Scope &scope, Block *entry) {
  llvm::StringSet<> shapeValues = findShapeValues(model.graph());
  SmallVector<std::pair<Tensor *, std::string>> read;
  // Names first: an expression may use a name that a later input binds.
  for (const onnx::ValueInfoProto &input : model.graph().input())
    for (const auto &dim : input.type().tensor_type().shape().dim())
      if (isIdentifier(dim.dim_param()))
        freeNames.emplace(dim.dim_param(), 0);
  auto main = cast<func::FuncOp>(entry->getParentOp());
  SmallVector<Type> types;
  llvm::SmallPtrSet<const SymAtom *, 8> bound;
  llvm::StringSet<> defaults;
  for (const onnx::TensorProto &proto : model.graph().initializer())
    defaults.insert(proto.name());
  for (const onnx::ValueInfoProto &input : model.graph().input()) {
    // An initialiser is the default of an input of its name; we always take it.
    if (defaults.contains(input.name()))
      continue;
    auto fail = [&](const Twine &why) { return error("input '" + input.name() + "': " + why); };
    if (!input.type().has_tensor_type())
      return fail("expects a tensor; sequences, maps and optionals are not supported");
    const auto &declared = input.type().tensor_type();
    std::optional<DType> dtype = dtypeOf(declared.elem_type());
    if (!dtype)
      return fail("elements of " + nameOfNumber(declared.elem_type()) + " are not supported");
    if (!declared.has_shape())
      return fail("expects a shape, with names for the extents that vary");
    if (declared.shape().dim_size() > kMaxRank)
      return fail("expects a rank of at most " + Twine(kMaxRank) + ", but got " +
                  Twine(declared.shape().dim_size()));
    Shape shape;
    for (const auto &[i, dim] : llvm::enumerate(declared.shape().dim())) {
      std::optional<SymExpr> known = extent(dim, input.name() + "_" + Twine(i));
      if (!known)
        return fail("expects extents of at least 0, but got " + Twine(dim.dim_value()));
      shape.push_back(*known);
    }
    auto where = NameLoc::get(emit.b.getStringAttr(input.name()));
    types.push_back(emit.type(*dtype, shape));
    BlockArgument argument = entry->addArgument(types.back(), where);
    Tensor *tensor = emit.make(*dtype, shape, argument);
    if (failed(define(scope, input.name(), tensor)))
      return failure();
    std::optional<int64_t> count = Emitter::product(shape).constant();
    if (shapeValues.contains(input.name()) && (*dtype == DType::I64 || *dtype == DType::I32) &&
        shape.size() <= 1 && count && *count <= 2 * kMaxRank) // The pads of both sides.
      read.push_back({tensor, input.name()});
    main.setType(FunctionType::get(&context, types, {}));
    main.setArgAttrs(types.size() - 1, describe(emit.b, input.name(), *dtype, shape));
    for (auto [dim, known] : llvm::enumerate(shape)) {
      const SymAtom *atom = known.asAtom();
      if (!atom || atom->kind != SymAtom::Kind::Symbol || !bound.insert(atom).second)
        continue;
      emit.loc = where;
      emit.bind(atom, argument, dim);
    }
  }
  // Their names must differ from those of all sizes.
  for (auto &[tensor, name] : read) {
    emit.loc = NameLoc::get(emit.b.getStringAttr(name));
    emit.readElements(tensor, name);
  }
  for (const auto &[name, value] : options.dims)
    if (!freeNames.count(name))
      return error("no extent of an input is called '" + name + "'");
  return success();
}

LogicalResult GraphImporter::importOutputs(Scope &scope) {
  auto main = module->lookupSymbol<func::FuncOp>("main");
  SmallVector<Value> values;
  SmallVector<Type> types;
  SmallVector<Attribute> attrs;
  for (const onnx::ValueInfoProto &output : model.graph().output()) {
    auto found = scope.values.find(output.name());
    if (found == scope.values.end())
      return error("output '" + output.name() + "' is not defined");
    Tensor *tensor = found->second;
    if (!tensor)
      continue; // Its node failed, and said so.
    int64_t type = output.type().tensor_type().elem_type();
    if (type != 0 && type != static_cast<int64_t>(tensor->dtype))
      return error("output '" + output.name() + "': expects " + nameOfNumber(type) +
                   " as declared, but got " + nameOf(tensor->dtype));
    emit.loc = NameLoc::get(emit.b.getStringAttr(output.name()));
    values.push_back(emit.value(tensor));
    types.push_back(values.back().getType());
    attrs.push_back(describe(emit.b, output.name(), tensor->dtype, tensor->shape));
  }
  func::ReturnOp::create(emit.b, emit.b.getUnknownLoc(), values);
  main.setType(FunctionType::get(&context, main.getArgumentTypes(), types));
  for (auto [i, attr] : llvm::enumerate(attrs))
    main.setResultAttrs(i, cast<DictionaryAttr>(attr));
  return success();
}
