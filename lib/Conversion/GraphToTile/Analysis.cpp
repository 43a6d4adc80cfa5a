//===- Analysis.cpp - what a fused region looks like from its roots -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Analysis.h"

#include "dialects/Graph/IR/Contraction.h"
#include "dialects/Graph/IR/Follow.h"
#include "dialects/Tile/IR/Tile.h"

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
  // An argument may be laid out in another order, and so is what is computed from it in place.
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto kernel = dyn_cast<graph::KernelOp>(argument.getOwner()->getParentOp());
    auto memory = kernel ? kernel.getArgAttrOfType<tile::MemoryAttr>(argument.getArgNumber(),
                                                                     graph::kMemoryAttr)
                         : tile::MemoryAttr();
    if (!memory || memory.getMap().getNumResults() == 0)
      return last();
    AffineExpr expr = memory.getMap().getResults().back();
    auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
    return cast<AffineDimExpr>(binary ? binary.getLHS() : expr).getPosition();
  }
  auto linalgOp = dyn_cast_if_present<linalg::LinalgOp>(op);
  if (linalgOp && linalgOp.getNumReductionLoops() == 0 && linalgOp->getNumResults() == 1 &&
      linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0)).isIdentity())
    for (OpOperand *input : linalgOp.getDpsInputOperands())
      if (auto argument = dyn_cast<BlockArgument>(input->get());
          argument && linalgOp.getMatchingIndexingMap(input).isIdentity())
        if (std::optional<unsigned> dim = getContiguousDim(argument); dim != last())
          return dim;
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

bool sectile::isComputedElementwise(Value value) {
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  return op && op.getNumReductionLoops() == 0 && !op.getDpsInputOperands().empty() &&
         !op.getBlock()->without_terminator().empty();
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

/// Chooses residency. A value that holds a contraction must not be computed anew for every loop
/// that reads it; an expensive one should not. Neither may sit in the inner loop of a product. The
/// tiles that threads share repeat little: of these, only what holds a contraction is kept.
void chooseResident(graph::KernelOp kernel, RegionAnalysis &analysis, bool isShared) {
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
      unsigned uses = 0, reductions = 0, products = 0, codeProducts = 0;
      for (OpOperand &use : value.getUses()) {
        auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
        if (!user || !user.isDpsInput(&use)) {
          uses += !isa<tensor::DimOp>(use.getOwner());
          continue;
        }
        ++uses;
        reductions += user.getNumReductionLoops() != 0;
        products += graph::sumsProducts(user);
        // Multiplies what the value is computed from.
        codeProducts += graph::multipliesCodes(user);
      }
      bool isComputed = isComputedElementwise(value);
      bool keep =
          (isHeavy && reductions > 0) || (!isShared && ((costs && reductions > 0 && uses > 1) ||
                                                        (isComputed && products > codeProducts)));
      unsigned last = std::max<int64_t>(cast<RankedTensorType>(value.getType()).getRank(), 1) - 1;
      if (keep)
        analysis.resident[value] = {last, last};
      else if (isHeavy)
        heavy.insert(value);
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

FailureOr<RegionAnalysis> sectile::analyseRegion(graph::KernelOp kernel, const RegisterFile &file,
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
  chooseResident(kernel, analysis, file.isShared());
  if (!file.isShared())
    stageColumns(kernel, analysis, file.lanes);
  if (!strict)
    analysis.jointPasses = findJointPasses(kernel);
  return analysis;
}
