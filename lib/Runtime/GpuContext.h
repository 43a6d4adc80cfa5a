//===- GpuContext.h - one inference at a time on a GPU ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything of a run goes to one stream, in order, and nothing waits but what the host
// program reads, and the end of the run:
//
//   records := 0, inputs -> device, launches and copies of the host program, records and
//   outputs -> host, wait
//
// A kernel with checks writes the first that failed to a record of its own. Later kernels
// run nevertheless, on whatever it left: none of them reads or writes outside of its
// arguments. The first record in the order of launches is the run's failure.
//
// With `capture` the launches of a run become a graph, which later runs of equal sizes and
// addresses launch as a whole. What reads memory on the way, or has more checks than there
// are records, decides by data and is never captured.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_RUNTIME_GPUCONTEXT_H
#define SECTILE_LIB_RUNTIME_GPUCONTEXT_H

#include "CopyRuns.h"
#include "GpuDevice.h"

namespace sectile::runtime {

/// A check of a kernel that failed.
struct GpuFailure {
  uint32_t kernel = 0;
  int64_t number = 0; // 1 + its index; 0: none failed
  int64_t values[4] = {};
};

class GpuContext {
public:
  GpuContext(GpuDevice &device, const Memory &memory) : device(device), memory(memory) {}
  GpuContext(const GpuContext &) = delete;
  GpuContext &operator=(const GpuContext &) = delete;

  /// `givenStream` is the user's, or null; `key` is how many numbers tell runs apart.
  sectile_status init(void *givenStream, bool captures, uint32_t numInputs, uint32_t numOutputs,
                      uint64_t keyLength, Message &message);
  void release();

  //===--------------------------------------------------------------------===//
  // Steps of a run, all within one GpuScope
  //===--------------------------------------------------------------------===//

  /// Places come first, then copies: growing waits for nothing.
  sectile_status reserveInput(uint32_t index, uint64_t bytes, Message &message);
  sectile_status copyInput(uint32_t index, const void *data, uint64_t bytes, Message &message);
  sectile_status reserveOutput(uint32_t index, uint64_t bytes, Message &message);
  sectile_status reserveArena(uint64_t bytes, Message &message);
  uint64_t inputAddress(uint32_t index) const { return inputs[index].address(); }
  uint64_t outputAddress(uint32_t index) const { return outputs[index].address(); }
  uint64_t arenaAddress() const { return arena.address(); }
  uint64_t bytes() const;

  /// Runs `body`, the host program, or the graph that was captured of it. `key` tells whether this
  /// run is the same as the last one.
  template <typename Body>
  int32_t execute(const int64_t *key, Body body, Message &message) {
    Running running(*this);
    if (hasGraph && isSame(key))
      return launchGraph(message);
    bool tries = captures && mayCapture && isSame(key);
    startRun(key);
    if (!tries || !beginCapture())
      return runPlainly(body, message);
    int32_t status = body();
    if (!endCapture(status) || !hasGraph) {
      // Nothing of it has run.
      startRun(key);
      mayCapture = false;
      captures = false;
      message.clear();
      return runPlainly(body, message);
    }
    return launchGraph(message);
  }

  int32_t launch(uint32_t kernel, int64_t blocks, void *const *bufs, const int64_t *sizes,
                 Message &message);
  int32_t read(void *to, uint64_t from, uint64_t bytes, Message &message);
  int32_t copy(const StridedCopy &copy, Message &message);

  /// The host program looked at memory of the host, whose contents the key does not have.
  void noteRead() { mayCapture = false; }

  /// Waits for all and reads what checks said.
  sectile_status finish(GpuFailure &failure, Message &message);
  sectile_status download(void *to, uint64_t from, uint64_t bytes, Message &message) const;
  sectile_status wait(Message &message) const;

  /// Nanoseconds that the last launch took, where launches are timed.
  bool timesLaunches = false;
  int64_t lastNanoseconds = 0;
  /// Of read, where a check had failed before.
  GpuFailure failed;

private:
  /// Marks that records are of the run in progress.
  struct Running {
    explicit Running(GpuContext &context) : context(context) { context.isRunning = true; }
    ~Running() { context.isRunning = false; }
    GpuContext &context;
  };
  bool isRunning = false;

  static constexpr uint32_t kRecordNumbers = 5, kMostRecords = 256;

  bool isSame(const int64_t *key) const;
  void startRun(const int64_t *key);
  template <typename Body>
  int32_t runPlainly(Body body, Message &message) {
    if (sectile_status status = clearRecords(message))
      return status;
    return body();
  }
  sectile_status clearRecords(Message &message);
  sectile_status readRecords(GpuFailure &failure, Message &message);
  bool beginCapture();
  bool endCapture(int32_t status);
  int32_t launchGraph(Message &message);
  void dropGraph();
  sectile_status launchTimed(const GpuKernel &kernel, unsigned blocks, Message &message);

  GpuDevice &device;
  const Memory &memory;
  void *stream = nullptr;
  bool ownsStream = false;
  void *events[2] = {};
  GpuBuffer arena, records;
  GpuBuffer *inputs = nullptr, *outputs = nullptr;
  uint32_t numInputs = 0, numOutputs = 0;
  void **parameters = nullptr;
  uint32_t recordKernels[kMostRecords] = {};
  uint32_t numRecords = 0;

  bool captures = false, mayCapture = false, isCapturing = false, hasGraph = false;
  void *executable = nullptr;
  int64_t *lastKey = nullptr;
  uint64_t keyLength = 0;
  bool hasKey = false;
};

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_GPUCONTEXT_H
