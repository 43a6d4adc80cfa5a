//===- Scan.cpp - recurrences, on tensors and on tiles -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "Sum.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

namespace {
/// What graph.scan and tile.scan say alike.
struct Recurrence {
  unsigned numInputs, numStates;
  int64_t axis;
  bool isExclusive, isReverse;
  /// Elements may be combined with each other before they meet the state.
  bool isAssociative;
};
} // namespace

/// Runs the recurrence along one row after the other, in the order that it is defined by. Operands
/// are inputs, then states to start from; `results` get the states of each step, `lasts` those
/// after the last one.
static LogicalResult recur(Machine &machine, Frame &frame, const Step &step,
                           const Recurrence &recurrence, ArrayRef<TensorRef> results,
                           ArrayRef<TensorRef> lasts) {
  const Code &body = *step.regions[0];
  Shape shape = getTensor(frame[step.operands[0]]).shape;
  int64_t extent = shape[recurrence.axis];
  SmallVector<bool, 2> isSum;
  for (unsigned k = 0; k < recurrence.numStates; ++k)
    isSum.push_back(recurrence.isAssociative && !machine.arithmetic.rounds &&
                    isFloatSum(step.op->getRegion(0).front(), k, recurrence.numStates));
  int64_t inner = countElements(ArrayRef(shape).drop_front(recurrence.axis + 1));
  int64_t outer = countElements(ArrayRef(shape).take_front(recurrence.axis));
  for (int64_t row = 0; row < outer * inner; ++row) {
    SmallVector<Element, 2> state;
    SmallVector<Sum, 2> sums;
    for (unsigned i = 0; i < recurrence.numStates; ++i) {
      const Datum &init = frame[step.operands[recurrence.numInputs + i]];
      state.push_back(init.object ? getTensor(init).data[row] : init.element);
      sums.emplace_back(state.back());
    }
    int64_t first = row / inner * extent * inner + row % inner;
    for (int64_t i = 0; i < extent; ++i) {
      int64_t place = first + (recurrence.isReverse ? extent - 1 - i : i) * inner;
      for (unsigned k = 0; k < recurrence.numStates; ++k) {
        if (recurrence.isExclusive)
          results[k]->data[place] = state[k];
        frame[body.arguments[k]] = makeDatum(state[k]);
      }
      for (unsigned k = 0; k < recurrence.numInputs; ++k)
        frame[body.arguments[recurrence.numStates + k]] =
            makeDatum(getTensor(frame[step.operands[k]]).data[place]);
      if (failed(machine.execute(body, frame)))
        return failure();
      for (unsigned k = 0; k < recurrence.numStates; ++k) {
        state[k] = frame[body.yields[k]].element;
        if (isSum[k]) {
          sums[k].add(getTensor(frame[step.operands[k]]).data[place]);
          state[k] =
              sums[k].get(*getTensor(frame[step.operands[k]]).format, static_cast<double>(i + 1));
        }
        if (!recurrence.isExclusive)
          results[k]->data[place] = state[k];
      }
    }
    for (auto [last, element] : llvm::zip(lasts, state))
      last->data[row] = element;
  }
  return machine.charge(step.op, outer * inner);
}

static LogicalResult executeGraphScan(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<graph::ScanOp>(step.op);
  auto numInputs = static_cast<unsigned>(op.getInputs().size());
  Recurrence recurrence{numInputs,
                        static_cast<unsigned>(op.getInits().size()),
                        static_cast<int64_t>(op.getAxis()),
                        op.getExclusive(),
                        op.getReverse(),
                        op.getAssociative()};
  Shape shape = getTensor(frame[step.operands[0]]).shape, without(shape);
  without.erase(without.begin() + recurrence.axis);
  for (unsigned i = 0; i < step.operands.size(); ++i) {
    const Shape &got = getTensor(frame[step.operands[i]]).shape;
    if (got != (i < numInputs ? shape : without))
      return machine.fault(op, "operand " + Twine(i) + " has another shape than the first input");
  }
  SmallVector<TensorRef, 2> results;
  for (unsigned i = 0; i < recurrence.numStates; ++i)
    results.push_back(makeTensor(getTensor(frame[step.operands[numInputs + i]]).format, shape));
  if (failed(recur(machine, frame, step, recurrence, results, {})))
    return failure();
  for (auto [slot, result] : llvm::zip_equal(step.results, results))
    frame[slot] = makeDatum(result);
  return success();
}

static LogicalResult executeTileScan(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tile::ScanOp>(step.op);
  auto numInputs = static_cast<unsigned>(op.getInputs().size());
  auto numStates = static_cast<unsigned>(op.getCarries().size());
  Recurrence recurrence{numInputs,         numStates,       static_cast<int64_t>(op.getDim()),
                        op.getExclusive(), op.getReverse(), op.getAssociative()};
  SmallVector<TensorRef, 2> scanned, lasts;
  for (Type type : op.getScanned().getTypes())
    scanned.push_back(makeTensor(getNumberFormat(getElementTypeOrSelf(type)),
                                 cast<RankedTensorType>(type).getShape()));
  for (Type type : op.getLasts().getTypes()) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    lasts.push_back(makeTensor(getNumberFormat(getElementTypeOrSelf(type)),
                               tensor ? tensor.getShape() : ArrayRef<int64_t>()));
  }
  if (failed(recur(machine, frame, step, recurrence, scanned, lasts)))
    return failure();
  for (unsigned i = 0; i < numStates; ++i) {
    frame[step.results[i]] = makeDatum(scanned[i]);
    frame[step.results[numStates + i]] = isa<RankedTensorType>(op.getLasts()[i].getType())
                                             ? makeDatum(lasts[i])
                                             : makeDatum(lasts[i]->data[0]);
  }
  return success();
}

void interp::addScanHandlers(HandlerTable &table) {
  table["graph.scan"] = {executeGraphScan};
  table["tile.scan"] = {executeTileScan};
}
