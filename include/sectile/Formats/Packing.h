//===- Packing.h - codes in bytes, one after another -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_FORMATS_PACKING_H
#define SECTILE_FORMATS_PACKING_H

#include "sectile/Formats/Result.h"

#include <cstdint>
#include <vector>

namespace sectile::formats {

/// Codes of `bits` bits (1 to 8) without gaps: bit k of code i is bit i * bits + k of the bytes, in
/// little-endian order (bit 0 is the lowest of byte 0). The last byte is filled with zeros.
/// Fails on a code that needs more bits.
Result<std::vector<uint8_t>> pack(const std::vector<uint8_t> &codes, unsigned bits);

/// The first `count` codes that `pack` wrote. Fails if there are too few bytes.
Result<std::vector<uint8_t>> unpack(const std::vector<uint8_t> &bytes, unsigned bits, size_t count);

/// Ternary codes (0 to 2), five in a byte: byte j is the sum of code[5 * j + i] * 3^i. The last
/// byte is filled with zeros. Fails on a code above 2. (GGUF's TQ1_0 stores the same number of
/// trits in another way: Gguf.h.)
Result<std::vector<uint8_t>> packTernary(const std::vector<uint8_t> &codes);

/// The first `count` codes that `packTernary` wrote. Fails if there are too few bytes, or on a byte
/// above 242, which no five codes make.
Result<std::vector<uint8_t>> unpackTernary(const std::vector<uint8_t> &bytes, size_t count);

} // namespace sectile::formats

#endif // SECTILE_FORMATS_PACKING_H
