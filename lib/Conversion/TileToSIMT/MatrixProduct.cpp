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

/// mma.sync takes words of 32 bits (64 of f64), and gives each sum by itself.
static SmallVector<Value> multiplyByMma(OpBuilder &builder, Location loc,
                                        const target::MatrixInstruction &instruction,
                                        ArrayRef<Value> left, ArrayRef<Value> right,
                                        ArrayRef<Value> sums) {
  Type sum = sums[0].getType();
  auto resultType =
      LLVM::LLVMStructType::getLiteral(builder.getContext(), SmallVector<Type>(sums.size(), sum));
  auto typeA = getPtxType(instruction.a), typeB = getPtxType(instruction.b);
  std::optional<std::array<NVVM::MMATypes, 2>> types;
  if (typeA && typeB)
    types = {*typeA, *typeB};
  std::optional<NVVM::MMAIntOverflow> overflow;
  if (sum.isInteger())
    overflow = NVVM::MMAIntOverflow::wrapped;
  Value product = NVVM::MmaOp::create(
      builder, loc, resultType, left, right, sums,
      ArrayRef<int64_t>{instruction.m, instruction.n, instruction.k}, std::nullopt, overflow, types,
      std::array<NVVM::MMALayout, 2>{NVVM::MMALayout::row, NVVM::MMALayout::col});
  SmallVector<Value> results;
  for (size_t i = 0; i < sums.size(); ++i)
    results.push_back(LLVM::ExtractValueOp::create(builder, loc, product,
                                                   ArrayRef<int64_t>{static_cast<int64_t>(i)}));
  return results;
}

/// MFMA and WMMA take each side, and the sums, as one vector.
static SmallVector<Value> multiplyByFragments(OpBuilder &builder, Location loc,
                                              const target::MatrixInstruction &instruction,
                                              Value left, Value right, Value sums) {
  // 8 bytes of integers are one number.
  auto asNumber = [&](Value side) -> Value {
    if (side.getType() != VectorType::get({2}, builder.getI32Type()))
      return side;
    Type i64 = builder.getI64Type();
    return LLVM::BitcastOp::create(builder, loc, i64, side);
  };
  OperationState state(loc, "rocdl." + std::string(instruction.intrinsic));
  state.addOperands({asNumber(left), asNumber(right), sums});
  state.addTypes(sums.getType());
  if (instruction.name.starts_with("mfma")) {
    // No broadcast of blocks and no permutation of lanes.
    Value zero = arith::ConstantIntOp::create(builder, loc, 0, 32);
    state.addOperands({zero, zero, zero});
  } else if (sums.getType() == VectorType::get({8}, builder.getI32Type())) {
    state.addAttribute("signA", builder.getBoolAttr(instruction.a == "s8"));
    state.addAttribute("signB", builder.getBoolAttr(instruction.b == "s8"));
  }
  return {builder.create(state)->getResult(0)};
}

LogicalResult ThreadEmitter::emitMatrixDot(DotOp op, const target::MatrixInstruction &instruction) {
  if (target::getSupport(target.name, instruction) == target::Support::None)
    return refuse(op) << "the device has no instruction " << std::string(instruction.name);
  DistributedLayout layout = layoutOf(op.getResult());
  int64_t k = cast<RankedTensorType>(op.getLhs().getType()).getDimSize(1);
  auto grid = layout.dividedBy(target::fragment(instruction, target::Operand::Accumulator));
  auto layoutA = target::getSideLayout(instruction, target::Operand::A, layout, k);
  auto layoutB = target::getSideLayout(instruction, target::Operand::B, layout, k);
  if (!grid || !layoutA || !layoutB)
    return refuse(op) << "the accumulator's layout is not made of fragments of "
                      << std::string(instruction.name);
  bool takesVectors = target.family == target::GpuFamily::Amd;
  int64_t bits = target::getElementBits(instruction);

  // A side in the form that the instruction takes, zero outside along k: floats, or words of 32
  // bits, or, in vectors, 16 bits of bf16.
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
    if (bits == 32)
      return value; // narrow floats are f32 in registers
    value = toMemoryFormat(value, tile.element);
    if (tile.element.isF16() || tile.element.isF64())
      return value;
    int64_t wordBits = takesVectors && tile.element.isBF16() ? 16 : 32;
    Type word = builder.getIntegerType(wordBits);
    int64_t words = tile.count() * bits / wordBits;
    return vector::BitCastOp::create(builder, loc, VectorType::get({words}, word), value);
  };
  Value a = prepare(op.getLhs(), *layoutA, 1), b = prepare(op.getRhs(), *layoutB, 0);
  Registers accumulator = convert(getTile(op.getAcc()), layout);

  // A fragment is cut into operands of `perOperand` of what the side holds.
  struct Cut {
    int64_t operands, perOperand;
  };
  auto cut = [&](target::Operand side, Value value) {
    int64_t registers = target::fragment(instruction, side).extent(Axis::Register);
    int64_t held = getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
    int64_t all = registers * bits / held;
    if (takesVectors)
      return Cut{1, all};
    int64_t perOperand = std::max<int64_t>(32 / held, 1);
    return Cut{all / perOperand, perOperand};
  };
  Cut cutA = cut(target::Operand::A, a), cutB = cut(target::Operand::B, b);
  auto take = [&](Value side, int64_t fragment, const Cut &cut) {
    SmallVector<Value> operands;
    for (int64_t i = 0; i < cut.operands; ++i)
      operands.push_back(isa<VectorType>(side.getType())
                             ? extractSlice(builder, loc, side,
                                            (fragment * cut.operands + i) * cut.perOperand,
                                            cut.perOperand)
                             : side);
    return operands;
  };
  int64_t sums = target::fragment(instruction, target::Operand::Accumulator).extent(Axis::Register);
  int64_t perSum = takesVectors ? sums : 1;
  SmallVector<int64_t> rows = getPlacesAlong(*grid, 0), columns = getPlacesAlong(*grid, 1);
  int64_t numRows = *llvm::max_element(rows) + 1, numColumns = *llvm::max_element(columns) + 1;
  auto steps = static_cast<int64_t>(llvm::divideCeil(k, instruction.k));
  auto count = static_cast<int64_t>(rows.size());
  SmallVector<SmallVector<Value>> results(count);
  for (int64_t place = 0; place < count; ++place)
    for (int64_t i = 0; i < sums; i += perSum)
      results[place].push_back(
          extractSlice(builder, loc, accumulator.value, place * sums + i, perSum));
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t place = 0; place < count; ++place) {
      auto left = take(a, rows[place] + numRows * step, cutA);
      auto right = take(b, columns[place] + numColumns * step, cutB);
      results[place] =
          takesVectors
              ? multiplyByFragments(builder, loc, instruction, left[0], right[0], results[place][0])
              : multiplyByMma(builder, loc, instruction, left, right, results[place]);
    }
  SmallVector<Element> elements;
  for (const SmallVector<Value> &place : results)
    for (Value value : place)
      for (int64_t i = 0; i < perSum; ++i)
        elements.push_back({value, i});
  setTile(op.getResult(), buildPart(builder, loc, elements));
  return success();
}
