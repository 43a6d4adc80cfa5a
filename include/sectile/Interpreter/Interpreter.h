//===- Interpreter.h - reference execution of graph, tile and host IR -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Executes a model plainly, at whatever level it is:
//
//   graph   a func.func on tensors: linalg, tensor, arith, math, scf, graph ops
//   tile    a launch runs the tile.kernel of the same name, block by block
//   host    @sectile_prepare and @sectile_run on buffers, as graph-plan-memory
//           writes them
//
// It shares no code with the passes it checks and links only the dialects. What
// a correct program must not do is a *fault*: a transfer outside its view, a
// result that depends on memory nobody wrote, two blocks that write one element,
// a write to what is read only.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_INTERPRETER_INTERPRETER_H
#define SECTILE_INTERPRETER_INTERPRETER_H

#include "sectile/Interpreter/Tensor.h"

#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <memory>
#include <string>

namespace sectile::interp {

/// How a run ended.
struct Outcome {
  enum Status {
    Finished,
    /// The model refuses its input (graph.check, tile.assert, an index out of range): what a
    /// compiled package reports as a status.
    Refused,
    /// The program does what no correct program does.
    Faulted,
    /// The budget of operations is spent.
    Exhausted,
    /// The program uses an op or a type that this interpreter does not execute.
    Unsupported,
  };
  Status status = Finished;
  std::string message; // unless finished
  mlir::Location location;
  std::vector<TensorRef> results;
  /// Integer divisions by zero, whose results are undetermined.
  uint64_t divisionsByZero = 0;
};

/// What a run of `launch` (graph.launch or graph.dispatch) read and wrote.
struct LaunchRecord {
  mlir::Operation *launch;
  std::string kernel;
  std::vector<TensorRef> inputs; // null for index arguments
  std::vector<TensorRef> results;
};

struct Options {
  /// Round every result to its own type instead of carrying bounds.
  bool rounds = false;
  /// Element operations before the run is given up; 0 for no limit.
  uint64_t maxOperations = 0;
  /// Launches run graph.kernel even where a tile.kernel of the name exists.
  bool ignoreTileKernels = false;
  /// The nested module that launches take tile kernels from; empty for the first that has one.
  std::string level;
  /// Called when a tensor of a func.func is computed; may replace the tensor. Not called for
  /// what kernels compute inside.
  std::function<void(mlir::OpResult, TensorRef &)> onTensor;
  /// Called after each launch; what it leaves in `results` is what the program goes on with.
  std::function<void(LaunchRecord &)> onLaunch;
};

class Machine;

/// Executes functions and kernels of one module, which must outlive it and stay as it is.
class Interpreter {
public:
  Interpreter(mlir::ModuleOp module, Options options = {});
  ~Interpreter();

  /// The model's function: the only public func.func, or a host program's @sectile_run; null if
  /// there is none or more than one.
  static mlir::Operation *findEntry(mlir::ModuleOp module);

  /// Runs a func.func on tensors, or a host program (`entry` being its @sectile_run).
  Outcome run(mlir::Operation *entry, llvm::ArrayRef<TensorRef> inputs);

  /// Runs a graph.kernel or a tile.kernel on inputs in the order of the kernel's arguments;
  /// `indices` are its index arguments in order. `resultShapes` are the shapes of the results, of
  /// which a tile kernel's last arguments are the views; a graph kernel ignores them.
  Outcome runKernel(mlir::Operation *kernel, llvm::ArrayRef<TensorRef> inputs,
                    llvm::ArrayRef<int64_t> indices, llvm::ArrayRef<Shape> resultShapes);

private:
  std::unique_ptr<Machine> machine;
};

} // namespace sectile::interp

#endif // SECTILE_INTERPRETER_INTERPRETER_H
