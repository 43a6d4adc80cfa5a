//===- FactorProducts.cpp - products of codes first, then their scale ---------===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product of tiles whose right side has one scale for each column, the same for
// all steps along k of the tile:
//
//     acc + x * (s[n] * q[k, n])     becomes     acc + s[n] * (x * q[k, n])
//
// which takes a multiplication for each sum instead of one for each code: of few
// rows, that is less.
//
//===----------------------------------------------------------------------===//

#include "ScaledSums.h"

#include "sectile/Numbers/Codes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;

namespace {
struct ScaledProduct {
  DotOp dot;
  DequantizeOp dequantize;
  /// Ops between the two, from the product on.
  SmallVector<TransposeOp> turns;
  /// The dimension of the numbers' tile that k is, and the scale: a tile that a load reads, or one
  /// of a value for each column.
  unsigned kDim;
  LoadOp load;
  Value columns;
};
} // namespace

/// Whether a float type has all numbers of the format, and differences of two of them where there
/// are zero points.
static bool holdsNumbers(Type type, DequantizeOp op) {
  formats::Format format = numbers::getFormat(op.getFormat());
  auto holds = [&](double number) {
    APFloat value(number);
    bool losesInfo = false;
    value.convert(cast<FloatType>(type).getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &losesInfo);
    return !losesInfo && value.isFinite();
  };
  for (uint32_t code = 0; code < format.getCodeCount(); ++code)
    if (!holds(format.decode(code)))
      return false;
  if (!op.getZero())
    return true;
  bool isCode = numbers::isCode(getElementTypeOrSelf(op.getZero().getType()),
                                getElementTypeOrSelf(op.getCodes().getType()));
  return isCode && format.isInteger() && holds(format.getLargest() - format.getLowest()) &&
         holds(format.getLargest() - format.getLowest() - 1);
}

/// Whether `expr` is the same for all of `extent` coordinates `dim`: it has none, or only in
/// quotients by multiples of the extent, of which the tile begins at one.
static bool isSameAlong(AffineExpr expr, unsigned dim, int64_t extent, AffineMap map) {
  if (!expr.isFunctionOfDim(dim))
    return true;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  auto divisor = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (expr.getKind() == AffineExprKind::FloorDiv && divisor && divisor.getValue() % extent == 0) {
    AffineExpr own = getAffineDimExpr(dim, expr.getContext());
    AffineExpr base =
        simplifyAffineExpr(binary.getLHS() - own, map.getNumDims(), map.getNumSymbols());
    return !base.isFunctionOfDim(dim) && base.isMultipleOf(extent);
  }
  return (expr.getKind() == AffineExprKind::Add || expr.getKind() == AffineExprKind::Mul) &&
         isSameAlong(binary.getLHS(), dim, extent, map) &&
         isSameAlong(binary.getRHS(), dim, extent, map);
}

static std::optional<ScaledProduct> matchScaledProduct(DotOp dot) {
  ScaledProduct product{dot, {}, {}, 0, {}, {}};
  Value value = dot.getRhs();
  while (auto turn = value.getDefiningOp<TransposeOp>()) {
    if (!value.hasOneUse())
      return std::nullopt;
    product.turns.push_back(turn);
    product.kDim = static_cast<unsigned>(turn.getPerm()[product.kDim]);
    value = turn.getSource();
  }
  product.dequantize = value.getDefiningOp<DequantizeOp>();
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Type sum = getElementTypeOrSelf(dot.getType());
  if (!product.dequantize || !value.hasOneUse() || !type || type.getRank() != 2 ||
      !isa<FloatType>(sum) || !holdsNumbers(type.getElementType(), product.dequantize))
    return std::nullopt;
  // Fewer multiplications.
  int64_t m = cast<RankedTensorType>(dot.getLhs().getType()).getDimSize(0);
  int64_t k = type.getDimSize(product.kDim);
  Value scale = product.dequantize.getScale();
  auto scales = dyn_cast<RankedTensorType>(scale.getType());
  if (m >= k || !scales || scales.getShape() != type.getShape())
    return std::nullopt;
  // A sum takes the scale in its own type.
  if (scales.getElementType() != sum &&
      cast<FloatType>(scales.getElementType()).getWidth() > cast<FloatType>(sum).getWidth())
    return std::nullopt;
  unsigned kDim = product.kDim;
  while (auto turn = scale.getDefiningOp<TransposeOp>()) {
    kDim = static_cast<unsigned>(turn.getPerm()[kDim]);
    scale = turn.getSource();
  }
  if (auto broadcast = scale.getDefiningOp<BroadcastOp>()) {
    bool isAlongK = broadcast.getDims() == ArrayRef<int64_t>{static_cast<int64_t>(kDim)};
    if (!isAlongK || !isa<RankedTensorType>(broadcast.getSource().getType()))
      return std::nullopt;
    product.columns = broadcast.getSource();
    // Where the columns are, whoever reads them finds them best.
    auto load = product.columns.getDefiningOp<LoadOp>();
    if (load && load.getIndices().empty() && load->getBlock() == dot->getBlock())
      product.load = load;
    return product;
  }
  auto load = scale.getDefiningOp<LoadOp>();
  if (!load || !load.getIndices().empty() || load->getBlock() != dot->getBlock() ||
      !llvm::all_of(load.getMap().getResults(),
                    [&](AffineExpr expr) { return isSameAlong(expr, kDim, k, load.getMap()); }))
    return std::nullopt;
  if (std::optional<IntegerSet> set = load.getWhere())
    for (AffineExpr constraint : set->getConstraints())
      if (constraint.isFunctionOfDim(kDim))
        return std::nullopt;
  product.load = load;
  product.kDim = kDim;
  return product;
}

/// The scales for each of the product's sums.
static Value makeScales(OpBuilder &builder, const ScaledProduct &product) {
  DotOp dot = product.dot;
  auto sums = cast<RankedTensorType>(dot.getType());
  Location loc = dot.getLoc();
  MLIRContext *context = builder.getContext();
  Value scale;
  if (LoadOp load = product.load) {
    // Columns of the sums for those of the load; rows have the same.
    auto rank = static_cast<unsigned>(load.getTileRank());
    SmallVector<AffineExpr> dims(rank, getAffineConstantExpr(0, context));
    dims[rank == 1 ? 0 : 1 - product.kDim] = getAffineDimExpr(1, context);
    auto symbolsOf = [&](unsigned count) {
      SmallVector<AffineExpr> symbols;
      for (unsigned i = 0; i < count; ++i)
        symbols.push_back(getAffineSymbolExpr(i, context));
      return symbols;
    };
    AffineMap map = load.getMap();
    IntegerSetAttr where;
    if (std::optional<IntegerSet> set = load.getWhere())
      where = IntegerSetAttr::get(set->replaceDimsAndSymbols(dims, symbolsOf(set->getNumSymbols()),
                                                             2, set->getNumSymbols()));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(load);
    auto type = RankedTensorType::get(sums.getShape(), getElementTypeOrSelf(load.getType()));
    scale = LoadOp::create(builder, load.getLoc(), type, load.getView(), load.getMapOperands(),
                           load.getSetOperands(), ValueRange(),
                           AffineMapAttr::get(map.replaceDimsAndSymbols(
                               dims, symbolsOf(map.getNumSymbols()), 2, map.getNumSymbols())),
                           where, load.getFillAttr());
  } else {
    auto type =
        RankedTensorType::get(sums.getShape(), getElementTypeOrSelf(product.columns.getType()));
    scale =
        BroadcastOp::create(builder, loc, type, product.columns, builder.getDenseI64ArrayAttr({0}));
  }
  if (getElementTypeOrSelf(scale.getType()) != sums.getElementType())
    scale = arith::ExtFOp::create(builder, loc, sums, scale);
  return scale;
}

static void rewrite(const ScaledProduct &product) {
  DotOp dot = product.dot;
  OpBuilder builder(dot);
  Location loc = dot.getLoc();
  DequantizeOp dequantize = product.dequantize;
  Type element = getElementTypeOrSelf(dequantize.getScale().getType());
  Value scale = makeScales(builder, product);
  builder.setInsertionPoint(dequantize);
  Value one = arith::ConstantOp::create(builder, loc, builder.getFloatAttr(element, 1.0));
  Value unused = dequantize.getScale();
  dequantize.getScaleMutable().assign(one);
  for (Operation *op = unused.getDefiningOp(); op && op->use_empty();) {
    unused = op->getOperand(0);
    op->erase();
    op = unused.getDefiningOp();
  }
  builder.setInsertionPoint(dot);
  auto type = cast<RankedTensorType>(dot.getType());
  Value total = dot.getAcc();
  Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  auto codes = cast<DotOp>(builder.clone(*dot));
  codes.getAccMutable().assign(zero);
  auto contract =
      arith::FastMathFlagsAttr::get(builder.getContext(), arith::FastMathFlags::contract);
  Value sum = arith::MulFOp::create(builder, loc, codes.getResult(), scale, contract);
  // A sum that begins here has nothing to be added to.
  bool isFirst = false;
  if (auto constant = total.getDefiningOp<arith::ConstantOp>())
    if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue()); dense && dense.isSplat())
      isFirst = dense.getSplatValue<APFloat>().isZero();
  if (auto start = total.getDefiningOp<BroadcastOp>()) {
    FloatAttr value;
    isFirst = matchPattern(start.getSource(), m_Constant(&value)) && value.getValue().isZero();
  }
  if (!isFirst)
    sum = arith::AddFOp::create(builder, loc, total, sum, contract);
  dot.replaceAllUsesWith(sum);
  dot.erase();
  if (Operation *start = total.getDefiningOp(); start && isOpTriviallyDead(start))
    start->erase();
}

void tile::factorScalesOfProducts(KernelOp kernel) {
  SmallVector<DotOp> dots;
  kernel.walk([&](DotOp dot) {
    // Single steps are what loops sum.
    if (cast<RankedTensorType>(dot.getLhs().getType()).getDimSize(1) > 1)
      dots.push_back(dot);
  });
  for (DotOp dot : dots)
    if (std::optional<ScaledProduct> product = matchScaledProduct(dot))
      rewrite(*product);
}
