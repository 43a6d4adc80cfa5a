//===- NumbersToGeneric.cpp - dequantize and quantize element by element -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// On tensors the ops say which elements share a scale. As generics they are
// elementwise ops like any other, with the op on scalars in their body, and the
// sharing is in the scales' views:
//
//     [k / 32, n]  --broadcast-->  [k / 32, 32, n]  --reshape-->  [k, n]
//
// A last block that is shorter is cut off. Views compose to a division by the time
// that tiles are loaded; no scale is ever stored twice.
//
//===----------------------------------------------------------------------===//

#include "NumbersToGeneric.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;

namespace {
/// Scales or zero points with the extents of the codes, along the loops that tell them apart.
struct Repeated {
  Value tensor;
  SmallVector<unsigned> loops;
};
} // namespace

/// Where an op is, as a message begins.
static std::string describePlace(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc))
    return "node '" + name.getName().str() + "': ";
  if (auto line = dyn_cast<FileLineColLoc>(loc))
    return (line.getFilename().getValue() + ":" + Twine(line.getLine()) + ": ").str();
  return "";
}

/// Refuses numbers of scales or zero points, known at run time only, that are not those of blocks.
static void checkBlocks(OpBuilder &builder, Location loc, Value tensor, ArrayRef<int64_t> block,
                        ArrayRef<OpFoldResult> sizes) {
  for (auto [dim, size] : llvm::enumerate(block)) {
    OpFoldResult extent = tensor::getMixedSize(builder, loc, tensor, static_cast<int64_t>(dim));
    bool isKnown = getConstantIntValue(extent) && (size == 0 || getConstantIntValue(sizes[dim]));
    if (isKnown) // to the op's verifier
      continue;
    Value blocks = arith::ConstantIndexOp::create(builder, loc, 1);
    if (size != 0) {
      blocks = getValueOrCreateConstantIndexOp(builder, loc, sizes[dim]);
      if (size != 1)
        blocks = arith::CeilDivUIOp::create(builder, loc, blocks,
                                            arith::ConstantIndexOp::create(builder, loc, size));
    }
    Value count = getValueOrCreateConstantIndexOp(builder, loc, extent);
    Value isRight = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, count, blocks);
    std::string message =
        (describePlace(loc) + "expects scales and zero points for %1 blocks along dimension " +
         Twine(dim) + ", but got %0")
            .str();
    graph::CheckOp::create(builder, loc, isRight, builder.getStringAttr(message),
                           ValueRange{count, blocks});
  }
}

/// `tensor` without the dimensions along which all elements share one scale.
static Value dropShared(OpBuilder &builder, Location loc, Value tensor, ArrayRef<int64_t> block) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> full(type.getShape()), kept;
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices leading;
  for (auto [dim, size] : llvm::enumerate(block)) {
    auto position = static_cast<int64_t>(dim);
    if (size == 0) {
      full[dim] = 1;
      (groups.empty() ? leading : groups.back()).push_back(position);
      continue;
    }
    kept.push_back(full[dim]);
    groups.push_back(leading);
    leading.clear();
    groups.back().push_back(position);
  }
  auto exact = RankedTensorType::get(full, type.getElementType());
  if (exact != type)
    tensor = tensor::CastOp::create(builder, loc, exact, tensor);
  if (kept.size() == full.size())
    return tensor;
  return tensor::CollapseShapeOp::create(
      builder, loc, RankedTensorType::get(kept, type.getElementType()), tensor, groups);
}

static Repeated repeatForBlocks(OpBuilder &builder, Location loc, Value tensor,
                                ArrayRef<int64_t> block, ArrayRef<OpFoldResult> sizes) {
  checkBlocks(builder, loc, tensor, block, sizes);
  Repeated result;
  result.tensor = dropShared(builder, loc, tensor, block);
  SmallVector<int64_t> added;
  SmallVector<OpFoldResult> shape = tensor::getMixedSizes(builder, loc, result.tensor), wide, exact;
  SmallVector<ReassociationIndices> groups;
  bool isExact = true;
  for (auto [loop, size] : llvm::enumerate(block)) {
    if (size == 0)
      continue;
    auto position = static_cast<int64_t>(wide.size());
    groups.push_back({position});
    wide.push_back(shape[result.loops.size()]);
    exact.push_back(sizes[loop]);
    result.loops.push_back(loop);
    if (size == 1)
      continue;
    added.push_back(position + 1);
    groups.back().push_back(position + 1);
    wide.push_back(builder.getIndexAttr(size));
    std::optional<int64_t> extent = getConstantIntValue(sizes[loop]);
    isExact &= extent && *extent % size == 0;
  }
  if (added.empty())
    return result;
  Type element = getElementTypeOrSelf(tensor.getType());
  Value init = tensor::EmptyOp::create(builder, loc, wide, element);
  Value repeated =
      linalg::BroadcastOp::create(builder, loc, result.tensor, init, added)->getResult(0);
  result.tensor = tensor::CollapseShapeOp::create(builder, loc, repeated, groups);
  if (!isExact) {
    SmallVector<OpFoldResult> zeros(exact.size(), builder.getIndexAttr(0));
    SmallVector<OpFoldResult> ones(exact.size(), builder.getIndexAttr(1));
    result.tensor = tensor::ExtractSliceOp::create(builder, loc, result.tensor, zeros, exact, ones);
  }
  return result;
}

namespace {
template <typename Op>
struct NumbersToGeneric : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value source = op->getOperand(0);
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!type)
      return rewriter.notifyMatchFailure(op, "is on a single element");
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, source);
    SmallVector<int64_t> block = op.getBlockSizes();
    SmallVector<Value> inputs = {source};
    SmallVector<AffineMap> maps = {rewriter.getMultiDimIdentityMap(type.getRank())};
    for (Value parameter : op->getOperands().drop_front()) {
      Repeated repeated = repeatForBlocks(rewriter, loc, parameter, block, sizes);
      inputs.push_back(repeated.tensor);
      maps.push_back(AffineMap::getFilteredIdentityMap(
          op.getContext(), type.getRank(), [&](AffineDimExpr dim) {
            return llvm::is_contained(repeated.loops, dim.getPosition());
          }));
    }
    maps.push_back(maps.front());
    Value init = tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
    SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
    NamedAttrList attributes(op->getAttrs());
    attributes.erase(op.getBlockAttrName());
    auto body = [&](OpBuilder &b, Location, ValueRange arguments) {
      Value result = Op::create(b, loc, TypeRange{type.getElementType()}, arguments.drop_back(),
                                attributes.getAttrs());
      linalg::YieldOp::create(b, loc, result);
    };
    Value result =
        linalg::GenericOp::create(rewriter, loc, init.getType(), inputs, init, maps, loops, body)
            .getResult(0);
    if (result.getType() != type)
      result = tensor::CastOp::create(rewriter, loc, type, result);
    rewriter.replaceOp(op, result);
    return success();
  }
};
} // namespace

void graph::populateNumbersToGenericPatterns(RewritePatternSet &patterns) {
  patterns.add<NumbersToGeneric<DequantizeOp>, NumbersToGeneric<QuantizeOp>>(patterns.getContext());
}
