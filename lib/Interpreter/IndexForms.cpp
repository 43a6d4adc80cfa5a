//===- IndexForms.cpp - affine expressions evaluated for every element of a tile -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexForms.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::interp;

static bool usesDims(AffineExpr expr) {
  bool uses = false;
  expr.walk([&](AffineExpr inner) { uses |= isa<AffineDimExpr>(inner); });
  return uses;
}

/// Adds `factor` times the dimensions' coefficients; false if `expr` is not linear in them.
static bool addCoefficients(AffineExpr expr, int64_t factor,
                            MutableArrayRef<int64_t> coefficients) {
  if (!usesDims(expr))
    return true;
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    coefficients[dim.getPosition()] += factor;
    return true;
  }
  auto binary = cast<AffineBinaryOpExpr>(expr);
  if (expr.getKind() == AffineExprKind::Add)
    return addCoefficients(binary.getLHS(), factor, coefficients) &&
           addCoefficients(binary.getRHS(), factor, coefficients);
  auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
  return expr.getKind() == AffineExprKind::Mul && constant &&
         addCoefficients(binary.getLHS(), factor * constant.getValue(), coefficients);
}

IndexForms::IndexForms(ArrayRef<AffineExpr> exprs, unsigned numDims) : numDims(numDims) {
  for (AffineExpr expr : exprs) {
    Form form{expr, false, SmallVector<int64_t, 4>(numDims, 0)};
    form.isLinear = addCoefficients(expr, 1, form.coefficients);
    forms.push_back(std::move(form));
  }
}

IndexForms::Evaluator::Evaluator(const IndexForms &forms, ArrayRef<int64_t> symbols)
    : forms(forms), symbols(symbols) {
  Shape origin(forms.numDims, 0);
  for (const Form &form : forms.forms)
    origins.push_back(form.isLinear ? evaluate(form.expr, origin, symbols) : std::nullopt);
}

std::optional<int64_t> IndexForms::Evaluator::get(size_t number, ArrayRef<int64_t> dims) const {
  const Form &form = forms.forms[number];
  if (!form.isLinear)
    return evaluate(form.expr, dims, symbols);
  if (!origins[number])
    return std::nullopt;
  int64_t value = *origins[number];
  for (auto [coefficient, dim] : llvm::zip_equal(form.coefficients, dims))
    value += coefficient * dim;
  return value;
}
