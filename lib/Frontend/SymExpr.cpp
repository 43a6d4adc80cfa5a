//===- SymExpr.cpp - integer polynomials over dimension symbols -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Frontend/SymExpr.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CheckedArithmetic.h"

#include <algorithm>

using namespace sectile;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

// No real model comes near these; a hostile one must not make us slow.
static constexpr size_t kMaxTerms = 64;
static constexpr unsigned kMaxWeight = 256;
static constexpr size_t kMaxDegree = 16;

//===----------------------------------------------------------------------===//
// Polynomials
//===----------------------------------------------------------------------===//

/// Canonical order: the constant first, then by degree, then by ids.
static int compare(ArrayRef<const SymAtom *> a, ArrayRef<const SymAtom *> b) {
  if (a.size() != b.size())
    return a.size() < b.size() ? -1 : 1;
  for (auto [x, y] : llvm::zip_equal(a, b))
    if (x->id != y->id)
      return x->id < y->id ? -1 : 1;
  return 0;
}

SymExpr::SymExpr(int64_t value) {
  if (value != 0)
    storage.push_back({{}, value});
}

SymExpr SymExpr::of(const SymAtom *atom) {
  SymExpr expr;
  expr.storage.push_back({{atom}, 1});
  return expr;
}

SymExpr SymExpr::invalid() {
  SymExpr expr;
  expr.valid = false;
  return expr;
}

std::optional<int64_t> SymExpr::constant() const {
  if (!valid)
    return std::nullopt;
  if (storage.empty())
    return 0;
  if (storage.size() == 1 && storage[0].atoms.empty())
    return storage[0].coefficient;
  return std::nullopt;
}

const SymAtom *SymExpr::asAtom() const {
  if (!valid || storage.size() != 1 || storage[0].atoms.size() != 1 || storage[0].coefficient != 1)
    return nullptr;
  return storage[0].atoms[0];
}

unsigned SymExpr::weight() const {
  unsigned sum = 0;
  for (const Term &term : storage)
    for (const SymAtom *atom : term.atoms)
      sum += atom->weight;
  return sum;
}

void SymExpr::add(Monomial atoms, int64_t coefficient) {
  if (!valid || coefficient == 0)
    return;
  auto *it = llvm::lower_bound(
      storage, ArrayRef<const SymAtom *>(atoms),
      [](const Term &term, ArrayRef<const SymAtom *> key) { return compare(term.atoms, key) < 0; });
  if (it != storage.end() && compare(it->atoms, atoms) == 0) {
    std::optional<int64_t> sum = llvm::checkedAdd(it->coefficient, coefficient);
    if (!sum)
      *this = invalid();
    else if (*sum == 0)
      storage.erase(it);
    else
      it->coefficient = *sum;
    return;
  }
  storage.insert(it, {std::move(atoms), coefficient});
  if (storage.size() > kMaxTerms)
    *this = invalid();
}

SymExpr SymExpr::operator+(const SymExpr &other) const {
  if (!valid || !other.valid)
    return invalid();
  SymExpr sum = *this;
  for (const Term &term : other.storage)
    sum.add(term.atoms, term.coefficient);
  return sum.weight() > kMaxWeight ? invalid() : sum;
}

SymExpr SymExpr::operator-(const SymExpr &other) const { return *this + other * SymExpr(-1); }

SymExpr SymExpr::operator*(const SymExpr &other) const {
  if (!valid || !other.valid)
    return invalid();
  SymExpr product;
  for (const Term &a : storage)
    for (const Term &b : other.storage) {
      std::optional<int64_t> coefficient = llvm::checkedMul(a.coefficient, b.coefficient);
      if (!coefficient || a.atoms.size() + b.atoms.size() > kMaxDegree)
        return invalid();
      Monomial atoms;
      std::merge(a.atoms.begin(), a.atoms.end(), b.atoms.begin(), b.atoms.end(),
                 std::back_inserter(atoms),
                 [](const SymAtom *x, const SymAtom *y) { return x->id < y->id; });
      product.add(std::move(atoms), *coefficient);
    }
  return product.weight() > kMaxWeight ? invalid() : product;
}

bool SymExpr::operator==(const SymExpr &other) const {
  if (!valid || !other.valid || storage.size() != other.storage.size())
    return false;
  return llvm::all_of(llvm::zip_equal(storage, other.storage), [](auto pair) {
    auto &[a, b] = pair;
    return a.coefficient == b.coefficient && compare(a.atoms, b.atoms) == 0;
  });
}

/// `a` without the atoms of `b`, if `b`'s are all in `a`.
static std::optional<SymExpr::Monomial> divideMonomial(const SymExpr::Monomial &a,
                                                       const SymExpr::Monomial &b) {
  SymExpr::Monomial rest;
  const auto *next = b.begin();
  for (const SymAtom *atom : a) {
    if (next != b.end() && *next == atom)
      ++next;
    else
      rest.push_back(atom);
  }
  if (next != b.end())
    return std::nullopt;
  return rest;
}

std::optional<SymExpr> SymExpr::exactDiv(const SymExpr &divisor) const {
  if (!valid || !divisor.valid || divisor.storage.empty())
    return std::nullopt;
  const Term &lead = divisor.storage.back();
  SymExpr rest = *this, quotient;
  // Polynomial long division by the leading term; each step removes the leading term of `rest`.
  for (size_t step = 0; !rest.storage.empty(); ++step) {
    const Term &top = rest.storage.back();
    std::optional<Monomial> atoms = divideMonomial(top.atoms, lead.atoms);
    bool overflows = top.coefficient == INT64_MIN && lead.coefficient == -1;
    if (step > kMaxTerms || !atoms || overflows || top.coefficient % lead.coefficient != 0)
      return std::nullopt;
    SymExpr part;
    part.add(*atoms, top.coefficient / lead.coefficient);
    rest = rest - part * divisor;
    quotient = quotient + part;
    if (!rest.valid || !quotient.valid)
      return std::nullopt;
  }
  return quotient;
}

//===----------------------------------------------------------------------===//
// Atoms
//===----------------------------------------------------------------------===//

SymExpr SymContext::symbol(StringRef name) {
  const SymAtom *&slot = byName[name];
  if (!slot) {
    atoms.push_back(
        {SymAtom::Kind::Symbol, static_cast<unsigned>(atoms.size()), 1, name.str(), {}});
    slot = &atoms.back();
    symbolAtoms.push_back(slot);
  }
  return SymExpr::of(slot);
}

SymExpr SymContext::value(StringRef name, const SymRange &bounds) {
  atoms.push_back({SymAtom::Kind::Symbol,
                   static_cast<unsigned>(atoms.size()),
                   1,
                   name.str(),
                   {},
                   bounds,
                   /*isValue=*/true});
  return SymExpr::of(&atoms.back());
}

void SymContext::visitValues(const SymExpr &expr, llvm::function_ref<void(const SymAtom *)> visit) {
  for (const SymExpr::Term &term : expr.terms())
    for (const SymAtom *atom : term.atoms) {
      if (atom->isValue)
        visit(atom);
      for (const SymExpr &argument : atom->args)
        visitValues(argument, visit);
    }
}

SymExpr SymContext::intern(SymAtom::Kind kind, const SymExpr &a, const SymExpr &b) {
  unsigned weight = 1 + a.weight() + b.weight();
  if (!a.isValid() || !b.isValid() || weight > kMaxWeight)
    return SymExpr::invalid();
  SymAtom atom{kind, static_cast<unsigned>(atoms.size()), weight, "", {a, b}};
  const SymAtom *&slot = byText[atom.str()];
  if (!slot) {
    atoms.push_back(std::move(atom));
    slot = &atoms.back();
  }
  return SymExpr::of(slot);
}

/// floor(a / b) of integers, b not 0.
static std::optional<int64_t> floorDivide(int64_t a, int64_t b) {
  if (a == INT64_MIN && b == -1)
    return std::nullopt;
  return a / b - ((a % b != 0 && (a % b < 0) != (b < 0)) ? 1 : 0);
}

SymExpr SymContext::floorDiv(const SymExpr &a, const SymExpr &b) {
  if (!a.isValid() || !b.isValid())
    return SymExpr::invalid();
  std::optional<int64_t> divisor = b.constant();
  if (divisor == 0)
    return 0;
  if (std::optional<SymExpr> quotient = a.exactDiv(b))
    return *quotient;
  if (!divisor)
    return intern(SymAtom::Kind::FloorDiv, a, b);
  // floor((d*q + r) / d) = q + floor(r / d)
  SymExpr quotient, rest;
  for (const SymExpr::Term &term : a.terms()) {
    std::optional<int64_t> part = floorDivide(term.coefficient, *divisor);
    if (!part)
      return SymExpr::invalid();
    bool whole = term.coefficient % *divisor == 0;
    SymExpr monomial;
    monomial.add(term.atoms, 1);
    if (whole || term.atoms.empty())
      quotient = quotient + monomial * SymExpr(*part);
    if (!whole)
      rest = rest + monomial * SymExpr(term.atoms.empty() ? term.coefficient - *part * *divisor
                                                          : term.coefficient);
  }
  SymRange bounds = range(rest);
  if (bounds.low && *bounds.low >= 0 && bounds.high && *bounds.high < *divisor)
    return quotient;
  // floor(floor(x / a) / b) = floor(x / (a*b))
  if (const SymAtom *inner = rest.asAtom(); inner && inner->kind == SymAtom::Kind::FloorDiv) {
    SymExpr product = inner->args[1] * b;
    std::optional<int64_t> first = inner->args[1].constant();
    if (first && *first > 0 && *divisor > 0 && product.isValid())
      return quotient + floorDiv(inner->args[0], product);
  }
  return quotient + intern(SymAtom::Kind::FloorDiv, rest, b);
}

SymExpr SymContext::ceilDiv(const SymExpr &a, const SymExpr &b) {
  return SymExpr(0) - floorDiv(SymExpr(0) - a, b);
}

SymExpr SymContext::min(const SymExpr &a, const SymExpr &b) {
  SymRange difference = range(b - a);
  if (difference.low && *difference.low >= 0)
    return a;
  if (difference.high && *difference.high <= 0)
    return b;
  return a.str() < b.str() ? intern(SymAtom::Kind::Min, a, b) : intern(SymAtom::Kind::Min, b, a);
}

SymExpr SymContext::max(const SymExpr &a, const SymExpr &b) {
  SymRange difference = range(b - a);
  if (difference.low && *difference.low >= 0)
    return b;
  if (difference.high && *difference.high <= 0)
    return a;
  return a.str() < b.str() ? intern(SymAtom::Kind::Max, a, b) : intern(SymAtom::Kind::Max, b, a);
}

SymExpr SymContext::equal(const SymExpr &a, const SymExpr &b) {
  SymExpr difference = a - b;
  if (difference.isConstant(0))
    return 1;
  SymRange bounds = range(difference);
  if ((bounds.low && *bounds.low > 0) || (bounds.high && *bounds.high < 0))
    return 0;
  return a.str() < b.str() ? intern(SymAtom::Kind::Equal, a, b)
                           : intern(SymAtom::Kind::Equal, b, a);
}

SymExpr SymContext::less(const SymExpr &a, const SymExpr &b) { return min(max(b - a, 0), 1); }

SymExpr SymContext::select(const SymExpr &condition, const SymExpr &a, const SymExpr &b) {
  return b + condition * (a - b);
}

SymExpr SymContext::broadcast(const SymExpr &a, const SymExpr &b) {
  if (a.isConstant(1) || a == b)
    return b;
  // A constant other than 1 is what the other must be stretched to.
  if (b.isConstant(1) || a.constant())
    return a;
  if (b.constant())
    return b;
  return intern(SymAtom::Kind::Broadcast, a, b);
}

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

static SymRange add(const SymRange &a, const SymRange &b) {
  SymRange sum;
  if (a.low && b.low)
    sum.low = llvm::checkedAdd(*a.low, *b.low);
  if (a.high && b.high)
    sum.high = llvm::checkedAdd(*a.high, *b.high);
  return sum;
}

static SymRange multiply(const SymRange &a, const SymRange &b) {
  bool bounded = a.low && a.high && b.low && b.high;
  if (bounded) {
    SymRange product;
    for (int64_t x : {*a.low, *a.high})
      for (int64_t y : {*b.low, *b.high}) {
        std::optional<int64_t> value = llvm::checkedMul(x, y);
        if (!value)
          return {};
        product.low = std::min(product.low.value_or(*value), *value);
        product.high = std::max(product.high.value_or(*value), *value);
      }
    return product;
  }
  bool nonNegative = a.low && *a.low >= 0 && b.low && *b.low >= 0;
  if (!nonNegative)
    return {};
  return {llvm::checkedMul(*a.low, *b.low).value_or(0), std::nullopt};
}

static SymRange scale(const SymRange &a, int64_t factor) {
  SymRange scaled;
  if (a.low)
    scaled.low = llvm::checkedMul(*a.low, factor);
  if (a.high)
    scaled.high = llvm::checkedMul(*a.high, factor);
  if (factor < 0)
    std::swap(scaled.low, scaled.high);
  return scaled;
}

static SymRange intervalOf(const SymExpr &expr);

static SymRange intervalOf(const SymAtom &atom) {
  if (atom.kind == SymAtom::Kind::Symbol)
    return atom.bounds;
  if (atom.kind == SymAtom::Kind::Equal)
    return {0, 1};
  SymRange a = intervalOf(atom.args[0]), b = intervalOf(atom.args[1]);
  auto both = [](std::optional<int64_t> x, std::optional<int64_t> y, bool smaller) {
    if (!x || !y)
      return std::optional<int64_t>();
    return std::optional<int64_t>(smaller ? std::min(*x, *y) : std::max(*x, *y));
  };
  auto either = [](std::optional<int64_t> x, std::optional<int64_t> y, bool smaller) {
    if (!x || !y)
      return x ? x : y;
    return std::optional<int64_t>(smaller ? std::min(*x, *y) : std::max(*x, *y));
  };
  switch (atom.kind) {
  case SymAtom::Kind::Min:
    return {both(a.low, b.low, true), either(a.high, b.high, true)};
  case SymAtom::Kind::Max:
    return {either(a.low, b.low, false), both(a.high, b.high, false)};
  case SymAtom::Kind::Broadcast:
    return {both(a.low, b.low, true), both(a.high, b.high, false)};
  default:
    break;
  }
  std::optional<int64_t> divisor = atom.args[1].constant();
  if (divisor && *divisor > 0) {
    SymRange quotient;
    if (a.low)
      quotient.low = floorDivide(*a.low, *divisor);
    if (a.high)
      quotient.high = floorDivide(*a.high, *divisor);
    return quotient;
  }
  if (a.low && *a.low >= 0 && b.low && *b.low >= 0)
    return {0, a.high};
  return {};
}

static SymRange intervalOf(const SymExpr &expr) {
  if (!expr.isValid())
    return {};
  SymRange sum{0, 0};
  for (const SymExpr::Term &term : expr.terms()) {
    SymRange product{1, 1};
    for (const SymAtom *atom : term.atoms)
      product = multiply(product, intervalOf(*atom));
    sum = add(sum, scale(product, term.coefficient));
  }
  return sum;
}

/// A lower bound that also knows -min(a, b) >= -a, max(a, b) >= a and so on, which relates an
/// atom to the terms beside it: s - min(s, 1) >= s - s = 0.
static std::optional<int64_t> lowerBound(const SymExpr &expr, unsigned depth) {
  std::optional<int64_t> best = intervalOf(expr).low;
  if (depth == 0)
    return best;
  for (const SymExpr::Term &term : expr.terms()) {
    if (term.atoms.size() != 1)
      continue;
    const SymAtom &atom = *term.atoms[0];
    bool bounds = (atom.kind == SymAtom::Kind::Min && term.coefficient < 0) ||
                  (atom.kind == SymAtom::Kind::Max && term.coefficient > 0);
    if (!bounds)
      continue;
    for (const SymExpr &arg : atom.args) {
      SymExpr relaxed = expr + (arg - SymExpr::of(&atom)) * SymExpr(term.coefficient);
      std::optional<int64_t> low = lowerBound(relaxed, depth - 1);
      if (low && (!best || *low > *best))
        best = low;
    }
    break; // One atom at a time keeps this linear.
  }
  return best;
}

SymRange SymContext::range(const SymExpr &expr) const {
  SymRange bounds;
  bounds.low = lowerBound(expr, 3);
  std::optional<int64_t> negated = lowerBound(SymExpr(0) - expr, 3);
  if (negated)
    bounds.high = llvm::checkedSub<int64_t>(0, *negated);
  return bounds;
}

bool SymContext::isNonNegative(const SymExpr &expr) const {
  std::optional<int64_t> low = range(expr).low;
  return low && *low >= 0;
}

bool SymContext::isPositive(const SymExpr &expr) const {
  std::optional<int64_t> low = range(expr).low;
  return low && *low > 0;
}

//===----------------------------------------------------------------------===//
// Assumptions
//===----------------------------------------------------------------------===//

SymExpr SymContext::rebuild(const SymAtom &atom, const SymExpr &a, const SymExpr &b) {
  switch (atom.kind) {
  case SymAtom::Kind::Symbol:
    return SymExpr::of(&atom);
  case SymAtom::Kind::FloorDiv:
    return floorDiv(a, b);
  case SymAtom::Kind::Min:
    return min(a, b);
  case SymAtom::Kind::Max:
    return max(a, b);
  case SymAtom::Kind::Equal:
    return equal(a, b);
  case SymAtom::Kind::Broadcast:
    return broadcast(a, b);
  }
  return SymExpr::invalid();
}

/// Whether `atom` occurs in `expr`.
static bool occurs(const SymAtom *atom, const SymExpr &expr) {
  for (const SymExpr::Term &term : expr.terms())
    for (const SymAtom *other : term.atoms)
      if (other == atom ||
          llvm::any_of(other->args, [&](const SymExpr &arg) { return occurs(atom, arg); }))
        return true;
  return false;
}

void SymContext::assume(const SymAtom *atom, const SymExpr &value) {
  SymExpr known = simplify(value);
  // A value that holds the atom itself would never come to rest.
  if (!known.isValid() || occurs(atom, known))
    return;
  assumptions.emplace(atom->id, known);
  simplified.clear();
}

SymExpr SymContext::simplifyAtom(const SymAtom *atom) {
  if (auto it = simplified.find(atom->id); it != simplified.end())
    return it->second;
  SymExpr result = SymExpr::of(atom);
  if (auto it = assumptions.find(atom->id); it != assumptions.end())
    result = simplify(SymExpr(it->second));
  else if (atom->kind != SymAtom::Kind::Symbol)
    result = rebuild(*atom, simplify(atom->args[0]), simplify(atom->args[1]));
  simplified.emplace(atom->id, result);
  return result;
}

SymExpr SymContext::simplify(const SymExpr &expr) {
  if (assumptions.empty() || !expr.isValid())
    return expr;
  SymExpr sum;
  for (const SymExpr::Term &term : expr.terms()) {
    SymExpr product(term.coefficient);
    for (const SymAtom *atom : term.atoms)
      product = product * simplifyAtom(atom);
    sum = sum + product;
  }
  return sum;
}
