//===- Control.cpp - scf, affine, func and cf -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

/// Copies slots to slots all at once: a yield may permute what it carries.
static void transfer(Frame &frame, ArrayRef<unsigned> from, ArrayRef<unsigned> to) {
  SmallVector<Datum, 4> values;
  for (unsigned slot : from)
    values.push_back(frame[slot]);
  for (auto [slot, value] : llvm::zip_equal(to, values))
    frame[slot] = std::move(value);
}

static LogicalResult executeFor(Machine &machine, Frame &frame, const Step &step) {
  Shape bounds;
  if (failed(getIntegers(machine, frame, step, 0, 3, bounds)))
    return failure();
  if (bounds[2] <= 0)
    return machine.fault(step.op, "expects a positive loop step, but got " + Twine(bounds[2]));
  const Code &body = *step.regions[0];
  ArrayRef<unsigned> carried = ArrayRef(body.arguments).drop_front();
  transfer(frame, ArrayRef(step.operands).drop_front(3), carried);
  for (int64_t i = bounds[0]; i < bounds[1];) {
    frame[body.arguments[0]] = makeIndex(i);
    if (failed(machine.execute(body, frame)) || failed(machine.charge(step.op, 1)))
      return failure();
    transfer(frame, body.yields, carried);
    if (__builtin_add_overflow(i, bounds[2], &i))
      break;
  }
  transfer(frame, carried, step.results);
  return success();
}

static LogicalResult executeIf(Machine &machine, Frame &frame, const Step &step) {
  auto condition = machine.getInteger(step.op, frame[step.operands[0]], "a branch");
  if (failed(condition))
    return failure();
  const Code &code = *step.regions[*condition ? 0 : 1];
  if (failed(machine.execute(code, frame)))
    return failure();
  transfer(frame, code.yields, step.results);
  return success();
}

static LogicalResult executeWhile(Machine &machine, Frame &frame, const Step &step) {
  const Code &before = *step.regions[0], &after = *step.regions[1];
  transfer(frame, step.operands, before.arguments);
  for (;;) {
    if (failed(machine.execute(before, frame)) || failed(machine.charge(step.op, 1)))
      return failure();
    auto condition = machine.getInteger(step.op, frame[before.yields[0]], "a loop's condition");
    if (failed(condition))
      return failure();
    ArrayRef<unsigned> forwarded = ArrayRef(before.yields).drop_front();
    if (!*condition) {
      transfer(frame, forwarded, step.results);
      return success();
    }
    transfer(frame, forwarded, after.arguments);
    if (failed(machine.execute(after, frame)))
      return failure();
    transfer(frame, after.yields, before.arguments);
  }
}

//===----------------------------------------------------------------------===//
// Affine
//===----------------------------------------------------------------------===//

/// The values of a map's results, or failure.
static LogicalResult evaluateMap(Machine &machine, Frame &frame, const Step &step, AffineMap map,
                                 Shape &values) {
  Shape operands;
  if (failed(getIntegers(machine, frame, step, 0, step.operands.size(), operands)))
    return failure();
  ArrayRef<int64_t> dims = ArrayRef(operands).take_front(map.getNumDims());
  ArrayRef<int64_t> symbols = ArrayRef(operands).drop_front(map.getNumDims());
  for (AffineExpr expr : map.getResults()) {
    std::optional<int64_t> value = evaluate(expr, dims, symbols);
    if (!value)
      return machine.fault(step.op, "an affine expression divides by what is not positive");
    values.push_back(*value);
  }
  return success();
}

static LogicalResult executeApply(Machine &machine, Frame &frame, const Step &step) {
  // A computed index may be a tie (a position found by comparing floats).
  auto apply = cast<affine::AffineApplyOp>(step.op);
  bool isExact = true;
  for (unsigned slot : step.operands) {
    if (frame[slot].element.isUndefined()) {
      frame[step.results[0]] = makeDatum(Element::makeUndefined());
      return success();
    }
    isExact &= frame[slot].element.isExact();
  }
  if (!isExact) {
    frame[step.results[0]] = makeDatum(Element::makeInteger(0, kUnbounded));
    return success();
  }
  Shape values;
  if (failed(evaluateMap(machine, frame, step, apply.getAffineMap(), values)))
    return failure();
  frame[step.results[0]] = makeIndex(values[0]);
  return success();
}

static LogicalResult executeMin(Machine &machine, Frame &frame, const Step &step) {
  Shape values;
  if (failed(
          evaluateMap(machine, frame, step, cast<affine::AffineMinOp>(step.op).getMap(), values)))
    return failure();
  frame[step.results[0]] = makeIndex(*llvm::min_element(values));
  return success();
}

static LogicalResult executeMax(Machine &machine, Frame &frame, const Step &step) {
  Shape values;
  if (failed(
          evaluateMap(machine, frame, step, cast<affine::AffineMaxOp>(step.op).getMap(), values)))
    return failure();
  frame[step.results[0]] = makeIndex(*llvm::max_element(values));
  return success();
}

//===----------------------------------------------------------------------===//
// Calls and assertions
//===----------------------------------------------------------------------===//

static LogicalResult executeCall(Machine &machine, Frame &frame, const Step &step) {
  auto call = cast<func::CallOp>(step.op);
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
  auto function = machine.getFunction(callee);
  if (failed(function))
    return failure();
  SmallVector<Datum> arguments;
  for (unsigned slot : step.operands)
    arguments.push_back(frame[slot]);
  std::vector<Datum> results;
  if (failed(machine.call(**function, arguments, results)))
    return failure();
  for (auto [slot, result] : llvm::zip_equal(step.results, results))
    frame[slot] = result;
  return success();
}

static LogicalResult executeAssert(Machine &machine, Frame &frame, const Step &step) {
  auto condition = machine.getInteger(step.op, frame[step.operands[0]], "an assertion");
  if (failed(condition))
    return failure();
  return *condition ? success() : machine.refuse(step.op, cast<cf::AssertOp>(step.op).getMsg());
}

void interp::addControlHandlers(HandlerTable &table) {
  table["scf.for"] = {executeFor};
  table["scf.if"] = {executeIf};
  table["scf.while"] = {executeWhile};
  table["affine.apply"] = {executeApply};
  table["affine.min"] = {executeMin};
  table["affine.max"] = {executeMax};
  table["func.call"] = {executeCall};
  table["cf.assert"] = {executeAssert};
}
