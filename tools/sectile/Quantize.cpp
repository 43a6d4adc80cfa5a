//===- Quantize.cpp - sectile quantize --------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Quantize/Quantize.h"

#include "Commands.h"

#include "Args.h"
#include "Calibrate.h"
#include "Files.h"
#include "Json.h"
#include "ModelInput.h"

#include "llvm/Support/Path.h"

#include <cmath>
#include <cstdio>
#include <optional>
#include <unistd.h>

namespace sectile::tools {

namespace {

constexpr Option kOptions[] = {
    {"output", Option::Value, "FILE", "where the quantized model goes (required)", 'o'},
    {"format", Option::Value, "SPEC",
     "FORMAT[,group=N][,zero]: a number format of 1 to 8 bits (docs/formats.md), weights along "
     "the\n"
     "summed dimension that share a scale (default: all of a column), and whether each scale has\n"
     "a zero point (required, unless --weights is given)"},
    {"method", Option::Value, "NAME",
     "rtn: the largest weight of a group keeps its place (default); mse: the scale with the least\n"
     "sum of squared errors; gptq[,order][,sequential][,damp=D]: codes that keep what products "
     "with the inputs\n"
     "of --calibrate give"},
    {"calibrate", Option::List, "DATA.npz",
     "arrays named like the model's inputs, with one or more samples: errors of products are\n"
     "shown too; repeatable"},
    {"skip", Option::Value, "REGEX", "nodes and weights that stay as they are, by name"},
    {"weights", Option::List, "FILE",
     "a safetensors or GGUF file, whose tensors replace the model's of the same names; repeatable"},
    {"rename", Option::List, "s/PATTERN/TEXT/",
     "makes the name of a tensor in --weights from that in the model; @FILE has one on each line;\n"
     "repeatable, in order"},
    {"transpose", Option::Value, "REGEX",
     "matrices of the model, by name, that lie in --weights with their dimensions exchanged, as\n"
     "torch's linear layers do where the model has MatMul"},
    {"external-data", Option::Flag, nullptr,
     "larger tensors go to OUT.data beside OUT, as they do anyway beyond 2 GB"},
    {"json", Option::Flag, nullptr, "the table as JSON"},
    {"quiet", Option::Flag, nullptr, "nothing but errors"},
};

constexpr Syntax kSyntax = {"quantize",
                            "Rounds the constant weights of a model's MatMul and Gemm nodes to a\n"
                            "number format and shows the error of each; takes in weights of other\n"
                            "files before.",
                            "MODEL.onnx", kOptions};

double toDecibels(double error) { return error > 0 ? 20 * std::log10(error) : -INFINITY; }

/// A line for each weight, and one for all.
void printLayers(const quantize::QuantizedModel &model) {
  size_t numMethods = 0;
  for (const quantize::Layer &layer : model.layers)
    numMethods = std::max(numMethods, layer.methods.size());
  printf("%-32s %15s %10s %10s %10s %8s", "weight", "K x N", "error", "error dB", "largest",
         "bytes");
  for (const quantize::Layer &layer : model.layers)
    if (layer.methods.size() == numMethods && numMethods > 0) {
      for (const quantize::MethodErrors &errors : layer.methods)
        printf(" %10s", ("out " + quantize::getName(errors.method)).str().c_str());
      break;
    }
  printf("  written as\n");
  uint64_t before = 0, after = 0;
  for (const quantize::Layer &layer : model.layers) {
    const std::string &name = layer.weight.empty() ? layer.node : layer.weight;
    if (layer.form.empty()) {
      printf("%-32s stays: %s\n", printable(name).c_str(), layer.reason.c_str());
      continue;
    }
    std::string size = std::to_string(layer.depth) + " x " + std::to_string(layer.columns);
    printf("%-32s %15s %10.3g %10.1f %10.3g %7.1f%%", printable(name).c_str(), size.c_str(),
           layer.relativeError, toDecibels(layer.relativeError), layer.largestError,
           100.0 * double(layer.bytesAfter) / double(layer.bytesBefore));
    for (size_t i = 0; i < numMethods; ++i)
      if (i < layer.methods.size())
        printf(" %10.3g", layer.methods[i].outputError);
      else
        printf(" %10s", "");
    printf("  %s%s\n", layer.form.c_str(),
           layer.source.empty() ? "" : (" from " + layer.source).c_str());
    before += layer.bytesBefore;
    after += layer.bytesAfter;
  }
  printf("weights: %llu bytes instead of %llu\n", static_cast<unsigned long long>(after),
         static_cast<unsigned long long>(before));
}

/// What became of the tensors of files.
void printTaken(const quantize::QuantizedModel &model) {
  const std::vector<quantize::TakenWeight> &taken = model.taken;
  if (taken.empty())
    return;
  size_t unused = 0;
  printf("\n%-32s %-32s %-8s %s\n", "in the model", "in the file", "type", "");
  for (const quantize::TakenWeight &weight : taken) {
    if (weight.tensor.empty()) {
      ++unused;
      continue;
    }
    std::string note = weight.isTurned ? "transposed" : "";
    if (!weight.note.empty())
      note += (note.empty() ? "" : ", ") + weight.note;
    printf("%-32s %-32s %-8s %s\n", printable(weight.tensor).c_str(),
           printable(weight.name).c_str(), weight.type.c_str(), note.c_str());
  }
  printf("%zu tensors of the file taken, %zu not in the model\n", taken.size() - unused, unused);
  if (model.kept.empty())
    return;
  printf("%zu tensors of the model not in the file:", model.kept.size());
  constexpr size_t kMostNames = 10;
  for (size_t i = 0; i < std::min(kMostNames, model.kept.size()); ++i)
    printf(" %s", printable(model.kept[i]).c_str());
  printf("%s\n", model.kept.size() > kMostNames ? " ..." : "");
}

void writeLayer(JsonWriter &json, const quantize::Layer &layer) {
  json.beginObject();
  json.key("node");
  json.string(layer.node);
  json.key("weight");
  json.string(layer.weight);
  if (layer.form.empty()) {
    json.key("stays");
    json.string(layer.reason);
    json.endObject();
    return;
  }
  json.key("depth");
  json.integer(layer.depth);
  json.key("columns");
  json.integer(layer.columns);
  json.key("relative_error");
  json.number(layer.relativeError, 9);
  json.key("largest_error");
  json.number(layer.largestError, 9);
  if (!layer.methods.empty()) {
    json.key("output_errors");
    json.beginObject();
    for (const quantize::MethodErrors &errors : layer.methods) {
      json.key(std::string(quantize::getName(errors.method)));
      json.number(errors.outputError, 9);
    }
    json.endObject();
    json.key("relative_errors");
    json.beginObject();
    for (const quantize::MethodErrors &errors : layer.methods) {
      json.key(std::string(quantize::getName(errors.method)));
      json.number(errors.relativeError, 9);
    }
    json.endObject();
  }
  json.key("bytes_before");
  json.unsignedInteger(layer.bytesBefore);
  json.key("bytes_after");
  json.unsignedInteger(layer.bytesAfter);
  json.key("operator");
  json.string(layer.form);
  if (!layer.source.empty()) {
    json.key("source");
    json.string(layer.source);
  }
  json.endObject();
}

void printJson(const quantize::QuantizedModel &model) {
  JsonWriter json;
  json.beginObject();
  json.key("weights");
  json.beginArray();
  for (const quantize::Layer &layer : model.layers)
    writeLayer(json, layer);
  json.endArray();
  if (!model.taken.empty()) {
    json.key("taken");
    json.beginArray();
    for (const quantize::TakenWeight &weight : model.taken) {
      json.beginObject();
      json.key("tensor");
      weight.tensor.empty() ? json.null() : json.string(weight.tensor);
      json.key("name");
      json.string(weight.name);
      json.key("type");
      json.string(weight.type);
      json.key("transposed");
      json.boolean(weight.isTurned);
      json.key("note");
      json.string(weight.note);
      json.endObject();
    }
    json.endArray();
    json.key("kept");
    json.beginArray();
    for (const std::string &name : model.kept)
      json.string(name);
    json.endArray();
  }
  json.endObject();
  printf("%s", json.text().c_str());
}

/// --rename: rules, or files of them.
Result<std::vector<std::string>> readRenames(const Args &args) {
  std::vector<std::string> rules;
  for (std::string_view text : args.list("rename")) {
    if (!text.starts_with("@")) {
      rules.emplace_back(text);
      continue;
    }
    Result<InputFile> file = InputFile::open(std::string(text.substr(1)));
    if (!file)
      return file.failure();
    std::string content(file->remaining(), '\0');
    if (Result<Done> read = file->read(std::as_writable_bytes(std::span(content))); !read)
      return read.failure();
    llvm::SmallVector<llvm::StringRef> lines;
    llvm::StringRef(content).split(lines, '\n', -1, /*KeepEmpty=*/false);
    for (llvm::StringRef line : lines)
      if (line = line.trim(); !line.empty() && !line.starts_with("#"))
        rules.push_back(line.str());
  }
  return rules;
}

/// The value of an option as a pattern.
Result<std::optional<llvm::Regex>> readPattern(const Args &args, const char *name) {
  auto text = args.value(name);
  if (!text)
    return std::optional<llvm::Regex>();
  llvm::Regex pattern{llvm::StringRef(*text)};
  std::string why;
  if (!pattern.isValid(why))
    return failure(kUsage, "--%s: %s", name, why.c_str());
  return std::optional<llvm::Regex>(std::move(pattern));
}

/// --format, --method and --calibrate.
Result<Done> readScheme(const Args &args, quantize::QuantizeOptions &options) {
  if (!args.has("format")) {
    if (!args.has("weights"))
      return failure(kUsage, "expects --format=SPEC; 'sectile quantize --help' describes it");
    for (const char *name : {"method", "calibrate", "skip"})
      if (args.has(name))
        return failure(kUsage, "--%s is for quantizing: expects --format=SPEC too", name);
    return Done{};
  }
  auto scheme = quantize::Scheme::parse(*args.value("format"));
  if (!scheme)
    return failure(kUsage, "--format: %s", llvm::toString(scheme.takeError()).c_str());
  if (llvm::Error error = scheme->setMethod(args.value("method").value_or("rtn")))
    return failure(kUsage, "%s", llvm::toString(std::move(error)).c_str());
  if (scheme->method == quantize::Method::Gptq && !args.has("calibrate"))
    return failure(kUsage, "--method=gptq takes inputs to keep products for: expects "
                           "--calibrate=DATA.npz");
  options.scheme = std::move(*scheme);
  if (!args.has("calibrate"))
    return Done{};
  Result<quantize::SumOutputs> sumOutputs = readCalibration(args.list("calibrate"));
  if (!sumOutputs)
    return sumOutputs.failure();
  options.sumOutputs = std::move(*sumOutputs);
  return Done{};
}

} // namespace

static Result<int> quantizeModel(const Args &args) {
  if (!args.has("output"))
    return failure(kUsage, "expects -o FILE; 'sectile quantize --help' describes it");
  quantize::QuantizeOptions options;
  auto skip = readPattern(args, "skip"), turned = readPattern(args, "transpose");
  if (!skip)
    return skip.failure();
  if (!turned)
    return turned.failure();
  if (Result<Done> read = readScheme(args, options); !read)
    return read.failure();
  options.skip = *skip ? &**skip : nullptr;
  for (const char *name : {"rename", "transpose"})
    if (args.has(name) && !args.has("weights"))
      return failure(kUsage, "--%s is for --weights=FILE", name);
  if (args.has("weights")) {
    Result<std::vector<std::string>> renames = readRenames(args);
    if (!renames)
      return renames.failure();
    options.source.emplace();
    for (std::string_view path : args.list("weights"))
      options.source->paths.emplace_back(path);
    options.source->renames = std::move(*renames);
    options.source->turned = *turned ? &**turned : nullptr;
  }
  std::string path(args.positional()), output(*args.value("output"));
  if (!args.has("quiet") && isatty(STDERR_FILENO))
    options.progress = [](unsigned done, unsigned total) {
      fprintf(stderr, "\r\033[K[%u/%u]%s", done + 1, total, done + 1 == total ? "\r\033[K" : "");
    };
  options.dataName = llvm::sys::path::filename(output).str() + ".data";
  options.usesData = args.has("external-data");
  auto model = quantize::quantizeOnnxFile(path, options);
  if (!model)
    return failure(kRefused, "%s", printable(llvm::toString(model.takeError())).c_str());
  OutputFiles files;
  if (auto written = files.write(output, model->model.bytes); !written)
    return written.failure();
  std::vector<std::span<const std::byte>> parts;
  parts.reserve(model->model.data.size());
  for (const std::string &part : model->model.data)
    parts.push_back(std::as_bytes(std::span(part)));
  if (!parts.empty())
    if (auto written = files.write(output + ".data", parts); !written)
      return written.failure();
  if (auto committed = files.commit(); !committed)
    return committed.failure();
  if (args.has("json")) {
    printJson(*model);
  } else if (!args.has("quiet")) {
    printLayers(*model);
    printTaken(*model);
  }
  return kSuccess;
}

int quantizeMain(std::span<char *const> arguments) {
  return runCommand(kSyntax, arguments, quantizeModel);
}

} // namespace sectile::tools
