//===- RescaleReductions.cpp - divide a sum instead of its terms -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// m = max over n of x[p, n]
// e[p, n] = exp(x[p, n] - m[p])
// s[p] = sum over n of e[p, n]
// y[p, q] = sum over n of (e[p, n] / s[p]) * v[n, q]
//
// is (sum over n of e[p, n] * v[n, q]) / s[p]: as many divisions as results,
// not as terms, and one tensor over [p, n] less. The law holds for any weights,
// but not within a float's range: the new sum may be s times as large as the
// result. Weights between 0 and 1 keep s at most the number of terms, so that
// it takes |v| within that factor of the largest float to overflow. Of floats
// with eight bits of exponent that is the price of any other order of
// summation; f16 ends at 65504 and is left alone. Where there are no terms, the
// result is 0, and not 0 divided by their sum.
//
//===----------------------------------------------------------------------===//

#include "Work.h"

#include "dialects/Graph/IR/Read.h"
#include "dialects/Graph/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHRESCALEREDUCTIONSPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;
using graph::getRead;
using graph::Read;

namespace {

/// The only op of an elementwise op's body, if its result is all that is yielded and the op's one
/// result is indexed by its loops in order.
template <typename BodyOp>
BodyOp matchElementwise(linalg::LinalgOp op, unsigned numOps) {
  if (!op || op.getNumReductionLoops() != 0 || op->getNumResults() != 1 ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity() ||
      llvm::range_size(op.getBlock()->without_terminator()) != numOps)
    return {};
  return op.getBlock()->getTerminator()->getOperand(0).getDefiningOp<BodyOp>();
}

/// Whether `read` is the result of combining, by a `Combiner`, elements of `source` over the
/// loops `reduced` of the reader, where the reader reads `source` by its loops in order.
template <typename Combiner>
bool isReductionOf(const Read &read, Value source, const llvm::SmallBitVector &reduced) {
  auto op = read.tensor.getDefiningOp<linalg::LinalgOp>();
  if (!op || op->getNumResults() != 1 || op.getNumDpsInputs() != 1 ||
      op.getDpsInputOperand(0)->get() != source ||
      !op.getMatchingIndexingMap(op.getDpsInputOperand(0)).isIdentity())
    return false;
  SmallVector<Operation *> combiners;
  Value element = matchReduction(op.getRegionOutputArgs(), 0, combiners);
  if (combiners.size() != 1 || !isa<Combiner>(combiners[0]) ||
      element != op.getRegionInputArgs()[0])
    return false;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (reduced.test(loop) != (kind == utils::IteratorType::reduction))
      return false;
  // Each element is divided by the sum that it is part of.
  return op.getMatchingIndexingMap(op.getDpsInitOperand(0)) == read.map;
}

/// The constant that the reduction `op` starts from everywhere, if it is one.
std::optional<APFloat> getStart(linalg::LinalgOp op) {
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  FloatAttr start;
  if (!fill || !matchPattern(fill.getInputs()[0], m_Constant(&start)))
    return std::nullopt;
  return start.getValue();
}

/// A product whose left factor is normalised, and what it is to read instead.
struct Normalised {
  linalg::LinalgOp product;
  OpOperand *factor;
  linalg::LinalgOp division;
  Value weights;
  Read sum;
  /// Whether there may be nothing to sum.
  bool mayBeEmpty;
};

std::optional<Normalised> match(linalg::LinalgOp product, OpOperand &factor) {
  auto division = factor.get().getDefiningOp<linalg::LinalgOp>();
  auto quotient = matchElementwise<arith::DivFOp>(division, 1);
  if (!quotient || !factor.get().hasOneUse())
    return std::nullopt;
  std::optional<Read> weights = getRead(division, quotient.getLhs());
  std::optional<Read> sum = getRead(division, quotient.getRhs());
  AffineMap map = product.getMatchingIndexingMap(&factor);
  if (!weights || !sum || !weights->map.isIdentity() || !map.isProjectedPermutation())
    return std::nullopt;
  // The loops of the division that the product sums over.
  llvm::SmallBitVector reduced(division.getNumLoops());
  for (auto [dim, expr] : llvm::enumerate(map.getResults()))
    if (product.getIteratorTypesArray()[cast<AffineDimExpr>(expr).getPosition()] ==
        utils::IteratorType::reduction)
      reduced.set(dim);
  if (reduced.none() || !isReductionOf<arith::AddFOp>(*sum, weights->tensor, reduced))
    return std::nullopt;
  // Weights between 0 and 1.
  auto exponential = weights->tensor.getDefiningOp<linalg::LinalgOp>();
  auto exp = matchElementwise<math::ExpOp>(exponential, 2);
  auto difference = exp ? exp.getOperand().getDefiningOp<arith::SubFOp>() : arith::SubFOp();
  if (!difference)
    return std::nullopt;
  std::optional<Read> x = getRead(exponential, difference.getLhs());
  std::optional<Read> most = getRead(exponential, difference.getRhs());
  if (!x || !most || !x->map.isIdentity() ||
      !isReductionOf<arith::MaximumFOp>(*most, x->tensor, reduced))
    return std::nullopt;
  // The maximum is that of the elements: one weight is 1, and none is lost below the least float.
  std::optional<APFloat> least = getStart(most->tensor.getDefiningOp<linalg::LinalgOp>());
  if (!least || !least->isNegative() || !(least->isInfinity() || least->isLargest()))
    return std::nullopt;
  // Nothing but the products is summed.
  std::optional<APFloat> start = getStart(product);
  if (!start || !start->isZero())
    return std::nullopt;
  bool mayBeEmpty = llvm::any_of(reduced.set_bits(), [&](unsigned loop) {
    int64_t extent = division.getStaticLoopRanges()[loop];
    return ShapedType::isDynamic(extent) || extent == 0;
  });
  return Normalised{product, &factor, division, weights->tensor, *sum, mayBeEmpty};
}

void rewrite(Normalised found) {
  linalg::LinalgOp product = found.product;
  OpBuilder builder(product->getContext());
  builder.setInsertionPointAfter(product);
  Location loc = found.division.getLoc();
  found.factor->set(found.weights);
  Value total = product->getResult(0);
  auto type = cast<RankedTensorType>(total.getType());
  // A loop of the division is one of the product, and so a dimension of the result.
  AffineMap factorMap = product.getMatchingIndexingMap(found.factor);
  AffineMap resultMap = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  SmallVector<AffineExpr> loops;
  for (AffineExpr expr : factorMap.getResults()) {
    std::optional<unsigned> dim = resultMap.getResultPosition(expr);
    loops.push_back(dim ? builder.getAffineDimExpr(*dim) : builder.getAffineConstantExpr(0));
  }
  AffineMap sumMap = found.sum.map.replaceDimsAndSymbols(loops, {}, type.getRank(), 0);
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  Value empty = product.getDpsInits()[0].getDefiningOp<linalg::FillOp>().getOutputs()[0];
  SmallVector<utils::IteratorType> kinds(type.getRank(), utils::IteratorType::parallel);
  auto quotient = linalg::GenericOp::create(
      builder, loc, type, ValueRange{total, found.sum.tensor}, empty,
      ArrayRef<AffineMap>{identity, sumMap, identity}, kinds,
      [&](OpBuilder &inner, Location where, ValueRange args) {
        auto division = cast<arith::DivFOp>(
            found.division.getBlock()->getTerminator()->getOperand(0).getDefiningOp());
        Value divisor = args[1];
        if (found.mayBeEmpty) {
          // Of any terms, the greatest is 1.
          Type element = divisor.getType();
          Value zero = arith::ConstantOp::create(inner, where, inner.getZeroAttr(element));
          Value one = arith::ConstantOp::create(inner, where, inner.getFloatAttr(element, 1.0));
          Value isEmpty =
              arith::CmpFOp::create(inner, where, arith::CmpFPredicate::OEQ, divisor, zero);
          divisor = arith::SelectOp::create(inner, where, isEmpty, one, divisor);
        }
        Value value =
            arith::DivFOp::create(inner, where, args[0], divisor, division.getFastmathAttr());
        linalg::YieldOp::create(inner, where, value);
      });
  total.replaceAllUsesExcept(quotient.getResult(0), quotient);
  SmallVector<Value> operands(found.division->getOperands());
  found.division.erase();
  for (Value operand : operands)
    if (Operation *op = operand.getDefiningOp(); op && isOpTriviallyDead(op))
      op->erase();
  remark::passed(loc, remark::RemarkOpts::name("normalise").category("graph-rescale-reductions"))
      << "divides the sum of products instead of their factors";
}

struct GraphRescaleReductionsPass
    : graph::impl::GraphRescaleReductionsPassBase<GraphRescaleReductionsPass> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops(getOperation().getOps<linalg::LinalgOp>());
    for (linalg::LinalgOp op : ops) {
      // See the top of the file for the types.
      Type element = getElementTypeOrSelf(op->getResult(0));
      if (!graph::sumsProducts(op) || !isa<BFloat16Type, Float32Type, Float64Type>(element))
        continue;
      // The body is the product of two operands and its sum.
      if (llvm::range_size(op.getBlock()->without_terminator()) != 2 || op.getNumDpsInputs() != 2)
        continue;
      for (OpOperand *input : op.getDpsInputOperands())
        if (std::optional<Normalised> found = match(op, *input)) {
          rewrite(*found);
          break;
        }
    }
  }
};

} // namespace
