//===- PackedCodes.cpp - codes of fewer bits than a byte from memory ----------===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes run across the streams of bits (see #tile.memory), so that all of a part's
// codes begin at the same bit of their words:
//
//     lane        0             1             2
//     word r    ..bbb.....    ..bbb.....    ..bbb.....      load, shift, mask
//     word r+1  .........b    .........b    .........b      only where a code goes on there
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

Value KernelEmitter::loadCodes(const Memory &memory, const Place &place, int64_t width,
                               const PartMask &mask, Attribute fill) {
  Type word = builder.getI32Type(), element = memory.type.getElementType();
  int64_t bits = memory.type.getPackedBits();
  Attribute zero = builder.getI32IntegerAttr(0);
  auto constant = [&](Value like, int64_t value) {
    return makeConstant(builder, loc, like.getType(), builder.getI32IntegerAttr(value));
  };
  /// Per lane, or for the whole part, as 32-bit integers with as many lanes as `like`.
  auto emitShift = [&](const Poly &shift, Value like) -> Value {
    int64_t lanes = getNumLanes(like);
    Value value =
        algebra.isPerLane(shift) ? builder.emitLanes(loc, shift, lanes) : builder.emit(loc, shift);
    value = arith::TruncIOp::create(builder, loc, getPartType(word, getNumLanes(value)), value);
    return splat(builder, loc, value, lanes);
  };
  Value codes = loadPart(memory.base, word, place.address, width, mask, zero);
  if (algebra.isPerLane(place.shift) || algebra.isPerLane(place.last))
    codes = splat(builder, loc, codes, width);
  if (place.shift.isConstant()) {
    int64_t shift = place.shift.constant;
    Value low = codes;
    if (shift != 0)
      codes = arith::ShRUIOp::create(builder, loc, low, constant(low, shift));
    if (shift + bits > kPackedWordBits) {
      Value high = loadPart(memory.base, word, place.last, width, mask, zero);
      high = arith::ShLIOp::create(builder, loc, high, constant(high, kPackedWordBits - shift));
      codes = arith::OrIOp::create(builder, loc, codes, high);
    }
  } else {
    Value shift = emitShift(place.shift, codes);
    Value low = arith::ShRUIOp::create(builder, loc, codes, shift);
    if (kPackedWordBits % bits == 0) {
      codes = low;
    } else {
      // A code that ends in its first word meets that word's low bits above its own here.
      Value high = splat(builder, loc, loadPart(memory.base, word, place.last, width, mask, zero),
                         getNumLanes(codes));
      Value rest = arith::SubIOp::create(builder, loc, constant(codes, kPackedWordBits - 1), shift);
      high = arith::ShLIOp::create(builder, loc, high, constant(codes, 1));
      high = arith::ShLIOp::create(builder, loc, high, rest);
      codes = arith::OrIOp::create(builder, loc, low, high);
    }
  }
  if (bits != kPackedWordBits)
    codes = arith::AndIOp::create(builder, loc, codes,
                                  constant(codes, static_cast<int32_t>((uint64_t(1) << bits) - 1)));
  unsigned held = element.getIntOrFloatBitWidth();
  if (held < kPackedWordBits)
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
