//===- MatrixTiling.cpp - tiles made of matrix instructions -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/MatrixTiling.h"

using namespace sectile;
using namespace sectile::target;
using layout::Axis;
using layout::Digit;
using layout::DistributedLayout;
using layout::Place;
using layout::TileDigit;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

const MatrixInstruction *target::chooseMatrixInstruction(std::string_view target,
                                                         const ProductTypes &types, int64_t m,
                                                         int64_t n, int64_t k, bool mayFlush) {
  const MatrixInstruction *best = nullptr;
  auto executed = [&](const MatrixInstruction &i) {
    return ceilDiv(m, i.m) * i.m * ceilDiv(n, i.n) * i.n * ceilDiv(k, i.k) * i.k;
  };
  for (const MatrixInstruction &candidate : allMatrixInstructions()) {
    if (candidate.a != types.a || candidate.b != types.b ||
        candidate.accumulator != types.accumulator ||
        getSupport(target, candidate) != Support::Native ||
        (!mayFlush && flushesSubnormals(target, candidate)))
      continue;
    if (!best || executed(candidate) < executed(*best) ||
        (executed(candidate) == executed(*best) &&
         candidate.m * candidate.n * candidate.k > best->m * best->n * best->k))
      best = &candidate;
  }
  return best;
}

DistributedLayout target::makeAccumulator(const MatrixInstruction &instruction, int64_t m,
                                          int64_t n, int64_t warps) {
  int64_t rows = ceilDiv(m, instruction.m), columns = ceilDiv(n, instruction.n);
  int64_t bestAlongN = 1, fewest = 0;
  for (int64_t alongN = 1; alongN <= warps; alongN *= 2) {
    int64_t reads =
        ceilDiv(rows, warps / alongN) * instruction.m + ceilDiv(columns, alongN) * instruction.n;
    if (alongN == 1 || reads < fewest) {
      fewest = reads;
      bestAlongN = alongN;
    }
  }
  int64_t alongM = warps / bestAlongN;
  // Warps lie next to each other: then few bytes separate what they store at once.
  std::array<std::vector<TileDigit>, layout::kNumAxes> digits;
  auto &inWarps = digits[static_cast<size_t>(Axis::Warp)];
  auto &inRegisters = digits[static_cast<size_t>(Axis::Register)];
  inWarps = {{bestAlongN, Place{1, 1}}, {alongM, Place{0, 1}}};
  inRegisters = {{ceilDiv(columns, bestAlongN), Place{1, bestAlongN}},
                 {ceilDiv(rows, alongM), Place{0, alongM}}};
  DistributedLayout grid = *DistributedLayout::create({rows, columns}, digits);
  // The grid's box may be larger; so may the product's.
  std::vector<int64_t> box(grid.box().begin(), grid.box().end());
  grid = *grid.withShape(box);
  return *grid.times(fragment(instruction, Operand::Accumulator))->withShape({m, n});
}

layout::OrReason<DistributedLayout> target::getSideLayout(const MatrixInstruction &instruction,
                                                          Operand side,
                                                          const DistributedLayout &accumulator,
                                                          int64_t k) {
  if (instruction.takesMemory)
    return layout::Reason{std::string(instruction.name) + " reads its sides from shared memory"};
  auto grid = accumulator.dividedBy(fragment(instruction, Operand::Accumulator));
  if (!grid)
    return grid.reason();
  unsigned kept = side == Operand::A ? 0 : 1, kDim = 1 - kept;
  std::array<std::vector<TileDigit>, layout::kNumAxes> digits;
  for (const Digit &digit : grid->map().digits()) {
    bool isKept = digit.to && digit.to->axis == kept;
    if (digit.from.axis == static_cast<unsigned>(Axis::Register) && !isKept)
      continue;
    digits[digit.from.axis].push_back(
        {digit.extent, isKept ? std::optional(Place{kept, digit.to->stride}) : std::nullopt});
  }
  int64_t steps = ceilDiv(k, instruction.k);
  digits[static_cast<size_t>(Axis::Register)].push_back({steps, Place{kDim, 1}});
  std::vector<int64_t> shape(2);
  shape[kept] = grid->box()[kept];
  shape[kDim] = steps;
  auto outer = DistributedLayout::create(shape, digits);
  if (!outer)
    return outer.reason();
  auto whole = outer->times(fragment(instruction, side));
  if (!whole)
    return whole.reason();
  shape[kept] = accumulator.shape()[kept];
  shape[kDim] = k;
  return whole->withShape(shape);
}
