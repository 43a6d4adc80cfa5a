//===- Scatter.cpp - changes of elements in order ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Elements that may have one place belong to one thread, which changes them in the
// order of the formula (Serial.h). No two threads meet, so that nothing is atomic.
//
//===----------------------------------------------------------------------===//

#include "Serial.h"
#include "ThreadEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;

LogicalResult ThreadEmitter::emitScatter(ScatterOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getValue().getType());
  // One thread changes what a scalar changes.
  std::optional<DistributedLayout> layout;
  if (type) {
    FailureOr<DistributedLayout> serial =
        layOutSerially(op, type, findMeetingDims(op.getMap(), type.getRank()), "changes");
    if (failed(serial))
      return failure();
    layout = std::move(*serial);
  }
  // Converted once: indices decide on the address of each register.
  SmallVector<std::pair<Value, std::unique_ptr<Registers>>> before;
  for (Value index : op.getIndices()) {
    auto converted = std::make_unique<Registers>(convert(getTile(index), *layout));
    before.emplace_back(index, std::exchange(tiles[index], std::move(converted)));
  }
  Value update = layout ? convert(getTile(op.getValue()), *layout).value : getScalar(op.getValue());
  Value mask;
  if (Value given = op.getMask())
    mask = isa<RankedTensorType>(given.getType()) ? convert(getTile(given), *layout).value
                                                  : getScalar(given);
  Transfer transfer = describe(op, layout ? &*layout : nullptr);
  for (auto &[index, registers] : before)
    tiles[index] = std::move(registers);
  for (auto [reg, condition] : llvm::enumerate(transfer.conditions)) {
    if (layout) {
      requireFirstCopy(condition, *layout, reg);
      continue;
    }
    requireFirstThread(condition);
  }
  if (hazards.needsBarrier({.root = transfer.root, .isWrite = true}))
    emitBarrier();
  Type element = op.getView().getType().getElementType(), memory = getMemoryElement(element);
  auto bytes = static_cast<unsigned>(op.getView().getType().getElementBytes());
  Value base = views.resolve(transfer.root).base;
  Block &combine = op.getCombine().front();
  auto pick = [&](Value value, int64_t reg) {
    return isa<VectorType>(value.getType()) ? extractLane(builder, loc, value, reg) : value;
  };
  for (int64_t reg = 0, count = transfer.addresses.size(); reg < count; ++reg) {
    const Condition &condition = transfer.conditions[reg];
    if (condition.isNever)
      continue;
    Value pointer = builder.emitPointer(loc, base, memory, transfer.addresses[reg]);
    Value single = pick(update, reg), holds = emitCondition(condition);
    if (mask)
      holds = holds ? arith::AndIOp::create(builder, loc, holds, pick(mask, reg)).getResult()
                    : pick(mask, reg);
    OpBuilder::InsertionGuard guard(builder);
    if (holds)
      builder.setInsertionPointToStart(scf::IfOp::create(builder, loc, holds).thenBlock());
    Value old = single; // not read where it is not used
    if (!combine.getArgument(0).use_empty())
      old = fromMemoryFormat(LLVM::LoadOp::create(builder, loc, memory, pointer, bytes), element);
    FailureOr<SmallVector<Value>> next = emitBody(combine, {old, single});
    if (failed(next))
      return failure();
    LLVM::StoreOp::create(builder, loc, toMemoryFormat(next->front(), element), pointer, bytes);
  }
  return success();
}
