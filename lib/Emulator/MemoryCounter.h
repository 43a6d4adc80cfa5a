//===- MemoryCounter.h - what requests of warps take of memory ---- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Lanes run one after the other, so that a warp's request is put together from
// their accesses: the n-th one of a lane at a site belongs to the warp's n-th
// request there.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_EMULATOR_MEMORYCOUNTER_H
#define SECTILE_LIB_EMULATOR_MEMORYCOUNTER_H

#include "Machine.h"

#include <deque>

namespace sectile::emulator {

class MemoryCounter {
public:
  explicit MemoryCounter(const std::vector<Site> &sites) : sites(sites), counts(2 * sites.size()) {}

  /// An access of lane `index` of the block, in a warp that begins with `first`.
  void add(const Lane &first, uint32_t index, uint64_t address, uint64_t bytes, uint32_t site,
           bool isShared);
  /// Counts requests that not all lanes took part in.
  void endBlock();
  /// What was counted, equal ops at equal locations together.
  std::vector<MemoryCount> finish();

private:
  struct Access {
    uint64_t address;
    uint32_t lane, bytes;
  };
  struct Request {
    uint32_t arrived = 0;
    std::vector<Access> accesses;
  };
  /// Of a warp at a site.
  struct Stream {
    uint32_t done[32] = {}, retired = 0;
    std::deque<Request> open;
  };
  void count(const Request &request, uint32_t site, bool isShared);
  void countPiece(const std::vector<Access> &accesses, uint64_t bytes, bool isShared,
                  MemoryCount &result) const;

  const std::vector<Site> &sites;
  /// For each site what it took of global and of shared memory.
  std::vector<MemoryCount> counts;
  llvm::DenseMap<uint64_t, Stream> streams;
};

} // namespace sectile::emulator

#endif // SECTILE_LIB_EMULATOR_MEMORYCOUNTER_H
