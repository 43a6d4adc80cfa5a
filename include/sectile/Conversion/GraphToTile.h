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
#define GEN_PASS_DECL
#include "sectile/Conversion/GraphToTilePasses.h.inc"

#define GEN_PASS_REGISTRATION
#include "sectile/Conversion/GraphToTilePasses.h.inc"
} // namespace sectile

#endif // SECTILE_CONVERSION_GRAPHTOTILE_H
