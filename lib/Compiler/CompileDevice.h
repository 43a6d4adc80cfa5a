//===- CompileDevice.h - a model's code for one GPU -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_COMPILER_COMPILEDEVICE_H
#define SECTILE_LIB_COMPILER_COMPILEDEVICE_H

#include "Package.h"

#include "sectile/Compiler/Compiler.h"
#include "sectile/Target/GpuTarget.h"

namespace sectile {

/// What a package holds of a device, before any of it is in files.
struct DeviceCode {
  CompiledTarget target;
  /// By `target.images`, whose paths are not set yet.
  std::vector<std::string> imageBytes;
  /// ELF objects of the host: what kernels say of their launches, and the host program.
  std::vector<std::string> objects;
  llvm::SmallVector<PlannedConstant> constants;
  PlannedInterface interface;
  /// Text, where that was asked for.
  std::string text;
};

/// What reports show of the kernels of a module that the graph pipeline has been run on.
std::vector<KernelSummary> summariseKernels(mlir::ModuleOp module);

/// Compiles `module`, an imported model of its own, for `device` beside a host of level `host`.
/// Stops where `options.emit` says. `dump` is called with the module of each stage. Without ptxas
/// there is no cubin, and a warning says so.
llvm::FailureOr<DeviceCode>
compileForDevice(mlir::ModuleOp module, const target::GpuTarget &device, const CpuLevel &host,
                 const CompileOptions &options,
                 llvm::function_ref<llvm::LogicalResult(llvm::StringRef, mlir::ModuleOp)> dump);

} // namespace sectile

#endif // SECTILE_LIB_COMPILER_COMPILEDEVICE_H
