//===- TensorOps.cpp - the tensor dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

/// The format of a step's first result.
static const NumberFormat *getResultFormat(const Step &step) {
  return getNumberFormat(getElementTypeOrSelf(step.op->getResult(0).getType()));
}

static LogicalResult checkExtents(Machine &machine, const Step &step, ArrayRef<int64_t> shape) {
  uint64_t count = 1;
  for (int64_t extent : shape) {
    if (extent < 0)
      return machine.fault(step.op, "a tensor of extent " + Twine(extent));
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(extent), &count) ||
        count > (uint64_t(1) << 34))
      return machine.unsupported(step.op, "a tensor of more than 2^34 elements");
  }
  return machine.charge(step.op, count);
}

/// Values of offsets, sizes or strides that are partly constant.
static LogicalResult resolve(Machine &machine, Frame &frame, const Step &step,
                             ArrayRef<int64_t> constants, unsigned firstOperand, Shape &values) {
  unsigned next = firstOperand;
  for (int64_t constant : constants) {
    if (!ShapedType::isDynamic(constant)) {
      values.push_back(constant);
      continue;
    }
    if (failed(getIntegers(machine, frame, step, next++, 1, values)))
      return failure();
  }
  return success();
}

static int64_t linearize(ArrayRef<int64_t> coords, ArrayRef<int64_t> strides) {
  int64_t position = 0;
  for (auto [coord, stride] : llvm::zip_equal(coords, strides))
    position += coord * stride;
  return position;
}

//===----------------------------------------------------------------------===//
// Making and measuring
//===----------------------------------------------------------------------===//

static LogicalResult executeEmpty(Machine &machine, Frame &frame, const Step &step) {
  auto type = cast<RankedTensorType>(step.op->getResult(0).getType());
  Shape sizes;
  if (!getResultFormat(step))
    return machine.unsupported(step.op, "an element type without a number format");
  if (failed(getIntegers(machine, frame, step, 0, step.operands.size(), sizes)))
    return failure();
  Shape shape = resolveShape(type.getShape(), sizes);
  if (failed(checkExtents(machine, step, shape)))
    return failure();
  frame[step.results[0]] = makeDatum(makeTensor(getResultFormat(step), shape));
  return success();
}

static LogicalResult executeSplat(Machine &machine, Frame &frame, const Step &step) {
  auto type = cast<RankedTensorType>(step.op->getResult(0).getType());
  Shape sizes;
  if (failed(getIntegers(machine, frame, step, 1, step.operands.size() - 1, sizes)))
    return failure();
  Shape shape = resolveShape(type.getShape(), sizes);
  if (failed(checkExtents(machine, step, shape)))
    return failure();
  TensorRef tensor = makeTensor(getResultFormat(step), shape);
  llvm::fill(tensor->data, frame[step.operands[0]].element);
  frame[step.results[0]] = makeDatum(tensor);
  return success();
}

static LogicalResult executeFromElements(Machine &, Frame &frame, const Step &step) {
  auto type = cast<RankedTensorType>(step.op->getResult(0).getType());
  TensorRef tensor = makeTensor(getResultFormat(step), type.getShape());
  for (auto [element, slot] : llvm::zip_equal(tensor->data, step.operands))
    element = frame[slot].element;
  frame[step.results[0]] = makeDatum(tensor);
  return success();
}

static LogicalResult executeDim(Machine &machine, Frame &frame, const Step &step) {
  const TensorObject &tensor = getTensor(frame[step.operands[0]]);
  Shape dim;
  if (failed(getIntegers(machine, frame, step, 1, 1, dim)))
    return failure();
  if (dim[0] < 0 || dim[0] >= static_cast<int64_t>(tensor.shape.size()))
    return machine.fault(step.op, "dimension " + Twine(dim[0]) + " of a tensor of rank " +
                                      Twine(tensor.shape.size()));
  frame[step.results[0]] = makeIndex(tensor.shape[dim[0]]);
  return success();
}

static LogicalResult executeGenerate(Machine &machine, Frame &frame, const Step &step) {
  auto type = cast<RankedTensorType>(step.op->getResult(0).getType());
  Shape sizes;
  if (failed(getIntegers(machine, frame, step, 0, step.operands.size(), sizes)))
    return failure();
  Shape shape = resolveShape(type.getShape(), sizes);
  if (failed(checkExtents(machine, step, shape)))
    return failure();
  TensorRef tensor = makeTensor(getResultFormat(step), shape);
  const Code &body = *step.regions[0];
  Shape coords(shape.size(), 0);
  for (Element &element : tensor->data) {
    for (auto [slot, coord] : llvm::zip_equal(body.arguments, coords))
      frame[slot] = makeIndex(coord);
    if (failed(machine.execute(body, frame)))
      return failure();
    element = frame[body.yields[0]].element;
    advance(coords, shape);
  }
  frame[step.results[0]] = makeDatum(tensor);
  return success();
}

//===----------------------------------------------------------------------===//
// Single elements
//===----------------------------------------------------------------------===//

/// The position that an extract or insert names; none if an index is a tie.
static LogicalResult locate(Machine &machine, Frame &frame, const Step &step,
                            const TensorObject &tensor, unsigned firstOperand,
                            std::optional<int64_t> &position) {
  Shape coords;
  for (unsigned i = firstOperand; i < step.operands.size(); ++i)
    if (frame[step.operands[i]].element.bound > 0) {
      position = std::nullopt;
      return success();
    }
  if (failed(getIntegers(machine, frame, step, firstOperand, step.operands.size() - firstOperand,
                         coords)))
    return failure();
  for (auto [dim, coord] : llvm::enumerate(coords))
    if (coord < 0 || coord >= tensor.shape[dim])
      return machine.fault(step.op, "index " + Twine(coord) + " is outside of dimension " +
                                        Twine(dim) + " of extent " + Twine(tensor.shape[dim]));
  position = linearize(coords, getRowMajorStrides(tensor.shape));
  return success();
}

static LogicalResult executeExtract(Machine &machine, Frame &frame, const Step &step) {
  const TensorObject &tensor = getTensor(frame[step.operands[0]]);
  std::optional<int64_t> position;
  if (failed(locate(machine, frame, step, tensor, 1, position)))
    return failure();
  Element element = position ? tensor.data[*position] : Element::makeReal(0, kUnbounded);
  frame[step.results[0]] = makeDatum(element);
  return machine.charge(step.op, 1);
}

static LogicalResult executeInsert(Machine &machine, Frame &frame, const Step &step) {
  TensorRef tensor(new TensorObject(getTensor(frame[step.operands[1]])));
  std::optional<int64_t> position;
  if (failed(locate(machine, frame, step, *tensor, 2, position)))
    return failure();
  if (!position)
    return machine.unsupported(step.op, "an index depends on a tie between floats");
  tensor->data[*position] = frame[step.operands[0]].element;
  frame[step.results[0]] = makeDatum(tensor);
  return machine.charge(step.op, 1);
}

//===----------------------------------------------------------------------===//
// Reshaping
//===----------------------------------------------------------------------===//

/// The same elements under another shape.
static LogicalResult reshape(Machine &machine, Frame &frame, const Step &step, Shape shape) {
  const TensorObject &source = getTensor(frame[step.operands[0]]);
  if (countElements(shape) != static_cast<int64_t>(source.data.size()))
    return machine.fault(step.op, "reshapes " + Twine(source.data.size()) + " elements to " +
                                      Twine(countElements(shape)));
  TensorRef tensor(new TensorObject(source));
  tensor->shape = std::move(shape);
  frame[step.results[0]] = makeDatum(tensor);
  return machine.charge(step.op, source.data.size());
}

static LogicalResult executeExpand(Machine &machine, Frame &frame, const Step &step) {
  auto expand = cast<tensor::ExpandShapeOp>(step.op);
  Shape shape;
  if (failed(resolve(machine, frame, step, expand.getStaticOutputShape(), 1, shape)))
    return failure();
  const TensorObject &source = getTensor(frame[step.operands[0]]);
  for (auto [dim, group] : llvm::enumerate(expand.getReassociationIndices())) {
    int64_t product = 1;
    for (int64_t inner : group)
      product *= shape[inner];
    if (product != source.shape[dim])
      return machine.fault(step.op,
                           "expands extent " + Twine(source.shape[dim]) + " to " + Twine(product));
  }
  return reshape(machine, frame, step, shape);
}

static LogicalResult executeCollapse(Machine &machine, Frame &frame, const Step &step) {
  auto collapse = cast<tensor::CollapseShapeOp>(step.op);
  const TensorObject &source = getTensor(frame[step.operands[0]]);
  Shape shape;
  for (ArrayRef<int64_t> group : collapse.getReassociationIndices()) {
    int64_t product = 1;
    for (int64_t inner : group)
      product *= source.shape[inner];
    shape.push_back(product);
  }
  return reshape(machine, frame, step, shape);
}

static LogicalResult executeReshape(Machine &machine, Frame &frame, const Step &step) {
  Shape shape;
  for (const Element &extent : getTensor(frame[step.operands[1]]).data) {
    auto value = machine.getInteger(step.op, makeDatum(extent), "an extent");
    if (failed(value))
      return failure();
    shape.push_back(*value);
  }
  return reshape(machine, frame, step, shape);
}

static LogicalResult executeCast(Machine &machine, Frame &frame, const Step &step) {
  const TensorObject &source = getTensor(frame[step.operands[0]]);
  auto type = dyn_cast<RankedTensorType>(step.op->getResult(0).getType());
  if (type)
    for (auto [dim, extent] : llvm::enumerate(type.getShape()))
      if (!ShapedType::isDynamic(extent) && extent != source.shape[dim])
        return machine.fault(step.op, "casts extent " + Twine(source.shape[dim]) +
                                          " of dimension " + Twine(dim) + " to " + Twine(extent));
  frame[step.results[0]] = frame[step.operands[0]];
  return success();
}

//===----------------------------------------------------------------------===//
// Slices
//===----------------------------------------------------------------------===//

/// A slice of a tensor: where the element at given coordinates of the slice lies.
struct Slice {
  Shape offsets, sizes, strides;
};

static LogicalResult getSlice(Machine &machine, Frame &frame, const Step &step,
                              OffsetSizeAndStrideOpInterface op, const TensorObject &tensor,
                              Slice &slice) {
  unsigned first = op.getOffsetSizeAndStrideStartOperandIndex();
  unsigned numOffsets = op.getOffsets().size(), numSizes = op.getSizes().size();
  if (failed(resolve(machine, frame, step, op.getStaticOffsets(), first, slice.offsets)) ||
      failed(resolve(machine, frame, step, op.getStaticSizes(), first + numOffsets, slice.sizes)) ||
      failed(resolve(machine, frame, step, op.getStaticStrides(), first + numOffsets + numSizes,
                     slice.strides)))
    return failure();
  for (size_t dim = 0; dim < slice.sizes.size(); ++dim) {
    int64_t last = slice.offsets[dim] + (slice.sizes[dim] - 1) * slice.strides[dim];
    if (slice.sizes[dim] < 0 ||
        (slice.sizes[dim] > 0 && (slice.offsets[dim] < 0 || last < 0 ||
                                  std::max(slice.offsets[dim], last) >= tensor.shape[dim])))
      return machine.fault(step.op, "a slice of " + Twine(slice.sizes[dim]) + " from " +
                                        Twine(slice.offsets[dim]) + " by " +
                                        Twine(slice.strides[dim]) + " leaves dimension " +
                                        Twine(dim) + " of extent " + Twine(tensor.shape[dim]));
  }
  return machine.charge(step.op, countElements(slice.sizes));
}

/// Calls `visit` with the position in the tensor of each element of the slice, in order.
template <typename Visit>
static void forEachPosition(const Slice &slice, const TensorObject &tensor, Visit visit) {
  if (countElements(slice.sizes) == 0)
    return;
  Shape strides = getRowMajorStrides(tensor.shape), coords(slice.sizes.size(), 0);
  do {
    int64_t position = 0;
    for (size_t dim = 0; dim < coords.size(); ++dim)
      position += (slice.offsets[dim] + coords[dim] * slice.strides[dim]) * strides[dim];
    visit(position);
  } while (advance(coords, slice.sizes));
}

static LogicalResult executeExtractSlice(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tensor::ExtractSliceOp>(step.op);
  const TensorObject &source = getTensor(frame[step.operands[0]]);
  Slice slice;
  if (failed(getSlice(machine, frame, step, op, source, slice)))
    return failure();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  Shape shape;
  for (size_t dim = 0; dim < slice.sizes.size(); ++dim)
    if (!dropped.test(dim))
      shape.push_back(slice.sizes[dim]);
  TensorRef tensor = makeTensor(source.format, shape);
  auto *out = tensor->data.data();
  forEachPosition(slice, source, [&](int64_t position) { *out++ = source.data[position]; });
  frame[step.results[0]] = makeDatum(tensor);
  return success();
}

static LogicalResult executeInsertSlice(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tensor::InsertSliceOp>(step.op);
  const TensorObject &source = getTensor(frame[step.operands[0]]);
  TensorRef tensor(new TensorObject(getTensor(frame[step.operands[1]])));
  Slice slice;
  if (failed(getSlice(machine, frame, step, op, *tensor, slice)))
    return failure();
  if (countElements(slice.sizes) != static_cast<int64_t>(source.data.size()))
    return machine.fault(step.op, "inserts " + Twine(source.data.size()) +
                                      " elements into a slice of " +
                                      Twine(countElements(slice.sizes)));
  const auto *in = source.data.data();
  forEachPosition(slice, *tensor, [&](int64_t position) { tensor->data[position] = *in++; });
  frame[step.results[0]] = makeDatum(tensor);
  return success();
}

//===----------------------------------------------------------------------===//
// Concatenation and padding
//===----------------------------------------------------------------------===//

static LogicalResult executeConcat(Machine &machine, Frame &frame, const Step &step) {
  int64_t dim = cast<tensor::ConcatOp>(step.op).getDim();
  Shape shape = getTensor(frame[step.operands[0]]).shape;
  shape[dim] = 0;
  for (unsigned slot : step.operands) {
    Shape other = getTensor(frame[slot]).shape;
    shape[dim] += other[dim];
    other[dim] = shape[dim];
    if (other != shape)
      return machine.fault(step.op, "inputs of a concatenation differ in another dimension");
  }
  TensorRef tensor = makeTensor(getResultFormat(step), shape);
  Slice slice{Shape(shape.size(), 0), shape, Shape(shape.size(), 1)};
  for (unsigned slot : step.operands) {
    const TensorObject &source = getTensor(frame[slot]);
    slice.sizes[dim] = source.shape[dim];
    const auto *in = source.data.data();
    forEachPosition(slice, *tensor, [&](int64_t position) { tensor->data[position] = *in++; });
    slice.offsets[dim] += source.shape[dim];
  }
  frame[step.results[0]] = makeDatum(tensor);
  return machine.charge(step.op, countElements(shape));
}

static LogicalResult executePad(Machine &machine, Frame &frame, const Step &step) {
  auto op = cast<tensor::PadOp>(step.op);
  const TensorObject &source = getTensor(frame[step.operands[0]]);
  Shape low, high, shape = source.shape;
  if (failed(resolve(machine, frame, step, op.getStaticLow(), 1, low)) ||
      failed(resolve(machine, frame, step, op.getStaticHigh(), 1 + op.getLow().size(), high)))
    return failure();
  for (size_t dim = 0; dim < shape.size(); ++dim)
    shape[dim] += low[dim] + high[dim];
  if (failed(checkExtents(machine, step, shape)))
    return failure();
  TensorRef tensor = makeTensor(source.format, shape);
  Shape strides = getRowMajorStrides(source.shape), coords(shape.size(), 0);
  const Code &body = *step.regions[0];
  for (Element &element : tensor->data) {
    int64_t position = 0;
    bool isInside = true;
    for (size_t dim = 0; dim < shape.size(); ++dim) {
      int64_t coord = coords[dim] - low[dim];
      isInside &= coord >= 0 && coord < source.shape[dim];
      position += coord * strides[dim];
    }
    if (isInside) {
      element = source.data[position];
    } else {
      for (auto [slot, coord] : llvm::zip_equal(body.arguments, coords))
        frame[slot] = makeIndex(coord);
      if (failed(machine.execute(body, frame)))
        return failure();
      element = frame[body.yields[0]].element;
    }
    advance(coords, shape);
  }
  frame[step.results[0]] = makeDatum(tensor);
  return success();
}

static LogicalResult executeIndex(Machine &machine, Frame &frame, const Step &step) {
  frame[step.results[0]] = makeIndex(machine.loopIndices[cast<linalg::IndexOp>(step.op).getDim()]);
  return success();
}

void interp::addTensorHandlers(HandlerTable &table) {
  table["tensor.empty"] = {executeEmpty};
  table["tensor.splat"] = {executeSplat};
  table["tensor.from_elements"] = {executeFromElements};
  table["tensor.dim"] = {executeDim};
  table["tensor.generate"] = {executeGenerate};
  table["tensor.extract"] = {executeExtract};
  table["tensor.insert"] = {executeInsert};
  table["tensor.expand_shape"] = {executeExpand};
  table["tensor.collapse_shape"] = {executeCollapse};
  table["tensor.reshape"] = {executeReshape};
  table["tensor.cast"] = {executeCast};
  table["tensor.extract_slice"] = {executeExtractSlice};
  table["tensor.insert_slice"] = {executeInsertSlice};
  table["tensor.concat"] = {executeConcat};
  table["tensor.pad"] = {executePad};
  table["linalg.index"] = {executeIndex};
}
