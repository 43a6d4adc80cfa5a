//===- GpuApi.cpp - CUDA's driver or HIP, found at run time -----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "GpuApi.h"

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <type_traits>

namespace sectile::runtime {

namespace {

constexpr bool kNeeded = true, kOptional = false;

struct FunctionNames {
  const char *names[2]; // by family; "none" where there is no such function
  bool isNeeded;
};

constexpr FunctionNames kNames[] = {
#define GPU_FUNCTION(member, need, parameters, cuda, hip) {{#cuda, #hip}, need},
#include "GpuFunctions.def"
};

/// What a family's library is called, and who has it.
struct LibraryNames {
  const char *owner, *variable, *names[3];
};
constexpr LibraryNames kLibraries[] = {
    {"NVIDIA's driver", "SECTILE_CUDA_LIBRARY", {"libcuda.so.1", nullptr}},
    {"AMD's HIP",
     "SECTILE_HIP_LIBRARY",
     {"libamdhip64.so", "libamdhip64.so.6", "libamdhip64.so.5"}},
};

bool isNone(const char *name) { return strcmp(name, "none") == 0; }

} // namespace

const char *GpuApi::nameOf(GpuFunction function) const {
  return kNames[static_cast<size_t>(function)].names[static_cast<size_t>(family)];
}

bool GpuApi::hasGraphs() const {
  return beginCapture && endCapture && instantiateGraph && destroyGraph && launchGraph &&
         destroyExecutable;
}

sectile_status GpuApi::open(GpuFamily wanted, Message &message) {
  family = wanted;
  const LibraryNames &names = kLibraries[static_cast<size_t>(family)];
  constexpr int kFlags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
  const char *chosen = getenv(names.variable);
  const char *opened = chosen;
  Message reasons;
  if (chosen && chosen[0] != '\0') {
    library = dlopen(chosen, kFlags);
    if (!library)
      reasons.append("%s", dlerror());
  } else {
    for (const char *name : names.names) {
      if (!name || library)
        continue;
      opened = name;
      library = dlopen(name, kFlags);
      if (!library)
        reasons.append("%s%s", reasons.empty() ? "" : "; ", dlerror());
    }
  }
  if (!library)
    return fail(message, SECTILE_UNSUPPORTED,
                "device '%s' needs %s, whose library cannot be loaded: %s ($%s names another)",
                familyName(), names.owner, reasons.text(), names.variable);

  auto find = [&](const char *name, bool isNeeded, auto &function) {
    if (isNone(name))
      return true;
    void *symbol = dlsym(library, name);
    // POSIX demands that a pointer to a function fits.
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(symbol);
    if (symbol || !isNeeded)
      return true;
    fail(message, SECTILE_UNSUPPORTED, "%s at '%s' is too old: it lacks the function %s",
         names.owner, opened, name);
    return false;
  };
  bool isHip = family == GpuFamily::Hip;
  bool good = true;
#define GPU_FUNCTION(member, need, parameters, cuda, hip)                                          \
  good = good && find(nameOf(GpuFunction::member), need, member);
#include "GpuFunctions.def"
  if (isHip)
    good = good && find("hipGetErrorName", true, hipErrorName) &&
           find("hipGetErrorString", true, hipErrorText);
  if (good)
    return SECTILE_OK;
  close();
  return SECTILE_UNSUPPORTED;
}

void GpuApi::close() {
  if (library)
    dlclose(library);
  library = nullptr;
}

void GpuApi::appendFailure(int result, GpuFunction function, Message &message) const {
  const char *name = nullptr, *text = nullptr;
  if (family == GpuFamily::Hip) {
    name = hipErrorName(result);
    text = hipErrorText(result);
  } else {
    // Both leave null for what they do not know.
    (void)getErrorName(result, &name);
    (void)getErrorText(result, &text);
  }
  message.append("%s failed: %s, %s", nameOf(function), name ? name : "an unknown error",
                 text ? text : "about which the library says nothing");
  if (!name)
    message.append(" (%d)", result);
}

sectile_status GpuApi::check(int result, GpuFunction function, Message &message) const {
  if (result == kGpuSuccess)
    return SECTILE_OK;
  message.clear();
  appendFailure(result, function, message);
  return result == kGpuOutOfMemory ? SECTILE_OUT_OF_MEMORY : SECTILE_DEVICE;
}

} // namespace sectile::runtime
