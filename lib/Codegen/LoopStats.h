//===- LoopStats.h - counts of vector and scalar work -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_CODEGEN_LOOPSTATS_H
#define SECTILE_LIB_CODEGEN_LOOPSTATS_H

#include "sectile/Codegen/Codegen.h"

namespace llvm {
class Function;
} // namespace llvm

namespace sectile {

/// Counts over the innermost loops of `function`.
FunctionStats countInnermostLoops(llvm::Function &function);

} // namespace sectile

#endif // SECTILE_LIB_CODEGEN_LOOPSTATS_H
