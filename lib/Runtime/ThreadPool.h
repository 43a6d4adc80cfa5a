//===- ThreadPool.h - worker threads for kernels ----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_RUNTIME_THREADPOOL_H
#define SECTILE_LIB_RUNTIME_THREADPOOL_H

#include "Memory.h"
#include "Message.h"

#include <atomic>
#include <cstdint>
#include <pthread.h>

namespace sectile::runtime {

/// Work cut into numbered chunks that any number of threads take in ascending
/// order.
///
/// The whole protocol is one atomic word: how many chunks nobody has taken, how
/// many are in flight, and how many threads may take part. A thread may look at
/// the other fields only while it holds a chunk, which it takes by
/// compare-and-swap of the word; so an owner that sees nothing left and nothing
/// in flight can reuse the object at once, and never waits for a thread that
/// came late and holds nothing.
class ChunkQueue {
public:
  using Body = void (*)(void *argument, uint32_t chunk, uint32_t thread);

  /// Offers `chunks` chunks (> 0) to at most `threads` threads at once. Only the
  /// owner calls this, and only while no chunk is in flight. With `ownerTakesOne`
  /// chunk 0 is the owner's already, who calls takePartAsOwner next: so the
  /// helpers cannot fill all places and leave it idle.
  void open(uint32_t chunks, uint32_t threads, bool ownerTakesOne, Body body, void *argument);

  /// Runs body(argument, chunk, thread) for chunks until none is left; returns
  /// false if there was none to take.
  bool takePart(uint32_t thread);

  /// The same for an owner that has chunk 0, as thread 0.
  void takePartAsOwner() { runFrom(0, 0); }

  /// Waits until no chunk is left or in flight. Only the owner calls this, after
  /// takePartAsOwner.
  void join();

private:
  void runFrom(uint32_t chunk, uint32_t thread);
  bool isDone() const;

  /// Bits 0..31: chunks left; 32..47: chunks in flight; 48..63: thread limit.
  std::atomic<uint64_t> state{0};
  uint32_t chunks = 0;
  Body body = nullptr;
  void *argument = nullptr;
  std::atomic<uint32_t> finishes{0}; // futex of a sleeping owner
  std::atomic<uint32_t> ownerSleeps{0};
};

/// Threads that help whoever calls run. Callers may be several at once: each
/// claims one of a few queues, and idle workers help with any of them.
///
/// Threads that are started for each region cost 46 us and more, and static halves
/// with unbounded spinning collapse on a core that is shared with other programs.
/// Hence chunks, callers that take part, joins that wait for chunks and not for
/// threads, spinning for a few microseconds, and a futex after that.
class ThreadPool {
public:
  /// Starts threads - 1 workers.
  sectile_status start(const Memory &memory, uint32_t threads, Message &message);

  /// Ends and joins the workers, while nobody is in run.
  void stop(const Memory &memory);

  /// Threads that can take part, the caller among them: body's `thread` is 0 for
  /// the caller and 1 .. threads() - 1 for workers.
  uint32_t threads() const { return numWorkers + 1; }

  /// Runs body for all chunks in [0, chunks) on at most `limit` threads, the
  /// caller among them, and returns when all are done. Allocates nothing.
  void run(uint32_t limit, uint32_t chunks, ChunkQueue::Body body, void *argument);

private:
  struct Worker {
    ThreadPool *pool = nullptr;
    uint32_t thread = 0;
    pthread_t handle = {};
  };
  /// More callers than this at once run alone.
  static constexpr uint32_t kSlots = 8;
  struct alignas(64) Slot {
    std::atomic<bool> owned{false};
    ChunkQueue queue;
  };

  static void *enter(void *worker);
  void work(uint32_t thread);
  void waitForWork(uint32_t seenEpoch);

  Slot slots[kSlots];
  /// Counts offers of work, and the request to stop; futex of sleeping workers.
  alignas(64) std::atomic<uint32_t> epoch{0};
  std::atomic<uint32_t> sleepers{0};
  std::atomic<bool> stopping{false};
  Worker *workers = nullptr;
  uint32_t numWorkers = 0;
  uint32_t numAllocated = 0;
};

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_THREADPOOL_H
