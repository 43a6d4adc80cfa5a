//===- Kernel.h - predicted time of a kernel -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The analytic model: what a kernel moves and computes, over what a device can
// move and compute, plus what starting it costs. Passes ask it before they
// decide, and both sides of a decision are priced by the same formula, so only
// differences matter.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_COSTMODEL_KERNEL_H
#define SECTILE_COSTMODEL_KERNEL_H

#include "sectile/CostModel/RegisterTile.h"

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>

namespace sectile {

/// A device as the model sees it. The defaults are a server CPU of a few cores.
struct DeviceModel {
  CoreModel core;
  /// Cores that a kernel may expect. An ahead-of-time compiler does not know the machine: eight
  /// keeps a kernel from being serial, and asks for no more blocks than small machines fill.
  double cores = 8;
  /// Memory traffic beyond the caches, in bytes per cycle: of all cores together, and what one
  /// core can ask for (measured on a Zen 4: 25 to 30 GB/s at 3.5 GHz for one core).
  double memoryBytesPerCycle = 16, coreBytesPerCycle = 8;
  /// Starting a kernel on all cores and waiting for the last one.
  double launchCycles = 3000;
  /// Starting a block: its address arithmetic, the first misses, the shared counter.
  double blockCycles = 300;
  /// Private memory of a block: a core's stack and caches take whatever there is, threads of a GPU
  /// share a memory of fixed size.
  double privateBytes = 1e18;

  /// Reads a pass's option "cores=4,launchCycles=1e6,memoryBytesPerCycle=2": defaults for what is
  /// not named. An unknown key or a value that is not a positive number is an error at `op`.
  static mlir::FailureOr<DeviceModel> parse(mlir::Operation *op, llvm::StringRef text);
};

/// What a kernel does, as far as it is known before tiles are chosen.
struct KernelWork {
  /// Multiply-adds of products, and other arithmetic, in elements.
  double multiplyAdds = 0, elementOps = 0;
  /// Traffic with memory if every operand moves once.
  double bytes = 0;
  /// Blocks that may run at the same time.
  double blocks = 1;
};

/// Cycles from launch to end.
double predictCycles(const KernelWork &work, const DeviceModel &device);

/// A row of tiles, each of `cycles`, of which there are `copies` alike in the grid. A block takes
/// some tiles of one row; setting it up (reading a panel, staging an operand) costs `setupCycles`.
struct TileRow {
  int64_t tiles = 1;
  double cycles = 0;
  double copies = 1;
  double setupCycles = 0;
};

/// Tiles that a block should take, at most `most`: few enough that all cores are busy to the end,
/// many enough that setting a block up does not show. Blocks of a row are as equal as can be.
int64_t chooseTilesPerBlock(const TileRow &row, int64_t most, const DeviceModel &device);

} // namespace sectile

#endif // SECTILE_COSTMODEL_KERNEL_H
