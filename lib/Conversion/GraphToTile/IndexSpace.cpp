//===- IndexSpace.cpp - tile coordinates and index symbols -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexSpace.h"

#include "mlir/IR/AffineExprVisitor.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sectile;

AffineExpr IndexSpace::addTileDim(int64_t extent, unsigned level, unsigned position) {
  assert(extent > 0 && "a tile has elements");
  if (extent == 1)
    return constant(0);
  tileDims.push_back({extent, level, position});
  return getAffineDimExpr(tileDims.size() - 1, context);
}

AffineExpr IndexSpace::addSymbol(Value value, unsigned level, SymbolBounds bounds) {
  auto [it, isNew] = symbolOf.try_emplace(value, symbols.size());
  if (isNew)
    symbols.push_back({value, level, bounds});
  return getAffineSymbolExpr(it->second, context);
}

unsigned IndexSpace::getLevel(AffineExpr expr) const {
  unsigned level = 0;
  expr.walk([&](AffineExpr part) {
    if (auto dim = dyn_cast<AffineDimExpr>(part))
      level = std::max(level, tileDims[dim.getPosition()].level);
    else if (auto symbol = dyn_cast<AffineSymbolExpr>(part))
      level = std::max(level, symbols[symbol.getPosition()].level);
  });
  return level;
}

void IndexSpace::collectTileDims(AffineExpr expr, SmallVectorImpl<unsigned> &dims) const {
  expr.walk([&](AffineExpr part) {
    if (auto dim = dyn_cast<AffineDimExpr>(part))
      if (!llvm::is_contained(dims, dim.getPosition()))
        dims.push_back(dim.getPosition());
  });
  sortDims(dims);
}

void IndexSpace::sortDims(SmallVectorImpl<unsigned> &dims) const {
  llvm::sort(dims, [&](unsigned lhs, unsigned rhs) {
    return std::pair(tileDims[lhs].position, lhs) < std::pair(tileDims[rhs].position, rhs);
  });
}

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

/// The terms of a sum.
static void collectTerms(AffineExpr expr, SmallVectorImpl<AffineExpr> &terms) {
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (binary && binary.getKind() == AffineExprKind::Add) {
    collectTerms(binary.getLHS(), terms);
    collectTerms(binary.getRHS(), terms);
    return;
  }
  terms.push_back(expr);
}

/// `term` as factor * atom; a constant has the atom null.
static std::pair<int64_t, AffineExpr> splitTerm(AffineExpr term) {
  if (auto constant = dyn_cast<AffineConstantExpr>(term))
    return {constant.getValue(), AffineExpr()};
  auto binary = dyn_cast<AffineBinaryOpExpr>(term);
  if (binary && binary.getKind() == AffineExprKind::Mul)
    if (auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS())) {
      auto [factor, atom] = splitTerm(binary.getLHS());
      int64_t product;
      if (!llvm::MulOverflow(factor, constant.getValue(), product))
        return {product, atom};
    }
  return {1, term};
}

/// Bounds factor * (numerator op c) from below by an expression without that division. The
/// numerator is exact, so with remainder r = numerator mod c:
///   numerator floordiv c = (numerator - r) / c,  0 <= r <= c - 1.
/// Only the constant bounds of a remainder are used; a quotient is multiplied out by callers.
std::optional<AffineExpr> IndexSpace::boundBelow(AffineExpr atom, int64_t factor) const {
  auto binary = dyn_cast<AffineBinaryOpExpr>(atom);
  if (!binary)
    return std::nullopt;
  auto divisor = dyn_cast<AffineConstantExpr>(binary.getRHS());
  if (!divisor || divisor.getValue() <= 0)
    return std::nullopt;
  int64_t c = divisor.getValue();
  if (binary.getKind() == AffineExprKind::Mod)
    return constant(factor >= 0 ? 0 : factor * (c - 1));
  if (binary.getKind() == AffineExprKind::FloorDiv && factor > 0 && isNonNegative(binary.getLHS()))
    return constant(0);
  if (binary.getKind() == AffineExprKind::FloorDiv && factor % c == 0)
    // factor * q = (factor / c) * (numerator - r); the worst r is c - 1 or 0.
    return binary.getLHS() * (factor / c) - (factor > 0 ? (factor / c) * (c - 1) : 0);
  return std::nullopt;
}

bool IndexSpace::isNonNegative(AffineExpr expr) const {
  // Each round replaces the last-defined variable by a bound that mentions earlier ones only,
  // so the loop ends; the limit guards against bounds that break that rule.
  for (unsigned round = 0; round < 64; ++round) {
    expr = simplifyAffineExpr(expr, tileDims.size(), symbols.size());
    if (auto value = dyn_cast<AffineConstantExpr>(expr))
      return value.getValue() >= 0;
    SmallVector<AffineExpr> terms;
    collectTerms(expr, terms);

    // Tile coordinates first: they are bounded by constants.
    AffineExpr next = constant(0);
    bool replaced = false;
    int64_t lastSymbol = -1;
    for (AffineExpr term : terms) {
      auto [factor, atom] = splitTerm(term);
      if (!atom) {
        next = next + factor;
      } else if (auto dim = dyn_cast<AffineDimExpr>(atom)) {
        next = next + (factor >= 0 ? 0 : factor * (tileDims[dim.getPosition()].extent - 1));
        replaced = true;
      } else if (std::optional<AffineExpr> bound = boundBelow(atom, factor)) {
        next = next + *bound;
        replaced = true;
      } else {
        if (auto symbol = dyn_cast<AffineSymbolExpr>(atom))
          lastSymbol = std::max<int64_t>(lastSymbol, symbol.getPosition());
        else
          return false; // a product of symbols, or a division by one
        next = next + term;
      }
    }
    if (replaced) {
      expr = next;
      continue;
    }
    if (lastSymbol < 0)
      return false;
    const SymbolBounds &bounds = symbols[lastSymbol].bounds;
    next = constant(0);
    for (AffineExpr term : terms) {
      auto [factor, atom] = splitTerm(term);
      auto symbol = dyn_cast_or_null<AffineSymbolExpr>(atom);
      if (!symbol || symbol.getPosition() != lastSymbol) {
        next = next + term;
      } else if (factor > 0) {
        if (!bounds.lower)
          return false;
        next = next + factor * *bounds.lower;
      } else {
        if (!bounds.upper || factor % bounds.scale != 0)
          return false;
        next = next + bounds.upper * (factor / bounds.scale);
      }
    }
    expr = next;
  }
  return false;
}

AffineExpr IndexSpace::simplify(AffineExpr expr) const {
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return expr;
  AffineExpr lhs = simplify(binary.getLHS()), rhs = simplify(binary.getRHS());
  auto divisor = dyn_cast<AffineConstantExpr>(rhs);
  bool isDiv = expr.getKind() == AffineExprKind::FloorDiv;
  bool isMod = expr.getKind() == AffineExprKind::Mod;
  if (divisor && divisor.getValue() > 0 && (isDiv || isMod)) {
    // n = c * q + r with 0 <= r < c: the multiples of c are split off, and what is left is
    // the remainder if bounds say so.
    int64_t c = divisor.getValue();
    SmallVector<AffineExpr> terms;
    collectTerms(lhs, terms);
    AffineExpr quotient = constant(0), remainder = constant(0);
    for (AffineExpr term : terms) {
      auto [factor, atom] = splitTerm(term);
      if (factor % c == 0)
        quotient = quotient + (atom ? atom * (factor / c) : constant(factor / c));
      else
        remainder = remainder + term;
    }
    if (isNonNegative(remainder) && isNonNegative(c - 1 - remainder))
      return simplifyAffineExpr(isDiv ? quotient : remainder, tileDims.size(), symbols.size());
  }
  return simplifyAffineExpr(getAffineBinaryOpExpr(expr.getKind(), lhs, rhs), tileDims.size(),
                            symbols.size());
}

//===----------------------------------------------------------------------===//
// Maps
//===----------------------------------------------------------------------===//

void IndexSpace::remapping(ArrayRef<AffineExpr> exprs, ArrayRef<unsigned> dims,
                           SmallVectorImpl<Value> &operands,
                           SmallVectorImpl<AffineExpr> &dimReplacements,
                           SmallVectorImpl<AffineExpr> &symbolReplacements) const {
  dimReplacements.assign(tileDims.size(), constant(0));
  for (auto [position, dim] : llvm::enumerate(dims))
    dimReplacements[dim] = getAffineDimExpr(position, context);
  symbolReplacements.assign(symbols.size(), constant(0));
  llvm::SmallVector<bool> seen(symbols.size());
  unsigned numOperands = 0;
  for (AffineExpr expr : exprs)
    expr.walk([&](AffineExpr part) {
      if (auto symbol = dyn_cast<AffineSymbolExpr>(part))
        if (!seen[symbol.getPosition()]) {
          seen[symbol.getPosition()] = true;
          symbolReplacements[symbol.getPosition()] = getAffineSymbolExpr(numOperands++, context);
          operands.push_back(symbols[symbol.getPosition()].value);
        }
    });
}

AffineMap IndexSpace::makeMap(ArrayRef<AffineExpr> exprs, ArrayRef<unsigned> dims,
                              SmallVectorImpl<Value> &operands, unsigned numExtraDims) const {
  SmallVector<AffineExpr> dimReplacements, symbolReplacements;
  remapping(exprs, dims, operands, dimReplacements, symbolReplacements);
  SmallVector<AffineExpr> results;
  for (AffineExpr expr : exprs)
    results.push_back(expr.replaceDimsAndSymbols(dimReplacements, symbolReplacements));
  return AffineMap::get(dims.size() + numExtraDims, operands.size(), results, context);
}

IntegerSet IndexSpace::makeSet(ArrayRef<AffineExpr> constraints, ArrayRef<unsigned> dims,
                               SmallVectorImpl<Value> &operands) const {
  AffineMap map = makeMap(constraints, dims, operands);
  SmallVector<bool> isEquality(constraints.size(), false);
  return IntegerSet::get(map.getNumDims(), map.getNumSymbols(), map.getResults(), isEquality);
}
