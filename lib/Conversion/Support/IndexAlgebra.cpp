//===- IndexAlgebra.cpp - symbolic integers for addresses and masks -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexAlgebra.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/CheckedArithmetic.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/MathExtras.h"

#include <functional>
#include <numeric>
#include <set>

using namespace mlir;
using namespace sectile::lowering;

/// Wrapping arithmetic without undefined behaviour.
static int64_t wrapAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
static int64_t wrapMul(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}
static int64_t floorOf(int64_t a, int64_t b) { return a / b - ((a % b != 0) && (a < 0)); }

namespace sectile::lowering {
Poly &Poly::operator+=(const Poly &other) {
  constant = wrapAdd(constant, other.constant);
  for (const auto &[monomial, coefficient] : other.terms) {
    int64_t &entry = terms[monomial];
    entry = wrapAdd(entry, coefficient);
    if (entry == 0)
      terms.erase(monomial);
  }
  return *this;
}

Poly operator*(const Poly &a, const Poly &b) {
  Poly result(wrapMul(a.constant, b.constant));
  auto add = [&](Monomial monomial, int64_t coefficient) {
    Poly term;
    if (coefficient != 0)
      term.terms.emplace(std::move(monomial), coefficient);
    result += term;
  };
  for (const auto &[ma, ca] : a.terms) {
    add(ma, wrapMul(ca, b.constant));
    for (const auto &[mb, cb] : b.terms) {
      Monomial product(ma);
      product.insert(product.end(), mb.begin(), mb.end());
      llvm::sort(product);
      add(std::move(product), wrapMul(ca, cb));
    }
  }
  for (const auto &[mb, cb] : b.terms)
    add(mb, wrapMul(cb, a.constant));
  return result;
}
} // namespace sectile::lowering

//===----------------------------------------------------------------------===//
// Atoms
//===----------------------------------------------------------------------===//

Poly IndexAlgebra::makeAtom(Atom atom) {
  atom.perLane |= isPerLane(atom.lhs) || isPerLane(atom.rhs);
  // A vector's width is part of a lane's identity: it is what bounds its range.
  int64_t extra = atom.kind == Atom::Kind::Lane ? *atom.range.hi : atom.step;
  auto key = std::make_tuple(static_cast<int>(atom.kind), atom.value.getAsOpaquePointer(), extra,
                             atom.lhs, atom.rhs);
  auto [it, inserted] = unique.try_emplace(key, atoms.size());
  if (inserted)
    atoms.push_back(std::move(atom));
  Poly result;
  result.terms.emplace(Monomial{it->second}, 1);
  return result;
}

Poly IndexAlgebra::value(Value value, IntRange range) {
  return makeAtom({.kind = Atom::Kind::Value, .value = value, .range = range});
}

Poly IndexAlgebra::iteration(Value iv, const Poly &lower, int64_t step, IntRange range) {
  Poly number = makeAtom(
      {.kind = Atom::Kind::Iteration, .value = iv, .step = step, .lhs = lower, .range = range});
  return number * Poly(step) + lower;
}

Poly IndexAlgebra::lane(int64_t lanes) {
  if (lanes == 1)
    return Poly(0);
  return makeAtom({.kind = Atom::Kind::Lane, .range = {0, lanes - 1}, .perLane = true});
}

Poly IndexAlgebra::laneValue(Value vector) {
  return makeAtom({.kind = Atom::Kind::LaneValue, .value = vector, .perLane = true});
}

bool IndexAlgebra::isPerLane(const Monomial &monomial) const {
  return llvm::any_of(monomial, [&](AtomId id) { return atoms[id].perLane; });
}

bool IndexAlgebra::isPerLane(const Poly &poly) const {
  return llvm::any_of(poly.terms, [&](const auto &term) { return isPerLane(term.first); });
}

Poly IndexAlgebra::atLane(const Poly &poly, int64_t lane) {
  Poly result(poly.constant);
  for (const auto &[monomial, coefficient] : poly.terms) {
    Poly product(coefficient);
    for (AtomId id : monomial) {
      const Atom atom = atoms[id];
      if (atom.kind == Atom::Kind::Lane) {
        product = product * Poly(lane);
      } else if (atom.kind == Atom::Kind::FloorDiv && atom.perLane) {
        product = product * floorDiv(atLane(atom.lhs, lane), atLane(atom.rhs, lane));
      } else if (atom.kind == Atom::Kind::Mod && atom.perLane) {
        product = product * mod(atLane(atom.lhs, lane), atLane(atom.rhs, lane));
      } else {
        Poly same;
        same.terms.emplace(Monomial{id}, 1);
        product = product * same;
      }
    }
    result += product;
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Ranges and division
//===----------------------------------------------------------------------===//

static std::optional<int64_t> mulBound(std::optional<int64_t> a, std::optional<int64_t> b) {
  if (!a || !b)
    return std::nullopt;
  return llvm::checkedMul(*a, *b);
}

IntRange IndexAlgebra::getRange(const Poly &poly) const {
  IntRange sum{poly.constant, poly.constant};
  for (const auto &[monomial, coefficient] : poly.terms) {
    // Products are bounded only where every factor is non-negative, which is what sizes are.
    IntRange product{1, 1};
    for (AtomId id : monomial) {
      const IntRange &range = atoms[id].range;
      if (monomial.size() > 1 && (!range.lo || *range.lo < 0)) {
        product = {};
        break;
      }
      product = monomial.size() == 1
                    ? range
                    : IntRange{mulBound(product.lo, range.lo), mulBound(product.hi, range.hi)};
    }
    IntRange scaled{mulBound(product.lo, coefficient), mulBound(product.hi, coefficient)};
    if (coefficient < 0)
      std::swap(scaled.lo, scaled.hi);
    sum.lo = sum.lo && scaled.lo ? llvm::checkedAdd(*sum.lo, *scaled.lo) : std::nullopt;
    sum.hi = sum.hi && scaled.hi ? llvm::checkedAdd(*sum.hi, *scaled.hi) : std::nullopt;
  }
  return sum;
}

/// a / b for a monomial b, over the terms of a that it divides; the rest goes to `rest`.
static Poly splitByMonomial(const Poly &a, const Monomial &b, int64_t coefficient, Poly &rest) {
  Poly quotient;
  rest = Poly(a.constant);
  for (const auto &[monomial, c] : a.terms) {
    Poly &target = c % coefficient == 0 && llvm::includes(monomial, b) ? quotient : rest;
    if (&target == &rest) {
      rest.terms.emplace(monomial, c);
      continue;
    }
    Monomial left;
    std::set_difference(monomial.begin(), monomial.end(), b.begin(), b.end(),
                        std::back_inserter(left));
    Poly term;
    if (left.empty())
      term.constant = c / coefficient;
    else
      term.terms.emplace(left, c / coefficient);
    quotient += term;
  }
  return quotient;
}

Poly IndexAlgebra::divide(const Poly &a, const Poly &b, bool remainder) {
  Atom::Kind kind = remainder ? Atom::Kind::Mod : Atom::Kind::FloorDiv;
  if (!b.isConstant()) {
    Poly rest(a), quotient;
    if (b.terms.size() == 1 && b.constant == 0 && b.terms.begin()->second > 0)
      quotient = splitByMonomial(a, b.terms.begin()->first, b.terms.begin()->second, rest);
    if (rest.isConstant() && rest.constant == 0)
      return remainder ? Poly(0) : quotient;
    IntRange range = remainder ? IntRange{0, std::nullopt} : IntRange{};
    IntRange restRange = getRange(rest);
    if (!remainder && restRange.lo && *restRange.lo >= 0)
      range = {0, restRange.hi};
    Poly atom = makeAtom({.kind = kind, .lhs = rest, .rhs = b, .range = range});
    return remainder ? atom : quotient + atom;
  }
  int64_t c = b.constant;
  if (c <= 0) // Undefined in affine maps; the machine must not trap all the same.
    return remainder ? Poly(0) : a;
  Poly quotient(floorOf(a.constant, c));
  Poly rest(a.constant - quotient.constant * c);
  for (const auto &[monomial, k] : a.terms)
    (k % c == 0 ? quotient : rest).terms.emplace(monomial, k % c == 0 ? k / c : k);
  IntRange range = getRange(rest);
  if (range.lo && range.hi && *range.lo >= 0 && *range.hi < c)
    return remainder ? rest : quotient;
  // floor((g x + r) / (g d)) = floor(x / d) where 0 <= r < g: the finest parts leave first.
  std::set<int64_t, std::greater<>> divisors;
  for (const auto &term : rest.terms)
    divisors.insert(std::gcd(c, term.second));
  for (int64_t g : divisors) {
    Poly coarse(floorOf(rest.constant, g)), fine(rest.constant - coarse.constant * g);
    for (const auto &[monomial, k] : rest.terms)
      (k % g == 0 ? coarse : fine).terms.emplace(monomial, k % g == 0 ? k / g : k);
    IntRange fineRange = getRange(fine);
    if (g == 1 || fine.isConstant() || !fineRange.lo || !fineRange.hi || *fineRange.lo < 0 ||
        *fineRange.hi >= g)
      continue;
    Poly inner = divide(coarse, Poly(c / g), remainder);
    return remainder ? inner * Poly(g) + fine : quotient + inner;
  }
  // floor((g x + r) / (g c)) = floor((x + floor(r / g)) / c)
  int64_t g = c;
  for (const auto &term : rest.terms)
    g = std::gcd(g, term.second);
  int64_t low = rest.constant % g;
  Poly reduced(rest.constant / g);
  for (const auto &[monomial, k] : rest.terms)
    reduced.terms.emplace(monomial, k / g);
  IntRange reducedRange = getRange(reduced), atomRange;
  if (remainder)
    atomRange = {0, c / g - 1};
  else if (reducedRange.lo && *reducedRange.lo >= 0)
    atomRange = {*reducedRange.lo / (c / g),
                 reducedRange.hi ? std::optional(*reducedRange.hi / (c / g)) : std::nullopt};
  Poly atom = makeAtom({.kind = kind, .lhs = reduced, .rhs = Poly(c / g), .range = atomRange});
  return remainder ? atom * Poly(g) + Poly(low) : quotient + atom;
}

Poly IndexAlgebra::floorDiv(const Poly &a, const Poly &b) { return divide(a, b, false); }
Poly IndexAlgebra::mod(const Poly &a, const Poly &b) { return divide(a, b, true); }

Poly IndexAlgebra::evaluate(AffineExpr expr, ArrayRef<Poly> dims, ArrayRef<Poly> symbols) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return Poly(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
    return symbols[symbol.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Poly lhs = evaluate(binary.getLHS(), dims, symbols);
  Poly rhs = evaluate(binary.getRHS(), dims, symbols);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return lhs + rhs;
  case AffineExprKind::Mul:
    return lhs * rhs;
  case AffineExprKind::FloorDiv:
    return floorDiv(lhs, rhs);
  case AffineExprKind::CeilDiv:
    return ceilDiv(lhs, rhs);
  case AffineExprKind::Mod:
    return mod(lhs, rhs);
  default:
    llvm_unreachable("not a binary affine expression");
  }
}
