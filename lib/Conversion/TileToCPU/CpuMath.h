//===- CpuMath.h - what CPUs have for formulas ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CONVERSION_TILETOCPU_CPUMATH_H
#define SECTILE_LIB_CONVERSION_TILETOCPU_CPUMATH_H

#include "lib/Conversion/Support/Lanes.h"
#include "sectile/Target/CpuLevel.h"

namespace sectile::cpu {

inline lowering::MathTarget getMathTarget(const CpuLevel &level) {
  return {level.getFloatUnit(false).hasFma,
          level.getFloatUnit(true).hasFma,
          level.vectorBytes == 64,
          true,
          level.tableEntries,
          level.tableIntrinsic};
}

} // namespace sectile::cpu

#endif // SECTILE_LIB_CONVERSION_TILETOCPU_CPUMATH_H
