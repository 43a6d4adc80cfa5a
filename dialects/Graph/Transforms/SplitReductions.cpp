//===- SplitReductions.cpp - reduce in two stages where one is serial -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// sum over r of x[p, r]    becomes    t[s, p] = sum over i of x[p, s * n + i]
//                                     sum over s of t[s, p]
//
// with s a parallel loop. One loop of the reduction is cut; if its extent suits
// as it is, the whole loop becomes s.
//
//===----------------------------------------------------------------------===//

#include "SplitLoop.h"
#include "Work.h"

#include "dialects/Graph/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHSPLITREDUCTIONSPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;

/// Elements that a block should reduce at least.
static constexpr int64_t kBlockElements = 8192;

/// Elements of a result along which vectors run share a block.
static constexpr int64_t kBlockColumns = 64;

/// Multiply-adds that a block should do at least, and iterations of a product's loop that stay
/// together: the sum of as many is kept in registers.
static constexpr int64_t kBlockMultiplyAdds = 65536;
static constexpr int64_t kProductDepth = 256;

/// Parts of any size are a multiple of this many iterations, or less: whole vectors.
static constexpr int64_t kPartMultiple = 64;

/// A register tile, about: what a block of a product computes at least.
static constexpr int64_t kTileRows = 8, kTileColumns = 64;

/// Iterations that all loops with an extent known only at run time are taken to have. A long
/// reduction gains by parts what it takes, a short one has none and loses the start of a kernel.
static constexpr int64_t kLongIterations = int64_t(1) << 22;

/// What an extent counts as that is known only at run time and stays whole.
static constexpr int64_t kTypicalExtent = 128;

namespace {

using Reduction = graph::LoopReduction;

/// Loop `loop` of extent `extent`, to be cut into `parts` of `size`, the last one padded.
struct Cut {
  unsigned loop;
  int64_t extent, parts, size;
  bool isWhole() const { return size == 1; }
};

int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

std::optional<Reduction> match(linalg::LinalgOp op, bool reassociate) {
  if (op.getNumReductionLoops() == 0 || op->getNumResults() != 1 || !op.hasPureTensorSemantics())
    return std::nullopt;
  SmallVector<Operation *> combiners;
  Value reduced = matchReduction(op.getRegionOutputArgs(), 0, combiners);
  if (!reduced || combiners.size() != 1 || !op.getRegionOutputArgs()[0].hasOneUse())
    return std::nullopt;
  std::optional<TypedAttr> neutral = arith::getNeutralElement(combiners[0]);
  bool rounds = isa<arith::AddFOp, arith::MulFOp>(combiners[0]);
  if (!neutral || (rounds && !reassociate))
    return std::nullopt;
  // Any position of the result and of the input is one loop each.
  for (OpOperand &operand : op->getOpOperands())
    if (!op.getMatchingIndexingMap(&operand).isProjectedPermutation())
      return std::nullopt;
  return Reduction{op, combiners[0], reduced, *neutral};
}

/// Whether vectors run along the result, since the input's last dimension is kept.
bool runsAlongResult(linalg::LinalgOp op) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  return map.getNumResults() != 0 &&
         op.getIteratorTypesArray()[cast<AffineDimExpr>(map.getResults().back()).getPosition()] ==
             utils::IteratorType::parallel;
}

/// The cut that lets all cores work, if one is worth its second stage.
std::optional<Cut> chooseCut(const Reduction &reduction, const DeviceModel &device) {
  linalg::LinalgOp op = reduction.op;
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  int64_t kept = 1, reduced = 1;
  for (auto [extent, kind] : llvm::zip_equal(extents, op.getIteratorTypesArray()))
    (kind == utils::IteratorType::parallel ? kept : reduced) *= extent;
  if (kept == 0 || reduced == 0)
    return std::nullopt;
  int64_t mostBlocks = runsAlongResult(op) ? ceilDiv(kept, kBlockColumns) : kept;
  auto price = [&](double elements, double results, int64_t blocks) {
    KernelWork work;
    work.elementOps = elements;
    work.bytes = 4 * (elements + results);
    work.blocks = std::max<int64_t>(
        std::min<int64_t>(blocks, static_cast<int64_t>(elements) / kBlockElements), 1);
    return predictCycles(work, device);
  };
  double elements = static_cast<double>(kept) * static_cast<double>(reduced);
  auto results = static_cast<double>(kept);
  double whole = price(elements, results, mostBlocks);

  // Four blocks a core, none too small.
  auto wanted = std::min<int64_t>(ceilDiv(static_cast<int64_t>(4 * device.cores), mostBlocks),
                                  reduced / ceilDiv(kBlockElements, ceilDiv(kept, mostBlocks)));
  if (wanted < 2)
    return std::nullopt;
  std::optional<Cut> cut;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    int64_t extent = extents[loop];
    if (kind != utils::IteratorType::reduction || extent < 2)
      continue;
    if (extent <= 2 * wanted) {
      if (!cut || cut->parts < extent)
        cut = Cut{static_cast<unsigned>(loop), extent, extent, 1};
      if (4 * extent >= wanted) // a block for every core
        break;
      continue;
    }
    // A divisor near what is wanted needs no padding.
    int64_t parts = wanted;
    for (int64_t step = 0; step <= wanted / 2; ++step) {
      if (extent % (wanted + step) == 0)
        parts = wanted + step;
      else if (wanted - step >= 2 && extent % (wanted - step) == 0)
        parts = wanted - step;
      else
        continue;
      break;
    }
    int64_t size = ceilDiv(extent, parts);
    cut = Cut{static_cast<unsigned>(loop), extent, ceilDiv(extent, size), size};
    break;
  }
  if (!cut)
    return std::nullopt;
  auto parts = static_cast<double>(cut->parts);
  double split = price(elements, results * parts, mostBlocks * cut->parts) +
                 price(results * parts, results, mostBlocks);
  std::string numbers = llvm::formatv("predicted {0:e2} cycles in {1} parts, {2:e2} in one", split,
                                      cut->parts, whole);
  remark::RemarkOpts options = remark::RemarkOpts::name("split").category("graph-split-reductions");
  if (split < whole) {
    remark::passed(op->getLoc(), options) << "is reduced in two stages: " << numbers;
    return cut;
  }
  remark::missed(op->getLoc(), options) << "is reduced in one stage: " << numbers;
  return std::nullopt;
}

/// A loop to be cut into whole parts of `size` iterations.
struct LoopCut {
  unsigned loop;
  int64_t size;
};

/// Whether a reduction that is no product goes into `value` by way of elementwise ops: they may be
/// computed in the kernel of the product that reads it, which then has to stay one.
bool dependsOnReduction(Value value, llvm::SmallPtrSetImpl<Operation *> &seen) {
  Operation *def = value.getDefiningOp();
  if (!def || !seen.insert(def).second)
    return false;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(def);
      linalgOp && linalgOp.getNumReductionLoops() != 0)
    return !graph::sumsProducts(linalgOp);
  return llvm::any_of(def->getOperands(), [&](Value operand) {
    return isa<RankedTensorType>(operand.getType()) && dependsOnReduction(operand, seen);
  });
}

/// The cut of a product, or of a reduction over extents known only at run time, if it pays.
std::optional<LoopCut> chooseLoopCut(const Reduction &reduction, bool isProduct,
                                     const DeviceModel &device) {
  linalg::LinalgOp op = reduction.op;
  llvm::SmallPtrSet<Operation *, 8> seen;
  if (!graph::canSplitLoop(reduction) ||
      (isProduct && llvm::any_of(op.getDpsInputs(),
                                 [&](Value input) { return dependsOnReduction(input, seen); })))
    return std::nullopt;
  // The first loop that may have any extent, or else the longest.
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  SmallVector<utils::IteratorType> kinds = op.getIteratorTypesArray();
  int64_t kept = 1, others = 1;
  std::optional<unsigned> loop;
  for (auto [number, extent] : llvm::enumerate(extents)) {
    if (kinds[number] == utils::IteratorType::parallel)
      kept *= extent;
    else if (!loop || (ShapedType::isStatic(extents[*loop]) &&
                       (ShapedType::isDynamic(extent) || extent > extents[*loop])))
      loop = number;
  }
  for (auto [number, extent] : llvm::enumerate(extents))
    if (kinds[number] == utils::IteratorType::reduction && number != *loop)
      others *= ShapedType::isDynamic(extent) ? kTypicalExtent : extent;
  if (kept == 0 || others == 0)
    return std::nullopt;
  bool isDynamic = ShapedType::isDynamic(extents[*loop]);
  int64_t extent = isDynamic ? ceilDiv(kLongIterations, kept * others) : extents[*loop];

  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  int64_t columns = out.getNumResults() == 0
                        ? 1
                        : extents[cast<AffineDimExpr>(out.getResults().back()).getPosition()];
  int64_t rowTiles = isProduct ? ceilDiv(kept / columns, kTileRows) : kept / columns;
  int64_t mostBlocks = rowTiles * (isProduct || runsAlongResult(op)
                                       ? ceilDiv(columns, isProduct ? kTileColumns : kBlockColumns)
                                       : columns);
  if (mostBlocks >= device.cores)
    return std::nullopt;
  int64_t keptInBlock = ceilDiv(kept, mostBlocks);
  int64_t least = isProduct
                      ? std::max(kProductDepth, ceilDiv(kBlockMultiplyAdds, keptInBlock * others))
                      : ceilDiv(2 * kBlockElements, keptInBlock * others);
  LoopCut cut{*loop, std::max<int64_t>(least, 2)};
  if (cut.size > kPartMultiple)
    cut.size = ceilDiv(cut.size, kPartMultiple) * kPartMultiple;
  if (!isDynamic) {
    int64_t parts =
        std::min(ceilDiv(static_cast<int64_t>(4 * device.cores), mostBlocks), extent / cut.size);
    if (parts < 2)
      return std::nullopt;
    while (parts > 2 && extent % parts != 0 && extent % (parts - 1) == 0)
      --parts;
    cut.size = extent / parts;
    if (extent % parts != 0 && cut.size > kPartMultiple)
      cut.size -= cut.size % kPartMultiple;
  }
  int64_t parts = extent / cut.size;
  if (parts < 2)
    return std::nullopt;

  extents[*loop] = extent;
  double traffic = 0;
  for (OpOperand &operand : op->getOpOperands()) {
    double elements = 1;
    for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
      int64_t size = extents[cast<AffineDimExpr>(expr).getPosition()];
      elements *= static_cast<double>(ShapedType::isDynamic(size) ? kTypicalExtent : size);
    }
    traffic += 4 * elements;
  }
  auto iterations =
      static_cast<double>(kept) * static_cast<double>(others) * static_cast<double>(extent);
  auto price = [&](double bytes, int64_t blocks) {
    KernelWork work;
    (isProduct ? work.multiplyAdds : work.elementOps) = iterations;
    work.bytes = bytes;
    work.blocks = static_cast<double>(blocks);
    return predictCycles(work, device);
  };
  KernelWork second;
  second.elementOps = static_cast<double>(kept * parts);
  second.bytes = 4 * second.elementOps;
  second.blocks = static_cast<double>(mostBlocks);
  double whole = price(traffic, mostBlocks);
  double split = price(traffic + second.bytes, mostBlocks * parts) + predictCycles(second, device);
  std::string numbers =
      llvm::formatv("predicted {0:e2} cycles in parts of {1}, {2:e2} in one{3}", split, cut.size,
                    whole, isDynamic ? llvm::formatv(", if there are {0}", extent).str() : "");
  remark::RemarkOpts options = remark::RemarkOpts::name("split").category("graph-split-reductions");
  if (split < whole) {
    remark::passed(op->getLoc(), options) << "is reduced in two stages: " << numbers;
    return cut;
  }
  remark::missed(op->getLoc(), options) << "is reduced in one stage: " << numbers;
  return std::nullopt;
}

class Splitter {
public:
  Splitter(const Reduction &reduction, const Cut &cut)
      : builder(reduction.op), op(reduction.op), loc(op.getLoc()), reduction(reduction), cut(cut),
        element(reduction.reduced.getType()), extents(op.getStaticLoopRanges()) {}

  void run() {
    Value total = reduceParts(reduceWithinParts(computeElements()));
    op->getResult(0).replaceAllUsesWith(total);
    op.erase();
  }

private:
  /// What is combined, as a tensor over all loops: an op of its own, which fusion takes along.
  Value computeElements() {
    if (auto argument = dyn_cast<BlockArgument>(reduction.reduced)) {
      OpOperand *operand = op.getMatchingOpOperand(argument);
      if (op.getMatchingIndexingMap(operand).getNumResults() == extents.size()) {
        map = op.getMatchingIndexingMap(operand);
        return operand->get();
      }
    }
    map = builder.getMultiDimIdentityMap(extents.size());
    SmallVector<AffineMap> maps;
    for (OpOperand *input : op.getDpsInputOperands())
      maps.push_back(op.getMatchingIndexingMap(input));
    maps.push_back(map);
    SmallVector<utils::IteratorType> kinds(extents.size(), utils::IteratorType::parallel);
    Value empty = tensor::EmptyOp::create(builder, loc, extents, element);
    auto generic = linalg::GenericOp::create(
        builder, loc, empty.getType(), op.getDpsInputs(), empty, maps, kinds,
        [&](OpBuilder &inner, Location where, ValueRange args) {
          IRMapping mapping;
          mapping.map(op.getRegionInputArgs(), args.drop_back());
          for (Operation &bodyOp : op.getBlock()->without_terminator())
            if (&bodyOp != reduction.combiner)
              inner.clone(bodyOp, mapping);
          linalg::YieldOp::create(inner, where, mapping.lookupOrDefault(reduction.reduced));
        });
    return generic.getResult(0);
  }

  Value fill(ArrayRef<int64_t> shape) {
    Value empty = tensor::EmptyOp::create(builder, loc, shape, element);
    Value neutral = arith::ConstantOp::create(builder, loc, reduction.neutral);
    return linalg::FillOp::create(builder, loc, neutral, empty).getResult(0);
  }

  Value combine(Value input, Value init, AffineMap from, AffineMap to,
                ArrayRef<utils::IteratorType> kinds) {
    auto generic = linalg::GenericOp::create(
        builder, loc, init.getType(), input, init, ArrayRef<AffineMap>{from, to}, kinds,
        [&](OpBuilder &inner, Location where, ValueRange args) {
          IRMapping mapping;
          mapping.map(reduction.reduced, args[0]);
          mapping.map(op.getRegionOutputArgs()[0], args[1]);
          Operation *sum = inner.clone(*reduction.combiner, mapping);
          linalg::YieldOp::create(inner, where, sum->getResult(0));
        });
    return generic.getResult(0);
  }

  /// t[s, p]: the first stage.
  Value reduceWithinParts(Value input) {
    auto type = cast<RankedTensorType>(input.getType());
    unsigned place = *map.getResultPosition(builder.getAffineDimExpr(cut.loop));
    int64_t padded = cut.parts * cut.size;
    if (padded != cut.extent) {
      SmallVector<OpFoldResult> low(type.getRank(), builder.getIndexAttr(0)), high(low);
      high[place] = builder.getIndexAttr(padded - cut.extent);
      Value neutral = arith::ConstantOp::create(builder, loc, reduction.neutral);
      input = tensor::PadOp::create(builder, loc, Type(), input, low, high, neutral);
    }
    SmallVector<int64_t> shape(type.getShape());
    if (!cut.isWhole()) {
      SmallVector<ReassociationIndices> groups;
      SmallVector<int64_t> expanded;
      for (unsigned dim = 0; dim < shape.size(); ++dim) {
        ReassociationIndices &group = groups.emplace_back();
        group.push_back(expanded.size());
        expanded.push_back(dim == place ? cut.parts : shape[dim]);
        if (dim == place) {
          group.push_back(expanded.size());
          expanded.push_back(cut.size);
        }
      }
      input = tensor::ExpandShapeOp::create(builder, loc, RankedTensorType::get(expanded, element),
                                            input, groups);
    }
    // Loop 0 is s, the others follow; a loop that became s is left out.
    auto shifted = [&](unsigned loop) {
      return builder.getAffineDimExpr(loop + 1 - (cut.isWhole() && loop > cut.loop));
    };
    unsigned numLoops = extents.size() + 1 - cut.isWhole();
    SmallVector<AffineExpr> from, to{builder.getAffineDimExpr(0)};
    for (AffineExpr expr : map.getResults()) {
      unsigned loop = cast<AffineDimExpr>(expr).getPosition();
      if (loop == cut.loop)
        from.push_back(builder.getAffineDimExpr(0));
      if (loop != cut.loop || !cut.isWhole())
        from.push_back(shifted(loop));
    }
    SmallVector<int64_t> partial{cut.parts};
    for (AffineExpr expr : op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getResults()) {
      unsigned loop = cast<AffineDimExpr>(expr).getPosition();
      to.push_back(shifted(loop));
      partial.push_back(extents[loop]);
    }
    SmallVector<utils::IteratorType> kinds{utils::IteratorType::parallel};
    for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
      if (loop != cut.loop || !cut.isWhole())
        kinds.push_back(kind);
    MLIRContext *context = builder.getContext();
    return combine(input, fill(partial), AffineMap::get(numLoops, 0, from, context),
                   AffineMap::get(numLoops, 0, to, context), kinds);
  }

  /// The second stage. It starts from the op's own initial value.
  Value reduceParts(Value partial) {
    unsigned rank = cast<RankedTensorType>(partial.getType()).getRank();
    AffineMap all = builder.getMultiDimIdentityMap(rank);
    SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
    kinds[0] = utils::IteratorType::reduction;
    return combine(partial, op.getDpsInits()[0], all, all.dropResult(0), kinds);
  }

  OpBuilder builder;
  linalg::LinalgOp op;
  Location loc;
  const Reduction &reduction;
  const Cut &cut;
  Type element;
  SmallVector<int64_t> extents;
  /// From loops to positions of the tensor that is reduced.
  AffineMap map;
};

struct GraphSplitReductionsPass
    : graph::impl::GraphSplitReductionsPassBase<GraphSplitReductionsPass> {
  using GraphSplitReductionsPassBase::GraphSplitReductionsPassBase;

  void runOnOperation() override {
    FailureOr<DeviceModel> model = DeviceModel::parse(getOperation(), device);
    if (failed(model))
      return signalPassFailure();
    SmallVector<linalg::LinalgOp> ops(getOperation().getOps<linalg::LinalgOp>());
    for (linalg::LinalgOp op : ops)
      if (std::optional<Reduction> reduction = match(op, reassociate))
        split(*reduction, *model);
  }

private:
  static void split(Reduction reduction, const DeviceModel &model) {
    bool isProduct = graph::sumsProducts(reduction.op);
    if (isProduct || reduction.op.hasDynamicShape()) {
      if (std::optional<LoopCut> cut = chooseLoopCut(reduction, isProduct, model))
        graph::splitLoop(reduction, cut->loop, cut->size);
    } else if (std::optional<Cut> cut = chooseCut(reduction, model)) {
      Splitter(reduction, *cut).run();
    }
  }
};

} // namespace
