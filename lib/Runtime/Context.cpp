//===- Context.cpp - checking tensors and calling the host program -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Context.h"

#include "Options.h"

#include <cinttypes>
#include <cstring>

using namespace sectile::runtime;

namespace {

/// Bytes of a row-major tensor; false if they exceed INT64_MAX. Where `dim` >= 0,
/// that extent is replaced by `capacity`.
bool countBytes(const int64_t *dims, int32_t rank, int32_t dtype, int32_t dim, int64_t capacity,
                uint64_t &bytes) {
  int64_t total = sectile_dtype_bytes(dtype);
  bool overflow = false;
  bool empty = false;
  for (int32_t i = 0; i < rank; ++i) {
    int64_t extent = i == dim && capacity >= 0 ? capacity : dims[i];
    empty |= extent == 0;
    overflow |= __builtin_mul_overflow(total, extent, &total);
  }
  // A zero anywhere makes any product 0, whatever overflowed before it.
  bytes = empty ? 0 : static_cast<uint64_t>(total);
  return empty || !overflow;
}

int32_t launchFromPackage(sectile_abi_call *call, uint32_t kernel, void *const *bufs,
                          const int64_t *sizes) {
  return reinterpret_cast<sectile_context::Call *>(call)->context->launch(kernel, bufs, sizes);
}

int32_t failFromPackage(sectile_abi_call *call, int32_t status, const char *text,
                        const int64_t *values, int32_t numValues) {
  Message &message = reinterpret_cast<sectile_context::Call *>(call)->context->message;
  message.clear();
  message.appendPattern(text, values, numValues);
  return status;
}

int32_t readFromPackage(sectile_abi_call *call, void *to, const void *from, uint64_t bytes) {
  return reinterpret_cast<sectile_context::Call *>(call)->context->read(to, from, bytes);
}

int32_t copyFromPackage(sectile_abi_call *call, void *to, const int64_t *toStrides,
                        const void *from, const int64_t *fromStrides, const int64_t *sizes,
                        int32_t rank, int32_t elementBytes) {
  return reinterpret_cast<sectile_context::Call *>(call)->context->copy(
      {static_cast<char *>(to), toStrides, static_cast<const char *>(from), fromStrides, sizes,
       rank, elementBytes});
}

} // namespace

sectile_status sectile_context::init(Message &reason) {
  const sectile_package_descriptor &descriptor = *package->descriptor;
  const Memory &memory = package->memory;
  uint32_t numInputs = descriptor.num_inputs;
  uint32_t numOutputs = descriptor.num_outputs;

  numDims = 0;
  for (uint32_t i = 0; i < numInputs; ++i)
    numDims += static_cast<uint64_t>(descriptor.inputs[i].rank);
  for (uint32_t i = 0; i < numOutputs; ++i)
    numDims += static_cast<uint64_t>(descriptor.outputs[i].rank);

  inputData = memory.makeArray<void *>(numInputs);
  inputDims = memory.makeArray<const int64_t *>(numInputs);
  outputData = memory.makeArray<void *>(numOutputs);
  outputDims = memory.makeArray<int64_t *>(numOutputs);
  outputBytes = memory.makeArray<uint64_t>(numOutputs);
  dimStorage = memory.makeArray<int64_t>(numDims);
  symbols = memory.makeArray<int64_t>(descriptor.num_symbols);
  ownOutputs = memory.makeArray<GrowingBuffer>(numOutputs);
  hostData = memory.makeArray<const void *>(numInputs);
  inputBytes = memory.makeArray<uint64_t>(numInputs);
  hostOutputs = memory.makeArray<void *>(numOutputs);
  if (!inputData || !inputDims || !outputData || !outputDims || !outputBytes || !dimStorage ||
      !symbols || !ownOutputs || !hostData || !inputBytes || !hostOutputs)
    return fail(reason, SECTILE_OUT_OF_MEMORY, "out of memory for a context");

  int64_t *dims = dimStorage;
  for (uint32_t i = 0; i < numInputs; dims += descriptor.inputs[i].rank, ++i)
    inputDims[i] = dims;
  for (uint32_t i = 0; i < numOutputs; dims += descriptor.outputs[i].rank, ++i)
    outputDims[i] = dims;

  state.context = this;
  state.call.size = sizeof(sectile_abi_call);
  state.call.input_data = inputData;
  state.call.input_dims = inputDims;
  state.call.output_data = outputData;
  state.call.output_dims = outputDims;
  state.call.symbols = symbols;
  state.call.constants = package->constants;
  if (package->device && package->constants)
    state.call.constants =
        static_cast<const char *>(package->constants) + package->device->constants_offset;
  state.call.launch = launchFromPackage;
  state.call.fail = failFromPackage;
  state.call.read = readFromPackage;
  state.call.copy = copyFromPackage;

  if (package->gpu)
    return initGpu(reason);
  if (options.stream || options.capture)
    return fail(reason, SECTILE_UNSUPPORTED,
                "options stream and capture are for packages that are loaded for a device by name");

  threads = package->threads;
  if (options.threads > 0 && options.threads < threads)
    threads = options.threads;
  return threads > 1 ? package->startWorkers(reason) : SECTILE_OK;
}

void sectile_context::release() {
  const sectile_package_descriptor &descriptor = *package->descriptor;
  const Memory &memory = package->memory;
  releaseGpu();
  for (uint32_t i = 0; ownOutputs && i < descriptor.num_outputs; ++i)
    ownOutputs[i].release(memory);
  memory.freeArray(ownOutputs, descriptor.num_outputs);
  memory.freeArray(symbols, descriptor.num_symbols);
  memory.freeArray(dimStorage, numDims);
  memory.freeArray(outputBytes, descriptor.num_outputs);
  memory.freeArray(outputDims, descriptor.num_outputs);
  memory.freeArray(outputData, descriptor.num_outputs);
  memory.freeArray(inputDims, descriptor.num_inputs);
  memory.freeArray(inputData, descriptor.num_inputs);
  memory.freeArray(hostOutputs, descriptor.num_outputs);
  memory.freeArray(inputBytes, descriptor.num_inputs);
  memory.freeArray(hostData, descriptor.num_inputs);
  scratch.release(memory);
  arena.release(memory);
}

sectile_status sectile_context::checkCounts(size_t numInputs, size_t numOutputs,
                                            const sectile_tensor *inputs,
                                            const sectile_tensor *outputs) {
  const sectile_package_descriptor &descriptor = *package->descriptor;
  if (numInputs != descriptor.num_inputs)
    return fail(message, SECTILE_INVALID_INPUT, "expects %u inputs, but got %zu",
                descriptor.num_inputs, numInputs);
  if (numOutputs != descriptor.num_outputs)
    return fail(message, SECTILE_INVALID_INPUT, "expects %u outputs, but got %zu",
                descriptor.num_outputs, numOutputs);
  if ((numInputs > 0 && !inputs) || (numOutputs > 0 && !outputs))
    return fail(message, SECTILE_INVALID_ARGUMENT, "expects arrays of tensors, but got null");
  return SECTILE_OK;
}

sectile_status sectile_context::bindInput(uint32_t index, const sectile_tensor &given, Need need) {
  const sectile_abi_tensor &expected = package->descriptor->inputs[index];
  const char *name = expected.name;
  if (sectile_status status = checkPlace("input", name, given))
    return status;
  if (given.dtype != expected.dtype)
    return fail(message, SECTILE_INVALID_INPUT, "input '%s' expects %s, but got %s", name,
                sectile_dtype_name(expected.dtype), sectile_dtype_name(given.dtype));
  if (given.rank != expected.rank)
    return fail(message, SECTILE_INVALID_INPUT, "input '%s' expects rank %d, but got rank %d", name,
                expected.rank, given.rank);
  if (given.rank > 0 && !given.dims)
    return fail(message, SECTILE_INVALID_ARGUMENT, "input '%s' expects %d dims, but got null", name,
                expected.rank);

  int64_t *dims = const_cast<int64_t *>(inputDims[index]);
  for (int32_t d = 0; d < expected.rank; ++d) {
    dims[d] = given.dims[d];
    if (expected.dims[d] >= 0 && dims[d] != expected.dims[d])
      return fail(message, SECTILE_INVALID_INPUT,
                  "input '%s' expects %" PRId64 " in dimension %d, but got %" PRId64, name,
                  expected.dims[d], d, dims[d]);
    if (dims[d] < 0)
      return fail(message, SECTILE_INVALID_INPUT,
                  "input '%s' expects a size of at least 0 in dimension %d, but got %" PRId64, name,
                  d, dims[d]);
  }

  int32_t aliasDim = -1;
  int64_t capacity = -1;
  if (int32_t alias = package->findInputAlias(index); alias >= 0) {
    aliasDim = package->descriptor->aliases[alias].dim;
    capacity = package->descriptor->aliases[alias].capacity;
    if (capacity >= 0 && dims[aliasDim] > capacity)
      return fail(message, SECTILE_CAPACITY,
                  "input '%s' has capacity %" PRId64 " in dimension %d, but got %" PRId64, name,
                  capacity, aliasDim, dims[aliasDim]);
  }
  uint64_t bytes;
  if (!countBytes(dims, expected.rank, expected.dtype, aliasDim, capacity, bytes))
    return fail(message, SECTILE_INVALID_INPUT, "input '%s' is larger than 2^63 bytes", name);

  bool isAligned =
      reinterpret_cast<uintptr_t>(given.data) % sectile_dtype_bytes(expected.dtype) == 0;
  inputData[index] = given.data;
  hostData[index] = given.memory == SECTILE_DEVICE_MEMORY ? nullptr : given.data;
  inputBytes[index] = bytes;
  if (need == Need::Shapes) {
    // Read by prepare where shapes depend on it: then all of it must be there.
    if (given.bytes < bytes || !isAligned)
      inputData[index] = nullptr;
    return SECTILE_OK;
  }
  if (bytes > 0 && !given.data)
    return fail(message, SECTILE_INVALID_INPUT, "input '%s' expects data, but got null", name);
  if (given.bytes < bytes)
    return fail(message, capacity >= 0 ? SECTILE_CAPACITY : SECTILE_INVALID_INPUT,
                "input '%s' expects a buffer of %" PRIu64 " bytes, but got %" PRIu64, name, bytes,
                given.bytes);
  if (!isAligned)
    return fail(message, SECTILE_INVALID_INPUT,
                "input '%s' expects data aligned to %u bytes, but got address %p", name,
                sectile_dtype_bytes(expected.dtype), given.data);
  return SECTILE_OK;
}

/// Turns what the host program returned into a status of ours, with a message.
sectile_status sectile_context::finish(int32_t status) {
  if (status == SECTILE_ABI_OK)
    return SECTILE_OK;
  bool known = status == SECTILE_INVALID_INPUT || status == SECTILE_CAPACITY ||
               status == SECTILE_OUT_OF_MEMORY || status == SECTILE_INTERNAL ||
               (package->gpu && (status == SECTILE_DEVICE || status == SECTILE_UNSUPPORTED));
  if (message.empty())
    message.append("the package failed with status %d and gave no reason", status);
  return known ? static_cast<sectile_status>(status) : SECTILE_INTERNAL;
}

sectile_status sectile_context::measureOutput(uint32_t index) {
  const sectile_abi_tensor &output = package->descriptor->outputs[index];
  int64_t *dims = outputDims[index];
  for (int32_t d = 0; d < output.rank; ++d)
    if (dims[d] < 0 || (output.dims[d] >= 0 && dims[d] != output.dims[d]))
      return fail(message, SECTILE_INTERNAL,
                  "the package computes size %" PRId64 " for dimension %d of output '%s'", dims[d],
                  d, output.name);
  int32_t aliasDim = -1;
  int64_t capacity = -1;
  if (int32_t alias = package->findOutputAlias(index); alias >= 0) {
    aliasDim = package->descriptor->aliases[alias].dim;
    capacity = package->descriptor->aliases[alias].capacity;
    if (capacity >= 0 && dims[aliasDim] > capacity)
      return fail(message, SECTILE_CAPACITY,
                  "output '%s' has capacity %" PRId64 " in dimension %d, but needs %" PRId64,
                  output.name, capacity, aliasDim, dims[aliasDim]);
  }
  if (!countBytes(dims, output.rank, output.dtype, aliasDim, capacity, outputBytes[index]))
    return fail(message, SECTILE_INVALID_INPUT, "output '%s' is larger than 2^63 bytes",
                output.name);
  return SECTILE_OK;
}

sectile_status sectile_context::prepare(const sectile_tensor *inputs, Need need) {
  const sectile_package_descriptor &descriptor = *package->descriptor;
  for (uint32_t i = 0; i < descriptor.num_inputs; ++i)
    if (sectile_status status = bindInput(i, inputs[i], need))
      return status;
  hasSymbols = false;
  state.call.arena_bytes = 0;
  if (sectile_status status = finish(package->target->prepare(&state.call)))
    return status;
  hasSymbols = true;
  for (uint32_t i = 0; i < descriptor.num_outputs; ++i)
    if (sectile_status status = measureOutput(i))
      return status;
  return SECTILE_OK;
}

sectile_status sectile_context::placeOutput(uint32_t index, const sectile_tensor &given,
                                            const sectile_tensor *inputs) {
  const sectile_abi_tensor &output = package->descriptor->outputs[index];
  uint64_t bytes = outputBytes[index];
  if (sectile_status status = checkPlace("output", output.name, given))
    return status;
  hostOutputs[index] = nullptr;

  if (int32_t alias = package->findOutputAlias(index); alias >= 0) {
    int32_t input = package->descriptor->aliases[alias].input;
    if (given.data && given.data != inputs[input].data)
      return fail(message, SECTILE_INVALID_INPUT,
                  "output '%s' expects null or the data of input '%s', which it shares",
                  output.name, package->descriptor->inputs[input].name);
    if (inputs[input].bytes < bytes)
      return fail(message, SECTILE_CAPACITY,
                  "output '%s' expects a buffer of %" PRIu64 " bytes, but input '%s' has %" PRIu64,
                  output.name, bytes, package->descriptor->inputs[input].name, inputs[input].bytes);
    outputData[index] = inputs[input].data;
    hostOutputs[index] = const_cast<void *>(hostData[input]);
    return SECTILE_OK;
  }

  if (!given.data && given.memory == SECTILE_DEVICE_MEMORY)
    return SECTILE_OK; // runOnGpu has the place
  if (!given.data) {
    if (!ownOutputs[index].reserve(package->memory, bytes))
      return fail(message, SECTILE_OUT_OF_MEMORY,
                  "out of memory for %" PRIu64 " bytes of output '%s'", bytes, output.name);
    outputData[index] = hostOutputs[index] = ownOutputs[index].data();
    return SECTILE_OK;
  }
  if (given.bytes < bytes)
    return fail(message, SECTILE_CAPACITY,
                "output '%s' expects a buffer of %" PRIu64 " bytes, but got %" PRIu64, output.name,
                bytes, given.bytes);
  if (reinterpret_cast<uintptr_t>(given.data) % sectile_dtype_bytes(output.dtype) != 0)
    return fail(message, SECTILE_INVALID_INPUT,
                "output '%s' expects data aligned to %u bytes, but got address %p", output.name,
                sectile_dtype_bytes(output.dtype), given.data);
  outputData[index] = given.data;
  if (given.memory == SECTILE_HOST_MEMORY)
    hostOutputs[index] = given.data;
  return SECTILE_OK;
}

void sectile_context::describeOutput(uint32_t index, sectile_tensor &given) const {
  const sectile_abi_tensor &output = package->descriptor->outputs[index];
  given.dtype = output.dtype;
  given.rank = output.rank;
  given.dims = outputDims[index];
  if (int32_t alias = package->findOutputAlias(index); alias >= 0 && package->gpu)
    given.memory = hostOutputs[index] ? SECTILE_HOST_MEMORY : SECTILE_DEVICE_MEMORY;
}

sectile_status sectile_context::inferShapes(const sectile_tensor *inputs, size_t numInputs,
                                            sectile_tensor *outputs, size_t numOutputs) {
  if (sectile_status status = checkCounts(numInputs, numOutputs, inputs, outputs))
    return status;
  if (sectile_status status = prepare(inputs, Need::Shapes))
    return status;
  for (uint32_t i = 0; i < numOutputs; ++i) {
    describeOutput(i, outputs[i]);
    outputs[i].bytes = outputBytes[i];
  }
  return SECTILE_OK;
}

sectile_status sectile_context::run(const sectile_tensor *inputs, size_t numInputs,
                                    sectile_tensor *outputs, size_t numOutputs) {
  if (sectile_status status = checkCounts(numInputs, numOutputs, inputs, outputs))
    return status;
  if (package->device && !package->gpu && !package->options.device.launch)
    return fail(message, SECTILE_UNSUPPORTED,
                "the package's kernels for '%s' need a device, which this library does not have; "
                "'sectile run --device=emulator:%s' executes them without one",
                package->target->name, package->target->name);
  if (sectile_status status = prepare(inputs, Need::Data))
    return status;
  for (uint32_t i = 0; i < numOutputs; ++i)
    if (sectile_status status = placeOutput(i, outputs[i], inputs))
      return status;
  if (package->gpu)
    if (sectile_status status = runOnGpu(outputs))
      return status;
  uint64_t arenaBytes = package->gpu ? 0 : state.call.arena_bytes;
  if (!arena.reserve(package->memory, arenaBytes))
    return fail(message, SECTILE_OUT_OF_MEMORY, "out of memory for an arena of %" PRIu64 " bytes",
                arenaBytes);
  if (!package->gpu) {
    state.call.arena = arena.data();
    if (sectile_status status = finish(package->target->run(&state.call)))
      return status;
  }
  // Data may have decided on less than the bound that prepare told.
  for (uint32_t i = 0; i < numOutputs; ++i)
    if (sectile_status status = measureOutput(i))
      return status;
  if (package->gpu)
    if (sectile_status status = collectFromGpu())
      return status;
  for (uint32_t i = 0; i < numOutputs; ++i) {
    describeOutput(i, outputs[i]);
    bool owned = !outputs[i].data;
    outputs[i].data = outputData[i];
    if (owned)
      outputs[i].bytes = outputBytes[i];
  }
  return SECTILE_OK;
}

//===----------------------------------------------------------------------===//
// C interface
//===----------------------------------------------------------------------===//

namespace {

/// Runs `body` on a context that no other thread is running.
template <typename Body>
sectile_status runAlone(sectile_context *context, Body body) {
  if (!context)
    return SECTILE_INVALID_ARGUMENT;
  // The message belongs to the call in progress, so this one leaves none.
  if (context->running.exchange(true, std::memory_order_acquire))
    return SECTILE_INVALID_ARGUMENT;
  context->message.clear();
  sectile_status status = body();
  // A host program may record a failure and then recover from it.
  if (status == SECTILE_OK)
    context->message.clear();
  context->running.store(false, std::memory_order_release);
  return status;
}

} // namespace

sectile_status sectile_context_create(sectile_package *package,
                                      const sectile_context_options *given, sectile_context **out,
                                      char *text, size_t textBytes) {
  Message message;
  auto create = [&]() -> sectile_status {
    if (!package || !out)
      return fail(message, SECTILE_INVALID_ARGUMENT,
                  "sectile_context_create expects a package and a place for the context, but got "
                  "null");
    *out = nullptr;
    sectile_context_options options = {};
    if (sectile_status status = readOptions(options, given, "sectile_context_options", message))
      return status;
    if (options.reserved != 0 || options.reserved2 != 0 || options.capture > 1)
      return fail(message, SECTILE_INVALID_ARGUMENT,
                  "expects sectile_context_options.reserved to be 0 and capture to be 0 or 1, but "
                  "got %u, %u and %u",
                  options.reserved, options.reserved2, options.capture);
    void *place = package->memory.allocate(sizeof(sectile_context), alignof(sectile_context));
    if (!place)
      return fail(message, SECTILE_OUT_OF_MEMORY, "out of memory for a context");
    sectile_context *context = new (place) sectile_context(package, options);
    sectile_package_retain(package);
    sectile_status status = context->init(message);
    if (status != SECTILE_OK) {
      sectile_context_destroy(context);
      return status;
    }
    *out = context;
    return SECTILE_OK;
  };
  sectile_status status = create();
  message.copyTo(text, textBytes);
  return status;
}

void sectile_context_destroy(sectile_context *context) {
  if (!context)
    return;
  sectile_package *package = context->package;
  context->release();
  context->~sectile_context();
  package->memory.deallocate(context, sizeof(sectile_context));
  sectile_package_release(package);
}

const char *sectile_context_message(const sectile_context *context) {
  return context->message.text();
}

sectile_status sectile_context_infer_shapes(sectile_context *context, const sectile_tensor *inputs,
                                            size_t numInputs, sectile_tensor *outputs,
                                            size_t numOutputs) {
  return runAlone(context,
                  [&] { return context->inferShapes(inputs, numInputs, outputs, numOutputs); });
}

sectile_status sectile_context_run(sectile_context *context, const sectile_tensor *inputs,
                                   size_t numInputs, sectile_tensor *outputs, size_t numOutputs) {
  return runAlone(context, [&] { return context->run(inputs, numInputs, outputs, numOutputs); });
}

int64_t sectile_context_get_symbol(const sectile_context *context, uint32_t index) {
  bool known = context->hasSymbols && index < context->package->descriptor->num_symbols;
  return known ? context->symbols[index] : -1;
}

sectile_status sectile_context_get_memory(const sectile_context *context,
                                          sectile_context_memory *memory) {
  sectile_context_memory result = {};
  result.arena_bytes = context->arena.size();
  result.scratch_bytes = context->scratch.size();
  result.device_bytes = context->gpu ? context->gpuBytes() : 0;
  for (uint32_t i = 0; i < context->package->descriptor->num_outputs; ++i)
    result.output_bytes += context->ownOutputs[i].size();
  return writeResult(memory, result);
}
