//===- Exchange.cpp - tiles from one layout to another ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The algebra says from which register of which lane of which warp each register
// of the result reads (layout::convert). Where that is the own lane registers are
// renamed; within the warp they are shuffled; beyond it, or where the two layouts
// have no digits in common, shared memory is the way.
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using layout::Axis;
using layout::Conversion;
using layout::Digit;
using layout::Movement;

static constexpr unsigned kRegister = static_cast<unsigned>(Axis::Register);
static constexpr unsigned kLane = static_cast<unsigned>(Axis::Lane);

//===----------------------------------------------------------------------===//
// Shuffles
//===----------------------------------------------------------------------===//

/// Lanes exchange 32 bits at once.
Value ThreadEmitter::shufflePieces(Value value, function_ref<Value(Value)> exchange) {
  Type type = value.getType(), i32 = builder.getI32Type();
  unsigned width = type.getIntOrFloatBitWidth();
  Type bits = builder.getIntegerType(width);
  Value whole = isa<FloatType>(type)
                    ? arith::BitcastOp::create(builder, loc, bits, value).getResult()
                    : value;
  Value moved;
  if (width <= 32) {
    Value wide = width < 32 ? arith::ExtUIOp::create(builder, loc, i32, whole).getResult() : whole;
    moved = exchange(wide);
    if (width < 32)
      moved = arith::TruncIOp::create(builder, loc, bits, moved);
  } else {
    Value amount = constantLike(bits, 32);
    Value high = arith::ShRUIOp::create(builder, loc, whole, amount);
    Value movedLow = exchange(arith::TruncIOp::create(builder, loc, i32, whole));
    Value movedHigh = exchange(arith::TruncIOp::create(builder, loc, i32, high));
    Value upper = arith::ShLIOp::create(
        builder, loc, arith::ExtUIOp::create(builder, loc, bits, movedHigh), amount);
    moved = arith::OrIOp::create(builder, loc, upper,
                                 arith::ExtUIOp::create(builder, loc, bits, movedLow));
  }
  return isa<FloatType>(type) ? arith::BitcastOp::create(builder, loc, type, moved).getResult()
                              : moved;
}

Value ThreadEmitter::shuffle(Value value, Value source) {
  Value width = arith::ConstantIntOp::create(builder, loc, target.threadsPerWarp, 32);
  return shufflePieces(value, [&](Value piece) {
    return gpu::ShuffleOp::create(builder, loc, piece, source, width, gpu::ShuffleMode::IDX)
        .getShuffleResult();
  });
}

Value ThreadEmitter::shuffleXor(Value value, int64_t mask) {
  SmallVector<Element> moved;
  for (int64_t i = 0; i < getNumLanes(value); ++i) {
    Value part = extractLane(builder, loc, value, i);
    moved.push_back({shufflePieces(part,
                                   [&](Value piece) {
                                     return gpu::ShuffleOp::create(
                                                builder, loc, piece, static_cast<int32_t>(mask),
                                                static_cast<int32_t>(target.threadsPerWarp),
                                                gpu::ShuffleMode::XOR)
                                         .getShuffleResult();
                                   }),
                     0});
  }
  Value result = buildPart(builder, loc, moved);
  return splat(builder, loc, result, getNumLanes(value));
}

//===----------------------------------------------------------------------===//
// Conversion
//===----------------------------------------------------------------------===//

/// Nothing if shuffles would cost more than shared memory.
std::optional<Registers> ThreadEmitter::convertInWarp(const Registers &tile,
                                                      const Conversion &conversion,
                                                      const DistributedLayout &layout) {
  // Where the register that is read depends on the reader's lane, all that any lane reads are
  // exchanged, and each lane takes its own.
  constexpr int64_t kMostChoices = 4;
  int64_t choices = 1;
  for (const Digit &digit : conversion.source.digits())
    if (digit.to && digit.to->axis == kRegister && digit.from.axis == kLane)
      choices *= digit.extent;
  bool isRenaming = conversion.movement <= Movement::Registers;
  if (!isRenaming && choices > kMostChoices)
    return std::nullopt;
  SmallVector<Element> elements;
  for (int64_t reg = 0; reg < layout.extent(Axis::Register); ++reg) {
    Poly sourceLane, sourceRegister;
    for (const Digit &digit : conversion.source.digits()) {
      if (!digit.to)
        continue;
      Poly number = digit.from.axis == kRegister
                        ? Poly(reg / digit.from.stride % digit.extent)
                        : digitOf(digit.from.axis, digit.from.stride, digit.extent);
      if (digit.to->axis == kRegister)
        sourceRegister += number * Poly(digit.to->stride);
      else if (digit.to->axis == kLane)
        sourceLane += number * Poly(digit.to->stride);
    }
    if (isRenaming) {
      assert(sourceRegister.isConstant() && "a renaming that differs between lanes");
      elements.push_back({tile.value, tile.count() == 1 ? 0 : sourceRegister.constant});
      continue;
    }
    Value source =
        arith::TruncIOp::create(builder, loc, builder.getI32Type(), builder.emit(loc, sourceLane));
    // Every register that the variable part may add up to.
    SmallVector<int64_t> candidates{sourceRegister.constant};
    for (const Digit &digit : conversion.source.digits())
      if (digit.to && digit.to->axis == kRegister && digit.from.axis == kLane) {
        SmallVector<int64_t> more;
        for (int64_t candidate : candidates)
          for (int64_t i = 0; i < digit.extent; ++i)
            more.push_back(candidate + i * digit.to->stride);
        candidates = std::move(more);
      }
    Value result;
    for (int64_t candidate : candidates) {
      Value moved = shuffle(extractLane(builder, loc, tile.value, candidate), source);
      if (!result) {
        result = moved;
        continue;
      }
      Condition isIt;
      require(isIt, sourceRegister - Poly(candidate), /*isZero=*/true);
      Value holds = isIt.isNever ? makeBool(false) : emitCondition(isIt);
      result =
          holds ? arith::SelectOp::create(builder, loc, holds, moved, result).getResult() : moved;
    }
    elements.push_back({result, 0});
  }
  return Registers{layout, tile.element, buildPart(builder, loc, elements)};
}

Registers ThreadEmitter::convert(const Registers &tile, const DistributedLayout &layout) {
  if (tile.layout == layout)
    return tile;
  auto conversion = layout::convert(tile.layout, layout);
  if (conversion && conversion->movement <= Movement::Lanes)
    if (std::optional<Registers> converted = convertInWarp(tile, *conversion, layout)) {
      converted->value = splat(builder, loc, converted->value, converted->count());
      return std::move(*converted);
    }
  SharedTile shared = writeShared(tile, chooseMemory(tile.layout, layout, tile.element));
  auto all = llvm::to_vector(llvm::seq<int64_t>(0, layout.extent(Axis::Register)));
  Value value = splat(builder, loc, readShared(shared, layout, all), all.size());
  return {layout, tile.element, value};
}
