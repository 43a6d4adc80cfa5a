//===- QuantizeModel.cpp - an ONNX model with quantized weights -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Quantize/Quantize.h"

#include "CalibrationModel.h"
#include "CodesWriter.h"
#include "ExternalData.h"
#include "FileWeights.h"
#include "OnnxParts.h"

#include "lib/Frontend/ModelFile.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

#include <onnx.pb.h>

#include <cmath>
#include <cstring>

using namespace sectile;
using namespace sectile::quantize;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

static llvm::Error refuse(const Twine &why) { return llvm::createStringError(why); }

/// What a model file may hold: protobuf's own limit.
static constexpr uint64_t kMaxModelBytes = (uint64_t(1) << 31) - 1;

namespace {
/// Quantizes the weights of one model.
class ModelQuantizer {
public:
  ModelQuantizer(onnx::ModelProto &model, StringRef folder, const QuantizeOptions &options)
      : graph(*model.mutable_graph()), parts{model, {}, {}}, folder(folder), options(options) {}

  llvm::Error run(QuantizedModel &result);

private:
  void countUses(const onnx::GraphProto &part, bool isOuter);
  /// The weight that a node multiplies with, or why there is none to quantize.
  Expected<Weight> findWeight(const onnx::NodeProto &node);
  bool isSkipped(const onnx::NodeProto &node) const {
    return options.skip && (options.skip->match(node.name()) || options.skip->match(node.input(1)));
  }
  /// Tells the calibrator which products will be asked for.
  void expectInputs(Calibrator &calibrator);
  Expected<Layer> visit(onnx::NodeProto &node);
  Expected<Layer> quantizeNode(onnx::NodeProto &node, Layer layer, const Weight &weight);
  /// Puts codes into the model in the place of the weight of `node`.
  void write(onnx::NodeProto &node, const Weight &weight, const Scheme &scheme, const Codes &codes,
             Layer &layer);
  void removeUnused();

  onnx::GraphProto &graph;
  ModelParts parts;
  std::string folder;
  const QuantizeOptions &options;
  std::unique_ptr<FileWeights> files;
  std::unique_ptr<Calibrator> calibrator;
  llvm::StringMap<onnx::TensorProto *> initializers;
  llvm::StringMap<unsigned> uses;
  llvm::StringSet<> inputs;
  /// Weights that are done, and the tensors of their numbers.
  llvm::StringMap<std::string> done;
};
} // namespace

static bool isProduct(const onnx::NodeProto &node) {
  bool isStandard = node.domain().empty() || node.domain() == "ai.onnx";
  return isStandard && (node.op_type() == "MatMul" || node.op_type() == "Gemm") &&
         node.input_size() >= 2;
}

void ModelQuantizer::countUses(const onnx::GraphProto &part, bool isOuter) {
  for (const onnx::NodeProto &node : part.node()) {
    for (const std::string &input : node.input())
      ++uses[input];
    for (const std::string &output : node.output())
      parts.names.insert(output);
    for (const onnx::AttributeProto &attribute : node.attribute())
      if (attribute.has_g())
        countUses(attribute.g(), false);
  }
  for (const onnx::ValueInfoProto &output : part.output())
    ++uses[output.name()];
  for (const onnx::ValueInfoProto &input : part.input()) {
    parts.names.insert(input.name());
    if (isOuter)
      inputs.insert(input.name());
  }
  for (const onnx::TensorProto &tensor : part.initializer())
    parts.names.insert(tensor.name());
}

Expected<Weight> ModelQuantizer::findWeight(const onnx::NodeProto &node) {
  Weight weight;
  auto found = initializers.find(node.input(1));
  if (found == initializers.end())
    return refuse("its weight is not a constant");
  weight.tensor = found->second;
  if (inputs.contains(node.input(1)))
    return refuse("its weight is an input");
  if (weight.tensor->dims_size() != 2 || weight.tensor->dims(0) < 1 || weight.tensor->dims(1) < 1)
    return refuse("its weight is not a matrix");
  if (weight.tensor->data_type() != onnx::TensorProto::FLOAT &&
      weight.tensor->data_type() != onnx::TensorProto::FLOAT16)
    return refuse("its weight is neither float32 nor float16");
  weight.isTurned = node.op_type() == "Gemm" && getInt(node, "transB", 0) != 0;
  weight.depth = weight.tensor->dims(weight.isTurned ? 1 : 0);
  weight.columns = weight.tensor->dims(weight.isTurned ? 0 : 1);
  if (weight.depth > (int64_t(1) << 31) / weight.columns)
    return refuse("its weight has more than 2^31 elements");
  return weight;
}

/// A row for each column, of floats.
static Expected<std::vector<float>> readColumns(const Weight &weight) {
  const onnx::TensorProto &tensor = *weight.tensor;
  int64_t count = weight.depth * weight.columns;
  bool isHalf = tensor.data_type() == onnx::TensorProto::FLOAT16;
  size_t bytes = isHalf ? 2 : 4;
  const std::string &raw = tensor.raw_data();
  bool isRaw = tensor.has_raw_data();
  int64_t given = isRaw ? static_cast<int64_t>(raw.size() / bytes)
                        : (isHalf ? tensor.int32_data_size() : tensor.float_data_size());
  if (given != count || (isRaw && raw.size() % bytes != 0))
    return refuse("weight '" + tensor.name() + "': expects " + Twine(count) +
                  " elements for its shape, but got " + Twine(given));
  auto at = [&](int64_t i) {
    if (isHalf) {
      uint16_t bits = 0;
      if (isRaw)
        memcpy(&bits, raw.data() + 2 * i, 2);
      else
        bits = static_cast<uint16_t>(tensor.int32_data(static_cast<int>(i)));
      return fromHalf(bits);
    }
    float value = 0;
    if (!isRaw)
      return tensor.float_data(static_cast<int>(i));
    memcpy(&value, raw.data() + 4 * i, 4);
    return value;
  };
  std::vector<float> values(count);
  for (int64_t column = 0; column < weight.columns; ++column)
    for (int64_t k = 0; k < weight.depth; ++k)
      values[column * weight.depth + k] =
          at(weight.isTurned ? column * weight.depth + k : k * weight.columns + column);
  return values;
}

void ModelQuantizer::write(onnx::NodeProto &node, const Weight &weight, const Scheme &scheme,
                           const Codes &codes, Layer &layer) {
  std::string name = weight.tensor->name();
  layer.relativeError = codes.squares > 0 ? std::sqrt(codes.squaredErrors / codes.squares) : 0;
  layer.largestError = codes.largestError;
  std::string numbers = CodesWriter(parts, scheme, weight, codes, layer).write(node);
  --uses[name];
  if (!numbers.empty())
    done[name] = numbers;
}

Expected<Layer> ModelQuantizer::quantizeNode(onnx::NodeProto &node, Layer layer,
                                             const Weight &weight) {
  auto fail = [&](llvm::Error error) {
    return refuse("weight '" + weight.tensor->name() + "': " + llvm::toString(std::move(error)));
  };
  Expected<std::vector<float>> values = readColumns(weight);
  if (!values)
    return values.takeError();
  bool isHalf = weight.tensor->data_type() == onnx::TensorProto::FLOAT16;
  auto roundScale = [&](float scale) { return isHalf ? fromHalf(toHalf(scale)) : scale; };
  const Scheme &scheme = *options.scheme;
  Codes codes;
  if (calibrator) {
    Expected<Gram> gram = calibrator->take(weight.tensor->name());
    if (!gram)
      return gram.takeError();
    Expected<Codes> made =
        quantizeWithInputs(scheme, *values, weight.columns, *gram, roundScale, layer.methods);
    if (!made)
      return fail(made.takeError());
    codes = std::move(*made);
    if (scheme.isSequential)
      calibrator->replace(weight, scheme, codes);
  } else {
    Expected<Codes> made =
        quantize::quantize(scheme, *values, weight.columns, weight.depth, roundScale);
    if (!made)
      return fail(made.takeError());
    codes = std::move(*made);
  }
  write(node, weight, scheme, codes, layer);
  return layer;
}

Expected<Layer> ModelQuantizer::visit(onnx::NodeProto &node) {
  Layer layer;
  layer.node = node.name();
  layer.weight = node.input(1);
  Expected<Weight> weight = findWeight(node);
  if (!weight) {
    layer.reason = llvm::toString(weight.takeError());
    return layer;
  }
  auto known = done.find(node.input(1));
  if (known != done.end()) {
    if (isSkipped(node)) {
      layer.reason = "skipped";
      return layer;
    }
    layer.reason = "its weight is quantized already, and shared";
    --uses[node.input(1)];
    node.set_input(1, known->second);
    return layer;
  }
  if (files && files->isWaiting(node.input(1))) {
    Expected<std::optional<FileCodes>> codes = files->takeCodes(*weight);
    if (!codes)
      return codes.takeError();
    if (*codes) {
      layer.source = (*codes)->type;
      write(node, *weight, (*codes)->scheme, (*codes)->codes, layer);
      return layer;
    }
    if (llvm::Error error = files->fill(*weight->tensor))
      return std::move(error);
  }
  if (!options.scheme)
    layer.reason = "no format is asked for";
  else if (isSkipped(node))
    layer.reason = "skipped";
  else
    return quantizeNode(node, std::move(layer), *weight);
  return layer;
}

void ModelQuantizer::expectInputs(Calibrator &calibrator) {
  for (const onnx::NodeProto &node : graph.node()) {
    if (!isProduct(node) || isSkipped(node))
      continue;
    Expected<Weight> weight = findWeight(node);
    if (!weight) {
      llvm::consumeError(weight.takeError());
      continue;
    }
    if (files && files->canKeep(*weight))
      continue;
    bool isTurned = node.op_type() == "Gemm" && getInt(node, "transA", 0) != 0;
    calibrator.expect(node.input(1), weight->depth, node.input(0), isTurned);
  }
}

void ModelQuantizer::removeUnused() {
  auto *tensors = graph.mutable_initializer();
  for (int i = tensors->size(); i-- > 0;) {
    auto found = initializers.find((*tensors)[i].name());
    if (found != initializers.end() && found->second == &(*tensors)[i] &&
        uses.lookup((*tensors)[i].name()) == 0 && !inputs.contains((*tensors)[i].name()))
      tensors->DeleteSubrange(i, 1);
  }
}

llvm::Error ModelQuantizer::run(QuantizedModel &result) {
  if (llvm::Error error = takeInExternalData(graph, folder))
    return error;
  countUses(graph, true);
  // Initializers are added: their addresses stay, the list's order does not matter.
  for (onnx::TensorProto &tensor : *graph.mutable_initializer())
    initializers[tensor.name()] = &tensor;
  if (options.source) {
    auto opened = FileWeights::open(*options.source);
    if (!opened)
      return opened.takeError();
    files = std::move(*opened);
    if (llvm::Error error = files->apply(graph))
      return error;
  }
  if (options.scheme && options.sumOutputs) {
    onnx::ModelProto original = parts.model;
    // What runs has numbers where codes wait for their readers.
    if (files)
      for (onnx::TensorProto &tensor : *original.mutable_graph()->mutable_initializer())
        if (llvm::Error error = files->fillCopy(tensor))
          return error;
    calibrator = std::make_unique<Calibrator>(std::move(original), options.sumOutputs,
                                              options.scheme->isSequential);
    expectInputs(*calibrator);
  }
  auto numNodes = static_cast<unsigned>(graph.node_size());
  for (unsigned i = 0; i < numNodes; ++i) {
    if (options.progress)
      options.progress(i, numNodes);
    onnx::NodeProto &node = *graph.mutable_node(static_cast<int>(i));
    if (!isProduct(node))
      continue;
    Expected<Layer> layer = visit(node);
    if (!layer)
      return layer.takeError();
    result.layers.push_back(std::move(*layer));
  }
  // Nodes that make numbers of codes read constants only: first of all.
  if (!parts.added.empty()) {
    auto *nodes = graph.mutable_node();
    int before = nodes->size();
    for (onnx::NodeProto &node : parts.added)
      *nodes->Add() = std::move(node);
    std::rotate(nodes->pointer_begin(), nodes->pointer_begin() + before, nodes->pointer_end());
  }
  removeUnused();
  if (files) {
    for (onnx::TensorProto &tensor : *graph.mutable_initializer())
      if (llvm::Error error = files->fill(tensor))
        return error;
    files->finish(result);
  }
  return llvm::Error::success();
}

Expected<QuantizedModel> quantize::quantizeOnnxFile(StringRef path,
                                                    const QuantizeOptions &options) {
  auto file = frontend::MappedFile::openModel(path, kMaxModelBytes);
  if (!file)
    return file.takeError();
  onnx::ModelProto model;
  llvm::ArrayRef<char> bytes = (*file)->bytes();
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model.has_graph())
    return refuse("'" + path + "': expects an ONNX model, but it cannot be read as one");
  QuantizedModel result;
  if (llvm::Error error =
          ModelQuantizer(model, llvm::sys::path::parent_path(path), options).run(result))
    return refuse("'" + path + "': " + llvm::toString(std::move(error)));
  if (options.usesData || model.ByteSizeLong() > kMaxModelBytes)
    result.model.data = moveOutData(*model.mutable_graph(), options.dataName);
  if (model.ByteSizeLong() > kMaxModelBytes)
    return refuse("'" + path +
                  "': the model has more than 2 GB without the data of its initializers");
  model.SerializeToString(&result.model.bytes);
  return result;
}
