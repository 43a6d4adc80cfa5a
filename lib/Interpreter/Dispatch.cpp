//===- Dispatch.cpp - kernels on the buffers of the host program -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Holds every dispatch against what the memory plan promises: windows that are
// written meet no other, but for a result that is written over an input, and
// the facts on the kernel's arguments are true.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

/// The addresses of a window's elements.
static llvm::DenseSet<int64_t> getAddresses(const ViewObject &view) {
  llvm::DenseSet<int64_t> addresses;
  Shape coords(view.shape.size(), 0);
  for (int64_t i = 0, e = countElements(view.shape); i < e; ++i, advance(coords, view.shape))
    if (std::optional<int64_t> address = view.getAddress(coords))
      addresses.insert(*address);
  return addresses;
}

static bool isSameWindow(const ViewObject &lhs, const ViewObject &rhs) {
  return lhs.buffer == rhs.buffer && lhs.offset == rhs.offset && lhs.shape == rhs.shape &&
         lhs.strides == rhs.strides && lhs.format == rhs.format && lhs.physical == rhs.physical;
}

/// Whether any byte belongs to both windows.
static bool overlap(const ViewObject &lhs, const ViewObject &rhs) {
  if (lhs.buffer != rhs.buffer)
    return false;
  llvm::DenseSet<int64_t> addresses = getAddresses(lhs);
  int64_t before = getElementBytes(*lhs.format), after = getElementBytes(*rhs.format);
  for (int64_t address : getAddresses(rhs))
    for (int64_t other = address - before + 1; other < address + after; ++other)
      if (addresses.contains(other))
        return true;
  return false;
}

/// Whether the kernel's argument (or, after those, result) has a fact of that name.
static bool hasFact(graph::KernelOp kernel, unsigned position, StringRef fact) {
  unsigned numInputs = kernel.getNumArguments();
  return position < numInputs ? kernel.getArgAttr(position, fact) != nullptr
                              : kernel.getResultAttr(position - numInputs, fact) != nullptr;
}

/// Holds argument `i`, which is written, against all others and what the kernel was told of them.
static LogicalResult checkWritten(Machine &machine, graph::DispatchOp op, unsigned i,
                                  ArrayRef<Datum> arguments) {
  auto kernel = SymbolTable::lookupNearestSymbolFrom<graph::KernelOp>(op, op.getKernelAttr());
  const ViewObject &view = getView(arguments[i]);
  for (unsigned j = 0; j < arguments.size(); ++j) {
    if (j == i || !arguments[j].object || !overlap(view, getView(arguments[j])))
      continue;
    if (j >= op.getNumInputs() || !isSameWindow(view, getView(arguments[j])))
      return machine.fault(op, "argument " + Twine(i) + " of '" + op.getKernel() +
                                   "' is written and overlaps argument " + Twine(j));
    if (!kernel)
      continue;
    if (hasFact(kernel, j, "graph.readonly"))
      return machine.fault(op, "argument " + Twine(j) + " of '" + op.getKernel() +
                                   "' is said to be read only, but argument " + Twine(i) +
                                   " writes to its memory");
    for (unsigned k : {i, j})
      if (hasFact(kernel, k, "graph.noalias"))
        return machine.fault(op,
                             "argument " + Twine(k) + " of '" + op.getKernel() +
                                 "' is said to have no alias, but shares memory with argument " +
                                 Twine(k == i ? j : i));
  }
  return success();
}

static LogicalResult checkArguments(Machine &machine, graph::DispatchOp op,
                                    ArrayRef<Datum> arguments) {
  auto numInputs = static_cast<unsigned>(op.getNumInputs());
  for (unsigned i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].object)
      continue;
    const ViewObject &view = getView(arguments[i]);
    if (i < numInputs) {
      TensorRef tensor = readTensor(view);
      for (auto [number, element] : llvm::enumerate(tensor->data))
        if (element.isUndefined())
          return machine.fault(op, "argument " + Twine(i) + " of '" + op.getKernel() +
                                       "' was never written at " + toString(tensor->shape, number));
      continue;
    }
    if (view.isReadOnly)
      return machine.fault(op, "'" + op.getKernel() + "' writes to " + view.buffer->name +
                                   ", which is read only");
    if (failed(checkWritten(machine, op, i, arguments)))
      return failure();
  }
  return success();
}

/// Runs the graph.kernel: values in, values out, then stored.
static LogicalResult dispatchGraphKernel(Machine &machine, graph::DispatchOp op, Operation *kernel,
                                         ArrayRef<Datum> arguments) {
  auto numInputs = static_cast<unsigned>(op.getNumInputs());
  SmallVector<Datum> inputs;
  for (const Datum &argument : arguments.take_front(numInputs))
    inputs.push_back(argument.object ? makeDatum(readTensor(getView(argument))) : argument);
  auto function = machine.getFunction(kernel);
  std::vector<Datum> results;
  if (failed(function) || failed(machine.callKernel(**function, inputs, results)))
    return failure();
  if (results.size() != arguments.size() - numInputs)
    return machine.fault(op, "the kernel has " + Twine(results.size()) + " results");
  for (auto [result, argument] : llvm::zip_equal(results, arguments.drop_front(numInputs))) {
    if (getTensor(result).shape != getView(argument).shape)
      return machine.fault(op, "a result has another shape than its buffer");
    writeTensor(getView(argument), getTensor(result));
  }
  return success();
}

/// Runs the tile.kernel on the buffers themselves.
static LogicalResult dispatchTileKernel(Machine &machine, graph::DispatchOp op, Operation *kernelOp,
                                        ArrayRef<Datum> arguments) {
  auto kernel = cast<tile::KernelOp>(kernelOp);
  auto numInputs = static_cast<unsigned>(op.getNumInputs());
  if (kernel.getArgumentTypes().size() != arguments.size())
    return machine.fault(op, "the tile kernel has " + Twine(kernel.getArgumentTypes().size()) +
                                 " arguments, expected " + Twine(arguments.size()));
  SmallVector<Datum> views;
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    auto type = dyn_cast<tile::ViewType>(kernel.getArgumentTypes()[i]);
    if (!type != !argument.object)
      return machine.fault(op, "argument " + Twine(i) + " of the tile kernel has another kind");
    if (!type) {
      views.push_back(argument);
      continue;
    }
    ViewRef view(new ViewObject(getView(argument)));
    AffineMap packing = type.getMemory() ? type.getMemory().getMap() : AffineMap();
    bool isStrided = packing && packing.isIdentity();
    if ((isStrided ? AffineMap() : packing) != view->physical)
      return machine.fault(op, "argument " + Twine(i) + " of the tile kernel is packed otherwise");
    // The kernel computes addresses from its own type.
    Shape strides = getRowMajorStrides(view->shape);
    if (isStrided)
      strides.assign(type.getMemory().getStrides().begin(), type.getMemory().getStrides().end());
    for (auto [dim, stride] : llvm::enumerate(packing && !isStrided ? Shape() : strides))
      if (!ShapedType::isDynamic(stride) && view->shape[dim] > 1 && stride != view->strides[dim])
        return machine.fault(op, "argument " + Twine(i) + " of the tile kernel has stride " +
                                     Twine(view->strides[dim]) + " in dimension " + Twine(dim) +
                                     ", but is read with " + Twine(stride));
    view->isReadOnly |= i < numInputs;
    if (i >= numInputs) { // nothing of what it holds may be relied on
      TensorRef nothing = makeTensor(view->format, view->shape);
      bool isInPlace = llvm::any_of(arguments.take_front(numInputs), [&](const Datum &input) {
        return input.object && isSameWindow(getView(input), *view);
      });
      if (!isInPlace)
        writeTensor(*view, *nothing);
    }
    views.push_back(makeDatum(view));
  }
  return machine.runTileKernel(kernel, views);
}

static LogicalResult executeDispatch(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<graph::DispatchOp>(step.op);
  SmallVector<Datum> arguments;
  for (unsigned slot : ArrayRef(step.operands).take_front(op.getArgs().size()))
    arguments.push_back(frame[slot]);
  if (op.getWhen()) {
    const Element &when = frame[step.operands.back()].element;
    if (when.isUndefined())
      return machine.fault(op, "its condition was never written");
    if (when.integer == 0)
      return success();
  }
  if (failed(checkArguments(machine, op, arguments)))
    return failure();
  LaunchRecord record{op, op.getKernel().str(), {}, {}};
  if (machine.options.onLaunch)
    for (const Datum &argument : ArrayRef(arguments).take_front(op.getNumInputs()))
      record.inputs.push_back(argument.object ? readTensor(getView(argument)) : TensorRef());
  LogicalResult result = success();
  if (Operation *tileKernel = machine.findTileKernel(op.getKernel())) {
    result = dispatchTileKernel(machine, op, tileKernel, arguments);
  } else {
    auto kernel = SymbolTable::lookupNearestSymbolFrom<graph::KernelOp>(op, op.getKernelAttr());
    if (!kernel)
      return machine.fault(op, "no kernel of the name '" + op.getKernel() + "'");
    result = dispatchGraphKernel(machine, op, kernel, arguments);
  }
  if (succeeded(result) && machine.options.onLaunch) {
    for (const Datum &argument : ArrayRef(arguments).drop_front(op.getNumInputs()))
      record.results.push_back(readTensor(getView(argument)));
    machine.options.onLaunch(record);
    for (auto [argument, replacement] :
         llvm::zip_equal(ArrayRef(arguments).drop_front(op.getNumInputs()), record.results))
      writeTensor(getView(argument), *replacement);
  }
  return result;
}

void interp::addDispatchHandlers(HandlerTable &table) {
  table["graph.dispatch"] = {executeDispatch};
}
