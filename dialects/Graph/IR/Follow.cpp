//===- Follow.cpp - what the coordinates inside a kernel follow -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Follow.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

using DimSet = llvm::SmallBitVector;

static void followLinalg(linalg::LinalgOp op, unsigned result, const Followed &dims, unsigned rank,
                         llvm::function_ref<void(OpOperand &, Followed)> visit) {
  Followed loops(op.getNumLoops(), DimSet(rank));
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  for (auto [expr, dim] : llvm::zip_equal(map.getResults(), dims))
    if (auto loop = dyn_cast<AffineDimExpr>(expr))
      loops[loop.getPosition()] = dim;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()))
      continue;
    Followed from;
    for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
      DimSet &all = from.emplace_back(rank);
      expr.walk([&](AffineExpr part) {
        if (auto loop = dyn_cast<AffineDimExpr>(part))
          all |= loops[loop.getPosition()];
      });
    }
    visit(operand, from);
  }
}

void graph::followOperands(OpResult value, const Followed &dims, unsigned rank,
                           llvm::function_ref<void(OpOperand &, Followed)> visit) {
  Operation *op = value.getOwner();
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return followLinalg(linalgOp, value.getResultNumber(), dims, rank, visit);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    Followed from;
    for (auto [dim, group] : llvm::enumerate(collapse.getReassociationIndices()))
      from.append(group.size(), dims[dim]);
    // A scalar's reshape has no groups; the unit dimensions of its source follow nothing.
    from.resize(collapse.getSrcType().getRank(), DimSet(rank));
    return visit(collapse.getSrcMutable(), from);
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    Followed from;
    for (ReassociationIndices &group : expand.getReassociationIndices()) {
      DimSet all(rank);
      for (int64_t dim : group)
        all |= dims[dim];
      from.push_back(all);
    }
    return visit(expand.getSrcMutable(), from);
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    Followed from;
    unsigned next = 0;
    for (int64_t dim = 0; dim < slice.getSourceType().getRank(); ++dim)
      from.push_back(dropped.test(dim) ? DimSet(rank) : dims[next++]);
    return visit(slice.getSourceMutable(), from);
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    auto sourceRank = cast<RankedTensorType>(broadcast.getSource().getType()).getRank();
    return visit(broadcast.getSourceMutable(), Followed(ArrayRef(dims).take_back(sourceRank)));
  }
  if (auto gather = dyn_cast<GatherOp>(op)) {
    // Where the source is read is known at run time only.
    auto indexRank = cast<RankedTensorType>(gather.getIndices().getType()).getRank();
    return visit(gather.getIndicesMutable(),
                 Followed(ArrayRef(dims).slice(gather.getAxis(), indexRank)));
  }
  if (auto scan = dyn_cast<ScanOp>(op)) {
    Followed without(dims);
    without.erase(without.begin() + scan.getAxis());
    for (OpOperand &input : scan.getInputsMutable())
      visit(input, dims);
    for (OpOperand &init : scan.getInitsMutable())
      visit(init, without);
    return;
  }
  for (OpOperand &operand : op->getOpOperands())
    if (auto type = dyn_cast<RankedTensorType>(operand.get().getType()))
      if (type.getRank() == static_cast<int64_t>(dims.size()))
        visit(operand, dims);
}

/// Coordinates of a tensor as expressions of a root's dimensions; null where reductions run.
using Place = SmallVector<AffineExpr>;

static void placeLinalgOperands(linalg::LinalgOp op, unsigned result, const Place &place,
                                llvm::function_ref<void(Value, Place)> visit) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  if (!map.isProjectedPermutation())
    return;
  Place loops(op.getNumLoops());
  for (auto [expr, coord] : llvm::zip_equal(map.getResults(), place))
    loops[cast<AffineDimExpr>(expr).getPosition()] = coord;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap from = op.getMatchingIndexingMap(operand);
    if (!isa<RankedTensorType>(operand->get().getType()) ||
        !from.isProjectedPermutation(/*allowZeroInResults=*/true))
      continue;
    Place coords;
    for (AffineExpr expr : from.getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      coords.push_back(dim ? loops[dim.getPosition()] : expr);
    }
    visit(operand->get(), coords);
  }
}

/// Coordinates of the `target` of a reshape whose `source` has those of `place`, if at most one
/// dimension of each of `groups`, which are the source's if that is expanded, has any extent.
static std::optional<Place> placeThroughUnits(RankedTensorType source, RankedTensorType target,
                                              ArrayRef<ReassociationIndices> groups,
                                              bool isExpanded, const Place &place) {
  auto isUnit = [](RankedTensorType type, int64_t dim) { return type.getDimSize(dim) == 1; };
  // Where there are no groups, all dimensions are units.
  Place result(target.getRank(), getAffineConstantExpr(0, source.getContext()));
  for (auto [i, group] : llvm::enumerate(groups)) {
    RankedTensorType many = isExpanded ? source : target;
    SmallVector<int64_t> whole;
    for (int64_t dim : group)
      if (!isUnit(many, dim))
        whole.push_back(dim);
    if (whole.size() > 1)
      return std::nullopt;
    int64_t kept = whole.empty() ? group.front() : whole.front();
    if (isExpanded) {
      result[i] = place[kept];
      continue;
    }
    for (int64_t dim : group)
      result[dim] = dim == kept ? place[i] : getAffineConstantExpr(0, source.getContext());
  }
  return result;
}

static bool isWhole(ArrayRef<AffineExpr> place) {
  return llvm::all_of(place, [](AffineExpr expr) { return bool(expr); });
}

void graph::findPlaces(Value value, Value root, llvm::function_ref<bool(Operation *)> contains,
                       llvm::function_ref<void(ArrayRef<AffineExpr>)> visit) {
  auto rank = static_cast<unsigned>(cast<RankedTensorType>(root.getType()).getRank());
  Place identity;
  for (unsigned dim = 0; dim < rank; ++dim)
    identity.push_back(getAffineDimExpr(dim, root.getContext()));
  SmallVector<std::pair<Value, Place>> work{{root, identity}};
  llvm::DenseSet<std::pair<Value, unsigned>> seen;
  auto add = [&](Value operand, const Place &place) {
    if (seen.insert({operand, isWhole(place) ? 1 : 0}).second)
      work.push_back({operand, place});
  };
  for (unsigned i = 0; i < work.size(); ++i) {
    auto [current, place] = work[i];
    if (current == value)
      visit(place);
    Operation *op = current.getDefiningOp();
    if (!op || !contains(op))
      continue;
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
      placeLinalgOperands(linalgOp, cast<OpResult>(current).getResultNumber(), place, add);
    } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
      if (std::optional<Place> from =
              placeThroughUnits(expand.getResultType(), expand.getSrcType(),
                                expand.getReassociationIndices(), /*isExpanded=*/true, place))
        add(expand.getSrc(), *from);
    } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
      if (std::optional<Place> from =
              placeThroughUnits(collapse.getResultType(), collapse.getSrcType(),
                                collapse.getReassociationIndices(), /*isExpanded=*/false, place))
        add(collapse.getSrc(), *from);
    }
  }
}

std::optional<AffineMap> graph::findPlace(Value value, Value root,
                                          llvm::function_ref<bool(Operation *)> contains) {
  auto rank = static_cast<unsigned>(cast<RankedTensorType>(root.getType()).getRank());
  std::optional<AffineMap> found;
  findPlaces(value, root, contains, [&](ArrayRef<AffineExpr> place) {
    if (found || !isWhole(place))
      return;
    AffineMap map = AffineMap::get(rank, 0, place, root.getContext());
    if (map.isProjectedPermutation(/*allowZeroInResults=*/true))
      found = map;
  });
  return found;
}
