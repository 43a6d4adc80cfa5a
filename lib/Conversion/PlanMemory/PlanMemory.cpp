//===- PlanMemory.cpp - give every tensor of the host program a place in memory -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Conversion/Host.h"

#include "Arena.h"
#include "Interface.h"
#include "Planner.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

#include <memory>

namespace sectile {
#define GEN_PASS_DEF_GRAPHPLANMEMORYPASS
#include "sectile/Conversion/HostPasses.h.inc"
} // namespace sectile

using namespace mlir;
using namespace sectile;

LogicalResult Planner::run() {
  if (failed(analyze()))
    return failure();
  recordInterface(module, model);
  writePrepare();
  return writeRun();
}

LogicalResult Planner::analyze() {
  for (auto inner : block.getOps<graph::LoopOp>()) {
    auto body = module.lookupSymbol<func::FuncOp>(inner.getBody());
    auto *child = new Planner(*this, inner, body);
    children[inner].reset(child);
    if (failed(child->analyze()))
      return failure();
  }
  return success(succeeded(checkChoices()) && succeeded(checkLoops()) &&
                 succeeded(collectBuffers()) && succeeded(checkSizes()));
}

LogicalResult Planner::checkChoices() {
  for (auto choose : block.getOps<graph::ChooseOp>())
    for (auto [value, side] :
         {std::pair(true, choose.getTaken()), {false, choose.getOtherwise()}}) {
      auto launch = side.getDefiningOp<graph::LaunchOp>();
      if (!launch || !side.hasOneUse() ||
          !llvm::is_contained(guards.getGuard(launch),
                              graph::Literal{choose.getCondition(), value}))
        return choose.emitOpError("expects each side to be a launch that runs in its case only; "
                                  "run graph-place-tensors first");
    }
  return success();
}

LogicalResult Planner::checkLoops() {
  for (auto &[inner, child] : children)
    for (OpOperand &start : inner.getCarriedMutable())
      if (!isLoopStart(start))
        return inner.emitOpError("expects to begin with results of launches that nothing else "
                                 "uses; run graph-place-tensors first");
  return success();
}

bool Planner::dependsOnIteration(Value scalar) {
  if (auto argument = dyn_cast<BlockArgument>(scalar)) {
    if (!parent || !argument.getType().isIndex())
      return false; // extents
    unsigned number = argument.getArgNumber();
    return number == 0 ||
           parent->dependsOnIteration(loop->getOperand(loop.getFirstCarried() + number - 1));
  }
  return llvm::any_of(scalar.getDefiningOp()->getOperands(), [&](Value operand) {
    return !isa<RankedTensorType>(operand.getType()) && dependsOnIteration(operand);
  });
}

bool Planner::dependsOnCount(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    // Of a body: what the function around it has there; the first one is the iteration's number.
    unsigned number = argument.getArgNumber();
    return parent && number != 0 &&
           parent->dependsOnCount(loop->getOperand(loop.getFirstCarried() + number - 1));
  }
  Operation *op = value.getDefiningOp();
  if (isa<graph::CountOp>(op))
    return true;
  if (auto known = counted.find(value); known != counted.end())
    return known->second;
  // Extents of a result are among the operands of what makes it, or are those of its operands;
  // elements matter only to counts.
  bool result = llvm::any_of(op->getOperands(), [&](Value operand) {
    bool isScalar = !isa<RankedTensorType>(operand.getType());
    bool sharesExtents = !isa<graph::LaunchOp, graph::LoopOp>(op);
    return (isScalar || sharesExtents) && dependsOnCount(operand);
  });
  return counted[value] = result;
}

bool Planner::isGreatestAtBounds(AffineExpr expr, unsigned numDims, ValueRange operands) {
  auto isGreatest = [&](AffineExpr part) { return isGreatestAtBounds(part, numDims, operands); };
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return isGreatestAtBounds(operands[dim.getPosition()]);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return isGreatestAtBounds(operands[numDims + symbol.getPosition()]);
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return true;
  AffineExpr lhs = binary.getLHS(), rhs = binary.getRHS();
  auto constant = dyn_cast<AffineConstantExpr>(rhs);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return isGreatest(lhs) && isGreatest(rhs);
  case AffineExprKind::Mul: // by a number, or sizes by sizes
    return isGreatest(lhs) && isGreatest(rhs) && (!constant || constant.getValue() >= 0);
  case AffineExprKind::FloorDiv:
  case AffineExprKind::CeilDiv:
    return constant && constant.getValue() > 0 && isGreatest(lhs);
  default:
    return llvm::none_of(operands, [&](Value operand) { return dependsOnCount(operand); });
  }
}

bool Planner::isGreatestAtBounds(Value size) {
  if (!dependsOnCount(size))
    return true;
  Operation *op = size.getDefiningOp();
  if (!op) // of a body, seen from the function around it
    return parent->isGreatestAtBounds(
        loop->getOperand(loop.getFirstCarried() + cast<BlockArgument>(size).getArgNumber() - 1));
  auto both = [&] {
    return llvm::all_of(op->getOperands(), [&](Value value) { return isGreatestAtBounds(value); });
  };
  // Extents are looked at where they are made.
  if (isa<graph::CountOp, tensor::DimOp>(op))
    return true;
  if (isa<arith::AddIOp, arith::MinSIOp, arith::MaxSIOp, arith::IndexCastOp>(op))
    return both();
  if (isa<arith::SubIOp, arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp, arith::CeilDivSIOp,
          arith::CeilDivUIOp>(op))
    return isGreatestAtBounds(op->getOperand(0)) && !dependsOnCount(op->getOperand(1));
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op)) {
    AffineMap map = apply.getAffineMap();
    return isGreatestAtBounds(map.getResult(0), map.getNumDims(), apply.getMapOperands());
  }
  // Factors of sizes are sizes, or constants.
  if (isa<arith::MulIOp>(op))
    return both() && llvm::all_of(op->getOperands(), [](Value value) {
             std::optional<int64_t> factor = getConstantIntValue(value);
             return !factor || *factor >= 0;
           });
  return false;
}

LogicalResult Planner::checkSizes() {
  // Memory is laid out for bounds: nothing may be larger where less is counted.
  for (Operation &op : block) {
    SmallVector<Value> sizes;
    if (auto launch = dyn_cast<graph::LaunchOp>(op))
      llvm::append_range(sizes, launch.getSizes());
    else if (auto inner = dyn_cast<graph::LoopOp>(op))
      llvm::append_range(sizes, inner.getSizes());
    else if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
      llvm::append_range(sizes, slice.getSizes());
    else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
      llvm::append_range(sizes, expand.getOutputShape());
    if (!llvm::all_of(sizes, [&](Value size) { return isGreatestAtBounds(size); }))
      return op.emitOpError("has a size that can grow as less is counted: expects sizes that are "
                            "greatest where all counts are at their bounds");
  }
  for (Operation &op : block) {
    ValueRange sizes;
    if (auto launch = dyn_cast<graph::LaunchOp>(op))
      sizes = launch.getSizes();
    else if (auto inner = dyn_cast<graph::LoopOp>(op))
      sizes = inner.getSizes();
    if (llvm::any_of(sizes, [&](Value size) { return dependsOnIteration(size); }))
      return op.emitOpError("has a size that differs from iteration to iteration of the loop it "
                            "is in: expects sizes that are known in front of the loop");
  }
  return success();
}

LogicalResult Planner::collectBuffers() {
  for (Operation &op : block) {
    if (isa<graph::LaunchOp, graph::LoopOp, tensor::ConcatOp, graph::ChooseOp>(op)) {
      for (Value result : op.getResults()) {
        if (getWindow(result))
          continue;
        // With an alias that is the input's buffer too.
        const graph::Alias *alias = placement.getAlias(result);
        buffers[result].output = alias ? std::optional(alias->output) : std::nullopt;
      }
      continue;
    }
    bool isHost = isa<arith::ArithDialect, affine::AffineDialect>(op.getDialect()) ||
                  isa<tensor::DimOp, tensor::EmptyOp, graph::CheckOp, func::ReturnOp>(op);
    if (isa<graph::CountOp>(op)) {
      if (parent)
        return op.emitOpError("is in the body of a loop: expects sizes that are known in front of "
                              "the loop");
      isHost = true;
    }
    // Numbers that sizes are made of, read where the user keeps them.
    if (auto extract = dyn_cast<tensor::ExtractOp>(op))
      isHost = !parent && isa<BlockArgument>(extract.getTensor());
    if (!isReshape(&op) && !isa<tensor::ExtractSliceOp>(op) && !isHost)
      return op.emitOpError("is left in the host program: expects every op on tensors to be "
                            "part of a kernel");
  }
  for (auto [number, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
    auto it = buffers.find(Placement::getOwner(value));
    if (it != buffers.end() && !it->second.output && Placement::isWhole(value))
      it->second.output = number;
  }
  Lifetimes uses(model);
  SmallVector<Lifetime> lifetimes;
  SmallVector<Buffer *> inArena;
  for (auto &[tensor, buffer] : buffers) {
    if (buffer.output)
      continue;
    auto type = cast<RankedTensorType>(tensor.getType());
    Lifetime lifetime;
    lifetime.begin = uses.getBegin(tensor);
    lifetime.end = uses.getEnd(tensor);
    llvm::hash_code sizeClass = llvm::hash_value(getElementBytes(type.getElementType()));
    if (type.hasStaticShape()) {
      lifetime.bytes = type.getNumElements() * getElementBytes(type.getElementType());
      sizeClass = llvm::hash_combine(*lifetime.bytes);
    } else {
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        sizeClass = type.isDynamicDim(dim) ? llvm::hash_combine(sizeClass, getSizeKey(tensor, dim))
                                           : llvm::hash_combine(sizeClass, type.getDimSize(dim));
    }
    lifetime.sizeClass = sizeClass;
    lifetimes.push_back(lifetime);
    inArena.push_back(&buffer);
  }
  // The places of a body are one place of the function around it.
  for (auto &[inner, child] : children) {
    Lifetime lifetime;
    lifetime.begin = lifetime.end = uses.getStep(inner);
    lifetime.sizeClass = llvm::hash_value(inner.getOperation());
    lifetimes.push_back(lifetime);
  }
  SmallVector<unsigned> slots = assignSlots(lifetimes);
  for (auto [buffer, slot] : llvm::zip(inArena, slots))
    buffer->slot = slot;
  for (auto [entry, slot] : llvm::zip_equal(children, ArrayRef(slots).drop_front(inArena.size())))
    entry.second->slotInParent = slot;
  for (unsigned slot : slots)
    numSlots = std::max(numSlots, slot + 1);
  return success();
}

void *Planner::getSizeKey(Value tensor, int64_t dim) {
  bool isLaunched = isa<graph::LaunchOp, graph::LoopOp>(tensor.getDefiningOp());
  return (isLaunched ? getLaunchSize(tensor, dim) : tensor).getAsOpaquePointer();
}

namespace {
struct GraphPlanMemoryPass : sectile::impl::GraphPlanMemoryPassBase<GraphPlanMemoryPass> {
  using GraphPlanMemoryPassBase::GraphPlanMemoryPassBase;

  /// Of the functions that are left: bodies are private, what was written is not.
  static bool isBody(func::FuncOp func) { return func.isPrivate() && !func.isExternal(); }

  void runOnOperation() override {
    SmallVector<func::FuncOp> models;
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (func.isPublic() && !func.isExternal())
        models.push_back(func);
    if (models.size() != 1) {
      getOperation().emitError("expects one public function, the model, but got ") << models.size();
      return signalPassFailure();
    }
    ConstantSection section(pieces);
    if (failed(Planner(getOperation(), models.front(), section).run()))
      return signalPassFailure();
    for (auto func : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (func == models.front() || isBody(func))
        func.erase();
  }
};

} // namespace
