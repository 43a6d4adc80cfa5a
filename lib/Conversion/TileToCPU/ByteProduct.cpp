//===- ByteProduct.cpp - products of bytes --------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// CPUs multiply four neighbouring bytes of two vectors and sum them in the i32 lane
// that they fill. The left side's four bytes, k to k + 3 of a row, are repeated in
// all lanes; of the right side a lane holds codes k to k + 3 of its column, as packed
// codes lie (#tile.memory):
//
//     a[k .. k+3]  a[k .. k+3]  a[k .. k+3]     signed
//     q[k .. k+3]  q[k .. k+3]  q[k .. k+3]     unsigned
//       column 0     column 1     column 2
//
// Codes are read where they are multiplied and not before: all of a tile would not
// fit the registers.
//
// Where an instruction sums pairs of products in 16 bits (pmaddubsw), a few such
// steps are summed before their halves are. It saturates; codes of up to 7 bits never
// come there: 2 * 127 * 128 < 2^15. Codes of 8 bits are widened first.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::tile;

static constexpr int64_t kQuad = kPackedStreams;

std::optional<KernelEmitter::ByteColumns> KernelEmitter::matchByteColumns(DotOp op) {
  auto isByte = [](Value value) { return getElementTypeOrSelf(value.getType()).isInteger(8); };
  auto right = cast<RankedTensorType>(op.getRhs().getType());
  if (!isByte(op.getLhs()) || !isByte(op.getRhs()) || op.getUnsignedLhs() || !op.getUnsignedRhs() ||
      !getElementTypeOrSelf(op.getType()).isInteger(32) || right.getDimSize(0) % kQuad != 0)
    return std::nullopt;
  ByteColumns columns;
  Value value = op.getRhs();
  auto isLocal = [&](Operation *def) {
    return def && def->getBlock() == op->getBlock() && def->hasOneUse();
  };
  while (Operation *def = isLocal(value.getDefiningOp()) ? value.getDefiningOp() : nullptr) {
    if (auto load = dyn_cast<LoadOp>(def)) {
      columns.load = load;
      break;
    }
    DenseIntElementsAttr mask;
    if (auto flip = dyn_cast<arith::XOrIOp>(def);
        flip && matchPattern(flip.getRhs(), m_Constant(&mask)) && mask.isSplat()) {
      columns.flip ^= static_cast<uint32_t>(mask.getSplatValue<APInt>().getZExtValue());
      value = flip.getLhs();
    } else if (auto reshape = dyn_cast<ReshapeOp>(def)) {
      value = reshape.getSource();
    } else {
      return std::nullopt;
    }
    columns.between.push_back(def);
  }
  if (!columns.load || !columns.load.getIndices().empty())
    return std::nullopt;
  // The steps are the first dimension of what is loaded, and other dimensions but columns have an
  // extent of 1: reshapes change nothing.
  auto loaded = cast<RankedTensorType>(columns.load.getType());
  ViewType view = columns.load.getView().getType();
  columns.bits = view.getPackedBits();
  if (columns.bits == 0 || loaded.getDimSize(0) != right.getDimSize(0) ||
      loaded.getShape().back() != right.getDimSize(1) || columns.flip >> columns.bits != 0 ||
      !isa<BlockArgument>(columns.load.getView()))
    return std::nullopt;
  // Nothing between them writes memory, and no mask hides single steps.
  for (Operation *between = columns.load->getNextNode(); between != op;
       between = between->getNextNode())
    if (!isMemoryEffectFree(between) && !isa<LoadOp>(between))
      return std::nullopt;
  if (columns.load.getWhere())
    for (AffineExpr constraint : columns.load.getWhere()->getConstraints())
      if (constraint.isFunctionOfDim(0))
        return std::nullopt;
  // Each four steps are the four streams of one word.
  Tile tile = makeTile(loaded);
  Value root;
  Place first;
  for (int64_t step = 0; step < right.getDimSize(0); ++step) {
    SmallVector<int64_t> outer(loaded.getRank() - 1, 0);
    outer[0] = step;
    Place place = locate(columns.load.getView(), columns.load.getMap(),
                         columns.load.getMapOperands(), {}, outer, step, 0, tile, root);
    if (!place.byte.isConstant() || place.byte.constant != step % kQuad * 8 ||
        !place.shift.isConstant())
      return std::nullopt;
    if (step % kQuad == 0) {
      first = place;
      continue;
    }
    Poly address = place.address - first.address, last = place.last - first.last;
    if (!address.isConstant() || address.constant != 0 || !last.isConstant() ||
        last.constant != 0 || place.shift.constant != first.shift.constant)
      return std::nullopt;
  }
  return columns;
}

const KernelEmitter::ByteColumns *KernelEmitter::getByteColumns(DotOp op) {
  auto [it, isNew] = byteColumns.try_emplace(op, nullptr);
  if (isNew)
    if (std::optional<ByteColumns> columns = matchByteColumns(op))
      it->second = std::make_unique<ByteColumns>(std::move(*columns));
  return it->second.get();
}

bool KernelEmitter::isReadByProduct(Operation *op) {
  Operation *user = op;
  while (isa<LoadOp, arith::XOrIOp, ReshapeOp>(user) && user->hasOneUse()) {
    OpOperand &use = *user->use_begin();
    user = use.getOwner();
    auto dot = dyn_cast<DotOp>(user);
    if (!dot)
      continue;
    const ByteColumns *columns = use.getOperandNumber() == 1 ? getByteColumns(dot) : nullptr;
    return columns && (columns->load == op || llvm::is_contained(columns->between, op));
  }
  return false;
}

bool KernelEmitter::wantsQuads(Value value) {
  return !value.use_empty() && llvm::all_of(value.getUses(), [&](OpOperand &use) {
    auto dot = dyn_cast<DotOp>(use.getOwner());
    return dot && use.getOperandNumber() == 0 && (getByteColumns(dot) || isSumOfBytes(dot));
  });
}

bool KernelEmitter::isSumOfBytes(DotOp op) const {
  DenseIntElementsAttr ones;
  auto left = cast<RankedTensorType>(op.getLhs().getType());
  return cast<RankedTensorType>(op.getType()).getDimSize(1) == 1 &&
         left.getElementType().isInteger(8) && !op.getUnsignedLhs() &&
         getElementTypeOrSelf(op.getType()).isInteger(32) && left.getDimSize(1) % kQuad == 0 &&
         // Each vector of bytes adds at most 2 * 128 to a sum of 16 bits.
         left.getDimSize(1) / (kQuad * lanes) < 127 && !level.bytes.sumPairsOfHalves.empty() &&
         lanes == level.getLanes(4) && matchPattern(op.getRhs(), m_Constant(&ones)) &&
         ones.isSplat() && ones.getSplatValue<APInt>().isOne();
}

/// `value` with `count` lanes: the first ones, or more than it has, of any value.
Value KernelEmitter::resize(Value value, int64_t count) {
  int64_t own = getNumLanes(value);
  if (own == count)
    return value;
  if (own == 1)
    return splat(builder, loc, value, count);
  if (count == 1)
    return extractLane(builder, loc, value, 0);
  SmallVector<int32_t> mask;
  for (int64_t lane = 0; lane < count; ++lane)
    mask.push_back(static_cast<int32_t>(lane < own ? lane : -1));
  return LLVM::ShuffleVectorOp::create(builder, loc, value, value, mask);
}

Value KernelEmitter::bitcast(Value value, Type element) {
  int64_t bits = getNumLanes(value) * getElementTypeOrSelf(value.getType()).getIntOrFloatBitWidth();
  Type type = getPartType(element, bits / element.getIntOrFloatBitWidth());
  return value.getType() == type ? value
                                 : LLVM::BitcastOp::create(builder, loc, type, value).getResult();
}

/// A vector register with `value` in all lanes of `element`.
Value KernelEmitter::fillRegister(Type element, int64_t value) {
  auto type = VectorType::get({lanes * 32 / element.getIntOrFloatBitWidth()}, element);
  return makeConstant(builder, loc, type, builder.getIntegerAttr(element, value));
}

Value KernelEmitter::callIntrinsic(StringRef name, Type result, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(builder, loc, result, builder.getStringAttr(name), operands)
      .getResult(0);
}

LogicalResult KernelEmitter::emitByteProduct(DotOp op, const ByteColumns &columns) {
  LoadOp load = columns.load;
  Tile left = repartition(getTile(op.getLhs()), kQuad);
  Tile acc = repartition(getTile(op.getAcc()), lanes);
  int64_t rows = left.shape[0], quads = left.shape[1] / kQuad, parts = acc.getPartsPerRow();
  Type word = builder.getI32Type(), half = builder.getI16Type(), byte = builder.getI8Type();
  const ByteUnit &unit = level.bytes;
  auto add = [&](Value a, Value b) -> Value { return arith::AddIOp::create(builder, loc, a, b); };
  /// Of vectors of any width: sums are of whole vectors, the last part's rest of lanes unused.
  auto sumPairs = [&](Value a, Value b) {
    return callIntrinsic(unit.sumPairsOfHalves, VectorType::get({lanes}, word), {a, b});
  };
  // Steps of products of pairs that 16 bits hold the sums of.
  int64_t mostCode = (int64_t(1) << columns.bits) - 1, mostSteps = 0;
  bool isWhole = lanes == level.getLanes(4), isDot = isWhole && !unit.dot.empty();
  if (isWhole && !isDot && !unit.multiplyPairs.empty())
    mostSteps = 32767 / (2 * 128 * mostCode);
  bool isNarrow = mostSteps > 0, hasUnit = isDot || (isWhole && !unit.sumPairsOfHalves.empty());
  Tile result = acc;
  if (hasUnit)
    for (Value &sum : result.parts)
      sum = resize(sum, lanes);
  SmallVector<Value> partial(rows * parts);
  auto flush = [&]() {
    for (auto [sum, pairs] : llvm::zip_equal(result.parts, partial)) {
      if (pairs)
        sum = add(sum, sumPairs(pairs, fillRegister(half, 1)));
      pairs = {};
    }
  };
  Value root = load.getView();
  const Memory &memory = views.resolve(root);
  SmallVector<Poly> setSymbols = polysOf(load.getSetOperands());
  auto loaded = cast<RankedTensorType>(load.getType());
  Tile shape = makeTile(loaded);
  for (int64_t quad = 0; quad < quads; ++quad) {
    // Each row's four bytes in all lanes.
    SmallVector<Value> repeated;
    for (int64_t row = 0; row < rows; ++row) {
      Value four = bitcast(left.at(row, quad), word);
      four = splat(builder, loc, extractLane(builder, loc, four, 0), lanes);
      repeated.push_back(four);
    }
    SmallVector<int64_t> outer(loaded.getRank() - 1, 0);
    outer[0] = quad * kQuad;
    for (int64_t part = 0; part < parts; ++part) {
      int64_t width = acc.getWidth(part);
      PartMask mask;
      if (load.getWhere())
        mask = emitMask(*load.getWhere(), setSymbols, outer, part * lanes, width);
      Place place = locate(root, load.getMap(), load.getMapOperands(), {}, outer, quad * kQuad,
                           part, shape, root);
      Value codes = splat(builder, loc, loadQuads(memory, place, width, mask), width);
      if (hasUnit)
        codes = resize(codes, lanes);
      if (columns.flip != 0)
        codes = arith::XOrIOp::create(builder, loc, codes,
                                      makeConstant(builder, loc, codes.getType(),
                                                   builder.getI32IntegerAttr(static_cast<int32_t>(
                                                       columns.flip * 0x01010101))));
      for (int64_t row = 0; row < rows; ++row) {
        Value &sum = result.at(row, part);
        Value a = repeated[row];
        if (isDot) {
          sum =
              callIntrinsic(unit.dot, sum.getType(), {sum, bitcast(codes, byte), bitcast(a, byte)});
        } else if (isNarrow) {
          Value &pairs = partial[row * parts + part];
          Value products = callIntrinsic(unit.multiplyPairs, VectorType::get({2 * lanes}, half),
                                         {bitcast(codes, byte), bitcast(a, byte)});
          pairs = pairs ? add(pairs, products) : products;
        } else if (hasUnit) {
          // Even and odd bytes apart, in 16 bits.
          Value eight = fillRegister(half, 8);
          Value codeHalves = bitcast(codes, half), rowHalves = bitcast(a, half);
          Value evenCodes =
              arith::AndIOp::create(builder, loc, codeHalves, fillRegister(half, 0xff));
          Value oddCodes = arith::ShRUIOp::create(builder, loc, codeHalves, eight);
          Value evenRow = arith::ShRSIOp::create(
              builder, loc, arith::ShLIOp::create(builder, loc, rowHalves, eight), eight);
          Value oddRow = arith::ShRSIOp::create(builder, loc, rowHalves, eight);
          sum = add(sum, add(sumPairs(evenCodes, evenRow), sumPairs(oddCodes, oddRow)));
        } else {
          for (int64_t k = 0; k < kQuad; ++k) {
            Value code = codes, number = resize(a, width);
            auto shift = [&](int64_t bits) {
              return makeConstant(builder, loc, codes.getType(), builder.getI32IntegerAttr(bits));
            };
            code = arith::ShRUIOp::create(builder, loc, code, shift(8 * k));
            code = arith::AndIOp::create(builder, loc, code, shift(0xff));
            number = arith::ShLIOp::create(builder, loc, number, shift(24 - 8 * k));
            number = arith::ShRSIOp::create(builder, loc, number, shift(24));
            sum = add(splat(builder, loc, sum, width),
                      arith::MulIOp::create(builder, loc, code, number));
          }
        }
      }
    }
    if (isNarrow && (quad + 1) % mostSteps == 0)
      flush();
  }
  flush();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t part = 0; part < parts; ++part)
      result.at(row, part) = resize(result.at(row, part), acc.getWidth(part));
  setTile(op.getResult(), std::move(result));
  return success();
}

LogicalResult KernelEmitter::emitSumOfBytes(DotOp op) {
  const Tile &left = getTile(op.getLhs());
  Tile acc = repartition(getTile(op.getAcc()), lanes);
  Type word = builder.getI32Type(), half = builder.getI16Type(), byte = builder.getI8Type();
  Attribute zero = builder.getI32IntegerAttr(0);
  int64_t perVector = kQuad * lanes;
  for (int64_t row = 0; row < left.shape[0]; ++row) {
    Value pairs;
    for (int64_t first = 0; first < left.shape[1]; first += perVector) {
      SmallVector<Element> words;
      for (int64_t k = first; k < first + perVector; k += kQuad)
        words.push_back({k < left.shape[1] ? bitcast(left.at(row, k / kQuad), word)
                                           : makeConstant(builder, loc, word, zero),
                         0});
      Value bytes = bitcast(buildPart(builder, loc, words), byte);
      Value sums = callIntrinsic(level.bytes.multiplyPairs, VectorType::get({2 * lanes}, half),
                                 {fillRegister(byte, 1), bytes});
      pairs = pairs ? arith::AddIOp::create(builder, loc, pairs, sums).getResult() : sums;
    }
    Value sums = callIntrinsic(level.bytes.sumPairsOfHalves, VectorType::get({lanes}, word),
                               {pairs, fillRegister(half, 1)});
    Value &sum = acc.at(row, 0);
    sum = vector::ReductionOp::create(builder, loc, vector::CombiningKind::ADD, sums, sum);
  }
  setTile(op.getResult(), std::move(acc));
  return success();
}
