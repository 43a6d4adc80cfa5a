//===- ContextGpu.cpp - runs on a GPU ---------------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Context.h"

#include "GpuContext.h"

#include <cinttypes>
#include <cstring>

using namespace sectile::runtime;

sectile_status sectile_context::initGpu(Message &reason) {
  const sectile_package_descriptor &descriptor = *package->descriptor;
  void *place = package->memory.allocate(sizeof(GpuContext), alignof(GpuContext));
  if (!place)
    return fail(reason, SECTILE_OUT_OF_MEMORY, "out of memory for a context");
  gpu = new (place) GpuContext(*package->gpu, package->memory);
  gpu->timesLaunches = options.kernel_hook != nullptr;
  keyLength = 1 + uint64_t(descriptor.num_inputs) + descriptor.num_outputs +
              descriptor.num_symbols + numDims;
  key = package->memory.makeArray<int64_t>(keyLength);
  if (!key)
    return fail(reason, SECTILE_OUT_OF_MEMORY, "out of memory for a context");
  state.call.constants = toPointer(package->gpu->constantsAddress());
  return gpu->init(options.stream, options.capture != 0, descriptor.num_inputs,
                   descriptor.num_outputs, keyLength, reason);
}

void sectile_context::releaseGpu() {
  package->memory.freeArray(key, keyLength);
  if (!gpu)
    return;
  gpu->release();
  gpu->~GpuContext();
  package->memory.deallocate(gpu, sizeof(GpuContext));
}

/// Whether a tensor says where it lies, as a context can take it.
sectile_status sectile_context::checkPlace(const char *kind, const char *name,
                                           const sectile_tensor &given) {
  if (given.memory > SECTILE_DEVICE_MEMORY)
    return fail(message, SECTILE_INVALID_ARGUMENT,
                "%s '%s' expects its memory to be 0 or 1, but got %" PRIu64, kind, name,
                given.memory);
  if (given.memory == SECTILE_DEVICE_MEMORY && !package->gpu)
    return fail(
        message, SECTILE_INVALID_ARGUMENT,
        "%s '%s' lies in memory of a device, but the package was not loaded for one by name", kind,
        name);
  if (given.memory == SECTILE_DEVICE_MEMORY &&
      reinterpret_cast<uintptr_t>(given.data) % kDeviceAlignment != 0)
    return fail(message, SECTILE_INVALID_INPUT,
                "%s '%s' expects data aligned to %u bytes on a device, but got address %p", kind,
                name, kDeviceAlignment, given.data);
  return SECTILE_OK;
}

/// Addresses and sizes that a run depends on.
void sectile_context::describeRun() {
  const sectile_package_descriptor &descriptor = *package->descriptor;
  int64_t *next = key;
  *next++ = static_cast<int64_t>(gpu->arenaAddress());
  for (uint32_t i = 0; i < descriptor.num_inputs; ++i)
    *next++ = reinterpret_cast<int64_t>(inputData[i]);
  for (uint32_t i = 0; i < descriptor.num_outputs; ++i)
    *next++ = reinterpret_cast<int64_t>(outputData[i]);
  memcpy(next, symbols, descriptor.num_symbols * sizeof(int64_t));
  memcpy(next + descriptor.num_symbols, dimStorage, numDims * sizeof(int64_t));
}

sectile_status sectile_context::runOnGpu(sectile_tensor *outputs) {
  const sectile_package_descriptor &descriptor = *package->descriptor;
  GpuScope scope(*package->gpu, message);
  if (scope.status())
    return scope.status();
  if (sectile_status status = gpu->reserveArena(state.call.arena_bytes, message))
    return status;
  state.call.arena = toPointer(gpu->arenaAddress());
  for (uint32_t i = 0; i < descriptor.num_inputs; ++i) {
    if (!hostData[i] && inputBytes[i] != 0)
      continue; // on the device already
    if (sectile_status status = gpu->reserveInput(i, inputBytes[i], message)) {
      message.append(" (input '%s')", descriptor.inputs[i].name);
      return status;
    }
    inputData[i] = toPointer(gpu->inputAddress(i));
  }
  for (uint32_t i = 0; i < descriptor.num_outputs; ++i) {
    if (int32_t alias = package->findOutputAlias(i); alias >= 0) {
      outputData[i] = inputData[descriptor.aliases[alias].input];
      continue;
    }
    if (outputs[i].memory == SECTILE_DEVICE_MEMORY && outputs[i].data)
      continue;
    if (sectile_status status = gpu->reserveOutput(i, outputBytes[i], message)) {
      message.append(" (output '%s')", descriptor.outputs[i].name);
      return status;
    }
    outputData[i] = toPointer(gpu->outputAddress(i));
  }
  for (uint32_t i = 0; i < descriptor.num_inputs; ++i)
    if (hostData[i])
      if (sectile_status status = gpu->copyInput(i, hostData[i], inputBytes[i], message)) {
        message.append(" (input '%s')", descriptor.inputs[i].name);
        Message ignored;
        (void)gpu->wait(ignored); // earlier copies may still read the caller's memory
        return status;
      }
  describeRun();
  int32_t result = gpu->execute(key, [&] { return package->target->run(&state.call); }, message);
  GpuFailure failure = gpu->failed;
  if (result == SECTILE_OK && failure.number == 0) {
    if (sectile_status status = gpu->finish(failure, message))
      return status;
  } else {
    // What was started still uses memory of the caller's. Its end has nothing to add to the reason.
    Message ignored;
    (void)gpu->wait(ignored);
  }
  if (failure.number != 0)
    return explainFailure(failure.kernel, failure.number, failure.values);
  return finish(result);
}

/// Copies results to where the caller wants them, and waits.
sectile_status sectile_context::collectFromGpu() {
  const sectile_package_descriptor &descriptor = *package->descriptor;
  GpuScope scope(*package->gpu, message);
  if (scope.status())
    return scope.status();
  for (uint32_t i = 0; i < descriptor.num_outputs; ++i) {
    void *host = hostOutputs[i];
    if (!host)
      continue;
    if (sectile_status status = gpu->download(host, reinterpret_cast<uint64_t>(outputData[i]),
                                              outputBytes[i], message)) {
      message.append(" (output '%s')", descriptor.outputs[i].name);
      Message ignored;
      (void)gpu->wait(ignored); // earlier copies still write to the caller's memory
      return status;
    }
  }
  if (sectile_status status = gpu->wait(message))
    return status;
  for (uint32_t i = 0; i < descriptor.num_outputs; ++i)
    if (hostOutputs[i])
      outputData[i] = hostOutputs[i];
  return SECTILE_OK;
}

int32_t sectile_context::read(void *to, const void *from, uint64_t bytes) {
  if (gpu)
    gpu->noteRead();
  // Inputs that came from the host are there still, and are not waited for.
  const sectile_package_descriptor &descriptor = *package->descriptor;
  const char *address = static_cast<const char *>(from);
  for (uint32_t i = 0; gpu && i < descriptor.num_inputs; ++i) {
    const char *begin = static_cast<const char *>(inputData[i]);
    if (!hostData[i] || address < begin || address + bytes > begin + inputBytes[i] ||
        package->findInputAlias(i) >= 0)
      continue;
    memcpy(to, static_cast<const char *>(hostData[i]) + (address - begin), bytes);
    return SECTILE_ABI_OK;
  }
  if (!gpu) {
    memcpy(to, from, bytes);
    return SECTILE_ABI_OK;
  }
  GpuScope scope(*package->gpu, message);
  if (scope.status())
    return scope.status();
  return gpu->read(to, reinterpret_cast<uint64_t>(from), bytes, message);
}

int32_t sectile_context::copy(const StridedCopy &copy) {
  if (gpu)
    return gpu->copy(copy, message);
  return forEachRun(copy, [](char *to, const char *from, uint64_t bytes) -> int32_t {
    if (to != from)
      memcpy(to, from, bytes);
    return SECTILE_ABI_OK;
  });
}

int32_t sectile_context::launchOnGpu(uint32_t kernel, int64_t blocks, void *const *bufs,
                                     const int64_t *sizes) {
  int32_t status = gpu->launch(kernel, blocks, bufs, sizes, message);
  if (status != SECTILE_OK && gpu->failed.number == 0)
    message.append(" (kernel '%s', nodes %.200s)", package->target->kernels[kernel].name,
                   package->target->kernels[kernel].nodes);
  return status;
}

int64_t sectile_context::lastLaunchNanoseconds() const { return gpu->lastNanoseconds; }
uint64_t sectile_context::gpuBytes() const { return gpu->bytes(); }

//===----------------------------------------------------------------------===//
// Memory for users
//===----------------------------------------------------------------------===//

namespace {

template <typename Body>
sectile_status onDevice(sectile_package *package, const char *name, char *text, size_t textBytes,
                        Body body) {
  Message message;
  auto run = [&]() -> sectile_status {
    if (!package || !package->gpu)
      return fail(message, SECTILE_INVALID_ARGUMENT,
                  "%s expects a package that was loaded for a device by name", name);
    GpuScope scope(*package->gpu, message);
    return scope.status() ? scope.status() : body(*package->gpu, message);
  };
  sectile_status status = run();
  message.copyTo(text, textBytes);
  return status;
}

} // namespace

sectile_status sectile_device_allocate(sectile_package *package, uint64_t bytes, void **memory,
                                       char *text, size_t textBytes) {
  if (memory)
    *memory = nullptr;
  return onDevice(package, "sectile_device_allocate", text, textBytes,
                  [&](GpuDevice &device, Message &message) -> sectile_status {
                    if (!memory || bytes == 0)
                      return fail(message, SECTILE_INVALID_ARGUMENT,
                                  "expects a place for an address and at least one byte");
                    uint64_t address = 0;
                    if (sectile_status status =
                            GPU_CALL(device.api, message, allocate, &address, bytes)) {
                      message.append(" (%" PRIu64 " bytes)", bytes);
                      return status;
                    }
                    *memory = toPointer(address);
                    return SECTILE_OK;
                  });
}

sectile_status sectile_device_free(sectile_package *package, void *memory, char *text,
                                   size_t textBytes) {
  return onDevice(package, "sectile_device_free", text, textBytes,
                  [&](GpuDevice &device, Message &message) -> sectile_status {
                    return !memory ? SECTILE_OK
                                   : GPU_CALL(device.api, message, deallocate,
                                              reinterpret_cast<uint64_t>(memory));
                  });
}

sectile_status sectile_device_upload(sectile_package *package, void *to, const void *from,
                                     uint64_t bytes, char *text, size_t textBytes) {
  return onDevice(
      package, "sectile_device_upload", text, textBytes, [&](GpuDevice &device, Message &message) {
        return bytes == 0 ? SECTILE_OK
                          : device.upload(reinterpret_cast<uint64_t>(to), from, bytes, message);
      });
}

sectile_status sectile_device_download(sectile_package *package, void *to, const void *from,
                                       uint64_t bytes, char *text, size_t textBytes) {
  return onDevice(package, "sectile_device_download", text, textBytes,
                  [&](GpuDevice &device, Message &message) {
                    return bytes == 0 ? SECTILE_OK
                                      : device.download(to, reinterpret_cast<uint64_t>(from), bytes,
                                                        message);
                  });
}
