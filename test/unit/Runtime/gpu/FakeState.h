//===- FakeState.h - what the fake libraries know ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Of FakeGpu.cpp, the one file that includes it: objects that live, calls that were made,
// and the checks that all calls share.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TEST_UNIT_RUNTIME_GPU_FAKESTATE_H
#define SECTILE_TEST_UNIT_RUNTIME_GPU_FAKESTATE_H

#include "FakeGpu.h"

#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#define EXPORTED extern "C" __attribute__((visibility("default")))
#ifdef FAKE_HIP
#define FAKE_NAME(cuda, hip) #hip
#else
#define FAKE_NAME(cuda, hip) #cuda
#endif

namespace fake {
#define GPU_FUNCTION(member, need, parameters, cuda, hip)                                          \
  EXPORTED int member parameters __asm__(FAKE_NAME(cuda, hip));
#include "GpuFunctions.def"
} // namespace fake

namespace {

constexpr int kInvalidValue = 1, kNotInitialized = 3, kInvalidHandle = 400, kNotFound = 500,
              kCaptureUnsupported = 900, kCaptureInvalidated = 901;
constexpr uint64_t kMemoryBytes = uint64_t(1) << 28;

/// Something to be done, and addresses of the allocations that it uses.
struct Work {
  std::function<void()> run;
  std::vector<uint64_t> uses;
};
struct Stream {
  std::vector<Work> queue, captured;
  bool isCapturing = false, isInvalidated = false;
};
struct Function {
  std::string name;
  int sharedLimit = 48 * 1024;
};
struct Module {
  std::vector<Function *> functions;
};
struct Event {
  bool isRecorded = false;
};
using Graph = std::vector<Work>;

/// What executes kernels of compiled packages (Emulate.cpp), where $SECTILE_FAKE_EMULATOR is set.
struct Emulator {
  void *handle = nullptr;
  const char *(*parameters)(void *, const char *) = nullptr;
  int (*run)(void *, const char *, int64_t, const uint64_t *, char *, size_t) = nullptr;

  void open(int capability) {
    const char *library = getenv("SECTILE_FAKE_EMULATOR"),
               *package = getenv("SECTILE_FAKE_PACKAGE");
    if (!library || !package || handle)
      return;
    void *object = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
      fprintf(stderr, "fake: %s\n", dlerror());
      abort();
    }
    auto load = reinterpret_cast<void *(*)(const char *, const char *)>(
        dlsym(object, "sectile_fake_emulation"));
    parameters = reinterpret_cast<decltype(parameters)>(dlsym(object, "sectile_fake_parameters"));
    run = reinterpret_cast<decltype(run)>(dlsym(object, "sectile_fake_run"));
    handle = load(package, ("sm_" + std::to_string(capability)).c_str());
    if (!handle)
      abort();
  }
};

struct State {
  Emulator emulator;
  std::recursive_mutex mutex;
  int major = 8, minor = 0;
  std::string processor = "gfx942";
  bool isInitialized = false;
  int retained = 0, hipDevice = 0;
  std::string violation, leaks;
  std::map<std::string, int> calls;
  int allCalls = 0;
  std::string failing, refused;
  int failingCall = 0, failingError = 0, refusedError = 0;
  char *device = nullptr, *alias = nullptr;
  uint64_t next = 256;
  std::map<uint64_t, uint64_t> allocations;
  std::set<void *> streams, modules, functions, events, graphs, executables;

  State() {
    int file = memfd_create("device", 0);
    if (file < 0 || ftruncate(file, kMemoryBytes) != 0)
      abort();
    auto map = [&](int rights) {
      return static_cast<char *>(mmap(nullptr, kMemoryBytes, rights, MAP_SHARED, file, 0));
    };
    device = map(PROT_NONE);
    alias = map(PROT_READ | PROT_WRITE);
    close(file);
  }
};
State &state() {
  static State instance;
  return instance;
}
thread_local std::vector<void *> contexts;
#ifndef FAKE_HIP
constexpr int kInvalidContext = 201;
int theContext;
#endif

int violate(int error, const char *function, const char *rule) {
  State &s = state();
  if (s.violation.empty())
    s.violation = std::string(function) + ": " + rule;
  return error;
}

/// Counts the call, lets it fail if a test wants that, and checks what all calls need.
int enter(const char *function, bool needsContext = true) {
  State &s = state();
  ++s.allCalls;
  int count = ++s.calls[function];
  bool isMeant = s.failing.empty() ? s.allCalls == s.failingCall
                                   : s.failing == function && count == s.failingCall;
  if (s.failingCall > 0 && isMeant)
    return s.failingError;
  if (!s.isInitialized && strcmp(function, "init") != 0)
    return violate(kNotInitialized, function, "before init");
#ifndef FAKE_HIP
  if (needsContext && (contexts.empty() || contexts.back() != &theContext))
    return violate(kInvalidContext, function, "without a current context");
  if (needsContext && s.retained == 0)
    return violate(kInvalidContext, function, "after the context was released");
#else
  (void)needsContext;
#endif
  return 0;
}

#define ENTER(...)                                                                                 \
  std::lock_guard<std::recursive_mutex> lock(state().mutex);                                       \
  if (int error = enter(__func__ __VA_OPT__(, ) __VA_ARGS__))                                      \
  return error
#define CHECK(condition, error, rule)                                                              \
  if (!(condition))                                                                                \
  return violate(error, __func__, rule)

bool isAllocated(uint64_t address, uint64_t bytes) {
  State &s = state();
  auto it = s.allocations.upper_bound(address);
  if (it == s.allocations.begin())
    return false;
  --it;
  return bytes <= it->second && address - it->first <= it->second - bytes;
}
char *reach(uint64_t address) {
  State &s = state();
  return s.alias + (std::bit_cast<char *>(address) - s.device);
}

/// Puts work on a stream, as far as its capture allows.
int submit(const char *function, void *handle, std::vector<uint64_t> uses,
           std::function<void()> work) {
  if (!state().streams.count(handle))
    return violate(kInvalidHandle, function, "on something that is no stream");
  auto *stream = static_cast<Stream *>(handle);
  (stream->isCapturing ? stream->captured : stream->queue)
      .push_back({std::move(work), std::move(uses)});
  return 0;
}

template <typename T>
int destroy(const char *function, std::set<void *> &all, void *handle) {
  if (!all.erase(handle))
    return violate(kInvalidHandle, function, "of something that does not exist");
  delete static_cast<T *>(handle);
  return 0;
}

/// Kernel "add" of packages/gpu.c, which fails where an element of a is 13.
void runAdd(const std::vector<uint64_t> &values) {
  auto floats = [&](int i) { return reinterpret_cast<float *>(reach(values[i])); };
  const float *a = floats(0), *b = floats(1), *k = floats(2);
  float *c = floats(3);
  auto *record = reinterpret_cast<int64_t *>(reach(values[5]));
  auto n = static_cast<int64_t>(values[4]);
  for (int64_t i = 0; i < n; ++i) {
    if (a[i] == 13 && record[0] == 0) {
      record[0] = 1;
      record[1] = i;
    }
    c[i] = a[i] + b[i] + k[0];
  }
}

} // namespace

#endif // SECTILE_TEST_UNIT_RUNTIME_GPU_FAKESTATE_H
