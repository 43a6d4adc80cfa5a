//===- GraphToTile.h - fused regions to tile programs -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CONVERSION_GRAPHTOTILE_H
#define SECTILE_CONVERSION_GRAPHTOTILE_H

#include "mlir/Pass/Pass.h"

namespace sectile {

/// Attribute of an argument or result of a graph.kernel, left by graph-place-tensors: in some
/// launch it begins inside another tensor, so that its address is a multiple of its elements' size
/// only.
inline constexpr llvm::StringLiteral kUnalignedAttr = "graph.unaligned";

#define GEN_PASS_DECL
#include "sectile/Conversion/GraphToTilePasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "sectile/Conversion/GraphToTilePasses.h.inc"
} // namespace sectile

#endif // SECTILE_CONVERSION_GRAPHTOTILE_H
