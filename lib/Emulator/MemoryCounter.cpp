//===- MemoryCounter.cpp - what requests of warps take of memory -- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Global memory moves in sectors of 32 bytes; shared memory has 32 banks of 4
// bytes, each of which gives one word in a turn, to every lane that asks for it.
// Accesses of 8 and 16 bytes are served for half and quarter warps; the rows of
// ldmatrix matrix by matrix (CUDA C++ Programming Guide, "Device Memory
// Accesses" and "Shared Memory" of compute capability 5.x and later; PTX ISA,
// "Warp-level matrix load instruction").
//
//===----------------------------------------------------------------------===//

#include "MemoryCounter.h"

#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <map>

using namespace sectile::emulator;

static constexpr uint64_t kSectorBytes = 32, kBanks = 32, kBankBytes = 4, kMostBytes = 16;

void MemoryCounter::add(const Lane &first, uint32_t index, uint64_t address, uint64_t bytes,
                        uint32_t site, bool isShared) {
  uint32_t lane = index - first.index;
  uint64_t key = (uint64_t(first.index) << 32 | site) << 1 | uint64_t(isShared);
  Stream &stream = streams[key];
  uint32_t number = stream.done[lane]++ - stream.retired;
  if (number >= stream.open.size())
    stream.open.resize(number + 1);
  Request &request = stream.open[number];
  request.arrived |= 1u << lane;
  request.accesses.push_back({address, lane, static_cast<uint32_t>(bytes)});
  uint32_t members = sites[site].members;
  while (!stream.open.empty() && (stream.open.front().arrived & members) == members) {
    count(stream.open.front(), site, isShared);
    stream.open.pop_front();
    ++stream.retired;
  }
}

void MemoryCounter::endBlock() {
  for (auto &[key, stream] : streams)
    for (const Request &request : stream.open)
      if (request.arrived)
        count(request, static_cast<uint32_t>(key >> 1), key & 1);
  streams.clear();
}

static uint64_t countDistinct(std::vector<uint64_t> &list) {
  std::ranges::sort(list);
  return std::ranges::unique(list).begin() - list.begin();
}

/// Sectors, or turns of banks, of one instruction for a warp.
void MemoryCounter::countPiece(const std::vector<Access> &accesses, uint64_t bytes, bool isShared,
                               MemoryCount &result) const {
  std::vector<uint64_t> units;
  if (!isShared) {
    std::vector<uint64_t> each;
    for (const Access &access : accesses)
      for (uint64_t i = 0; i < access.bytes; ++i) {
        each.push_back(access.address + i);
        units.push_back((access.address + i) / kSectorBytes);
      }
    result.sectors += countDistinct(units);
    result.leastSectors += (countDistinct(each) + kSectorBytes - 1) / kSectorBytes;
    return;
  }
  uint64_t lanes = bytes <= kBankBytes ? 32 : 32 * kBankBytes / bytes;
  for (uint64_t first = 0; first < 32; first += lanes) {
    units.clear();
    for (const Access &access : accesses)
      if (access.lane >= first && access.lane < first + lanes)
        for (uint64_t i = 0; i < access.bytes; ++i)
          units.push_back((access.address + i) / kBankBytes);
    if (units.empty())
      continue;
    units.resize(countDistinct(units));
    uint64_t perBank[kBanks] = {};
    for (uint64_t word : units)
      ++perBank[word % kBanks];
    ++result.phases;
    result.turns += std::ranges::max(perBank);
  }
}

void MemoryCounter::count(const Request &request, uint32_t site, bool isShared) {
  MemoryCount &result = counts[2 * site + isShared];
  uint64_t widest = 0;
  for (const Access &access : request.accesses)
    widest = std::max<uint64_t>(widest, access.bytes);
  result.bytes = std::max<uint32_t>(result.bytes, widest);
  ++result.requests;
  // One instruction moves what the alignment allows, 16 bytes at most; a wider access is several.
  uint64_t piece =
      std::min<uint64_t>(kMostBytes, sites[site].align ? sites[site].align : kMostBytes);
  for (uint64_t from = 0; from < widest; from += piece) {
    std::vector<Access> part;
    uint64_t most = 0;
    for (const Access &access : request.accesses)
      if (access.bytes > from) {
        uint64_t bytes = std::min<uint64_t>(piece, access.bytes - from);
        most = std::max(most, bytes);
        part.push_back({access.address + from, access.lane, static_cast<uint32_t>(bytes)});
      }
    countPiece(part, llvm::bit_ceil(most), isShared, result);
  }
}

std::vector<MemoryCount> MemoryCounter::finish() {
  std::vector<MemoryCount> result;
  std::map<std::tuple<std::string, std::string, std::string, bool>, size_t> places;
  for (size_t i = 0; i < counts.size(); ++i) {
    MemoryCount &count = counts[i];
    if (count.requests == 0)
      continue;
    const Site &site = sites[i / 2];
    bool isShared = i % 2;
    auto [place, isNew] =
        places.insert({{site.kernel, site.location, site.op, isShared}, result.size()});
    if (isNew) {
      count.kernel = site.kernel;
      count.location = site.location;
      count.op = site.op;
      count.isShared = isShared;
      result.push_back(std::move(count));
      continue;
    }
    result[place->second] += count;
  }
  return result;
}

MemoryCount &MemoryCount::operator+=(const MemoryCount &other) {
  bytes = std::max(bytes, other.bytes);
  requests += other.requests;
  sectors += other.sectors;
  leastSectors += other.leastSectors;
  phases += other.phases;
  turns += other.turns;
  return *this;
}

std::string MemoryCount::text() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << location << ": " << op << " of " << bytes << " bytes per lane in kernel " << kernel << ", "
     << requests << " requests: ";
  if (isShared)
    os << turns << " turns of shared memory for " << phases << " phases, " << conflicts()
       << " conflicts";
  else
    os << sectors << " sectors, " << leastSectors << " at least";
  return text;
}
