//===- LowerWarpGroup.h - products of warp groups as calls ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_LOWERWARPGROUP_H
#define SECTILE_LIB_EMULATOR_LOWERWARPGROUP_H

#include "Machine.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace sectile::emulator {

/// Whether an op is wgmma's, a fence of proxies, or assembly without a text, which only ties
/// registers to their place in the program.
bool isGroupOp(mlir::Operation *op);
/// Why it is not emulated; empty if it is.
std::string whyNotExecuted(mlir::Operation *op);

struct GroupLowering {
  mlir::OpBuilder &builder;
  /// Adds a site for an op and returns its number.
  llvm::function_ref<uint32_t(Site)> addSite;
  llvm::function_ref<Site(mlir::Operation *)> describeSite;
  /// Calls a function of the machine, where the builder is.
  llvm::function_ref<mlir::Value(mlir::Location, llvm::StringRef, mlir::Type, mlir::ValueRange)>
      call;
};

/// Replaces all such ops of a function, and adds a call wherever registers of a product are
/// accessed: a use of its results, or of what they are renamed to, that is no renaming itself.
void lowerGroupOps(mlir::LLVM::LLVMFuncOp function, Machine &machine,
                   const GroupLowering &lowering);

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_LOWERWARPGROUP_H
