//===- Hsaco.h - code objects for AMD ---------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A code object is a shared object that the driver loads. LLVM writes it, and lld
// links it, in this process: nothing of ROCm is needed.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CODEGEN_HSACO_H
#define SECTILE_CODEGEN_HSACO_H

#include "sectile/Codegen/KernelResources.h"
#include "sectile/Target/GpuTarget.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace sectile {

/// The version of code objects, which every driver since ROCm 5.2 loads (LLVM, "User Guide for
/// AMDGPU Backend", Code Object V5).
inline constexpr int kCodeObjectVersion = 5;

struct CodeObject {
  std::string bytes;
  /// In the order of the object's metadata.
  std::vector<KernelResources> kernels;
};

/// The code object of what simt-to-rocdl leaves. The module is not changed. Errors are reported at
/// its location. lld sets the options of LLVM's command line (llvm::cl) back to their defaults.
llvm::FailureOr<CodeObject> emitCodeObject(mlir::ModuleOp module, const target::GpuTarget &target);

/// The same as text.
llvm::FailureOr<std::string> emitAmdAssembly(mlir::ModuleOp module,
                                             const target::GpuTarget &target);

/// What the metadata of a code object says of its kernels, or why it cannot be read.
llvm::Expected<std::vector<KernelResources>> readCodeObject(llvm::StringRef bytes);

} // namespace sectile

#endif // SECTILE_CODEGEN_HSACO_H
