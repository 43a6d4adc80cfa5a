//===- FactorLayout.cpp - what threads need of a product's sides - -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Layout/FactorLayout.h"

using namespace sectile::layout;

DistributedLayout sectile::layout::getFactorLayout(const DistributedLayout &accumulator,
                                                   unsigned kept, unsigned kDim, int64_t k) {
  std::array<std::vector<TileDigit>, kNumAxes> digits;
  unsigned keptDim = 1 - kDim;
  std::vector<TileDigit> registers;
  for (const Digit &digit : accumulator.map().digits()) {
    bool isKept = digit.to && digit.to->axis == kept;
    TileDigit side{digit.extent, std::nullopt};
    if (isKept)
      side.tile = Place{keptDim, digit.to->stride};
    if (digit.from.axis != static_cast<unsigned>(Axis::Register))
      digits[digit.from.axis].push_back(side);
    else if (isKept)
      registers.push_back(side);
  }
  TileDigit step{k, Place{kDim, 1}};
  registers.insert(kDim == 1 ? registers.begin() : registers.end(), step);
  digits[static_cast<size_t>(Axis::Register)] = registers;
  std::vector<int64_t> shape(2);
  shape[kDim] = k;
  shape[keptDim] = accumulator.shape()[kept];
  return *DistributedLayout::create(shape, digits);
}
