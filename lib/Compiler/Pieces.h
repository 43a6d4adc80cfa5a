//===- Pieces.h - constants in files that packages share -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_COMPILER_PIECES_H
#define SECTILE_LIB_COMPILER_PIECES_H

#include "Package.h"

namespace sectile {

/// Writes the constants, in the order of offsets as graph-plan-memory places them with `pieces`,
/// into files of `folder`, which is made where it is missing. A file that is there already is left
/// alone: its name tells what is in it. Each is written whole or not at all; errors leave those
/// that were finished.
llvm::FailureOr<std::vector<Piece>> writePieces(llvm::ArrayRef<PlannedConstant> constants,
                                                llvm::StringRef folder, mlir::Location loc);

} // namespace sectile

#endif // SECTILE_LIB_COMPILER_PIECES_H
