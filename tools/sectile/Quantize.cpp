//===- Quantize.cpp - sectile quantize --------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Quantize/Quantize.h"

#include "Commands.h"

#include "Args.h"
#include "Files.h"
#include "Json.h"
#include "ModelInput.h"

#include <cmath>
#include <cstdio>
#include <optional>
#include <unistd.h>

namespace sectile::tools {

namespace {

constexpr Option kOptions[] = {
    {"output", Option::Value, "FILE", "where the quantized model goes (required)", 'o'},
    {"format", Option::Value, "SPEC",
     "FORMAT[,group=N][,zero]: a number format of 1 to 8 bits (docs/formats.md), weights along the "
     "summed dimension that share a scale (default: all of a column), and whether each scale has "
     "a zero point (required)"},
    {"method", Option::Value, "NAME",
     "rtn: the largest weight of a group keeps its place (default); mse: the scale with the least "
     "sum of squared errors"},
    {"skip", Option::Value, "REGEX", "nodes and weights that stay as they are, by name"},
    {"calibrate", Option::Planned, "DATA.npz", "inputs to weigh errors by"},
    {"json", Option::Flag, nullptr, "the table as JSON"},
    {"quiet", Option::Flag, nullptr, "nothing but errors"},
};

constexpr Syntax kSyntax = {"quantize",
                            "Rounds the constant weights of a model's MatMul and Gemm nodes to a "
                            "number format and shows the error of each.",
                            "MODEL.onnx", kOptions};

/// A line for each weight, and one for all.
void printLayers(const std::vector<quantize::Layer> &layers) {
  printf("%-32s %15s %10s %10s %10s %8s  %s\n", "weight", "K x N", "error", "error dB", "largest",
         "bytes", "written as");
  uint64_t before = 0, after = 0;
  for (const quantize::Layer &layer : layers) {
    const std::string &name = layer.weight.empty() ? layer.node : layer.weight;
    if (layer.form.empty()) {
      printf("%-32s stays: %s\n", printable(name).c_str(), layer.reason.c_str());
      continue;
    }
    std::string size = std::to_string(layer.depth) + " x " + std::to_string(layer.columns);
    printf("%-32s %15s %10.3g %10.1f %10.3g %7.1f%%  %s\n", printable(name).c_str(), size.c_str(),
           layer.relativeError,
           layer.relativeError > 0 ? 20 * std::log10(layer.relativeError) : -INFINITY,
           layer.largestError, 100.0 * double(layer.bytesAfter) / double(layer.bytesBefore),
           layer.form.c_str());
    before += layer.bytesBefore;
    after += layer.bytesAfter;
  }
  printf("weights: %llu bytes instead of %llu\n", static_cast<unsigned long long>(after),
         static_cast<unsigned long long>(before));
}

void printJson(const std::vector<quantize::Layer> &layers) {
  JsonWriter json;
  json.beginObject();
  json.key("weights");
  json.beginArray();
  for (const quantize::Layer &layer : layers) {
    json.beginObject();
    json.key("node");
    json.string(layer.node);
    json.key("weight");
    json.string(layer.weight);
    if (layer.form.empty()) {
      json.key("stays");
      json.string(layer.reason);
    } else {
      json.key("depth");
      json.integer(layer.depth);
      json.key("columns");
      json.integer(layer.columns);
      json.key("relative_error");
      json.number(layer.relativeError, 9);
      json.key("largest_error");
      json.number(layer.largestError, 9);
      json.key("bytes_before");
      json.unsignedInteger(layer.bytesBefore);
      json.key("bytes_after");
      json.unsignedInteger(layer.bytesAfter);
      json.key("operator");
      json.string(layer.form);
    }
    json.endObject();
  }
  json.endArray();
  json.endObject();
  printf("%s", json.text().c_str());
}

} // namespace

static Result<int> quantizeModel(const Args &args) {
  if (!args.has("output"))
    return failure(kUsage, "expects -o FILE; 'sectile quantize --help' describes it");
  if (!args.has("format"))
    return failure(kUsage, "expects --format=SPEC; 'sectile quantize --help' describes it");
  auto scheme = quantize::Scheme::parse(*args.value("format"));
  if (!scheme)
    return failure(kUsage, "--format: %s", llvm::toString(scheme.takeError()).c_str());
  std::string_view method = args.value("method").value_or("rtn");
  if (method == "mse")
    scheme->method = quantize::Method::LeastSquares;
  else if (method != "rtn")
    return failure(kUsage, "expects --method to be rtn or mse, but got '%s'",
                   std::string(method).c_str());
  std::optional<llvm::Regex> skip;
  if (auto text = args.value("skip")) {
    skip.emplace(llvm::StringRef(*text));
    std::string why;
    if (!skip->isValid(why))
      return failure(kUsage, "--skip: %s", why.c_str());
  }
  std::string path(args.positional()), output(*args.value("output"));
  std::function<void(unsigned, unsigned)> progress;
  if (!args.has("quiet") && isatty(STDERR_FILENO))
    progress = [](unsigned done, unsigned total) {
      fprintf(stderr, "\r\033[K[%u/%u]%s", done + 1, total, done + 1 == total ? "\r\033[K" : "");
    };
  auto model = quantize::quantizeOnnxFile(path, *scheme, skip ? &*skip : nullptr, progress);
  if (!model)
    return failure(kRefused, "%s", llvm::toString(model.takeError()).c_str());
  OutputFiles files;
  if (auto written = files.write(output, model->bytes); !written)
    return written.failure();
  if (auto committed = files.commit(); !committed)
    return committed.failure();
  if (args.has("json"))
    printJson(model->layers);
  else if (!args.has("quiet"))
    printLayers(model->layers);
  return kSuccess;
}

int quantizeMain(std::span<char *const> arguments) {
  return runCommand(kSyntax, arguments, quantizeModel);
}

} // namespace sectile::tools
