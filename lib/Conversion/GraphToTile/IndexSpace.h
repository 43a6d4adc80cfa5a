//===- IndexSpace.h - tile coordinates, index symbols and what is known of them -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// While a kernel is being written, every coordinate is an affine expression
// over one growing list of *tile dimensions* (the coordinates inside a tile,
// of static extent) and one growing list of *symbols* (index values of the IR:
// sizes, block ids, loop counters, loaded indices). Both carry the *level* of
// the scope that defines them, which decides how far out a computation can be
// placed, and bounds, by which masks are proven unnecessary.
//
// Since all maps share the two lists, composing them needs no renumbering.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_GRAPHTOTILE_INDEXSPACE_H
#define SECTILE_LIB_CONVERSION_GRAPHTOTILE_INDEXSPACE_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/IntegerSet.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace sectile {

/// What is known of a symbol s: lower <= s, and scale * s <= upper. An upper bound may mention
/// symbols and tile dimensions of smaller number only. Without knowledge, members are null.
struct SymbolBounds {
  std::optional<int64_t> lower;
  int64_t scale = 1;
  mlir::AffineExpr upper;
};

class IndexSpace {
public:
  explicit IndexSpace(mlir::MLIRContext *context) : context(context) {}

  mlir::MLIRContext *getContext() const { return context; }
  mlir::AffineExpr constant(int64_t value) const {
    return mlir::getAffineConstantExpr(value, context);
  }

  /// Where a tile dimension stands among the others of its tile: results' dimensions in their
  /// order, then dimensions that are reduced away.
  static constexpr unsigned kReducedPosition = 1000;

  /// A new coordinate in [0, extent) of a tile that is formed at `level`. Tiles order their
  /// dimensions by `position`, whatever the order they were made in.
  mlir::AffineExpr addTileDim(int64_t extent, unsigned level, unsigned position);
  /// Sorts tile dimensions into the order that tiles have them in.
  void sortDims(llvm::SmallVectorImpl<unsigned> &dims) const;
  /// The symbol of an index value; one symbol per value.
  mlir::AffineExpr addSymbol(mlir::Value value, unsigned level, SymbolBounds bounds = {});

  int64_t getExtent(unsigned tileDim) const { return tileDims[tileDim].extent; }
  mlir::Value getValue(unsigned symbol) const { return symbols[symbol].value; }

  /// The innermost level that `expr` depends on.
  unsigned getLevel(mlir::AffineExpr expr) const;
  /// Adds the tile dimensions that `expr` depends on to `dims`, which is then sorted.
  void collectTileDims(mlir::AffineExpr expr, llvm::SmallVectorImpl<unsigned> &dims) const;

  /// Whether expr >= 0 for all tile coordinates and all values the symbols can take. A sound
  /// and incomplete test: bounds are substituted, innermost symbol first.
  bool isNonNegative(mlir::AffineExpr expr) const;

  /// `expr` with divisions and remainders folded where bounds show their value.
  mlir::AffineExpr simplify(mlir::AffineExpr expr) const;

  /// `exprs` as a map whose dimensions are `dims` in order and whose symbols are appended to
  /// `operands`; every tile dimension used must be in `dims`.
  mlir::AffineMap makeMap(llvm::ArrayRef<mlir::AffineExpr> exprs, llvm::ArrayRef<unsigned> dims,
                          llvm::SmallVectorImpl<mlir::Value> &operands,
                          unsigned numExtraDims = 0) const;
  /// The set {constraint >= 0 for all constraints}, likewise.
  mlir::IntegerSet makeSet(llvm::ArrayRef<mlir::AffineExpr> constraints,
                           llvm::ArrayRef<unsigned> dims,
                           llvm::SmallVectorImpl<mlir::Value> &operands) const;

private:
  struct TileDim {
    int64_t extent;
    unsigned level;
    unsigned position;
  };
  struct Symbol {
    mlir::Value value;
    unsigned level;
    SymbolBounds bounds;
  };

  /// Replaces `expr` by one that bounds it from below and holds no division.
  std::optional<mlir::AffineExpr> boundBelow(mlir::AffineExpr expr, int64_t factor) const;
  void remapping(llvm::ArrayRef<mlir::AffineExpr> exprs, llvm::ArrayRef<unsigned> dims,
                 llvm::SmallVectorImpl<mlir::Value> &operands,
                 llvm::SmallVectorImpl<mlir::AffineExpr> &dimReplacements,
                 llvm::SmallVectorImpl<mlir::AffineExpr> &symbolReplacements) const;

  mlir::MLIRContext *context;
  llvm::SmallVector<TileDim> tileDims;
  llvm::SmallVector<Symbol> symbols;
  llvm::DenseMap<mlir::Value, unsigned> symbolOf;
};

} // namespace sectile

#endif // SECTILE_LIB_CONVERSION_GRAPHTOTILE_INDEXSPACE_H
