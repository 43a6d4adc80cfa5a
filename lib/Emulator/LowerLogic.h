//===- LowerLogic.h - logic of three operands --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_LOWERLOGIC_H
#define SECTILE_LIB_EMULATOR_LOWERLOGIC_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

namespace sectile::emulator {

/// Whether `op` is PTX's lop3.b32, which kernels name by its text, for want of an op that means it.
bool isLogicOp(mlir::Operation *op);
/// Puts logic of two operands in the place of such an op.
void replaceLogicOp(mlir::OpBuilder &builder, mlir::Operation *op);

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_LOWERLOGIC_H
