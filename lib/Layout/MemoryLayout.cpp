//===- MemoryLayout.cpp - where a tensor's bits lie -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Layout/MemoryLayout.h"

#include <algorithm>

using namespace sectile::layout;

int64_t sectile::layout::applySwizzles(int64_t address, std::span<const Swizzle> swizzles) {
  for (const Swizzle &swizzle : swizzles)
    address ^= (address >> swizzle.from & ((int64_t(1) << swizzle.count) - 1)) << swizzle.to;
  return address;
}

/// Null if a swizzle is a permutation of addresses below 2^40; else the reason.
static std::optional<Reason> check(const Swizzle &swizzle) {
  if (swizzle.count < 1 || swizzle.to < 0 || swizzle.from < 0 || swizzle.count > 40 ||
      swizzle.from + swizzle.count > 40)
    return Reason{"expects a swizzle of at least one bit below bit 40"};
  if (swizzle.from < swizzle.to + swizzle.count)
    return Reason{"expects a swizzle's bits from " + std::to_string(swizzle.from) +
                  " to lie above those that it changes, " + std::to_string(swizzle.to) + " to " +
                  std::to_string(swizzle.to + swizzle.count - 1)};
  return std::nullopt;
}

OrReason<MemoryLayout> MemoryLayout::create(std::vector<int64_t> shape, int64_t elementBits,
                                            const std::vector<std::vector<MemoryDigit>> &digits,
                                            std::vector<Swizzle> swizzles, int64_t size) {
  if (elementBits < 1 || elementBits > 1024)
    return Reason{"expects elements of 1 to 1024 bits, but got " + std::to_string(elementBits)};
  if (digits.size() != shape.size() + 1)
    return Reason{"expects digits for " + std::to_string(shape.size()) +
                  " dimensions and for the bit"};
  std::vector<int64_t> domain(shape);
  domain.push_back(elementBits);
  std::vector<Digit> all;
  int64_t end = 1; // One behind the last bit.
  for (unsigned axis = 0; axis < digits.size(); ++axis) {
    int64_t stride = 1;
    for (const MemoryDigit &digit : digits[axis]) {
      constexpr int64_t kMost = DigitMap::kMostElements;
      if (digit.extent < 1 || digit.bits < 1 || digit.extent > kMost / stride ||
          digit.bits > kMost / digit.extent)
        return Reason{"expects digits of at least 1 and addresses below 2^48 bits"};
      all.push_back({digit.extent, Place{axis, stride}, Place{0, digit.bits}});
      end = std::max(end, digit.extent * digit.bits);
      stride *= digit.extent;
    }
  }
  int64_t unit = 8;
  for (const Swizzle &swizzle : swizzles) {
    if (std::optional<Reason> reason = check(swizzle))
      return *reason;
    unit = std::max(unit, 8 * swizzle.period());
  }
  int64_t least = (end + unit - 1) / unit * unit;
  if (size == 0)
    size = least;
  if (size < end || size % unit != 0)
    return Reason{"expects a size of at least " + std::to_string(end) + " bits and a multiple of " +
                  std::to_string(unit) + ", but got " + std::to_string(size)};
  OrReason<DigitMap> map = DigitMap::create(std::move(domain), {size}, std::move(all));
  if (!map)
    return map.reason();
  return MemoryLayout(std::move(shape), std::move(*map), std::move(swizzles));
}

OrReason<MemoryLayout> MemoryLayout::rowMajor(std::vector<int64_t> shape, int64_t elementBits,
                                              int64_t padBits) {
  std::vector<std::vector<MemoryDigit>> digits(shape.size() + 1);
  digits.back().push_back({elementBits, 1});
  int64_t stride = elementBits;
  for (size_t dim = shape.size(); dim-- > 0;) {
    if (shape[dim] < 1 || stride > DigitMap::kMostElements / shape[dim])
      return Reason{"expects extents of at least 1 and addresses below 2^48 bits"};
    digits[dim].push_back({shape[dim], stride});
    stride = stride * shape[dim] + (dim + 1 == shape.size() ? padBits : 0);
  }
  return create(std::move(shape), elementBits, digits);
}

int64_t MemoryLayout::bitAddress(std::span<const int64_t> coordinates, int64_t bit) const {
  std::vector<int64_t> numbers(coordinates.begin(), coordinates.end());
  numbers.push_back(bit);
  int64_t address = addresses.apply(numbers).front();
  return applySwizzles(address / 8, xors) * 8 + address % 8;
}

OrReason<MemoryLayout> MemoryLayout::withSwizzles(std::vector<Swizzle> swizzles) const {
  int64_t size = sizeBits();
  for (const Swizzle &swizzle : swizzles) {
    if (std::optional<Reason> reason = check(swizzle))
      return *reason;
    int64_t unit = 8 * swizzle.period();
    size = (size + unit - 1) / unit * unit;
  }
  OrReason<DigitMap> map = addresses.extendRange(0, size);
  if (!map)
    return map.reason();
  return MemoryLayout(tensorShape, std::move(*map), std::move(swizzles));
}
