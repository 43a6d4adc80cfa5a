//===- Simplify.cpp - rewrite a graph to fewer and simpler ops -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHSIMPLIFYPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;

namespace {

/// dim(%b, i) -> dim(%a, j) where %a is the first argument that has the same symbol there.
struct UnifySymbols : OpRewritePattern<tensor::DimOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::DimOp op, PatternRewriter &rewriter) const override {
    auto argument = dyn_cast<BlockArgument>(op.getSource());
    std::optional<int64_t> dim = op.getConstantIndex();
    auto func = argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp()) : nullptr;
    if (!func || !dim)
      return rewriter.notifyMatchFailure(op, "is not an extent of a function argument");
    auto dims = func.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), graph::kDimsAttr);
    if (!dims)
      return rewriter.notifyMatchFailure(op, "the argument names no symbols");
    for (unsigned i = 0; i <= argument.getArgNumber(); ++i) {
      auto others = func.getArgAttrOfType<ArrayAttr>(i, graph::kDimsAttr);
      if (!others)
        continue;
      for (auto [j, name] : llvm::enumerate(others)) {
        if (name != dims[*dim])
          continue;
        if (i == argument.getArgNumber() && static_cast<int64_t>(j) == *dim)
          return rewriter.notifyMatchFailure(op, "is the first of its symbol");
        Value index = arith::ConstantIndexOp::create(rewriter, op.getLoc(), j);
        rewriter.replaceOpWithNewOp<tensor::DimOp>(op, func.getArgument(i), index);
        return success();
      }
    }
    return rewriter.notifyMatchFailure(op, "no earlier extent has its symbol");
  }
};

struct GraphSimplifyPass : graph::impl::GraphSimplifyPassBase<GraphSimplifyPass> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<UnifySymbols>(context);
    memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
    memref::populateResolveShapedTypeResultDimsPatterns(patterns);
    for (Dialect *dialect : context->getLoadedDialects())
      dialect->getCanonicalizationPatterns(patterns);
    for (RegisteredOperationName op : context->getRegisteredOperations())
      op.getCanonicalizationPatterns(patterns, context);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation().emitError("graph-simplify did not reach a fixed point");
      return signalPassFailure();
    }
    IRRewriter rewriter(context);
    DominanceInfo dominance(getOperation());
    eliminateCommonSubExpressions(rewriter, dominance, getOperation());
  }
};

} // namespace
