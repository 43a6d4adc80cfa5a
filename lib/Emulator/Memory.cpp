//===- Memory.cpp - what accesses may touch, and who raced -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Machine.h"
#include "MemoryCounter.h"

#include <cstdlib>

using namespace sectile::emulator;

static constexpr uint64_t kAlignment = 256; // of cudaMalloc: CUDA C++ Programming Guide, "Device
                                            // Memory Accesses"

CellArray sectile::emulator::makeCells(uint64_t bytes) {
  CellArray cells(static_cast<Cell *>(std::calloc(std::max<uint64_t>(bytes, 1), sizeof(Cell))),
                  &std::free);
  if (!cells)
    llvm::report_fatal_error("cannot allocate the emulator's memory");
  return cells;
}

Region &Machine::addRegion(llvm::StringRef name, uint64_t bytes, char *data) {
  auto region = std::make_unique<Region>();
  region->name = name.str();
  region->bytes = bytes;
  region->data = data;
  if (!data) {
    // Whatever lies behind a buffer is no buffer, so that an overrun is not taken for another one.
    uint64_t padded = (bytes + 2 * kAlignment - 1) / kAlignment * kAlignment;
    region->owned.reset(static_cast<char *>(std::aligned_alloc(kAlignment, padded)));
    if (!region->owned)
      llvm::report_fatal_error("cannot allocate the emulator's memory");
    region->data = region->owned.get();
  }
  region->initialized = std::make_unique<uint8_t[]>(bytes);
  region->cells = makeCells(bytes);
  regions.push_back(std::move(region));
  return *regions.back();
}

void Machine::setInitialized(Region &region) {
  std::fill_n(region.initialized.get(), region.bytes, 1);
}

void Machine::mapRegion(llvm::StringRef name, uint64_t bytes, char *data, bool tracks) {
  auto region = std::make_unique<Region>();
  region->name = name.str();
  region->bytes = bytes;
  region->data = data;
  region->isMapped = true;
  if (tracks)
    region->cells = makeCells(bytes);
  regions.push_back(std::move(region));
}

void Machine::unmapRegions() {
  std::erase_if(regions, [](const auto &region) { return region->isMapped; });
}

Region *Machine::findRegion(const char *address) {
  if (address >= sharedRegion.data && address < sharedRegion.data + kMaxShared)
    return &sharedRegion;
  for (auto &region : regions)
    if (address >= region->data && address < region->data + region->bytes)
      return region.get();
  return nullptr;
}

static uint32_t blockOfStamp(Stamp stamp) { return stamp >> 27 & 0x1ffff; }
static uint32_t laneOfStamp(Stamp stamp) { return stamp >> 17 & 0x3ff; }

/// Whether nothing can be wrong between the access of `stamp` and this lane's next one.
bool Machine::isKnown(Stamp stamp, bool atomic, bool isShared) const {
  if (!stamp || (atomic && (stamp & 1)))
    return true;
  if (blockOfStamp(stamp) != blockIndex)
    return isShared;
  uint32_t lane = laneOfStamp(stamp), when = stamp >> 44;
  if (lane == current->index || when < current->knows)
    return true;
  return lane < current->knowsLane.size() && when < current->knowsLane[lane];
}

void Machine::checkRace(Region &region, uint64_t offset, const Site &site, uint32_t id,
                        bool isShared) {
  Cell &cell = region.cells[offset];
  Stamp mine = uint64_t(time) << 44 | uint64_t(blockIndex) << 27 | uint64_t(current->index) << 17 |
               uint64_t(id) << 1 | site.atomic;
  auto check = [&](Stamp other) {
    if (!isKnown(other, site.atomic, isShared))
      report(FindingKind::Race, id, {}, &region, offset, other);
  };
  check(cell.write);
  if (site.write) {
    check(cell.reads[0]);
    check(cell.reads[1]);
    cell = {mine, {0, 0}};
    return;
  }
  // A reader gives way to the same lane, and to any that is ordered behind it.
  for (Stamp &read : cell.reads)
    if (isKnown(read, false, isShared)) {
      read = mine;
      return;
    }
}

/// Checks an access and returns where to make it: at `address`, or in memory of no meaning.
void *Machine::access(char *address, uint64_t bytes, const Site &site, uint32_t id) {
  if (site.atomic)
    ++result.counts.atomics;
  else
    ++(site.write ? result.counts.stores : result.counts.loads);
  auto refuse = [&]() -> void * {
    if (scratch.size() < bytes + kAlignment)
      scratch.resize(bytes + kAlignment);
    std::fill(scratch.begin(), scratch.end(), 0);
    auto start = reinterpret_cast<uintptr_t>(scratch.data());
    return scratch.data() + (kAlignment - start % kAlignment) % kAlignment;
  };
  Region *region = findRegion(address);
  bool isShared = region == &sharedRegion;
  if (!region) {
    // Local memory: the lane's own stack.
    if ((site.space == 0 || site.space == 5) && address >= stackOf(*current) &&
        address + bytes <= stackOf(*current) + kStackBytes)
      return address;
    char text[32];
    snprintf(text, sizeof(text), "%p", static_cast<void *>(address));
    report(FindingKind::OutOfBounds, id,
           std::to_string(bytes) + " bytes at " + text + ", which is in no buffer" +
               nearestRegion(address));
    return refuse();
  }
  int64_t offset = address - region->data;
  if (site.space != 0 && (site.space == 3) != isShared) {
    report(FindingKind::OutOfBounds, id,
           "an address of address space " + std::to_string(site.space) + " lies in " + region->name,
           region, offset);
    return refuse();
  }
  bool inside = offset + bytes <= region->bytes;
  if (inside && isShared && uint64_t(offset) < staticShared) {
    inside = false;
    for (const SharedVariable &variable : sharedVariables)
      inside |=
          uint64_t(offset) >= variable.offset && offset + bytes <= variable.offset + variable.bytes;
  }
  if (!inside) {
    report(FindingKind::OutOfBounds, id,
           std::to_string(bytes) + " bytes reach behind " +
               std::to_string(isShared ? sharedRegion.bytes : region->bytes) + " bytes of it",
           region, offset);
    return refuse();
  }
  if (site.align && reinterpret_cast<uintptr_t>(address) % site.align) {
    report(FindingKind::Misaligned, id,
           "expects a multiple of " + std::to_string(site.align) + " bytes", region, offset);
    return address;
  }
  if (counter)
    counter->add(*current->warp->lanes, current->index, reinterpret_cast<uint64_t>(address), bytes,
                 id, isShared);
  if (isShared && hasCopies)
    checkCopies(offset, bytes, id);
  if (isShared && site.write && !groupMatrices.empty())
    noteSharedWrite(offset, bytes, id);
  bool initialized = true;
  bool looksForRaces = options.checkRaces && region->cells;
  if (!region->initialized && !looksForRaces)
    return address;
  for (uint64_t i = 0; i < bytes; ++i) {
    if (region->initialized) {
      initialized &= region->initialized[offset + i];
      if (site.write)
        region->initialized[offset + i] = 1;
    }
    if (looksForRaces)
      checkRace(*region, offset + i, site, id, isShared);
  }
  if (site.read && !initialized)
    report(FindingKind::Uninitialized, id,
           "some of these " + std::to_string(bytes) + " bytes were never written", region, offset);
  return address;
}

std::string Machine::nearestRegion(const char *address) const {
  const Region *best = nullptr;
  int64_t distance = 1 << 20;
  for (const auto &region : regions) {
    int64_t gap =
        address < region->data ? region->data - address : address - (region->data + region->bytes);
    if (gap >= 0 && gap < distance) {
      best = region.get();
      distance = gap;
    }
  }
  if (!best)
    return {};
  bool before = address < best->data;
  return ": " + std::to_string(distance) + " bytes " + (before ? "before" : "behind the end of") +
         " " + best->name;
}
