//===- Gguf.cpp - metadata and tensor infos of a GGUF file ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// After ggml's docs/gguf.md, versions 2 and 3 (which differ in that the latter may be
// big-endian; those are refused by name). Tensors list their extents fastest first;
// shapes here have the fastest last, as everywhere else.
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <algorithm>
#include <cstdio>
#include <unordered_set>

using namespace sectile;
using namespace sectile::weights;

static constexpr uint64_t kDefaultAlignment = 32;
/// gguf.md: keys have at most 2^16 - 1 bytes; we hold names to the same.
static constexpr uint64_t kMaxNameBytes = 65535;
/// gguf.md: "currently at most 4".
static constexpr uint32_t kMaxRank = 4;
/// The specification allows arrays of arrays without saying how deep.
static constexpr unsigned kMaxDepth = 8;

namespace {
/// A type of metadata, by its number in files.
struct ValueType {
  const char *name;
  unsigned bytes; ///< 0: not fixed
};

/// Reads one file front to back.
class GgufReader {
public:
  explicit GgufReader(FileBytes file) : file(file) {}

  formats::Result<WeightFile> read();

private:
  uint64_t remaining() const { return file.size() - at; }
  /// The next number; absent, with a problem, at the end of the file.
  template <typename T>
  std::optional<T> take(const char *what) {
    if (remaining() < sizeof(T)) {
      fail(std::string("the file ends in ") + what);
      return std::nullopt;
    }
    T value = load<T>(file, at);
    at += sizeof(T);
    return value;
  }
  std::optional<std::string_view> takeString(const char *what, uint64_t mostBytes);
  /// Passes a value; its text where it is no array, and its type.
  bool takeValue(uint32_t type, unsigned depth, Metadata &entry);
  bool takeArray(unsigned depth, Metadata &entry);
  bool takeMetadata();
  bool takeTensor();
  bool placeTensors();
  bool fail(const std::string &why) {
    problem = why + " (byte " + std::to_string(at) + ")";
    return false;
  }

  FileBytes file;
  uint64_t at = 0;
  uint64_t alignment = kDefaultAlignment;
  WeightFile result;
  std::unordered_set<std::string> keys, names;
  std::string problem;
};
} // namespace

enum : uint32_t { kBool = 7, kString = 8, kArray = 9 };

static constexpr ValueType kValueTypes[] = {
    {"u8", 1},   {"i8", 1},     {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};

/// The text of a number.
static std::string printNumber(uint32_t type, FileBytes file, uint64_t at) {
  auto printFloat = [](double value) {
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    return std::string(text);
  };
  switch (type) {
  case 0:
    return std::to_string(load<uint8_t>(file, at));
  case 1:
    return std::to_string(load<int8_t>(file, at));
  case 2:
    return std::to_string(load<uint16_t>(file, at));
  case 3:
    return std::to_string(load<int16_t>(file, at));
  case 4:
    return std::to_string(load<uint32_t>(file, at));
  case 5:
    return std::to_string(load<int32_t>(file, at));
  case 6:
    return printFloat(load<float>(file, at));
  case kBool:
    return load<uint8_t>(file, at) ? "true" : "false";
  case 10:
    return std::to_string(load<uint64_t>(file, at));
  case 11:
    return std::to_string(load<int64_t>(file, at));
  default:
    return printFloat(load<double>(file, at));
  }
}

std::optional<std::string_view> GgufReader::takeString(const char *what, uint64_t mostBytes) {
  std::optional<uint64_t> length = take<uint64_t>(what);
  if (!length)
    return std::nullopt;
  if (*length > remaining() || *length > mostBytes) {
    fail(std::string("expects ") + what + " of at most " +
         std::to_string(std::min(remaining(), mostBytes)) + " bytes, but got " +
         std::to_string(*length));
    return std::nullopt;
  }
  std::string_view text(reinterpret_cast<const char *>(file.data()) + at,
                        static_cast<size_t>(*length));
  at += *length;
  return text;
}

bool GgufReader::takeArray(unsigned depth, Metadata &entry) {
  if (depth == kMaxDepth)
    return fail("expects arrays in arrays at most " + std::to_string(kMaxDepth) + " deep");
  std::optional<uint32_t> type = take<uint32_t>("an array's type");
  if (!type)
    return false;
  if (*type >= std::size(kValueTypes))
    return fail("the type " + std::to_string(*type) + " of an array's elements is not known");
  std::optional<uint64_t> count = take<uint64_t>("an array's length");
  if (!count)
    return false;
  const ValueType &element = kValueTypes[*type];
  // A string takes 8 bytes at least, an array 12.
  uint64_t least = element.bytes ? element.bytes : *type == kString ? 8 : 12;
  if (*count > remaining() / least)
    return fail("an array of " + std::to_string(*count) + " x " + element.name +
                " does not fit in the " + std::to_string(remaining()) + " bytes that are left");
  if (element.bytes && *type != kBool) {
    at += *count * element.bytes;
  } else {
    Metadata ignored;
    for (uint64_t i = 0; i < *count; ++i)
      if (!takeValue(*type, depth + 1, ignored))
        return false;
  }
  entry.type = std::string(element.name) + "[" + std::to_string(*count) + "]";
  return true;
}

bool GgufReader::takeValue(uint32_t type, unsigned depth, Metadata &entry) {
  if (type >= std::size(kValueTypes))
    return fail("its type " + std::to_string(type) + " is not known");
  if (type == kArray)
    return takeArray(depth, entry);
  entry.type = kValueTypes[type].name;
  if (type == kString) {
    auto text = takeString("a string", UINT64_MAX);
    if (!text)
      return false;
    if (depth == 0)
      entry.value = text->substr(0, kMaxMetadataText);
    return true;
  }
  unsigned bytes = kValueTypes[type].bytes;
  if (remaining() < bytes)
    return fail("the file ends in a value");
  if (type == kBool && load<uint8_t>(file, at) > 1)
    return fail("expects a truth value to be 0 or 1, but got " +
                std::to_string(load<uint8_t>(file, at)));
  if (depth == 0)
    entry.value = printNumber(type, file, at);
  at += bytes;
  return true;
}

bool GgufReader::takeMetadata() {
  auto key = takeString("a key", kMaxNameBytes);
  if (!key)
    return false;
  Metadata entry;
  entry.key = *key;
  if (!keys.insert(entry.key).second)
    return fail("key " + quoteName(*key) + " comes twice");
  std::optional<uint32_t> type = take<uint32_t>("a value's type");
  uint64_t valueAt = at;
  if (!type || !takeValue(*type, 0, entry)) {
    problem = "key " + quoteName(entry.key) + ": " + problem;
    return false;
  }
  if (entry.key == "general.alignment") {
    if (entry.type != "u32")
      return fail("expects general.alignment to be of type u32, but got " + entry.type);
    alignment = load<uint32_t>(file, valueAt);
    // gguf.md asks for a multiple of 8, ggml's reader for a power of two.
    if (alignment == 0 || (alignment & (alignment - 1)) != 0)
      return fail("expects general.alignment to be a power of two, but got " +
                  std::to_string(alignment));
  }
  result.metadata.push_back(std::move(entry));
  return true;
}

bool GgufReader::takeTensor() {
  auto name = takeString("a tensor's name", kMaxNameBytes);
  if (!name)
    return false;
  WeightTensor tensor;
  tensor.name = *name;
  auto failTensor = [&](const std::string &why) {
    return fail("tensor " + quoteName(tensor.name) + ": " + why);
  };
  if (!names.insert(tensor.name).second)
    return fail("tensor " + quoteName(tensor.name) + " comes twice");
  std::optional<uint32_t> rank = take<uint32_t>("a tensor's rank");
  if (!rank)
    return false;
  if (*rank > kMaxRank)
    return failTensor("expects at most " + std::to_string(kMaxRank) + " dimensions, but got " +
                      std::to_string(*rank));
  for (uint32_t i = 0; i < *rank; ++i) {
    std::optional<uint64_t> extent = take<uint64_t>("a tensor's extents");
    if (!extent)
      return false;
    tensor.shape.insert(tensor.shape.begin(), *extent);
  }
  std::optional<uint32_t> type = take<uint32_t>("a tensor's type");
  std::optional<uint64_t> offset = type ? take<uint64_t>("a tensor's offset") : std::nullopt;
  if (!offset)
    return false;
  if (*type >= getGgufElementTypes().size() || getGgufElementTypes()[*type].name.empty())
    return failTensor("its type " + std::to_string(*type) + " is not known");
  tensor.type = &getGgufElementTypes()[*type];
  std::optional<uint64_t> bytes = countBytes(*tensor.type, tensor.shape);
  if (!bytes)
    return failTensor("expects rows in whole blocks of " + std::to_string(tensor.type->elements) +
                      " numbers (" + std::string(tensor.type->name) +
                      ") and less than 2^60 bytes, but got the shape " + printShape(tensor.shape));
  tensor.bytes = *bytes;
  tensor.offset = *offset;
  result.tensors.push_back(std::move(tensor));
  return true;
}

bool GgufReader::placeTensors() {
  uint64_t padded = (at + alignment - 1) / alignment * alignment;
  uint64_t begin = std::min<uint64_t>(padded, file.size());
  for (WeightTensor &tensor : result.tensors) {
    if (tensor.offset % alignment != 0)
      return fail("tensor " + quoteName(tensor.name) + ": expects an offset that " +
                  std::to_string(alignment) + " divides, but got " + std::to_string(tensor.offset));
    uint64_t space = file.size() - begin;
    if (tensor.offset > space || tensor.bytes > space - tensor.offset)
      return fail("tensor " + quoteName(tensor.name) + ": its " + std::to_string(tensor.bytes) +
                  " bytes at offset " + std::to_string(tensor.offset) + " do not lie in the " +
                  std::to_string(space) + " bytes of data");
    tensor.offset += begin;
  }
  if (auto overlap = findOverlap(result.tensors, false, begin, file.size())) {
    problem = *overlap;
    return false;
  }
  return true;
}

formats::Result<WeightFile> GgufReader::read() {
  result.container = Container::Gguf;
  auto give = [&]() -> formats::Result<WeightFile> { return formats::Failure{problem}; };
  if (file.size() < 4 || memcmp(file.data(), "GGUF", 4) != 0) {
    fail("expects a file that begins with GGUF");
    return give();
  }
  at = 4;
  std::optional<uint32_t> version = take<uint32_t>("its version");
  if (!version)
    return give();
  if (*version != 2 && *version != 3) {
    bool isSwapped = *version != 0 && (*version & 0xFFFFFF) == 0;
    fail(isSwapped ? std::string("expects little-endian numbers, but the file is big-endian")
                   : "expects GGUF of version 2 or 3, but got " + std::to_string(*version));
    return give();
  }
  result.version = *version;
  std::optional<uint64_t> tensors = take<uint64_t>("the number of tensors");
  std::optional<uint64_t> entries = tensors ? take<uint64_t>("the number of keys") : std::nullopt;
  if (!entries)
    return give();
  // The least that a key with its value and a tensor's info take.
  constexpr uint64_t kLeastEntry = 8 + 4 + 1, kLeastTensor = 8 + 4 + 4 + 8;
  if (*entries > remaining() / kLeastEntry || *tensors > remaining() / kLeastTensor) {
    fail(std::to_string(*entries) + " keys and " + std::to_string(*tensors) +
         " tensors do not fit in a file of " + std::to_string(file.size()) + " bytes");
    return give();
  }
  for (uint64_t i = 0; i < *entries; ++i)
    if (!takeMetadata())
      return give();
  for (uint64_t i = 0; i < *tensors; ++i)
    if (!takeTensor())
      return give();
  if (!placeTensors())
    return give();
  return std::move(result);
}

formats::Result<WeightFile> weights::readGguf(FileBytes bytes) { return GgufReader(bytes).read(); }
