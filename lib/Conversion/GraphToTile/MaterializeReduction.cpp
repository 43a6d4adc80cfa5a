//===- MaterializeReduction.cpp - contractions and reductions -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A linalg op with reduction loops becomes a nest of loops that carry partial
// results, in one of three forms:
//
//  * dot: the body multiplies something that varies along the tile's rows by
//    something that varies along its columns; one tile.dot per step;
//  * chunked: the innermost reduction loop runs over elements that lie side by
//    side; partial results are kept for a chunk of them and combined at the end
//    by tile.reduce. Needs a combiner with a neutral element;
//  * plain: one step per element, any body, any number of results.
//
//===----------------------------------------------------------------------===//

#include "Analysis.h"
#include "MaterializeLinalg.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace sectile;

/// Floats that are added to one partial sum in sequence: rounding errors grow with their number.
/// Longer sums are formed in blocks, whose sums are then added.
static constexpr int64_t kMostSequential = 64;

/// The same for products: their partial sums fill the register file, so a block's sum costs a turn
/// of all of them through memory, and blocks are longer.
static constexpr int64_t kMostProducts = 256;

namespace {
/// result = combine(carried, reduced) with an associative, commutative combine.
struct Combiner {
  Operation *op;
  Value reduced;
  TypedAttr neutral;
};
} // namespace

/// Recognises the combiner of a result of `op` that does not use other results' partial values.
static std::optional<Combiner> matchCombiner(linalg::LinalgOp op, unsigned result) {
  SmallVector<Operation *> ops;
  auto carried = op.getRegionOutputArgs();
  Value reduced = matchReduction(carried, result, ops);
  if (!reduced || ops.size() != 1)
    return std::nullopt;
  std::optional<TypedAttr> neutral = arith::getNeutralElement(ops[0]);
  if (!neutral)
    return std::nullopt;
  // The carried value may take part in nothing but the combination.
  if (!carried[result].hasOneUse())
    return std::nullopt;
  for (auto [i, other] : llvm::enumerate(carried))
    if (i != result && !other.use_empty()) {
      llvm::SetVector<Operation *> slice;
      BackwardSliceOptions options;
      options.inclusive = true;
      if (failed(getBackwardSlice(reduced, &slice, options)))
        return std::nullopt;
      for (Operation *user : other.getUsers())
        if (slice.contains(user))
          return std::nullopt;
    }
  return Combiner{ops[0], reduced, *neutral};
}

/// Whether starting from `init` is the same as starting from nothing.
static bool isNeutral(TypedAttr init, TypedAttr neutral) {
  if (init == neutral)
    return true;
  auto lhs = dyn_cast_if_present<FloatAttr>(init), rhs = dyn_cast_if_present<FloatAttr>(neutral);
  // -0.0 is the neutral element of addition; 0.0 differs from it for sums of -0.0 only, and
  // the partial results then start from 0.0 too.
  return lhs && rhs && lhs.getValue().isZero() && rhs.getValue().isZero();
}

/// The constant a tensor is filled with, if it is.
static TypedAttr getFillValue(Value tensor) {
  Attribute constant;
  if (matchPattern(tensor, m_Constant(&constant)))
    if (auto splat = dyn_cast<SplatElementsAttr>(constant))
      return cast<TypedAttr>(splat.getSplatValue<Attribute>());
  auto op = tensor.getDefiningOp<linalg::LinalgOp>();
  if (!op || op.getNumLoops() != op.getNumParallelLoops() ||
      op.getBlock()->without_terminator().begin() != op.getBlock()->without_terminator().end())
    return {};
  auto yielded = dyn_cast<BlockArgument>(op.getBlock()->getTerminator()->getOperand(0));
  Value source;
  if (!yielded)
    source = op.getBlock()->getTerminator()->getOperand(0);
  else if (yielded.getOwner() == op.getBlock())
    source = op.getMatchingOpOperand(yielded)->get();
  TypedAttr value;
  if (source && !isa<RankedTensorType>(source.getType()) &&
      matchPattern(source, m_Constant(&value)))
    return value;
  return {};
}

std::optional<unsigned> Materializer::getAdjacentDim(Value tensor) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type)
    return std::nullopt;
  if (auto it = resident.find(tensor); it != resident.end())
    return it->second.lastDim;
  std::optional<unsigned> dim = getContiguousDim(tensor);
  // Of the last dimensions, one that has any extent decides.
  if (dim && *dim + 1 == type.getRank())
    while (*dim > 0 && getSize(tensor, *dim) == space.constant(1))
      --*dim;
  return dim;
}

FailureOr<TileValue> Materializer::materialiseReduction(linalg::LinalgOp op, unsigned result,
                                                        Coords iterCoords,
                                                        const Constraints &valid) {
  Location loc = op.getLoc();
  Block *block = op.getBlock();
  std::optional<Combiner> combiner = matchCombiner(op, result);
  Value init = op.getDpsInits()[result];

  // The tile dimensions of the result.
  SmallVector<unsigned> dims;
  for (AffineExpr expr : iterCoords)
    if (expr)
      space.collectTileDims(expr, dims);

  SmallVector<unsigned> loops;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      loops.push_back(loop);

  // Which tile dimensions a scalar of the body varies along, by the operands it comes from.
  auto dimsOf = [&](Value scalar) {
    SmallVector<unsigned> used;
    llvm::SetVector<Value> work;
    work.insert(scalar);
    for (unsigned i = 0; i < work.size(); ++i) {
      auto argument = dyn_cast<BlockArgument>(work[i]);
      if (argument && argument.getOwner() == block) {
        for (AffineExpr expr :
             op.getMatchingIndexingMap(op.getMatchingOpOperand(argument)).getResults())
          expr.walk([&](AffineExpr part) {
            if (auto dim = dyn_cast<AffineDimExpr>(part); dim && iterCoords[dim.getPosition()])
              space.collectTileDims(iterCoords[dim.getPosition()], used);
          });
      } else if (Operation *def = work[i].getDefiningOp(); def && def->getBlock() == block) {
        if (auto index = dyn_cast<linalg::IndexOp>(def); index && iterCoords[index.getDim()])
          space.collectTileDims(iterCoords[index.getDim()], used);
        for (Value operand : def->getOperands())
          work.insert(operand);
      }
    }
    return used;
  };

  // Dot form.
  Operation *product = combiner ? combiner->reduced.getDefiningOp() : nullptr;
  bool isContraction = combiner && isa<arith::AddFOp, arith::AddIOp>(combiner->op) &&
                       isa_and_nonnull<arith::MulFOp, arith::MulIOp>(product) &&
                       product->getBlock() == block;
  Value rows, columns; // scalars of the body
  if (isContraction && !dims.empty()) {
    rows = product->getOperand(0);
    columns = product->getOperand(1);
    SmallVector<unsigned> rowDims = dimsOf(rows), columnDims = dimsOf(columns);
    // Vectors run along the result's last dimension: what varies along it is the right side.
    if (llvm::is_contained(rowDims, dims.back())) {
      std::swap(rows, columns);
      std::swap(rowDims, columnDims);
    }
    bool isDisjoint =
        llvm::none_of(rowDims, [&](unsigned dim) { return llvm::is_contained(columnDims, dim); });
    if (!isDisjoint || !llvm::is_contained(columnDims, dims.back()))
      rows = columns = Value();
    // Columns must be the trailing dimensions for the product to have rows and columns.
    if (rows) {
      SmallVector<unsigned> split(rowDims);
      llvm::append_range(split, columnDims);
      if (split != dims)
        rows = columns = Value();
    }
  }

  // Chunked form: along the loop that indexes the last dimension of every input it occurs in.
  int64_t elements = ShapedType::getNumElements(getExtents(dims));
  std::optional<unsigned> chunkLoop;
  // One vector of partial results per element of the tile must fit the registers.
  bool keepsOrder = strict && combiner && isa<arith::AddFOp, arith::MulFOp>(combiner->op);
  if (combiner && elements <= file.registers && !keepsOrder) {
    auto chunkAlong = [&](AffineExpr expr) {
      expr.walk([&](AffineExpr part) {
        auto dim = dyn_cast<AffineDimExpr>(part);
        if (dim && llvm::is_contained(loops, dim.getPosition()))
          chunkLoop = dim.getPosition();
      });
    };
    for (OpOperand *input : op.getDpsInputOperands())
      if (std::optional<unsigned> adjacent = getAdjacentDim(input->get()))
        chunkAlong(op.getMatchingIndexingMap(input).getResult(*adjacent));
    // Else partial sums of elements that lie apart: still better than one sum after the other.
    if (!chunkLoop && !rows)
      for (OpOperand *input : op.getDpsInputOperands())
        if (AffineMap map = op.getMatchingIndexingMap(input); map.getNumResults() != 0)
          chunkAlong(map.getResults().back());
    // A dot whose columns are contiguous already is better than horizontal sums.
    if (chunkLoop && rows) {
      bool columnsContiguous = false;
      for (OpOperand *input : op.getDpsInputOperands()) {
        SmallVector<unsigned> used;
        if (std::optional<unsigned> adjacent = getAdjacentDim(input->get()))
          op.getMatchingIndexingMap(input).getResult(*adjacent).walk([&](AffineExpr part) {
            if (auto dim = dyn_cast<AffineDimExpr>(part); dim && iterCoords[dim.getPosition()])
              space.collectTileDims(iterCoords[dim.getPosition()], used);
          });
        columnsContiguous |= llvm::is_contained(used, dims.back());
      }
      if (columnsContiguous)
        chunkLoop.reset();
      else
        rows = columns = Value();
    }
  }

  // The order of loops: as the op lists them, the chunked one innermost.
  if (chunkLoop) {
    llvm::erase(loops, *chunkLoop);
    loops.push_back(*chunkLoop);
  }

  // What is carried: this result's partial values, or, in plain form, all results'.
  TypedAttr fill = getFillValue(init);
  bool startsNeutral = combiner && fill && isNeutral(fill, combiner->neutral);
  SmallVector<TileValue> carried;
  SmallVector<unsigned> partialDims = dims;
  int64_t chunk = 1;
  AffineExpr chunkSize;
  if (chunkLoop) {
    chunkSize = getLoopSize(op, *chunkLoop);
    chunk = file.getColumns(elements);
    if (auto constant = dyn_cast<AffineConstantExpr>(chunkSize))
      chunk = std::max<int64_t>(1, std::min(chunk, constant.getValue()));
    if (chunk > file.lanes)
      chunk -= chunk % file.lanes; // whole vectors
  }
  bool isPlain = !combiner;
  setInsertionPoint();
  AffineExpr chunkDim = space.constant(0);
  if (chunkLoop && chunk > 1) {
    chunkDim = space.addTileDim(chunk, getLevel(), IndexSpace::kReducedPosition);
    space.collectTileDims(chunkDim, partialDims);
  }
  auto initialValue = [&](unsigned i) -> FailureOr<TileValue> {
    Coords coords;
    for (AffineExpr expr : op.getMatchingIndexingMap(op.getDpsInitOperand(i)).getResults())
      coords.push_back(expr.replaceDims(iterCoords));
    FailureOr<TileValue> tile = materialise(op.getDpsInits()[i], coords, valid);
    setInsertionPoint();
    return tile;
  };
  for (AffineExpr &coord : iterCoords)
    if (!coord)
      coord = space.constant(0);
  if (isPlain) {
    for (unsigned i = 0; i < op->getNumResults(); ++i) {
      FailureOr<TileValue> tile = initialValue(i);
      if (failed(tile))
        return failure();
      carried.push_back({broadcastTo(loc, *tile, dims), dims});
    }
  } else if (chunkLoop && !startsNeutral) {
    Value neutral = arith::ConstantOp::create(builder, loc, combiner->neutral);
    carried.push_back({broadcastTo(loc, {neutral, {}}, partialDims), partialDims});
  } else if (startsNeutral) {
    Value start = arith::ConstantOp::create(builder, loc, fill);
    carried.push_back({broadcastTo(loc, {start, {}}, partialDims), partialDims});
  } else {
    FailureOr<TileValue> tile = initialValue(result);
    if (failed(tile))
      return failure();
    carried.push_back({broadcastTo(loc, *tile, partialDims), partialDims});
  }

  // One step, at iterCoords.
  auto step = [&](ArrayRef<TileValue> partial,
                  const Constraints &tail) -> FailureOr<SmallVector<TileValue>> {
    Constraints inside = valid;
    llvm::append_range(inside, tail);
    BodyContext body(op, iterCoords, inside);
    SmallVector<TileValue> next;
    if (isPlain) {
      for (auto [i, argument] : llvm::enumerate(op.getRegionOutputArgs()))
        body.known[argument] = partial[i];
      for (auto [i, yielded] : llvm::enumerate(block->getTerminator()->getOperands())) {
        FailureOr<TileValue> tile = evaluate(yielded, body);
        if (failed(tile))
          return failure();
        setInsertionPoint();
        next.push_back({broadcastTo(loc, *tile, dims), dims});
      }
      return next;
    }
    if (rows) {
      FailureOr<TileValue> lhs = evaluate(rows, body), rhs = evaluate(columns, body);
      if (failed(lhs) || failed(rhs))
        return failure();
      setInsertionPoint();
      SmallVector<unsigned> rowDims, columnDims;
      for (unsigned dim : dims)
        (llvm::is_contained(dimsOf(columns), dim) ? columnDims : rowDims).push_back(dim);
      int64_t m = ShapedType::getNumElements(getExtents(rowDims));
      int64_t n = ShapedType::getNumElements(getExtents(columnDims));
      Type element = combiner->reduced.getType();
      auto reshape = [&](Value value, ArrayRef<int64_t> shape) {
        return builder.createOrFold<tile::ReshapeOp>(loc, RankedTensorType::get(shape, element),
                                                     value);
      };
      Value a = reshape(broadcastTo(loc, *lhs, rowDims), {m, 1});
      Value b = reshape(broadcastTo(loc, *rhs, columnDims), {1, n});
      Value c = reshape(partial[0].value, {m, n});
      Value sum = tile::DotOp::create(builder, loc, c.getType(), a, b, c, false, false);
      sum = builder.createOrFold<tile::ReshapeOp>(loc, partial[0].value.getType(), sum);
      next.push_back({sum, dims});
      return next;
    }
    FailureOr<TileValue> reduced = evaluate(combiner->reduced, body);
    if (failed(reduced))
      return failure();
    setInsertionPoint();
    TileValue value = select(loc, tail, *reduced, combiner->neutral);
    FailureOr<TileValue> sum = applyElementwise(combiner->op, {partial[0], value});
    if (failed(sum))
      return failure();
    next.push_back({broadcastTo(loc, *sum, partialDims), partialDims});
    return next;
  };

  // Steps of the loops from each one on; those of unknown extent count as many.
  SmallVector<int64_t> innerSteps(loops.size() + 1, 1);
  for (unsigned i = loops.size(); i-- > 0;) {
    auto constant = dyn_cast<AffineConstantExpr>(getLoopSize(op, loops[i]));
    int64_t steps = constant ? std::max<int64_t>(constant.getValue(), 1) : kMostProducts + 1;
    innerSteps[i] = std::min<int64_t>(innerSteps[i + 1], kMostProducts + 1) * steps;
  }
  bool inBlocks = combiner && isa<arith::AddFOp>(combiner->op) && !strict && !chunkLoop;
  auto startSum = [&]() -> SmallVector<TileValue> {
    setInsertionPoint();
    Value zero = arith::ConstantOp::create(builder, loc, combiner->neutral);
    return {{broadcastTo(loc, {zero, {}}, partialDims), partialDims}};
  };
  auto addTo = [&](const TileValue &total, SmallVector<TileValue> &partial) -> LogicalResult {
    setInsertionPoint();
    FailureOr<TileValue> sum = applyElementwise(combiner->op, {total, partial[0]});
    if (failed(sum))
      return failure();
    partial = {{sum->value, partialDims}};
    return success();
  };

  // The nest. Each call runs the loops from `depth` on and returns what they carry out.
  auto nest = [&](auto &self, unsigned depth,
                  SmallVector<TileValue> partial) -> FailureOr<SmallVector<TileValue>> {
    if (depth == loops.size())
      return step(partial, {});
    unsigned loop = loops[depth];
    AffineExpr size = getLoopSize(op, loop);
    auto run = [&](AffineExpr count, int64_t scale, AffineExpr upper, auto setCoord,
                   Constraints tail) -> LogicalResult {
      SmallVector<Value> inits, args;
      for (TileValue &tile : partial)
        inits.push_back(tile.value);
      SymbolBounds bounds;
      bounds.scale = scale;
      bounds.upper = upper;
      AffineExpr counter = openLoop(loc, count, inits, /*sweeps=*/true, &args, bounds);
      SmallVector<TileValue> inner;
      for (auto [tile, arg] : llvm::zip_equal(partial, args))
        inner.push_back({arg, tile.dims});
      setCoord(counter);
      for (AffineExpr &expr : tail)
        expr = size - 1 - iterCoords[loop];
      FailureOr<SmallVector<TileValue>> next =
          tail.empty() ? self(self, depth + 1, inner) : step(inner, tail);
      if (failed(next))
        return failure();
      SmallVector<Value> values;
      for (TileValue &tile : *next)
        values.push_back(tile.value);
      for (auto [tile, value] : llvm::zip_equal(partial, closeLoop(values)))
        tile.value = value;
      return success();
    };
    if (chunkLoop == loop) {
      AffineExpr full = space.simplify(size.floorDiv(chunk)), done = space.constant(0);
      auto constant = dyn_cast<AffineConstantExpr>(size);
      auto fullConstant = dyn_cast<AffineConstantExpr>(full);
      bool isLong = !fullConstant || fullConstant.getValue() > kMostSequential;
      if (isLong && isa<arith::AddFOp>(combiner->op)) {
        AffineExpr blocks = space.simplify(full.floorDiv(kMostSequential));
        SmallVector<Value> args;
        AffineExpr block = openLoop(loc, blocks, {partial[0].value}, /*sweeps=*/true, &args,
                                    {0, chunk * kMostSequential, size - chunk * kMostSequential});
        SmallVector<TileValue> outside{{args[0], partial[0].dims}};
        Value zero = arith::ConstantOp::create(builder, loc, combiner->neutral);
        partial = {{broadcastTo(loc, {zero, {}}, partialDims), partialDims}};
        if (failed(run(space.constant(kMostSequential), chunk,
                       size - chunk - block * (chunk * kMostSequential),
                       [&](AffineExpr counter) {
                         iterCoords[loop] = (block * kMostSequential + counter) * chunk + chunkDim;
                       },
                       {})))
          return failure();
        setInsertionPoint();
        FailureOr<TileValue> sum = applyElementwise(combiner->op, {outside[0], partial[0]});
        if (failed(sum))
          return failure();
        partial = {{closeLoop({sum->value})[0], partialDims}};
        done = blocks * kMostSequential;
      }
      if (failed(run(
              space.simplify(full - done), chunk, size - chunk - done * chunk,
              [&](AffineExpr counter) { iterCoords[loop] = (done + counter) * chunk + chunkDim; },
              {})))
        return failure();
      if ((constant && constant.getValue() % chunk != 0) || (!constant && chunk > 1))
        if (failed(run(size.ceilDiv(chunk) - full, 1, space.constant(0),
                       [&](AffineExpr counter) {
                         iterCoords[loop] = full * chunk + counter * chunk + chunkDim;
                       },
                       {size})))
          return failure();
      return partial;
    }
    if (size == space.constant(1)) {
      iterCoords[loop] = space.constant(0);
      return self(self, depth + 1, partial);
    }
    auto runAll = [&]() -> LogicalResult {
      return run(size, 1, size - 1, [&](AffineExpr counter) { iterCoords[loop] = counter; }, {});
    };
    if (!inBlocks || innerSteps[depth] <= kMostProducts || depth + 1 != loops.size()) {
      // The outermost loops of no more than a block's steps form its sum apart.
      bool isBlock = inBlocks && innerSteps[depth] <= kMostProducts &&
                     (depth == 0 ? innerSteps[0] : innerSteps[depth - 1]) > kMostProducts;
      TileValue total = partial[0];
      if (isBlock)
        partial = startSum();
      if (failed(runAll()) || (isBlock && failed(addTo(total, partial))))
        return failure();
      return partial;
    }
    // One long loop is cut.
    auto constant = dyn_cast<AffineConstantExpr>(size);
    if (!constant) {
      if (failed(runAll()))
        return failure();
      return partial;
    }
    int64_t blocks = constant.getValue() / kMostProducts, done = blocks * kMostProducts;
    SmallVector<Value> args;
    AffineExpr block = openLoop(loc, space.constant(blocks), {partial[0].value}, /*sweeps=*/true,
                                &args, {0, kMostProducts, size - kMostProducts});
    TileValue total{args[0], partial[0].dims};
    partial = startSum();
    if (failed(run(space.constant(kMostProducts), 1, size - 1 - block * kMostProducts,
                   [&](AffineExpr counter) { iterCoords[loop] = block * kMostProducts + counter; },
                   {})) ||
        failed(addTo(total, partial)))
      return failure();
    partial = {{closeLoop({partial[0].value})[0], partialDims}};
    if (done != constant.getValue() &&
        failed(run(space.constant(constant.getValue() - done), 1,
                   space.constant(constant.getValue() - done - 1),
                   [&](AffineExpr counter) { iterCoords[loop] = counter + done; }, {})))
      return failure();
    return partial;
  };
  FailureOr<SmallVector<TileValue>> total = nest(nest, 0, carried);
  if (failed(total))
    return failure();
  setInsertionPoint();
  if (isPlain)
    return (*total)[result];

  TileValue tile = (*total)[0];
  if (partialDims != dims) {
    int64_t position = 0;
    while (position < static_cast<int64_t>(partialDims.size()) &&
           llvm::is_contained(dims, partialDims[position]))
      ++position;
    Type element = combiner->reduced.getType();
    auto reduce = tile::ReduceOp::create(builder, loc, TypeRange{getTileType(element, dims)},
                                         ValueRange{tile.value}, ArrayRef<int64_t>{position});
    Block *body = builder.createBlock(&reduce.getCombiner(), {}, {element, element}, {loc, loc});
    Value sum =
        (*applyElementwise(combiner->op, {{body->getArgument(0), {}}, {body->getArgument(1), {}}}))
            .value;
    tile::YieldOp::create(builder, loc, sum);
    setInsertionPoint();
    tile = {reduce.getResult(0), dims};
  }
  if (chunkLoop && !startsNeutral) {
    FailureOr<TileValue> start = initialValue(result);
    if (failed(start))
      return failure();
    return applyElementwise(combiner->op, {*start, tile});
  }
  return tile;
}
