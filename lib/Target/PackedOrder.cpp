//===- PackedOrder.cpp - codes in the order of a matrix instruction -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Target/PackedOrder.h"

#include "sectile/Target/GpuTarget.h"
#include "sectile/Target/MatrixTiling.h"

#include <algorithm>

using namespace sectile;
using namespace sectile::target;
using layout::Axis;
using layout::Digit;

/// Codes of a thread's run at most, and words that one access takes at most.
static constexpr int64_t kMostCodes = 32, kAccessWords = 4;

PackedOrder target::makePackedOrder(const MatrixInstruction &instruction, int64_t bits) {
  layout::DistributedLayout side = fragment(instruction, Operand::B);
  struct KDigit {
    int64_t extent, stride;
    bool isLane;
  };
  std::vector<KDigit> digits;
  int64_t held = 1;
  for (const Digit &digit : side.map().digits()) {
    if (!digit.to || digit.to->axis != 0)
      continue;
    bool isLane = digit.from.axis != static_cast<unsigned>(Axis::Register);
    digits.push_back({digit.extent, digit.to->stride, isLane});
    if (!isLane)
      held *= digit.extent;
  }
  // Whole words, and as many as one access takes if they are a power of two.
  int64_t codes = held;
  while (codes * bits % 32 != 0)
    codes *= 2;
  while (codes < kMostCodes && codes * bits / 32 < kAccessWords)
    codes *= 2;
  digits.push_back({codes / held, instruction.k, false});
  std::ranges::sort(digits, {}, &KDigit::stride);

  PackedOrder order;
  int64_t lanes = codes, inStream = 4;
  bool hasPair = false, hasNeighbour = false;
  auto add = [&](int64_t extent, int64_t stride) {
    order.digits.insert(order.digits.end(), {extent, stride});
  };
  for (KDigit digit : digits) {
    if (digit.isLane) {
      add(digit.extent, lanes);
      lanes *= digit.extent;
      continue;
    }
    // Two of a register lie in streams 0 and 2 or 1 and 3; others follow in the stream.
    for (bool *taken : {&hasPair, &hasNeighbour})
      if (!*taken && digit.extent % 2 == 0) {
        add(2, taken == &hasPair ? 2 : 1);
        *taken = true;
        digit.extent /= 2;
      }
    if (digit.extent > 1) {
      add(digit.extent, inStream);
      inStream *= digit.extent;
    }
  }
  order.codes = lanes;
  return order;
}

const MatrixInstruction *target::findPackingInstruction(std::string_view target,
                                                        std::string_view element) {
  const GpuTarget *device = findGpuTarget(target);
  // Elsewhere operands are not staged, and threads would read codes in layouts of other orders.
  if (!device || !device->hasAsyncCopies || (element != "f16" && element != "bf16"))
    return nullptr;
  return chooseMatrixInstruction(target, {element, element, "f32"}, 16, 8, 16);
}
