//===- AllocationTest.cpp - runs that allocate nothing ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Replaces the C library's allocation functions for the whole program by ones
// that count, and counts calls of the user's allocator besides. Not for builds
// with sanitizers, which replace the same functions.
//
//===----------------------------------------------------------------------===//

#include "TestPackages.h"

#include <atomic>
#include <cerrno>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace sectile::test;

static std::atomic<int64_t> libraryCalls{0};
static std::atomic<int64_t> userCalls{0};

extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t bytes) {
  ++libraryCalls;
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  ++libraryCalls;
  return __libc_calloc(count, bytes);
}
void *realloc(void *memory, size_t bytes) {
  ++libraryCalls;
  return __libc_realloc(memory, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) {
  ++libraryCalls;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void **memory, size_t alignment, size_t bytes) {
  ++libraryCalls;
  *memory = __libc_memalign(alignment, bytes);
  return *memory ? 0 : ENOMEM;
}
void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset) {
  ++libraryCalls;
  // NOLINTNEXTLINE(performance-no-int-to-ptr): syscall returns addresses as numbers
  return reinterpret_cast<void *>(
      syscall(SYS_mmap, address, bytes, protection, flags, file, offset));
}
}

namespace {

sectile_package_options countingOptions() {
  auto options = makeOptions<sectile_package_options>();
  options.allocator = {[](void *, size_t bytes, size_t alignment) {
                         ++userCalls;
                         return aligned_alloc(alignment < 64 ? 64 : alignment,
                                              (bytes + 4095) / 4096 * 4096);
                       },
                       [](void *, void *memory, size_t) {
                         ++userCalls;
                         free(memory);
                       },
                       nullptr};
  options.threads = 4;
  return options;
}

/// Runs `call` and returns how many allocations it made.
template <typename Call>
int64_t countAllocations(Call call) {
  int64_t before = libraryCalls + userCalls;
  call();
  return libraryCalls + userCalls - before;
}

TEST(Allocation, IsCounted) {
  EXPECT_GT(countAllocations([] { delete new int[100]; }), 0);
}

TEST(Allocation, HappensOnlyForLargerRuns) {
  for (bool ownAllocator : {false, true}) {
    sectile_package_options options = countingOptions();
    if (!ownAllocator)
      options.allocator = {};
    PackageHandle package = loadPackage("add", &options);
    ContextHandle context = makeContext(package);
    std::vector<float> a(3000000, 1), b(3000000, 2);
    auto run = [&](int64_t n) {
      return countAllocations([&] {
        sectile_tensor inputs[2] = {}, output = {};
        for (sectile_tensor &input : inputs)
          input = {a.data(), a.size() * 4, SECTILE_F32, 1, &n, 0};
        inputs[1].data = b.data();
        ASSERT_EQ(sectile_context_run(context.get(), inputs, 2, &output, 1), SECTILE_OK);
      });
    };
    EXPECT_GT(run(2000000), 0);
    for (int64_t n : {2000000, 1, 0, 1999999, 100000, 2000000})
      EXPECT_EQ(run(n), 0) << n;
    EXPECT_GT(run(3000000), 0);
    EXPECT_EQ(run(2500000), 0);
  }
}

TEST(Allocation, DoesNotDependOnWhichThreadsTakePart) {
  sectile_package_options options = countingOptions();
  PackageHandle package = loadPackage("work", &options);
  ContextHandle context = makeContext(package);
  int64_t launches[] = {1, 300, 17};
  auto run = [&] {
    int64_t dims = 3;
    sectile_tensor input = {launches, sizeof launches, SECTILE_I64, 1, &dims, 0}, output = {};
    ASSERT_EQ(sectile_context_run(context.get(), &input, 1, &output, 1), SECTILE_OK);
  };
  run();
  EXPECT_EQ(countAllocations([&] {
              for (int i = 0; i < 200; ++i)
                run();
            }),
            0);
}

TEST(Allocation, ServesEverythingFromTheUser) {
  userCalls = 0;
  int64_t balance = 0;
  auto options = makeOptions<sectile_package_options>();
  options.allocator = {[](void *user, size_t bytes, size_t) {
                         *static_cast<int64_t *>(user) += static_cast<int64_t>(bytes);
                         return aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
                       },
                       [](void *user, void *memory, size_t bytes) {
                         *static_cast<int64_t *>(user) -= static_cast<int64_t>(bytes);
                         free(memory);
                       },
                       &balance};
  options.threads = 3;
  {
    PackageHandle package = loadPackage("work", &options);
    ContextHandle context = makeContext(package);
    int64_t launches = 10, dims = 1;
    sectile_tensor input = {&launches, 8, SECTILE_I64, 1, &dims, 0}, output = {};
    ASSERT_EQ(sectile_context_run(context.get(), &input, 1, &output, 1), SECTILE_OK);
    EXPECT_GT(balance, 0);
  }
  EXPECT_EQ(balance, 0);
}

} // namespace
