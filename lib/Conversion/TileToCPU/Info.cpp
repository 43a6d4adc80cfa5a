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

/// Whether `value` follows from what the kernel loads.
static bool followsFromLoads(Value value) {
  Operation *op = value.getDefiningOp();
  return op && (isa<LoadOp>(op) || llvm::any_of(op->getOperands(), [](Value operand) {
                  return !isa<ViewType>(operand.getType()) && followsFromLoads(operand);
                }));
}

/// The argument whose memory `view` shows; null for private memory.
static BlockArgument findArgument(Value view) {
  while (auto op = view.getDefiningOp<ViewOp>())
    view = op.getSource();
  return dyn_cast<BlockArgument>(view);
}

/// Arguments of which data chooses what is read: tables that may be much larger than that.
static SetVector<BlockArgument> findTables(KernelOp kernel) {
  SetVector<BlockArgument> tables;
  kernel.walk([&](LoadOp load) {
    if (BlockArgument argument = findArgument(load.getView()))
      if (!load.getIndices().empty() || llvm::any_of(load.getMapOperands(), followsFromLoads))
        tables.insert(argument);
  });
  return tables;
}

/// Sums of what `counters` say of ops over one run of `block`. Loops count their trips where those
/// are known at the start of the kernel's block, else as one; of branches the dearer side counts.
FailureOr<SmallVector<Value>> KernelEmitter::countIn(Block &block, ArrayRef<OpCounter> counters) {
  SmallVector<int64_t> own(counters.size(), 0);
  SmallVector<Value> totals(counters.size());
  auto add = [&](ArrayRef<Value> values) {
    for (auto [total, value] : llvm::zip_equal(totals, values))
      total = total ? arith::AddIOp::create(builder, loc, total, value).getResult() : value;
  };
  for (Operation &op : block.without_terminator()) {
    for (auto [sum, counter] : llvm::zip_equal(own, counters))
      sum += counter(&op);
    if (auto loop = dyn_cast<scf::ForOp>(op)) {
      FailureOr<SmallVector<Value>> body = countIn(*loop.getBody(), counters);
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
      for (Value &value : *body)
        value = arith::MulIOp::create(builder, loc, value, trips);
      add(*body);
    } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
      SmallVector<Value> most;
      for (Region &region : branch->getRegions()) {
        if (region.empty())
          continue;
        FailureOr<SmallVector<Value>> side = countIn(region.front(), counters);
        if (failed(side))
          return failure();
        if (most.empty())
          most = *side;
        else
          for (auto [value, other] : llvm::zip_equal(most, *side))
            value = arith::MaxSIOp::create(builder, loc, value, other);
      }
      add(most);
    } else if (auto loop = dyn_cast<scf::WhileOp>(op)) {
      FailureOr<SmallVector<Value>> body = countIn(*loop.getAfterBody(), counters);
      if (failed(body))
        return failure();
      add(*body);
    }
  }
  SmallVector<Value> constants;
  for (int64_t sum : own)
    constants.push_back(builder.constant(loc, sum));
  add(constants);
  return totals;
}

/// The same over all blocks whose coordinates in grid dimensions before `dim` are bound. Along each
/// dimension all blocks but the last are alike: two are counted, the first as often as there are
/// others.
FailureOr<SmallVector<Value>> KernelEmitter::countInGrid(unsigned dim,
                                                         ArrayRef<OpCounter> counters) {
  BlockIdOp ids = kernel.getBlockId();
  if (!ids || dim == ids.getGrid().size()) {
    if (ids)
      emitted.insert(ids);
    return countIn(kernel.getBody().front(), counters);
  }
  Value extent = builder.emit(loc, polyOf(ids.getGrid()[dim]));
  Value zero = builder.constant(loc, 0), one = builder.constant(loc, 1);
  Value last = arith::SubIOp::create(builder, loc, extent, one);
  auto loop = scf::ForOp::create(builder, loc, zero, builder.constant(loc, 2), one,
                                 SmallVector<Value>(counters.size(), zero));
  loop.getBody()->clear();
  builder.pushScope(loop.getBody());
  Value isLast =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, loop.getInductionVar(), one);
  Tile tile = makeTile(ids.getIds()[dim].getType());
  tile.parts = {arith::SelectOp::create(builder, loc, isLast, last, zero)};
  setTile(ids.getIds()[dim], std::move(tile));
  FailureOr<SmallVector<Value>> counts = countInGrid(dim + 1, counters);
  if (failed(counts))
    return failure();
  // An empty grid has neither.
  Value times = arith::SelectOp::create(
      builder, loc, isLast, arith::MinSIOp::create(builder, loc, extent, one).getResult(),
      arith::MaxSIOp::create(builder, loc, last, zero).getResult());
  SmallVector<Value> sums;
  for (auto [count, before] : llvm::zip_equal(*counts, loop.getRegionIterArgs()))
    sums.push_back(arith::AddIOp::create(builder, loc, before,
                                         arith::MulIOp::create(builder, loc, count, times)));
  scf::YieldOp::create(builder, loc, sums);
  builder.popScope();
  return SmallVector<Value>(loop.getResults());
}

LogicalResult KernelEmitter::emitInfo(bool hasScratch) {
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
  FailureOr<Poly> scratchBytes = hasScratch ? layOutScratch() : FailureOr<Poly>(Poly(0));
  if (failed(scratchBytes))
    return failure();
  Value numBlocks = builder.emit(loc, blocks), numScratchBytes = builder.emit(loc, *scratchBytes);
  if (scratchBytes->isConstant())
    func->setAttr(kScratchAttr, builder.getI64IntegerAttr(scratchBytes->constant));
  // Every operand moves once, or as much of it as is read where data chooses that.
  SmallVector<OpCounter> counters = {countOwnOperations};
  SmallVector<Value> tableBytes;
  SetVector<BlockArgument> tables = findTables(kernel);
  Poly bytes;
  for (BlockArgument argument : kernel.getBody().getArguments()) {
    auto type = dyn_cast<ViewType>(argument.getType());
    if (!type)
      continue;
    Poly size(type.getElementBytes());
    if (type.getPackedBits() != 0)
      size = size * views.resolve(argument).words;
    else
      for (const Poly &extent : views.resolve(argument).extents)
        size = size * extent;
    if (!tables.contains(argument)) {
      bytes += size;
      continue;
    }
    tableBytes.push_back(builder.emit(loc, size));
    counters.push_back([=](Operation *op) -> int64_t {
      auto load = dyn_cast<LoadOp>(op);
      if (!load || findArgument(load.getView()) != argument)
        return 0;
      auto tile = dyn_cast<RankedTensorType>(load.getType());
      return type.getElementBytes() * (tile ? tile.getNumElements() : 1);
    });
  }
  Value numBytes = builder.emit(loc, bytes);
  FailureOr<SmallVector<Value>> counts = countInGrid(0, counters);
  if (failed(counts))
    return failure();
  for (auto [size, read] : llvm::zip_equal(tableBytes, llvm::drop_begin(*counts)))
    numBytes = arith::AddIOp::create(builder, loc, numBytes,
                                     arith::MinSIOp::create(builder, loc, size, read).getResult());
  auto store = [&](size_t offset, Value value) {
    Value place =
        LLVM::GEPOp::create(builder, loc, pointer, builder.getI8Type(), entry->getArgument(2),
                            ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
    LLVM::StoreOp::create(builder, loc, value, place, 8);
  };
  store(offsetof(sectile_abi_launch_info, blocks), numBlocks);
  store(offsetof(sectile_abi_launch_info, scratch_bytes), numScratchBytes);
  store(offsetof(sectile_abi_launch_info, bytes), numBytes);
  store(offsetof(sectile_abi_launch_info, operations), counts->front());
  func::ReturnOp::create(builder, loc);
  builder.popScope();
  return success();
}
