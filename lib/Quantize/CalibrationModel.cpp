//===- CalibrationModel.cpp - what weights are multiplied with --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CalibrationModel.h"

#include "CodesWriter.h"
#include "ExternalData.h"

#include <cstring>
#include <map>

using namespace sectile;
using namespace sectile::quantize;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

static llvm::Error refuse(const Twine &why) { return llvm::createStringError(why); }

/// Inputs of one weight: their products are 8 GiB of doubles then.
static constexpr int64_t kMaxDepth = int64_t(1) << 15;

/// Products that are held at once, in numbers: 1 GiB of doubles, beside the float32 of the run.
static constexpr int64_t kMaxNumbers = int64_t(1) << 27;

Calibrator::Calibrator(onnx::ModelProto given, const SumOutputs &sumOutputs, bool isSequential)
    : model(std::move(given)), sumOutputs(sumOutputs), isSequential(isSequential) {
  written.data = moveOutData(*model.mutable_graph(), kCalibrationData);
  // Each tensor that was moved out has left its bytes and what fills their last page.
  size_t part = 0;
  for (const onnx::TensorProto &tensor : model.graph().initializer())
    if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
      parts[tensor.name()] = part;
      part += 2;
    }
}

void Calibrator::expect(StringRef weight, int64_t depth, StringRef tensor, bool isTurned) {
  auto [place, isNew] = places.try_emplace(weight, expected.size());
  if (isNew)
    expected.push_back({weight.str(), depth, {}});
  expected[place->second].tensors.emplace_back(tensor.str(), isTurned);
}

namespace {
/// Adds nodes to a copy of a model.
class ModelBuilder {
public:
  explicit ModelBuilder(const onnx::ModelProto &from) : model(from), parts{model, {}, {}} {
    onnx::GraphProto &graph = *model.mutable_graph();
    graph.clear_output();
    for (const onnx::NodeProto &node : graph.node())
      for (const std::string &output : node.output())
        parts.names.insert(output);
    for (const onnx::ValueInfoProto &input : graph.input())
      parts.names.insert(input.name());
    for (const onnx::TensorProto &tensor : graph.initializer())
      parts.names.insert(tensor.name());
  }

  /// Makes transpose(x) * x, [depth, depth] in float32, an output.
  void addProducts(const std::string &tensor, bool isTurned, int64_t depth) {
    onnx::NodeProto &cast = addNode("Cast", {tensor});
    addInt(cast, "to", onnx::TensorProto::FLOAT);
    onnx::TensorProto &shape = *model.mutable_graph()->add_initializer();
    shape.set_name(parts.makeName(tensor + "_rows"));
    shape.set_data_type(onnx::TensorProto::INT64);
    shape.add_dims(2);
    shape.add_int64_data(isTurned ? depth : -1);
    shape.add_int64_data(isTurned ? -1 : depth);
    std::string rows = addNode("Reshape", {cast.output(0), shape.name()}).output(0);
    onnx::NodeProto &transpose = addNode("Transpose", {rows});
    addInts(transpose, "perm", {1, 0});
    std::string turned = transpose.output(0);
    const onnx::NodeProto &product =
        isTurned ? addNode("MatMul", {rows, turned}) : addNode("MatMul", {turned, rows});
    onnx::ValueInfoProto &output = *model.mutable_graph()->add_output();
    output.set_name(product.output(0));
    auto &type = *output.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_value(depth);
    type.mutable_shape()->add_dim()->set_dim_value(depth);
  }

  onnx::ModelProto model;

private:
  onnx::NodeProto &addNode(const char *op, std::initializer_list<std::string> inputs) {
    onnx::NodeProto &node = *model.mutable_graph()->add_node();
    node.set_op_type(op);
    node.set_name(parts.makeName(*inputs.begin() + "_" + op));
    for (const std::string &input : inputs)
      node.add_input(input);
    node.add_output(parts.makeName(*inputs.begin() + "_to_" + op));
    return node;
  }

  ModelParts parts;
};
} // namespace

llvm::Error Calibrator::run(StringRef first) {
  if (getOpset(model) < 5)
    return refuse("calibration takes a model of opset 5 or later, but this one has " +
                  Twine(getOpset(model)));
  // Layers that share an input share its products.
  std::map<std::pair<std::string, bool>, int64_t> tensors;
  size_t begin = places.lookup(first), end = begin;
  for (int64_t numbers = 0; end < expected.size(); ++end) {
    const WeightInputs &inputs = expected[end];
    if (inputs.depth > kMaxDepth)
      return refuse("weight '" + inputs.weight + "' sums over " + Twine(inputs.depth) +
                    " inputs, of whose products calibration holds those of " + Twine(kMaxDepth) +
                    " at most: --skip names weights to leave out");
    numbers += 2 * inputs.depth * inputs.depth;
    if (end > begin &&
        (numbers > kMaxNumbers || (isSequential && inputs.tensors != expected[begin].tensors)))
      break;
    for (const auto &input : inputs.tensors)
      tensors[input] = inputs.depth;
  }
  ModelBuilder builder(model);
  for (const auto &[input, depth] : tensors)
    builder.addProducts(input.first, input.second, depth);
  if (!builder.model.SerializeToString(&written.bytes))
    return refuse("its structure has more than 2 GB");
  std::vector<std::vector<double>> sums;
  if (llvm::Error error = sumOutputs(written, sums))
    return error;
  for (; begin < end; ++begin) {
    const WeightInputs &inputs = expected[begin];
    Gram gram{inputs.depth, std::vector<double>(inputs.depth * inputs.depth)};
    for (const auto &input : inputs.tensors) {
      auto index = static_cast<size_t>(std::distance(tensors.begin(), tensors.find(input)));
      for (size_t i = 0; i < gram.values.size(); ++i)
        gram.values[i] += sums[index][i];
    }
    // A kernel may sum [i, j] and [j, i] in another order.
    for (int64_t i = 0; i < gram.depth; ++i)
      for (int64_t j = 0; j < i; ++j) {
        double &lower = gram.values[i * gram.depth + j], &upper = gram.values[j * gram.depth + i];
        lower = upper = (lower + upper) / 2;
      }
    found[inputs.weight] = std::move(gram);
  }
  return llvm::Error::success();
}

Expected<Gram> Calibrator::take(StringRef weight) {
  if (!found.contains(weight))
    if (llvm::Error error = run(weight))
      return std::move(error);
  auto place = found.find(weight);
  Gram gram = std::move(place->second);
  found.erase(place);
  return gram;
}

void Calibrator::replace(const Weight &weight, const Scheme &scheme, const Codes &codes) {
  bool isHalf = weight.tensor->data_type() == onnx::TensorProto::FLOAT16;
  size_t size = isHalf ? 2 : 4;
  std::string bytes(codes.codes.size() * size, '\0');
  for (int64_t row = 0; row < codes.rows; ++row)
    for (int64_t i = 0; i < codes.depth; ++i) {
      auto value = static_cast<float>(codes.decode(scheme, row, i));
      uint16_t half = toHalf(value);
      int64_t place = weight.isTurned ? row * codes.depth + i : i * codes.rows + row;
      memcpy(&bytes[place * size], isHalf ? static_cast<void *>(&half) : &value, size);
    }
  auto part = parts.find(weight.tensor->name());
  if (part != parts.end()) {
    written.data[part->second] = std::move(bytes);
    return;
  }
  for (onnx::TensorProto &tensor : *model.mutable_graph()->mutable_initializer())
    if (tensor.name() == weight.tensor->name()) {
      tensor.clear_float_data();
      tensor.clear_int32_data();
      tensor.set_raw_data(std::move(bytes));
      return;
    }
}
