//===- Tile.h - the tile dialect -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Declares the tile dialect: its types, attributes and operations. What each
// means is written in TileDialect.td, TileTypes.td and TileOps.td.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_DIALECTS_TILE_IR_TILE_H
#define SECTILE_DIALECTS_TILE_IR_TILE_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/IntegerSet.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/Tile/IR/TileDialect.h.inc"

namespace sectile::layout {
class DistributedLayout;
} // namespace sectile::layout

#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/IR/TileAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialects/Tile/IR/TileTypes.h.inc"

namespace sectile::tile {
class BlockIdOp;

/// What prefetches act on: their order stays, loads and stores may pass them.
struct CacheResource : ::mlir::SideEffects::Resource::Base<CacheResource> {
  ::llvm::StringRef getName() final { return "sectile::tile::Cache"; }
};

/// Extents of the physical box of a view: `shape` pushed through `physical` (see
/// `#tile.memory`). Entries are dynamic where the extent they derive from is.
/// `physical` must pass the verifier of `#tile.memory`.
::llvm::SmallVector<int64_t> getPhysicalShape(::llvm::ArrayRef<int64_t> shape,
                                              ::mlir::AffineMap physical);

/// Bits of the words that packed codes lie in, streams that share each word, byte by byte, and
/// the most bits of a code (see `#tile.memory`).
inline constexpr int64_t kPackedWordBits = 32, kPackedStreams = 4, kMostPackedBits = 8;

/// Words that `codes` codes of `bits` bits take, one after the other.
int64_t countPackedWords(int64_t codes, int64_t bits);

/// Codes after which codes of `bits` bits begin at the same bit of a word again.
int64_t getPackedPeriod(int64_t bits);

/// Where coordinate `coordinate` along packed codes is stored, by the digits of #tile.memory's
/// order.
int64_t getPackedPlace(int64_t coordinate, ::llvm::ArrayRef<int64_t> order);

/// Extents of the box that `memory` stores: the physical box, or that of its words where codes are
/// packed.
::llvm::SmallVector<int64_t> getMemoryShape(::llvm::ArrayRef<int64_t> shape, MemoryAttr memory);

} // namespace sectile::tile

#define GET_OP_CLASSES
#include "dialects/Tile/IR/TileOps.h.inc"

namespace sectile::tile {
/// Whether a product takes one element of 16 bits, signed, from each row and column, and sums in 32
/// bits: two of them one after the other are one instruction on many CPUs.
bool isProductOfHalves(DotOp op);
} // namespace sectile::tile

#endif // SECTILE_DIALECTS_TILE_IR_TILE_H
