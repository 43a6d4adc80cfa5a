//===- StageColumns.cpp - how products read their columns -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The columns of a product are its inner loop's loads. Where they do not lie as it
// wants them, or are computed, a block copies them to panels in private memory, if
// enough rows use the copy.
//
//===----------------------------------------------------------------------===//

#include "Analysis.h"

#include "dialects/Graph/IR/Contraction.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace sectile;

namespace {

/// Whether the value is an argument that is laid out for its product already, or computed from one
/// in place.
bool isPacked(graph::KernelOp kernel, Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return static_cast<bool>(kernel.getArgAttr(argument.getArgNumber(), graph::kMemoryAttr));
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  return isComputedElementwise(value) &&
         llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) {
           return op.getMatchingIndexingMap(input).isIdentity() && isPacked(kernel, input->get());
         });
}

/// Cycles that the elements of a product's operand cost, for each column of it: copied to panels
/// and multiplied there, or read where they lie, with a sum across lanes for each element.
struct OperandCycles {
  double staged, direct;
  /// The loop over rows whose extent is not known, if direct reads would be cheaper for a single
  /// row, and there is one such loop.
  std::optional<unsigned> unknownRows;
};

/// The index argument that is the extent of the op's result along loop `loop`, if it is one.
std::optional<unsigned> getExtentArgument(linalg::LinalgOp op, unsigned loop) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  std::optional<unsigned> dim = map.getResultPosition(getAffineDimExpr(loop, op.getContext()));
  Value init = op.getDpsInits()[0];
  while (auto fill = init.getDefiningOp<linalg::LinalgOp>())
    init = fill.getDpsInits()[0];
  auto empty = init.getDefiningOp<tensor::EmptyOp>();
  if (!dim || !empty || !empty.getType().isDynamicDim(*dim))
    return std::nullopt;
  auto argument = dyn_cast<BlockArgument>(empty.getDynamicSize(*dim));
  return argument ? std::optional(argument.getArgNumber()) : std::nullopt;
}

OperandCycles priceColumn(linalg::LinalgOp op, OpOperand *columns, int64_t lanes) {
  constexpr double kSumAcross = 6;
  AffineMap map = op.getMatchingIndexingMap(columns);
  double rows = 1, depth = 1;
  SmallVector<unsigned> unknown;
  for (auto [loop, size] : llvm::enumerate(op.getStaticLoopRanges())) {
    double extent = ShapedType::isDynamic(size) ? kUnknownExtent : std::max<int64_t>(size, 1);
    if (op.getIteratorTypesArray()[loop] == utils::IteratorType::reduction)
      depth *= extent;
    else if (!map.isFunctionOfDim(loop)) {
      rows *= extent;
      if (ShapedType::isDynamic(size))
        unknown.push_back(loop);
    }
  }
  double vectors = depth / lanes;
  // Where rows do not fit one tile, each tile of them reads the operand again.
  auto stage = [&](double rows) { return depth * kStageCycles + rows * vectors / 2; };
  auto read = [&](double rows) {
    return std::ceil(rows / kMostPartialSums) * vectors + rows * (vectors / 2 + kSumAcross);
  };
  bool isWorse = unknown.size() == 1 && read(rows / kUnknownExtent) < stage(rows / kUnknownExtent);
  return {stage(rows), read(rows), isWorse ? std::optional(unknown[0]) : std::nullopt};
}

/// Distance in bytes between rows of an operand from which on they share too few cache sets: four
/// tiles' rows in an 8-way cache of 4096 bytes per way.
constexpr int64_t kAliasBytes = 1024;
/// Rows of a tile of a product, on the widest level.
constexpr int64_t kTileRows = 6;
/// Rows of a result from which on copying their columns' operand pays.
constexpr int64_t kLeastUses = 48;
/// Depth of a product up to which a panel of its columns may be copied: 4 MiB of them.
constexpr int64_t kMostStagedDepth = 16384;

/// Limits the tiles that compute `product` into private memory, wherever elementwise ops take it.
void limitPartialSums(Value product, RegionAnalysis &analysis) {
  llvm::SetVector<Value> work;
  work.insert(product);
  for (unsigned i = 0; i < work.size(); ++i) {
    if (auto it = analysis.resident.find(work[i]); it != analysis.resident.end()) {
      it->second.mostElements = kMostPartialSums;
      continue;
    }
    for (Operation *user : work[i].getUsers())
      if (auto linalgOp = dyn_cast<linalg::LinalgOp>(user);
          !linalgOp || linalgOp.getNumReductionLoops() == 0)
        work.insert(user->result_begin(), user->result_end());
  }
}

/// Rows of a product's result that read the same columns.
struct RowUses {
  int64_t known = 1;
  /// A loop over rows whose extent only the run knows, the last one.
  std::optional<unsigned> unknown;
};

RowUses countUses(linalg::LinalgOp op, OpOperand *columns) {
  AffineMap map = op.getMatchingIndexingMap(columns);
  RowUses uses;
  for (auto [loop, size] : llvm::enumerate(op.getStaticLoopRanges())) {
    if (op.getIteratorTypesArray()[loop] == utils::IteratorType::reduction ||
        map.isFunctionOfDim(loop))
      continue;
    if (ShapedType::isDynamic(size))
      uses.unknown = loop;
    else
      uses.known *= std::max<int64_t>(size, 1);
  }
  return uses;
}

/// Whether the rows that a tile of columns reads one after the other lie so far apart that a few
/// of them fill their sets of the first cache: then each line is fetched again for every tile.
bool rowsEvictEachOther(linalg::LinalgOp op, OpOperand *columns) {
  auto type = cast<RankedTensorType>(columns->get().getType());
  AffineMap map = op.getMatchingIndexingMap(columns);
  if (!isa<BlockArgument>(columns->get()))
    return false;
  int64_t depth = 1;
  std::optional<int64_t> stride;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (kind != utils::IteratorType::reduction)
      continue;
    int64_t size = op.getStaticLoopRanges()[loop];
    std::optional<unsigned> dim = map.getResultPosition(getAffineDimExpr(loop, op.getContext()));
    if (!dim || ShapedType::isDynamic(size))
      return false;
    depth *= size;
    // A stride of 0 stands for one that only the run knows.
    int64_t elements = 1;
    for (int64_t extent : type.getShape().drop_front(*dim + 1))
      elements = ShapedType::isDynamic(extent) ? 0 : elements * extent;
    stride = elements * static_cast<int64_t>(type.getElementTypeBitWidth() / 8);
  }
  return stride && *stride % kAliasBytes == 0 && depth <= kMostStagedDepth;
}

/// Whether the columns of a product are computed element by element, and are as many and as deep as
/// the sizes of the model say.
bool isPrologue(linalg::LinalgOp op, OpOperand *columns) {
  auto type = cast<RankedTensorType>(columns->get().getType());
  return type.hasStaticShape() && type.getRank() == 2 &&
         op.getMatchingIndexingMap(columns).isProjectedPermutation();
}

} // namespace

void sectile::stageColumns(graph::KernelOp kernel, RegionAnalysis &analysis, int64_t lanes) {
  for (ReductionInfo &info : analysis.reductions) {
    linalg::LinalgOp op = info.op;
    if (!info.isContraction)
      continue;
    AffineMap resultMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    // The last loop of the result that is worth a vector.
    ArrayRef<int64_t> shape = cast<RankedTensorType>(op->getResult(0).getType()).getShape();
    int64_t last = shape.size() - 1;
    while (last > 0 && shape[last] == 1)
      --last;
    if (last < 0 || shape[last] == 1)
      continue;
    AffineExpr columns = resultMap.getResult(last);
    unsigned columnLoop = cast<AffineDimExpr>(columns).getPosition();
    unsigned withColumns = 0, withoutColumns = 0;
    for (OpOperand *input : op.getDpsInputOperands())
      (op.getMatchingIndexingMap(input).isFunctionOfDim(columnLoop) ? withColumns
                                                                    : withoutColumns) += 1;
    if (withColumns != 1 || withoutColumns == 0)
      continue; // not a product of rows and columns
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(input);
      if (!map.isFunctionOfDim(columnLoop))
        continue;
      std::optional<unsigned> position = map.getResultPosition(columns);
      std::optional<unsigned> contiguous = getContiguousDim(input->get());
      bool isPlaced = isPacked(kernel, input->get());
      if (!position)
        continue;
      if ((isPlaced || contiguous == position) && isComputedElementwise(input->get()) &&
          isPrologue(op, input)) {
        // A tile of rows computes the columns as it goes; further ones would again. Codes that are
        // multiplied as they are cost less than the numbers of a panel.
        RowUses uses = countUses(op, input);
        if (graph::multipliesCodes(op) || (!uses.unknown && uses.known <= kTileRows)) {
          analysis.resident.erase(input->get());
          continue;
        }
        if (uses.unknown && uses.known <= kTileRows)
          if (auto argument = getExtentArgument(op, *uses.unknown);
              argument && argument != getExtentArgument(op, columnLoop))
            analysis.unknownRows.insert(*argument);
        analysis.resident[input->get()] = {*position, *position, true};
        continue;
      }
      if (isPlaced)
        continue;
      if (contiguous == position) {
        RowUses uses = countUses(op, input);
        if (uses.known * (uses.unknown ? kUnknownExtent : 1) < kLeastUses ||
            !rowsEvictEachOther(op, input))
          continue;
        if (uses.unknown && uses.known < kLeastUses) {
          // A single row of unknown many is worth a program of its own.
          std::optional<unsigned> argument = getExtentArgument(op, *uses.unknown);
          if (!argument || argument == getExtentArgument(op, columnLoop))
            continue;
          analysis.unknownRows.insert(*argument);
        }
        analysis.resident[input->get()] = {*position, *position, true};
        continue;
      }
      OperandCycles cycles = priceColumn(op, input, lanes);
      bool readsDepth = contiguous && isa<AffineDimExpr>(map.getResult(*contiguous));
      if (readsDepth && cycles.direct < cycles.staged) {
        info.readsAlongDepth = true;
        if (isComputedElementwise(input->get()))
          analysis.resident.erase(input->get());
        limitPartialSums(op->getResult(0), analysis);
        continue;
      }
      if (readsDepth && cycles.unknownRows)
        if (auto argument = getExtentArgument(op, *cycles.unknownRows);
            argument && argument != getExtentArgument(op, columnLoop))
          analysis.unknownRows.insert(*argument);
      unsigned last = map.getNumResults() - 1;
      analysis.resident[input->get()] = {*position, contiguous.value_or(last), true};
    }
  }
}
