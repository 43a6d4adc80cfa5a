//===- Calibrate.cpp - a model's outputs summed over samples ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Calibrate.h"

#include "Files.h"
#include "Model.h"
#include "Npy.h"

#include "sectile/Codegen/KernelCache.h"
#include "sectile/Compiler/Compiler.h"
#include "sectile/Frontend/Onnx.h"
#include "sectile/Registration/Registration.h"
#include "sectile/Target/CpuLevel.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cmath>
#include <cstring>
#include <memory>

namespace sectile::tools {

namespace {

/// The arrays of one file.
struct DataFile {
  std::string path;
  std::vector<std::pair<std::string, Tensor>> arrays;

  const Tensor *find(std::string_view name) const {
    for (const auto &[known, tensor] : arrays)
      if (known == name)
        return &tensor;
    return nullptr;
  }
};

/// An array cut into samples along its first dimension.
struct Samples {
  const Tensor *array = nullptr;
  int64_t count = 1;
  std::vector<int64_t> dims; ///< of a sample

  Tensor get(int64_t index) const {
    Tensor sample;
    sample.dtype = array->dtype;
    sample.dims = dims;
    size_t bytes = array->data.size() / static_cast<size_t>(count);
    const std::byte *from = array->data.data() + (count == 1 ? 0 : index) * int64_t(bytes);
    sample.data.assign(from, from + bytes);
    return sample;
  }
};

/// A folder that is gone when this is.
class TemporaryFolder {
public:
  TemporaryFolder() = default;
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder() {
    if (!path.empty())
      (void)llvm::sys::fs::remove_directories(path);
  }

  llvm::SmallString<128> path;
};

/// What all runs share.
struct State {
  std::vector<DataFile> files;
  TemporaryFolder folder;
  /// Kernels that one run has compiled serve the next; null if there can be no cache.
  std::unique_ptr<KernelCache> cache;
};

/// The level of this machine's code.
std::string findLevel() {
  if (const char *name = getenv("SECTILE_CPU_LEVEL"))
    return name;
  for (const char *name : {"avx512", "avx2", "sse4", "neon"})
    if (const CpuLevel *level = lookupCpuLevel(name); level && isCpuLevelPresent(*level))
      return name;
  return "sse4";
}

/// Compiles a model to a package in the folder.
Result<std::string> compileTo(const quantize::WrittenModel &model, State &state) {
  std::string folder(state.folder.path);
  std::string modelPath = folder + "/model.onnx";
  std::vector<std::span<const std::byte>> parts;
  parts.reserve(model.data.size());
  for (const std::string &part : model.data)
    parts.push_back(std::as_bytes(std::span(part)));
  OutputFiles files;
  if (Result<Done> done = files.write(modelPath, model.bytes); !done)
    return done.failure();
  std::string dataPath = folder + "/" + quantize::kCalibrationData.str();
  if (Result<Done> done = files.write(dataPath, parts); !done)
    return done.failure();
  if (Result<Done> done = files.commit(); !done)
    return done.failure();
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  std::string errors;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error)
      errors += (errors.empty() ? "" : "; ") + diagnostic.str();
    return mlir::success();
  });
  auto module = importOnnxFile(modelPath, context, {});
  if (mlir::failed(module))
    return failure(kRefused, "it cannot be calibrated: %s", errors.c_str());
  CompileOptions options;
  options.levels = {findLevel()};
  options.modelName = "calibration";
  options.cache = state.cache.get();
  std::string path = folder + "/calibration.stp";
  if (compileModule(**module, path, options) != CompileStatus::Success)
    return failure(kRefused, "it cannot be calibrated: %s", errors.c_str());
  return path;
}

/// How an array of a file serves an input.
Result<Samples> cut(const DataFile &file, const TensorInfo &input) {
  const Tensor *array = file.find(input.name);
  if (!array) {
    std::string names;
    for (const auto &[name, tensor] : file.arrays)
      names += (names.empty() ? "" : ", ") + name;
    return failure(kRefused, "'%s': expects an array for input '%s', but has %s", file.path.c_str(),
                   input.name, names.empty() ? "none" : names.c_str());
  }
  std::vector<int64_t> wanted(input.dims, input.dims + input.rank);
  auto refuse = [&]() {
    return failure(kRefused, "'%s': expects samples of %s for input '%s', but got %s",
                   file.path.c_str(), describeType(input.dtype, wanted).c_str(), input.name,
                   describeType(array->dtype, array->dims).c_str());
  };
  if (array->dtype != input.dtype)
    return refuse();
  Samples samples{array, 1, array->dims};
  if (array->dims.size() == wanted.size() + 1) {
    samples.count = array->dims[0];
    samples.dims.erase(samples.dims.begin());
  } else if (array->dims.size() != wanted.size()) {
    return refuse();
  } else if (!wanted.empty() && wanted[0] > 0 && array->dims[0] != wanted[0]) {
    if (array->dims[0] % wanted[0] != 0)
      return refuse();
    samples.count = array->dims[0] / wanted[0];
    samples.dims[0] = wanted[0];
  }
  for (size_t d = 0; d < wanted.size(); ++d)
    if (wanted[d] >= 0 && samples.dims[d] != wanted[d])
      return refuse();
  if (samples.count == 0)
    return refuse();
  return samples;
}

/// Infinities may be masks; a NaN says nothing about what weights meet.
Result<Done> checkNumbers(const DataFile &file) {
  for (const auto &[name, tensor] : file.arrays)
    if (isFloat(tensor.dtype))
      for (int64_t i = 0, count = tensor.numElements(); i < count; ++i)
        if (std::isnan(readElement(tensor, i)))
          return failure(kRefused, "'%s': array '%s' has NaN at element %lld", file.path.c_str(),
                         name.c_str(), static_cast<long long>(i));
  return Done{};
}

/// Runs a loaded model on the samples of a file.
Result<Done> runOn(const DataFile &file, Model &model, sectile_context *context,
                   std::vector<std::vector<double>> &sums) {
  for (const auto &[name, tensor] : file.arrays)
    if (llvm::none_of(model.inputs, [&](const TensorInfo &info) { return info.name == name; }))
      return failure(kRefused, "'%s': array '%s' has the name of no input", file.path.c_str(),
                     name.c_str());
  std::vector<Samples> inputs;
  int64_t count = 1;
  for (const TensorInfo &info : model.inputs) {
    Result<Samples> samples = cut(file, info);
    if (!samples)
      return samples.failure();
    if (samples->count != 1 && count != 1 && samples->count != count)
      return failure(kRefused,
                     "'%s': expects %lld samples of input '%s', as of others, but got %lld",
                     file.path.c_str(), static_cast<long long>(count), info.name,
                     static_cast<long long>(samples->count));
    count = std::max(count, samples->count);
    inputs.push_back(std::move(*samples));
  }
  for (int64_t i = 0; i < count; ++i) {
    std::vector<Tensor> values;
    values.reserve(inputs.size());
    std::vector<sectile_tensor> given(inputs.size()), results(model.outputs.size());
    for (const Samples &samples : inputs)
      values.push_back(samples.get(i));
    for (auto [tensor, value] : llvm::zip_equal(given, values)) {
      tensor.data = value.data.data();
      tensor.bytes = value.data.size();
      tensor.dtype = value.dtype;
      tensor.rank = static_cast<int32_t>(value.dims.size());
      tensor.dims = value.dims.data();
    }
    sectile_status status =
        sectile_context_run(context, given.data(), given.size(), results.data(), results.size());
    if (status != SECTILE_OK)
      return failure(kRefused, "'%s', sample %lld: %s", file.path.c_str(),
                     static_cast<long long>(i), sectile_context_message(context));
    for (auto [sum, result] : llvm::zip_equal(sums, results)) {
      const auto *numbers = static_cast<const float *>(result.data);
      size_t size = 1;
      for (int32_t d = 0; d < result.rank; ++d)
        size *= static_cast<size_t>(result.dims[d]);
      sum.resize(size);
      for (size_t j = 0; j < size; ++j)
        sum[j] += numbers[j];
    }
  }
  return Done{};
}

Result<Done> sumOutputs(const quantize::WrittenModel &written, State &state,
                        std::vector<std::vector<double>> &sums) {
  Result<std::string> path = compileTo(written, state);
  if (!path)
    return path.failure();
  Result<Model> model = Model::load(*path, 0);
  if (!model)
    return model.failure();
  sectile_context_options options = {};
  options.size = sizeof options;
  char message[1024] = "";
  sectile_context *created = nullptr;
  sectile_status status =
      sectile_context_create(model->package(), &options, &created, message, sizeof message);
  if (status != SECTILE_OK)
    return runtimeFailure(status, message);
  std::unique_ptr<sectile_context, decltype(&sectile_context_destroy)> context(
      created, sectile_context_destroy);
  sums.assign(model->outputs.size(), {});
  for (const DataFile &file : state.files)
    if (Result<Done> done = runOn(file, *model, context.get(), sums); !done)
      return done;
  return Done{};
}

} // namespace

Result<quantize::SumOutputs> readCalibration(const std::vector<std::string_view> &paths) {
  auto state = std::make_shared<State>();
  for (std::string_view path : paths) {
    DataFile file{std::string(path), {}};
    auto arrays = readNpz(file.path);
    if (!arrays)
      return arrays.failure();
    file.arrays = std::move(*arrays);
    if (Result<Done> checked = checkNumbers(file); !checked)
      return checked.failure();
    state->files.push_back(std::move(file));
  }
  if (std::error_code error =
          llvm::sys::fs::createUniqueDirectory("sectile-calibrate", state->folder.path))
    return failure(kEnvironment, "cannot make a temporary folder: %s", error.message().c_str());
  constexpr uint64_t kMaxCacheBytes = uint64_t(1) << 30;
  std::string unused;
  state->cache = KernelCache::open((state->folder.path + "/kernels").str(), kMaxCacheBytes, unused);
  return quantize::SumOutputs([state](const quantize::WrittenModel &model,
                                      std::vector<std::vector<double>> &sums) -> llvm::Error {
    Result<Done> done = sumOutputs(model, *state, sums);
    if (!done)
      return llvm::createStringError(done.failure().message);
    return llvm::Error::success();
  });
}

} // namespace sectile::tools
