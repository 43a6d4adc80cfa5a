//===- Inspect.cpp - sectile inspect ----------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Commands.h"

#include "Args.h"
#include "Inspect.h"
#include "Json.h"
#include "Model.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <set>

namespace sectile::tools {

namespace {

constexpr Option kOptions[] = {
    {"target", Option::Value, "NAME", "the target to show (default: cpu, else the first)"},
    {"json", Option::Flag, nullptr, "print JSON instead of tables"},
    {"verify", Option::Flag, nullptr,
     "read the constants and compare them with the hash in the package; a\n"
     "mismatch is exit status 3"},
};

constexpr Syntax kSyntax = {"inspect",
                            "Shows inputs, outputs, levels, kernels and constants of a package.",
                            "PACKAGE", kOptions};

sectile_kernel_code_info codeOf(const Model &model, uint32_t level, uint32_t kernel) {
  sectile_kernel_code_info code = {};
  code.size = sizeof code;
  sectile_package_get_kernel_code(model.package(), level, kernel, &code);
  return code;
}

/// The share of innermost-loop arithmetic that is done on vectors; none where
/// there is no such arithmetic.
template <typename Counts>
std::optional<double> vectorShare(const Counts &counts) {
  double all = double(counts.vector_ops) + double(counts.scalar_ops);
  if (all == 0)
    return std::nullopt;
  return double(counts.vector_ops) / all;
}

std::vector<sectile_loop_info> loopsOf(const Model &model, uint32_t level, uint32_t kernel) {
  std::vector<sectile_loop_info> loops(codeOf(model, level, kernel).num_loops);
  for (uint32_t i = 0; i < loops.size(); ++i) {
    loops[i].size = sizeof loops[i];
    sectile_package_get_loop(model.package(), level, kernel, i, &loops[i]);
  }
  return loops;
}

/// E.g. "100.0% x 3, 50.0%": the share of each loop, in the order of the code.
std::string describeLoops(const std::vector<sectile_loop_info> &loops) {
  std::string text;
  for (size_t i = 0; i < loops.size();) {
    char share[16] = "-";
    auto format = [](const sectile_loop_info &loop, char (&out)[16]) {
      std::optional<double> value = vectorShare(loop);
      value ? snprintf(out, sizeof out, "%.1f%%", 100 * *value) : snprintf(out, sizeof out, "-");
    };
    format(loops[i], share);
    size_t end = i + 1;
    for (char next[16]; end < loops.size(); ++end) {
      format(loops[end], next);
      if (strcmp(next, share) != 0)
        break;
    }
    text += (i == 0 ? "" : ", ") + std::string(share);
    if (end - i > 1)
      text += " x " + std::to_string(end - i);
    i = end;
  }
  return text;
}

/// E.g. "f32[batch,2*seq+1,768]".
std::string describe(const TensorInfo &tensor) {
  std::string text = sectile_dtype_name(tensor.dtype);
  text += "[";
  for (int32_t d = 0; d < tensor.rank; ++d)
    text += std::string(d ? "," : "") + tensor.dim_exprs[d];
  return text + "]";
}

void printTensors(const char *title, const Model &model, const std::vector<TensorInfo> &tensors) {
  printf("\n%s\n", title);
  size_t width = 0;
  for (const TensorInfo &tensor : tensors)
    width = std::max(width, std::string_view(tensor.name).size());
  for (const TensorInfo &tensor : tensors) {
    printf("  %-*s  %s", int(width), tensor.name, describe(tensor).c_str());
    if (tensor.alias >= 0) {
      const sectile_alias_info &alias = model.aliases[tensor.alias];
      printf("  in place: %s -> %s", model.inputs[alias.input].name,
             model.outputs[alias.output].name);
      if (alias.capacity >= 0)
        printf(", dimension %d has capacity %" PRId64, alias.dim, alias.capacity);
    }
    printf("\n");
  }
}

void printKernels(const Model &model) {
  printf("\nkernels (vector share of innermost loops at each level)\n");
  size_t width = 6;
  for (const sectile_kernel_info &kernel : model.kernels)
    width = std::max(width, std::string_view(kernel.name).size());
  printf("  %-*s", int(width), "kernel");
  for (const sectile_level_info &level : model.levels)
    printf("  %10s", level.name);
  printf("  description | schedule | nodes\n");
  for (uint32_t k = 0; k < model.kernels.size(); ++k) {
    const sectile_kernel_info &kernel = model.kernels[k];
    printf("  %-*s", int(width), kernel.name);
    for (uint32_t l = 0; l < model.levels.size(); ++l) {
      if (std::optional<double> share = vectorShare(codeOf(model, l, k)))
        printf("  %9.1f%%", 100 * *share);
      else
        printf("  %10s", "-");
    }
    printf("  %s | %s | %s\n", kernel.description, kernel.schedule, kernel.nodes);
  }
  printf("\ninnermost loops (vector share of each, in the order of the code)\n");
  for (uint32_t k = 0; k < model.kernels.size(); ++k)
    for (uint32_t l = 0; l < model.levels.size(); ++l)
      if (std::string loops = describeLoops(loopsOf(model, l, k)); !loops.empty())
        printf("  %-*s  %10s  %s\n", int(width), model.kernels[k].name, model.levels[l].name,
               loops.c_str());
}

/// Files that constants lie in: targets share those of equal constants.
size_t countFiles(const Model &model) {
  std::set<std::string> names;
  sectile_piece_info piece = {};
  piece.size = sizeof piece;
  for (uint64_t i = 0; sectile_package_get_piece(model.package(), i, &piece) == SECTILE_OK; ++i)
    names.insert(piece.name);
  return names.size();
}

/// Of targets other than the CPU.
bool isDevice(const Model &model) {
  sectile_image_info image = {};
  image.size = sizeof image;
  return sectile_package_get_image(model.package(), 0, &image) == SECTILE_OK;
}

/// A form of a target's kernels: what it is called, and in which version of its format it is.
struct Image {
  const char *kind;
  const char *description;
  uint64_t bytes;
  int version; ///< of a code object; 0 for all others
};

std::vector<Image> imagesOf(const Model &model) {
  std::vector<Image> images;
  sectile_image_info info = {};
  info.size = sizeof info;
  for (uint32_t i = 0; sectile_package_get_image(model.package(), i, &info) == SECTILE_OK; ++i)
    switch (info.kind) {
    case SECTILE_IMAGE_NVVM:
      images.push_back({"nvvm", "NVVM dialect, for the emulator", info.bytes, 0});
      break;
    case SECTILE_IMAGE_ROCDL:
      images.push_back({"rocdl", "ROCDL dialect, for the emulator", info.bytes, 0});
      break;
    case SECTILE_IMAGE_PTX:
      images.push_back({"ptx", "PTX", info.bytes, 0});
      break;
    case SECTILE_IMAGE_CUBIN:
      images.push_back({"cubin", "cubin", info.bytes, 0});
      break;
    case SECTILE_IMAGE_HSACO: {
      // An ELF file, whose ABI version says it: 2 is code object version 4 (LLVM, "User Guide for
      // AMDGPU Backend", ELF Code Object).
      constexpr size_t kAbiVersion = 8;
      int version = info.bytes > kAbiVersion
                        ? static_cast<const unsigned char *>(info.data)[kAbiVersion] + 2
                        : 0;
      images.push_back({"hsaco", "code object", info.bytes, version});
      break;
    }
    default:
      images.push_back({"unknown", "of a kind that this version does not know", info.bytes, 0});
    }
  return images;
}

void writeImages(JsonWriter &json, const Model &model) {
  json.beginArray();
  for (const Image &image : imagesOf(model)) {
    json.beginObject();
    json.key("kind");
    json.string(image.kind);
    json.key("bytes");
    json.unsignedInteger(image.bytes);
    if (image.version != 0) {
      json.key("code_object_version");
      json.integer(image.version);
    }
    json.endObject();
  }
  json.endArray();
}

sectile_device_kernel_info deviceKernelOf(const Model &model, uint32_t kernel) {
  sectile_device_kernel_info info = {};
  info.size = sizeof info;
  sectile_package_get_device_kernel(model.package(), kernel, &info);
  return info;
}

std::string countOrDash(int64_t count) { return count < 0 ? "-" : std::to_string(count); }

void printDeviceKernels(const Model &model) {
  printf("\nimages\n");
  for (const Image &image : imagesOf(model))
    printf("  %s%s: %" PRIu64 " bytes\n", image.description,
           image.version != 0 ? (" version " + std::to_string(image.version)).c_str() : "",
           image.bytes);
  printf("\nkernels of %s (threads and shared bytes of a block; registers and spilled bytes of a "
         "thread,\nwhere an assembler told)\n",
         model.info.target);
  size_t width = 6;
  for (const sectile_kernel_info &kernel : model.kernels)
    width = std::max(width, std::string_view(kernel.name).size());
  printf("  %-*s  %7s  %7s  %9s  %7s  description | schedule | nodes\n", int(width), "kernel",
         "threads", "shared", "registers", "spilled");
  for (uint32_t k = 0; k < model.kernels.size(); ++k) {
    sectile_device_kernel_info info = deviceKernelOf(model, k);
    const sectile_kernel_info &kernel = model.kernels[k];
    printf("  %-*s  %7d  %7" PRId64 "  %9s  %7s  %s | %s | %s\n", int(width), kernel.name,
           info.threads, info.shared_bytes, countOrDash(info.registers).c_str(),
           countOrDash(info.spill_bytes).c_str(), kernel.description, kernel.schedule,
           kernel.nodes);
  }
}

void printTables(const Model &model) {
  const sectile_package_info &info = model.info;
  printf("package    %s\n", model.path().c_str());
  printf("model      %s\n", info.model_name);
  printf("compiler   %s\n", info.compiler_version);
  printf("options    %s\n", info.compile_options);
  printf("targets   ");
  for (uint32_t t = 0; t < info.num_targets; ++t)
    printf(" %s", sectile_package_get_target(model.package(), t));
  printf("\nlevels    ");
  for (uint32_t l = 0; l < model.levels.size(); ++l)
    printf(" %s%s", model.levels[l].name,
           l == info.level             ? " (in use)"
           : model.levels[l].available ? ""
                                       : " (not on this CPU)");
  printf("\nconstants  %" PRIu64 " bytes", info.constants_bytes);
  if (info.constants_bytes > 0)
    printf(" in %s, XXH3-64 %016" PRIx64, info.weights_file ? info.weights_file : "the package",
           info.constants_hash);
  if (info.num_pieces > 0)
    printf(", %zu files", countFiles(model));
  printf("\n");
  printTensors("inputs", model, model.inputs);
  printTensors("outputs", model, model.outputs);
  isDevice(model) ? printDeviceKernels(model) : printKernels(model);
}

void writeTensors(JsonWriter &json, const Model &model, const std::vector<TensorInfo> &tensors) {
  json.beginArray();
  for (const TensorInfo &tensor : tensors) {
    json.beginObject();
    json.key("name");
    json.string(tensor.name);
    json.key("dtype");
    json.string(sectile_dtype_name(tensor.dtype));
    json.key("dims");
    json.beginArray();
    for (int32_t d = 0; d < tensor.rank; ++d)
      tensor.dims[d] < 0 ? json.string(tensor.dim_exprs[d]) : json.integer(tensor.dims[d]);
    json.endArray();
    if (tensor.alias >= 0) {
      const sectile_alias_info &alias = model.aliases[tensor.alias];
      json.key("alias");
      json.beginObject();
      json.key("input");
      json.string(model.inputs[alias.input].name);
      json.key("output");
      json.string(model.outputs[alias.output].name);
      json.key("dim");
      json.integer(alias.dim);
      json.key("capacity");
      alias.capacity >= 0 ? json.integer(alias.capacity) : json.null();
      json.endObject();
    }
    json.endObject();
  }
  json.endArray();
}

void writeKernels(JsonWriter &json, const Model &model) {
  json.beginArray();
  for (uint32_t k = 0; k < model.kernels.size(); ++k) {
    const sectile_kernel_info &kernel = model.kernels[k];
    json.beginObject();
    json.key("name");
    json.string(kernel.name);
    json.key("nodes");
    json.string(kernel.nodes);
    json.key("description");
    json.string(kernel.description);
    json.key("schedule");
    json.string(kernel.schedule);
    if (isDevice(model)) {
      sectile_device_kernel_info info = deviceKernelOf(model, k);
      auto write = [&](const char *key, int64_t value) {
        json.key(key);
        value < 0 ? json.null() : json.integer(value);
      };
      write("threads", info.threads);
      write("shared_bytes", info.shared_bytes);
      write("launch_shared_bytes", info.launch_shared_bytes);
      write("registers", info.registers);
      write("spill_bytes", info.spill_bytes);
      json.endObject();
      continue;
    }
    json.key("levels");
    json.beginArray();
    for (uint32_t l = 0; l < model.levels.size(); ++l) {
      sectile_kernel_code_info code = codeOf(model, l, k);
      std::optional<double> share = vectorShare(code);
      json.beginObject();
      json.key("level");
      json.string(model.levels[l].name);
      json.key("vector_ops");
      json.integer(code.vector_ops);
      json.key("scalar_ops");
      json.integer(code.scalar_ops);
      json.key("vector_share");
      share ? json.number(*share, 4) : json.null();
      json.key("loops");
      json.beginArray();
      for (const sectile_loop_info &loop : loopsOf(model, l, k)) {
        json.beginObject();
        json.key("vector_ops");
        json.integer(loop.vector_ops);
        json.key("scalar_ops");
        json.integer(loop.scalar_ops);
        json.endObject();
      }
      json.endArray();
      json.endObject();
    }
    json.endArray();
    json.endObject();
  }
  json.endArray();
}

void printJson(const Model &model) {
  const sectile_package_info &info = model.info;
  JsonWriter json;
  json.beginObject();
  json.key("package");
  json.string(model.path());
  json.key("model");
  json.string(info.model_name);
  json.key("compiler");
  json.string(info.compiler_version);
  json.key("options");
  json.string(info.compile_options);
  json.key("targets");
  json.beginArray();
  for (uint32_t t = 0; t < info.num_targets; ++t)
    json.string(sectile_package_get_target(model.package(), t));
  json.endArray();
  json.key("target");
  json.string(info.target);
  json.key("levels");
  json.beginArray();
  for (uint32_t l = 0; l < model.levels.size(); ++l) {
    json.beginObject();
    json.key("name");
    json.string(model.levels[l].name);
    json.key("available");
    json.boolean(model.levels[l].available != 0);
    json.key("in_use");
    json.boolean(l == info.level);
    json.endObject();
  }
  json.endArray();
  json.key("constants_bytes");
  json.unsignedInteger(info.constants_bytes);
  json.key("constants_hash");
  char hash[17];
  snprintf(hash, sizeof hash, "%016" PRIx64, info.constants_hash);
  json.string(hash);
  json.key("weights_file");
  info.weights_file ? json.string(info.weights_file) : json.null();
  json.key("weights_files");
  json.unsignedInteger(countFiles(model));
  json.key("symbols");
  json.beginArray();
  for (const std::string &symbol : model.symbols)
    json.string(symbol);
  json.endArray();
  json.key("inputs");
  writeTensors(json, model, model.inputs);
  json.key("outputs");
  writeTensors(json, model, model.outputs);
  if (isDevice(model)) {
    json.key("images");
    writeImages(json, model);
  }
  json.key("kernels");
  writeKernels(json, model);
  json.endObject();
  fputs(json.text().c_str(), stdout);
}

/// The hash of the constants as they are, see sectile_package_descriptor.constants_hash; that of
/// each piece is checked.
Result<uint64_t> hashConstants(const Model &model) {
  const sectile_package_info &info = model.info;
  if (info.num_pieces == 0)
    return info.constants_bytes > 0 ? XXH3_64bits(info.constants, info.constants_bytes)
                                    : info.constants_hash;
  std::vector<uint64_t> hashes;
  sectile_piece_info piece = {};
  piece.size = sizeof piece;
  for (uint64_t i = 0; sectile_package_get_piece(model.package(), i, &piece) == SECTILE_OK; ++i) {
    auto *data = static_cast<const char *>(info.constants) + piece.offset;
    hashes.push_back(XXH3_64bits(data, piece.bytes));
    if (hashes.back() != piece.hash)
      return failure(kMismatch,
                     "weights file '%s/%s' of '%s' is damaged: expected XXH3-64 %016" PRIx64
                     ", but got %016" PRIx64,
                     info.weights_file, piece.name, model.path().c_str(), piece.hash,
                     hashes.back());
  }
  return XXH3_64bits(hashes.data(), hashes.size() * sizeof hashes[0]);
}

} // namespace

std::span<const Option> getInspectOptions() { return kOptions; }

Result<Done> inspectPackage(const Args &args) {
  Result<Model> model = Model::load(std::string(args.positional()), 1,
                                    std::string(args.value("target").value_or("")));
  if (!model)
    return model.failure();
  if (args.has("json"))
    printJson(*model);
  else
    printTables(*model);
  if (!args.has("verify"))
    return Done{};
  const sectile_package_info &info = model->info;
  Result<uint64_t> computed = hashConstants(*model);
  if (!computed)
    return computed.failure();
  uint64_t hash = *computed;
  if (hash != info.constants_hash)
    return failure(kMismatch,
                   "constants of '%s' are damaged: expected XXH3-64 %016" PRIx64
                   ", but got %016" PRIx64,
                   model->path().c_str(), info.constants_hash, hash);
  if (!args.has("json"))
    printf("\nconstants agree with their hash\n");
  return Done{};
}

int inspectMain(std::span<char *const> arguments) {
  return runCommand(kSyntax, arguments, [](const Args &args) -> Result<int> {
    Result<Done> done = inspectPackage(args);
    return done ? Result<int>(kSuccess) : done.failure();
  });
}

} // namespace sectile::tools
