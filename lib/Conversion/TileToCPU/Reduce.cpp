//===- Reduce.cpp - combination of elements along dimensions ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace sectile::cpu;
using namespace sectile::tile;

FailureOr<SmallVector<Value>> KernelEmitter::emitBody(Block &block, ArrayRef<Value> arguments) {
  return lowering::emitBody(
      builder, loc, block, arguments, [&](Value value) { return getScalar(value); },
      ("tile-to-cpu on " + level.name).str(), floatMode == FloatMode::Strict, *this);
}

/// The combiner on parts: `left` and `right` hold one value per operand.
FailureOr<SmallVector<Value>> KernelEmitter::combine(ReduceOp op, ArrayRef<Value> left,
                                                     ArrayRef<Value> right) {
  return emitBody(op.getCombiner().front(),
                  llvm::to_vector(llvm::concat<const Value>(left, right)));
}

/// Reduces vectors of equal power of two width across their lanes, all of a power of two number of
/// them together: two vectors give one, in which each has half as many lanes, so that every
/// combination works on full vectors. `rows` holds one vector per operand for each; the result
/// has a lane for each.
FailureOr<SmallVector<Value>> KernelEmitter::reduceTogether(ReduceOp op,
                                                            SmallVector<SmallVector<Value>> rows) {
  int64_t segment = getNumLanes(rows[0][0]); // lanes of each row in a vector
  auto halve = [&](ArrayRef<Value> left, ArrayRef<Value> right) {
    int64_t lanesOfBoth = getNumLanes(left[0]) * (left.data() == right.data() ? 1 : 2);
    SmallVector<int64_t> low, high;
    for (int64_t first = 0; first < lanesOfBoth; first += segment)
      for (int64_t lane = first; lane < first + segment / 2; ++lane) {
        low.push_back(lane);
        high.push_back(lane + segment / 2);
      }
    SmallVector<Value> lows, highs;
    for (auto [a, b] : llvm::zip_equal(left, right)) {
      if (low.size() == 1) {
        lows.push_back(extractLane(builder, loc, a, low[0]));
        highs.push_back(extractLane(builder, loc, a, high[0]));
        continue;
      }
      lows.push_back(vector::ShuffleOp::create(builder, loc, a, b, low));
      highs.push_back(vector::ShuffleOp::create(builder, loc, a, b, high));
    }
    return combine(op, lows, highs);
  };
  while (segment > 1) {
    SmallVector<SmallVector<Value>> next;
    for (size_t i = 0; i < rows.size(); i += 2) {
      auto half = rows.size() == 1 ? halve(rows[0], rows[0]) : halve(rows[i], rows[i + 1]);
      if (failed(half))
        return failure();
      next.push_back(*half);
    }
    rows = std::move(next);
    segment /= 2;
  }
  return rows[0];
}

LogicalResult KernelEmitter::emitReduce(ReduceOp op) {
  SmallVector<Tile> inputs, outputs;
  for (Value input : op.getInputs())
    inputs.push_back(repartition(getTile(input), lanes));
  for (Value result : op.getResults())
    outputs.push_back(makeTile(result.getType()));
  const Tile &shape = inputs[0];
  int64_t rank = shape.getRank();
  bool reducesRows = llvm::is_contained(op.getDims(), rank - 1);

  // Each row of the input belongs to one row of what is left when the last dimension is kept.
  auto keptRow = [&](int64_t row) {
    SmallVector<int64_t> coords = rowCoords(shape, row);
    int64_t linear = 0;
    for (int64_t dim = 0; dim + 1 < rank; ++dim)
      if (!llvm::is_contained(op.getDims(), dim))
        linear = linear * shape.shape[dim] + coords[dim];
    return linear;
  };
  // Vertically first: whole vectors of rows that fall together.
  SmallVector<SmallVector<SmallVector<Value>>> rows; // [kept row][part][operand]
  for (int64_t row = 0; row < shape.getNumRows(); ++row) {
    int64_t kept = keptRow(row);
    if (kept >= static_cast<int64_t>(rows.size()))
      rows.resize(kept + 1);
    for (int64_t part = 0; part < shape.getPartsPerRow(); ++part) {
      SmallVector<Value> values;
      for (const Tile &input : inputs)
        values.push_back(splat(builder, loc, input.at(row, part), shape.getWidth(part)));
      if (part >= static_cast<int64_t>(rows[kept].size())) {
        rows[kept].push_back(values);
        continue;
      }
      auto combined = combine(op, rows[kept][part], values);
      if (failed(combined))
        return failure();
      rows[kept][part] = *combined;
    }
  }
  if (!reducesRows) {
    for (auto [i, output] : llvm::enumerate(outputs)) {
      for (auto &row : rows)
        for (auto &part : row)
          output.parts.push_back(part[i]);
      setTile(op.getResult(i), output);
    }
    return success();
  }

  // Then the vectors of a row with each other, and last the lanes of one vector by halves.
  SmallVector<SmallVector<Element>> elements(outputs.size());
  SmallVector<SmallVector<Value>> pending; // rows of one vector that wait for others
  auto flush = [&]() -> LogicalResult {
    ArrayRef<SmallVector<Value>> left(pending);
    while (!left.empty()) {
      int64_t width = getNumLanes(left[0][0]);
      int64_t count = std::min<int64_t>(llvm::bit_floor(left.size()), width);
      auto together = reduceTogether(op, SmallVector<SmallVector<Value>>(left.take_front(count)));
      if (failed(together))
        return failure();
      for (auto [i, value] : llvm::enumerate(*together))
        for (int64_t lane = 0; lane < count; ++lane)
          elements[i].push_back({value, lane});
      left = left.drop_front(count);
    }
    pending.clear();
    return success();
  };
  for (auto &row : rows) {
    std::optional<SmallVector<Value>> total;
    auto join = [&](ArrayRef<Value> values) -> LogicalResult {
      if (!total) {
        total = SmallVector<Value>(values);
        return success();
      }
      auto combined = combine(op, *total, values);
      if (succeeded(combined))
        *total = *combined;
      return combined;
    };
    auto reduceLanes = [&](SmallVector<Value> values) -> FailureOr<SmallVector<Value>> {
      std::optional<SmallVector<Value>> odd;
      while (getNumLanes(values[0]) > 1) {
        int64_t width = getNumLanes(values[0]), half = width / 2;
        SmallVector<Value> low, high, left;
        for (Value value : values) {
          low.push_back(extractSlice(builder, loc, value, 0, half));
          high.push_back(extractSlice(builder, loc, value, half, half));
          left.push_back(width % 2 ? extractLane(builder, loc, value, width - 1) : Value());
        }
        if (width % 2) {
          if (odd) {
            auto both = combine(op, *odd, left);
            if (failed(both))
              return failure();
            odd = *both;
          } else {
            odd = left;
          }
        }
        auto combined = combine(op, low, high);
        if (failed(combined))
          return failure();
        values = *combined;
      }
      return odd ? combine(op, values, *odd) : FailureOr<SmallVector<Value>>(values);
    };
    // Parts of full width, pairwise so that the chain is short; a narrower last one by itself.
    SmallVector<SmallVector<Value>> whole(row);
    std::optional<SmallVector<Value>> narrow;
    if (whole.size() > 1 && getNumLanes(whole.back()[0]) != getNumLanes(whole.front()[0]))
      narrow = whole.pop_back_val();
    while (whole.size() > 1) {
      SmallVector<SmallVector<Value>> next;
      for (size_t i = 0; i + 1 < whole.size(); i += 2) {
        auto combined = combine(op, whole[i], whole[i + 1]);
        if (failed(combined))
          return failure();
        next.push_back(*combined);
      }
      if (whole.size() % 2)
        next.push_back(whole.back());
      whole = std::move(next);
    }
    int64_t width = getNumLanes(whole[0][0]);
    if (!narrow && width > 1 && llvm::isPowerOf2_64(width)) {
      pending.push_back(whole[0]);
      if (static_cast<int64_t>(pending.size()) == width && failed(flush()))
        return failure();
      continue;
    }
    auto reduced = reduceLanes(whole[0]);
    if (failed(reduced) || failed(join(*reduced)))
      return failure();
    if (narrow) {
      auto rest = reduceLanes(*narrow);
      if (failed(rest) || failed(join(*rest)))
        return failure();
    }
    for (auto [i, value] : llvm::enumerate(*total))
      elements[i].push_back({value, 0});
  }
  if (failed(flush()))
    return failure();
  for (auto [i, output] : llvm::enumerate(outputs)) {
    ArrayRef<Element> rest(elements[i]);
    for (int64_t part = 0; part < output.getNumParts(); ++part) {
      int64_t width = output.getWidth(part % output.getPartsPerRow());
      output.parts.push_back(buildPart(builder, loc, rest.take_front(width)));
      rest = rest.drop_front(width);
    }
    setTile(op.getResult(i), output);
  }
  return success();
}
