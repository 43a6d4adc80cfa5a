//===- LateSection.h - sections that no linker holds ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_CODEGEN_LATESECTION_H
#define SECTILE_LIB_CODEGEN_LATESECTION_H

#include "sectile/Codegen/Codegen.h"

namespace sectile {

/// Gives section `late` of the shared object at `path` its bytes. It is the only one of its
/// segment. Errors name `output`.
llvm::LogicalResult fillSection(llvm::StringRef path, const LateSection &late,
                                llvm::StringRef output, ErrorEmitter emitError);

} // namespace sectile

#endif // SECTILE_LIB_CODEGEN_LATESECTION_H
