//===- JointSchedule.cpp - which joint passes pay off -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedule.h"

#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace sectile;

/// Cycles that a vector of exponentials takes, about.
static constexpr double kExpCycles = 12;

/// Cycles of a block beside its elements: one step of the leader's result, and loops that start.
static constexpr double kJointBlockCycles = 60;

int64_t sectile::getJointBlock(tile::ScheduleAttr schedule, unsigned pass) {
  SmallVector<int64_t> sizes = schedule.getSizes("r" + std::to_string(pass));
  return sizes.empty() ? 0 : sizes.back();
}

/// Cycles per byte that is read again from private memory or from rows of `bytes`.
static double getCyclesPerByte(double bytes, const CoreModel &core) {
  if (bytes <= core.firstCacheBytes)
    return 0;
  return 1 / (bytes <= core.secondCacheBytes ? core.secondCacheBytesPerCycle
                                             : core.thirdCacheBytesPerCycle);
}

static const ReductionInfo *findInfo(const RegionAnalysis &analysis, Operation *op) {
  for (const ReductionInfo &info : analysis.reductions)
    if (Operation *own = linalg::LinalgOp(info.op); own == op)
      return &info;
  return nullptr;
}

/// Cycles of products in the pass for each element that its leader reduces.
static double countProductCycles(const JointPass &pass, const RegionAnalysis &analysis,
                                 const RegisterFile &file, const DeviceModel &device) {
  if (!pass.holdsProduct)
    return 0;
  auto count = [](ArrayRef<int64_t> extents) {
    double count = 1;
    for (int64_t extent : extents)
      count *= ShapedType::isDynamic(extent) ? kUnknownExtent : std::max<int64_t>(extent, 1);
    return count;
  };
  double multiplyAdds = 0;
  for (const ReductionInfo &info : analysis.reductions)
    if (info.isContraction)
      multiplyAdds += count(linalg::LinalgOp(info.op).getStaticLoopRanges());
  return multiplyAdds / count(linalg::LinalgOp(pass.leader).getStaticLoopRanges()) /
         (file.lanes * device.core.multiplyAdds);
}

bool sectile::isRecomputedAfter(const JointPass &pass, Value value) {
  // What may hold a product is never computed twice.
  if (pass.holdsProduct || !pass.dependents.contains(value))
    return false;
  return llvm::count_if(value.getUsers(), [&](Operation *user) {
           return user == pass.leader || pass.getMember(user);
         }) < 2;
}

int64_t sectile::chooseJointBlock(const JointPass &pass, const RegionAnalysis &analysis,
                                  ArrayRef<DimSizes> sizes, RankedTensorType root,
                                  const RegisterFile &file, const DeviceModel &device) {
  linalg::LinalgOp leader = pass.leader;
  const ReductionInfo *info = findInfo(analysis, leader);
  if (!info)
    return 0;
  int64_t rows = 1;
  for (unsigned dim : info->followed.set_bits())
    rows *= sizes[dim].reg;
  // A smaller result is stored, and so asked for, before any tile of a wide member.
  bool storesEarly =
      llvm::any_of(analysis.rootMaps, [](AffineMap map) { return !map.isIdentity(); });
  if (storesEarly &&
      llvm::any_of(pass.members, [&](const JointMember &member) { return pass.isWide(member); }))
    return 0;
  // Of wide members, one tile is made at a time: with several, the pass would run for each.
  double accumulators = 0;
  for (const JointMember &member : pass.members) {
    const ReductionInfo *other = findInfo(analysis, member.op);
    if (!other)
      return 0;
    int64_t elements = 1;
    for (unsigned dim : other->followed.set_bits()) {
      elements *= sizes[dim].reg;
      if (!info->followed.test(dim) &&
          (root.isDynamicDim(dim) || root.getDimSize(dim) > sizes[dim].reg))
        return 0;
    }
    accumulators += std::max<double>(1, static_cast<double>(elements) / file.lanes);
  }
  int64_t steps = 1, inner = 1;
  for (auto [loop, extent] : llvm::enumerate(leader.getStaticLoopRanges())) {
    if (leader.getIteratorTypesArray()[loop] != utils::IteratorType::reduction)
      continue;
    int64_t known = ShapedType::isDynamic(extent) ? kUnknownExtent : extent;
    (loop == pass.loop ? steps : inner) *= std::max<int64_t>(known, 1);
  }
  Value input = leader.getDpsInputOperand(0)->get();
  double elementBytes =
      std::max<double>(getElementTypeOrSelf(input.getType()).getIntOrFloatBitWidth() / 8.0, 1);
  if (file.isShared())
    return chooseSharedJointBlock(pass, analysis, info->followed, root, rows, inner, steps,
                                  static_cast<int64_t>(elementBytes));
  double elements = static_cast<double>(rows) * steps * inner, bytes = elements * elementBytes;

  // Strips that whole rows need: each is written once and read by two.
  unsigned strips = analysis.resident.contains(input), recomputed = 0;
  for (auto [value, residency] : analysis.resident)
    if (pass.dependents.contains(value))
      ++(isRecomputedAfter(pass, value) ? recomputed : strips);
  double rereads = strips != 0 ? 3.0 * strips : static_cast<double>(pass.members.size());
  // A strip of terms that only the rest of the kernel would read again is not kept: it is computed
  // twice instead.
  double traffic = (rereads + 2.0 * recomputed) * bytes *
                   getCyclesPerByte(bytes * std::max(strips + recomputed, 1U), device.core);
  // Products leave time to fetch strips: an attention with rows of 8192 keys of 64 lost 2 to 7 % in
  // blocks (Zen 4, one thread).
  double whole =
      std::max(traffic - elements * countProductCycles(pass, analysis, file, device), 0.0);

  int64_t mostElements = static_cast<int64_t>(device.core.firstCacheBytes / 2 / elementBytes) /
                         (rows * inner * std::max<int64_t>(strips, 1));
  if (mostElements < 1)
    return 0;
  int64_t block = llvm::bit_floor<uint64_t>(mostElements);
  if (block * 2 > steps)
    return 0;
  double blocks = static_cast<double>(steps) / block;
  double inBlocks = blocks * (accumulators * 2 + kJointBlockCycles) +
                    recomputed * elements / file.lanes * kExpCycles;
  return inBlocks < whole ? block : 0;
}
