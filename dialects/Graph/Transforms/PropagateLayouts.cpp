//===- PropagateLayouts.cpp - keep the channels of images contiguous -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Transforms/Passes.h"

#include "AbsorbTransposes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHPROPAGATELAYOUTSPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;

namespace {

/// Where the dimensions of [n, h, w, c] come from in [n, c, h, w], and the other way round.
constexpr int64_t kToLast[] = {0, 2, 3, 1};
constexpr int64_t kFromLast[] = {0, 3, 1, 2};

template <typename T>
SmallVector<T> permute(ArrayRef<T> items, ArrayRef<int64_t> from) {
  SmallVector<T> result;
  for (int64_t i : from)
    result.push_back(items[i]);
  return result;
}

class Propagator {
public:
  explicit Propagator(func::FuncOp func) : func(func), builder(func.getContext()) {}

  void run() {
    SmallVector<Operation *> ops;
    for (Operation &op : func.getBody().front())
      ops.push_back(&op);
    for (Operation *op : ops) {
      builder.setInsertionPoint(op);
      if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
        visitLinalg(linalgOp);
      else if (auto pad = dyn_cast<tensor::PadOp>(op))
        visitPad(pad);
      else if (auto concat = dyn_cast<tensor::ConcatOp>(op))
        visitConcat(concat);
      else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
        visitCollapse(collapse);
    }
    // Whoever still reads the old order gets it back.
    for (auto [value, last] : rewritten) {
      bool isRead = llvm::any_of(value.getUsers(), [&](Operation *user) {
        return !replaced.contains(user) && !isa<tensor::DimOp>(user);
      });
      builder.setInsertionPointAfterValue(last);
      Value plain;
      if (isRead)
        plain = transpose(last, kFromLast);
      value.replaceUsesWithIf(plain, [&](OpOperand &use) {
        return plain && !replaced.contains(use.getOwner()) &&
               use.getOwner() != plain.getDefiningOp();
      });
    }
    for (Operation *op : llvm::reverse(ops)) {
      if (!replaced.contains(op))
        continue;
      // Extents of the old value are extents of the new one.
      for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
        if (auto dim = dyn_cast<tensor::DimOp>(user)) {
          builder.setInsertionPoint(dim);
          int64_t position = llvm::find(kToLast, *dim.getConstantIndex()) - std::begin(kToLast);
          Value index = arith::ConstantIndexOp::create(builder, dim.getLoc(), position);
          Value extent = tensor::DimOp::create(builder, dim.getLoc(),
                                               rewritten.lookup(op->getResult(0)), index);
          dim.replaceAllUsesWith(extent);
          dim.erase();
        }
      if (op->use_empty())
        op->erase();
    }
  }

private:
  static bool isImage(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type && type.getRank() == 4;
  }

  Value transpose(Value value, ArrayRef<int64_t> perm) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<OpFoldResult> sizes =
        permute<OpFoldResult>(tensor::getMixedSizes(builder, value.getLoc(), value), perm);
    Value init = tensor::EmptyOp::create(builder, value.getLoc(), sizes, type.getElementType());
    auto left = remark::missed(
        value.getLoc(), remark::RemarkOpts::name("transpose").category("graph-propagate-layouts"));
    left << remark::add("is transposed to {0}",
                        perm == ArrayRef(kToLast) ? "[n, h, w, c]" : "[n, c, h, w]");
    if (type.hasStaticShape())
      left << remark::metric("elements", type.getNumElements());
    return linalg::TransposeOp::create(builder, value.getLoc(), value, init, perm)
        .getResult()
        .front();
  }

  /// The [n, h, w, c] form of an image.
  Value getLast(Value value) {
    if (Value known = rewritten.lookup(value))
      return known;
    if (auto it = transposed.find(value); it != transposed.end())
      return it->second;
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfterValue(value);
    return transposed[value] = transpose(value, kToLast);
  }

  /// The initial value of a result: fills and empty tensors are made anew.
  Value getLastInit(Value init) {
    Operation *op = init.getDefiningOp();
    if (auto empty = dyn_cast_if_present<tensor::EmptyOp>(op))
      return tensor::EmptyOp::create(builder, op->getLoc(),
                                     permute<OpFoldResult>(empty.getMixedSizes(), kToLast),
                                     empty.getType().getElementType());
    if (auto fill = dyn_cast_if_present<linalg::FillOp>(op)) {
      Value target = getLastInit(fill.getOutputs()[0]);
      return linalg::FillOp::create(builder, op->getLoc(), fill.getInputs(), target).getResult(0);
    }
    return getLast(init);
  }

  /// Whether results of `op` index an image window by window: operand dimensions 2 and 3 follow
  /// the result's, and dimension 1 its channels or a loop that is reduced.
  static bool isWindowed(linalg::LinalgOp op, OpOperand *input) {
    AffineMap map = op.getMatchingIndexingMap(input);
    AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    if (!isImage(input->get()) || result.getNumResults() != 4 || !result.isProjectedPermutation() ||
        op.getNumReductionLoops() == 0 || op->getNumResults() != 1)
      return false;
    auto follows = [&](unsigned from, unsigned to) {
      return map.getResult(from).isFunctionOfDim(
          cast<AffineDimExpr>(result.getResult(to)).getPosition());
    };
    auto channel = dyn_cast<AffineDimExpr>(map.getResult(1));
    if (!follows(0, 0) || !follows(2, 2) || !follows(3, 3) || !channel)
      return false;
    return follows(1, 1) ||
           op.getIteratorTypesArray()[channel.getPosition()] == utils::IteratorType::reduction;
  }

  void visitLinalg(linalg::LinalgOp op) {
    if (isa<linalg::FillOp>(op) || op->getNumResults() != 1)
      return;
    SmallVector<OpOperand *> inputs = op.getDpsInputOperands();
    bool hasLast =
        llvm::any_of(inputs, [&](OpOperand *input) { return rewritten.contains(input->get()); });
    bool windowed = llvm::any_of(inputs, [&](OpOperand *input) { return isWindowed(op, input); });
    AffineMap resultMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    bool resultIsImage = isImage(op->getResult(0)) && resultMap.isProjectedPermutation();
    if (!windowed && !hasLast)
      return;
    // Elementwise ops follow if the result is an image like their operands.
    if (!windowed && resultIsImage && op.getNumReductionLoops() == 0 && !resultMap.isIdentity())
      return;

    SmallVector<Value> operands;
    SmallVector<AffineMap> maps;
    for (OpOperand *input : inputs) {
      AffineMap map = op.getMatchingIndexingMap(input);
      bool follows = isImage(input->get()) &&
                     (rewritten.contains(input->get()) || isWindowed(op, input) ||
                      (resultIsImage && map == resultMap && !isConstant(input->get())));
      if (follows) {
        operands.push_back(getLast(input->get()));
        map = AffineMap::get(map.getNumDims(), 0, permute(map.getResults(), kToLast),
                             op.getContext());
      } else {
        operands.push_back(input->get());
      }
      maps.push_back(map);
    }
    Value init = op.getDpsInits()[0];
    if (resultIsImage) {
      init = getLastInit(init);
      resultMap = AffineMap::get(resultMap.getNumDims(), 0,
                                 permute(resultMap.getResults(), kToLast), op.getContext());
    }
    maps.push_back(resultMap);
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    if (windowed)
      orderLoops(op, operands, maps, iterators);
    auto made = linalg::GenericOp::create(builder, op.getLoc(), TypeRange{init.getType()}, operands,
                                          ValueRange{init}, maps, iterators);
    IRMapping mapping;
    op->getRegion(0).cloneInto(&made.getRegion(), mapping);
    if (resultIsImage) {
      rewritten[op->getResult(0)] = made.getResult(0);
    } else {
      op->getResult(0).replaceAllUsesWith(made.getResult(0));
    }
    replaced.insert(op);
    if (windowed)
      remark::passed(op.getLoc(),
                     remark::RemarkOpts::name("channels-last").category("graph-propagate-layouts"))
          << remark::add("works on [n, h, w, c]");
  }

  static bool isConstant(Value value) { return matchPattern(value, m_Constant()); }

  /// Moves the reduction loop over channels behind the ones over kernel positions.
  void orderLoops(linalg::LinalgOp op, ArrayRef<Value> operands, SmallVectorImpl<AffineMap> &maps,
                  SmallVectorImpl<utils::IteratorType> &iterators) {
    if (!op.getBlock()->getOps<linalg::IndexOp>().empty())
      return; // the body names loops by number
    // The loop along the first image's last dimension goes last.
    std::optional<unsigned> channels;
    for (auto [operand, map] : llvm::zip(operands, maps))
      if (isImage(operand) && map.getNumResults() == 4)
        if (auto dim = dyn_cast<AffineDimExpr>(map.getResult(3));
            dim && iterators[dim.getPosition()] == utils::IteratorType::reduction) {
          channels = dim.getPosition();
          break;
        }
    if (!channels)
      return;
    unsigned numLoops = iterators.size();
    SmallVector<AffineExpr> to(numLoops);
    unsigned next = 0;
    SmallVector<utils::IteratorType> ordered;
    for (unsigned loop = 0; loop < numLoops; ++loop)
      if (loop != *channels) {
        to[loop] = builder.getAffineDimExpr(next++);
        ordered.push_back(iterators[loop]);
      }
    to[*channels] = builder.getAffineDimExpr(next);
    ordered.push_back(iterators[*channels]);
    for (AffineMap &map : maps)
      map = map.replaceDimsAndSymbols(to, {}, numLoops, 0);
    iterators = ordered;
  }

  void visitPad(tensor::PadOp pad) {
    if (!isImage(pad.getResult()) || !pad.getConstantPaddingValue())
      return;
    // Images are padded for a window that follows; the pad then is where layouts change.
    bool feedsWindow = llvm::any_of(pad->getUses(), [&](OpOperand &use) {
      auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
      return user && user.isDpsInput(&use) && isWindowed(user, &use);
    });
    if (!rewritten.contains(pad.getSource()) && !feedsWindow)
      return;
    auto made = tensor::PadOp::create(builder, pad.getLoc(), Type(), getLast(pad.getSource()),
                                      permute<OpFoldResult>(pad.getMixedLowPad(), kToLast),
                                      permute<OpFoldResult>(pad.getMixedHighPad(), kToLast),
                                      pad.getConstantPaddingValue());
    rewritten[pad.getResult()] = made.getResult();
    replaced.insert(pad);
  }

  void visitConcat(tensor::ConcatOp concat) {
    if (!isImage(concat.getResult()) ||
        !llvm::all_of(concat.getInputs(), [&](Value input) { return rewritten.contains(input); }))
      return;
    SmallVector<Value> inputs =
        llvm::map_to_vector(concat.getInputs(), [&](Value input) { return getLast(input); });
    int64_t dim = llvm::find(kToLast, static_cast<int64_t>(concat.getDim())) - std::begin(kToLast);
    rewritten[concat.getResult()] =
        tensor::ConcatOp::create(builder, concat.getLoc(), dim, inputs).getResult();
    replaced.insert(concat);
  }

  /// An image whose places a product of an image computes in two parts each, [n, c, h, i, w, j]:
  /// what a transposed convolution is. The product then computes [n, h, i, w, j, c].
  void visitCollapse(tensor::CollapseShapeOp collapse) {
    static const SmallVector<ReassociationIndices> kParts{{0}, {1}, {2, 3}, {4, 5}};
    static constexpr int64_t kPartsToLast[] = {0, 2, 3, 4, 5, 1};
    auto product = collapse.getSrc().getDefiningOp<linalg::GenericOp>();
    if (!isImage(collapse.getResult()) || collapse.getReassociationIndices() != kParts ||
        !product || product->getNumResults() != 1 || product.getNumReductionLoops() == 0 ||
        llvm::any_of(collapse.getSrc().getUsers(), [&](Operation *user) {
          return user != collapse && !isa<tensor::DimOp>(user);
        }))
      return;
    OpOperand *out = product.getDpsInitOperand(0);
    AffineMap map = product.getMatchingIndexingMap(out);
    bool readsImage = llvm::any_of(product.getDpsInputOperands(), [&](OpOperand *input) {
      return llvm::any_of(rewritten, [&](auto &known) { return known.second == input->get(); });
    });
    auto fill = out->get().getDefiningOp<linalg::FillOp>();
    auto empty = fill ? fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>() : tensor::EmptyOp();
    if (!readsImage || !map.isProjectedPermutation() || !empty)
      return;
    builder.setInsertionPoint(product);
    Value init = tensor::EmptyOp::create(builder, product.getLoc(),
                                         permute<OpFoldResult>(empty.getMixedSizes(), kPartsToLast),
                                         empty.getType().getElementType());
    init = linalg::FillOp::create(builder, product.getLoc(), fill.getInputs(), init).getResult(0);
    SmallVector<AffineMap> maps = product.getIndexingMapsArray();
    maps.back() = AffineMap::get(map.getNumDims(), 0, permute(map.getResults(), kPartsToLast),
                                 product.getContext());
    SmallVector<Value> inputs(product.getInputs());
    auto made = linalg::GenericOp::create(builder, product.getLoc(), init.getType(), inputs, init,
                                          maps, product.getIteratorTypesArray());
    IRMapping mapping;
    product.getRegion().cloneInto(&made.getRegion(), mapping);
    builder.setInsertionPoint(collapse);
    SmallVector<ReassociationIndices> parts{{0}, {1, 2}, {3, 4}, {5}};
    rewritten[collapse.getResult()] =
        tensor::CollapseShapeOp::create(builder, collapse.getLoc(), made.getResult(0), parts);
    replaced.insert(collapse);
  }

  func::FuncOp func;
  OpBuilder builder;
  /// Images whose op was rewritten, to their new form.
  llvm::MapVector<Value, Value> rewritten;
  /// Images that only got a transposed copy.
  llvm::DenseMap<Value, Value> transposed;
  llvm::DenseSet<Operation *> replaced;
};

struct GraphPropagateLayoutsPass
    : graph::impl::GraphPropagateLayoutsPassBase<GraphPropagateLayoutsPass> {
  void runOnOperation() override {
    Propagator(getOperation()).run();
    graph::absorbTransposes(getOperation());
  }
};

} // namespace
