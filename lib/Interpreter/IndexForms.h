//===- IndexForms.h - affine expressions evaluated for every element of a tile -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_INTERPRETER_INDEXFORMS_H
#define SECTILE_LIB_INTERPRETER_INDEXFORMS_H

#include "Machine.h"

namespace sectile::interp {

/// Expressions over dimensions and symbols. Those that are linear in the dimensions, nearly all,
/// are evaluated from their value at the origin.
class IndexForms {
public:
  IndexForms() = default;
  IndexForms(llvm::ArrayRef<mlir::AffineExpr> exprs, unsigned numDims);

  /// Values of the expressions for one set of symbols.
  class Evaluator {
  public:
    Evaluator(const IndexForms &forms, llvm::ArrayRef<int64_t> symbols);
    size_t size() const { return forms.forms.size(); }
    /// The value of an expression; none where it divides by what is not positive.
    std::optional<int64_t> get(size_t number, llvm::ArrayRef<int64_t> dims) const;

  private:
    const IndexForms &forms;
    llvm::ArrayRef<int64_t> symbols;
    llvm::SmallVector<std::optional<int64_t>, 6> origins;
  };

private:
  struct Form {
    mlir::AffineExpr expr;
    bool isLinear;
    llvm::SmallVector<int64_t, 4> coefficients;
  };
  std::vector<Form> forms;
  unsigned numDims = 0;
};

} // namespace sectile::interp

#endif // SECTILE_LIB_INTERPRETER_INDEXFORMS_H
