//===- Assert.cpp - checks of user data -------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace sectile::cpu;
using namespace sectile::tile;

LogicalResult KernelEmitter::emitAssert(AssertOp op) {
  failures.push_back(op.getMessageAttr());
  int64_t code = failures.size(); // 0 is success
  const Tile condition = repartition(getTile(op.getCondition()), lanes);
  SmallVector<Tile> values;
  for (Value value : op.getValues())
    values.push_back(repartition(getTile(value), lanes));

  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  Value one = arith::ConstantIntOp::create(builder, loc, 1, 1);
  for (int64_t i = 0; i < condition.getNumParts(); ++i) {
    Value part = condition.parts[i];
    Value failed = arith::XOrIOp::create(builder, loc, allLanes(builder, loc, part), one);
    auto branch = scf::IfOp::create(builder, loc, failed);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    Value current = LLVM::LoadOp::create(builder, loc, i32, status, 4);
    Value zero = arith::ConstantIntOp::create(builder, loc, 0, 32);
    Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, current, zero);
    auto record = scf::IfOp::create(builder, loc, isFirst);
    builder.setInsertionPointToStart(record.thenBlock());
    LLVM::StoreOp::create(builder, loc, arith::ConstantIntOp::create(builder, loc, code, 32),
                          status, 4);
    // The first lane that fails: as many as there are set bits below the first cleared one.
    Value lane;
    if (int64_t width = getNumLanes(part); width > 1) {
      Type bits = builder.getIntegerType(width);
      Value packed = vector::ExtractOp::create(
          builder, loc, vector::BitCastOp::create(builder, loc, VectorType::get({1}, bits), part),
          ArrayRef<int64_t>{0});
      Value wide =
          width < 64 ? arith::ExtUIOp::create(builder, loc, i64, packed).getResult() : packed;
      Value allOnes = arith::ConstantIntOp::create(builder, loc, -1, 64);
      Value inverted = arith::XOrIOp::create(builder, loc, wide, allOnes);
      lane = math::CountTrailingZerosOp::create(builder, loc, inverted);
    }
    for (auto [slot, value] : llvm::enumerate(values)) {
      Value scalar = value.parts[value.shape.empty() ? 0 : i];
      if (isa<VectorType>(scalar.getType()))
        scalar = LLVM::ExtractElementOp::create(builder, loc, scalar, lane);
      if (isa<FloatType>(scalar.getType()))
        scalar = arith::FPToSIOp::create(builder, loc, i64, scalar);
      else if (scalar.getType() != i64)
        scalar = arith::ExtSIOp::create(builder, loc, i64, scalar);
      Value place = LLVM::GEPOp::create(builder, loc, pointer, i64, failureValues,
                                        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(slot)});
      LLVM::StoreOp::create(builder, loc, scalar, place, 8);
    }
  }
  return success();
}
