//===- MeasurePackages.h - two packages measured by a process ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_MEASUREPACKAGES_H
#define SECTILE_TOOLS_SECTILE_MEASUREPACKAGES_H

#include "sectile/Compiler/Tuning.h"

namespace sectile::tools {

/// Runs `path` and `other` in turns, `rounds` times, with dynamic dimensions as `dims` says
/// ("a=1"): `sectile bench --against`, in a process of its own, which is killed after `seconds`. A
/// model may run for ever.
llvm::Expected<ComparedTimes> measurePackages(llvm::StringRef path, llvm::StringRef other,
                                              llvm::StringRef dims, unsigned rounds,
                                              double seconds);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_MEASUREPACKAGES_H
