//===- Ptx.h - PTX, and what its assembler says of it -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// PTX is written by LLVM in this process. Its assembler, ptxas, is a program of
// NVIDIA's that has to be installed; nothing but `assemble` needs it.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CODEGEN_PTX_H
#define SECTILE_CODEGEN_PTX_H

#include "sectile/Codegen/KernelResources.h"
#include "sectile/Target/GpuTarget.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace sectile {

/// PTX of what simt-to-nvvm leaves. The module is not changed. Errors are reported at its location.
llvm::FailureOr<std::string> emitPtx(mlir::ModuleOp module, const target::GpuTarget &target);

struct Cubin {
  std::string bytes;
  std::vector<KernelResources> kernels;
  /// What ptxas says makes products of warp groups wait for each other, or that it had to put waits
  /// and fences between them: a line each.
  std::vector<std::string> losses;
};

/// The path of ptxas: the environment's SECTILE_PTXAS, then $CUDA_HOME/bin, then PATH. Empty if
/// there is none.
std::string findPtxas();

/// Runs ptxas, which must be there.
llvm::Expected<Cubin> assemble(llvm::StringRef ptx, const target::GpuTarget &target,
                               llvm::StringRef ptxas);

} // namespace sectile

#endif // SECTILE_CODEGEN_PTX_H
