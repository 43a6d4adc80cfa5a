//===- FusionGain.cpp - what joining a kernel gains -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fusion.h"

#include "Work.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

/// What a block of a kernel computes, about: rows and columns of a product, other elements.
static constexpr double kBlockRows = 96, kBlockColumns = 64, kBlockElements = 8192;

/// Depth of a product up to which a block of it may compute a panel of columns for itself: 4 MiB.
static constexpr int64_t kMostPanelDepth = 16384;

OpKind graph::classify(Operation *op) {
  if (isa<tensor::EmptyOp>(op))
    return OpKind::Free;
  if (op->hasTrait<OpTrait::ConstantLike>())
    return isa<RankedTensorType>(op->getResult(0).getType()) ? OpKind::Free : OpKind::Other;
  if (isa<linalg::FillOp>(op))
    return OpKind::Free;
  if (isa<tensor::PadOp>(op))
    return OpKind::Pad;
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp, tensor::ConcatOp,
          graph::BroadcastOp, graph::GatherOp, linalg::TransposeOp, linalg::BroadcastOp>(op))
    return OpKind::Movement;
  if (isa<graph::ScanOp>(op))
    return OpKind::Scan;
  if (isa<graph::ScatterOp>(op))
    return OpKind::Scatter;
  if (isa<graph::TopKOp>(op))
    return OpKind::Selection;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    if (linalgOp.getNumReductionLoops() == 0) {
      auto *body = linalgOp.getBlock();
      bool moves = body->without_terminator().empty() && linalgOp.getNumDpsInputs() == 1;
      return moves ? OpKind::Movement : OpKind::Elementwise;
    }
    return graph::sumsProducts(linalgOp) ? OpKind::Contraction : OpKind::Reduction;
  }
  return OpKind::Other;
}

/// The operand of the group's product through which it reads the result of `op`.
static OpOperand *findProductOperand(Operation *op, const FusionGroup &group) {
  for (OpOperand &use : op->getUses()) {
    if (classify(use.getOwner()) == OpKind::Contraction)
      return &use;
    if (group.readers.contains(use.getOwner()))
      return findProductOperand(use.getOwner(), group);
  }
  return nullptr;
}

/// The ops from `op` back to the products that it is computed from, as far as nobody else needs
/// them: what would join the kernel of the product that reads `op`.
static llvm::SetVector<Operation *> collectChain(Operation *op) {
  llvm::SetVector<Operation *> chain;
  chain.insert(op);
  // Users come later in the block than the op itself: one walk back sees them first.
  for (Operation *other = op->getPrevNode(); other; other = other->getPrevNode()) {
    OpKind kind = classify(other);
    if (kind == OpKind::Free || kind == OpKind::Other || chain.size() >= kMostOps)
      continue;
    bool feeds = false, onlyChain = true;
    for (Operation *user : other->getUsers()) {
      if (isa<tensor::DimOp>(user))
        continue;
      feeds |= chain.contains(user) && classify(user) != OpKind::Contraction;
      onlyChain &= chain.contains(user);
    }
    if (feeds && onlyChain)
      chain.insert(other);
  }
  return chain;
}

namespace {
/// Predicted cycles of a chain and the product that reads it, as one kernel and apart.
struct ChainPrice {
  double together, blocks, apart;
};
} // namespace

static ChainPrice priceChain(Operation *op, OpOperand &operand,
                             const llvm::SetVector<Operation *> &products,
                             const llvm::SetVector<Operation *> &rest,
                             const llvm::SetVector<Operation *> &chain, double unknown,
                             const DeviceModel &device) {
  auto product = cast<linalg::LinalgOp>(operand.getOwner());
  llvm::SetVector<Operation *> consumer;
  consumer.insert(product);
  double apart = 0;
  auto price = [&](const llvm::SetVector<Operation *> &ops, double blocks) {
    KernelWork work = graph::estimateWork(ops, unknown);
    work.blocks = blocks;
    return predictCycles(work, device);
  };
  auto allLoops = [](linalg::LinalgOp op) {
    SmallVector<unsigned> loops;
    for (AffineExpr expr : op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getResults())
      if (auto loop = dyn_cast<AffineDimExpr>(expr))
        loops.push_back(loop.getPosition());
    return loops;
  };
  auto productBlocks = [&](linalg::LinalgOp op) {
    SmallVector<unsigned> loops = allLoops(op);
    unsigned columns = loops.pop_back_val();
    return std::max(1.0, graph::countBlocks(op, {columns}, kBlockColumns, unknown)) *
           graph::countBlocks(op, loops, kBlockRows, unknown);
  };
  for (Operation *other : products) {
    llvm::SetVector<Operation *> one;
    one.insert(other);
    apart += price(one, productBlocks(cast<linalg::LinalgOp>(other)));
  }
  auto last = dyn_cast<linalg::LinalgOp>(op);
  SmallVector<unsigned> rows = graph::getSharedLoops(product, operand);
  double rowBlocks = graph::countBlocks(product, rows, kBlockRows, unknown);
  apart += price(rest, last ? graph::countBlocks(last, allLoops(last), 1, unknown) / kBlockElements
                            : rowBlocks);
  apart += price(consumer, productBlocks(product));
  llvm::SetVector<Operation *> joined(chain);
  joined.insert(product);
  // What a reduction repeats, it repeats with all that leads to it.
  double repetitions = 1;
  for (Operation *other : chain)
    if (classify(other) == OpKind::Reduction)
      repetitions = std::max(repetitions, graph::countRepetitions(other, joined, 1, unknown));
  KernelWork work = graph::estimateWork(joined, unknown),
             repeated = graph::estimateWork(chain, unknown);
  work.multiplyAdds += (repetitions - 1) * repeated.multiplyAdds;
  work.elementOps += (repetitions - 1) * repeated.elementOps;
  work.blocks = rowBlocks;
  return {predictCycles(work, device), rowBlocks, apart};
}

/// Elements that a chain keeps of each product in it, for a row of the last product, `consumer`.
/// A chain of one product and its normalisation needs a part of a row at a time (JointPass.h);
/// with several, each row is whole. Without a bound where that depends on extents of the run.
static double countKept(const llvm::SetVector<Operation *> &products, linalg::LinalgOp consumer) {
  if (products.size() < 2)
    return 0;
  auto measure = [](ArrayRef<int64_t> shape) {
    double elements = 1;
    for (int64_t extent : shape)
      if (!ShapedType::isDynamic(extent))
        elements *= static_cast<double>(std::max<int64_t>(extent, 1));
    return std::pair(elements, llvm::count(shape, ShapedType::kDynamic));
  };
  auto [rows, unknownRows] =
      measure(cast<RankedTensorType>(consumer->getResult(0).getType()).getShape().drop_back());
  double kept = 0;
  for (Operation *product : products) {
    auto [elements, unknown] =
        measure(cast<RankedTensorType>(product->getResult(0).getType()).getShape());
    if (unknown > unknownRows)
      return INFINITY;
    kept += elements / rows;
  }
  return kept;
}

bool FusionPricer::gainsFromChain(Operation *op, const FusionGroup &group, Operation *sharer,
                                  std::string &why) const {
  llvm::SetVector<Operation *> chain = collectChain(op), products, rest;
  if (sharer)
    chain.insert(sharer);
  for (Operation *other : chain)
    (classify(other) == OpKind::Contraction ? products : rest).insert(other);
  bool reduces =
      llvm::any_of(rest, [](Operation *other) { return classify(other) == OpKind::Reduction; });
  OpOperand *operand = findProductOperand(op, group);
  if (products.empty() || !reduces || !operand)
    return false;
  constexpr double kLeastRows = 8, kBytes = 4; // for a tile that is worth it
  double kept = countKept(products, cast<linalg::LinalgOp>(operand->getOwner()));
  if (kept * kLeastRows * kBytes > device.privateBytes) {
    why = llvm::formatv("a block would keep {0} of a row, and has {1:f0} bytes of private memory",
                        std::isinf(kept) ? std::string("an unknown number of elements")
                                         : llvm::formatv("{0:f0} elements", kept).str(),
                        device.privateBytes);
    return false;
  }
  // Extents that only the run knows may be as small as 1, where a chain that waits for nobody
  // leaves all cores but one idle: it has to be worth it either way.
  std::string remarked;
  for (double unknown : {kTypicalExtent, 1.0}) {
    ChainPrice price = priceChain(op, *operand, products, rest, chain, unknown, device);
    std::string numbers =
        llvm::formatv("predicted {0:e2} cycles together in {1:f0} blocks, {2:e2} apart",
                      price.together, price.blocks, price.apart);
    if (price.together > price.apart) {
      why = "the product that reads it would be slower: " + numbers;
      return false;
    }
    if (unknown == kTypicalExtent)
      remarked = numbers;
  }
  remark::passed(op->getLoc(), remark::RemarkOpts::name("chain").category("graph-fuse"))
      << "joins the product that reads it: " << remarked;
  return true;
}

/// The use of `op` as the columns of a product, if it has no other, and the product reads it a
/// column by column of a depth that a block can hold.
static OpOperand *findColumnUse(Operation *op) {
  auto isRead = [](Operation *user) { return !isa<tensor::DimOp>(user); };
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || type.getRank() != 2 || !type.hasStaticShape() ||
      llvm::count_if(op->getUsers(), isRead) != 1)
    return nullptr;
  for (OpOperand &use : op->getUses()) {
    auto product = dyn_cast<linalg::LinalgOp>(use.getOwner());
    if (!product || classify(product) != OpKind::Contraction || !product.isDpsInput(&use))
      continue;
    AffineMap map = product.getMatchingIndexingMap(&use);
    AffineMap result = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
    if (!map.isProjectedPermutation() || result.getNumResults() == 0)
      return nullptr;
    AffineExpr columns = result.getResults().back();
    std::optional<unsigned> position = map.getResultPosition(columns);
    bool isShared = llvm::any_of(product.getDpsInputOperands(), [&](OpOperand *other) {
      return other != &use && product.getMatchingIndexingMap(other).getResultPosition(columns);
    });
    return position && !isShared && type.getDimSize(1 - *position) <= kMostPanelDepth ? &use
                                                                                      : nullptr;
  }
  return nullptr;
}

bool FusionPricer::gainsFromPrologue(Operation *op, std::string &why) const {
  // Numbers of codes that are multiplied as integers exist nowhere.
  for (Operation *user : op->getUsers())
    if (auto product = dyn_cast<linalg::LinalgOp>(user);
        codes && product && op->hasOneUse() && multipliesCodes(product)) {
      remark::passed(op->getLoc(), remark::RemarkOpts::name("prologue").category("graph-fuse"))
          << "is part of the product, which multiplies codes";
      return true;
    }
  OpOperand *use = findColumnUse(op);
  llvm::SetVector<Operation *> chain = collectChain(op);
  if (!use || !llvm::all_of(chain, [](Operation *other) {
        return classify(other) == OpKind::Elementwise || classify(other) == OpKind::Movement;
      }))
    return false;
  auto product = cast<linalg::LinalgOp>(use->getOwner());
  AffineMap map = product.getMatchingIndexingMap(use);
  SmallVector<unsigned> rows, columns;
  for (AffineExpr expr : product.getMatchingIndexingMap(product.getDpsInitOperand(0)).getResults())
    if (auto loop = dyn_cast<AffineDimExpr>(expr))
      (map.isFunctionOfDim(loop.getPosition()) ? columns : rows).push_back(loop.getPosition());
  llvm::SetVector<Operation *> alone, joined(chain);
  alone.insert(product);
  joined.insert(product);
  std::string remarked;
  for (double unknown : {kTypicalExtent, 1.0}) {
    double rowBlocks = rows.empty() ? 1 : countBlocks(product, rows, kBlockRows, unknown);
    double blocks = rowBlocks * countBlocks(product, columns, kBlockColumns, unknown);
    auto price = [&](const llvm::SetVector<Operation *> &ops, double blocks, double repetitions) {
      KernelWork work = estimateWork(ops, unknown);
      work.elementOps *= repetitions;
      work.blocks = blocks;
      return predictCycles(work, device);
    };
    auto elements =
        static_cast<double>(cast<RankedTensorType>(op->getResult(0).getType()).getNumElements());
    double together = price(joined, blocks, rowBlocks);
    double apart =
        price(chain, std::max(1.0, elements / kBlockElements), 1) + price(alone, blocks, 1);
    std::string numbers =
        llvm::formatv("predicted {0:e2} cycles together, {1:e2} apart", together, apart);
    if (together > apart) {
      why = "the product that reads it would be slower: " + numbers;
      return false;
    }
    if (unknown == kTypicalExtent)
      remarked = numbers;
  }
  remark::passed(op->getLoc(), remark::RemarkOpts::name("prologue").category("graph-fuse"))
      << "is computed by the product whose columns it is: " << remarked;
  return true;
}

bool FusionPricer::gainsFromReduction(Operation *op, const FusionGroup &group,
                                      std::string &why) const {
  llvm::SetVector<Operation *> joined(group.ops), alone;
  joined.insert(op);
  alone.insert(op);
  auto price = [&](const llvm::SetVector<Operation *> &ops) {
    KernelWork work = graph::estimateWork(ops);
    work.blocks = graph::countBlocks(ops, kBlockElements);
    return predictCycles(work, device);
  };
  double repetitions = graph::countRepetitions(op, group.ops, kBlockColumns);
  KernelWork work = graph::estimateWork(joined);
  work.elementOps += (repetitions - 1) * graph::estimateWork(alone).elementOps;
  work.blocks = graph::countBlocks(joined, kBlockElements);
  double together = predictCycles(work, device), apart = price(group.ops) + price(alone);
  if (together <= apart)
    return true;
  std::string again =
      repetitions > 1 ? llvm::formatv(", each element {0:f1} times", repetitions).str() : "";
  why = llvm::formatv("computing it in its consumer's kernel would be slower: predicted "
                      "{0:e2} cycles together in {1:f0} blocks{2}, {3:e2} apart",
                      together, graph::countBlocks(joined, kBlockElements), again, apart)
            .str();
  return false;
}

bool graph::endsProduct(Value value) {
  auto isRead = [](Operation *user) { return !isa<tensor::DimOp>(user); };
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  if (!op || llvm::count_if(value.getUsers(), isRead) != 1)
    return false;
  OpKind kind = classify(op);
  return kind == OpKind::Contraction ||
         (kind == OpKind::Elementwise &&
          llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *operand) {
            return op.getMatchingIndexingMap(operand).isPermutation() &&
                   endsProduct(operand->get());
          }));
}

bool FusionPricer::gainsFromFrame(tensor::PadOp pad) const {
  auto type = pad.getResultType();
  int64_t last = type.getRank() - 1;
  bool isRead = llvm::all_of(pad->getUsers(),
                             [](Operation *user) { return classify(user) == OpKind::Contraction; });
  // Rows of elements that lie side by side stay whole.
  if (!isRead || !type.hasStaticShape() || !pad.getSourceType().hasStaticShape() || last < 0 ||
      pad.getStaticLow()[last] != 0 || pad.getStaticHigh()[last] != 0 ||
      !matchPattern(pad.getConstantPaddingValue(), m_Constant()) || !endsProduct(pad.getSource()))
    return false;
  double sides = 0;
  for (ArrayRef<int64_t> pads : {pad.getStaticLow(), pad.getStaticHigh()})
    sides += static_cast<double>(llvm::count_if(pads, [](int64_t size) { return size != 0; }));
  llvm::SetVector<Operation *> ops;
  ops.insert(pad);
  KernelWork whole = graph::estimateWork(ops), frame;
  whole.blocks = std::max(1.0, whole.bytes / (8 * kBlockElements));
  auto elements = static_cast<double>(type.getNumElements() - pad.getSourceType().getNumElements());
  frame.bytes = 4 * elements / std::max(sides, 1.0);
  double inPlace = sides * predictCycles(frame, device), moved = predictCycles(whole, device);
  std::string numbers = llvm::formatv("predicted {0:e2} cycles for a frame around it, {1:e2} for "
                                      "a kernel that moves it",
                                      inPlace, moved);
  auto options = remark::RemarkOpts::name("frame").category("graph-fuse");
  if (inPlace < moved) {
    remark::passed(pad->getLoc(), options) << "is padded where it is written: " << numbers;
    return true;
  }
  remark::missed(pad->getLoc(), options) << "is padded by a kernel: " << numbers;
  return false;
}
