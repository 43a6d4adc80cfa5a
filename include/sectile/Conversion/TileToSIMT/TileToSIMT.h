//===- TileToSIMT.h - tile kernels to programs of threads -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers tile.kernel with layouts to gpu.func in gpu, scf, arith, math, vector and
// llvm operations that every GPU has. docs/gpu.md tells how.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CONVERSION_TILETOSIMT_TILETOSIMT_H
#define SECTILE_CONVERSION_TILETOSIMT_TILETOSIMT_H

#include "mlir/Pass/Pass.h"

namespace sectile::simt {

/// Attribute of a gpu.func: messages of the kernel's checks, in the order of their numbers, from 1.
inline constexpr llvm::StringLiteral kFailuresAttr = "sectile.failures";
/// Attribute of a kernel of a package: the type of the tile.kernel it was made from, whose views
/// say how far its buffers extend.
inline constexpr llvm::StringLiteral kViewsAttr = "tile.views";
/// Attribute of a gpu.func: bytes of shared memory that its launch must give it, behind no others.
inline constexpr llvm::StringLiteral kDynamicSharedAttr = "sectile.dynamic_shared";
/// Attribute of a kernel's argument: what its address is a multiple of, in bytes.
inline constexpr llvm::StringLiteral kAlignmentAttr = "tile.alignment";

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "lib/Conversion/TileToSIMT/Passes.h.inc"

} // namespace sectile::simt

#endif // SECTILE_CONVERSION_TILETOSIMT_TILETOSIMT_H
