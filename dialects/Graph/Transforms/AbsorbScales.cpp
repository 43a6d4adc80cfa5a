//===- AbsorbScales.cpp - move factors behind a product into its weights -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// f[c] * (sum over k of x[r, k] * w[k, c])   becomes   sum over k of x[r, k] * (w[k, c] * f[c])
//
// with w and f constants: what a normalisation behind a convolution leaves. Each
// weight is then rounded once more, the result once less.
//
//===----------------------------------------------------------------------===//

#include "Work.h"

#include "dialects/Graph/Transforms/Passes.h"

#include "ConstantEvaluator.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

#include <cmath>
#include <numeric>

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHABSORBSCALESPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

/// Weights that are looked at together.
static constexpr int64_t kChunk = 16384;

namespace {

/// A factor in the body of `scaler`, of what `product` computes with `weights`.
struct Scale {
  linalg::GenericOp scaler;
  arith::MulFOp multiplication;
  OpOperand *scaled, *factor; // operands of `scaler`
  linalg::LinalgOp product;
  OpOperand *weights;
};

/// A float constant of the type that the product computes in.
bool isConstant(OpOperand &operand, Type element) {
  auto constant = operand.get().getDefiningOp<arith::ConstantOp>();
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  return constant && type && type.getElementType() == element &&
         ConstantEvaluator::canEvaluate(constant);
}

/// The operand of `product` that it multiplies the other one with as it is, if it is constant.
OpOperand *findWeights(linalg::LinalgOp product) {
  SmallVector<Operation *> combiners;
  Value reduced = matchReduction(product.getRegionOutputArgs(), 0, combiners);
  for (Value factor : reduced.getDefiningOp()->getOperands()) {
    auto argument = dyn_cast<BlockArgument>(factor);
    if (!argument || argument.getOwner() != product.getBlock() || !argument.hasOneUse())
      continue;
    OpOperand *operand = product.getMatchingOpOperand(argument);
    // Weights with another user would be kept twice, equal ones would take memory that they do not.
    SplatElementsAttr splat;
    if (product.isDpsInput(operand) && isConstant(*operand, reduced.getType()) &&
        operand->get().hasOneUse() && !matchPattern(operand->get(), m_Constant(&splat)))
      return operand;
  }
  return nullptr;
}

bool startsFromZero(linalg::LinalgOp product) {
  auto fill = product.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

std::optional<Scale> match(linalg::GenericOp scaler) {
  if (scaler.getNumReductionLoops() != 0 || scaler->getNumResults() != 1)
    return std::nullopt;
  auto linalgScaler = cast<linalg::LinalgOp>(scaler.getOperation());
  for (auto multiplication : scaler.getBlock()->getOps<arith::MulFOp>())
    for (unsigned side : {0, 1}) {
      auto value = dyn_cast<BlockArgument>(multiplication->getOperand(side));
      auto factor = dyn_cast<BlockArgument>(multiplication->getOperand(1 - side));
      if (!value || !factor || value == factor || !value.hasOneUse())
        continue;
      OpOperand *scaled = linalgScaler.getMatchingOpOperand(value);
      OpOperand *by = linalgScaler.getMatchingOpOperand(factor);
      auto product = scaled->get().getDefiningOp<linalg::LinalgOp>();
      bool isInner = product && sumsProducts(product) && product.hasPureTensorSemantics() &&
                     scaled->get().hasOneUse() && startsFromZero(product) &&
                     linalgScaler.isDpsInput(scaled) && linalgScaler.isDpsInput(by) &&
                     linalgScaler.getMatchingIndexingMap(scaled).isPermutation() &&
                     linalgScaler.getMatchingIndexingMap(by).isProjectedPermutation(
                         /*allowZeroInResults=*/true) &&
                     isConstant(*by, value.getType());
      OpOperand *weights = isInner ? findWeights(product) : nullptr;
      if (weights)
        return Scale{scaler, multiplication, scaled, by, product, weights};
    }
  return std::nullopt;
}

/// Where the factor is found from the place of a weight; null if not every loop that it follows
/// is one of the weights'.
AffineMap mapFactor(Scale scale) {
  auto scaler = cast<linalg::LinalgOp>(scale.scaler.getOperation());
  linalg::LinalgOp product = scale.product;
  AffineMap read = scaler.getMatchingIndexingMap(scale.scaled);
  AffineMap out = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  AffineMap weights = product.getMatchingIndexingMap(scale.weights);
  MLIRContext *context = scale.scaler.getContext();
  SmallVector<AffineExpr> exprs;
  for (AffineExpr expr : scaler.getMatchingIndexingMap(scale.factor).getResults()) {
    if (isa<AffineConstantExpr>(expr)) { // an extent of 1
      exprs.push_back(expr);
      continue;
    }
    AffineExpr loop = out.getResult(*read.getResultPosition(expr));
    std::optional<unsigned> place =
        isa<AffineDimExpr>(loop) ? weights.getResultPosition(loop) : std::nullopt;
    if (!place)
      return {};
    exprs.push_back(getAffineDimExpr(*place, context));
  }
  return AffineMap::get(weights.getNumResults(), 0, exprs, context);
}

/// w * f, as an op that graph-fold-constants computes.
linalg::GenericOp scaleWeights(Scale scale, AffineMap factorMap) {
  OpBuilder builder(scale.product);
  Value weights = scale.weights->get();
  auto type = cast<RankedTensorType>(weights.getType());
  Location loc = scale.multiplication.getLoc();
  Value empty = tensor::EmptyOp::create(builder, loc, type.getShape(), type.getElementType());
  AffineMap all = builder.getMultiDimIdentityMap(type.getRank());
  SmallVector<utils::IteratorType> kinds(type.getRank(), utils::IteratorType::parallel);
  return linalg::GenericOp::create(builder, loc, type, ValueRange{weights, scale.factor->get()},
                                   empty, ArrayRef<AffineMap>{all, factorMap, all}, kinds,
                                   [](OpBuilder &inner, Location where, ValueRange args) {
                                     Value scaled =
                                         arith::MulFOp::create(inner, where, args[0], args[1]);
                                     linalg::YieldOp::create(inner, where, scaled);
                                   });
}

/// Whether scaling keeps every weight's precision: none leaves the normal numbers.
bool keepsPrecision(linalg::GenericOp scaled) {
  ConstantEvaluator evaluator;
  auto type = cast<RankedTensorType>(scaled.getResult(0).getType());
  bool isWide = type.getElementType().isF64();
  double least = isWide ? std::numeric_limits<double>::min() : std::numeric_limits<float>::min();
  for (int64_t begin = 0, count = type.getNumElements(); begin < count; begin += kChunk) {
    Positions positions(std::min(kChunk, count - begin));
    std::iota(positions.begin(), positions.end(), begin);
    FailureOr<Words> before = evaluator.evaluate(scaled.getInputs()[0], positions);
    FailureOr<Words> after = evaluator.evaluate(scaled.getResult(0), positions);
    if (failed(before) || failed(after))
      return false;
    for (size_t i = 0; i < positions.size(); ++i) {
      double weight = (*before)[i].real, result = (*after)[i].real;
      if (!std::isfinite(result) || (weight != 0 && !(std::fabs(result) >= least)))
        return false;
    }
  }
  return true;
}

/// The scaler without the factor, if nothing else in it reads that.
void dropFactor(Scale scale) {
  linalg::GenericOp scaler = scale.scaler;
  auto linalgScaler = cast<linalg::LinalgOp>(scaler.getOperation());
  arith::MulFOp multiplication = scale.multiplication;
  multiplication.getResult().replaceAllUsesWith(
      linalgScaler.getMatchingBlockArgument(scale.scaled));
  multiplication.erase();
  BlockArgument argument = linalgScaler.getMatchingBlockArgument(scale.factor);
  if (!argument.use_empty())
    return;
  OpBuilder builder(scaler);
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (OpOperand &operand : scaler->getOpOperands()) {
    if (&operand == scale.factor)
      continue;
    if (linalgScaler.isDpsInput(&operand))
      inputs.push_back(operand.get());
    maps.push_back(linalgScaler.getMatchingIndexingMap(&operand));
  }
  auto made = linalg::GenericOp::create(builder, scaler.getLoc(), scaler.getResultTypes(), inputs,
                                        scaler.getOutputs(), maps, scaler.getIteratorTypesArray());
  made.getRegion().takeBody(scaler.getRegion());
  made.getRegion().front().eraseArgument(argument.getArgNumber());
  scaler.getResult(0).replaceAllUsesWith(made.getResult(0));
  scaler.erase();
}

struct GraphAbsorbScalesPass : graph::impl::GraphAbsorbScalesPassBase<GraphAbsorbScalesPass> {
  using GraphAbsorbScalesPassBase::GraphAbsorbScalesPassBase;

  void runOnOperation() override {
    if (!reassociate)
      return;
    SmallVector<linalg::GenericOp> ops(getOperation().getOps<linalg::GenericOp>());
    for (linalg::GenericOp op : ops)
      if (std::optional<Scale> scale = match(op))
        absorb(*scale);
  }

  static void absorb(const Scale &scale) {
    AffineMap map = mapFactor(scale);
    if (!map)
      return;
    auto options = remark::RemarkOpts::name("absorbs").category("graph-absorb-scales");
    linalg::GenericOp scaled = scaleWeights(scale, map);
    linalg::LinalgOp product = scale.product;
    if (!keepsPrecision(scaled)) {
      scaled.erase();
      remark::missed(product->getLoc(), options)
          << "leaves a factor to its consumer: some weight would leave the normal numbers";
      return;
    }
    scale.weights->set(scaled.getResult(0));
    dropFactor(scale);
    remark::passed(product->getLoc(), options) << "has its consumer's factor in its weights";
  }
};

} // namespace
