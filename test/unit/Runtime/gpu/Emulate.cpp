//===- Emulate.cpp - the fake CUDA's kernels, on the emulator ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A shared object that the fake library opens where $SECTILE_FAKE_EMULATOR names it. The
// kernels are those of the package at $SECTILE_FAKE_PACKAGE; how many parameters each has, and
// which are pointers, its PTX tells: what a driver would see.
//
//===----------------------------------------------------------------------===//

#include "Device.h"

#include <bit>
#include <cstring>
#include <map>
#include <mutex>

using namespace sectile::tools;

namespace {

struct Kernel {
  uint32_t number = 0;
  std::string parameters; // 'b' for a pointer, 'i' for an integer of 64 bits
};

struct Emulation {
  std::unique_ptr<Device> device;
  std::optional<Model> model;
  std::map<std::string, Kernel> kernels;
};

/// Reads ".entry NAME(.param .u64 .ptr .align 16 NAME_param_0, .param .u64 NAME_param_1)".
std::string readParameters(std::string_view ptx, const std::string &name) {
  std::string letters;
  size_t begin = ptx.find(".entry " + name + "(");
  if (begin == std::string_view::npos)
    return letters;
  std::string_view list = ptx.substr(begin, ptx.find(')', begin) - begin);
  for (size_t at = list.find(".param "); at != std::string_view::npos;) {
    size_t next = list.find(".param ", at + 1);
    std::string_view one = list.substr(at, next - at);
    letters += one.find(".ptr") != std::string_view::npos ? 'b' : 'i';
    at = next;
  }
  return letters;
}

std::mutex mutex;

} // namespace

/// The package's kernels for `target`; null with a message on standard error.
extern "C" __attribute__((visibility("default"))) void *sectile_fake_emulation(const char *package,
                                                                               const char *target) {
  auto emulation = std::make_unique<Emulation>();
  EmulatorOptions options;
  options.races = true;
  emulation->device = makeEmulator(options);
  Result<Model> model = Model::load(package, 1, target, emulation->device->get());
  if (!model) {
    fprintf(stderr, "fake: %s\n", model.failure().message.c_str());
    return nullptr;
  }
  emulation->model = std::move(*model);
  if (Result<Done> done = emulation->device->attach(*emulation->model); !done) {
    fprintf(stderr, "fake: %s\n", done.failure().message.c_str());
    return nullptr;
  }
  sectile_image_info image = {};
  image.size = sizeof image;
  std::string_view ptx;
  for (uint32_t i = 0; sectile_package_get_image(emulation->model->package(), i, &image) == 0; ++i)
    if (image.kind == SECTILE_IMAGE_PTX)
      ptx = {static_cast<const char *>(image.data), image.bytes};
  for (uint32_t k = 0; k < emulation->model->kernels.size(); ++k) {
    std::string name = emulation->model->kernels[k].name;
    emulation->kernels[name] = {k, readParameters(ptx, name)};
  }
  return emulation.release();
}

/// Letters of a kernel's parameters, or null.
extern "C" __attribute__((visibility("default"))) const char *
sectile_fake_parameters(void *handle, const char *name) {
  auto &kernels = static_cast<Emulation *>(handle)->kernels;
  auto it = kernels.find(name);
  return it == kernels.end() ? nullptr : it->second.parameters.c_str();
}

/// Runs a kernel on memory of the host. A record of checks, if there is one, is the last pointer
/// behind `count` values. Returns 0, or 1 with a message.
extern "C" __attribute__((visibility("default"))) int
sectile_fake_run(void *handle, const char *name, int64_t blocks, const uint64_t *values,
                 char *message, size_t messageBytes) {
  std::lock_guard<std::mutex> lock(mutex);
  auto &emulation = *static_cast<Emulation *>(handle);
  const Kernel &kernel = emulation.kernels.at(name);
  std::vector<void *> buffers;
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < kernel.parameters.size(); ++i)
    if (kernel.parameters[i] == 'b')
      buffers.push_back(std::bit_cast<void *>(values[i]));
    else
      sizes.push_back(static_cast<int64_t>(values[i]));
  sectile_device_launch launch = {};
  launch.kernel = kernel.number;
  launch.blocks = blocks;
  launch.buffers = buffers.data();
  launch.sizes = sizes.data();
  sectile_device device = emulation.device->get();
  int32_t failed = device.launch(device.user, &launch);
  if (failed < 0) {
    snprintf(message, messageBytes, "%s", launch.message);
    return 1;
  }
  if (failed > 0) { // then the kernel has checks, and their record is its last parameter
    auto *record = static_cast<int64_t *>(buffers.back());
    record[0] = failed;
    memcpy(record + 1, launch.values, sizeof launch.values);
  }
  return 0;
}
