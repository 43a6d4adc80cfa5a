//===- TopK.cpp - selections, on tensors and on tiles -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexForms.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

/// A comparison of numbers that are not known exactly may turn out either way: both then may be
/// anywhere, and so may what is compared with them.
static void doubt(Element &element) {
  if (!element.isUndefined())
    element.bound = kUnbounded;
}

static LogicalResult executeGraphTopK(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<graph::TopKOp>(step.op);
  const Code &body = *step.regions[0];
  const TensorObject &input = getTensor(frame[step.operands[0]]);
  int64_t axis = op.getAxis(), k = op.getK(), extent = input.shape[axis];
  if (extent < k)
    return machine.fault(op, "selects " + Twine(k) + " of " + Twine(extent) + " elements");
  Shape shape = input.shape;
  shape[axis] = k;
  int64_t inner = countElements(ArrayRef(shape).drop_front(axis + 1));
  int64_t outer = countElements(ArrayRef(shape).take_front(axis));
  TensorRef values = makeTensor(input.format, shape);
  TensorRef indices = makeTensor(getNumberFormat(IntegerType::get(op.getContext(), 64)), shape);
  for (int64_t row = 0; row < outer * inner; ++row) {
    // Insertion into a list of k, as plainly as can be.
    SmallVector<std::pair<Element, Element>> list;
    bool isExact = true;
    for (int64_t i = 0; i < extent; ++i) {
      Element element = input.data[(row / inner * extent + i) * inner + row % inner];
      size_t place = list.size();
      for (; place > 0; --place) {
        frame[body.arguments[0]] = makeDatum(element);
        frame[body.arguments[1]] = makeDatum(list[place - 1].first);
        if (failed(machine.execute(body, frame)))
          return failure();
        const Element &precedes = frame[body.yields[0]].element;
        if (precedes.isUndefined())
          return machine.fault(op, "compares what was never written");
        isExact &= precedes.isExact();
        if (precedes.integer == 0)
          break;
      }
      list.insert(list.begin() + place, {element, Element::makeInteger(i)});
      if (static_cast<int64_t>(list.size()) > k)
        list.pop_back();
    }
    for (int64_t i = 0; i < k; ++i) {
      int64_t place = (row / inner * k + i) * inner + row % inner;
      values->data[place] = list[i].first;
      indices->data[place] = list[i].second;
      if (!isExact) {
        doubt(values->data[place]);
        doubt(indices->data[place]);
      }
    }
  }
  frame[step.results[0]] = makeDatum(values);
  frame[step.results[1]] = makeDatum(indices);
  return machine.charge(op, input.data.size());
}

using Pair = std::pair<Element, Element>;

namespace {
/// The list at some coordinates of two views: read whole, and written whole.
class List {
public:
  List(Machine &machine, Frame &frame, const Step &step, unsigned firstView)
      : machine(machine), frame(frame), step(step),
        views{&getView(frame[step.operands[firstView]]),
              &getView(frame[step.operands[firstView + 1]])} {}

  LogicalResult read(Shape coords, int64_t axis) {
    for (const ViewObject *view : views)
      if (view->isReadOnly)
        return machine.fault(step.op, "writes to " + view->buffer->name + ", which is read only");
    if (coords[axis] != 0)
      return machine.fault(step.op, "a list does not begin at 0");
    for (int64_t i = 0; i < views[0]->shape[axis]; ++i) {
      coords[axis] = i;
      Element elements[2];
      for (unsigned k = 0; k < 2; ++k) {
        std::optional<int64_t> address = views[k]->getAddress(coords);
        if (!address)
          return machine.fault(step.op, "accesses a list outside its view");
        addresses[k].push_back(*address);
        if (int64_t other = views[k]->buffer->noteRead(*address, machine.block); other >= 0)
          return machine.fault(step.op, "block " + Twine(machine.block) + " reads what block " +
                                            Twine(other) + " wrote");
        elements[k] = views[k]->read(*address);
      }
      pairs.push_back({elements[0], elements[1]});
    }
    return success();
  }

  /// Whether `a` goes before `b`.
  FailureOr<bool> precedes(const Pair &a, const Pair &b) {
    const Code &body = *step.regions[0];
    const Element elements[] = {a.first, a.second, b.first, b.second};
    for (auto [argument, element] : llvm::zip_equal(body.arguments, elements))
      frame[argument] = makeDatum(element);
    if (failed(machine.execute(body, frame)))
      return failure();
    const Element &answer = frame[body.yields[0]].element;
    if (answer.isUndefined())
      return machine.fault(step.op, "compares what was never written");
    isExact &= answer.isExact();
    return answer.integer != 0;
  }

  LogicalResult write() {
    for (auto [number, pair] : llvm::enumerate(pairs)) {
      if (!isExact) {
        doubt(pair.first);
        doubt(pair.second);
      }
      const Element elements[] = {pair.first, pair.second};
      for (unsigned k = 0; k < 2; ++k) {
        int64_t address = addresses[k][number];
        int64_t other = views[k]->buffer->noteWrite(address, machine.block, /*changes=*/true);
        if (other >= 0)
          return machine.fault(step.op, "blocks " + Twine(other) + " and " + Twine(machine.block) +
                                            " access one element, and the latter changes it");
        views[k]->write(address, elements[k]);
      }
    }
    return success();
  }

  SmallVector<Pair> pairs;

private:
  Machine &machine;
  Frame &frame;
  const Step &step;
  const ViewObject *views[2];
  SmallVector<int64_t> addresses[2];
  bool isExact = true;
};
} // namespace

/// The coordinates that `map` gives.
static FailureOr<Shape> getPlace(Machine &machine, Operation *op, AffineMap map,
                                 ArrayRef<int64_t> dims, ArrayRef<int64_t> symbols) {
  Shape coords;
  for (AffineExpr expr : map.getResults()) {
    std::optional<int64_t> coord = evaluate(expr, dims, symbols);
    if (!coord)
      return machine.fault(op, "the map divides by what is not positive");
    coords.push_back(*coord);
  }
  return coords;
}

static LogicalResult executeTileTopK(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tile::TopKOp>(step.op);
  Shape mapSymbols, setSymbols;
  unsigned numSymbols = op.getMapOperands().size();
  if (failed(getIntegers(machine, frame, step, 4, numSymbols, mapSymbols)) ||
      failed(getIntegers(machine, frame, step, 4 + numSymbols, op.getSetOperands().size(),
                         setSymbols)))
    return failure();
  auto tensor = dyn_cast<RankedTensorType>(op.getCandidates().getType());
  Shape shape(tensor ? tensor.getShape() : ArrayRef<int64_t>());
  auto getElement = [&](unsigned operand, size_t number) {
    const Datum &datum = frame[step.operands[operand]];
    return datum.object ? getTensor(datum).data[number] : datum.element;
  };
  std::optional<IntegerSet> set = op.getWhere();
  Shape tile(shape.size(), 0);
  auto count = static_cast<size_t>(countElements(shape));
  for (size_t number = 0; number < count; ++number, advance(tile, shape)) {
    bool isValid = true;
    for (unsigned i = 0; set && i < set->getNumConstraints(); ++i) {
      std::optional<int64_t> value = evaluate(set->getConstraint(i), tile, setSymbols);
      isValid &= value && (set->isEq(i) ? *value == 0 : *value >= 0);
    }
    if (!isValid)
      continue;
    FailureOr<Shape> coords = getPlace(machine, op, op.getMap(), tile, mapSymbols);
    List list(machine, frame, step, 2);
    if (failed(coords) || failed(list.read(*coords, op.getAxis())))
      return failure();
    // A list with its last pair first and so on is a heap.
    Pair candidate{getElement(0, number), getElement(1, number)};
    size_t place = 0;
    for (; place < list.pairs.size(); ++place) {
      FailureOr<bool> precedes = list.precedes(candidate, list.pairs[place]);
      if (failed(precedes))
        return failure();
      if (!*precedes)
        break;
    }
    if (place != 0) {
      list.pairs.insert(list.pairs.begin() + place, candidate);
      list.pairs.erase(list.pairs.begin());
    }
    if (failed(list.write()))
      return failure();
  }
  return machine.charge(op, count);
}

static LogicalResult executeTileSort(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tile::SortOp>(step.op);
  Shape symbols;
  if (failed(getIntegers(machine, frame, step, 2, op.getMapOperands().size(), symbols)))
    return failure();
  FailureOr<Shape> coords = getPlace(machine, op, op.getMap(), {}, symbols);
  List list(machine, frame, step, 0);
  if (failed(coords) || failed(list.read(*coords, op.getAxis())))
    return failure();
  SmallVector<Pair> sorted;
  for (const Pair &pair : list.pairs) {
    size_t place = sorted.size();
    for (; place > 0; --place) {
      FailureOr<bool> precedes = list.precedes(pair, sorted[place - 1]);
      if (failed(precedes))
        return failure();
      if (!*precedes)
        break;
    }
    sorted.insert(sorted.begin() + place, pair);
  }
  list.pairs = sorted;
  if (failed(list.write()))
    return failure();
  return machine.charge(op, sorted.size());
}

void interp::addTopKHandlers(HandlerTable &table) {
  table["graph.topk"] = {executeGraphTopK};
  table["tile.sort"] = {executeTileSort};
  table["tile.topk"] = {executeTileTopK};
}
