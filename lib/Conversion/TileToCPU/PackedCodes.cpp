//===- PackedCodes.cpp - codes of fewer bits than a byte from memory ----------===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes run across the streams of bits (see #tile.memory), so that all of a part's
// codes begin at the same bit of their words. The four streams of a word are treated
// at once, whether one of them is wanted or all (a "quad", for products of bytes):
//
//     lane        0                            1
//     word r    ..bbb... ..bbb... ..bb      ..bbb...      load, shift, mask
//     word r+1  .......b .......b ....      .......b      only where codes go on there
//
// Loops step by whole words' worth of codes (tile-unroll-codes), so that the bit is
// known when the code is written and neighbouring steps share their words. Where it
// is not, or where lanes run along a stream, the same is done with shifts by lane.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::tile;

/// `value` with each i32 lane shifted, up where `amount` is negative.
static Value shiftDown(OpBuilder &builder, Location loc, Value value, int64_t amount) {
  if (amount == 0)
    return value;
  Value by =
      makeConstant(builder, loc, value.getType(), builder.getI32IntegerAttr(std::abs(amount)));
  if (amount < 0)
    return arith::ShLIOp::create(builder, loc, value, by);
  return arith::ShRUIOp::create(builder, loc, value, by);
}

/// `value` with `mask` applied to each i32 lane.
static Value keepBits(OpBuilder &builder, Location loc, Value value, uint32_t mask) {
  if (mask == 0xffffffff)
    return value;
  Attribute bits = builder.getI32IntegerAttr(static_cast<int32_t>(mask));
  return arith::AndIOp::create(builder, loc, value,
                               makeConstant(builder, loc, value.getType(), bits));
}

/// `bits` in each of the four bytes of a word.
static uint32_t inEachByte(uint32_t bits) { return bits * 0x01010101; }

Value KernelEmitter::loadQuads(const Memory &memory, const Place &place, int64_t width,
                               const PartMask &mask) {
  Attribute zero = builder.getI32IntegerAttr(0);
  Type word = builder.getI32Type();
  auto bits = static_cast<unsigned>(memory.type.getPackedBits());
  auto shift = static_cast<unsigned>(place.shift.constant);
  uint32_t all = (1U << bits) - 1;
  Value quads = loadPart(memory.base, word, place.address, width, mask, zero);
  quads = shiftDown(builder, loc, quads, shift);
  if (shift + bits <= 8)
    return keepBits(builder, loc, quads, inEachByte(all));
  uint32_t low = (1U << (8 - shift)) - 1;
  Value next = loadPart(memory.base, word, place.last, width, mask, zero);
  next = shiftDown(builder, loc, next, static_cast<int64_t>(shift) - 8);
  return arith::OrIOp::create(builder, loc, keepBits(builder, loc, quads, inEachByte(low)),
                              keepBits(builder, loc, next, inEachByte(all & ~low)));
}

Value KernelEmitter::loadCodes(const Memory &memory, const Place &place, int64_t width,
                               const PartMask &mask, Attribute fill) {
  Type word = builder.getI32Type(), element = memory.type.getElementType();
  int64_t bits = memory.type.getPackedBits();
  auto all = static_cast<uint32_t>((1U << bits) - 1);
  Attribute zero = builder.getI32IntegerAttr(0);
  Value codes;
  if (place.shift.isConstant() && place.byte.isConstant()) {
    int64_t shift = place.shift.constant, byte = place.byte.constant;
    // One that ends in its byte is not worth a step for all four.
    codes =
        shift + bits > 8
            ? shiftDown(builder, loc, loadQuads(memory, place, width, mask), byte)
            : shiftDown(builder, loc, loadPart(memory.base, word, place.address, width, mask, zero),
                        byte + shift);
  } else {
    /// Per lane, or for the whole part, as 32-bit integers with `count` lanes.
    auto emitShift = [&](const Poly &shift, int64_t count) -> Value {
      Value value = algebra.isPerLane(shift) ? builder.emitLanes(loc, shift, count)
                                             : builder.emit(loc, shift);
      value = arith::TruncIOp::create(builder, loc, getPartType(word, getNumLanes(value)), value);
      return splat(builder, loc, value, count);
    };
    codes = loadPart(memory.base, word, place.address, width, mask, zero);
    if (algebra.isPerLane(place.byte) || algebra.isPerLane(place.shift) ||
        algebra.isPerLane(place.last))
      codes = splat(builder, loc, codes, width);
    int64_t count = getNumLanes(codes);
    Value byte = emitShift(place.byte, count), shift = emitShift(place.shift, count);
    auto takeByte = [&](Value words) -> Value {
      words = arith::ShRUIOp::create(builder, loc, words, byte);
      return keepBits(builder, loc, words, 0xff);
    };
    codes = takeByte(codes);
    if (8 % bits != 0) {
      // What follows a code that ends in its byte comes to lie above its bits.
      Value next = loadPart(memory.base, word, place.last, width, mask, zero);
      next = takeByte(splat(builder, loc, next, count));
      codes = arith::OrIOp::create(builder, loc, codes, shiftDown(builder, loc, next, -8));
    }
    codes = arith::ShRUIOp::create(builder, loc, codes, shift);
  }
  codes = keepBits(builder, loc, codes, all);
  if (unsigned held = element.getIntOrFloatBitWidth(); held < kPackedWordBits)
    codes = arith::TruncIOp::create(
        builder, loc, getPartType(getRegisterType(element), getNumLanes(codes)), codes);
  // Masked words are zero, and so are their codes.
  auto filler = dyn_cast_if_present<IntegerAttr>(fill);
  if (mask.isTrivial() || !filler || filler.getValue().isZero())
    return codes;
  Type type = getPartType(getRegisterType(element), width);
  Value other = makeConstant(builder, loc, type, filler);
  Value condition = mask.isEmpty ? arith::ConstantIntOp::create(builder, loc, 0, 1).getResult()
                                 : combineMask(mask, width);
  return arith::SelectOp::create(builder, loc, condition, splat(builder, loc, codes, width), other);
}
