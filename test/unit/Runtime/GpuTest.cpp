//===- GpuTest.cpp - packages on GPUs, through fake libraries ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestPackages.h"
#include "gpu/FakeGpu.h"

#include <cstdlib>
#include <dlfcn.h>
#include <set>
#include <thread>

using namespace sectile::test;

namespace {

enum class Family : uint8_t { Cuda, Hip };

class Gpu : public testing::TestWithParam<Family> {
protected:
  void SetUp() override {
    setenv("SECTILE_CUDA_LIBRARY", SECTILE_FAKE_CUDA, 1);
    setenv("SECTILE_HIP_LIBRARY", SECTILE_FAKE_HIP, 1);
    void *library = dlopen(isHip() ? SECTILE_FAKE_HIP : SECTILE_FAKE_CUDA, RTLD_NOW);
    ASSERT_NE(library, nullptr) << dlerror();
    fake = static_cast<const FakeGpu *>(dlsym(library, "sectile_fake_gpu"));
    fake->reset(8, 0, "gfx942");
    fake->failCall("", 0, 0);
  }
  void TearDown() override {
    EXPECT_STREQ(fake->violation(), "");
    EXPECT_STREQ(fake->leaks(), "");
  }

  static bool isHip() { return GetParam() == Family::Hip; }
  static sectile_package_options onDevice(const char *name = nullptr) {
    auto options = makeOptions<sectile_package_options>();
    options.device_name = name ? name : isHip() ? "hip" : "cuda:0";
    return options;
  }

  /// What a load, a context and runs on `n` elements came to; checks results where all is well.
  static Failure runAll(int64_t n, int runs = 1, bool captures = false, bool isTimed = false) {
    auto options = onDevice();
    char text[1024] = "";
    sectile_package *package = nullptr;
    sectile_status status =
        sectile_package_load(packagePath("gpu").c_str(), &options, &package, text, sizeof text);
    PackageHandle handle(package);
    if (status)
      return {status, text};
    auto settings = makeOptions<sectile_context_options>();
    settings.capture = captures;
    if (isTimed)
      settings.kernel_hook = [](void *, const sectile_kernel_event *event) {
        EXPECT_EQ(event->duration_ns, 250'000);
      };
    sectile_context *context = nullptr;
    status = sectile_context_create(package, &settings, &context, text, sizeof text);
    ContextHandle contextHandle(context);
    if (status)
      return {status, text};
    std::vector<float> a(static_cast<size_t>(n)), b(a.size()), c(a.size());
    for (int run = 0; run < runs; ++run) {
      for (size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<float>(i % 12) + static_cast<float>(run) * 16;
        b[i] = 3;
        c[i] = -1;
      }
      sectile_tensor inputs[] = {describe(a, dims = {n}), describe(b, dims)};
      sectile_tensor output = describe(c, dims);
      status = sectile_context_run(context, inputs, 2, &output, 1);
      if (status)
        return {status, sectile_context_message(context)};
      for (size_t i = 0; i < a.size(); ++i)
        if (c[i] != a[i] + b[i] + 0.5F)
          return {SECTILE_INTERNAL, "a wrong result"};
    }
    return {SECTILE_OK, ""};
  }

  static inline std::vector<int64_t> dims;
  const FakeGpu *fake = nullptr;
};

TEST_P(Gpu, RunsOnMemoryOfTheHost) {
  for (int64_t n : {0, 1, 7, 64, 65, 1000, 4097}) {
    Failure result = runAll(n, 3);
    EXPECT_EQ(result.status, SECTILE_OK) << n << ": " << result.message;
  }
}

TEST_P(Gpu, TimesLaunchesByEvents) {
  EXPECT_EQ(runAll(65, 2, false, true).message, "");
  EXPECT_EQ(fake->countCalls("measureEvents"), 2);
}

TEST_P(Gpu, ReplaysAGraph) {
  EXPECT_EQ(runAll(65, 4, true).message, "");
  EXPECT_EQ(fake->countCalls("launch"), 2); // as it is, and captured
  EXPECT_EQ(fake->countCalls("launchGraph"), 3);
}

TEST_P(Gpu, CapturesNothingThatReadsOrHasMoreChecksThanRecords) {
  EXPECT_EQ(runAll(7, 3, true).message, "");
  EXPECT_EQ(runAll(1000, 3, true).message, "");
  EXPECT_EQ(fake->countCalls("beginCapture"), 0);
}

TEST_P(Gpu, FailsEveryCallCleanly) {
  // What gives back is left out: a fake that refuses it leaks by itself.
  const std::set<std::string> gives = {"popContext",   "releaseContext",   "unloadModule",
                                       "deallocate",   "destroyStream",    "destroyEvent",
                                       "destroyGraph", "destroyExecutable"};
  // What has another way, or is not called here.
  const std::set<std::string> optional = {"beginCapture", "endCapture", "instantiateGraph"};
  const std::set<std::string> scopes = {"pushContext", "getCurrentDevice", "setCurrentDevice"};
  struct Name {
    const char *member, *symbol;
  };
  const Name names[] = {
#define GPU_FUNCTION(member, need, parameters, cuda, hip) {#member, isHip() ? #hip : #cuda},
#include "GpuFunctions.def"
  };
  for (int64_t n : {7, 65})
    for (const Name &name : names) {
      if (gives.count(name.member))
        continue;
      for (int call = 1;; ++call) {
        fake->reset(8, 0, "gfx942");
        fake->failCall(name.member, call, 2);
        Failure result = runAll(n, 3, true, false);
        int calls = fake->countCalls(name.member);
        ASSERT_STREQ(fake->violation(), "") << name.member << call;
        // Where the device cannot even be entered to give back, nothing is.
        bool enters = scopes.count(name.member) && result.status == SECTILE_OK;
        if (!enters || calls < call)
          ASSERT_STREQ(fake->leaks(), "") << name.member << call;
        if (enters && calls >= call)
          continue;
        if (calls < call) { // it was not reached
          EXPECT_EQ(result.message, "");
          break;
        }
        if (optional.count(name.member)) {
          EXPECT_EQ(result.message, "") << name.member << call;
          continue;
        }
        bool isModule = std::string(name.member) == "loadModule";
        if (isModule && !isHip() && call == 1) { // PTX in place of the cubin
          EXPECT_EQ(result.message, "");
          continue;
        }
        // The end of context and package waits too, and goes on if that fails.
        if (result.status == SECTILE_OK && std::string(name.member) == "waitForStream")
          continue;
        // While a graph is captured a failure is met again without.
        if (result.status == SECTILE_OK && n == 65 &&
            (std::string(name.member) == "launch" || std::string(name.member) == "copyOnDevice"))
          continue;
        EXPECT_EQ(result.status, SECTILE_OUT_OF_MEMORY) << name.member << call;
        EXPECT_NE(result.message.find(std::string(name.symbol) + " failed: "), std::string::npos)
            << name.member << call << ": " << result.message;
        EXPECT_NE(result.message.find("out of memory"), std::string::npos) << result.message;
      }
    }
  fake->reset(8, 0, "gfx942");
  fake->failCall("", 0, 0);
}

TEST_P(Gpu, ReportsTheFirstFailedCheckAndGoesOn) {
  auto options = onDevice();
  PackageHandle package = loadPackage("gpu", &options);
  ContextHandle context = makeContext(package);
  for (int64_t n : {7, 65, 1000}) {
    std::vector<float> a(static_cast<size_t>(n), 1), b(a.size(), 2), c(a.size());
    a[5] = 13;
    dims = {n};
    sectile_tensor inputs[] = {describe(a, dims), describe(b, dims)};
    sectile_tensor output = describe(c, dims);
    EXPECT_EQ(sectile_context_run(context.get(), inputs, 2, &output, 1), SECTILE_INVALID_INPUT);
    EXPECT_STREQ(sectile_context_message(context.get()),
                 "a[5] is 13 (kernel 'add', nodes /layer/Add)");
    a[5] = 12;
    EXPECT_EQ(sectile_context_run(context.get(), inputs, 2, &output, 1), SECTILE_OK)
        << sectile_context_message(context.get());
    EXPECT_EQ(c[5], 14.5F);
  }
}

TEST_P(Gpu, UsesMemoryOfTheDeviceInPlace) {
  auto options = onDevice();
  PackageHandle package = loadPackage("gpu", &options);
  ContextHandle context = makeContext(package);
  std::vector<float> a(100, 1), b(100, 2), c(100, 0);
  uint64_t bytes = a.size() * sizeof(float);
  void *places[3];
  char text[256] = "";
  for (void *&place : places)
    ASSERT_EQ(sectile_device_allocate(package.get(), bytes, &place, text, sizeof text), SECTILE_OK)
        << text;
  ASSERT_EQ(sectile_device_upload(package.get(), places[0], a.data(), bytes, text, sizeof text),
            SECTILE_OK);
  ASSERT_EQ(sectile_device_upload(package.get(), places[1], b.data(), bytes, text, sizeof text),
            SECTILE_OK);
  dims = {100};
  auto onGpu = [&](void *place) {
    sectile_tensor tensor = describe(a, dims);
    tensor.data = place;
    tensor.memory = SECTILE_DEVICE_MEMORY;
    return tensor;
  };
  sectile_tensor inputs[] = {onGpu(places[0]), onGpu(places[1])};
  sectile_tensor output = onGpu(places[2]);
  ASSERT_EQ(sectile_context_run(context.get(), inputs, 2, &output, 1), SECTILE_OK)
      << sectile_context_message(context.get());
  EXPECT_EQ(output.data, places[2]);
  sectile_tensor own = {};
  own.memory = SECTILE_DEVICE_MEMORY;
  ASSERT_EQ(sectile_context_run(context.get(), inputs, 2, &own, 1), SECTILE_OK)
      << sectile_context_message(context.get());
  for (const void *result : {output.data, own.data}) {
    ASSERT_EQ(sectile_device_download(package.get(), c.data(), result, bytes, text, sizeof text),
              SECTILE_OK);
    EXPECT_EQ(c[99], 3.5F);
  }
  inputs[0].data = static_cast<char *>(places[0]) + 4;
  EXPECT_EQ(sectile_context_run(context.get(), inputs, 2, &own, 1), SECTILE_INVALID_INPUT);
  EXPECT_NE(strstr(sectile_context_message(context.get()), "aligned to 16 bytes on a device"),
            nullptr);
  for (void *place : places)
    EXPECT_EQ(sectile_device_free(package.get(), place, text, sizeof text), SECTILE_OK) << text;
}

TEST_P(Gpu, RunsContextsConcurrently) {
  auto options = onDevice();
  PackageHandle package = loadPackage("gpu", &options);
  int uploads = fake->countCalls("copyToDevice"); // the constants, once
  EXPECT_EQ(uploads, 1);
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      ContextHandle context = makeContext(package);
      std::vector<int64_t> mine = {100 + t};
      std::vector<float> a(static_cast<size_t>(mine[0]), static_cast<float>(t) * 20),
          b(a.size(), 1), c(a.size());
      sectile_tensor inputs[] = {describe(a, mine), describe(b, mine)};
      for (int run = 0; run < 20; ++run) {
        sectile_tensor output = describe(c, mine);
        ASSERT_EQ(sectile_context_run(context.get(), inputs, 2, &output, 1), SECTILE_OK)
            << sectile_context_message(context.get());
        ASSERT_EQ(c.back(), static_cast<float>(t) * 20 + 1.5F);
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST_P(Gpu, SaysWhichTargetsThereAre) {
  fake->reset(7, 5, "gfx1030");
  auto options = onDevice();
  Failure failure = loadFailure(packagePath("gpu"), &options);
  EXPECT_EQ(failure.status, SECTILE_UNSUPPORTED);
  std::string processor = isHip() ? "hip:0 (Fake GPU, gfx1030)" : "cuda:0 (Fake GPU, sm_75)";
  EXPECT_NE(failure.message.find("no code for device " + processor +
                                 ": it holds sm_80 (cubin, PTX), sm_90a (cubin, PTX), gfx942 (code "
                                 "object); 'sectile compile --target="),
            std::string::npos)
      << failure.message;
}

TEST_P(Gpu, RefusesDevicesThatDoNotExist) {
  auto refused = [&](const char *name, const char *text) {
    auto options = onDevice(name);
    Failure failure = loadFailure(packagePath("gpu"), &options);
    EXPECT_NE(failure.message.find(text), std::string::npos) << failure.message;
  };
  refused("cuda:x", "expects device cuda, cuda:N, hip or hip:N, but got 'cuda:x'");
  refused("cud", "but got 'cud'");
  refused("cuda:1234", "but got 'cuda:1234'");
  refused(isHip() ? "hip:1" : "cuda:1", "finds 1 devices, counted from 0");
  auto options = onDevice();
  Failure failure = loadFailure(packagePath("gpu-old"), &options);
  EXPECT_NE(failure.message.find("compile the model again"), std::string::npos) << failure.message;
  setenv(isHip() ? "SECTILE_HIP_LIBRARY" : "SECTILE_CUDA_LIBRARY", "/nonexistent/lib.so", 1);
  refused(nullptr,
          isHip() ? "device 'hip' needs AMD's HIP" : "device 'cuda' needs NVIDIA's driver");
  // A library without the functions.
  setenv(isHip() ? "SECTILE_HIP_LIBRARY" : "SECTILE_CUDA_LIBRARY", packagePath("gpu").c_str(), 1);
  refused(nullptr, "is too old: it lacks the function");
}

TEST_P(Gpu, TakesDeviceMemoryOnDevicesOnly) {
  PackageHandle package = loadPackage("add");
  ContextHandle context = makeContext(package);
  std::vector<float> a(4), b(4);
  dims = {4};
  sectile_tensor inputs[] = {describe(a, dims), describe(b, dims)}, output = {};
  inputs[1].memory = SECTILE_DEVICE_MEMORY;
  EXPECT_EQ(sectile_context_run(context.get(), inputs, 2, &output, 1), SECTILE_INVALID_ARGUMENT);
  inputs[1].memory = 2;
  EXPECT_EQ(sectile_context_run(context.get(), inputs, 2, &output, 1), SECTILE_INVALID_ARGUMENT);
  char text[256];
  void *place;
  EXPECT_EQ(sectile_device_allocate(package.get(), 4, &place, text, sizeof text),
            SECTILE_INVALID_ARGUMENT);
}

TEST_P(Gpu, ChoosesImagesAndShowsTheAssemblersLog) {
  if (isHip())
    return;
  auto targetOn = [&](int major, int minor) -> std::string {
    fake->reset(major, minor, nullptr);
    auto options = onDevice();
    PackageHandle package = loadPackage("gpu", &options);
    auto info = makeOptions<sectile_package_info>();
    return package && !sectile_package_get_info(package.get(), &info) ? info.target : "";
  };
  EXPECT_EQ(targetOn(8, 0), "sm_80");
  EXPECT_EQ(targetOn(8, 9), "sm_80");  // its cubin
  EXPECT_EQ(targetOn(9, 0), "sm_90a"); // the exact one
  EXPECT_EQ(targetOn(10, 0), "sm_80"); // its PTX: sm_90a is for nothing else
  fake->reset(10, 0, nullptr);
  fake->refuseImage("ptx", 222);
  auto options = onDevice();
  Failure failure = loadFailure(packagePath("gpu"), &options);
  EXPECT_EQ(failure.status, SECTILE_DEVICE);
  EXPECT_NE(
      failure.message.find("PTX: cuModuleLoadDataEx failed: CUDA_ERROR_UNSUPPORTED_PTX_VERSION"),
      std::string::npos)
      << failure.message;
  EXPECT_NE(failure.message.find("ptxas: the log of two lines; the driver is of CUDA 11.4"),
            std::string::npos)
      << failure.message;
}

INSTANTIATE_TEST_SUITE_P(Families, Gpu, testing::Values(Family::Cuda, Family::Hip),
                         [](const auto &info) {
                           return info.param == Family::Hip ? "Hip" : "Cuda";
                         });

} // namespace
