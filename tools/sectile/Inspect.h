//===- Inspect.h - sectile inspect ------------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Packages are inspected where nothing is compiled, too (sectile-run); files of
// weights belong to who quantizes.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_INSPECT_H
#define SECTILE_TOOLS_SECTILE_INSPECT_H

#include "Args.h"

#include <span>

namespace sectile::tools {

/// Options of the command.
std::span<const Option> getInspectOptions();

/// Shows the package that the command names.
Result<Done> inspectPackage(const Args &args);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_INSPECT_H
