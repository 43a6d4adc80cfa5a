//===- Gguf.h - GGUF's block structures, declared -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A GGUF block holds 32 to 256 numbers of a row in a structure of bytes. Each type is
// a declaration: where the bits of number j's code, and of each scale, lie. One
// decoder and one encoder read declarations; no type has code of its own.
//
// Number j of Q5_0, for instance, has four bits in a nibble and the fifth elsewhere:
//
//     bytes   0..1   2..5            6..21
//             d      bit j is the    byte j % 16: low nibble j, high nibble j + 16
//                    fifth of j
//
// Both fields are strided: with j split into digits (mixed radix, lowest first), a bit
// address is a base plus a stride per digit. {16 by 8 bits, 2 by 4 bits} from bit 48 on
// are the nibbles, {32 by 1 bit} from bit 16 on the fifth bits.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_FORMATS_GGUF_H
#define SECTILE_FORMATS_GGUF_H

#include "sectile/Formats/Format.h"

namespace sectile::formats {

/// A digit of a field's index: `extent` values, so and so many bits (or trits) apart.
struct BitDigit {
  unsigned extent = 1;
  unsigned bitStride = 0;
  unsigned tritStride = 0;
};

/// Bits of consecutive indices that are stored alike: index i, counted from `first`, has `width`
/// bits from a strided address on, which are the bits from `position` on of its number. With
/// `isTrit` they are a byte of base-3 digits instead (see `readTrit`), and the digits' trit strides
/// say which.
struct BitSegment {
  unsigned first = 0;   // the index that it starts at
  unsigned count = 1;   // indices, the product of the extents
  unsigned baseBit = 0; // of the block
  unsigned width = 8;
  unsigned position = 0;
  std::vector<BitDigit> digits = {}; // lowest first
  bool isTrit = false;
};

/// Numbers of one purpose in a block. An index may have several segments, one per run of bits.
struct BlockField {
  Format format;
  unsigned count = 1;
  std::vector<BitSegment> segments;
};

/// How `encodeGguf` finds scales and codes. Each is what ggml's reference does, in its order of
/// float operations, so that the bytes are the same.
enum class GgufRule {
  None,           // ggml searches, with heuristics: not offered here
  SignedMax,      // d = the number of largest magnitude / lowest code; round half up
  Range,          // d = (max - min) / last code, m = min; round half up
  Magnitude,      // d = largest magnitude / largest code of both signs; round half away from zero
  SharedExponent, // d = 2^(floor(log2 max) - 2); nearest, ties to the lower code
};

/// A block type. Number j of a block is
///
///     d * scale[j / n] * q[j] + minSign * m * min[j / n']
///
/// without the factors that the type does not have; n and n' are numbers per scale and min.
struct GgufType {
  std::string_view name; // as GGUF spells it
  unsigned elements = 0; // numbers per block
  unsigned bytes = 0;
  BlockField codes;
  std::optional<BlockField> d = std::nullopt;                      // one for the block
  std::optional<BlockField> scales = std::nullopt;                 // one per part of it
  std::optional<BlockField> m = std::nullopt, mins = std::nullopt; // likewise
  double minSign = 1;
  GgufRule rule = GgufRule::None;
};

/// The type of a name (`Q4_K`); null for those not declared.
const GgufType *findGgufType(std::string_view name);
/// All declared types.
const std::vector<GgufType> &getGgufTypes();

/// What a block is made of: `codes` get the code of each number, `scales` and `mins` one number for
/// each part, so that number j is scales[j / n] * (number of code j) + mins[j / n], exactly.
/// Returns n, the numbers of a part.
unsigned splitGguf(const GgufType &type, const uint8_t *block, std::vector<uint8_t> &codes,
                   std::vector<double> &scales, std::vector<double> &mins);

/// Writes the `type.elements` numbers of a block of `type.bytes` bytes, exactly. Scales that are
/// NaN in their format make NaN.
void decodeGguf(const GgufType &type, const uint8_t *block, double *values);

/// The block of `type.elements` numbers by the type's rule. Fails for types without one and for
/// numbers that are not finite.
Result<std::vector<uint8_t>> encodeGguf(const GgufType &type, const float *values);

} // namespace sectile::formats

#endif // SECTILE_FORMATS_GGUF_H
