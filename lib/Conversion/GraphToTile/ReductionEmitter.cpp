//===- ReductionEmitter.cpp - the loops of one reduction -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ReductionEmitter.h"

#include "MaterializeLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace sectile;

/// Floats that are added to one partial sum in sequence: rounding errors grow with their number.
/// Longer sums are formed in blocks, whose sums are then added.
static constexpr int64_t kMostSequential = 64;

/// The same for products: their partial sums fill the register file, so a block's sum costs a turn
/// of all of them through memory, and blocks are longer.
static constexpr int64_t kMostProducts = 256;

using Emitter = Materializer::ReductionEmitter;

Emitter::ReductionEmitter(Materializer &materializer, linalg::LinalgOp op, unsigned result,
                          Coords coords, const Constraints &valid, std::optional<LoopRange> range)
    : materializer(materializer), space(materializer.space), builder(materializer.builder), op(op),
      loc(op.getLoc()), result(result), iterCoords(std::move(coords)), valid(valid), range(range),
      combiner(matchCombiner(op, result)) {
  for (AffineExpr expr : iterCoords)
    if (expr)
      space.collectTileDims(expr, dims);
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      loops.push_back(loop);
  chooseDot();
  chooseChunk();
  // The order of loops: as the op lists them, the chunked one innermost.
  if (chunkLoop) {
    llvm::erase(loops, *chunkLoop);
    loops.push_back(*chunkLoop);
  }
  partialDims = dims;
  chunkDim = space.constant(0);
  if (chunk > 1) {
    chunkDim = space.addTileDim(chunk, materializer.getLevel(), IndexSpace::kReducedPosition);
    if (hasPartials())
      space.collectTileDims(chunkDim, partialDims);
  }
  fill = getFillValue(op.getDpsInits()[result]);
  startsNeutral = combiner && fill && isNeutral(fill, combiner->neutral);
  inBlocks = combiner && isa<arith::AddFOp>(combiner->op) && !materializer.strict && !chunkLoop;
  for (AffineExpr &coord : iterCoords)
    if (!coord)
      coord = space.constant(0);
}

AffineExpr Emitter::getSize(unsigned loop) {
  return range && range->loop == loop ? range->size : materializer.getLoopSize(op, loop);
}

AffineExpr Emitter::getBase(unsigned loop) {
  return range && range->loop == loop ? range->base : space.constant(0);
}

/// Those of unknown extent count as many.
void Emitter::countSteps() {
  innerSteps.assign(loops.size() + 1, 1);
  for (unsigned i = loops.size(); i-- > 0;) {
    auto constant = dyn_cast<AffineConstantExpr>(getSize(loops[i]));
    int64_t steps = constant ? std::max<int64_t>(constant.getValue(), 1) : kMostProducts + 1;
    innerSteps[i] = std::min<int64_t>(innerSteps[i + 1], kMostProducts + 1) * steps;
  }
}

//===----------------------------------------------------------------------===//
// Before and after
//===----------------------------------------------------------------------===//

FailureOr<TileValue> Emitter::getInitialValue(unsigned result) {
  Coords coords;
  for (AffineExpr expr : op.getMatchingIndexingMap(op.getDpsInitOperand(result)).getResults())
    coords.push_back(expr.replaceDims(iterCoords));
  FailureOr<TileValue> tile = materializer.materialise(op.getDpsInits()[result], coords, valid);
  materializer.setInsertionPoint();
  return tile;
}

/// A scalar for every partial result.
TileValue Emitter::spread(Value scalar) {
  return {materializer.broadcastTo(loc, {scalar, {}}, partialDims), partialDims};
}

FailureOr<Emitter::Partial> Emitter::start() {
  materializer.setInsertionPoint();
  if (!combiner) {
    // All results' partial values are carried.
    Partial carried;
    for (unsigned i = 0; i < op->getNumResults(); ++i) {
      FailureOr<TileValue> tile = getInitialValue(i);
      if (failed(tile))
        return failure();
      carried.push_back({materializer.broadcastTo(loc, *tile, dims), dims});
    }
    return carried;
  }
  if (startsNeutral) {
    Value start = arith::ConstantOp::create(builder, loc, fill);
    return Partial{spread(start)};
  }
  if (hasPartials())
    return startPart();
  FailureOr<TileValue> tile = getInitialValue(result);
  if (failed(tile))
    return failure();
  return Partial{{materializer.broadcastTo(loc, *tile, partialDims), partialDims}};
}

Emitter::Partial Emitter::startPart() {
  materializer.setInsertionPoint();
  Value neutral = arith::ConstantOp::create(builder, loc, combiner->neutral);
  return {spread(neutral)};
}

FailureOr<TileValue> Emitter::finishPart(ArrayRef<TileValue> partial) {
  materializer.setInsertionPoint();
  if (!combiner)
    return partial[result];
  if (partialDims == dims)
    return partial[0];
  int64_t position = 0;
  while (position < static_cast<int64_t>(partialDims.size()) &&
         llvm::is_contained(dims, partialDims[position]))
    ++position;
  Type element = combiner->reduced.getType();
  auto reduce =
      tile::ReduceOp::create(builder, loc, TypeRange{materializer.getTileType(element, dims)},
                             ValueRange{partial[0].value}, ArrayRef<int64_t>{position});
  Block *body = builder.createBlock(&reduce.getCombiner(), {}, {element, element}, {loc, loc});
  TileValue lhs{body->getArgument(0), {}}, rhs{body->getArgument(1), {}};
  Value sum = (*materializer.applyElementwise(combiner->op, {lhs, rhs})).value;
  tile::YieldOp::create(builder, loc, sum);
  materializer.setInsertionPoint();
  return TileValue{reduce.getResult(0), dims};
}

FailureOr<TileValue> Emitter::finish(ArrayRef<TileValue> partial) {
  FailureOr<TileValue> tile = finishPart(partial);
  if (failed(tile) || !hasPartials() || startsNeutral)
    return tile;
  FailureOr<TileValue> start = getInitialValue(result);
  if (failed(start))
    return failure();
  return materializer.applyElementwise(combiner->op, {*start, *tile});
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

FailureOr<Emitter::Partial> Emitter::stepPlain(ArrayRef<TileValue> partial,
                                               const Constraints &inside) {
  BodyContext body(op, iterCoords, inside);
  Partial next;
  for (auto [i, argument] : llvm::enumerate(op.getRegionOutputArgs()))
    body.known[argument] = partial[i];
  for (Value yielded : op.getBlock()->getTerminator()->getOperands()) {
    FailureOr<TileValue> tile = materializer.evaluate(yielded, body);
    if (failed(tile))
      return failure();
    materializer.setInsertionPoint();
    next.push_back({materializer.broadcastTo(loc, *tile, dims), dims});
  }
  return next;
}

/// One side of a product as a tile of `sideDims` and the reduced elements of a step: [m, k] or
/// [k, n]. What the factor extends, the product extends by itself.
FailureOr<Value> Emitter::makeSide(Value scalar, bool isLeft, ArrayRef<unsigned> sideDims,
                                   BodyContext &body, const Constraints &tail, bool &isUnsigned) {
  Operation *def = scalar.getDefiningOp();
  isUnsigned = isa_and_nonnull<arith::ExtUIOp>(def);
  bool isExtended = def && def->getBlock() == op.getBlock() &&
                    (isUnsigned || isa<arith::ExtFOp, arith::ExtSIOp>(def));
  // Threads have instructions for most narrow types, cores for signed halves, which bytes become.
  Type narrow = isExtended ? def->getOperand(0).getType() : Type();
  bool isShared = materializer.file.isShared();
  bool isHalf = isExtended && !isShared && scalar.getType().isInteger(32) &&
                (narrow.isInteger(8) || (narrow.isInteger(16) && !isUnsigned));
  bool widensBytes = isHalf && narrow.isInteger(8), extendsUnsigned = isUnsigned;
  if (isHalf || (isExtended && isShared && narrow.getIntOrFloatBitWidth() >= 8))
    scalar = def->getOperand(0);
  isUnsigned = isUnsigned && scalar != def->getResult(0) && !isHalf;
  FailureOr<TileValue> tile = materializer.evaluate(scalar, body);
  if (failed(tile))
    return failure();
  materializer.setInsertionPoint();
  if (widensBytes) {
    Type half = builder.getI16Type();
    if (auto tensor = dyn_cast<RankedTensorType>(tile->value.getType()))
      half = tensor.clone(half);
    tile->value = extendsUnsigned
                      ? arith::ExtUIOp::create(builder, loc, half, tile->value).getResult()
                      : arith::ExtSIOp::create(builder, loc, half, tile->value).getResult();
  }
  Type element = getElementTypeOrSelf(tile->value.getType());
  SmallVector<unsigned> all(sideDims), reducedDims;
  if (chunk > 1)
    space.collectTileDims(chunkDim, all);
  space.collectTileDims(chunkDim, reducedDims);
  // Both sides: nothing of what lies beyond the end may go into the sum, not even as a factor. A
  // load that the same elements are masked in has zeroes there.
  Value source = tile->value;
  if (auto transpose = source.getDefiningOp<tile::TransposeOp>())
    source = transpose.getSource();
  auto load = source.getDefiningOp<tile::LoadOp>();
  bool isFilled = load && load.getWhere() && llvm::all_of(reducedDims, [&](unsigned dim) {
                    return llvm::is_contained(tile->dims, dim);
                  });
  if (!isFilled)
    *tile = materializer.select(loc, tail, *tile, builder.getZeroAttr(element));
  int64_t extent = ShapedType::getNumElements(materializer.getExtents(sideDims));
  Value value = materializer.broadcastTo(loc, *tile, all);
  // Reduced dimensions stand behind the others, wherever they came from.
  bool turns = !isLeft && chunk > 1;
  SmallVector<int64_t> shape = {extent, chunk}, turnedShape = {chunk, extent};
  if (!isLeft && !turns)
    std::swap(shape, turnedShape);
  value = builder.createOrFold<tile::ReshapeOp>(loc, RankedTensorType::get(shape, element), value);
  auto turned = value.getDefiningOp<tile::TransposeOp>();
  if (turns && turned && turned.getPerm() == ArrayRef<int64_t>{1, 0})
    value = turned.getSource();
  else if (turns)
    value = tile::TransposeOp::create(builder, loc, RankedTensorType::get(turnedShape, element),
                                      value, ArrayRef<int64_t>{1, 0});
  return value;
}

FailureOr<Emitter::Partial> Emitter::stepDot(ArrayRef<TileValue> partial, const Constraints &inside,
                                             const Constraints &tail) {
  BodyContext body(op, iterCoords, inside);
  SmallVector<unsigned> rowDims, columnDims, right = getDimsOf(columns);
  for (unsigned dim : dims)
    (llvm::is_contained(right, dim) ? columnDims : rowDims).push_back(dim);
  bool isUnsignedLeft = false, isUnsignedRight = false;
  FailureOr<Value> a = makeSide(rows, true, rowDims, body, tail, isUnsignedLeft);
  FailureOr<Value> b = failed(a)
                           ? FailureOr<Value>(failure())
                           : makeSide(columns, false, columnDims, body, tail, isUnsignedRight);
  if (failed(a) || failed(b))
    return failure();
  materializer.setInsertionPoint();
  int64_t m = ShapedType::getNumElements(materializer.getExtents(rowDims));
  int64_t n = ShapedType::getNumElements(materializer.getExtents(columnDims));
  Type element = combiner->reduced.getType();
  Value c = builder.createOrFold<tile::ReshapeOp>(loc, RankedTensorType::get({m, n}, element),
                                                  partial[0].value);
  Value sum =
      tile::DotOp::create(builder, loc, c.getType(), *a, *b, c, isUnsignedLeft, isUnsignedRight);
  sum = builder.createOrFold<tile::ReshapeOp>(loc, partial[0].value.getType(), sum);
  return Partial{{sum, dims}};
}

/// One step, at iterCoords.
FailureOr<Emitter::Partial> Emitter::step(ArrayRef<TileValue> partial, const Constraints &tail) {
  Constraints inside = valid;
  llvm::append_range(inside, tail);
  if (!combiner)
    return stepPlain(partial, inside);
  if (rows)
    return stepDot(partial, inside, tail);
  BodyContext body(op, iterCoords, inside);
  FailureOr<TileValue> reduced = materializer.evaluate(combiner->reduced, body);
  if (failed(reduced))
    return failure();
  materializer.setInsertionPoint();
  TileValue value = materializer.select(loc, tail, *reduced, combiner->neutral);
  FailureOr<TileValue> sum = materializer.applyElementwise(combiner->op, {partial[0], value});
  if (failed(sum))
    return failure();
  return Partial{{materializer.broadcastTo(loc, *sum, partialDims), partialDims}};
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

FailureOr<Emitter::Partial> Emitter::run(Partial partial) {
  countSteps();
  return runNest(0, std::move(partial));
}

/// partial = total + partial, for sums that were formed apart.
LogicalResult Emitter::addTo(const TileValue &total, Partial &partial) {
  materializer.setInsertionPoint();
  FailureOr<TileValue> sum = materializer.applyElementwise(combiner->op, {total, partial[0]});
  if (failed(sum))
    return failure();
  partial = {{sum->value, partialDims}};
  return success();
}

/// Runs the loop at `depth` for `count` iterations at the coordinates that `getCoord` makes of its
/// counter, and all further in. If masked, some of the elements lie beyond its end.
LogicalResult Emitter::runLoop(unsigned depth, Partial &partial, AffineExpr count,
                               SymbolBounds bounds,
                               llvm::function_ref<AffineExpr(AffineExpr)> getCoord, bool isMasked) {
  unsigned loop = loops[depth];
  SmallVector<Value> inits, args;
  for (TileValue &tile : partial)
    inits.push_back(tile.value);
  AffineExpr counter = materializer.openLoop(loc, count, inits, /*sweeps=*/true, &args, bounds);
  Partial inner;
  for (auto [tile, arg] : llvm::zip_equal(partial, args))
    inner.push_back({arg, tile.dims});
  iterCoords[loop] = getBase(loop) + getCoord(counter);
  FailureOr<Partial> next =
      isMasked ? step(inner, {getBase(loop) + getSize(loop) - 1 - iterCoords[loop]})
               : runNest(depth + 1, inner);
  if (failed(next))
    return failure();
  SmallVector<Value> values;
  for (TileValue &tile : *next)
    values.push_back(tile.value);
  for (auto [tile, value] : llvm::zip_equal(partial, materializer.closeLoop(values)))
    tile.value = value;
  return success();
}

/// The loop whose steps are chunks of elements, which is the innermost.
FailureOr<Emitter::Partial> Emitter::runChunks(unsigned depth, Partial partial) {
  AffineExpr size = getSize(loops[depth]);
  AffineExpr full = space.simplify(size.floorDiv(chunk)), done = space.constant(0);
  auto constant = dyn_cast<AffineConstantExpr>(size);
  auto fullConstant = dyn_cast<AffineConstantExpr>(full);
  // A product's step adds all of a chunk's elements to one sum.
  int64_t most = mostChunks ? mostChunks
                 : rows     ? std::max<int64_t>(kMostProducts / chunk, 1)
                            : kMostSequential;
  // A part of a joint pass has few, however many there are in all.
  bool isLong = fullConstant ? fullConstant.getValue() > most
                             : !range || range->most == 0 || range->most > chunk * most;
  if (isLong && isa<arith::AddFOp>(combiner->op) && !materializer.strict) {
    AffineExpr blocks = space.simplify(full.floorDiv(most));
    int64_t elements = chunk * most;
    SmallVector<Value> args;
    AffineExpr block = materializer.openLoop(loc, blocks, {partial[0].value}, /*sweeps=*/true,
                                             &args, {0, elements, size - elements});
    TileValue total{args[0], partial[0].dims};
    partial = startPart();
    if (failed(runLoop(
            depth, partial, space.constant(most), {0, chunk, size - chunk - block * elements},
            [&](AffineExpr counter) { return (block * most + counter) * chunk + chunkDim; })) ||
        failed(addTo(total, partial)))
      return failure();
    partial = {{materializer.closeLoop({partial[0].value})[0], partialDims}};
    done = blocks * most;
  }
  if (failed(runLoop(depth, partial, space.simplify(full - done),
                     {0, chunk, size - chunk - done * chunk},
                     [&](AffineExpr counter) { return (done + counter) * chunk + chunkDim; })))
    return failure();
  bool hasRest = constant ? constant.getValue() % chunk != 0 : chunk > 1;
  if (hasRest && failed(runLoop(
                     depth, partial, size.ceilDiv(chunk) - full, {0, 1, space.constant(0)},
                     [&](AffineExpr counter) { return full * chunk + counter * chunk + chunkDim; },
                     /*isMasked=*/true)))
    return failure();
  return partial;
}

/// One loop of `size` steps, the innermost, in blocks whose sums are formed apart.
FailureOr<Emitter::Partial> Emitter::runInBlocks(unsigned depth, int64_t size, Partial partial) {
  int64_t blocks = size / kMostProducts, done = blocks * kMostProducts;
  SmallVector<Value> args;
  AffineExpr block =
      materializer.openLoop(loc, space.constant(blocks), {partial[0].value}, /*sweeps=*/true, &args,
                            {0, kMostProducts, space.constant(size - kMostProducts)});
  TileValue total{args[0], partial[0].dims};
  partial = startPart();
  if (failed(runLoop(depth, partial, space.constant(kMostProducts),
                     {0, 1, size - 1 - block * kMostProducts},
                     [&](AffineExpr counter) { return block * kMostProducts + counter; })) ||
      failed(addTo(total, partial)))
    return failure();
  partial = {{materializer.closeLoop({partial[0].value})[0], partialDims}};
  int64_t rest = size - done;
  if (rest != 0 &&
      failed(runLoop(depth, partial, space.constant(rest), {0, 1, space.constant(rest - 1)},
                     [&](AffineExpr counter) { return counter + done; })))
    return failure();
  return partial;
}

/// Runs the loops from `depth` on and returns what they carry out.
FailureOr<Emitter::Partial> Emitter::runNest(unsigned depth, Partial partial) {
  if (depth == loops.size())
    return step(partial, {});
  unsigned loop = loops[depth];
  AffineExpr size = getSize(loop);
  if (chunkLoop == loop)
    return runChunks(depth, std::move(partial));
  if (size == space.constant(1)) {
    iterCoords[loop] = getBase(loop);
    return runNest(depth + 1, std::move(partial));
  }
  bool isCut = inBlocks && innerSteps[depth] > kMostProducts && depth + 1 == loops.size();
  if (auto constant = dyn_cast<AffineConstantExpr>(size); constant && isCut)
    return runInBlocks(depth, constant.getValue(), std::move(partial));
  // The outermost loops of no more than a block's steps form its sum apart.
  bool isBlock = inBlocks && innerSteps[depth] <= kMostProducts &&
                 (depth == 0 ? innerSteps[0] : innerSteps[depth - 1]) > kMostProducts;
  TileValue total = partial[0];
  if (isBlock)
    partial = startPart();
  if (failed(runLoop(depth, partial, size, {0, 1, size - 1},
                     [](AffineExpr counter) { return counter; })) ||
      (isBlock && failed(addTo(total, partial))))
    return failure();
  return partial;
}

FailureOr<TileValue> Materializer::materialiseReduction(linalg::LinalgOp op, unsigned result,
                                                        Coords iterCoords,
                                                        const Constraints &valid) {
  ReductionEmitter emitter(*this, op, result, std::move(iterCoords), valid);
  FailureOr<SmallVector<TileValue>> partial = emitter.start();
  if (failed(partial))
    return failure();
  partial = emitter.run(*partial);
  if (failed(partial))
    return failure();
  return emitter.finish(*partial);
}
