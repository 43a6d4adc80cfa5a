//===- FactorScales.cpp - sums of codes first, then their scale ---------------===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//     for k:  acc += x[k] * (s[k / B] * q[k])         a multiplication for each code
//
//     for g by B:
//       sum = 0
//       for k in g .. g + B:  sum += x[k] * q[k]
//       acc += s[g / B] * sum                         one for each group
//
//===----------------------------------------------------------------------===//

#include "dialects/Tile/Transforms/Passes.h"

#include "ScaledSums.h"

#include "sectile/Numbers/Codes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

#include <cmath>

namespace sectile::tile {
#define GEN_PASS_DEF_TILEFACTORSCALESPASS
#include "dialects/Tile/Transforms/Passes.h.inc"
} // namespace sectile::tile

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;

namespace {
/// A loop that sums products with dequantized numbers, and the scales in it.
struct ScaledSum {
  scf::ForOp loop;
  DequantizeOp dequantize;
  DotOp dot;
  /// Of the loop; null where it has one scale for all steps, from outside.
  LoadOp load;
  /// Steps from each scale to the next one, all of them where `load` is null.
  int64_t group = 0;
  int64_t lower = 0, upper = 0;
};
} // namespace

/// Whether sums of the format's numbers stay as far from infinity as sums of weights do: its
/// numbers are finite, and of the size of small integers.
static bool hasModestNumbers(StringRef text) {
  formats::Format format = numbers::getFormat(text);
  for (uint32_t code = 0; code < format.getCodeCount(); ++code)
    if (double number = format.decode(code); !(std::fabs(number) <= 65536))
      return false;
  return true;
}

/// Whether groups begin at whole words of all codes that the loop reads: else their bits would not
/// be known when the loop is written.
static bool fillsWords(scf::ForOp loop, int64_t group) {
  return llvm::all_of(loop.getBody()->getOps<LoadOp>(), [&](LoadOp load) {
    int64_t bits = load.getView().getType().getPackedBits();
    return bits == 0 || group % getPackedPeriod(bits) == 0;
  });
}

static std::optional<ScaledSum> matchScaledSum(scf::ForOp loop, int64_t lanes, int64_t registers) {
  DotOp dot = getSummedProduct(loop);
  if (!dot)
    return std::nullopt;
  ScaledSum sum;
  sum.loop = loop;
  sum.lower = *getConstantIntValue(loop.getLowerBound());
  sum.upper = *getConstantIntValue(loop.getUpperBound());
  sum.dot = dot;
  sum.dequantize = skipReshapes(sum.dot.getRhs()).getDefiningOp<DequantizeOp>();
  if (!sum.dequantize || sum.dequantize->getParentOp() != loop ||
      !hasModestNumbers(sum.dequantize.getFormat()))
    return std::nullopt;
  OpOperand *reader = getOnlyReader(sum.dequantize.getResult());
  if (!reader || reader != &sum.dot.getRhsMutable())
    return std::nullopt;
  // One row of the right side, whose scales are one for each column.
  ArrayRef<int64_t> right = cast<RankedTensorType>(sum.dot.getRhs().getType()).getShape();
  auto codes = cast<RankedTensorType>(sum.dequantize.getType());
  auto scale = dyn_cast<RankedTensorType>(sum.dequantize.getScale().getType());
  Type element = getElementTypeOrSelf(sum.dequantize.getScale().getType());
  if (right[0] != 1 || !scale || scale.getShape() != codes.getShape() || element.isF64())
    return std::nullopt;
  // The sums of a group, those of all, and a row of numbers stay in registers.
  int64_t vectors = llvm::divideCeil(right[1], lanes);
  int64_t rows = cast<RankedTensorType>(sum.dot.getLhs().getType()).getDimSize(0);
  if (2 * rows * vectors + vectors + 2 > registers)
    return std::nullopt;
  Value value = sum.dequantize.getScale();
  if (loop.isDefinedOutsideOfLoop(value)) {
    sum.group = sum.upper - sum.lower;
    return sum;
  }
  sum.load = value.getDefiningOp<LoadOp>();
  if (!sum.load || !sum.load.getResult().hasOneUse() || !sum.load.getIndices().empty())
    return std::nullopt;
  std::optional<int64_t> group = getGroup(sum.load, loop);
  if (!group || sum.lower % *group != 0 || !fillsWords(loop, *group))
    return std::nullopt;
  sum.group = *group;
  return sum;
}

namespace {
/// Writes the loop anew.
class Rewriter {
public:
  explicit Rewriter(ScaledSum sum) : sum(sum), builder(sum.loop), loc(sum.loop.getLoc()) {}

  void rewrite() {
    Value total = sum.loop.getInitArgs()[0];
    int64_t whole = (sum.upper - sum.lower) / sum.group * sum.group;
    if (whole > sum.group) {
      auto groups = scf::ForOp::create(builder, loc, constant(sum.lower),
                                       constant(sum.lower + whole), constant(sum.group), total);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(groups.getBody());
      Value next = addGroup(groups.getInductionVar(), sum.group, groups.getRegionIterArg(0));
      scf::YieldOp::create(builder, loc, next);
      total = groups.getResult(0);
    } else if (whole == sum.group) {
      total = addGroup(constant(sum.lower), sum.group, total);
    }
    if (int64_t rest = sum.upper - sum.lower - whole; rest != 0)
      total = addGroup(constant(sum.lower + whole), rest, total);
    sum.loop.getResult(0).replaceAllUsesWith(total);
    sum.loop.erase();
  }

private:
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

  /// `total` and the products of `size` steps from `first` on.
  Value addGroup(Value first, int64_t size, Value total) {
    Type type = total.getType();
    Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
    auto steps = scf::ForOp::create(builder, loc, constant(0), constant(size), constant(1), zero);
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(steps.getBody());
      Value step = arith::AddIOp::create(builder, loc, first, steps.getInductionVar());
      Type element = getElementTypeOrSelf(sum.dequantize.getScale().getType());
      IRMapping mapping;
      mapping.map(sum.loop.getInductionVar(), step);
      mapping.map(sum.loop.getRegionIterArg(0), steps.getRegionIterArg(0));
      mapping.map(sum.dequantize.getScale(),
                  arith::ConstantOp::create(builder, loc, builder.getFloatAttr(element, 1.0)));
      for (Operation &op : *sum.loop.getBody())
        if (&op != sum.load)
          builder.clone(op, mapping);
    }
    IRMapping mapping;
    mapping.map(sum.loop.getInductionVar(), first);
    Value scale =
        sum.load ? builder.clone(*sum.load, mapping)->getResult(0) : sum.dequantize.getScale();
    return addScaled(steps.getResult(0), scale, total);
  }

  Value addScaled(Value products, Value scale, Value total) {
    auto type = cast<RankedTensorType>(total.getType());
    int64_t columns = cast<RankedTensorType>(sum.dot.getRhs().getType()).getDimSize(1);
    auto row = [&](ArrayRef<int64_t> shape) {
      return RankedTensorType::get(shape, builder.getF32Type());
    };
    auto scales = cast<RankedTensorType>(scale.getType());
    if (!scales.getElementType().isF32())
      scale = arith::ExtFOp::create(builder, loc, row(scales.getShape()), scale);
    if (scales.getRank() != 1)
      scale = ReshapeOp::create(builder, loc, row({columns}), scale);
    // As a product's rows and columns, in which shape soever the loop carries them.
    int64_t rows = type.getNumElements() / columns;
    RankedTensorType flat = row({rows, columns});
    scale = BroadcastOp::create(builder, loc, flat, scale, builder.getDenseI64ArrayAttr({0}));
    auto reshape = [&](Value value, RankedTensorType to) -> Value {
      return value.getType() == to ? value : ReshapeOp::create(builder, loc, to, value).getResult();
    };
    auto contract =
        arith::FastMathFlagsAttr::get(builder.getContext(), arith::FastMathFlags::contract);
    Value scaled = arith::MulFOp::create(builder, loc, reshape(products, flat), scale, contract);
    Value next = arith::AddFOp::create(builder, loc, reshape(total, flat), scaled, contract);
    return reshape(next, type);
  }

  ScaledSum sum;
  OpBuilder builder;
  Location loc;
};

struct TileFactorScalesPass : tile::impl::TileFactorScalesPassBase<TileFactorScalesPass> {
  using TileFactorScalesPassBase::TileFactorScalesPassBase;

  void runOnOperation() override {
    SmallVector<ScaledSum> sums;
    getOperation().walk([&](scf::ForOp loop) {
      if (std::optional<ScaledSum> sum = matchScaledSum(loop, lanes, registers))
        sums.push_back(*sum);
    });
    for (const ScaledSum &sum : sums)
      Rewriter(sum).rewrite();
    factorScalesOfProducts(getOperation());
  }
};
} // namespace
