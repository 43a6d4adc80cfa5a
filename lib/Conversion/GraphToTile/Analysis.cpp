//===- Analysis.cpp - what a fused region looks like from its roots -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Analysis.h"

#include "dialects/Graph/IR/Contraction.h"
#include "dialects/Graph/IR/Follow.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace sectile;

std::optional<unsigned> sectile::getContiguousDim(Value value) {
  unsigned rank = cast<RankedTensorType>(value.getType()).getRank();
  Operation *op = value.getDefiningOp();
  auto last = [&]() -> std::optional<unsigned> {
    return rank == 0 ? std::nullopt : std::optional(rank - 1);
  };
  auto linalgOp = dyn_cast_if_present<linalg::LinalgOp>(op);
  bool moves = linalgOp && linalgOp.getNumReductionLoops() == 0 &&
               linalgOp.getNumDpsInputs() == 1 && linalgOp.getBlock()->without_terminator().empty();
  if (moves && isa<RankedTensorType>(linalgOp.getDpsInputOperand(0)->get().getType())) {
    std::optional<unsigned> source = getContiguousDim(linalgOp.getDpsInputOperand(0)->get());
    if (!source)
      return std::nullopt;
    AffineExpr loop =
        linalgOp.getMatchingIndexingMap(linalgOp.getDpsInputOperand(0)).getResult(*source);
    return linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0)).getResultPosition(loop);
  }
  if (auto expand = dyn_cast_if_present<tensor::ExpandShapeOp>(op)) {
    std::optional<unsigned> source = getContiguousDim(expand.getSrc());
    if (!source)
      return std::nullopt;
    // The last dimension of the group that has any extent.
    SmallVector<int64_t, 2> group = expand.getReassociationIndices()[*source];
    while (group.size() > 1 && expand.getResultType().getDimSize(group.back()) == 1)
      group.pop_back();
    return group.back();
  }
  if (auto collapse = dyn_cast_if_present<tensor::CollapseShapeOp>(op)) {
    std::optional<unsigned> source = getContiguousDim(collapse.getSrc());
    for (auto [dim, group] : llvm::enumerate(collapse.getReassociationIndices()))
      if (source && group.back() == static_cast<int64_t>(*source))
        return dim;
    return std::nullopt;
  }
  if (auto slice = dyn_cast_if_present<tensor::ExtractSliceOp>(op)) {
    std::optional<unsigned> source = getContiguousDim(slice.getSource());
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    if (!source || dropped.test(*source))
      return std::nullopt;
    return *source - dropped.count() +
           llvm::count_if(dropped.set_bits(), [&](unsigned dim) { return dim > *source; });
  }
  return last();
}

namespace {

class Walker {
public:
  Walker(unsigned rank, RegionAnalysis &analysis) : rank(rank), analysis(analysis) {}

  void visit(Value value, const graph::Followed &dims, bool insideReduction) {
    auto result = dyn_cast<OpResult>(value);
    if (!result) {
      if (!dims.empty())
        recordRead(dims);
      return;
    }
    if (auto op = dyn_cast<linalg::LinalgOp>(result.getOwner()))
      return visitLinalg(op, result, dims, insideReduction);
    graph::followOperands(result, dims, rank, [&](OpOperand &operand, graph::Followed from) {
      visit(operand.get(), from, insideReduction);
    });
  }

private:
  void recordRead(const graph::Followed &dims) {
    RegionAnalysis::ArgumentRead read{DimSet(rank), dims.back()};
    for (const DimSet &dim : dims)
      read.followed |= dim;
    analysis.reads.push_back(std::move(read));
  }

  void visitLinalg(linalg::LinalgOp op, OpResult result, const graph::Followed &dims,
                   bool insideReduction) {
    if (!seen[insideReduction].insert(op).second)
      return;
    DimSet followed(rank);
    for (const DimSet &dim : dims)
      followed |= dim;
    SmallVector<graph::Followed> from(op->getNumOperands());
    graph::followOperands(result, dims, rank, [&](OpOperand &operand, graph::Followed dims) {
      from[operand.getOperandNumber()] = std::move(dims);
    });
    auto operandDims = [&](OpOperand *operand) -> const graph::Followed & {
      return from[operand->getOperandNumber()];
    };
    bool isReduction = op.getNumReductionLoops() != 0;
    if (isReduction) {
      ReductionInfo info{
          op,           graph::sumsProducts(op), followed, DimSet(rank), DimSet(rank),
          DimSet(rank), insideReduction};
      for (OpOperand *input : op.getDpsInputOperands()) {
        const graph::Followed &from = operandDims(input);
        if (!from.empty())
          info.contiguous |= from.back();
      }
      if (info.isContraction) {
        DimSet lhs(rank), rhs(rank);
        for (const DimSet &dim : operandDims(op.getDpsInputOperand(0)))
          lhs |= dim;
        for (const DimSet &dim : operandDims(op.getDpsInputOperand(1)))
          rhs |= dim;
        // Columns are what varies along the roots' last dimension.
        if (lhs.find_last() > rhs.find_last())
          std::swap(lhs, rhs);
        info.rows = lhs;
        info.rows.reset(rhs);
        info.columns = rhs;
        info.columns.reset(lhs);
      }
      analysis.reductions.push_back(info);
    }
    for (OpOperand &operand : op->getOpOperands())
      if (isa<RankedTensorType>(operand.get().getType()))
        visit(operand.get(), operandDims(&operand), insideReduction || isReduction);
  }

  unsigned rank;
  RegionAnalysis &analysis;
  llvm::DenseSet<Operation *> seen[2]; // by insideReduction
};

/// Whether one element of the op costs far more than a load.
bool isExpensive(linalg::LinalgOp op) {
  return llvm::any_of(op.getBlock()->getOperations(), [](Operation &inner) {
    return isa<math::MathDialect>(inner.getDialect()) &&
           !isa<math::AbsFOp, math::AbsIOp, math::FmaOp, math::SqrtOp>(inner);
  });
}

/// Whether `op` computes elements from others, without a sum over any.
bool isComputedElementwise(Value value) {
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  return op && op.getNumReductionLoops() == 0 && !op.getDpsInputOperands().empty() &&
         !op.getBlock()->without_terminator().empty();
}

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

/// Chooses residency. A value that holds a contraction must not be computed anew for every loop
/// that reads it; an expensive one should not. Neither may sit in the inner loop of a product.
void chooseResident(graph::KernelOp kernel, RegionAnalysis &analysis) {
  llvm::DenseSet<Value> heavy;
  for (Operation &op : kernel.getBody().front()) {
    for (Value value : op.getResults()) {
      if (!isa<RankedTensorType>(value.getType()))
        continue;
      auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
      bool isHeavy = linalgOp && graph::sumsProducts(linalgOp);
      bool isReduction = linalgOp && linalgOp.getNumReductionLoops() != 0;
      if (!isReduction)
        for (Value operand : op.getOperands())
          isHeavy |= heavy.contains(operand);
      bool costs = linalgOp && !isReduction && isExpensive(linalgOp);
      unsigned uses = 0, reductions = 0, products = 0;
      for (OpOperand &use : value.getUses()) {
        auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
        if (!user || !user.isDpsInput(&use)) {
          uses += !isa<tensor::DimOp>(use.getOwner());
          continue;
        }
        ++uses;
        reductions += user.getNumReductionLoops() != 0;
        products += graph::sumsProducts(user);
      }
      bool isComputed = isComputedElementwise(value);
      bool keep = (isHeavy && reductions > 0) || (costs && reductions > 0 && uses > 1) ||
                  (isComputed && products > 0);
      unsigned last = std::max<int64_t>(cast<RankedTensorType>(value.getType()).getRank(), 1) - 1;
      if (keep)
        analysis.resident[value] = {last, last};
      else if (isHeavy)
        heavy.insert(value);
    }
  }
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

/// A product whose columns lie side by side in the result but far apart in the operand (the
/// scores of an attention read keys that way) would gather them in its inner loop. Such operands
/// are copied to private memory with the columns contiguous, or, if few rows would use the copy,
/// read along the reduced dimension.
void stageColumns(graph::KernelOp kernel, RegionAnalysis &analysis, int64_t lanes) {
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
        // A tile of rows computes the columns as it goes; further ones would again.
        RowUses uses = countUses(op, input);
        if (!uses.unknown && uses.known <= kTileRows) {
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

/// Fills in what is known of the values that `kernel` stores.
LogicalResult findRoots(graph::KernelOp kernel, RegionAnalysis &analysis) {
  Operation *terminator = kernel.getBody().front().getTerminator();
  // Of those with most dimensions, the last one is computed from the others, if any is.
  int64_t most = -1;
  for (Value root : terminator->getOperands())
    if (int64_t rank = cast<RankedTensorType>(root.getType()).getRank(); rank >= most) {
      most = rank;
      analysis.mainRoot = root;
    }
  auto type = cast<RankedTensorType>(analysis.mainRoot.getType());
  analysis.rank = most;
  for (Value root : terminator->getOperands()) {
    auto other = cast<RankedTensorType>(root.getType());
    std::optional<AffineMap> map =
        AffineMap::getMultiDimIdentityMap(analysis.rank, kernel.getContext());
    if (other.getShape() != type.getShape())
      map = graph::findPlace(root, analysis.mainRoot, [](Operation *) { return true; });
    if (!map)
      return kernel.emitOpError("expects results of one shape, or such that the greatest is "
                                "computed from the others element by element, but got ")
             << type << " and " << other;
    analysis.rootMaps.push_back(*map);
  }
  return success();
}

} // namespace

FailureOr<RegionAnalysis> sectile::analyseRegion(graph::KernelOp kernel, int64_t lanes,
                                                 bool strict) {
  RegionAnalysis analysis;
  Operation *terminator = kernel.getBody().front().getTerminator();
  if (failed(findRoots(kernel, analysis)))
    return failure();
  auto first = cast<RankedTensorType>(analysis.mainRoot.getType());
  analysis.swept = DimSet(analysis.rank);
  for (auto scatter : kernel.getBody().getOps<graph::ScatterOp>()) {
    if (terminator->getNumOperands() != 1 || terminator->getOperand(0) != scatter.getResult())
      return scatter.emitOpError(
          "cannot become part of a tile program: expects its result to be the "
          "kernel's only one");
    analysis.scatter = scatter;
    // What goes into it follows the updates, not the roots.
    return analysis;
  }
  for (auto topK : kernel.getBody().getOps<graph::TopKOp>()) {
    if (terminator->getOperands() != topK->getResults())
      return topK.emitOpError("cannot become part of a tile program: expects its results to be the "
                              "kernel's only ones");
    analysis.topK = topK;
    return analysis;
  }
  bool isOneShape = llvm::all_of(analysis.rootMaps, [](AffineMap map) { return map.isIdentity(); });
  for (auto scan : kernel.getBody().getOps<graph::ScanOp>()) {
    if (!isOneShape)
      return scan.emitOpError("cannot become part of a tile program: expects all results of the "
                              "kernel to have one shape");
    // Whoever fuses sees to it that all lie in the roots element by element.
    auto type = cast<RankedTensorType>(scan.getResults()[0].getType());
    if (type.getShape() != first.getShape())
      return scan.emitOpError("cannot become part of a tile program: expects the shape of the "
                              "kernel's results, ")
             << first << ", but got " << type;
    if (!analysis.scans.empty() && (scan.getAxis() != analysis.scans[0].getAxis() ||
                                    scan.getReverse() != analysis.scans[0].getReverse()))
      return scan.emitOpError("cannot become part of a tile program: another scan of the kernel "
                              "runs along another dimension or the other way");
    analysis.scans.push_back(scan);
    analysis.scanDim = scan.getAxis();
  }
  Walker walker(analysis.rank, analysis);
  for (auto [root, map] : llvm::zip_equal(terminator->getOperands(), analysis.rootMaps)) {
    graph::Followed dims;
    for (AffineExpr expr : map.getResults()) {
      dims.emplace_back(analysis.rank);
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        dims.back().set(dim.getPosition());
    }
    walker.visit(root, dims, false);
  }
  for (const ReductionInfo &info : analysis.reductions) {
    DimSet missing(info.followed);
    missing.flip();
    analysis.swept |= missing;
  }
  for (AffineMap map : analysis.rootMaps)
    for (unsigned dim = 0; dim < analysis.rank; ++dim)
      if (!map.isFunctionOfDim(dim))
        analysis.swept.set(dim);
  if (analysis.scanDim)
    analysis.swept.set(*analysis.scanDim);
  for (unsigned dim = 0; dim < analysis.rank; ++dim)
    if (first.getDimSize(dim) == 1 && dim != analysis.scanDim)
      analysis.swept.reset(dim);
  chooseResident(kernel, analysis);
  stageColumns(kernel, analysis, lanes);
  if (!strict)
    analysis.jointPasses = findJointPasses(kernel);
  return analysis;
}
