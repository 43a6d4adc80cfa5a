//===- Host.h - from launches to a native host program -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CONVERSION_HOST_H
#define SECTILE_CONVERSION_HOST_H

#include "dialects/Graph/IR/Alias.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace sectile {

/// Names of the functions that graph-plan-memory writes.
inline constexpr llvm::StringLiteral kPrepareFunction = "sectile_prepare";
inline constexpr llvm::StringLiteral kRunFunction = "sectile_run";
/// Names of the functions that host-to-llvm writes.
inline constexpr llvm::StringLiteral kHostPrepare = "sectile_host_prepare";
inline constexpr llvm::StringLiteral kHostRun = "sectile_host_run";

/// On @sectile_prepare: numbers of the inputs whose elements sizes depend on; after the extents it
/// takes a buffer for each.
inline constexpr llvm::StringLiteral kDataInputsAttr = "graph.data_inputs";

/// On @sectile_run: pairs of an output and a dimension whose extent the run decides. It returns
/// them; what @sectile_prepare told of them is their bound, and the buffers have room for that.
inline constexpr llvm::StringLiteral kDecidedDimsAttr = "graph.decided_dims";

/// A constant's place in the section of constants.
struct PlannedConstant {
  mlir::ElementsAttr value;
  int64_t offset; // in bytes
  int64_t bytes;
  /// How it is to be packed (a #tile.memory), or null: row-major.
  mlir::Attribute memory;
};

/// The constants of a module that graph-plan-memory has been run on, in the order of offsets.
llvm::SmallVector<PlannedConstant> getPlannedConstants(mlir::ModuleOp module);

/// What a package says of the model's interface; recorded by graph-plan-memory.
struct PlannedTensor {
  std::string name;
  std::string dtype; // of graph.dtype, or empty
  mlir::RankedTensorType type;
  llvm::SmallVector<std::string> dims; // one expression per dimension
};
struct PlannedInterface {
  llvm::SmallVector<PlannedTensor> inputs, outputs;
  llvm::SmallVector<std::string> symbols;
  llvm::SmallVector<graph::Alias> aliases;
};
PlannedInterface getPlannedInterface(mlir::ModuleOp module);

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "sectile/Conversion/HostPasses.h.inc"

} // namespace sectile

#endif // SECTILE_CONVERSION_HOST_H
