//===- ChooseLayouts.cpp - layouts that suit an access or a product -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ChooseLayouts.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;
using layout::Axis;
using layout::DistributedLayout;
using layout::Place;
using layout::TileDigit;

namespace {
/// Digits of a layout in the making: each new one lies beyond those of its dimension.
class Digits {
public:
  explicit Digits(ArrayRef<int64_t> shape) : shape(shape), covered(shape.size(), 1) {}

  void add(Axis axis, int64_t extent, unsigned dim) {
    if (extent == 1)
      return;
    lists[static_cast<size_t>(axis)].push_back({extent, Place{dim, covered[dim]}});
    covered[dim] *= extent;
  }
  void addCopies(Axis axis, int64_t extent) {
    if (extent != 1)
      lists[static_cast<size_t>(axis)].push_back({extent, std::nullopt});
  }
  /// How often what is covered repeats along `dim`.
  int64_t getUnits(unsigned dim) const { return llvm::divideCeil(shape[dim], covered[dim]); }

  /// What is left goes to registers, in `order`.
  DistributedLayout finish(ArrayRef<unsigned> order) {
    for (unsigned dim : order)
      add(Axis::Register, getUnits(dim), dim);
    return *DistributedLayout::create({shape.begin(), shape.end()}, lists);
  }

  ArrayRef<int64_t> shape;
  SmallVector<int64_t> covered;
  std::array<std::vector<TileDigit>, layout::kNumAxes> lists;
};
} // namespace

DistributedLayout tile::makeBlocked(ArrayRef<int64_t> shape, const BlockedForm &form,
                                    Threads threads) {
  Digits digits(shape);
  if (!form.order.empty())
    digits.add(Axis::Register, form.vector, form.order[0]);
  auto distribute = [&](Axis axis, int64_t count) {
    for (unsigned dim : form.order) {
      int64_t units = digits.getUnits(dim);
      // The largest power of two that leaves nothing over, if lanes then still lie close.
      int64_t even = units & -units;
      bool isEnough = even >= count || dim != form.order[0] || axis != Axis::Lane ||
                      even * digits.covered[dim] >= form.run;
      int64_t taken = std::min<int64_t>(
          count, isEnough ? even : static_cast<int64_t>(llvm::PowerOf2Ceil(units)));
      if (axis == Axis::Lane && dim == form.order[0] && form.mostLanes != 0)
        taken = std::min(taken, form.mostLanes);
      digits.add(axis, taken, dim);
      count /= taken;
    }
    // Uneven extents take what others left.
    for (unsigned dim : form.order) {
      int64_t taken =
          std::min<int64_t>(count, static_cast<int64_t>(llvm::PowerOf2Ceil(digits.getUnits(dim))));
      digits.add(axis, taken, dim);
      count /= taken;
    }
    digits.addCopies(axis, count);
  };
  distribute(Axis::Lane, threads.lanes);
  distribute(Axis::Warp, threads.warps);
  return digits.finish(form.order);
}

DistributedLayout tile::makeProduct(int64_t m, int64_t n, Threads threads) {
  struct Cut {
    int64_t lanes, warps, vector, perK;
  };
  std::optional<Cut> best;
  // Lanes and warps along n; the others lie along m.
  for (int64_t lanes = threads.lanes; lanes >= 1; lanes /= 2)
    for (int64_t warps = threads.warps; warps >= 1; warps /= 2) {
      int64_t rows = llvm::divideCeil(m, threads.lanes / lanes * (threads.warps / warps));
      int64_t columns = llvm::divideCeil(n, lanes * warps);
      // More threads along a dimension than it has elements do nothing.
      int64_t idle = std::max<int64_t>(1, lanes * warps / n) *
                     std::max<int64_t>(1, threads.lanes / lanes * (threads.warps / warps) / m);
      int64_t perK = (rows + columns) * idle;
      if (!best || perK < best->perK)
        best = Cut{lanes, warps, columns % 4 == 0 ? 4 : columns % 2 == 0 ? 2 : 1, perK};
    }
  int64_t shape[] = {m, n};
  Digits digits(shape);
  digits.add(Axis::Register, best->vector, 1);
  digits.add(Axis::Lane, best->lanes, 1);
  digits.add(Axis::Lane, threads.lanes / best->lanes, 0);
  digits.add(Axis::Warp, best->warps, 1);
  digits.add(Axis::Warp, threads.warps / best->warps, 0);
  return digits.finish({1, 0});
}

/// What a step along dimension `dim` adds to an expression, where that is a constant; remainders
/// are taken for what they are of, since a tile rarely crosses a panel.
static std::optional<int64_t> getStep(AffineExpr expr, unsigned dim) {
  if (auto position = dyn_cast<AffineDimExpr>(expr))
    return position.getPosition() == dim;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return 0;
  std::optional<int64_t> lhs = getStep(binary.getLHS(), dim), rhs = getStep(binary.getRHS(), dim);
  if (!lhs || !rhs)
    return std::nullopt;
  auto factor = dyn_cast<AffineConstantExpr>(binary.getRHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return *lhs + *rhs;
  case AffineExprKind::Mul:
    if (factor)
      return *lhs * factor.getValue();
    return *lhs || *rhs ? std::nullopt : std::optional<int64_t>(0);
  case AffineExprKind::Mod:
    return lhs;
  default:
    return *lhs ? std::nullopt : std::optional<int64_t>(0);
  }
}

/// The dimension along which neighbours of the tile are neighbours in memory, or none.
static std::optional<unsigned> getContiguousDim(unsigned rank, Value view, AffineMap map) {
  while (auto window = view.getDefiningOp<ViewOp>()) {
    map = window.getMap().compose(map);
    view = window.getSource();
  }
  auto type = cast<ViewType>(view.getType());
  AffineMap physical = type.getPhysicalMap().compose(map);
  ArrayRef<int64_t> strides =
      type.getMemory() ? type.getMemory().getStrides() : ArrayRef<int64_t>();
  if (physical.getNumResults() == 0)
    return std::nullopt;
  unsigned last = physical.getNumResults() - 1;
  for (unsigned i = 0; i < strides.size(); ++i)
    if (strides[i] == 1)
      last = i;
  if (!strides.empty() && strides[last] != 1)
    return std::nullopt;
  for (unsigned dim = rank; dim-- > 0;)
    if (getStep(physical.getResult(last), dim) == 1)
      return dim;
  return std::nullopt;
}

bool tile::hasOwnElements(LoadOp load) {
  AffineMap map = load.getMap();
  for (unsigned dim = 0; dim < static_cast<unsigned>(load.getTileRank()); ++dim) {
    AffineExpr own = getAffineDimExpr(dim, map.getContext());
    bool moves = load.getTileShape()[dim] == 1 || llvm::any_of(map.getResults(), [&](AffineExpr e) {
                   auto step = dyn_cast<AffineConstantExpr>(simplifyAffineExpr(
                       e.replace(own, own + 1) - e, map.getNumDims(), map.getNumSymbols()));
                   return step && step.getValue() != 0;
                 });
    if (!moves)
      return false;
  }
  return true;
}

/// As many neighbours per lane as it may move at once, as divide the extent, and as there are for
/// all threads.
static BlockedForm makeForm(ArrayRef<int64_t> shape, SmallVector<unsigned> order, bool isContiguous,
                            int64_t elementBytes, Threads threads,
                            const target::GpuTarget &target) {
  BlockedForm form;
  form.order = std::move(order);
  if (!isContiguous || form.order.empty())
    return form;
  int64_t extent = shape[form.order[0]];
  int64_t perThread =
      llvm::divideCeil(ShapedType::getNumElements(shape), threads.lanes * threads.warps);
  int64_t most =
      std::min({std::max<int64_t>(1, target.getVectorBytes() / elementBytes),
                static_cast<int64_t>(llvm::bit_floor(uint64_t(perThread))), extent & -extent});
  form.vector = most;
  form.run = std::max<int64_t>(1, target.access.sectorBytes / elementBytes);
  return form;
}

BlockedForm tile::getAccessForm(ArrayRef<int64_t> shape, Value view, AffineMap map, Threads threads,
                                const target::GpuTarget &target) {
  SmallVector<unsigned> order;
  std::optional<unsigned> contiguous = getContiguousDim(shape.size(), view, map);
  if (contiguous)
    order.push_back(*contiguous);
  for (unsigned dim = shape.size(); dim-- > 0;)
    if (dim != contiguous)
      order.push_back(dim);
  return makeForm(shape, std::move(order), contiguous.has_value(),
                  cast<ViewType>(view.getType()).getElementBytes(), threads, target);
}

BlockedForm tile::getDefaultForm(ArrayRef<int64_t> shape, int64_t elementBytes, Threads threads,
                                 const target::GpuTarget &target) {
  SmallVector<unsigned> order;
  for (unsigned dim = shape.size(); dim-- > 0;)
    order.push_back(dim);
  return makeForm(shape, std::move(order), true, elementBytes, threads, target);
}

bool tile::readsOrderedCodes(Value side) {
  SmallVector<Value> work{side};
  constexpr unsigned kMostOps = 32;
  for (unsigned i = 0; i < work.size() && i < kMostOps; ++i) {
    Operation *op = work[i].getDefiningOp();
    if (auto load = dyn_cast_if_present<LoadOp>(op)) {
      MemoryAttr memory = load.getView().getType().getMemory();
      if (memory && !memory.getOrder().empty())
        return true;
    } else if (op && op->getNumRegions() == 0 && isMemoryEffectFree(op)) {
      llvm::append_range(work, llvm::make_filter_range(op->getOperands(), [](Value operand) {
                           return isa<RankedTensorType>(operand.getType());
                         }));
    }
  }
  return false;
}

DistributedLayout tile::withoutDims(DistributedLayout layout, ArrayRef<int64_t> dims) {
  for (int64_t dim : llvm::reverse(dims))
    layout = layout.withoutDim(static_cast<unsigned>(dim));
  return layout.withoutRegisterCopies();
}
