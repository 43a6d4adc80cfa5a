//===- Materializer.h - demand-driven materialisation of graph values as tiles -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The one algorithm that turns a fused region into the program of a block. A
// consumer asks for a *tile* of a value:
//
//     materialise(value, coords, valid)
//
// `coords` says, for every dimension of the value, which coordinate each
// element of the tile needs, as an affine expression over tile dimensions and
// symbols. `valid` lists expressions that must be non-negative for an element
// to matter: outside, a producer may return anything, but neither traps nor
// touches memory. The answer depends on the op that defines the value:
//
//   kernel argument         a (masked) tile.load
//   elementwise op          its operands' tiles, and arith/math on them
//   contraction             loops over its reduction dimensions, tile.dot
//   reduction               likewise, partial results, tile.reduce
//   scan                    one step, or a tile.scan, from the state that the loop around carries
//   reshape, slice, pad...  other coords, other valid
//
// Nothing here knows what a model's operator was called: everything follows
// from indexing maps and from the scalar body of linalg ops.
//
// Scopes. Loops nest; each has a level. A value is emitted at the outermost
// level at which everything its coordinates mention is known, so a row's
// maximum lands outside the loop over the row without being told to. What was
// emitted in a scope is remembered there and found again.
//
// Residency. A value chosen to be resident is computed once per scope into
// private memory, along all coordinates that loops sweep, and read from there.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_MATERIALIZER_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_MATERIALIZER_H

#include "IndexSpace.h"
#include "JointPass.h"
#include "RegisterFile.h"
#include "Residency.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Tile/IR/Tile.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"

namespace sectile {

using Coords = llvm::SmallVector<mlir::AffineExpr>;
/// Expressions that must all be >= 0.
using Constraints = llvm::SmallVector<mlir::AffineExpr>;

/// A tile, and the tile dimensions along which it varies, in their order. Without any it is a
/// scalar.
struct TileValue {
  mlir::Value value;
  llvm::SmallVector<unsigned> dims;
};

class Materializer {
public:
  class ReductionEmitter; // see ReductionEmitter.h
  class JointEmitter;

  /// With `strict`, nothing is contracted and sums are formed in the order of their loops.
  Materializer(graph::KernelOp source, tile::KernelOp target, RegisterFile file, bool strict);

  IndexSpace &getSpace() { return space; }
  mlir::OpBuilder &getBuilder() { return builder; }
  const RegisterFile &getFile() const { return file; }

  /// Marks a value to be computed into private memory wherever loops sweep over it.
  void setResident(mlir::Value value, Residency residency) { resident[value] = residency; }

  /// Computes the reductions of `pass`, which must outlive this, in blocks of `block` steps.
  void addJointPass(const JointPass &pass, int64_t block) { jointPasses.push_back({&pass, block}); }

  /// The tile of `value` at `coords`; see the top of the file. Reports an error on failure.
  mlir::FailureOr<TileValue> materialise(mlir::Value value, Coords coords, Constraints valid);

  /// The extent of a tensor's dimension, as an expression over symbols of level 0.
  mlir::AffineExpr getSize(mlir::Value tensor, int64_t dim);
  /// An index value of the graph kernel, as an expression over symbols of level 0.
  mlir::AffineExpr getIndex(mlir::Value index);

  //===--------------------------------------------------------------------===//
  // Scopes
  //===--------------------------------------------------------------------===//

  /// The level of the innermost open scope.
  unsigned getLevel() const { return frames.size() - 1; }
  /// Opens a loop of `count` iterations in the innermost scope and returns its counter. With
  /// `inits`, `iterArgs` receives the carried values. `sweeps` marks loops that run over
  /// coordinates of values resident outside of them.
  mlir::AffineExpr openLoop(mlir::Location loc, mlir::AffineExpr count, mlir::ValueRange inits,
                            bool sweeps, llvm::SmallVectorImpl<mlir::Value> *iterArgs = nullptr,
                            SymbolBounds bounds = {});
  /// Closes it, carrying `values` on; returns the loop's results.
  llvm::SmallVector<mlir::Value> closeLoop(mlir::ValueRange values = {});

  /// Sets the builder to the innermost scope's end.
  void setInsertionPoint();
  /// The value of an expression over symbols, emitted in the innermost scope.
  mlir::Value emitIndex(mlir::Location loc, mlir::AffineExpr expr);

  /// `tile` repeated along the dimensions of `dims` that it lacks, or itself.
  mlir::Value broadcastTo(mlir::Location loc, const TileValue &tile, llvm::ArrayRef<unsigned> dims);
  /// Stores a tile.
  void emitStore(mlir::Location loc, const TileValue &tile, mlir::Value view, Coords coords,
                 Constraints valid);

  //===--------------------------------------------------------------------===//
  // Scans (MaterializeScan.cpp)
  //===--------------------------------------------------------------------===//

  /// Readies `scan` to run along its axis, which is null in `coords`: its state is that of its
  /// inits. From here on whoever opens a loop along the axis carries the states.
  mlir::LogicalResult startScan(graph::ScanOp scan, const Coords &coords, const Constraints &valid);
  /// The states of all scans that were started, in that order.
  llvm::SmallVector<mlir::Value> getScanStates() const;
  void setScanStates(mlir::ValueRange states);
  /// The place of the step that is made next: the only one that scans can be asked for.
  void setScanPlace(Coords coords);

  //===--------------------------------------------------------------------===//
  // Scatters (MaterializeScatter.cpp)
  //===--------------------------------------------------------------------===//

  /// Applies the updates of `op` at `coords` to `view`, which holds its data.
  mlir::LogicalResult emitUpdates(graph::ScatterOp op, const Coords &coords,
                                  const Constraints &valid, mlir::Value view);

  //===--------------------------------------------------------------------===//
  // Selections (MaterializeTopK.cpp)
  //===--------------------------------------------------------------------===//

  /// Inserts the elements of `op` at `coords` into the lists that `values` and `indices` hold along
  /// the axis. Places whose index is -1 are empty.
  mlir::LogicalResult emitInsertions(graph::TopKOp op, const Coords &coords,
                                     const Constraints &valid, mlir::Value values,
                                     mlir::Value indices);
  /// Sorts the list at `coords`, whose coordinate along the axis does not matter.
  mlir::LogicalResult emitSort(graph::TopKOp op, const Coords &coords, mlir::Value values,
                               mlir::Value indices);

  /// Reads a view (an argument or private memory).
  TileValue emitLoad(mlir::Location loc, mlir::Value view, Coords coords, Constraints valid);

private:
  struct MemoEntry {
    Coords coords;
    Constraints valid;
    TileValue tile;
  };
  /// The elements of dimension `dim` from `base` on: `size` of them, at most `capacity`.
  struct Window {
    unsigned dim = 0;
    mlir::AffineExpr base, size;
    int64_t capacity = 0;
  };
  /// A resident value's private memory.
  struct Strip {
    Coords outer; // the value's coordinates, null where loops sweep them
    mlir::Value view;
    /// Of a dimension that a joint pass runs along, the part that is kept: one block.
    std::optional<Window> window;
    /// What each dimension of the view is: a tile dimension, or a swept dimension of the value.
    struct Axis {
      bool isTileDim;
      unsigned dim;
    };
    llvm::SmallVector<Axis> axes;
  };
  /// Where a scan stands.
  struct ScanState {
    llvm::SmallVector<TileValue> values;
    /// Whether it has made a step since its state was set, and if so under which condition and
    /// with which results.
    bool hasStepped = false;
    Constraints valid;
    llvm::SmallVector<TileValue> results;
  };
  /// A tile of indices that is checked at run time.
  struct CheckedIndex {
    TileValue position; // i64, counted from the front, outside [0, last] if the index is
    TileValue isInside;
    mlir::Value zero, last; // i64
    unsigned level;         // that of all these
  };
  struct IndexEntry {
    mlir::Value index;
    unsigned axis;
    mlir::AffineExpr extent;
    CheckedIndex checked;
  };
  /// One scope: a block and where in it the next op goes.
  struct Frame {
    explicit Frame(mlir::Block *block) : block(block) {}
    mlir::Block *block;
    bool sweeps = false;
    mlir::Operation *child = nullptr;      // the op that holds the next inner scope, if any is open
    mlir::Operation *outerChild = nullptr; // what `child` of the enclosing frame was before
    llvm::DenseMap<mlir::Value, llvm::SmallVector<MemoEntry, 1>> memo;
    llvm::DenseMap<mlir::Value, llvm::SmallVector<Strip, 1>> strips;
    std::vector<IndexEntry> indices; // checked in this scope

    /// A joint pass that runs in this scope, or has.
    struct Pass {
      struct Result {
        mlir::Value value;
        Coords coords;
        TileValue tile;
      };
      const JointPass *pass = nullptr;
      /// What is known of its results here, for all elements that exist.
      llvm::SmallVector<Result, 3> results;
      /// While it runs: the block that it is at, and the level of the coordinates of its results.
      bool isRunning = false;
      mlir::AffineExpr base, size;
      int64_t block = 0;
      unsigned sharedLevel = 0;
    };
    llvm::SmallVector<Pass, 0> passes;
  };
  /// Leaves inner scopes while something is emitted at an outer level.
  class LevelScope;

  bool runsAlongFirst(mlir::Value view, const Coords &coords, llvm::ArrayRef<unsigned> dims);

  /// Where an element of `op`, which moves or repeats those of its first operand, comes from.
  Coords getSourceCoords(mlir::Operation *op, const Coords &coords);
  // By kind of defining op; coords and valid are simplified.
  mlir::FailureOr<TileValue> materialiseArgument(mlir::Value value, const Coords &coords,
                                                 const Constraints &valid);
  mlir::FailureOr<TileValue> materialiseLinalg(mlir::OpResult value, const Coords &coords,
                                               const Constraints &valid);
  mlir::FailureOr<TileValue> materialiseView(mlir::Operation *op, const Coords &coords,
                                             const Constraints &valid);
  mlir::FailureOr<TileValue> materialisePad(mlir::Operation *op, const Coords &coords,
                                            const Constraints &valid);
  mlir::FailureOr<TileValue> materialiseConcat(mlir::Operation *op, const Coords &coords,
                                               const Constraints &valid);
  mlir::FailureOr<TileValue> materialiseGather(graph::GatherOp op, const Coords &coords,
                                               const Constraints &valid);
  mlir::FailureOr<CheckedIndex> materialiseIndex(mlir::Location loc, mlir::Value indices,
                                                 const Coords &coords, const Constraints &valid,
                                                 mlir::AffineExpr extent, unsigned axis);
  /// The order of a selection's pairs, as the body of an op on lists.
  mlir::LogicalResult emitOrder(graph::TopKOp op, mlir::Region &region);
  mlir::FailureOr<TileValue> materialiseScan(graph::ScanOp op, unsigned result,
                                             const Coords &coords, const Constraints &valid);
  /// What a block of elementwise ops yields for tiles as its arguments.
  mlir::FailureOr<llvm::SmallVector<TileValue>> applyBlock(mlir::Block &block,
                                                           llvm::ArrayRef<TileValue> arguments);
  mlir::FailureOr<TileValue> materialiseResident(mlir::Value value, const Coords &coords,
                                                 const Constraints &valid);
  Strip placeStrip(mlir::Value value, const Coords &coords, const Constraints &valid,
                   unsigned &level);
  void makeStrip(mlir::Value value, Strip &strip);
  Coords getPlace(const Strip &strip, const Coords &coords);
  mlir::LogicalResult fillStrip(mlir::Value value, const Strip &strip);
  mlir::FailureOr<TileValue> materialiseDefinition(mlir::Value value, const Coords &coords,
                                                   const Constraints &valid);

  // Linalg ops.
  struct BodyContext;
  mlir::FailureOr<TileValue> evaluate(mlir::Value scalar, BodyContext &body);
  /// The tiles, each repeated along the dimensions of the others, which `dims` receives.
  llvm::SmallVector<mlir::Value> repeatAlike(mlir::Location loc, llvm::ArrayRef<TileValue> tiles,
                                             llvm::SmallVectorImpl<unsigned> &dims);
  /// Lets a float op be fused with another one into a multiply-add, unless floats are strict.
  void allowContraction(mlir::Operation *op) const;
  mlir::FailureOr<TileValue> applyElementwise(mlir::Operation *op,
                                              llvm::ArrayRef<TileValue> operands);
  mlir::FailureOr<TileValue> materialiseElementwise(mlir::linalg::LinalgOp op, unsigned result,
                                                    Coords iterCoords, const Constraints &valid);
  mlir::FailureOr<TileValue> materialiseReduction(mlir::linalg::LinalgOp op, unsigned result,
                                                  Coords iterCoords, const Constraints &valid);
  /// The result `value` of one of the pass's reductions; see MaterializeJointPass.cpp.
  mlir::FailureOr<TileValue> materialiseJointly(const JointPass &pass, int64_t block,
                                                mlir::OpResult value, const Coords &coords);
  /// The tile of `value` at `coords` that a joint pass in the innermost scope has computed.
  const TileValue *findPassResult(mlir::Value value, const Coords &coords);
  /// The innermost level at which a joint pass has computed, or is computing, what `value` is
  /// made of; 0 if there is none.
  unsigned getPassLevel(mlir::Value value);
  mlir::AffineExpr getLoopSize(mlir::linalg::LinalgOp op, unsigned loop);
  /// The dimension of `tensor` along which elements lie side by side where they are read.
  std::optional<unsigned> getAdjacentDim(mlir::Value tensor);

  TileValue select(mlir::Location loc, const Constraints &where, const TileValue &tile,
                   mlir::TypedAttr otherwise);
  void prune(const Coords &coords, Constraints &valid);
  llvm::SmallVector<int64_t> getExtents(llvm::ArrayRef<unsigned> dims) const;
  mlir::Type getTileType(mlir::Type element, llvm::ArrayRef<unsigned> dims) const;

  graph::KernelOp source;
  tile::KernelOp target;
  RegisterFile file;
  bool strict;
  IndexSpace space;
  mlir::OpBuilder builder;
  llvm::SmallVector<Frame> frames;
  llvm::DenseMap<mlir::Value, Residency> resident;
  llvm::SmallVector<std::pair<const JointPass *, int64_t>> jointPasses;
  llvm::MapVector<mlir::Operation *, ScanState> scans;
  Coords scanPlace;
};

/// While it lives, `level` is the innermost scope.
class Materializer::LevelScope {
public:
  LevelScope(Materializer &materializer, unsigned level) : materializer(materializer) {
    auto &frames = materializer.frames;
    for (unsigned i = level + 1; i < frames.size(); ++i)
      inner.push_back(std::move(frames[i]));
    frames.truncate(level + 1);
    materializer.setInsertionPoint();
  }
  ~LevelScope() {
    for (Frame &frame : inner)
      materializer.frames.push_back(std::move(frame));
    materializer.setInsertionPoint();
  }

private:
  Materializer &materializer;
  llvm::SmallVector<Frame> inner;
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_MATERIALIZER_H
