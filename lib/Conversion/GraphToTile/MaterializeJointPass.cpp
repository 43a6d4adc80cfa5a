//===- MaterializeJointPass.cpp - reductions block by block -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See JointPass.h. The loop over blocks carries the leader's result so far and
// partial results of the members. While it is open, what asks for the leader's
// result gets the one so far, and values that are kept in private memory are
// kept for one block.
//
//===----------------------------------------------------------------------===//

#include "JointPass.h"
#include "ReductionEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace sectile;

/// Emits one joint pass in the innermost open scope. Whatever fails has been reported by what was
/// asked for a tile.
class Materializer::JointEmitter {
public:
  JointEmitter(Materializer &materializer, const JointPass &pass, int64_t block)
      : materializer(materializer), space(materializer.space), builder(materializer.builder),
        pass(pass), block(block), leader(pass.leader), loc(leader.getLoc()) {}

  /// Runs it for the result of `asked` at `coords`, and all others that those tell the place of.
  LogicalResult run(linalg::LinalgOp asked, const Coords &coords);

private:
  struct Member {
    const JointMember *info;
    Coords coords;
    std::unique_ptr<ReductionEmitter> emitter;
    TileValue partial;
    /// What blocks' means add to a variance: one for each result.
    TileValue spread;
  };

  Constraints getBounds(Value value, const Coords &coords);
  Coords getResultCoords(linalg::LinalgOp op, const Coords &loops);
  LogicalResult addMember(const JointMember &info, const Coords &coords);
  LogicalResult runBlocks(AffineExpr count, AffineExpr done, AffineExpr size, SymbolBounds bounds);
  LogicalResult runBlock(AffineExpr base, AffineExpr size);
  FailureOr<TileValue> combine(const Combiner &combiner, const TileValue &lhs,
                               const TileValue &rhs);
  TileValue isLeast(const TileValue &tile);
  bool startsInfinite() const { return cast<FloatAttr>(start).getValue().isInfinity(); }
  FailureOr<TileValue> finish(Member &member, const TileValue &leading);
  SmallVector<Value> getCarried();
  void setCarried(ValueRange values);
  void prepareExponential(const TileValue &before);
  void prepareVariance(const TileValue &before, const TileValue &part, AffineExpr base,
                       AffineExpr size);
  TileValue toFloat(AffineExpr expr);
  /// The tile of an `Op`, made with `first` and then tiles of one shape.
  template <typename Op, typename... Args>
  TileValue apply(ArrayRef<TileValue> operands, Args... first) {
    materializer.setInsertionPoint();
    TileValue result;
    SmallVector<Value> values = materializer.repeatAlike(loc, operands, result.dims);
    Op made;
    if constexpr (std::is_same_v<Op, arith::CmpFOp>)
      made = Op::create(builder, loc, first..., values[0], values[1]);
    else
      made = Op::create(builder, loc, first..., values);
    materializer.allowContraction(made);
    result.value = made->getResult(0);
    return result;
  }

  Materializer &materializer;
  IndexSpace &space;
  OpBuilder &builder;
  const JointPass &pass;
  int64_t block;
  linalg::LinalgOp leader;
  Location loc;

  Coords leaderCoords, leaderLoops;
  SmallVector<unsigned> leaderDims;
  Combiner combiner;
  TypedAttr start;
  std::unique_ptr<ReductionEmitter> leaderEmitter;
  /// The leader's result so far, which a law asks for, and its partial results, which rounding
  /// harms less. A greatest element is the same either way.
  TileValue leading, partial;
  SmallVector<Member> members;
  /// The law of the members that have one: there is one for each kind of leader.
  RescalingLaw law = RescalingLaw::Independent;
  /// In the body: the leader's result as the terms of a block see it, and what the law makes of
  /// partial results: a factor, or a summand.
  TileValue shown, change;
};

/// Conditions under which an element of `value` at `coords` exists, where that is not known. What a
/// pass computes it computes for all of them, whoever asks.
Constraints Materializer::JointEmitter::getBounds(Value value, const Coords &coords) {
  Constraints valid;
  for (auto [dim, coord] : llvm::enumerate(coords))
    for (AffineExpr bound : {coord, materializer.getSize(value, dim) - 1 - coord})
      if (bound = space.simplify(bound); !space.isNonNegative(bound))
        valid.push_back(bound);
  return valid;
}

Coords Materializer::JointEmitter::getResultCoords(linalg::LinalgOp op, const Coords &loops) {
  Coords coords;
  for (AffineExpr expr : op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getResults())
    coords.push_back(space.simplify(expr.replaceDims(loops)));
  return coords;
}

FailureOr<TileValue> Materializer::JointEmitter::combine(const Combiner &combiner,
                                                         const TileValue &lhs,
                                                         const TileValue &rhs) {
  materializer.setInsertionPoint();
  return materializer.applyElementwise(combiner.op, {lhs, rhs});
}

/// Where the tile is what it started from.
TileValue Materializer::JointEmitter::isLeast(const TileValue &tile) {
  materializer.setInsertionPoint();
  TileValue least{arith::ConstantOp::create(builder, loc, start), {}};
  return apply<arith::CmpFOp>({tile, least}, arith::CmpFPredicate::OEQ);
}

LogicalResult Materializer::JointEmitter::addMember(const JointMember &info, const Coords &coords) {
  Member member;
  member.info = &info;
  member.coords = getResultCoords(info.op, coords);
  Constraints valid = getBounds(linalg::LinalgOp(info.op)->getResult(0), member.coords);
  // The chunk of partial results is that of a whole block.
  LoopRange range{info.loop, space.constant(0), space.constant(block)};
  member.emitter =
      std::make_unique<ReductionEmitter>(materializer, info.op, 0, coords, valid, range);
  FailureOr<SmallVector<TileValue>> partial = member.emitter->start();
  if (failed(partial))
    return failure();
  member.partial = partial->front();
  if (info.law != RescalingLaw::Independent)
    law = info.law;
  if (info.law == RescalingLaw::Variance)
    member.spread = leading; // 0, as any sum
  members.push_back(std::move(member));
  return success();
}

LogicalResult Materializer::JointEmitter::run(linalg::LinalgOp asked, const Coords &coords) {
  AffineMap resultMap = asked.getMatchingIndexingMap(asked.getDpsInitOperand(0));
  Coords askedLoops(getLoopCoords(asked, resultMap, coords));
  const JointMember *askedMember = pass.getMember(asked);
  AffineMap leaderMap = leader.getMatchingIndexingMap(leader.getDpsInitOperand(0));
  if (askedMember) {
    for (AffineExpr expr : askedMember->shared.getResults())
      leaderCoords.push_back(space.simplify(expr.replaceDims(askedLoops)));
  } else {
    leaderCoords = coords;
  }
  leaderLoops = Coords(getLoopCoords(leader, leaderMap, leaderCoords));
  for (AffineExpr expr : leaderCoords)
    space.collectTileDims(expr, leaderDims);

  combiner = *matchCombiner(leader, 0);
  start = getFillValue(leader.getDpsInits()[0]);
  materializer.setInsertionPoint();
  TileValue initial{arith::ConstantOp::create(builder, loc, start), {}};
  leading = {materializer.broadcastTo(loc, initial, leaderDims), leaderDims};
  leaderEmitter = std::make_unique<ReductionEmitter>(
      materializer, leader, 0, leaderLoops, getBounds(leader->getResult(0), leaderCoords),
      LoopRange{pass.loop, space.constant(0), space.constant(block)});
  FailureOr<SmallVector<TileValue>> first = leaderEmitter->start();
  if (failed(first))
    return failure();
  partial = first->front();
  for (const JointMember &info : pass.members) {
    bool isAsked = &info == askedMember;
    if (!isAsked && pass.isWide(info))
      continue;
    Coords loops = isAsked ? askedLoops : Coords(getLoopCoords(info.op, info.shared, leaderCoords));
    if (failed(addMember(info, loops)))
      return failure();
  }

  AffineExpr size = materializer.getLoopSize(leader, pass.loop);
  AffineExpr full = space.simplify(size.floorDiv(block)), done = full * block;
  AffineExpr rest = space.simplify(size - done);
  if (failed(runBlocks(full, space.constant(0), space.constant(block), {0, block, size - block})))
    return failure();
  if (rest != space.constant(0)) {
    if (!isa<AffineConstantExpr>(rest)) {
      Value left = materializer.emitIndex(loc, rest);
      rest = space.addSymbol(left, materializer.getLevel(), {0, 1, size - done});
    }
    AffineExpr count = isa<AffineConstantExpr>(rest) ? space.constant(1)
                                                     : space.simplify(size.ceilDiv(block) - full);
    if (failed(runBlocks(count, done, rest, {0, 1, space.constant(0)})))
      return failure();
  }

  if (law != RescalingLaw::Exponential) {
    FailureOr<TileValue> total = leaderEmitter->finish(partial);
    if (failed(total))
      return failure();
    leading = *total;
  }
  Frame::Pass results;
  results.pass = &pass;
  for (Member &member : members) {
    FailureOr<TileValue> tile = finish(member, leading);
    if (failed(tile))
      return failure();
    results.results.push_back(
        {linalg::LinalgOp(member.info->op)->getResult(0), member.coords, *tile});
  }
  results.results.push_back({leader->getResult(0), leaderCoords, leading});
  materializer.frames.back().passes.push_back(std::move(results));
  return success();
}

/// `count` blocks of `size` elements, from element `done` on.
LogicalResult Materializer::JointEmitter::runBlocks(AffineExpr count, AffineExpr done,
                                                    AffineExpr size, SymbolBounds bounds) {
  if (count == space.constant(0))
    return success();
  SmallVector<Value> args;
  AffineExpr counter =
      materializer.openLoop(loc, count, getCarried(), /*sweeps=*/false, &args, bounds);
  setCarried(args);
  if (failed(runBlock(done + counter * block, size)))
    return failure();
  setCarried(materializer.closeLoop(getCarried()));
  return success();
}

SmallVector<Value> Materializer::JointEmitter::getCarried() {
  SmallVector<Value> values;
  if (law != RescalingLaw::Independent)
    values.push_back(leading.value);
  if (law != RescalingLaw::Exponential)
    values.push_back(partial.value);
  for (Member &member : members) {
    values.push_back(member.partial.value);
    if (member.spread.value)
      values.push_back(member.spread.value);
  }
  return values;
}

void Materializer::JointEmitter::setCarried(ValueRange values) {
  auto next = values.begin();
  auto take = [&] { return *next++; };
  if (law != RescalingLaw::Independent)
    leading.value = take();
  if (law != RescalingLaw::Exponential)
    partial.value = take();
  for (Member &member : members) {
    member.partial.value = take();
    if (member.spread.value)
      member.spread.value = take();
  }
}

/// Terms are formed with the greatest element so far, or 0 where all elements so far are -inf:
/// their terms are then 0, as they will be once another element is greater. Of a maximum that
/// starts from a finite value, any element's distance is defined.
void Materializer::JointEmitter::prepareExponential(const TileValue &before) {
  shown = leading;
  if (startsInfinite()) {
    auto zero = builder.getZeroAttr(cast<FloatAttr>(start).getType());
    TileValue none{arith::ConstantOp::create(builder, loc, zero), {}};
    shown = apply<arith::SelectOp>({isLeast(leading), none, leading});
  }
  change = apply<math::ExpOp>({apply<arith::SubFOp>({before, shown})});
}

TileValue Materializer::JointEmitter::toFloat(AffineExpr expr) {
  Value integer = arith::IndexCastOp::create(builder, loc, builder.getI64Type(),
                                             materializer.emitIndex(loc, expr));
  return {arith::SIToFPOp::create(builder, loc, cast<FloatAttr>(start).getType(), integer), {}};
}

/// Terms are formed with the block's mean, seen as the sum that all elements would have with it.
void Materializer::JointEmitter::prepareVariance(const TileValue &before, const TileValue &part,
                                                 AffineExpr base, AffineExpr size) {
  AffineExpr inner = space.constant(1), steps = materializer.getLoopSize(leader, pass.loop);
  for (auto [loop, kind] : llvm::enumerate(leader.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction && loop != pass.loop)
      inner = inner * materializer.getLoopSize(leader, loop);
  materializer.setInsertionPoint();
  TileValue one = toFloat(space.constant(1));
  TileValue done = toFloat(base * inner), own = toFloat(size * inner), all = toFloat(steps * inner);
  TileValue mean = apply<arith::DivFOp>({part, own});
  // No elements have the mean 0, which counts for nothing.
  TileValue meanBefore = apply<arith::DivFOp>({before, apply<arith::MaximumFOp>({done, one})});
  TileValue distance = apply<arith::SubFOp>({mean, meanBefore});
  TileValue weight =
      apply<arith::DivFOp>({apply<arith::MulFOp>({done, own}), apply<arith::AddFOp>({done, own})});
  change = apply<arith::MulFOp>({apply<arith::MulFOp>({distance, distance}), weight});
  shown = apply<arith::MulFOp>({mean, all});
}

LogicalResult Materializer::JointEmitter::runBlock(AffineExpr base, AffineExpr size) {
  Frame::Pass state;
  state.pass = &pass;
  state.isRunning = true;
  state.base = base;
  state.size = size;
  state.block = block;
  for (AffineExpr expr : leaderCoords)
    state.sharedLevel = std::max(state.sharedLevel, space.getLevel(expr));
  // Passes inside of this one may follow in the same scope.
  size_t place = materializer.frames.back().passes.size();
  materializer.frames.back().passes.push_back(state);

  leaderEmitter->setRange({pass.loop, base, size, block});
  auto part = leaderEmitter->run(leaderEmitter->startPart());
  if (failed(part))
    return failure();
  FailureOr<TileValue> tile;
  if (law != RescalingLaw::Exponential) {
    tile = combine(combiner, partial, part->front());
    if (failed(tile))
      return failure();
    partial.value = tile->value;
  }
  if (law != RescalingLaw::Independent) {
    FailureOr<TileValue> own = leaderEmitter->finishPart(*part);
    if (failed(own))
      return failure();
    TileValue before = leading;
    tile = combine(combiner, before, *own);
    if (failed(tile))
      return failure();
    leading = {materializer.broadcastTo(loc, *tile, leaderDims), leaderDims};
    materializer.setInsertionPoint();
    if (law == RescalingLaw::Exponential)
      prepareExponential(before);
    else
      prepareVariance(before, *own, base, size);
    materializer.frames.back().passes[place].results.push_back(
        {leader->getResult(0), leaderCoords, shown});
  }

  for (Member &member : members) {
    member.emitter->setRange({member.info->loop, base, size, block});
    part = member.emitter->run(member.emitter->startPart());
    if (failed(part))
      return failure();
    TileValue total = member.partial;
    if (member.info->law == RescalingLaw::Exponential)
      total = apply<arith::MulFOp>({total, change});
    if (member.info->law == RescalingLaw::Variance)
      member.spread = apply<arith::AddFOp>({member.spread, change});
    tile = combine(*member.emitter->getCombiner(), total, part->front());
    if (failed(tile))
      return failure();
    member.partial = *tile;
  }
  return success();
}

FailureOr<TileValue> Materializer::JointEmitter::finish(Member &member, const TileValue &leading) {
  FailureOr<TileValue> tile = member.emitter->finish(member.partial);
  if (failed(tile))
    return failure();
  if (member.info->law == RescalingLaw::Variance)
    return apply<arith::AddFOp>({*tile, member.spread});
  if (member.info->law != RescalingLaw::Exponential || !startsInfinite())
    return tile;
  // Where all elements are -inf, each term is exp(-inf + inf).
  auto type = cast<FloatType>(cast<FloatAttr>(start).getType());
  auto nan = builder.getFloatAttr(type, APFloat::getNaN(type.getFloatSemantics()));
  materializer.setInsertionPoint();
  TileValue undefined{arith::ConstantOp::create(builder, loc, nan), {}};
  TileValue chosen = apply<arith::SelectOp>({isLeast(leading), undefined, *tile});
  // Of no elements, the sum is 0.
  Constraints hasElements;
  for (auto [loop, kind] : llvm::enumerate(leader.getIteratorTypesArray()))
    if (AffineExpr last = materializer.getLoopSize(leader, loop) - 1;
        kind == utils::IteratorType::reduction && !space.isNonNegative(last))
      hasElements.push_back(last);
  return materializer.select(loc, hasElements, chosen, builder.getZeroAttr(type));
}

FailureOr<TileValue> Materializer::materialiseJointly(const JointPass &pass, int64_t block,
                                                      OpResult value, const Coords &coords) {
  JointEmitter emitter(*this, pass, block);
  if (failed(emitter.run(cast<linalg::LinalgOp>(value.getOwner()), coords)))
    return failure();
  if (const TileValue *tile = findPassResult(value, coords))
    return *tile;
  return value.getOwner()->emitOpError(
      "cannot become part of a tile program: its pass over the row "
      "did not compute the coordinates that were asked for");
}

const TileValue *Materializer::findPassResult(Value value, const Coords &coords) {
  for (const Frame::Pass &pass : frames.back().passes)
    for (const Frame::Pass::Result &result : pass.results)
      if (result.value == value && result.coords == coords)
        return &result.tile;
  return nullptr;
}

unsigned Materializer::getPassLevel(Value value) {
  for (unsigned level = frames.size(); level-- > 0;)
    for (const Frame::Pass &pass : frames[level].passes)
      if (pass.pass->dependents.contains(value))
        return level;
  return 0;
}
