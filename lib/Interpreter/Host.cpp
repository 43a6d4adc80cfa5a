//===- Host.cpp - the host program: memref ops and dispatches -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

static LogicalResult resolve(Machine &machine, Frame &frame, const Step &step,
                             ArrayRef<int64_t> constants, unsigned firstOperand, Shape &values) {
  for (int64_t constant : constants) {
    if (!ShapedType::isDynamic(constant))
      values.push_back(constant);
    else if (failed(getIntegers(machine, frame, step, firstOperand++, 1, values)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// The constant that the module's list places at `offset`, in its packing.
static FailureOr<ViewRef> getConstant(Machine &machine, const Step &step, int64_t offset) {
  auto list = machine.module->getAttrOfType<ArrayAttr>("graph.constants");
  if (list)
    for (auto entry : list.getAsRange<DictionaryAttr>()) {
      auto place = entry.getAs<IntegerAttr>("offset");
      auto value = entry.getAs<ElementsAttr>("value");
      if (!place || !value || place.getInt() != offset)
        continue;
      TensorRef tensor = makeTensor(value);
      if (!tensor)
        return machine.unsupported(step.op, "a constant of this type or without its data");
      ViewRef view = makeTypedView("constant at " + std::to_string(offset), tensor->format,
                                   tensor->shape, entry.getAs<tile::MemoryAttr>("memory"));
      writeTensor(*view, *tensor);
      view->isReadOnly = true;
      return view;
    }
  return machine.fault(step.op, "no constant is placed at offset " + Twine(offset));
}

//===----------------------------------------------------------------------===//
// memref
//===----------------------------------------------------------------------===//

static LogicalResult executeView(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<memref::ViewOp>(step.op);
  const ViewObject &source = getView(frame[step.operands[0]]);
  Shape shift, sizes;
  if (failed(getIntegers(machine, frame, step, 1, 1, shift)) ||
      failed(getIntegers(machine, frame, step, 2, op.getSizes().size(), sizes)))
    return failure();
  MemRefType type = op.getType();
  const NumberFormat *format = getNumberFormat(type.getElementType());
  if (!format)
    return machine.unsupported(op, "an element type without a number format");
  Shape shape = resolveShape(type.getShape(), sizes);
  if (source.buffer == machine.constants) {
    auto [it, isNew] = machine.constantViews.try_emplace(shift[0]);
    if (isNew) {
      FailureOr<ViewRef> view = getConstant(machine, step, shift[0]);
      if (failed(view))
        return failure();
      it->second = *view;
    }
    if (it->second->shape != shape || it->second->format != format)
      return machine.fault(op, "views a constant as another type");
    frame[step.results[0]] = makeDatum(it->second);
    return success();
  }
  int64_t bytes = countElements(shape) * getElementBytes(*format);
  if (shift[0] < 0 || shift[0] + bytes > source.shape[0])
    return machine.fault(op, "a view of " + Twine(bytes) + " bytes at " + Twine(shift[0]) +
                                 " leaves its memory of " + Twine(source.shape[0]));
  ViewRef view = makeView(source.buffer, format, shape, source.offset + shift[0]);
  view->isReadOnly = source.isReadOnly;
  frame[step.results[0]] = makeDatum(view);
  return success();
}

/// A strided window; sizes, strides and offset in elements.
static LogicalResult makeWindow(Machine &machine, Frame &frame, const Step &step, int64_t offset,
                                Shape sizes, Shape strides) {
  const ViewObject &source = getView(frame[step.operands[0]]);
  ViewRef view(new ViewObject(source));
  if (source.physical)
    return machine.fault(step.op, "reshapes a packed constant");
  view->shape = std::move(sizes);
  view->strides = std::move(strides);
  view->offset = offset * getElementBytes(*source.format);
  frame[step.results[0]] = makeDatum(view);
  return success();
}

static LogicalResult executeReinterpret(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<memref::ReinterpretCastOp>(step.op);
  const ViewObject &source = getView(frame[step.operands[0]]);
  Shape offsets, sizes, strides;
  unsigned numOffsets = op.getOffsets().size(), numSizes = op.getSizes().size();
  if (failed(resolve(machine, frame, step, op.getStaticOffsets(), 1, offsets)) ||
      failed(resolve(machine, frame, step, op.getStaticSizes(), 1 + numOffsets, sizes)) ||
      failed(
          resolve(machine, frame, step, op.getStaticStrides(), 1 + numOffsets + numSizes, strides)))
    return failure();
  // The offset counts from the allocation, which for a view of the arena is the view's start.
  int64_t start = source.offset / getElementBytes(*source.format);
  return makeWindow(machine, frame, step, start + offsets[0], sizes, strides);
}

static LogicalResult executeSubview(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<memref::SubViewOp>(step.op);
  const ViewObject &source = getView(frame[step.operands[0]]);
  Shape offsets, sizes, strides;
  unsigned numOffsets = op.getOffsets().size(), numSizes = op.getSizes().size();
  if (failed(resolve(machine, frame, step, op.getStaticOffsets(), 1, offsets)) ||
      failed(resolve(machine, frame, step, op.getStaticSizes(), 1 + numOffsets, sizes)) ||
      failed(
          resolve(machine, frame, step, op.getStaticStrides(), 1 + numOffsets + numSizes, strides)))
    return failure();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  int64_t offset = source.offset / getElementBytes(*source.format);
  Shape shape, steps;
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    int64_t last = offsets[dim] + (sizes[dim] - 1) * strides[dim];
    if (sizes[dim] > 0 &&
        (offsets[dim] < 0 || last < 0 || std::max(offsets[dim], last) >= source.shape[dim]))
      return machine.fault(op, "a window leaves dimension " + Twine(dim) + " of extent " +
                                   Twine(source.shape[dim]));
    offset += offsets[dim] * source.strides[dim];
    if (dropped.test(dim))
      continue;
    shape.push_back(sizes[dim]);
    steps.push_back(strides[dim] * source.strides[dim]);
  }
  return makeWindow(machine, frame, step, offset, shape, steps);
}

static LogicalResult executeCast(Machine &, Frame &frame, const Step &step) {
  frame[step.results[0]] = frame[step.operands[0]];
  return success();
}

static LogicalResult executeAlloc(Machine &machine, Frame &frame, const Step &step) {
  auto type = cast<MemRefType>(step.op->getResult(0).getType());
  const NumberFormat *format = getNumberFormat(type.getElementType());
  Shape sizes;
  if (!format)
    return machine.unsupported(step.op, "an element type without a number format");
  if (failed(getIntegers(machine, frame, step, 0, step.operands.size(), sizes)))
    return failure();
  Shape shape = resolveShape(type.getShape(), sizes);
  frame[step.results[0]] = makeDatum(makeTypedView("allocation", format, shape, {}));
  return machine.charge(step.op, countElements(shape));
}

static LogicalResult executeNothing(Machine &, Frame &, const Step &) { return success(); }

static LogicalResult executeDim(Machine &machine, Frame &frame, const Step &step) {
  const ViewObject &view = getView(frame[step.operands[0]]);
  Shape dim;
  if (failed(getIntegers(machine, frame, step, 1, 1, dim)))
    return failure();
  if (dim[0] < 0 || dim[0] >= static_cast<int64_t>(view.shape.size()))
    return machine.fault(step.op, "dimension " + Twine(dim[0]) + " of a buffer of rank " +
                                      Twine(view.shape.size()));
  frame[step.results[0]] = makeIndex(view.shape[dim[0]]);
  return success();
}

/// The address that a load or store names.
static FailureOr<int64_t> getAddress(Machine &machine, Frame &frame, const Step &step,
                                     const ViewObject &view, unsigned firstIndex) {
  Shape coords;
  if (failed(
          getIntegers(machine, frame, step, firstIndex, step.operands.size() - firstIndex, coords)))
    return failure();
  if (std::optional<int64_t> address = view.getAddress(coords))
    return *address;
  return machine.fault(step.op, "accesses memory outside of a buffer");
}

static LogicalResult executeLoad(Machine &machine, Frame &frame, const Step &step) {
  const ViewObject &view = getView(frame[step.operands[0]]);
  FailureOr<int64_t> address = getAddress(machine, frame, step, view, 1);
  if (failed(address))
    return failure();
  frame[step.results[0]] = makeDatum(view.read(*address));
  return machine.charge(step.op, 1);
}

static LogicalResult executeStore(Machine &machine, Frame &frame, const Step &step) {
  const ViewObject &view = getView(frame[step.operands[1]]);
  FailureOr<int64_t> address = getAddress(machine, frame, step, view, 2);
  if (failed(address))
    return failure();
  if (view.isReadOnly)
    return machine.fault(step.op, "writes to " + view.buffer->name + ", which is read only");
  view.write(*address, frame[step.operands[0]].element);
  return machine.charge(step.op, 1);
}

static LogicalResult executeCopy(Machine &machine, Frame &frame, const Step &step) {
  const ViewObject &source = getView(frame[step.operands[0]]);
  const ViewObject &target = getView(frame[step.operands[1]]);
  if (source.shape != target.shape)
    return machine.fault(step.op, "copies between buffers of different extents");
  if (target.isReadOnly)
    return machine.fault(step.op, "writes to " + target.buffer->name + ", which is read only");
  TensorRef tensor = readTensor(source);
  writeTensor(target, *tensor);
  return machine.charge(step.op, tensor->data.size());
}

//===----------------------------------------------------------------------===//
// Prepare and run
//===----------------------------------------------------------------------===//

namespace {
/// An output that lives in an input's buffer.
struct SharedBuffer {
  unsigned input, output;
  int64_t dim, capacity;
  ViewRef view; // of the input
};
} // namespace

static SmallVector<SharedBuffer> getSharedBuffers(ModuleOp module) {
  SmallVector<SharedBuffer> shared;
  auto record = module->getAttrOfType<DictionaryAttr>("graph.interface");
  auto list = record ? record.getAs<ArrayAttr>("aliases") : ArrayAttr();
  if (list)
    for (auto entry : list.getAsRange<DictionaryAttr>()) {
      auto get = [&](StringRef key) { return entry.getAs<IntegerAttr>(key).getInt(); };
      shared.push_back({static_cast<unsigned>(get("input")), static_cast<unsigned>(get("output")),
                        get("dim"), get("capacity"), nullptr});
    }
  return shared;
}

LogicalResult Machine::runHost(Operation *run, ArrayRef<TensorRef> inputs,
                               std::vector<Datum> &results) {
  auto runFunction = cast<func::FuncOp>(run);
  auto prepare = module.lookupSymbol<func::FuncOp>("sectile_prepare");
  if (!prepare)
    return fault(run, "expects a function 'sectile_prepare' beside it");
  ArrayRef<Type> types = runFunction.getArgumentTypes();
  if (types.size() < inputs.size() + 2)
    return fault(run, "expects inputs, outputs, arena and constants");
  ArrayRef<Type> outputs = types.drop_front(inputs.size()).drop_back(2);

  // Dynamic extents of the inputs in, extents of the outputs and the arena's size out.
  SmallVector<Datum> extents;
  for (auto [type, input] : llvm::zip(types, inputs))
    for (auto [dim, extent] : llvm::enumerate(cast<MemRefType>(type).getShape()))
      if (ShapedType::isDynamic(extent))
        extents.push_back(makeIndex(input->shape[dim]));
  if (auto numbers = prepare->getAttrOfType<DenseI64ArrayAttr>("graph.data_inputs"))
    for (int64_t number : numbers.asArrayRef()) {
      const TensorRef &input = inputs[number];
      ViewRef view =
          makeTypedView("input " + std::to_string(number), input->format, input->shape, {});
      writeTensor(*view, *input);
      view->isReadOnly = true;
      extents.push_back(makeDatum(view));
    }
  FailureOr<const Function *> function = getFunction(prepare);
  std::vector<Datum> sizes;
  if (failed(function) || failed(call(**function, extents, sizes)))
    return failure();
  size_t numExtents = 0;
  for (Type type : outputs)
    numExtents += cast<MemRefType>(type).getRank();
  if (sizes.size() < numExtents + 1)
    return fault(prepare, "expects output extents and the arena's size");
  ArrayRef<Datum> tail = ArrayRef(sizes).take_back(numExtents + 1);

  SmallVector<SharedBuffer> shared = getSharedBuffers(module);
  SmallVector<Datum> arguments;
  for (auto [number, input] : llvm::enumerate(inputs)) {
    auto *alias = llvm::find_if(shared, [&](SharedBuffer &s) { return s.input == number; });
    Shape memory(input->shape);
    if (alias != shared.end() && alias->capacity >= 0) {
      if (memory[alias->dim] > alias->capacity)
        return fault(prepare, "input " + Twine(number) + " exceeds its capacity of " +
                                  Twine(alias->capacity));
      memory[alias->dim] = alias->capacity;
    }
    ViewRef view = makeTypedView("input " + std::to_string(number), input->format, memory, {});
    view->shape = input->shape;
    writeTensor(*view, *input);
    if (alias != shared.end())
      alias->view = view;
    view->isReadOnly = alias == shared.end();
    arguments.push_back(makeDatum(view));
  }
  for (auto [number, type] : llvm::enumerate(outputs)) {
    auto buffer = cast<MemRefType>(type);
    Shape shape;
    for (int64_t dim = 0; dim < buffer.getRank(); ++dim, tail = tail.drop_front()) {
      auto extent = getInteger(prepare, tail.front(), "an output's extent");
      if (failed(extent))
        return failure();
      if (!buffer.isDynamicDim(dim) && *extent != buffer.getDimSize(dim))
        return fault(prepare, "tells another extent than the type of output " + Twine(number));
      shape.push_back(*extent);
    }
    const NumberFormat *format = getNumberFormat(buffer.getElementType());
    if (!format)
      return unsupported(run, "an element type without a number format");
    auto *alias = llvm::find_if(shared, [&](SharedBuffer &s) { return s.output == number; });
    if (alias == shared.end()) {
      arguments.push_back(
          makeDatum(makeTypedView("output " + std::to_string(number), format, shape, {})));
      continue;
    }
    ViewRef view(new ViewObject(*alias->view));
    if (alias->capacity >= 0 && shape[alias->dim] > alias->capacity)
      return fault(prepare, "output " + Twine(number) + " exceeds its capacity of " +
                                Twine(alias->capacity));
    view->shape = shape;
    arguments.push_back(makeDatum(view));
  }
  auto arenaBytes = getInteger(prepare, tail.front(), "the arena's size");
  if (failed(arenaBytes))
    return failure();
  if (*arenaBytes < 0 || failed(charge(prepare, *arenaBytes)))
    return fault(prepare, "an arena of " + Twine(*arenaBytes) + " bytes");
  const NumberFormat *byte = getNumberFormat(IntegerType::get(module.getContext(), 8));
  arguments.push_back(makeDatum(makeTypedView("the arena", byte, {*arenaBytes}, {})));
  ViewRef constantsView = makeTypedView("the constants", byte, {0}, {});
  constants = constantsView->buffer;
  arguments.push_back(makeDatum(constantsView));

  function = getFunction(run);
  std::vector<Datum> decided;
  if (failed(function) || failed(call(**function, arguments, decided)))
    return failure();
  // Extents that the run decided on: the buffers hold the results row-major for these.
  if (auto dims = run->getAttrOfType<DenseI64ArrayAttr>("graph.decided_dims")) {
    SmallVector<Shape> shapes;
    for (const Datum &output : ArrayRef(arguments).drop_front(inputs.size()).drop_back(2))
      shapes.push_back(getView(output).shape);
    for (auto [number, datum] : llvm::enumerate(decided)) {
      auto extent = getInteger(run, datum, "an output's extent");
      if (failed(extent))
        return failure();
      int64_t &bound = shapes[dims[2 * number]][dims[2 * number + 1]];
      if (*extent < 0 || *extent > bound)
        return fault(run,
                     "decides on extent " + Twine(*extent) + " beyond its bound " + Twine(bound));
      bound = *extent;
    }
    for (auto [number, shape] : llvm::enumerate(shapes)) {
      Datum &argument = arguments[inputs.size() + number];
      if (getView(argument).shape == shape)
        continue;
      ViewRef view(new ViewObject(getView(argument)));
      view->strides = getRowMajorStrides(shape);
      view->shape = std::move(shape);
      argument = makeDatum(view);
    }
  }
  for (const Datum &output : ArrayRef(arguments).drop_front(inputs.size()).drop_back(2))
    results.push_back(makeDatum(readTensor(getView(output))));
  return success();
}

void interp::addHostHandlers(HandlerTable &table) {
  table["memref.view"] = {executeView};
  table["memref.reinterpret_cast"] = {executeReinterpret};
  table["memref.subview"] = {executeSubview};
  table["memref.cast"] = {executeCast};
  table["memref.alloc"] = {executeAlloc};
  table["memref.alloca"] = {executeAlloc};
  table["memref.dealloc"] = {executeNothing};
  table["memref.dim"] = {executeDim};
  table["memref.load"] = {executeLoad};
  table["memref.store"] = {executeStore};
  table["memref.copy"] = {executeCopy};
}
