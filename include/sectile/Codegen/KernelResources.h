//===- KernelResources.h - what a kernel takes of a device ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CODEGEN_KERNELRESOURCES_H
#define SECTILE_CODEGEN_KERNELRESOURCES_H

#include <cstdint>
#include <string>

namespace sectile {

/// What a kernel takes, by the assembler. Of AMD, registers are those of vectors and sums together,
/// and bytes of spilled registers count once.
struct KernelResources {
  std::string kernel;
  int64_t registers = 0;
  int64_t stackBytes = 0, spillStoreBytes = 0, spillLoadBytes = 0;
  int64_t sharedBytes = 0;
  /// Registers that a wavefront shares; of AMD only.
  int64_t scalarRegisters = 0;
};

} // namespace sectile

#endif // SECTILE_CODEGEN_KERNELRESOURCES_H
