//===- TextTest.cpp - the text form of formats -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Laws.h"

#include "sectile/Formats/Block.h"

#include <gtest/gtest.h>

#include <set>
#include <unordered_set>

using namespace sectile::formats;
using namespace sectile::formats::test;

static std::vector<Format> getManyFormats() {
  std::vector<Format> formats = getAllSmallFloats();
  for (unsigned bits = 1; bits <= 8; ++bits) {
    formats.push_back(Format::makeSigned(bits));
    formats.push_back(Format::makeSigned(bits, 6));
    formats.push_back(Format::makeBipolar(bits));
    for (int bias : {0, 8, -1})
      for (unsigned fractionBits : {0U, 2U})
        formats.push_back(Format::makeUnsigned(bits, bias, fractionBits));
  }
  for (const char *name :
       {"ternary", "nf4", "af4", "fp4-bnb", "iq4nl", "codebook[0]", "codebook[-0]",
        "codebook[0.1,1e-300,-5]", "codebook[(0,1),(2,3)]", "codebook[0,1,2,3]", "f16", "f32"})
    formats.push_back(get(name));
  return formats;
}

TEST(Text, EveryFormatReadsBack) {
  for (const Format &format : getManyFormats())
    EXPECT_EQ(get(format.print()), format) << format.print();
}

TEST(Text, EqualityHashAndTextAgree) {
  std::vector<Format> formats = getManyFormats();
  std::set<std::string> texts;
  std::unordered_set<Format> set;
  for (const Format &format : formats) {
    texts.insert(format.print());
    set.insert(format);
  }
  EXPECT_EQ(texts.size(), set.size());
  for (const Format &left : formats)
    for (const Format &right : formats)
      EXPECT_EQ(left == right, left.print() == right.print()) << left.print() << right.print();
}

TEST(Text, NamesOfTheField) {
  const std::pair<const char *, const char *> names[] = {{"f8E5M2", "e5m2"},
                                                         {"f8E4M3", "e4m3"},
                                                         {"f8E4M3FN", "e4m3fn"},
                                                         {"f8E3M4", "e3m4"},
                                                         {"f8E5M2FNUZ", "e5m2fnuz"},
                                                         {"f8E4M3FNUZ", "e4m3fnuz"},
                                                         {"f6E3M2FN", "e3m2"},
                                                         {"f6E2M3FN", "e2m3"},
                                                         {"f4E2M1FN", "e2m1"},
                                                         {"f8E8M0FNU", "e8m0fnu"},
                                                         {"UE8M0", "e8m0fnu"},
                                                         {"UE4M3", "ue4m3"},
                                                         {"f8E4M3B11FNUZ", "e4m3b11fnuz"},
                                                         {"u4b8", "uint4-8"},
                                                         {"u8b128", "uint8-128"},
                                                         {"e5m10", "f16"},
                                                         {"e8m7", "bf16"},
                                                         {"e8m23", "f32"},
                                                         {"ue4m3fn", "ue4m3"},
                                                         {"ue4m3ieee", "ue4m3ieee"},
                                                         {"e2m2nan", "e2m2nan"},
                                                         {"e4m3b7", "e4m3"},
                                                         {"e4m3finite", "e4m3finite"},
                                                         {"ue8m0fnnozero", "e8m0fnu"}};
  for (auto [given, printed] : names)
    EXPECT_EQ(get(given).print(), printed);
}

TEST(Text, WhatIsNoFormatIsRefusedWithAReason) {
  const std::pair<const char *, const char *> wrong[] = {
      {"", "unknown number format ''"},
      {"int", "unknown number format 'int'"},
      {"int4x", "unknown number format 'int4x'"},
      {"int4-8", "unknown number format 'int4-8'"},
      {"int0", "expects an integer of 1 to 8 bits, but got 'int0'"},
      {"uint9", "expects an integer of 1 to 8 bits, but got 'uint9'"},
      {"uint4-99999", "expects a bias of at most 65536, but got 'uint4-99999'"},
      {"int4.64", "expects at most 63 fraction bits, but got 'int4.64'"},
      {"bipolar9", "expects bipolar1 to bipolar8, but got 'bipolar9'"},
      {"e4m3fnx", "unknown number format 'e4m3fnx'"},
      {"f4E4M3", "expects 8 bits, but got 'f4E4M3'"},
      {"e9m3", "expects 1 to 8 exponent bits, but got 9"},
      {"e0m3", "expects 1 to 8 exponent bits, but got 0 (e1 with one mantissa bit less has the "
               "same codes)"},
      {"e4m24", "expects at most 23 mantissa bits, but got 24"},
      {"e4m3b999", "expects a bias of -255 to 512, but got 999 in 'e4m3b999'"},
      {"ue4m3fnuz", "expects a sign bit, but got an unsigned fnuz format in 'ue4m3fnuz'"},
      {"e4m3nozero", "expects no sign bit in a format without zero in 'e4m3nozero'"},
      {"e1m0ieee",
       "expects a finite number above zero, but every such code is special in 'e1m0ieee'"},
      {"codebook[]", "expects codebook[number,...] or codebook[(number,...),...]"},
      {"codebook[inf]", "expects finite entries in a codebook"},
      {"codebook[(1,2),3]", "expects entries of equal length in a codebook, but got 2 and 1"}};
  for (auto [text, message] : wrong) {
    Result<Format> format = Format::parse(text);
    ASSERT_FALSE(format) << text;
    EXPECT_EQ(format.getMessage(), message);
  }
  EXPECT_EQ(Format::makeCodebook(1, std::vector<double>(257)).getMessage(),
            "expects 1 to 256 entries in a codebook, but got 257");
  EXPECT_EQ(Format::makeCodebook(2, {1, 2, 3}).getMessage(),
            "expects entries of equal length in a codebook");
}

TEST(Text, BlockFormatsReadBack) {
  for (const char *text :
       {"mxfp8e5m2", "mxfp8e4m3", "mxfp6e3m2", "mxfp6e2m3", "mxfp4", "mxint8", "nvfp4", "int4",
        "uint4 group=128 scale=f16 zero=uint4", "uint4 group=128 scale=f16 zero=uint4+1",
        "uint4-8 group=128 scale=f16", "uint4 group=channel scale=bf16 offset=f16",
        "nf4 group=64 scale=f16", "e2m1 group=32 scale=e8m0fnu rule=up", "ternary"}) {
    Result<BlockFormat> format = BlockFormat::parse(text);
    ASSERT_TRUE(format) << format.getMessage();
    EXPECT_EQ(format->print(), text);
    EXPECT_EQ(*BlockFormat::parse(format->print()), *format);
  }
}

TEST(Text, WhatIsNoBlockFormatIsRefusedWithAReason) {
  const std::pair<const char *, const char *> wrong[] = {
      {"int4 group=0", "expects groups of at least 1, but got 0"},
      {"int4 group=4x", "expects group=channel or group=N, but got 'group=4x'"},
      {"int4 size=4", "unknown word 'size=4' in a block format"},
      {"int4 rule=best", "expects rule=up or rule=floor, but got 'rule=best'"},
      {"f16", "expects elements of at most 8 bits, but got f16"},
      {"codebook[0]", "expects an element with a number other than zero, but got codebook[0]"},
      {"int4 scale=int8", "expects a float as scale, but got int8"},
      {"int4 tensor=nf4", "expects a float as scale, but got nf4"},
      {"int4 zero=nf4", "expects an integer or a float as zero point, but got nf4"},
      {"int4 zero=int4 offset=f16", "expects one zero point or offset"},
      {"codebook[1] zero=int4",
       "expects an element with a range of numbers beside a zero point, but got codebook[1]"},
      {"codebook[(0,1),(2,3)] group=3",
       "expects groups that the element's vectors of 2 divide, but got 3"},
      {"int99", "expects an integer of 1 to 8 bits, but got 'int99'"}};
  for (auto [text, message] : wrong) {
    Result<BlockFormat> format = BlockFormat::parse(text);
    ASSERT_FALSE(format) << text;
    EXPECT_EQ(format.getMessage(), message);
  }
}
