//===- Findings.cpp - what findings say -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace sectile::emulator;

llvm::StringRef sectile::emulator::toString(FindingKind kind) {
  switch (kind) {
  case FindingKind::Race:
    return "race";
  case FindingKind::OutOfBounds:
    return "out of bounds";
  case FindingKind::Uninitialized:
    return "uninitialised read";
  case FindingKind::Misaligned:
    return "misaligned access";
  case FindingKind::DivergentBarrier:
    return "divergent barrier";
  case FindingKind::InvalidMask:
    return "invalid mask";
  case FindingKind::Unfenced:
    return "missing fence";
  case FindingKind::Descriptor:
    return "invalid descriptor";
  case FindingKind::DivergentGroup:
    return "divergent warp group";
  case FindingKind::Deadlock:
    return "deadlock";
  }
  return {};
}

static llvm::raw_ostream &operator<<(llvm::raw_ostream &os, const Dim3 &dim) {
  return os << '(' << dim.x << ", " << dim.y << ", " << dim.z << ')';
}

std::string Finding::text() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << location << ": " << toString(kind) << " in kernel " << kernel << ", block " << block
     << " thread " << thread;
  if (!buffer.empty())
    os << ", " << buffer << " byte " << offset;
  if (!otherLocation.empty())
    os << ", with " << otherLocation << " of block " << otherBlock << " thread " << otherThread;
  if (!detail.empty())
    os << ": " << detail;
  if (occurrences > 1)
    os << " (" << occurrences << " times)";
  return text;
}

void Machine::report(FindingKind kind, uint32_t site, const std::string &detail,
                     const Region *region, int64_t offset, Stamp other, const Lane *who) {
  uint32_t otherSite = other >> 1 & 0xffff;
  uint64_t key = uint64_t(kind) << 48 | uint64_t(site) << 16 | otherSite;
  auto [entry, isNew] = seen.try_emplace(key, result.findings.size());
  if (!isNew) {
    ++result.findings[entry->second].occurrences;
    return;
  }
  Finding finding;
  finding.kind = kind;
  finding.kernel = sites[site].kernel;
  finding.location = sites[site].location;
  finding.block = blockId;
  finding.thread = (who ? who : current)->thread;
  finding.detail = detail;
  if (region) {
    finding.buffer = region->name;
    finding.offset = offset;
    if (region == &sharedRegion)
      for (const SharedVariable &variable : sharedVariables)
        if (offset >= int64_t(variable.offset) &&
            offset < int64_t(variable.offset + variable.bytes)) {
          finding.buffer = variable.name;
          finding.offset = offset - variable.offset;
        }
  }
  if (other) {
    finding.otherLocation = sites[otherSite].location;
    finding.otherThread = threadOf(other >> 17 & 0x3ff);
    finding.otherBlock = blockOf(other >> 27 & 0x1ffff);
  }
  result.findings.push_back(std::move(finding));
}

/// Says of each group of lanes that waits where it does, and for whom.
void Machine::reportDeadlock() {
  std::string detail;
  llvm::raw_string_ostream os(detail);
  const Lane *first = nullptr;
  for (size_t id = 0; id < kBarriers; ++id) {
    const Barrier &barrier = barriers[id];
    if (barrier.waiting.empty())
      continue;
    first = first ? first : barrier.waiting.front();
    os << (detail.empty() ? "" : "; ") << barrier.waiting.size() << " threads wait at barrier "
       << id << " for ";
    if (barrier.expected)
      os << barrier.expected << " (";
    else
      os << "all that have not ended (";
    os << sites[barrier.waiting.front()->site].location << ')';
  }
  for (size_t i = 0; i < warps.size(); ++i)
    for (const Meeting &meeting : warps[i].meetings) {
      const Lane &lane = warps[i].lanes[llvm::countr_zero(meeting.arrived)];
      first = first ? first : &lane;
      os << (detail.empty() ? "" : "; ") << "lanes 0x" << llvm::utohexstr(meeting.arrived)
         << " of warp " << i << " wait for lanes 0x"
         << llvm::utohexstr(meeting.mask & warps[i].present & ~warps[i].exited & ~meeting.arrived)
         << " (" << sites[lane.site].location << ')';
    }
  report(FindingKind::Deadlock, first ? first->site : 0, detail, nullptr, 0, 0, first);
}
