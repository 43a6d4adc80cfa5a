//===- StaticHost.h - functions of static output ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_HOSTTOLLVM_STATICHOST_H
#define SECTILE_LIB_CONVERSION_HOSTTOLLVM_STATICHOST_H

#include "HostEmitter.h"

#include "sectile/Conversion/StaticHost.h"

namespace sectile {

/// Names of the functions inside the object.
inline constexpr llvm::StringLiteral kStaticPrepare = "sectile_prepare_static";
inline constexpr llvm::StringLiteral kStaticMeasure = "sectile_measure_static";
inline constexpr llvm::StringLiteral kStaticRun = "sectile_run_static";

/// Their arguments: extents, data of inputs and of outputs, arena, private memory, and an array of
/// i64 for sizes.
struct StaticFrame {
  const StaticInterface &interface;

  unsigned getInput(unsigned input) const { return interface.parameters.size() + input; }
  unsigned getOutput(unsigned output) const { return getInput(interface.inputs.size()) + output; }
  unsigned getArena() const { return getOutput(interface.outputs.size()); }
  unsigned getScratch() const { return getArena() + 1; }
  unsigned getSizes() const { return getArena() + 2; }
  llvm::SmallVector<mlir::Type> getTypes(mlir::MLIRContext *context) const;

  /// Places in the array of sizes: bytes of the arena's slots, bytes of private memory, then all
  /// extents of all outputs.
  static constexpr unsigned kArenaSize = 0, kScratchSize = 1, kFirstOutputSize = 2;
  unsigned getOutputSize(unsigned output, unsigned dim) const;
  unsigned getNumSizes() const;
};

/// Adds the user's functions to a module that holds those above in the LLVM dialect.
void writeStaticEntries(mlir::ModuleOp module, const StaticFrame &layout, llvm::StringRef name,
                        int64_t pointerBytes);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_HOSTTOLLVM_STATICHOST_H
