//===- HalfProduct.cpp - products of 16-bit integers ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Codes of 8 bits without their zero points have 9 bits and a sign. CPUs multiply two
// neighbouring halves of two vectors and sum them in the i32 lane that they fill (pmaddwd),
// exactly: 2 * 255 * 255 is far from the end. So two products, one after the other, of steps k
// and k + 1 are one:
//
//     a[k] a[k+1]        a[k] a[k+1]        the row's halves in all lanes
//     b[k, 0] b[k+1, 0]  b[k, 1] b[k+1, 1]  the columns' halves, interleaved
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <numeric>

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::tile;

DotOp KernelEmitter::getFirstOfPair(DotOp second) {
  auto first = second.getAcc().getDefiningOp<DotOp>();
  bool hasUnit = !level.bytes.sumPairsOfHalves.empty() && lanes == level.getLanes(4);
  bool isChained = first && first->getBlock() == second->getBlock() && first->hasOneUse();
  // Of three in a row, the first two.
  return hasUnit && isChained && isProductOfHalves(first) && isProductOfHalves(second) &&
                 !getFirstOfPair(first)
             ? first
             : DotOp();
}

bool KernelEmitter::isFirstOfPair(Operation *op) {
  auto first = dyn_cast<DotOp>(op);
  if (!first || !first->hasOneUse())
    return false;
  auto second = dyn_cast<DotOp>(*first->user_begin());
  return second && second.getAcc() == first.getResult() && getFirstOfPair(second) == first;
}

/// Whether two values are computed alike, from the same ones.
static bool isSame(Value a, Value b) {
  Operation *first = a.getDefiningOp(), *second = b.getDefiningOp();
  if (a == b || !first || !second)
    return a == b;
  return isMemoryEffectFree(first) && first->getName() == second->getName() &&
         first->getNumRegions() == 0 && first->getAttrDictionary() == second->getAttrDictionary() &&
         a.getType() == b.getType() && first->getNumOperands() == second->getNumOperands() &&
         llvm::all_of(llvm::zip(first->getOperands(), second->getOperands()),
                      [](auto pair) { return isSame(std::get<0>(pair), std::get<1>(pair)); });
}

/// Whether `value` is made of bytes, each by itself, and `other` in the same way.
static bool isOfBytes(Value value, Value other) {
  Operation *first = value.getDefiningOp(), *second = other.getDefiningOp();
  if (!first || !second || first->getName() != second->getName() ||
      value.getType() != other.getType())
    return false;
  if (isa<arith::ExtSIOp, arith::ExtUIOp>(first))
    return getElementTypeOrSelf(first->getOperand(0).getType()).isInteger(8) &&
           first->getOperand(0).getType() == second->getOperand(0).getType();
  return isa<arith::SubIOp>(first) && isSame(first->getOperand(1), second->getOperand(1)) &&
         isOfBytes(first->getOperand(0), second->getOperand(0));
}

/// Elements of two vectors in turns. Of what `isOfBytes`, the bytes take turns: they fill half of
/// the registers.
Value KernelEmitter::interleave(Value value, Value other) {
  auto type = cast<VectorType>(value.getType());
  auto wide = VectorType::get({2 * type.getNumElements()}, type.getElementType());
  if (isOfBytes(value, other)) {
    Operation *first = value.getDefiningOp(), *second = other.getDefiningOp();
    Value inner = interleave(first->getOperand(0), second->getOperand(0));
    if (isa<arith::ExtSIOp>(first))
      return arith::ExtSIOp::create(builder, loc, wide, inner);
    if (isa<arith::ExtUIOp>(first))
      return arith::ExtUIOp::create(builder, loc, wide, inner);
    Value zeros = interleave(first->getOperand(1), first->getOperand(1));
    return arith::SubIOp::create(builder, loc, inner, zeros);
  }
  SmallVector<int32_t> mask;
  for (int32_t lane = 0; lane < type.getNumElements(); ++lane)
    mask.append({lane, static_cast<int32_t>(lane + type.getNumElements())});
  return LLVM::ShuffleVectorOp::create(builder, loc, value, other, mask);
}

/// Neighbours of `parts`, vectors of halves that columns follow one another in, and of `others`,
/// the next step's, side by side: a vector of words for each.
SmallVector<Value> KernelEmitter::interleaveHalves(ArrayRef<Value> parts, ArrayRef<Value> others) {
  auto shuffle = [&](Value a, Value b, ArrayRef<int32_t> mask) -> Value {
    return LLVM::ShuffleVectorOp::create(builder, loc, a, b, mask);
  };
  constexpr int64_t kLanesOfShuffles = 4; // words in 128 bits, which shuffles do not leave
  SmallVector<Value> result;
  SmallVector<int32_t> all(2 * lanes);
  std::iota(all.begin(), all.end(), 0);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (lanes != 2 * kLanesOfShuffles || i + 1 == parts.size() || isOfBytes(parts[i], others[i])) {
      result.push_back(interleave(parts[i], others[i]));
      continue;
    }
    // Two at a time: what each half of a register holds is interleaved there, and changes places
    // afterwards. LLVM finds nothing as short by itself.
    Value first = shuffle(parts[i], parts[i + 1], all),
          second = shuffle(others[i], others[i + 1], all);
    SmallVector<int32_t> low, high, front, back;
    for (int32_t half : {0, 8})
      for (int32_t lane = 0; lane < kLanesOfShuffles; ++lane) {
        low.append({half + lane, half + lane + 16});
        high.append({half + lane + 4, half + lane + 20});
      }
    for (int32_t from : {0, 16})
      for (int32_t lane = 0; lane < 8; ++lane) {
        front.push_back(from + lane);
        back.push_back(from + lane + 8);
      }
    Value lows = shuffle(first, second, low), highs = shuffle(first, second, high);
    result.push_back(shuffle(lows, highs, front));
    result.push_back(shuffle(lows, highs, back));
    ++i;
  }
  return result;
}

LogicalResult KernelEmitter::emitHalfProducts(DotOp first, DotOp second) {
  Tile acc = repartition(getTile(first.getAcc()), lanes);
  Tile left[] = {getTile(first.getLhs()), getTile(second.getLhs())};
  Tile right[] = {repartition(getTile(first.getRhs()), lanes),
                  repartition(getTile(second.getRhs()), lanes)};
  Type word = builder.getI32Type(), half = builder.getI16Type();
  SmallVector<Value> parts[2];
  for (int64_t part = 0; part < acc.getPartsPerRow(); ++part)
    for (int step : {0, 1})
      parts[step].push_back(
          resize(splat(builder, loc, right[step].at(0, part), acc.getWidth(part)), lanes));
  SmallVector<Value> columns = interleaveHalves(parts[0], parts[1]);
  for (int64_t row = 0; row < acc.shape[0]; ++row) {
    // Neighbours in memory, which LLVM loads and repeats at once.
    Value halves[2];
    for (int step : {0, 1}) {
      Element place = getElement(left[step], row);
      halves[step] = arith::ExtUIOp::create(builder, loc, word,
                                            extractLane(builder, loc, place.value, place.lane));
    }
    Value sixteen = makeConstant(builder, loc, word, builder.getI32IntegerAttr(16));
    Value pair = arith::OrIOp::create(builder, loc, halves[0],
                                      arith::ShLIOp::create(builder, loc, halves[1], sixteen));
    Value repeated = bitcast(splat(builder, loc, pair, lanes), half);
    for (int64_t part = 0; part < acc.getPartsPerRow(); ++part) {
      Value &sum = acc.at(row, part);
      int64_t width = acc.getWidth(part);
      Value products = callIntrinsic(level.bytes.sumPairsOfHalves, VectorType::get({lanes}, word),
                                     {columns[part], repeated});
      sum = arith::AddIOp::create(builder, loc, splat(builder, loc, sum, width),
                                  resize(products, width));
    }
  }
  setTile(second.getResult(), std::move(acc));
  return success();
}
