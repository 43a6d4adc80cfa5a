//===- Codes.h - codes of number formats as values of MLIR types -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the ops on numbers of any width (dequantize, quantize, convert) of all
// dialects have in common: which types hold the codes of a format, and which
// scales belong to which codes. docs/formats.md says what the ops compute.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_NUMBERS_CODES_H
#define SECTILE_NUMBERS_CODES_H

#include "sectile/Formats/Format.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"

namespace sectile::numbers {

/// The format that `text` names, where a verifier has accepted it.
formats::Format getFormat(llvm::StringRef text);

/// Checks that `text` names a format whose codes an element type can hold: at most 8 bits, and a
/// code for each number.
mlir::LogicalResult verifyFormat(mlir::Operation *op, llvm::StringRef text);

/// Checks that elements of `type` hold codes of the format, which `verifyFormat` accepts: integers
/// of at least its bits, or MLIR's float type of the same numbers.
mlir::LogicalResult verifyCodes(mlir::Operation *op, mlir::Type type, llvm::StringRef format);

/// Checks that `type` is a float; `what` says whose.
mlir::LogicalResult verifyFloat(mlir::Operation *op, mlir::Type type, llvm::StringRef what);

/// Checks the element types of a scale and of a zero point (null if there is none) of codes held in
/// `codes`: floats, and for the zero point also codes.
mlir::LogicalResult verifyParameters(mlir::Operation *op, mlir::Type scale, mlir::Type zero,
                                     mlir::Type codes);

/// Checks all of these of an op that quantizes `values` to `codes` or back, types with or without
/// extents. `zero` may be null.
mlir::LogicalResult verifyElements(mlir::Operation *op, llvm::StringRef format, mlir::Type codes,
                                   mlir::Type values, mlir::Type scale, mlir::Type zero);

/// Whether a zero point of elements `zero` is made of codes, like those held in `codes`.
inline bool isCode(mlir::Type zero, mlir::Type codes) { return zero == codes; }

/// The type that a quantization or its inverse computes in: f64 where any of `types` is, else f32.
mlir::FloatType getComputeType(llvm::ArrayRef<mlir::Type> types);

/// Extents of a tensor or tile; none of a scalar.
inline llvm::ArrayRef<int64_t> getShape(mlir::Type type) {
  auto tensor = llvm::dyn_cast<mlir::RankedTensorType>(type);
  return tensor ? tensor.getShape() : llvm::ArrayRef<int64_t>();
}

/// Numbers that are a linear function of their codes: unit * (slope * (code ^ flip) + offset).
struct LinearCodes {
  uint32_t flip;
  int64_t slope, offset;
  double unit;
};

/// The numbers of a format with all codes of its width, as such a function, if they are one.
std::optional<LinearCodes> getLinearCodes(const formats::Format &format);

/// The code of an integer that holds one: its low bits, and beyond the last code the last.
inline uint32_t getCode(const formats::Format &format, int64_t held) {
  auto code = static_cast<uint32_t>(held) & ((1u << format.getBits()) - 1);
  auto last = static_cast<uint32_t>(format.getCodeCount() - 1);
  return code < last ? code : last;
}

/// Whether integers hold the codes of the format sign-extended.
inline bool holdsSigned(const formats::Format &format) {
  return format.getInteger() && format.getInteger()->isSigned;
}

} // namespace sectile::numbers

#endif // SECTILE_NUMBERS_CODES_H
