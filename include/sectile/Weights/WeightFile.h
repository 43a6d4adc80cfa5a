//===- WeightFile.h - tensors of safetensors and GGUF files -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A file of weights is data from anywhere. Readers take its bytes (mapped, as a rule),
// check all that the format's specification promises before they hand out a
// description, copy nothing but names, and never allocate more than a small multiple
// of the bytes they have read:
//
//   safetensors  8 bytes: length of a JSON header | header | data, without gaps
//                https://github.com/huggingface/safetensors (README, "Format")
//   GGUF 2, 3    magic, version, counts | metadata | tensor infos | padding | data
//                https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
//
// Neither MLIR nor LLVM inside.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_WEIGHTS_WEIGHTFILE_H
#define SECTILE_WEIGHTS_WEIGHTFILE_H

#include "sectile/Formats/Result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sectile::weights {

using FileBytes = std::span<const uint8_t>;

/// What kind of number elements are.
enum class Number { Bool, Signed, Unsigned, Float, Complex, Block };

/// A type of elements, by the name that the file format has for it: a row of a table.
struct ElementType {
  std::string_view name;
  Number number = Number::Float;
  unsigned elements = 1; ///< that are stored together: numbers of a block
  unsigned bits = 32;    ///< of those
};

/// A tensor of a file.
struct WeightTensor {
  std::string name;
  const ElementType *type = nullptr;
  std::vector<uint64_t> shape; ///< the last dimension is contiguous, in both formats
  uint64_t offset = 0;         ///< from the beginning of the file
  uint64_t bytes = 0;

  uint64_t countElements() const;
};

/// What a file says beside its tensors: `value` is a text, cut at 256 bytes.
struct Metadata {
  std::string key;
  std::string type; ///< "string", "u32", "string[32000]"
  std::string value;
};

enum class Container { Safetensors, Gguf };

/// The description of a whole file.
struct WeightFile {
  Container container = Container::Safetensors;
  unsigned version = 0;              ///< of GGUF
  std::vector<Metadata> metadata;    ///< in the file's order
  std::vector<WeightTensor> tensors; ///< likewise

  /// The tensor of a name; null if there is none.
  const WeightTensor *find(std::string_view name) const;
};

/// Describes a file, a GGUF one if it begins with GGUF's magic. Fails, naming the tensor or key
/// and the byte, on anything that the specification does not allow: lengths beyond the file,
/// overlaps, gaps (safetensors), sizes that do not fit in 64 bits, repeated names, unknown types.
formats::Result<WeightFile> readWeightFile(FileBytes bytes);
formats::Result<WeightFile> readSafetensors(FileBytes bytes);
formats::Result<WeightFile> readGguf(FileBytes bytes);

/// The numbers of a tensor from element `first` on, as many as `values` holds; both counted in
/// whole blocks. Exact for all types but integers beyond 2^53. Fails for types whose numbers this
/// library does not know (GGUF's IQ1 to IQ3, Q8_1, Q8_K, packed floats of safetensors, complex
/// ones).
formats::Result<std::span<double>> decodeNumbers(const WeightTensor &tensor, FileBytes file,
                                                 uint64_t first, std::span<double> values);

/// The types of each format.
std::span<const ElementType> getSafetensorsTypes();
/// GGUF's, at the index that is their number in files; removed ones have no name.
std::span<const ElementType> getGgufElementTypes();

} // namespace sectile::weights

#endif // SECTILE_WEIGHTS_WEIGHTFILE_H
