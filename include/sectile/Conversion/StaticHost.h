//===- StaticHost.h - the host program as a plain C function ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Static output has no runtime library: the host program is a C function that
// calls kernels directly and works in an arena that its caller owns. What that
// function looks like follows from the module that graph-plan-memory leaves; the
// pass host-to-static and the header's writer both read it here.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CONVERSION_STATICHOST_H
#define SECTILE_CONVERSION_STATICHOST_H

#include "sectile/Conversion/Host.h"

#include <optional>

namespace sectile {

/// On graph.kernel: bytes of private memory that a run of the compiled kernel needs (i64), absent
/// where they depend on sizes; and the messages of its checks (strings).
inline constexpr llvm::StringLiteral kScratchBytesAttr = "graph.scratch_bytes";
inline constexpr llvm::StringLiteral kFailuresListAttr = "graph.failures";

/// The constants, as the object's other parts call them.
inline constexpr llvm::StringLiteral kStaticConstants = "sectile_constants";

/// Alignment of the arena, of its slots and of private memory.
inline constexpr int64_t kStaticAlignment = 64;

/// Results of the C function.
enum StaticStatus : int32_t {
  kStaticOk = 0,
  kStaticNull = 1,     ///< a pointer to elements is null
  kStaticArena = 2,    ///< the arena is null, not aligned or too small
  kStaticExtent = 3,   ///< an extent is negative
  kStaticCapacity = 4, ///< an extent is beyond the capacity of a buffer that two tensors share
  /// From here on: the model's own checks.
  kStaticFirstCheck = 16
};

struct StaticTensor {
  /// A C identifier; no two of a function are equal, whatever their case.
  std::string name;
  /// Per dimension: the number of the function's parameter that holds the extent of an input; -1
  /// where it is fixed.
  llvm::SmallVector<int> parameters;
};

struct StaticInterface {
  PlannedInterface model;
  llvm::SmallVector<StaticTensor> inputs, outputs;
  /// Names of the extents that are parameters of the function, one for each distinct expression.
  llvm::SmallVector<std::string> parameters;
  /// For each output: the input whose buffer it shares, or -1.
  llvm::SmallVector<int> sharedInput;
  /// Inputs whose elements sizes depend on.
  llvm::SmallVector<unsigned> dataInputs;
  /// Outputs of which the run decides an extent. What is known before is its bound.
  llvm::SmallVector<unsigned> decidedOutputs;
  /// Bytes of the arena; nothing where they depend on sizes known at run time only.
  std::optional<int64_t> arenaBytes;
  /// Greatest private memory of the kernels of which it is known.
  int64_t knownScratchBytes = 0;
  /// Messages of the checks, in the order of their statuses from kStaticFirstCheck on.
  std::vector<std::string> checks;
  /// Statuses of checks of the host program, by message; first statuses of kernels, by name.
  llvm::StringMap<int32_t> hostChecks, kernelChecks;
};

/// Reads a module that graph-plan-memory and its clean-up have been run on, and whose kernels have
/// the attributes above.
StaticInterface getStaticInterface(mlir::ModuleOp module);

} // namespace sectile

#endif // SECTILE_CONVERSION_STATICHOST_H
