//===- Shared.cpp - tiles in shared memory ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "sectile/Layout/Access.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using layout::Axis;
using layout::MemoryLayout;

int64_t ThreadEmitter::reserveScratch(int64_t bytes) {
  int64_t offset = static_cast<int64_t>(llvm::alignTo(scratchUsed, 16));
  scratchUsed = offset + bytes;
  scratchBytes = std::max(scratchBytes, scratchUsed);
  return offset;
}

Type ThreadEmitter::getSharedElement(Type element) const { return getMemoryElement(element); }

MemoryLayout ThreadEmitter::chooseMemory(const DistributedLayout &writer,
                                         const DistributedLayout &reader, Type element) {
  int64_t bits = getSharedElement(element).getIntOrFloatBitWidth();
  MemoryLayout rows = *MemoryLayout::rowMajor({writer.shape().begin(), writer.shape().end()}, bits);
  // Instructions that read rows of matrices have lanes of their own.
  std::optional<DistributedLayout> matrixRows = getMatrixRows(reader, element);
  layout::Access accesses[] = {{&writer, layout::AccessKind::Store},
                               {matrixRows ? &*matrixRows : &reader, layout::AccessKind::Load}};
  // The search counts every access for every swizzle of the tile's size.
  auto best = layout::chooseSwizzle(rows, accesses, target.access);
  return best ? *best : rows;
}

Value ThreadEmitter::pointerTo(const SharedTile &tile, const Poly &address) {
  // Multiples of the swizzles' period pass them unchanged: what remains is the same in many places,
  // and in every iteration of a loop that goes from buffer to buffer.
  int64_t period = 1;
  for (const layout::Swizzle &swizzle : tile.memory.swizzles())
    period = std::max(period, swizzle.period());
  Poly low, high;
  for (const auto &[monomial, coefficient] : address.terms)
    (coefficient % period == 0 ? high : low).terms[monomial] = coefficient;
  low.constant = llvm::mod(address.constant, period);
  high.constant = 0;
  int64_t constant = address.constant - low.constant + tile.offset;
  std::string key = "swizzled";
  for (const layout::Swizzle &swizzle : tile.memory.swizzles())
    key += " " + std::to_string(swizzle.count) + " of " + std::to_string(swizzle.from) + " at " +
           std::to_string(swizzle.to);
  Value offset = builder.emitOnce(low, key, 0, [&] {
    Value swizzled = builder.emit(loc, low);
    for (const layout::Swizzle &swizzle : tile.memory.swizzles()) {
      int64_t mask = (int64_t(1) << swizzle.count) - 1;
      Value bits = arith::ShRUIOp::create(builder, loc, swizzled,
                                          builder.constant(loc, swizzle.from - swizzle.to));
      bits = arith::AndIOp::create(builder, loc, bits, builder.constant(loc, mask << swizzle.to));
      swizzled = arith::XOrIOp::create(builder, loc, swizzled, bits);
    }
    return swizzled;
  });
  if (!high.isConstant())
    offset = arith::AddIOp::create(builder, loc, offset, builder.emit(loc, high));
  Value base = tile.base ? tile.base : scratch;
  Value pointer = LLVM::GEPOp::create(builder, loc, base.getType(), builder.getI8Type(), base,
                                      ArrayRef<LLVM::GEPArg>{offset});
  if (constant != 0)
    pointer = LLVM::GEPOp::create(builder, loc, base.getType(), builder.getI8Type(), pointer,
                                  ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(constant)});
  return pointer;
}

Poly ThreadEmitter::addressIn(const SharedTile &tile, ArrayRef<Poly> coordinates) {
  if (tile.origin.empty())
    return addressOf(algebra, tile.memory, coordinates);
  SmallVector<Poly> all(tile.origin);
  for (auto [i, coordinate] : llvm::enumerate(coordinates))
    all[all.size() - coordinates.size() + i] += coordinate;
  return addressOf(algebra, tile.memory, all);
}

Poly sectile::simt::addressOf(IndexAlgebra &algebra, const MemoryLayout &memory,
                              ArrayRef<Poly> coordinates) {
  Poly address;
  for (const layout::Digit &digit : memory.map().digits())
    if (digit.from.axis < coordinates.size()) // the last one is the element's bit
      address +=
          algebra.mod(algebra.floorDiv(coordinates[digit.from.axis], Poly(digit.from.stride)),
                      Poly(digit.extent)) *
          Poly(digit.to->stride / 8);
  return address;
}

/// Calls `access(first, count, pointer, alignment, condition)` for runs of `regs`, by their places
/// in that list, that are neighbours in shared memory.
void ThreadEmitter::accessShared(
    const SharedTile &tile, const DistributedLayout &layout, ArrayRef<int64_t> regs,
    function_ref<void(int64_t, int64_t, Value, int64_t, const Condition &)> access) {
  Type type = getSharedElement(tile.element);
  int64_t bytes = type.getIntOrFloatBitWidth() / 8;
  // An access must not cross what a swizzle moves.
  int64_t most = target.getVectorBytes();
  for (const layout::Swizzle &swizzle : tile.memory.swizzles())
    most = std::min(most, int64_t(1) << swizzle.to);
  SmallVector<Poly> addresses;
  SmallVector<Condition> conditions;
  for (int64_t reg : regs) {
    SmallVector<Poly> coordinates = coordinatesOf(layout, reg);
    addresses.push_back(addressIn(tile, coordinates));
    conditions.push_back(isValid(layout, reg));
  }
  for (int64_t first = 0, count = regs.size(); first < count;) {
    int64_t width = std::max<int64_t>(1, most / bytes);
    auto isRun = [&] {
      bool isAligned = first + width <= count && addresses[first].constant % (width * bytes) == 0;
      for (const auto &term : addresses[first].terms)
        isAligned &= term.second % (width * bytes) == 0;
      return isAligned && llvm::all_of(llvm::seq<int64_t>(1, width), [&](int64_t i) {
               return addresses[first + i] == addresses[first] + Poly(i * bytes) &&
                      conditions[first + i] == conditions[first];
             });
    };
    while (width > 1 && !isRun())
      width /= 2;
    Value pointer = pointerTo(tile, addresses[first]);
    access(first, width, pointer, width * bytes, conditions[first]);
    first += width;
  }
}

SharedTile ThreadEmitter::writeShared(const Registers &tile, const MemoryLayout &memory) {
  SharedTile shared{memory, reserveScratch(memory.sizeBits() / 8), tile.element};
  if (hazards.needsBarrier({.root = {}, .isWrite = true}))
    emitBarrier();
  Value value = toMemoryFormat(tile.value, tile.element);
  // Copies write nothing.
  DistributedLayout layout = tile.layout;
  SmallVector<int64_t> regs;
  for (int64_t reg = 0; reg < tile.count(); ++reg) {
    Condition first;
    requireFirstCopy(first, layout, reg);
    if (!first.isNever)
      regs.push_back(reg);
  }
  accessShared(
      shared, layout, regs,
      [&](int64_t first, int64_t count, Value pointer, int64_t alignment, Condition condition) {
        requireFirstCopy(condition, layout, regs[first]);
        if (condition.isNever)
          return;
        SmallVector<Element> elements;
        for (int64_t i = first; i < first + count; ++i)
          elements.push_back({value, tile.count() == 1 ? 0 : regs[i]});
        storeIf(condition, buildPart(builder, loc, elements), pointer, alignment);
      });
  return shared;
}

Value ThreadEmitter::readShared(const SharedTile &tile, const DistributedLayout &layout,
                                ArrayRef<int64_t> regs) {
  if (hazards.needsBarrier({.root = tile.root, .isWrite = false}))
    emitBarrier();
  bool isWhole =
      static_cast<int64_t>(regs.size()) == layout.extent(Axis::Register) && llvm::is_sorted(regs);
  if (isWhole)
    if (std::optional<Value> value = loadMatrices(tile, layout))
      return fromMemoryFormat(*value, tile.element);
  Type type = getSharedElement(tile.element);
  SmallVector<Element> elements;
  accessShared(
      tile, layout, regs,
      [&](int64_t, int64_t count, Value pointer, int64_t alignment, const Condition &condition) {
        Value value = loadIf(condition, getPartType(type, count), pointer, alignment, {});
        for (int64_t i = 0; i < count; ++i)
          elements.push_back({value, count == 1 ? 0 : i});
      });
  Value value = splat(builder, loc, buildPart(builder, loc, elements), regs.size());
  return fromMemoryFormat(value, tile.element);
}
