//===- OwnOperators.h - operators of the domain ai.sectile ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `sectile quantize` writes where ONNX has no type for a format.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_OPS_OWNOPERATORS_H
#define SECTILE_LIB_FRONTEND_OPS_OWNOPERATORS_H

#include "Operators.h"

namespace sectile::frontend {

/// The domain's name.
inline constexpr llvm::StringLiteral kOwnDomain = "ai.sectile";

/// Dequantize(codes, scales[, zeros]): see docs/quantize.md.
mlir::LogicalResult importOwnDequantize(Node &n);

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_OPS_OWNOPERATORS_H
