//===- Passes.h - passes at the tile level -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_TILE_TRANSFORMS_PASSES_H
#define SECTILE_DIALECTS_TILE_TRANSFORMS_PASSES_H

#include "dialects/Tile/IR/Tile.h"

#include "mlir/Pass/Pass.h"

namespace sectile::target {
struct GpuTarget;
} // namespace sectile::target

namespace sectile::tile {

/// Attributes of a kernel whose tiles have layouts: the device's name and the warps of a block.
inline constexpr llvm::StringLiteral kTargetAttr = "tile.target";
inline constexpr llvm::StringLiteral kWarpsAttr = "tile.warps";
/// What these attributes say.
struct KernelDevice {
  const target::GpuTarget *target; // not null
  int64_t warps;                   // as many as the device takes
};
/// Fails, after an error, where tile-assign-layouts has not run or what it left does not hold.
llvm::FailureOr<KernelDevice> getKernelDevice(KernelOp kernel);
/// Attribute of a product: the matrix instruction that computes it (lib/Target), whose fragments
/// its tiles are made of.
inline constexpr llvm::StringLiteral kInstructionAttr = "tile.instruction";

/// Attribute of a `tile.alloc` in shared memory: where its elements lie, the text of a
/// layout::MemoryLayout. And the byte that it begins at in the block's shared memory.
inline constexpr llvm::StringLiteral kPlacementAttr = "tile.placement";
inline constexpr llvm::StringLiteral kOffsetAttr = "tile.offset";
/// Where memory begins that is seen as banks: at a turn of all of them.
inline constexpr int64_t kSharedAlignment = 128;
/// Bytes of shared memory that an alloc takes, where they are known.
std::optional<int64_t> getSharedBytes(AllocOp alloc);
/// Bytes that an alloc with a placement begins at a multiple of: the period of its swizzles, which
/// descriptors of matrices take for that of addresses.
int64_t getSharedAlignment(AllocOp alloc);
/// Attribute of a store of what a load read, and of a product: it may go on beside the program
/// (tile.commit_copies, tile.wait_products).
inline constexpr llvm::StringLiteral kAsyncAttr = "tile.async";
/// Attribute of a load from memory with a placement: its tile stays there, for a product that reads
/// memory.
inline constexpr llvm::StringLiteral kInMemoryAttr = "tile.in_memory";

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "dialects/Tile/Transforms/Passes.h.inc"

} // namespace sectile::tile

#endif // SECTILE_DIALECTS_TILE_TRANSFORMS_PASSES_H
