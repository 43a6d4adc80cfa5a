//===- Verify.cpp - sectile verify -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Args.h"
#include "Commands.h"
#include "Files.h"
#include "ModelInput.h"
#include "ModelInputs.h"

#include "sectile/Compiler/Aliases.h"
#include "sectile/Compiler/Pipelines.h"
#include "sectile/Frontend/Onnx.h"
#include "sectile/Registration/Registration.h"
#include "sectile/Target/CpuLevel.h"
#include "sectile/Verify/Verify.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>

namespace sectile::tools {

namespace {

constexpr Option kOptions[] = {
    {"pipeline", Option::Value, "PASSES",
     "the passes, as sectile-opt's --pass-pipeline (default: all that the\n"
     "interpreter can follow, from the model to the host program)"},
    {"target", Option::Value, "NAME", "cpu (the default)"},
    {"level", Option::Value, "NAME", "instruction-set level of the default passes (avx512)"},
    {"alias", Option::List, "IN:OUT[,DIM=CAPACITY]", "as in 'sectile compile'"},
    {"dims", Option::Value, "NAME=N,...", "sizes of dynamic dimensions (default: several)"},
    {"seed", Option::Value, "N", "of the random inputs (default: 0)"},
    {"samples", Option::Value, "N",
     "sets of inputs; where sizes are dynamic each has other ones\n"
     "(default: 1; with dynamic sizes 3, and one more\n"
     "without anything along each of the last three)"},
    {"least", Option::Value, "N", "smallest integer in random inputs (default: 0)"},
    {"most", Option::Value, "N", "largest integer in random inputs (default: 1)"},
    {"budget", Option::Value, "N", "element operations of one execution (default: no limit)"},
    {"trials", Option::Value, "N", "smaller models to try at most (default: 400, 0: no search)"},
    {"dump-dir", Option::Value, "DIR",
     "where IR before and after the pass and the reduced model go"},
    {"quiet", Option::Flag, nullptr, "prints only what is wrong"},
};

constexpr Syntax kSyntax = {"verify",
                            "Executes a model before and after every pass and names the first "
                            "pass that changes\nits results.",
                            "MODEL.{onnx,mlir}", kOptions};

struct Settings {
  std::string dims, dumpDir, level;
  interp::RandomOptions random;
  int64_t samples = 0;
  unsigned trials = 400;
  verify::Options options;
};

Result<Settings> readSettings(const Args &args) {
  Settings settings;
  if (auto target = args.value("target"); target && *target != "cpu")
    return failure(kUsage, "expects target cpu, but got '%s'; others are not in this version",
                   std::string(*target).c_str());
  auto read = [&](const char *name, int64_t least, int64_t other) -> Result<int64_t> {
    Result<std::optional<int64_t>> value = args.number(name, least, INT64_MAX);
    if (!value)
      return value.failure();
    return value->value_or(other);
  };
  Result<int64_t> seed = read("seed", 0, 0), samples = read("samples", 1, 0);
  Result<int64_t> least = read("least", INT64_MIN, 0), most = read("most", INT64_MIN, 1);
  Result<int64_t> budget = read("budget", 1, 0), trials = read("trials", 0, 400);
  for (Result<int64_t> *value : {&seed, &samples, &least, &most, &budget, &trials})
    if (!*value)
      return value->failure();
  if (*most < *least)
    return failure(kUsage, "option '--most' is below '--least'");
  settings.random.seed = static_cast<uint64_t>(*seed);
  settings.random.least = *least;
  settings.random.most = *most;
  settings.samples = *samples;
  settings.options.maxOperations = static_cast<uint64_t>(*budget);
  settings.trials = static_cast<unsigned>(std::min<int64_t>(*trials, 1000000));
  settings.dims = std::string(args.value("dims").value_or(""));
  settings.dumpDir = std::string(args.value("dump-dir").value_or(""));
  settings.level = std::string(args.value("level").value_or("avx512"));
  if (!lookupCpuLevel(settings.level))
    return failure(kUsage, "expects a level out of %s, but got '%s'", listCpuLevels().c_str(),
                   settings.level.c_str());
  return settings;
}

/// Sets of inputs whose sizes are all of one kind: small odd ones, ones, and beyond any tile.
constexpr int64_t kUniformSets = 3;

/// Sizes for the n-th set of inputs: the uniform ones, then nothing along one dimension after the
/// other, from the last on. A sum over nothing shows only if there is something to compute it for.
void chooseSampleSizes(const std::vector<std::string> &symbols, int64_t number,
                       SymbolValues &sizes) {
  auto numSymbols = static_cast<int64_t>(symbols.size());
  int64_t kind = number % (kUniformSets + numSymbols), next = kind == 2 ? 33 + number : 3 + number;
  if (kind == 0)
    return chooseSizes(symbols, sizes);
  for (int64_t i = 0; i < numSymbols; ++i) {
    bool isNone = kind == kUniformSets + numSymbols - 1 - i;
    sizes.emplace(symbols[i], kind == 1 ? 1 : isNone ? 0 : next);
    next += 2;
  }
}

verify::SampleMaker getSampleMaker(const Settings &settings) {
  return [&settings](mlir::FunctionOpInterface model, std::vector<verify::Sample> &samples,
                     std::string &error) {
    Result<std::vector<ModelTensor>> inputs = getModelInputs(model);
    if (!inputs) {
      error = inputs.failure().message;
      return false;
    }
    std::vector<std::string> symbols = getModelSymbols(*inputs);
    int64_t count = settings.samples  ? settings.samples
                    : symbols.empty() ? 1
                                      : kUniformSets + std::min<int64_t>(symbols.size(), 3);
    for (int64_t number = 0; number < count; ++number) {
      SymbolValues sizes;
      // A reduced model may lack a symbol that the whole one has.
      std::vector<std::string> known = symbols;
      for (llvm::StringRef entry : llvm::split(settings.dims, ','))
        known.push_back(entry.split('=').first.str());
      if (Result<Done> parsed = parseDims(settings.dims, known, sizes); !parsed) {
        error = parsed.failure().message;
        return false;
      }
      chooseSampleSizes(symbols, number, sizes);
      interp::RandomOptions random = settings.random;
      random.seed += static_cast<uint64_t>(number);
      Result<verify::Sample> sample = makeInputs(*inputs, sizes, random);
      if (!sample) {
        error = sample.failure().message;
        return false;
      }
      samples.push_back(std::move(*sample));
    }
    return true;
  };
}

std::string getDefaultPipeline(mlir::MLIRContext &context, llvm::StringRef level) {
  mlir::PassManager manager(&context, mlir::ModuleOp::getOperationName());
  buildGraphPipeline(manager);
  buildTilePipeline(manager, *lookupCpuLevel(level));
  buildPlanPipeline(manager);
  std::string text;
  llvm::raw_string_ostream stream(text);
  manager.printAsTextualPipeline(stream);
  return text;
}

/// The IR as text; files keep locations, which are the names of the model's nodes.
std::string printModule(mlir::ModuleOp module, bool withLocations = true) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, mlir::OpPrintingFlags().enableDebugInfo(withLocations));
  return text + "\n";
}

void printStage(const verify::Stage &stage, bool quiet) {
  using verify::Stage;
  const char *pass = stage.pass.c_str();
  auto counts = [&] {
    std::string text = std::to_string(stage.numCompared) + " elements";
    if (stage.numUnchecked)
      text += ", " + std::to_string(stage.numUnchecked) +
              " of them not checked: their bounds "
              "are too wide";
    return text;
  }();
  switch (stage.kind) {
  case Stage::Unchanged:
    if (!quiet)
      printf("unchanged    %s\n", pass);
    break;
  case Stage::Checked:
    if (!quiet || stage.numUnchecked)
      printf("%s %s (%s)\n", stage.numUnchecked ? "partly equal" : "equal       ", pass,
             counts.c_str());
    break;
  case Stage::NotChecked:
    printf("not checked  %s: %s\n", pass, stage.detail.c_str());
    break;
  case Stage::Different:
    printf("DIFFERENT    %s\n  %s\n", pass, stage.detail.c_str());
    break;
  case Stage::Failed:
    printf("failed       %s: %s\n", pass, stage.detail.c_str());
    break;
  }
  fflush(stdout);
}

Result<mlir::OwningOpRef<mlir::ModuleOp>> readModel(const std::string &path,
                                                    mlir::MLIRContext &context) {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  if (llvm::StringRef(path).ends_with(".onnx")) {
    auto imported = importOnnxFile(path, context, {});
    if (mlir::succeeded(imported))
      module = std::move(*imported);
  } else {
    module = mlir::parseSourceFile<mlir::ModuleOp>(path, &context);
    // Passes see one function, as they do in a compilation.
    if (module && mlir::failed(verify::runPipeline(*module, "builtin.module(inline)")))
      module = {};
  }
  if (!module)
    return failure(kRefused, "cannot read '%s'", path.c_str());
  return module;
}

/// Says what is wrong, writes the IR on both sides, and looks for a smaller model.
Result<Done> explain(mlir::ModuleOp model, const verify::Report &report,
                     const verify::SampleMaker &makeSamples, const Settings &settings) {
  std::vector<std::string> passes;
  passes.reserve(report.stages.size());
  for (const verify::Stage &stage : report.stages)
    passes.push_back(stage.pass);
  OutputFiles files;
  auto dump = [&](const char *name, const std::string &text) -> Result<Done> {
    if (settings.dumpDir.empty())
      return Done{};
    if (Result<Done> made = makeFolders(settings.dumpDir); !made)
      return made;
    return files.write(settings.dumpDir + "/" + name, text);
  };
  if (Result<Done> done = dump("before.mlir", printModule(*report.before)); !done)
    return done;
  if (Result<Done> done = dump("after.mlir", printModule(*report.after)); !done)
    return done;
  if (settings.trials) {
    mlir::OwningOpRef<mlir::ModuleOp> reduced =
        verify::reduceModel(model, passes, makeSamples, settings.options, settings.trials);
    std::string text = printModule(*reduced, !settings.dumpDir.empty());
    printf("reduced to %u ops%s\n", verify::countOps(*reduced),
           settings.dumpDir.empty() ? ":" : ", see reduced.mlir");
    if (settings.dumpDir.empty())
      fwrite(text.data(), 1, text.size(), stdout);
    if (Result<Done> done = dump("reduced.mlir", text); !done)
      return done;
  }
  return files.commit();
}

Result<Done> verifyModel(const Args &args, int &status) {
  Result<Settings> settings = readSettings(args);
  if (!settings)
    return settings.failure();
  registerAllPasses();
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto model = readModel(std::string(args.positional()), context);
  if (!model)
    return model.failure();
  Result<std::vector<std::string>> aliases = readAliases(args);
  if (!aliases)
    return aliases.failure();
  if (mlir::failed(applyAliases(**model, *aliases)))
    return failure(kRefused, "cannot verify '%s' with these aliases",
                   std::string(args.positional()).c_str());
  std::string text = args.has("pipeline") ? std::string(*args.value("pipeline"))
                                          : getDefaultPipeline(context, settings->level);
  std::string error;
  auto passes = verify::splitPipeline(text, context, error);
  if (mlir::failed(passes))
    return failure(kUsage, "option '--pipeline': %s", llvm::StringRef(error).rtrim().str().c_str());
  verify::SampleMaker makeSamples = getSampleMaker(*settings);
  verify::Report report = verify::verifyPasses(
      **model, *passes, makeSamples, settings->options,
      [&](const verify::Stage &stage) { printStage(stage, args.has("quiet")); });
  if (report.stages.empty())
    return Done{};
  if (report.stages.back().kind == verify::Stage::Failed)
    status = kRefused;
  if (report.stages.back().kind != verify::Stage::Different)
    return Done{};
  status = kMismatch;
  return explain(**model, report, makeSamples, *settings);
}

} // namespace

int verifyMain(std::span<char *const> arguments) {
  return runCommand(kSyntax, arguments, [](const Args &args) -> Result<int> {
    int status = kSuccess;
    Result<Done> done = verifyModel(args, status);
    return done ? Result<int>(status) : done.failure();
  });
}

} // namespace sectile::tools
