//===- LowerLogic.cpp - logic of three operands ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// PTX ISA, lop3: bit 4 a + 2 b + c of the table is what bits a, b and c give.
//
//===----------------------------------------------------------------------===//

#include "LowerLogic.h"

#include <optional>

using namespace mlir;

/// The table of a lop3.b32 of three registers.
static std::optional<unsigned> getTable(Operation *op) {
  auto inlined = dyn_cast<LLVM::InlineAsmOp>(op);
  if (!inlined || inlined.getConstraints() != "=r,r,r,r" || inlined->getNumOperands() != 3 ||
      inlined->getNumResults() != 1 || !inlined->getResult(0).getType().isInteger(32))
    return std::nullopt;
  StringRef text = inlined.getAsmString();
  unsigned table = 0;
  if (!text.consume_front("lop3.b32 $0, $1, $2, $3, ") || !text.consume_back(";") ||
      text.getAsInteger(0, table) || table > 255)
    return std::nullopt;
  return table;
}

bool sectile::emulator::isLogicOp(Operation *op) { return getTable(op).has_value(); }

void sectile::emulator::replaceLogicOp(OpBuilder &builder, Operation *op) {
  unsigned table = *getTable(op);
  Location loc = op->getLoc();
  Type i32 = builder.getI32Type();
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(builder, loc, i32, builder.getI32IntegerAttr(value));
  };
  Value result = constant(0), ones = constant(-1);
  for (unsigned row = 0; row < 8; ++row) {
    if ((table >> row & 1) == 0)
      continue;
    // Where all three bits are those of the row.
    Value isRow = ones;
    for (unsigned i = 0; i < 3; ++i) {
      Value operand = op->getOperand(i);
      if ((row >> (2 - i) & 1) == 0)
        operand = LLVM::XOrOp::create(builder, loc, operand, ones);
      isRow = LLVM::AndOp::create(builder, loc, isRow, operand);
    }
    result = LLVM::OrOp::create(builder, loc, result, isRow);
  }
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}
