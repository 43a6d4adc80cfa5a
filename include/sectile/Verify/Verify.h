//===- Verify.h - execution before and after every pass -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs a pipeline pass by pass on a model and executes the model before and
// after each pass in the reference interpreter, on the same inputs. The first
// pass that changes a result is named, and the model is reduced to a small one
// with which the same pass does the same.
//
// Error bounds grow from op to op until they say nothing. Therefore execution
// is *cut*: what the reference computed is rounded to its type, taken as exact,
// and given to both sides.
//
//   launches   Where both programs launch the same kernels in the same order,
//              each launch is one comparison, on the reference's inputs.
//   tensors    Elsewhere every tensor of the reference is a cut. A tensor of
//              the other program that has the same values, in any order of
//              dimensions, is taken for the same tensor.
//
// A result that is still too uncertain to tell is reported as not checked.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_VERIFY_VERIFY_H
#define SECTILE_VERIFY_VERIFY_H

#include "sectile/Interpreter/Interpreter.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include <functional>
#include <string>
#include <vector>

namespace sectile::verify {

using Sample = std::vector<interp::TensorRef>;

/// Makes the inputs to execute a model with: one or more sets. Fails with a message where the
/// model's arguments cannot be given.
using SampleMaker = std::function<bool(mlir::FunctionOpInterface model,
                                       std::vector<Sample> &samples, std::string &error)>;

/// How two programs compare.
struct Verdict {
  enum Kind {
    Equal,
    /// They differ, beyond what rounding explains.
    Different,
    /// They cannot be told apart, for the reason in `detail`.
    NotChecked,
  };
  Kind kind = Equal;
  std::string detail;
  /// Elements of results compared, and of those the ones whose bounds are too wide.
  int64_t numCompared = 0, numUnchecked = 0;
};

struct Options {
  /// Element operations of one execution; 0 for no limit.
  uint64_t maxOperations = 0;
  /// Instruction-set level whose tile kernels are executed; empty for the first.
  std::string level;
};

/// Compares what the entries of two modules compute.
Verdict compareModules(mlir::ModuleOp before, mlir::ModuleOp after, llvm::ArrayRef<Sample> samples,
                       const Options &options);

/// The passes of `pipeline` (a textual pass pipeline, named pipelines allowed), each as a
/// pipeline of its own: "builtin.module(func.func(graph-fuse))". Fails with a message.
mlir::FailureOr<std::vector<std::string>>
splitPipeline(llvm::StringRef pipeline, mlir::MLIRContext &context, std::string &error);

/// Runs a textual pipeline on a module, the IR verifier on. Diagnostics go to the context.
mlir::LogicalResult runPipeline(mlir::ModuleOp module, llvm::StringRef pipeline);

/// What happened at a pass.
struct Stage {
  std::string pass;
  enum Kind { Unchanged, Checked, NotChecked, Different, Failed } kind;
  std::string detail;
  int64_t numCompared = 0, numUnchecked = 0;
};

struct Report {
  std::vector<Stage> stages; // up to the first that is different or failed
  /// Of the stage that is different: the module before and after it.
  mlir::OwningOpRef<mlir::ModuleOp> before, after;
};

/// Runs the passes one by one; `onStage` (may be null) hears of each as it is done.
Report verifyPasses(mlir::ModuleOp model, llvm::ArrayRef<std::string> passes,
                    const SampleMaker &makeSamples, const Options &options,
                    const std::function<void(const Stage &)> &onStage);

/// A small model with which the last of `passes` still changes a result, found by removing parts
/// of `model`, with which it does. `maxTrials` bounds the work.
mlir::OwningOpRef<mlir::ModuleOp> reduceModel(mlir::ModuleOp model,
                                              llvm::ArrayRef<std::string> passes,
                                              const SampleMaker &makeSamples,
                                              const Options &options, unsigned maxTrials);

/// Ops in the bodies of a module's functions, terminators and bodies of linalg ops not counted.
unsigned countOps(mlir::ModuleOp module);

} // namespace sectile::verify

#endif // SECTILE_VERIFY_VERIFY_H
