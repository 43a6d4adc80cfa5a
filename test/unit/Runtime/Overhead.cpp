//===- Overhead.cpp - what the runtime itself costs -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ThreadPool.h"

#include "sectile/sectile.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <unistd.h>
#include <vector>

using namespace sectile::runtime;

namespace {

/// Prints median and minimum of `rounds` calls, each of which is preceded by
/// `before`, in microseconds.
template <typename Before, typename Call>
void measure(const char *name, int rounds, Before before, Call call) {
  std::vector<double> times;
  for (int i = 0; i < rounds; ++i) {
    before();
    auto start = std::chrono::steady_clock::now();
    call();
    std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    times.push_back(time.count());
  }
  std::sort(times.begin(), times.end());
  printf("%-48s median %8.2f us  min %8.2f us\n", name, times[times.size() / 2], times[0]);
}

void nothing() {}
void emptyChunk(void *, uint32_t, uint32_t) {}

void measurePool() {
  Memory memory({});
  Message message;
  ThreadPool pool;
  pool.start(memory, 2, message);
  auto fork = [&] { pool.run(2, 2, emptyChunk, nullptr); };
  measure("fork and join, 2 threads, back to back", 100000, nothing, fork);
  measure("fork and join, 2 threads, worker asleep", 2000, [] { usleep(300); }, fork);
  // The second chunk waits for the first to have begun, so both threads take part.
  auto meet = [](void *argument, uint32_t, uint32_t) {
    auto &arrived = *static_cast<std::atomic<int> *>(argument);
    ++arrived;
    while (arrived < 2) {
    }
  };
  auto forkBoth = [&] {
    std::atomic<int> arrived{0};
    pool.run(2, 2, meet, &arrived);
  };
  measure("both threads take part, back to back", 20000, nothing, forkBoth);
  measure("both threads take part, worker asleep", 1000, [] { usleep(300); }, forkBoth);
  // Both threads have work of 20 us in each region.
  auto spin = [](void *, uint32_t, uint32_t) {
    auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
    while (std::chrono::steady_clock::now() < end) {
    }
  };
  measure("2 chunks of 20 us, back to back", 10000, nothing,
          [&] { pool.run(2, 2, spin, nullptr); });
  measure(
      "2 chunks of 20 us, worker asleep", 2000, [] { usleep(300); },
      [&] { pool.run(2, 2, spin, nullptr); });
  pool.stop(memory);
}

void measurePackage(const char *name, size_t numInputs, size_t numOutputs) {
  std::string path = std::string(SECTILE_TEST_PACKAGES) + "/" + name + ".stpk";
  sectile_package *package = nullptr;
  auto release = [&] {
    sectile_package_release(package);
    package = nullptr;
  };
  printf("package '%s'\n", name);
  measure("  load", 1000, release,
          [&] { sectile_package_load(path.c_str(), nullptr, &package, nullptr, 0); });
  if (!package)
    return;
  sectile_context *context = nullptr;
  if (sectile_context_create(package, nullptr, &context, nullptr, 0) != SECTILE_OK)
    return;
  float values[16] = {};
  int64_t dims[] = {16};
  std::vector<sectile_tensor> inputs(numInputs, {values, sizeof values, SECTILE_F32, 1, dims, 0});
  std::vector<sectile_tensor> outputs(numOutputs);
  measure("  run", 100000, nothing, [&] {
    for (sectile_tensor &output : outputs)
      output.data = nullptr;
    sectile_context_run(context, inputs.data(), numInputs, outputs.data(), numOutputs);
  });
  sectile_context_destroy(context);
  release();
}

} // namespace

int main() {
  measure("clock alone", 100000, nothing, nothing);
  measurePool();
  measurePackage("empty", 0, 0);
  measurePackage("add", 2, 1);
}
