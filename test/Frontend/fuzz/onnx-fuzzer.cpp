//===- onnx-fuzzer.cpp - libFuzzer target of the ONNX importer --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Any bytes must be imported or refused. Limits are small, so that a run
// finds more than one way to spend memory.
//
//===----------------------------------------------------------------------===//

#include "sectile/Frontend/Onnx.h"

#include "mlir/IR/MLIRContext.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // One context each: nothing that an input leaves behind reaches the next.
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.getDiagEngine().registerHandler([](mlir::Diagnostic &) { return mlir::success(); });
  sectile::OnnxImportOptions options;
  options.maxNodes = 500;
  options.maxConstantBytes = 1 << 24;
  options.maxStructureBytes = 1 << 24;
  llvm::ArrayRef<char> model(reinterpret_cast<const char *>(data), size);
  (void)sectile::importOnnxBuffer(model, "input", context, options);
  return 0;
}
