//===- MatrixProduct.cpp - products by matrix instructions ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tiles are made of the instruction's fragments (MatrixTiling.h): registers of
// a fragment first, then its places in the tile. What lies outside of the tile
// along k must be zero on both sides; outside along m or n it only reaches places
// of the result that are outside as well.
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "sectile/Target/MatrixTiling.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;

static std::optional<NVVM::MMATypes> getPtxType(std::string_view name) {
  // Types of f16 and f64 registers speak for themselves.
  if (name == "bf16" || name == "s8" || name == "u8")
    return NVVM::symbolizeMMATypes(StringRef(name));
  return std::nullopt;
}

LogicalResult ThreadEmitter::emitMatrixDot(DotOp op, const target::MatrixInstruction &instruction) {
  if (target.family != target::GpuFamily::Nvidia ||
      target::getSupport(target.name, instruction) == target::Support::None)
    return refuse(op) << "the device has no instruction " << std::string(instruction.name);
  DistributedLayout layout = layoutOf(op.getResult());
  int64_t k = cast<RankedTensorType>(op.getLhs().getType()).getDimSize(1);
  auto grid = layout.dividedBy(target::fragment(instruction, target::Operand::Accumulator));
  auto layoutA = target::getSideLayout(instruction, target::Operand::A, layout, k);
  auto layoutB = target::getSideLayout(instruction, target::Operand::B, layout, k);
  if (!grid || !layoutA || !layoutB)
    return refuse(op) << "the accumulator's layout is not made of fragments of "
                      << std::string(instruction.name);

  // A side as 32-bit registers (64 bits of f64), zero outside along k.
  auto prepare = [&](Value side, const DistributedLayout &sideLayout, int64_t kDim) -> Value {
    Registers tile = convert(getTile(side), sideLayout);
    SmallVector<Element> elements;
    bool isWhole = true;
    Type type = getElementTypeOrSelf(tile.value.getType());
    Value zero = makeConstant(builder, loc, type, builder.getZeroAttr(type));
    for (int64_t reg = 0; reg < tile.count(); ++reg) {
      Condition valid = isValid(sideLayout, reg, ArrayRef(kDim));
      Value own = extractLane(builder, loc, tile.value, reg);
      if (valid.isNever)
        own = zero;
      else if (Value holds = emitCondition(valid))
        own = arith::SelectOp::create(builder, loc, holds, own, zero);
      isWhole &= !valid.isNever && valid.terms.empty();
      elements.push_back({own, 0});
    }
    Value value =
        isWhole ? tile.value : splat(builder, loc, buildPart(builder, loc, elements), tile.count());
    value = toMemoryFormat(value, tile.element);
    if (tile.element.isF16() || tile.element.isF64())
      return value;
    int64_t words = tile.count() * tile.element.getIntOrFloatBitWidth() / 32;
    return vector::BitCastOp::create(builder, loc, VectorType::get({words}, builder.getI32Type()),
                                     value);
  };
  Value a = prepare(op.getLhs(), *layoutA, 1), b = prepare(op.getRhs(), *layoutB, 0);
  Registers accumulator = convert(getTile(op.getAcc()), layout);

  // Register `word` of fragment number `fragment`, which has `count` of them.
  Type element = getElementTypeOrSelf(op.getLhs().getType());
  int64_t perWord = element.isF16() ? 2 : 1;
  auto countWords = [&](target::Operand side) {
    int64_t registers = target::fragment(instruction, side).extent(Axis::Register);
    return registers * std::min<int64_t>(element.getIntOrFloatBitWidth(), 32) / 32;
  };
  auto take = [&](Value side, int64_t fragment, int64_t count) {
    SmallVector<Value> words;
    for (int64_t word = 0; word < count; ++word)
      words.push_back(
          isa<VectorType>(side.getType())
              ? extractSlice(builder, loc, side, (fragment * count + word) * perWord, perWord)
              : side);
    return words;
  };
  int64_t wordsA = countWords(target::Operand::A), wordsB = countWords(target::Operand::B);
  int64_t sums = target::fragment(instruction, target::Operand::Accumulator).extent(Axis::Register);
  SmallVector<int64_t> rows = getPlacesAlong(*grid, 0), columns = getPlacesAlong(*grid, 1);
  int64_t numRows = *llvm::max_element(rows) + 1, numColumns = *llvm::max_element(columns) + 1;
  auto steps = static_cast<int64_t>(llvm::divideCeil(k, instruction.k));
  auto count = static_cast<int64_t>(rows.size());
  SmallVector<SmallVector<Value>> results(count);
  for (int64_t place = 0; place < count; ++place)
    for (int64_t i = 0; i < sums; ++i)
      results[place].push_back(extractLane(builder, loc, accumulator.value, place * sums + i));
  Type sum = getElementTypeOrSelf(accumulator.value.getType());
  auto resultType =
      LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(sums, sum));
  auto typeA = getPtxType(instruction.a), typeB = getPtxType(instruction.b);
  std::optional<std::array<NVVM::MMATypes, 2>> types;
  if (typeA && typeB)
    types = {*typeA, *typeB};
  std::optional<NVVM::MMAIntOverflow> overflow;
  if (sum.isInteger())
    overflow = NVVM::MMAIntOverflow::wrapped;
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t place = 0; place < count; ++place) {
      auto left = take(a, rows[place] + numRows * step, wordsA);
      auto right = take(b, columns[place] + numColumns * step, wordsB);
      Value product = NVVM::MmaOp::create(
          builder, loc, resultType, left, right, results[place],
          ArrayRef<int64_t>{instruction.m, instruction.n, instruction.k}, std::nullopt, overflow,
          types, std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row, NVVM::MMALayout::col});
      for (int64_t i = 0; i < sums; ++i)
        results[place][i] =
            LLVM::ExtractValueOp::create(builder, loc, product, ArrayRef<int64_t>{i});
    }
  SmallVector<Element> elements;
  for (const SmallVector<Value> &place : results)
    for (Value value : place)
      elements.push_back({value, 0});
  setTile(op.getResult(), buildPart(builder, loc, elements));
  return success();
}
