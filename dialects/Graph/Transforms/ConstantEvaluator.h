//===- ConstantEvaluator.h - elements of tensors that are constant -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Evaluates by demand: asked for some elements of a tensor, an op asks its operands
// for those that these depend on, down to the bytes of constants. No tensor is ever
// held as a whole, so memory is bounded by the number of elements asked for at once
// times the depth of the graph.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_TRANSFORMS_CONSTANTEVALUATOR_H
#define SECTILE_DIALECTS_GRAPH_TRANSFORMS_CONSTANTEVALUATOR_H

#include "ScalarEvaluator.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/DenseMap.h"

namespace sectile::graph {

/// Row-major positions of elements in their tensor.
using Positions = std::vector<int64_t>;

class ConstantEvaluator {
public:
  /// Whether elements of the op's one result can be computed from elements of its operands: a
  /// constant with its bytes at hand, linalg on tensors of static shape whose body
  /// `evaluateScalar` knows, and the ops that move elements.
  static bool canEvaluate(mlir::Operation *op);

  /// Elements of `value`, which ops that `canEvaluate` compute from constants alone. Failure
  /// where an element is not determined, or is an access outside a tensor.
  mlir::FailureOr<Words> evaluate(mlir::Value value, llvm::ArrayRef<int64_t> positions);

private:
  mlir::FailureOr<Words> evaluateLinalg(mlir::linalg::LinalgOp op,
                                        llvm::ArrayRef<int64_t> positions);
  mlir::FailureOr<Words> evaluateReduction(mlir::linalg::LinalgOp op,
                                           llvm::ArrayRef<Positions> coords, size_t count);
  /// The operand's elements at `count` points of the loops, `coords[loop][point]`.
  mlir::FailureOr<Words> evaluateOperand(mlir::linalg::LinalgOp op, mlir::OpOperand &operand,
                                         llvm::ArrayRef<Positions> coords, size_t count);
  mlir::FailureOr<Words> evaluateBody(mlir::linalg::LinalgOp op, std::vector<Words> arguments,
                                      llvm::ArrayRef<Positions> coords);
  mlir::FailureOr<Words> readConstant(mlir::ElementsAttr value, llvm::ArrayRef<int64_t> positions);

  /// Elements of constants that are not bytes in memory.
  llvm::DenseMap<mlir::Attribute, Words> decoded;
};

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_TRANSFORMS_CONSTANTEVALUATOR_H
