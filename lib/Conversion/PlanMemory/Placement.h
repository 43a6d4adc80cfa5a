//===- Placement.h - which tensors of the host program share memory -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In the host program a tensor either owns memory or is a *window* on the
// memory of another one, its parent. Windows are read off the ops:
//
//   reshape, cast          the whole parent, with other extents
//   extract_slice          a part of its source
//   operand of a concat    a part of the concat's result: whoever computes the
//                          operand writes it there
//   result of a launch     the whole input that graph.in_place names
//
// graph-place-tensors sees to it that an operand of a concat has no other
// place; graph-plan-memory gives owners memory and computes where windows lie.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_PLANMEMORY_PLACEMENT_H
#define SECTILE_LIB_CONVERSION_PLANMEMORY_PLACEMENT_H

#include "dialects/Graph/IR/Alias.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace sectile {

/// A tensor's place in the memory of `parent`.
struct Window {
  enum Kind { Reshape, Slice, Operand, InPlace, Choice } kind;
  mlir::Value parent;
  mlir::Operation *op; // the reshape, slice, concat, launch, loop or choice
  unsigned number = 0; // of the operand
  /// Whether it covers all of the parent.
  bool isWhole() const { return kind == Reshape || kind == InPlace || kind == Choice; }
};

/// Whether `op` shows the elements of its operand with other extents.
bool isReshape(mlir::Operation *op);

/// Whether a loop can go on in the memory of what it begins with, `start`: a launch wrote it, for
/// the loop alone.
bool isLoopStart(mlir::OpOperand &start);

/// How `tensor` lies in the memory of another one; none if it owns memory.
std::optional<Window> getWindow(mlir::Value tensor);

/// Answers questions about a model's host program as it was when this was made.
class Placement {
public:
  explicit Placement(mlir::func::FuncOp model);

  /// The tensor that owns the memory of `tensor`.
  static mlir::Value getOwner(mlir::Value tensor);
  /// Whether `tensor` covers all memory of its owner.
  static bool isWhole(mlir::Value tensor);

  /// Whether `tensor` also has the extents of its owner.
  static bool hasOwnersExtents(mlir::Value tensor);

  /// The alias whose buffer holds owner `tensor`: an input, or what is returned in its place.
  const graph::Alias *getAlias(mlir::Value owner) const;
  llvm::ArrayRef<graph::Alias> getAliases() const { return aliases; }

  /// The extents by which the memory of an owner is laid out: the type's, or the capacity.
  llvm::SmallVector<int64_t> getMemoryShape(mlir::Value owner) const;

  /// Strides in elements, kDynamic where they are known at run time only.
  llvm::SmallVector<int64_t> getStrides(mlir::Value tensor) const;
  /// Whether the elements are known to lie in row-major order without gaps.
  bool isContiguous(mlir::Value tensor) const;
  /// The strides of a tensor that is not contiguous, else null.
  mlir::StridedLayoutAttr getLayout(mlir::Value tensor) const;

private:
  llvm::SmallVector<graph::Alias> aliases;
  llvm::DenseMap<mlir::Value, unsigned> aliasOf; // by owner
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_PLANMEMORY_PLACEMENT_H
