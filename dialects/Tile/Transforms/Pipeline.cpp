//===- Pipeline.cpp - the pass tile-pipeline ------------------ -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A loop that copies tiles to shared memory and waits for them gets several
// buffers for each and copies ahead: while iteration i multiplies, the copies of
// iteration i + stages - 1 are under way.
//
//     copies of iterations 0 .. stages - 2, a group each
//     for i:
//       wait for all but the last stages - 2 groups     those of i have ended
//       copies of i + stages - 1, a group               into what i - 1 read
//       multiply from buffer i mod stages
//
// There is no other prologue and no epilogue but a wait for all: a copy for an
// iteration that does not exist is masked as a whole, so that every iteration has
// its group. The
// barrier behind a wait, which tile-to-simt places, also ends the reads of i - 1.
//
// Products that read memory themselves go on beside the program as well: those of
// i are waited for in iteration i + 1, behind which their buffer is free. So
// copies are then made for i + stages - 2, two iterations behind the reads.
//
//===----------------------------------------------------------------------===//

#include "GroupProducts.h"
#include "Passes.h"

#include "sectile/Layout/MemoryLayout.h"
#include "sectile/Target/GpuTarget.h"
#include "sectile/Target/MatrixInstruction.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/IntegerSet.h"
#include "mlir/IR/Remarks.h"

namespace sectile::tile {
#define GEN_PASS_DEF_TILEPIPELINEPASS
#include "dialects/Tile/Transforms/Passes.h.inc"
} // namespace sectile::tile

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;
using layout::MemoryLayout;

static constexpr int64_t kMostStages = 4;

/// Cycles from a copy's begin to its end while others are under way, and what matrix instructions
/// do in the time of a multiply-add of f32. Assumed, not measured.
static constexpr int64_t kLatencyCycles = 600, kMatrixRate = 8;

namespace {
/// A store that may go on beside the program, and the load that it copies.
struct Copy {
  LoadOp load;
  StoreOp store;
  AllocOp memory;
};

/// What one wait waits for.
struct Group {
  SmallVector<Copy> copies;
  CommitCopiesOp commit;
  WaitCopiesOp wait;
};

class LoopPipeliner {
public:
  LoopPipeliner(KernelOp kernel, const target::GpuTarget &target, scf::ForOp loop)
      : kernel(kernel), target(target), loop(loop) {}

  /// Whether the loop's copies can go ahead. Asked before any loop is changed: what others get
  /// before and behind them may lie in this one.
  bool collect();
  LogicalResult run();

private:
  bool canMove(Value value, unsigned depth = 0);
  FailureOr<int64_t> chooseStages();
  int64_t predictCycles();
  void growBuffers(int64_t stages);
  void emitCopies(OpBuilder &builder, const Group &group, Value counter, Value stage);
  Value copyOperand(OpBuilder &builder, Value value, IRMapping &mapping);
  void redirectReads(int64_t stages);
  bool findProducts();
  bool allowsTwoBlocks();
  void deferProducts();
  Value makeStage(OpBuilder &builder, Value counter, int64_t stages);
  remark::RemarkOpts remarkOptions(StringRef name) {
    return remark::RemarkOpts::name(name).category("tile-pipeline");
  }

  KernelOp kernel;
  const target::GpuTarget &target;
  scf::ForOp loop;
  int64_t step = 0;
  SmallVector<Group> groups;
  /// Products that read the copies where they are, each the loop's accumulator of a number.
  SmallVector<std::pair<DotOp, unsigned>> products;
};
} // namespace

/// Groups of copies in the loop's own body, each with its wait behind it.
bool LoopPipeliner::collect() {
  APInt constant;
  if (!matchPattern(loop.getStep(), m_ConstantInt(&constant)) || constant.getSExtValue() < 1)
    return false;
  step = constant.getSExtValue();
  // Buffers of more than one are told apart here, and so must everything be that knows of one.
  auto isOwn = [&](AllocOp memory, StoreOp store) {
    auto placement = memory->getAttrOfType<StringAttr>(kPlacementAttr);
    bool isPacked = memory.getType().getPackedBits() != 0;
    return (isPacked || (placement && MemoryLayout::parse(placement.getValue()))) &&
           llvm::all_of(memory->getUsers(), [&](Operation *user) {
             return user == store || (isa<LoadOp>(user) && loop->isProperAncestor(user));
           });
  };
  Group group;
  for (Operation &op : *loop.getBody()) {
    if (auto store = dyn_cast<StoreOp>(op); store && store->hasAttr(kAsyncAttr)) {
      auto load = store.getValue().getDefiningOp<LoadOp>();
      auto memory = store.getView().getDefiningOp<AllocOp>();
      if (!load || !memory || group.commit || !isOwn(memory, store))
        return false;
      for (Value operand : load->getOperands().drop_front())
        if (!canMove(operand))
          return false;
      group.copies.push_back({load, store, memory});
    } else if (auto commit = dyn_cast<CommitCopiesOp>(op)) {
      if (group.commit)
        return false;
      group.commit = commit;
    } else if (auto wait = dyn_cast<WaitCopiesOp>(op)) {
      if (!group.commit || group.copies.empty() || wait.getPending() != 0)
        return false;
      group.wait = wait;
      groups.push_back(std::exchange(group, {}));
    }
  }
  return !groups.empty() && group.copies.empty() && !group.commit;
}

/// Whether an index of a copy can be computed for another iteration: of the counter and of what the
/// loop does not change.
bool LoopPipeliner::canMove(Value value, unsigned depth) {
  if (value == loop.getInductionVar() || !loop.getRegion().isAncestor(value.getParentRegion()))
    return true;
  Operation *op = value.getDefiningOp();
  constexpr unsigned kMostOps = 8;
  return op && op->getBlock() == loop.getBody() && depth < kMostOps && isPure(op) &&
         op->getNumRegions() == 0 &&
         llvm::all_of(
             op->getOperands(), [&](Value operand) { return canMove(operand, depth + 1); });
}

/// What one iteration's products take, at the published rates.
int64_t LoopPipeliner::predictCycles() {
  int64_t cycles = 0;
  loop->walk([&](DotOp dot) {
    auto lhs = cast<RankedTensorType>(dot.getLhs().getType());
    auto result = cast<RankedTensorType>(dot.getType());
    int64_t work = ShapedType::getNumElements(result.getShape()) * lhs.getDimSize(1);
    int64_t rate = dot->hasAttr(kInstructionAttr) ? kMatrixRate : 1;
    cycles += work / (target.multiplyAddsPerCycle * rate);
  });
  return std::max<int64_t>(cycles, 1);
}

/// Whether registers for the sums of two blocks fit a core, beside what threads compute with.
bool LoopPipeliner::allowsTwoBlocks() {
  constexpr int64_t kOtherRegisters = 40;
  auto warps = kernel->getAttrOfType<IntegerAttr>(kWarpsAttr);
  int64_t threads = target.threadsPerWarp * (warps ? warps.getInt() : 1), sums = 0;
  for (auto [dot, number] : products)
    sums += ShapedType::getNumElements(cast<RankedTensorType>(dot.getType()).getShape());
  return 2 * (sums + threads * kOtherRegisters) <= target.registersPerCore;
}

/// The schedule's choice, or as many as hide a copy's latency behind products, fit half of a core's
/// shared memory and have iterations.
FailureOr<int64_t> LoopPipeliner::chooseStages() {
  if (ScheduleAttr schedule = kernel.getScheduleAttr())
    if (Attribute choice = schedule.getChoices().get("stages")) {
      auto stages = dyn_cast<IntegerAttr>(choice);
      if (!stages || stages.getInt() < 1 || stages.getInt() > kMostStages)
        return kernel.emitOpError("expects choice 'stages' to be from 1 to ")
               << kMostStages << ", but got " << choice;
      return stages.getInt();
    }
  int64_t own = 0, all = 0;
  for (const Group &group : groups)
    for (const Copy &copy : group.copies)
      own += getSharedBytes(copy.memory).value_or(0);
  for (auto alloc : kernel.getBody().getOps<AllocOp>())
    all += getSharedBytes(alloc).value_or(0); // tile-to-simt says which sizes are not known
  int64_t cycles = predictCycles();
  // Products that go on beside the program keep one buffer more.
  int64_t stages = std::clamp<int64_t>(1 + llvm::divideCeil(kLatencyCycles, cycles),
                                       products.empty() ? 2 : 3, kMostStages);
  // Sums may leave registers for one block only; an exchange of its tiles still needs room.
  int64_t room =
      (allowsTwoBlocks() ? target.sharedBytesPerBlock / 2 : target.sharedBytesPerBlock * 3 / 4) -
      (all - own);
  int64_t fitting = std::max<int64_t>(room / own, 1);
  APInt lower, upper;
  if (matchPattern(loop.getLowerBound(), m_ConstantInt(&lower)) &&
      matchPattern(loop.getUpperBound(), m_ConstantInt(&upper))) {
    int64_t trips =
        llvm::divideCeil(std::max<int64_t>(upper.getSExtValue() - lower.getSExtValue(), 1), step);
    stages = std::min(stages, trips);
  }
  stages = std::min(stages, fitting);
  auto remark = stages > 1 ? remark::passed(loop.getLoc(), remarkOptions("stages"))
                           : remark::missed(loop.getLoc(), remarkOptions("stages"));
  remark << remark::add("has ") << remark::metric("stages", stages)
         << remark::add(" of {0} bytes, for {1} cycles of products in an iteration", own, cycles);
  return stages;
}

/// The same for packed codes, whose type says where they lie.
static void growPacked(AllocOp memory, int64_t stages) {
  ViewType type = memory.getType();
  MemoryAttr one = type.getMemory();
  MLIRContext *context = type.getContext();
  SmallVector<int64_t> shape{stages};
  llvm::append_range(shape, type.getShape());
  SmallVector<AffineExpr> physical{getAffineDimExpr(0, context)};
  for (AffineExpr expr : one.getMap().getResults())
    physical.push_back(expr.shiftDims(one.getMap().getNumDims(), 1));
  auto rank = static_cast<unsigned>(shape.size());
  memory.getResult().setType(
      ViewType::get(context, shape, type.getElementType(),
                    MemoryAttr::get(context, AffineMap::get(rank, 0, physical, context), {},
                                    one.getBits(), one.getAlong() + 1, one.getOrder())));
}

/// A dimension of buffers before those of each copied memory.
void LoopPipeliner::growBuffers(int64_t stages) {
  for (Group &group : groups)
    for (Copy &copy : group.copies) {
      if (copy.memory.getType().getPackedBits() != 0) {
        growPacked(copy.memory, stages);
        continue;
      }
      MemoryLayout one =
          *MemoryLayout::parse(copy.memory->getAttrOfType<StringAttr>(kPlacementAttr).getValue());
      std::vector<int64_t> shape{stages};
      shape.insert(shape.end(), one.shape().begin(), one.shape().end());
      std::vector<std::vector<layout::MemoryDigit>> digits(shape.size() + 1);
      digits[0] = {{stages, one.sizeBits()}};
      for (const layout::Digit &digit : one.map().digits())
        digits[digit.from.axis + 1].push_back({digit.extent, digit.to->stride});
      auto all = MemoryLayout::create(shape, one.elementBits(), digits,
                                      {one.swizzles().begin(), one.swizzles().end()},
                                      one.sizeBits() * stages);
      OpBuilder builder(copy.memory);
      ViewType type = copy.memory.getType();
      copy.memory.getResult().setType(
          ViewType::get(type.getContext(), shape, type.getElementType(), {}));
      copy.memory->setAttr(kPlacementAttr, builder.getStringAttr(all->str()));
    }
}

/// Which buffer iteration `counter` has.
Value LoopPipeliner::makeStage(OpBuilder &builder, Value counter, int64_t stages) {
  AffineExpr at = builder.getAffineSymbolExpr(0), lower = builder.getAffineSymbolExpr(1);
  auto map = AffineMap::get(0, 2, (at - lower).floorDiv(step) % stages);
  return affine::AffineApplyOp::create(builder, loop.getLoc(), map,
                                       ValueRange{counter, loop.getLowerBound()});
}

Value LoopPipeliner::copyOperand(OpBuilder &builder, Value value, IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  if (!loop.getRegion().isAncestor(value.getParentRegion()))
    return value;
  Operation *op = value.getDefiningOp();
  for (Value operand : op->getOperands())
    (void)copyOperand(builder, operand, mapping);
  builder.clone(*op, mapping);
  return mapping.lookup(value);
}

/// The group's copies for iteration `counter`, which need not exist, into buffer `stage`.
void LoopPipeliner::emitCopies(OpBuilder &builder, const Group &group, Value counter, Value stage) {
  IRMapping mapping;
  mapping.map(loop.getInductionVar(), counter);
  for (Copy copy : group.copies) {
    LoadOp load = copy.load;
    auto rank = static_cast<unsigned>(load.getTileRank());
    auto mapAll = [&](OperandRange values) {
      SmallVector<Value> result;
      for (Value value : values)
        result.push_back(copyOperand(builder, value, mapping));
      return result;
    };
    SmallVector<Value> operands = mapAll(load.getMapOperands());
    SmallVector<Value> setOperands = mapAll(load.getSetOperands());
    // There is such an iteration: counter < upper bound.
    SmallVector<AffineExpr> constraints;
    SmallVector<bool> isEquality;
    if (std::optional<IntegerSet> set = load.getWhere()) {
      constraints.assign(set->getConstraints().begin(), set->getConstraints().end());
      isEquality.assign(set->getEqFlags().begin(), set->getEqFlags().end());
    }
    auto symbols = static_cast<unsigned>(setOperands.size());
    constraints.push_back(builder.getAffineSymbolExpr(symbols + 1) -
                          builder.getAffineSymbolExpr(symbols) - 1);
    isEquality.push_back(false);
    setOperands.append({counter, loop.getUpperBound()});
    TypedAttr fill = load.getFillAttr();
    if (!fill)
      fill = builder.getZeroAttr(load.getView().getType().getElementType());
    auto ahead = LoadOp::create(
        builder, load.getLoc(), load.getType(), load.getView(), operands, setOperands, ValueRange(),
        load.getMapAttr(),
        IntegerSetAttr::get(IntegerSet::get(rank, symbols + 2, constraints, isEquality)), fill);
    SmallVector<AffineExpr> place{builder.getAffineSymbolExpr(0)};
    for (unsigned dim = 0; dim < rank; ++dim)
      place.push_back(builder.getAffineDimExpr(dim));
    auto store = StoreOp::create(
        builder, load.getLoc(), ahead.getResult(), copy.memory, ValueRange{stage}, ValueRange(),
        ValueRange(), AffineMapAttr::get(AffineMap::get(rank, 1, place, builder.getContext())),
        IntegerSetAttr());
    store->setAttr(kAsyncAttr, builder.getUnitAttr());
  }
  CommitCopiesOp::create(builder, loop.getLoc());
}

/// Reads of the loop's copies are those of its own iteration's buffer.
void LoopPipeliner::redirectReads(int64_t stages) {
  OpBuilder builder(loop.getBody(), loop.getBody()->begin());
  Value stage = makeStage(builder, loop.getInductionVar(), stages);
  for (Group &group : groups)
    for (Copy &copy : group.copies)
      for (Operation *user : llvm::to_vector(copy.memory->getUsers())) {
        auto load = dyn_cast<LoadOp>(user);
        if (!load)
          continue;
        AffineMap map = load.getMap();
        unsigned symbols = map.getNumSymbols();
        SmallVector<AffineExpr> exprs{builder.getAffineSymbolExpr(symbols)};
        llvm::append_range(exprs, map.getResults());
        load.setMap(AffineMap::get(map.getNumDims(), symbols + 1, exprs, builder.getContext()));
        load.getMapOperandsMutable().append(stage);
      }
}

/// Whether all products that read memory only add to what the loop carries, so that nobody else
/// looks at their sums on the way.
bool LoopPipeliner::findProducts() {
  bool areSums = true;
  loop->walk([&](DotOp dot) {
    if (!isGroupProduct(dot))
      return;
    auto sum = dyn_cast<BlockArgument>(dot.getAcc());
    auto *yield = loop.getBody()->getTerminator();
    if (!sum || sum.getOwner() != loop.getBody() || sum.getArgNumber() == 0 || !sum.hasOneUse() ||
        !dot->hasOneUse() || dot->getBlock() != loop.getBody() ||
        yield->getOperand(sum.getArgNumber() - 1) != dot.getResult()) {
      areSums = false;
      return;
    }
    products.push_back({dot, sum.getArgNumber() - 1});
  });
  return areSums && !products.empty();
}

/// Products end in the next iteration, and all of them behind the loop.
void LoopPipeliner::deferProducts() {
  Operation *yield = loop.getBody()->getTerminator();
  OpBuilder before(loop), end(yield), after(loop->getContext());
  after.setInsertionPointAfter(loop);
  for (auto [dot, number] : products) {
    dot->setAttr(kAsyncAttr, end.getUnitAttr());
    // What sums begin with is in their registers before the first product is fenced.
    OpOperand &first = loop.getInitArgsMutable()[number];
    first.set(WaitProductsOp::create(before, dot.getLoc(), first.get(), 0));
    auto wait = WaitProductsOp::create(end, dot.getLoc(), dot.getResult(), products.size());
    yield->setOperand(number, wait.getResult());
    auto all = WaitProductsOp::create(after, dot.getLoc(), loop.getResult(number), 0);
    loop.getResult(number).replaceAllUsesExcept(all.getResult(), all);
  }
  remark::passed(loop.getLoc(), remarkOptions("products"))
      << remark::add("products of an iteration end in the next one");
}

LogicalResult LoopPipeliner::run() {
  if (!findProducts())
    products.clear();
  FailureOr<int64_t> chosen = chooseStages();
  if (failed(chosen))
    return failure();
  int64_t stages = *chosen;
  if (stages < 2)
    return success();
  // What products under way read is not to be overwritten: one buffer fewer is copied ahead.
  bool isDeferred = stages > 2 && !products.empty();
  int64_t ahead = isDeferred ? stages - 2 : stages - 1;
  growBuffers(stages);
  redirectReads(stages);
  Location loc = loop.getLoc();
  OpBuilder before(loop);
  for (int64_t i = 0; i < ahead; ++i) {
    Value counter = affine::AffineApplyOp::create(
        before, loc,
        AffineMap::get(0, 1,
                       before.getAffineSymbolExpr(0) + before.getAffineConstantExpr(i * step)),
        ValueRange{loop.getLowerBound()});
    Value stage = arith::ConstantIndexOp::create(before, loc, i);
    for (const Group &group : groups)
      emitCopies(before, group, counter, stage);
  }
  // Masked copies write zeroes, to what another run of the loop copies to.
  OpBuilder after(loop->getContext());
  after.setInsertionPointAfter(loop);
  WaitCopiesOp::create(after, loc, 0);
  auto numGroups = static_cast<int64_t>(groups.size());
  for (Group &group : groups) {
    // Behind the wait, so that a barrier stands between what the buffer was read for and the copy.
    OpBuilder builder(group.wait->getContext());
    builder.setInsertionPointAfter(group.wait);
    group.wait.setPending(ahead * numGroups - 1);
    Value counter = affine::AffineApplyOp::create(
        builder, loc,
        AffineMap::get(
            0, 1, builder.getAffineSymbolExpr(0) + builder.getAffineConstantExpr(ahead * step)),
        ValueRange{loop.getInductionVar()});
    emitCopies(builder, group, counter, makeStage(builder, counter, stages));
    group.commit.erase();
    for (Copy &copy : group.copies) {
      copy.store.erase();
      copy.load.erase();
    }
  }
  if (isDeferred)
    deferProducts();
  return success();
}

namespace {
struct PipelinePass : tile::impl::TilePipelinePassBase<PipelinePass> {
  using TilePipelinePassBase::TilePipelinePassBase;

  void runOnOperation() override {
    FailureOr<KernelDevice> device = getKernelDevice(getOperation());
    if (failed(device))
      return signalPassFailure(); // an error says why
    SmallVector<LoopPipeliner> loops;
    getOperation()->walk([&](scf::ForOp loop) {
      LoopPipeliner pipeliner(getOperation(), *device->target, loop);
      if (pipeliner.collect())
        loops.push_back(std::move(pipeliner));
    });
    for (LoopPipeliner &loop : loops)
      if (failed(loop.run()))
        return signalPassFailure();
  }
};
} // namespace
