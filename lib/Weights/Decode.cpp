//===- Decode.cpp - the numbers of tensors in files -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include "sectile/Formats/Format.h"
#include "sectile/Formats/Gguf.h"

using namespace sectile;
using namespace sectile::weights;

/// The format of floats of at most 16 bits; absent for those whose place in bytes is not specified.
static std::optional<formats::Format> findFloat(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kFloats[] = {{"F16", "f16"},
                                                                       {"BF16", "bf16"},
                                                                       {"F8_E5M2", "e5m2"},
                                                                       {"F8_E4M3", "e4m3fn"},
                                                                       {"F8_E8M0", "e8m0fnu"},
                                                                       {"F8_E5M2FNUZ", "e5m2fnuz"},
                                                                       {"F8_E4M3FNUZ", "e4m3fnuz"}};
  for (auto [type, format] : kFloats)
    if (type == name)
      return *formats::Format::parse(format);
  return std::nullopt;
}

template <typename T>
static void convert(FileBytes bytes, std::span<double> values) {
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<double>(load<T>(bytes, i * sizeof(T)));
}

/// Integers and floats of 32 bits and more.
static bool decodePlain(const ElementType &type, FileBytes bytes, std::span<double> values) {
  switch (type.number) {
  case Number::Bool:
    convert<uint8_t>(bytes, values);
    return true;
  case Number::Signed:
    type.bits == 8    ? convert<int8_t>(bytes, values)
    : type.bits == 16 ? convert<int16_t>(bytes, values)
    : type.bits == 32 ? convert<int32_t>(bytes, values)
                      : convert<int64_t>(bytes, values);
    return true;
  case Number::Unsigned:
    type.bits == 8    ? convert<uint8_t>(bytes, values)
    : type.bits == 16 ? convert<uint16_t>(bytes, values)
    : type.bits == 32 ? convert<uint32_t>(bytes, values)
                      : convert<uint64_t>(bytes, values);
    return true;
  case Number::Float:
    if (type.bits < 32)
      return false;
    type.bits == 32 ? convert<float>(bytes, values) : convert<double>(bytes, values);
    return true;
  case Number::Complex:
  case Number::Block:
    return false;
  }
  return false;
}

formats::Result<std::span<double>> weights::decodeNumbers(const WeightTensor &tensor,
                                                          FileBytes file, uint64_t first,
                                                          std::span<double> values) {
  const ElementType &type = *tensor.type;
  auto refuse = [&](const std::string &why) {
    return formats::Failure{"tensor " + quoteName(tensor.name) + " of type " +
                            std::string(type.name) + ": " + why};
  };
  uint64_t count = tensor.countElements();
  if (first % type.elements != 0 || values.size() % type.elements != 0 || first > count ||
      values.size() > count - first)
    return refuse("expects whole blocks of its " + std::to_string(count) + " elements");
  if (type.number == Number::Block) {
    const formats::GgufType *blocks = formats::findGgufType(type.name);
    if (!blocks)
      return refuse("the numbers of its blocks are not supported");
    const uint8_t *from = file.data() + tensor.offset + first / blocks->elements * blocks->bytes;
    for (size_t i = 0; i < values.size(); i += blocks->elements, from += blocks->bytes)
      formats::decodeGguf(*blocks, from, values.data() + i);
    return values;
  }
  if (type.bits < 8)
    return refuse("the order of its elements inside of bytes is not specified");
  unsigned size = type.bits / 8;
  FileBytes bytes = file.subspan(tensor.offset + first * size, values.size() * size);
  if (decodePlain(type, bytes, values))
    return values;
  std::optional<formats::Format> format = findFloat(type.name);
  if (!format)
    return refuse("its numbers are not supported");
  // Decoding goes by arithmetic: look each code up that has been decoded before.
  std::vector<double> table(size_t(1) << type.bits);
  std::vector<bool> isKnown(table.size());
  for (size_t i = 0; i < values.size(); ++i) {
    uint32_t code = size == 1 ? load<uint8_t>(bytes, i) : load<uint16_t>(bytes, 2 * i);
    if (!isKnown[code]) {
      table[code] = format->decode(code);
      isKnown[code] = true;
    }
    values[i] = table[code];
  }
  return values;
}
