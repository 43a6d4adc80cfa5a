//===- Options.cpp - options, environment and structure sizes ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include <cerrno>
#include <cstdlib>
#include <sched.h>

namespace sectile::runtime {

sectile_status readOptions(void *options, size_t knownBytes, const void *given, const char *name,
                           Message &message) {
  if (!given)
    return SECTILE_OK;
  size_t bytes;
  memcpy(&bytes, given, sizeof bytes);
  if (bytes < sizeof bytes)
    return fail(message, SECTILE_INVALID_ARGUMENT, "expects %s.size to be set, but got %zu", name,
                bytes);
  const unsigned char *content = static_cast<const unsigned char *>(given);
  for (size_t i = knownBytes; i < bytes; ++i)
    if (content[i] != 0)
      return fail(message, SECTILE_UNSUPPORTED,
                  "%s sets an option that this runtime (%s) does not know, at byte %zu", name,
                  sectile_version(), i);
  memcpy(options, given, bytes < knownBytes ? bytes : knownBytes);
  return SECTILE_OK;
}

void writeResult(void *given, const void *result, size_t knownBytes) {
  size_t bytes;
  memcpy(&bytes, given, sizeof bytes);
  memset(given, 0, bytes);
  memcpy(given, result, bytes < knownBytes ? bytes : knownBytes);
  memcpy(given, &bytes, sizeof bytes);
}

namespace {

/// CPUs in this thread's affinity mask; 1 if the system does not say.
uint32_t countAllowedCpus() {
  // The kernel refuses masks smaller than its own, so ask with larger ones.
  for (int cpus = 1024; cpus <= 1 << 18; cpus *= 4) {
    cpu_set_t *mask = CPU_ALLOC(cpus);
    if (!mask)
      return 1;
    size_t bytes = CPU_ALLOC_SIZE(cpus);
    CPU_ZERO_S(bytes, mask);
    int result = sched_getaffinity(0, bytes, mask);
    int error = errno;
    int count = result == 0 ? CPU_COUNT_S(bytes, mask) : 0;
    CPU_FREE(mask);
    if (result == 0)
      return count > 0 ? static_cast<uint32_t>(count) : 1;
    if (error != EINVAL)
      return 1;
  }
  return 1;
}

} // namespace

sectile_status chooseThreads(uint32_t requested, uint32_t &threads, Message &message) {
  if (requested > kMaxThreads)
    return fail(message, SECTILE_INVALID_ARGUMENT, "expects 1 to %u threads, but got %u",
                kMaxThreads, requested);
  if (requested > 0) {
    threads = requested;
    return SECTILE_OK;
  }
  const char *text = getenv("SECTILE_NUM_THREADS");
  if (text && text[0] != '\0') {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (*end != '\0' || errno != 0 || value < 1 || value > long(kMaxThreads))
      return fail(message, SECTILE_INVALID_ARGUMENT,
                  "SECTILE_NUM_THREADS expects a number from 1 to %u, but got '%s'", kMaxThreads,
                  text);
    threads = static_cast<uint32_t>(value);
    return SECTILE_OK;
  }
  uint32_t cpus = countAllowedCpus();
  threads = cpus < kMaxThreads ? cpus : kMaxThreads;
  return SECTILE_OK;
}

} // namespace sectile::runtime
