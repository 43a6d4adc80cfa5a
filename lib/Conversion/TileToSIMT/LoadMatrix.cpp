//===- LoadMatrix.cpp - fragments from shared memory by ldmatrix -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ldmatrix reads four matrices of 8 x 8 elements of 16 bits at once, each lane
// naming a row of 16 bytes, and gives every lane two neighbours of each. A layout
// that is made of such fragments, row by row or column by column, is read so.
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "sectile/Target/MatrixLoad.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using layout::Axis;
using layout::Digit;

std::optional<DistributedLayout> ThreadEmitter::getMatrixRows(const DistributedLayout &layout,
                                                              Type element) {
  return target::getMatrixRows(target, layout, getSharedElement(element).getIntOrFloatBitWidth());
}

std::optional<Value> ThreadEmitter::loadMatrices(const SharedTile &tile,
                                                 const DistributedLayout &layout) {
  Type element = getSharedElement(tile.element);
  auto matrices = target::getMatrices(layout);
  if (!target.hasMatrixLoads || element.getIntOrFloatBitWidth() != 16 || !matrices)
    return std::nullopt;
  for (const layout::Swizzle &swizzle : tile.memory.swizzles())
    if (swizzle.to < 4)
      return std::nullopt; // it would cut rows of 16 bytes
  const auto &[grid, isTransposed] = *matrices;
  int64_t count = grid.extent(Axis::Register);
  int64_t atOnce = count % 4 == 0 ? 4 : count % 2 == 0 ? 2 : 1;
  // The lane's row: of matrix first + lane / 8, row lane % 8.
  auto rowOf = [&](int64_t first) {
    Poly matrix = Poly(first);
    if (atOnce > 1)
      matrix += digitOf(static_cast<unsigned>(Axis::Lane), 8, atOnce);
    SmallVector<Poly> coordinates(2);
    for (const Digit &digit : grid.map().digits()) {
      if (!digit.to)
        continue;
      Poly number =
          digit.from.axis == static_cast<unsigned>(Axis::Register)
              ? algebra.mod(algebra.floorDiv(matrix, Poly(digit.from.stride)), Poly(digit.extent))
              : digitOf(digit.from.axis, digit.from.stride, digit.extent);
      coordinates[digit.to->axis] += number * Poly(digit.to->stride * 8);
    }
    coordinates[0] += digitOf(static_cast<unsigned>(Axis::Lane), 1, 8);
    return coordinates;
  };
  // Rows must be 16 neighbouring bytes, each a multiple of 16.
  SmallVector<Poly> addresses;
  for (int64_t first = 0; first < count; first += atOnce) {
    SmallVector<Poly> row = rowOf(first);
    Poly address = addressIn(tile, row);
    bool isRow = address.constant % 16 == 0;
    for (const auto &term : address.terms)
      isRow &= term.second % 16 == 0;
    for (int64_t i = 1; i < 8 && isRow; ++i) {
      row[1] += Poly(1);
      isRow = addressIn(tile, row) == address + Poly(2 * i);
    }
    if (!isRow)
      return std::nullopt;
    addresses.push_back(std::move(address));
  }
  Type i32 = builder.getI32Type();
  Type type = i32;
  if (atOnce > 1)
    type = LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(atOnce, i32));
  MLIRContext *context = builder.getContext();
  SmallVector<Element> words;
  for (const Poly &address : addresses) {
    Value loaded = NVVM::LdMatrixOp::create(
        builder, loc, type, pointerTo(tile, address), static_cast<uint32_t>(atOnce),
        isTransposed ? NVVM::MMALayout::col : NVVM::MMALayout::row,
        NVVM::LdStMatrixShapeAttr::get(context, 8, 8), NVVM::LdStMatrixEltType::B16);
    for (int64_t i = 0; i < atOnce; ++i) {
      Value word = loaded;
      if (atOnce > 1)
        word = LLVM::ExtractValueOp::create(builder, loc, loaded, ArrayRef<int64_t>{i});
      words.push_back({word, 0});
    }
  }
  Value value = splat(builder, loc, buildPart(builder, loc, words), count);
  if (!isa<VectorType>(value.getType()))
    value = vector::BroadcastOp::create(builder, loc, VectorType::get({1}, i32), value);
  return vector::BitCastOp::create(builder, loc, VectorType::get({2 * count}, element), value)
      .getResult();
}
