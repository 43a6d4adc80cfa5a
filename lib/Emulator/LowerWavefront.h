//===- LowerWavefront.h - what AMD adds to kernels, as calls ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_LOWERWAVEFRONT_H
#define SECTILE_LIB_EMULATOR_LOWERWAVEFRONT_H

#include "Machine.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sectile::emulator {

/// Whether `op` is of the ROCDL dialect.
bool isOfWavefront(mlir::Operation *op);

/// A processor of AMD, "gfx942" in wavefronts of 64 say; without a name one of NVIDIA.
struct Processor {
  std::string name;
  uint32_t lanes = 32;
  bool operator==(const Processor &) const = default;
};

bool isKernel(mlir::LLVM::LLVMFuncOp function);
/// What a kernel is for; reports processors that are not known.
mlir::FailureOr<Processor> processorOf(mlir::LLVM::LLVMFuncOp kernel);

/// Why an op of the ROCDL dialect cannot be executed on `processor`; empty if it can.
std::string whyNotExecuted(mlir::Operation *op, llvm::StringRef processor);

/// Calls the machine: collective, variant and three operands of 64 bits; its result.
using MeetWave = llvm::function_ref<mlir::Value(Collective, uint32_t variant, mlir::Value a,
                                                mlir::Value b, mlir::Value c)>;

/// Replaces an op that can be executed, and erases it. Matrix instructions are added to `matrices`.
void replaceWaveOp(mlir::OpBuilder &builder, mlir::Operation *op, llvm::StringRef processor,
                   std::vector<WaveMatrixOp> &matrices, MeetWave meet);

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_LOWERWAVEFRONT_H
