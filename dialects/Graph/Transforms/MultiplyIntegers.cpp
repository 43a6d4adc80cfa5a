//===- MultiplyIntegers.cpp - products of dequantized bytes as integers -------===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// sum over k of (s * (p[k] - z)) * (t * (q[k] - y))  =  s * t * sum over k of (p[k] - z) * (q[k] -
// y)
//
// with codes p and q of 8 bits. Without their zero points they have 16, their products are summed
// in 32, exactly, and two numbers are rounded where 2 k were: each term, and each sum.
//
//===----------------------------------------------------------------------===//

#include "dialects/Graph/IR/Contraction.h"
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/Transforms/Passes.h"
#include "sectile/Numbers/Codes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

namespace sectile::graph {
#define GEN_PASS_DEF_GRAPHMULTIPLYINTEGERSPASS
#include "dialects/Graph/Transforms/Passes.h.inc"
} // namespace sectile::graph

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

namespace {

/// One side of a product: codes, and views of what they are dequantized to.
struct Side {
  OpOperand *operand;
  linalg::LinalgOp source;
  DequantizeOp dequantize;
  /// Between the product and the source, the nearest to the product first.
  SmallVector<Operation *> views;
  bool isSigned;

  /// The scale, or null for a constant of the body, and how it is read by the product's loops.
  Value scale;
  AffineMap scaleMap;
};

/// An operand of the body's op that is an argument, or null.
OpOperand *getOperand(linalg::LinalgOp op, Value value) {
  auto argument = dyn_cast_if_present<BlockArgument>(value);
  return argument && argument.getOwner() == op.getBlock()
             ? &op->getOpOperand(argument.getArgNumber())
             : nullptr;
}

bool isOneNumber(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return type.hasStaticShape() && type.getNumElements() == 1;
}

/// Ops that give elements of their first operand, or zeros, other places.
bool isView(Operation *op) {
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp>(op))
    return true;
  auto pad = dyn_cast<tensor::PadOp>(op);
  return pad && pad.getConstantPaddingValue() &&
         matchPattern(pad.getConstantPaddingValue(), m_AnyZeroFloat());
}

std::optional<Side> matchSide(linalg::LinalgOp product, OpOperand *operand) {
  Side side;
  side.operand = operand;
  Value value = operand->get();
  while (Operation *view = value.getDefiningOp()) {
    if (!isView(view))
      break;
    side.views.push_back(view);
    value = view->getOperand(0);
  }
  side.dequantize = getDequantize(value);
  if (!side.dequantize || !getElementTypeOrSelf(value.getType()).isF32())
    return std::nullopt;
  side.source = value.getDefiningOp<linalg::LinalgOp>();
  formats::Format format = numbers::getFormat(side.dequantize.getFormat());
  const formats::IntegerLayout *integer = format.getInteger();
  OpOperand *codes = getOperand(side.source, side.dequantize.getCodes());
  if (!integer || integer->bits != 8 || integer->fractionBits != 0 || !codes ||
      !side.dequantize.getCodes().getType().isInteger(8) ||
      !side.dequantize.getScale().getType().isF32() ||
      !side.source.getMatchingIndexingMap(side.source.getDpsInitOperand(0)).isIdentity())
    return std::nullopt;
  if (Value zero = side.dequantize.getZero(); zero && !zero.getType().isInteger(8))
    return std::nullopt;
  side.isSigned = integer->isSigned;
  OpOperand *scale = getOperand(side.source, side.dequantize.getScale());
  if (!scale)
    return std::nullopt;
  side.scale = scale->get();
  AffineMap map = side.source.getMatchingIndexingMap(scale);
  if (isOneNumber(side.scale)) {
    side.scaleMap = AffineMap::get(
        product.getNumLoops(), 0,
        SmallVector<AffineExpr>(map.getNumResults(), getAffineConstantExpr(0, map.getContext())),
        map.getContext());
    return side;
  }
  if (!side.views.empty())
    return std::nullopt; // another element's scale, as far as is known
  side.scaleMap = map.compose(product.getMatchingIndexingMap(operand));
  for (auto [loop, kind] : llvm::enumerate(product.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction && side.scaleMap.isFunctionOfDim(loop))
      return std::nullopt;
  return side;
}

/// The largest magnitude of a code without its zero point.
int64_t getMagnitude(Side &side) {
  if (!side.dequantize.getZero())
    return side.isSigned ? 128 : 255;
  return 255;
}

class IntegerProduct {
public:
  IntegerProduct(linalg::LinalgOp product, Side left, Side right)
      : product(product), sides{std::move(left), std::move(right)}, builder(product),
        loc(product.getLoc()) {}

  void rewrite() {
    SmallVector<Value> factors = {makeNumbers(sides[0]), makeNumbers(sides[1])};
    if (sides[0].operand->getOperandNumber() > sides[1].operand->getOperandNumber())
      std::swap(factors[0], factors[1]);
    Value sums = makeSums(factors);
    product->getResult(0).replaceAllUsesWith(scaleSums(sums));
    product->erase();
  }

private:
  /// `like` has its place before what is made: of an op it is the init, not the result.
  Value makeEmpty(Value like, Type element) {
    return tensor::EmptyOp::create(builder, loc, tensor::getMixedSizes(builder, loc, like),
                                   element);
  }

  static RankedTensorType withElement(Value value, Type element) {
    return cast<RankedTensorType>(value.getType()).clone(element);
  }

  /// The codes of a side without their zero points, in the places where the product reads them.
  Value makeNumbers(Side &side) {
    OpBuilder::InsertionGuard guard(builder);
    Value value = readCodes(side);
    if (!value)
      value = subtractZero(side);
    for (Operation *view : llvm::reverse(side.views))
      value = repeatView(view, value);
    return value;
  }

  /// The codes themselves, where they are the numbers. Those of a matrix become halves first, which
  /// its product does once for many rows; kernels of convolutions are read as they lie.
  static Value readCodes(Side &side) {
    OpOperand *codes = getOperand(side.source, side.dequantize.getCodes());
    bool isSame = side.isSigned && !side.dequantize.getZero() && side.source.getNumLoops() > 2 &&
                  side.source.getMatchingIndexingMap(codes).isIdentity();
    return isSame ? codes->get() : Value();
  }

  Value subtractZero(Side &side) {
    builder.setInsertionPoint(side.source);
    Type half = builder.getI16Type();
    linalg::LinalgOp source = side.source;
    Value init = makeEmpty(source.getDpsInits()[0], half);
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (Value part : {side.dequantize.getCodes(), side.dequantize.getZero()}) {
      OpOperand *operand = getOperand(source, part);
      if (!operand)
        continue;
      inputs.push_back(operand->get());
      maps.push_back(source.getMatchingIndexingMap(operand));
    }
    maps.push_back(builder.getMultiDimIdentityMap(source.getNumLoops()));
    Value constant = side.dequantize.getZero();
    if (getOperand(source, constant))
      constant = Value();
    auto body = [&](OpBuilder &b, Location where, ValueRange arguments) {
      auto extend = [&](Value code) -> Value {
        if (side.isSigned)
          return arith::ExtSIOp::create(b, where, half, code);
        return arith::ExtUIOp::create(b, where, half, code);
      };
      Value number = extend(arguments[0]);
      Value zero = inputs.size() > 1 ? arguments[1] : constant;
      if (zero)
        number = arith::SubIOp::create(b, where, number, extend(zero));
      linalg::YieldOp::create(b, where, number);
    };
    SmallVector<utils::IteratorType> iterators(source.getNumLoops(), utils::IteratorType::parallel);
    return linalg::GenericOp::create(builder, loc, init.getType(), inputs, init, maps, iterators,
                                     body)
        .getResult(0);
  }

  Value repeatView(Operation *view, Value source) {
    builder.setInsertionPoint(view);
    Type element = getElementTypeOrSelf(source.getType());
    RankedTensorType type = withElement(view->getResult(0), element);
    if (auto pad = dyn_cast<tensor::PadOp>(view)) {
      Value zero = arith::ConstantOp::create(builder, loc, builder.getIntegerAttr(element, 0));
      return tensor::PadOp::create(builder, loc, type, source, pad.getMixedLowPad(),
                                   pad.getMixedHighPad(), zero, pad.getNofold());
    }
    IRMapping mapping;
    mapping.map(view->getOperand(0), source);
    Operation *copy = builder.clone(*view, mapping);
    copy->getResult(0).setType(type);
    return copy->getResult(0);
  }

  Value makeSums(ArrayRef<Value> factors) {
    Type word = builder.getI32Type();
    Value zero = arith::ConstantOp::create(builder, loc, builder.getI32IntegerAttr(0));
    Value init = makeEmpty(product.getDpsInits()[0], word);
    init = linalg::FillOp::create(builder, loc, zero, init).getResult(0);
    SmallVector<AffineMap> maps = product.getIndexingMapsArray();
    auto body = [&](OpBuilder &b, Location where, ValueRange arguments) {
      Value left = arith::ExtSIOp::create(b, where, word, arguments[0]);
      Value right = arith::ExtSIOp::create(b, where, word, arguments[1]);
      Value term = arith::MulIOp::create(b, where, left, right);
      linalg::YieldOp::create(b, where,
                              arith::AddIOp::create(b, where, arguments[2], term).getResult());
    };
    return linalg::GenericOp::create(builder, loc, init.getType(), factors, init, maps,
                                     product.getIteratorTypesArray(), body)
        .getResult(0);
  }

  Value scaleSums(Value sums) {
    AffineMap result = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
    // The result's dimensions in the places of the loops.
    SmallVector<AffineExpr> dims(product.getNumLoops(), builder.getAffineConstantExpr(0));
    for (auto [dim, expr] : llvm::enumerate(result.getResults()))
      dims[cast<AffineDimExpr>(expr).getPosition()] = builder.getAffineDimExpr(dim);
    unsigned rank = result.getNumResults();
    SmallVector<Value> inputs = {sums};
    SmallVector<AffineMap> maps = {builder.getMultiDimIdentityMap(rank)};
    for (const Side &side : sides) {
      inputs.push_back(side.scale);
      maps.push_back(side.scaleMap.replaceDimsAndSymbols(dims, {}, rank, 0));
    }
    maps.push_back(maps[0]);
    Value init = makeEmpty(sums, builder.getF32Type());
    auto body = [&](OpBuilder &b, Location where, ValueRange arguments) {
      Value sum = arith::SIToFPOp::create(b, where, b.getF32Type(), arguments[0]);
      Value scale = arith::MulFOp::create(b, where, arguments[1], arguments[2]);
      linalg::YieldOp::create(b, where, arith::MulFOp::create(b, where, sum, scale).getResult());
    };
    SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
    return linalg::GenericOp::create(builder, loc, init.getType(), inputs, init, maps, iterators,
                                     body)
        .getResult(0);
  }

  linalg::LinalgOp product;
  Side sides[2];
  OpBuilder builder;
  Location loc;
};

/// Whether all of a product's sums begin with 0.
bool beginsWithZero(linalg::LinalgOp product) {
  auto fill = product.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

/// Whether the body is nothing but a product and a sum, of the two operands.
bool isPlain(linalg::LinalgOp product) {
  return sumsProducts(product) && product.getNumDpsInputs() == 2 &&
         llvm::range_size(product.getBlock()->without_terminator()) == 2 &&
         getElementTypeOrSelf(product->getResult(0).getType()).isF32() &&
         product.getMatchingIndexingMap(product.getDpsInitOperand(0)).isProjectedPermutation();
}

struct GraphMultiplyIntegersPass
    : graph::impl::GraphMultiplyIntegersPassBase<GraphMultiplyIntegersPass> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> products;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (isPlain(op) && beginsWithZero(op))
        products.push_back(op);
    });
    for (linalg::LinalgOp op : products)
      rewrite(op);
  }

private:
  void rewrite(linalg::LinalgOp product) {
    std::optional<Side> left = matchSide(product, product.getDpsInputOperand(0));
    std::optional<Side> right =
        left ? matchSide(product, product.getDpsInputOperand(1)) : std::nullopt;
    if (!right)
      return;
    int64_t terms = 1;
    for (auto [extent, kind] :
         llvm::zip_equal(product.getStaticLoopRanges(), product.getIteratorTypesArray()))
      if (kind == utils::IteratorType::reduction) {
        if (ShapedType::isDynamic(extent) || extent > INT32_MAX / std::max<int64_t>(terms, 1))
          return;
        terms *= extent;
      }
    if (terms > INT32_MAX / (getMagnitude(*left) * getMagnitude(*right)))
      return;
    Location loc = product.getLoc();
    if (auto remark = remark::passed(
            loc, remark::RemarkOpts::name("integers").category("graph-multiply-integers")))
      remark << "multiplies codes without their zero points, which are integers of 16 bits, and "
                "scales their sums"
             << remark::metric("terms", terms);
    IntegerProduct(product, std::move(*left), std::move(*right)).rewrite();
  }
};

} // namespace
