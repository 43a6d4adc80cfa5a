//===- SymExpr.h - integer expressions over dimension symbols ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sizes of a model are integer expressions over symbols such as `batch` and
// `seq`. A SymExpr is a polynomial in canonical form, so that two expressions
// that are equal as polynomials compare equal; what is no polynomial (floor
// division, minimum, ...) is an *atom*: opaque to the arithmetic, interned so
// that the same atom is the same pointer.
//
//   2*seq + 1                  two terms: 2 [seq], 1 []
//   floordiv(h - 1, 2) + 1     an atom plus one
//
// All arithmetic is checked: an expression that overflows 64 bits, or grows
// past what a model has reason to hold, becomes *invalid*, and everything
// computed from it too. Symbols are sizes: at least 0; but for *values*, which are
// read from an input and have bounds of their own.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_FRONTEND_SYMEXPR_H
#define SECTILE_FRONTEND_SYMEXPR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sectile {

struct SymAtom;

/// A canonical polynomial over atoms with 64-bit coefficients.
class SymExpr {
public:
  /// Atoms in increasing id, repeated for powers; empty for the constant term.
  using Monomial = llvm::SmallVector<const SymAtom *, 2>;
  struct Term {
    Monomial atoms;
    int64_t coefficient;
  };

  SymExpr() = default;
  /*implicit*/ SymExpr(int64_t value);
  static SymExpr of(const SymAtom *atom);
  static SymExpr invalid();

  bool isValid() const { return valid; }
  /// The value, if no symbol occurs.
  std::optional<int64_t> constant() const;
  bool isConstant(int64_t value) const { return constant() == value; }
  /// The atom, if this is exactly one atom with coefficient 1.
  const SymAtom *asAtom() const;
  /// Non-zero terms in canonical order (constant first).
  llvm::ArrayRef<Term> terms() const { return storage; }
  /// Number of atoms in the expression, nested ones included.
  unsigned weight() const;

  SymExpr operator+(const SymExpr &other) const;
  SymExpr operator-(const SymExpr &other) const;
  SymExpr operator*(const SymExpr &other) const;
  /// Equal for all values of the symbols, as polynomials. Invalid expressions equal nothing.
  bool operator==(const SymExpr &other) const;
  bool operator!=(const SymExpr &other) const { return !(*this == other); }

  /// The quotient, if `divisor` divides this polynomial exactly with integer coefficients.
  std::optional<SymExpr> exactDiv(const SymExpr &divisor) const;

  /// In the grammar of `graph.dims`.
  std::string str() const;

private:
  void add(Monomial atoms, int64_t coefficient);
  friend class SymContext;

  llvm::SmallVector<Term, 1> storage;
  bool valid = true;
};

/// What the arithmetic treats as opaque.
/// An interval of 64-bit integers; a missing end is unbounded.
struct SymRange {
  std::optional<int64_t> low, high;
};

struct SymAtom {
  enum class Kind {
    Symbol,    ///< name
    FloorDiv,  ///< floor(a / b); b = 0 gives 0
    Min,       ///< min(a, b)
    Max,       ///< max(a, b)
    Equal,     ///< a == b ? 1 : 0
    Broadcast, ///< a == 1 ? b : a
  };
  Kind kind;
  unsigned id;     ///< order of creation
  unsigned weight; ///< atoms in it, itself included
  std::string name;
  llvm::SmallVector<SymExpr, 2> args;
  /// Of a symbol.
  SymRange bounds{0, std::nullopt};
  bool isValue = false; ///< read from an input, not the size of anything

  /// As `SymContext::parse` reads it; equal atoms have equal texts.
  std::string str() const;
};

/// Owns atoms and applies the rules that need them.
class SymContext {
public:
  /// The symbol of that name, made at the first call.
  SymExpr symbol(llvm::StringRef name);
  /// A new symbol for an integer that is read from an input, or computed from such integers.
  SymExpr value(llvm::StringRef name, const SymRange &bounds);
  /// Calls `visit` for each value in `expr`.
  static void visitValues(const SymExpr &expr, llvm::function_ref<void(const SymAtom *)> visit);
  /// Symbols in order of creation.
  llvm::ArrayRef<const SymAtom *> symbols() const { return symbolAtoms; }

  SymExpr floorDiv(const SymExpr &a, const SymExpr &b);
  SymExpr ceilDiv(const SymExpr &a, const SymExpr &b);
  SymExpr min(const SymExpr &a, const SymExpr &b);
  SymExpr max(const SymExpr &a, const SymExpr &b);
  /// 1 where a == b, else 0.
  SymExpr equal(const SymExpr &a, const SymExpr &b);
  /// 1 where a < b, else 0.
  SymExpr less(const SymExpr &a, const SymExpr &b);
  /// a where `condition` (0 or 1) is 1, else b.
  SymExpr select(const SymExpr &condition, const SymExpr &a, const SymExpr &b);
  /// The extent of two broadcast dimensions that are neither known to be equal nor 1.
  SymExpr broadcast(const SymExpr &a, const SymExpr &b);

  /// Bounds that hold for all sizes >= 0.
  SymRange range(const SymExpr &expr) const;
  bool isNonNegative(const SymExpr &expr) const;
  bool isPositive(const SymExpr &expr) const;

  /// Records that `atom` equals `value` from here on (a check has made sure).
  void assume(const SymAtom *atom, const SymExpr &value);
  /// What was assumed, to be forgotten again.
  using Assumptions = std::map<unsigned, SymExpr>;
  Assumptions saveAssumptions() const { return assumptions; }
  void restoreAssumptions(Assumptions saved) {
    assumptions = std::move(saved);
    simplified.clear();
  }
  /// `expr` with what was assumed put in.
  SymExpr simplify(const SymExpr &expr);

  /// Parses the grammar of `graph.dims`; nothing if `text` is no expression.
  /// `resolve` answers what a name stands for.
  static std::optional<SymExpr>
  parse(llvm::StringRef text, llvm::function_ref<std::optional<SymExpr>(llvm::StringRef)> resolve,
        SymContext &context);

private:
  SymExpr intern(SymAtom::Kind kind, const SymExpr &a, const SymExpr &b);
  SymExpr rebuild(const SymAtom &atom, const SymExpr &a, const SymExpr &b);
  SymExpr simplifyAtom(const SymAtom *atom);

  std::deque<SymAtom> atoms;
  std::vector<const SymAtom *> symbolAtoms;
  llvm::StringMap<const SymAtom *> byName;
  std::map<std::string, const SymAtom *> byText;
  std::map<unsigned, SymExpr> assumptions; ///< atom id -> value
  std::map<unsigned, SymExpr> simplified;  ///< memo of simplifyAtom
};

} // namespace sectile

#endif // SECTILE_FRONTEND_SYMEXPR_H
