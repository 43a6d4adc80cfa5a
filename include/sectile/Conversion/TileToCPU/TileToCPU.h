//===- TileToCPU.h - tile kernels to functions for CPU cores ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lowers tile.kernel to the functions that sectile_abi_kernel_code holds, in
// func, scf, arith, math, vector and llvm operations. See the passes'
// descriptions in Passes.td.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_CONVERSION_TILETOCPU_TILETOCPU_H
#define SECTILE_CONVERSION_TILETOCPU_TILETOCPU_H

#include "sectile/Target/CpuLevel.h"

#include "mlir/Pass/Pass.h"

namespace sectile {

/// How exactly floating point is computed (`--fp`).
enum class FloatMode {
  /// Nothing is contracted or reassociated, every intermediate is rounded to its type.
  Strict,
  /// Contraction to FMA and reassociation of reductions; f16 and bf16 are computed in f32 and
  /// rounded where they are stored or explicitly converted.
  Default,
  /// As Default; approximations that other targets allow do not exist here.
  Fast
};

namespace cpu {

/// Attribute of `k.run`: messages of the kernel's checks, in the order of its status codes.
constexpr llvm::StringLiteral kFailuresAttr = "sectile.failures";

/// Attribute of `k.info`: bytes of scratch memory (i64), where no size at run time matters.
constexpr llvm::StringLiteral kScratchAttr = "sectile.scratch_bytes";

/// Suffixes of a kernel's functions.
constexpr llvm::StringLiteral kRunSuffix = ".run";
constexpr llvm::StringLiteral kInfoSuffix = ".info";

#define GEN_PASS_DECL
#include "lib/Conversion/TileToCPU/Passes.h.inc"

/// Whether a scalar op of math, or arith's remainder of floats, can be compiled for CPUs.
bool hasCode(mlir::Operation *op);

/// Pass `tile-to-cpu` for `level`; with `infoOnly`, for kernels whose blocks another device runs.
std::unique_ptr<mlir::Pass> createTileToCPUPass(const CpuLevel &level, FloatMode mode,
                                                bool infoOnly = false);
/// Pass `cpu-expand-math` for `level`.
std::unique_ptr<mlir::Pass> createExpandMathPass(const CpuLevel &level);

#define GEN_PASS_REGISTRATION
#include "lib/Conversion/TileToCPU/Passes.h.inc"

} // namespace cpu
} // namespace sectile

#endif // SECTILE_CONVERSION_TILETOCPU_TILETOCPU_H
