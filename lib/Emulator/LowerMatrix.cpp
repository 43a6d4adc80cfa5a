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

/// The product that an nvvm.mma.sync is, if it is emulated.
static std::optional<MatrixOp> getMatrixOp(NVVM::MmaOp op) {
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

bool sectile::emulator::isMatrixOp(Operation *op) {
  if (auto mma = dyn_cast<NVVM::MmaOp>(op))
    return getMatrixOp(mma).has_value();
  auto load = cast<NVVM::LdMatrixOp>(op);
  return load.getShape().getM() == 8 && load.getShape().getN() == 8 &&
         load.getEltType() == NVVM::LdStMatrixEltType::B16;
}

std::pair<Collective, uint32_t>
sectile::emulator::describeMatrixOp(Operation *op, std::vector<MatrixOp> &matrices) {
  if (auto mma = dyn_cast<NVVM::MmaOp>(op)) {
    matrices.push_back(*getMatrixOp(mma));
    return {Collective::Matrix, matrices.size() - 1};
  }
  // The number of matrices and, in the lowest bit, whether they are transposed.
  auto load = cast<NVVM::LdMatrixOp>(op);
  return {Collective::LoadMatrix,
          static_cast<uint32_t>(load.getNum()) << 1 |
              static_cast<uint32_t>(load.getLayout() == NVVM::MMALayout::col)};
}

void sectile::emulator::replaceMatrixOp(OpBuilder &builder, Operation *matrix,
                                        llvm::function_ref<void(Value, Value)> meet) {
  Operation *op = matrix;
  Location loc = op->getLoc();
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  Type pointer = LLVM::LLVMPointerType::get(op->getContext());
  SmallVector<Value> inputs;
  Value address;
  if (auto mma = dyn_cast<NVVM::MmaOp>(op)) {
    inputs.append(mma.getOperandA().begin(), mma.getOperandA().end());
    llvm::append_range(inputs, mma.getOperandB());
    llvm::append_range(inputs, mma.getOperandC());
  } else {
    address = cast<NVVM::LdMatrixOp>(op).getPtr();
  }
  Type type = op->getResult(0).getType();
  SmallVector<Type> results{type};
  auto structure = dyn_cast<LLVM::LLVMStructType>(type);
  if (structure)
    results.assign(structure.getBody().begin(), structure.getBody().end());
  auto allocate = [&](int64_t count) -> Value {
    // In the entry block: a loop must not take more of the stack each time.
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&op->getParentOfType<LLVM::LLVMFuncOp>().getBody().front());
    Value size = LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(count));
    return LLVM::AllocaOp::create(builder, loc, pointer, i64, size);
  };
  Value in = inputs.empty() ? Value() : allocate(inputs.size()), out = allocate(results.size());
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
  meet(LLVM::PtrToIntOp::create(builder, loc, i64, in ? in : address),
       LLVM::PtrToIntOp::create(builder, loc, i64, out));
  Value result = LLVM::PoisonOp::create(builder, loc, type);
  for (auto [i, type] : llvm::enumerate(results)) {
    Value bits = LLVM::LoadOp::create(builder, loc, i64, slotOf(out, i));
    if (!type.isF64())
      bits = LLVM::TruncOp::create(builder, loc, i32, bits);
    if (!type.isInteger(32))
      bits = LLVM::BitcastOp::create(builder, loc, type, bits);
    result = structure ? LLVM::InsertValueOp::create(builder, loc, result, bits,
                                                     ArrayRef<int64_t>{static_cast<int64_t>(i)})
                             .getResult()
                       : bits;
  }
  op->replaceAllUsesWith(ValueRange{result});
  op->erase();
}
