//===- MemoryLayout.h - where a tensor's bits lie ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A memory layout maps coordinates, and a bit of the element, to a bit address.
// The bit is one more number with digits of its own, so the order of nibbles in
// a byte is a layout like any other. Eight 4-bit codes of a row, two to a byte,
// low half first; the same codes with the second four in the high halves; and
// the same as four planes of one bit each:
//
//   [8] x 4, d0 = [8:4], bit = [4:1]
//   [8] x 4, d0 = [4:8, 2:4], bit = [4:1]
//   [8] x 4, d0 = [8:1], bit = [4:8]
//
// Planes of different widths (3 = 2 + 1) are several such maps, one for each.
//
// A digit `8:4` selects 8 elements whose addresses are 4 bits apart. Digits may
// leave gaps: that is padding. On top, *swizzles* exchange bits of the byte
// address: `swizzle = [3 of 7 at 4]` XORs 3 bits, from bit 7 on, into bits 4 to
// 6, which is the 128-byte mode of bulk tensor copies and wgmma (PTX ISA,
// "Swizzling Modes"); it holds relative to an address that is a multiple of
// 2^10, as the size of such a layout must be.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LAYOUT_MEMORYLAYOUT_H
#define SECTILE_LAYOUT_MEMORYLAYOUT_H

#include "sectile/Layout/DigitMap.h"

#include <string>
#include <string_view>

namespace sectile::layout {

/// Bits [from, from + count) of the byte address, XORed into bits [to, to + count).
struct Swizzle {
  int64_t count, from, to;
  bool operator==(const Swizzle &) const = default;
  /// Bytes that it permutes among themselves.
  int64_t period() const { return int64_t(1) << (from + count); }
};

/// Where the byte at `address` goes.
int64_t applySwizzles(int64_t address, std::span<const Swizzle> swizzles);

/// A digit of a coordinate, or of the element's bit: `extent` values, `bits` apart in memory.
struct MemoryDigit {
  int64_t extent, bits;
};

class MemoryLayout {
public:
  /// `digits[dim]` of each coordinate, fastest first, then `digits.back()` of the element's bit.
  /// Their extents multiply to the shape's (to `elementBits`); addresses must not overlap. `size`
  /// in bits is what the layout takes, at least the last bit's address plus one: 0 for just that,
  /// rounded up to bytes and to the period of the swizzles.
  static OrReason<MemoryLayout> create(std::vector<int64_t> shape, int64_t elementBits,
                                       const std::vector<std::vector<MemoryDigit>> &digits,
                                       std::vector<Swizzle> swizzles = {}, int64_t size = 0);
  /// The last dimension fastest, `padBits` behind each row of it.
  static OrReason<MemoryLayout> rowMajor(std::vector<int64_t> shape, int64_t elementBits,
                                         int64_t padBits = 0);
  /// The text form shown above, with `size = BITS` at the end where it is not the least.
  static OrReason<MemoryLayout> parse(std::string_view text);
  std::string str() const;

  std::span<const int64_t> shape() const { return tensorShape; }
  int64_t elementBits() const { return addresses.domain().back(); }
  int64_t sizeBits() const { return addresses.range().front(); }
  /// From coordinates and bit to the address before swizzles.
  const DigitMap &map() const { return addresses; }
  std::span<const Swizzle> swizzles() const { return xors; }
  bool operator==(const MemoryLayout &) const = default;

  /// The address of bit `bit` of the element, in bits from the start.
  int64_t bitAddress(std::span<const int64_t> coordinates, int64_t bit = 0) const;
  /// The same with these swizzles instead of its own.
  OrReason<MemoryLayout> withSwizzles(std::vector<Swizzle> swizzles) const;

private:
  MemoryLayout(std::vector<int64_t> shape, DigitMap addresses, std::vector<Swizzle> xors)
      : tensorShape(std::move(shape)), addresses(std::move(addresses)), xors(std::move(xors)) {}
  std::vector<int64_t> tensorShape;
  DigitMap addresses;
  std::vector<Swizzle> xors;
};

} // namespace sectile::layout

#endif // SECTILE_LAYOUT_MEMORYLAYOUT_H
