//===- TileKernel.cpp - a tile kernel over its grid -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"

#include "mlir/Analysis/SliceAnalysis.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

/// The physical extents of a view in `memory` (see #tile.memory).
static Shape getPhysicalExtents(ArrayRef<int64_t> shape, AffineMap map) {
  Shape extents;
  for (AffineExpr expr : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      extents.push_back(shape[dim.getPosition()]);
      continue;
    }
    auto binary = cast<AffineBinaryOpExpr>(expr);
    int64_t extent = shape[cast<AffineDimExpr>(binary.getLHS()).getPosition()];
    int64_t factor = cast<AffineConstantExpr>(binary.getRHS()).getValue();
    extents.push_back(expr.getKind() == AffineExprKind::Mod ? factor
                                                            : (extent + factor - 1) / factor);
  }
  return extents;
}

/// The extents of the box that is stored: where codes are packed, words take the elements' places.
static Shape getStoredExtents(ArrayRef<int64_t> shape, tile::MemoryAttr memory) {
  Shape extents = getPhysicalExtents(shape, memory.getMap());
  if (memory.getBits() != 0) {
    int64_t &extent = extents[memory.getAlong()];
    extent = ((extent + 3) / 4 * memory.getBits() + 7) / 8;
  }
  return extents;
}

void interp::setMemory(ViewObject &view, tile::MemoryAttr memory) {
  if (!memory)
    return;
  view.physical = memory.getMap();
  view.packedBits = memory.getBits();
  view.packedDim = static_cast<unsigned>(memory.getAlong());
  view.packedOrder.assign(memory.getOrder().begin(), memory.getOrder().end());
  Shape extents = getStoredExtents(view.shape, memory);
  if (memory.getStrides().empty()) {
    view.strides = getRowMajorStrides(extents);
    return;
  }
  view.strides.assign(memory.getStrides().begin(), memory.getStrides().end());
  // Strides that the type leaves open are beyond all elements along the other dimensions: packed
  // ones could lie between theirs.
  int64_t span = 1;
  for (auto [stride, extent] : llvm::zip_equal(view.strides, extents))
    if (!ShapedType::isDynamic(stride))
      span += std::max<int64_t>(extent - 1, 0) * stride;
  for (auto [stride, extent] : llvm::reverse(llvm::zip_equal(view.strides, extents)))
    if (ShapedType::isDynamic(stride)) {
      stride = span;
      span += std::max<int64_t>(extent - 1, 0) * stride;
    }
}

ViewRef interp::makeTypedView(std::string name, const NumberFormat *format, ArrayRef<int64_t> shape,
                              tile::MemoryAttr memory) {
  ViewRef view = makeView(nullptr, format, shape);
  Shape extents(shape);
  if (memory) {
    setMemory(*view, memory);
    extents = getStoredExtents(shape, memory);
  }
  // The last element's place tells the size where strides are wider than the extents.
  int64_t cells = countElements(extents) ? 1 : 0;
  for (auto [extent, stride] : llvm::zip_equal(extents, view->strides))
    cells += cells ? (extent - 1) * stride : 0;
  int64_t cellSize = view->packedBits != 0 ? kCodeWordBits : getElementBytes(*format);
  view->buffer = BufferRef(new Buffer(std::move(name), cells, cellSize));
  return view;
}

void interp::writeTensor(const ViewObject &view, const TensorObject &tensor) {
  Shape coords(tensor.shape.size(), 0);
  for (const Element &element : tensor.data) {
    view.write(*view.getAddress(coords), element);
    advance(coords, tensor.shape);
  }
}

TensorRef interp::readTensor(const ViewObject &view) {
  TensorRef tensor = makeTensor(view.format, view.shape);
  Shape coords(view.shape.size(), 0);
  for (Element &element : tensor->data) {
    if (std::optional<int64_t> address = view.getAddress(coords))
      element = view.read(*address);
    advance(coords, view.shape);
  }
  return tensor;
}

/// Evaluates the extents of the grid, without running anything else.
static FailureOr<Shape> getGrid(Machine &machine, const Function &function, tile::BlockIdOp blockId,
                                ArrayRef<Datum> arguments) {
  Frame frame(function.numSlots);
  for (auto [slot, argument] : llvm::zip_equal(function.body.arguments, arguments))
    frame[slot] = argument;
  llvm::SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = true;
  options.omitBlockArguments = true;
  for (Value extent : blockId.getGrid())
    if (extent.getDefiningOp())
      (void)getBackwardSlice(extent, &slice, options);
  for (const Step &step : function.body.steps) {
    if (step.op == blockId) {
      Shape grid;
      if (failed(getIntegers(machine, frame, step, 0, step.operands.size(), grid)))
        return failure();
      return grid;
    }
    if (slice.contains(step.op) && failed(step.execute(machine, frame, step)))
      return failure();
  }
  return machine.fault(blockId, "is not in the kernel's entry block");
}

LogicalResult Machine::runTileKernel(Operation *op, ArrayRef<Datum> arguments) {
  auto kernel = cast<tile::KernelOp>(op);
  FailureOr<const Function *> function = getFunction(op);
  if (failed(function))
    return failure();
  Shape grid;
  if (tile::BlockIdOp blockId = kernel.getBlockId()) {
    FailureOr<Shape> extents = getGrid(*this, **function, blockId, arguments);
    if (failed(extents))
      return failure();
    grid = *extents;
  }
  for (int64_t extent : grid)
    if (extent < 0)
      return fault(op, "a grid of extent " + Twine(extent));
  for (const Datum &argument : arguments)
    if (argument.object)
      getView(argument).buffer->startNoting();
  refusal.clear();
  int64_t blocks = countElements(grid);
  blockCoords.assign(grid.size(), 0);
  std::vector<Datum> results;
  LogicalResult result = success();
  for (block = 0; block < blocks && succeeded(result); ++block) {
    result = callKernel(**function, arguments, results);
    advance(blockCoords, grid);
  }
  block = -1;
  for (const Datum &argument : arguments)
    if (argument.object)
      getView(argument).buffer->stopNoting();
  if (succeeded(result) && !refusal.empty())
    return refuse(refusingOp, refusal);
  return result;
}

LogicalResult Machine::runAsTileKernel(Operation *launch, Operation *kernelOp,
                                       ArrayRef<Datum> inputs, ArrayRef<Shape> resultShapes,
                                       std::vector<Datum> &results) {
  auto kernel = cast<tile::KernelOp>(kernelOp);
  ArrayRef<Type> types = kernel.getArgumentTypes();
  if (types.size() != inputs.size() + resultShapes.size())
    return fault(launch, "the tile kernel has " + Twine(types.size()) + " arguments, expected " +
                             Twine(inputs.size() + resultShapes.size()));
  SmallVector<Datum> arguments;
  for (auto [number, input] : llvm::enumerate(inputs)) {
    auto type = dyn_cast<tile::ViewType>(types[number]);
    if (!type != !input.object)
      return fault(launch, "argument " + Twine(number) + " of the tile kernel has another kind");
    if (!type) {
      arguments.push_back(input);
      continue;
    }
    const TensorObject &tensor = getTensor(input);
    if (getNumberFormat(type.getElementType()) != tensor.format)
      return fault(launch, "argument " + Twine(number) + " of the tile kernel has another type");
    ViewRef view = makeTypedView("argument " + std::to_string(number), tensor.format, tensor.shape,
                                 type.getMemory());
    writeTensor(*view, tensor);
    view->isReadOnly = true;
    arguments.push_back(makeDatum(view));
  }
  for (auto [number, shape] : llvm::enumerate(resultShapes)) {
    auto type = dyn_cast<tile::ViewType>(types[inputs.size() + number]);
    const NumberFormat *format = type ? getNumberFormat(type.getElementType()) : nullptr;
    if (!format)
      return unsupported(launch, "the type of result " + Twine(number));
    ViewRef view =
        makeTypedView("result " + std::to_string(number), format, shape, type.getMemory());
    // A result in the place of an input has its elements at first.
    if (auto inPlace = launch->getAttrOfType<DenseI64ArrayAttr>(graph::kInPlaceAttr);
        inPlace && inPlace[number] >= 0)
      writeTensor(*view, getTensor(inputs[inPlace[number]]));
    arguments.push_back(makeDatum(view));
  }
  if (failed(runTileKernel(kernel, arguments)))
    return failure();
  results.clear();
  for (const Datum &argument : ArrayRef(arguments).drop_front(inputs.size()))
    results.push_back(makeDatum(readTensor(getView(argument))));
  return success();
}
