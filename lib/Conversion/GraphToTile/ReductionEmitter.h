//===- ReductionEmitter.h - the loops of one reduction ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A linalg op with reduction loops becomes a nest of loops that carry partial
// results, in one of three forms:
//
//  * dot: the body multiplies something that varies along the tile's rows by
//    something that varies along its columns; one tile.dot per step, which takes one element
//    along the reduced dimension or, of tiles that threads share, several;
//  * chunked: the innermost reduction loop runs over elements that lie side by
//    side; partial results are kept for a chunk of them and combined at the end
//    by tile.reduce. Needs a combiner with a neutral element;
//  * plain: one step per element, any body, any number of results.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_REDUCTIONEMITTER_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_REDUCTIONEMITTER_H

#include "Materializer.h"

namespace sectile {

/// result = combine(carried, reduced) with an associative, commutative combine.
struct Combiner {
  mlir::Operation *op;
  mlir::Value reduced;
  mlir::TypedAttr neutral;
};

/// Recognises the combiner of a result of `op` that does not use other results' partial values.
std::optional<Combiner> matchCombiner(mlir::linalg::LinalgOp op, unsigned result);

/// The constant a tensor is filled with, if it is.
mlir::TypedAttr getFillValue(mlir::Value tensor);

/// Whether starting from `init` is the same as starting from nothing.
bool isNeutral(mlir::TypedAttr init, mlir::TypedAttr neutral);

/// The part of a reduction loop that is run over.
struct LoopRange {
  unsigned loop;
  mlir::AffineExpr base, size;
  /// Elements that it has at most; 0 if that is not known.
  int64_t most = 0;
};

/// Emits the reduction of one tile in the innermost open scope. Each step's failure has been
/// reported.
class Materializer::ReductionEmitter {
public:
  /// The tile of result `result` of `op` at `iterCoords`, which are null for reduction loops. With
  /// `range`, one of those runs over a part of its elements.
  ReductionEmitter(Materializer &materializer, mlir::linalg::LinalgOp op, unsigned result,
                   Coords iterCoords, const Constraints &valid,
                   std::optional<LoopRange> range = std::nullopt);

  const std::optional<Combiner> &getCombiner() const { return combiner; }

  /// What loops carry before the first step: the initial value, unless `finish` adds it.
  mlir::FailureOr<llvm::SmallVector<TileValue>> start();
  /// The same for a part of a reduction, which starts from nothing. Needs a combiner.
  llvm::SmallVector<TileValue> startPart();
  /// Runs the loops and returns what they carry in the end.
  mlir::FailureOr<llvm::SmallVector<TileValue>> run(llvm::SmallVector<TileValue> partial);
  /// The result's tile, of what loops carried.
  mlir::FailureOr<TileValue> finish(llvm::ArrayRef<TileValue> partial);
  /// The tile of a part of the reduction that was started by `startPart`.
  mlir::FailureOr<TileValue> finishPart(llvm::ArrayRef<TileValue> partial);

  /// The same reduction over another part. Partial results of both have one form.
  void setRange(LoopRange part) { range = part; }

private:
  using Partial = llvm::SmallVector<TileValue>;

  void chooseDot();
  void chooseDepth();
  void chooseChunk();
  llvm::SmallVector<unsigned> getDimsOf(mlir::Value scalar);
  mlir::AffineExpr getSize(unsigned loop);
  mlir::AffineExpr getBase(unsigned loop);
  void countSteps();
  mlir::FailureOr<TileValue> getInitialValue(unsigned result);
  TileValue spread(mlir::Value scalar);
  /// Whether chunks have partial results of their own, to which the initial value is added last.
  bool hasPartials() const { return chunkLoop && !rows; }
  mlir::FailureOr<mlir::Value> makeSide(mlir::Value scalar, bool isLeft,
                                        llvm::ArrayRef<unsigned> sideDims, BodyContext &body,
                                        const Constraints &tail, bool &isUnsigned);
  mlir::LogicalResult addTo(const TileValue &total, Partial &partial);

  mlir::FailureOr<Partial> step(llvm::ArrayRef<TileValue> partial, const Constraints &tail);
  mlir::FailureOr<Partial> stepPlain(llvm::ArrayRef<TileValue> partial, const Constraints &tail);
  mlir::FailureOr<Partial> stepDot(llvm::ArrayRef<TileValue> partial, const Constraints &inside,
                                   const Constraints &tail);
  mlir::LogicalResult runLoop(unsigned depth, Partial &partial, mlir::AffineExpr count,
                              SymbolBounds bounds,
                              llvm::function_ref<mlir::AffineExpr(mlir::AffineExpr)> getCoord,
                              bool isMasked = false);
  mlir::FailureOr<Partial> runNest(unsigned depth, Partial partial);
  mlir::FailureOr<Partial> runChunks(unsigned depth, Partial partial);
  mlir::FailureOr<Partial> runInBlocks(unsigned depth, int64_t size, Partial partial);

  Materializer &materializer;
  IndexSpace &space;
  mlir::OpBuilder &builder;
  mlir::linalg::LinalgOp op;
  mlir::Location loc;
  unsigned result;
  Coords iterCoords;
  Constraints valid;
  std::optional<LoopRange> range;

  std::optional<Combiner> combiner;
  /// The tile dimensions of the result, and of what is carried.
  llvm::SmallVector<unsigned> dims, partialDims;
  /// Reduction loops, from the outermost in.
  llvm::SmallVector<unsigned> loops;
  /// Steps of the loops from each one on, and whether sums are formed in blocks of them.
  llvm::SmallVector<int64_t> innerSteps;
  bool inBlocks = false;
  /// Dot form: the two factors, scalars of the body.
  mlir::Value rows, columns;
  /// Chunked form, and dots of several elements: the loop, and the elements of one of its chunks.
  std::optional<unsigned> chunkLoop;
  int64_t chunk = 1;
  /// Chunks whose sum is formed apart at most; 0: as many as are accurate enough.
  int64_t mostChunks = 0;
  mlir::AffineExpr chunkDim;
  bool startsNeutral = false;
  mlir::TypedAttr fill;
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_REDUCTIONEMITTER_H
