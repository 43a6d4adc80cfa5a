//===- ContextTest.cpp - running packages -----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "TestPackages.h"

#include <atomic>
#include <numeric>
#include <thread>

using namespace sectile::test;

namespace {

void expectMessage(const ContextHandle &context, const std::string &part) {
  std::string message = sectile_context_message(context.get());
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

class Add : public testing::Test {
protected:
  void SetUp() override {
    package = loadPackage("add");
    context = makeContext(package);
  }
  sectile_status run() { return sectile_context_run(context.get(), inputs, 2, &output, 1); }
  void setSize(int64_t n) {
    dims = {n};
    a.resize(n);
    b.resize(n);
    std::iota(a.begin(), a.end(), 1.0f);
    std::iota(b.begin(), b.end(), 100.0f);
    inputs[0] = describe(a, dims);
    inputs[1] = describe(b, dims);
    output = {};
  }
  void expectSum() {
    ASSERT_EQ(output.rank, 1);
    ASSERT_EQ(output.dims[0], dims[0]);
    EXPECT_EQ(output.dtype, SECTILE_F32);
    for (int64_t i = 0; i < dims[0]; ++i)
      ASSERT_EQ(static_cast<float *>(output.data)[i], a[i] + b[i]) << i;
  }

  PackageHandle package;
  ContextHandle context;
  std::vector<int64_t> dims;
  std::vector<float> a, b;
  sectile_tensor inputs[2] = {}, output = {};
};

TEST_F(Add, RunsAnySizeInItsOwnMemory) {
  for (int64_t n : {5, 0, 1, 64, 65, 1000003}) {
    setSize(n);
    ASSERT_EQ(run(), SECTILE_OK) << sectile_context_message(context.get());
    EXPECT_EQ(output.bytes, static_cast<uint64_t>(n) * 4);
    expectSum();
    EXPECT_EQ(sectile_context_get_symbol(context.get(), 0), n);
  }
}

TEST_F(Add, WritesTheUsersBuffer) {
  setSize(100);
  std::vector<float> buffer(101, -1);
  output.data = buffer.data();
  output.bytes = 400;
  ASSERT_EQ(run(), SECTILE_OK);
  EXPECT_EQ(output.data, buffer.data());
  expectSum();
  EXPECT_EQ(buffer[100], -1);
  output.bytes = 399;
  EXPECT_EQ(run(), SECTILE_CAPACITY);
  expectMessage(context, "output 'c' expects a buffer of 400 bytes, but got 399");
}

/// What the user's device does, and what it was asked for last.
struct AddDevice {
  int32_t result = 0;
  int64_t blocks = 0;

  static int32_t launch(void *user, sectile_device_launch *launch) {
    auto &device = *static_cast<AddDevice *>(user);
    device.blocks = launch->blocks;
    auto *const *buffers = reinterpret_cast<float *const *>(launch->buffers);
    for (int64_t i = 0; i < launch->sizes[0]; ++i)
      buffers[2][i] = buffers[0][i] + buffers[1][i];
    launch->values[0] = 42;
    snprintf(launch->message, sizeof launch->message, "the device is gone");
    return device.result;
  }
};

TEST_F(Add, RunsOnTheUsersDevice) {
  AddDevice device;
  auto options = makeOptions<sectile_package_options>();
  options.device = {AddDevice::launch, &device};
  package = loadPackage("device", &options);
  context = makeContext(package);
  setSize(130);
  ASSERT_EQ(run(), SECTILE_OK) << sectile_context_message(context.get());
  expectSum();
  EXPECT_EQ(device.blocks, 3);
  device.result = 1;
  EXPECT_EQ(run(), SECTILE_INVALID_INPUT);
  expectMessage(context, "expects no 42 (kernel 'add', nodes /layer/Add)");
  device.result = 2;
  EXPECT_EQ(run(), SECTILE_INTERNAL);
  expectMessage(context, "kernel 'add' fails with unknown number 2");
  device.result = -1;
  EXPECT_EQ(run(), SECTILE_INTERNAL);
  expectMessage(context, "the device is gone (kernel 'add', nodes /layer/Add)");
  // Nothing to do is nothing to launch.
  device.blocks = -1;
  setSize(0);
  EXPECT_EQ(run(), SECTILE_OK);
  EXPECT_EQ(device.blocks, -1);
}

TEST_F(Add, NeedsADeviceOnlyToRun) {
  package = loadPackage("device");
  context = makeContext(package);
  setSize(3);
  EXPECT_EQ(run(), SECTILE_UNSUPPORTED);
  expectMessage(context, "the package's kernels for 'sm_90a' need a device");
  EXPECT_EQ(sectile_context_infer_shapes(context.get(), inputs, 2, &output, 1), SECTILE_OK);
  EXPECT_EQ(output.bytes, 12u);
  auto image = makeOptions<sectile_image_info>();
  ASSERT_EQ(sectile_package_get_image(package.get(), 0, &image), SECTILE_OK);
  EXPECT_EQ(image.kind, SECTILE_IMAGE_PTX);
  EXPECT_EQ(std::string(static_cast<const char *>(image.data), image.bytes), "ptx");
  EXPECT_EQ(sectile_package_get_image(package.get(), 1, &image), SECTILE_INVALID_ARGUMENT);
  auto kernel = makeOptions<sectile_device_kernel_info>();
  ASSERT_EQ(sectile_package_get_device_kernel(package.get(), 0, &kernel), SECTILE_OK);
  EXPECT_EQ(kernel.threads, 64);
  EXPECT_EQ(kernel.registers, 20);
  EXPECT_EQ(kernel.shared_bytes, 256);
  EXPECT_EQ(kernel.launch_shared_bytes, 128);
  Failure tooMuch = loadFailure(packagePath("bad-launch"));
  EXPECT_EQ(tooMuch.status, SECTILE_INVALID_PACKAGE);
  EXPECT_NE(tooMuch.message.find("launches of kernel 'add' give 257 of 256 bytes of shared memory"),
            std::string::npos)
      << tooMuch.message;
  EXPECT_EQ(kernel.spill_bytes, -1);
  EXPECT_EQ(sectile_package_get_device_kernel(package.get(), 1, &kernel), SECTILE_INVALID_ARGUMENT);
  // Packages of CPU code have neither.
  package = loadPackage("add");
  EXPECT_EQ(sectile_package_get_image(package.get(), 0, &image), SECTILE_INVALID_ARGUMENT);
  auto options = makeOptions<sectile_package_options>();
  options.target = "sm_90a";
  Failure failure = loadFailure(packagePath("add"), &options);
  EXPECT_EQ(failure.status, SECTILE_UNSUPPORTED);
  EXPECT_NE(failure.message.find("no target 'sm_90a', but only cpu"), std::string::npos)
      << failure.message;
}

TEST_F(Add, InfersShapesWithoutData) {
  setSize(7);
  inputs[0].data = inputs[1].data = nullptr;
  ASSERT_EQ(sectile_context_infer_shapes(context.get(), inputs, 2, &output, 1), SECTILE_OK);
  EXPECT_EQ(output.dims[0], 7);
  EXPECT_EQ(output.bytes, 28u);
  EXPECT_EQ(output.data, nullptr);
}

TEST_F(Add, RefusesWrongInputs) {
  setSize(4);
  inputs[1].dtype = SECTILE_F64;
  EXPECT_EQ(run(), SECTILE_INVALID_INPUT);
  expectMessage(context, "input 'b' expects f32, but got f64");

  setSize(4);
  std::vector<int64_t> square = {2, 2};
  inputs[0] = describe(a, square);
  EXPECT_EQ(run(), SECTILE_INVALID_INPUT);
  expectMessage(context, "input 'a' expects rank 1, but got rank 2");

  setSize(4);
  std::vector<int64_t> negative = {-4};
  inputs[0] = describe(a, negative);
  EXPECT_EQ(run(), SECTILE_INVALID_INPUT);
  expectMessage(context, "input 'a' expects a size of at least 0 in dimension 0, but got -4");

  setSize(4);
  std::vector<int64_t> huge = {int64_t(1) << 62};
  inputs[0] = describe(a, huge);
  EXPECT_EQ(run(), SECTILE_INVALID_INPUT);
  expectMessage(context, "input 'a' is larger than 2^63 bytes");

  setSize(4);
  std::vector<int64_t> other = {3};
  inputs[1] = describe(b, other);
  EXPECT_EQ(run(), SECTILE_INVALID_INPUT);
  expectMessage(context, "expects 'a' and 'b' to have equal sizes 'n', but got 4 and 3");

  setSize(4);
  inputs[0].data = nullptr;
  EXPECT_EQ(run(), SECTILE_INVALID_INPUT);
  expectMessage(context, "input 'a' expects data, but got null");

  setSize(4);
  inputs[0].bytes = 15;
  EXPECT_EQ(run(), SECTILE_INVALID_INPUT);
  expectMessage(context, "input 'a' expects a buffer of 16 bytes, but got 15");

  setSize(4);
  inputs[0].data = reinterpret_cast<char *>(a.data()) + 1;
  EXPECT_EQ(run(), SECTILE_INVALID_INPUT);
  expectMessage(context, "input 'a' expects data aligned to 4 bytes");

  setSize(4);
  inputs[0].dims = nullptr;
  EXPECT_EQ(run(), SECTILE_INVALID_ARGUMENT);
  EXPECT_EQ(sectile_context_run(context.get(), inputs, 1, &output, 1), SECTILE_INVALID_INPUT);
  expectMessage(context, "expects 2 inputs, but got 1");
  EXPECT_EQ(sectile_context_run(context.get(), inputs, 2, &output, 0), SECTILE_INVALID_INPUT);
  EXPECT_EQ(sectile_context_run(nullptr, inputs, 2, &output, 1), SECTILE_INVALID_ARGUMENT);

  setSize(4);
  EXPECT_EQ(run(), SECTILE_OK);
  EXPECT_STREQ(sectile_context_message(context.get()), "");
  expectSum();
}

TEST_F(Add, KeepsRunningAfterMemoryRanOut) {
  auto options = makeOptions<sectile_package_options>();
  size_t limit = 1 << 16;
  options.allocator = {[](void *user, size_t bytes, size_t alignment) -> void * {
                         return bytes > *static_cast<size_t *>(user)
                                    ? nullptr
                                    : aligned_alloc(64, (bytes + 63) / 64 * 64);
                       },
                       [](void *, void *memory, size_t) { free(memory); }, &limit};
  package = loadPackage("add", &options);
  context = makeContext(package);
  setSize(1 << 20);
  EXPECT_EQ(run(), SECTILE_OUT_OF_MEMORY);
  expectMessage(context, "out of memory for 4194304 bytes of output 'c'");
  std::vector<float> buffer(1 << 20);
  output = describe(buffer, dims);
  EXPECT_EQ(run(), SECTILE_OUT_OF_MEMORY);
  expectMessage(context, "out of memory for an arena of 4194304 bytes");
  setSize(10);
  EXPECT_EQ(run(), SECTILE_OK);
  expectSum();
}

TEST_F(Add, ReportsItsLaunches) {
  std::vector<sectile_kernel_event> events;
  auto options = makeOptions<sectile_context_options>();
  options.kernel_hook = [](void *user, const sectile_kernel_event *event) {
    static_cast<std::vector<sectile_kernel_event> *>(user)->push_back(*event);
  };
  options.kernel_hook_user = &events;
  context = makeContext(package, &options);
  setSize(1000);
  ASSERT_EQ(run(), SECTILE_OK);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].kernel, 0u);
  EXPECT_EQ(events[0].blocks, 16);
  EXPECT_EQ(events[0].bytes, 12000);
  EXPECT_EQ(events[0].operations, 1000);
  EXPECT_GT(events[0].duration_ns, 0);
}

TEST_F(Add, CountsItsMemory) {
  setSize(1000);
  ASSERT_EQ(run(), SECTILE_OK);
  auto memory = makeOptions<sectile_context_memory>();
  ASSERT_EQ(sectile_context_get_memory(context.get(), &memory), SECTILE_OK);
  EXPECT_EQ(memory.arena_bytes, 4032u);
  EXPECT_EQ(memory.output_bytes, 4032u);
  EXPECT_GE(memory.scratch_bytes, 256u);
}

class Cache : public testing::Test {
protected:
  void SetUp() override { context = makeContext(package); }
  /// Appends `value` to every head after `past` rows.
  sectile_status append(int64_t past, float value) {
    pastDims = {2, past, 2};
    rowDims = {2, 1, 2};
    row.assign(4, value);
    sectile_tensor inputs[] = {describe(buffer, pastDims), describe(row, rowDims)};
    output.data = outputData;
    return sectile_context_run(context.get(), inputs, 2, &output, 1);
  }

  PackageHandle package = loadPackage("cache");
  ContextHandle context;
  std::vector<float> buffer = std::vector<float>(16, 0), row; // 2 heads x capacity 4 x 2
  std::vector<int64_t> pastDims, rowDims;
  sectile_tensor output = {};
  void *outputData = nullptr;
};

TEST_F(Cache, GrowsInPlace) {
  for (int64_t past = 0; past < 4; ++past) {
    ASSERT_EQ(append(past, float(past + 1)), SECTILE_OK) << sectile_context_message(context.get());
    EXPECT_EQ(output.data, buffer.data());
    EXPECT_EQ(output.dims[1], past + 1);
    outputData = buffer.data(); // naming the buffer is as good as null
  }
  EXPECT_EQ(buffer, (std::vector<float>{1, 1, 2, 2, 3, 3, 4, 4, 1, 1, 2, 2, 3, 3, 4, 4}));
}

TEST_F(Cache, RefusesWhatExceedsItsCapacity) {
  EXPECT_EQ(append(4, 1), SECTILE_CAPACITY);
  expectMessage(context, "output 'present' has capacity 4 in dimension 1, but needs 5");
  EXPECT_EQ(append(5, 1), SECTILE_CAPACITY);
  expectMessage(context, "input 'past' has capacity 4 in dimension 1, but got 5");
  buffer.resize(15);
  EXPECT_EQ(append(1, 1), SECTILE_CAPACITY);
  expectMessage(context, "input 'past' expects a buffer of 64 bytes, but got 60");
  buffer.resize(16);
  float other[16];
  outputData = other;
  EXPECT_EQ(append(1, 1), SECTILE_INVALID_INPUT);
  expectMessage(context, "output 'present' expects null or the data of input 'past'");
}

TEST(Gather, ReportsTheFirstBadIndexWhateverTheThreads) {
  for (uint32_t threads : {1, 2, 4}) {
    auto options = makeOptions<sectile_package_options>();
    options.threads = threads;
    PackageHandle package = loadPackage("gather", &options);
    ContextHandle context = makeContext(package);
    std::vector<int64_t> indices(1000, 3), dims = {1000};
    sectile_tensor input = describe(indices, dims), output = {};
    ASSERT_EQ(sectile_context_run(context.get(), &input, 1, &output, 1), SECTILE_OK);
    EXPECT_EQ(static_cast<float *>(output.data)[999], 30);

    for (int round = 0; round < 100; ++round) {
      indices[400] = -7;
      indices[401] = 99;
      indices[900] = 5;
      output = {};
      ASSERT_EQ(sectile_context_run(context.get(), &input, 1, &output, 1), SECTILE_INVALID_INPUT);
      EXPECT_EQ(output.data, nullptr);
      ASSERT_STREQ(sectile_context_message(context.get()),
                   "index -7 at position 400 is not below 5 (kernel 'gather', nodes "
                   "/embed/Gather)");
    }
  }
}

TEST(Shapes, NeedValuesOfShapeInputs) {
  PackageHandle package = loadPackage("shapes");
  ContextHandle context = makeContext(package);
  std::vector<int64_t> shape = {2, 3}, dims = {2};
  sectile_tensor input = describe(shape, dims), output = {};
  ASSERT_EQ(sectile_context_infer_shapes(context.get(), &input, 1, &output, 1), SECTILE_OK);
  EXPECT_EQ(output.bytes, 24u);
  input.data = nullptr;
  EXPECT_EQ(sectile_context_infer_shapes(context.get(), &input, 1, &output, 1),
            SECTILE_INVALID_INPUT);
  expectMessage(context, "expects the values of input 'shape'");
}

TEST(Shapes, SurviveAPackageThatMisbehaves) {
  PackageHandle package = loadPackage("shapes");
  ContextHandle context = makeContext(package);
  std::vector<int64_t> shape = {-1, 3}, dims = {2};
  sectile_tensor input = describe(shape, dims), output = {};
  EXPECT_EQ(sectile_context_run(context.get(), &input, 1, &output, 1), SECTILE_INTERNAL);
  expectMessage(context, "the package failed with status 12345 and gave no reason");
  shape[0] = -2;
  EXPECT_EQ(sectile_context_run(context.get(), &input, 1, &output, 1), SECTILE_INTERNAL);
  expectMessage(context, "the package computes size -2 for dimension 0 of output 'zeros'");
  shape = {int64_t(1) << 40, int64_t(1) << 40};
  EXPECT_EQ(sectile_context_run(context.get(), &input, 1, &output, 1), SECTILE_INVALID_INPUT);
  expectMessage(context, "output 'zeros' is larger than 2^63 bytes");
  shape = {int64_t(1) << 62, 0};
  EXPECT_EQ(sectile_context_run(context.get(), &input, 1, &output, 1), SECTILE_OK);
}

/// Runs launches of many sizes and checks that each block ran once.
void runWork(const PackageHandle &package, int rounds, uint32_t threads = 0) {
  auto options = makeOptions<sectile_context_options>();
  options.threads = threads;
  ContextHandle context = makeContext(package, &options);
  std::vector<int64_t> launches = {0, 1, 2, 3, 5, 17, 64, 100, 333, 1}, dims = {10};
  for (int round = 0; round < rounds; ++round) {
    sectile_tensor input = describe(launches, dims), output = {};
    ASSERT_EQ(sectile_context_run(context.get(), &input, 1, &output, 1), SECTILE_OK)
        << sectile_context_message(context.get());
    for (size_t k = 0; k < launches.size(); ++k)
      ASSERT_EQ(static_cast<int64_t *>(output.data)[k], launches[k] * (launches[k] + 1) / 2);
  }
}

TEST(Work, RunsEachBlockOnce) {
  for (uint32_t threads : {1, 2, 4}) {
    auto options = makeOptions<sectile_package_options>();
    options.threads = threads;
    runWork(loadPackage("work", &options), 300);
  }
}

TEST(Work, SharesWorkersAmongConcurrentContexts) {
  auto options = makeOptions<sectile_package_options>();
  options.threads = 4;
  PackageHandle package = loadPackage("work", &options);
  std::vector<std::thread> callers;
  callers.reserve(10);
  for (uint32_t caller = 0; caller < 10; ++caller) // more than the pool has queues
    callers.emplace_back([&, caller] { runWork(package, 100, caller % 4); });
  for (std::thread &caller : callers)
    caller.join();
}

TEST(Work, RunsOnTheUsersThreads) {
  std::atomic<int64_t> tasks{0};
  auto options = makeOptions<sectile_package_options>();
  options.threads = 3;
  options.parallel_for = [](void *user, int64_t count, sectile_task task, void *argument) {
    EXPECT_LE(count, 3);
    *static_cast<std::atomic<int64_t> *>(user) += count;
    std::vector<std::thread> threads;
    threads.reserve(count);
    for (int64_t i = 0; i < count; ++i)
      threads.emplace_back([=] { task(argument, i); });
    for (std::thread &thread : threads)
      thread.join();
  };
  options.parallel_for_user = &tasks;
  runWork(loadPackage("work", &options), 3);
  EXPECT_GT(tasks, 0);
}

TEST(Work, RunsOnAUserPoolThatIsSerial) {
  auto options = makeOptions<sectile_package_options>();
  options.threads = 3;
  options.parallel_for = [](void *, int64_t count, sectile_task task, void *argument) {
    for (int64_t i = count; i-- > 0;)
      task(argument, i);
  };
  runWork(loadPackage("work", &options), 3);
}

TEST(Context, RefusesASecondCallerAtOnce) {
  struct State {
    ContextHandle context;
    sectile_status nested = SECTILE_OK;
  } state;
  PackageHandle package = loadPackage("add");
  auto options = makeOptions<sectile_context_options>();
  options.kernel_hook = [](void *user, const sectile_kernel_event *) {
    State &state = *static_cast<State *>(user);
    sectile_tensor inputs[2] = {}, output = {};
    state.nested = sectile_context_run(state.context.get(), inputs, 2, &output, 1);
  };
  options.kernel_hook_user = &state;
  state.context = makeContext(package, &options);
  std::vector<float> a(4);
  std::vector<int64_t> dims = {4};
  sectile_tensor inputs[] = {describe(a, dims), describe(a, dims)}, output = {};
  EXPECT_EQ(sectile_context_run(state.context.get(), inputs, 2, &output, 1), SECTILE_OK);
  EXPECT_EQ(state.nested, SECTILE_INVALID_ARGUMENT);
}

} // namespace
