//===- Compile.cpp - sectile compile -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"

#include "Args.h"
#include "ModelInput.h"

#include "sectile/Codegen/KernelCache.h"
#include "sectile/Compiler/Compiler.h"
#include "sectile/Registration/Registration.h"
#include "sectile/Report/Explain.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

#include <cstdio>
#include <optional>
#include <unistd.h>

namespace sectile::tools {

namespace {

constexpr Option kOptions[] = {
    {"output", Option::Value, "FILE", "where the package goes (required)", 'o'},
    {"target", Option::Value, "LIST", "targets, separated by commas (default: cpu)"},
    {"cpu-levels", Option::Value, "LIST",
     "instruction-set levels to compile for, out of sse4, avx2, avx512 and\n"
     "avx512vnni (default: sse4,avx2,avx512)"},
    {"dims", Option::Value, "NAME=N,...", "fixes symbolic dimensions"},
    {"alias", Option::List, "IN:OUT[,DIM=CAPACITY]",
     "output OUT lives in the buffer of input IN (K/V caches), which holds\n"
     "CAPACITY elements along symbolic dimension DIM; repeatable"},
    {"emit", Option::Value, "KIND",
     "package (default), or text: graph, tile, llvm, asm; '-' writes to\n"
     "standard output"},
    {"fp", Option::Value, "MODE", "default, strict or fast"},
    {"explain", Option::Flag, nullptr,
     "prints what each kernel holds, why it ends where it does, how constants\n"
     "are laid out and which schedules were chosen (with -o -: on standard\n"
     "error)"},
    {"dump-dir", Option::Value, "DIR", "writes the IR of every stage there"},
    {"cache", Option::Value, "DIR",
     "keeps compiled kernels in DIR, so that a changed model recompiles only what\n"
     "changed; 'off' keeps none (default: $SECTILE_CACHE, else sectile in the user's\n"
     "cache folder; $SECTILE_CACHE_MB bounds it, 1024 by default)"},
    {"quiet", Option::Flag, nullptr, "no progress"},
    {"host", Option::Planned, nullptr, nullptr},
    {"quantize", Option::Planned, nullptr, nullptr},
    {"cost-model", Option::Planned, nullptr, nullptr},
    {"tuning-db", Option::Planned, nullptr, nullptr},
    {"report", Option::Planned, nullptr, nullptr},
    {"weights", Option::Planned, nullptr, nullptr},
    {"strip-emulation", Option::Planned, nullptr, nullptr},
    {"time-budget", Option::Planned, nullptr, nullptr},
};

constexpr Syntax kSyntax = {"compile", "Compiles a model ahead of time to a package.",
                            "MODEL.{onnx,mlir}", kOptions};

/// The options that shape a package, as they were given.
std::string recordOptions(const Args &args) {
  std::string text;
  for (const char *name : {"cpu-levels", "dims", "alias", "fp"})
    for (std::string_view value : args.list(name))
      text += (text.empty() ? "--" : " --") + std::string(name) + "=" + std::string(value);
  return text;
}

Result<CompileOptions> readOptions(const Args &args) {
  CompileOptions options;
  if (auto targets = args.value("target"); targets && *targets != "cpu")
    return failure(kUsage, "expects target cpu, but got '%s'; others are not in this version",
                   std::string(*targets).c_str());
  if (auto levels = args.value("cpu-levels")) {
    options.levels.clear();
    llvm::SmallVector<llvm::StringRef> names;
    llvm::StringRef(levels->data(), levels->size()).split(names, ',');
    for (llvm::StringRef name : names)
      options.levels.push_back(name.str());
    for (const std::string &name : options.levels)
      if (!lookupCpuLevel(name))
        return failure(kUsage, "expects levels out of %s, but got '%s'", listCpuLevels().c_str(),
                       name.c_str());
  }
  std::string_view emit = args.value("emit").value_or("package");
  if (emit == "package")
    options.emit = EmitKind::Package;
  else if (emit == "graph")
    options.emit = EmitKind::Graph;
  else if (emit == "tile")
    options.emit = EmitKind::Tile;
  else if (emit == "llvm")
    options.emit = EmitKind::LLVM;
  else if (emit == "asm")
    options.emit = EmitKind::Assembly;
  else if (emit == "static" || emit == "simt" || emit == "ptx" || emit == "cubin" ||
           emit == "hsaco")
    return failure(kUsage, "--emit=%s is not in this version", std::string(emit).c_str());
  else
    return failure(kUsage, "expects --emit to be package, graph, tile, llvm or asm, but got '%s'",
                   std::string(emit).c_str());
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

static int compileModel(const Args &args) {
  Result<CompileOptions> options = readOptions(args);
  if (!options)
    return report(options.failure());
  if (!args.has("output"))
    return report(failure(kUsage, "expects -o FILE; 'sectile compile --help' describes it"));
  std::string path(args.positional()), output(*args.value("output"));
  Result<std::unique_ptr<KernelCache>> cache = openCache(args);
  if (!cache)
    return report(cache.failure());
  options->cache = cache->get();

  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  DiagnosticPrinter printer(context, path);
  std::optional<Explanation> explanation;
  if (args.has("explain"))
    explanation.emplace(context);
  Result<mlir::OwningOpRef<mlir::ModuleOp>> module = importModel(path, args, context);
  if (!module)
    return report(module.failure());
  if (!*module)
    return kRefused;
  options->modelName = ::llvm::sys::path::stem(path).str();
  CompileStatus status = compileModule(**module, output, *options);
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
