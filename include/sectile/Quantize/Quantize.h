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
// Weights may come from a file of weights instead of the model; those that lie there in
// blocks of a GGUF type keep their codes.
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
#include <optional>
#include <string>
#include <vector>

namespace sectile::quantize {

/// How scales and codes are found.
enum class Method {
  /// The largest magnitude of a group keeps its place; then each weight to nearest.
  RoundToNearest,
  /// Of scales down to half of that, the one with the least sum of squared errors.
  LeastSquares,
  /// Codes that keep the products with what was seen: each weight makes up for the errors of those
  /// before it (Gptq.h). Needs inputs.
  Gptq
};

/// "rtn", "mse", "gptq".
llvm::StringRef getName(Method method);

/// What weights become.
struct Scheme {
  formats::Format format;
  /// Weights along the summed dimension that share a scale; 0 for all of a column.
  int64_t group = 0;
  /// Whether each scale has a zero point, so that a group's range need not be symmetric. Formats of
  /// consecutive integers only.
  bool hasZeroPoint = false;
  Method method = Method::RoundToNearest;
  /// Of Gptq: what is added to the diagonal of the inputs' products, as a part of its mean.
  double damping = 0.01;
  /// Of Gptq: whether the weights that inputs use most come first.
  bool hasActivationOrder = false;
  /// Of Gptq: whether layers meet what those before them give with their codes, at the cost of a
  /// run for each input.
  bool isSequential = false;

  /// From text such as `int4,group=128,zero`.
  static llvm::Expected<Scheme> parse(llvm::StringRef text);
  /// Takes in a method from text such as `gptq,order,sequential,damp=0.05`.
  llvm::Error setMethod(llvm::StringRef text);
};

/// A matrix of `rows` x `depth` numbers, a row for each column of the product, as codes.
struct Codes {
  int64_t rows = 0, depth = 0, groupsPerRow = 0;
  std::vector<uint8_t> codes;
  std::vector<float> scales;     ///< rows * groupsPerRow
  std::vector<uint8_t> zeros;    ///< codes, as many as scales, or empty
  std::vector<float> floatZeros; ///< instead of those: zero points between codes (of files)
  double squares = 0;            ///< sum of the numbers' squares
  double squaredErrors = 0;      ///< and of the squared differences that the codes make
  double largestError = 0;

  Codes() = default;
  /// All codes 0.
  Codes(const Scheme &scheme, int64_t rows, int64_t depth);

  /// The group length of a scheme for this depth.
  int64_t getGroupLength(const Scheme &scheme) const;
  /// The number that the code at (row, column) stands for.
  double decode(const Scheme &scheme, int64_t row, int64_t column) const;
  /// Sets the squares and errors against what the codes were made of.
  void measure(const Scheme &scheme, llvm::ArrayRef<float> values);
};

/// Rounds a matrix. Each scale first goes through `roundScale`, to the type that will hold it.
/// Fails on a number that is not finite, and where the format has no code for zero's neighbourhood.
/// `scheme.method` must not be Gptq, which takes inputs (Gptq.h).
llvm::Expected<Codes> quantize(const Scheme &scheme, llvm::ArrayRef<float> values, int64_t rows,
                               int64_t depth, llvm::function_ref<float(float)> roundScale);

/// Fails on a number that is not finite, naming its column and row.
llvm::Error checkFinite(llvm::ArrayRef<float> values, int64_t depth);

/// The errors that a method makes.
struct MethodErrors {
  Method method = Method::RoundToNearest;
  double relativeError = 0; ///< root of squared errors over root of squares, of weights
  double outputError = 0;   ///< the same of products with the inputs that were seen
};

/// What became of one weight.
struct Layer {
  std::string node, weight;
  std::string form;   ///< the operator that reads the codes; empty where it stays as it is
  std::string reason; ///< why it stays
  std::string source; ///< the type of its blocks in the file of weights that its codes are from
  int64_t depth = 0, columns = 0;
  double relativeError = 0; ///< root of squared errors over root of squares
  double largestError = 0;
  /// Of the method asked for and those it is compared with; empty without inputs.
  std::vector<MethodErrors> methods;
  uint64_t bytesBefore = 0, bytesAfter = 0;
};

/// What became of a tensor of a file of weights.
struct TakenWeight {
  std::string tensor;     ///< of the model; empty if nothing in the model has its name
  std::string name, type; ///< in the file
  bool isTurned = false;  ///< whether its dimensions were exchanged
  std::string note;       ///< what the user should know: blocks that became plain numbers, and why
};

/// A model as files hold it.
struct WrittenModel {
  std::string bytes;
  /// The contents of the file of external data that `bytes` refers to, in parts; empty if there is
  /// none.
  std::vector<std::string> data;
};

/// A model with quantized weights, and what became of each weight of a MatMul or Gemm, in the order
/// of the nodes, and of each tensor of a file of weights.
struct QuantizedModel {
  WrittenModel model;
  std::vector<Layer> layers;
  std::vector<TakenWeight> taken;
  std::vector<std::string> kept; ///< tensors of the model that no file of weights has
};

/// Files of weights to put into a model.
struct WeightSource {
  std::vector<std::string> paths;
  /// Patterns that turn the name of a model's tensor into that in the file, one after the other,
  /// as `s/PATTERN/TEXT/`.
  std::vector<std::string> renames;
  /// Matches names of the model's matrices that lie in the file with their dimensions exchanged.
  const llvm::Regex *turned = nullptr;
};

/// Runs a model, whose external data is called kCalibrationData, on all inputs at hand, and adds up
/// each of its outputs, all float32, in double: sums[i] is as long as output i.
using SumOutputs =
    std::function<llvm::Error(const WrittenModel &model, std::vector<std::vector<double>> &sums)>;
inline constexpr llvm::StringLiteral kCalibrationData = "calibration.data";

/// What is asked for: a scheme, a file of weights, or both.
struct QuantizeOptions {
  std::optional<Scheme> scheme;
  /// Matches names of nodes and weights that stay; may be null.
  const llvm::Regex *skip = nullptr;
  std::optional<WeightSource> source;
  /// May be null, unless the method is Gptq.
  SumOutputs sumOutputs;
  /// The file beside the result that holds its larger tensors, where it has more than 2 GB or
  /// `usesData`.
  std::string dataName;
  bool usesData = false;
  /// Called before each weight with its number and how many there may be; may be null.
  std::function<void(unsigned, unsigned)> progress;
};
llvm::Expected<QuantizedModel> quantizeOnnxFile(llvm::StringRef path,
                                                const QuantizeOptions &options);

} // namespace sectile::quantize

#endif // SECTILE_QUANTIZE_QUANTIZE_H
