//===- Sum.h - how far a sum may be off in any order -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_INTERPRETER_SUM_H
#define SECTILE_LIB_INTERPRETER_SUM_H

#include "sectile/Interpreter/Element.h"

#include "mlir/IR/Block.h"

namespace sectile::interp {

/// A sum of floats whose order is the lowering's choice: each of n additions is off by a unit of
/// rounding of a partial sum, none of which is larger than the sum of magnitudes. That holds for
/// fused multiply-adds too, which leave out the rounding of a product.
class Sum {
public:
  /// A sum of no terms.
  Sum() = default;
  explicit Sum(const Element &first) : value(first) { count(first); }

  void add(const Element &term);
  /// The value, with the terms' own bounds only.
  const Element &getValue() const { return value; }
  /// The value with the bound for all orders of `terms` additions in `format`.
  Element get(const NumberFormat &format, double terms) const;

private:
  void count(const Element &term) {
    magnitude += std::fabs(term.real) + term.bound;
    isIntegral &= term.isExact() && term.real == std::rint(term.real);
  }
  Element value = Element::makeReal(0);
  double magnitude = 0;
  bool isIntegral = true;
};

/// Whether a combiner's or step's result `number` is the float sum of the arguments of that number
/// in both halves of the first `2 * count` arguments.
bool isFloatSum(mlir::Block &body, unsigned number, unsigned count);

} // namespace sectile::interp

#endif // SECTILE_LIB_INTERPRETER_SUM_H
