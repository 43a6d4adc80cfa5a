//===- GpuDevice.cpp - a package on a GPU -----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "GpuDevice.h"

#include "Descriptor.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sectile::runtime {

//===----------------------------------------------------------------------===//
// The device
//===----------------------------------------------------------------------===//

sectile_status GpuDevice::open(const char *name, Message &message) {
  const char *colon = strchr(name, ':');
  size_t length = colon ? static_cast<size_t>(colon - name) : strlen(name);
  bool isCuda = length == 4 && strncmp(name, "cuda", 4) == 0;
  bool isHip = length == 3 && strncmp(name, "hip", 3) == 0;
  bool isGood = isCuda || isHip;
  if (isGood && colon) {
    // At most 3 digits and nothing else: no number of devices overflows.
    size_t digits = strspn(colon + 1, "0123456789");
    isGood = digits > 0 && digits <= 3 && colon[1 + digits] == '\0';
    ordinal = isGood ? static_cast<int>(strtol(colon + 1, nullptr, 10)) : 0;
  }
  if (!isGood)
    return fail(message, SECTILE_INVALID_ARGUMENT,
                "expects device cuda, cuda:N, hip or hip:N, but got '%s'", name);
  if (sectile_status status = api.open(isCuda ? GpuFamily::Cuda : GpuFamily::Hip, message))
    return status;
  int count = 0;
  sectile_status status = GPU_CALL(api, message, init, 0);
  if (!status)
    status = GPU_CALL(api, message, countDevices, &count);
  if (!status && ordinal >= count)
    status = fail(message, SECTILE_UNSUPPORTED,
                  "device '%s' does not exist: %s finds %d devices, counted from 0", name,
                  api.nameOf(GpuFunction::countDevices), count);
  if (!status)
    status = GPU_CALL(api, message, getDevice, &device, ordinal);
  if (!status)
    status = identify(message);
  if (!status && isCuda)
    status = GPU_CALL(api, message, retainContext, &context, device);
  isRetained = !status;
  return status;
}

sectile_status GpuDevice::identify(Message &message) {
  char name[256] = "";
  if (sectile_status status = GPU_CALL(api, message, getName, name, sizeof name, device))
    return status;
  name[sizeof name - 1] = '\0';
  if (api.family == GpuFamily::Cuda) {
    sectile_status status = GPU_CALL(api, message, getAttribute, &major, kCudaMajor, device);
    if (!status)
      status = GPU_CALL(api, message, getAttribute, &minor, kCudaMinor, device);
    if (status)
      return status;
    snprintf(processor, sizeof processor, "sm_%d%d", major, minor);
  } else {
    // Newer libraries write the structure that they were asked for, and no more.
    alignas(8) char properties[4096] = {};
    const HipProperties &layout = api.getProperties ? kHipProperties : kHipOldProperties;
    if (!api.getProperties && !api.getOldProperties)
      return fail(message, SECTILE_UNSUPPORTED,
                  "HIP has no function that tells what processor device %d is", ordinal);
    sectile_status status = api.getProperties
                                ? GPU_CALL(api, message, getProperties, properties, device)
                                : GPU_CALL(api, message, getOldProperties, properties, device);
    if (status)
      return status;
    // "gfx90a:sramecc+:xnack-": code for no particular feature runs with any.
    const char *text = properties + layout.processorOffset;
    size_t length = strcspn(text, ":");
    snprintf(processor, sizeof processor, "%.*s",
             static_cast<int>(length < sizeof processor ? length : sizeof processor - 1), text);
  }
  snprintf(title, sizeof title, "%s:%d (%s, %s)", api.familyName(), ordinal, name, processor);
  return SECTILE_OK;
}

GpuScope::GpuScope(const GpuDevice &device, Message &message) : device(device) {
  const GpuApi &api = device.api;
  if (api.family == GpuFamily::Cuda) {
    result = GPU_CALL(api, message, pushContext, device.context);
    return;
  }
  result = GPU_CALL(api, message, getCurrentDevice, &previous);
  if (!result)
    result = GPU_CALL(api, message, setCurrentDevice, device.device);
}

GpuScope::~GpuScope() {
  // Failures of these would have no one to tell, and leave nothing to do.
  void *popped;
  if (result)
    return;
  if (device.api.family == GpuFamily::Cuda)
    (void)device.api.popContext(&popped);
  else
    (void)device.api.setCurrentDevice(previous);
}

//===----------------------------------------------------------------------===//
// Which of a package's targets
//===----------------------------------------------------------------------===//

static const sectile_abi_image *findImage(const sectile_abi_device &device, uint32_t kind) {
  for (uint32_t i = 0; i < device.num_images; ++i)
    if (device.images[i].kind == kind)
      return &device.images[i];
  return nullptr;
}

/// Cubins run on devices of the same major version and the same minor one or a later one, PTX is
/// assembled for any later device, and code for sm_90a runs on that alone. (CUDA C++ Programming
/// Guide, "Binary Compatibility" and "PTX Compatibility"; "architecture-specific features".)
GpuDevice::Fit GpuDevice::rate(const sectile_abi_target &target,
                               const sectile_abi_device &device) const {
  if (api.family == GpuFamily::Hip) {
    bool fits = strcmp(target.name, processor) == 0 && findImage(device, SECTILE_ABI_IMAGE_HSACO);
    return fits ? Fit::Exact : Fit::None;
  }
  if (strncmp(target.name, "sm_", 3) != 0)
    return Fit::None;
  char *end;
  long number = strtol(target.name + 3, &end, 10);
  bool isOwn = strcmp(end, "a") == 0;
  if (end == target.name + 3 || (*end != '\0' && !isOwn))
    return Fit::None;
  long here = major * 10L + minor;
  bool hasCubin = findImage(device, SECTILE_ABI_IMAGE_CUBIN);
  bool hasPtx = findImage(device, SECTILE_ABI_IMAGE_PTX);
  if (number == here && (hasCubin || hasPtx))
    return Fit::Exact;
  if (isOwn || number > here)
    return Fit::None;
  if (hasCubin && number / 10 == major)
    return Fit::Cubin;
  return hasPtx ? Fit::Ptx : Fit::None;
}

sectile_status GpuDevice::chooseTarget(const sectile_package_descriptor &descriptor,
                                       const char *wanted, const sectile_abi_target *&target,
                                       Message &message) const {
  const sectile_abi_device *devices = devicesOf(descriptor);
  target = nullptr;
  Fit best = Fit::None;
  for (uint32_t i = 0; devices && i < descriptor.num_targets; ++i) {
    const sectile_abi_target &candidate = descriptor.targets[i];
    if (devices[i].num_images == 0 || (wanted && strcmp(candidate.name, wanted) != 0))
      continue;
    Fit fit = rate(candidate, devices[i]);
    // Of equals the one for the newest device, whose name is the last one.
    if (fit == Fit::None || fit < best ||
        (fit == best && target && strcmp(candidate.name, target->name) < 0))
      continue;
    best = fit;
    target = &candidate;
  }
  if (target)
    return SECTILE_OK;
  message.clear();
  message.append("the package has no code ");
  if (wanted)
    message.append("of target '%s' ", wanted);
  message.append("for device %s: it holds ", title);
  for (uint32_t i = 0; i < descriptor.num_targets; ++i) {
    message.append("%s%s", i > 0 ? ", " : "", descriptor.targets[i].name);
    if (!devices || devices[i].num_images == 0)
      continue;
    const char *separator = " (";
    for (auto [kind, name] :
         {std::pair(SECTILE_ABI_IMAGE_CUBIN, "cubin"), std::pair(SECTILE_ABI_IMAGE_PTX, "PTX"),
          std::pair(SECTILE_ABI_IMAGE_HSACO, "code object")})
      if (findImage(devices[i], kind)) {
        message.append("%s%s", separator, name);
        separator = ", ";
      }
    message.append("%s", separator[0] == ',' ? ")" : "");
  }
  message.append("; 'sectile compile --target=%s' makes some", processor);
  return SECTILE_UNSUPPORTED;
}

//===----------------------------------------------------------------------===//
// What contexts share
//===----------------------------------------------------------------------===//

sectile_status GpuDevice::load(const sectile_package_descriptor &descriptor,
                               const sectile_abi_target &target, const char *data,
                               Message &message) {
  const sectile_abi_device &images = devicesOf(descriptor)[&target - descriptor.targets];
  if (!images.calls_for_memory || !deviceArgumentsOf(descriptor, target))
    return fail(message, SECTILE_UNSUPPORTED,
                "the package was made by %s, before kernels for '%s' could be launched on devices; "
                "compile the model again",
                descriptor.compiler_version, target.name);
  GpuScope scope(*this, message);
  if (scope.status())
    return scope.status();
  if (sectile_status status = loadImages(target, images, message))
    return status;
  if (sectile_status status = findKernels(descriptor, target, images, message))
    return status;
  if (sectile_status status =
          GPU_CALL(api, message, createStream, &transfers, kGpuStreamNonBlocking))
    return status;
  return copyConstants(descriptor, images, data, message);
}

int GpuDevice::loadImage(const sectile_abi_image &image, char *log, size_t logBytes) {
  // The driver takes numbers in place of pointers here, as void *.
  int options[] = {kCudaErrorLog, kCudaErrorLogBytes};
  void *values[] = {log, toPointer(logBytes)};
  log[0] = '\0';
  bool isPtx = image.kind == SECTILE_ABI_IMAGE_PTX;
  int result = api.loadModule(&module, image.data, isPtx ? 2 : 0, isPtx ? options : nullptr,
                              isPtx ? values : nullptr);
  log[logBytes - 1] = '\0';
  if (result != kGpuSuccess)
    module = nullptr;
  return result;
}

sectile_status GpuDevice::loadImages(const sectile_abi_target &target,
                                     const sectile_abi_device &device, Message &message) {
  constexpr size_t kLogBytes = 4096;
  char *log = memory.makeArray<char>(kLogBytes);
  if (!log)
    return fail(message, SECTILE_OUT_OF_MEMORY, "out of memory for the kernels' assembler");
  message.clear();
  message.append("the kernels for '%s' cannot be loaded on %s", target.name, title);
  sectile_status status = SECTILE_DEVICE;
  const char *separator = ": ";
  bool isSameMajor =
      api.family == GpuFamily::Cuda && strtol(target.name + 3, nullptr, 10) / 10 == major;
  // What is assembled already comes first. Where a driver does not take it, it may take text.
  for (uint32_t kind : {SECTILE_ABI_IMAGE_HSACO, SECTILE_ABI_IMAGE_CUBIN, SECTILE_ABI_IMAGE_PTX}) {
    const sectile_abi_image *image = findImage(device, kind);
    bool isHip = kind == SECTILE_ABI_IMAGE_HSACO;
    if (!image || module || isHip != (api.family == GpuFamily::Hip) ||
        (kind == SECTILE_ABI_IMAGE_CUBIN && !isSameMajor))
      continue;
    int result = loadImage(*image, log, kLogBytes);
    if (result == kGpuSuccess) {
      status = SECTILE_OK;
      break;
    }
    if (result == kGpuOutOfMemory)
      status = SECTILE_OUT_OF_MEMORY;
    message.append("%s%s: ", separator,
                   isHip                           ? "code object"
                   : kind == SECTILE_ABI_IMAGE_PTX ? "PTX"
                                                   : "cubin");
    api.appendFailure(result, GpuFunction::loadModule, message);
    separator = "; ";
    if (log[0] != '\0') {
      // The driver's log is lines; a message is one.
      for (char *c = log; *c; ++c)
        if (*c == '\n' || *c == '\r')
          *c = ' ';
      message.append(": %s", log);
    }
    int version = 0;
    if (result == kGpuUnsupportedPtx && api.getDriverVersion(&version) == kGpuSuccess)
      message.append("; the driver is of CUDA %d.%d: a newer one is needed, or a package compiled "
                     "where ptxas is found, which holds a cubin",
                     version / 1000, version % 1000 / 10);
  }
  memory.freeArray(log, kLogBytes);
  if (!status)
    message.clear();
  return status;
}

sectile_status GpuDevice::findKernels(const sectile_package_descriptor &descriptor,
                                      const sectile_abi_target &target,
                                      const sectile_abi_device &images, Message &message) {
  kernels = memory.makeArray<GpuKernel>(target.num_kernels);
  if (!kernels)
    return fail(message, SECTILE_OUT_OF_MEMORY, "out of memory for %u kernels", target.num_kernels);
  numKernels = target.num_kernels;
  const int64_t *launchShared = launchSharedOf(descriptor, target);
  const char *const *arguments = deviceArgumentsOf(descriptor, target);
  int sharedMost = 0;
  if (api.family == GpuFamily::Cuda)
    if (sectile_status status =
            GPU_CALL(api, message, getAttribute, &sharedMost, kCudaSharedBytesOptin, device))
      return status;
  for (uint32_t i = 0; i < numKernels; ++i) {
    GpuKernel &kernel = kernels[i];
    const char *name = target.kernels[i].name;
    int64_t shared = launchShared ? launchShared[i] : 0;
    kernel.arguments = arguments[i];
    kernel.threads = static_cast<uint32_t>(images.kernels[i].threads);
    kernel.hasChecks = target.levels[0].kernels[i].num_failures > 0;
    auto count = static_cast<uint32_t>(strlen(arguments[i]));
    argumentsMost = count > argumentsMost ? count : argumentsMost;
    if (sectile_status status =
            GPU_CALL(api, message, getFunction, &kernel.function, module, name)) {
      message.append(" (kernel '%s')", name);
      return status;
    }
    if (api.family == GpuFamily::Cuda && images.kernels[i].shared_bytes > sharedMost)
      return fail(message, SECTILE_UNSUPPORTED,
                  "kernel '%s' needs %" PRId64 " bytes of shared memory for a block, but %s has %d",
                  name, images.kernels[i].shared_bytes, title, sharedMost);
    kernel.sharedBytes = static_cast<uint32_t>(shared);
    // What a launch gives beyond 48 KiB it has to ask for; less does no harm.
    if (api.family != GpuFamily::Cuda || shared == 0)
      continue;
    if (sectile_status status =
            GPU_CALL(api, message, setFunctionAttribute, kernel.function,
                     kCudaFunctionDynamicSharedBytes, static_cast<int>(shared))) {
      message.append(" (kernel '%s', %" PRId64 " bytes of shared memory)", name, shared);
      return status;
    }
  }
  return SECTILE_OK;
}

sectile_status GpuDevice::copyConstants(const sectile_package_descriptor &descriptor,
                                        const sectile_abi_device &images, const char *data,
                                        Message &message) {
  // A target's constants end where those of the next one begin.
  const sectile_abi_device *devices = devicesOf(descriptor);
  uint64_t begin = images.constants_offset, end = descriptor.constants_bytes;
  for (uint32_t i = 0; i < descriptor.num_targets; ++i)
    if (devices[i].constants_offset > begin && devices[i].constants_offset < end)
      end = devices[i].constants_offset;
  if (begin >= end)
    return SECTILE_OK;
  if (sectile_status status = GPU_CALL(api, message, allocate, &constants, end - begin)) {
    message.append(" (%" PRIu64 " bytes of constants)", end - begin);
    constants = 0;
    return status;
  }
  std::span<const sectile_abi_piece> pieces = piecesOf(descriptor);
  if (pieces.empty())
    return upload(constants, data + begin, end - begin, message);
  // What lies between pieces is no file's, and is never read.
  for (const sectile_abi_piece &piece : pieces)
    if (piece.offset >= begin && piece.offset < end)
      if (sectile_status status =
              upload(constants + (piece.offset - begin), data + piece.offset, piece.bytes, message))
        return status;
  return SECTILE_OK;
}

void GpuDevice::close() {
  Message ignored;
  if (isRetained) {
    GpuScope scope(*this, ignored);
    if (!scope.status()) {
      if (transfers)
        (void)api.waitForStream(transfers);
      if (constants)
        (void)api.deallocate(constants);
      if (transfers)
        (void)api.destroyStream(transfers);
      if (module)
        (void)api.unloadModule(module);
    }
  }
  constants = 0;
  transfers = module = nullptr;
  memory.freeArray(kernels, numKernels);
  kernels = nullptr;
  if (isRetained && api.family == GpuFamily::Cuda)
    (void)api.releaseContext(device);
  isRetained = false;
  api.close();
}

sectile_status GpuDevice::upload(uint64_t to, const void *from, uint64_t bytes,
                                 Message &message) const {
  if (sectile_status status = GPU_CALL(api, message, copyToDevice, to, from, bytes, transfers))
    return status;
  return GPU_CALL(api, message, waitForStream, transfers);
}

sectile_status GpuDevice::download(void *to, uint64_t from, uint64_t bytes,
                                   Message &message) const {
  if (sectile_status status = GPU_CALL(api, message, copyToHost, to, from, bytes, transfers))
    return status;
  return GPU_CALL(api, message, waitForStream, transfers);
}

sectile_status GpuBuffer::reserve(const GpuApi &api, uint64_t bytes, Message &message) {
  if (bytes <= capacity)
    return SECTILE_OK;
  release(api);
  if (sectile_status status = GPU_CALL(api, message, allocate, &start, bytes)) {
    start = 0;
    message.append(" (%" PRIu64 " bytes)", bytes);
    return status;
  }
  capacity = bytes;
  return SECTILE_OK;
}

void GpuBuffer::release(const GpuApi &api) {
  if (start)
    (void)api.deallocate(start);
  start = capacity = 0;
}

} // namespace sectile::runtime
