//===- Analysis.h - what a fused region looks like from its roots -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Facts that schedules are chosen by: for every value of a region, which
// dimensions of the roots its coordinates follow. Found by walking from the
// roots through indexing maps, as materialisation will do with real coordinates.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_ANALYSIS_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_ANALYSIS_H

#include "JointPass.h"
#include "RegisterFile.h"
#include "Residency.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace sectile {

/// A set of root dimensions.
using DimSet = llvm::SmallBitVector;

/// One contraction or other reduction of a region.
struct ReductionInfo {
  mlir::linalg::LinalgOp op;
  bool isContraction;
  /// Root dimensions that its result follows.
  DimSet followed;
  /// Of those, the ones that only one factor of a contraction follows.
  DimSet rows, columns;
  /// Root dimensions along which its inputs' last dimension runs.
  DimSet contiguous;
  /// Whether another contraction or reduction consumes it, directly or through elementwise ops.
  bool feedsReduction = false;
  /// Whether it is a product that reads both operands along the reduced dimension (see
  /// Residency::mostElements).
  bool readsAlongDepth = false;
};

/// What an extent that only the run knows counts as where operands are staged.
constexpr int64_t kUnknownExtent = 1024;

/// Cycles to transpose an element into a panel, about.
constexpr double kStageCycles = 0.5;

/// Rows and columns from which on a tile is transposed in registers instead of gathered.
constexpr int64_t kLeastSquare = 4;

/// Elements of a tile of products that read both operands along the reduced dimension: as many
/// vectors of partial sums leave half of the registers to operands.
constexpr int64_t kMostPartialSums = 16;

struct RegionAnalysis {
  /// The value stored that has all dimensions of the grid and of the loops in a block, and its
  /// rank.
  mlir::Value mainRoot;
  unsigned rank = 0;
  /// For each value stored, from coordinates of the main root to its own: all of them, or, of a
  /// smaller one, some.
  llvm::SmallVector<mlir::AffineMap> rootMaps;
  llvm::SmallVector<ReductionInfo> reductions;
  /// Joint passes that its reductions can form; the schedule says which do.
  llvm::SmallVector<JointPass> jointPasses;
  /// Values that graph-to-tile computes into private memory (see Materializer.h).
  llvm::MapVector<mlir::Value, Residency> resident;
  /// Index arguments that are the number of rows of a product for which an operand is staged, and
  /// would not be for a single row.
  llvm::SmallSetVector<unsigned, 2> unknownRows;
  /// How an argument is read: the root dimensions that it follows, and those that its last
  /// dimension does.
  struct ArgumentRead {
    DimSet followed, last;
  };
  llvm::SmallVector<ArgumentRead> reads;
  /// The kernel's scans, in order. They run along one dimension of the roots, the same way.
  llvm::SmallVector<graph::ScanOp> scans;
  std::optional<unsigned> scanDim;
  /// The op that computes the kernel's only result, if that is one.
  graph::ScatterOp scatter;
  /// The op that computes the kernel's only results, if that is one.
  graph::TopKOp topK;
  /// Root dimensions that some reduction's result does not follow, and that of the scans: loops
  /// over them go inside.
  DimSet swept;
};

/// Analyses a kernel, whose results agree in shape or are computed on the way to the last one that
/// is not; reports an error if they are not. With `strict`, sums keep the order of their loops:
/// there are no joint passes.
mlir::FailureOr<RegionAnalysis> analyseRegion(graph::KernelOp kernel, const RegisterFile &file,
                                              bool strict);

/// The dimension of `value` along which its elements lie side by side in the memory that they are
/// read from, if it only moves them; the last one if it computes them.
std::optional<unsigned> getContiguousDim(mlir::Value value);

/// Whether `value` is computed element by element, and not only moved.
bool isComputedElementwise(mlir::Value value);

/// A product whose columns lie side by side in the result but far apart in the operand (the
/// scores of an attention read keys that way) would gather them in its inner loop. Such operands
/// are copied to private memory with the columns contiguous, or, if few rows would use the copy,
/// read along the reduced dimension.
void stageColumns(graph::KernelOp kernel, RegionAnalysis &analysis, int64_t lanes);

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_ANALYSIS_H
