//===- OperandTree.h - what a product's operand is computed from -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An operand that ops on single elements compute from loads can be computed for any
// part of it, in any layout, from the same parts of what is loaded:
//
//     %q = tile.load ..    %s = tile.load ..        leaves
//     %w = tile.dequantize %q scale %s              elementwise
//     %t = tile.transpose %w                        coordinates change their names
//     %d = tile.dot %x, %t, ..
//
// Everything is expressed in the operand's own coordinates: transpositions,
// broadcasts and conversions of layouts are maps from those to a leaf's.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_TILE_TRANSFORMS_OPERANDTREE_H
#define SECTILE_DIALECTS_TILE_TRANSFORMS_OPERANDTREE_H

#include "dialects/Tile/IR/Tile.h"

#include "sectile/Layout/DistributedLayout.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include <string>

namespace sectile::tile {

/// A part of an operand: where it begins, its extents, and how threads hold it.
struct OperandPart {
  llvm::SmallVector<int64_t> offset, shape;
  layout::DistributedLayout layout;
};

class OperandTree {
public:
  struct Leaf {
    LoadOp load;
    /// The load's coordinates from the operand's.
    mlir::AffineMap map;
  };

  /// The tree of `operand`, of a product in the body of `loop`. Nothing, and why in `reason`, if
  /// something else than elementwise ops on loads takes part.
  static std::optional<OperandTree> build(mlir::Value operand, mlir::scf::ForOp loop,
                                          std::string &reason);

  llvm::ArrayRef<Leaf> getLeaves() const { return leaves; }
  /// Whether the operand is what its only leaf loads.
  bool isLoad() const { return !isComputed; }
  /// Whether its ops take about an instruction each, so that it may be computed again.
  bool isCheap() const;

  /// Computes a part from those of the leaves, which `getLeaf` gives by their number.
  mlir::Value emit(mlir::OpBuilder &builder, const OperandPart &part,
                   llvm::function_ref<mlir::Value(unsigned)> getLeaf) const;
  /// The part of a leaf, read from where the leaf reads.
  mlir::Value emitLoad(mlir::OpBuilder &builder, const OperandPart &part, unsigned leaf) const;

private:
  bool visit(mlir::Value value, mlir::AffineMap map, std::string &reason);

  /// Ops of the tree, operands first, each with the map of its result's coordinates.
  struct Node {
    mlir::Operation *op;
    mlir::AffineMap map;
    /// What takes the places of its operands: numbers of nodes, or -1 for a scalar.
    llvm::SmallVector<int64_t> operands;
    /// Of a load, which leaf it is.
    int64_t leaf = -1;
  };
  int64_t last = -1; // the node that `visit` ended with
  mlir::scf::ForOp loop;
  llvm::SmallVector<Node> nodes;
  llvm::SmallVector<Leaf> leaves;
  bool isComputed = false;
};

} // namespace sectile::tile

#endif // SECTILE_DIALECTS_TILE_TRANSFORMS_OPERANDTREE_H
