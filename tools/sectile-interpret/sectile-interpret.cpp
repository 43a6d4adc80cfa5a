//===- sectile-interpret.cpp - runs IR in the reference interpreter -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Args.h"
#include "Files.h"
#include "ModelInputs.h"

#include "sectile/Interpreter/Interpreter.h"
#include "sectile/Registration/Registration.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>
#include <new>

using namespace sectile;
using namespace sectile::tools;

static constexpr Option kOptions[] = {
    {"entry", Option::Value, "NAME", "the function to run (default: the only public one)"},
    {"dims", Option::Value, "NAME=N,...", "sizes of dynamic dimensions (default: small odd ones)"},
    {"seed", Option::Value, "N", "of the random inputs (default: 0)"},
    {"least", Option::Value, "N", "smallest integer in random inputs (default: 0)"},
    {"most", Option::Value, "N", "largest integer in random inputs (default: 1)"},
    {"input", Option::List, "NAME=FILE.npy", "an input's values"},
    {"output-dir", Option::Value, "DIR", "writes each result to DIR/NAME.npy"},
    {"level", Option::Value, "NAME", "the nested module to take tile kernels from"},
    {"graph", Option::Flag, nullptr, "runs graph kernels where there are tile kernels too"},
    {"round", Option::Flag, nullptr, "rounds every result to its type, without bounds"},
    {"bounds", Option::Flag, nullptr, "prints each value with its error bound"},
    {"limit", Option::Value, "N", "elements to print of each result (default: 16)"},
    {"budget", Option::Value, "N", "element operations before the run is given up"},
};

static constexpr Syntax kSyntax = {"interpret",
                                   "Runs a model at graph, tile or host level, slowly and exactly.",
                                   "FILE.mlir", kOptions};

static void printResult(const std::string &name, const interp::TensorObject &tensor, int64_t limit,
                        bool showBounds) {
  printf("%s: %s%u[", name.c_str(), tensor.format->isFloat ? "f" : "i", tensor.format->bits);
  for (auto [i, extent] : llvm::enumerate(tensor.shape))
    printf("%s%lld", i ? "," : "", static_cast<long long>(extent));
  printf("] =");
  for (int64_t i = 0; i < std::min<int64_t>(limit, tensor.data.size()); ++i) {
    const interp::Element &element = tensor.data[i];
    printf(" %s", interp::toString(*tensor.format, element).c_str());
    if (showBounds && element.bound > 0)
      printf("(%.2g)", element.bound);
  }
  printf("%s\n", limit < static_cast<int64_t>(tensor.data.size()) ? " ..." : "");
}

static int exitStatus(interp::Outcome::Status status) {
  switch (status) {
  case interp::Outcome::Finished:
    return kSuccess;
  case interp::Outcome::Faulted:
    return kMismatch;
  default:
    return kRefused;
  }
}

static Result<Done> run(const Args &args, int &status) {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  std::string path(args.positional());
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceFile<mlir::ModuleOp>(path, &context);
  if (!module)
    return failure(kRefused, "cannot read '%s'", path.c_str());

  mlir::Operation *entry = interp::Interpreter::findEntry(*module);
  if (auto name = args.value("entry"))
    entry = module->lookupSymbol<mlir::func::FuncOp>(llvm::StringRef(name->data(), name->size()));
  if (!entry)
    return failure(kRefused, "expects one public function in '%s', or --entry", path.c_str());
  auto function = llvm::cast<mlir::FunctionOpInterface>(entry);
  Result<std::vector<ModelTensor>> inputs = getModelInputs(function);
  if (!inputs)
    return inputs.failure();

  std::vector<std::string> symbols = getModelSymbols(*inputs);
  SymbolValues sizes;
  if (auto dims = args.value("dims"))
    if (Result<Done> parsed = parseDims(*dims, symbols, sizes); !parsed)
      return parsed.failure();
  chooseSizes(symbols, sizes);
  interp::RandomOptions random;
  interp::Options options;
  int64_t limit = 16;
  const std::tuple<const char *, int64_t *, int64_t> numbers[] = {
      {"least", &random.least, INT64_MIN}, {"most", &random.most, INT64_MIN}, {"limit", &limit, 0}};
  for (auto [name, target, least] : numbers) {
    Result<std::optional<int64_t>> value = args.number(name, least, INT64_MAX);
    if (!value)
      return value.failure();
    *target = value->value_or(*target);
  }
  if (random.most < random.least)
    return failure(kUsage, "option '--most' is below '--least'");
  Result<std::optional<int64_t>> seed = args.number("seed", 0, INT64_MAX);
  Result<std::optional<int64_t>> budget = args.number("budget", 1, INT64_MAX);
  if (!seed || !budget)
    return seed ? budget.failure() : seed.failure();
  random.seed = static_cast<uint64_t>(seed->value_or(0));
  options.maxOperations = static_cast<uint64_t>(budget->value_or(0));
  options.rounds = args.has("round");
  options.ignoreTileKernels = args.has("graph");
  options.level = std::string(args.value("level").value_or(""));

  Result<std::vector<interp::TensorRef>> tensors = makeInputs(*inputs, sizes, random);
  if (!tensors)
    return tensors.failure();
  for (std::string_view entry : args.list("input")) {
    size_t equals = entry.find('=');
    auto it = llvm::find_if(
        *inputs, [&](const ModelTensor &input) { return input.name == entry.substr(0, equals); });
    if (equals == std::string_view::npos || it == inputs->end())
      return failure(kUsage,
                     "option '--input' expects NAME=FILE.npy with a name of the model, "
                     "but got '%s'",
                     std::string(entry).c_str());
    Result<interp::TensorRef> tensor = readInput(std::string(entry.substr(equals + 1)), *it);
    if (!tensor)
      return tensor.failure();
    (*tensors)[it - inputs->begin()] = *tensor;
  }

  interp::Outcome outcome = interp::Interpreter(*module, options).run(entry, *tensors);
  status = exitStatus(outcome.status);
  if (outcome.status != interp::Outcome::Finished) {
    static constexpr const char *kNames[] = {"", "refused", "fault", "gave up", "unsupported"};
    std::string place;
    llvm::raw_string_ostream(place) << outcome.location;
    printf("%s: %s at %s\n", kNames[outcome.status], outcome.message.c_str(), place.c_str());
    return Done{};
  }
  OutputFiles files;
  std::vector<std::string> names = getModelOutputNames(function);
  for (auto [number, result] : llvm::enumerate(outcome.results)) {
    std::string name = number < names.size() ? names[number] : "out" + std::to_string(number);
    printResult(name, *result, limit, args.has("bounds"));
    if (auto folder = args.value("output-dir")) {
      std::replace(name.begin(), name.end(), '/', '_');
      if (auto made = makeFolders(std::string(*folder)); !made)
        return made.failure();
      if (auto written = files.write(std::string(*folder) + "/" + name + ".npy", toNpy(*result));
          !written)
        return written.failure();
    }
  }
  return files.commit();
}

int main(int argc, char **argv) {
  Result<Args> args = Args::parse(kSyntax, std::span(argv + 1, argv + argc));
  if (!args)
    return report(args.failure());
  if (args->wantsHelp()) {
    printHelp(kSyntax);
    return kSuccess;
  }
  int status = kSuccess;
  Result<Done> done = run(*args, status);
  return done ? status : report(done.failure());
}
