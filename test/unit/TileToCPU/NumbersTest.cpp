//===- NumbersTest.cpp - codes of every format in compiled code --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Formats says what is right, one number at a time. Decoding is tried on all bytes;
// encoding around each number of a format and each middle of two, on all f32 of
// few mantissa bits, on zeros, infinities, NaNs of both signs and subnormals.
//
//===----------------------------------------------------------------------===//

#include "KernelHarness.h"

#include "sectile/Formats/Format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

using namespace sectile;
using namespace sectile::test;
using formats::FloatLayout;
using formats::Format;
using formats::Overflow;
using formats::Rounding;
using formats::Special;

/// All floats of up to 8 bits by `stride`: every split in fields, every rule, biases off the usual.
static std::vector<Format> makeFloats(unsigned stride) {
  std::vector<Format> result;
  unsigned count = 0;
  for (unsigned bits = 2; bits <= 8; ++bits)
    for (unsigned mantissa = 0; mantissa < bits; ++mantissa)
      for (bool isSigned : {true, false})
        for (Special special : {Special::None, Special::IEEE, Special::AllOnes, Special::FNUZ})
          for (bool hasZero : {true, false})
            for (int off : {0, 3, -90, 120, 300}) {
              FloatLayout layout{isSigned, bits - mantissa - isSigned, mantissa, 0, special,
                                 hasZero};
              if (bits <= mantissa + isSigned || layout.exponentBits > 8)
                continue;
              layout.bias = FloatLayout::getDefaultBias(layout.exponentBits, special) + off;
              if (layout.findFault())
                continue;
              bool isChosen = count % stride == 0;
              ++count;
              if (isChosen && (off == 0 || count % 7 == 0))
                result.push_back(Format::makeFloat(layout));
            }
  return result;
}

static std::vector<Format> parseAll(const std::vector<std::string> &texts) {
  std::vector<Format> result;
  result.reserve(texts.size());
  for (const std::string &text : texts)
    result.push_back(*Format::parse(text));
  return result;
}

/// The formats that have names, and one of each other kind.
static const std::vector<Format> &getSample() {
  static const std::vector<Format> sample = parseAll({"int8",
                                                      "uint8",
                                                      "int4",
                                                      "uint4",
                                                      "uint4-8",
                                                      "int3",
                                                      "uint2",
                                                      "int1",
                                                      "uint1",
                                                      "uint5-3",
                                                      "uint3+2",
                                                      "int7",
                                                      "int6.4",
                                                      "uint8.7",
                                                      "uint4.2-3",
                                                      "bipolar1",
                                                      "bipolar2",
                                                      "bipolar5",
                                                      "ternary",
                                                      "e4m3fn",
                                                      "e5m2",
                                                      "e4m3",
                                                      "e3m4",
                                                      "e4m3fnuz",
                                                      "e5m2fnuz",
                                                      "e4m3b11fnuz",
                                                      "e3m2",
                                                      "e2m3",
                                                      "e2m1",
                                                      "e8m0fnu",
                                                      "ue4m3",
                                                      "e3m0",
                                                      "nf4",
                                                      "fp4-bnb",
                                                      "iq4nl",
                                                      "codebook[0]",
                                                      "codebook[-1,0,1]",
                                                      "codebook[-3,0.5,2,7,7.5]",
                                                      "codebook[1,0,-0,1e-40,1e40,0.1,0.1]"});
  return sample;
}

/// Kernels with one result for each of several formats, from one input of 4096 elements.
static std::string writeKernel(const std::vector<Format> &formats, const std::string &from,
                               const std::string &to, bool decodes, const std::string &more) {
  std::string arguments = "%x: !tile.view<4096x" + from + ">", body;
  for (size_t i = 0; i < formats.size(); ++i) {
    std::string n = std::to_string(i);
    arguments += ", %y" + n + ": !tile.view<4096x" + to + ">";
    body += "  %r" + n + " = tile.convert %t {" + (decodes ? "from" : "to") + " = \"" +
            formats[i].print() + "\"" + more + "} : tensor<64x" + from + "> -> tensor<64x" + to +
            ">\n  tile.store %r" + n + ", %y" + n +
            " at affine_map<(t)[b] -> (b * 64 + t)>[%b] : tensor<64x" + to + ">, !tile.view<4096x" +
            to + ">\n";
  }
  return "tile.kernel @k(" + arguments +
         ") {\n  %n = arith.constant 64 : index\n  %b = tile.block_id grid [%n]\n"
         "  %t = tile.load %x at affine_map<(t)[b] -> (b * 64 + t)>[%b] : !tile.view<4096x" +
         from + "> -> tensor<64x" + from + ">\n" + body + "  tile.return\n}\n";
}

/// Calls `check` with parts of `formats`, few enough for one kernel.
static void forParts(const std::vector<Format> &formats,
                     const std::function<void(const std::vector<Format> &)> &check) {
  for (size_t i = 0; i < formats.size(); i += 8)
    check({formats.begin() + i, formats.begin() + std::min(i + 8, formats.size())});
}

static uint32_t readCode(const Format &format, uint8_t held) {
  auto code = static_cast<uint32_t>(held) & ((1u << format.getBits()) - 1);
  return std::min<uint32_t>(code, format.getCodeCount() - 1);
}

/// The byte that holds a code.
static uint8_t holdCode(const Format &format, uint32_t code) {
  bool isSigned = format.getInteger() && format.getInteger()->isSigned;
  if (isSigned && code >> (format.getBits() - 1))
    code |= ~0u << format.getBits();
  return static_cast<uint8_t>(code);
}

template <typename T>
static bool isSame(T a, T b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

static void checkDecode(const std::vector<Format> &all, const CpuLevel &level) {
  forParts(all, [&](const std::vector<Format> &formats) {
    auto kernel = LoadedKernel::compile(writeKernel(formats, "i8", "f32", true, ""), "k", level);
    ASSERT_TRUE(kernel);
    std::vector<uint8_t> x(4096);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<uint8_t>(i);
    std::vector<std::vector<float>> y(formats.size(), std::vector<float>(4096));
    std::vector<void *> bufs = {x.data()};
    for (std::vector<float> &result : y)
      bufs.push_back(result.data());
    ASSERT_EQ(kernel->run(bufs), 0);
    for (size_t f = 0; f < formats.size(); ++f)
      for (size_t i = 0; i < 256; ++i) {
        auto want = static_cast<float>(formats[f].decode(readCode(formats[f], x[i])));
        ASSERT_TRUE(isSame(y[f][i], want)) << formats[f].print() << " code " << i << " is " << want
                                           << ", not " << y[f][i] << " on " << level.name.str();
      }
  });
}

/// 4096 numbers on which an encoding may go wrong.
template <typename Float>
static std::vector<Float> makeHardNumbers(const Format &format, uint32_t seed) {
  constexpr Float kInf = std::numeric_limits<Float>::infinity();
  std::vector<Float> result = {0,
                               -Float(0),
                               kInf,
                               -kInf,
                               std::numeric_limits<Float>::quiet_NaN(),
                               -std::numeric_limits<Float>::quiet_NaN(),
                               std::numeric_limits<Float>::denorm_min(),
                               -std::numeric_limits<Float>::denorm_min(),
                               std::numeric_limits<Float>::max(),
                               std::numeric_limits<Float>::lowest()};
  auto addAround = [&](double value) {
    auto near = static_cast<Float>(value);
    for (Float number : {near, std::nextafter(near, kInf), std::nextafter(near, -kInf)})
      result.push_back(number);
  };
  std::vector<double> numbers;
  for (uint32_t code = 0; code < format.getCodeCount(); ++code)
    if (double number = format.decode(code); std::isfinite(number))
      numbers.push_back(number);
  std::sort(numbers.begin(), numbers.end());
  double step = numbers.size() > 1 ? numbers.back() - numbers[numbers.size() - 2] : 1;
  addAround(numbers.back() + step / 2);
  addAround(numbers.back() + step);
  addAround(numbers.front() - step / 2);
  for (size_t i = 0; i < numbers.size(); ++i) {
    addAround(numbers[i]);
    if (i > 0)
      addAround(numbers[i - 1] / 2 + numbers[i] / 2);
  }
  std::mt19937_64 random(seed);
  double largest = std::max(std::fabs(numbers.front()), std::fabs(numbers.back()));
  while (result.size() < 4096) {
    uint64_t bits = random();
    if (bits % 4 == 0) // any number at all
      result.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits >> 32)));
    else // within the format's range, the small numbers too
      result.push_back(static_cast<Float>(std::ldexp(largest, -int(bits % 16) / 2) *
                                          (static_cast<double>(bits >> 12) * 0x1p-51 - 1)));
  }
  result.resize(4096);
  return result;
}

template <typename Float>
static void checkEncode(const std::vector<Format> &all, const CpuLevel &level, bool special) {
  for (const Format &format : all) {
    std::string type = sizeof(Float) == 4 ? "f32" : "f64";
    auto kernel = LoadedKernel::compile(
        writeKernel({format}, type, "i8", false, special ? ", special" : ""), "k", level);
    ASSERT_TRUE(kernel);
    std::vector<Float> x = makeHardNumbers<Float>(format, 3);
    std::vector<uint8_t> y(4096);
    ASSERT_EQ(kernel->run({x.data(), y.data()}), 0);
    for (size_t i = 0; i < x.size(); ++i) {
      Overflow overflow = special ? Overflow::Special : Overflow::Saturate;
      std::optional<uint32_t> code = format.encode(x[i], Rounding::NearestEven, overflow);
      uint8_t want = holdCode(format, code ? *code : *format.encode(0));
      ASSERT_EQ(int(y[i]), int(want)) << format.print() << " of " << type << " " << x[i]
                                      << (special ? " special" : "") << " on " << level.name.str();
    }
  }
}

TEST(Numbers, EveryCodeIsDecoded) {
  for (const CpuLevel *level : testedLevels())
    checkDecode(getSample(), *level);
}

TEST(Numbers, EveryFloatIsDecoded) { checkDecode(makeFloats(1), *presentLevels().back()); }

TEST(Numbers, NearestCodeOfF32) {
  for (const CpuLevel *level : testedLevels())
    checkEncode<float>(getSample(), *level, false);
  checkEncode<float>(getSample(), *presentLevels().back(), true);
}

TEST(Numbers, NearestCodeOfF64) {
  checkEncode<double>(getSample(), *presentLevels().back(), false);
  checkEncode<double>(getSample(), *presentLevels().back(), true);
}

TEST(Numbers, NearestCodeOfEveryKindOfFloat) {
  checkEncode<float>(makeFloats(11), *presentLevels().back(), false);
  checkEncode<float>(makeFloats(11), *presentLevels().back(), true);
}
