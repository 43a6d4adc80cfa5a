//===- ThreadPool.cpp - worker threads for kernels --------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ThreadPool.h"

#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sectile::runtime {

namespace {

/// How long to spin before sleeping: somewhat longer than what a sleep costs.
/// Waking a worker took its caller 4.5 us and the worker 12 us until it ran, the
/// caller's join and a spinning worker 0.5 us together (2 cores, Cascade Lake in a
/// virtual machine).
constexpr int64_t kSpinNanoseconds = 20'000;

constexpr uint64_t kOneInFlight = uint64_t(1) << 32;

uint32_t chunksLeft(uint64_t state) { return static_cast<uint32_t>(state); }
uint32_t chunksInFlight(uint64_t state) { return (state >> 32) & 0xffff; }
uint32_t threadLimit(uint64_t state) { return static_cast<uint32_t>(state >> 48); }

int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

/// Spins until `done` or the limit of time; returns whether done.
template <typename Predicate>
bool spinUntil(Predicate done) {
  int64_t deadline = 0;
  for (;;) {
    for (int i = 0; i < 8; ++i) {
      if (done())
        return true;
      pause();
    }
    int64_t time = now();
    if (deadline == 0)
      deadline = time + kSpinNanoseconds;
    else if (time > deadline)
      return false;
  }
}

void futexWait(std::atomic<uint32_t> &word, uint32_t expected) {
  static_assert(sizeof word == 4);
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

void futexWake(std::atomic<uint32_t> &word, uint32_t count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

} // namespace

void ChunkQueue::open(uint32_t count, uint32_t threads, bool ownerTakesOne, Body function,
                      void *data) {
  chunks = count;
  body = function;
  argument = data;
  uint64_t opened = count | uint64_t(threads) << 48;
  if (ownerTakesOne)
    opened += kOneInFlight - 1;
  state.store(opened, std::memory_order_release);
}

bool ChunkQueue::takePart(uint32_t thread) {
  uint64_t seen = state.load(std::memory_order_relaxed);
  do {
    if (chunksLeft(seen) == 0 || chunksInFlight(seen) >= threadLimit(seen))
      return false;
  } while (!state.compare_exchange_weak(seen, seen - 1 + kOneInFlight, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  runFrom(chunks - chunksLeft(seen), thread);
  return true;
}

void ChunkQueue::runFrom(uint32_t chunk, uint32_t thread) {
  for (;;) {
    body(argument, chunk, thread);
    // Give the chunk back and take the next in one step.
    uint64_t seen = state.load(std::memory_order_relaxed);
    uint64_t next;
    do {
      next = chunksLeft(seen) == 0 ? seen - kOneInFlight : seen - 1;
    } while (!state.compare_exchange_weak(seen, next, std::memory_order_acq_rel,
                                          std::memory_order_relaxed));
    if (chunksLeft(seen) > 0) {
      chunk = chunks - chunksLeft(seen);
      continue;
    }
    if (chunksInFlight(next) == 0) {
      // The queue may already serve its owner's next work: then this wakes for
      // nothing, which join tolerates.
      finishes.fetch_add(1);
      if (ownerSleeps.load())
        futexWake(finishes, 1);
    }
    return;
  }
}

bool ChunkQueue::isDone() const {
  uint64_t seen = state.load(std::memory_order_acquire);
  return chunksLeft(seen) == 0 && chunksInFlight(seen) == 0;
}

void ChunkQueue::join() {
  if (spinUntil([this] { return isDone(); }))
    return;
  ownerSleeps.store(1);
  for (;;) {
    uint32_t before = finishes.load();
    if (isDone())
      break;
    futexWait(finishes, before);
  }
  ownerSleeps.store(0);
}

sectile_status ThreadPool::start(const Memory &memory, uint32_t threads, Message &message) {
  numAllocated = threads - 1;
  workers = memory.makeArray<Worker>(numAllocated);
  if (!workers)
    return fail(message, SECTILE_OUT_OF_MEMORY, "out of memory for %u threads", threads);

  // The application's signals are not for these threads.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  int error = 0;
  for (uint32_t i = 0; i < numAllocated && error == 0; ++i) {
    workers[i].pool = this;
    workers[i].thread = i + 1;
    error = pthread_create(&workers[i].handle, nullptr, enter, &workers[i]);
    if (error != 0)
      break;
    char name[16];
    snprintf(name, sizeof name, "sectile-%u", i + 1);
    pthread_setname_np(workers[i].handle, name);
    ++numWorkers;
  }
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  if (error == 0)
    return SECTILE_OK;
  uint32_t started = numWorkers + 1;
  stop(memory);
  return fail(message, SECTILE_SYSTEM, "cannot start thread %u of %u: %s", started + 1, threads,
              strerror(error));
}

void ThreadPool::stop(const Memory &memory) {
  stopping.store(true);
  epoch.fetch_add(1);
  futexWake(epoch, INT32_MAX);
  for (uint32_t i = 0; i < numWorkers; ++i)
    pthread_join(workers[i].handle, nullptr);
  memory.freeArray(workers, numAllocated);
  workers = nullptr;
  numWorkers = numAllocated = 0;
  stopping.store(false);
}

void ThreadPool::run(uint32_t limit, uint32_t chunks, ChunkQueue::Body body, void *argument) {
  Slot *slot = nullptr;
  if (limit > 1 && chunks > 1 && numWorkers > 0)
    for (Slot &candidate : slots) {
      bool owned = false;
      if (candidate.owned.compare_exchange_strong(owned, true, std::memory_order_acquire)) {
        slot = &candidate;
        break;
      }
    }
  if (!slot) {
    for (uint32_t chunk = 0; chunk < chunks; ++chunk)
      body(argument, chunk, 0);
    return;
  }

  slot->queue.open(chunks, limit, /*ownerTakesOne=*/true, body, argument);
  epoch.fetch_add(1);
  if (uint32_t asleep = sleepers.load()) {
    uint32_t wanted = (limit < chunks ? limit : chunks) - 1;
    futexWake(epoch, wanted < asleep ? wanted : asleep);
  }
  slot->queue.takePartAsOwner();
  slot->queue.join();
  slot->owned.store(false, std::memory_order_release);
}

void *ThreadPool::enter(void *argument) {
  Worker *worker = static_cast<Worker *>(argument);
  worker->pool->work(worker->thread);
  return nullptr;
}

void ThreadPool::work(uint32_t thread) {
  for (;;) {
    // Read before looking for work: an offer made after the look changes it.
    uint32_t seen = epoch.load();
    if (stopping.load())
      return;
    bool worked = false;
    for (Slot &slot : slots)
      worked |= slot.queue.takePart(thread);
    if (!worked)
      waitForWork(seen);
  }
}

void ThreadPool::waitForWork(uint32_t seenEpoch) {
  if (spinUntil([&] { return epoch.load(std::memory_order_acquire) != seenEpoch; }))
    return;
  sleepers.fetch_add(1);
  futexWait(epoch, seenEpoch);
  sleepers.fetch_sub(1);
}

} // namespace sectile::runtime
