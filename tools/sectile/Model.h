//===- Model.h - a package, its context and its tensors ---------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_MODEL_H
#define SECTILE_TOOLS_SECTILE_MODEL_H

#include "Args.h"
#include "Result.h"
#include "Symbols.h"
#include "Tensor.h"

#include "sectile/sectile.h"

#include <memory>
#include <string>
#include <vector>

namespace sectile::tools {

/// What the package says about one input or output. Pointers belong to the
/// package.
using TensorInfo = sectile_tensor_info;

/// A loaded package with its descriptions at hand.
class Model {
public:
  /// Loads a package; `threads` as in sectile_package_options. `target` is empty for the one that
  /// the package is loaded for by default; `device` may be all null, and `deviceName` empty.
  static Result<Model> load(const std::string &path, uint32_t threads,
                            const std::string &target = {}, sectile_device device = {},
                            const std::string &deviceName = {});

  const sectile_package *package() const { return handle.get(); }
  sectile_package *package() { return handle.get(); }

  const std::string &path() const { return file; }
  sectile_package_info info = {};
  std::vector<TensorInfo> inputs, outputs;
  std::vector<std::string> symbols;
  std::vector<sectile_alias_info> aliases;
  std::vector<sectile_kernel_info> kernels;
  std::vector<sectile_level_info> levels;

private:
  struct Release {
    void operator()(sectile_package *package) const { sectile_package_release(package); }
  };
  std::unique_ptr<sectile_package, Release> handle;
  std::string file;
};

/// Tensors of a package given on a command line, ready to run.
class Session {
public:
  /// Makes a context and fills the inputs as --input and --dims say; inputs that
  /// --input does not name are random:0, and a note says so unless `quiet`.
  static Result<Session> open(Model &model, const std::vector<std::string_view> &inputOptions,
                              std::optional<std::string_view> dimsOption,
                              const sectile_context_options &options, bool quiet);

  /// Runs the model once. The results lie in the context until the next run.
  Result<Done> run();

  /// A copy of output `index` of the last run, contiguous also where the output
  /// is an alias.
  Tensor output(size_t index) const;

  const std::vector<Tensor> &inputs() const { return values; }
  const sectile_context *context() const { return handle.get(); }

private:
  struct Destroy {
    void operator()(sectile_context *context) const { sectile_context_destroy(context); }
  };
  Result<Done> layOutAlias(size_t input);

  Model *model = nullptr;
  std::unique_ptr<sectile_context, Destroy> handle;
  std::vector<Tensor> values;
  std::vector<Bytes> aliasBuffers; ///< per input; empty where it is no alias
  std::vector<sectile_tensor> given, results;
};

/// Splits "NAME=REST" where NAME is one of `names`, which may contain '=' itself:
/// the longest that fits wins. Returns its index and REST. Fails with kUsage.
Result<std::pair<size_t, std::string_view>>
splitAssignment(const char *option, std::string_view text, const std::vector<TensorInfo> &names);

/// Reads a tensor from a .npy or .pb file, by the ending of its name.
Result<Tensor> readTensor(const std::string &path);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_MODEL_H
