//===- Kernel.cpp - predicted time of a kernel -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/CostModel/Kernel.h"

#include "mlir/IR/Operation.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <cmath>

using namespace sectile;

mlir::FailureOr<DeviceModel> DeviceModel::parse(mlir::Operation *op, llvm::StringRef text) {
  DeviceModel device;
  auto vectorBytes = static_cast<double>(device.core.vectorBytes);
  const std::pair<llvm::StringRef, double *> keys[] = {
      {"cores", &device.cores},
      {"memoryBytesPerCycle", &device.memoryBytesPerCycle},
      {"coreBytesPerCycle", &device.coreBytesPerCycle},
      {"launchCycles", &device.launchCycles},
      {"blockCycles", &device.blockCycles},
      {"privateBytes", &device.privateBytes},
      {"vectorBytes", &vectorBytes},
      {"multiplyAdds", &device.core.multiplyAdds},
      {"firstCacheBytes", &device.core.firstCacheBytes},
      {"secondCacheBytes", &device.core.secondCacheBytes},
      {"secondCacheBytesPerCycle", &device.core.secondCacheBytesPerCycle},
      {"thirdCacheBytesPerCycle", &device.core.thirdCacheBytesPerCycle}};
  llvm::SmallVector<llvm::StringRef> entries;
  text.split(entries, ',', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef entry : entries) {
    auto [key, value] = entry.split('=');
    auto place = llvm::find_if(keys, [&, key = key](auto &known) { return known.first == key; });
    if (place == std::end(keys))
      return op->emitError("expects a device parameter out of ")
             << llvm::join(llvm::map_range(keys, [](auto &known) { return known.first; }), ", ")
             << ", but got '" << key << "'";
    if (value.getAsDouble(*place->second) || !(*place->second > 0) ||
        !std::isfinite(*place->second))
      return op->emitError("expects a positive number for ")
             << key << ", but got '" << value << "'";
  }
  device.core.vectorBytes = static_cast<int64_t>(vectorBytes);
  return device;
}

double sectile::predictCycles(const KernelWork &work, const DeviceModel &device) {
  double blocks = std::max(work.blocks, 1.0);
  // The core with the most blocks is done last.
  double waves = std::ceil(blocks / device.cores);
  double lanes = device.core.vectorBytes / 4.0;
  double compute =
      (work.multiplyAdds / (lanes * device.core.multiplyAdds) + work.elementOps / lanes) * waves /
      blocks;
  double bandwidth = std::min(device.memoryBytesPerCycle,
                              device.coreBytesPerCycle * std::min(blocks, device.cores));
  return device.launchCycles + waves * device.blockCycles +
         std::max(compute, work.bytes / bandwidth);
}

int64_t sectile::chooseTilesPerBlock(const TileRow &row, int64_t most, const DeviceModel &device) {
  int64_t tiles = std::max<int64_t>(row.tiles, 1), best = 1;
  double bestCycles = INFINITY;
  most = std::max<int64_t>(std::min(most, tiles), 1);
  for (int64_t perRow = (tiles + most - 1) / most; perRow <= tiles; perRow += 1 + perRow / 8) {
    int64_t perBlock = (tiles + perRow - 1) / perRow;
    double waves = std::ceil(perRow * row.copies / device.cores);
    double cycles = waves * (device.blockCycles + row.setupCycles + perBlock * row.cycles);
    // Fewer blocks come first, and win where more of them gain next to nothing.
    if (cycles < 0.98 * bestCycles) {
      best = perBlock;
      bestCycles = cycles;
    }
  }
  return best;
}
