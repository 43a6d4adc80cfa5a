//===- StandIns.h - levels that a machine lacks, executed on it -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Code for AVX-512 is vectors of 512 bits and a few instructions by name. LLVM makes
// the former out of AVX2's, and the latter are replaced here by what their manuals
// say (Intel's SDM, volume 2). So all that is ours of such a level is executed: the
// shapes of vectors, masks, tables, packed codes. LLVM's choice of instructions for
// the level is not.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_UNIT_SUPPORT_STANDINS_H
#define SECTILE_TEST_UNIT_SUPPORT_STANDINS_H

#include "sectile/Target/CpuLevel.h"

#include <vector>

namespace llvm {
class Module;
} // namespace llvm

namespace sectile::test {

/// Levels of this machine's host that it lacks, to be compiled for the best one that it has; none
/// where that has no vectors of half the size.
const std::vector<CpuLevel> &getStandIns();

/// Replaces calls of instructions of AVX-512 by generic code.
void replaceInstructions(llvm::Module &module);

} // namespace sectile::test

#endif // SECTILE_TEST_UNIT_SUPPORT_STANDINS_H
