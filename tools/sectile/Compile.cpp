//===- Compile.cpp - sectile compile -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"

#include "Args.h"
#include "MeasurePackages.h"
#include "ModelInput.h"

#include "sectile/Codegen/KernelCache.h"
#include "sectile/Compiler/Compiler.h"
#include "sectile/Compiler/Tuning.h"
#include "sectile/Registration/Registration.h"
#include "sectile/Report/Explain.h"
#include "sectile/Target/GpuTarget.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

#include <atomic>
#include <cstdio>
#include <optional>
#include <unistd.h>

namespace sectile::tools {

namespace {

constexpr Option kOptions[] = {
    {"output", Option::Value, "FILE",
     "where the package goes (required); static output goes to FILE.o and\nFILE.h", 'o'},
    {"target", Option::Value, "LIST",
     "cpu and GPUs as --list-targets shows them, separated by commas (default: cpu)"},
    {"host", Option::Value, "NAME",
     "what the code runs on: x86_64-linux (default), aarch64-linux or, for\n"
     "static output, thumbv7em-none-eabi (Cortex-M4, M7)"},
    {"cpu-levels", Option::Value, "LIST",
     "instruction-set levels of the host to compile for, as --list-targets\n"
     "shows them (default for packages: sse4,avx2,avx512 or neon; static\n"
     "output has one, by default what every CPU of the host has)"},
    {"dims", Option::Value, "NAME=N,...", "fixes symbolic dimensions"},
    {"alias", Option::List, "IN:OUT[,DIM=CAPACITY]",
     "output OUT lives in the buffer of input IN (K/V caches), which holds\n"
     "CAPACITY elements along symbolic dimension DIM; repeatable"},
    {"emit", Option::Value, "KIND",
     "package (default); static: an object and a header with a C function\n"
     "that needs no runtime; or text: graph, tile, llvm (of a GPU: the NVVM\n"
     "or ROCDL dialect), asm, ptx of NVIDIA's GPUs; '-' writes text\n"
     "to standard output; or hsaco: a code object of AMD's"},
    {"fp", Option::Value, "MODE", "default, strict or fast"},
    {"explain", Option::Flag, nullptr,
     "prints what each kernel holds, why it ends where it does, how constants\n"
     "are laid out and which schedules were chosen (with -o -: on standard\n"
     "error)"},
    {"weights", Option::Value, "inside|external[:NAME]",
     "constants are in the package (default) or in files of a folder NAME\n"
     "beside it (default: the package's name, .weights), called after what\n"
     "is in them: packages share them, and compiling again writes only what\n"
     "changed"},
    {"dump-dir", Option::Value, "DIR", "writes the IR of every stage there"},
    {"cache", Option::Value, "DIR",
     "keeps compiled kernels in DIR, so that a changed model recompiles only what\n"
     "changed; 'off' keeps none (default: $SECTILE_CACHE, else sectile in the user's\n"
     "cache folder; $SECTILE_CACHE_MB bounds it, 1024 by default)"},
    {"time-budget", Option::Value, "SECONDS",
     "measures other schedules of the kernels than the cost model's until about\n"
     "so long after the start: of the best level that this machine has, on its\n"
     "cores ($SECTILE_NUM_THREADS), with random inputs"},
    {"measure-dims", Option::Value, "NAME=N,...", "sizes of dynamic dimensions for --time-budget"},
    {"quiet", Option::Flag, nullptr, "no progress"},
    {"quantize", Option::Planned, nullptr, nullptr},
    {"cost-model", Option::Planned, nullptr, nullptr},
    {"tuning-db", Option::Planned, nullptr, nullptr},
    {"report", Option::Planned, nullptr, nullptr},
    {"strip-emulation", Option::Planned, nullptr, nullptr},
};

constexpr Syntax kSyntax = {"compile", "Compiles a model ahead of time to a package.",
                            "MODEL.{onnx,mlir}", kOptions};

/// The options that shape a package, as they were given.
std::string recordOptions(const Args &args) {
  std::string text;
  for (const char *name : {"target", "host", "cpu-levels", "dims", "alias", "fp", "weights"})
    for (std::string_view value : args.list(name))
      text += (text.empty() ? "--" : " --") + std::string(name) + "=" + std::string(value);
  return text;
}

/// The levels to compile for: as asked, or those that the host and the kind of output call for.
Result<std::vector<std::string>> readLevels(const Args &args, EmitKind emit) {
  std::string hostName(args.value("host").value_or("x86_64-linux"));
  const CpuHost *host = lookupCpuHost(hostName);
  if (!host)
    return failure(kUsage, "expects a host out of %s, but got '%s'", listCpuHosts().c_str(),
                   hostName.c_str());
  if (emit == EmitKind::Package && host->packageLevels.empty())
    return failure(
        kUsage,
        "host %s has no operating system that packages could be loaded by; --emit=static "
        "compiles for it",
        hostName.c_str());
  bool isOne = emit == EmitKind::Static || host->packageLevels.empty();
  std::string_view text = isOne ? host->baseLevel : host->packageLevels;
  text = args.value("cpu-levels").value_or(text);
  llvm::SmallVector<llvm::StringRef> names;
  llvm::StringRef(text.data(), text.size()).split(names, ',');
  std::vector<std::string> levels;
  for (llvm::StringRef name : names) {
    const CpuLevel *level = lookupCpuLevel(name);
    if (!level || level->host != host->name)
      return failure(kUsage, "expects levels out of %s for host %s, but got '%s'",
                     listCpuLevels(host->name).c_str(), hostName.c_str(), name.str().c_str());
    levels.push_back(name.str());
  }
  if (emit == EmitKind::Static && levels.size() != 1)
    return failure(kUsage, "static output holds code for one level, but got '%s'",
                   std::string(text).c_str());
  return levels;
}

/// --target: cpu and GPUs.
Result<Done> readTargets(const Args &args, CompileOptions &options) {
  llvm::StringRef text = args.value("target").value_or("cpu");
  llvm::SmallVector<llvm::StringRef> names;
  text.split(names, ',');
  options.hasCpu = false;
  for (llvm::StringRef name : names) {
    bool isKnown = name == "cpu" || target::findGpuTarget(name);
    bool isRepeated = name == "cpu" ? options.hasCpu : llvm::is_contained(options.devices, name);
    if (!isKnown || isRepeated)
      return failure(kUsage, "expects targets out of cpu, %s, each once, but got '%s'",
                     target::listGpuTargets().c_str(), text.str().c_str());
    if (name == "cpu")
      options.hasCpu = true;
    else
      options.devices.push_back(name.str());
  }
  return Done{};
}

/// --weights: the folder of constants beside the package, empty if they are in it.
Result<std::string> readWeights(const Args &args, EmitKind emit) {
  llvm::StringRef text = args.value("weights").value_or("inside");
  if (text == "inside")
    return std::string();
  if (emit != EmitKind::Package)
    return failure(kUsage, "--weights=%s is for packages", text.str().c_str());
  std::string folder;
  if (text == "external") {
    std::string_view output = args.value("output").value_or("");
    folder = (llvm::sys::path::stem(llvm::StringRef(output)) + ".weights").str();
  } else if (text.consume_front("external:")) {
    folder = text.str();
  }
  if (folder == llvm::sys::path::filename(args.value("output").value_or("")))
    return failure(kUsage,
                   "expects the folder of weights to be called otherwise than the package, "
                   "but both are '%s'",
                   folder.c_str());
  if (folder.empty() || folder.find('/') != std::string::npos || folder == "." || folder == "..")
    return failure(kUsage,
                   "expects --weights to be inside, external or external:NAME of a folder beside "
                   "the package, but got '%s'",
                   std::string(*args.value("weights")).c_str());
  return folder;
}

/// What is not there for GPUs, or not for several targets at once.
Result<Done> checkEmit(const CompileOptions &options, std::string_view emit) {
  if (options.devices.empty() && options.emit == EmitKind::Ptx)
    return failure(kUsage, "--emit=ptx is for GPUs: --target=sm_80, say");
  if (options.devices.empty() && options.emit == EmitKind::Hsaco)
    return failure(kUsage, "--emit=hsaco is for GPUs: --target=gfx942, say");
  if (options.devices.empty() || options.emit == EmitKind::Package)
    return Done{};
  if (options.hasCpu || options.devices.size() > 1)
    return failure(kUsage, "--emit=%s is for one target, but got %zu", std::string(emit).c_str(),
                   options.devices.size() + options.hasCpu);
  bool isAmd = target::findGpuTarget(options.devices[0])->family == target::GpuFamily::Amd;
  bool isOfVendor = options.emit == EmitKind::Assembly || options.emit == EmitKind::Hsaco ? isAmd
                    : options.emit == EmitKind::Ptx ? !isAmd
                                                    : options.emit != EmitKind::Static;
  if (!isOfVendor)
    return failure(kUsage, "--emit=%s is for %s; target %s has package, graph, tile, llvm, %s",
                   std::string(emit).c_str(),
                   options.emit == EmitKind::Ptx      ? "NVIDIA"
                   : options.emit == EmitKind::Hsaco  ? "AMD"
                   : options.emit == EmitKind::Static ? "the CPU"
                                                      : "the CPU and AMD",
                   options.devices[0].c_str(), isAmd ? "asm, hsaco" : "ptx");
  return Done{};
}

Result<CompileOptions> readOptions(const Args &args) {
  CompileOptions options;
  if (Result<Done> targets = readTargets(args, options); !targets)
    return targets.failure();
  std::string_view emit = args.value("emit").value_or("package");
  if (emit == "package")
    options.emit = EmitKind::Package;
  else if (emit == "static")
    options.emit = EmitKind::Static;
  else if (emit == "graph")
    options.emit = EmitKind::Graph;
  else if (emit == "tile")
    options.emit = EmitKind::Tile;
  else if (emit == "llvm")
    options.emit = EmitKind::LLVM;
  else if (emit == "asm")
    options.emit = EmitKind::Assembly;
  else if (emit == "ptx")
    options.emit = EmitKind::Ptx;
  else if (emit == "hsaco")
    options.emit = EmitKind::Hsaco;
  else if (emit == "simt" || emit == "cubin")
    return failure(kUsage, "--emit=%s is not in this version", std::string(emit).c_str());
  else
    return failure(
        kUsage,
        "expects --emit to be package, static, graph, tile, llvm, asm, ptx or hsaco, but got '%s'",
        std::string(emit).c_str());
  if (Result<Done> checked = checkEmit(options, emit); !checked)
    return checked.failure();
  Result<std::vector<std::string>> levels = readLevels(args, options.emit);
  if (!levels)
    return levels.failure();
  options.levels = std::move(*levels);
  std::string_view mode = args.value("fp").value_or("default");
  if (mode == "default")
    options.floatMode = FloatMode::Default;
  else if (mode == "strict")
    options.floatMode = FloatMode::Strict;
  else if (mode == "fast")
    options.floatMode = FloatMode::Fast;
  else
    return failure(kUsage, "expects --fp to be default, strict or fast, but got '%s'",
                   std::string(mode).c_str());
  Result<std::vector<std::string>> aliases = readAliases(args);
  if (!aliases)
    return aliases.failure();
  options.aliases = std::move(*aliases);
  options.optionsText = recordOptions(args);
  Result<std::string> weights = readWeights(args, options.emit);
  if (!weights)
    return weights.failure();
  options.weightsFolder = std::move(*weights);
  options.dumpDir = std::string(args.value("dump-dir").value_or(""));
  if (!args.has("quiet") && isatty(STDERR_FILENO))
    options.progress = [](llvm::StringRef stage, unsigned done, unsigned total) {
      fprintf(stderr, "\r\033[K[%u/%u] %s%s", done + 1, total, stage.str().c_str(),
              done + 1 == total ? "\r\033[K" : "");
    };
  return options;
}

constexpr uint64_t kDefaultCacheMegabytes = 1024;

/// The cache that `args` and the environment ask for; null for none. A folder that the user names
/// has to be usable; without the default one, compiling only takes longer.
Result<std::unique_ptr<KernelCache>> openCache(const Args &args) {
  uint64_t megabytes = kDefaultCacheMegabytes;
  if (const char *text = getenv("SECTILE_CACHE_MB"))
    if (llvm::StringRef(text).getAsInteger(10, megabytes) || megabytes > (uint64_t(1) << 40))
      return failure(kUsage, "expects SECTILE_CACHE_MB to be a number of megabytes, but got '%s'",
                     text);
  std::string path;
  if (auto option = args.value("cache"))
    path = std::string(*option);
  else if (const char *variable = getenv("SECTILE_CACHE"))
    path = variable;
  bool isNamed = !path.empty();
  if (path == "off")
    return std::unique_ptr<KernelCache>();
  if (!isNamed) {
    llvm::SmallString<128> folder;
    if (!llvm::sys::path::cache_directory(folder))
      return std::unique_ptr<KernelCache>();
    llvm::sys::path::append(folder, "sectile");
    path = folder.str().str();
  }
  std::string error;
  std::unique_ptr<KernelCache> cache = KernelCache::open(path, megabytes << 20, error);
  if (!cache && isNamed)
    return failure(kEnvironment, "%s", error.c_str());
  return cache;
}

} // namespace

/// --time-budget; nothing if it is not given.
static Result<std::optional<TuningOptions>> readTuning(const Args &args,
                                                       const CompileOptions &options) {
  std::optional<std::string_view> text = args.value("time-budget");
  if (!text) {
    if (args.has("measure-dims"))
      return failure(kUsage, "--measure-dims goes with --time-budget");
    return std::optional<TuningOptions>();
  }
  std::optional<double> seconds = parseDouble(*text);
  if (!seconds || *seconds < 0 || *seconds > 1e6)
    return failure(kUsage, "expects --time-budget to be a number of seconds, but got '%s'",
                   std::string(*text).c_str());
  if (options.emit != EmitKind::Package || !options.hasCpu)
    return failure(kUsage, "--time-budget measures packages on this machine: expects cpu among the "
                           "targets and no other kind of output");
  if (llvm::none_of(options.levels, [](const std::string &name) {
        return isCpuLevelPresent(*lookupCpuLevel(name));
      }))
    return failure(kUsage, "--time-budget measures on this machine, which has none of the levels "
                           "that are compiled");
  TuningOptions tuning;
  tuning.deadline =
      TuningOptions::Clock::now() + std::chrono::duration_cast<TuningOptions::Clock::duration>(
                                        std::chrono::duration<double>(*seconds));
  tuning.measure = [dims = std::string(args.value("measure-dims").value_or(""))](
                       llvm::StringRef path, llvm::StringRef other, unsigned rounds,
                       double secondsLeft) {
    return measurePackages(path, other, dims, rounds, secondsLeft);
  };
  return std::optional<TuningOptions>(std::move(tuning));
}

/// Whether a signal asked for the end while schedules were measured.
static std::atomic<bool> isInterrupted = false;

static void printSummary(const TuningSummary &summary, bool quiet) {
  if (!summary.error.empty())
    fprintf(stderr, "sectile: warning: --time-budget: schedules are the cost model's: %s\n",
            llvm::StringRef(summary.error).split('\n').first.str().c_str());
  else if (!quiet && summary.schedules == 0)
    fprintf(stderr, "time budget: no time for any other schedule\n");
  else if (!quiet && summary.kernels == 0)
    fprintf(stderr, "time budget: measured %u schedules, none faster than the cost model's\n",
            summary.schedules);
  else if (!quiet)
    fprintf(stderr,
            "time budget: measured %u schedules; with those of %u kernels, a run takes %.2f of the "
            "time (%.1f -> %.1f us)\n",
            summary.schedules, summary.kernels, summary.after / summary.before, summary.before,
            summary.after);
}

static int compileModel(const Args &args) {
  Result<CompileOptions> options = readOptions(args);
  if (!options)
    return report(options.failure());
  if (!args.has("output"))
    return report(failure(kUsage, "expects -o FILE; 'sectile compile --help' describes it"));
  std::string path(args.positional()), output(*args.value("output"));
  if (options->emit == EmitKind::Static && output == "-")
    return report(failure(kUsage, "static output is two files: expects -o FILE, but got '-'"));
  if (options->emit == EmitKind::Package && output == "-")
    return report(failure(kUsage, "a package is a file: expects -o FILE, but got '-'"));
  Result<std::unique_ptr<KernelCache>> cache = openCache(args);
  if (!cache)
    return report(cache.failure());
  options->cache = cache->get();
  std::optional<Explanation> explanation;
  TuningSummary summary;
  Result<std::optional<TuningOptions>> tuning = readTuning(args, *options);
  if (!tuning)
    return report(tuning.failure());
  if (std::optional<TuningOptions> &measured = *tuning) {
    measured->summary = &summary;
    measured->onTrials = [&](bool isTrial) {
      if (explanation)
        explanation->setListening(!isTrial);
    };
    // The folder of what is measured is large, and removed on the way out.
    measured->isInterrupted = [] { return isInterrupted.load(); };
    llvm::sys::SetInterruptFunction([] { isInterrupted = true; });
    options->tuning = &*measured;
  }

  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  DiagnosticPrinter printer(context, path);
  if (args.has("explain"))
    explanation.emplace(context);
  Result<mlir::OwningOpRef<mlir::ModuleOp>> module = importModel(path, args, context);
  if (!module)
    return report(module.failure());
  if (!*module)
    return kRefused;
  options->modelName = ::llvm::sys::path::stem(path).str();
  CompileStatus status = compileModule(**module, output, *options);
  if (options->tuning && status == CompileStatus::Success)
    printSummary(summary, args.has("quiet"));
  // After an error too: it may be why.
  if (explanation) {
    llvm::raw_ostream &out = output == "-" ? llvm::errs() : llvm::outs();
    explanation->print(out);
    if (*cache)
      out << "code of kernels, all levels: " << (*cache)->getNumMisses() << " compiled, "
          << (*cache)->getNumHits() << " from the cache\n";
  }
  switch (status) {
  case CompileStatus::Success:
    return kSuccess;
  case CompileStatus::Refused:
    return kRefused;
  case CompileStatus::Environment:
    return kEnvironment;
  }
  return kInternal;
}

int compileMain(std::span<char *const> arguments) {
  return runCommand(kSyntax, arguments,
                    [](const Args &args) -> Result<int> { return compileModel(args); });
}

} // namespace sectile::tools
