//===- MultiplyCodes.cpp - products of codes as products of integers ----------===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//     for k:  acc += (t[k / A] * p[k]) * (s[k / B] * (number of q[k] - z[k / B]))
//
// where the number of a code is unit * (slope * (code ^ flip) + offset), all integers:
//
//     for g by G, which divides A and B:
//       sum = 0, rows = 0
//       for k in g .. g + G by 32:
//         sum += p[k .. k + 32] * (q[k .. k + 32] ^ flip)       whole integers
//         rows += p[k] + ... + p[k + 31]
//       acc += t * s * unit * (slope * sum + (offset - z) * rows)
//
//===----------------------------------------------------------------------===//

#include "ScaledSums.h"

#include "dialects/Tile/Transforms/Passes.h"
#include "sectile/Numbers/Codes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

#include <numeric>

namespace sectile::tile {
#define GEN_PASS_DEF_TILEMULTIPLYCODESPASS
#include "dialects/Tile/Transforms/Passes.h.inc"
} // namespace sectile::tile

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;

/// Steps that one product takes at most: what a word of any width holds.
static constexpr int64_t kMostSteps = 32;

/// Steps of a group up to which no sum of products of bytes leaves 32 bits.
static constexpr int64_t kMostGroup = 8192;

/// Codes of a row that are summed at once.
static constexpr int64_t kMostSummed = 256;

namespace {
/// One side of the product.
struct Factor {
  DequantizeOp dequantize;
  LoadOp codes;
  /// Of the loop; null where it has one scale for all steps, from outside. So the zero points.
  LoadOp scale, zero;
  /// Steps that share scale and zero point.
  int64_t group = 0;
};

struct CodeProduct {
  scf::ForOp loop;
  DotOp dot;
  Factor rows, columns;
  numbers::LinearCodes numbers;
  int64_t lower, upper;
  /// Steps with the same scales, and of one product.
  int64_t group, steps;
};
} // namespace

/// Whether the tile has `length` elements, all along one dimension.
static bool isRow(Type type, int64_t length) {
  ArrayRef<int64_t> shape = numbers::getShape(type);
  return ShapedType::getNumElements(shape) == length &&
         llvm::count_if(shape, [](int64_t extent) { return extent != 1; }) <= 1;
}

/// Finds a load of the loop that `value` is, and joins the steps that it serves to `group`.
static bool matchParameter(Value value, scf::ForOp loop, LoadOp &load, int64_t &group) {
  if (!value || loop.isDefinedOutsideOfLoop(value))
    return true;
  load = value.getDefiningOp<LoadOp>();
  if (!load || load->getParentOp() != loop || !load.getIndices().empty())
    return false;
  std::optional<int64_t> steps = getGroup(load, loop);
  if (!steps || *steps == 0)
    return false;
  group = std::gcd(group, *steps);
  return true;
}

static std::optional<Factor> matchFactor(OpOperand &operand, scf::ForOp loop, int64_t length) {
  Factor factor;
  factor.dequantize = skipReshapes(operand.get()).getDefiningOp<DequantizeOp>();
  if (!factor.dequantize || factor.dequantize->getParentOp() != loop ||
      getOnlyReader(factor.dequantize.getResult()) != &operand)
    return std::nullopt;
  factor.codes = skipReshapes(factor.dequantize.getCodes()).getDefiningOp<LoadOp>();
  if (!factor.codes || factor.codes->getParentOp() != loop || !factor.codes.getIndices().empty() ||
      !llvm::is_contained(factor.codes.getMapOperands(), loop.getInductionVar()) ||
      !getElementTypeOrSelf(factor.codes.getType()).isInteger(8) ||
      !isRow(factor.codes.getType(), length) ||
      !matchParameter(factor.dequantize.getScale(), loop, factor.scale, factor.group) ||
      !matchParameter(factor.dequantize.getZero(), loop, factor.zero, factor.group))
    return std::nullopt;
  for (Value parameter : {factor.dequantize.getScale(), factor.dequantize.getZero()}) {
    if (!parameter)
      continue;
    auto type = dyn_cast<RankedTensorType>(parameter.getType());
    if ((type && type.getNumElements() != length) ||
        getElementTypeOrSelf(parameter.getType()).isF64())
      return std::nullopt;
  }
  return factor;
}

static std::optional<CodeProduct> matchCodeProduct(scf::ForOp loop) {
  CodeProduct product;
  product.loop = loop;
  product.dot = getSummedProduct(loop);
  if (!product.dot)
    return std::nullopt;
  auto left = cast<RankedTensorType>(product.dot.getLhs().getType());
  auto right = cast<RankedTensorType>(product.dot.getRhs().getType());
  if (left.getDimSize(1) != 1)
    return std::nullopt;
  std::optional<Factor> rows = matchFactor(product.dot.getLhsMutable(), loop, left.getDimSize(0));
  std::optional<Factor> columns =
      matchFactor(product.dot.getRhsMutable(), loop, right.getDimSize(1));
  if (!rows || !columns || rows->dequantize.getZero())
    return std::nullopt;
  formats::Format rowFormat = numbers::getFormat(rows->dequantize.getFormat());
  const formats::IntegerLayout *integer = rowFormat.getInteger();
  std::optional<numbers::LinearCodes> linear =
      numbers::getLinearCodes(numbers::getFormat(columns->dequantize.getFormat()));
  if (!integer || !integer->isSigned || integer->bits != 8 || integer->fractionBits != 0 || !linear)
    return std::nullopt;
  // Zero points that are codes; floats would need sums of rows as floats.
  Value zero = columns->dequantize.getZero();
  if (zero && (!getElementTypeOrSelf(zero.getType()).isInteger(8) || linear->slope != 1 ||
               linear->unit != 1))
    return std::nullopt;
  product.rows = *rows;
  product.columns = *columns;
  product.numbers = *linear;
  product.lower = *getConstantIntValue(loop.getLowerBound());
  product.upper = *getConstantIntValue(loop.getUpperBound());
  product.group = std::gcd(rows->group, columns->group);
  int64_t bits = columns->codes.getView().getType().getPackedBits();
  if (bits == 0)
    return std::nullopt; // neighbours along the sum lie apart
  int64_t period = getPackedPeriod(bits);
  if (product.group == 0) // one scale for all
    product.group =
        llvm::alignDown(std::min(product.upper - product.lower, kMostGroup), kMostSteps);
  for (product.steps = kMostSteps; product.steps > 0; product.steps -= period)
    if (product.steps % period == 0 && product.group % product.steps == 0)
      break;
  if (product.steps <= 0 || product.group == 0 || product.group > kMostGroup ||
      product.lower % product.group != 0)
    return std::nullopt;
  return product;
}

namespace {
/// Writes the loop anew.
class Rewriter {
public:
  explicit Rewriter(CodeProduct given)
      : product(given), builder(given.loop), loc(given.loop.getLoc()),
        rows(cast<RankedTensorType>(given.dot.getLhs().getType()).getDimSize(0)),
        columns(cast<RankedTensorType>(given.dot.getRhs().getType()).getDimSize(1)) {}

  void rewrite() {
    scf::ForOp loop = product.loop;
    Value total = loop.getInitArgs()[0];
    int64_t whole = llvm::alignDown(product.upper - product.lower, product.group);
    int64_t position = product.lower + whole;
    if (whole != 0) {
      auto groups = scf::ForOp::create(builder, loc, makeIndex(product.lower), makeIndex(position),
                                       makeIndex(product.group), total);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(groups.getBody());
      Value next = addGroup(groups.getInductionVar(), product.group, groups.getRegionIterArg(0));
      scf::YieldOp::create(builder, loc, next);
      total = groups.getResult(0);
    }
    if (int64_t rest = llvm::alignDown(product.upper - position, product.steps); rest != 0) {
      total = addGroup(makeIndex(position), rest, total);
      position += rest;
    }
    if (position != product.upper) {
      // The last steps, as they were.
      IRMapping mapping;
      auto tail = scf::ForOp::create(builder, loc, makeIndex(position), loop.getUpperBound(),
                                     loop.getStep(), total);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(tail.getBody());
      mapping.map(loop.getInductionVar(), tail.getInductionVar());
      mapping.map(loop.getRegionIterArg(0), tail.getRegionIterArg(0));
      for (Operation &op : *loop.getBody())
        builder.clone(op, mapping);
      total = tail.getResult(0);
    }
    loop.getResult(0).replaceAllUsesWith(total);
    loop.erase();
  }

private:
  Value makeIndex(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

  RankedTensorType getType(ArrayRef<int64_t> shape, Type element) {
    return RankedTensorType::get(shape, element);
  }

  Value makeSplat(RankedTensorType type, int64_t value) {
    auto element = builder.getIntegerAttr(type.getElementType(), value);
    return arith::ConstantOp::create(builder, loc, DenseElementsAttr::get(type, element));
  }

  Value reshape(Value value, RankedTensorType type) {
    return value.getType() == type ? value
                                   : ReshapeOp::create(builder, loc, type, value).getResult();
  }

  /// What `load`, of `length` elements, reads in `count` steps from `first` on: [count, length], or
  /// [length, count].
  Value loadSteps(LoadOp load, Value first, int64_t count, int64_t length, bool inFront) {
    unsigned place = inFront ? 0 : 1;
    MLIRContext *context = builder.getContext();
    SmallVector<AffineExpr> moved;
    for (int64_t extent : numbers::getShape(load.getType()))
      moved.push_back(extent == 1 ? getAffineConstantExpr(0, context)
                                  : getAffineDimExpr(1 - place, context));
    Value counter = product.loop.getInductionVar();
    auto getSymbols = [&](OperandRange operands) {
      SmallVector<AffineExpr> symbols;
      for (auto [i, operand] : llvm::enumerate(operands)) {
        AffineExpr symbol = getAffineSymbolExpr(i, context);
        symbols.push_back(operand == counter ? symbol + getAffineDimExpr(place, context) : symbol);
      }
      return symbols;
    };
    SmallVector<AffineExpr> ofMap = getSymbols(load.getMapOperands()),
                            ofSet = getSymbols(load.getSetOperands());
    AffineMap map =
        load.getMap().replaceDimsAndSymbols(moved, ofMap, 2, load.getMap().getNumSymbols());
    IntegerSetAttr where;
    if (load.getWhere())
      where = IntegerSetAttr::get(load.getWhere()->replaceDimsAndSymbols(
          moved, ofSet, 2, load.getWhere()->getNumSymbols()));
    auto replaceCounter = [&](OperandRange operands) {
      SmallVector<Value> values(operands);
      llvm::replace(values, counter, first);
      return values;
    };
    SmallVector<int64_t> shape{length, length};
    shape[place] = count;
    return LoadOp::create(builder, loc, getType(shape, getElementTypeOrSelf(load.getType())),
                          load.getView(), replaceCounter(load.getMapOperands()),
                          replaceCounter(load.getSetOperands()), ValueRange(),
                          AffineMapAttr::get(map), where, load.getFillAttr());
  }

  /// `sum` and the products of the codes of a product's steps from `first` on.
  Value addSteps(Value first, Value sum) {
    Type byte = builder.getI8Type();
    Value left = loadSteps(product.rows.codes, first, product.steps, rows, /*inFront=*/false);
    Value right = loadSteps(product.columns.codes, first, product.steps, columns, /*inFront=*/true);
    if (product.numbers.flip != 0)
      right = arith::XOrIOp::create(builder, loc, right,
                                    makeSplat(getType({product.steps, columns}, byte),
                                              static_cast<int8_t>(product.numbers.flip)));
    return DotOp::create(builder, loc, sum.getType(), left, right, sum, /*unsigned_lhs=*/false,
                         /*unsigned_rhs=*/true);
  }

  /// The result of `add`, which adds to a sum what `size` steps from a first one on give it, for
  /// all `count` steps from `first` on.
  Value sumUp(Value first, int64_t count, int64_t size, Value sum,
              llvm::function_ref<Value(Value, Value)> add) {
    if (count == size)
      return add(first, sum);
    auto loop =
        scf::ForOp::create(builder, loc, makeIndex(0), makeIndex(count), makeIndex(size), sum);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value step = arith::AddIOp::create(builder, loc, first, loop.getInductionVar());
    scf::YieldOp::create(builder, loc, add(step, loop.getRegionIterArg(0)));
    return loop.getResult(0);
  }

  /// Sums of the codes of each row, `count` from `first` on: [rows].
  Value sumRows(Value first, int64_t count) {
    // Products with ones, as many steps at once as there are few of.
    int64_t size = product.steps;
    for (int64_t multiple = product.steps; multiple <= kMostSummed; multiple += product.steps)
      if (count % multiple == 0)
        size = multiple;
    Value ones = makeSplat(getType({size, 1}, builder.getI8Type()), 1);
    Value sum = makeSplat(getType({rows, 1}, builder.getI32Type()), 0);
    sum = sumUp(first, count, size, sum, [&](Value step, Value sum) -> Value {
      Value left = loadSteps(product.rows.codes, step, size, rows, /*inFront=*/false);
      return DotOp::create(builder, loc, sum.getType(), left, ones, sum, /*unsigned_lhs=*/false,
                           /*unsigned_rhs=*/true);
    });
    return reshape(sum, getType({rows}, builder.getI32Type()));
  }

  /// A scale or zero point of the group that begins at `first`, for each row or column of the
  /// result, in `element` numbers.
  Value getParameter(Value value, LoadOp load, Value first, bool isRows) {
    if (load) {
      IRMapping mapping;
      mapping.map(product.loop.getInductionVar(), first);
      value = builder.clone(*load, mapping)->getResult(0);
    }
    Type element = getElementTypeOrSelf(value.getType());
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (type)
      value = reshape(value, getType({isRows ? rows : columns}, element));
    auto wide = [&](Type to) -> Type {
      return type ? cast<RankedTensorType>(value.getType()).clone(to) : to;
    };
    if (element.isInteger(8)) {
      // Its low bits are the code.
      formats::Format format = numbers::getFormat(product.columns.dequantize.getFormat());
      Type word = wide(builder.getI32Type());
      auto constant = [&](int64_t number) -> Value {
        Attribute attr = builder.getI32IntegerAttr(static_cast<int32_t>(number));
        if (auto tensor = dyn_cast<RankedTensorType>(word))
          attr = DenseElementsAttr::get(tensor, attr);
        return arith::ConstantOp::create(builder, loc, cast<TypedAttr>(attr));
      };
      value = arith::ExtUIOp::create(builder, loc, word, value);
      if (numbers::holdsSigned(format)) {
        Value unused = constant(32 - format.getBits());
        value = arith::ShLIOp::create(builder, loc, value, unused);
        value = arith::ShRSIOp::create(builder, loc, value, unused);
      } else {
        value = arith::AndIOp::create(builder, loc, value,
                                      constant((int64_t(1) << format.getBits()) - 1));
      }
    } else if (!element.isF32()) {
      value = arith::ExtFOp::create(builder, loc, wide(builder.getF32Type()), value);
    }
    RankedTensorType whole = getType({rows, columns}, getElementTypeOrSelf(value.getType()));
    SmallVector<int64_t> dims =
        type ? SmallVector<int64_t>{isRows ? 1 : 0} : SmallVector<int64_t>{0, 1};
    return BroadcastOp::create(builder, loc, whole, value, builder.getDenseI64ArrayAttr(dims));
  }

  /// `total` and the products of `size` steps from `first` on.
  Value addGroup(Value first, int64_t size, Value total) {
    Type word = builder.getI32Type();
    RankedTensorType whole = getType({rows, columns}, word);
    const numbers::LinearCodes &codes = product.numbers;
    Value zero = product.columns.dequantize.getZero();
    Value sum = sumUp(first, size, product.steps, makeSplat(whole, 0),
                      [&](Value step, Value sum) { return addSteps(step, sum); });
    if (codes.slope != 1)
      sum = arith::MulIOp::create(builder, loc, sum, makeSplat(whole, codes.slope));
    if (codes.offset != 0 || zero) {
      Value each = BroadcastOp::create(builder, loc, whole, sumRows(first, size),
                                       builder.getDenseI64ArrayAttr({1}));
      // A zero point is the number of its code, whose own bias is the codes'.
      bool isSigned =
          numbers::holdsSigned(numbers::getFormat(product.columns.dequantize.getFormat()));
      Value offset = makeSplat(whole, zero && !isSigned ? 0 : codes.offset);
      if (zero)
        offset = arith::SubIOp::create(
            builder, loc, offset,
            getParameter(zero, product.columns.zero, first, /*isRows=*/false));
      each = arith::MulIOp::create(builder, loc, each, offset);
      sum = arith::AddIOp::create(builder, loc, sum, each);
    }
    RankedTensorType floats = getType({rows, columns}, builder.getF32Type());
    Value products = arith::SIToFPOp::create(builder, loc, floats, sum);
    auto contract =
        arith::FastMathFlagsAttr::get(builder.getContext(), arith::FastMathFlags::contract);
    Value scale = arith::MulFOp::create(
        builder, loc,
        getParameter(product.rows.dequantize.getScale(), product.rows.scale, first, true),
        getParameter(product.columns.dequantize.getScale(), product.columns.scale, first, false));
    if (codes.unit != 1) {
      auto unit = DenseElementsAttr::get(floats, static_cast<float>(codes.unit));
      scale =
          arith::MulFOp::create(builder, loc, scale, arith::ConstantOp::create(builder, loc, unit));
    }
    auto type = cast<RankedTensorType>(total.getType());
    Value scaled = arith::MulFOp::create(builder, loc, products, scale, contract);
    Value next = arith::AddFOp::create(builder, loc, reshape(total, floats), scaled, contract);
    return reshape(next, type);
  }

  CodeProduct product;
  OpBuilder builder;
  Location loc;
  int64_t rows, columns;
};

struct TileMultiplyCodesPass : tile::impl::TileMultiplyCodesPassBase<TileMultiplyCodesPass> {
  using TileMultiplyCodesPassBase::TileMultiplyCodesPassBase;

  void runOnOperation() override {
    SmallVector<CodeProduct> products;
    getOperation().walk([&](scf::ForOp loop) {
      if (std::optional<CodeProduct> product = matchCodeProduct(loop))
        products.push_back(*product);
    });
    for (const CodeProduct &product : products)
      Rewriter(product).rewrite();
  }
};
} // namespace
