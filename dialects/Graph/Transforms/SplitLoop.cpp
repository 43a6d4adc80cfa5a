//===- SplitLoop.cpp - a reduction loop in parts ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SplitLoop.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

/// Dimension of `operand` that `loop` alone indexes, if there is one.
static std::optional<unsigned> getDim(linalg::LinalgOp op, OpOperand &operand, unsigned loop) {
  return op.getMatchingIndexingMap(&operand).getResultPosition(
      getAffineDimExpr(loop, op->getContext()));
}

bool graph::canSplitLoop(const LoopReduction &reduction) {
  linalg::LinalgOp op = reduction.op;
  if (op->getNumResults() != 1 || op.hasIndexSemantics() ||
      !cast<RankedTensorType>(op->getResult(0).getType()).hasStaticShape())
    return false;
  return llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
    return op.getMatchingIndexingMap(&operand).isProjectedPermutation();
  });
}

/// The op that computes `value` element by element for one user, if slicing its operands slices
/// its result.
static linalg::GenericOp getSliceable(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  auto reads = [](OpOperand &use) { return !isa<tensor::DimOp>(use.getOwner()); };
  if (!op || llvm::count_if(value.getUses(), reads) > 1 || op->getNumResults() != 1 ||
      op.getNumReductionLoops() != 0 || op.hasIndexSemantics() ||
      op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)) ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isPermutation())
    return nullptr;
  for (OpOperand *operand : op.getDpsInputOperands())
    if (!op.getMatchingIndexingMap(operand).isProjectedPermutation())
      return nullptr;
  return op;
}

namespace {

class LoopSplitter {
public:
  LoopSplitter(const LoopReduction &reduction, unsigned loop, int64_t size)
      : builder(reduction.op), op(reduction.op), loc(op.getLoc()), reduction(reduction), loop(loop),
        size(size) {}

  Value run() {
    OpFoldResult extent = getExtent();
    OpFoldResult parts = divide(extent), whole = multiply(parts), rest = subtract(extent, whole);
    bool hasRest = !isConstantIntValue(rest, 0);
    SmallVector<Value> partInputs, restInputs;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      std::optional<unsigned> dim = getDim(op, *operand, loop);
      if (!dim) {
        partInputs.push_back(operand->get());
        restInputs.push_back(operand->get());
        continue;
      }
      Value sliced = slice(operand->get(), *dim, builder.getIndexAttr(0), whole);
      partInputs.push_back(expand(sliced, *dim, parts));
      if (hasRest)
        restInputs.push_back(slice(operand->get(), *dim, whole, rest));
    }
    Value partial = reduceWithinParts(partInputs, parts);
    Value init = op.getDpsInits()[0];
    if (hasRest)
      init = clone(restInputs, init, op.getIndexingMapsArray(), op.getIteratorTypesArray());
    return reduceParts(partial, init);
  }

private:
  OpFoldResult getExtent() {
    for (OpOperand *operand : op.getDpsInputOperands())
      if (std::optional<unsigned> dim = getDim(op, *operand, loop))
        return tensor::getMixedSize(builder, loc, operand->get(), *dim);
    llvm_unreachable("some input has every reduction loop");
  }

  Value toValue(OpFoldResult value) { return getValueOrCreateConstantIndexOp(builder, loc, value); }

  OpFoldResult divide(OpFoldResult extent) {
    if (std::optional<int64_t> known = getConstantIntValue(extent))
      return builder.getIndexAttr(*known / size);
    Value by = arith::ConstantIndexOp::create(builder, loc, size);
    return arith::DivUIOp::create(builder, loc, toValue(extent), by).getResult();
  }
  OpFoldResult multiply(OpFoldResult parts) {
    if (std::optional<int64_t> known = getConstantIntValue(parts))
      return builder.getIndexAttr(*known * size);
    Value by = arith::ConstantIndexOp::create(builder, loc, size);
    return arith::MulIOp::create(builder, loc, toValue(parts), by).getResult();
  }
  OpFoldResult subtract(OpFoldResult extent, OpFoldResult whole) {
    std::optional<int64_t> a = getConstantIntValue(extent), b = getConstantIntValue(whole);
    if (a && b)
      return builder.getIndexAttr(*a - *b);
    return arith::SubIOp::create(builder, loc, toValue(extent), toValue(whole)).getResult();
  }

  Value slice(Value value, unsigned dim, OpFoldResult offset, OpFoldResult extent) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
    if (isEqualConstantIntOrValue(sizes[dim], extent) && isConstantIntValue(offset, 0))
      return value;
    sizes[dim] = extent;
    if (linalg::GenericOp producer = getSliceable(value)) {
      AffineMap out = producer.getMatchingIndexingMap(producer.getDpsInitOperand(0));
      unsigned inner = cast<AffineDimExpr>(out.getResult(dim)).getPosition();
      SmallVector<Value> operands;
      for (OpOperand *operand : producer.getDpsInputOperands()) {
        auto linalgOp = cast<linalg::LinalgOp>(producer.getOperation());
        std::optional<unsigned> innerDim = getDim(linalgOp, *operand, inner);
        operands.push_back(innerDim ? slice(operand->get(), *innerDim, offset, extent)
                                    : operand->get());
      }
      Type element = cast<RankedTensorType>(value.getType()).getElementType();
      Value empty = tensor::EmptyOp::create(builder, producer.getLoc(), sizes, element);
      operands.push_back(empty);
      return mlir::clone(builder, producer.getOperation(), empty.getType(), operands)->getResult(0);
    }
    SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)),
        strides(sizes.size(), builder.getIndexAttr(1));
    offsets[dim] = offset;
    return tensor::ExtractSliceOp::create(builder, loc, value, offsets, sizes, strides);
  }

  /// [.., parts * size, ..] as [.., parts, size, ..].
  Value expand(Value value, unsigned dim, OpFoldResult parts) {
    SmallVector<OpFoldResult> sizes;
    SmallVector<ReassociationIndices> groups;
    for (auto [i, extent] : llvm::enumerate(tensor::getMixedSizes(builder, loc, value))) {
      ReassociationIndices &group = groups.emplace_back();
      group.push_back(sizes.size());
      sizes.push_back(i == dim ? parts : extent);
      if (i == dim) {
        group.push_back(sizes.size());
        sizes.push_back(builder.getIndexAttr(size));
      }
    }
    auto type = RankedTensorType::get(decomposeMixedValues(sizes).first,
                                      cast<RankedTensorType>(value.getType()).getElementType());
    return tensor::ExpandShapeOp::create(builder, loc, type, value, groups, sizes);
  }

  /// The op with other operands, maps and loops, but its own body.
  Value clone(ArrayRef<Value> inputs, Value init, ArrayRef<AffineMap> maps,
              ArrayRef<utils::IteratorType> kinds) {
    auto generic =
        linalg::GenericOp::create(builder, loc, init.getType(), inputs, init, maps, kinds);
    IRMapping mapping;
    op->getRegion(0).cloneInto(&generic.getRegion(), mapping);
    return generic.getResult(0);
  }

  Value reduceWithinParts(ArrayRef<Value> inputs, OpFoldResult parts) {
    // Loop 0 runs over parts; the others follow.
    MLIRContext *context = builder.getContext();
    unsigned numLoops = op.getNumLoops() + 1;
    SmallVector<AffineMap> maps;
    for (OpOperand &operand : op->getOpOperands()) {
      SmallVector<AffineExpr> exprs;
      if (op.isDpsInit(&operand))
        exprs.push_back(builder.getAffineDimExpr(0));
      for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
        unsigned own = cast<AffineDimExpr>(expr).getPosition();
        if (own == loop)
          exprs.push_back(builder.getAffineDimExpr(0));
        exprs.push_back(builder.getAffineDimExpr(own + 1));
      }
      maps.push_back(AffineMap::get(numLoops, 0, exprs, context));
    }
    SmallVector<utils::IteratorType> kinds{utils::IteratorType::parallel};
    llvm::append_range(kinds, op.getIteratorTypesArray());
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    SmallVector<OpFoldResult> sizes{parts};
    for (int64_t extent : type.getShape())
      sizes.push_back(builder.getIndexAttr(extent));
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
    Value neutral = arith::ConstantOp::create(builder, loc, reduction.neutral);
    Value fill = linalg::FillOp::create(builder, loc, neutral, empty).getResult(0);
    return clone(inputs, fill, maps, kinds);
  }

  Value reduceParts(Value partial, Value init) {
    unsigned rank = cast<RankedTensorType>(partial.getType()).getRank();
    AffineMap all = builder.getMultiDimIdentityMap(rank);
    SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
    kinds[0] = utils::IteratorType::reduction;
    auto generic = linalg::GenericOp::create(
        builder, loc, init.getType(), partial, init, ArrayRef<AffineMap>{all, all.dropResult(0)},
        kinds, [&](OpBuilder &inner, Location where, ValueRange args) {
          IRMapping mapping;
          mapping.map(reduction.reduced, args[0]);
          mapping.map(op.getRegionOutputArgs()[0], args[1]);
          Operation *total = inner.clone(*reduction.combiner, mapping);
          linalg::YieldOp::create(inner, where, total->getResult(0));
        });
    return generic.getResult(0);
  }

  OpBuilder builder;
  linalg::LinalgOp op;
  Location loc;
  const LoopReduction &reduction;
  unsigned loop;
  int64_t size;
};

} // namespace

/// Removes `op` and what computed its operands for it alone.
static void eraseWithProducers(Operation *op) {
  SmallVector<Value> operands(op->getOperands());
  op->erase();
  for (Value operand : operands)
    if (Operation *def = operand.getDefiningOp(); def && isOpTriviallyDead(def))
      eraseWithProducers(def);
}

void graph::splitLoop(const LoopReduction &reduction, unsigned loop, int64_t size) {
  Value total = LoopSplitter(reduction, loop, size).run();
  reduction.op->getResult(0).replaceAllUsesWith(total);
  eraseWithProducers(reduction.op);
}
