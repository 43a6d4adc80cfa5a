//===- GraphOps.cpp - the graph dialect on tensors -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "dialects/Graph/IR/Graph.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

static LogicalResult executeLaunch(Machine &machine, Frame &frame, const Step &step) {
  auto launch = cast<graph::LaunchOp>(step.op);
  auto kernel =
      SymbolTable::lookupNearestSymbolFrom<graph::KernelOp>(launch, launch.getKernelAttr());
  if (!kernel)
    return machine.fault(launch, "no kernel of the name '" + launch.getKernel() + "'");
  unsigned numInputs = launch.getInputs().size();
  SmallVector<Datum> inputs;
  for (unsigned i = 0; i < numInputs; ++i)
    inputs.push_back(frame[step.operands[i]]);
  Shape sizes;
  if (failed(getIntegers(machine, frame, step, numInputs, launch.getSizes().size(), sizes)))
    return failure();
  SmallVector<Shape> shapes;
  ArrayRef<int64_t> rest = sizes;
  for (Type type : launch.getResultTypes()) {
    auto tensor = cast<RankedTensorType>(type);
    shapes.push_back(resolveShape(tensor.getShape(), rest));
    rest = rest.drop_front(tensor.getNumDynamicDims());
  }
  std::vector<Datum> results;
  if (Operation *tileKernel = machine.findTileKernel(launch.getKernel())) {
    if (failed(machine.runAsTileKernel(launch, tileKernel, inputs, shapes, results)))
      return failure();
  } else {
    auto function = machine.getFunction(kernel);
    if (failed(function) || failed(machine.callKernel(**function, inputs, results)))
      return failure();
  }
  for (auto [number, result] : llvm::enumerate(results))
    if (getTensor(result).shape != shapes[number])
      return machine.fault(launch, "result " + Twine(number) + " has another shape than its sizes");
  if (machine.options.onLaunch) {
    LaunchRecord record{launch, launch.getKernel().str(), {}, {}};
    for (const Datum &input : inputs)
      record.inputs.emplace_back(static_cast<TensorObject *>(input.object.get()));
    for (const Datum &result : results)
      record.results.emplace_back(static_cast<TensorObject *>(result.object.get()));
    machine.options.onLaunch(record);
    for (auto [result, replacement] : llvm::zip_equal(results, record.results))
      result = makeDatum(replacement);
  }
  for (auto [slot, result] : llvm::zip_equal(step.results, results))
    frame[slot] = result;
  return success();
}

static LogicalResult executeBroadcast(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<graph::BroadcastOp>(step.op);
  const TensorObject &source = getTensor(frame[step.operands[0]]);
  Shape sizes;
  if (failed(getIntegers(machine, frame, step, 1, op.getSizes().size(), sizes)))
    return failure();
  Shape shape = resolveShape(cast<RankedTensorType>(op.getType()).getShape(), sizes);
  size_t lead = shape.size() - source.shape.size();
  Shape strides = getRowMajorStrides(source.shape);
  for (auto [dim, extent] : llvm::enumerate(source.shape)) {
    if (extent == shape[lead + dim])
      continue;
    if (extent != 1)
      return machine.fault(op,
                           "stretches extent " + Twine(extent) + " to " + Twine(shape[lead + dim]));
    strides[dim] = 0;
  }
  TensorRef result = makeTensor(source.format, shape);
  Shape coords(shape.size(), 0);
  for (Element &element : result->data) {
    int64_t position = 0;
    for (size_t dim = 0; dim < strides.size(); ++dim)
      position += coords[lead + dim] * strides[dim];
    element = source.data[position];
    advance(coords, shape);
  }
  uint64_t count = result->data.size();
  frame[step.results[0]] = makeDatum(result);
  return machine.charge(op, count);
}

static LogicalResult executeCheck(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<graph::CheckOp>(step.op);
  auto condition = machine.getInteger(op, frame[step.operands[0]], "a check");
  if (failed(condition) || *condition)
    return failed(condition) ? failure() : success();
  Shape values;
  if (failed(getIntegers(machine, frame, step, 1, op.getValues().size(), values)))
    return failure();
  return machine.refuse(op, fillPlaceholders(op.getMessage(), values));
}

static LogicalResult executeCount(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<graph::CountOp>(step.op);
  const Element &number = getTensor(frame[step.operands[0]]).data.front();
  if (number.isUndefined())
    return machine.fault(op, "the number was never written");
  auto bound = machine.getInteger(op, frame[step.operands[1]], "a bound");
  if (failed(bound))
    return failure();
  auto value = machine.getInteger(op, makeDatum(number), "a number");
  if (failed(value))
    return failure();
  frame[step.results[0]] = makeIndex(std::min<int64_t>(std::max<int64_t>(*value, 0), *bound));
  return machine.charge(op, 1);
}

static LogicalResult executeChoose(Machine &machine, Frame &frame, const Step &step) {
  const Element &condition = getTensor(frame[step.operands[0]]).data.front();
  if (condition.isUndefined())
    return machine.fault(step.op, "the condition was never written");
  frame[step.results[0]] = frame[step.operands[condition.integer != 0 ? 1 : 2]];
  return machine.charge(step.op, 1);
}

static LogicalResult executeLoop(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<graph::LoopOp>(step.op);
  auto body = SymbolTable::lookupNearestSymbolFrom(op, op.getBodyAttr());
  auto function = machine.getFunction(body);
  if (failed(function))
    return failure();
  unsigned first = op.getFirstCarried(), numCarried = op.getCarried().size();
  unsigned numInputs = numCarried + op.getCaptured().size();
  std::optional<int64_t> trips;
  if (op.getTrips()) {
    auto known = machine.getInteger(op, frame[step.operands[0]], "a number of trips");
    if (failed(known))
      return failure();
    trips.emplace(*known);
  }
  auto goesOn = [&](const Datum &condition) -> FailureOr<bool> {
    auto known =
        machine.getInteger(op, makeDatum(getTensor(condition).data.front()), "a loop's condition");
    return failed(known) ? FailureOr<bool>(failure()) : FailureOr<bool>(*known != 0);
  };
  SmallVector<Datum> arguments(1 + numInputs);
  for (unsigned i = 0; i < numInputs; ++i)
    arguments[1 + i] = frame[step.operands[first + i]];
  Shape sizes;
  if (failed(getIntegers(machine, frame, step, first + numInputs, op.getSizes().size(), sizes)))
    return failure();
  SmallVector<TensorRef> rows;
  ArrayRef<int64_t> rest = sizes;
  for (auto [number, type] : llvm::enumerate(op.getResultTypes())) {
    auto tensor = cast<RankedTensorType>(type);
    Shape shape = resolveShape(tensor.getShape(), rest);
    rest = rest.drop_front(tensor.getNumDynamicDims());
    if (number < numCarried) {
      if (shape != getTensor(arguments[1 + number]).shape)
        return machine.fault(op, "result " + Twine(number) + " has another shape than its sizes");
      continue;
    }
    if (shape[0] != std::max<int64_t>(*trips, 0))
      return machine.fault(op, "result " + Twine(number) + " has " + Twine(shape[0]) +
                                   " rows, but there are " + Twine(*trips) + " trips");
    rows.push_back(makeTensor(getNumberFormat(tensor.getElementType()), shape));
  }
  bool goes = true;
  if (op.getCondition()) {
    FailureOr<bool> known = goesOn(frame[step.operands[first - 1]]);
    if (failed(known))
      return failure();
    goes = *known;
  }
  for (int64_t i = 0; goes && (!trips || i < *trips); ++i) {
    arguments[0] = makeIndex(i);
    std::vector<Datum> results;
    if (failed(machine.charge(op, 1)) || failed(machine.callKernel(**function, arguments, results)))
      return failure();
    ArrayRef<Datum> yields = results;
    if (op.getCondition()) {
      FailureOr<bool> known = goesOn(yields.front());
      if (failed(known))
        return failure();
      goes = *known;
      yields = yields.drop_front();
    }
    for (unsigned number = 0; number < numCarried; ++number) {
      if (getTensor(yields[number]).shape != getTensor(arguments[1 + number]).shape)
        return machine.fault(op, "carried value " + Twine(number) + " changes its shape");
      arguments[1 + number] = yields[number];
    }
    for (auto [stack, row] : llvm::zip_equal(rows, yields.drop_front(numCarried))) {
      const TensorObject &tensor = getTensor(row);
      if (ArrayRef(tensor.shape) != ArrayRef(stack->shape).drop_front())
        return machine.fault(op, "a row has another shape than the result's sizes say");
      llvm::copy(tensor.data, stack->data.begin() + i * tensor.data.size());
    }
  }
  for (unsigned number = 0; number < numCarried; ++number)
    frame[step.results[number]] = arguments[1 + number];
  for (auto [number, stack] : llvm::enumerate(rows))
    frame[step.results[numCarried + number]] = makeDatum(stack);
  return success();
}

static LogicalResult executeGather(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<graph::GatherOp>(step.op);
  const TensorObject &source = getTensor(frame[step.operands[0]]);
  const TensorObject &indices = getTensor(frame[step.operands[1]]);
  auto axis = static_cast<size_t>(op.getAxis());
  int64_t extent = source.shape[axis];
  ArrayRef<int64_t> sourceShape = source.shape;
  int64_t outer = countElements(sourceShape.take_front(axis));
  int64_t inner = countElements(sourceShape.drop_front(axis + 1));
  Shape shape(sourceShape.take_front(axis));
  shape.append(indices.shape.begin(), indices.shape.end());
  shape.append(sourceShape.begin() + axis + 1, sourceShape.end());
  TensorRef result = makeTensor(source.format, shape);
  Element *out = result->data.data();
  for (int64_t a = 0; a < outer; ++a)
    for (const Element &index : indices.data) {
      if (index.isUndefined())
        return machine.fault(op, "an index was never written");
      if (inner == 0)
        continue; // nothing is read, and only a read checks its index
      int64_t place = index.integer < 0 ? index.integer + extent : index.integer;
      if (place < 0 || place >= extent)
        return machine.refuse(op, "index " + Twine(index.integer) + " is out of range [-" +
                                      Twine(extent) + ", " + Twine(extent) + ")");
      for (int64_t b = 0; b < inner; ++b, ++out) {
        *out = source.data[(a * extent + place) * inner + b];
        if (!index.isExact() && !out->isUndefined())
          out->bound = kUnbounded;
      }
    }
  uint64_t count = result->data.size();
  frame[step.results[0]] = makeDatum(result);
  return machine.charge(op, count);
}

static LogicalResult executeScatter(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<graph::ScatterOp>(step.op);
  const Code &body = *step.regions[0];
  const TensorObject &updates = getTensor(frame[step.operands[0]]);
  TensorRef result(new TensorObject(getTensor(frame[step.operands[1]])));
  auto numIndices = static_cast<unsigned>(op.getIndices().size());
  Shape strides = getRowMajorStrides(result->shape);
  for (unsigned dim = 0; dim < strides.size(); ++dim)
    if (std::optional<unsigned> from = op.getUpdateDim(dim);
        from && updates.shape[*from] > result->shape[dim])
      return machine.fault(op, "more updates than extent along dimension " + Twine(dim));
  Shape coords(updates.shape.size(), 0);
  for (size_t number = 0; number < updates.data.size(); ++number, advance(coords, updates.shape)) {
    Shape dims(coords);
    for (unsigned k = 0; k < numIndices; ++k) {
      const TensorObject &indices = getTensor(frame[step.operands[2 + k]]);
      Shape indexStrides = getRowMajorStrides(indices.shape);
      AffineMap read = cast<AffineMapAttr>(op.getReads()[k]).getValue();
      int64_t place = 0;
      for (auto [i, expr] : llvm::enumerate(read.getResults())) {
        std::optional<int64_t> coord = evaluate(expr, coords, {});
        if (!coord || *coord < 0 || *coord >= indices.shape[i])
          return machine.fault(op, "reads outside tensor " + Twine(k) + " of indices");
        place += *coord * indexStrides[i];
      }
      const Element &index = indices.data[place];
      if (index.isUndefined())
        return machine.fault(op, "an index was never written");
      if (!index.isExact())
        return machine.unsupported(op, "an index depends on a tie between floats");
      std::optional<unsigned> dim =
          op.getPlace().getResultPosition(getAffineDimExpr(coords.size() + k, op.getContext()));
      int64_t extent = result->shape[*dim];
      int64_t position = index.integer < 0 ? index.integer + extent : index.integer;
      if (position < 0 || position >= extent)
        return machine.refuse(op, "index " + Twine(index.integer) + " is out of range [-" +
                                      Twine(extent) + ", " + Twine(extent) + ") along axis " +
                                      Twine(*dim));
      dims.push_back(position);
    }
    int64_t place = 0;
    for (auto [expr, stride] : llvm::zip_equal(op.getPlace().getResults(), strides))
      place += dims[cast<AffineDimExpr>(expr).getPosition()] * stride;
    frame[body.arguments[0]] = makeDatum(result->data[place]);
    frame[body.arguments[1]] = makeDatum(updates.data[number]);
    if (failed(machine.execute(body, frame)))
      return failure();
    result->data[place] = frame[body.yields[0]].element;
  }
  frame[step.results[0]] = makeDatum(result);
  return machine.charge(op, result->data.size() + updates.data.size());
}

void interp::addGraphHandlers(HandlerTable &table) {
  table["graph.launch"] = {executeLaunch};
  table["graph.broadcast"] = {executeBroadcast};
  table["graph.count"] = {executeCount};
  table["graph.check"] = {executeCheck};
  table["graph.choose"] = {executeChoose};
  table["graph.gather"] = {executeGather};
  table["graph.loop"] = {executeLoop};
  table["graph.scatter"] = {executeScatter};
}
