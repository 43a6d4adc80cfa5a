//===- Tensor.cpp - tensors in the tool's memory ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Tensor.h"

#include <bit>
#include <cstring>

namespace sectile::tools {

std::optional<int64_t> countElements(const std::vector<int64_t> &dims) {
  int64_t count = 1, bytes;
  bool empty = false, overflow = false;
  for (int64_t dim : dims) {
    if (dim < 0)
      return std::nullopt;
    empty |= dim == 0;
    overflow |= __builtin_mul_overflow(count, dim, &count);
  }
  if (empty)
    return 0;
  if (overflow || __builtin_mul_overflow(count, int64_t(8), &bytes))
    return std::nullopt;
  return count;
}

std::optional<uint64_t> countBytes(int32_t dtype, const std::vector<int64_t> &dims) {
  std::optional<int64_t> count = countElements(dims);
  if (!count)
    return std::nullopt;
  return static_cast<uint64_t>(*count) * sectile_dtype_bytes(dtype);
}

int64_t Tensor::numElements() const {
  return static_cast<int64_t>(data.size() / sectile_dtype_bytes(dtype));
}

const formats::Format *getSmallFloat(int32_t dtype) {
  // In the order of sectile_dtype.
  static const formats::Format known[] = {
      *formats::Format::parse("f8E4M3FN"), *formats::Format::parse("f8E4M3FNUZ"),
      *formats::Format::parse("f8E5M2"), *formats::Format::parse("f8E5M2FNUZ")};
  bool isSmall = dtype >= SECTILE_F8E4M3FN && dtype <= SECTILE_F8E5M2FNUZ;
  return isSmall ? &known[dtype - SECTILE_F8E4M3FN] : nullptr;
}

bool isFloat(int32_t dtype) {
  return dtype == SECTILE_F32 || dtype == SECTILE_F64 || dtype == SECTILE_F16 ||
         dtype == SECTILE_BF16 || getSmallFloat(dtype);
}

float bf16ToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

float halfToFloat(uint16_t bits) { return static_cast<float>(std::bit_cast<_Float16>(bits)); }

uint16_t floatToBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (value != value)
    return static_cast<uint16_t>((bits >> 16) | 0x40); // stays a NaN
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

uint16_t floatToHalf(float value) { return std::bit_cast<uint16_t>(static_cast<_Float16>(value)); }

namespace {

template <typename T>
T load(const Tensor &tensor, int64_t index) {
  T value;
  memcpy(&value, tensor.data.data() + index * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
void store(Tensor &tensor, int64_t index, T value) {
  memcpy(tensor.data.data() + index * sizeof(T), &value, sizeof(T));
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
uint64_t nextRandom(uint64_t &state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

} // namespace

double readElement(const Tensor &tensor, int64_t index) {
  switch (tensor.dtype) {
  case SECTILE_F32:
    return load<float>(tensor, index);
  case SECTILE_F64:
    return load<double>(tensor, index);
  case SECTILE_F16:
    return halfToFloat(load<uint16_t>(tensor, index));
  case SECTILE_BF16:
    return bf16ToFloat(load<uint16_t>(tensor, index));
  case SECTILE_I8:
    return load<int8_t>(tensor, index);
  case SECTILE_I16:
    return load<int16_t>(tensor, index);
  case SECTILE_I32:
    return load<int32_t>(tensor, index);
  case SECTILE_I64:
    return static_cast<double>(load<int64_t>(tensor, index));
  case SECTILE_U16:
    return load<uint16_t>(tensor, index);
  case SECTILE_U32:
    return load<uint32_t>(tensor, index);
  case SECTILE_U64:
    return static_cast<double>(load<uint64_t>(tensor, index));
  default: { // u8, bool and 8-bit floats
    auto byte = load<uint8_t>(tensor, index);
    const formats::Format *format = getSmallFloat(tensor.dtype);
    return format ? format->decode(byte) : byte;
  }
  }
}

void fillRandom(Tensor &tensor, uint64_t seed, uint64_t stream) {
  uint64_t state = seed;
  state = nextRandom(state) + stream;
  state = nextRandom(state);
  int64_t count = tensor.numElements();
  for (int64_t i = 0; i < count; ++i) {
    uint64_t random = nextRandom(state);
    // The middle of one of 2^23 (f64: 2^52) equal parts of (-1, 1), exact in f32.
    double value = (static_cast<double>(random >> 41) + 0.5) * 0x1p-22 - 1;
    switch (tensor.dtype) {
    case SECTILE_F32:
      store(tensor, i, static_cast<float>(value));
      break;
    case SECTILE_F64:
      store(tensor, i, (static_cast<double>(random >> 12) + 0.5) * 0x1p-51 - 1);
      break;
    case SECTILE_F16:
      store(tensor, i, floatToHalf(static_cast<float>(value)));
      break;
    case SECTILE_BF16:
      store(tensor, i, floatToBf16(static_cast<float>(value)));
      break;
    case SECTILE_F8E4M3FN:
    case SECTILE_F8E4M3FNUZ:
    case SECTILE_F8E5M2:
    case SECTILE_F8E5M2FNUZ:
      store(tensor, i, static_cast<uint8_t>(*getSmallFloat(tensor.dtype)->encode(value)));
      break;
    default: {
      // Little endian: the first byte of an integer holds its lowest bits.
      uint32_t bytes = sectile_dtype_bytes(tensor.dtype);
      uint64_t bit = random >> 63;
      memcpy(tensor.data.data() + i * bytes, &bit, bytes);
    }
    }
  }
}

std::string describeType(int32_t dtype, const std::vector<int64_t> &dims) {
  std::string text = sectile_dtype_name(dtype);
  text += "[";
  for (size_t i = 0; i < dims.size(); ++i)
    text += (i ? "," : "") + (dims[i] < 0 ? std::string("?") : std::to_string(dims[i]));
  return text + "]";
}

} // namespace sectile::tools
