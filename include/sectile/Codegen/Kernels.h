//===- Kernels.h - tile kernels to object code ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CODEGEN_KERNELS_H
#define SECTILE_CODEGEN_KERNELS_H

#include "sectile/Codegen/Codegen.h"
#include "sectile/Conversion/TileToCPU/TileToCPU.h"

#include <optional>

namespace sectile {

/// What is known of a kernel's code beside it.
struct KernelFacts {
  /// Messages of its checks.
  std::vector<std::string> failures;
  /// Bytes of scratch memory, unless they depend on sizes at run time.
  std::optional<int64_t> scratchBytes;
};

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

/// Lowers copies of `kernels` to LLVM IR for `level`; `facts` are appended to.
llvm::FailureOr<TranslatedModulePtr> translateKernels(llvm::ArrayRef<mlir::Operation *> kernels,
                                                      const CpuLevel &level, FloatMode mode,
                                                      const CodegenOptions &options,
                                                      std::vector<KernelFacts> &facts);

/// Compiles every tile.kernel of `module` for `level`: tile-to-cpu, cpu-expand-math, code
/// generation. The module is left as it is. Functions are named `k.run` and `k.info` with
/// `options.symbolSuffix` appended. `options.threads` threads work; what comes out does not depend
/// on their number.
llvm::FailureOr<KernelObjects> compileKernels(mlir::ModuleOp module, const CpuLevel &level,
                                              FloatMode mode, const CodegenOptions &options);

} // namespace sectile

#endif // SECTILE_CODEGEN_KERNELS_H
