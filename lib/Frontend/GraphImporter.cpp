//===- GraphImporter.cpp - walks a model and imports its nodes --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"
#include "WireSkeleton.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/ConvertUTF.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using google::protobuf::RepeatedPtrField;

GraphImporter::GraphImporter(const onnx::ModelProto &model, std::string modelName,
                             TensorReader &reader, MLIRContext &context,
                             const OnnxImportOptions &options)
    : model(model), modelName(std::move(modelName)), reader(reader), options(options),
      context(context), emit(&context, syms) {
  context.loadDialect<arith::ArithDialect, func::FuncDialect, graph::GraphDialect,
                      linalg::LinalgDialect, math::MathDialect, tensor::TensorDialect>();
}

LogicalResult GraphImporter::error(const Twine &message) {
  return emitError(UnknownLoc::get(&context)) << "'" << modelName << "': " << message;
}

/// The standard's domain has two names.
static std::string canonicalDomain(const std::string &domain) {
  return domain == "ai.onnx" ? "" : domain;
}

LogicalResult GraphImporter::readOpsets(const RepeatedPtrField<onnx::OperatorSetIdProto> &imports,
                                        std::map<std::string, int64_t> &opsets) {
  for (const onnx::OperatorSetIdProto &import : imports) {
    auto [known, isNew] = opsets.try_emplace(canonicalDomain(import.domain()), import.version());
    if (!isNew && known->second != import.version())
      return error("domain '" + import.domain() + "' is imported with opsets " +
                   Twine(known->second) + " and " + Twine(import.version()));
  }
  auto standard = opsets.find("");
  if (standard == opsets.end())
    return success();
  if (standard->second < kOldestOpset || standard->second > kNewestOpset)
    return error("expects an opset from " + Twine(kOldestOpset) + " to " + Twine(kNewestOpset) +
                 ", but got " + Twine(standard->second));
  return success();
}

/// Names reach attributes, locations and messages, which are text.
static bool isText(StringRef name) {
  const auto *begin = reinterpret_cast<const llvm::UTF8 *>(name.begin());
  return llvm::isLegalUTF8String(&begin, reinterpret_cast<const llvm::UTF8 *>(name.end()));
}

LogicalResult GraphImporter::define(Scope &scope, const std::string &name, Tensor *tensor) {
  if (!isText(name))
    return error("the name of a value is no UTF-8 text");
  if (!scope.values.try_emplace(name, tensor).second)
    return error("value '" + name + "' is defined twice");
  return success();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

LogicalResult GraphImporter::importConstants(const onnx::GraphProto &graph, Scope &scope) {
  if (graph.sparse_initializer_size() > 0)
    return error("sparse initialisers are not supported");
  for (const onnx::TensorProto &proto : graph.initializer()) {
    std::string why;
    FailureOr<Tensor *> tensor = reader.read(proto, emit, why);
    if (failed(tensor))
      return error(why);
    if (failed(define(scope, proto.name(), *tensor)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Gaps
//===----------------------------------------------------------------------===//

void GraphImporter::reportGap(const Node &node, const std::string &name, const std::string &domain,
                              ArrayRef<Tensor *> inputs) {
  UnsupportedNode gap;
  gap.name = name;
  gap.op = node.op().str();
  gap.domain = domain;
  gap.opset = node.opset();
  auto join = [&](llvm::function_ref<std::string(Tensor *)> text) {
    return llvm::join(
        llvm::map_range(inputs,
                        [&](Tensor *tensor) { return tensor ? text(tensor) : std::string("?"); }),
        ", ");
  };
  gap.types = join([](Tensor *tensor) { return nameOf(tensor->dtype).str(); });
  gap.shapes = join([](Tensor *tensor) { return Node::text(tensor->shape); });
  gap.reason = node.reason;
  gap.suggestion = node.suggestion;
  gaps.push_back(std::move(gap));
}

Tensor *GraphImporter::declared(const std::string &name) {
  auto read = [&](const RepeatedPtrField<onnx::ValueInfoProto> &infos) -> Tensor * {
    for (const onnx::ValueInfoProto &info : infos) {
      const auto &type = info.type().tensor_type();
      std::optional<DType> dtype = dtypeOf(type.elem_type());
      if (info.name() != name || !dtype || !type.has_shape() || type.shape().dim_size() > kMaxRank)
        continue;
      Shape shape;
      for (const auto &[i, dim] : llvm::enumerate(type.shape().dim())) {
        std::optional<SymExpr> known = extent(dim, name + "_" + Twine(i));
        if (!known)
          return nullptr;
        shape.push_back(*known);
      }
      return emit.make(*dtype, shape, emit.empty(shape, *dtype));
    }
    return nullptr;
  };
  if (Tensor *tensor = read(model.graph().value_info()))
    return tensor;
  return read(model.graph().output());
}

//===----------------------------------------------------------------------===//
// Nodes
//===----------------------------------------------------------------------===//

LogicalResult GraphImporter::importNodes(const RepeatedPtrField<onnx::NodeProto> &nodes,
                                         Scope &scope) {
  for (const auto &[index, node] : llvm::enumerate(nodes))
    if (failed(importNode(node, static_cast<int>(index), scope)))
      return failure();
  return success();
}

/// Whether the operator does no arithmetic on elements of 8-bit floats: it moves or converts them.
static bool takesSmallFloats(StringRef op) {
  static const llvm::StringSet<> names = {
      "Cast",    "CastLike", "Concat", "DepthToSpace", "DequantizeLinear",
      "Expand",  "Flatten",  "Gather", "Identity",     "QuantizeLinear",
      "Reshape", "Shape",    "Size",   "Slice",        "SpaceToDepth",
      "Split",   "Squeeze",  "Tile",   "Transpose",    "Unsqueeze",
  };
  return names.contains(op);
}

LogicalResult GraphImporter::checkSizes(Node &node) {
  if (emit.overflowed)
    return node.fail("sizes are negative or overflow 64 bits");
  if (emit.checkedInBranch)
    return node.fail("its sizes need a check at run time, which a branch that the data chooses "
                     "cannot have",
                     "make the sizes static, or check them in front of the If");
  return success();
}

LogicalResult GraphImporter::checkResult(Node &node, unsigned i) {
  Tensor *result = node.resultAt(i);
  if (result->rank() > kMaxRank)
    return node.fail("expects a rank of at most " + Twine(kMaxRank) + ", but got " +
                     Twine(result->rank()));
  emit.nameSizes(result, node.proto.output(static_cast<int>(i)), node.title());
  // A size that only some inputs make negative is checked when they are known.
  bool isNegative = llvm::any_of(result->shape, [&](const SymExpr &size) {
    std::optional<int64_t> greatest = syms.range(size).high;
    return greatest && *greatest < 0;
  });
  std::optional<int64_t> least = syms.range(Emitter::product(result->shape)).low;
  if (emit.overflowed || !Emitter::product(result->shape).isValid() || isNegative)
    return node.fail("the sizes of result " + Node::text(result->shape) +
                     " are negative or overflow 64 bits");
  uint64_t most = options.maxTensorBytes / std::max(1u, bitsOf(result->dtype) / 8);
  if (least && *least > 0 && static_cast<uint64_t>(*least) > most)
    return node.fail("expects a result of at most " + Twine(options.maxTensorBytes) +
                     " bytes, but got " + Node::text(result->shape));
  return success();
}

LogicalResult GraphImporter::importNode(const onnx::NodeProto &proto, int index, Scope &scope) {
  if (++nodeCount > options.maxNodes)
    return error("expects at most " + Twine(options.maxNodes) + " nodes");
  if (!isText(proto.name()) || !isText(proto.op_type()) || !isText(proto.domain()))
    return error("the name or type of node " + Twine(index) + " is no UTF-8 text");
  std::string name =
      scope.prefix +
      (proto.name().empty() ? proto.op_type() + "_" + std::to_string(index) : proto.name());
  SmallVector<Tensor *> inputs;
  bool isPoisoned = false;
  for (const std::string &input : proto.input()) {
    Tensor *tensor = nullptr;
    if (!input.empty()) {
      std::optional<Tensor *> found = find(scope, input);
      if (!found)
        return error("node '" + Twine(name) + "' (" + proto.op_type() + ") uses '" + input +
                     "', which nothing before it defines");
      tensor = *found;
      isPoisoned |= !tensor;
    }
    inputs.push_back(tensor);
  }
  SmallVector<Tensor *> given = inputs;
  while (!inputs.empty() && !inputs.back())
    inputs.pop_back();
  emit.loc = NameLoc::get(emit.b.getStringAttr(name));
  std::string domain = canonicalDomain(proto.domain());
  auto opset = scope.opsets.find(domain);
  auto read = [&](const onnx::TensorProto &tensor, std::string &why) {
    return reader.read(tensor, emit, why);
  };
  auto repeat = [&](const Repetition &repetition, Step step) {
    return makeRepetition(repetition, step);
  };
  Node node(emit, proto, name, opset == scope.opsets.end() ? 0 : opset->second,
            isPoisoned ? SmallVector<Tensor *>() : inputs, scope.attributes, read, repeat);

  auto attempt = [&]() -> LogicalResult {
    if (const onnx::FunctionProto *function = findFunction(domain, proto.op_type())) {
      if (isPoisoned)
        return success();
      return callFunction(*function, proto, name, given, scope);
    }
    if (opset == scope.opsets.end())
      return node.fail("the model imports no opset of domain '" + domain + "'");
    bool isIf = domain.empty() && proto.op_type() == "If";
    bool isLoop = domain.empty() && proto.op_type() == "Loop";
    bool isScan = domain.empty() && proto.op_type() == "Scan";
    bool hasGraphs = isIf || isLoop || isScan;
    const Operator *op = hasGraphs ? nullptr : findOperator(domain, proto.op_type());
    if (!op && !hasGraphs)
      return node.fail("the operator is not in this version");
    if (op && node.opset() < op->since)
      return node.fail("the operator is known from opset " + Twine(op->since) +
                           ", but the model imports " + Twine(node.opset()),
                       "export with opset " + Twine(op->since) + " or newer");
    if (op && node.opset() > op->known)
      return node.fail("opset " + Twine(node.opset()) + " of the operator is not known",
                       "export with opset " + Twine(op->known));
    if (isPoisoned)
      return success();
    if (isIf)
      return importIf(node, scope, name);
    if (isLoop)
      return importLoop(node, scope, name);
    if (isScan)
      return importScan(node, scope, name);
    unsigned most = op->maxInputs, count = node.numInputs();
    if (count < op->minInputs || count > most)
      return node.fail("expects " + Twine(op->minInputs) +
                       (most == op->minInputs ? Twine(" inputs")
                        : most == kAnyNumber  ? Twine(" or more inputs")
                                              : " to " + Twine(most) + " inputs") +
                       ", but got " + Twine(count));
    for (unsigned i = 0; i < op->minInputs; ++i)
      if (!node.has(i))
        return node.fail("expects input " + Twine(i) + " to be given");
    for (unsigned i = 0; i < count; ++i)
      if (node.has(i) && isSmallFloat(node.in(i)->dtype) && !takesSmallFloats(node.op()))
        return node.fail("arithmetic on elements of type " + nameOf(node.in(i)->dtype) +
                             " is not in this version",
                         "cast to float16 or float32 in front");
    emit.overflowed = emit.checkedInBranch = false;
    if (failed(op->import(node)))
      return failure();
    if (failed(node.checkAttributes()))
      return failure();
    for (unsigned i = 0; i < node.numResults(); ++i) {
      Tensor *result = node.resultAt(i);
      if (!result && node.wants(i))
        return node.fail("result " + Twine(i) + " is not supported");
      if (!result)
        continue;
      if (failed(checkResult(node, i)))
        return failure();
    }
    return checkSizes(node);
  };
  size_t gapsBefore = gaps.size();
  bool isImported = succeeded(attempt());
  if (!isImported && node.reason.empty() && gaps.size() == gapsBefore)
    return failure(); // Malformed, and said so.
  if (!isImported && !node.reason.empty())
    reportGap(node, name, domain, given);
  emit.overflowed = false;
  for (auto [i, output] : llvm::enumerate(proto.output())) {
    if (output.empty())
      continue;
    Tensor *result = isImported && !isPoisoned ? node.resultAt(i) : declared(output);
    // A function or If has defined its results as it went.
    if (isImported && !isPoisoned && !result && scope.values.count(output))
      continue;
    if (failed(define(scope, output, result)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

const onnx::FunctionProto *GraphImporter::findFunction(const std::string &domain,
                                                       const std::string &name) {
  for (const onnx::FunctionProto &function : model.functions())
    if (canonicalDomain(function.domain()) == domain && function.name() == name)
      return &function;
  return nullptr;
}

/// Defaults of a function's attributes: field 11, which Debian's onnx.proto does not know yet.
static std::vector<onnx::AttributeProto> defaultAttributes(const onnx::FunctionProto &function) {
  std::vector<onnx::AttributeProto> defaults;
  for (StringRef bytes : unknownMessages(function.unknown_fields(), 11)) {
    onnx::AttributeProto attr;
    if (attr.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
      defaults.push_back(std::move(attr));
  }
  return defaults;
}

LogicalResult GraphImporter::callFunction(const onnx::FunctionProto &function,
                                          const onnx::NodeProto &call, std::string name,
                                          ArrayRef<Tensor *> inputs, Scope &scope) {
  if (scope.depth >= options.maxNesting)
    return error("function '" + function.name() + "' calls itself, or calls nest deeper than " +
                 Twine(options.maxNesting));
  Scope inner;
  inner.prefix = name + "/";
  inner.depth = scope.depth + 1;
  if (failed(readOpsets(function.opset_import(), inner.opsets)))
    return failure();
  std::vector<onnx::AttributeProto> defaults = defaultAttributes(function);
  llvm::StringMap<const onnx::AttributeProto *> attributes;
  for (const onnx::AttributeProto &attr : defaults)
    attributes[attr.name()] = &attr;
  for (const onnx::AttributeProto &attr : call.attribute()) {
    const onnx::AttributeProto *given = &attr;
    if (!attr.ref_attr_name().empty())
      given = scope.attributes ? scope.attributes->lookup(attr.ref_attr_name()) : nullptr;
    if (given)
      attributes[attr.name()] = given;
  }
  inner.attributes = &attributes;
  if (static_cast<int>(inputs.size()) > function.input_size())
    return error("node '" + name + "' gives " + Twine(inputs.size()) + " inputs to function '" +
                 function.name() + "', which takes " + Twine(function.input_size()));
  for (auto [i, input] : llvm::enumerate(function.input()))
    if (i < inputs.size() && inputs[i] && failed(define(inner, input, inputs[i])))
      return failure();
  // An input that the call leaves out is an empty name to the nodes inside.
  llvm::StringSet<> absent;
  for (auto [i, input] : llvm::enumerate(function.input()))
    if (i >= inputs.size() || !inputs[i])
      absent.insert(input);
  for (const auto &[index, node] : llvm::enumerate(function.node())) {
    if (llvm::none_of(node.input(), [&](const auto &value) { return absent.contains(value); })) {
      if (failed(importNode(node, static_cast<int>(index), inner)))
        return failure();
      continue;
    }
    onnx::NodeProto reduced = node;
    for (std::string &value : *reduced.mutable_input())
      if (absent.contains(value))
        value.clear();
    if (failed(importNode(reduced, static_cast<int>(index), inner)))
      return failure();
  }
  for (auto [i, output] : llvm::enumerate(call.output())) {
    if (output.empty())
      continue;
    if (static_cast<int>(i) >= function.output_size() ||
        !inner.values.count(function.output(static_cast<int>(i))))
      return error("function '" + function.name() + "' does not define result " + Twine(i));
    if (failed(define(scope, output, inner.values.lookup(function.output(static_cast<int>(i))))))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// The model
//===----------------------------------------------------------------------===//

FailureOr<OwningOpRef<ModuleOp>> GraphImporter::import() {
  OpBuilder &b = emit.b;
  module = ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToStart(module->getBody());
  auto main = func::FuncOp::create(b, NameLoc::get(b.getStringAttr(model.graph().name())), "main",
                                   b.getFunctionType({}, {}));
  Block *entry = main.addEntryBlock();
  b.setInsertionPointToStart(entry);
  Scope scope;
  if (!model.has_graph() || model.graph().output_size() == 0)
    return error("the model holds no graph with outputs");
  if (failed(readOpsets(model.opset_import(), scope.opsets)) ||
      failed(importConstants(model.graph(), scope)) || failed(importInputs(scope, entry)) ||
      failed(importNodes(model.graph().node(), scope)) || failed(importOutputs(scope)))
    return failure();
  if (gaps.empty() && failed(verify(*module)))
    return failure();
  return std::move(module);
}
