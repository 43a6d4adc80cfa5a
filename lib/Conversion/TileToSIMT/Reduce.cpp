//===- Reduce.cpp - combination of elements along dimensions ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// First in registers, then between lanes by a butterfly, after which all lanes
// hold the result, then between warps: their partial results are a tile with a
// dimension more, which is brought to each thread and reduced in registers again.
//
// A combiner need not have a neutral element. Places outside of the tile come
// with a flag instead: what is combined with them stays as it is.
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;
using layout::Digit;
using layout::TileDigit;

FailureOr<ThreadEmitter::Partial> ThreadEmitter::combine(ReduceOp op, const Partial &left,
                                                         const Partial &right) {
  SmallVector<Value> arguments(left.values);
  arguments.append(right.values);
  FailureOr<SmallVector<Value>> combined = emitBody(op.getCombiner().front(), arguments);
  if (failed(combined))
    return failure();
  Partial result{std::move(*combined), {}};
  auto select = [&](Value condition, ArrayRef<Value> chosen, ArrayRef<Value> others) {
    SmallVector<Value> selected;
    for (auto [a, b] : llvm::zip_equal(chosen, others))
      selected.push_back(arith::SelectOp::create(builder, loc, condition, a, b));
    return selected;
  };
  if (left.isElement)
    result.values = select(left.isElement, result.values, right.values);
  if (!right.isElement)
    return result;
  result.values = select(right.isElement, result.values, left.values);
  if (left.isElement)
    result.isElement = arith::OrIOp::create(builder, loc, left.isElement, right.isElement);
  return result;
}

/// As a balanced tree: errors of sums grow with its height.
FailureOr<ThreadEmitter::Partial> ThreadEmitter::combineAll(ReduceOp op,
                                                            SmallVector<Partial> parts) {
  while (parts.size() > 1) {
    SmallVector<Partial> next;
    for (size_t i = 0; i + 1 < parts.size(); i += 2) {
      FailureOr<Partial> both = combine(op, parts[i], parts[i + 1]);
      if (failed(both))
        return failure();
      next.push_back(std::move(*both));
    }
    if (parts.size() % 2)
      next.push_back(std::move(parts.back()));
    parts = std::move(next);
  }
  return std::move(parts.front());
}

LogicalResult ThreadEmitter::emitReduce(ReduceOp op) {
  DistributedLayout layout = layoutOf(op.getInputs()[0]);
  SmallVector<Value> inputs;
  for (Value input : op.getInputs())
    inputs.push_back(convert(getTile(input), layout).value);
  SmallVector<int64_t> dims(op.getDims());
  auto isReduced = [&](const Digit &digit) {
    return digit.to && llvm::is_contained(dims, static_cast<int64_t>(digit.to->axis));
  };

  // What is kept: dimensions without the reduced ones, and behind them one for the digits of warps
  // (and of lanes that no butterfly reaches).
  SmallVector<int64_t> renamed(layout.shape().size(), -1);
  std::vector<int64_t> shape;
  for (size_t dim = 0; dim < renamed.size(); ++dim)
    if (!llvm::is_contained(dims, static_cast<int64_t>(dim))) {
      renamed[dim] = static_cast<int64_t>(shape.size());
      shape.push_back(layout.shape()[dim]);
    }
  auto others = static_cast<unsigned>(shape.size());
  int64_t numOthers = 1;
  std::array<std::vector<TileDigit>, layout::kNumAxes> kept;
  SmallVector<int64_t> butterflies;
  SmallVector<Digit> inRegisters;
  for (const Digit &digit : layout.map().digits()) {
    auto axis = static_cast<Axis>(digit.from.axis);
    std::vector<TileDigit> &list = kept[digit.from.axis];
    if (!isReduced(digit)) {
      if (digit.to)
        list.push_back({digit.extent, layout::Place{static_cast<unsigned>(renamed[digit.to->axis]),
                                                    digit.to->stride}});
      else if (axis != Axis::Register)
        list.push_back({digit.extent, std::nullopt});
      continue;
    }
    if (axis == Axis::Register) {
      inRegisters.push_back(digit);
    } else if (axis == Axis::Lane && llvm::isPowerOf2_64(digit.extent) &&
               llvm::isPowerOf2_64(digit.from.stride)) {
      for (int64_t mask = digit.from.stride; mask < digit.from.stride * digit.extent; mask *= 2)
        butterflies.push_back(mask);
      list.push_back({digit.extent, std::nullopt});
    } else {
      list.push_back({digit.extent, layout::Place{others, numOthers}});
      numOthers *= digit.extent;
    }
  }

  // Registers: one part for each combination of reduced digits, each with the kept ones in order.
  SmallVector<SmallVector<int64_t>> parts{{}};
  SmallVector<int64_t> keptRegisters;
  for (int64_t reg = 0; reg < layout.extent(Axis::Register); ++reg) {
    bool isFirst = llvm::all_of(layout.map().digits(), [&](const Digit &digit) {
      bool isGone = digit.from.axis == static_cast<unsigned>(Axis::Register) &&
                    (isReduced(digit) || !digit.to);
      return !isGone || reg / digit.from.stride % digit.extent == 0;
    });
    if (isFirst)
      keptRegisters.push_back(reg);
  }
  SmallVector<int64_t> offsets{0};
  for (const Digit &digit : inRegisters) {
    SmallVector<int64_t> more;
    for (int64_t i = 0; i < digit.extent; ++i)
      for (int64_t offset : offsets)
        more.push_back(offset + i * digit.from.stride);
    offsets = std::move(more);
  }
  SmallVector<Partial> partials;
  for (int64_t offset : offsets) {
    Partial partial;
    for (Value input : inputs) {
      SmallVector<Element> elements;
      for (int64_t reg : keptRegisters)
        elements.push_back({input, isa<VectorType>(input.getType()) ? reg + offset : 0});
      partial.values.push_back(
          splat(builder, loc, buildPart(builder, loc, elements), keptRegisters.size()));
    }
    SmallVector<Element> flags;
    bool areAll = true, areNone = true;
    for (int64_t reg : keptRegisters) {
      Condition valid = isValid(layout, reg + offset, ArrayRef(dims));
      areAll &= !valid.isNever && valid.terms.empty();
      areNone &= valid.isNever;
      Value flag = valid.isNever ? makeBool(false) : emitCondition(valid);
      flags.push_back({flag ? flag : makeBool(true), 0});
    }
    if (areNone)
      continue;
    if (!areAll)
      partial.isElement = splat(builder, loc, buildPart(builder, loc, flags), keptRegisters.size());
    partials.push_back(std::move(partial));
  }
  FailureOr<Partial> result = combineAll(op, std::move(partials));
  if (failed(result))
    return failure();

  for (int64_t mask : butterflies) {
    Partial other;
    for (Value value : result->values)
      other.values.push_back(shuffleXor(value, mask));
    if (result->isElement)
      other.isElement = shuffleXor(result->isElement, mask);
    result = combine(op, *result, other);
    if (failed(result))
      return failure();
  }

  std::vector<int64_t> partialShape(shape);
  if (numOthers > 1) {
    partialShape.push_back(numOthers);
    auto partialLayout = *DistributedLayout::create(partialShape, kept);
    // The same with the partial results in registers, slowest, and copies of them in all warps.
    auto gathered = kept;
    for (auto axis : {Axis::Lane, Axis::Warp})
      for (TileDigit &digit : gathered[static_cast<size_t>(axis)])
        if (digit.tile && digit.tile->axis == others)
          digit.tile.reset();
    gathered[static_cast<size_t>(Axis::Register)].push_back({numOthers, layout::Place{others, 1}});
    auto gatheredLayout = *DistributedLayout::create(partialShape, gathered);
    auto gather = [&](Value value, Type element) {
      return convert({partialLayout, element, value}, gatheredLayout).value;
    };
    SmallVector<Value> values;
    for (auto [value, input] : llvm::zip_equal(result->values, op.getInputs()))
      values.push_back(gather(value, getElementTypeOrSelf(input.getType())));
    Value flags = result->isElement ? gather(result->isElement, builder.getI1Type()) : Value();
    SmallVector<Partial> perWarp;
    auto count = static_cast<int64_t>(keptRegisters.size());
    for (int64_t i = 0; i < numOthers; ++i) {
      Partial partial;
      for (Value value : values)
        partial.values.push_back(extractSlice(builder, loc, value, i * count, count));
      if (flags)
        partial.isElement = extractSlice(builder, loc, flags, i * count, count);
      perWarp.push_back(std::move(partial));
    }
    result = combineAll(op, std::move(perWarp));
    if (failed(result))
      return failure();
    for (auto axis : {Axis::Lane, Axis::Warp})
      for (TileDigit &digit : kept[static_cast<size_t>(axis)])
        if (digit.tile && digit.tile->axis == others)
          digit.tile.reset();
  }

  auto resultLayout = *DistributedLayout::create(shape, kept);
  for (auto [original, value] : llvm::zip_equal(op.getResults(), result->values)) {
    if (isa<RankedTensorType>(original.getType()))
      setConverted(original, {resultLayout, getElementTypeOrSelf(original.getType()), value});
    else
      setScalar(original, value);
  }
  return success();
}
