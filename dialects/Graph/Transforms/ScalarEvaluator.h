//===- ScalarEvaluator.h - arith and math on elements of constants -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One element is a word: a float as the double of the same value, an integer
// sign-extended. Every op rounds to its own type. For +, -, *, / and square roots
// of types of up to 24 bits of precision, rounding the double is rounding once
// (Figueroa, "When is double rounding innocuous?", 1995).
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_GRAPH_TRANSFORMS_SCALAREVALUATOR_H
#define SECTILE_DIALECTS_GRAPH_TRANSFORMS_SCALAREVALUATOR_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

#include <vector>

namespace sectile::graph {

/// An element of a constant: which member is in use follows from its type.
union Word {
  double real;
  int64_t integer;
};
using Words = std::vector<Word>;

/// Whether elements of `type` fit a word: integers of at most 64 bits, index, and floats of 8, 16,
/// 32 or 64 bits.
bool hasWords(mlir::Type type);

/// Bytes of an element in memory.
int64_t getWordBytes(mlir::Type type);

/// The element whose bytes, low byte first, are at `bytes`; and the way back.
Word readWord(mlir::Type type, const char *bytes);
void writeWord(mlir::Type type, Word word, char *bytes);

/// The element of a scalar attribute.
Word getWord(mlir::TypedAttr value);

/// `value` rounded to a float type.
double roundTo(mlir::Type type, double value);

/// Whether `evaluateScalar` knows the op: arith and math on scalars with words, dequantization and
/// quantization. Fused
/// multiply-adds are left out, since double rounds them twice, and roundings to 8 bits.
bool canEvaluateScalar(mlir::Operation *op);

/// The results of `op` for each element of its operands, which are equally many. Failure where
/// the result is not determined: an integer divided by zero, a shift by the width or more, a float
/// without a counterpart among the integers.
mlir::FailureOr<Words> evaluateScalar(mlir::Operation *op, llvm::ArrayRef<const Words *> operands);

} // namespace sectile::graph

#endif // SECTILE_DIALECTS_GRAPH_TRANSFORMS_SCALAREVALUATOR_H
