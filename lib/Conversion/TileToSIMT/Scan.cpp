//===- Scan.cpp - recurrences along a dimension -----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each thread gets whole rows along the dimension and goes through them in order,
// as the formula has it. That keeps any step and any rounding; threads work in
// parallel along the other dimensions only.
//
//===----------------------------------------------------------------------===//

#include "Serial.h"
#include "ThreadEmitter.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;

LogicalResult ThreadEmitter::emitScan(ScanOp op) {
  auto dim = static_cast<unsigned>(op.getDim());
  auto type = cast<RankedTensorType>(op.getInputs()[0].getType());
  ArrayRef<int64_t> shape = type.getShape();
  llvm::SmallBitVector dims(shape.size());
  dims.set(dim);
  FailureOr<DistributedLayout> serial = layOutSerially(op, type, dims, "elements");
  if (failed(serial))
    return failure();
  const DistributedLayout &rows = *serial;
  int64_t steps = shape[dim], count = rows.extent(Axis::Register);
  DistributedLayout states = rows.withoutDim(dim).withoutRegisterCopies();
  SmallVector<Value> inputs, state;
  for (Value input : op.getInputs())
    inputs.push_back(convert(getTile(input), rows).value);
  for (Value carry : op.getCarries())
    state.push_back(isa<RankedTensorType>(carry.getType()) ? convert(getTile(carry), states).value
                                                           : getScalar(carry));
  int64_t width = count / steps;
  // For each state, where each register's element is found.
  SmallVector<SmallVector<Element>> scanned(state.size(), SmallVector<Element>(count));
  for (int64_t i = 0; i < steps; ++i) {
    int64_t step = op.getReverse() ? steps - 1 - i : i;
    SmallVector<Value> arguments(state);
    for (Value input : inputs) {
      SmallVector<Element> elements;
      for (int64_t row = 0; row < width; ++row)
        elements.push_back({input, isa<VectorType>(input.getType()) ? step + row * steps : 0});
      arguments.push_back(splat(builder, loc, buildPart(builder, loc, elements), width));
    }
    FailureOr<SmallVector<Value>> next = emitBody(op.getStep().front(), arguments);
    if (failed(next))
      return failure();
    const SmallVector<Value> &kept = op.getExclusive() ? state : *next;
    for (auto [elements, value] : llvm::zip_equal(scanned, kept))
      for (int64_t row = 0; row < width; ++row)
        elements[step + row * steps] = {value, isa<VectorType>(value.getType()) ? row : 0};
    state = std::move(*next);
  }
  for (auto [original, elements] : llvm::zip_equal(op.getScanned(), scanned))
    setConverted(original, {rows, getElementTypeOrSelf(original.getType()),
                            splat(builder, loc, buildPart(builder, loc, elements), count)});
  for (auto [original, value] : llvm::zip_equal(op.getLasts(), state)) {
    if (isa<RankedTensorType>(original.getType()))
      setConverted(original, {states, getElementTypeOrSelf(original.getType()),
                              splat(builder, loc, value, width)});
    else
      setScalar(original, value);
  }
  return success();
}
