//===- Planner.h - places and steps of a host program -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_PLANMEMORY_PLANNER_H
#define SECTILE_LIB_CONVERSION_PLANMEMORY_PLANNER_H

#include "ConstantSection.h"
#include "Lifetimes.h"
#include "Places.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/Guards.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/MapVector.h"

#include <memory>

namespace sectile {

/// The same elements in memory: i1 is stored as bytes.
mlir::MemRefType getBufferType(mlir::RankedTensorType type, mlir::StridedLayoutAttr layout = {});

/// Gives every tensor of the model, and of the bodies of its loops, a place in memory, and writes
/// what runs before the model and the model itself on buffers.
class Planner {
public:
  Planner(mlir::ModuleOp module, mlir::func::FuncOp model, ConstantSection &section)
      : module(module), model(model), block(model.getBody().front()), builder(module.getContext()),
        placement(model), guards(block), section(section) {}

  /// Writes both functions. Errors are reported at the op that cannot be planned.
  mlir::LogicalResult run();

private:
  /// Of the body of `loop`, which `parent` runs.
  Planner(Planner &parent, graph::LoopOp loop, mlir::func::FuncOp body)
      : Planner(parent.module, body, parent.section) {
    this->parent = &parent;
    this->loop = loop;
  }

  //===--------------------------------------------------------------------===//
  // What has to have a place (PlanMemory.cpp)
  //===--------------------------------------------------------------------===//

  /// Checks what graph-place-tensors has to have arranged, and chooses slots.
  mlir::LogicalResult analyze();

  /// What holds the memory of an owner (see Placement.h) that is no input and no constant.
  struct Buffer {
    std::optional<unsigned> output; // this output of the model
    unsigned slot = 0;              // else this slot of the arena
  };

  /// Both sides of a choice have its memory: each must be written in its case only, as
  /// graph-place-tensors has arranged.
  mlir::LogicalResult checkChoices();

  /// Iterations begin in the memory of what the loop begins with, and end there.
  mlir::LogicalResult checkLoops();

  /// Whether a number of a body follows from how many iterations were made.
  bool dependsOnIteration(mlir::Value scalar);

  /// Whether a number, or an extent of a tensor, follows from what a kernel counts.
  bool dependsOnCount(mlir::Value value);

  /// Whether a size is known to be greatest where everything that is counted is at its bound.
  bool isGreatestAtBounds(mlir::Value size);
  bool isGreatestAtBounds(mlir::AffineExpr expr, unsigned numDims, mlir::ValueRange operands);

  /// The places of a body are laid out before it runs, those of all for the bounds of what is
  /// counted.
  mlir::LogicalResult checkSizes();

  /// Fills `buffers`; those whose lifetimes do not meet share a slot.
  mlir::LogicalResult collectBuffers();

  /// Something that equal sizes have in common: the size value of a launch result's dynamic
  /// dimension; of a concatenation's, what no other tensor has.
  static void *getSizeKey(mlir::Value tensor, int64_t dim);

  //===--------------------------------------------------------------------===//
  // Before the model runs (PlanPrepare.cpp)
  //===--------------------------------------------------------------------===//

  /// Computes where slots begin in the function's part of the arena; returns its size. A body has
  /// a second place for everything it carries, and one for its condition.
  mlir::Value layOutSlots(HostScalars &scalars, mlir::OpBuilder &at);

  /// Makes offsets of slots count from the start of the arena, in bodies too.
  void moveSlots(mlir::Value base, mlir::OpBuilder &at);

  /// Of a body: the arguments that its results replace.
  llvm::ArrayRef<mlir::BlockArgument> getCarriedArguments();

  /// Makes arguments of the body what the function around it has there.
  void bindOuter(HostScalars &scalars);

  /// Writes the function that takes the inputs' extents to sizes: of the outputs, of the arena.
  void writePrepare();

  /// Writes what is checked before the model runs, in bodies too, or what only an iteration can
  /// tell.
  void writeChecks(HostScalars &scalars, mlir::OpBuilder &at, bool ofIterations);

  /// Writes `check` at `at`, where all it depends on is known.
  static void writeCheck(graph::CheckOp check, HostScalars &scalars, mlir::OpBuilder &at);

  //===--------------------------------------------------------------------===//
  // The run (PlanRun.cpp)
  //===--------------------------------------------------------------------===//

  /// Writes the function that runs the model on buffers.
  mlir::LogicalResult writeRun();

  /// What the function at hand does: launches and loops, in their order.
  mlir::LogicalResult writeSteps(HostScalars &scalars);

  /// Reads what a kernel counted, from here on.
  mlir::LogicalResult writeCount(graph::CountOp count, HostScalars &scalars);

  /// Output `number` with the extents of what is returned there, which a count may have made
  /// smaller than the buffer.
  mlir::Value showOutput(unsigned number, HostScalars &scalars);

  mlir::LogicalResult writeDispatch(graph::LaunchOp launch, HostScalars &scalars);

  /// Whether all holds that `op` waits for; null if it waits for nothing.
  mlir::FailureOr<mlir::Value> readGuard(mlir::Operation *op, HostScalars &scalars);

  /// What is carried changes between two places: the memory of the result, where the loop begins,
  /// and one of the body's. If it ends in the latter, it is copied.
  mlir::LogicalResult writeLoop(graph::LoopOp loop, Planner &body, HostScalars &scalars);

  /// One run of a body, whose arguments and outputs are known.
  mlir::LogicalResult writeIteration(HostScalars &scalars);

  /// Whether a condition is what a launch waits for; null after an error. What computed it has run:
  /// its launch stands in front. Inside of a choice that is not taken it has not, and what is read
  /// does not matter.
  mlir::Value readCondition(const graph::Literal &literal, HostScalars &scalars);

  //===--------------------------------------------------------------------===//
  // Where tensors lie (PlanBuffers.cpp)
  //===--------------------------------------------------------------------===//

  /// The memory of an owner, with its offset 0 where it begins; null after an error.
  mlir::Value getMemory(mlir::Value owner, HostScalars &scalars);

  /// The buffer of a tensor, made at its first use; null after an error.
  mlir::Value getBuffer(mlir::Value tensor, HostScalars &scalars, mlir::Attribute memory = {});

  /// Whether `base`, memory of the owner of `tensor`, has the extents of `tensor` too.
  bool hasExtentsOf(mlir::Value base, mlir::Value tensor);

  /// The window of `tensor` on `base`, which begins where the owner's memory does.
  mlir::Value showPlace(mlir::Value base, mlir::Value tensor, const Place &place,
                        HostScalars &scalars);

  mlir::ModuleOp module;
  mlir::func::FuncOp model;
  mlir::Block &block;
  mlir::OpBuilder builder;
  Placement placement;
  graph::Guards guards;
  llvm::DenseMap<mlir::Value, mlir::Value> conditions; // read already, by tensor
  llvm::DenseMap<mlir::Value, bool> counted;           // what dependsOnCount knows
  llvm::MapVector<mlir::Value, Buffer> buffers;        // by owner
  unsigned numSlots = 0;
  llvm::MapVector<graph::LoopOp, std::unique_ptr<Planner>> children; // of its loops
  /// Of a body.
  Planner *parent = nullptr;
  graph::LoopOp loop;
  unsigned slotInParent = 0;
  /// Of the function that runs the model.
  mlir::Value arena, constants;
  llvm::SmallVector<mlir::Value> outputs;
  llvm::DenseMap<mlir::Value, mlir::Value> outputOffsets; // in elements, of rows in their memory
  llvm::SmallVector<mlir::Value> slotOffsets;
  ConstantSection &section;
  llvm::DenseMap<mlir::Value, mlir::Value> bufferOf; // by tensor
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_PLANMEMORY_PLANNER_H
