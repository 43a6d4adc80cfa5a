//===- ThreadLowering.h - programs of threads in a vendor's dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CONVERSION_THREADLOWERING_H
#define SECTILE_CONVERSION_THREADLOWERING_H

#include "sectile/Target/GpuTarget.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace sectile::simt {

/// From what tile-to-simt and simt-expand-math leave to the LLVM dialect and that of the device's
/// vendor.
void addThreadLowering(mlir::OpPassManager &passes, const target::GpuTarget &target);

/// Threads of a block of a lowered kernel, all along x, in whichever vendor's attribute; 0 if none
/// says.
int64_t getBlockThreads(mlir::LLVM::LLVMFuncOp kernel);

} // namespace sectile::simt

#endif // SECTILE_CONVERSION_THREADLOWERING_H
