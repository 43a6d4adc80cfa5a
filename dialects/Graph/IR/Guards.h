//===- Guards.h - when a value is needed ------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Ops of a branch stand among all others. What says that they belong to it is
// demand: a value is needed if an op is that uses it, and through one side of a
// `graph.choose` only if the choice is needed and takes that side.
//
//   %a = ... %x              guard of %a: [(%c, true)]
//   %b = ... %x              none: the other use needs it anyway
//   %r = graph.choose %c, %a, %b
//   %s = ... %b
//
// No attribute has to be kept up to date, and whatever rewrites the program may
// forget about branches.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_IR_GUARDS_H
#define SECTILE_DIALECTS_GRAPH_IR_GUARDS_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace sectile::graph {

/// A condition (a tensor<i1>) and what it must be.
struct Literal {
  mlir::Value condition;
  bool value;
  bool operator==(const Literal &other) const = default;
};

/// All of them must hold. Those of the outer choices come first: the condition of an inner choice
/// is itself computed only if they do.
using Guard = llvm::SmallVector<Literal, 1>;

/// Of the ops of a block, as they were when this was made. Takes time in proportion to the uses,
/// times the depth of choices.
class Guards {
public:
  explicit Guards(mlir::Block &block);

  /// What must hold for a result of `op` to be needed, as far as it is known where the op stands:
  /// every condition is computed in front of it. Nothing for ops with effects and for results that
  /// nobody uses.
  llvm::ArrayRef<Literal> getGuard(mlir::Operation *op) const;

private:
  llvm::DenseMap<mlir::Operation *, Guard> guards;
};

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_IR_GUARDS_H
