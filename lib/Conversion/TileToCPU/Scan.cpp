//===- Scan.cpp - recurrences along a dimension -----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Along any dimension but the last, the state is whole vectors and the step is
// applied to one row after the other. Along the last one the state runs through
// lanes. An associative step lets them be combined by doubling distances,
//
//     v    a   b     c       d
//     +1   a  a.b   b.c     c.d
//     +2   a  a.b  a.b.c  a.b.c.d
//
// and the state, which is carried in all lanes of a vector, joins at the end:
// from one vector to the next the chain is one step long. Any other step takes
// one lane after the other.
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile::cpu;
using namespace sectile::tile;

namespace {
/// The values of all operands, or all states, in one place.
using Row = SmallVector<Value>;
} // namespace

/// The lanes of `values` moved by `distance` up, or down if `isReverse`; in the place of those that
/// have no source are the first ones of `fillers`.
static Row shift(OpBuilder &builder, Location loc, const Row &values, const Row &fillers,
                 int64_t distance, bool isReverse) {
  int64_t width = getNumLanes(values[0]);
  SmallVector<int64_t> lanes;
  for (int64_t lane = 0; lane < width; ++lane) {
    int64_t source = isReverse ? lane + distance : lane - distance;
    lanes.push_back(source >= 0 && source < width ? width + source : lane);
  }
  Row result;
  for (auto [value, filler] : llvm::zip_equal(values, fillers))
    result.push_back(vector::ShuffleOp::create(builder, loc, filler, value, lanes));
  return result;
}

LogicalResult KernelEmitter::emitScan(ScanOp op) {
  Block &step = op.getStep().front();
  SmallVector<Tile> inputs, carries, scanned, lasts;
  for (Value input : op.getInputs())
    inputs.push_back(repartition(getTile(input), lanes));
  for (Value carry : op.getCarries())
    carries.push_back(repartition(getTile(carry), lanes));
  for (auto [states, last] : llvm::zip_equal(op.getScanned(), op.getLasts())) {
    scanned.push_back(makeTile(states.getType()));
    scanned.back().parts.resize(scanned.back().getNumParts());
    lasts.push_back(makeTile(last.getType()));
  }
  const Tile &shape = inputs[0];
  auto dim = static_cast<int64_t>(op.getDim());
  int64_t rank = shape.getRank(), extent = shape.shape[dim];
  auto next = [&](const Row &state, const Row &elements) {
    return emitBody(step, llvm::to_vector(llvm::concat<const Value>(state, elements)));
  };
  auto position = [&](int64_t i) { return op.getReverse() ? extent - 1 - i : i; };
  auto finish = [&] {
    for (auto [tiles, values] : {std::pair(&scanned, ResultRange(op.getScanned())),
                                 std::pair(&lasts, ResultRange(op.getLasts()))})
      for (auto [tile, value] : llvm::zip_equal(*tiles, values))
        setTile(value, std::move(tile));
    return success();
  };

  if (dim + 1 < rank) {
    int64_t inner = 1;
    for (int64_t other = dim + 1; other + 1 < rank; ++other)
      inner *= shape.shape[other];
    int64_t keptRows = shape.getNumRows() / extent;
    for (int64_t kept = 0; kept < keptRows; ++kept)
      for (int64_t part = 0; part < shape.getPartsPerRow(); ++part) {
        int64_t width = shape.getWidth(part);
        Row state;
        for (const Tile &carry : carries)
          state.push_back(splat(builder, loc, carry.at(kept, part), width));
        for (int64_t i = 0; i < extent; ++i) {
          int64_t row = (kept / inner * extent + position(i)) * inner + kept % inner;
          Row elements;
          for (const Tile &input : inputs)
            elements.push_back(splat(builder, loc, input.at(row, part), width));
          FailureOr<Row> after = next(state, elements);
          if (failed(after))
            return failure();
          for (auto [k, tile] : llvm::enumerate(scanned))
            tile.at(row, part) = op.getExclusive() ? state[k] : (*after)[k];
          state = *after;
        }
        for (auto [tile, value] : llvm::zip_equal(lasts, state))
          tile.parts.push_back(value);
      }
    return finish();
  }

  bool byLanes = !op.getAssociative() || floatMode == FloatMode::Strict;
  SmallVector<SmallVector<Element>> lastElements(carries.size());
  for (int64_t row = 0; row < shape.getNumRows(); ++row) {
    Row state; // in all lanes
    for (const Tile &carry : carries) {
      Element element = getElement(carry, row);
      state.push_back(extractLane(builder, loc, element.value, element.lane));
    }
    for (int64_t number = 0; number < shape.getPartsPerRow(); ++number) {
      int64_t part = op.getReverse() ? shape.getPartsPerRow() - 1 - number : number;
      int64_t width = shape.getWidth(part);
      Row elements;
      for (const Tile &input : inputs)
        elements.push_back(splat(builder, loc, input.at(row, part), width));
      if (byLanes || width == 1) {
        for (Value &value : state)
          value = extractLane(builder, loc, value, 0);
        SmallVector<SmallVector<Element>> outputs(scanned.size(), SmallVector<Element>(width));
        for (int64_t i = 0; i < width; ++i) {
          int64_t lane = op.getReverse() ? width - 1 - i : i;
          Row single;
          for (Value value : elements)
            single.push_back(extractLane(builder, loc, value, lane));
          FailureOr<Row> after = next(state, single);
          if (failed(after))
            return failure();
          for (auto [k, output] : llvm::enumerate(outputs))
            output[lane] = {op.getExclusive() ? state[k] : (*after)[k], 0};
          state = *after;
        }
        for (auto [tile, output] : llvm::zip_equal(scanned, outputs))
          tile.at(row, part) = buildPart(builder, loc, output);
        continue;
      }
      for (int64_t distance = 1; distance < width; distance *= 2) {
        Row earlier = shift(builder, loc, elements, elements, distance, op.getReverse());
        FailureOr<Row> combined = next(earlier, elements);
        if (failed(combined))
          return failure();
        // Lanes without anything that far before them are complete.
        SmallVector<int64_t> blend;
        for (int64_t lane = 0; lane < width; ++lane) {
          bool isComplete = (op.getReverse() ? width - 1 - lane : lane) < distance;
          blend.push_back(isComplete ? lane : width + lane);
        }
        for (auto [value, after] : llvm::zip_equal(elements, *combined))
          value = vector::ShuffleOp::create(builder, loc, value, after, blend);
      }
      for (Value &value : state)
        if (getNumLanes(value) != width)
          value = splat(builder, loc, extractLane(builder, loc, value, 0), width);
      Row totals;
      for (Value value : elements) {
        Value total = extractLane(builder, loc, value, op.getReverse() ? 0 : width - 1);
        totals.push_back(splat(builder, loc, total, width));
      }
      FailureOr<Row> after = next(state, elements), last = next(state, totals);
      if (failed(after) || failed(last))
        return failure();
      Row output = op.getExclusive()
                       ? shift(builder, loc, *after, state, /*distance=*/1, op.getReverse())
                       : *after;
      for (auto [tile, value] : llvm::zip_equal(scanned, output))
        tile.at(row, part) = value;
      state = *last;
    }
    for (auto [elements, value] : llvm::zip_equal(lastElements, state))
      elements.push_back({extractLane(builder, loc, value, 0), 0});
  }
  for (auto [tile, elements] : llvm::zip_equal(lasts, lastElements)) {
    ArrayRef<Element> rest(elements);
    for (int64_t part = 0; part < tile.getNumParts(); ++part) {
      int64_t width = tile.getWidth(part % tile.getPartsPerRow());
      tile.parts.push_back(buildPart(builder, loc, rest.take_front(width)));
      rest = rest.drop_front(width);
    }
  }
  return finish();
}
