//===- GpuModule.h - kernels through a back end of LLVM ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CODEGEN_GPUMODULE_H
#define SECTILE_LIB_CODEGEN_GPUMODULE_H

#include "sectile/Target/GpuTarget.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/CodeGen.h"

namespace llvm {
class Module;
} // namespace llvm

namespace sectile {

/// Runs `body`, in which LLVM may give up, and returns why it did; empty if it did not. What it had
/// in hand then is lost, which for one kernel's code does not matter.
std::string runGuarded(llvm::function_ref<void()> body);

/// What the back end for `target` writes for a module of the LLVM dialect and its vendor's, which
/// is not changed. `prepare` may add to the LLVM module before anything runs. Errors, also those at
/// which LLVM gives up, are reported at the module's location.
llvm::FailureOr<llvm::SmallVector<char, 0>>
compileGpuModule(mlir::ModuleOp module, const target::GpuTarget &target,
                 llvm::CodeGenFileType fileType,
                 llvm::function_ref<void(llvm::Module &)> prepare = {});

} // namespace sectile

#endif // SECTILE_LIB_CODEGEN_GPUMODULE_H
