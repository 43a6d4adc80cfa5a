//===- InspectWeights.cpp - sectile inspect on files of weights -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

#include "Args.h"
#include "Inspect.h"
#include "Json.h"

#include "sectile/Weights/WeightFile.h"

#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <memory>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sectile::tools {

namespace {

/// A file's bytes, mapped: of gigabytes of weights only the description is read.
class Mapping {
public:
  static Result<Mapping> open(const std::string &path) {
    int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status = {};
    if (file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
      int error = file < 0 ? errno : EINVAL;
      if (file >= 0)
        close(file);
      return failure(kRefused, "cannot open '%s': %s", path.c_str(), strerror(error));
    }
    auto size = static_cast<size_t>(status.st_size);
    void *data = size ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
    close(file);
    if (data == MAP_FAILED)
      return failure(kEnvironment, "cannot map '%s': %s", path.c_str(), strerror(errno));
    Mapping mapping;
    mapping.bytes = {static_cast<const uint8_t *>(data), size};
    if (data)
      mapping.owner.reset(data, [size](void *pages) { munmap(pages, size); });
    return mapping;
  }

  weights::FileBytes bytes;

private:
  std::shared_ptr<void> owner;
};

/// What a terminal may see of a text from a file.
std::string printableText(const std::string &text) {
  constexpr size_t kMost = 60;
  std::string out;
  for (char c : text.substr(0, kMost))
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return out + (text.size() > kMost ? "..." : "");
}

std::string printShape(const std::vector<uint64_t> &shape) {
  std::string text;
  for (uint64_t extent : shape)
    text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "[" + text + "]";
}

std::string printKind(const weights::WeightFile &file) {
  return file.container == weights::Container::Gguf ? "GGUF " + std::to_string(file.version)
                                                    : "safetensors";
}

void printTables(const weights::WeightFile &file) {
  printf("%s, %zu tensors\n", printKind(file).c_str(), file.tensors.size());
  for (const weights::Metadata &entry : file.metadata)
    printf("  %s (%s)%s%s\n", printableText(entry.key).c_str(), entry.type.c_str(),
           entry.value.empty() ? "" : ": ", printableText(entry.value).c_str());
  printf("\n%-48s %-12s %24s %14s\n", "tensor", "type", "shape", "bytes");
  uint64_t total = 0;
  std::map<std::string_view, std::pair<uint64_t, uint64_t>> types; // tensors, bytes
  for (const weights::WeightTensor &tensor : file.tensors) {
    printf("%-48s %-12s %24s %14" PRIu64 "\n", printableText(tensor.name).c_str(),
           std::string(tensor.type->name).c_str(), printShape(tensor.shape).c_str(), tensor.bytes);
    total += tensor.bytes;
    auto &[tensors, bytes] = types[tensor.type->name];
    ++tensors;
    bytes += tensor.bytes;
  }
  printf("\n");
  for (const auto &[name, sums] : types)
    printf("%-12s %6" PRIu64 " tensors %16" PRIu64 " bytes\n", std::string(name).c_str(),
           sums.first, sums.second);
  printf("%-12s %6zu tensors %16" PRIu64 " bytes\n", "all", file.tensors.size(), total);
}

void printJson(const weights::WeightFile &file) {
  JsonWriter json;
  json.beginObject();
  json.key("container");
  json.string(file.container == weights::Container::Gguf ? "gguf" : "safetensors");
  if (file.container == weights::Container::Gguf) {
    json.key("version");
    json.unsignedInteger(file.version);
  }
  json.key("metadata");
  json.beginArray();
  for (const weights::Metadata &entry : file.metadata) {
    json.beginObject();
    json.key("key");
    json.string(entry.key);
    json.key("type");
    json.string(entry.type);
    json.key("value");
    json.string(entry.value);
    json.endObject();
  }
  json.endArray();
  json.key("tensors");
  json.beginArray();
  for (const weights::WeightTensor &tensor : file.tensors) {
    json.beginObject();
    json.key("name");
    json.string(tensor.name);
    json.key("type");
    json.string(tensor.type->name);
    json.key("shape");
    json.beginArray();
    for (uint64_t extent : tensor.shape)
      json.unsignedInteger(extent);
    json.endArray();
    json.key("offset");
    json.unsignedInteger(tensor.offset);
    json.key("bytes");
    json.unsignedInteger(tensor.bytes);
    json.endObject();
  }
  json.endArray();
  json.endObject();
  fputs(json.text().c_str(), stdout);
}

bool isWeightFile(const std::string &path) {
  if (path.ends_with(".safetensors") || path.ends_with(".gguf"))
    return true;
  char magic[4] = {};
  if (FILE *file = fopen(path.c_str(), "rbe")) {
    bool isRead = fread(magic, 1, sizeof magic, file) == sizeof magic;
    fclose(file);
    return isRead && memcmp(magic, "GGUF", 4) == 0;
  }
  return false;
}

Result<Done> inspectWeights(const Args &args) {
  std::string path(args.positional());
  for (const char *name : {"target", "verify"})
    if (args.has(name))
      return failure(kUsage, "--%s is for packages, but '%s' is a file of weights", name,
                     path.c_str());
  Result<Mapping> mapping = Mapping::open(path);
  if (!mapping)
    return mapping.failure();
  auto file = weights::readWeightFile(mapping->bytes);
  if (!file)
    return failure(kRefused, "'%s': %s", path.c_str(), file.getMessage().c_str());
  if (args.has("json"))
    printJson(*file);
  else
    printTables(*file);
  return Done{};
}

} // namespace

int inspectFileMain(std::span<char *const> arguments) {
  static const Syntax kSyntax = {
      "inspect",
      "Shows inputs, outputs, levels, kernels and constants of a package, or\n"
      "the tensors of a file of weights (safetensors, GGUF).",
      "PACKAGE|FILE", getInspectOptions()};
  return runCommand(kSyntax, arguments, [](const Args &args) -> Result<int> {
    bool isWeights = isWeightFile(std::string(args.positional()));
    Result<Done> done = isWeights ? inspectWeights(args) : inspectPackage(args);
    return done ? Result<int>(kSuccess) : done.failure();
  });
}

} // namespace sectile::tools
