//===- Assert.cpp - checks of user data -------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel with checks has one argument more: five 64-bit integers, of which the
// first is zero until a check fails. The first thread to exchange it for the
// check's number writes the values; which one that is, is not said.
//
//===----------------------------------------------------------------------===//

#include "ThreadEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using namespace sectile::tile;
using layout::Axis;

LogicalResult ThreadEmitter::emitAssert(AssertOp op) {
  failures.push_back(op.getMessageAttr());
  int64_t code = failures.size();
  Type i64 = builder.getI64Type();
  bool isTile = isa<RankedTensorType>(op.getCondition().getType());
  std::optional<DistributedLayout> layout;
  if (isTile)
    layout = layoutOf(op.getCondition());
  Value condition = valueOf(op.getCondition());
  SmallVector<Value> values;
  for (Value value : op.getValues())
    values.push_back(isa<RankedTensorType>(value.getType()) ? convert(getTile(value), *layout).value
                                                            : getScalar(value));
  int64_t count = layout ? layout->extent(Axis::Register) : 1;
  for (int64_t reg = 0; reg < count; ++reg) {
    Condition place;
    if (layout) {
      place = isValid(*layout, reg);
      requireFirstCopy(place, *layout, reg);
    }
    if (place.isNever)
      continue;
    Value holds = isa<VectorType>(condition.getType()) ? extractLane(builder, loc, condition, reg)
                                                       : condition;
    Value fails = arith::XOrIOp::create(builder, loc, holds, makeBool(true));
    if (Value takesPart = emitCondition(place))
      fails = arith::AndIOp::create(builder, loc, fails, takesPart);
    OpBuilder::InsertionGuard guard(builder);
    Value zero = builder.constant(loc, 0), number = builder.constant(loc, code);
    auto branch = scf::IfOp::create(builder, loc, fails);
    builder.setInsertionPointToStart(branch.thenBlock());
    auto exchange = LLVM::AtomicCmpXchgOp::create(builder, loc, failureRecord, zero, number,
                                                  LLVM::AtomicOrdering::monotonic,
                                                  LLVM::AtomicOrdering::monotonic);
    Value isFirst = LLVM::ExtractValueOp::create(builder, loc, exchange, ArrayRef<int64_t>{1});
    auto record = scf::IfOp::create(builder, loc, isFirst);
    builder.setInsertionPointToStart(record.thenBlock());
    for (auto [slot, value] : llvm::enumerate(values)) {
      Value scalar =
          isa<VectorType>(value.getType()) ? extractLane(builder, loc, value, reg) : value;
      if (isa<FloatType>(scalar.getType()))
        scalar = arith::FPToSIOp::create(builder, loc, i64, scalar);
      else if (scalar.getType() != i64)
        scalar = arith::ExtSIOp::create(builder, loc, i64, scalar);
      Value pointer = LLVM::GEPOp::create(builder, loc, failureRecord.getType(), i64, failureRecord,
                                          ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(slot) + 1});
      LLVM::StoreOp::create(builder, loc, scalar, pointer, 8);
    }
  }
  return success();
}
