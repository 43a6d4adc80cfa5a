//===- RegisterTile.cpp - the register tile of a product -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/CostModel/RegisterTile.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace sectile;

static constexpr int64_t kElementBytes = 4;

int64_t sectile::splitEvenly(int64_t extent, int64_t most) {
  if (extent <= most)
    return std::max<int64_t>(extent, 1);
  int64_t parts = (extent + most - 1) / most;
  return (extent + parts - 1) / parts;
}

double sectile::predictCycles(const ProductShape &shape, const RegisterTile &tile,
                              const CoreModel &core) {
  int64_t lanes = core.vectorBytes / kElementBytes;
  int64_t panelBytes = shape.depth * tile.columns * kElementBytes;
  // Rows that share cache sets evict each other before their lines are used up.
  double rowPenalty = 1;
  if (shape.rowBytes > 0 && tile.rows > core.ways) {
    int64_t common = std::gcd(shape.rowBytes, core.aliasBytes);
    if (tile.rows > core.ways * (core.aliasBytes / common))
      rowPenalty = 1.5;
  }
  auto stepCycles = [&](double rows, double columns) {
    double vectors = std::ceil(columns / lanes);
    double compute = rows * vectors / core.multiplyAdds;
    // Few accumulators leave the multipliers waiting for each other's results.
    compute = std::max(compute, 4.0);
    double loads = (rows * rowPenalty + vectors) / core.loads;
    double stream = 0;
    if (panelBytes > core.secondCacheBytes)
      stream = vectors * core.vectorBytes / core.thirdCacheBytesPerCycle;
    else if (panelBytes > core.firstCacheBytes)
      stream = vectors * core.vectorBytes / core.secondCacheBytesPerCycle;
    return std::max({compute, loads, stream});
  };
  int64_t fullRows = shape.rows / tile.rows, restRows = shape.rows % tile.rows;
  int64_t fullColumns = shape.columns / tile.columns, restColumns = shape.columns % tile.columns;
  double perColumnTile = fullRows * stepCycles(tile.rows, tile.columns) +
                         (restRows != 0 ? stepCycles(restRows, tile.columns) : 0);
  double perRestTile = 0;
  if (restColumns != 0)
    perRestTile = fullRows * stepCycles(tile.rows, restColumns) +
                  (restRows != 0 ? stepCycles(restRows, restColumns) : 0);
  return shape.depth * (fullColumns * perColumnTile + perRestTile);
}

RegisterTile sectile::chooseRegisterTile(const ProductShape &shape, const CoreModel &core) {
  int64_t lanes = core.vectorBytes / kElementBytes;
  RegisterTile best = {1, std::min(lanes, std::max<int64_t>(shape.columns, 1))};
  double bestCycles = INFINITY;
  // Wide tiles first: of equal cost, they read the rows less often.
  for (int64_t vectors = core.registers >= 32 ? 4 : 2; vectors >= 1; --vectors) {
    // Accumulators, the columns' vectors and one broadcast are alive together.
    int64_t most = (core.registers - vectors - 1) / vectors;
    RegisterTile tile = {splitEvenly(shape.rows, most), vectors * lanes};
    if (shape.rows == 1)
      tile.rows = 1;
    double cycles = predictCycles(shape, tile, core);
    if (cycles < 0.98 * bestCycles) {
      bestCycles = cycles;
      best = tile;
    }
  }
  best.columns = std::min(best.columns, std::max<int64_t>(shape.columns, 1));
  return best;
}
