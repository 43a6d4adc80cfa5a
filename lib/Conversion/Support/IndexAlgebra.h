//===- IndexAlgebra.h - symbolic integers for addresses and masks -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Addresses are polynomials over *atoms*: index values of the kernel, loop
// counters, quotients and remainders, and the lane of a vector. Where a
// transfer's affine map leads in memory, and with which stride, is read off the
// polynomial; nothing is matched by shape. Quotients and remainders are reduced
// with what is known of ranges and divisors, so that
//
//     (64 * n + 16 + lane) floordiv 64  =  n        for lane in [0, 15]
//
// Arithmetic is modulo 2^64 as on the machine; ranges give up on overflow.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_SUPPORT_INDEXALGEBRA_H
#define SECTILE_LIB_CONVERSION_SUPPORT_INDEXALGEBRA_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Value.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace sectile::lowering {

using AtomId = unsigned;
/// Product of atoms, sorted.
using Monomial = std::vector<AtomId>;

/// Closed interval; a missing bound is unknown.
struct IntRange {
  std::optional<int64_t> lo, hi;
};

/// Sum of coefficient * monomial, plus a constant. No zero coefficient is stored.
struct Poly {
  std::map<Monomial, int64_t> terms;
  int64_t constant = 0;

  Poly() = default;
  Poly(int64_t constant) : constant(constant) {}
  bool isConstant() const { return terms.empty(); }
  /// Whether it is a multiple of `unit` for every value of its variables, by its coefficients.
  bool isMultipleOf(int64_t unit) const {
    return constant % unit == 0 && std::all_of(terms.begin(), terms.end(), [&](const auto &term) {
             return term.second % unit == 0;
           });
  }
  bool operator==(const Poly &other) const = default;
  bool operator<(const Poly &other) const {
    return std::tie(constant, terms) < std::tie(other.constant, other.terms);
  }
  Poly &operator+=(const Poly &other);
  friend Poly operator+(Poly a, const Poly &b) { return a += b; }
  friend Poly operator-(Poly a, const Poly &b) { return a += b * Poly(-1); }
  friend Poly operator*(const Poly &a, const Poly &b);
  /// The part without the constant.
  Poly withoutConstant() const {
    Poly result(*this);
    result.constant = 0;
    return result;
  }
};

/// What an atom stands for.
struct Atom {
  enum class Kind {
    /// An index value of the kernel.
    Value,
    /// Trip number of a loop with constant step: value = lhs + step * number.
    Iteration,
    /// Floor of lhs / rhs, and what is left; rhs is positive.
    FloorDiv,
    Mod,
    /// Lane of the vector at hand.
    Lane,
    /// Value of an index tile in the lane at hand; `value` is a vector of 64-bit integers.
    LaneValue,
  } kind;
  mlir::Value value = {};
  int64_t step = 1;
  Poly lhs = {}, rhs = {};
  IntRange range = {};
  /// Differs from lane to lane.
  bool perLane = false;
};

/// Owns atoms and does the arithmetic that needs to look into them.
class IndexAlgebra {
public:
  const Atom &get(AtomId id) const { return atoms[id]; }

  Poly value(mlir::Value value, IntRange range);
  /// Loop counter `iv` that starts at `lower`; `range` is that of the trip number.
  Poly iteration(mlir::Value iv, const Poly &lower, int64_t step, IntRange range);
  /// The lane of a vector of `lanes` lanes.
  Poly lane(int64_t lanes);
  Poly laneValue(mlir::Value vector);
  Poly floorDiv(const Poly &a, const Poly &b);
  Poly mod(const Poly &a, const Poly &b);
  Poly ceilDiv(const Poly &a, const Poly &b) { return floorDiv(a + b - Poly(1), b); }

  /// `expr` with polynomials for its dimensions and symbols.
  Poly evaluate(mlir::AffineExpr expr, llvm::ArrayRef<Poly> dims, llvm::ArrayRef<Poly> symbols);

  IntRange getRange(const Poly &poly) const;
  /// True if some atom differs from lane to lane.
  bool isPerLane(const Poly &poly) const;
  bool isPerLane(const Monomial &monomial) const;
  /// `poly` in lane `lane`.
  Poly atLane(const Poly &poly, int64_t lane);

private:
  Poly makeAtom(Atom atom);
  Poly divide(const Poly &a, const Poly &b, bool remainder);

  std::vector<Atom> atoms;
  std::map<std::tuple<int, void *, int64_t, Poly, Poly>, AtomId> unique;
};

} // namespace sectile::lowering

#endif // SECTILE_LIB_CONVERSION_SUPPORT_INDEXALGEBRA_H
