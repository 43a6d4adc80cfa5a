//===- Lower.h - kernels as host code that calls the machine -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_LOWER_H
#define SECTILE_LIB_EMULATOR_LOWER_H

#include "Machine.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "llvm/ADT/StringMap.h"

namespace sectile::emulator {

/// What a launch has to know of a kernel.
struct KernelInfo {
  std::vector<uint64_t> argumentBytes;
};

/// A global variable of the module that is not shared memory.
struct GlobalInfo {
  std::string name;
  uint64_t bytes;
};

struct LoweredKernels {
  llvm::StringMap<KernelInfo> kernels;
  std::vector<GlobalInfo> globals;
};

/// The number that Machine::special knows the register by that an op of this name reads; nothing if
/// it reads none.
std::optional<int> specialRegister(llvm::StringRef name);

/// Gives the module's variables their places: those of shared memory, `most` bytes of it, in the
/// machine's, all others in `globals`, for the host.
mlir::LogicalResult placeGlobals(mlir::ModuleOp module, uint64_t most, Machine &machine,
                                 std::vector<GlobalInfo> &globals);

/// File, line and column of a location, or its name.
std::string describe(mlir::Location location);
/// The alignment of an access that states none, as LLVM's data layout for NVPTX has it.
uint64_t naturalAlignment(mlir::Type type, const mlir::DataLayout &layout);

/// The name of the function `void(void **arguments)` that calls `kernel`.
std::string entryName(llvm::StringRef kernel);

/// Rewrites `module` in place to host code: memory accesses and device ops become calls of the
/// machine, whose sites and shared variables this fills in. Reports every op that has no meaning.
mlir::FailureOr<LoweredKernels> lowerKernels(mlir::ModuleOp module, Machine &machine);

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_LOWER_H
