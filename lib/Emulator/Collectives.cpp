//===- Collectives.cpp - what the collectives of a warp compute -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From the PTX ISA, "Data Movement and Conversion Instructions: shfl.sync" and
// "Parallel Synchronization and Communication Instructions: vote.sync,
// match.sync, redux.sync, elect.sync".
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "llvm/ADT/StringExtras.h"

#include <cstring>

using namespace sectile::emulator;

/// A pointer that a kernel passed as a number: operands of all ops are 64 bits.
template <typename T>
static T *toPointer(uint64_t operand) {
  return reinterpret_cast<T *>(operand); // NOLINT(performance-no-int-to-ptr)
}

/// The lane that a shuffle reads, and whether it lies in the segment; from the pseudo code of
/// shfl.sync.
static std::pair<uint32_t, bool> shuffleSource(ShuffleKind kind, uint32_t lane, uint32_t b,
                                               uint32_t c) {
  uint32_t offset = b & 31, clamp = c & 31, segment = c >> 8 & 31;
  uint32_t maxLane = (lane & segment) | (clamp & ~segment & 31);
  uint32_t minLane = lane & segment;
  int32_t source = 0;
  bool valid = false;
  switch (kind) {
  case Up:
    source = int32_t(lane) - int32_t(offset);
    valid = source >= int32_t(maxLane);
    break;
  case Down:
    source = lane + offset;
    valid = source <= int32_t(maxLane);
    break;
  case Bfly:
    source = lane ^ offset;
    valid = source <= int32_t(maxLane);
    break;
  case Idx:
    source = minLane | (offset & ~segment & 31);
    valid = source <= int32_t(maxLane);
    break;
  }
  return {valid ? source : lane, valid};
}

static uint32_t combine(ReduxKind kind, uint32_t a, uint32_t b) {
  switch (kind) {
  case ReduxKind::Add:
    return a + b;
  case ReduxKind::And:
    return a & b;
  case ReduxKind::Or:
    return a | b;
  case ReduxKind::Xor:
    return a ^ b;
  case ReduxKind::Max:
    return std::max(int32_t(a), int32_t(b));
  case ReduxKind::Min:
    return std::min(int32_t(a), int32_t(b));
  case ReduxKind::UMax:
    return std::max(a, b);
  case ReduxKind::UMin:
    return std::min(a, b);
  }
  return 0;
}

/// Sets the results of all lanes that arrived.
void Machine::perform(Warp &warp, const Meeting &meeting) {
  // What PTX has is of 32 lanes.
  LaneMask arrived = meeting.arrived, set = 0;
  uint32_t reduced = 0;
  bool first = true;
  auto each = [&](auto &&visit) {
    for (uint32_t i = 0; i < warpSize; ++i)
      if (arrived >> i & 1)
        visit(warp.lanes[i]);
  };
  switch (meeting.op) {
  case Collective::SyncWarp:
    return;
  case Collective::Matrix: {
    if (!needsAll(warp, meeting)) // PTX ISA, mma, ".aligned"
      return;
    const uint64_t *in[32];
    uint64_t *out[32];
    for (uint32_t i = 0; i < 32; ++i) {
      in[i] = toPointer<const uint64_t>(warp.lanes[i].operands[0]);
      out[i] = toPointer<uint64_t>(warp.lanes[i].operands[1]);
    }
    return multiply(matrices[meeting.variant], in, out);
  }
  case Collective::LoadMatrix:
    return loadMatrices(warp, meeting);
  case Collective::GroupMatrix:
  case Collective::GroupFence:
  case Collective::GroupCommit:
  case Collective::GroupWait:
    return performOfGroup(warp, meeting);
  case Collective::Elect:
    return each(
        [&](Lane &lane) { lane.result = lane.lane == uint32_t(llvm::countr_zero(arrived)); });
  case Collective::Shuffle:
    // The predicate is bit 32.
    return each([&](Lane &lane) {
      auto [source, valid] = shuffleSource(ShuffleKind(meeting.variant), lane.lane,
                                           lane.operands[1], lane.operands[2]);
      lane.result = lane.operands[0] | uint64_t(valid) << 32;
      if (arrived >> source & 1)
        lane.result = warp.lanes[source].operands[0] | uint64_t(valid) << 32;
      else
        report(FindingKind::InvalidMask, lane.site,
               "reads lane " + std::to_string(source) + ", which does not take part (lanes 0x" +
                   llvm::utohexstr(arrived) + " do)",
               nullptr, 0, 0, &lane);
    });
  case Collective::Vote:
    each([&](Lane &lane) { set |= LaneMask(lane.operands[0] != 0) << lane.lane; });
    return each([&](Lane &lane) {
      switch (VoteKind(meeting.variant)) {
      case Any:
        lane.result = set != 0;
        break;
      case All:
        lane.result = set == arrived;
        break;
      case Ballot:
        lane.result = set;
        break;
      case Uni:
        lane.result = set == 0 || set == arrived;
        break;
      }
    });
  case Collective::MatchAny:
    return each([&](Lane &lane) {
      uint64_t value = lane.operands[0], equal = 0;
      each([&](Lane &other) { equal |= uint64_t(other.operands[0] == value) << other.lane; });
      lane.result = equal;
    });
  case Collective::MatchAll: {
    // The predicate is bit 32.
    uint64_t value = warp.lanes[llvm::countr_zero(arrived)].operands[0];
    bool all = true;
    each([&](Lane &lane) { all &= lane.operands[0] == value; });
    return each([&](Lane &lane) { lane.result = all ? arrived | uint64_t(1) << 32 : 0; });
  }
  case Collective::Redux:
    each([&](Lane &lane) {
      reduced =
          first ? lane.operands[0] : combine(ReduxKind(meeting.variant), reduced, lane.operands[0]);
      first = false;
    });
    return each([&](Lane &lane) { lane.result = reduced; });
  default:
    return performOfWave(warp, meeting);
  }
}

/// Whether all lanes of the warp arrived; reports those that wait for the others in vain.
bool Machine::needsAll(Warp &warp, const Meeting &meeting) {
  if (meeting.arrived == allLanes())
    return true;
  for (uint32_t i = 0; i < warpSize; ++i)
    if (meeting.arrived >> i & 1)
      report(FindingKind::InvalidMask, warp.lanes[i].site,
             "expects all lanes of the warp to take part, but only 0x" +
                 llvm::utohexstr(meeting.arrived) + " do",
             nullptr, 0, 0, &warp.lanes[i]);
  return false;
}

/// ldmatrix, of 8 x 8 matrices of 16 bits: lanes 8 j to 8 j + 7 give the addresses of the rows of
/// matrix j, of 16 bytes each; of every matrix a lane gets the elements 2 (lane % 4) and the next
/// one of row lane / 4, with .trans of column lane / 4 (PTX ISA, "Warp-level matrix load
/// instruction").
void Machine::loadMatrices(Warp &warp, const Meeting &meeting) {
  uint32_t count = meeting.variant >> 1;
  bool isTransposed = meeting.variant & 1;
  uint16_t matrices[4][8][8];
  Lane *last = current;
  for (uint32_t i = 0; i < 8 * count; ++i) {
    Lane &lane = warp.lanes[i];
    if (!(meeting.arrived >> i & 1)) {
      report(FindingKind::InvalidMask, last->site,
             "lane " + std::to_string(i) + " gives the address of a row, but takes no part");
      std::fill_n(matrices[i / 8][i % 8], 8, 0);
      continue;
    }
    // The read is that lane's.
    current = &lane;
    const void *row = access(toPointer<char>(lane.operands[0]), 16, sites[lane.site], lane.site);
    std::memcpy(matrices[i / 8][i % 8], row, 16);
  }
  current = last;
  for (uint32_t i = 0; i < 32; ++i) {
    if (!(meeting.arrived >> i & 1))
      continue;
    auto *out = toPointer<uint64_t>(warp.lanes[i].operands[1]);
    for (uint32_t j = 0; j < count; ++j) {
      uint32_t line = i / 4, first = i % 4 * 2;
      uint32_t low = isTransposed ? matrices[j][first][line] : matrices[j][line][first];
      uint32_t high = isTransposed ? matrices[j][first + 1][line] : matrices[j][line][first + 1];
      out[j] = low | high << 16;
    }
  }
}
