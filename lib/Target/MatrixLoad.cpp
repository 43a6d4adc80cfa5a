//===- MatrixLoad.cpp - fragments that instructions load ----- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/MatrixLoad.h"

#include <algorithm>

using namespace sectile;
using layout::Axis;
using layout::DistributedLayout;

/// PTX ISA, ldmatrix: fragments of .m8n8 without and with .trans.
static constexpr std::string_view kRows = "[8, 8], register = [2:d1], lane = [4:d1*2, 8:d0]";
static constexpr std::string_view kColumns = "[8, 8], register = [2:d0], lane = [4:d0*2, 8:d1]";

std::optional<std::pair<DistributedLayout, bool>>
target::getMatrices(const DistributedLayout &layout) {
  if (layout.shape().size() != 2 || !std::ranges::equal(layout.shape(), layout.box()))
    return std::nullopt;
  if (auto grid = layout.dividedBy(*DistributedLayout::parse(kRows)))
    return std::pair(*grid, false);
  if (auto grid = layout.dividedBy(*DistributedLayout::parse(kColumns)))
    return std::pair(*grid, true);
  return std::nullopt;
}

std::optional<DistributedLayout> target::getMatrixRows(const GpuTarget &target,
                                                       const DistributedLayout &layout,
                                                       int64_t elementBits) {
  if (!target.hasMatrixLoads || elementBits != 16 || !getMatrices(layout))
    return std::nullopt;
  // Eight rows one below the other for each matrix; four matrices side by side, or below.
  int64_t rows = layout.shape()[0] / 8, columns = layout.shape()[1] / 8;
  int64_t beside = std::min<int64_t>(4, columns & -columns);
  int64_t below = std::min<int64_t>(4 / beside, rows & -rows);
  std::array<std::vector<layout::TileDigit>, layout::kNumAxes> digits;
  digits[static_cast<size_t>(Axis::Lane)] = {{8, layout::Place{0, 1}},
                                             {beside, layout::Place{1, 8}},
                                             {below, layout::Place{0, 8}},
                                             {4 / beside / below, std::nullopt}};
  digits[static_cast<size_t>(Axis::Register)] = {{8, layout::Place{1, 1}},
                                                 {columns / beside, layout::Place{1, 8 * beside}},
                                                 {rows / below, layout::Place{0, 8 * below}}};
  auto result = DistributedLayout::create({layout.shape().begin(), layout.shape().end()}, digits);
  return result ? std::optional(*result) : std::nullopt;
}
