//===- Safetensors.cpp - the header of a safetensors file -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//     header   = "{" entry {"," entry} "}" {space}
//     entry    = "__metadata__": {string: string}
//              | NAME: {"dtype": string, "shape": [number...], "data_offsets": [begin, end]}
//
// Offsets count from the end of the header. The specification demands that they cover
// the data from its first to its last byte, once, and that no name comes twice.
//
//===----------------------------------------------------------------------===//

#include "JsonCursor.h"
#include "Support.h"

#include <unordered_set>

using namespace sectile;
using namespace sectile::weights;

/// Of the reference implementation (safetensors/src/tensor.rs, MAX_HEADER_SIZE).
static constexpr uint64_t kMaxHeaderBytes = 100'000'000;
/// More than any framework has; keeps a hostile header from being mostly extents.
static constexpr size_t kMaxRank = 64;
static constexpr uint64_t kLengthBytes = 8;

namespace {
/// Reads one header.
class HeaderReader {
public:
  HeaderReader(FileBytes file, uint64_t headerBytes)
      : cursor({reinterpret_cast<const char *>(file.data()) + kLengthBytes,
                static_cast<size_t>(headerBytes)}),
        dataBegin(kLengthBytes + headerBytes), dataBytes(file.size() - dataBegin) {}

  formats::Result<WeightFile> read();

private:
  /// Each of these says whether it succeeded; `problem` is why not.
  bool readEntry();
  bool readMetadata();
  bool readTensor(WeightTensor &tensor);
  bool readNumbers(std::vector<uint64_t> &numbers, size_t most);
  bool fail(const std::string &why) {
    problem = why + " (byte " + std::to_string(kLengthBytes + cursor.getOffset()) + ")";
    return false;
  }

  JsonCursor cursor;
  uint64_t dataBegin, dataBytes;
  WeightFile result;
  std::unordered_set<std::string> names;
  std::string problem;
};
} // namespace

bool HeaderReader::readNumbers(std::vector<uint64_t> &numbers, size_t most) {
  if (!cursor.take('['))
    return fail("expects a list of numbers");
  if (cursor.take(']'))
    return true;
  do {
    std::optional<uint64_t> number = cursor.takeUnsigned();
    if (!number)
      return fail("expects an integer from 0 to 2^64 - 1");
    if (numbers.size() == most)
      return fail("expects at most " + std::to_string(most) + " numbers");
    numbers.push_back(*number);
  } while (cursor.take(','));
  return cursor.take(']') || fail("expects ',' or ']'");
}

bool HeaderReader::readMetadata() {
  if (!cursor.take('{'))
    return fail("expects __metadata__ to be an object");
  if (cursor.take('}'))
    return true;
  std::unordered_set<std::string> keys;
  do {
    std::optional<std::string> key = cursor.takeString();
    if (!key || !cursor.take(':'))
      return fail("expects a key and ':' in __metadata__");
    std::optional<std::string> value = cursor.takeString();
    if (!value)
      return fail("expects a string for key " + quoteName(*key) + " of __metadata__");
    if (!keys.insert(*key).second)
      return fail("key " + quoteName(*key) + " comes twice");
    value->resize(std::min(value->size(), kMaxMetadataText));
    result.metadata.push_back({std::move(*key), "string", std::move(*value)});
  } while (cursor.take(','));
  return cursor.take('}') || fail("expects ',' or '}' in __metadata__");
}

bool HeaderReader::readTensor(WeightTensor &tensor) {
  std::string typeName;
  std::vector<uint64_t> offsets;
  bool hasType = false, hasShape = false, hasOffsets = false;
  if (!cursor.take('{'))
    return fail("expects an object");
  do {
    std::optional<std::string> key = cursor.takeString();
    if (!key || !cursor.take(':'))
      return fail("expects a key and ':'");
    if (*key == "dtype" && !hasType) {
      std::optional<std::string> value = cursor.takeString();
      if (!value)
        return fail("expects dtype to be a string");
      typeName = std::move(*value);
      hasType = true;
    } else if (*key == "shape" && !hasShape) {
      if (!readNumbers(tensor.shape, kMaxRank))
        return false;
      hasShape = true;
    } else if (*key == "data_offsets" && !hasOffsets) {
      if (!readNumbers(offsets, 2))
        return false;
      hasOffsets = true;
    } else {
      return fail("expects dtype, shape and data_offsets, once each, but got " + quoteName(*key));
    }
  } while (cursor.take(','));
  if (!cursor.take('}'))
    return fail("expects ',' or '}'");
  if (!hasType || !hasShape || offsets.size() != 2)
    return fail("expects dtype, shape and two data_offsets");
  for (const ElementType &type : getSafetensorsTypes())
    if (type.name == typeName)
      tensor.type = &type;
  if (!tensor.type)
    return fail("its type " + quoteName(typeName) + " is not known");
  if (offsets[0] > offsets[1] || offsets[1] > dataBytes)
    return fail("its bytes " + std::to_string(offsets[0]) + " to " + std::to_string(offsets[1]) +
                " do not lie in the " + std::to_string(dataBytes) + " bytes of data");
  std::optional<uint64_t> wanted = countBytes(*tensor.type, tensor.shape);
  if (!wanted)
    return fail("its shape " + printShape(tensor.shape) + " of " + typeName +
                " has no whole number of bytes below 2^60");
  if (*wanted != offsets[1] - offsets[0])
    return fail("its shape " + printShape(tensor.shape) + " of " + typeName + " takes " +
                std::to_string(*wanted) + " bytes, but it has " +
                std::to_string(offsets[1] - offsets[0]));
  tensor.offset = dataBegin + offsets[0];
  tensor.bytes = *wanted;
  return true;
}

bool HeaderReader::readEntry() {
  std::optional<std::string> name = cursor.takeString();
  if (!name || !cursor.take(':'))
    return fail("expects a tensor's name and ':'");
  if (!names.insert(*name).second)
    return fail("tensor " + quoteName(*name) + " comes twice");
  if (*name == "__metadata__")
    return readMetadata();
  WeightTensor tensor;
  tensor.name = std::move(*name);
  if (!readTensor(tensor)) {
    problem = "tensor " + quoteName(tensor.name) + ": " + problem;
    return false;
  }
  result.tensors.push_back(std::move(tensor));
  return true;
}

formats::Result<WeightFile> HeaderReader::read() {
  if (!cursor.take('{')) {
    fail("expects a safetensors header, which begins with '{'");
    return formats::Failure{problem};
  }
  if (!cursor.take('}')) {
    do
      if (!readEntry())
        return formats::Failure{problem};
    while (cursor.take(','));
    if (!cursor.take('}')) {
      fail("expects ',' or '}'");
      return formats::Failure{problem};
    }
  }
  if (!cursor.atEnd()) {
    fail("expects nothing but spaces behind the header's '}'");
    return formats::Failure{problem};
  }
  if (auto overlap = findOverlap(result.tensors, true, dataBegin, dataBegin + dataBytes))
    return formats::Failure{*overlap};
  return std::move(result);
}

formats::Result<WeightFile> weights::readSafetensors(FileBytes bytes) {
  if (bytes.size() < kLengthBytes)
    return formats::Failure{"expects a file of weights (safetensors or GGUF), but it has " +
                            std::to_string(bytes.size()) + " bytes"};
  auto headerBytes = load<uint64_t>(bytes, 0);
  if (headerBytes > kMaxHeaderBytes || headerBytes > bytes.size() - kLengthBytes)
    return formats::Failure{
        "expects a file of weights (safetensors or GGUF), but as the length of "
        "a header its first 8 bytes mean " +
        std::to_string(headerBytes) + ", of at most " +
        std::to_string(std::min<uint64_t>(kMaxHeaderBytes, bytes.size() - kLengthBytes))};
  return HeaderReader(bytes, headerBytes).read();
}
