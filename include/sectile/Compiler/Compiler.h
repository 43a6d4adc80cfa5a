//===- Compiler.h - from a model to a package -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_COMPILER_COMPILER_H
#define SECTILE_COMPILER_COMPILER_H

#include "sectile/Conversion/TileToCPU/TileToCPU.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

#include <functional>
#include <string>
#include <vector>

namespace sectile {

class KernelCache;
struct TuningOptions;

/// What `sectile compile` can stop at.
enum class EmitKind { Package, Static, Graph, Tile, LLVM, Assembly, Ptx, Hsaco };

struct CompileOptions {
  /// Instruction-set levels to compile for, by name, best last: all of one host. Static output
  /// takes one.
  std::vector<std::string> levels = {"sse4", "avx2", "avx512"};
  /// Whether there is code for the CPU, and the GPUs that there is code for, by name. Packages hold
  /// any of them, text is of one.
  bool hasCpu = true;
  std::vector<std::string> devices;
  FloatMode floatMode = FloatMode::Default;
  /// Outputs in the buffers of inputs, each IN:OUT[,DIM=CAPACITY].
  std::vector<std::string> aliases;
  EmitKind emit = EmitKind::Package;
  /// Writes the IR of every stage here, numbered; nothing if empty.
  std::string dumpDir;
  /// A folder beside the package (a bare name) for the constants, in files that packages share;
  /// they are in the package if empty.
  std::string weightsFolder;
  /// Recorded in the package: what shaped it.
  std::string optionsText;
  std::string modelName;
  /// Where compiled kernels are kept; may be null.
  KernelCache *cache = nullptr;
  /// How schedules are found by measuring, of the last of `levels` that this machine has; null for
  /// those of the cost model. What comes out then depends on the machine and its mood.
  const TuningOptions *tuning = nullptr;
  /// Called as stages begin; may be null.
  std::function<void(llvm::StringRef stage, unsigned done, unsigned total)> progress;
};

enum class CompileStatus {
  Success,
  Refused,    ///< the model, by a pass that says why
  Environment ///< files that cannot be written
};

/// Compiles an imported model. `module` holds one public function on tensors (see the graph
/// dialect) and is changed. The package, or text for other kinds of `emit`, is written to
/// `output` at once: after an error, reported through the context's diagnostics, nothing is there.
/// Static output is two files, `output` with .o and .h appended, of which both are there or none;
/// its functions are named after `output`.
CompileStatus compileModule(mlir::ModuleOp module, llvm::StringRef output,
                            const CompileOptions &options);

} // namespace sectile

#endif // SECTILE_COMPILER_COMPILER_H
