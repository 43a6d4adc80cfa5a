//===- LowerAsync.h - asynchronous copies as calls ----------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_LOWERASYNC_H
#define SECTILE_LIB_EMULATOR_LOWERASYNC_H

#include "Machine.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sectile::emulator {

/// Whether an op is cp.async, or commits or awaits groups of it.
bool isAsyncCopyOp(mlir::Operation *op);

/// What an nvvm.cp.async writes and then what it reads; other ops access nothing.
std::vector<Site> describeAsyncCopy(mlir::Operation *op, const Site &site);

/// Replaces it by a call that `call` makes of a function of the machine, without a result. `site`
/// is the number of the first of its sites.
void replaceAsyncCopyOp(mlir::OpBuilder &builder, mlir::Operation *op, uint32_t site,
                        llvm::function_ref<void(llvm::StringRef, mlir::ValueRange)> call);

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_LOWERASYNC_H
