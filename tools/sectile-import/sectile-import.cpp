//===- sectile-import.cpp - prints what a model becomes ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A tool for tests and for looking: imports an ONNX model and prints the graph
// level, large constants elided unless asked for.
//
//===----------------------------------------------------------------------===//

#include "sectile/Frontend/Onnx.h"
#include "sectile/Registration/Registration.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

namespace cl = llvm::cl;

static cl::opt<std::string> inputFile(cl::Positional, cl::Required, cl::desc("<model.onnx>"));
static cl::opt<std::string> outputFile("o", cl::desc("where to write, default standard output"),
                                       cl::init("-"));
static cl::list<std::string> dims("dims", cl::CommaSeparated,
                                  cl::desc("extents to make static: batch=8,..."));
static cl::opt<bool> check("check", cl::desc("list what cannot be compiled instead"));
static cl::opt<bool> withConstants("constants", cl::desc("print large constants too"));
static cl::opt<bool> withLocations("locations", cl::desc("print locations"));

/// Says one line on standard error for each diagnostic, without source lines.
static void print(mlir::Diagnostic &diagnostic) {
  llvm::errs() << "error: " << diagnostic << "\n";
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    llvm::errs() << "note: " << note << "\n";
}

static int listGaps(mlir::MLIRContext &context, const sectile::OnnxImportOptions &options) {
  auto gaps = sectile::checkOnnxFile(inputFile, context, options);
  if (mlir::failed(gaps))
    return 1;
  for (const sectile::UnsupportedNode &gap : *gaps) {
    llvm::outs() << gap.name << ": " << (gap.domain.empty() ? "" : gap.domain + ".") << gap.op
                 << " (opset " << gap.opset << "; " << gap.types << "; " << gap.shapes
                 << "): " << gap.reason;
    if (!gap.suggestion.empty())
      llvm::outs() << "; " << gap.suggestion;
    llvm::outs() << "\n";
  }
  llvm::outs() << gaps->size() << " unsupported nodes\n";
  return gaps->empty() ? 0 : 1;
}

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv, "Prints what an ONNX model becomes at the graph level\n");
  sectile::OnnxImportOptions options;
  for (const std::string &dim : dims) {
    auto [name, text] = llvm::StringRef(dim).split('=');
    int64_t value;
    if (text.getAsInteger(10, value) || value < 0) {
      llvm::errs() << "error: expects --dims=NAME=EXTENT, but got '" << dim << "'\n";
      return 2;
    }
    options.dims[name.str()] = value;
  }
  mlir::DialectRegistry registry;
  sectile::registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  context.getDiagEngine().registerHandler([](mlir::Diagnostic &diagnostic) {
    print(diagnostic);
    return mlir::success();
  });
  if (check)
    return listGaps(context, options);
  auto module = sectile::importOnnxFile(inputFile, context, options);
  if (mlir::failed(module))
    return 1;
  std::string error;
  std::unique_ptr<llvm::ToolOutputFile> out = mlir::openOutputFile(outputFile, &error);
  if (!out) {
    llvm::errs() << "error: " << error << "\n";
    return 4;
  }
  mlir::OpPrintingFlags flags;
  if (!withConstants) {
    flags.elideLargeElementsAttrs(64);
    flags.elideLargeResourceString(64);
  }
  if (withLocations)
    flags.enableDebugInfo(true, /*prettyForm=*/false);
  (*module)->print(out->os(), flags);
  out->keep();
  return 0;
}
