//===- CodesWriter.h - nodes that make numbers of codes ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_QUANTIZE_CODESWRITER_H
#define SECTILE_LIB_QUANTIZE_CODESWRITER_H

#include "OnnxParts.h"

#include "sectile/Quantize/Quantize.h"

#include "llvm/ADT/StringSet.h"

namespace sectile::quantize {

/// A model that is being changed.
struct ModelParts {
  onnx::ModelProto &model;
  llvm::StringSet<> names;            ///< of all values and initializers
  std::vector<onnx::NodeProto> added; ///< that read constants only: they go before all others

  /// A name that nothing has yet.
  std::string makeName(const llvm::Twine &base);
};

/// The version of the standard operators that a model uses; 0 if it names none.
int64_t getOpset(const onnx::ModelProto &model);

struct OnnxType;

/// Puts codes in the place of a weight.
class CodesWriter {
public:
  CodesWriter(ModelParts &parts, const Scheme &scheme, const Weight &weight, const Codes &codes,
              Layer &layer);

  /// Makes `node` multiply with the codes and fills in the layer's form and sizes. Returns the
  /// tensor that holds the numbers, which other nodes may read too; empty if the node itself reads
  /// codes.
  std::string write(onnx::NodeProto &node);

private:
  std::string addDequantize();
  void makeNBits(onnx::NodeProto &node);
  bool fitsNBits(const onnx::NodeProto &node) const;
  const OnnxType *findType() const;
  /// Each adds an initializer called after the weight and returns its name.
  std::string addTensor(const llvm::Twine &suffix, int32_t type, llvm::ArrayRef<int64_t> dims,
                        llvm::StringRef bytes);
  std::string addFloats(const llvm::Twine &suffix, const std::vector<float> &values,
                        llvm::ArrayRef<int64_t> dims, bool isTurned);

  ModelParts &parts;
  const Scheme &scheme;
  const Weight &weight;
  const Codes &codes;
  Layer &layer;
  int32_t weightType, scaleType;
};

} // namespace sectile::quantize

#endif // SECTILE_LIB_QUANTIZE_CODESWRITER_H
