//===- RepeatScales.cpp - views and numbers that no kernel stores -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What several kernels would share is stored between them. Scales that stand for many
// elements each, and numbers of codes that are multiplied as codes, are not worth it:
// whoever reads them gets its own op before kernels are formed.
//
//===----------------------------------------------------------------------===//

#include "Fusion.h"
#include "Work.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::graph;

/// Gives each use in `uses` of the op's result a copy of the op, and returns the copies; one
/// stays with the op where there are no others.
static SmallVector<Operation *> repeat(Operation *op, ArrayRef<OpOperand *> uses) {
  if (uses.size() == static_cast<size_t>(llvm::range_size(op->getUses())))
    uses = uses.drop_back();
  OpBuilder builder(op);
  SmallVector<Operation *> copies;
  for (OpOperand *use : uses) {
    copies.push_back(builder.clone(*op));
    use->set(copies.back()->getResult(cast<OpResult>(use->get()).getResultNumber()));
  }
  return copies;
}

void graph::repeatDequantized(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    SmallVector<OpOperand *> uses(llvm::make_pointer_range(op.getUses()));
    bool isMultiplied = classify(&op) == OpKind::Elementwise && uses.size() > 1 &&
                        llvm::all_of(uses, [](OpOperand *use) {
                          auto product = dyn_cast<linalg::LinalgOp>(use->getOwner());
                          return product && graph::multipliesCodes(product);
                        });
    if (isMultiplied)
      repeat(&op, uses);
  }
}

void graph::repeatScales(Block &block) {
  auto isView = [](Operation *op) {
    return isa<tensor::CollapseShapeOp, tensor::ExtractSliceOp>(op) ||
           (isa<linalg::LinalgOp>(op) && classify(op) == OpKind::Movement);
  };
  llvm::SetVector<Operation *> views;
  auto readsScale = [&](OpOperand &use) {
    auto op = dyn_cast<linalg::LinalgOp>(use.getOwner());
    if (!op || !op.isDpsInput(&use) || views.contains(op))
      return views.contains(use.getOwner());
    return llvm::any_of(op.getMatchingBlockArgument(&use).getUses(), [](OpOperand &reader) {
      return isa<graph::DequantizeOp, QuantizeOp>(reader.getOwner()) &&
             reader.getOperandNumber() != 0;
    });
  };
  for (Operation &op : llvm::reverse(block))
    if (isView(&op) && llvm::any_of(op.getUses(), readsScale))
      views.insert(&op);
  for (unsigned i = 0; i < views.size(); ++i) {
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : views[i]->getUses())
      if (readsScale(use))
        uses.push_back(&use);
    for (Operation *copy : repeat(views[i], uses))
      views.insert(copy);
  }
}
