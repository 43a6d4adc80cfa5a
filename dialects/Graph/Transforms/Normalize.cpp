//===- Normalize.cpp - bring tensor ops into the forms that passes read -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Transforms/Passes.h"

#include "NumbersToGeneric.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHNORMALIZEPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;

namespace {

/// linalg.matmul, linalg.conv_*, linalg.reduce, ... -> linalg.generic
struct GeneralizeNamedOp : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    // As a generic it would be one more elementwise op, not a neutral start.
    if (isa<linalg::FillOp>(op))
      return rewriter.notifyMatchFailure(op, "is a fill");
    return linalg::generalizeNamedOp(rewriter, op);
  }
};

/// linalg.softmax and its like -> the ops they stand for
struct DecomposeAggregate : OpInterfaceRewritePattern<linalg::AggregatedOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(linalg::AggregatedOpInterface op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> parts = op.decomposeOperation(rewriter);
    if (failed(parts))
      return rewriter.notifyMatchFailure(op, "cannot be decomposed");
    rewriter.replaceOp(op, *parts);
    return success();
  }
};

/// tensor.splat -> linalg.fill
struct SplatToFill : OpRewritePattern<tensor::SplatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::SplatOp op, PatternRewriter &rewriter) const override {
    Value empty =
        tensor::EmptyOp::create(rewriter, op.getLoc(), op.getType(), op.getDynamicSizes());
    rewriter.replaceOpWithNewOp<linalg::FillOp>(op, op.getInput(), empty);
    return success();
  }
};

/// tensor.generate -> linalg.generic with linalg.index
struct GenerateToGeneric : OpRewritePattern<tensor::GenerateOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::GenerateOp op, PatternRewriter &rewriter) const override {
    return linalg::rewriteInDestinationPassingStyle(rewriter, op);
  }
};

/// tensor.from_elements of sizes -> linalg.generic that selects by position
struct SizesToGeneric : OpRewritePattern<tensor::FromElementsOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::FromElementsOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType type = op.getType();
    if (op.getElements().empty())
      return rewriter.notifyMatchFailure(op, "has no elements");
    if (type.getRank() > 1) {
      auto flat = RankedTensorType::get({type.getNumElements()}, type.getElementType());
      Value vector = tensor::FromElementsOp::create(rewriter, op.getLoc(), flat, op.getElements());
      ReassociationIndices all = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
      rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(op, type, vector,
                                                         ArrayRef<ReassociationIndices>{all});
      return success();
    }
    // Kernels take sizes, so a conversion from one happens inside.
    SmallVector<Value> sizes;
    for (Value element : op.getElements()) {
      auto cast = element.getDefiningOp<arith::IndexCastOp>();
      Value size = cast && cast.getIn().getType().isIndex() ? cast.getIn() : element;
      if (!size.getType().isIndex() && !matchPattern(size, m_Constant()))
        return rewriter.notifyMatchFailure(op, "holds a value that is no size");
      sizes.push_back(size);
    }
    Location loc = op.getLoc();
    Value init = tensor::EmptyOp::create(rewriter, loc, type.getShape(), type.getElementType());
    SmallVector<utils::IteratorType> loops(type.getRank(), utils::IteratorType::parallel);
    auto body = [&](OpBuilder &b, Location, ValueRange) {
      auto get = [&](size_t i) -> Value {
        if (sizes[i].getType() == type.getElementType())
          return sizes[i];
        return arith::IndexCastOp::create(b, loc, type.getElementType(), sizes[i]);
      };
      Value result = get(sizes.size() - 1);
      for (size_t i = sizes.size() - 1; i-- > 0;) {
        Value here = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq,
                                           linalg::IndexOp::create(b, loc, 0),
                                           arith::ConstantIndexOp::create(b, loc, i));
        result = arith::SelectOp::create(b, loc, here, get(i), result);
      }
      linalg::YieldOp::create(b, loc, result);
    };
    AffineMap map = rewriter.getMultiDimIdentityMap(type.getRank());
    rewriter.replaceOpWithNewOp<linalg::GenericOp>(op, type, ValueRange(), init, map, loops, body);
    return success();
  }
};

struct GraphNormalizePass : graph::impl::GraphNormalizePassBase<GraphNormalizePass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns
        .add<GeneralizeNamedOp, DecomposeAggregate, SizesToGeneric, SplatToFill, GenerateToGeneric>(
            &getContext());
    graph::populateNumbersToGenericPatterns(patterns);
    linalg::populateElementwiseToLinalgConversionPatterns(patterns);
    computeReturnedFills();
    // What the patterns do not know stays: whoever meets it says why it cannot be compiled.
    (void)applyPatternsGreedily(getOperation(), std::move(patterns));
  }

  /// A fill belongs to whoever uses it. One that the model returns, that is a choice or that a loop
  /// begins with or reads is computed like any result.
  void computeReturnedFills() {
    IRRewriter rewriter(&getContext());
    getOperation().walk([&](Operation *op) {
      if (!isa<func::ReturnOp, graph::ChooseOp, graph::LoopOp>(op))
        return;
      for (OpOperand &operand : op->getOpOperands())
        if (auto fill = operand.get().getDefiningOp<linalg::FillOp>()) {
          rewriter.setInsertionPoint(op);
          auto copy = cast<linalg::FillOp>(rewriter.clone(*fill));
          FailureOr<linalg::GenericOp> made =
              linalg::generalizeNamedOp(rewriter, cast<linalg::LinalgOp>(copy.getOperation()));
          if (succeeded(made))
            operand.set(made->getResult(0));
        }
    });
  }
};

} // namespace
