//===- Views.h - views as memory, index values as polynomials ------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_VIEWS_H
#define SECTILE_LIB_CONVERSION_SUPPORT_VIEWS_H

#include "IndexAlgebra.h"

#include "dialects/Tile/IR/Tile.h"

#include "llvm/ADT/DenseMap.h"

namespace sectile::lowering {

/// A view of the kernel, resolved to memory.
struct Memory {
  mlir::Value base;
  /// Extents of the view.
  llvm::SmallVector<Poly> extents;
  /// Strides of the physical dimensions, in elements; in words where codes are packed.
  llvm::SmallVector<Poly> strides;
  /// Number of words where codes are packed.
  Poly words;
  tile::ViewType type;
};

/// Where an element lies. A packed code's low bits are those of a byte of word `address` from bit
/// `shift` of the byte on, the others the low bits of the same byte of word `last`, which is the
/// same word where the code ends in it. The byte begins at bit `byte` of the words.
struct Place {
  Poly address;
  Poly last, byte, shift;
};

/// What is known of a kernel's index values and views. Values are the kernel's own, not emitted
/// ones.
class Views {
public:
  explicit Views(IndexAlgebra &algebra) : algebra(algebra) {}

  /// Says where a view that is an argument or an alloc lies; `dynamicStrides` are those that its
  /// type leaves open, in order.
  void define(mlir::Value view, mlir::Value base, llvm::ArrayRef<Poly> extents,
              llvm::ArrayRef<Poly> dynamicStrides);
  /// Memory of a view that is an argument or an alloc.
  Memory &resolve(mlir::Value view) { return memories.find(view)->second; }
  /// Address, in elements, of the view's coordinates `coords`; follows tile.view to `root`.
  Poly linearise(mlir::Value view, llvm::SmallVector<Poly> coords, mlir::Value &root) {
    return locate(view, std::move(coords), root).address;
  }
  /// The same, with what belongs to packed codes: the address is then in words.
  Place locate(mlir::Value view, llvm::SmallVector<Poly> coords, mlir::Value &root);
  /// Index values as polynomials: affine.apply, arithmetic and loop counters are looked through.
  Poly polyOf(mlir::Value value);
  llvm::SmallVector<Poly> polysOf(mlir::ValueRange values);

private:
  IndexAlgebra &algebra;
  llvm::DenseMap<mlir::Value, Poly> polys;
  llvm::DenseMap<mlir::Value, Memory> memories;
};

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_VIEWS_H
