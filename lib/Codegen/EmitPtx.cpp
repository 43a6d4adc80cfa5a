//===- EmitPtx.cpp - the NVVM dialect to PTX --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Codegen/Ptx.h"

#include "GpuModule.h"

using namespace mlir;
using namespace sectile;

FailureOr<std::string> sectile::emitPtx(ModuleOp module, const target::GpuTarget &target) {
  auto text = compileGpuModule(module, target, llvm::CodeGenFileType::AssemblyFile);
  if (failed(text))
    return failure();
  return std::string(text->begin(), text->end());
}
