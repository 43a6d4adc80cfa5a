//===- QuantizeModel.cpp - an ONNX model with quantized weights -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Quantize/Quantize.h"

#include "ExternalData.h"
#include "OnnxParts.h"

#include "lib/Frontend/ModelFile.h"
#include "sectile/Formats/Packing.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"
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
/// A type of ONNX whose elements are the format's codes, from which opset of DequantizeLinear on
/// with blocks, and the version of the file format that has it.
struct OnnxType {
  const char *format;
  int32_t type;
  int64_t opset, irVersion;
};

/// A weight that nodes multiply with.
struct Weight {
  onnx::TensorProto *tensor = nullptr;
  /// Whether it is [N, K].
  bool isTurned = false;
  int64_t depth = 0, columns = 0;
};
} // namespace

// onnx.proto of version 1.20, TensorProto.DataType; IR_VERSION's comments.
static constexpr OnnxType kOnnxTypes[] = {
    {"int8", 3, 21, 10},      {"uint8", 2, 21, 10},     {"int4", 22, 21, 10},
    {"uint4", 21, 21, 10},    {"e4m3fn", 17, 21, 10},   {"e5m2", 19, 21, 10},
    {"e4m3fnuz", 18, 21, 10}, {"e5m2fnuz", 20, 21, 10}, {"e2m1", 23, 23, 11},
    {"uint2", 25, 25, 13},    {"int2", 26, 25, 13},
};

static constexpr const char *kOwnDomain = "ai.sectile", *kMicrosoft = "com.microsoft";

static int64_t getOpset(const onnx::ModelProto &model) {
  for (const onnx::OperatorSetIdProto &import : model.opset_import())
    if (import.domain().empty() || import.domain() == "ai.onnx")
      return import.version();
  return 0;
}

static void importDomain(onnx::ModelProto &model, StringRef domain) {
  for (const onnx::OperatorSetIdProto &import : model.opset_import())
    if (import.domain() == domain)
      return;
  onnx::OperatorSetIdProto *import = model.add_opset_import();
  import->set_domain(domain.str());
  import->set_version(1);
}

namespace {
/// Quantizes the weights of one model.
class ModelQuantizer {
public:
  ModelQuantizer(onnx::ModelProto &model, StringRef folder, const Scheme &scheme,
                 const llvm::Regex *skip)
      : model(model), graph(*model.mutable_graph()), folder(folder), scheme(scheme), skip(skip) {}

  Expected<std::vector<Layer>> run(const std::function<void(unsigned, unsigned)> &progress);

private:
  void countUses(const onnx::GraphProto &part, bool isOuter);
  /// The weight that a node multiplies with, or why there is none to quantize.
  Expected<Weight> findWeight(const onnx::NodeProto &node);
  /// A row for each column, of floats.
  Expected<std::vector<float>> readColumns(const Weight &weight);
  Expected<Layer> quantizeNode(onnx::NodeProto &node, Layer layer, const Weight &weight);
  /// Names the tensor that holds a weight's numbers after the node that makes them of codes.
  std::string addDequantize(const Weight &weight, const Codes &codes, Layer &layer);
  void makeNBits(onnx::NodeProto &node, const Weight &weight, const Codes &codes, Layer &layer);
  bool fitsNBits(const onnx::NodeProto &node, const Weight &weight) const;
  const OnnxType *findType() const;
  onnx::TensorProto *addTensor(const Twine &name, int32_t type, llvm::ArrayRef<int64_t> dims,
                               StringRef bytes, Layer &layer);
  onnx::TensorProto *addScales(const Twine &name, const Weight &weight, const Codes &codes,
                               llvm::ArrayRef<int64_t> dims, bool isTurned, Layer &layer);
  std::string makeName(const Twine &base);

  onnx::ModelProto &model;
  onnx::GraphProto &graph;
  std::string folder;
  const Scheme &scheme;
  const llvm::Regex *skip;
  llvm::StringMap<onnx::TensorProto *> initializers;
  llvm::StringMap<unsigned> uses;
  llvm::StringSet<> names, inputs;
  /// Weights that are done, and the tensors of their numbers.
  llvm::StringMap<std::string> done;
  std::vector<onnx::NodeProto> added;
};
} // namespace

void ModelQuantizer::countUses(const onnx::GraphProto &part, bool isOuter) {
  for (const onnx::NodeProto &node : part.node()) {
    for (const std::string &input : node.input())
      ++uses[input];
    for (const std::string &output : node.output())
      names.insert(output);
    for (const onnx::AttributeProto &attribute : node.attribute())
      if (attribute.has_g())
        countUses(attribute.g(), false);
  }
  for (const onnx::ValueInfoProto &output : part.output())
    ++uses[output.name()];
  for (const onnx::ValueInfoProto &input : part.input()) {
    names.insert(input.name());
    if (isOuter)
      inputs.insert(input.name());
  }
  for (const onnx::TensorProto &tensor : part.initializer())
    names.insert(tensor.name());
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

Expected<std::vector<float>> ModelQuantizer::readColumns(const Weight &weight) {
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

std::string ModelQuantizer::makeName(const Twine &base) {
  std::string name = base.str();
  for (unsigned i = 1; !names.insert(name).second; ++i)
    name = (base + "_" + Twine(i)).str();
  return name;
}

onnx::TensorProto *ModelQuantizer::addTensor(const Twine &name, int32_t type,
                                             llvm::ArrayRef<int64_t> dims, StringRef bytes,
                                             Layer &layer) {
  onnx::TensorProto *tensor = graph.add_initializer();
  tensor->set_name(makeName(name));
  tensor->set_data_type(type);
  for (int64_t dim : dims)
    tensor->add_dims(dim);
  tensor->set_raw_data(bytes.data(), bytes.size());
  layer.bytesAfter += bytes.size();
  return tensor;
}

onnx::TensorProto *ModelQuantizer::addScales(const Twine &name, const Weight &weight,
                                             const Codes &codes, llvm::ArrayRef<int64_t> dims,
                                             bool isTurned, Layer &layer) {
  std::vector<float> scales =
      isTurned ? codes.scales : turn(codes.scales, codes.rows, codes.groupsPerRow);
  std::string bytes;
  bool isHalf = weight.tensor->data_type() == onnx::TensorProto::FLOAT16;
  for (float scale : scales) {
    uint16_t half = toHalf(scale);
    bytes.append(isHalf ? reinterpret_cast<const char *>(&half)
                        : reinterpret_cast<const char *>(&scale),
                 isHalf ? 2 : 4);
  }
  return addTensor(name, weight.tensor->data_type(), dims, bytes, layer);
}

static StringRef asBytes(const std::vector<uint8_t> &bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

const OnnxType *ModelQuantizer::findType() const {
  int64_t opset = getOpset(model);
  std::string name = scheme.format.print();
  for (const OnnxType &type : kOnnxTypes)
    if (name == type.format && opset >= type.opset)
      return &type;
  return nullptr;
}

std::string ModelQuantizer::addDequantize(const Weight &weight, const Codes &codes, Layer &layer) {
  std::string base = weight.tensor->name();
  bool isTurned = weight.isTurned;
  auto inOrder = [&](const std::vector<uint8_t> &elements, int64_t perRow) {
    return isTurned ? elements : turn(elements, codes.rows, perRow);
  };
  const OnnxType *type = findType();
  unsigned bits = scheme.format.getBits();
  auto pack = [&](const std::vector<uint8_t> &elements) { return *formats::pack(elements, bits); };
  int64_t depthAxis = isTurned ? 1 : 0, groups = codes.groupsPerRow;
  llvm::SmallVector<int64_t> shape = {weight.depth, weight.columns},
                             perGroup = {groups, weight.columns};
  if (isTurned) {
    std::swap(shape[0], shape[1]);
    std::swap(perGroup[0], perGroup[1]);
  }
  onnx::NodeProto node;
  node.set_name(makeName(base + "_dequantize"));
  std::vector<uint8_t> packed = pack(inOrder(codes.codes, weight.depth));
  if (type) {
    layer.form = "DequantizeLinear";
    node.set_op_type("DequantizeLinear");
    llvm::SmallVector<int64_t> scaleShape(perGroup);
    if (scheme.group == 0)
      scaleShape = {weight.columns};
    node.add_input(addTensor(base + "_codes", type->type, shape, asBytes(packed), layer)->name());
    node.add_input(addScales(base + "_scales", weight, codes, scaleShape, isTurned, layer)->name());
    if (scheme.hasZeroPoint)
      node.add_input(addTensor(base + "_zeros", type->type, scaleShape,
                               asBytes(pack(inOrder(codes.zeros, groups))), layer)
                         ->name());
    addInt(node, "axis", scheme.group == 0 ? 1 - depthAxis : depthAxis);
    if (scheme.group != 0)
      addInt(node, "block_size", scheme.group);
    if (model.ir_version() < type->irVersion)
      model.set_ir_version(type->irVersion);
  } else {
    layer.form = "ai.sectile.Dequantize";
    node.set_op_type("Dequantize");
    node.set_domain(kOwnDomain);
    importDomain(model, kOwnDomain);
    auto size = static_cast<int64_t>(packed.size());
    node.add_input(
        addTensor(base + "_codes", onnx::TensorProto::UINT8, {size}, asBytes(packed), layer)
            ->name());
    node.add_input(addScales(base + "_scales", weight, codes, perGroup, isTurned, layer)->name());
    if (scheme.hasZeroPoint)
      node.add_input(addTensor(base + "_zeros", onnx::TensorProto::UINT8, perGroup,
                               asBytes(inOrder(codes.zeros, groups)), layer)
                         ->name());
    onnx::AttributeProto *format = node.add_attribute();
    format->set_name("format");
    format->set_type(onnx::AttributeProto::STRING);
    format->set_s(scheme.format.print());
    addInts(node, "shape", shape);
    llvm::SmallVector<int64_t> block = {1, 1};
    block[depthAxis] = scheme.group; // 0: all
    addInts(node, "block", block);
  }
  std::string result = makeName(base + "_numbers");
  node.add_output(result);
  added.push_back(std::move(node));
  return result;
}

bool ModelQuantizer::fitsNBits(const onnx::NodeProto &node, const Weight &weight) const {
  unsigned bits = scheme.format.getBits();
  const formats::IntegerLayout *integer = scheme.format.getInteger();
  // Without zero points, codes are around the middle: signed, or biased by it.
  bool isCentred = integer && integer->fractionBits == 0 &&
                   (integer->isSigned || integer->bias == (1 << (bits - 1)));
  bool isPlain = integer && integer->fractionBits == 0 && !integer->isSigned && integer->bias == 0;
  return node.op_type() == "MatMul" && (bits == 2 || bits == 4 || bits == 8) &&
         (scheme.hasZeroPoint ? isPlain : isCentred) && scheme.group >= 16 &&
         llvm::isPowerOf2_64(scheme.group);
}

void ModelQuantizer::makeNBits(onnx::NodeProto &node, const Weight &weight, const Codes &codes,
                               Layer &layer) {
  layer.form = "MatMulNBits";
  unsigned bits = scheme.format.getBits();
  auto flip = static_cast<uint8_t>(
      scheme.format.getInteger()->isSigned && !scheme.hasZeroPoint ? 1 << (bits - 1) : 0);
  int64_t groups = codes.groupsPerRow, blob = scheme.group * bits / 8;
  auto middle = static_cast<uint8_t>(1 << (bits - 1));
  // Each block in whole bytes; what the last one of a row lacks stands for zero.
  std::vector<uint8_t> padded(codes.rows * groups * scheme.group, middle);
  for (int64_t row = 0; row < codes.rows; ++row)
    for (int64_t k = 0; k < weight.depth; ++k)
      padded[row * groups * scheme.group + k] = codes.codes[row * weight.depth + k] ^ flip;
  std::string base = weight.tensor->name();
  node.set_op_type("MatMulNBits");
  node.set_domain(kMicrosoft);
  importDomain(model, kMicrosoft);
  node.set_input(1, addTensor(base + "_codes", onnx::TensorProto::UINT8, {codes.rows, groups, blob},
                              asBytes(*formats::pack(padded, bits)), layer)
                        ->name());
  node.add_input(
      addScales(base + "_scales", weight, codes, {codes.rows * groups}, true, layer)->name());
  if (scheme.hasZeroPoint) {
    // Rows of zero points are whole bytes too.
    std::vector<uint8_t> bytes;
    for (int64_t row = 0; row < codes.rows; ++row) {
      std::vector<uint8_t> zeros(codes.zeros.begin() + row * groups,
                                 codes.zeros.begin() + (row + 1) * groups);
      std::vector<uint8_t> packed = *formats::pack(zeros, bits);
      bytes.insert(bytes.end(), packed.begin(), packed.end());
    }
    auto size = static_cast<int64_t>(bytes.size());
    node.add_input(
        addTensor(base + "_zeros", onnx::TensorProto::UINT8, {size}, asBytes(bytes), layer)
            ->name());
  }
  addInt(node, "K", weight.depth);
  addInt(node, "N", weight.columns);
  addInt(node, "bits", bits);
  addInt(node, "block_size", scheme.group);
}

Expected<Layer> ModelQuantizer::quantizeNode(onnx::NodeProto &node, Layer layer,
                                             const Weight &weight) {
  Expected<std::vector<float>> values = readColumns(weight);
  if (!values)
    return values.takeError();
  bool isHalf = weight.tensor->data_type() == onnx::TensorProto::FLOAT16;
  Expected<Codes> codes =
      quantize::quantize(scheme, *values, weight.columns, weight.depth,
                         [&](float scale) { return isHalf ? fromHalf(toHalf(scale)) : scale; });
  if (!codes)
    return refuse("weight '" + weight.tensor->name() + "': " + llvm::toString(codes.takeError()));
  layer.depth = weight.depth;
  layer.columns = weight.columns;
  layer.bytesBefore = values->size() * (isHalf ? 2 : 4);
  layer.relativeError = codes->squares > 0 ? std::sqrt(codes->squaredErrors / codes->squares) : 0;
  layer.largestError = codes->largestError;
  --uses[weight.tensor->name()];
  std::string name = node.input(1);
  if (!findType() && fitsNBits(node, weight)) {
    makeNBits(node, weight, *codes, layer);
    return layer;
  }
  std::string numbers = addDequantize(weight, *codes, layer);
  done[name] = numbers;
  node.set_input(1, numbers);
  return layer;
}

Expected<std::vector<Layer>>
ModelQuantizer::run(const std::function<void(unsigned, unsigned)> &progress) {
  if (llvm::Error error = takeInExternalData(graph, folder))
    return std::move(error);
  countUses(graph, true);
  // Initializers are added: their addresses stay, the list's order does not matter.
  for (onnx::TensorProto &tensor : *graph.mutable_initializer())
    initializers[tensor.name()] = &tensor;
  std::vector<Layer> layers;
  auto numNodes = static_cast<unsigned>(graph.node_size());
  for (unsigned i = 0; i < numNodes; ++i) {
    if (progress)
      progress(i, numNodes);
    onnx::NodeProto &node = *graph.mutable_node(static_cast<int>(i));
    bool isStandard = node.domain().empty() || node.domain() == "ai.onnx";
    bool isProduct = isStandard && (node.op_type() == "MatMul" || node.op_type() == "Gemm") &&
                     node.input_size() >= 2;
    if (isProduct) {
      Layer layer;
      layer.node = node.name();
      layer.weight = node.input(1);
      auto known = done.find(node.input(1));
      Expected<Weight> weight = findWeight(node);
      if (!weight) {
        layer.reason = llvm::toString(weight.takeError());
      } else if (skip && (skip->match(node.name()) || skip->match(node.input(1)))) {
        layer.reason = "skipped";
      } else if (known != done.end()) {
        layer.reason = "its weight is quantized already, and shared";
        --uses[node.input(1)];
        node.set_input(1, known->second);
      } else {
        Expected<Layer> quantized = quantizeNode(node, layer, *weight);
        if (!quantized)
          return quantized.takeError();
        layer = *quantized;
      }
      layers.push_back(layer);
    }
  }
  // Nodes that make numbers of codes read constants only: first of all.
  if (!added.empty()) {
    auto *nodes = graph.mutable_node();
    int before = nodes->size();
    for (onnx::NodeProto &node : added)
      *nodes->Add() = std::move(node);
    std::rotate(nodes->pointer_begin(), nodes->pointer_begin() + before, nodes->pointer_end());
  }
  auto *tensors = graph.mutable_initializer();
  for (int i = tensors->size(); i-- > 0;) {
    auto found = initializers.find((*tensors)[i].name());
    if (found != initializers.end() && found->second == &(*tensors)[i] &&
        uses.lookup((*tensors)[i].name()) == 0 && !inputs.contains((*tensors)[i].name()))
      tensors->DeleteSubrange(i, 1);
  }
  return layers;
}

Expected<QuantizedModel>
quantize::quantizeOnnxFile(StringRef path, const Scheme &scheme, const llvm::Regex *skip,
                           const std::function<void(unsigned, unsigned)> &progress) {
  auto file = frontend::MappedFile::openModel(path, kMaxModelBytes);
  if (!file)
    return file.takeError();
  onnx::ModelProto model;
  llvm::ArrayRef<char> bytes = (*file)->bytes();
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) || !model.has_graph())
    return refuse("'" + path + "': expects an ONNX model, but it cannot be read as one");
  StringRef folder = llvm::sys::path::parent_path(path);
  Expected<std::vector<Layer>> layers = ModelQuantizer(model, folder, scheme, skip).run(progress);
  if (!layers)
    return refuse("'" + path + "': " + llvm::toString(layers.takeError()));
  QuantizedModel result;
  result.layers = std::move(*layers);
  if (model.ByteSizeLong() > kMaxModelBytes)
    return refuse("'" + path +
                  "': the quantized model has more than 2 GB, which takes external "
                  "data: not in this version");
  model.SerializeToString(&result.bytes);
  return result;
}
