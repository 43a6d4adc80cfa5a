//===- AsyncCopy.cpp - cp.async and its groups --------------------- -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From the PTX ISA, "Data Movement and Conversion Instructions: Non-bulk copy":
// a copy reads and writes at any time between its cp.async and the end of a wait
// for its group, by the thread that began it; others see it behind a barrier
// after that wait. Here it reads and writes at the wait, and until then nobody
// may touch what it writes.
//
//===----------------------------------------------------------------------===//

#include "Machine.h"

#include "llvm/Support/ErrorHandling.h"

#include <cstring>

using namespace sectile::emulator;

void Machine::copy(char *to, char *from, uint32_t bytes, uint32_t read, uint32_t site) {
  if (read > bytes) {
    report(FindingKind::OutOfBounds, site,
           "reads " + std::to_string(read) + " bytes for a copy of " + std::to_string(bytes));
    read = bytes;
  }
  const char *source = from;
  if (read != 0 && access(from, read, sites[site + 1], site + 1) != from)
    source = nullptr;
  if (access(to, bytes, sites[site], site) != to)
    return;
  uint64_t offset = to - sharedRegion.data;
  if (!underWay) {
    underWay.reset(static_cast<Stamp *>(std::calloc(kMaxShared, sizeof(Stamp))));
    if (!underWay)
      llvm::report_fatal_error("cannot allocate the emulator's memory");
  }
  hasCopies = true;
  std::fill_n(&underWay[offset], bytes,
              uint64_t(time) << 44 | uint64_t(blockIndex) << 27 | uint64_t(current->index) << 17 |
                  uint64_t(site) << 1);
  std::fill_n(&sharedRegion.initialized[offset], bytes, 0);
  current->copies.push_back({to, source, bytes, read, site, current->groups});
}

void Machine::waitForCopies(uint32_t pending) {
  auto isDone = [&](const AsyncCopy &copy) { return copy.group + pending < current->groups; };
  for (const AsyncCopy &copy : current->copies) {
    if (!isDone(copy))
      continue;
    uint64_t offset = copy.to - sharedRegion.data;
    std::fill_n(&underWay[offset], copy.bytes, 0);
    std::memset(copy.to, 0, copy.bytes);
    if (copy.from)
      std::memcpy(copy.to, copy.from, copy.read);
    std::fill_n(&sharedRegion.initialized[offset], copy.bytes, 1);
    if (!groupMatrices.empty()) // in the generic proxy
      noteSharedWrite(offset, copy.bytes, copy.site);
    if (!options.checkRaces)
      continue;
    for (uint32_t i = 0; i < copy.bytes; ++i)
      checkRace(sharedRegion, offset + i, sites[copy.site], copy.site, /*isShared=*/true);
    Region *source = copy.from ? findRegion(copy.from) : nullptr;
    if (!source || !source->cells)
      continue;
    for (uint32_t i = 0; i < copy.read; ++i)
      checkRace(*source, copy.from - source->data + i, sites[copy.site + 1], copy.site + 1,
                /*isShared=*/false);
  }
  std::erase_if(current->copies, isDone);
}

void Machine::checkCopies(uint64_t offset, uint64_t bytes, uint32_t site) {
  for (uint64_t i = 0; i < bytes; ++i)
    if (Stamp copy = underWay[offset + i]) {
      report(FindingKind::Race, site,
             "an asynchronous copy to it is under way, which its thread has not waited for",
             &sharedRegion, static_cast<int64_t>(offset + i), copy);
      return;
    }
}
