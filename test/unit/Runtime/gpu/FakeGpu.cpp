//===- FakeGpu.cpp - CUDA's driver and HIP that check their callers -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One source for two shared objects: libcuda.so.1, and with FAKE_HIP libamdhip64.so. Rules
// are those of the vendors' manuals (see GpuFunctions.def), the strict reading of each:
//
// * every call but the first ones needs init, and a current context on its thread;
// * handles are live, and were made by the function that makes their kind;
// * copies, fills and buffers of launches lie within one allocation;
// * launches have at most 2^31 - 1 blocks, 1024 threads, and ask for shared memory beyond
//   48 KiB first; a capturing stream takes work and nothing else;
// * all is given back.
//
// Work of a stream is queued and done when somebody waits for it, so that a result that
// is read too early is wrong. Memory of the device has an address of its own where the
// host traps. Kernels are those of packages/gpu.c, run here on that memory.
//
//===----------------------------------------------------------------------===//

#include "FakeState.h"

//===----------------------------------------------------------------------===//
// The interface
//===----------------------------------------------------------------------===//

namespace fake {

int init(unsigned flags) {
  ENTER(false);
  CHECK(flags == 0, kInvalidValue, "flags that are not 0");
  state().isInitialized = true;
  return 0;
}
int getDriverVersion(int *version) {
  ENTER(false);
  *version = 11040;
  return 0;
}
int countDevices(int *count) {
  ENTER(false);
  *count = 1;
  return 0;
}
int getDevice(int *device, int ordinal) {
  ENTER(false);
  CHECK(ordinal == 0, 101, "a device that does not exist");
  *device = 0;
  return 0;
}
int getName(char *name, int bytes, int device) {
  ENTER(false);
  CHECK(device == 0 && bytes > 0, kInvalidValue, "a device that does not exist");
  snprintf(name, static_cast<size_t>(bytes), "Fake GPU");
  return 0;
}
int getAttribute(int *value, int attribute, int device) {
  ENTER(false);
  CHECK(device == 0, 101, "a device that does not exist");
  State &s = state();
  *value = attribute == 75 ? s.major : attribute == 76 ? s.minor : attribute == 97 ? 166912 : -1;
  CHECK(*value >= 0, kInvalidValue, "an attribute that the fake does not know");
  return 0;
}

#ifdef FAKE_HIP
int getProperties(void *properties, int device) {
  ENTER(false);
  CHECK(device == 0, 101, "a device that does not exist");
  memset(properties, 0, 1472);
  snprintf(static_cast<char *>(properties) + 1160, 256, "%s:sramecc+:xnack-",
           state().processor.c_str());
  return 0;
}
int getCurrentDevice(int *device) {
  ENTER();
  *device = state().hipDevice;
  return 0;
}
int setCurrentDevice(int device) {
  ENTER();
  CHECK(device == 0, 101, "a device that does not exist");
  return 0;
}
EXPORTED const char *hipGetErrorName(int error) {
  return error == 2 ? "hipErrorOutOfMemory" : "hipErrorFake";
}
EXPORTED const char *hipGetErrorString(int error) {
  return error == 2 ? "out of memory" : "the fake was told to fail";
}
#else
int retainContext(void **context, int device) {
  ENTER(false);
  CHECK(device == 0, 101, "a device that does not exist");
  ++state().retained;
  *context = &theContext;
  return 0;
}
int releaseContext(int) {
  ENTER(false);
  CHECK(state().retained > 0, kInvalidContext, "more often than retained");
  --state().retained;
  return 0;
}
int pushContext(void *context) {
  ENTER(false);
  CHECK(context == &theContext && state().retained > 0, kInvalidContext, "no context");
  contexts.push_back(context);
  return 0;
}
int popContext(void **context) {
  ENTER();
  *context = contexts.back();
  contexts.pop_back();
  return 0;
}
int setFunctionAttribute(void *function, int attribute, int value) {
  ENTER();
  CHECK(state().functions.count(function), kInvalidHandle, "no function");
  CHECK(attribute == 8 && value >= 0 && value <= 166912, kInvalidValue, "a bad attribute");
  static_cast<Function *>(function)->sharedLimit = value;
  return 0;
}
int getErrorName(int error, const char **text) {
  *text = error == 2     ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == 100 ? "CUDA_ERROR_NO_DEVICE"
          : error == 222 ? "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"
                         : "CUDA_ERROR_FAKE";
  return 0;
}
int getErrorText(int error, const char **text) {
  *text = error == 2 ? "out of memory" : "the fake was told to fail";
  return 0;
}
#endif

int loadModule(void **module, const void *image, unsigned numOptions, int *options, void **values) {
  ENTER();
  State &s = state();
  CHECK(image && module, kInvalidValue, "no image");
  for (unsigned i = 0; i < numOptions; ++i)
    if (options[i] == 5 && !s.refused.empty())
      strcpy(static_cast<char *>(values[i]), "ptxas: the log\nof two lines");
  if (!s.refused.empty() &&
      strncmp(static_cast<const char *>(image), s.refused.c_str(), s.refused.size()) == 0)
    return s.refusedError;
  s.emulator.open(s.major * 10 + s.minor);
  *module = new Module;
  s.modules.insert(*module);
  return 0;
}
int unloadModule(void *module) {
  ENTER();
  State &s = state();
  CHECK(s.modules.count(module), kInvalidHandle, "no module");
  for (Function *function : static_cast<Module *>(module)->functions) {
    s.functions.erase(function);
    delete function;
  }
  return destroy<Module>(__func__, s.modules, module);
}
int getFunction(void **function, void *module, const char *name) {
  ENTER();
  State &s = state();
  CHECK(s.modules.count(module), kInvalidHandle, "no module");
  if (s.emulator.handle ? !s.emulator.parameters(s.emulator.handle, name)
                        : strcmp(name, "add") != 0)
    return kNotFound;
  auto *made = new Function{name};
  static_cast<Module *>(module)->functions.push_back(made);
  s.functions.insert(made);
  *function = made;
  return 0;
}

int launch(void *function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
           unsigned blockY, unsigned blockZ, unsigned sharedBytes, void *stream, void **parameters,
           void **extra) {
  ENTER();
  State &s = state();
  CHECK(s.functions.count(function), kInvalidHandle, "no function");
  CHECK(gridX > 0 && gridX <= INT32_MAX && gridY == 1 && gridZ == 1, kInvalidValue, "a bad grid");
  CHECK(blockX > 0 && blockX <= 1024 && blockY == 1 && blockZ == 1, kInvalidValue, "a bad block");
  CHECK(!extra && parameters, kInvalidValue, "parameters twice or not at all");
#ifndef FAKE_HIP
  CHECK(static_cast<int>(sharedBytes) <= static_cast<Function *>(function)->sharedLimit,
        kInvalidValue, "more shared memory than was asked for");
#else
  CHECK(sharedBytes <= 65536, kInvalidValue, "more shared memory than there is");
#endif
  // Values are taken at the call.
  std::vector<uint64_t> values;
  if (s.emulator.handle) {
    std::vector<uint64_t> uses;
    std::string name = static_cast<Function *>(function)->name;
    std::string letters = s.emulator.parameters(s.emulator.handle, name.c_str());
    for (size_t i = 0; i < letters.size(); ++i) {
      uint64_t value = *static_cast<uint64_t *>(parameters[i]);
      bool isPointer = letters[i] == 'b';
      CHECK(!isPointer || value == 0 || isAllocated(value, 1), 700, "a buffer outside");
      if (isPointer)
        uses.push_back(value);
      values.push_back(isPointer && value ? reinterpret_cast<uint64_t>(reach(value)) : value);
    }
    return submit(__func__, stream, uses, [=] {
      char message[512];
      Emulator &emulator = state().emulator;
      if (emulator.run(emulator.handle, name.c_str(), gridX, values.data(), message,
                       sizeof message)) {
        fprintf(stderr, "fake: %s\n", message);
        abort();
      }
    });
  }
  for (int i = 0; i < 6; ++i)
    values.push_back(*static_cast<uint64_t *>(parameters[i]));
  auto n = static_cast<int64_t>(values[4]);
  CHECK(gridX == static_cast<unsigned>((n + 63) / 64), kInvalidValue, "a grid of another size");
  for (int i : {0, 1, 3})
    CHECK(isAllocated(values[i], static_cast<uint64_t>(n) * 4), 700, "a buffer outside");
  CHECK(isAllocated(values[2], 4) && isAllocated(values[5], 40), 700, "a buffer outside");
  return submit(__func__, stream, {values[0], values[1], values[2], values[3], values[5]},
                [values] { runAdd(values); });
}

int allocate(uint64_t *address, size_t bytes) {
  ENTER();
  State &s = state();
  CHECK(bytes > 0, kInvalidValue, "of no bytes");
  uint64_t rounded = (bytes + 511) / 256 * 256; // with a gap behind
  if (s.next + rounded > kMemoryBytes)
    return 2;
  *address = reinterpret_cast<uint64_t>(s.device) + s.next;
  memset(s.alias + s.next, 0xcd, bytes);
  s.allocations[*address] = bytes;
  s.next += rounded;
  return 0;
}
int deallocate(uint64_t address) {
  ENTER();
  State &s = state();
  auto it = s.allocations.find(address);
  CHECK(it != s.allocations.end(), kInvalidValue, "of no allocation");
  // Work that is still to come might use it.
  for (void *stream : s.streams)
    for (const Work &work : static_cast<Stream *>(stream)->queue)
      for (uint64_t use : work.uses)
        CHECK(use < address || use >= address + it->second, kInvalidValue, "while work uses it");
  memset(reach(address), 0xcd, it->second);
  s.allocations.erase(it);
  return 0;
}
int copyToDevice(uint64_t to, const void *from, size_t bytes, void *stream) {
  ENTER();
  CHECK(bytes > 0 && isAllocated(to, bytes), kInvalidValue, "outside of an allocation");
  // Memory of the host that is no allocation of the library's is read before the call returns.
  std::string data(static_cast<const char *>(from), bytes);
  CHECK(!static_cast<Stream *>(stream)->isCapturing, kCaptureUnsupported, "while capturing");
  return submit(__func__, stream, {to}, [=] { memcpy(reach(to), data.data(), data.size()); });
}
int copyToHost(void *to, uint64_t from, size_t bytes, void *stream) {
  ENTER();
  CHECK(bytes > 0 && isAllocated(from, bytes), kInvalidValue, "outside of an allocation");
  CHECK(!static_cast<Stream *>(stream)->isCapturing, kCaptureUnsupported, "while capturing");
  return submit(__func__, stream, {from}, [=] { memcpy(to, reach(from), bytes); });
}
int copyOnDevice(uint64_t to, uint64_t from, size_t bytes, void *stream) {
  ENTER();
  CHECK(bytes > 0 && isAllocated(from, bytes) && isAllocated(to, bytes), kInvalidValue,
        "outside of an allocation");
  CHECK(to + bytes <= from || from + bytes <= to, kInvalidValue, "onto itself");
  return submit(__func__, stream, {to, from}, [=] { memcpy(reach(to), reach(from), bytes); });
}
int fill(uint64_t to, unsigned char value, size_t bytes, void *stream) {
  ENTER();
  CHECK(bytes > 0 && isAllocated(to, bytes), kInvalidValue, "outside of an allocation");
  return submit(__func__, stream, {to}, [=] { memset(reach(to), value, bytes); });
}

int createStream(void **stream, unsigned flags) {
  ENTER();
  CHECK(flags <= 1, kInvalidValue, "bad flags");
  *stream = new Stream;
  state().streams.insert(*stream);
  return 0;
}
int waitForStream(void *handle) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  int error = enter(__func__);
  CHECK(state().streams.count(handle), kInvalidHandle, "no stream");
  auto *stream = static_cast<Stream *>(handle);
  if (error) {
    stream->queue.clear(); // a device that failed does nothing more
    return error;
  }
  if (stream->isCapturing) {
    stream->isInvalidated = true;
    return violate(kCaptureUnsupported, __func__, "while capturing");
  }
  for (auto &work : stream->queue)
    work.run();
  stream->queue.clear();
  return 0;
}
int destroyStream(void *handle) {
  ENTER();
  CHECK(state().streams.count(handle), kInvalidHandle, "no stream");
  for (auto &work : static_cast<Stream *>(handle)->queue)
    work.run();
  return destroy<Stream>(__func__, state().streams, handle);
}
int createEvent(void **event, unsigned) {
  ENTER();
  *event = new Event;
  state().events.insert(*event);
  return 0;
}
int destroyEvent(void *event) {
  ENTER();
  return destroy<Event>(__func__, state().events, event);
}
int recordEvent(void *event, void *stream) {
  ENTER();
  CHECK(state().events.count(event), kInvalidHandle, "no event");
  return submit(__func__, stream, {}, [=] { static_cast<Event *>(event)->isRecorded = true; });
}
int measureEvents(float *milliseconds, void *begin, void *end) {
  ENTER();
  CHECK(state().events.count(begin) && state().events.count(end), kInvalidHandle, "no event");
  CHECK(static_cast<Event *>(begin)->isRecorded && static_cast<Event *>(end)->isRecorded, 600,
        "before both are reached");
  *milliseconds = 0.25F;
  return 0;
}

int beginCapture(void *handle, int mode) {
  ENTER();
  CHECK(state().streams.count(handle) && mode == 1, kInvalidHandle, "no stream");
  static_cast<Stream *>(handle)->isCapturing = true;
  return 0;
}
int endCapture(void *handle, void **graph) {
  std::lock_guard<std::recursive_mutex> lock(state().mutex);
  int error = enter(__func__);
  auto *stream = static_cast<Stream *>(handle);
  // Whatever becomes of it, the capture ends.
  bool wasCapturing = stream->isCapturing, isGood = !stream->isInvalidated;
  Graph captured = std::move(stream->captured);
  stream->isCapturing = stream->isInvalidated = false;
  stream->captured.clear();
  *graph = nullptr;
  if (error)
    return error;
  CHECK(wasCapturing, kInvalidValue, "without a beginning");
  if (!isGood)
    return kCaptureInvalidated;
  *graph = new Graph(std::move(captured));
  state().graphs.insert(*graph);
  return 0;
}
int instantiateGraph(void **executable, void *graph, unsigned long long flags) {
  ENTER();
  CHECK(state().graphs.count(graph) && flags == 0, kInvalidHandle, "no graph");
  *executable = new Graph(*static_cast<Graph *>(graph));
  state().executables.insert(*executable);
  return 0;
}
int destroyGraph(void *graph) {
  ENTER();
  return destroy<Graph>(__func__, state().graphs, graph);
}
int launchGraph(void *executable, void *stream) {
  ENTER();
  CHECK(state().executables.count(executable), kInvalidHandle, "no graph");
  for (auto &work : *static_cast<Graph *>(executable))
    if (int error = submit(__func__, stream, work.uses, work.run))
      return error;
  return 0;
}
int destroyExecutable(void *executable) {
  ENTER();
  return destroy<Graph>(__func__, state().executables, executable);
}

} // namespace fake

//===----------------------------------------------------------------------===//
// What tests ask
//===----------------------------------------------------------------------===//

EXPORTED const FakeGpu sectile_fake_gpu = {
    [](int major, int minor, const char *processor) {
      State &s = state();
      s.major = major;
      s.minor = minor;
      s.processor = processor ? processor : "";
      s.isInitialized = false;
      s.calls.clear();
      s.violation.clear();
      s.refused.clear();
      s.allCalls = s.failingCall = 0;
      s.next = 256;
      s.retained = 0;
      contexts.clear();
      // What a test was meant to leave behind.
      s.allocations.clear();
      for (std::set<void *> *all :
           {&s.streams, &s.modules, &s.functions, &s.events, &s.graphs, &s.executables})
        all->clear();
    },
    [](const char *function, int n, int error) {
      State &s = state();
      s.failing = function ? function : "";
      s.failingCall = n;
      s.failingError = error;
    },
    [](const char *function) {
      State &s = state();
      return function ? s.calls[function] : s.allCalls;
    },
    [] { return state().violation.c_str(); },
    [] {
      State &s = state();
      s.leaks.clear();
      auto add = [&](const char *what, size_t count) {
        if (count > 0)
          s.leaks += std::to_string(count) + " " + what + " ";
      };
      add("allocations", s.allocations.size());
      add("streams", s.streams.size());
      add("modules", s.modules.size());
      add("events", s.events.size());
      add("graphs", s.graphs.size() + s.executables.size());
      add("contexts", static_cast<size_t>(s.retained));
      add("pushed contexts", contexts.size());
      return s.leaks.c_str();
    },
    [](const char *start, int error) {
      state().refused = start;
      state().refusedError = error;
    },
};
