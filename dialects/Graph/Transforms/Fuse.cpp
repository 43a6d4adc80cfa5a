//===- Fuse.cpp - decide which ops become one kernel -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One walk from the last op to the first: an op's consumers are decided before
// it is, so it joins their group or starts its own.
//
//===----------------------------------------------------------------------===//

#include "Work.h"

#include "dialects/Graph/Transforms/Passes.h"
#include "sectile/Report/Remarks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHFUSEPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;

namespace {

/// What fusion needs to know of an op.
enum class OpKind {
  Free,        // a constant, a fill, an empty tensor: cloned into whoever uses it
  Movement,    // elements change place, not value
  Pad,         // movement that adds elements
  Elementwise, // one result element from one element of each operand
  Contraction,
  Reduction,
  Scan,
  Scatter,
  Selection,
  Other // not of the tensor world
};

struct Group {
  explicit Group(Operation *root) : root(root) {}
  Operation *root;
  bool hasContraction = false;
  bool hasReduction = false;
  /// A scan of the kernel: others have to run along the same dimension, the same way.
  graph::ScanOp scan;
  /// Whether the kernel changes elements at places known only at run time.
  bool hasScatter = false;
  /// Whether the kernel selects elements, whose places it knows at its end only.
  bool hasSelection = false;
  /// Ops that compute the operand of an attention-like product: the normalised scores.
  llvm::SmallDenseSet<Operation *> operandChain;
  /// Data movement through which a product of the group reads an operand.
  llvm::SmallDenseSet<Operation *> readers;
  llvm::SetVector<Operation *> ops;
};

OpKind classify(Operation *op) {
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

class Fuser {
public:
  Fuser(func::FuncOp func, const DeviceModel &device) : func(func), device(device) {}

  void run() {
    for (Operation &op : llvm::reverse(func.getBody().front())) {
      OpKind kind = classify(&op);
      if (kind == OpKind::Free || kind == OpKind::Other)
        continue;
      if (auto pad = dyn_cast<tensor::PadOp>(op); pad && gainsFromFrame(pad))
        continue;
      std::optional<unsigned> group = findGroup(&op, kind);
      if (!group) {
        group = groups.size();
        groups.emplace_back(&op);
      }
      join(&op, kind, *group);
    }
    Builder builder(func.getContext());
    for (auto [op, group] : groupOf)
      // Numbered in the order of execution.
      op->setAttr(graph::kGroupAttr, builder.getI64IntegerAttr(groups.size() - 1 - group));
    explain();
  }

private:
  void join(Operation *op, OpKind kind, unsigned number) {
    Group &group = groups[number];
    groupOf[op] = number;
    group.ops.insert(op);
    group.hasContraction |= kind == OpKind::Contraction;
    group.hasReduction |= kind == OpKind::Reduction;
    if (auto scan = dyn_cast<graph::ScanOp>(op))
      group.scan = scan;
    group.hasScatter |= kind == OpKind::Scatter;
    group.hasSelection |= kind == OpKind::Selection;
  }

  /// What a block of a kernel computes, about: rows and columns of a product, other elements.
  static constexpr double kBlockRows = 96, kBlockColumns = 64, kBlockElements = 8192;

  /// Ops of a kernel: more do not make it faster, but its code large and its walks deep.
  static constexpr unsigned kMostOps = 128;

  void missed(Operation *op, const llvm::Twine &why) { reasons[op] = why.str(); }

  /// Leaves two remarks on every kernel: what it holds, and why it is not part of the next one.
  void explain() {
    constexpr std::pair<OpKind, const char *> kNames[] = {{OpKind::Contraction, "contractions"},
                                                          {OpKind::Reduction, "reductions"},
                                                          {OpKind::Scan, "scans"},
                                                          {OpKind::Scatter, "scatters"},
                                                          {OpKind::Selection, "selections"},
                                                          {OpKind::Elementwise, "elementwise"},
                                                          {OpKind::Movement, "movements"},
                                                          {OpKind::Pad, "pads"}};
    SmallVector<SmallVector<Operation *>> members(groups.size());
    for (auto [op, group] : llvm::reverse(groupOf))
      members[group].push_back(op);
    // Zero where a size is known only at run time.
    auto bytesOf = [](Operation *op) {
      int64_t bytes = 0;
      for (Type type : op->getResultTypes())
        if (auto tensor = dyn_cast<RankedTensorType>(type);
            tensor && tensor.hasStaticShape() && tensor.getElementType().isIntOrFloat())
          bytes += tensor.getNumElements() * ((tensor.getElementTypeBitWidth() + 7) / 8);
      return bytes;
    };
    for (size_t number = 0; number < groups.size(); ++number) {
      const Group &group = groups[groups.size() - 1 - number];
      ArrayRef<Operation *> ops = members[groups.size() - 1 - number];
      SmallVector<Location> locs;
      int64_t kept = 0;
      std::map<OpKind, int64_t> counts;
      for (Operation *op : ops) {
        locs.push_back(op->getLoc());
        ++counts[classify(op)];
        if (op != group.root)
          kept += bytesOf(op);
      }
      {
        auto holds = remark::passed(FusedLoc::get(func.getContext(), locs),
                                    remark::RemarkOpts::name("holds").category("graph-fuse"));
        holds << remark::metric(kGroupRemarkKey, number);
        holds << remark::add("{0} {1}", ops.size(), ops.size() == 1 ? "op" : "ops");
        for (auto [kind, name] : kNames)
          if (counts[kind] != 0)
            holds << remark::metric(name, counts[kind]);
        if (kept != 0)
          holds << remark::metric("bytes never stored", kept);
      }
      Operation *root = group.root;
      auto ends =
          remark::missed(root->getLoc(), remark::RemarkOpts::name("ends").category("graph-fuse"));
      ends << remark::metric(kGroupRemarkKey, number)
           << remark::add("{0}",
                          reasons.contains(root) ? reasons[root] : "nothing uses its result");
      if (int64_t stored = bytesOf(root); stored != 0)
        ends << remark::metric("bytes stored", stored);
    }
  }

  /// The group that all users of `op` are in and that can absorb it.
  std::optional<unsigned> findGroup(Operation *op, OpKind kind) {
    std::optional<unsigned> number;
    for (Operation *user : op->getUsers()) {
      if (isa<tensor::DimOp>(user))
        continue;
      auto it = groupOf.find(user);
      if (it == groupOf.end()) {
        missed(op, isa<tensor::PadOp>(user) ? "it is written inside a frame"
                                            : "its result leaves the graph");
        return std::nullopt;
      }
      if (number && *number != it->second) {
        missed(op, "its users are in different kernels");
        return std::nullopt;
      }
      number = it->second;
    }
    if (!number)
      return std::nullopt;
    Group &group = groups[*number];
    if (group.ops.size() >= kMostOps) {
      missed(op, "the kernel holds " + std::to_string(group.ops.size()) + " ops already");
      return std::nullopt;
    }
    bool feedsContraction = false, feedsPad = false, inChain = false;
    for (OpOperand &use : op->getUses()) {
      OpKind user = classify(use.getOwner());
      feedsContraction |= user == OpKind::Contraction || group.readers.contains(use.getOwner());
      feedsPad |= user == OpKind::Pad;
      inChain |= group.operandChain.contains(use.getOwner());
      // The source of a gather is read at places known only at run time: it must be in memory.
      if (auto gather = dyn_cast<graph::GatherOp>(use.getOwner());
          gather && use.getOperandNumber() == 0) {
        missed(op, "a gather reads it at places known only at run time");
        return std::nullopt;
      }
      if (auto scatter = dyn_cast<graph::ScatterOp>(use.getOwner());
          scatter && use.get() == scatter.getData()) {
        missed(op, "a scatter changes it at places known only at run time");
        return std::nullopt;
      }
    }
    if (group.hasScatter && (kind == OpKind::Contraction || kind == OpKind::Reduction)) {
      missed(op, "the kernel scatters what it computes");
      return std::nullopt;
    }
    if (group.hasSelection && (kind == OpKind::Contraction || kind == OpKind::Reduction)) {
      missed(op, "the kernel selects from what it computes");
      return std::nullopt;
    }
    if ((inChain && !feedsContraction && kind != OpKind::Pad) ||
        (kind == OpKind::Elementwise && feedsContraction && gainsFromChain(op, group))) {
      group.operandChain.insert(op);
      return number;
    }
    switch (kind) {
    case OpKind::Movement:
      // Operands of the scores are staged, whatever their order.
      if (feedsContraction && !inChain && !readsInOrder(op)) {
        missed(op, "the product would gather it in its inner loop");
        return std::nullopt;
      }
      if (feedsContraction)
        group.readers.insert(op);
      return number;
    case OpKind::Pad:
    case OpKind::Elementwise:
      if (feedsContraction) {
        missed(op, "it would be computed again in the inner loop of a product");
        return std::nullopt;
      }
      return number;
    case OpKind::Contraction:
      if (group.hasContraction || group.hasReduction || group.scan || feedsPad) {
        missed(op, "the kernel already reduces");
        return std::nullopt;
      }
      if (!isFollowedOneToOne(op, *number)) {
        missed(op, "its consumers repeat its elements");
        return std::nullopt;
      }
      if (!graph::keepsLastDim(op, group.ops)) {
        missed(op, "its columns would lie apart in what the kernel stores");
        return std::nullopt;
      }
      return number;
    case OpKind::Reduction:
      if (Operation *weights = findSharedOperand(op, group);
          weights && gainsFromChain(weights, group, op)) {
        group.operandChain.insert(op);
        return number;
      }
      if (group.hasContraction || feedsContraction) {
        missed(op, "the kernel holds a product");
        return std::nullopt;
      }
      if (!gainsFromReduction(op, group))
        return std::nullopt;
      return number;
    case OpKind::Scan:
      if (group.hasContraction) {
        missed(op, "the kernel holds a product");
        return std::nullopt;
      }
      if (!isFollowedInPlace(op, *number)) {
        missed(op, "its consumers do not read it element by element, in its order");
        return std::nullopt;
      }
      if (!runsLike(cast<graph::ScanOp>(op), group.scan)) {
        missed(op, "the kernel runs along another dimension or the other way");
        return std::nullopt;
      }
      return number;
    case OpKind::Selection:
      missed(op, "its consumers need all its elements to be seen");
      return std::nullopt;
    case OpKind::Scatter:
      missed(op, "its consumers need all its updates to be made");
      return std::nullopt;
    case OpKind::Free:
    case OpKind::Other:
      break;
    }
    return std::nullopt;
  }

  /// Whether movement op keeps the last dimension last, so that a product can load through it.
  static bool readsInOrder(Operation *op) {
    if (isa<tensor::ExtractSliceOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
      return true;
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (!linalgOp)
      return false;
    auto inputMap = linalgOp.getMatchingIndexingMap(linalgOp.getDpsInputOperand(0));
    auto outputMap = linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0));
    return inputMap.getNumResults() != 0 && outputMap.getNumResults() != 0 &&
           inputMap.getResults().back() == outputMap.getResults().back();
  }

  /// The operand of the group's product through which it reads the result of `op`.
  OpOperand *findProductOperand(Operation *op, const Group &group) {
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
  llvm::SetVector<Operation *> collectChain(Operation *op) {
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

  /// The elementwise op whose result both reduction `op` and a product of the group read, and
  /// nobody outside: the weights that a product sums up, and whose sum its result is divided by.
  static Operation *findSharedOperand(Operation *op, const Group &group) {
    for (Value operand : op->getOperands()) {
      Operation *def = operand.getDefiningOp();
      if (!def || classify(def) != OpKind::Elementwise)
        continue;
      bool feedsProduct = false, staysInside = true;
      for (Operation *user : def->getUsers()) {
        feedsProduct |= group.ops.contains(user) && classify(user) == OpKind::Contraction;
        staysInside &= user == op || group.ops.contains(user) || isa<tensor::DimOp>(user);
      }
      if (feedsProduct && staysInside)
        return def;
    }
    return nullptr;
  }

  /// Whether a product should compute its operand `op` itself, strip by strip of rows: the
  /// normalised scores of an attention. Worth it where the scores, which never reach memory then,
  /// cost more to move than is lost by having blocks of rows only.
  /// `sharer` is a reduction that would come along, or null.
  bool gainsFromChain(Operation *op, const Group &group, Operation *sharer = nullptr) {
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
    auto product = cast<linalg::LinalgOp>(operand->getOwner());
    llvm::SetVector<Operation *> consumer;
    consumer.insert(product);
    double apart = 0;
    auto price = [&](llvm::SetVector<Operation *> &ops, double blocks) {
      KernelWork work = graph::estimateWork(ops);
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
      return std::max(1.0, graph::countBlocks(op, {columns}, kBlockColumns)) *
             graph::countBlocks(op, loops, kBlockRows);
    };
    for (Operation *other : products) {
      llvm::SetVector<Operation *> one;
      one.insert(other);
      apart += price(one, productBlocks(cast<linalg::LinalgOp>(other)));
    }
    auto last = dyn_cast<linalg::LinalgOp>(op);
    SmallVector<unsigned> rows = graph::getSharedLoops(product, *operand);
    double rowBlocks = graph::countBlocks(product, rows, kBlockRows);
    apart += price(rest,
                   last ? graph::countBlocks(last, allLoops(last), 1) / kBlockElements : rowBlocks);
    apart += price(consumer, productBlocks(product));
    llvm::SetVector<Operation *> joined(chain);
    joined.insert(product);
    // What a reduction repeats, it repeats with all that leads to it.
    double repetitions = 1;
    for (Operation *other : chain)
      if (classify(other) == OpKind::Reduction)
        repetitions = std::max(repetitions, graph::countRepetitions(other, joined, 1));
    KernelWork work = graph::estimateWork(joined), repeated = graph::estimateWork(chain);
    work.multiplyAdds += (repetitions - 1) * repeated.multiplyAdds;
    work.elementOps += (repetitions - 1) * repeated.elementOps;
    work.blocks = rowBlocks;
    double together = predictCycles(work, device);
    std::string numbers = llvm::formatv("predicted {0:e2} cycles together in {1:f0} blocks, {2:e2} "
                                        "apart",
                                        together, rowBlocks, apart);
    if (together <= apart) {
      remark::passed(op->getLoc(), remark::RemarkOpts::name("chain").category("graph-fuse"))
          << "joins the product that reads it: " << numbers;
      return true;
    }
    missed(op, "the product that reads it would be slower: " + numbers);
    return false;
  }

  /// Whether a kernel without products should compute reduction `op` itself: it then reads what
  /// both read once, but whatever the reduction's result does not follow is one block's work.
  bool gainsFromReduction(Operation *op, const Group &group) {
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
    missed(op, llvm::formatv("computing it in its consumer's kernel would be slower: predicted "
                             "{0:e2} cycles together in {1:f0} blocks{2}, {3:e2} apart",
                             together, graph::countBlocks(joined, kBlockElements), again, apart)
                   .str());
    return false;
  }

  /// Whether a product computes `value` for one user, by way of elementwise ops: it can store it
  /// anywhere.
  static bool endsProduct(Value value) {
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

  /// Whether a product that reads a padded tensor has it padded in memory: the source is written
  /// where it belongs, and small kernels write the frame around it. The alternative is a kernel
  /// that moves every element.
  bool gainsFromFrame(tensor::PadOp pad) {
    auto type = pad.getResultType();
    int64_t last = type.getRank() - 1;
    bool isRead = llvm::all_of(
        pad->getUsers(), [](Operation *user) { return classify(user) == OpKind::Contraction; });
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
    auto elements =
        static_cast<double>(type.getNumElements() - pad.getSourceType().getNumElements());
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

  /// Whether every element of op's result is used by one element of each consumer in the group.
  bool isFollowedOneToOne(Operation *op, unsigned group) {
    for (OpOperand &use : op->getUses()) {
      auto it = groupOf.find(use.getOwner());
      if (it == groupOf.end() || it->second != group)
        continue;
      if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(use.getOwner())) {
        if (!isFollowedOneToOne(use.getOwner(), group))
          return false;
        continue;
      }
      auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
      if (!user)
        return false;
      AffineMap map = user.getMatchingIndexingMap(&use);
      if (!map.isPermutation() || !isFollowedOneToOne(user, group))
        return false;
    }
    return true;
  }

  static bool runsLike(graph::ScanOp scan, graph::ScanOp other) {
    return !other || (scan.getAxis() == other.getAxis() && scan.getReverse() == other.getReverse());
  }

  /// Whether every element of op's result is used for nothing but elements at its own place, up to
  /// the group's results: what runs along a dimension then hands its elements on as it goes.
  bool isFollowedInPlace(Operation *op, unsigned group) {
    for (OpOperand &use : op->getUses()) {
      Operation *user = use.getOwner();
      auto it = groupOf.find(user);
      if (it == groupOf.end() || it->second != group)
        continue;
      if (auto scan = dyn_cast<graph::ScanOp>(user)) {
        if (use.getOperandNumber() >= scan.getInputs().size() || !isFollowedInPlace(user, group))
          return false;
        continue;
      }
      auto linalgOp = dyn_cast<linalg::LinalgOp>(user);
      if (!linalgOp || linalgOp.getNumReductionLoops() != 0 ||
          !linalgOp.getMatchingIndexingMap(&use).isIdentity() ||
          !llvm::all_of(linalgOp.getDpsInitsMutable(), [&](OpOperand &init) {
            return linalgOp.getMatchingIndexingMap(&init).isIdentity();
          }))
        return false;
      if (!isFollowedInPlace(user, group))
        return false;
    }
    return true;
  }

  func::FuncOp func;
  const DeviceModel &device;
  SmallVector<Group> groups;
  llvm::MapVector<Operation *, unsigned> groupOf;
  /// Why ops did not join the kernel of their users.
  llvm::DenseMap<Operation *, std::string> reasons;
};

struct GraphFusePass : graph::impl::GraphFusePassBase<GraphFusePass> {
  using GraphFusePassBase::GraphFusePassBase;

  void runOnOperation() override {
    FailureOr<DeviceModel> model = DeviceModel::parse(getOperation(), device);
    if (failed(model))
      return signalPassFailure();
    Fuser(getOperation(), *model).run();
  }
};

} // namespace
