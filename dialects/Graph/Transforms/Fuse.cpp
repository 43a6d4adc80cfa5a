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

#include "Fusion.h"
#include "Work.h"

#include "dialects/Graph/IR/Follow.h"
#include "dialects/Graph/IR/Guards.h"
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
using namespace sectile::graph;

namespace {

class Fuser {
public:
  Fuser(func::FuncOp func, const DeviceModel &device, bool multipliesCodes)
      : func(func), pricer(device, multipliesCodes), multipliesCodes(multipliesCodes),
        guards(func.getBody().front()) {}

  void run() {
    if (multipliesCodes)
      repeatDequantized(func.getBody().front());
    repeatScales(func.getBody().front());
    for (Operation &op : llvm::reverse(func.getBody().front())) {
      OpKind kind = classify(&op);
      if (kind == OpKind::Free || kind == OpKind::Other)
        continue;
      if (auto pad = dyn_cast<tensor::PadOp>(op); pad && pricer.gainsFromFrame(pad))
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
  /// The product that multiplies codes of which `use` reads its rows'; null if there is none.
  static Operation *getCodeProduct(OpOperand &use) {
    Operation *user = use.getOwner();
    if (!user->hasOneUse() || !isa<linalg::LinalgOp>(user))
      return nullptr;
    auto product = dyn_cast<linalg::LinalgOp>(*user->getUsers().begin());
    bool isRows = product && graph::multipliesCodes(product) &&
                  graph::getCodeRows(product)->get() == user->getResult(0);
    auto def = use.get().getDefiningOp<linalg::LinalgOp>();
    return isRows && def && classify(def) == OpKind::Elementwise ? product.getOperation() : nullptr;
  }

  void join(Operation *op, OpKind kind, unsigned number) {
    FusionGroup &group = groups[number];
    groupOf[op] = number;
    group.ops.insert(op);
    group.hasContraction |= kind == OpKind::Contraction;
    group.hasReduction |= kind == OpKind::Reduction;
    if (auto scan = dyn_cast<graph::ScanOp>(op))
      group.scan = scan;
    group.hasScatter |= kind == OpKind::Scatter;
    group.hasSelection |= kind == OpKind::Selection;
  }

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
      const FusionGroup &group = groups[groups.size() - 1 - number];
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

  /// The group that `op` can join: that of all its users, or of some, beside whose results it then
  /// stores its own.
  std::optional<unsigned> findGroup(Operation *op, OpKind kind) {
    llvm::SetVector<unsigned> numbers;
    bool leaves = false;
    for (Operation *user : op->getUsers()) {
      if (isa<tensor::DimOp>(user))
        continue;
      if (isa<tensor::PadOp>(user) && !groupOf.contains(user)) {
        missed(op, "it is written inside a frame");
        return std::nullopt;
      }
      if (auto it = groupOf.find(user); it != groupOf.end())
        numbers.insert(it->second);
      else
        leaves = true;
    }
    if (numbers.size() == 1 && !leaves)
      return canJoin(op, kind, numbers.front()) ? std::optional(numbers.front()) : std::nullopt;
    for (unsigned number : numbers)
      if (isNeededWith(op, number) && canStoreBeside(op, kind, number) &&
          canJoin(op, kind, number)) {
        FusionGroup &group = groups[number];
        group.hasSideResults = true;
        group.missingDims.push_back(getMissingDims(*findPlaceIn(op, group)));
        group.hasReduction |= !isSameShape(op, group.root);
        return number;
      }
    missed(op, leaves ? "its result leaves the graph" : "its users are in different kernels");
    return std::nullopt;
  }

  /// Whether the kernel would run in the same cases as `op` alone.
  bool isNeededWith(Operation *op, unsigned group) const {
    return guards.getGuard(op) == guards.getGuard(groups[group].root);
  }

  static bool isSameShape(Operation *a, Operation *b) {
    return cast<ShapedType>(a->getResult(0).getType()).getShape() ==
           cast<ShapedType>(b->getResult(0).getType()).getShape();
  }

  /// Whether an op of the group would wait for one that uses the result of `op` outside of it.
  bool isReachedFromOutside(Operation *op, unsigned group) {
    llvm::SetVector<Operation *> work;
    llvm::DenseSet<unsigned> seen;
    auto addUsers = [&](Operation *op) {
      for (Operation *user : op->getUsers())
        work.insert(user);
    };
    for (Operation *user : op->getUsers())
      if (auto it = groupOf.find(user); it == groupOf.end() || it->second != group)
        work.insert(user);
    for (unsigned i = 0; i < work.size(); ++i) {
      auto it = groupOf.find(work[i]);
      if (it == groupOf.end()) {
        addUsers(work[i]);
        continue;
      }
      if (it->second == group)
        return true;
      // A kernel stores nothing before all its operands are there.
      if (seen.insert(it->second).second)
        llvm::for_each(groups[it->second].ops, addUsers);
    }
    return false;
  }

  /// The reduction that `op` is, or whose result it computes its own from, element by element.
  static Operation *findReductionBehind(Operation *op) {
    auto countElements = [](Value value) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      return type && type.hasStaticShape() ? type.getNumElements() : -1;
    };
    while (op && classify(op) != OpKind::Reduction) {
      Operation *next = nullptr;
      for (Value operand : op->getOperands()) {
        Operation *def = operand.getDefiningOp();
        OpKind kind = def ? classify(def) : OpKind::Other;
        bool isBehind = kind == OpKind::Reduction || kind == OpKind::Elementwise ||
                        (kind == OpKind::Movement && isa<tensor::ExpandShapeOp>(def));
        if (isBehind && countElements(operand) == countElements(op->getResult(0)))
          next = def;
      }
      op = next;
    }
    return op;
  }

  static std::optional<AffineMap> findPlaceIn(Operation *op, const FusionGroup &group) {
    return graph::findPlace(op->getResult(0), group.root->getResult(0),
                            [&](Operation *inner) { return group.ops.contains(inner); });
  }

  /// Dimensions of a kernel's result that one at `place` lacks.
  static llvm::SmallBitVector getMissingDims(AffineMap place) {
    llvm::SmallBitVector missing(place.getNumDims());
    for (unsigned dim = 0; dim < missing.size(); ++dim)
      if (!place.isFunctionOfDim(dim))
        missing.set(dim);
    return missing;
  }

  /// Whether kernel `number` can store the result of `op`, which others use too: it computes every
  /// element of it once, and does not do so for the sake of the result alone.
  bool canStoreBeside(Operation *op, OpKind kind, unsigned number) {
    FusionGroup &group = groups[number];
    if (group.hasContraction || group.scan || group.hasScatter || group.hasSelection ||
        op->getNumResults() != 1 || !isa<linalg::LinalgOp, tensor::ExpandShapeOp>(op) ||
        !isa<linalg::LinalgOp>(group.root) || group.root->getNumResults() != 1 ||
        (kind != OpKind::Elementwise && kind != OpKind::Reduction && kind != OpKind::Movement))
      return false;
    std::optional<AffineMap> place = findPlaceIn(op, group);
    if (!place || isReachedFromOutside(op, number))
      return false;
    // Each is stored outside of the loops over dimensions that it lacks: these have to nest.
    llvm::SmallBitVector missing = getMissingDims(*place);
    for (const llvm::SmallBitVector &other : group.missingDims)
      if (missing.test(other) && other.test(missing))
        return false;
    if (place->isPermutation())
      // A product that could store the result joins too, or else does so alone.
      return place->isIdentity() && kind == OpKind::Elementwise && !group.hasReduction &&
             (isFollowedOneToOne(op, number) || llvm::none_of(op->getOperands(), [](Value operand) {
                return isa<RankedTensorType>(operand.getType()) && endsProduct(operand);
              }));
    // The kernel runs all along dimensions that the result does not have. Reductions make it do so
    // already, or will.
    Operation *reduction = findReductionBehind(op);
    return reduction && gainsFromReduction(reduction, group);
  }

  /// Whether `op` can become part of group `number`, in which it has users.
  bool canJoin(Operation *op, OpKind kind, unsigned number) {
    FusionGroup &group = groups[number];
    for (OpOperand &use : op->getUses())
      if (multipliesCodes && group.ops.contains(use.getOwner()) &&
          group.ops.contains(getCodeProduct(use))) {
        missed(op, "each block of the product's columns would compute the codes of its rows again");
        return false;
      }
    if (group.ops.size() >= kMostOps) {
      missed(op, "the kernel holds " + std::to_string(group.ops.size()) + " ops already");
      return false;
    }
    bool feedsContraction = false, feedsPad = false, inChain = false;
    for (OpOperand &use : op->getUses()) {
      if (!group.ops.contains(use.getOwner()))
        continue;
      OpKind user = classify(use.getOwner());
      feedsContraction |= user == OpKind::Contraction || group.readers.contains(use.getOwner());
      feedsPad |= user == OpKind::Pad;
      inChain |= group.operandChain.contains(use.getOwner());
      // The source of a gather is read at places known only at run time: it must be in memory.
      if (auto gather = dyn_cast<graph::GatherOp>(use.getOwner());
          gather && use.getOperandNumber() == 0) {
        missed(op, "a gather reads it at places known only at run time");
        return false;
      }
      if (auto scatter = dyn_cast<graph::ScatterOp>(use.getOwner());
          scatter && use.get() == scatter.getData()) {
        missed(op, "a scatter changes it at places known only at run time");
        return false;
      }
    }
    if (group.hasScatter && (kind == OpKind::Contraction || kind == OpKind::Reduction)) {
      missed(op, "the kernel scatters what it computes");
      return false;
    }
    if (group.hasSelection && (kind == OpKind::Contraction || kind == OpKind::Reduction)) {
      missed(op, "the kernel selects from what it computes");
      return false;
    }
    if (inChain && kind == OpKind::Reduction &&
        !graph::followsLike(op, group.operandChain, group.ops)) {
      missed(op, "a block of the product's rows would compute it for all rows");
      return false;
    }
    if ((inChain && !feedsContraction && kind != OpKind::Pad) ||
        (kind == OpKind::Elementwise && feedsContraction && gainsFromChain(op, group))) {
      group.operandChain.insert(op);
      return true;
    }
    switch (kind) {
    case OpKind::Movement:
      // Operands of the scores are staged, whatever their order.
      if (feedsContraction && !inChain && !readsInOrder(op)) {
        missed(op, "the product would gather it in its inner loop");
        return false;
      }
      if (feedsContraction)
        group.readers.insert(op);
      return true;
    case OpKind::Pad:
    case OpKind::Elementwise:
      if (feedsContraction && !gainsFromPrologue(op))
        return false;
      return true;
    case OpKind::Contraction:
      if (group.hasContraction || group.hasReduction || group.scan || feedsPad) {
        missed(op, "the kernel already reduces");
        return false;
      }
      if (!isFollowedOneToOne(op, number)) {
        missed(op, "its consumers repeat its elements");
        return false;
      }
      if (!graph::keepsLastDim(op, group.ops)) {
        missed(op, "its columns would lie apart in what the kernel stores");
        return false;
      }
      return true;
    case OpKind::Reduction:
      if (Operation *weights = findSharedOperand(op, group);
          weights && gainsFromChain(weights, group, op)) {
        group.operandChain.insert(op);
        return true;
      }
      if (group.hasContraction || feedsContraction) {
        missed(op, "the kernel holds a product");
        return false;
      }
      if (!graph::keepsColumns(op, group.ops)) {
        missed(op, "columns of what the kernel stores share it, so that none could be a vector");
        return false;
      }
      return gainsFromReduction(op, group);
    case OpKind::Scan:
      if (group.hasContraction) {
        missed(op, "the kernel holds a product");
        return false;
      }
      if (group.hasSideResults) {
        missed(op, "the kernel stores several results");
        return false;
      }
      if (!isFollowedInPlace(op, number)) {
        missed(op, "its consumers do not read it element by element, in its order");
        return false;
      }
      if (!runsLike(cast<graph::ScanOp>(op), group.scan)) {
        missed(op, "the kernel runs along another dimension or the other way");
        return false;
      }
      return true;
    case OpKind::Selection:
      missed(op, "its consumers need all its elements to be seen");
      return false;
    case OpKind::Scatter:
      missed(op, "its consumers need all its updates to be made");
      return false;
    case OpKind::Free:
    case OpKind::Other:
      break;
    }
    return false;
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

  /// What the pricer answers; what it says against is why `op` ends its kernel.
  bool asks(Operation *op, llvm::function_ref<bool(std::string &)> question) {
    std::string why;
    bool gains = question(why);
    if (!gains && !why.empty())
      missed(op, why);
    return gains;
  }

  bool gainsFromChain(Operation *op, const FusionGroup &group, Operation *sharer = nullptr) {
    return asks(op,
                [&](std::string &why) { return pricer.gainsFromChain(op, group, sharer, why); });
  }

  bool gainsFromPrologue(Operation *op) {
    return asks(op, [&](std::string &why) {
      why = "it would be computed again in the inner loop of a product";
      return pricer.gainsFromPrologue(op, why);
    });
  }

  bool gainsFromReduction(Operation *op, const FusionGroup &group) {
    return asks(op, [&](std::string &why) { return pricer.gainsFromReduction(op, group, why); });
  }

  /// The elementwise op whose result both reduction `op` and a product of the group read, and
  /// nobody outside: the weights that a product sums up, and whose sum its result is divided by.
  static Operation *findSharedOperand(Operation *op, const FusionGroup &group) {
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

  /// Whether `holds` for every use in the group of what `op` computes, and of what is computed from
  /// that. Each op is visited once, however many paths lead to it.
  bool holdsForUses(Operation *op, unsigned group, llvm::function_ref<bool(OpOperand &)> holds) {
    llvm::SetVector<Operation *> work;
    work.insert(op);
    for (unsigned i = 0; i < work.size(); ++i)
      for (OpOperand &use : work[i]->getUses()) {
        auto it = groupOf.find(use.getOwner());
        if (it == groupOf.end() || it->second != group)
          continue;
        if (!holds(use))
          return false;
        work.insert(use.getOwner());
      }
    return true;
  }

  /// Whether every element of op's result is used by one element of each consumer in the group.
  bool isFollowedOneToOne(Operation *op, unsigned group) {
    return holdsForUses(op, group, [](OpOperand &use) {
      auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
      return user ? user.getMatchingIndexingMap(&use).isPermutation()
                  : isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(use.getOwner());
    });
  }

  static bool runsLike(graph::ScanOp scan, graph::ScanOp other) {
    return !other || (scan.getAxis() == other.getAxis() && scan.getReverse() == other.getReverse());
  }

  /// Whether every element of op's result is used for nothing but elements at its own place, up to
  /// the group's results: what runs along a dimension then hands its elements on as it goes.
  bool isFollowedInPlace(Operation *op, unsigned group) {
    return holdsForUses(op, group, [](OpOperand &use) {
      if (auto scan = dyn_cast<graph::ScanOp>(use.getOwner()))
        return use.getOperandNumber() < scan.getInputs().size();
      auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
      auto isIdentity = [&](OpOperand &operand) {
        return user.getMatchingIndexingMap(&operand).isIdentity();
      };
      return user && user.getNumReductionLoops() == 0 && isIdentity(use) &&
             llvm::all_of(user.getDpsInitsMutable(), isIdentity);
    });
  }

  func::FuncOp func;
  FusionPricer pricer;
  bool multipliesCodes;
  Guards guards;
  SmallVector<FusionGroup> groups;
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
    Fuser(getOperation(), *model, codes).run();
  }
};

} // namespace
