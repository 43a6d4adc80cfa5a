//===- Tensor.h - tensors in the tool's memory ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_TENSOR_H
#define SECTILE_TOOLS_SECTILE_TENSOR_H

#include "sectile/Formats/Format.h"
#include "sectile/sectile.h"

#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace sectile::tools {

/// Gives vectors the alignment of a cache line, as the runtime's own buffers.
template <typename T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <typename U>
  CacheLineAllocator(const CacheLineAllocator<U> &) {}
  T *allocate(size_t count) {
    return static_cast<T *>(::operator new(count * sizeof(T), std::align_val_t(64)));
  }
  void deallocate(T *memory, size_t) { ::operator delete(memory, std::align_val_t(64)); }
  bool operator==(const CacheLineAllocator &) const = default;
};

using Bytes = std::vector<std::byte, CacheLineAllocator<std::byte>>;

/// A tensor, row-major and contiguous.
struct Tensor {
  int32_t dtype = SECTILE_F32; ///< enum sectile_dtype
  std::vector<int64_t> dims;
  Bytes data; ///< countElements(dims) elements

  int64_t numElements() const;
};

/// Product of `dims`; none if one is negative or a tensor of 8-byte elements would
/// exceed INT64_MAX bytes.
std::optional<int64_t> countElements(const std::vector<int64_t> &dims);

/// Bytes of a tensor; none as in countElements.
std::optional<uint64_t> countBytes(int32_t dtype, const std::vector<int64_t> &dims);

bool isFloat(int32_t dtype);

/// What an 8-bit float type's codes mean; null for other types.
const formats::Format *getSmallFloat(int32_t dtype);

/// Element `index` of `tensor` as a double: exact but for large 64-bit integers.
double readElement(const Tensor &tensor, int64_t index);

/// Value of a bfloat16 or IEEE half given by its bits.
float bf16ToFloat(uint16_t bits);
float halfToFloat(uint16_t bits);
/// The same backwards, rounding to nearest even.
uint16_t floatToBf16(float value);
uint16_t floatToHalf(float value);

/// Fills `tensor` with reproducible values: floats uniform in (-1, 1), rounded to
/// the dtype, integers and booleans 0 or 1 (valid as index into anything, as mask and as token
/// type). Different `stream`s of one seed are independent.
void fillRandom(Tensor &tensor, uint64_t seed, uint64_t stream);

/// E.g. "f32[8,128]", "i64[]".
std::string describeType(int32_t dtype, const std::vector<int64_t> &dims);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_TENSOR_H
