//===- Block.cpp - numbers that share a scale along K -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Block.h"

#include <algorithm>
#include <cmath>

using namespace sectile::formats;

std::optional<std::string> BlockFormat::findFault() const {
  if (grouping == Grouping::Group && groupSize < 1)
    return "expects groups of at least 1, but got " + std::to_string(groupSize);
  if (element.getBits() > 8)
    return "expects elements of at most 8 bits, but got " + element.print();
  if (std::max(element.getLargest(), -element.getLowest()) == 0)
    return "expects an element with a number other than zero, but got " + element.print();
  for (const Format *part : {&scale, tensorScale ? &*tensorScale : nullptr})
    if (part && (!part->getFloat() || part->getLargest() <= 0))
      return "expects a float as scale, but got " + part->print();
  if ((zeroForm != ZeroForm::None) != zero.has_value())
    return "expects a format of the zero point exactly where there is one";
  if (zero && !zero->getFloat() && !zero->isInteger())
    return "expects an integer or a float as zero point, but got " + zero->print();
  if (zero && (element.getDimension() > 1 || element.getLargest() == element.getLowest()))
    return "expects an element with a range of numbers beside a zero point, but got " +
           element.print();
  if (grouping == Grouping::Group && groupSize % element.getDimension() != 0)
    return "expects groups that the element's vectors of " +
           std::to_string(element.getDimension()) + " divide, but got " + std::to_string(groupSize);
  return std::nullopt;
}

int64_t BlockFormat::getGroupLength(int64_t columns) const {
  return grouping == Grouping::Group ? groupSize : std::max<int64_t>(columns, 1);
}

int64_t BlockFormat::getGroupsPerRow(int64_t columns) const {
  if (grouping != Grouping::Group)
    return 1;
  return (columns + groupSize - 1) / groupSize;
}

/// Scales of a matrix: groups in front of one of `row` and `column`, in their order.
static size_t getGroupIndex(const BlockFormat &format, int64_t columns, int64_t row,
                            int64_t column) {
  if (format.grouping == Grouping::Tensor)
    return 0;
  return row * format.getGroupsPerRow(columns) + column / format.getGroupLength(columns);
}

static size_t getGroupCount(const BlockFormat &format, int64_t rows, int64_t columns) {
  return format.grouping == Grouping::Tensor ? 1 : rows * format.getGroupsPerRow(columns);
}

//===----------------------------------------------------------------------===//
// Quantize
//===----------------------------------------------------------------------===//

namespace {
/// The numbers of a group: their ends, zero not counted unless it is among them.
struct Range {
  double lowest = 0, highest = 0;
  bool isEmpty = true;

  void add(double value) {
    lowest = isEmpty ? value : std::min(lowest, value);
    highest = isEmpty ? value : std::max(highest, value);
    isEmpty = false;
  }
  double getMagnitude() const { return std::max(std::fabs(lowest), std::fabs(highest)); }
};
} // namespace

/// The positive number that a scale brings the largest magnitude to.
static double getTarget(const Format &element) {
  return element.getLargest() > 0 ? element.getLargest() : -element.getLowest();
}

/// Codes of formats that have no NaN for the numbers that occur here.
static uint32_t encodeFinite(const Format &format, double value,
                             Rounding rounding = Rounding::NearestEven) {
  std::optional<uint32_t> code = format.encode(value, rounding, Overflow::Saturate);
  assert(code && "expects a number");
  return *code;
}

/// The code of the scale that brings `magnitude` to `target`.
static uint32_t findScale(const BlockFormat &format, double magnitude, double target) {
  switch (format.rule) {
  case ScaleRule::Nearest:
    return encodeFinite(format.scale, magnitude / target);
  case ScaleRule::Up:
    return encodeFinite(format.scale, magnitude / target, Rounding::Up);
  case ScaleRule::FloorExponent:
    break;
  }
  return encodeFinite(format.scale, std::ldexp(magnitude, -std::ilogb(target)), Rounding::Down);
}

/// `value / scale`; a scale that was rounded to zero leaves nothing but zeros.
static double divide(double value, double scale) { return scale == 0 ? 0 : value / scale; }

/// The zero point's code of a group: what brings the group's lowest number to the element's.
static uint32_t findZero(const BlockFormat &format, const Range &range, double scale) {
  double lowest = format.element.getLowest();
  if (format.zeroForm == ZeroForm::Offset)
    return encodeFinite(*format.zero, scale * lowest - range.lowest);
  return encodeFinite(*format.zero, lowest - divide(range.lowest, scale));
}

/// The element that `value` becomes beside a zero point of an integer or float format.
static uint32_t encodeShifted(const BlockFormat &format, double value, double scale, double zero) {
  if (format.zeroForm == ZeroForm::Offset)
    return encodeFinite(format.element, divide(value + zero, scale));
  double steps = divide(value, scale);
  // Between integers and a whole zero point rounding comes first, as all who write such weights do
  // it: the sum with a fraction would round a second time.
  if (format.element.isInteger() && zero == std::floor(zero))
    steps = std::nearbyint(steps);
  return encodeFinite(format.element, steps + zero);
}

static Result<std::vector<Range>> findRanges(const BlockFormat &format, const float *values,
                                             int64_t rows, int64_t columns) {
  std::vector<Range> ranges(getGroupCount(format, rows, columns));
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      float value = values[row * columns + column];
      if (!std::isfinite(value))
        return Failure{"expects finite numbers, but got " + std::to_string(value) + " in row " +
                       std::to_string(row) + ", column " + std::to_string(column)};
      ranges[getGroupIndex(format, columns, row, column)].add(value);
    }
  return ranges;
}

Result<QuantizedMatrix> sectile::formats::quantize(const BlockFormat &format, const float *values,
                                                   int64_t rows, int64_t columns) {
  assert(!format.findFault());
  unsigned dimension = format.element.getDimension();
  if (columns % dimension != 0)
    return Failure{"expects rows that vectors of " + std::to_string(dimension) +
                   " divide, but got " + std::to_string(columns) + " columns"};
  Result<std::vector<Range>> ranges = findRanges(format, values, rows, columns);
  if (!ranges)
    return Failure{ranges.getMessage()};

  QuantizedMatrix matrix;
  matrix.rows = rows;
  matrix.columns = columns;
  double tensorScale = 1;
  if (format.tensorScale) {
    double magnitude = 0;
    for (const Range &range : *ranges)
      magnitude = std::max(magnitude, range.getMagnitude());
    double target = getTarget(format.element) * format.scale.getLargest();
    matrix.tensorScale = encodeFinite(*format.tensorScale, magnitude / target);
    tensorScale = format.tensorScale->decode(matrix.tensorScale);
  }
  // The scale of a zero point spreads the range over all steps of the element.
  double steps = format.element.getLargest() - format.element.getLowest();
  bool keepsZero = format.zeroForm == ZeroForm::ZeroPoint && !format.zero->getFloat();
  for (Range range : *ranges) {
    range.lowest = divide(range.lowest, tensorScale);
    range.highest = divide(range.highest, tensorScale);
    if (keepsZero) {
      range.lowest = std::min(range.lowest, 0.0);
      range.highest = std::max(range.highest, 0.0);
    }
    if (format.zeroForm == ZeroForm::None) {
      matrix.scales.push_back(findScale(format, range.getMagnitude(), getTarget(format.element)));
      continue;
    }
    matrix.scales.push_back(findScale(format, range.highest - range.lowest, steps));
    matrix.zeros.push_back(findZero(format, range, format.scale.decode(matrix.scales.back())));
  }

  std::vector<double> vector(dimension);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; column += dimension) {
      size_t group = getGroupIndex(format, columns, row, column);
      double scale = format.scale.decode(matrix.scales[group]);
      const float *first = values + row * columns + column;
      std::optional<uint32_t> code;
      if (format.zeroForm != ZeroForm::None) {
        double zero = format.zero->decode(matrix.zeros[group]);
        code = encodeShifted(format, divide(*first, tensorScale), scale, zero);
      } else {
        for (unsigned i = 0; i < dimension; ++i)
          vector[i] = divide(first[i], scale * tensorScale);
        code = format.element.encodeVector(vector.data());
      }
      if (!code)
        return Failure{"expects numbers within the reach of " + format.element.print() +
                       ", but got " + std::to_string(*first) + " in row " + std::to_string(row) +
                       ", column " + std::to_string(column)};
      matrix.codes.push_back(static_cast<uint8_t>(*code));
    }
  return matrix;
}

//===----------------------------------------------------------------------===//
// Dequantize
//===----------------------------------------------------------------------===//

/// What is wrong with the codes of one part of a matrix.
template <typename Code>
static std::optional<std::string> checkCodes(std::string_view part, const Format &format,
                                             const std::vector<Code> &codes, size_t expected) {
  if (codes.size() != expected)
    return "expects " + std::to_string(expected) + " " + std::string(part) + ", but got " +
           std::to_string(codes.size());
  for (Code code : codes)
    if (code >= format.getCodeCount())
      return "expects codes of " + format.print() + " as " + std::string(part) + ", but got " +
             std::to_string(code);
  return std::nullopt;
}

static std::optional<std::string> checkMatrix(const BlockFormat &format,
                                              const QuantizedMatrix &matrix) {
  unsigned dimension = format.element.getDimension();
  if (matrix.rows < 0 || matrix.columns < 0 || matrix.columns % dimension != 0)
    return "expects rows that vectors of " + std::to_string(dimension) + " divide, but got " +
           std::to_string(matrix.columns) + " columns";
  size_t groups = getGroupCount(format, matrix.rows, matrix.columns);
  if (auto fault = checkCodes("elements", format.element, matrix.codes,
                              matrix.rows * matrix.columns / dimension))
    return fault;
  if (auto fault = checkCodes("scales", format.scale, matrix.scales, groups))
    return fault;
  if (format.zero)
    if (auto fault = checkCodes("zero points", *format.zero, matrix.zeros, groups))
      return fault;
  if (format.tensorScale)
    return checkCodes("tensor scales", *format.tensorScale,
                      std::vector<uint32_t>{matrix.tensorScale}, 1);
  return std::nullopt;
}

Result<std::vector<double>> sectile::formats::dequantize(const BlockFormat &format,
                                                         const QuantizedMatrix &matrix) {
  assert(!format.findFault());
  if (std::optional<std::string> fault = checkMatrix(format, matrix))
    return Failure{*fault};
  unsigned dimension = format.element.getDimension();
  double tensorScale = format.tensorScale ? format.tensorScale->decode(matrix.tensorScale) : 1;
  std::vector<double> values(matrix.rows * matrix.columns);
  for (int64_t row = 0; row < matrix.rows; ++row)
    for (int64_t column = 0; column < matrix.columns; ++column) {
      int64_t index = row * matrix.columns + column;
      size_t group = getGroupIndex(format, matrix.columns, row, column);
      double scale = format.scale.decode(matrix.scales[group]);
      double zero = format.zero ? format.zero->decode(matrix.zeros[group]) : 0;
      double number = format.element.decode(matrix.codes[index / dimension], index % dimension);
      double scaled =
          format.zeroForm == ZeroForm::Offset ? scale * number - zero : scale * (number - zero);
      values[index] = tensorScale * scaled;
    }
  return values;
}
