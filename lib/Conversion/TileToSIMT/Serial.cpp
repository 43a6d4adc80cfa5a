//===- Serial.cpp - tiles whose elements take their turns -------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where elements depend on each other in order, along a scan or because several of
// them may change one place, a thread has all of those: registers in the order of
// the formula are turns. Dimensions along which elements have nothing to do with
// each other are for other threads.
//
//===----------------------------------------------------------------------===//

#include "Serial.h"

#include "ThreadEmitter.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sectile;
using namespace sectile::simt;
using layout::Axis;
using layout::DistributedLayout;
using layout::TileDigit;

DistributedLayout simt::makeSerial(ArrayRef<int64_t> shape, const llvm::SmallBitVector &dims,
                                   int64_t lanes, int64_t warps) {
  std::array<std::vector<TileDigit>, layout::kNumAxes> digits;
  SmallVector<int64_t> covered(shape.size(), 1);
  auto add = [&](Axis axis, int64_t extent, unsigned along) {
    digits[static_cast<size_t>(axis)].push_back({extent, layout::Place{along, covered[along]}});
    covered[along] *= extent;
  };
  for (unsigned dim = shape.size(); dim-- > 0;)
    if (dims.test(dim))
      add(Axis::Register, shape[dim], dim);
  auto distribute = [&](Axis axis, int64_t count) {
    for (unsigned other = shape.size(); other-- > 0;) {
      if (dims.test(other))
        continue;
      auto units =
          static_cast<int64_t>(llvm::PowerOf2Ceil(llvm::divideCeil(shape[other], covered[other])));
      int64_t taken = std::min(units, count & -count);
      add(axis, taken, other);
      count /= taken;
    }
    digits[static_cast<size_t>(axis)].push_back({count, std::nullopt});
  };
  distribute(Axis::Lane, lanes);
  distribute(Axis::Warp, warps);
  for (unsigned other = 0; other < shape.size(); ++other)
    if (!dims.test(other))
      add(Axis::Register, llvm::divideCeil(shape[other], covered[other]), other);
  return *DistributedLayout::create({shape.begin(), shape.end()}, digits);
}

llvm::SmallBitVector simt::findMeetingDims(AffineMap map, unsigned rank) {
  llvm::SmallBitVector meeting(rank, true);
  for (AffineExpr expr : map.getResults()) {
    if (auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
        sum && sum.getKind() == AffineExprKind::Add && sum.getRHS().isSymbolicOrConstant())
      expr = sum.getLHS();
    if (auto dim = dyn_cast<AffineDimExpr>(expr); dim && dim.getPosition() < rank)
      meeting.reset(dim.getPosition());
  }
  return meeting;
}

FailureOr<DistributedLayout> ThreadEmitter::layOutSerially(Operation *op, RankedTensorType type,
                                                           const llvm::SmallBitVector &dims,
                                                           StringRef what) {
  DistributedLayout layout = makeSerial(type.getShape(), dims, target.threadsPerWarp, warps);
  int64_t turns = layout.extent(Axis::Register);
  if (turns > kMostTurns)
    return refuse(op) << "expects at most " << kMostTurns << ' ' << what
                      << " in order for each thread, but got " << turns << " in " << type;
  return layout;
}
