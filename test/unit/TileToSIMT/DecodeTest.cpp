//===- DecodeTest.cpp - numbers of packed codes, two at a time --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is found for a format is executed here for every code and every place, by
// arithmetic of its own: fields of halves as numbers of double, in which a product
// and a sum of halves are exact, rounded once.
//
//===----------------------------------------------------------------------===//

#include "lib/Conversion/TileToSIMT/Decode.h"
#include "sectile/Target/PackedOrder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

using sectile::formats::Format;
using namespace sectile::simt;
using namespace sectile::target;

namespace {

struct Half {
  unsigned exponentBits, mantissaBits;
};

Half describe(HalfFormat format) { return format == HalfFormat::F16 ? Half{5, 10} : Half{8, 7}; }

/// The number of a half's bits.
double toDouble(uint16_t bits, Half half) {
  int bias = (1 << (half.exponentBits - 1)) - 1;
  int exponent = bits >> half.mantissaBits & ((1 << half.exponentBits) - 1);
  int mantissa = bits & ((1 << half.mantissaBits) - 1);
  double sign = bits >> 15 ? -1 : 1;
  int places = static_cast<int>(half.mantissaBits);
  if (exponent == (1 << half.exponentBits) - 1)
    return mantissa ? NAN : sign * INFINITY;
  if (exponent == 0)
    return sign * std::ldexp(mantissa, 1 - bias - places);
  return sign * std::ldexp(mantissa + (1 << places), exponent - bias - places);
}

/// Rounded to the nearest half, for what is neither too large nor too small.
double roundToHalf(double value, Half half) {
  if (value == 0 || !std::isfinite(value))
    return value;
  int exponent = std::max(std::ilogb(value), 2 - (1 << (half.exponentBits - 1)));
  double unit = std::ldexp(1.0, exponent - static_cast<int>(half.mantissaBits));
  return std::nearbyint(value / unit) * unit;
}

/// How many places of a half have a decoder, each of which must be right for every code.
int countPlaces(const std::string &text, HalfFormat format) {
  Format numbers = *Format::parse(text);
  Half half = describe(format);
  int count = 0;
  for (unsigned place = 0; place < 16; ++place) {
    auto found = findHalfDecoder(numbers, format, place);
    if (!found)
      continue;
    ++count;
    // What other codes leave beside must not matter.
    for (uint32_t noise : {0u, 0xffffu})
      for (uint32_t code = 0; code < 1u << numbers.getBits(); ++code) {
        auto put = [&](unsigned at) {
          uint32_t own = ((1u << numbers.getBits()) - 1) << at;
          return (code << at) | (noise & ~own);
        };
        auto bits =
            static_cast<uint16_t>((put(found->position) & found->fieldMask) ^ found->around);
        if (found->signMask)
          bits |= static_cast<uint16_t>(put(found->signPosition) & found->signMask);
        double number = toDouble(bits, half);
        if (found->isMultiplied)
          number = roundToHalf(number * found->slope + found->offset, half);
        uint32_t last = static_cast<uint32_t>(numbers.getCodeCount()) - 1;
        double wanted = numbers.decode(std::min(code, last));
        EXPECT_TRUE(number == wanted || (std::isnan(number) && std::isnan(wanted)))
            << text << " code " << code << " at " << place << ": " << number << ", not " << wanted;
        if (!std::isnan(wanted))
          EXPECT_EQ(std::signbit(number), std::signbit(wanted)) << text << " code " << code;
      }
  }
  return count;
}

TEST(Decode, IntegersOfEveryWidth) {
  for (int bits = 1; bits <= 8; ++bits) {
    std::string width = std::to_string(bits);
    for (const std::string &text :
         {"int" + width, "uint" + width, "uint" + width + "-1", "bipolar" + width,
          "uint" + width + "-" + std::to_string(1 << (bits - 1)), "int" + width + ".1"}) {
      // Everywhere where the mantissa has room, but that steps of 2 from -2^bits + 1 on take an
      // offset of one bit more at bit 0.
      int less = text[0] == 'b';
      EXPECT_EQ(countPlaces(text, HalfFormat::F16), 11 - bits - less) << text;
      EXPECT_EQ(countPlaces(text, HalfFormat::BF16), std::max(8 - bits - less, 0)) << text;
    }
  }
}

TEST(Decode, FloatsOfEveryWidth) {
  int found = 0, all = 0;
  for (int exponent = 1; exponent <= 7; ++exponent)
    for (int mantissa = 0; exponent + mantissa <= 7; ++mantissa) {
      std::string name = "e" + std::to_string(exponent) + "m" + std::to_string(mantissa);
      for (const char *kind : {"", "fn", "fnuz", "finite"}) {
        if (!Format::parse(name + kind))
          continue;
        ++all;
        found += countPlaces(name + kind, HalfFormat::F16) > 0;
        (void)countPlaces(name + kind, HalfFormat::BF16);
      }
    }
  EXPECT_GT(all, 20);
  // Those without infinities and NaNs whose exponents f16 has.
  EXPECT_GE(found, 15) << "of " << all;
}

TEST(Decode, NothingWrong) {
  for (const char *text : {"nf4", "ternary", "codebook[0,1,3]", "e8m0", "codebook[-1,-0.5,0.25,1]"})
    for (HalfFormat format : {HalfFormat::F16, HalfFormat::BF16})
      EXPECT_EQ(countPlaces(text, format), 0) << text;
  // A table that happens to be one.
  EXPECT_GT(countPlaces("codebook[-2,0,2,4]", HalfFormat::F16), 0);
}

TEST(PackedOrder, RunsAreWholeWordsOfOneThread) {
  for (const MatrixInstruction &instruction : allMatrixInstructions()) {
    if (instruction.a != "f16" || instruction.name.ends_with("f16.f16"))
      continue;
    auto side = fragment(instruction, Operand::B);
    for (int64_t bits = 1; bits <= 8; ++bits) {
      PackedOrder order = makePackedOrder(instruction, bits);
      // Which lanes, of those of column 0, hold each k of an instruction; and which places they
      // have.
      std::map<int64_t, std::set<int64_t>> placesOf;
      std::set<int64_t> all;
      for (int64_t lane = 0; lane < side.extent(sectile::layout::Axis::Lane); ++lane)
        for (int64_t reg = 0; reg < side.extent(sectile::layout::Axis::Register); ++reg) {
          auto at = side.coordinatesAt({reg, lane, 0, 0, 0, 0});
          if (!at || (*at)[1] != 0)
            continue;
          for (int64_t k = (*at)[0]; k < order.codes; k += instruction.k) {
            int64_t place = 0, rest = k;
            for (size_t i = 0; i < order.digits.size(); i += 2) {
              place += rest % order.digits[i] * order.digits[i + 1];
              rest /= order.digits[i];
            }
            placesOf[lane].insert(place);
            all.insert(place);
            // Neighbouring registers lie two streams apart.
            if (reg % 2 == 0)
              EXPECT_LT(place % 4, 2) << instruction.name;
            else
              EXPECT_GE(place % 4, 2) << instruction.name;
          }
        }
      EXPECT_EQ(static_cast<int64_t>(all.size()), order.codes) << instruction.name;
      EXPECT_EQ(*all.rbegin(), order.codes - 1);
      for (const auto &[lane, places] : placesOf) {
        auto count = static_cast<int64_t>(places.size());
        EXPECT_EQ(*places.rbegin() - *places.begin() + 1, count) << instruction.name;
        EXPECT_EQ(count * bits % 32, 0) << instruction.name << ", " << bits << " bits";
        EXPECT_EQ(*places.begin() % count, 0);
      }
    }
  }
}

} // namespace
