//===- Interpreter.cpp - reference execution of graph, tile and host IR -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Interpreter/Interpreter.h"

#include "Machine.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

Interpreter::Interpreter(ModuleOp module, Options options)
    : machine(std::make_unique<Machine>(module, std::move(options))) {}

Interpreter::~Interpreter() = default;

Operation *Interpreter::findEntry(ModuleOp module) {
  if (auto run = module.lookupSymbol<func::FuncOp>("sectile_run"))
    return run;
  Operation *entry = nullptr;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function.isPublic() || function.isExternal())
      continue;
    if (entry)
      return nullptr;
    entry = function;
  }
  return entry;
}

/// Whether the types of `arguments` are those of `inputs`.
static LogicalResult checkInputs(Machine &machine, Operation *op, TypeRange types,
                                 ArrayRef<TensorRef> inputs) {
  if (types.size() < inputs.size())
    return machine.fault(op, "expects " + Twine(types.size()) + " inputs, but got " +
                                 Twine(inputs.size()));
  for (auto [number, input] : llvm::enumerate(inputs)) {
    auto type = dyn_cast<ShapedType>(types[number]);
    if (!type || !input || getNumberFormat(type.getElementType()) != input->format ||
        type.getRank() != static_cast<int64_t>(input->shape.size()))
      return machine.fault(op, "input " + Twine(number) + " has another type or rank");
    for (auto [dim, extent] : llvm::enumerate(type.getShape()))
      if (!ShapedType::isDynamic(extent) && extent != input->shape[dim])
        return machine.refuse(op, "input " + Twine(number) + " has extent " +
                                      Twine(input->shape[dim]) + " in dimension " + Twine(dim) +
                                      ", expected " + Twine(extent));
  }
  return success();
}

static Outcome finish(Machine &machine, LogicalResult result, TypeRange types,
                      ArrayRef<Datum> values) {
  Outcome outcome = machine.outcome;
  outcome.divisionsByZero = machine.arithmetic.divisionsByZero;
  if (succeeded(result))
    for (auto [number, value] : llvm::enumerate(values)) {
      if (value.object) {
        outcome.results.emplace_back(static_cast<TensorObject *>(value.object.get()));
        continue;
      }
      TensorRef scalar = makeTensor(getNumberFormat(types[number]), {});
      scalar->data[0] = value.element;
      outcome.results.push_back(std::move(scalar));
    }
  machine.outcome.status = Outcome::Finished;
  machine.outcome.message.clear();
  machine.arithmetic.divisionsByZero = 0;
  machine.operations = 0;
  return outcome;
}

Outcome Interpreter::run(Operation *entry, ArrayRef<TensorRef> inputs) {
  auto function = cast<func::FuncOp>(entry);
  bool isHost = function.getSymName() == "sectile_run";
  std::vector<Datum> results;
  auto execute = [&]() -> LogicalResult {
    if (failed(checkInputs(*machine, entry, function.getArgumentTypes(), inputs)))
      return failure();
    if (isHost)
      return machine->runHost(entry, inputs, results);
    if (function.getNumArguments() != inputs.size())
      return machine->fault(entry, "expects " + Twine(function.getNumArguments()) +
                                       " inputs, but got " + Twine(inputs.size()));
    FailureOr<const Function *> compiled = machine->getFunction(entry);
    if (failed(compiled))
      return failure();
    SmallVector<Datum> arguments;
    for (const TensorRef &input : inputs)
      arguments.push_back(makeDatum(input));
    machine->isObserved = static_cast<bool>(machine->options.onTensor);
    LogicalResult called = machine->call(**compiled, arguments, results);
    machine->isObserved = false;
    return called;
  };
  LogicalResult result = execute();
  return finish(*machine, result, function.getResultTypes(), results);
}

Outcome Interpreter::runKernel(Operation *kernel, ArrayRef<TensorRef> inputs,
                               ArrayRef<int64_t> indices, ArrayRef<Shape> resultShapes) {
  std::vector<Datum> results;
  auto execute = [&]() -> LogicalResult {
    SmallVector<Datum> arguments;
    auto types = cast<FunctionOpInterface>(kernel).getArgumentTypes();
    bool isTile = isa<tile::KernelOp>(kernel);
    for (Type type : ArrayRef(types).drop_back(isTile ? resultShapes.size() : 0)) {
      if (isa<IndexType>(type) ? indices.empty() : inputs.empty())
        return machine->fault(kernel, "expects more inputs");
      if (isa<IndexType>(type)) {
        arguments.push_back(makeIndex(indices.front()));
        indices = indices.drop_front();
        continue;
      }
      arguments.push_back(makeDatum(inputs.front()));
      inputs = inputs.drop_front();
    }
    if (isTile)
      return machine->runAsTileKernel(kernel, kernel, arguments, resultShapes, results);
    FailureOr<const Function *> compiled = machine->getFunction(kernel);
    return failed(compiled) ? failure() : machine->call(**compiled, arguments, results);
  };
  LogicalResult result = execute();
  return finish(*machine, result, cast<FunctionOpInterface>(kernel).getResultTypes(), results);
}
