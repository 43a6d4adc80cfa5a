//===- ModelInput.cpp - models and diagnostics for subcommands -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelInput.h"

#include "sectile/Conversion/TileToCPU/TileToCPU.h"
#include "sectile/Frontend/Mlir.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/ConvertUTF.h"

#include <cstdio>

namespace sectile::tools {

std::string describe(mlir::Location loc) {
  std::string text;
  loc->walk([&](mlir::Location part) {
    if (auto name = llvm::dyn_cast<mlir::NameLoc>(part)) {
      text = "node '" + name.getName().str() + "': ";
      return mlir::WalkResult::interrupt();
    }
    if (auto place = llvm::dyn_cast<mlir::FileLineColLoc>(part); place && place.getLine() != 0) {
      text = "line " + std::to_string(place.getLine()) + ": ";
      return mlir::WalkResult::interrupt();
    }
    return mlir::WalkResult::advance();
  });
  return text;
}

std::string printable(llvm::StringRef text) {
  constexpr size_t kMost = 900;
  std::string result;
  const auto *bytes = reinterpret_cast<const llvm::UTF8 *>(text.data());
  for (size_t i = 0; i < text.size();) {
    if (result.size() > kMost)
      return result + "...";
    unsigned char c = text[i];
    unsigned length = llvm::getNumBytesForUTF8(c);
    bool isValid =
        i + length <= text.size() && llvm::isLegalUTF8Sequence(bytes + i, bytes + i + length);
    if (c < 0x20 || c == 0x7f || !isValid) {
      char escaped[5];
      snprintf(escaped, sizeof escaped, "\\x%02x", c);
      result += escaped;
      ++i;
      continue;
    }
    result += text.substr(i, length);
    i += length;
  }
  return result;
}

DiagnosticPrinter::DiagnosticPrinter(mlir::MLIRContext &context, llvm::StringRef file)
    : file(file), handler(&context, [this](mlir::Diagnostic &diagnostic) {
        print(diagnostic);
        return mlir::success();
      }) {}

void DiagnosticPrinter::print(mlir::Diagnostic &diagnostic) {
  if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Remark)
    return;
  const char *kind =
      diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error ? "error" : "warning";
  std::string where = describe(diagnostic.getLocation()), message = diagnostic.str();
  // The importer names the file itself.
  bool namesFile = llvm::StringRef(message).contains(file);
  fprintf(stderr, "sectile: %s: %s\n", kind,
          printable((namesFile ? "" : file + ": ") + where + message).c_str());
}

Result<OnnxImportOptions> readImportOptions(const Args &args) {
  OnnxImportOptions options;
  llvm::SmallVector<llvm::StringRef> entries;
  std::string_view dims = args.value("dims").value_or("");
  llvm::StringRef(dims.data(), dims.size()).split(entries, ',', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef entry : entries) {
    auto [name, value] = entry.split('=');
    std::optional<int64_t> extent = parseInteger({value.data(), value.size()});
    if (name.empty() || !extent || *extent < 0)
      return failure(kUsage, "expects --dims NAME=N,... with N from 0 on, but got '%s'",
                     entry.str().c_str());
    options.dims[name.str()] = *extent;
  }
  return options;
}

Result<std::vector<std::string>> readAliases(const Args &args) {
  std::vector<std::string> aliases;
  for (std::string_view alias : args.list("alias")) {
    if (alias.find(':') == alias.npos)
      return failure(kUsage, "expects --alias IN:OUT[,DIM=CAPACITY], but got '%s'",
                     std::string(alias).c_str());
    aliases.emplace_back(alias);
  }
  return aliases;
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> importModel(const std::string &path, const Args &args,
                                                      mlir::MLIRContext &context) {
  if (llvm::StringRef(path).ends_with(".mlir")) {
    if (args.has("dims"))
      return failure(kUsage, "--dims is for ONNX models; MLIR states its shapes");
    auto module = importMlirFile(path, context, cpu::hasCode);
    return mlir::failed(module) ? mlir::OwningOpRef<mlir::ModuleOp>() : std::move(*module);
  }
  Result<OnnxImportOptions> options = readImportOptions(args);
  if (!options)
    return options.failure();
  mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>> module =
      importOnnxFile(path, context, *options);
  return mlir::failed(module) ? mlir::OwningOpRef<mlir::ModuleOp>() : std::move(*module);
}

} // namespace sectile::tools
