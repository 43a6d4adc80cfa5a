//===- PlanPrepare.cpp - what runs before the model: checks and sizes -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Planner.h"

#include "Arena.h"
#include "Interface.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace sectile;

Value Planner::layOutSlots(HostScalars &scalars, OpBuilder &at) {
  Location loc = model.getLoc();
  SmallVector<Value> sizes(numSlots);
  for (auto &[tensor, buffer] : buffers) {
    if (buffer.output)
      continue;
    Value bytes = scalars.getBytes(tensor);
    Value &size = sizes[buffer.slot];
    size = size ? Value(arith::MaxUIOp::create(at, loc, size, bytes)) : bytes;
  }
  for (auto &[inner, child] : children) {
    HostScalars ofBody(scalars, loc);
    child->bindOuter(ofBody);
    Value bytes = child->layOutSlots(ofBody, at);
    Value &size = sizes[child->slotInParent];
    size = size ? Value(arith::MaxUIOp::create(at, loc, size, bytes)) : bytes;
  }
  if (parent) {
    for (Value state : getCarriedArguments())
      sizes.push_back(scalars.getBytes(state));
    sizes.push_back(scalars.constantIndex(1));
  }
  slotOffsets.clear();
  Value offset = scalars.constantIndex(0);
  AffineExpr symbol = builder.getAffineSymbolExpr(0);
  for (Value size : sizes) {
    if (!size) // of a tensor that is an output
      size = scalars.constantIndex(0);
    slotOffsets.push_back(offset);
    Value padded = affine::AffineApplyOp::create(
        at, loc, AffineMap::get(0, 1, symbol.ceilDiv(kAlignment) * kAlignment), ValueRange{size});
    offset = arith::AddIOp::create(at, loc, offset, padded);
  }
  return offset;
}

void Planner::moveSlots(Value base, OpBuilder &at) {
  if (base)
    for (Value &offset : slotOffsets)
      offset = arith::AddIOp::create(at, model.getLoc(), base, offset);
  for (auto &[inner, child] : children)
    child->moveSlots(slotOffsets[child->slotInParent], at);
}

ArrayRef<BlockArgument> Planner::getCarriedArguments() {
  return model.getArguments().slice(1, loop.getCarried().size());
}

void Planner::bindOuter(HostScalars &scalars) {
  for (auto [number, argument] : llvm::enumerate(model.getArguments().drop_front()))
    scalars.bindOuter(argument, loop->getOperand(loop.getFirstCarried() + number));
}

void Planner::writePrepare() {
  Location loc = model.getLoc();
  SmallVector<Type> inputs;
  for (Type type : model.getArgumentTypes())
    inputs.append(cast<RankedTensorType>(type).getNumDynamicDims(), builder.getIndexType());
  builder.setInsertionPoint(model);
  auto prepare =
      func::FuncOp::create(builder, loc, kPrepareFunction, builder.getFunctionType(inputs, {}));
  builder.setInsertionPointToStart(prepare.addEntryBlock());

  HostScalars scalars(builder, loc);
  scalars.takeBounds();
  SmallVector<int64_t> dataInputs;
  for (BlockArgument argument : model.getArguments()) {
    if (llvm::none_of(argument.getUsers(), llvm::IsaPred<tensor::ExtractOp>))
      continue;
    dataInputs.push_back(argument.getArgNumber());
    inputs.push_back(
        getBufferType(cast<RankedTensorType>(argument.getType()), placement.getLayout(argument)));
    scalars.bindBuffer(argument,
                       prepare.getBody().front().addArgument(inputs.back(), argument.getLoc()));
  }
  if (!dataInputs.empty())
    prepare->setAttr(kDataInputsAttr, builder.getDenseI64ArrayAttr(dataInputs));
  llvm::StringMap<std::pair<Value, std::string>> bound;
  SmallVector<Value> results;
  unsigned next = 0;
  PlannedInterface interface = getPlannedInterface(module);
  for (auto [number, argument] : llvm::enumerate(model.getArguments())) {
    auto type = cast<RankedTensorType>(argument.getType());
    const PlannedTensor &tensor = interface.inputs[number];
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (!type.isDynamicDim(dim))
        continue;
      Value extent = prepare.getArgument(next++);
      scalars.bind(argument, dim, extent);
      auto [it, isFirst] = bound.try_emplace(tensor.dims[dim], extent, tensor.name);
      if (isFirst) {
        results.push_back(extent);
        continue;
      }
      Value equal =
          arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, extent, it->second.first);
      std::string message = "input '" + tensor.name + "' has extent %0 in dimension " +
                            std::to_string(dim) + ", but '" + tensor.dims[dim] +
                            "' is %1 in input '" + it->second.second + "'";
      graph::CheckOp::create(builder, loc, equal, message, ValueRange{extent, it->second.first});
    }
  }
  writeChecks(scalars, builder, /*ofIterations=*/false);
  for (Value output : block.getTerminator()->getOperands())
    for (int64_t dim = 0; dim < cast<RankedTensorType>(output.getType()).getRank(); ++dim)
      results.push_back(scalars.getExtent(output, dim));
  results.push_back(layOutSlots(scalars, builder));
  func::ReturnOp::create(builder, loc, results);
  prepare.setFunctionType(
      builder.getFunctionType(inputs, SmallVector<Type>(results.size(), builder.getIndexType())));
}

void Planner::writeCheck(graph::CheckOp check, HostScalars &scalars, OpBuilder &at) {
  IRMapping mapping;
  for (Value operand : check->getOperands())
    mapping.map(operand, scalars.clone(operand));
  at.clone(*check, mapping);
}

void Planner::writeChecks(HostScalars &scalars, OpBuilder &at, bool ofIterations) {
  for (auto check : block.getOps<graph::CheckOp>()) {
    bool isOfIterations = llvm::any_of(check->getOperands(),
                                       [&](Value operand) { return dependsOnIteration(operand); });
    bool isOfCounts =
        llvm::any_of(check->getOperands(), [&](Value operand) { return dependsOnCount(operand); });
    // In a body what an iteration checks is checked when all is counted.
    bool isLate = isOfIterations || (parent && isOfCounts);
    if (isLate == ofIterations && (parent || !isOfCounts))
      writeCheck(check, scalars, at);
  }
  if (ofIterations)
    return;
  for (auto &[inner, child] : children) {
    HostScalars ofBody(scalars, inner.getLoc());
    child->bindOuter(ofBody);
    child->writeChecks(ofBody, at, false);
  }
}
