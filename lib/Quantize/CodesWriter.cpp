//===- CodesWriter.cpp - nodes that make numbers of codes ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CodesWriter.h"

#include "sectile/Formats/Packing.h"

#include "llvm/Support/MathExtras.h"

using namespace sectile;
using namespace sectile::quantize;
using llvm::StringRef;
using llvm::Twine;

namespace sectile::quantize {
/// A type of ONNX whose elements are the format's codes, from which opset of DequantizeLinear on
/// with blocks, and the version of the file format that has it.
struct OnnxType {
  const char *format;
  int32_t type;
  int64_t opset, irVersion;
};
} // namespace sectile::quantize

// onnx.proto of version 1.20, TensorProto.DataType; IR_VERSION's comments.
static constexpr OnnxType kOnnxTypes[] = {
    {"int8", 3, 21, 10},      {"uint8", 2, 21, 10},     {"int4", 22, 21, 10},
    {"uint4", 21, 21, 10},    {"e4m3fn", 17, 21, 10},   {"e5m2", 19, 21, 10},
    {"e4m3fnuz", 18, 21, 10}, {"e5m2fnuz", 20, 21, 10}, {"e2m1", 23, 23, 11},
    {"uint2", 25, 25, 13},    {"int2", 26, 25, 13},
};

static constexpr const char *kOwnDomain = "ai.sectile", *kMicrosoft = "com.microsoft";

int64_t quantize::getOpset(const onnx::ModelProto &model) {
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

std::string ModelParts::makeName(const Twine &base) {
  std::string name = base.str();
  for (unsigned i = 1; !names.insert(name).second; ++i)
    name = (base + "_" + Twine(i)).str();
  return name;
}

static StringRef asBytes(const std::vector<uint8_t> &bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

/// The bytes of floats as elements of a type.
static std::string asFloats(const std::vector<float> &values, int32_t type) {
  if (type == onnx::TensorProto::FLOAT)
    return {reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float)};
  std::string bytes;
  for (float value : values) {
    uint16_t half = toHalf(value);
    bytes.append(reinterpret_cast<const char *>(&half), sizeof half);
  }
  return bytes;
}

CodesWriter::CodesWriter(ModelParts &parts, const Scheme &scheme, const Weight &weight,
                         const Codes &codes, Layer &layer)
    : parts(parts), scheme(scheme), weight(weight), codes(codes), layer(layer),
      weightType(weight.tensor->data_type()), scaleType(weightType) {
  // Scales of files may have more bits than a half float.
  if (weightType == onnx::TensorProto::FLOAT16)
    for (float scale : codes.scales)
      if (fromHalf(toHalf(scale)) != scale)
        scaleType = onnx::TensorProto::FLOAT;
  if (!codes.floatZeros.empty())
    scaleType = onnx::TensorProto::FLOAT;
}

std::string CodesWriter::addTensor(const Twine &suffix, int32_t type, llvm::ArrayRef<int64_t> dims,
                                   StringRef bytes) {
  onnx::TensorProto *tensor = parts.model.mutable_graph()->add_initializer();
  tensor->set_name(parts.makeName(weight.tensor->name() + suffix));
  tensor->set_data_type(type);
  for (int64_t dim : dims)
    tensor->add_dims(dim);
  tensor->set_raw_data(bytes.data(), bytes.size());
  layer.bytesAfter += bytes.size();
  return tensor->name();
}

std::string CodesWriter::addFloats(const Twine &suffix, const std::vector<float> &values,
                                   llvm::ArrayRef<int64_t> dims, bool isTurned) {
  return addTensor(
      suffix, scaleType, dims,
      asFloats(isTurned ? values : turn(values, codes.rows, codes.groupsPerRow), scaleType));
}

const OnnxType *CodesWriter::findType() const {
  int64_t opset = getOpset(parts.model);
  std::string name = scheme.format.print();
  for (const OnnxType &type : kOnnxTypes)
    if (name == type.format && opset >= type.opset)
      return &type;
  return nullptr;
}

std::string CodesWriter::addDequantize() {
  std::string base = weight.tensor->name();
  bool isTurned = weight.isTurned;
  auto inOrder = [&](const std::vector<uint8_t> &elements, int64_t perRow) {
    return isTurned ? elements : turn(elements, codes.rows, perRow);
  };
  const OnnxType *type = codes.floatZeros.empty() ? findType() : nullptr;
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
  node.set_name(parts.makeName(base + "_dequantize"));
  std::vector<uint8_t> packed = pack(inOrder(codes.codes, weight.depth));
  if (type) {
    layer.form = "DequantizeLinear";
    node.set_op_type("DequantizeLinear");
    llvm::SmallVector<int64_t> scaleShape(perGroup);
    if (scheme.group == 0)
      scaleShape = {weight.columns};
    node.add_input(addTensor("_codes", type->type, shape, asBytes(packed)));
    node.add_input(addFloats("_scales", codes.scales, scaleShape, isTurned));
    if (!codes.zeros.empty())
      node.add_input(
          addTensor("_zeros", type->type, scaleShape, asBytes(pack(inOrder(codes.zeros, groups)))));
    addInt(node, "axis", scheme.group == 0 ? 1 - depthAxis : depthAxis);
    if (scheme.group != 0)
      addInt(node, "block_size", scheme.group);
    if (parts.model.ir_version() < type->irVersion)
      parts.model.set_ir_version(type->irVersion);
  } else {
    layer.form = "ai.sectile.Dequantize";
    node.set_op_type("Dequantize");
    node.set_domain(kOwnDomain);
    importDomain(parts.model, kOwnDomain);
    auto size = static_cast<int64_t>(packed.size());
    node.add_input(addTensor("_codes", onnx::TensorProto::UINT8, {size}, asBytes(packed)));
    node.add_input(addFloats("_scales", codes.scales, perGroup, isTurned));
    if (!codes.zeros.empty())
      node.add_input(addTensor("_zeros", onnx::TensorProto::UINT8, perGroup,
                               asBytes(inOrder(codes.zeros, groups))));
    else if (!codes.floatZeros.empty())
      node.add_input(addFloats("_zeros", codes.floatZeros, perGroup, isTurned));
    onnx::AttributeProto *format = node.add_attribute();
    format->set_name("format");
    format->set_type(onnx::AttributeProto::STRING);
    format->set_s(scheme.format.print());
    addInts(node, "shape", shape);
    llvm::SmallVector<int64_t> block = {1, 1};
    block[depthAxis] = scheme.group; // 0: all
    addInts(node, "block", block);
  }
  std::string result = parts.makeName(base + "_numbers");
  node.add_output(result);
  parts.added.push_back(std::move(node));
  if (scaleType == weightType)
    return result;
  onnx::NodeProto cast;
  cast.set_name(parts.makeName(base + "_cast"));
  cast.set_op_type("Cast");
  cast.add_input(result);
  addInt(cast, "to", weightType);
  result = parts.makeName(base + "_rounded");
  cast.add_output(result);
  parts.added.push_back(std::move(cast));
  return result;
}

bool CodesWriter::fitsNBits(const onnx::NodeProto &node) const {
  unsigned bits = scheme.format.getBits();
  const formats::IntegerLayout *integer = scheme.format.getInteger();
  // Without zero points, codes are around the middle: signed, or biased by it.
  bool isCentred = integer && integer->fractionBits == 0 &&
                   (integer->isSigned || integer->bias == (1 << (bits - 1)));
  bool isPlain = integer && integer->fractionBits == 0 && !integer->isSigned && integer->bias == 0;
  return node.op_type() == "MatMul" && scaleType == weightType && codes.floatZeros.empty() &&
         (bits == 2 || bits == 4 || bits == 8) && (scheme.hasZeroPoint ? isPlain : isCentred) &&
         scheme.group >= 16 && llvm::isPowerOf2_64(scheme.group);
}

void CodesWriter::makeNBits(onnx::NodeProto &node) {
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
  node.set_op_type("MatMulNBits");
  node.set_domain(kMicrosoft);
  importDomain(parts.model, kMicrosoft);
  node.set_input(1, addTensor("_codes", onnx::TensorProto::UINT8, {codes.rows, groups, blob},
                              asBytes(*formats::pack(padded, bits))));
  node.add_input(addFloats("_scales", codes.scales, {codes.rows * groups}, true));
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
    node.add_input(addTensor("_zeros", onnx::TensorProto::UINT8, {size}, asBytes(bytes)));
  }
  addInt(node, "K", weight.depth);
  addInt(node, "N", weight.columns);
  addInt(node, "bits", bits);
  addInt(node, "block_size", scheme.group);
}

std::string CodesWriter::write(onnx::NodeProto &node) {
  layer.depth = weight.depth;
  layer.columns = weight.columns;
  layer.bytesBefore = static_cast<uint64_t>(weight.depth) * static_cast<uint64_t>(weight.columns) *
                      (weightType == onnx::TensorProto::FLOAT16 ? 2 : 4);
  if (!findType() && fitsNBits(node)) {
    makeNBits(node);
    return "";
  }
  std::string numbers = addDequantize();
  node.set_input(1, numbers);
  return numbers;
}
