//===- LowerMatrix.h - matrix instructions as calls -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_LOWERMATRIX_H
#define SECTILE_LIB_EMULATOR_LOWERMATRIX_H

#include "Machine.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sectile::emulator {

/// Whether an nvvm.mma.sync or an nvvm.ldmatrix is emulated.
bool isMatrixOp(mlir::Operation *op);
/// The collective that it is, and its variant; a product is added to `matrices`.
std::pair<Collective, uint32_t> describeMatrixOp(mlir::Operation *op,
                                                 std::vector<MatrixOp> &matrices);

/// Replaces it: registers go to memory of the lane's own, where the last lane to arrive finds
/// those of all. `meet` gets the addresses of what a lane gives and takes, as 64-bit integers.
void replaceMatrixOp(mlir::OpBuilder &builder, mlir::Operation *op,
                     llvm::function_ref<void(mlir::Value in, mlir::Value out)> meet);

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_LOWERMATRIX_H
