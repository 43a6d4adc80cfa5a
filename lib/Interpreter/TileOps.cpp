//===- TileOps.cpp - tile ops on values -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexForms.h"
#include "Sum.h"

#include "dialects/Tile/IR/Tile.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

static bool isTile(Type type) { return isa<RankedTensorType>(type); }

static ArrayRef<int64_t> getTileShape(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? tensor.getShape() : ArrayRef<int64_t>();
}

/// Stores a result that the op's type says is a tile or a scalar.
static void setResult(Frame &frame, const Step &step, unsigned number, TensorRef tensor) {
  frame[step.results[number]] =
      isTile(step.op->getResult(number).getType()) ? makeDatum(tensor) : makeDatum(tensor->data[0]);
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

static LogicalResult executeDim(Machine &, Frame &frame, const Step &step) {
  const ViewObject &view = getView(frame[step.operands[0]]);
  frame[step.results[0]] = makeIndex(view.shape[cast<tile::DimOp>(step.op).getDim()]);
  return success();
}

static LogicalResult executeView(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tile::ViewOp>(step.op);
  ViewRef view(new ViewObject);
  view->source = const_cast<ViewObject *>(&getView(frame[step.operands[0]]));
  view->format = view->source->format;
  view->buffer = view->source->buffer;
  view->isReadOnly = view->source->isReadOnly;
  view->map = op.getMap();
  Shape sizes;
  unsigned numSymbols = op.getMapOperands().size();
  if (failed(getIntegers(machine, frame, step, 1, numSymbols, view->symbols)) ||
      failed(getIntegers(machine, frame, step, 1 + numSymbols, op.getSizes().size(), sizes)))
    return failure();
  view->shape = resolveShape(op.getResult().getType().getShape(), sizes);
  frame[step.results[0]] = makeDatum(view);
  return success();
}

static LogicalResult executeAlloc(Machine &machine, Frame &frame, const Step &step) {
  tile::ViewType type = cast<tile::AllocOp>(step.op).getResult().getType();
  const NumberFormat *format = getNumberFormat(type.getElementType());
  if (!format)
    return machine.unsupported(step.op, "an element type without a number format");
  Shape sizes;
  if (failed(getIntegers(machine, frame, step, 0, step.operands.size(), sizes)))
    return failure();
  Shape shape = resolveShape(type.getShape(), sizes);
  for (int64_t extent : shape)
    if (extent < 0)
      return machine.fault(step.op, "private memory of extent " + Twine(extent));
  frame[step.results[0]] =
      makeDatum(makeTypedView("private memory", format, shape, type.getMemory()));
  return machine.charge(step.op, countElements(shape));
}

static LogicalResult executeBlockId(Machine &machine, Frame &frame, const Step &step) {
  for (auto [slot, coord] : llvm::zip_equal(step.results, machine.blockCoords))
    frame[slot] = makeIndex(coord);
  return success();
}

//===----------------------------------------------------------------------===//
// Contraction and reduction
//===----------------------------------------------------------------------===//

static LogicalResult executeDot(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tile::DotOp>(step.op);
  const TensorObject &lhs = getTensor(frame[step.operands[0]]);
  const TensorObject &rhs = getTensor(frame[step.operands[1]]);
  const TensorObject &acc = getTensor(frame[step.operands[2]]);
  const NumberFormat &format = *acc.format;
  int64_t m = lhs.shape[0], k = lhs.shape[1], n = rhs.shape[1];
  ScalarOp multiply{format.isFloat ? ScalarOp::MulF : ScalarOp::MulI, 2, &format, &format};
  ScalarOp add{format.isFloat ? ScalarOp::AddF : ScalarOp::AddI, 2, &format, &format};
  auto extend = [&](const TensorObject &tile, int64_t i, bool isUnsigned) {
    Element element = tile.data[i];
    if (!format.isFloat && isUnsigned && !element.isUndefined())
      element.integer = static_cast<int64_t>(zeroExtend(element.integer, tile.format->bits));
    return element;
  };
  bool isSum = format.isFloat && !machine.arithmetic.rounds;
  TensorRef result(new TensorObject(acc));
  for (int64_t row = 0; row < m; ++row)
    for (int64_t column = 0; column < n; ++column) {
      Element &element = result->data[row * n + column];
      Sum sum(element);
      for (int64_t i = 0; i < k; ++i) {
        Element factors[] = {extend(lhs, row * k + i, op.getUnsignedLhs()),
                             extend(rhs, i * n + column, op.getUnsignedRhs())};
        Element product = machine.arithmetic.evaluate(multiply, factors);
        if (isSum) {
          sum.add(product);
          continue;
        }
        Element terms[] = {element, product};
        element = machine.arithmetic.evaluate(add, terms);
      }
      if (isSum)
        element = sum.get(format, static_cast<double>(k));
    }
  frame[step.results[0]] = makeDatum(result);
  return machine.charge(op, static_cast<uint64_t>(m) * n * k);
}

static LogicalResult executeReduce(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tile::ReduceOp>(step.op);
  const Code &body = *step.regions[0];
  size_t count = step.operands.size();
  const Shape &shape = getTensor(frame[step.operands[0]]).shape;
  // Row-major strides of the result, 0 along reduced dimensions.
  Shape kept, resultStrides(shape.size(), 0);
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (!llvm::is_contained(op.getDims(), static_cast<int64_t>(dim)))
      kept.push_back(static_cast<int64_t>(dim));
  int64_t size = 1;
  for (size_t i = kept.size(); i-- > 0; size *= shape[kept[i]])
    resultStrides[kept[i]] = size;
  SmallVector<TensorRef, 2> results;
  for (unsigned i = 0; i < count; ++i)
    results.push_back(makeTensor(getTensor(frame[step.operands[i]]).format,
                                 getTileShape(op->getResult(i).getType())));
  std::vector<bool> isStarted(size, false);
  // Per result; empty if it is no sum.
  SmallVector<std::vector<Sum>, 1> sums(count);
  for (unsigned i = 0; i < count; ++i)
    if (!machine.arithmetic.rounds && isFloatSum(op.getCombiner().front(), i, count))
      sums[i].resize(size);
  Shape coords(shape.size(), 0);
  int64_t number = 0;
  do {
    int64_t place = 0;
    for (size_t dim = 0; dim < shape.size(); ++dim)
      place += coords[dim] * resultStrides[dim];
    for (unsigned i = 0; i < count; ++i) {
      const Element &element = getTensor(frame[step.operands[i]]).data[number];
      if (!sums[i].empty())
        sums[i][place].add(element);
      if (!isStarted[place]) {
        results[i]->data[place] = element;
      } else {
        frame[body.arguments[i]] = makeDatum(results[i]->data[place]);
        frame[body.arguments[count + i]] = makeDatum(element);
      }
    }
    if (isStarted[place]) {
      if (failed(machine.execute(body, frame)))
        return failure();
      for (unsigned i = 0; i < count; ++i)
        results[i]->data[place] = frame[body.yields[i]].element;
    }
    isStarted[place] = true;
    ++number;
  } while (advance(coords, shape));
  auto terms = static_cast<double>(number) / static_cast<double>(size);
  for (unsigned i = 0; i < count; ++i) {
    for (auto [element, sum] : llvm::zip(results[i]->data, sums[i]))
      element = sum.get(*results[i]->format, terms);
    setResult(frame, step, i, results[i]);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Shapes and coordinates
//===----------------------------------------------------------------------===//

/// Calls `visit(element, coords)` for every element of the result of a step.
template <typename Visit>
static TensorRef buildResult(const Step &step, Visit visit) {
  Type type = step.op->getResult(0).getType();
  TensorRef result = makeTensor(getNumberFormat(getElementTypeOrSelf(type)), getTileShape(type));
  Shape coords(result->shape.size(), 0);
  for (Element &element : result->data) {
    visit(element, coords);
    advance(coords, result->shape);
  }
  return result;
}

static LogicalResult executeBroadcast(Machine &machine, Frame &frame, const Step &step) {
  ArrayRef<int64_t> dims = cast<tile::BroadcastOp>(step.op).getDims();
  const Datum &source = frame[step.operands[0]];
  TensorRef result = buildResult(step, [&](Element &element, ArrayRef<int64_t> coords) {
    if (!source.object) {
      element = source.element;
      return;
    }
    const TensorObject &tile = getTensor(source);
    int64_t place = 0;
    size_t sourceDim = 0;
    for (size_t dim = 0; dim < coords.size(); ++dim)
      if (!llvm::is_contained(dims, static_cast<int64_t>(dim)))
        place = place * tile.shape[sourceDim++] + coords[dim];
    element = tile.data[place];
  });
  uint64_t count = result->data.size();
  setResult(frame, step, 0, std::move(result));
  return machine.charge(step.op, count);
}

static LogicalResult executeTranspose(Machine &machine, Frame &frame, const Step &step) {
  ArrayRef<int64_t> perm = cast<tile::TransposeOp>(step.op).getPerm();
  const TensorObject &source = getTensor(frame[step.operands[0]]);
  Shape strides = getRowMajorStrides(source.shape);
  TensorRef result = buildResult(step, [&](Element &element, ArrayRef<int64_t> coords) {
    int64_t place = 0;
    for (auto [coord, dim] : llvm::zip_equal(coords, perm))
      place += coord * strides[dim];
    element = source.data[place];
  });
  setResult(frame, step, 0, std::move(result));
  return machine.charge(step.op, source.data.size());
}

static LogicalResult executeReshape(Machine &, Frame &frame, const Step &step) {
  const Datum &source = frame[step.operands[0]];
  TensorRef result;
  if (source.object) {
    result = TensorRef(new TensorObject(getTensor(source)));
    result->shape = Shape(getTileShape(step.op->getResult(0).getType()));
  } else {
    result =
        buildResult(step, [&](Element &element, ArrayRef<int64_t>) { element = source.element; });
  }
  setResult(frame, step, 0, std::move(result));
  return success();
}

/// Where elements live does not change what they are.
static LogicalResult executeConvertLayout(Machine &, Frame &frame, const Step &step) {
  frame[step.results[0]] = frame[step.operands[0]];
  return success();
}

namespace {
struct FormsPayload : Payload {
  IndexForms forms;
  SmallVector<bool> isEquality;
};
} // namespace

static LogicalResult prepareCoord(Compiler &, Step &step) {
  auto payload = std::make_unique<FormsPayload>();
  AffineMap map = cast<tile::CoordOp>(step.op).getMap();
  payload->forms = IndexForms(map.getResults(), map.getNumDims());
  step.payload = std::move(payload);
  return success();
}

static LogicalResult prepareMask(Compiler &, Step &step) {
  auto payload = std::make_unique<FormsPayload>();
  IntegerSet set = cast<tile::MaskOp>(step.op).getSet();
  payload->forms = IndexForms(set.getConstraints(), set.getNumDims());
  payload->isEquality.assign(set.getEqFlags().begin(), set.getEqFlags().end());
  step.payload = std::move(payload);
  return success();
}

static LogicalResult executeCoord(Machine &machine, Frame &frame, const Step &step) {
  const auto &payload = static_cast<const FormsPayload &>(*step.payload);
  Shape symbols;
  if (failed(getIntegers(machine, frame, step, 0, step.operands.size(), symbols)))
    return failure();
  IndexForms::Evaluator forms(payload.forms, symbols);
  TensorRef result = buildResult(step, [&](Element &element, ArrayRef<int64_t> coords) {
    if (std::optional<int64_t> value = forms.get(0, coords))
      element = Element::makeInteger(*value);
  });
  for (Element &element : result->data)
    element.integer = signExtend(element.integer, result->format->bits);
  uint64_t count = result->data.size();
  setResult(frame, step, 0, std::move(result));
  return machine.charge(step.op, count);
}

static LogicalResult executeMask(Machine &machine, Frame &frame, const Step &step) {
  const auto &payload = static_cast<const FormsPayload &>(*step.payload);
  Shape symbols;
  if (failed(getIntegers(machine, frame, step, 0, step.operands.size(), symbols)))
    return failure();
  IndexForms::Evaluator forms(payload.forms, symbols);
  TensorRef result = buildResult(step, [&](Element &element, ArrayRef<int64_t> coords) {
    bool holds = true;
    for (size_t i = 0; i < forms.size(); ++i) {
      std::optional<int64_t> value = forms.get(i, coords);
      holds &= value && *value >= 0 && (!payload.isEquality[i] || *value == 0);
    }
    element = Element::makeInteger(holds ? -1 : 0);
  });
  uint64_t count = result->data.size();
  setResult(frame, step, 0, std::move(result));
  return machine.charge(step.op, count);
}

static LogicalResult executeAssert(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tile::AssertOp>(step.op);
  const Datum &condition = frame[step.operands[0]];
  size_t count = condition.object ? getTensor(condition).data.size() : 1;
  auto get = [&](unsigned operand, size_t number) {
    const Datum &datum = frame[step.operands[operand]];
    return datum.object ? getTensor(datum).data[number] : datum.element;
  };
  for (size_t number = 0; number < count; ++number) {
    Element element = get(0, number);
    if (element.isUndefined())
      return machine.fault(op, "an assertion depends on what was never written");
    if (element.integer != 0 || !element.isExact() || !machine.refusal.empty())
      continue;
    Shape values;
    for (unsigned i = 1; i < step.operands.size(); ++i)
      values.push_back(get(i, number).integer);
    machine.refusal = fillPlaceholders(op.getMessage(), values);
    machine.refusingOp = op;
  }
  return machine.charge(op, count);
}

void interp::addTileHandlers(HandlerTable &table) {
  table["tile.dim"] = {executeDim};
  table["tile.view"] = {executeView};
  table["tile.alloc"] = {executeAlloc};
  table["tile.block_id"] = {executeBlockId};
  table["tile.dot"] = {executeDot};
  table["tile.reduce"] = {executeReduce};
  table["tile.broadcast"] = {executeBroadcast};
  table["tile.transpose"] = {executeTranspose};
  table["tile.reshape"] = {executeReshape};
  table["tile.convert_layout"] = {executeConvertLayout};
  table["tile.wait_products"] = {executeConvertLayout};
  table["tile.coord"] = {executeCoord, prepareCoord};
  table["tile.mask"] = {executeMask, prepareMask};
  table["tile.assert"] = {executeAssert};
}
