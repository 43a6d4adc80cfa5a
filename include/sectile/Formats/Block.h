//===- Block.h - numbers that share a scale along K -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block format splits each row of a matrix along K into groups of equal length
// (the last one may be shorter) that share a scale and, if it has one, a zero point:
//
//     x = tensorScale * scale[group] * (q - z[group])        zero point
//     x = tensorScale * (scale[group] * q - z[group])        offset
//
// q is what an element's code stands for. All parts are declared by `Format`s, so MX,
// NVFP4, GPTQ, AWQ, HQQ and NF4 blocks are values of one struct.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_FORMATS_BLOCK_H
#define SECTILE_FORMATS_BLOCK_H

#include "sectile/Formats/Format.h"

namespace sectile::formats {

/// Which elements share a scale.
enum class Grouping {
  Tensor,  // all
  Channel, // a row
  Group    // `BlockFormat::groupSize` neighbours of a row
};

/// How `quantize` finds the scale of a group whose largest magnitude is a, for elements whose
/// largest number is L = 1.b * 2^emax.
enum class ScaleRule {
  Nearest,      // a / L, to nearest: the largest magnitude keeps its place, as far as scales go
  Up,           // a / L, rounded up: no element saturates (`cvt.rp` to e8m0)
  FloorExponent // a / 2^emax, rounded down: OCP MX's 2^(floor(log2 a) - emax) with e8m0 scales
};

/// What is taken away from an element.
enum class ZeroForm {
  None,
  ZeroPoint, // scale * (q - z)
  Offset     // scale * q - z
};

/// A block format. The text form is the element's, followed by words for what differs from one f32
/// scale for the whole tensor, in this order: `group=N` or `group=channel`, `scale=FORMAT`,
/// `zero=FORMAT` or `offset=FORMAT`, `tensor=FORMAT`, `rule=up` or `rule=floor`. For instance
/// `uint4 group=128 scale=f16 zero=uint4`. `mxfp4`, `mxint8`, `nvfp4` and so on are names.
struct BlockFormat {
  Format element;
  Grouping grouping = Grouping::Tensor;
  int64_t groupSize = 0; // of Grouping::Group
  Format scale = makeF32();
  ScaleRule rule = ScaleRule::Nearest;
  ZeroForm zeroForm = ZeroForm::None;
  std::optional<Format> zero; // unless ZeroForm::None
  std::optional<Format> tensorScale;

  explicit BlockFormat(Format element) : element(std::move(element)) {}
  /// The usual format of scales.
  static Format makeF32();

  /// The format that a text names.
  static Result<BlockFormat> parse(std::string_view text);
  /// The text of this format, a name if it has one.
  std::string print() const;
  /// What is wrong with the parts' combination; nothing for those that the functions below take.
  std::optional<std::string> findFault() const;
  /// Numbers of a row that share a scale, in rows of `columns`.
  int64_t getGroupLength(int64_t columns) const;
  /// Groups of a row of `columns` numbers; 1 where rows are not split.
  int64_t getGroupsPerRow(int64_t columns) const;

  bool operator==(const BlockFormat &) const = default;
};

/// A matrix of `rows` x `columns` (K) numbers in a block format, row by row; every part as codes of
/// its own format, one per element of the vectors.
struct QuantizedMatrix {
  int64_t rows = 0, columns = 0;
  std::vector<uint8_t> codes;   // rows * columns / dimension of the element
  std::vector<uint32_t> scales; // rows * groups per row, or 1 for Grouping::Tensor
  std::vector<uint32_t> zeros;  // as scales, or empty
  uint32_t tensorScale = 0;
};

/// Rounds a matrix of floats, row by row, to the nearest codes under the scales of `format.rule`.
/// With a zero point the scale spreads the group's range, with zero in it, over the element's; an
/// offset, or a zero point that is a float, spreads the range as it is. Scales and zero points are
/// rounded first, and elements to nearest under the rounded ones. Fails on a number that is not
/// finite, naming row and column, and on a row that a vector of the element does not divide.
Result<QuantizedMatrix> quantize(const BlockFormat &format, const float *values, int64_t rows,
                                 int64_t columns);

/// The numbers of a quantized matrix, row by row. Exact where they are doubles, which holds without
/// zero point and for integer ones; sums with a float zero point or offset are rounded to double.
/// Fails if a part of the matrix has another length than the format says or a code beyond its
/// format's last one.
Result<std::vector<double>> dequantize(const BlockFormat &format, const QuantizedMatrix &matrix);

} // namespace sectile::formats

#endif // SECTILE_FORMATS_BLOCK_H
