//===- Model.cpp - a package, its context and its tensors -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Model.h"

#include "Npy.h"
#include "TensorPb.h"

#include <cstring>

namespace sectile::tools {

namespace {

/// A structure of sectile.h with its size set.
template <typename T>
T sized() {
  T result = {};
  result.size = sizeof result;
  return result;
}

std::vector<int64_t> dimsOf(const TensorInfo &info) {
  return std::vector<int64_t>(info.dims, info.dims + info.rank);
}

/// The bits of `value` in a narrow float type, if it has that value.
std::optional<uint16_t> narrowExactly(float value, int32_t dtype) {
  if (dtype == SECTILE_BF16) {
    uint16_t bits = floatToBf16(value);
    bool isExact = value != value || bf16ToFloat(bits) == value;
    return isExact ? std::optional(bits) : std::nullopt;
  }
  const formats::Format &format = *getSmallFloat(dtype);
  std::optional<uint32_t> code =
      format.encode(value, formats::Rounding::NearestEven, formats::Overflow::Special);
  if (!code || (value == value && format.decode(*code) != double(value)))
    return std::nullopt;
  return static_cast<uint16_t>(*code);
}

/// The input that `spec` describes: random:SEED or a file.
Result<Tensor> makeInput(const TensorInfo &info, size_t index, std::string_view spec,
                         SymbolValues &symbols) {
  constexpr std::string_view kRandom = "random:";
  if (!spec.starts_with(kRandom)) {
    Result<Tensor> tensor = readTensor(std::string(spec));
    if (!tensor)
      return tensor;
    // bfloat16 and 8-bit floats have no NumPy types of their own: f32 values that are exact do.
    bool isNarrow = info.dtype == SECTILE_BF16 || getSmallFloat(info.dtype);
    if (isNarrow && tensor->dtype == SECTILE_F32) {
      Tensor narrow;
      narrow.dtype = info.dtype;
      narrow.dims = tensor->dims;
      size_t bytes = sectile_dtype_bytes(info.dtype);
      narrow.data.resize(tensor->data.size() / sizeof(float) * bytes);
      for (int64_t i = 0; i < tensor->numElements(); ++i) {
        float value = static_cast<float>(readElement(*tensor, i));
        std::optional<uint16_t> bits = narrowExactly(value, info.dtype);
        if (!bits)
          return failure(kRefused, "input '%s' expects %s, but '%.*s' holds %.9g", info.name,
                         sectile_dtype_name(info.dtype), int(spec.size()), spec.data(),
                         double(value));
        memcpy(narrow.data.data() + i * bytes, &*bits, bytes);
      }
      return narrow;
    }
    // A .npy file of ml_dtypes says that elements are of one byte, not what they mean.
    bool isBytes = tensor->dtype == SECTILE_F8E4M3FN && spec.ends_with(".npy");
    if (isBytes && (info.dtype == SECTILE_F8E4M3FNUZ || info.dtype == SECTILE_F8E5M2FNUZ))
      tensor->dtype = info.dtype;
    return tensor;
  }

  std::optional<int64_t> seed = parseInteger(spec.substr(kRandom.size()));
  if (!seed || *seed < 0)
    return failure(kUsage, "input '%s' expects random:SEED, but got '%.*s'", info.name,
                   int(spec.size()), spec.data());
  Tensor tensor;
  tensor.dtype = info.dtype;
  tensor.dims = dimsOf(info);
  for (int32_t d = 0; d < info.rank; ++d) {
    if (tensor.dims[d] >= 0)
      continue;
    Result<int64_t> size = evaluate(info.dim_exprs[d], symbols);
    if (!size)
      return failure(size.failure().status, "input '%s': %s", info.name,
                     size.failure().message.c_str());
    tensor.dims[d] = *size;
  }
  std::optional<uint64_t> bytes = countBytes(tensor.dtype, tensor.dims);
  if (!bytes)
    return failure(kUsage, "input '%s' cannot be %s", info.name,
                   describeType(tensor.dtype, tensor.dims).c_str());
  tensor.data.resize(*bytes);
  fillRandom(tensor, static_cast<uint64_t>(*seed), index);
  return tensor;
}

/// Copies the blocks of a tensor between a contiguous and a strided layout: a
/// block is everything inside one index of the dimensions outside `dim`.
void copyBlocks(std::byte *to, uint64_t toStride, const std::byte *from, uint64_t fromStride,
                uint64_t blockBytes, uint64_t count) {
  for (uint64_t i = 0; i < count && blockBytes > 0; ++i)
    memcpy(to + i * toStride, from + i * fromStride, blockBytes);
}

/// How an aliased tensor lies in its buffer.
struct AliasLayout {
  uint64_t blocks, blockBytes, strideBytes;
};

AliasLayout aliasLayout(const sectile_alias_info &alias, int32_t dtype,
                        const std::vector<int64_t> &dims) {
  uint64_t blocks = 1, inner = sectile_dtype_bytes(dtype);
  for (size_t d = 0; d < dims.size(); ++d)
    (int32_t(d) < alias.dim ? blocks : inner) *=
        int32_t(d) == alias.dim ? 1 : static_cast<uint64_t>(dims[d]);
  int64_t extent = dims[alias.dim];
  int64_t capacity = alias.capacity >= 0 ? alias.capacity : extent;
  return {blocks, inner * static_cast<uint64_t>(extent), inner * static_cast<uint64_t>(capacity)};
}

} // namespace

Result<Model> Model::load(const std::string &path, uint32_t threads, const std::string &target,
                          sectile_device device, const std::string &deviceName) {
  Model model;
  model.file = path;
  auto options = sized<sectile_package_options>();
  options.threads = threads;
  options.target = target.empty() ? nullptr : target.c_str();
  options.device = device;
  options.device_name = deviceName.empty() ? nullptr : deviceName.c_str();
  char message[1024] = "";
  sectile_package *package = nullptr;
  sectile_status status =
      sectile_package_load(path.c_str(), &options, &package, message, sizeof message);
  if (status != SECTILE_OK) {
    Failure result = runtimeFailure(status, message);
    // A package that cannot be opened is an input that is refused.
    if (status == SECTILE_SYSTEM)
      result.status = kRefused;
    return result;
  }
  model.handle.reset(package);
  model.info = sized<sectile_package_info>();
  sectile_package_get_info(package, &model.info);
  for (uint32_t i = 0; i < model.info.num_inputs; ++i)
    sectile_package_get_input(package, i, &model.inputs.emplace_back(sized<sectile_tensor_info>()));
  for (uint32_t i = 0; i < model.info.num_outputs; ++i)
    sectile_package_get_output(package, i,
                               &model.outputs.emplace_back(sized<sectile_tensor_info>()));
  for (uint32_t i = 0; i < model.info.num_symbols; ++i)
    model.symbols.push_back(sectile_package_get_symbol(package, i));
  for (uint32_t i = 0; i < model.info.num_aliases; ++i)
    sectile_package_get_alias(package, i, &model.aliases.emplace_back(sized<sectile_alias_info>()));
  for (uint32_t i = 0; i < model.info.num_kernels; ++i)
    sectile_package_get_kernel(package, i,
                               &model.kernels.emplace_back(sized<sectile_kernel_info>()));
  for (uint32_t i = 0; i < model.info.num_levels; ++i)
    sectile_package_get_level(package, i, &model.levels.emplace_back(sized<sectile_level_info>()));
  return model;
}

Result<Session> Session::open(Model &model, const std::vector<std::string_view> &inputOptions,
                              std::optional<std::string_view> dimsOption,
                              const sectile_context_options &options, bool quiet) {
  Session session;
  session.model = &model;
  SymbolValues symbols;
  if (dimsOption)
    if (Result<Done> parsed = parseDims(*dimsOption, model.symbols, symbols); !parsed)
      return parsed.failure();

  size_t count = model.inputs.size();
  std::vector<std::optional<std::string_view>> specs(count);
  for (std::string_view text : inputOptions) {
    auto split = splitAssignment("input", text, model.inputs);
    if (!split)
      return split.failure();
    if (specs[split->first])
      return failure(kUsage, "option '--input' gives '%s' twice", model.inputs[split->first].name);
    specs[split->first] = split->second;
  }

  // Files first: their shapes give sizes to symbols of random inputs.
  session.values.resize(count);
  for (bool random : {false, true})
    for (size_t i = 0; i < count; ++i) {
      std::string_view spec = specs[i].value_or("random:0");
      if (spec.starts_with("random:") != random)
        continue;
      const TensorInfo &info = model.inputs[i];
      Result<Tensor> tensor = makeInput(info, i, spec, symbols);
      if (!tensor)
        return tensor.failure();
      if (!specs[i] && !quiet)
        fprintf(stderr, "note: input '%s' is random:0, %s\n", info.name,
                describeType(tensor->dtype, tensor->dims).c_str());
      for (int32_t d = 0; d < info.rank && size_t(d) < tensor->dims.size(); ++d)
        if (info.dims[d] < 0 && isSymbol(info.dim_exprs[d]))
          symbols.emplace(info.dim_exprs[d], tensor->dims[d]);
      session.values[i] = std::move(*tensor);
    }

  session.aliasBuffers.resize(count);
  for (size_t i = 0; i < count; ++i) {
    sectile_tensor tensor = {};
    tensor.data = session.values[i].data.data();
    tensor.bytes = session.values[i].data.size();
    tensor.dtype = session.values[i].dtype;
    tensor.rank = static_cast<int32_t>(session.values[i].dims.size());
    tensor.dims = session.values[i].dims.data();
    session.given.push_back(tensor);
    if (model.inputs[i].alias >= 0)
      if (Result<Done> done = session.layOutAlias(i); !done)
        return done.failure();
  }
  session.results.resize(model.outputs.size());

  char message[1024] = "";
  sectile_context *context = nullptr;
  sectile_status status =
      sectile_context_create(model.package(), &options, &context, message, sizeof message);
  if (status != SECTILE_OK)
    return runtimeFailure(status, message);
  session.handle.reset(context);
  return session;
}

Result<Done> Session::layOutAlias(size_t input) {
  const Tensor &value = values[input];
  const sectile_alias_info &alias = model->aliases[model->inputs[input].alias];
  // A wrong rank or size is for the library to report.
  if (value.dims.size() <= size_t(alias.dim))
    return Done{};
  std::vector<int64_t> dims = value.dims;
  if (alias.capacity >= 0)
    dims[alias.dim] = std::max(dims[alias.dim], alias.capacity);
  std::optional<uint64_t> bytes = countBytes(value.dtype, dims);
  if (!bytes)
    return failure(kRefused, "input '%s' with its capacity is larger than 2^63 bytes",
                   model->inputs[input].name);
  Bytes &buffer = aliasBuffers[input];
  buffer.resize(*bytes);
  given[input].data = buffer.data();
  given[input].bytes = buffer.size();
  AliasLayout layout = aliasLayout(alias, value.dtype, value.dims);
  if (alias.capacity < 0 || value.dims[alias.dim] <= alias.capacity)
    copyBlocks(buffer.data(), layout.strideBytes, value.data.data(), layout.blockBytes,
               layout.blockBytes, layout.blocks);
  return Done{};
}

Result<Done> Session::run() {
  for (sectile_tensor &result : results)
    result.data = nullptr;
  sectile_status status =
      sectile_context_run(handle.get(), given.data(), given.size(), results.data(), results.size());
  if (status != SECTILE_OK)
    return runtimeFailure(status, sectile_context_message(handle.get()));
  return Done{};
}

Tensor Session::output(size_t index) const {
  const sectile_tensor &result = results[index];
  Tensor tensor;
  tensor.dtype = result.dtype;
  tensor.dims.assign(result.dims, result.dims + result.rank);
  tensor.data.resize(countBytes(tensor.dtype, tensor.dims).value_or(0));
  const std::byte *from = static_cast<const std::byte *>(result.data);
  AliasLayout layout = {1, tensor.data.size(), tensor.data.size()};
  if (int32_t alias = model->outputs[index].alias; alias >= 0)
    layout = aliasLayout(model->aliases[alias], tensor.dtype, tensor.dims);
  copyBlocks(tensor.data.data(), layout.blockBytes, from, layout.strideBytes, layout.blockBytes,
             layout.blocks);
  return tensor;
}

Result<std::pair<size_t, std::string_view>>
splitAssignment(const char *option, std::string_view text, const std::vector<TensorInfo> &names) {
  size_t best = names.size();
  std::string known;
  for (size_t i = 0; i < names.size(); ++i) {
    std::string_view name = names[i].name;
    bool fits = text.starts_with(name) && text.size() > name.size() && text[name.size()] == '=';
    if (fits && (best == names.size() || strlen(names[best].name) < name.size()))
      best = i;
    known += (i ? ", " : "") + std::string(name);
  }
  if (best == names.size())
    return failure(
        kUsage, "option '--%s' expects NAME=VALUE with one of the names %s, but got '%.*s'", option,
        known.empty() ? "(there are none)" : known.c_str(), int(text.size()), text.data());
  return std::pair(best, text.substr(strlen(names[best].name) + 1));
}

Result<Tensor> readTensor(const std::string &path) {
  if (path.ends_with(".npy"))
    return readNpy(path);
  if (path.ends_with(".pb"))
    return readTensorPb(path);
  return failure(kUsage, "expects a file that ends in .npy or .pb, but got '%s'", path.c_str());
}

} // namespace sectile::tools
