//===- JointPass.cpp - reductions that share one pass over a row -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "JointPass.h"

#include "ReductionEmitter.h"

#include "dialects/Graph/IR/Contraction.h"
#include "dialects/Graph/IR/Read.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace sectile;
using graph::Read;

const JointMember *JointPass::getMember(Operation *op) const {
  for (const JointMember &member : members)
    if (Operation *own = linalg::LinalgOp(member.op); own == op)
      return &member;
  return nullptr;
}

SmallVector<AffineExpr> sectile::getLoopCoords(linalg::LinalgOp op, AffineMap from,
                                               ArrayRef<AffineExpr> coords) {
  SmallVector<AffineExpr> loops(op.getNumLoops());
  for (auto [expr, coord] : llvm::zip_equal(from.getResults(), coords))
    if (auto dim = dyn_cast<AffineDimExpr>(expr))
      loops[dim.getPosition()] = coord;
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::parallel && !loops[loop] && sizes[loop] == 1)
      loops[loop] = getAffineConstantExpr(0, op.getContext());
  return loops;
}

bool JointPass::isWide(const JointMember &member) const {
  SmallVector<AffineExpr> coords(member.shared.getResults());
  SmallVector<AffineExpr> loops = getLoopCoords(member.op, member.shared, coords);
  linalg::LinalgOp op = member.op;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::parallel && !loops[loop])
      return true;
  return false;
}

namespace {

/// The elementwise op that computes `value`, if its loops are the value's coordinates.
linalg::LinalgOp getElementwise(Value value) {
  auto op = value.getDefiningOp<linalg::LinalgOp>();
  if (!op || op.getNumReductionLoops() != 0)
    return nullptr;
  unsigned result = cast<OpResult>(value).getResultNumber();
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  return map.isPermutation() ? op : linalg::LinalgOp();
}

/// From the coordinates of an elementwise op's result, at `read.map`, to its loops.
AffineMap getLoops(linalg::LinalgOp op, const Read &read) {
  unsigned result = cast<OpResult>(read.tensor).getResultNumber();
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(result));
  return inversePermutation(map).compose(read.map);
}

/// Where loops of a reduction read `tensor`, directly or through elementwise ops: the first way.
std::optional<AffineMap> findRead(linalg::LinalgOp reduction, Value tensor) {
  SmallVector<Read> work;
  llvm::DenseSet<std::pair<Value, AffineMap>> seen;
  auto add = [&](linalg::LinalgOp op, AffineMap loops) {
    for (OpOperand *input : op.getDpsInputOperands()) {
      if (!isa<RankedTensorType>(input->get().getType()))
        continue;
      AffineMap map = op.getMatchingIndexingMap(input).compose(loops);
      Read read = graph::skipUnitDims({input->get(), map});
      if (seen.insert({read.tensor, read.map}).second)
        work.push_back(read);
    }
  };
  add(reduction,
      AffineMap::getMultiDimIdentityMap(reduction.getNumLoops(), reduction.getContext()));
  for (unsigned i = 0; i < work.size(); ++i) {
    Read read = work[i];
    if (read.tensor == tensor)
      return read.map;
    if (linalg::LinalgOp op = getElementwise(read.tensor))
      add(op, getLoops(op, read));
  }
  return std::nullopt;
}

/// What follows from `values` in their block.
llvm::DenseSet<Value> findDependents(ArrayRef<Value> values) {
  llvm::DenseSet<Value> found(values.begin(), values.end());
  SmallVector<Value> work(values);
  while (!work.empty())
    for (Operation *user : work.pop_back_val().getUsers())
      for (Value result : user->getResults())
        if (found.insert(result).second)
          work.push_back(result);
  return found;
}

/// How the terms of a reduction change with the leader's result.
class TermAnalysis {
public:
  /// `shared` leads from the reduction's loops to the coordinates of the leader's result,
  /// `elements` to those of the elements that the leader reduces.
  TermAnalysis(linalg::LinalgOp leader, const llvm::DenseSet<Value> &dependents, AffineMap shared,
               AffineMap elements)
      : leader(leader), dependents(dependents), shared(shared), elements(elements) {}

  /// Whether `term`, a scalar of `reduction`'s body, is multiplied by exp(-t) when the leader's
  /// result grows by t. That exponential is of an element less the greatest one.
  bool isExponential(linalg::LinalgOp reduction, Value term) {
    return classify(term, reduction,
                    AffineMap::getMultiDimIdentityMap(reduction.getNumLoops(),
                                                      reduction.getContext())) == Exponential;
  }

  /// Whether `term` is the square of an element's distance to the mean of `count` elements, whose
  /// sum the leader is.
  bool isSquaredDistance(linalg::LinalgOp reduction, Value term, int64_t count) {
    numElements = count;
    return classify(term, reduction,
                    AffineMap::getMultiDimIdentityMap(reduction.getNumLoops(),
                                                      reduction.getContext())) == SquaredDistance;
  }

private:
  enum Kind {
    Fixed,
    Element,
    Leader,
    Exponential,
    Mean,
    Distance,
    SquaredDistance,
    Unknown,
  };

  Kind classify(const Read &read) {
    if (read.tensor == leader->getResult(0))
      return read.map == shared ? Leader : Unknown;
    if (read.tensor == leader.getDpsInputOperand(0)->get())
      return read.map == elements ? Element : Fixed;
    if (!dependents.contains(read.tensor))
      return Fixed;
    linalg::LinalgOp op = getElementwise(read.tensor);
    if (!op)
      return Unknown;
    Value yielded =
        op.getBlock()->getTerminator()->getOperand(cast<OpResult>(read.tensor).getResultNumber());
    return classify(yielded, op, getLoops(op, read));
  }

  /// A scalar of the body of `op`, whose loops are at `loops`. Each is visited once.
  Kind classify(Value scalar, linalg::LinalgOp op, AffineMap loops) {
    auto [it, isNew] = known.try_emplace({scalar, loops}, Unknown);
    if (!isNew)
      return it->second;
    Kind kind = classifyScalar(scalar, op, loops);
    known[{scalar, loops}] = kind;
    return kind;
  }

  Kind classifyScalar(Value scalar, linalg::LinalgOp op, AffineMap loops) {
    if (std::optional<Read> read = graph::getRead(op, scalar))
      return isa<RankedTensorType>(read->tensor.getType())
                 ? classify(Read{read->tensor, read->map.compose(loops)})
                 : Fixed;
    Operation *def = scalar.getDefiningOp();
    if (!def || def->getBlock() != op.getBlock())
      return isa<BlockArgument>(scalar) && scalar.getParentBlock() == op.getBlock() ? Unknown
                                                                                    : Fixed;
    SmallVector<Kind> kinds;
    for (Value operand : def->getOperands())
      kinds.push_back(classify(operand, op, loops));
    if (auto exp = dyn_cast<math::ExpOp>(def)) {
      auto difference = exp.getOperand().getDefiningOp<arith::SubFOp>();
      if (difference && difference->getBlock() == op.getBlock() &&
          classify(difference.getLhs(), op, loops) == Element &&
          classify(difference.getRhs(), op, loops) == Leader)
        return Exponential;
    }
    if (Kind kind = classifyMoment(def, kinds); kind != Unknown)
      return kind;
    auto isFixed = [](Kind kind) { return kind == Fixed || kind == Element; };
    if (isa<arith::MulFOp>(def))
      if ((kinds[0] == Exponential && isFixed(kinds[1])) ||
          (kinds[1] == Exponential && isFixed(kinds[0])))
        return Exponential;
    if (isa<arith::DivFOp>(def) && kinds[0] == Exponential && isFixed(kinds[1]))
      return Exponential;
    if (isa<arith::NegFOp>(def) && kinds[0] == Exponential)
      return Exponential;
    // No selection: where it drops a term, a row whose elements are all -inf has a sum, not NaN.
    return llvm::all_of(kinds, isFixed) ? Fixed : Unknown;
  }

  /// A scalar on the way from the leader, a sum, to squared distances.
  Kind classifyMoment(Operation *def, ArrayRef<Kind> kinds) const {
    // The constant that the sum is divided by, or multiplied by.
    auto isConstant = [&](unsigned operand, double value) {
      FloatAttr constant;
      if (numElements == 0 || !matchPattern(def->getOperand(operand), m_Constant(&constant)))
        return false;
      APFloat expected(value);
      bool losesInfo;
      expected.convert(constant.getValue().getSemantics(), APFloat::rmNearestTiesToEven,
                       &losesInfo);
      return constant.getValue() == expected;
    };
    auto count = static_cast<double>(numElements);
    if (isa<arith::DivFOp>(def) && kinds[0] == Leader && isConstant(1, count))
      return Mean;
    if (isa<arith::MulFOp>(def))
      for (unsigned i : {0, 1})
        if (kinds[i] == Leader && isConstant(1 - i, 1 / count))
          return Mean;
    if (isa<arith::SubFOp>(def) &&
        ((kinds[0] == Element && kinds[1] == Mean) || (kinds[0] == Mean && kinds[1] == Element)))
      return Distance;
    if (isa<arith::MulFOp>(def) && kinds[0] == Distance && kinds[1] == Distance)
      return SquaredDistance;
    if (isa<math::PowFOp>(def) && kinds[0] == Distance && isConstant(1, 2))
      return SquaredDistance;
    return Unknown;
  }

  linalg::LinalgOp leader;
  const llvm::DenseSet<Value> &dependents;
  AffineMap shared, elements;
  int64_t numElements = 0;
  /// Kinds of scalars of bodies, with where the loops of their op are.
  llvm::DenseMap<std::pair<Value, AffineMap>, Kind> known;
};

/// A reduction that can be run in parts: one result, started from nothing.
std::optional<Combiner> matchPartible(linalg::LinalgOp op) {
  if (op->getNumResults() != 1 || op.getNumReductionLoops() == 0)
    return std::nullopt;
  std::optional<Combiner> combiner = matchCombiner(op, 0);
  TypedAttr fill = getFillValue(op.getDpsInits()[0]);
  if (!combiner || !fill)
    return std::nullopt;
  if (isNeutral(fill, combiner->neutral))
    return combiner;
  // A maximum is often started from the lowest finite float, which no element lies below.
  auto start = dyn_cast<FloatAttr>(fill);
  bool isLowest = start && start.getValue().isNegative() && start.getValue().isLargest();
  return isLowest && isa<arith::MaximumFOp>(combiner->op) ? combiner : std::nullopt;
}

/// A leader reduces the elements of one tensor, each once.
bool canLead(linalg::LinalgOp op) {
  return op.getNumDpsInputs() == 1 && matchPartible(op) &&
         op.getMatchingIndexingMap(op.getDpsInputOperand(0)).isPermutation() &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isProjectedPermutation();
}

/// Whether partial results of `op` are multiplied without loss beyond that of their sum.
bool isWideFloat(linalg::LinalgOp op) {
  return isa<Float32Type, Float64Type>(getElementTypeOrSelf(op->getResult(0)));
}

/// Elements that go into one result, if that is known; else 0.
int64_t countElements(linalg::LinalgOp op) {
  int64_t count = 1;
  for (auto [extent, kind] : llvm::zip_equal(op.getStaticLoopRanges(), op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      count *= ShapedType::isDynamic(extent) ? 0 : extent;
  return count;
}

class Finder {
public:
  explicit Finder(graph::KernelOp kernel) {
    for (auto op : kernel.getBody().getOps<linalg::LinalgOp>())
      if (op.getNumReductionLoops() != 0 && matchPartible(op))
        reductions.push_back(op);
  }

  SmallVector<JointPass> find() {
    SmallVector<JointPass> passes;
    // Laws first: a reduction that has one saves more than a read.
    for (bool byLaw : {true, false})
      for (linalg::LinalgOp leader : reductions)
        if (!taken.contains(leader) && canLead(leader))
          if (std::optional<JointPass> pass = form(leader, byLaw)) {
            taken.insert(leader);
            for (const JointMember &member : pass->members)
              taken.insert(member.op);
            passes.push_back(std::move(*pass));
          }
    return passes;
  }

private:
  std::optional<JointPass> form(linalg::LinalgOp leader, bool needsLaw) {
    JointPass pass;
    pass.leader = leader;
    // The outermost loop is cut.
    for (auto [loop, kind] : llvm::enumerate(leader.getIteratorTypesArray()))
      if (kind == utils::IteratorType::reduction) {
        pass.loop = loop;
        break;
      }
    llvm::DenseSet<Value> fromLeader = findDependents({leader->getResult(0)}), fromMembers;
    bool hasLaw = false;
    for (linalg::LinalgOp op : reductions) {
      if (op == leader || taken.contains(op) || fromMembers.contains(op->getResult(0)))
        continue;
      std::optional<JointMember> member = match(leader, pass.loop, op, fromLeader);
      if (!member)
        continue;
      hasLaw |= member->law != RescalingLaw::Independent;
      pass.members.push_back(*member);
      for (Value value : findDependents({op->getResult(0)}))
        fromMembers.insert(value);
    }
    if (pass.members.empty() || (needsLaw && !hasLaw))
      return std::nullopt;
    // Nothing that the pass computes may go into another of its reductions before it is complete.
    if (fromMembers.contains(leader->getResult(0)))
      return std::nullopt;
    pass.dependents = std::move(fromLeader);
    pass.dependents.insert(fromMembers.begin(), fromMembers.end());
    unsigned numWide = 0;
    for (const JointMember &member : pass.members)
      if (pass.isWide(member)) {
        ++numWide;
        pass.fromWide = findDependents({linalg::LinalgOp(member.op)->getResult(0)});
      }
    // A product is computed once: all of its readers have to run together.
    if (!checkProducts(pass) || (pass.holdsProduct && numWide > 1))
      return std::nullopt;
    return pass;
  }

  /// `op` as a member of the pass that `leader` leads along `loop`.
  static std::optional<JointMember> match(linalg::LinalgOp leader, unsigned loop,
                                          linalg::LinalgOp op,
                                          const llvm::DenseSet<Value> &fromLeader) {
    OpOperand *input = leader.getDpsInputOperand(0);
    std::optional<AffineMap> elements = findRead(op, input->get());
    if (!elements || op.getNumReductionLoops() != leader.getNumReductionLoops() ||
        !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isProjectedPermutation())
      return std::nullopt;
    // The op's loop for each of the leader's.
    AffineMap loops = inversePermutation(leader.getMatchingIndexingMap(input)).compose(*elements);
    llvm::SmallBitVector used(op.getNumLoops());
    for (auto [i, kind] : llvm::enumerate(leader.getIteratorTypesArray())) {
      auto dim = dyn_cast<AffineDimExpr>(loops.getResult(i));
      bool isUnit = leader.getStaticLoopRanges()[i] == 1;
      if (!dim && isUnit && kind == utils::IteratorType::parallel)
        continue;
      if (!dim || used.test(dim.getPosition()) ||
          op.getIteratorTypesArray()[dim.getPosition()] != kind)
        return std::nullopt;
      used.set(dim.getPosition());
    }
    JointMember member;
    member.op = op;
    member.loop = cast<AffineDimExpr>(loops.getResult(loop)).getPosition();
    member.shared = leader.getMatchingIndexingMap(leader.getDpsInitOperand(0)).compose(loops);
    member.law = RescalingLaw::Independent;
    std::optional<Combiner> combiner = matchPartible(op);
    if (!fromLeader.contains(op->getResult(0)))
      return member;
    TermAnalysis terms(leader, fromLeader, member.shared, *elements);
    Combiner leading = *matchPartible(leader);
    // The laws are about the elements that the leader reduces, not about functions of them.
    if (leading.reduced != leader.getRegionInputArgs()[0])
      return std::nullopt;
    Type element = getElementTypeOrSelf(leader->getResult(0));
    if (!isa<arith::AddFOp>(combiner->op) || !isWideFloat(leader) ||
        element != getElementTypeOrSelf(op->getResult(0)))
      return std::nullopt;
    if (isa<arith::MaximumFOp>(leading.op) && terms.isExponential(op, combiner->reduced))
      member.law = RescalingLaw::Exponential;
    else if (isa<arith::AddFOp>(leading.op) && countElements(leader) > 0 &&
             terms.isSquaredDistance(op, combiner->reduced, countElements(leader)))
      member.law = RescalingLaw::Variance;
    else
      return std::nullopt;
    return member;
  }

  /// Whether every product that goes into the pass goes nowhere else. Sets holdsProduct.
  static bool checkProducts(JointPass &pass) {
    llvm::DenseSet<Operation *> inPass{pass.leader};
    for (const JointMember &member : pass.members)
      inPass.insert(member.op);
    llvm::SetVector<Operation *> before;
    for (Operation *op : inPass)
      before.insert(op);
    for (unsigned i = 0; i < before.size(); ++i)
      for (Value operand : before[i]->getOperands())
        if (Operation *def = operand.getDefiningOp())
          before.insert(def);
    for (Operation *op : before) {
      auto product = dyn_cast<linalg::LinalgOp>(op);
      if (inPass.contains(op) || !product || !graph::sumsProducts(product))
        continue;
      pass.holdsProduct = true;
      llvm::SetVector<Operation *> after;
      after.insert(op);
      for (unsigned i = 0; i < after.size(); ++i)
        for (Operation *user : after[i]->getUsers()) {
          if (user->hasTrait<OpTrait::IsTerminator>())
            return false;
          if (!inPass.contains(user) && !isa<tensor::DimOp>(user))
            after.insert(user);
        }
    }
    return true;
  }

  SmallVector<linalg::LinalgOp> reductions;
  llvm::DenseSet<Operation *> taken;
};

} // namespace

SmallVector<JointPass> sectile::findJointPasses(graph::KernelOp kernel) {
  return Finder(kernel).find();
}
