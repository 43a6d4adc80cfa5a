//===- LowerMatrix.cpp - matrix instructions as calls -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LowerMatrix.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace sectile::emulator;

std::optional<MatrixOp> sectile::emulator::getMatrixOp(Operation *matrix) {
  auto op = cast<NVVM::MmaOp>(matrix);
  auto typeOf = [](std::optional<NVVM::MMATypes> given, ValueRange operands) -> std::string {
    if (given)
      return NVVM::stringifyMMATypes(*given).str();
    Type type = getElementTypeOrSelf(operands[0].getType());
    return type.isF16() ? "f16" : type.isF64() ? "f64" : "";
  };
  NVVM::MMAShapeAttr shape = op.getShape();
  std::string a = typeOf(op.getMultiplicandAPtxType(), op.getOperandA());
  Type accumulator = getElementTypeOrSelf(op.getOperandC()[0].getType());
  bool isPlain = op.getLayoutA() == NVVM::MMALayout::row &&
                 op.getLayoutB() == NVVM::MMALayout::col && !op.getB1Op() &&
                 (accumulator.isF32() || accumulator.isF64() || accumulator.isInteger(32));
  if (!isPlain)
    return std::nullopt;
  return findMatrixOp(shape.getM(), shape.getN(), shape.getK(), a,
                      typeOf(op.getMultiplicandBPtxType(), op.getOperandB()),
                      op.getIntOverflowBehavior() == NVVM::MMAIntOverflow::satfinite);
}

void sectile::emulator::replaceMatrixOp(OpBuilder &builder, Operation *matrix,
                                        llvm::function_ref<void(Value, Value)> meet) {
  auto op = cast<NVVM::MmaOp>(matrix);
  Location loc = op.getLoc();
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  Type pointer = LLVM::LLVMPointerType::get(op.getContext());
  SmallVector<Value> inputs(op.getOperandA());
  llvm::append_range(inputs, op.getOperandB());
  llvm::append_range(inputs, op.getOperandC());
  ArrayRef<Type> results = cast<LLVM::LLVMStructType>(op.getType()).getBody();
  auto allocate = [&](int64_t count) -> Value {
    // In the entry block: a loop must not take more of the stack each time.
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&op->getParentOfType<LLVM::LLVMFuncOp>().getBody().front());
    Value size = LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(count));
    return LLVM::AllocaOp::create(builder, loc, pointer, i64, size);
  };
  Value in = allocate(inputs.size()), out = allocate(results.size());
  auto slotOf = [&](Value base, size_t i) {
    return LLVM::GEPOp::create(builder, loc, pointer, i64, base,
                               ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
  };
  for (auto [i, input] : llvm::enumerate(inputs)) {
    bool isWide = input.getType().isF64();
    Value bits = input.getType().isInteger(32)
                     ? input
                     : LLVM::BitcastOp::create(builder, loc, isWide ? i64 : i32, input).getResult();
    if (!isWide)
      bits = LLVM::ZExtOp::create(builder, loc, i64, bits);
    LLVM::StoreOp::create(builder, loc, bits, slotOf(in, i));
  }
  meet(LLVM::PtrToIntOp::create(builder, loc, i64, in),
       LLVM::PtrToIntOp::create(builder, loc, i64, out));
  Value result = LLVM::PoisonOp::create(builder, loc, op.getType());
  for (auto [i, type] : llvm::enumerate(results)) {
    Value bits = LLVM::LoadOp::create(builder, loc, i64, slotOf(out, i));
    if (!type.isF64())
      bits = LLVM::TruncOp::create(builder, loc, i32, bits);
    if (!type.isInteger(32))
      bits = LLVM::BitcastOp::create(builder, loc, type, bits);
    result = LLVM::InsertValueOp::create(builder, loc, result, bits,
                                         ArrayRef<int64_t>{static_cast<int64_t>(i)});
  }
  op.replaceAllUsesWith(result);
  op.erase();
}
