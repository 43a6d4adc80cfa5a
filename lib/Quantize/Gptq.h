//===- Gptq.h - codes that keep products with seen inputs -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// After Frantar, Ashkboos, Hoefler and Alistarh, "GPTQ: Accurate Post-Training
// Quantization for Generative Pre-trained Transformers" (arXiv 2210.17323). A row w of
// weights meets inputs X; what counts is not the error e = w - q of its codes but that
// of the products, ||e X||^2 = e H e^T with H = X X^T. Weights are rounded one after
// the other, and those that are still free are moved to where they make up best for
// the errors so far.
//
// The paper moves them by the Cholesky factor of the inverse of H. We need no inverse:
// with H = R R^T, R upper triangular,
//
//     e H e^T = sum over j of (sum over i <= j of e[i] R[i,j])^2
//
// and column j, the first in which e[j] appears, vanishes for
//
//     q[j] = w[j] + sum over i < j of e[i] R[i,j] / R[j,j]
//
// which is where the paper moves w[j] to (rounding it is Babai's nearest plane:
// arXiv 2507.18553). So the codes are the same, by one factorisation, which errs less
// than an inverse does.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_QUANTIZE_GPTQ_H
#define SECTILE_LIB_QUANTIZE_GPTQ_H

#include "sectile/Quantize/Quantize.h"

namespace sectile::quantize {

/// The products of all pairs of a layer's inputs, summed over what was seen: symmetric, row by row.
struct Gram {
  int64_t depth = 0;
  std::vector<double> values;
};

/// Codes by `scheme.method`, and the errors of that method and of the simpler ones. Of Gptq's rows,
/// one whose products a simpler method keeps better is replaced by its: so no error grows. An input
/// that was always zero gets its weights rounded to nearest. Fails on weights or products that are
/// not finite, and on products that no damping up to the diagonal's mean makes positive definite.
llvm::Expected<Codes> quantizeWithInputs(const Scheme &scheme, llvm::ArrayRef<float> values,
                                         int64_t rows, const Gram &gram,
                                         llvm::function_ref<float(float)> roundScale,
                                         std::vector<MethodErrors> &errors);

} // namespace sectile::quantize

#endif // SECTILE_LIB_QUANTIZE_GPTQ_H
