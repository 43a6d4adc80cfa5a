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

static LogicalResult executeTileTopK(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tile::TopKOp>(step.op);
  const Code &body = *step.regions[0];
  const ViewObject &values = getView(frame[step.operands[2]]);
  const ViewObject &indices = getView(frame[step.operands[3]]);
  for (const ViewObject *view : {&values, &indices})
    if (view->isReadOnly)
      return machine.fault(op, "writes to " + view->buffer->name + ", which is read only");
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
  int64_t k = values.shape[op.getAxis()];
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
    Shape coords;
    for (AffineExpr expr : op.getMap().getResults()) {
      std::optional<int64_t> coord = evaluate(expr, tile, mapSymbols);
      if (!coord)
        return machine.fault(op, "the map divides by what is not positive");
      coords.push_back(*coord);
    }
    if (coords[op.getAxis()] != 0)
      return machine.fault(op, "a list does not begin at 0");
    // The list, read whole and written whole.
    SmallVector<std::pair<Element, Element>> list;
    SmallVector<std::pair<int64_t, int64_t>> addresses;
    for (int64_t i = 0; i < k; ++i) {
      coords[op.getAxis()] = i;
      std::optional<int64_t> value = values.getAddress(coords), index = indices.getAddress(coords);
      if (!value || !index)
        return machine.fault(op, "accesses a list outside its view");
      addresses.push_back({*value, *index});
      for (auto [view, address] : {std::pair(&values, *value), std::pair(&indices, *index)})
        if (int64_t other = view->buffer->noteRead(address, machine.block); other >= 0)
          return machine.fault(op, "block " + Twine(machine.block) + " reads what block " +
                                       Twine(other) + " wrote");
      list.push_back({values.buffer->read(*value, *values.format),
                      indices.buffer->read(*index, *indices.format)});
    }
    std::pair<Element, Element> candidate{getElement(0, number), getElement(1, number)};
    size_t place = k;
    bool isExact = true;
    for (; place > 0; --place) {
      const Element pairs[] = {candidate.first, candidate.second, list[place - 1].first,
                               list[place - 1].second};
      for (auto [argument, element] : llvm::zip_equal(body.arguments, pairs))
        frame[argument] = makeDatum(element);
      if (failed(machine.execute(body, frame)))
        return failure();
      const Element &precedes = frame[body.yields[0]].element;
      if (precedes.isUndefined())
        return machine.fault(op, "compares what was never written");
      isExact &= precedes.isExact();
      if (precedes.integer == 0)
        break;
    }
    list.insert(list.begin() + place, candidate);
    for (int64_t i = 0; i < k; ++i) {
      if (!isExact) {
        doubt(list[i].first);
        doubt(list[i].second);
      }
      for (auto [view, address, element] :
           {std::tuple(&values, addresses[i].first, list[i].first),
            std::tuple(&indices, addresses[i].second, list[i].second)}) {
        if (int64_t other = view->buffer->noteWrite(address, machine.block, /*changes=*/true);
            other >= 0)
          return machine.fault(op, "blocks " + Twine(other) + " and " + Twine(machine.block) +
                                       " access one element, and the latter changes it");
        view->buffer->write(address, *view->format, element);
      }
    }
  }
  return machine.charge(op, count);
}

void interp::addTopKHandlers(HandlerTable &table) {
  table["graph.topk"] = {executeGraphTopK};
  table["tile.topk"] = {executeTileTopK};
}
