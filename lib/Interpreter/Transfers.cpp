//===- Transfers.cpp - tile.load and tile.store -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexForms.h"

#include "dialects/Tile/IR/Tile.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

namespace {

struct TransferPayload : Payload {
  Shape tileShape;
  IndexForms map, set;
  SmallVector<bool> isEquality; // of the set
  std::optional<Element> fill;
  // Numbers of operands.
  unsigned view, firstMapOperand, numMapOperands, firstSetOperand, numSetOperands, firstIndex,
      numIndices;
};

/// One transfer: coordinates, mask and address of each element.
class Transfer {
public:
  Transfer(Machine &machine, Frame &frame, const Step &step)
      : machine(machine), frame(frame), step(step),
        payload(static_cast<const TransferPayload &>(*step.payload)),
        view(getView(frame[step.operands[payload.view]])) {}

  LogicalResult open() {
    if (failed(getIntegers(machine, frame, step, payload.firstMapOperand, payload.numMapOperands,
                           mapSymbols)) ||
        failed(getIntegers(machine, frame, step, payload.firstSetOperand, payload.numSetOperands,
                           setSymbols)))
      return failure();
    map.emplace(payload.map, mapSymbols);
    set.emplace(payload.set, setSymbols);
    dims.resize(payload.tileShape.size() + payload.numIndices);
    coords.resize(map->size());
    return machine.charge(step.op, countElements(payload.tileShape));
  }

  /// Whether the mask holds at tile coordinates.
  bool isValid(ArrayRef<int64_t> tile) const {
    for (size_t i = 0; i < set->size(); ++i) {
      std::optional<int64_t> value = set->get(i, tile);
      if (!value || *value < 0 || (payload.isEquality[i] && *value != 0))
        return false;
    }
    return true;
  }

  /// The address of element `number` at tile coordinates; a fault outside the view. `isExact`
  /// tells whether no index is a tie.
  FailureOr<int64_t> getAddress(ArrayRef<int64_t> tile, size_t number, bool &isExact) {
    llvm::copy(tile, dims.begin());
    isExact = true;
    for (unsigned i = 0; i < payload.numIndices; ++i) {
      const Datum &datum = frame[step.operands[payload.firstIndex + i]];
      const Element &index = datum.object ? getTensor(datum).data[number] : datum.element;
      if (index.isUndefined())
        return machine.fault(step.op, "an index depends on what was never written, at tile " +
                                          toString(payload.tileShape, number));
      isExact &= index.isExact();
      dims[tile.size() + i] = index.integer;
    }
    for (size_t i = 0; i < coords.size(); ++i) {
      std::optional<int64_t> coord = map->get(i, dims);
      if (!coord)
        return machine.fault(step.op, "the map divides by what is not positive");
      coords[i] = *coord;
    }
    if (std::optional<int64_t> address = view.getAddress(coords))
      return *address;
    std::string place, extents;
    for (size_t i = 0; i < coords.size(); ++i) {
      place += (i ? ", " : "") + std::to_string(coords[i]);
      extents += (i ? ", " : "") + std::to_string(view.shape[i]);
    }
    return machine.fault(step.op, "accesses [" + place + "] of a view of extents [" + extents +
                                      "] at tile " + toString(payload.tileShape, number));
  }

  Machine &machine;
  Frame &frame;
  const Step &step;
  const TransferPayload &payload;
  const ViewObject &view;

private:
  Shape mapSymbols, setSymbols, dims, coords;
  std::optional<IndexForms::Evaluator> map, set;
};

} // namespace

template <typename OpTy>
static LogicalResult prepareTransfer(Compiler &compiler, Step &step) {
  auto op = cast<OpTy>(step.op);
  auto payload = std::make_unique<TransferPayload>();
  payload->tileShape.assign(op.getTileShape().begin(), op.getTileShape().end());
  payload->map = IndexForms(op.getMap().getResults(), op.getMap().getNumDims());
  if (std::optional<IntegerSet> set = op.getWhere()) {
    payload->set = IndexForms(set->getConstraints(), set->getNumDims());
    payload->isEquality.assign(set->getEqFlags().begin(), set->getEqFlags().end());
  }
  // Operands lie in this order, a store's value before them all.
  payload->view = std::is_same_v<OpTy, tile::LoadOp> ? 0 : 1;
  payload->firstMapOperand = payload->view + 1;
  payload->numMapOperands = op.getMapOperands().size();
  payload->firstSetOperand = payload->firstMapOperand + payload->numMapOperands;
  payload->numSetOperands = op.getSetOperands().size();
  payload->firstIndex = payload->firstSetOperand + payload->numSetOperands;
  payload->numIndices = op.getIndices().size();
  if constexpr (std::is_same_v<OpTy, tile::LoadOp>) {
    if (auto real = dyn_cast_if_present<FloatAttr>(op.getFillAttr()))
      payload->fill = Element::makeReal(real.getValueAsDouble());
    else if (auto integer = dyn_cast_if_present<IntegerAttr>(op.getFillAttr()))
      payload->fill = Element::makeInteger(integer.getValue().getSExtValue());
  }
  if (!getNumberFormat(op.getView().getType().getElementType()))
    return compiler.machine.unsupported(op, "an element type without a number format");
  step.payload = std::move(payload);
  return success();
}

static LogicalResult executeLoad(Machine &machine, Frame &frame, const Step &step) {
  Transfer transfer(machine, frame, step);
  if (failed(transfer.open()))
    return failure();
  const TransferPayload &payload = transfer.payload;
  const ViewObject &view = transfer.view;
  TensorRef result = makeTensor(view.format, payload.tileShape);
  Shape tile(payload.tileShape.size(), 0);
  for (size_t number = 0; number < result->data.size(); ++number) {
    if (!transfer.isValid(tile)) {
      result->data[number] = *payload.fill;
    } else {
      bool isExact = true;
      FailureOr<int64_t> address = transfer.getAddress(tile, number, isExact);
      if (failed(address))
        return failure();
      int64_t other = view.buffer->noteRead(*address, machine.block);
      if (other >= 0)
        return machine.fault(step.op, "block " + Twine(machine.block) + " reads what block " +
                                          Twine(other) + " wrote");
      Element element = view.read(*address);
      if (!isExact && !element.isUndefined())
        element.bound = kUnbounded;
      result->data[number] = element;
    }
    advance(tile, payload.tileShape);
  }
  frame[step.results[0]] = isa<RankedTensorType>(step.op->getResult(0).getType())
                               ? makeDatum(result)
                               : makeDatum(result->data[0]);
  return success();
}

static LogicalResult executeStore(Machine &machine, Frame &frame, const Step &step) {
  Transfer transfer(machine, frame, step);
  if (failed(transfer.open()))
    return failure();
  const TransferPayload &payload = transfer.payload;
  const ViewObject &view = transfer.view;
  if (view.isReadOnly)
    return machine.fault(step.op, "writes to " + view.buffer->name + ", which is read only");
  const Datum &value = frame[step.operands[0]];
  llvm::DenseMap<int64_t, size_t> written;
  Shape tile(payload.tileShape.size(), 0);
  auto count = static_cast<size_t>(countElements(payload.tileShape));
  for (size_t number = 0; number < count; ++number, advance(tile, payload.tileShape)) {
    if (!transfer.isValid(tile))
      continue;
    bool isExact = true;
    FailureOr<int64_t> address = transfer.getAddress(tile, number, isExact);
    if (failed(address))
      return failure();
    if (!isExact)
      return machine.unsupported(step.op, "an index depends on a tie between floats");
    auto getElement = [&](size_t i) {
      return value.object ? getTensor(value).data[i] : value.element;
    };
    Element element = getElement(number);
    auto [it, isNew] = written.try_emplace(*address, number);
    if (!isNew) {
      Element other = getElement(it->second);
      if (element.isUndefined() || other.isUndefined() || !mayBeEqual(*view.format, element, other))
        return machine.fault(step.op, "elements " + toString(payload.tileShape, it->second) +
                                          " and " + toString(payload.tileShape, number) +
                                          " of the tile meet in one place, but differ");
    }
    Element before = view.read(*address);
    bool changes =
        before.isUndefined() || element.isUndefined() || !mayBeEqual(*view.format, before, element);
    int64_t other = view.buffer->noteWrite(*address, machine.block, changes);
    if (other >= 0)
      return machine.fault(step.op, "blocks " + Twine(other) + " and " + Twine(machine.block) +
                                        " access one element, and the latter changes it");
    view.write(*address, element);
  }
  return success();
}

static LogicalResult executeScatter(Machine &machine, Frame &frame, const Step &step) {
  Transfer transfer(machine, frame, step);
  if (failed(transfer.open()))
    return failure();
  const TransferPayload &payload = transfer.payload;
  const ViewObject &view = transfer.view;
  if (view.isReadOnly)
    return machine.fault(step.op, "writes to " + view.buffer->name + ", which is read only");
  auto op = cast<tile::ScatterOp>(step.op);
  const Code &body = *step.regions[0];
  bool reads = !op.getCombine().getArgument(0).use_empty();
  auto getElement = [&](unsigned operand, size_t number) {
    const Datum &datum = frame[step.operands[operand]];
    return datum.object ? getTensor(datum).data[number] : datum.element;
  };
  Shape tile(payload.tileShape.size(), 0);
  auto count = static_cast<size_t>(countElements(payload.tileShape));
  for (size_t number = 0; number < count; ++number, advance(tile, payload.tileShape)) {
    if (!transfer.isValid(tile))
      continue;
    if (op.getMask()) {
      Element mask = getElement(step.operands.size() - 1, number);
      if (mask.isUndefined() || !mask.isExact())
        return machine.fault(step.op, "a mask depends on what was never written, or on a tie");
      if (mask.integer == 0)
        continue;
    }
    bool isExact = true;
    FailureOr<int64_t> address = transfer.getAddress(tile, number, isExact);
    if (failed(address))
      return failure();
    if (!isExact)
      return machine.unsupported(step.op, "an index depends on a tie between floats");
    Element before = view.read(*address);
    if (int64_t other = reads ? view.buffer->noteRead(*address, machine.block) : -1; other >= 0)
      return machine.fault(step.op, "block " + Twine(machine.block) + " reads what block " +
                                        Twine(other) + " wrote");
    frame[body.arguments[0]] = makeDatum(before);
    frame[body.arguments[1]] = makeDatum(getElement(0, number));
    if (failed(machine.execute(body, frame)))
      return failure();
    Element after = frame[body.yields[0]].element;
    bool changes =
        before.isUndefined() || after.isUndefined() || !mayBeEqual(*view.format, before, after);
    int64_t other = view.buffer->noteWrite(*address, machine.block, changes);
    if (other >= 0)
      return machine.fault(step.op, "blocks " + Twine(other) + " and " + Twine(machine.block) +
                                        " access one element, and the latter changes it");
    view.write(*address, after);
  }
  return success();
}

/// Hints change nothing, and copies are made where they are written.
static LogicalResult executeNothing(Machine &, Frame &, const Step &) { return success(); }

void interp::addTransferHandlers(HandlerTable &table) {
  for (const char *name : {"tile.commit_copies", "tile.prefetch", "tile.wait_copies"})
    table[name] = {executeNothing, nullptr};
  table["tile.load"] = {executeLoad, prepareTransfer<tile::LoadOp>};
  table["tile.scatter"] = {executeScatter, prepareTransfer<tile::ScatterOp>};
  table["tile.store"] = {executeStore, prepareTransfer<tile::StoreOp>};
}
