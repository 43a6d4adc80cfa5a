//===- Launch.cpp - how a kernel's grid is shared among threads -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Launch.h"

#include "Context.h"

#include <cinttypes>
#include <ctime>

using namespace sectile::runtime;

namespace {

/// What a core is assumed to do, to guess the time of a kernel: data from memory
/// at 20 GB/s, arithmetic at 32 GFLOP/s, both low for good kernels on cores of
/// 2020 and later. Only the order of magnitude matters.
constexpr int64_t kBytesPerNanosecond = 20;
constexpr int64_t kOperationsPerNanosecond = 32;

/// Below this, a kernel runs on its caller: fork and join with a worker that
/// spins cost 0.5 us, but waking one that sleeps costs the caller 4.5 us.
constexpr int64_t kSerialNanoseconds = 10'000;

/// Chunks are about this long, which keeps the hand-over under a percent.
constexpr int64_t kChunkNanoseconds = 10'000;

/// But no more of them than this for each thread: every chunk starts with cold
/// panels, and 512^3 matmuls lost 5 % to chunks much smaller than a half.
constexpr int64_t kChunksPerThread = 8;

int64_t now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

/// One launch, shared by the threads that work on it.
struct Launch {
  const sectile_abi_kernel_code *code;
  void *const *bufs;
  const int64_t *sizes;
  int64_t blocks;
  uint32_t chunks;
  char *scratch;
  uint64_t scratchStride; // bytes of scratch memory per thread

  static constexpr uint32_t kNoChunk = UINT32_MAX;
  /// The lowest chunk that failed. Chunks are taken in ascending order, so when
  /// all in flight are done this is the lowest of the whole grid, and the
  /// reported failure does not depend on the number of threads.
  std::atomic<uint32_t> failedChunk{kNoChunk};
  std::atomic_flag failureLock = ATOMIC_FLAG_INIT;
  int32_t failure = 0;
  int64_t values[4] = {};

  static void runChunk(void *argument, uint32_t chunk, uint32_t thread);
  void recordFailure(uint32_t chunk, int32_t result, const int64_t (&reported)[4]);
};

void Launch::runChunk(void *argument, uint32_t chunk, uint32_t thread) {
  Launch &launch = *static_cast<Launch *>(argument);
  if (launch.failedChunk.load(std::memory_order_relaxed) < chunk)
    return;
  int64_t reported[4] = {};
  void *scratch = launch.scratch ? launch.scratch + thread * launch.scratchStride : nullptr;
  int32_t result =
      launch.code->run(launch.bufs, launch.sizes, firstBlock(launch.blocks, launch.chunks, chunk),
                       firstBlock(launch.blocks, launch.chunks, chunk + 1), scratch, reported);
  if (result != 0)
    launch.recordFailure(chunk, result, reported);
}

void Launch::recordFailure(uint32_t chunk, int32_t result, const int64_t (&reported)[4]) {
  while (failureLock.test_and_set(std::memory_order_acquire)) {
  }
  if (chunk < failedChunk.load(std::memory_order_relaxed)) {
    failedChunk.store(chunk, std::memory_order_relaxed);
    failure = result;
    for (int i = 0; i < 4; ++i)
      values[i] = reported[i];
  }
  failureLock.clear(std::memory_order_release);
}

void runUserTask(void *argument, int64_t index) {
  static_cast<ChunkQueue *>(argument)->takePart(static_cast<uint32_t>(index));
}

} // namespace

LaunchPlan sectile::runtime::planLaunch(const sectile_abi_launch_info &info, uint32_t threads) {
  int64_t memoryTime = info.bytes / kBytesPerNanosecond;
  int64_t computeTime = info.operations / kOperationsPerNanosecond;
  int64_t time = memoryTime > computeTime ? memoryTime : computeTime;
  if (threads <= 1 || info.blocks <= 1 || time < kSerialNanoseconds)
    return {1, 1};

  int64_t most = int64_t(threads) * kChunksPerThread;
  int64_t chunks = time / kChunkNanoseconds;
  chunks = chunks < threads ? threads : chunks > most ? most : chunks;
  // With few blocks to a chunk, equal chunks beat fewer and unequal ones.
  if (info.blocks < 2 * chunks)
    chunks = info.blocks;
  return {static_cast<uint32_t>(chunks < threads ? chunks : threads),
          static_cast<uint32_t>(chunks)};
}

int64_t sectile::runtime::firstBlock(int64_t blocks, uint32_t chunks, uint32_t chunk) {
  int64_t length = blocks / chunks;
  int64_t longer = blocks % chunks; // so many chunks have one block more
  return chunk * length + (chunk < longer ? chunk : longer);
}

/// Launches a kernel on the package's device: as Launch::failure says, or -1 with a message.
int32_t sectile_context::launchOnDevice(uint32_t kernel, int64_t blocks, void *const *bufs,
                                        const int64_t *sizes, int64_t (&values)[4]) {
  const sectile_device &device = package->options.device;
  sectile_device_launch launch = {};
  launch.kernel = kernel;
  launch.blocks = blocks;
  launch.buffers = bufs;
  launch.sizes = sizes;
  int32_t result = device.launch(device.user, &launch);
  for (int i = 0; i < 4; ++i)
    values[i] = launch.values[i];
  if (result < 0) {
    const char *name = package->target->kernels[kernel].name;
    const char *nodes = package->target->kernels[kernel].nodes;
    launch.message[sizeof launch.message - 1] = '\0';
    fail(message, SECTILE_INTERNAL, "%s (kernel '%s', nodes %.200s)", launch.message, name, nodes);
  }
  return result;
}

sectile_status sectile_context::explainFailure(uint32_t kernel, int64_t number,
                                               const int64_t (&values)[4]) {
  const sectile_abi_kernel &name = package->target->kernels[kernel];
  const sectile_abi_kernel_code &code = package->currentLevel().kernels[kernel];
  if (number < 1 || number > code.num_failures)
    return fail(message, SECTILE_INTERNAL, "kernel '%s' fails with unknown number %" PRId64,
                name.name, number);
  message.clear();
  message.appendPattern(code.failures[number - 1], values, 4);
  message.append(" (kernel '%s', nodes %.200s)", name.name, name.nodes);
  return SECTILE_INVALID_INPUT;
}

int32_t sectile_context::launch(uint32_t kernel, void *const *bufs, const int64_t *sizes) {
  const sectile_abi_target &target = *package->target;
  if (kernel >= target.num_kernels)
    return fail(message, SECTILE_INTERNAL, "the package launches kernel %u, but has %u", kernel,
                target.num_kernels);
  const sectile_abi_kernel &name = target.kernels[kernel];
  const sectile_abi_kernel_code &code = package->currentLevel().kernels[kernel];
  int64_t begin = options.kernel_hook ? now() : 0;

  sectile_abi_launch_info info = {};
  code.info(bufs, sizes, &info);
  if (info.blocks < 0 || info.scratch_bytes < 0)
    return fail(message, SECTILE_INTERNAL,
                "kernel '%s' reports %" PRId64 " blocks and %" PRId64 " bytes of scratch memory",
                name.name, info.blocks, info.scratch_bytes);

  LaunchPlan plan = {1, 1};
  if (package->gpu) {
    if (info.blocks > 0)
      if (int32_t status = launchOnGpu(kernel, info.blocks, bufs, sizes))
        return status;
  } else if (package->device) {
    int64_t values[4] = {};
    int32_t failure =
        info.blocks == 0 ? 0 : launchOnDevice(kernel, info.blocks, bufs, sizes, values);
    if (failure != 0)
      return failure < 0 ? SECTILE_INTERNAL : explainFailure(kernel, failure, values);
  } else if (info.blocks > 0) {
    plan = planLaunch(info, threads);
    // Scratch memory for every thread of the package, even where the plan has
    // fewer: which ones take part is decided by who comes first, and a later run
    // of the same size must not allocate.
    uint64_t stride, total;
    if (__builtin_add_overflow(uint64_t(info.scratch_bytes), kBufferAlignment - 1, &stride) ||
        __builtin_mul_overflow(stride & ~uint64_t(kBufferAlignment - 1), package->threads,
                               &total) ||
        !scratch.reserve(package->memory, total))
      return fail(message, SECTILE_OUT_OF_MEMORY,
                  "out of memory for %" PRId64 " bytes of scratch memory in each of %u threads",
                  info.scratch_bytes, package->threads);
    Launch launch = {.code = &code,
                     .bufs = bufs,
                     .sizes = sizes,
                     .blocks = info.blocks,
                     .chunks = plan.chunks,
                     .scratch = total > 0 ? static_cast<char *>(scratch.data()) : nullptr,
                     .scratchStride = total / package->threads};
    if (plan.chunks == 1) {
      Launch::runChunk(&launch, 0, 0);
    } else if (package->options.parallel_for) {
      ChunkQueue queue;
      queue.open(plan.chunks, plan.threads, /*ownerTakesOne=*/false, Launch::runChunk, &launch);
      package->options.parallel_for(package->options.parallel_for_user, plan.threads, runUserTask,
                                    &queue);
    } else {
      package->pool.run(plan.threads, plan.chunks, Launch::runChunk, &launch);
    }

    if (launch.failure != 0)
      return explainFailure(kernel, launch.failure, launch.values);
  }

  if (options.kernel_hook) {
    sectile_kernel_event event = {};
    event.kernel = kernel;
    event.threads = plan.threads;
    event.begin_ns = begin;
    event.duration_ns =
        package->gpu ? (info.blocks > 0 ? lastLaunchNanoseconds() : 0) : now() - begin;
    event.blocks = info.blocks;
    event.bytes = info.bytes;
    event.operations = info.operations;
    options.kernel_hook(options.kernel_hook_user, &event);
  }
  return SECTILE_ABI_OK;
}
