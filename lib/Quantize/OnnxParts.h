//===- OnnxParts.h - attributes and elements of ONNX models -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_QUANTIZE_ONNXPARTS_H
#define SECTILE_LIB_QUANTIZE_ONNXPARTS_H

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <onnx.pb.h>

#include <vector>

namespace sectile::quantize {

/// A weight that nodes multiply with.
struct Weight {
  onnx::TensorProto *tensor = nullptr;
  /// Whether it is [N, K].
  bool isTurned = false;
  int64_t depth = 0, columns = 0;
};

inline void addInt(onnx::NodeProto &node, const char *name, int64_t value) {
  onnx::AttributeProto *attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

inline void addInts(onnx::NodeProto &node, const char *name, llvm::ArrayRef<int64_t> values) {
  onnx::AttributeProto *attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INTS);
  for (int64_t value : values)
    attribute->add_ints(value);
}

inline int64_t getInt(const onnx::NodeProto &node, llvm::StringRef name, int64_t otherwise) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return attribute.i();
  return otherwise;
}

inline float fromHalf(uint16_t bits) {
  llvm::APFloat value(llvm::APFloat::IEEEhalf(), llvm::APInt(16, bits));
  bool losesInfo;
  value.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return value.convertToFloat();
}

inline uint16_t toHalf(float value) {
  llvm::APFloat rounded(value);
  bool losesInfo;
  rounded.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return static_cast<uint16_t>(rounded.bitcastToAPInt().getZExtValue());
}

/// `elements`, a row for each column, as rows along the summed dimension.
template <typename T>
inline std::vector<T> turn(const std::vector<T> &elements, int64_t rows, int64_t columns) {
  std::vector<T> turned(elements.size());
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      turned[j * rows + i] = elements[i * columns + j];
  return turned;
}

} // namespace sectile::quantize

#endif // SECTILE_LIB_QUANTIZE_ONNXPARTS_H
