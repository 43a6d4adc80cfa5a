//===- MatrixElement.cpp - what matrix instructions multiply -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MatrixElement.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/bit.h"

using namespace sectile::emulator;

int sectile::emulator::bitsOf(MatrixElement type) {
  switch (type) {
  case MatrixElement::F16:
  case MatrixElement::BF16:
    return 16;
  case MatrixElement::TF32:
  case MatrixElement::F32:
    return 32;
  case MatrixElement::F64:
    return 64;
  case MatrixElement::S8:
  case MatrixElement::U8:
  case MatrixElement::E4M3:
  case MatrixElement::E5M2:
    return 8;
  }
  return 0;
}

double sectile::emulator::decode(MatrixElement type, uint64_t bits) {
  auto read = [&](const llvm::fltSemantics &semantics) {
    unsigned width = llvm::APFloat::getSizeInBits(semantics);
    llvm::APFloat value(semantics, llvm::APInt(width, bits & ((uint64_t(1) << width) - 1)));
    bool losesInfo = false;
    (void)value.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven,
                        &losesInfo);
    return value.convertToDouble();
  };
  switch (type) {
  case MatrixElement::F16:
    return read(llvm::APFloat::IEEEhalf());
  case MatrixElement::BF16:
    return read(llvm::APFloat::BFloat());
  case MatrixElement::TF32: // The lower 13 bits are ignored (PTX ISA, "Alternate floating point").
    return llvm::bit_cast<float>(static_cast<uint32_t>(bits) & 0xffffe000);
  case MatrixElement::F32:
    return llvm::bit_cast<float>(static_cast<uint32_t>(bits));
  case MatrixElement::F64:
    return llvm::bit_cast<double>(bits);
  case MatrixElement::S8:
    return static_cast<int8_t>(bits);
  case MatrixElement::U8:
    return static_cast<uint8_t>(bits);
  case MatrixElement::E4M3: // PTX ISA, "Alternate Floating-Point Data Formats": no infinity
    return read(llvm::APFloat::Float8E4M3FN());
  case MatrixElement::E5M2:
    return read(llvm::APFloat::Float8E5M2());
  }
  return 0;
}
