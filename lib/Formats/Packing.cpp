//===- Packing.cpp - codes in bytes, one after another -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Packing.h"

using namespace sectile::formats;

static constexpr unsigned kTritsPerByte = 5;
static constexpr unsigned kTernaryBytes = 243; // 3^5

static Failure getCodeFailure(size_t index, unsigned code, unsigned limit) {
  return Failure{"expects codes below " + std::to_string(limit) + ", but got " +
                 std::to_string(code) + " at position " + std::to_string(index)};
}

static Failure getLengthFailure(size_t expected, size_t found) {
  return Failure{"expects " + std::to_string(expected) + " bytes, but got " +
                 std::to_string(found)};
}

Result<std::vector<uint8_t>> sectile::formats::pack(const std::vector<uint8_t> &codes,
                                                    unsigned bits) {
  assert(bits >= 1 && bits <= 8);
  std::vector<uint8_t> bytes((codes.size() * bits + 7) / 8);
  for (size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] >> bits != 0)
      return getCodeFailure(i, codes[i], 1U << bits);
    size_t bit = i * bits;
    unsigned shifted = static_cast<unsigned>(codes[i]) << (bit % 8);
    bytes[bit / 8] |= shifted & 0xff;
    if (shifted > 0xff)
      bytes[bit / 8 + 1] |= shifted >> 8;
  }
  return bytes;
}

Result<std::vector<uint8_t>> sectile::formats::unpack(const std::vector<uint8_t> &bytes,
                                                      unsigned bits, size_t count) {
  assert(bits >= 1 && bits <= 8);
  if (size_t needed = (count * bits + 7) / 8; bytes.size() < needed)
    return getLengthFailure(needed, bytes.size());
  std::vector<uint8_t> codes(count);
  for (size_t i = 0; i < count; ++i) {
    size_t bit = i * bits;
    unsigned window = bytes[bit / 8];
    if (bit % 8 + bits > 8)
      window |= static_cast<unsigned>(bytes[bit / 8 + 1]) << 8;
    codes[i] = (window >> (bit % 8)) & ((1U << bits) - 1);
  }
  return codes;
}

Result<std::vector<uint8_t>> sectile::formats::packTernary(const std::vector<uint8_t> &codes) {
  std::vector<uint8_t> bytes((codes.size() + kTritsPerByte - 1) / kTritsPerByte);
  for (size_t i = codes.size(); i-- > 0;) {
    if (codes[i] > 2)
      return getCodeFailure(i, codes[i], 3);
    uint8_t &byte = bytes[i / kTritsPerByte];
    byte = byte * 3 + codes[i];
  }
  return bytes;
}

Result<std::vector<uint8_t>> sectile::formats::unpackTernary(const std::vector<uint8_t> &bytes,
                                                             size_t count) {
  if (size_t needed = (count + kTritsPerByte - 1) / kTritsPerByte; bytes.size() < needed)
    return getLengthFailure(needed, bytes.size());
  std::vector<uint8_t> codes(count);
  for (size_t start = 0; start < count; start += kTritsPerByte) {
    unsigned rest = bytes[start / kTritsPerByte];
    if (rest >= kTernaryBytes)
      return getCodeFailure(start / kTritsPerByte, rest, kTernaryBytes);
    for (size_t i = start; i < count && i < start + kTritsPerByte; ++i, rest /= 3)
      codes[i] = rest % 3;
  }
  return codes;
}
