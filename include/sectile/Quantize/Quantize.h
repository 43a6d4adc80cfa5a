//===- Quantize.h - weights of a model in fewer bits ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Rounds the constant weights of an ONNX model's products to a number format, with
// scales for groups of them, and writes the model with nodes that turn the codes
// back into numbers. What a weight becomes is said by the format alone:
//
//   ONNX has the type, and the model's opset       DequantizeLinear, with block_size
//   2, 4 or 8 bits around a zero point, MatMul     com.microsoft's MatMulNBits
//   anything else                                  ai.sectile's Dequantize, which names
//                                                  the format (docs/quantize.md)
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_QUANTIZE_QUANTIZE_H
#define SECTILE_QUANTIZE_QUANTIZE_H

#include "sectile/Formats/Format.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/Regex.h"

#include <functional>
#include <string>
#include <vector>

namespace sectile::quantize {

/// How scales are found.
enum class Method {
  /// The largest magnitude of a group keeps its place.
  RoundToNearest,
  /// Of scales down to half of that, the one with the least sum of squared errors.
  LeastSquares
};

/// What weights become.
struct Scheme {
  formats::Format format;
  /// Weights along the summed dimension that share a scale; 0 for all of a column.
  int64_t group = 0;
  /// Whether each scale has a zero point, so that a group's range need not be symmetric. Formats of
  /// consecutive integers only.
  bool hasZeroPoint = false;
  Method method = Method::RoundToNearest;

  /// From text such as `int4,group=128,zero`.
  static llvm::Expected<Scheme> parse(llvm::StringRef text);
};

/// A matrix of `rows` x `depth` numbers, a row for each column of the product, as codes.
struct Codes {
  int64_t rows = 0, depth = 0, groupsPerRow = 0;
  std::vector<uint8_t> codes;
  std::vector<float> scales;  ///< rows * groupsPerRow
  std::vector<uint8_t> zeros; ///< as scales, or empty
  double squares = 0;         ///< sum of the numbers' squares
  double squaredErrors = 0;   ///< and of the squared differences that the codes make
  double largestError = 0;
};

/// Rounds a matrix. Each scale first goes through `roundScale`, to the type that will hold it.
/// Fails on a number that is not finite, and where the format has no code for zero's neighbourhood.
llvm::Expected<Codes> quantize(const Scheme &scheme, llvm::ArrayRef<float> values, int64_t rows,
                               int64_t depth, llvm::function_ref<float(float)> roundScale);

/// What became of one weight.
struct Layer {
  std::string node, weight;
  std::string form;   ///< the operator that reads the codes; empty where it stays as it is
  std::string reason; ///< why it stays
  int64_t depth = 0, columns = 0;
  double relativeError = 0; ///< root of squared errors over root of squares
  double largestError = 0;
  uint64_t bytesBefore = 0, bytesAfter = 0;
};

/// A model's bytes with quantized weights, and what became of each weight of a MatMul or Gemm, in
/// the order of the nodes. `skip` (may be null) matches names of nodes and weights that stay.
struct QuantizedModel {
  std::string bytes;
  std::vector<Layer> layers;
};
/// `progress` (may be null) is called before each weight with its number and how many there may be.
llvm::Expected<QuantizedModel>
quantizeOnnxFile(llvm::StringRef path, const Scheme &scheme, const llvm::Regex *skip,
                 const std::function<void(unsigned, unsigned)> &progress);

} // namespace sectile::quantize

#endif // SECTILE_QUANTIZE_QUANTIZE_H
