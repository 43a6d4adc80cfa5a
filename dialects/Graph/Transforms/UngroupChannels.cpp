//===- UngroupChannels.cpp - work on images that are seen as groups -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A normalisation over groups of channels is written as a reshape of [n, c, h, w]
// to [n, g, c / g * h * w], reductions and elementwise ops there, and a reshape
// back. Seen so, channels and places are one dimension, in that order: no
// other layout of the image fits. The same on the image itself:
//
//     elementwise op      on [n, c, h, w]; what belongs to a group is repeated for its channels
//     reduction           over h and w, then over the channels of a group
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHUNGROUPCHANNELSPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;

namespace {

/// Loops of an op on groups, and of one on images: the first two mean batch, and groups or
/// channels.
constexpr unsigned kBatch = 0, kGroup = 1, kInside = 2;

class Ungrouper {
public:
  Ungrouper(func::FuncOp func, bool reassociate)
      : func(func), builder(func.getContext()), reassociate(reassociate) {}

  void run() {
    for (Operation &op : llvm::make_early_inc_range(func.getBody().front())) {
      builder.setInsertionPoint(&op);
      if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
        visitReshape(expand);
      else if (auto generic = dyn_cast<linalg::GenericOp>(op))
        visit(generic);
    }
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(func.getBody().front())))
      if (isOpTriviallyDead(&op))
        op.erase();
  }

private:
  static RankedTensorType getType(Value value) { return cast<RankedTensorType>(value.getType()); }

  /// Whether a reshape from `image` to `grouped`, through one that collapses it, keeps the batch
  /// and makes groups of channels: the extents other than the batch's are known, and channels fit.
  static bool isGrouping(RankedTensorType image, RankedTensorType grouped) {
    if (image.getRank() < 3 || grouped.getRank() != 3 ||
        image.getDimSize(0) != grouped.getDimSize(0))
      return false;
    int64_t elements = 1;
    for (int64_t extent : image.getShape().drop_front()) {
      if (ShapedType::isDynamic(extent) || extent == 0)
        return false;
      elements *= extent;
    }
    int64_t groups = grouped.getDimSize(kGroup), inside = grouped.getDimSize(kInside);
    return !ShapedType::isDynamic(groups) && !ShapedType::isDynamic(inside) && groups > 0 &&
           groups * inside == elements && image.getDimSize(1) % groups == 0;
  }

  /// Whether both halves of the reshape leave the batch alone, or all extents are known.
  static bool keepsBatch(tensor::CollapseShapeOp collapse, tensor::ExpandShapeOp expand) {
    if (collapse.getSrcType().hasStaticShape() && expand.getResultType().hasStaticShape())
      return true;
    return collapse.getReassociationIndices().front().size() == 1 &&
           expand.getReassociationIndices().front().size() == 1;
  }

  void visitReshape(tensor::ExpandShapeOp expand) {
    auto collapse = expand.getSrc().getDefiningOp<tensor::CollapseShapeOp>();
    if (!collapse || !keepsBatch(collapse, expand))
      return;
    Value source = collapse.getSrc();
    if (Value image = images.lookup(source); image && image.getType() == expand.getType())
      expand.getResult().replaceAllUsesWith(image);
    else if (isGrouping(getType(source), expand.getResultType()))
      images[expand.getResult()] = source;
  }

  /// `image` as groups, of `type`.
  Value group(Value image, RankedTensorType type) {
    Location loc = image.getLoc();
    RankedTensorType from = getType(image);
    SmallVector<ReassociationIndices> all{{0}, {}}, parts{{0}, {1, 2}};
    for (int64_t dim = 1; dim < from.getRank(); ++dim)
      all[1].push_back(dim);
    Value flat = tensor::CollapseShapeOp::create(builder, loc, image, all);
    SmallVector<OpFoldResult> sizes{tensor::getMixedSize(builder, loc, image, 0),
                                    builder.getIndexAttr(type.getDimSize(kGroup)),
                                    builder.getIndexAttr(type.getDimSize(kInside))};
    return tensor::ExpandShapeOp::create(builder, loc, type, flat, parts, sizes);
  }

  /// What an op on groups reads of `operand`, as an op on images does: the image, or the operand
  /// with each group's elements repeated for its channels.
  struct Read {
    Value value;
    AffineMap map;
  };
  std::optional<Read> ungroup(linalg::GenericOp op, OpOperand *operand, RankedTensorType image) {
    unsigned rank = image.getRank();
    MLIRContext *context = op.getContext();
    AffineMap map = op.getMatchingIndexingMap(operand);
    Value value = operand->get();
    if (!isa<RankedTensorType>(value.getType()))
      return Read{value, AffineMap::get(rank, 0, map.getResults(), context)};
    if (Value known = images.lookup(value); known && map.isIdentity() && known.getType() == image)
      return Read{known, AffineMap::getMultiDimIdentityMap(rank, context)};
    if (map.isFunctionOfDim(kInside) || !map.isProjectedPermutation(/*allowZeroInResults=*/true))
      return std::nullopt;
    map = AffineMap::get(rank, 0, map.getResults(), context);
    std::optional<unsigned> dim = map.getResultPosition(getAffineDimExpr(kGroup, context));
    int64_t channels = image.getDimSize(1) / getType(op.getResult(0)).getDimSize(kGroup);
    if (!dim || channels == 1)
      return Read{value, map};
    return Read{repeat(value, *dim, channels), map};
  }

  /// `value` with each element of dimension `dim` repeated `count` times, side by side.
  Value repeat(Value value, unsigned dim, int64_t count) {
    Location loc = value.getLoc();
    RankedTensorType type = getType(value);
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
    sizes.insert(sizes.begin() + dim + 1, builder.getIndexAttr(count));
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, type.getElementType());
    Value many = linalg::BroadcastOp::create(builder, loc, value, empty, ArrayRef<int64_t>{dim + 1})
                     ->getResult(0);
    SmallVector<ReassociationIndices> groups;
    for (int64_t i = 0, next = 0; i < type.getRank(); ++i) {
      ReassociationIndices &group = groups.emplace_back();
      group.push_back(next++);
      if (i == dim)
        group.push_back(next++);
    }
    return tensor::CollapseShapeOp::create(builder, loc, many, groups);
  }

  void visit(linalg::GenericOp op) {
    if (op.getNumLoops() != 3 || op->getNumResults() != 1 || op.hasIndexSemantics() ||
        !op.hasPureTensorSemantics())
      return;
    RankedTensorType image;
    for (OpOperand *input : op.getDpsInputOperands())
      if (Value known = images.lookup(input->get());
          known && op.getMatchingIndexingMap(input).isIdentity())
        image = getType(known);
    // A scalar of the body may be anything, but the loops are those of groups.
    if (!image || op.getStaticLoopRanges()[kInside] == ShapedType::kDynamic)
      return;
    AffineMap resultMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    if (op.getNumReductionLoops() == 0) {
      if (resultMap.isIdentity() && !op.payloadUsesValueFromOperand(op.getDpsInitOperand(0)))
        moveElementwise(op, image);
      return;
    }
    bool reducesInside =
        op.getNumReductionLoops() == 1 &&
        op.getIteratorTypesArray()[kInside] == utils::IteratorType::reduction &&
        resultMap.getNumResults() == 2 &&
        resultMap == AffineMap::getMultiDimIdentityMap(3, op.getContext()).dropResult(kInside);
    if (reducesInside)
      splitReduction(op, image);
  }

  std::optional<std::pair<SmallVector<Value>, SmallVector<AffineMap>>>
  ungroupInputs(linalg::GenericOp op, RankedTensorType image) {
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (OpOperand *input : op.getDpsInputOperands()) {
      // Nothing is made before all operands are known to have a form.
      AffineMap map = op.getMatchingIndexingMap(input);
      bool isImage = images.lookup(input->get()) && map.isIdentity() &&
                     images.lookup(input->get()).getType() == image;
      if (!isImage && (map.isFunctionOfDim(kInside) ||
                       !map.isProjectedPermutation(/*allowZeroInResults=*/true)))
        return std::nullopt;
    }
    for (OpOperand *input : op.getDpsInputOperands()) {
      std::optional<Read> read = ungroup(op, input, image);
      inputs.push_back(read->value);
      maps.push_back(read->map);
    }
    return std::pair(inputs, maps);
  }

  void moveElementwise(linalg::GenericOp op, RankedTensorType image) {
    auto reads = ungroupInputs(op, image);
    if (!reads)
      return;
    auto [inputs, maps] = *reads;
    auto rank = static_cast<unsigned>(image.getRank());
    maps.push_back(builder.getMultiDimIdentityMap(rank));
    Type element = getType(op.getResult(0)).getElementType();
    Value like =
        inputs[llvm::find_if(maps, [](AffineMap map) { return map.isIdentity(); }) - maps.begin()];
    Value empty = tensor::EmptyOp::create(
        builder, op.getLoc(), tensor::getMixedSizes(builder, op.getLoc(), like), element);
    SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
    auto made = linalg::GenericOp::create(builder, op.getLoc(), empty.getType(), inputs, empty,
                                          maps, kinds);
    IRMapping mapping;
    op.getRegion().cloneInto(&made.getRegion(), mapping);
    Value grouped = group(made.getResult(0), getType(op.getResult(0)));
    images[grouped] = made.getResult(0);
    op.getResult(0).replaceAllUsesWith(grouped);
  }

  void splitReduction(linalg::GenericOp op, RankedTensorType image) {
    SmallVector<Operation *> combiners;
    Value reduced = matchReduction(op.getRegionOutputArgs(), 0, combiners);
    if (!reduced || combiners.size() != 1 || !op.getRegionOutputArgs()[0].hasOneUse())
      return;
    std::optional<TypedAttr> neutral = arith::getNeutralElement(combiners[0]);
    if (!neutral || (isa<arith::AddFOp, arith::MulFOp>(combiners[0]) && !reassociate))
      return;
    auto reads = ungroupInputs(op, image);
    if (!reads)
      return;
    auto [inputs, maps] = *reads;
    Location loc = op.getLoc();
    auto rank = static_cast<unsigned>(image.getRank());
    RankedTensorType type = getType(op.getResult(0));
    Type element = type.getElementType();
    // Over all places of a channel.
    MLIRContext *context = op.getContext();
    Value like =
        inputs[llvm::find_if(maps, [](AffineMap map) { return map.isIdentity(); }) - maps.begin()];
    SmallVector<OpFoldResult> sizes{tensor::getMixedSize(builder, loc, like, 0),
                                    builder.getIndexAttr(image.getDimSize(1))};
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, element);
    Value start = arith::ConstantOp::create(builder, loc, *neutral);
    Value fill = linalg::FillOp::create(builder, loc, start, empty).getResult(0);
    maps.push_back(AffineMap::get(
        rank, 0, {builder.getAffineDimExpr(kBatch), builder.getAffineDimExpr(kGroup)}, context));
    SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::reduction);
    kinds[kBatch] = kinds[kGroup] = utils::IteratorType::parallel;
    auto made = linalg::GenericOp::create(builder, loc, fill.getType(), inputs, fill, maps, kinds);
    IRMapping mapping;
    op.getRegion().cloneInto(&made.getRegion(), mapping);
    // Over the channels of a group.
    int64_t groups = type.getDimSize(kGroup), channels = image.getDimSize(1) / groups;
    auto partType = RankedTensorType::get({type.getDimSize(0), groups, channels}, element);
    SmallVector<OpFoldResult> partSizes{sizes[0], builder.getIndexAttr(groups),
                                        builder.getIndexAttr(channels)};
    Value parts =
        tensor::ExpandShapeOp::create(builder, loc, partType, made.getResult(0),
                                      SmallVector<ReassociationIndices>{{0}, {1, 2}}, partSizes);
    AffineMap all = builder.getMultiDimIdentityMap(3);
    SmallVector<utils::IteratorType> partKinds{utils::IteratorType::parallel,
                                               utils::IteratorType::parallel,
                                               utils::IteratorType::reduction};
    auto total =
        linalg::GenericOp::create(builder, loc, type, parts, op.getDpsInits()[0],
                                  ArrayRef<AffineMap>{all, all.dropResult(kInside)}, partKinds,
                                  [&](OpBuilder &inner, Location where, ValueRange args) {
                                    IRMapping arguments;
                                    arguments.map(reduced, args[0]);
                                    arguments.map(op.getRegionOutputArgs()[0], args[1]);
                                    Operation *combined = inner.clone(*combiners[0], arguments);
                                    linalg::YieldOp::create(inner, where, combined->getResult(0));
                                  });
    op.getResult(0).replaceAllUsesWith(total.getResult(0));
    remark::passed(loc, remark::RemarkOpts::name("ungroup").category("graph-ungroup-channels"))
        << remark::add("reduces each of {0} channels, then {1} groups of them", image.getDimSize(1),
                       groups);
  }

  func::FuncOp func;
  OpBuilder builder;
  bool reassociate;
  /// Values on groups, to the image that they are a reshape of.
  llvm::DenseMap<Value, Value> images;
};

struct GraphUngroupChannelsPass
    : graph::impl::GraphUngroupChannelsPassBase<GraphUngroupChannelsPass> {
  using GraphUngroupChannelsPassBase::GraphUngroupChannelsPassBase;
  void runOnOperation() override { Ungrouper(getOperation(), reassociate).run(); }
};

} // namespace
