//===- Decode.cpp - numbers of packed codes, two at a time ------ -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two codes that lie 16 bits apart in a word become two halves of 16 bits with a
// mask and what is put around it, and then one operation on both:
//
//     word      ........ ....qqqq ........ ....qqqq
//     halves    01100100 0000qqqq 01100100 0000qqqq     (w & 0x000f000f) ^ 0x64006400
//     numbers   1024 + q, 1024 + q                      fma(halves, slope, offset)
//
// The mantissa of f16 has 10 bits (bf16: 7), so that codes need not begin at bit 0
// of a half: what they are multiplied by and what is added make up for that. Floats
// of few bits have their fields moved to those of f16 and are multiplied by a power
// of two, which also makes their smallest numbers right.
//
// Which of these forms a format has is not a matter of its name: each candidate is
// executed for all codes, in the arithmetic of the halves, and taken if every number
// comes out as Formats defines it (`prove`). Where none does, nothing is emitted.
//
//===----------------------------------------------------------------------===//

#include "Decode.h"

#include "lib/Conversion/Support/Vectors.h"
#include "sectile/Numbers/Codes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cmath>

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using llvm::APFloat;

/// Bits of mantissa and exponent of a float of 16 bits.
static unsigned mantissaOf(HalfFormat half) { return half == HalfFormat::F16 ? 10 : 7; }
static const llvm::fltSemantics &semanticsOf(HalfFormat half) {
  return half == HalfFormat::F16 ? APFloat::IEEEhalf() : APFloat::BFloat();
}

static APFloat toHalf(double value, HalfFormat half, bool *isExact = nullptr) {
  APFloat result(value);
  bool losesInfo = false;
  result.convert(semanticsOf(half), APFloat::rmNearestTiesToEven, &losesInfo);
  if (isExact)
    *isExact = !losesInfo;
  return result;
}

static uint16_t bitsOf(const APFloat &value) {
  return static_cast<uint16_t>(value.bitcastToAPInt().getZExtValue());
}

APFloat HalfDecoder::evaluate(uint32_t code) const {
  auto half = static_cast<uint16_t>(((code << position) & fieldMask) ^ around);
  if (signMask != 0)
    half |= static_cast<uint16_t>((code << signPosition) & signMask);
  APFloat number(semanticsOf(format), APInt(16, half));
  if (isMultiplied)
    number.fusedMultiplyAdd(toHalf(slope, format), toHalf(offset, format),
                            APFloat::rmNearestTiesToEven);
  return number;
}

bool HalfDecoder::prove(const formats::Format &numbers) const {
  for (uint32_t code = 0; code < 1u << numbers.getBits(); ++code) {
    double wanted = numbers.decode(numbers::getCode(numbers, code));
    APFloat got = evaluate(code);
    if (std::isnan(wanted) ? !got.isNaN()
                           : got.isNaN() || !got.bitwiseIsEqual(toHalf(wanted, format)) ||
                                 got.convertToDouble() != wanted)
      return false;
  }
  return true;
}

/// Consecutive numbers: below a mantissa whose last place counts what the code does.
static std::optional<HalfDecoder> makeLinear(const formats::Format &numbers, HalfFormat format,
                                             unsigned position) {
  std::optional<numbers::LinearCodes> linear = numbers::getLinearCodes(numbers);
  unsigned bits = numbers.getBits(), mantissa = mantissaOf(format);
  if (!linear || position + bits > mantissa)
    return std::nullopt;
  HalfDecoder decoder;
  decoder.format = format;
  decoder.position = position;
  decoder.fieldMask = static_cast<uint16_t>(((1u << bits) - 1) << position);
  double one = std::ldexp(1.0, static_cast<int>(mantissa));
  decoder.around = static_cast<uint16_t>(bitsOf(toHalf(one, format)) ^ (linear->flip << position));
  decoder.isMultiplied = true;
  decoder.slope =
      std::ldexp(linear->unit * static_cast<double>(linear->slope), -static_cast<int>(position));
  decoder.offset = linear->unit * static_cast<double>(linear->offset) - one * decoder.slope;
  return decoder;
}

/// Floats: exponent and mantissa moved to where the half has them, its sign too.
static std::optional<HalfDecoder> makeFloat(const formats::Format &numbers, HalfFormat format,
                                            unsigned) {
  const formats::FloatLayout *layout = numbers.getFloat();
  unsigned mantissa = mantissaOf(format);
  if (!layout || layout->mantissaBits > mantissa ||
      layout->exponentBits + layout->mantissaBits > 15)
    return std::nullopt;
  HalfDecoder decoder;
  decoder.format = format;
  decoder.position = mantissa - layout->mantissaBits;
  unsigned magnitude = layout->exponentBits + layout->mantissaBits;
  decoder.fieldMask = static_cast<uint16_t>(((1u << magnitude) - 1) << decoder.position);
  if (layout->isSigned) {
    decoder.signMask = 0x8000;
    decoder.signPosition = 15 - magnitude;
  }
  int bias = format == HalfFormat::F16 ? 15 : 127;
  decoder.isMultiplied = bias != layout->bias;
  decoder.slope = std::ldexp(1.0, bias - layout->bias);
  // Adding nothing must not make -0 of +0, nor the other way round.
  decoder.offset = -0.0;
  return decoder;
}

std::optional<HalfDecoder> simt::findHalfDecoder(const formats::Format &numbers, HalfFormat format,
                                                 unsigned position) {
  for (auto make : {makeLinear, makeFloat}) {
    std::optional<HalfDecoder> found = make(numbers, format, position);
    if (!found)
      continue;
    bool isExact = true, isOffsetExact = true;
    (void)toHalf(found->slope, format, &isExact);
    (void)toHalf(found->offset, format, &isOffsetExact);
    if (isExact && isOffsetExact && found->prove(numbers))
      return found;
  }
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Code
//===----------------------------------------------------------------------===//

namespace {
/// Emits words, shifted and masked, each once.
class PairEmitter {
public:
  PairEmitter(OpBuilder &builder, Location loc, HalfFormat format, bool hasTernaryLogic,
              ShiftedWords &shifted)
      : builder(builder), loc(loc), hasTernaryLogic(hasTernaryLogic), shifted(shifted),
        i32(builder.getI32Type()),
        half(format == HalfFormat::F16 ? Type(builder.getF16Type()) : builder.getBF16Type()) {}

  Value constant(uint32_t value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getI32IntegerAttr(static_cast<int32_t>(value)));
  }
  /// `word` with what stands at bit `from` at bit `to`; halves share their bits with neighbours.
  Value shift(Value word, int64_t from, int64_t to) {
    if (from == to)
      return word;
    Value &known = shifted[{word, from - to}];
    if (!known)
      known = from > to
                  ? arith::ShRUIOp::create(builder, loc, word, constant(from - to)).getResult()
                  : arith::ShLIOp::create(builder, loc, word, constant(to - from)).getResult();
    return known;
  }
  bool hasShifted(Value word, int64_t from, int64_t to) const {
    return shifted.contains({word, from - to});
  }
  static uint32_t inBoth(uint32_t bits) { return bits | bits << 16; }

  /// Bits `mask` of both halves of `word`, put into those of `into`, if there are any, by exclusive
  /// or: of NVIDIA's devices, an instruction that the back end does not find by itself.
  Value merge(Value word, uint32_t mask, Value into) {
    Value bits = constant(inBoth(mask));
    if (!into)
      return arith::AndIOp::create(builder, loc, word, bits);
    if (hasTernaryLogic) {
      constexpr const char *kText = "lop3.b32 $0, $1, $2, $3, 0x6a;"; // (a & b) ^ c
      return LLVM::InlineAsmOp::create(builder, loc, i32, ValueRange{word, bits, into}, kText,
                                       "=r,r,r,r", /*has_side_effects=*/false,
                                       /*is_align_stack=*/false,
                                       LLVM::tailcallkind::TailCallKind::None,
                                       LLVM::AsmDialectAttr(), ArrayAttr())
          .getResult(0);
    }
    return arith::XOrIOp::create(builder, loc, into,
                                 arith::AndIOp::create(builder, loc, word, bits));
  }

  Value splatHalf(double value) {
    auto type = VectorType::get({2}, half);
    return arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(type, ArrayRef<Attribute>(FloatAttr::get(half, value))));
  }

  OpBuilder &builder;
  Location loc;
  bool hasTernaryLogic;
  ShiftedWords &shifted;
  Type i32, half;
};
} // namespace

namespace {
/// Bits of a word that go to a half: `mask` of what stands at bit `from` and comes to bit `to`.
struct Piece {
  Value word;
  int64_t from, to;
  uint32_t mask;
};
} // namespace

/// What a decoder takes of a code's one or two words.
static SmallVector<Piece> cutCode(const PackedCode &code, int64_t bits,
                                  const HalfDecoder &decoder) {
  SmallVector<Piece> pieces;
  int64_t bit = code.byte % 16 + code.shift;
  bool continues = code.shift + bits > 8;
  int64_t inFirst = continues ? 8 - code.shift : bits;
  // The part of `field` of the half's bits that the code's bits from `position` on make up.
  auto add = [&](int64_t position, uint32_t field) {
    uint32_t low = ((1u << inFirst) - 1) << position;
    if (uint32_t own = field & low)
      pieces.push_back({code.word, bit, position, own});
    // The rest begins at the same byte of the next word.
    if (uint32_t rest = field & ~low; continues && rest != 0)
      pieces.push_back({code.next, code.byte % 16, position + inFirst, rest});
  };
  add(decoder.position, decoder.fieldMask);
  if (decoder.signMask != 0)
    add(decoder.signPosition, decoder.signMask);
  return pieces;
}

/// Two codes, of which `code` is the one in the lower half, as numbers.
static std::optional<Value> emitPair(PairEmitter &emitter, const PackedCode &code, int64_t bits,
                                     ArrayRef<std::optional<HalfDecoder>> decoders) {
  OpBuilder &builder = emitter.builder;
  Location loc = emitter.loc;
  int64_t bit = code.byte % 16 + code.shift;
  // Of all places in the half the one that takes fewest shifts that nobody has made yet: where the
  // code begins, or 8 bits less, which neighbours want too, if that is as good as any.
  SmallVector<int64_t> places{bit, bit - 8};
  for (int64_t place = 0; place < 16; ++place)
    places.push_back(place);
  std::optional<HalfDecoder> decoder;
  SmallVector<Piece> pieces;
  int64_t fewest = 0;
  for (int64_t place : places) {
    std::optional<HalfDecoder> found;
    if (place >= 0)
      found = decoders[place];
    if (!found)
      continue;
    SmallVector<Piece> cut = cutCode(code, bits, *found);
    int64_t shifts = llvm::count_if(cut, [&](const Piece &piece) {
      return piece.from != piece.to && !emitter.hasShifted(piece.word, piece.from, piece.to);
    });
    if (decoder && shifts >= fewest)
      continue;
    decoder = found;
    pieces = std::move(cut);
    fewest = shifts;
  }
  if (!decoder)
    return std::nullopt;
  Value halves;
  if (decoder->around != 0)
    halves = emitter.constant(PairEmitter::inBoth(decoder->around));
  for (const Piece &piece : pieces)
    halves = emitter.merge(emitter.shift(piece.word, piece.from, piece.to), piece.mask, halves);
  Value pair = vector::BitCastOp::create(
      builder, loc, VectorType::get({2}, emitter.half),
      vector::BroadcastOp::create(builder, loc, VectorType::get({1}, emitter.i32), halves));
  if (!decoder->isMultiplied)
    return pair;
  if (decoder->offset == 0)
    return arith::MulFOp::create(builder, loc, pair, emitter.splatHalf(decoder->slope)).getResult();
  if (decoder->slope == 1)
    return arith::AddFOp::create(builder, loc, pair, emitter.splatHalf(decoder->offset))
        .getResult();
  return math::FmaOp::create(builder, loc, pair, emitter.splatHalf(decoder->slope),
                             emitter.splatHalf(decoder->offset))
      .getResult();
}

std::optional<Value> simt::decodePairs(OpBuilder &builder, Location loc, const PackedCodes &packed,
                                       const formats::Format &numbers, HalfFormat format,
                                       bool hasTernaryLogic, ShiftedWords &shifted) {
  ArrayRef<PackedCode> codes(packed.codes);
  if (packed.bits != numbers.getBits() || codes.size() % 2 != 0)
    return std::nullopt;
  for (size_t i = 0; i < codes.size(); i += 2)
    if (codes[i].word != codes[i + 1].word || codes[i].next != codes[i + 1].next ||
        codes[i].byte >= 16 || codes[i + 1].byte != codes[i].byte + 16 ||
        codes[i].shift != codes[i + 1].shift)
      return std::nullopt;
  PairEmitter emitter(builder, loc, format, hasTernaryLogic, shifted);
  // One for each place in a half, found once.
  SmallVector<std::optional<HalfDecoder>> decoders;
  for (unsigned place = 0; place < 16; ++place)
    decoders.push_back(findHalfDecoder(numbers, format, place));
  SmallVector<lowering::Element> elements;
  // Neighbours that share what is loaded are the same numbers.
  for (size_t i = 0; i < codes.size(); i += 2) {
    std::optional<Value> pair = emitPair(emitter, codes[i], packed.bits, decoders);
    if (!pair)
      return std::nullopt;
    elements.push_back({*pair, 0});
    elements.push_back({*pair, 1});
  }
  return lowering::buildPart(builder, loc, elements);
}
