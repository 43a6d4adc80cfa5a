//===- Gguf.cpp - reading and writing declared blocks -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Gguf.h"

#include <algorithm>
#include <cmath>

using namespace sectile::formats;

//===----------------------------------------------------------------------===//
// Fields
//===----------------------------------------------------------------------===//

namespace {
/// Where an index of a segment lies.
struct Place {
  unsigned bit = 0, trit = 0;
};
} // namespace

static Place findPlace(const BitSegment &segment, unsigned index) {
  Place place{segment.baseBit, 0};
  unsigned rest = index - segment.first;
  for (const BitDigit &digit : segment.digits) {
    place.bit += rest % digit.extent * digit.bitStride;
    place.trit += rest % digit.extent * digit.tritStride;
    rest /= digit.extent;
  }
  return place;
}

static bool holds(const BitSegment &segment, unsigned index) {
  return index >= segment.first && index - segment.first < segment.count;
}

static uint32_t readBits(const uint8_t *block, unsigned bit, unsigned width) {
  if (bit % 8 + width <= 8) // as almost all are
    return static_cast<uint32_t>(block[bit / 8] >> (bit % 8)) & ((1u << width) - 1);
  uint32_t value = 0;
  for (unsigned i = 0; i < width; ++i)
    value |= static_cast<uint32_t>(block[(bit + i) / 8] >> ((bit + i) % 8) & 1) << i;
  return value;
}

static void writeBits(uint8_t *block, unsigned bit, unsigned width, uint32_t value) {
  for (unsigned i = 0; i < width; ++i)
    block[(bit + i) / 8] |= (value >> i & 1) << ((bit + i) % 8);
}

/// A byte stands for a fraction of [0, 1): the first base-3 digit behind the point is trit 0. Bytes
/// that no packer makes read like any other.
static uint32_t readTrit(uint8_t byte, unsigned trit) {
  unsigned fraction = byte;
  for (unsigned i = 0; i < trit; ++i)
    fraction = fraction * 3 & 0xff;
  return fraction * 3 >> 8;
}

static uint32_t readField(const BlockField &field, const uint8_t *block, unsigned index) {
  uint32_t code = 0;
  for (const BitSegment &segment : field.segments) {
    if (!holds(segment, index))
      continue;
    Place place = findPlace(segment, index);
    uint32_t bits = segment.isTrit ? readTrit(block[place.bit / 8], place.trit)
                                   : readBits(block, place.bit, segment.width);
    code |= bits << segment.position;
  }
  return code;
}

/// Writes all numbers of a field into bytes that are zero.
static void writeField(const BlockField &field, const std::vector<uint32_t> &codes,
                       uint8_t *block) {
  for (const BitSegment &segment : field.segments) {
    for (unsigned index = segment.first; index < segment.first + segment.count; ++index) {
      Place place = findPlace(segment, index);
      if (!segment.isTrit) {
        writeBits(block, place.bit, segment.width, codes[index] >> segment.position);
        continue;
      }
      // Bytes first collect the digits, as a number below 3^5.
      unsigned weight = 81;
      for (unsigned i = 0; i < place.trit; ++i)
        weight /= 3;
      block[place.bit / 8] += codes[index] * weight;
    }
    if (!segment.isTrit)
      continue;
    // Then they become fractions of 3^5, rounded up so that `readTrit` finds the digits.
    unsigned bytes = segment.digits.front().extent;
    for (unsigned i = 0; i < bytes; ++i) {
      uint8_t &byte = block[segment.baseBit / 8 + i];
      byte = (byte * 256U + 242) / 243;
    }
  }
}

/// The number of a field for element `element` of `elements`; `otherwise` if there is no field.
static double readNumber(const std::optional<BlockField> &field, const uint8_t *block,
                         unsigned element, unsigned elements, double otherwise) {
  if (!field)
    return otherwise;
  unsigned index = element / (elements / field->count);
  return field->format.decode(readField(*field, block, index));
}

void sectile::formats::decodeGguf(const GgufType &type, const uint8_t *block, double *values) {
  for (unsigned j = 0; j < type.elements; ++j) {
    double code = type.codes.format.decode(readField(type.codes, block, j));
    double scale = readNumber(type.d, block, j, type.elements, 1) *
                   readNumber(type.scales, block, j, type.elements, 1);
    double least = readNumber(type.m, block, j, type.elements, 0) *
                   readNumber(type.mins, block, j, type.elements, 1);
    values[j] = type.m ? scale * code + type.minSign * least : scale * code;
  }
}

unsigned sectile::formats::splitGguf(const GgufType &type, const uint8_t *block,
                                     std::vector<uint8_t> &codes, std::vector<double> &scales,
                                     std::vector<double> &mins) {
  unsigned parts = 1;
  for (const std::optional<BlockField> *field : {&type.d, &type.scales, &type.m, &type.mins})
    if (*field)
      parts = std::max(parts, (*field)->count);
  unsigned length = type.elements / parts;
  codes.resize(type.elements);
  for (unsigned j = 0; j < type.elements; ++j)
    codes[j] = static_cast<uint8_t>(readField(type.codes, block, j));
  scales.resize(parts);
  mins.resize(parts);
  for (unsigned part = 0; part < parts; ++part) {
    unsigned j = part * length;
    scales[part] = readNumber(type.d, block, j, type.elements, 1) *
                   readNumber(type.scales, block, j, type.elements, 1);
    mins[part] = type.m ? type.minSign * readNumber(type.m, block, j, type.elements, 0) *
                              readNumber(type.mins, block, j, type.elements, 1)
                        : 0;
  }
  return length;
}

//===----------------------------------------------------------------------===//
// Encoding
//===----------------------------------------------------------------------===//

namespace {
/// What a rule finds for the block: its scale and min, and each number's code.
struct Choice {
  float d = 0, m = 0;
  std::vector<uint32_t> codes;
};
} // namespace

static float invert(float scale) { return scale == 0 ? 0 : 1 / scale; }

/// `steps`, which counts from the lowest code, cut to a code.
static uint32_t cutToCode(const Format &format, float steps) {
  float last = static_cast<float>(format.getCodeCount() - 1);
  return static_cast<uint32_t>(std::clamp(std::trunc(steps), 0.0F, last));
}

// Contracting a product and a sum to one rounding would change codes that lie on an edge, so the
// products below are variables of their own; the build contracts only within an expression, if at
// all.

static Choice chooseSignedMax(const Format &format, const std::vector<float> &values) {
  float extreme = 0;
  for (float value : values)
    if (std::fabs(value) > std::fabs(extreme))
      extreme = value;
  auto lowest = static_cast<float>(format.getLowest());
  Choice choice;
  choice.d = extreme / lowest;
  float inverse = invert(choice.d);
  for (float value : values) {
    float scaled = value * inverse;
    choice.codes.push_back(cutToCode(format, scaled + (0.5F - lowest)));
  }
  return choice;
}

static Choice chooseRange(const Format &format, const std::vector<float> &values) {
  auto [least, most] = std::minmax_element(values.begin(), values.end());
  Choice choice;
  choice.m = *least;
  choice.d = (*most - *least) / static_cast<float>(format.getLargest());
  float inverse = invert(choice.d);
  for (float value : values) {
    float scaled = (value - choice.m) * inverse;
    choice.codes.push_back(cutToCode(format, scaled + 0.5F));
  }
  return choice;
}

static float findMagnitude(const std::vector<float> &values) {
  float magnitude = 0;
  for (float value : values)
    magnitude = std::max(magnitude, std::fabs(value));
  return magnitude;
}

static Choice chooseMagnitude(const Format &format, const std::vector<float> &values) {
  double largest = std::min(format.getLargest(), -format.getLowest());
  Choice choice;
  choice.d = findMagnitude(values) / static_cast<float>(largest);
  float inverse = invert(choice.d);
  for (float value : values) {
    // std::round is half away from zero.
    double whole = std::clamp<double>(std::round(value * inverse), -largest, largest);
    choice.codes.push_back(*format.encode(whole));
  }
  return choice;
}

static Choice chooseSharedExponent(const Format &format, const std::vector<float> &values) {
  float magnitude = findMagnitude(values);
  int largestExponent = std::ilogb(format.getLargest());
  Choice choice;
  // Below the smallest scale the smallest is taken.
  choice.d = magnitude > 0
                 ? std::ldexp(1.0F, std::max(std::ilogb(magnitude) - largestExponent, -127))
                 : std::ldexp(1.0F, -127);
  for (float value : values) {
    uint32_t best = 0;
    auto getError = [&](uint32_t code) {
      return std::fabs(choice.d * static_cast<float>(format.decode(code)) - value);
    };
    for (uint32_t code = 1; code < format.getCodeCount(); ++code)
      if (getError(code) < getError(best))
        best = code;
    choice.codes.push_back(best);
  }
  return choice;
}

Result<std::vector<uint8_t>> sectile::formats::encodeGguf(const GgufType &type,
                                                          const float *values) {
  std::vector<float> numbers(values, values + type.elements);
  for (unsigned j = 0; j < type.elements; ++j)
    if (!std::isfinite(numbers[j]))
      return Failure{"expects finite numbers, but got " + std::to_string(numbers[j]) +
                     " at position " + std::to_string(j)};
  Choice choice;
  switch (type.rule) {
  case GgufRule::None:
    return Failure{"there is no simple rule for encoding " + std::string(type.name)};
  case GgufRule::SignedMax:
    choice = chooseSignedMax(type.codes.format, numbers);
    break;
  case GgufRule::Range:
    choice = chooseRange(type.codes.format, numbers);
    break;
  case GgufRule::Magnitude:
    choice = chooseMagnitude(type.codes.format, numbers);
    break;
  case GgufRule::SharedExponent:
    choice = chooseSharedExponent(type.codes.format, numbers);
    break;
  }
  std::vector<uint8_t> block(type.bytes);
  auto writeOne = [&](const std::optional<BlockField> &field, float value) {
    // As the conversion of a machine: a scale beyond f16 becomes infinity, which decoding shows.
    if (field)
      writeField(*field, {*field->format.encode(value, Rounding::NearestEven, Overflow::Special)},
                 block.data());
  };
  writeOne(type.d, choice.d);
  writeOne(type.m, choice.m);
  writeField(type.codes, choice.codes, block.data());
  return block;
}
