//===- SemanticsTest.cpp - the named floats against LLVM's -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Laws.h"

#include "llvm/ADT/APFloat.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace sectile::formats;
using llvm::APFloat;
using llvm::APInt;

namespace {
struct Pair {
  const char *name;
  const llvm::fltSemantics &semantics;
};
} // namespace

static const Pair kPairs[] = {
    {"f8E5M2", APFloat::Float8E5M2()},
    {"f8E5M2FNUZ", APFloat::Float8E5M2FNUZ()},
    {"f8E4M3", APFloat::Float8E4M3()},
    {"f8E4M3FN", APFloat::Float8E4M3FN()},
    {"f8E4M3FNUZ", APFloat::Float8E4M3FNUZ()},
    {"f8E4M3B11FNUZ", APFloat::Float8E4M3B11FNUZ()},
    {"f8E3M4", APFloat::Float8E3M4()},
    {"f6E3M2FN", APFloat::Float6E3M2FN()},
    {"f6E2M3FN", APFloat::Float6E2M3FN()},
    {"f4E2M1FN", APFloat::Float4E2M1FN()},
    {"f8E8M0FNU", APFloat::Float8E8M0FNU()},
    {"f16", APFloat::IEEEhalf()},
    {"bf16", APFloat::BFloat()},
    {"tf32", APFloat::FloatTF32()},
    {"f32", APFloat::IEEEsingle()},
};

static Format get(const char *name) { return *Format::parse(name); }

static bool isSame(double left, double right) {
  return (std::isnan(left) && std::isnan(right)) ||
         (left == right && std::signbit(left) == std::signbit(right));
}

TEST(Semantics, EveryCodeIsTheSameNumber) {
  for (const Pair &pair : kPairs) {
    Format format = get(pair.name);
    uint64_t step = format.getBits() > 16 ? 65521 : 1; // f32: every 65521st of its codes
    for (uint64_t code = 0; code < format.getCodeCount(); code += step) {
      APFloat theirs(pair.semantics, APInt(format.getBits(), code));
      double ours = format.decode(static_cast<uint32_t>(code));
      if (theirs.isNaN()) { // e8m0's does not survive the conversion to double
        EXPECT_TRUE(std::isnan(ours)) << pair.name << " " << code;
        continue;
      }
      bool loses = false;
      theirs.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &loses);
      EXPECT_TRUE(isSame(ours, theirs.convertToDouble())) << pair.name << " " << code;
    }
  }
}

TEST(Semantics, EveryRoundingOfADoubleIsTheSame) {
  const std::pair<Rounding, APFloat::roundingMode> modes[] = {
      {Rounding::NearestEven, APFloat::rmNearestTiesToEven},
      {Rounding::TowardZero, APFloat::rmTowardZero},
      {Rounding::Up, APFloat::rmTowardPositive},
      {Rounding::Down, APFloat::rmTowardNegative}};
  std::mt19937_64 generator(4);
  for (const Pair &pair : kPairs) {
    Format format = get(pair.name);
    bool isSmall = format.getBits() <= 8, isScale = !format.getFloat()->hasZero;
    std::vector<double> points;
    if (isSmall)
      points = test::getInteresting(format);
    std::uniform_real_distribution<double> exponent(std::log2(format.decode(1)) - 3,
                                                    std::log2(format.getLargest()) + 1);
    for (int i = 0; i < 3000; ++i)
      points.push_back(std::exp2(exponent(generator)) * (i % 2 == 0 ? 1 : -1));
    for (double point : points)
      for (auto [ours, theirs] : modes) {
        if (isScale && point < 0x1p-127)
          continue; // below the smallest number LLVM has no code
        if (std::isinf(point) && format.getFloat()->special == Special::None)
          continue; // LLVM makes zero of it, the formats' documents the largest number
        APFloat number(point);
        bool loses = false;
        number.convert(pair.semantics, theirs, &loses);
        std::optional<uint32_t> code = format.encode(point, ours, Overflow::Special);
        ASSERT_TRUE(code);
        APInt bits = number.bitcastToAPInt();
        EXPECT_EQ(*code, bits.getZExtValue()) << pair.name << " " << point << " mode " << int(ours);
      }
  }
}
