//===- Info.cpp - what a launch is going to do ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "sectile/Package/Abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cstddef>

using namespace mlir;
using namespace sectile;
using namespace sectile::cpu;
using namespace sectile::tile;

/// Arithmetic operations of `op` alone, on all its elements. Moving data costs none.
static int64_t countOwnOperations(Operation *op) {
  auto elements = [](Type type) -> int64_t {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor ? tensor.getNumElements() : 0;
  };
  if (auto dot = dyn_cast<DotOp>(op)) {
    auto lhs = cast<RankedTensorType>(dot.getLhs().getType());
    return 2 * elements(dot.getType()) * lhs.getDimSize(1);
  }
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return elements(reduce.getInputs()[0].getType()) *
           llvm::range_size(reduce.getCombiner().front().without_terminator());
  if (auto scatter = dyn_cast<ScatterOp>(op))
    return elements(scatter.getValue().getType()) *
           llvm::range_size(scatter.getCombine().front().without_terminator());
  if (auto scan = dyn_cast<ScanOp>(op))
    return elements(scan.getInputs()[0].getType()) *
           llvm::range_size(scan.getStep().front().without_terminator());
  if (isa<ConvertOp, DequantizeOp, QuantizeOp>(op)) // an operation for each operand
    return elements(op->getResult(0).getType()) * op->getNumOperands();
  if (op->hasTrait<OpTrait::ConstantLike>() || !OpTrait::hasElementwiseMappableTraits(op) ||
      op->getNumResults() != 1)
    return 0;
  return elements(op->getResult(0).getType());
}

/// Whether `value` follows from the kernel's arguments and the block's coordinates.
static bool isKnownAtStart(Value value, KernelOp kernel) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return cast<BlockArgument>(value).getOwner() == &kernel.getBody().front();
  if (isa<BlockIdOp>(op))
    return true;
  return isPure(op) && op->getNumRegions() == 0 &&
         llvm::all_of(op->getOperands(), [&](Value operand) {
           return isa<ViewType>(operand.getType()) || isKnownAtStart(operand, kernel);
         });
}

/// Operations of one run of `block`. Loops count their trips where those are known at the start
/// of the kernel's block, else as one; of branches the dearer side counts.
FailureOr<Value> KernelEmitter::countOperations(Block &block) {
  int64_t own = 0;
  Value total;
  auto add = [&](Value value) {
    total = total ? arith::AddIOp::create(builder, loc, total, value).getResult() : value;
  };
  for (Operation &op : block.without_terminator()) {
    own += countOwnOperations(&op);
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      FailureOr<Value> body = countOperations(*loop.getBody());
      if (failed(body))
        return failure();
      Value trips = builder.constant(loc, 1);
      for (Value bound : {loop.getLowerBound(), loop.getUpperBound(), loop.getStep()})
        if (isKnownAtStart(bound, kernel) && failed(emitUniformSlice(loop, bound)))
          return failure();
      Poly span = polyOf(loop.getUpperBound()) - polyOf(loop.getLowerBound());
      Poly step = polyOf(loop.getStep());
      if (builder.isBound(span) && builder.isBound(step)) {
        trips = builder.emit(loc, algebra.ceilDiv(span, step));
        trips = arith::MaxSIOp::create(builder, loc, trips, builder.constant(loc, 0));
      }
      add(arith::MulIOp::create(builder, loc, *body, trips));
    } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
      Value most;
      for (Region &region : branch->getRegions()) {
        if (region.empty())
          continue;
        FailureOr<Value> side = countOperations(region.front());
        if (failed(side))
          return failure();
        most = most ? arith::MaxSIOp::create(builder, loc, most, *side).getResult() : *side;
      }
      add(most);
    } else if (auto loop = dyn_cast<scf::WhileOp>(op)) {
      FailureOr<Value> body = countOperations(*loop.getAfterBody());
      if (failed(body))
        return failure();
      add(*body);
    }
  }
  add(builder.constant(loc, own));
  return total;
}

/// Operations of all blocks whose coordinates in grid dimensions before `dim` are bound. Along each
/// dimension all blocks but the last are alike: two are counted, the first as often as there are
/// others.
FailureOr<Value> KernelEmitter::countOperationsOfGrid(unsigned dim) {
  BlockIdOp ids = kernel.getBlockId();
  if (!ids || dim == ids.getGrid().size()) {
    if (ids)
      emitted.insert(ids);
    return countOperations(kernel.getBody().front());
  }
  Value extent = builder.emit(loc, polyOf(ids.getGrid()[dim]));
  Value zero = builder.constant(loc, 0), one = builder.constant(loc, 1);
  Value last = arith::SubIOp::create(builder, loc, extent, one);
  auto loop = scf::ForOp::create(builder, loc, zero, builder.constant(loc, 2), one, zero);
  loop.getBody()->clear();
  builder.pushScope(loop.getBody());
  Value isLast =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, loop.getInductionVar(), one);
  Tile tile = makeTile(ids.getIds()[dim].getType());
  tile.parts = {arith::SelectOp::create(builder, loc, isLast, last, zero)};
  setTile(ids.getIds()[dim], std::move(tile));
  FailureOr<Value> operations = countOperationsOfGrid(dim + 1);
  if (failed(operations))
    return failure();
  // An empty grid has neither.
  Value times = arith::SelectOp::create(
      builder, loc, isLast, arith::MinSIOp::create(builder, loc, extent, one).getResult(),
      arith::MaxSIOp::create(builder, loc, last, zero).getResult());
  Value total = arith::AddIOp::create(builder, loc, loop.getRegionIterArg(0),
                                      arith::MulIOp::create(builder, loc, *operations, times));
  scf::YieldOp::create(builder, loc, total);
  builder.popScope();
  return loop.getResult(0);
}

LogicalResult KernelEmitter::emitInfo() {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  builder.setInsertionPoint(kernel);
  auto func = func::FuncOp::create(builder, loc, (kernel.getSymName() + kInfoSuffix).str(),
                                   builder.getFunctionType({pointer, pointer, pointer}, {}));
  Block *entry = func.addEntryBlock();
  builder.pushScope(entry);
  bindArguments(entry->getArgument(0), entry->getArgument(1));
  Poly blocks(1);
  if (BlockIdOp ids = kernel.getBlockId()) {
    if (failed(emitUniformSlice(ids, ids.getGrid())))
      return failure();
    for (Value extent : ids.getGrid())
      blocks = blocks * polyOf(extent);
  }
  FailureOr<Poly> scratchBytes = layOutScratch();
  if (failed(scratchBytes))
    return failure();
  if (scratchBytes->isConstant())
    func->setAttr(kScratchAttr, builder.getI64IntegerAttr(scratchBytes->constant));
  Poly bytes;
  for (BlockArgument argument : kernel.getBody().getArguments())
    if (auto type = dyn_cast<ViewType>(argument.getType())) {
      Poly size(type.getElementBytes());
      for (const Poly &extent : memories[argument].extents)
        size = size * extent;
      bytes += size;
    }
  Value numBlocks = builder.emit(loc, blocks), numScratchBytes = builder.emit(loc, *scratchBytes),
        numBytes = builder.emit(loc, bytes);
  FailureOr<Value> operations = countOperationsOfGrid(0);
  if (failed(operations))
    return failure();
  auto store = [&](size_t offset, Value value) {
    Value place =
        LLVM::GEPOp::create(builder, loc, pointer, builder.getI8Type(), entry->getArgument(2),
                            ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
    LLVM::StoreOp::create(builder, loc, value, place, 8);
  };
  store(offsetof(sectile_abi_launch_info, blocks), numBlocks);
  store(offsetof(sectile_abi_launch_info, scratch_bytes), numScratchBytes);
  store(offsetof(sectile_abi_launch_info, bytes), numBytes);
  store(offsetof(sectile_abi_launch_info, operations), *operations);
  func::ReturnOp::create(builder, loc);
  builder.popScope();
  return success();
}
