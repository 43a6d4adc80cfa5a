//===- Wavefront.cpp - what the collectives of a wavefront compute -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From AMD's manuals ("AMD Instinct MI300" and "RDNA 3" Instruction Set
// Architecture), sections "Data Parallel Processing (DPP)" and "DS_SWIZZLE_B32",
// "DS_BPERMUTE_B32", and LLVM's "User Guide for AMDGPU Backend", llvm.amdgcn.ballot.
//
// Lanes that branched away would be inactive, and what is read of them undefined: here
// all lanes of the wavefront have to arrive.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "llvm/ADT/StringExtras.h"

using namespace sectile::emulator;

/// A pointer that a kernel passed as a number.
template <typename T>
static T *toPointer(uint64_t operand) {
  return reinterpret_cast<T *>(operand); // NOLINT(performance-no-int-to-ptr)
}

std::optional<uint32_t> sectile::emulator::dppSource(uint32_t control, uint32_t lane) {
  uint32_t row = lane / 16 * 16, place = lane % 16;
  if (control < 0x100) // quad_perm: two bits for each lane of four
    return lane / 4 * 4 + (control >> 2 * (lane % 4) & 3);
  uint32_t amount = control & 15;
  switch (control & ~15u) {
  case 0x100: // row_shl: a lane reads one above
    return place + amount < 16 ? std::optional(row + place + amount) : std::nullopt;
  case 0x110: // row_shr: a lane reads one below
    return place >= amount ? std::optional(row + place - amount) : std::nullopt;
  case 0x120: // row_ror
    return row + (place + 16 - amount) % 16;
  case 0x140: // row_mirror, row_half_mirror
    return row + (amount == 0 ? 15 - place : place ^ 7);
  default:
    return std::nullopt;
  }
}

bool sectile::emulator::isDppControl(uint32_t control) {
  if (control < 0x100 || control == 0x140 || control == 0x141)
    return true;
  return control > 0x100 && control < 0x130 && (control & 15) != 0;
}

std::optional<uint32_t> sectile::emulator::swizzleSource(uint32_t offset, uint32_t lane) {
  if (!(offset & 0x8000)) { // bit mask mode, in groups of 32
    uint32_t within = ((lane & 31 & offset) | (offset >> 5 & 31)) ^ (offset >> 10 & 31);
    return (lane & ~31u) | within;
  }
  if ((offset & 0xff00) == 0x8000) // quad permutation
    return lane / 4 * 4 + (offset >> 2 * (lane % 4) & 3);
  return std::nullopt;
}

/// Sets the results of all lanes that arrived.
void Machine::performOfWave(Warp &warp, const Meeting &meeting) {
  if (!needsAll(warp, meeting))
    return;
  auto each = [&](auto &&visit) {
    for (uint32_t i = 0; i < warpSize; ++i)
      visit(warp.lanes[i]);
  };
  auto read = [&](std::optional<uint32_t> source) { return warp.lanes[*source].operands[0]; };
  switch (meeting.op) {
  case Collective::Permute:
    // The address of a lane is four times its number; it wraps.
    return each([&](Lane &lane) { lane.result = read(lane.operands[1] / 4 % warpSize); });
  case Collective::Swizzle:
    return each([&](Lane &lane) { lane.result = read(swizzleSource(meeting.variant, lane.lane)); });
  case Collective::Dpp:
    // Bit 31 of the variant: what reads no lane is zero, and not what was there before.
    return each([&](Lane &lane) {
      std::optional<uint32_t> source = dppSource(meeting.variant & 0xffff, lane.lane);
      bool isZero = meeting.variant >> 31;
      lane.result = source ? read(source) : isZero ? 0 : lane.operands[1];
    });
  case Collective::Ballot: {
    LaneMask set = 0;
    each([&](Lane &lane) { set |= LaneMask(lane.operands[0] != 0) << lane.lane; });
    return each([&](Lane &lane) { lane.result = set; });
  }
  case Collective::WaveMatrix: {
    const char *in[kMaxWarp];
    char *out[kMaxWarp];
    for (uint32_t i = 0; i < warpSize; ++i) {
      in[i] = toPointer<const char>(warp.lanes[i].operands[0]);
      out[i] = toPointer<char>(warp.lanes[i].operands[1]);
    }
    return multiply(waveMatrices[meeting.variant], in, out);
  }
  default:
    llvm_unreachable("not a collective of a wavefront");
  }
}
