//===- GpuContext.cpp - one inference at a time on a GPU --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "GpuContext.h"

#include <cinttypes>
#include <cstring>

namespace sectile::runtime {

sectile_status GpuContext::init(void *givenStream, bool wantsCapture, uint32_t inputCount,
                                uint32_t outputCount, uint64_t length, Message &message) {
  const GpuApi &api = device.api;
  if (wantsCapture && !api.hasGraphs())
    return fail(message, SECTILE_UNSUPPORTED,
                "option capture needs graphs, which the library of device %s lacks",
                device.describe());
  captures = wantsCapture;
  numInputs = inputCount;
  numOutputs = outputCount;
  keyLength = length;
  inputs = memory.makeArray<GpuBuffer>(numInputs);
  outputs = memory.makeArray<GpuBuffer>(numOutputs);
  parameters = memory.makeArray<void *>(device.mostArguments() + uint64_t(1));
  lastKey = memory.makeArray<int64_t>(keyLength);
  if (!inputs || !outputs || !parameters || !lastKey)
    return fail(message, SECTILE_OUT_OF_MEMORY, "out of memory for a context");
  GpuScope scope(device, message);
  if (scope.status())
    return scope.status();
  stream = givenStream;
  if (!stream) {
    if (sectile_status status =
            GPU_CALL(api, message, createStream, &stream, kGpuStreamNonBlocking)) {
      stream = nullptr;
      return status;
    }
    ownsStream = true;
  }
  for (void *&event : events)
    if (timesLaunches)
      if (sectile_status status = GPU_CALL(api, message, createEvent, &event, 0)) {
        event = nullptr;
        return status;
      }
  return records.reserve(api, sizeof(int64_t) * kRecordNumbers * kMostRecords, message);
}

void GpuContext::release() {
  const GpuApi &api = device.api;
  Message ignored;
  {
    GpuScope scope(device, ignored);
    if (!scope.status()) {
      if (stream)
        (void)api.waitForStream(stream);
      dropGraph();
      for (void *&event : events)
        if (event)
          (void)api.destroyEvent(event);
      arena.release(api);
      records.release(api);
      for (uint32_t i = 0; inputs && i < numInputs; ++i)
        inputs[i].release(api);
      for (uint32_t i = 0; outputs && i < numOutputs; ++i)
        outputs[i].release(api);
      if (ownsStream)
        (void)api.destroyStream(stream);
    }
  }
  memory.freeArray(lastKey, keyLength);
  memory.freeArray(parameters, device.mostArguments() + uint64_t(1));
  memory.freeArray(outputs, numOutputs);
  memory.freeArray(inputs, numInputs);
}

uint64_t GpuContext::bytes() const {
  uint64_t total = arena.size() + records.size();
  for (uint32_t i = 0; i < numInputs; ++i)
    total += inputs[i].size();
  for (uint32_t i = 0; i < numOutputs; ++i)
    total += outputs[i].size();
  return total;
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

sectile_status GpuContext::reserveInput(uint32_t index, uint64_t bytes, Message &message) {
  return inputs[index].reserve(device.api, bytes, message);
}

sectile_status GpuContext::copyInput(uint32_t index, const void *data, uint64_t bytes,
                                     Message &message) {
  if (bytes == 0)
    return SECTILE_OK;
  return GPU_CALL(device.api, message, copyToDevice, inputs[index].address(), data, bytes, stream);
}

sectile_status GpuContext::reserveOutput(uint32_t index, uint64_t bytes, Message &message) {
  return outputs[index].reserve(device.api, bytes, message);
}

sectile_status GpuContext::reserveArena(uint64_t bytes, Message &message) {
  if (sectile_status status = arena.reserve(device.api, bytes, message)) {
    message.append(" for an arena");
    return status;
  }
  return SECTILE_OK;
}

int32_t GpuContext::read(void *to, uint64_t from, uint64_t bytes, Message &message) {
  mayCapture = false;
  if (isCapturing)
    return fail(message, SECTILE_DEVICE, "memory is read while launches are captured");
  // What follows from a failed check must not decide anything.
  if (isRunning) {
    if (sectile_status status = readRecords(failed, message))
      return status;
    if (failed.number != 0)
      return SECTILE_INVALID_INPUT;
  }
  if (sectile_status status = download(to, from, bytes, message))
    return status;
  return wait(message);
}

int32_t GpuContext::copy(const StridedCopy &copy, Message &message) {
  return forEachRun(copy, [&](char *to, const char *from, uint64_t bytes) -> int32_t {
    if (to == from)
      return SECTILE_OK;
    return GPU_CALL(device.api, message, copyOnDevice, reinterpret_cast<uint64_t>(to),
                    reinterpret_cast<uint64_t>(from), bytes, stream);
  });
}

sectile_status GpuContext::download(void *to, uint64_t from, uint64_t bytes,
                                    Message &message) const {
  if (bytes == 0)
    return SECTILE_OK;
  return GPU_CALL(device.api, message, copyToHost, to, from, bytes, stream);
}

sectile_status GpuContext::wait(Message &message) const {
  return GPU_CALL(device.api, message, waitForStream, stream);
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

sectile_status GpuContext::clearRecords(Message &message) {
  return GPU_CALL(device.api, message, fill, records.address(), 0, records.size(), stream);
}

sectile_status GpuContext::readRecords(GpuFailure &failure, Message &message) {
  if (numRecords == 0)
    return SECTILE_OK;
  int64_t numbers[kMostRecords * kRecordNumbers];
  uint64_t bytes = sizeof(int64_t) * kRecordNumbers * numRecords;
  sectile_status status = download(numbers, records.address(), bytes, message);
  if (!status)
    status = wait(message);
  if (status)
    return status;
  for (uint32_t i = 0; i < numRecords; ++i) {
    const int64_t *record = numbers + size_t(i) * kRecordNumbers;
    if (record[0] == 0)
      continue;
    failure.kernel = recordKernels[i];
    failure.number = record[0];
    memcpy(failure.values, record + 1, sizeof failure.values);
    return SECTILE_OK;
  }
  return SECTILE_OK;
}

int32_t GpuContext::launch(uint32_t number, int64_t blocks, void *const *bufs, const int64_t *sizes,
                           Message &message) {
  const GpuKernel &kernel = device.kernel(number);
  // CUDA: 2^31 - 1 blocks. HIP: less than 2^32 threads.
  int64_t most = device.api.family == GpuFamily::Cuda
                     ? int64_t(INT32_MAX)
                     : int64_t(UINT32_MAX) / static_cast<int64_t>(kernel.threads);
  if (blocks > most)
    return fail(message, SECTILE_UNSUPPORTED,
                "a grid of %" PRId64 " blocks of %u threads is more than the %" PRId64
                " blocks that device %s takes",
                blocks, kernel.threads, most, device.describe());
  uint32_t count = 0;
  for (const char *letter = kernel.arguments; *letter; ++letter)
    parameters[count++] = *letter == 'b' ? const_cast<void *>(static_cast<const void *>(bufs++))
                                         : const_cast<void *>(static_cast<const void *>(sizes++));
  uint64_t record = 0;
  if (kernel.hasChecks) {
    if (numRecords == kMostRecords) {
      // In loops alone are there so many.
      mayCapture = false;
      if (isCapturing)
        return fail(message, SECTILE_DEVICE, "more checks are captured than there are records");
      if (sectile_status status = readRecords(failed, message))
        return status;
      if (failed.number != 0)
        return SECTILE_INVALID_INPUT;
      numRecords = 0; // all of them are 0
    }
    record = records.address() + sizeof(int64_t) * kRecordNumbers * numRecords;
    recordKernels[numRecords++] = number;
    parameters[count++] = &record;
  }
  return launchTimed(kernel, static_cast<unsigned>(blocks), message);
}

sectile_status GpuContext::launchTimed(const GpuKernel &kernel, unsigned blocks, Message &message) {
  const GpuApi &api = device.api;
  auto start = [&] {
    return GPU_CALL(api, message, launch, kernel.function, blocks, 1, 1, kernel.threads, 1, 1,
                    kernel.sharedBytes, stream, parameters, nullptr);
  };
  if (!timesLaunches)
    return start();
  float milliseconds = 0;
  sectile_status status = GPU_CALL(api, message, recordEvent, events[0], stream);
  if (!status)
    status = start();
  if (!status)
    status = GPU_CALL(api, message, recordEvent, events[1], stream);
  if (!status)
    status = wait(message);
  if (!status)
    status = GPU_CALL(api, message, measureEvents, &milliseconds, events[0], events[1]);
  lastNanoseconds = static_cast<int64_t>(static_cast<double>(milliseconds) * 1e6);
  return status;
}

sectile_status GpuContext::finish(GpuFailure &failure, Message &message) {
  if (numRecords == 0)
    return SECTILE_OK;
  return readRecords(failure, message);
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

bool GpuContext::isSame(const int64_t *key) const {
  return hasKey && memcmp(key, lastKey, keyLength * sizeof(int64_t)) == 0;
}

void GpuContext::startRun(const int64_t *key) {
  if (!isSame(key))
    dropGraph();
  memcpy(lastKey, key, keyLength * sizeof(int64_t));
  hasKey = true;
  numRecords = 0;
  failed = {};
  mayCapture = captures && !timesLaunches;
}

void GpuContext::dropGraph() {
  if (hasGraph) {
    // It may still run where the stream is the user's.
    (void)device.api.waitForStream(stream);
    (void)device.api.destroyExecutable(executable);
  }
  hasGraph = false;
  executable = nullptr;
}

bool GpuContext::beginCapture() {
  if (device.api.beginCapture(stream, kGpuCaptureThreadLocal) != kGpuSuccess)
    return false;
  isCapturing = true;
  return true;
}

bool GpuContext::endCapture(int32_t status) {
  const GpuApi &api = device.api;
  isCapturing = false;
  void *graph = nullptr;
  int result = api.endCapture(stream, &graph);
  if (result == kGpuSuccess && graph && status == SECTILE_OK)
    hasGraph = api.instantiateGraph(&executable, graph, 0) == kGpuSuccess;
  if (result == kGpuSuccess && graph)
    (void)api.destroyGraph(graph);
  return hasGraph;
}

int32_t GpuContext::launchGraph(Message &message) {
  failed = {};
  if (sectile_status status = clearRecords(message))
    return status;
  return GPU_CALL(device.api, message, launchGraph, executable, stream);
}

} // namespace sectile::runtime
