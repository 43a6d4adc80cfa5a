//===- MachineRates.cpp - what this machine can do --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "MachineRates.h"

#include "Clock.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <system_error>
#include <thread>

namespace sectile::tools {

namespace {

/// Working sets from what a core's own cache holds to what no cache holds.
constexpr int64_t kWorkingSets[] = {256 << 10, 2 << 20, 16 << 20, 128 << 20};
/// Read at least this often, and at least so many bytes: a millisecond or more each time.
constexpr int64_t kLeastPasses = 2, kLeastBytes = 32 << 20;
constexpr int kTrials = 4;
constexpr int64_t kMultiplyAdds = 1 << 16;

/// The two loops, for vectors of one size. Accumulators cover the latency of four cycles on two
/// units; all of them and the operands fit sixteen registers.
template <unsigned Bytes>
struct Probe {
  using Vector [[gnu::vector_size(Bytes)]] = float;
  static constexpr int kAccumulators = 12;

  /// Reads `bytes` (a multiple of 64 * 8) at `data` `passes` times.
  [[gnu::always_inline]] static inline float read(const char *data, int64_t bytes, int64_t passes) {
    constexpr int kStreams = 8;
    Vector sums[kStreams] = {};
    for (int64_t pass = 0; pass < passes; ++pass) {
      for (int64_t at = 0; at < bytes; at += kStreams * int64_t(Bytes))
        for (int i = 0; i < kStreams; ++i)
          sums[i] += *reinterpret_cast<const Vector *>(data + at + i * int64_t(Bytes));
      asm volatile("" ::: "memory"); // the next pass reads again
    }
    return total(sums, kStreams);
  }

  [[gnu::always_inline]] static inline float multiplyAdd(int64_t count) {
    Vector sums[kAccumulators] = {};
    volatile float half = 0.5f, one = 1.0f; // not known to the compiler
    Vector factor = sums[0] + half, term = sums[0] + one;
    for (int64_t i = 0; i < count; ++i)
      for (Vector &sum : sums)
        sum = sum * factor + term;
    return total(sums, kAccumulators);
  }

private:
  [[gnu::always_inline]] static inline float total(const Vector *sums, int count) {
    float result = 0;
    for (int i = 0; i < count; ++i)
      for (unsigned lane = 0; lane < Bytes / sizeof(float); ++lane)
        result += sums[i][lane];
    return result;
  }
};

/// The loops that the machine can run, in their fastest form.
struct Loops {
  unsigned vectorBytes;
  float (*read)(const char *data, int64_t bytes, int64_t passes);
  float (*multiplyAdd)(int64_t count);
};

// A target attribute does not reach into templates that are not inlined, hence always_inline above.
#define SECTILE_PROBE(NAME, BYTES, ...)                                                            \
  __VA_ARGS__ float read##NAME(const char *data, int64_t bytes, int64_t passes) {                  \
    return Probe<BYTES>::read(data, bytes, passes);                                                \
  }                                                                                                \
  __VA_ARGS__ float multiplyAdd##NAME(int64_t count) { return Probe<BYTES>::multiplyAdd(count); }

SECTILE_PROBE(Baseline, 16)
#if defined(__x86_64__)
SECTILE_PROBE(Avx2, 32, [[gnu::target("avx2,fma")]])
SECTILE_PROBE(Avx512, 64, [[gnu::target("avx512f,fma,prefer-vector-width=512")]])
#endif
#undef SECTILE_PROBE

Loops pickLoops() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return {64, readAvx512, multiplyAddAvx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {32, readAvx2, multiplyAddAvx2};
#endif
  return {16, readBaseline, multiplyAddBaseline};
}

std::atomic<float> sink; // results go here, so that nothing is optimised away

/// Nanoseconds of `work(thread)` on `threads` threads that start together: from the first to begin
/// to the last to end, the best of some trials.
template <typename Work>
int64_t timeTogether(unsigned threads, Work work) {
  int64_t best = INT64_MAX;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::atomic<unsigned> waiting = 0;
    std::vector<int64_t> begins(threads), ends(threads);
    auto run = [&](unsigned thread) {
      ++waiting;
      while (waiting.load() < threads)
        std::this_thread::yield();
      begins[thread] = now();
      work(thread);
      ends[thread] = now();
    };
    std::vector<std::thread> others;
    for (unsigned thread = 1; thread < threads; ++thread)
      others.emplace_back(run, thread);
    run(0);
    for (std::thread &other : others)
      other.join();
    best = std::min(best, *std::max_element(ends.begin(), ends.end()) -
                              *std::min_element(begins.begin(), begins.end()));
  }
  return std::max<int64_t>(best, 1);
}

/// Whether so many threads can be had: a failure later would leave others waiting.
bool canStart(unsigned threads) {
  std::vector<std::thread> started;
  bool all = true;
  try {
    while (started.size() + 1 < threads)
      started.emplace_back([] {});
  } catch (const std::system_error &) {
    all = false;
  }
  for (std::thread &thread : started)
    thread.join();
  return all;
}

} // namespace

MachineRates MachineRates::measure(unsigned threads) {
  if (!canStart(threads))
    threads = 1;
  Loops loops = pickLoops();
  MachineRates rates;
  constexpr int64_t kStep = 512; // bytes of one step of the widest reading loop
  int64_t largest = *std::max_element(std::begin(kWorkingSets), std::end(kWorkingSets));
  struct Free {
    void operator()(void *memory) const { std::free(memory); }
  };
  std::unique_ptr<char, Free> data(
      static_cast<char *>(std::aligned_alloc(64, static_cast<size_t>(largest))));
  if (data) {
    std::fill_n(data.get(), largest, char(0)); // pages of their own, not one of zeroes
    for (int64_t bytes : kWorkingSets) {
      int64_t part = bytes / threads / kStep * kStep;
      if (part == 0)
        continue;
      int64_t passes = std::max(kLeastPasses, kLeastBytes / (part * threads));
      int64_t time = timeTogether(threads, [&](unsigned thread) {
        sink = loops.read(data.get() + thread * part, part, passes);
      });
      rates.readings.push_back({bytes, double(part * threads * passes) / double(time)});
    }
  }
  int64_t time = timeTogether(threads, [&](unsigned) { sink = loops.multiplyAdd(kMultiplyAdds); });
  size_t lanes = loops.vectorBytes / sizeof(float);
  double perLoop = 2.0 * Probe<16>::kAccumulators * double(lanes);
  rates.operationsPerNanosecond = perLoop * double(kMultiplyAdds) * threads / double(time);
  return rates;
}

Bound MachineRates::boundOf(int64_t bytes, int64_t operations) const {
  Bound bound;
  if (operationsPerNanosecond > 0)
    bound.nanoseconds = double(operations) / operationsPerNanosecond;
  for (const Reading &reading : readings)
    if (reading.bytes >= bytes || &reading == &readings.back()) {
      double memory = double(bytes) / reading.bytesPerNanosecond;
      bound.byMemory = memory > bound.nanoseconds;
      bound.nanoseconds = std::max(memory, bound.nanoseconds);
      break;
    }
  return bound;
}

} // namespace sectile::tools
