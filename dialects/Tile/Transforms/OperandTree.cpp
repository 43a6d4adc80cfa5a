//===- OperandTree.cpp - what a product's operand is computed from -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OperandTree.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IntegerSet.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;

static bool isTile(Value value) { return isa<RankedTensorType>(value.getType()); }

static bool isElementwise(Operation *op) {
  return op->getNumResults() == 1 && op->getNumRegions() == 0 &&
         (OpTrait::hasElementwiseMappableTraits(op) ||
          isa<ConvertOp, DequantizeOp, QuantizeOp>(op));
}

/// Coordinates of a reshape's source from its result's, where only dimensions of extent 1 come and
/// go; else null.
static AffineMap getUnitReshape(ReshapeOp reshape) {
  auto source = dyn_cast<RankedTensorType>(reshape.getSource().getType());
  auto result = dyn_cast<RankedTensorType>(reshape.getType());
  if (!source || !result)
    return {};
  MLIRContext *context = reshape.getContext();
  SmallVector<AffineExpr> exprs;
  int64_t dim = 0;
  auto skipUnits = [&] {
    while (dim < result.getRank() && result.getDimSize(dim) == 1)
      ++dim;
  };
  for (int64_t extent : source.getShape()) {
    if (extent == 1) {
      exprs.push_back(getAffineConstantExpr(0, context));
      continue;
    }
    skipUnits();
    if (dim == result.getRank() || result.getDimSize(dim) != extent)
      return {};
    exprs.push_back(getAffineDimExpr(dim++, context));
  }
  skipUnits();
  return dim == result.getRank() ? AffineMap::get(result.getRank(), 0, exprs, context)
                                 : AffineMap();
}

std::optional<OperandTree> OperandTree::build(Value operand, scf::ForOp loop, std::string &reason) {
  OperandTree tree;
  tree.loop = loop;
  auto rank = static_cast<unsigned>(cast<RankedTensorType>(operand.getType()).getRank());
  if (!tree.visit(operand, AffineMap::getMultiDimIdentityMap(rank, operand.getContext()), reason))
    return std::nullopt;
  tree.isComputed = tree.nodes.size() != 1 || tree.leaves.size() != 1;
  return tree;
}

/// Adds what computes `value`, whose coordinates `map` gives, behind what it is computed from.
bool OperandTree::visit(Value value, AffineMap map, std::string &reason) {
  Operation *op = value.getDefiningOp();
  auto name = [&] { return "'" + op->getName().getStringRef().str() + "'"; };
  if (!op || (loop->isProperAncestor(op) && op->getBlock() != loop.getBody())) {
    reason = op ? name() + " stands in another loop or branch" : "a loop carries it";
    return false;
  }
  // What is used twice is computed once.
  for (auto [i, node] : llvm::enumerate(nodes))
    if (node.op == op && node.map == map) {
      last = static_cast<int64_t>(i);
      return true;
    }
  constexpr size_t kMostNodes = 64;
  if (nodes.size() >= kMostNodes) {
    reason = "it takes more than " + std::to_string(kMostNodes) + " operations";
    return false;
  }
  auto addNode = [&](ArrayRef<int64_t> operands, int64_t leaf = -1) {
    last = static_cast<int64_t>(nodes.size());
    nodes.push_back({op, map, SmallVector<int64_t>(operands), leaf});
    return true;
  };
  if (auto convert = dyn_cast<ConvertLayoutOp>(op))
    return visit(convert.getSource(), map, reason);
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    SmallVector<AffineExpr> exprs(map.getNumResults());
    for (auto [i, dim] : llvm::enumerate(transpose.getPerm()))
      exprs[dim] = map.getResult(i);
    return visit(transpose.getSource(),
                 AffineMap::get(map.getNumDims(), 0, exprs, map.getContext()), reason);
  }
  if (auto reshape = dyn_cast<ReshapeOp>(op)) {
    AffineMap units = getUnitReshape(reshape);
    if (!units) {
      reason = "'tile.reshape' cuts its coordinates otherwise";
      return false;
    }
    return visit(reshape.getSource(), units.compose(map), reason);
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    if (!isTile(broadcast.getSource()))
      return addNode({-1});
    SmallVector<AffineExpr> exprs;
    for (auto [dim, expr] : llvm::enumerate(map.getResults()))
      if (!llvm::is_contained(broadcast.getDims(), static_cast<int64_t>(dim)))
        exprs.push_back(expr);
    return visit(broadcast.getSource(),
                 AffineMap::get(map.getNumDims(), 0, exprs, map.getContext()), reason);
  }
  if (auto load = dyn_cast<LoadOp>(op)) {
    if (!load.getIndices().empty()) {
      reason = "it is gathered";
      return false;
    }
    leaves.push_back({load, map});
    return addNode({}, static_cast<int64_t>(leaves.size()) - 1);
  }
  if (isa<MaskOp, CoordOp, tensor::SplatOp>(op))
    return addNode({});
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (dense && dense.isSplat())
      return addNode({});
    reason = "a constant of several values takes part";
    return false;
  }
  if (!isElementwise(op)) {
    reason = name() + " is not done element by element";
    return false;
  }
  SmallVector<int64_t> operands;
  for (Value operand : op->getOperands()) {
    if (!isTile(operand)) {
      operands.push_back(-1);
      continue;
    }
    // Numbers and their parameters have one shape.
    if (cast<RankedTensorType>(operand.getType()).getShape() !=
        cast<RankedTensorType>(value.getType()).getShape()) {
      reason = name() + " has operands of several shapes";
      return false;
    }
    if (!visit(operand, map, reason))
      return false;
    operands.push_back(last);
  }
  return addNode(operands);
}

/// `map`, of the operand's coordinates, of those of a part.
static AffineMap shift(AffineMap map, ArrayRef<int64_t> offset) {
  SmallVector<AffineExpr> moved;
  for (auto [dim, by] : llvm::enumerate(offset))
    moved.push_back(getAffineDimExpr(dim, map.getContext()) + by);
  return map.replaceDimsAndSymbols(moved, {}, map.getNumDims(), 0);
}

static SmallVector<AffineExpr> getSymbols(unsigned count, AffineMap map) {
  SmallVector<AffineExpr> symbols;
  for (unsigned i = 0; i < count; ++i)
    symbols.push_back(getAffineSymbolExpr(i, map.getContext()));
  return symbols;
}

/// `set`, of a node's coordinates and its symbols, of those of a part of `rank` dimensions.
static IntegerSet compose(IntegerSet set, AffineMap map) {
  return set.replaceDimsAndSymbols(map.getResults(), getSymbols(set.getNumSymbols(), map),
                                   map.getNumDims(), set.getNumSymbols());
}

/// A map of a node's coordinates and its symbols, of those of a part.
static AffineMap compose(AffineMap of, AffineMap map) {
  return of.replaceDimsAndSymbols(map.getResults(), getSymbols(of.getNumSymbols(), map),
                                  map.getNumDims(), of.getNumSymbols());
}

bool OperandTree::isCheap() const {
  return llvm::all_of(nodes, [](const Node &node) {
    return !isa<math::MathDialect>(node.op->getDialect()) &&
           !isa<arith::DivFOp, arith::RemFOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
                arith::RemUIOp, QuantizeOp>(node.op);
  });
}

static RankedTensorType getPartType(const OperandPart &part, Type element) {
  return RankedTensorType::get(part.shape, element,
                               LayoutAttr::get(element.getContext(), part.layout));
}

Value OperandTree::emitLoad(OpBuilder &builder, const OperandPart &part, unsigned leaf) const {
  LoadOp load = leaves[leaf].load;
  AffineMap map = shift(leaves[leaf].map, part.offset);
  IntegerSetAttr where;
  if (std::optional<IntegerSet> set = load.getWhere())
    where = IntegerSetAttr::get(compose(*set, map));
  return LoadOp::create(builder, load.getLoc(),
                        getPartType(part, load.getView().getType().getElementType()),
                        load.getView(), load.getMapOperands(), load.getSetOperands(), ValueRange(),
                        AffineMapAttr::get(compose(load.getMap(), map)), where, load.getFillAttr());
}

Value OperandTree::emit(OpBuilder &builder, const OperandPart &part,
                        function_ref<Value(unsigned)> getLeaf) const {
  SmallVector<Value> values;
  for (const Node &node : nodes) {
    Operation *op = node.op;
    if (node.leaf >= 0) {
      values.push_back(getLeaf(static_cast<unsigned>(node.leaf)));
      continue;
    }
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    RankedTensorType own = getPartType(part, type.getElementType());
    Location loc = op->getLoc();
    AffineMap map = shift(node.map, part.offset);
    if (auto mask = dyn_cast<MaskOp>(op)) {
      values.push_back(MaskOp::create(builder, loc, own, mask.getMapOperands(),
                                      IntegerSetAttr::get(compose(mask.getSet(), map))));
    } else if (auto coord = dyn_cast<CoordOp>(op)) {
      values.push_back(CoordOp::create(builder, loc, own, coord.getMapOperands(),
                                       AffineMapAttr::get(compose(coord.getMap(), map))));
    } else if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      auto dense = cast<DenseElementsAttr>(constant.getValue());
      values.push_back(arith::ConstantOp::create(
          builder, loc, DenseElementsAttr::get(own, dense.getSplatValue<Attribute>())));
    } else if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
      SmallVector<int64_t> dims = llvm::to_vector(llvm::seq<int64_t>(0, own.getRank()));
      values.push_back(BroadcastOp::create(builder, loc, own, broadcast.getSource(),
                                           builder.getDenseI64ArrayAttr(dims)));
    } else {
      Operation *copy = builder.clone(*op);
      for (auto [i, operand] : llvm::enumerate(node.operands))
        if (operand >= 0)
          copy->setOperand(i, values[operand]);
      copy->getResult(0).setType(own);
      values.push_back(copy->getResult(0));
    }
  }
  return values.back();
}
