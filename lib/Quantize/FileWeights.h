//===- FileWeights.h - a model's weights from other files -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Safetensors and GGUF files name tensors, a model names initializers: those of one
// name are the same, after the user's renaming. What lies in a file in blocks waits
// until it is known who reads it: a product keeps the codes, anybody else gets the
// numbers.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_QUANTIZE_FILEWEIGHTS_H
#define SECTILE_LIB_QUANTIZE_FILEWEIGHTS_H

#include "OnnxParts.h"

#include "sectile/Quantize/Quantize.h"
#include "sectile/Weights/WeightFile.h"

#include "llvm/ADT/StringMap.h"

#include <memory>
#include <optional>

namespace sectile::frontend {
class MappedFile;
} // namespace sectile::frontend

namespace sectile::quantize {

/// A weight as codes of a file.
struct FileCodes {
  Scheme scheme;
  Codes codes;
  std::string type; ///< of the file's blocks
};

/// The tensors of files of weights.
class FileWeights {
public:
  /// Reads what `source` names.
  static llvm::Expected<std::unique_ptr<FileWeights>> open(const WeightSource &source);
  ~FileWeights();

  /// Puts tensors in the place of a graph's initializers, except those in blocks, which lose their
  /// data and wait. Fails where shapes or types differ, and if nothing has a name in the file.
  llvm::Error apply(onnx::GraphProto &graph);
  /// Whether an initializer waits.
  bool isWaiting(llvm::StringRef name) const { return waiting.contains(name); }
  /// Whether a product sums along the blocks of a waiting weight.
  bool canKeep(const Weight &weight) const;
  /// The codes of such a weight; absent, with a note for the user, for other waiting ones.
  llvm::Expected<std::optional<FileCodes>> takeCodes(const Weight &weight);
  /// Gives a waiting initializer its numbers, rounded to its type.
  llvm::Error fill(onnx::TensorProto &tensor);
  /// The same for an initializer of a copy of the graph: the graph's own goes on waiting.
  llvm::Error fillCopy(onnx::TensorProto &tensor) {
    auto found = waiting.find(tensor.name());
    return found == waiting.end() ? llvm::Error::success() : fill(tensor, entries[found->second]);
  }

  /// Says what became of each tensor, in the files' order and the model's.
  void finish(QuantizedModel &result);

private:
  struct File {
    std::string path;
    std::shared_ptr<frontend::MappedFile> mapping;
    weights::WeightFile contents;
  };
  /// A tensor of a file and what the model makes of it.
  struct Entry {
    const File *file = nullptr;
    const weights::WeightTensor *tensor = nullptr;
    TakenWeight taken;
  };
  explicit FileWeights(const WeightSource &source) : source(source) {}
  llvm::Expected<std::string> rename(llvm::StringRef name) const;
  llvm::Error applyTo(onnx::TensorProto &tensor, Entry &entry);
  /// Writes an entry's numbers, or the bytes of an integer, into an initializer.
  llvm::Error fill(onnx::TensorProto &tensor, const Entry &entry);
  llvm::Error refuse(const Entry &entry, const llvm::Twine &why) const;
  static weights::FileBytes getBytes(const Entry &entry);

  const WeightSource &source;
  std::vector<std::unique_ptr<File>> files;
  std::vector<Entry> entries;
  std::vector<std::string> kept;
  llvm::StringMap<size_t> byName;  ///< entries, by their names in the files
  llvm::StringMap<size_t> waiting; ///< entries, by initializer
};

} // namespace sectile::quantize

#endif // SECTILE_LIB_QUANTIZE_FILEWEIGHTS_H
