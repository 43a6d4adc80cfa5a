//===- Run.cpp - sectile run ------------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

#include "Args.h"
#include "Compare.h"
#include "Device.h"
#include "Files.h"
#include "Model.h"
#include "Npy.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <set>

namespace sectile::tools {

namespace {

constexpr Option kOptions[] = {
    {"input", Option::List, "NAME=SOURCE",
     "take an input from FILE.npy, from FILE.pb (an ONNX TensorProto), or\n"
     "from random:SEED: floats uniform in (-1, 1), integers 0 or 1.\n"
     "Inputs that are not given are random:0."},
    {"dims", Option::Value, "NAME=N,...", "sizes of dynamic dimensions for random inputs"},
    {"output-dir", Option::Value, "DIR",
     "write each output to DIR/NAME.npy, with '/' in names as '_'"},
    {"expect", Option::List, "NAME=FILE[,rtol=R][,atol=A]",
     "compare an output with FILE.npy or FILE.pb: |got - expected| may be at\n"
     "most A + R * |expected|. Without tolerances they must be equal. A\n"
     "mismatch is exit status 3."},
    {"threads", Option::Value, "N",
     "threads to use (default: $SECTILE_NUM_THREADS, else the allowed CPUs)"},
    {"device", Option::Value, "DEVICE",
     "cpu; cuda or hip, a GPU (cuda:1 for another than the first), with the best of\n"
     "the package's code for it; or emulator:ARCH, which executes the kernels for a\n"
     "GPU (emulator:sm_80) without one; default: cpu, which the package must have\n"
     "code for"},
    {"sanitize", Option::Value, "LIST",
     "what the emulator looks for: races, bounds (the default), or both"},
    {"count", Option::Value, "memory",
     "prints, for each access of each kernel, the sectors of global memory and the\n"
     "turns of shared memory that the emulator counted, and the least possible ones"},
    {"seed", Option::Value, "N",
     "the emulator runs threads in a random order of this seed (0, the default:\n"
     "one after the other)"},
    {"quiet", Option::Flag, nullptr, "print nothing but errors and mismatches"},
};

constexpr Syntax kSyntax = {
    "run",
    "Runs a package once. The level of CPU code is the best this CPU has, or\n"
    "$SECTILE_CPU_LEVEL.",
    "PACKAGE", kOptions};

/// One line about an output: type and range of its values.
void printSummary(const char *name, const Tensor &tensor) {
  double least = INFINITY, most = -INFINITY, sum = 0;
  int64_t finite = 0, count = tensor.numElements();
  for (int64_t i = 0; i < count; ++i) {
    double value = readElement(tensor, i);
    if (!std::isfinite(value))
      continue;
    ++finite;
    sum += value;
    least = std::min(least, value);
    most = std::max(most, value);
  }
  printf("%s  %s", name, describeType(tensor.dtype, tensor.dims).c_str());
  if (finite > 0)
    printf("  min %.6g  max %.6g  mean %.6g", least, most, sum / double(finite));
  if (finite < count)
    printf("  not finite: %" PRId64, count - finite);
  printf("\n");
}

Result<Done> writeOutputs(const std::string &folder, const Model &model,
                          const std::vector<Tensor> &outputs) {
  std::set<std::string> names;
  if (Result<Done> made = makeFolders(folder); !made)
    return made;
  OutputFiles files;
  for (size_t i = 0; i < outputs.size(); ++i) {
    std::string name = model.outputs[i].name;
    std::replace(name.begin(), name.end(), '/', '_');
    name += ".npy";
    if (!names.insert(name).second)
      return failure(kRefused, "two outputs would be written to '%s'", name.c_str());
    Tensor stored = npyForm(outputs[i]);
    std::string header = npyHeader(stored);
    std::span<const std::byte> parts[] = {std::as_bytes(std::span(header)), stored.data};
    if (Result<Done> written = files.write(folder + "/" + name, parts); !written)
      return written;
  }
  return files.commit();
}

/// An --expect option with its file read.
struct Expected {
  size_t output;
  Expectation expectation;
  Tensor tensor;
};

Result<std::vector<Expected>> readExpectations(const Args &args, const Model &model) {
  std::vector<Expected> result;
  for (std::string_view text : args.list("expect")) {
    auto split = splitAssignment("expect", text, model.outputs);
    if (!split)
      return split.failure();
    Result<Expectation> expectation = parseExpectation(split->second);
    if (!expectation)
      return expectation.failure();
    Result<Tensor> tensor = readTensor(expectation->file);
    if (!tensor)
      return tensor.failure();
    result.push_back({split->first, std::move(*expectation), std::move(*tensor)});
  }
  return result;
}

/// Prints a row for each comparison; returns whether all match.
bool checkExpectations(const std::vector<Expected> &all, const Model &model,
                       const std::vector<Tensor> &outputs, bool quiet) {
  bool good = true;
  std::vector<Comparison> comparisons;
  int width = 6;
  for (const Expected &expected : all) {
    comparisons.push_back(compare(outputs[expected.output], expected.tensor,
                                  expected.expectation.rtol, expected.expectation.atol));
    good &= comparisons.back().matches();
    width = std::max(width, int(strlen(model.outputs[expected.output].name)));
  }
  if (all.empty() || (good && quiet))
    return good;
  printf("%-*s  %12s  %12s  %12s  %12s\n", width, "output", "elements", "max abs", "max rel",
         "mismatches");
  for (size_t i = 0; i < all.size(); ++i) {
    const Comparison &comparison = comparisons[i];
    const char *name = model.outputs[all[i].output].name;
    if (!comparison.typeMismatch.empty()) {
      printf("%-*s  %s\n", width, name, comparison.typeMismatch.c_str());
      continue;
    }
    printf("%-*s  %12" PRId64 "  %12.4g  %12.4g  %12" PRId64 "\n", width, name, comparison.elements,
           comparison.maxAbsolute, comparison.maxRelative, comparison.mismatches);
    if (int64_t first = comparison.firstMismatch; first >= 0)
      printf("%-*s  first at %" PRId64 ": expected %.9g, but got %.9g\n", width, "", first,
             readElement(all[i].tensor, first), readElement(outputs[all[i].output], first));
  }
  return good;
}

Result<int> run(const Args &args) {
  Result<DeviceChoice> choice = chooseDevice(args);
  if (!choice)
    return choice.failure();
  Result<std::optional<int64_t>> threads = args.number("threads", 1, 1024);
  if (!threads)
    return threads.failure();
  bool quiet = args.has("quiet");
  Device *device = choice->device.get();
  Result<Model> model =
      Model::load(std::string(args.positional()), static_cast<uint32_t>(threads->value_or(0)),
                  choice->target, device ? device->get() : sectile_device{}, choice->name);
  if (!model)
    return model.failure();
  if (device)
    if (Result<Done> attached = device->attach(*model); !attached)
      return attached.failure();
  Result<std::vector<Expected>> expected = readExpectations(args, *model);
  if (!expected)
    return expected.failure();

  sectile_context_options options = {};
  options.size = sizeof options;
  Result<Session> session =
      Session::open(*model, args.list("input"), args.value("dims"), options, quiet);
  if (!session)
    return session.failure();
  if (Result<Done> done = session->run(); !done)
    return done.failure();

  if (device)
    printf("%s", device->getCounts().c_str());

  std::vector<Tensor> outputs;
  for (size_t i = 0; i < model->outputs.size(); ++i) {
    outputs.push_back(session->output(i));
    if (!quiet)
      printSummary(model->outputs[i].name, outputs[i]);
  }
  if (std::optional<std::string_view> folder = args.value("output-dir"))
    if (Result<Done> done = writeOutputs(std::string(*folder), *model, outputs); !done)
      return done.failure();
  bool good = checkExpectations(*expected, *model, outputs, quiet);
  return good ? int(kSuccess) : int(kMismatch);
}

} // namespace

int runMain(std::span<char *const> arguments) { return runCommand(kSyntax, arguments, run); }

} // namespace sectile::tools
