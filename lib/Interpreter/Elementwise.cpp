//===- Elementwise.cpp - arith and math on scalars and tensors -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

namespace {
struct ScalarPayload : Payload {
  ScalarOp op;
};
struct ConstantPayload : Payload {
  Datum value;
};
} // namespace

static LogicalResult prepareScalar(Compiler &, Step &step) {
  auto payload = std::make_unique<ScalarPayload>();
  payload->op = *getScalarOp(step.op);
  step.payload = std::move(payload);
  return success();
}

static LogicalResult executeScalar(Machine &machine, Frame &frame, const Step &step) {
  const ScalarOp &op = static_cast<const ScalarPayload &>(*step.payload).op;
  unsigned count = step.operands.size();
  assert(count <= 3 && "no scalar op has more operands");
  Element operands[3];
  const TensorObject *tensors[3] = {};
  const TensorObject *shaped = nullptr;
  for (unsigned i = 0; i < count; ++i) {
    const Datum &datum = frame[step.operands[i]];
    operands[i] = datum.element;
    if (datum.object)
      shaped = tensors[i] = &getTensor(datum);
  }
  if (!shaped) {
    frame[step.results[0]] = makeDatum(machine.arithmetic.evaluate(op, operands));
    return machine.charge(step.op, 1);
  }
  for (const TensorObject *tensor : tensors)
    if (tensor && tensor->shape != shaped->shape)
      return machine.fault(step.op, "operands differ in shape");
  TensorRef result = makeTensor(op.out, shaped->shape);
  for (size_t e = 0; e < result->data.size(); ++e) {
    for (unsigned i = 0; i < count; ++i)
      if (tensors[i])
        operands[i] = tensors[i]->data[e];
    result->data[e] = machine.arithmetic.evaluate(op, operands);
  }
  frame[step.results[0]] = makeDatum(result);
  return machine.charge(step.op, shaped->data.size());
}

Handler interp::getScalarHandler() { return {executeScalar, prepareScalar}; }

static LogicalResult prepareConstant(Compiler &compiler, Step &step) {
  auto payload = std::make_unique<ConstantPayload>();
  auto constant = cast<arith::ConstantOp>(step.op);
  if (auto elements = dyn_cast<ElementsAttr>(constant.getValue())) {
    TensorRef tensor = makeTensor(elements);
    if (!tensor)
      return compiler.machine.unsupported(step.op, "a constant of this type or without its data");
    payload->value = makeDatum(tensor);
  } else if (auto real = dyn_cast<FloatAttr>(constant.getValue())) {
    payload->value = makeDatum(Element::makeReal(real.getValueAsDouble()));
  } else if (auto integer = dyn_cast<IntegerAttr>(constant.getValue())) {
    if (!getNumberFormat(integer.getType()))
      return compiler.machine.unsupported(step.op, "a constant of this type");
    payload->value = makeDatum(Element::makeInteger(integer.getValue().getSExtValue()));
  } else {
    return compiler.machine.unsupported(step.op, "a constant of this type");
  }
  step.payload = std::move(payload);
  return success();
}

static LogicalResult executeConstant(Machine &, Frame &frame, const Step &step) {
  frame[step.results[0]] = static_cast<const ConstantPayload &>(*step.payload).value;
  return success();
}

void interp::addElementwiseHandlers(HandlerTable &table) {
  table["arith.constant"] = {executeConstant, prepareConstant};
}
