//===- AbsorbTransposes.cpp - products that read weights transposed -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights that are computed from constants (dequantized, say) are no constants: a
// transposition of them is not folded, and would move every element on every run. A
// product can read them in any order, because the constants that they come from
// will be laid out for it.
//
//===----------------------------------------------------------------------===//

#include "AbsorbTransposes.h"

#include "dialects/Graph/IR/Contraction.h"
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace sectile;

/// Ops between weights and their constants that are looked through.
static constexpr unsigned kMostSteps = 16;

/// Whether `value` is computed element by element from constants, in `steps` ops at most.
static bool isFromConstants(Value value, unsigned steps = kMostSteps) {
  if (!isa<RankedTensorType>(value.getType()) || matchPattern(value, m_Constant()))
    return matchPattern(value, m_Constant());
  Operation *op = value.getDefiningOp();
  if (!op || steps == 0)
    return false;
  if (isa<tensor::EmptyOp>(op))
    return true;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    if (linalgOp.getNumReductionLoops() != 0)
      return false;
  } else if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::ExtractSliceOp,
                  tensor::CastOp>(op)) {
    return false;
  }
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    return !isa<RankedTensorType>(operand.getType()) || isFromConstants(operand, steps - 1);
  });
}

/// The permutation by which `op` moves elements and does nothing else: its source's dimensions as a
/// map of its result's.
static std::optional<AffineMap> getPermutation(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() != 0 || op.getNumDpsInputs() != 1 || op->getNumResults() != 1 ||
      !op.getBlock()->without_terminator().empty() ||
      op.getBlock()->getTerminator()->getOperand(0) != op.getBlock()->getArgument(0))
    return std::nullopt;
  AffineMap from = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  AffineMap to = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!from.isPermutation() || !to.isPermutation())
    return std::nullopt;
  return from.compose(inversePermutation(to));
}

void graph::absorbTransposes(func::FuncOp func) {
  func.walk([](linalg::GenericOp product) {
    if (!sumsProducts(product))
      return;
    SmallVector<AffineMap> maps = product.getIndexingMapsArray();
    bool changes = false;
    for (OpOperand *input : product.getDpsInputOperands()) {
      auto moved = input->get().getDefiningOp<linalg::LinalgOp>();
      std::optional<AffineMap> permutation = moved ? getPermutation(moved) : std::nullopt;
      if (!permutation)
        continue;
      Value source = moved.getDpsInputOperand(0)->get();
      if (matchPattern(source, m_Constant()) || !isFromConstants(source))
        continue;
      AffineMap &map = maps[input->getOperandNumber()];
      map = permutation->compose(map);
      input->set(source);
      changes = true;
      if (isOpTriviallyDead(moved))
        moved.erase();
    }
    if (changes)
      product.setIndexingMapsAttr(Builder(product.getContext()).getAffineMapArrayAttr(maps));
  });
}
