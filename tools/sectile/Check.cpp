//===- Check.cpp - sectile check -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"

#include "ModelInput.h"

#include "sectile/Conversion/TileToCPU/TileToCPU.h"
#include "sectile/Frontend/Mlir.h"
#include "sectile/Registration/Registration.h"

#include "mlir/IR/MLIRContext.h"

#include <cstdio>

namespace sectile::tools {

namespace {

constexpr Option kOptions[] = {
    {"target", Option::Value, "TARGET", "what to check for (default: cpu)"},
    {"dims", Option::Value, "NAME=N,...", "fixes symbolic dimensions"},
    {"quiet", Option::Flag, nullptr, "nothing but errors"},
};

constexpr Syntax kSyntax = {"check",
                            "Lists every node or op of a model that cannot be compiled, and why.",
                            "MODEL.{onnx,mlir}", kOptions};

/// Says how many gaps there are; the command's status.
int conclude(size_t gaps, const char *what, const std::string &path, const Args &args) {
  if (gaps != 0) {
    printf("%zu %s of '%s' cannot be compiled for cpu\n", gaps, what, path.c_str());
    return kRefused;
  }
  if (!args.has("quiet"))
    printf("every %s of '%s' can be compiled for cpu\n",
           std::string_view(what) == "nodes" ? "node" : "op", path.c_str());
  return kSuccess;
}

int checkMlir(const std::string &path, const Args &args, mlir::MLIRContext &context) {
  if (args.has("dims"))
    return report(failure(kUsage, "--dims is for ONNX models; MLIR states its shapes"));
  context.loadAllAvailableDialects();
  auto model = readMlirFile(path, context);
  if (mlir::failed(model))
    return kRefused;
  llvm::SmallVector<UnsupportedOp> gaps = checkMlirModel(**model, cpu::hasCode);
  for (const UnsupportedOp &gap : gaps)
    printf("error: %s\n", printable(describe(gap.loc) + "'" + gap.op + "': " + gap.reason).c_str());
  return conclude(gaps.size(), "ops", path, args);
}

} // namespace

static int checkModel(const Args &args) {
  if (auto target = args.value("target"); target && *target != "cpu")
    return report(failure(kUsage,
                          "expects target cpu, but got '%s'; others are not in this version",
                          std::string(*target).c_str()));
  Result<OnnxImportOptions> options = readImportOptions(args);
  if (!options)
    return report(options.failure());
  std::string path(args.positional());
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  DiagnosticPrinter printer(context, path);
  if (llvm::StringRef(path).ends_with(".mlir"))
    return checkMlir(path, args, context);
  auto gaps = checkOnnxFile(path, context, *options);
  if (mlir::failed(gaps))
    return kRefused;
  for (const UnsupportedNode &gap : *gaps) {
    std::string op = gap.domain.empty() ? gap.op : gap.domain + "." + gap.op;
    std::string text = "node '" + gap.name + "': " + op + " (opset " + std::to_string(gap.opset) +
                       ") on " + gap.types + " " + gap.shapes + ": " + gap.reason;
    printf("error: %s\n", printable(text).c_str());
    if (!gap.suggestion.empty())
      printf("  help: %s\n", printable(gap.suggestion).c_str());
  }
  return conclude(gaps->size(), "nodes", path, args);
}

int checkMain(std::span<char *const> arguments) {
  return runCommand(kSyntax, arguments,
                    [](const Args &args) -> Result<int> { return checkModel(args); });
}

} // namespace sectile::tools
