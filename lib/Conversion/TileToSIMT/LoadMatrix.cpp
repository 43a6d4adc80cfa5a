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

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using layout::Axis;
using layout::Digit;

/// PTX ISA, ldmatrix: fragments of .m8n8 without and with .trans.
static constexpr std::string_view kRows = "[8, 8], register = [2:d1], lane = [4:d1*2, 8:d0]";
static constexpr std::string_view kColumns = "[8, 8], register = [2:d0], lane = [4:d0*2, 8:d1]";

/// The grid of matrices that a layout is made of, and whether they are read by columns.
static std::optional<std::pair<DistributedLayout, bool>>
getMatrices(const DistributedLayout &layout) {
  if (layout.shape().size() != 2 || !llvm::equal(layout.shape(), layout.box()))
    return std::nullopt;
  if (auto grid = layout.dividedBy(*DistributedLayout::parse(kRows)))
    return std::pair(*grid, false);
  if (auto grid = layout.dividedBy(*DistributedLayout::parse(kColumns)))
    return std::pair(*grid, true);
  return std::nullopt;
}

std::optional<DistributedLayout> ThreadEmitter::getMatrixRows(const DistributedLayout &layout,
                                                              Type element) {
  if (!target.hasMatrixLoads || getSharedElement(element).getIntOrFloatBitWidth() != 16 ||
      !getMatrices(layout))
    return std::nullopt;
  // Eight rows one below the other for each matrix; four matrices side by side, or below.
  int64_t rows = layout.shape()[0] / 8, columns = layout.shape()[1] / 8;
  int64_t beside = std::min<int64_t>(4, columns & -columns);
  int64_t below = std::min<int64_t>(4 / beside, rows & -rows);
  std::array<std::vector<layout::TileDigit>, layout::kNumAxes> digits;
  digits[static_cast<size_t>(Axis::Lane)] = {{8, layout::Place{0, 1}},
                                             {beside, layout::Place{1, 8}},
                                             {below, layout::Place{0, 8}},
                                             {4 / beside / below, std::nullopt}};
  digits[static_cast<size_t>(Axis::Register)] = {{8, layout::Place{1, 1}},
                                                 {columns / beside, layout::Place{1, 8 * beside}},
                                                 {rows / below, layout::Place{0, 8 * below}}};
  auto result = DistributedLayout::create({layout.shape().begin(), layout.shape().end()}, digits);
  return result ? std::optional(*result) : std::nullopt;
}

std::optional<Value> ThreadEmitter::loadMatrices(const SharedTile &tile,
                                                 const DistributedLayout &layout) {
  Type element = getSharedElement(tile.element);
  auto matrices = getMatrices(layout);
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
    Poly address = addressOf(algebra, tile.memory, row);
    bool isRow = address.constant % 16 == 0;
    for (const auto &term : address.terms)
      isRow &= term.second % 16 == 0;
    for (int64_t i = 1; i < 8 && isRow; ++i) {
      row[1] += Poly(1);
      isRow = addressOf(algebra, tile.memory, row) == address + Poly(2 * i);
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
