//===- GgufTypes.cpp - GGUF's block structures, declared -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The structures of ggml-common.h. A comment above each type is its C structure.
//
//===----------------------------------------------------------------------===//

#include "sectile/Formats/Gguf.h"

using namespace sectile::formats;

static BlockField makeField(std::string_view format, unsigned count,
                            std::vector<BitSegment> segments) {
  Result<Format> parsed = Format::parse(format);
  assert(parsed);
  return {*parsed, count, std::move(segments)};
}

/// All indices of a field, or one run of their bits.
static BitSegment makeBits(unsigned baseByte, unsigned width, std::vector<BitDigit> digits,
                           unsigned position = 0, unsigned shift = 0) {
  BitSegment segment;
  segment.baseBit = 8 * baseByte + shift;
  segment.width = width;
  segment.position = position;
  segment.digits = std::move(digits);
  for (const BitDigit &digit : segment.digits)
    segment.count *= digit.extent;
  return segment;
}

/// `trits` base-3 digits in each of `bytes` bytes: neighbours are in different bytes.
static BitSegment makeTrits(unsigned first, unsigned baseByte, unsigned bytes, unsigned trits) {
  BitSegment segment = makeBits(baseByte, 8, {{bytes, 8, 0}, {trits, 0, 1}});
  segment.first = first;
  segment.isTrit = true;
  return segment;
}

/// A half float of the block.
static BlockField makeHalf(unsigned byte) { return makeField("f16", 1, {makeBits(byte, 16, {})}); }

/// 32 nibbles in 16 bytes: number j below, number j + 16 above.
static BitSegment makeNibbles(unsigned baseByte) {
  return makeBits(baseByte, 4, {{16, 8}, {2, 4}});
}

/// The 6-bit scales of Q4_K and Q5_K, 12 bytes from byte 4 on (ggml's get_scale_min_k4): parts 0 to
/// 3 have all six bits in bytes 0 to 3; the low four bits of parts 4 to 7 are the low nibbles of
/// bytes 8 to 11, and their high two the top bits of bytes 0 to 3.
static BlockField makeKScales() {
  return makeField("uint6", 8,
                   {makeBits(4, 4, {{4, 8}, {2, 64}}), makeBits(4, 2, {{4, 8}, {2, 2}}, 4, 4)});
}

/// The mins beside `makeKScales`: bytes 4 to 7, and the high nibbles of bytes 8 to 11.
static BlockField makeKMins() {
  return makeField("uint6", 8,
                   {makeBits(8, 4, {{4, 8}, {2, 36}}), makeBits(8, 2, {{4, 8}, {2, 2}}, 4, 4)});
}

static std::vector<GgufType> makeLegacyTypes() {
  std::vector<GgufType> types;
  // { half d; uint8_t qs[16]; }
  types.push_back({"Q4_0", 32, 18, makeField("uint4-8", 32, {makeNibbles(2)}), makeHalf(0)});
  types.back().rule = GgufRule::SignedMax;
  // { half d, m; uint8_t qs[16]; }
  types.push_back({"Q4_1", 32, 20, makeField("uint4", 32, {makeNibbles(4)}), makeHalf(0)});
  types.back().m = makeHalf(2);
  types.back().rule = GgufRule::Range;
  // { half d; uint8_t qh[4], qs[16]; }
  types.push_back({"Q5_0", 32, 22,
                   makeField("uint5-16", 32, {makeNibbles(6), makeBits(2, 1, {{32, 1}}, 4)}),
                   makeHalf(0)});
  types.back().rule = GgufRule::SignedMax;
  // { half d, m; uint8_t qh[4], qs[16]; }
  types.push_back({"Q5_1", 32, 24,
                   makeField("uint5", 32, {makeNibbles(8), makeBits(4, 1, {{32, 1}}, 4)}),
                   makeHalf(0)});
  types.back().m = makeHalf(2);
  types.back().rule = GgufRule::Range;
  // { half d; int8_t qs[32]; }
  types.push_back(
      {"Q8_0", 32, 34, makeField("int8", 32, {makeBits(2, 8, {{32, 8}})}), makeHalf(0)});
  types.back().rule = GgufRule::Magnitude;
  return types;
}

static void addKTypes(std::vector<GgufType> &types) {
  // Two bits of number j: byte j % 32 of each 32 bytes, which hold 128 numbers.
  auto makePairs = [](unsigned baseByte, unsigned position) {
    return makeBits(baseByte, 2, {{32, 8}, {4, 2}, {2, 256}}, position);
  };
  // Bit j / 32 of byte j % 32.
  auto makeHighBits = [](unsigned baseByte, unsigned position) {
    return makeBits(baseByte, 1, {{32, 8}, {8, 1}}, position);
  };
  BitSegment quads = makeBits(0, 4, {{32, 8}, {2, 4}, {4, 256}});
  auto makeQuads = [&](unsigned baseByte) {
    BitSegment moved = quads;
    moved.baseBit = 8 * baseByte;
    return moved;
  };

  // { uint8_t scales[16], qs[64]; half d, dmin; }: low nibbles are scales, high ones mins.
  types.push_back({"Q2_K", 256, 84, makeField("uint2", 256, {makePairs(16, 0)}), makeHalf(80)});
  types.back().scales = makeField("uint4", 16, {makeBits(0, 4, {{16, 8}})});
  types.back().m = makeHalf(82);
  types.back().mins = makeField("uint4", 16, {makeBits(0, 4, {{16, 8}}, 0, 4)});
  types.back().minSign = -1;
  // { uint8_t hmask[32], qs[64], scales[12]; half d; }
  types.push_back({"Q3_K", 256, 110,
                   makeField("uint3-4", 256, {makePairs(32, 0), makeHighBits(0, 2)}),
                   makeHalf(108)});
  types.back().scales = makeField(
      "uint6-32", 16, {makeBits(96, 4, {{8, 8}, {2, 4}}), makeBits(104, 2, {{4, 8}, {4, 2}}, 4)});
  // { half d, dmin; uint8_t scales[12], qs[128]; }
  types.push_back({"Q4_K", 256, 144, makeField("uint4", 256, {makeQuads(16)}), makeHalf(0)});
  types.back().scales = makeKScales();
  types.back().m = makeHalf(2);
  types.back().mins = makeKMins();
  types.back().minSign = -1;
  // { half d, dmin; uint8_t scales[12], qh[32], qs[128]; }
  types.push_back({"Q5_K", 256, 176, makeField("uint5", 256, {makeQuads(48), makeHighBits(16, 4)}),
                   makeHalf(0)});
  types.back().scales = makeKScales();
  types.back().m = makeHalf(2);
  types.back().mins = makeKMins();
  types.back().minSign = -1;
  // { uint8_t ql[128], qh[64]; int8_t scales[16]; half d; }
  types.push_back(
      {"Q6_K", 256, 210,
       makeField("uint6-32", 256, {makeBits(0, 4, {{64, 8}, {2, 4}, {2, 512}}), makePairs(128, 4)}),
       makeHalf(208)});
  types.back().scales = makeField("int8", 16, {makeBits(192, 8, {{16, 8}})});

  // { uint8_t qs[64]; half d; }
  types.push_back({"TQ2_0", 256, 66, makeField("uint2-1", 256, {makePairs(0, 0)}), makeHalf(64)});
  types.back().rule = GgufRule::Magnitude;
  // { uint8_t qs[48], qh[4]; half d; }: five trits a byte, four in qh.
  types.push_back(
      {"TQ1_0", 256, 54,
       makeField("ternary", 256,
                 {makeTrits(0, 0, 32, 5), makeTrits(160, 32, 16, 5), makeTrits(240, 48, 4, 4)}),
       makeHalf(52)});
  types.back().rule = GgufRule::Magnitude;
}

static void addTableTypes(std::vector<GgufType> &types) {
  // { half d; uint8_t qs[16]; }
  types.push_back({"IQ4_NL", 32, 18, makeField("iq4nl", 32, {makeNibbles(2)}), makeHalf(0)});
  // { half d; uint16_t scales_h; uint8_t scales_l[4], qs[128]; }
  types.push_back({"IQ4_XS", 256, 136,
                   makeField("iq4nl", 256, {makeBits(8, 4, {{16, 8}, {2, 4}, {8, 128}})}),
                   makeHalf(0)});
  types.back().scales =
      makeField("uint6-32", 8, {makeBits(4, 4, {{8, 4}}), makeBits(2, 2, {{8, 2}}, 4)});
  // { uint8_t e, qs[16]; }
  types.push_back({"MXFP4", 32, 17, makeField("e2m1", 32, {makeNibbles(1)}),
                   makeField("e8m0fnu", 1, {makeBits(0, 8, {})})});
  types.back().rule = GgufRule::SharedExponent;
  // { uint8_t d[4], qs[32]; }: the top bit of a scale is not read.
  types.push_back({"NVFP4", 64, 36,
                   makeField("e2m1", 64, {makeBits(4, 4, {{8, 8}, {2, 4}, {4, 64}})}),
                   std::nullopt});
  types.back().scales = makeField("ue4m3", 4, {makeBits(0, 7, {{4, 8}})});
}

const std::vector<GgufType> &sectile::formats::getGgufTypes() {
  static const std::vector<GgufType> types = [] {
    std::vector<GgufType> all = makeLegacyTypes();
    addKTypes(all);
    addTableTypes(all);
    return all;
  }();
  return types;
}

const GgufType *sectile::formats::findGgufType(std::string_view name) {
  for (const GgufType &type : getGgufTypes())
    if (type.name == name)
      return &type;
  return nullptr;
}
