//===- Remarks.h - what the remarks of our passes agree on ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Passes explain decisions by MLIR's remarks: the category is the pass, the
// location names the nodes concerned, the text is a clause in lower case, and
// figures are metrics. These keys tell what a remark is about, so that an
// explanation can put it in its place; they are not shown as figures.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_REPORT_REMARKS_H
#define SECTILE_REPORT_REMARKS_H

#include "llvm/ADT/StringRef.h"

namespace sectile {

/// The `graph.group` that graph-fuse numbered.
inline constexpr llvm::StringLiteral kGroupRemarkKey = "Group";
/// The symbol of a `graph.kernel`; with a group too, the kernel it became.
inline constexpr llvm::StringLiteral kKernelRemarkKey = "Kernel";
/// The instruction-set level that a decision is for.
inline constexpr llvm::StringLiteral kLevelRemarkKey = "Level";

} // namespace sectile

#endif // SECTILE_REPORT_REMARKS_H
