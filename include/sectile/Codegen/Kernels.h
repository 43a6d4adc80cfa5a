//===- Kernels.h - tile kernels to object code ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CODEGEN_KERNELS_H
#define SECTILE_CODEGEN_KERNELS_H

#include "sectile/Codegen/Codegen.h"
#include "sectile/Codegen/KernelCache.h"
#include "sectile/Conversion/TileToCPU/TileToCPU.h"

namespace sectile {

struct KernelObjects {
  /// ELF objects that together hold all kernels.
  std::vector<std::string> objects;
  /// Text, where it was asked for.
  std::string assembly, llvmText;
  /// By function, suffix included.
  llvm::StringMap<FunctionStats> stats;
  /// Per kernel, in the order of the module.
  std::vector<KernelFacts> facts;
};

/// Compiles every tile.kernel of `module` for `level`: tile-to-cpu, cpu-expand-math, code
/// generation. The module is left as it is. Functions are named `k.run` and `k.info` with
/// `options.symbolSuffix` appended. `options.threads` threads work, on no more code at a time than
/// about a gigabyte of memory compiles; what comes out does not depend on their number, and not on
/// `cache` (may be null), which is asked for each kernel and given what it lacks. Text is always
/// made anew.
llvm::FailureOr<KernelObjects> compileKernels(mlir::ModuleOp module, const CpuLevel &level,
                                              FloatMode mode, const CodegenOptions &options,
                                              KernelCache *cache = nullptr);

} // namespace sectile

#endif // SECTILE_CODEGEN_KERNELS_H
