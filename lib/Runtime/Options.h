//===- Options.h - options, environment and structure sizes -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_RUNTIME_OPTIONS_H
#define SECTILE_LIB_RUNTIME_OPTIONS_H

#include "Message.h"

#include <cstring>

namespace sectile::runtime {

inline constexpr uint32_t kMaxThreads = 1024;

/// Reads the options at `given`, which begin with their size, into `options`,
/// whose members are 0 so far. Null is all defaults. Unknown members must be 0.
sectile_status readOptions(void *options, size_t knownBytes, const void *given, const char *name,
                           Message &message);

template <typename Options>
sectile_status readOptions(Options &options, const Options *given, const char *name,
                           Message &message) {
  return readOptions(&options, sizeof options, given, name, message);
}

/// Writes `result` to the caller's structure, which begins with the size that
/// the caller knows: cut, or filled with zeros.
void writeResult(void *given, const void *result, size_t knownBytes);

template <typename Result>
sectile_status writeResult(Result *given, const Result &result) {
  if (!given || given->size < sizeof(size_t))
    return SECTILE_INVALID_ARGUMENT;
  writeResult(given, &result, sizeof result);
  return SECTILE_OK;
}

/// The number of threads: `requested`, else $SECTILE_NUM_THREADS, else the CPUs
/// that this thread may run on.
sectile_status chooseThreads(uint32_t requested, uint32_t &threads, Message &message);

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_OPTIONS_H
