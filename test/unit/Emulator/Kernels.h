//===- Kernels.h - kernels as text, for the emulator -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_UNIT_EMULATOR_KERNELS_H
#define SECTILE_TEST_UNIT_EMULATOR_KERNELS_H

#include "sectile/Emulator/Emulator.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Parser/Parser.h"

namespace sectile::test {

/// With the dialects that kernels are in.
inline mlir::MLIRContext &getContext() {
  static mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context
      .loadDialect<mlir::LLVM::LLVMDialect, mlir::NVVM::NVVMDialect, mlir::ROCDL::ROCDLDialect>();
  return context;
}

/// Null, after diagnostics, for what is no module or is refused.
inline std::unique_ptr<emulator::Emulator> load(const std::string &text) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, mlir::ParserConfig(&getContext()),
                                                        "kernels.mlir");
  if (!module)
    return nullptr;
  auto emulated = emulator::Emulator::load(*module);
  return mlir::succeeded(emulated) ? std::move(*emulated) : nullptr;
}

} // namespace sectile::test

#endif // SECTILE_TEST_UNIT_EMULATOR_KERNELS_H
