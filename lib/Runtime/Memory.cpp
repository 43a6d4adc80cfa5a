//===- Memory.cpp - the user's allocator and what lies on it ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <cstdlib>
#include <sys/mman.h>

namespace sectile::runtime {

namespace {

constexpr size_t kHugePageBytes = size_t(2) << 20;
constexpr size_t kHugePageThreshold = size_t(4) << 20;

void *allocateFromLibrary(void *, size_t bytes, size_t alignment) {
  bool huge = bytes >= kHugePageThreshold;
  if (huge)
    alignment = kHugePageBytes;
  if (alignment < sizeof(void *))
    alignment = sizeof(void *);
  void *memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes) != 0)
    return nullptr;
  // A kernel without huge pages refuses; the memory is as good without.
  if (huge)
    (void)madvise(memory, bytes & ~(kHugePageBytes - 1), MADV_HUGEPAGE);
  return memory;
}

void deallocateToLibrary(void *, void *memory, size_t) { free(memory); }

} // namespace

Memory::Memory(const sectile_allocator &chosen) : allocator(chosen) {
  if (!allocator.allocate)
    allocator = {allocateFromLibrary, deallocateToLibrary, nullptr};
}

void *Memory::allocate(uint64_t bytes, size_t alignment) const {
  if (bytes > static_cast<uint64_t>(PTRDIFF_MAX))
    return nullptr;
  return allocator.allocate(allocator.user, static_cast<size_t>(bytes), alignment);
}

void Memory::deallocate(void *memory, uint64_t bytes) const {
  allocator.deallocate(allocator.user, memory, static_cast<size_t>(bytes));
}

bool GrowingBuffer::reserve(const Memory &memory, uint64_t bytes) {
  if (bytes <= capacity)
    return true;
  release(memory);
  uint64_t rounded;
  if (__builtin_add_overflow(bytes, kBufferAlignment - 1, &rounded))
    return false;
  rounded &= ~uint64_t(kBufferAlignment - 1);
  start = memory.allocate(rounded, kBufferAlignment);
  if (!start)
    return false;
  capacity = rounded;
  return true;
}

void GrowingBuffer::release(const Memory &memory) {
  if (start)
    memory.deallocate(start, capacity);
  start = nullptr;
  capacity = 0;
}

} // namespace sectile::runtime
