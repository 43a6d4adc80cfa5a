//===- Mlir.h - models that are MLIR already --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_FRONTEND_MLIR_H
#define SECTILE_FRONTEND_MLIR_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>

namespace sectile {

/// Something of a model in MLIR that this version cannot compile.
struct UnsupportedOp {
  mlir::Location loc;
  std::string op;     ///< "scf.for"
  std::string reason; ///< lower case, no full stop
};

/// Whether the target has code for a scalar op of arith or math.
using HasCode = llvm::function_ref<bool(mlir::Operation *)>;

/// Reads a model in MLIR: one public function on tensors, in the dialects that torch-mlir, TOSA
/// and StableHLO lower to. Calls are inlined, and ops are in the form that `graph-normalize`
/// leaves. Fails, with diagnostics, only where the text is no valid MLIR.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> readMlirFile(llvm::StringRef path,
                                                                mlir::MLIRContext &context);

/// All that keeps a model which `readMlirFile` returned from being compiled, in the model's order.
llvm::SmallVector<UnsupportedOp> checkMlirModel(mlir::ModuleOp model, HasCode hasCode);

/// `readMlirFile`, and an error for each unsupported op.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
importMlirFile(llvm::StringRef path, mlir::MLIRContext &context, HasCode hasCode);

} // namespace sectile

#endif // SECTILE_FRONTEND_MLIR_H
