//===- MatrixElement.h - what matrix instructions multiply -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_MATRIXELEMENT_H
#define SECTILE_LIB_EMULATOR_MATRIXELEMENT_H

#include <cstdint>

namespace sectile::emulator {

enum class MatrixElement : uint8_t { F16, BF16, TF32, F32, F64, S8, U8, E4M3, E5M2 };

int bitsOf(MatrixElement type);
inline int bytesOf(MatrixElement type) { return bitsOf(type) / 8; }
inline bool isInteger(MatrixElement type) {
  return type == MatrixElement::S8 || type == MatrixElement::U8;
}

/// The number that the lowest bits of `bits` stand for.
double decode(MatrixElement type, uint64_t bits);

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_MATRIXELEMENT_H
