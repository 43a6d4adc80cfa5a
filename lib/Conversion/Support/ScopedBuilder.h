//===- ScopedBuilder.h - builds code where it is first possible -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Innermost loops should contain little besides vector work. Rather than emit
// addresses and masks where they are used and hope for LLVM to hoist them, each
// part of a polynomial is emitted in the outermost region in which all its
// atoms are known, once, and reused from there.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_SCOPEDBUILDER_H
#define SECTILE_LIB_CONVERSION_SUPPORT_SCOPEDBUILDER_H

#include "IndexAlgebra.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <type_traits>

namespace sectile::lowering {

/// Builder with a stack of nested blocks, the innermost being where code is emitted.
class ScopedBuilder : public mlir::OpBuilder {
public:
  /// `addressBits` is the width of a pointer.
  ScopedBuilder(mlir::MLIRContext *context, IndexAlgebra &algebra, unsigned addressBits = 64)
      : OpBuilder(context), algebra(algebra), addressBits(addressBits) {}

  /// Enters `block`; it must be nested in the current one. Emission goes to its end.
  void pushScope(mlir::Block *block);
  void popScope();

  /// Says which emitted 64-bit integer an atom's value is.
  void bind(mlir::Value original, mlir::Value emitted) { bindings[original] = emitted; }

  /// True if every atom of `poly` has an emitted value.
  bool isBound(const Poly &poly);
  /// `poly` as a 64-bit integer; no atom may differ from lane to lane.
  mlir::Value emit(mlir::Location loc, const Poly &poly);
  /// `poly` in each of `lanes` lanes, a vector of 64-bit integers.
  mlir::Value emitLanes(mlir::Location loc, const Poly &poly, int64_t lanes);
  /// pointer + poly * size of `element`, in steps from the outermost scope inwards so that
  /// only what changes in a loop is recomputed there.
  mlir::Value emitPointer(mlir::Location loc, mlir::Value base, mlir::Type element,
                          const Poly &poly);
  /// Emits `make` in the outermost scope where `poly` is known, once per `key`.
  mlir::Value emitOnce(const Poly &poly, llvm::StringRef kind, int64_t key,
                       llvm::function_ref<mlir::Value()> make);
  /// 64-bit constant.
  mlir::Value constant(mlir::Location loc, int64_t value);
  /// Quotient or remainder (by `Op`) of numbers of elements, extents or coordinates, or of vectors
  /// of them. They fit in a pointer, whose width may be the widest that the CPU divides.
  template <typename Op>
  mlir::Value divide(mlir::Location loc, mlir::Value lhs, mlir::Value rhs) {
    mlir::Type wide = lhs.getType();
    if (addressBits == 64)
      return Op::create(*this, loc, lhs, rhs);
    mlir::Type narrow = getIntegerType(addressBits);
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(wide))
      narrow = vector.clone(narrow);
    mlir::Value result =
        Op::create(*this, loc, mlir::arith::TruncIOp::create(*this, loc, narrow, lhs),
                   mlir::arith::TruncIOp::create(*this, loc, narrow, rhs));
    if (std::is_same_v<Op, mlir::arith::DivUIOp> || std::is_same_v<Op, mlir::arith::RemUIOp>)
      return mlir::arith::ExtUIOp::create(*this, loc, wide, result);
    return mlir::arith::ExtSIOp::create(*this, loc, wide, result);
  }

private:
  struct Scope {
    mlir::Block *block;
    std::map<Poly, mlir::Value> sums;
    std::map<std::tuple<void *, void *, Poly>, mlir::Value> pointers;
    std::map<std::tuple<std::string, int64_t, Poly>, mlir::Value> others;
  };
  /// Index of the scope that defines a value, of the innermost one an atom needs.
  unsigned depthOf(mlir::Value value);
  unsigned depthOf(AtomId id);
  unsigned depthOf(const Monomial &monomial);
  unsigned depthOf(const Poly &poly);
  /// Moves insertion to where scope `depth` can still emit code that the current point sees.
  void goTo(unsigned depth);
  /// Replaces trip numbers by loop counters where no division is needed for it.
  Poly denormalise(const Poly &poly);
  mlir::Value emitAtom(mlir::Location loc, AtomId id);
  mlir::Value emitMonomial(mlir::Location loc, const Monomial &monomial, int64_t coefficient);
  mlir::Value emitSum(mlir::Location loc, const Poly &poly);

  IndexAlgebra &algebra;
  unsigned addressBits;
  std::vector<Scope> scopes;
  llvm::DenseMap<mlir::Value, mlir::Value> bindings;
};

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_SCOPEDBUILDER_H
