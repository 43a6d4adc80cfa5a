//===- ScaledSums.cpp - loops that sum products of dequantized numbers --------===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScaledSums.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::tile;

Value tile::skipReshapes(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getSource();
  return value;
}

OpOperand *tile::getOnlyReader(Value value) {
  while (value.hasOneUse()) {
    auto reshape = dyn_cast<ReshapeOp>(*value.getUsers().begin());
    if (!reshape)
      return &*value.use_begin();
    value = reshape.getResult();
  }
  return nullptr;
}

DotOp tile::getSummedProduct(scf::ForOp loop) {
  std::optional<APInt> step = loop.getConstantStep();
  std::optional<int64_t> lower = getConstantIntValue(loop.getLowerBound()),
                         upper = getConstantIntValue(loop.getUpperBound());
  if (!step || *step != 1 || !lower || !upper || *upper <= *lower || loop.getNumResults() != 1)
    return {};
  DotOp dot;
  for (Operation &op : loop.getBody()->without_terminator()) {
    auto other = dyn_cast<DotOp>(op);
    if (op.getNumRegions() != 0 || (dot && other))
      return {};
    if (other)
      dot = other;
  }
  if (!dot || !getElementTypeOrSelf(dot.getType()).isF32())
    return {};
  OpOperand *result = getOnlyReader(dot.getResult());
  bool isSummed = result && result->getOwner() == loop.getBody()->getTerminator() &&
                  skipReshapes(dot.getAcc()) == loop.getRegionIterArg(0) &&
                  loop.getRegionIterArg(0).hasOneUse();
  return isSummed ? dot : DotOp();
}

/// Steps of `counter` after which `expr` changes, where it has it in one division by them, to which
/// at most what does not depend on it is added: 0 where it has it not at all.
static std::optional<int64_t> matchGroup(AffineExpr expr, AffineExpr counter, unsigned number) {
  if (!expr.isFunctionOfSymbol(number))
    return 0;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return std::nullopt;
  if (expr.getKind() == AffineExprKind::Add) {
    std::optional<int64_t> left = matchGroup(binary.getLHS(), counter, number),
                           right = matchGroup(binary.getRHS(), counter, number);
    if (!left || !right || (*left != 0 && *right != 0))
      return std::nullopt;
    return *left + *right;
  }
  auto size = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (expr.getKind() != AffineExprKind::FloorDiv || binary.getLHS() != counter || !size ||
      size.getValue() <= 1)
    return std::nullopt;
  return size.getValue();
}

std::optional<int64_t> tile::getGroup(LoadOp load, scf::ForOp loop) {
  OperandRange operands = load.getMapOperands();
  if (llvm::is_contained(load.getSetOperands(), loop.getInductionVar()) ||
      llvm::count(operands, loop.getInductionVar()) != 1)
    return std::nullopt;
  unsigned number = std::distance(operands.begin(), llvm::find(operands, loop.getInductionVar()));
  AffineExpr counter = getAffineSymbolExpr(number, loop.getContext());
  std::optional<int64_t> group;
  for (AffineExpr expr : load.getMap().getResults()) {
    std::optional<int64_t> steps = matchGroup(expr, counter, number);
    if (!steps || (*steps != 0 && group && *group != *steps))
      return std::nullopt;
    if (*steps != 0)
      group = steps;
  }
  return group;
}
