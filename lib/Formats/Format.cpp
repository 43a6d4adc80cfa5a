//===- Format.cpp - one number format: what each code stands for -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Format.h"

#include <algorithm>
#include <cassert>
#include <cmath>

using namespace sectile::formats;

namespace {
/// One function per kind of layout, for std::visit.
template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;
} // namespace

//===----------------------------------------------------------------------===//
// Making
//===----------------------------------------------------------------------===//

Format Format::makeSigned(unsigned bits, unsigned fractionBits) {
  assert(bits >= 1 && bits <= 8 && fractionBits <= 63);
  return Format(IntegerLayout{bits, /*isSigned=*/true, /*bias=*/0, fractionBits});
}

Format Format::makeUnsigned(unsigned bits, int bias, unsigned fractionBits) {
  assert(bits >= 1 && bits <= 8 && fractionBits <= 63 && std::abs(bias) <= 1 << 16);
  return Format(IntegerLayout{bits, /*isSigned=*/false, bias, fractionBits});
}

Format Format::makeBipolar(unsigned bits) {
  assert(bits >= 1 && bits <= 8);
  return Format(BipolarLayout{bits});
}

Format Format::makeTernary() { return Format(TernaryLayout{}); }

Format Format::makeFloat(const FloatLayout &layout) {
  assert(!layout.findFault());
  return Format(layout);
}

Result<Format> Format::makeCodebook(unsigned dimension, std::vector<double> entries) {
  if (dimension < 1 || entries.size() % dimension != 0)
    return Failure{"expects entries of equal length in a codebook"};
  size_t count = entries.size() / dimension;
  if (count < 1 || count > 256)
    return Failure{"expects 1 to 256 entries in a codebook, but got " + std::to_string(count)};
  for (double entry : entries)
    if (!std::isfinite(entry))
      return Failure{"expects finite entries in a codebook"};
  return Format(std::make_shared<const Codebook>(dimension, std::move(entries)));
}

//===----------------------------------------------------------------------===//
// Questions
//===----------------------------------------------------------------------===//

bool Format::operator==(const Format &other) const {
  const auto *left = std::get_if<CodebookRef>(&layout);
  const auto *right = std::get_if<CodebookRef>(&other.layout);
  return left && right ? **left == **right : layout == other.layout;
}

unsigned Format::getBits() const {
  return std::visit(Overloaded{[](const IntegerLayout &integer) { return integer.bits; },
                               [](const BipolarLayout &bipolar) { return bipolar.bits; },
                               [](const TernaryLayout &) { return 2U; },
                               [](const FloatLayout &floating) { return floating.getBits(); },
                               [this](const CodebookRef &) {
                                 unsigned bits = 1;
                                 while (getCodeCount() > uint64_t(1) << bits)
                                   ++bits;
                                 return bits;
                               }},
                    layout);
}

uint64_t Format::getCodeCount() const {
  if (std::holds_alternative<TernaryLayout>(layout))
    return 3;
  if (const auto *codebook = std::get_if<CodebookRef>(&layout))
    return (*codebook)->entries.size() / (*codebook)->dimension;
  return uint64_t(1) << getBits();
}

unsigned Format::getDimension() const {
  const auto *codebook = std::get_if<CodebookRef>(&layout);
  return codebook ? (*codebook)->dimension : 1;
}

bool Format::isInteger() const {
  const auto *integer = std::get_if<IntegerLayout>(&layout);
  return integer ? integer->fractionBits == 0 : std::holds_alternative<TernaryLayout>(layout);
}

double Format::getLargest() const {
  if (const FloatLayout *floating = getFloat())
    return floating->decode(floating->getLargestCode());
  if (const auto *codebook = std::get_if<CodebookRef>(&layout))
    return *std::max_element((*codebook)->entries.begin(), (*codebook)->entries.end());
  const auto *integer = std::get_if<IntegerLayout>(&layout);
  bool isSigned = integer && integer->isSigned;
  return decode(static_cast<uint32_t>(isSigned ? getCodeCount() / 2 : getCodeCount()) - 1);
}

double Format::getLowest() const {
  if (const FloatLayout *floating = getFloat())
    return floating->isSigned ? -getLargest() : floating->decode(0);
  if (const auto *codebook = std::get_if<CodebookRef>(&layout))
    return *std::min_element((*codebook)->entries.begin(), (*codebook)->entries.end());
  const auto *integer = std::get_if<IntegerLayout>(&layout);
  bool isSigned = integer && integer->isSigned;
  return decode(isSigned ? static_cast<uint32_t>(getCodeCount() / 2) : 0);
}

//===----------------------------------------------------------------------===//
// Codes to numbers
//===----------------------------------------------------------------------===//

/// A code as the number it spells, without bias and fraction.
static int spell(const IntegerLayout &integer, uint32_t code) {
  int value = static_cast<int>(code);
  return integer.isSigned && value >= 1 << (integer.bits - 1) ? value - (1 << integer.bits) : value;
}

double Format::decode(uint32_t code, unsigned position) const {
  assert(code < getCodeCount() && position < getDimension());
  return std::visit(
      Overloaded{
          [&](const IntegerLayout &integer) {
            return std::ldexp(spell(integer, code) - integer.bias, -int(integer.fractionBits));
          },
          [&](const BipolarLayout &bipolar) { return 2.0 * code - ((1 << bipolar.bits) - 1); },
          [&](const TernaryLayout &) { return static_cast<double>(code) - 1; },
          [&](const FloatLayout &floating) { return floating.decode(code); },
          [&](const CodebookRef &codebook) {
            return codebook->entries[size_t(code) * codebook->dimension + position];
          },
      },
      layout);
}

//===----------------------------------------------------------------------===//
// Numbers to codes
//===----------------------------------------------------------------------===//

/// `value` as an integer in double; infinities stay. Halfway goes to the even one.
static double roundToInteger(double value, Rounding rounding) {
  switch (rounding) {
  case Rounding::NearestEven: {
    double down = std::floor(value), rest = value - down;
    // Numbers without a fraction, infinities among them, have no rest to compare.
    if (!(rest > 0))
      return value;
    // A negative number too small to count leaves a rest of one, rounded: still the upper one.
    if (rest != 0.5)
      return rest > 0.5 ? down + 1 : down;
    return std::fmod(down, 2) == 0 ? down : down + 1;
  }
  case Rounding::TowardZero:
    return std::trunc(value);
  case Rounding::Up:
    return std::ceil(value);
  case Rounding::Down:
    break;
  }
  return std::floor(value);
}

/// The odd number that `value` becomes: `low` or the next odd one above.
static double roundToOdd(double value, Rounding rounding) {
  double low = std::floor(value);
  if (std::fmod(low, 2) == 0)
    low -= 1;
  if (value == low)
    return low;
  switch (rounding) {
  case Rounding::NearestEven:
    return value >= low + 1 ? low + 2 : low;
  case Rounding::TowardZero:
    return value > 0 ? std::max(low, 1.0) : std::min(low + 2, value < 0 ? -1.0 : 1.0);
  case Rounding::Up:
    return low + 2;
  case Rounding::Down:
    break;
  }
  return low;
}

/// Which of two neighbours is nearer to `value` between them: below zero the lower one, above zero
/// the upper one, zero neither. Exact, though the sum of two doubles need not be a double.
static double compareWithMiddle(double value, double lower, double upper) {
  double sum = lower / 2 + upper / 2;
  double part = sum - lower / 2;
  double lost = (lower / 2 - (sum - part)) + (upper / 2 - part);
  return value != sum ? value - sum : -lost;
}

static uint32_t encodeScalar(const Codebook &codebook, double value, Rounding rounding) {
  const std::vector<uint32_t> &order = codebook.getOrder();
  auto above = std::upper_bound(order.begin(), order.end(), value, [&](double left, uint32_t code) {
    return left < codebook.entries[code];
  });
  if (above == order.begin())
    return order.front();
  uint32_t low = above[-1];
  if (above == order.end() || codebook.entries[low] == value)
    return low;
  uint32_t high = *above;
  switch (rounding) {
  case Rounding::NearestEven: {
    double side = compareWithMiddle(value, codebook.entries[low], codebook.entries[high]);
    return side == 0 ? std::min(low, high) : side < 0 ? low : high;
  }
  case Rounding::TowardZero: {
    bool crossesZero = codebook.entries[low] < 0 && codebook.entries[high] > 0;
    return (value < 0) == crossesZero ? low : high;
  }
  case Rounding::Up:
    return high;
  case Rounding::Down:
    break;
  }
  return low;
}

std::optional<uint32_t> Format::encode(double value, Rounding rounding, Overflow overflow) const {
  assert(getDimension() == 1);
  if (const FloatLayout *floating = getFloat())
    return floating->encode(value, rounding, overflow);
  if (std::isnan(value))
    return std::nullopt;
  return std::visit(
      Overloaded{
          [&](const IntegerLayout &integer) -> uint32_t {
            // Scaling up is exact, and rounding before the bias is added keeps it a single one.
            double whole =
                roundToInteger(std::ldexp(value, static_cast<int>(integer.fractionBits)), rounding);
            int count = 1 << integer.bits;
            double lowest = integer.isSigned ? -count / 2 : -integer.bias;
            int spelled =
                static_cast<int>(std::clamp(whole, lowest, lowest + count - 1)) + integer.bias;
            return static_cast<uint32_t>(spelled) & (count - 1);
          },
          [&](const BipolarLayout &bipolar) -> uint32_t {
            double largest = (1 << bipolar.bits) - 1;
            double odd = roundToOdd(std::clamp(value, -largest, largest), rounding);
            return static_cast<uint32_t>((odd + largest) / 2);
          },
          [&](const TernaryLayout &) -> uint32_t {
            return static_cast<uint32_t>(std::clamp(roundToInteger(value, rounding), -1.0, 1.0) +
                                         1);
          },
          [&](const FloatLayout &) -> uint32_t { return 0; },
          [&](const CodebookRef &codebook) { return encodeScalar(*codebook, value, rounding); },
      },
      layout);
}

std::optional<uint32_t> Format::encodeVector(const double *values) const {
  unsigned dimension = getDimension();
  if (dimension == 1)
    return encode(*values);
  auto getDistance = [&](uint32_t code) {
    double distance = 0;
    for (unsigned position = 0; position < dimension; ++position) {
      double difference = values[position] - decode(code, position);
      distance += difference * difference;
    }
    return distance;
  };
  uint32_t best = 0;
  double least = getDistance(0);
  for (uint32_t code = 1; code < getCodeCount(); ++code)
    if (double distance = getDistance(code); distance < least) {
      best = code;
      least = distance;
    }
  if (!std::isfinite(least))
    return std::nullopt;
  return best;
}
