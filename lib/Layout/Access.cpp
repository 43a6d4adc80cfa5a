//===- Access.cpp - what an access to memory costs, counted -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "sectile/Layout/Access.h"

#include <algorithm>
#include <bit>

using namespace sectile::layout;

namespace {

/// Byte addresses of a tile's registers before swizzles, -1 where a place does not take part.
class AddressTable {
public:
  AddressTable(const DistributedLayout &layout, const MemoryLayout &memory, AccessKind kind)
      : registers(layout.extent(Axis::Register)), lanes(layout.extent(Axis::Lane)),
        elementBytes(memory.elementBits() / 8) {
    warps = 1;
    for (size_t axis = 0; axis < kNumAxes; ++axis)
      if (axis != static_cast<size_t>(Axis::Register) && axis != static_cast<size_t>(Axis::Lane))
        warps *= layout.map().domain()[axis];
    addresses.reserve(static_cast<size_t>(registers * lanes * warps));
    HardwarePlace place{};
    for (int64_t i = 0, count = registers * lanes * warps; i < count; ++i) {
      std::optional<std::vector<int64_t>> at = layout.coordinatesAt(place);
      bool takesPart = at && (kind == AccessKind::Load || layout.isFirstCopy(place));
      if (takesPart)
        at->push_back(0); // The element's first bit.
      addresses.push_back(takesPart ? memory.map().apply(*at).front() / 8 : -1);
      for (size_t axis = 0; axis < kNumAxes; ++axis) {
        if (++place[axis] != layout.map().domain()[axis])
          break;
        place[axis] = 0;
      }
    }
  }

  void apply(std::span<const Swizzle> swizzles) {
    for (int64_t &address : addresses)
      if (address >= 0)
        address = applySwizzles(address, swizzles);
  }

  int64_t at(int64_t warp, int64_t lane, int64_t reg) const {
    return addresses[static_cast<size_t>((warp * lanes + lane) * registers + reg)];
  }

  /// Whether `count` registers, a power of two, lie side by side and aligned in every lane.
  bool isVector(int64_t count) const {
    if (registers % count != 0)
      return false;
    for (size_t i = 0; i < addresses.size(); i += static_cast<size_t>(count)) {
      int64_t first = addresses[i];
      if (first >= 0 && first % (count * elementBytes) != 0)
        return false;
      for (int64_t next = 1; next < count; ++next)
        if (addresses[i + static_cast<size_t>(next)] !=
            (first < 0 ? -1 : first + next * elementBytes))
          return false;
    }
    return true;
  }

  int64_t registers, lanes, warps, elementBytes;

private:
  std::vector<int64_t> addresses;
};

/// Distinct numbers of a list, which is sorted on the way.
int64_t countDistinct(std::vector<int64_t> &list) {
  std::ranges::sort(list);
  return std::ranges::unique(list).begin() - list.begin();
}

/// Turns that banks need for accesses of `bytes` at these addresses: the most words that one bank
/// must give. Lanes that read the same word share it.
int64_t countTurns(std::span<const int64_t> addresses, int64_t bytes, const AccessModel &model) {
  std::vector<int64_t> words;
  for (int64_t address : addresses)
    for (int64_t word = address / model.bankBytes, last = (address + bytes - 1) / model.bankBytes;
         word <= last; ++word)
      words.push_back(word);
  words.resize(static_cast<size_t>(countDistinct(words)));
  std::vector<int64_t> perBank(static_cast<size_t>(model.banks), 0);
  for (int64_t word : words)
    ++perBank[static_cast<size_t>(word % model.banks)];
  return words.empty() ? 0 : std::ranges::max(perBank);
}

int64_t countSectors(std::span<const int64_t> addresses, int64_t bytes, const AccessModel &model) {
  std::vector<int64_t> sectors;
  for (int64_t address : addresses)
    for (int64_t sector = address / model.sectorBytes,
                 last = (address + bytes - 1) / model.sectorBytes;
         sector <= last; ++sector)
      sectors.push_back(sector);
  return countDistinct(sectors);
}

/// The bytes that those addresses cover, in whole sectors.
int64_t countLeastSectors(std::vector<int64_t> addresses, int64_t bytes, const AccessModel &model) {
  return (countDistinct(addresses) * bytes + model.sectorBytes - 1) / model.sectorBytes;
}

} // namespace

/// Null if the layouts can be counted: one shape, elements of whole bytes.
static std::optional<Reason> check(const DistributedLayout &registers, const MemoryLayout &memory,
                                   const AccessModel &model) {
  if (!std::ranges::equal(registers.shape(), memory.shape()))
    return Reason{"expects layouts of one shape"};
  bool hasBytes = memory.elementBits() % 8 == 0;
  for (const Digit &digit : memory.map().digits()) {
    bool isBit = digit.from.axis == memory.shape().size();
    hasBytes = hasBytes && (isBit ? digit.to->stride == 1 : digit.to->stride % 8 == 0);
  }
  if (!hasBytes)
    return Reason{"expects elements of whole bytes, each in one piece"};
  if (memory.elementBits() / 8 > model.phases.back().bytes)
    return Reason{"expects elements of at most " + std::to_string(model.phases.back().bytes) +
                  " bytes, but got " + std::to_string(memory.elementBits() / 8)};
  return std::nullopt;
}

static AccessCount count(const AddressTable &table, AccessKind kind, const AccessModel &model) {
  // The widest access that all lanes can make; a single element may be narrower than any.
  auto phase = std::ranges::find_if(
      model.phases, [&](const auto &candidate) { return candidate.bytes >= table.elementBytes; });
  int64_t width = 1;
  for (auto wider = phase; wider != model.phases.end(); ++wider) {
    int64_t elements = wider->bytes / table.elementBytes;
    if (elements > 1 && elements * table.elementBytes == wider->bytes && table.isVector(elements)) {
      phase = wider;
      width = elements;
    }
  }
  AccessCount result;
  result.laneBytes = width * table.elementBytes;
  auto period = std::max<int64_t>(1, static_cast<int64_t>(phase->loadOrder.size()));
  int64_t positions = (table.lanes + period - 1) / period * period;
  for (int64_t warp = 0; warp < table.warps; ++warp)
    for (int64_t reg = 0; reg < table.registers; reg += width) {
      std::vector<int64_t> all;
      for (int64_t first = 0; first < positions; first += phase->lanes) {
        std::vector<int64_t> served;
        for (int64_t i = first; i < first + phase->lanes; ++i)
          if (int64_t lane = phase->laneAt(i, kind); lane < table.lanes)
            if (int64_t address = table.at(warp, lane, reg); address >= 0)
              served.push_back(address);
        result.phases += !served.empty();
        result.wavefronts += countTurns(served, result.laneBytes, model);
        all.insert(all.end(), served.begin(), served.end());
      }
      result.instructions += !all.empty();
      result.sectors += countSectors(all, result.laneBytes, model);
      result.leastSectors += countLeastSectors(std::move(all), result.laneBytes, model);
    }
  return result;
}

OrReason<AccessCount> sectile::layout::countAccess(const DistributedLayout &registers,
                                                   const MemoryLayout &memory, AccessKind kind,
                                                   const AccessModel &model) {
  if (std::optional<Reason> reason = check(registers, memory, model))
    return *reason;
  AddressTable table(registers, memory, kind);
  table.apply(memory.swizzles());
  return count(table, kind, model);
}

OrReason<MemoryLayout> sectile::layout::chooseSwizzle(const MemoryLayout &memory,
                                                      std::span<const Access> accesses,
                                                      const AccessModel &model) {
  std::vector<AddressTable> tables;
  for (const Access &access : accesses) {
    if (std::optional<Reason> reason = check(*access.registers, memory, model))
      return *reason;
    tables.emplace_back(*access.registers, memory, access.kind);
  }
  auto costWith = [&](const std::vector<Swizzle> &swizzles) {
    // Of as many turns fewer instructions: a swizzle may cut wide accesses and still cost no turn.
    std::pair<int64_t, int64_t> cost{0, 0};
    for (size_t i = 0; i < tables.size(); ++i) {
      AddressTable table = tables[i];
      table.apply(swizzles);
      AccessCount counted = count(table, accesses[i].kind, model);
      cost.first += counted.wavefronts;
      cost.second += counted.instructions;
    }
    return cost;
  };
  std::vector<Swizzle> best;
  auto fewest = costWith(best);
  int64_t bytes = memory.sizeBits() / 8;
  // Lower bits are within an element, which stays in one piece and aligned.
  auto least = static_cast<int64_t>(
      std::countr_zero(static_cast<uint64_t>(std::max<int64_t>(memory.elementBits() / 8, 1))));
  // Fewer bits first: they change less. A period that does not divide the size would need more.
  for (int64_t bits = 1; int64_t(1) << 2 * bits <= bytes; ++bits)
    for (int64_t to = least; int64_t(1) << (to + 2 * bits) <= bytes; ++to)
      for (int64_t from = to + bits; bytes % (int64_t(1) << (from + bits)) == 0; ++from)
        if (auto cost = costWith({{bits, from, to}}); cost < fewest) {
          fewest = cost;
          best = {{bits, from, to}};
        }
  return memory.withSwizzles(std::move(best));
}
