//===- Machine.cpp - compiled form of interpreted IR, and its execution -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

static const HandlerTable &getHandlers() {
  static const HandlerTable table = [] {
    HandlerTable handlers;
    addControlHandlers(handlers);
    addElementwiseHandlers(handlers);
    addGraphHandlers(handlers);
    addHostHandlers(handlers);
    addDispatchHandlers(handlers);
    addTensorHandlers(handlers);
    addNumberHandlers(handlers);
    addScanHandlers(handlers);
    addTileHandlers(handlers);
    addTopKHandlers(handlers);
    addTransferHandlers(handlers);
    return handlers;
  }();
  return table;
}

//===----------------------------------------------------------------------===//
// Compiler
//===----------------------------------------------------------------------===//

unsigned Compiler::getSlot(Value value) {
  return slots.try_emplace(value, slots.size()).first->second;
}

FailureOr<std::unique_ptr<Function>> Compiler::compile(Operation *op) {
  auto function = std::make_unique<Function>();
  function->op = op;
  Region &body = *cast<FunctionOpInterface>(op).getCallableRegion();
  if (body.empty())
    return machine.unsupported(op, "a function without body");
  if (!body.hasOneBlock())
    return machine.unsupported(op, "a function of more than one block");
  if (failed(compileBlock(body.front(), function->body)))
    return failure();
  function->numSlots = slots.size();
  return function;
}

FailureOr<std::unique_ptr<Code>> Compiler::compileRegion(Region &region) {
  auto code = std::make_unique<Code>();
  if (region.empty())
    return code;
  if (!region.hasOneBlock())
    return machine.unsupported(region.getParentOp(), "a region of more than one block");
  if (failed(compileBlock(region.front(), *code)))
    return failure();
  return code;
}

LogicalResult Compiler::compileBlock(Block &block, Code &code) {
  for (Value argument : block.getArguments())
    code.arguments.push_back(getSlot(argument));
  for (Operation &op : block) {
    if (&op == &block.back() && op.hasTrait<OpTrait::IsTerminator>()) {
      for (Value operand : op.getOperands())
        code.yields.push_back(getSlot(operand));
      return success();
    }
    if (failed(compileOp(op, code)))
      return failure();
  }
  return success();
}

LogicalResult Compiler::compileOp(Operation &op, Code &code) {
  Handler handler{};
  auto it = getHandlers().find(op.getName().getStringRef());
  if (it != getHandlers().end())
    handler = it->second;
  else if (isa<linalg::LinalgOp>(op))
    handler = getLinalgHandler();
  else if (getScalarOp(&op))
    handler = getScalarHandler();
  else
    return machine.unsupported(&op, "cannot execute '" + op.getName().getStringRef() +
                                        "' on these types");
  Step step{handler.execute, &op, {}, {}, {}, {}};
  for (Value operand : op.getOperands())
    step.operands.push_back(getSlot(operand));
  for (Value result : op.getResults())
    step.results.push_back(getSlot(result));
  for (Region &region : op.getRegions()) {
    auto regionCode = compileRegion(region);
    if (failed(regionCode))
      return failure();
    step.regions.push_back(std::move(*regionCode));
  }
  if (handler.prepare && failed(handler.prepare(*this, step)))
    return failure();
  code.steps.push_back(std::move(step));
  return success();
}

//===----------------------------------------------------------------------===//
// Machine
//===----------------------------------------------------------------------===//

Machine::Machine(ModuleOp module, Options options)
    : module(module), options(std::move(options)),
      outcome{Outcome::Finished, "", module.getLoc(), {}, 0} {
  arithmetic.rounds = this->options.rounds;
}

LogicalResult Machine::stop(Outcome::Status status, Operation *op, const llvm::Twine &message) {
  outcome.status = status;
  outcome.message = message.str();
  outcome.location = op->getLoc();
  return failure();
}

LogicalResult Machine::charge(Operation *op, uint64_t count) {
  operations += count;
  if (options.maxOperations && operations > options.maxOperations)
    return stop(Outcome::Exhausted, op,
                "gave up after " + llvm::Twine(options.maxOperations) + " element operations");
  return success();
}

FailureOr<const Function *> Machine::getFunction(Operation *op) {
  std::unique_ptr<Function> &function = functions[op];
  if (!function) {
    auto compiled = Compiler(*this).compile(op);
    if (failed(compiled))
      return failure();
    function = std::move(*compiled);
  }
  return function.get();
}

LogicalResult Machine::execute(const Code &code, Frame &frame) {
  for (const Step &step : code.steps) {
    if (failed(step.execute(*this, frame, step)))
      return failure();
    if (!isObserved)
      continue;
    for (auto [number, slot] : llvm::enumerate(step.results)) {
      Datum &datum = frame[slot];
      if (!datum.object || datum.object->kind != Object::Tensor)
        continue;
      TensorRef tensor(static_cast<TensorObject *>(datum.object.get()));
      options.onTensor(step.op->getResult(number), tensor);
      datum = makeDatum(tensor);
    }
  }
  return success();
}

LogicalResult Machine::callKernel(const Function &function, ArrayRef<Datum> arguments,
                                  std::vector<Datum> &results) {
  bool wasObserved = std::exchange(isObserved, false);
  LogicalResult result = call(function, arguments, results);
  isObserved = wasObserved;
  return result;
}

LogicalResult Machine::call(const Function &function, ArrayRef<Datum> arguments,
                            std::vector<Datum> &results) {
  Frame frame(function.numSlots);
  for (auto [slot, argument] : llvm::zip_equal(function.body.arguments, arguments))
    frame[slot] = argument;
  if (failed(execute(function.body, frame)))
    return failure();
  results.clear();
  for (unsigned slot : function.body.yields)
    results.push_back(frame[slot]);
  return success();
}

FailureOr<int64_t> Machine::getInteger(Operation *op, const Datum &datum, StringRef what) {
  if (datum.element.isUndefined())
    return fault(op, what + " depends on what was never written");
  if (!datum.element.isExact())
    return unsupported(op, what + " depends on a tie between floats");
  return datum.element.integer;
}

Operation *Machine::findTileKernel(StringRef name) {
  if (!tileKernelsKnown) {
    tileKernelsKnown = true;
    for (ModuleOp nested : module.getOps<ModuleOp>()) {
      auto kernels = nested.getOps<tile::KernelOp>();
      if (kernels.empty() || (!options.level.empty() && nested.getName() != options.level))
        continue;
      for (tile::KernelOp kernel : kernels)
        tileKernels[kernel.getSymName()] = kernel;
      break;
    }
  }
  return options.ignoreTileKernels ? nullptr : tileKernels.lookup(name);
}

//===----------------------------------------------------------------------===//
// Helpers of steps
//===----------------------------------------------------------------------===//

LogicalResult interp::getIntegers(Machine &machine, Frame &frame, const Step &step, unsigned first,
                                  unsigned count, Shape &values) {
  for (unsigned i = first; i < first + count; ++i) {
    auto value = machine.getInteger(step.op, frame[step.operands[i]], "an index");
    if (failed(value))
      return failure();
    values.push_back(*value);
  }
  return success();
}

Shape interp::resolveShape(ArrayRef<int64_t> shape, ArrayRef<int64_t> sizes) {
  Shape result(shape);
  size_t next = 0;
  for (int64_t &extent : result)
    if (ShapedType::isDynamic(extent))
      extent = sizes[next++];
  return result;
}

std::optional<int64_t> interp::evaluate(AffineExpr expr, ArrayRef<int64_t> dims,
                                        ArrayRef<int64_t> symbols) {
  switch (expr.getKind()) {
  case AffineExprKind::Constant:
    return cast<AffineConstantExpr>(expr).getValue();
  case AffineExprKind::DimId:
    return dims[cast<AffineDimExpr>(expr).getPosition()];
  case AffineExprKind::SymbolId:
    return symbols[cast<AffineSymbolExpr>(expr).getPosition()];
  default:
    break;
  }
  auto binary = cast<AffineBinaryOpExpr>(expr);
  std::optional<int64_t> a = evaluate(binary.getLHS(), dims, symbols);
  std::optional<int64_t> b = evaluate(binary.getRHS(), dims, symbols);
  if (!a || !b)
    return std::nullopt;
  if (expr.getKind() == AffineExprKind::Add)
    return *a + *b;
  if (expr.getKind() == AffineExprKind::Mul)
    return *a * *b;
  if (*b <= 0)
    return std::nullopt;
  int64_t remainder = *a % *b, quotient = *a / *b;
  if (remainder < 0) {
    remainder += *b;
    --quotient;
  }
  if (expr.getKind() == AffineExprKind::Mod)
    return remainder;
  return expr.getKind() == AffineExprKind::FloorDiv ? quotient : quotient + (remainder != 0);
}

std::string interp::fillPlaceholders(StringRef message, ArrayRef<int64_t> values) {
  std::string text;
  for (size_t i = 0; i < message.size(); ++i) {
    bool isPlaceholder = message[i] == '%' && i + 1 < message.size() &&
                         llvm::isDigit(message[i + 1]) &&
                         static_cast<size_t>(message[i + 1] - '0') < values.size();
    if (isPlaceholder)
      text += std::to_string(values[message[++i] - '0']);
    else
      text += message[i];
  }
  return text;
}
