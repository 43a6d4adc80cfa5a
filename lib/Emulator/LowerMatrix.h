//===- LowerMatrix.h - matrix instructions as calls -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_LOWERMATRIX_H
#define SECTILE_LIB_EMULATOR_LOWERMATRIX_H

#include "Matrix.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sectile::emulator {

/// The instruction that an nvvm.mma.sync is, if it is emulated.
std::optional<MatrixOp> getMatrixOp(mlir::Operation *op);

/// Replaces it: registers go to memory of the lane's own, where the last lane to arrive finds those
/// of all. `meet` gets the addresses of what a lane gives and takes, as 64-bit integers.
void replaceMatrixOp(mlir::OpBuilder &builder, mlir::Operation *op,
                     llvm::function_ref<void(mlir::Value in, mlir::Value out)> meet);

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_LOWERMATRIX_H
