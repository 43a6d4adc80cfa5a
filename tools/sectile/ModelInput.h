//===- ModelInput.h - models and diagnostics for subcommands -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_MODELINPUT_H
#define SECTILE_TOOLS_SECTILE_MODELINPUT_H

#include "Args.h"

#include "sectile/Frontend/Onnx.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace sectile::tools {

/// `text` for a terminal: what a model's names may hold of control characters and broken UTF-8 is
/// escaped, and a long text is cut.
std::string printable(llvm::StringRef text);

/// What a location says to the user, a node's name or a line of a file: "line 3: ".
std::string describe(mlir::Location loc);

/// While it lives, prints diagnostics as `sectile: error: FILE: [node 'NAME' | line N: ]MESSAGE`.
class DiagnosticPrinter {
public:
  DiagnosticPrinter(mlir::MLIRContext &context, llvm::StringRef file);

private:
  void print(mlir::Diagnostic &diagnostic);

  std::string file;
  mlir::ScopedDiagnosticHandler handler;
};

/// The options of an import that a command line states.
Result<OnnxImportOptions> readImportOptions(const Args &args);

/// The values of --alias, each with a colon at least; the rest needs the model.
Result<std::vector<std::string>> readAliases(const Args &args);

/// Reads a model by its file's extension; null after an error that is reported already.
Result<mlir::OwningOpRef<mlir::ModuleOp>> importModel(const std::string &path, const Args &args,
                                                      mlir::MLIRContext &context);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_MODELINPUT_H
