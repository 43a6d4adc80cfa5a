//===- Package.cpp - loading packages and asking them -----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Package.h"

#include "CpuFeatures.h"
#include "Descriptor.h"
#include "Options.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>

using namespace sectile::runtime;

namespace {

/// Appends the names of the levels, separated by ", ".
void appendLevelNames(Message &message, const sectile_abi_target &target) {
  for (uint32_t i = 0; i < target.num_levels; ++i)
    message.append("%s%s", i > 0 ? ", " : "", target.levels[i].name);
}

} // namespace

sectile_status sectile_package::load(const char *path, Message &message) {
  if (sectile_status status = object.open(path, message))
    return status;
  descriptor = static_cast<const sectile_package_descriptor *>(object.find(SECTILE_PACKAGE_SYMBOL));
  if (!descriptor)
    return fail(message, SECTILE_INVALID_PACKAGE,
                "'%s' is not a package: expected the symbol '%s', which it does not export", path,
                SECTILE_PACKAGE_SYMBOL);
  if (sectile_status status = checkDescriptor(*descriptor, message))
    return status;
  if (options.device_name)
    if (sectile_status status = openGpu(message))
      return status;
  if (sectile_status status = chooseTarget(message))
    return status;
  if (sectile_status status = chooseLevel(message))
    return status;
  if (sectile_status status = chooseThreads(options.threads, threads, message))
    return status;
  constants = descriptor->constants;
  if (descriptor->weights_file) {
    if (sectile_status status = mapWeights(object.path(), *descriptor, weights, message))
      return status;
    constants = weights.data;
  }
  if (gpu)
    if (sectile_status status =
            gpu->load(*descriptor, *target, static_cast<const char *>(constants), message))
      return status;
  if (options.log) {
    Message line;
    line.append("loaded '%s': target %s, level %s, %u threads", path, target->name,
                currentLevel().name, threads);
    if (gpu)
      line.append(", device %s", gpu->describe());
    options.log(options.log_user, SECTILE_LOG_INFO, line.text());
  }
  return SECTILE_OK;
}

void sectile_package::unload() {
  pool.stop(memory);
  if (gpu) {
    gpu->close();
    gpu->~GpuDevice();
    memory.deallocate(gpu, sizeof(GpuDevice));
  }
  weights.unmap();
  object.close();
}

sectile_status sectile_package::openGpu(Message &message) {
  if (options.device.launch)
    return fail(message, SECTILE_INVALID_ARGUMENT,
                "expects a device of the caller's or the name of one, but got both");
  void *place = memory.allocate(sizeof(GpuDevice), alignof(GpuDevice));
  if (!place)
    return fail(message, SECTILE_OUT_OF_MEMORY, "out of memory for device '%s'",
                options.device_name);
  gpu = new (place) GpuDevice(memory);
  return gpu->open(options.device_name, message);
}

sectile_status sectile_package::chooseTarget(Message &message) {
  if (gpu) {
    if (sectile_status status = gpu->chooseTarget(*descriptor, options.target, target, message))
      return status;
    device = &devicesOf(*descriptor)[target - descriptor->targets];
    return SECTILE_OK;
  }
  const sectile_abi_device *devices = devicesOf(*descriptor);
  uint32_t found = descriptor->num_targets;
  for (uint32_t i = descriptor->num_targets; i-- > 0;)
    if (strcmp(descriptor->targets[i].name, options.target ? options.target : "cpu") == 0)
      found = i;
  if (found == descriptor->num_targets && !options.target)
    found = 0;
  if (found != descriptor->num_targets) {
    target = &descriptor->targets[found];
    if (devices && devices[found].num_images > 0)
      device = &devices[found];
    if (!device && strcmp(target->name, "cpu") != 0)
      return fail(message, SECTILE_UNSUPPORTED,
                  "target '%s' of the package has no kernels for a device", target->name);
    return SECTILE_OK;
  }
  message.clear();
  message.append("package has no target '%s', but only ", options.target);
  for (uint32_t i = 0; i < descriptor->num_targets; ++i)
    message.append("%s%s", i > 0 ? ", " : "", descriptor->targets[i].name);
  return SECTILE_UNSUPPORTED;
}

sectile_status sectile_package::chooseLevel(Message &message) {
  cpuFeatures = detectCpuFeatures();
  const char *asker = "option cpu_level";
  const char *wanted = device ? nullptr : options.cpu_level;
  if (!wanted && !device) {
    asker = "SECTILE_CPU_LEVEL";
    wanted = getenv("SECTILE_CPU_LEVEL");
    if (wanted && wanted[0] == '\0')
      wanted = nullptr;
  }

  // Best last, so the last that the CPU has wins.
  uint32_t found = target->num_levels;
  for (uint32_t i = 0; i < target->num_levels; ++i) {
    const sectile_abi_level &candidate = target->levels[i];
    if (wanted ? strcmp(candidate.name, wanted) == 0
               : (candidate.required_features & ~cpuFeatures) == 0)
      found = i;
  }
  if (found == target->num_levels) {
    message.clear();
    if (wanted) {
      message.append("%s asks for level '%s', but the package has only ", asker, wanted);
      appendLevelNames(message, *target);
      return SECTILE_INVALID_ARGUMENT;
    }
    message.append("the package's lowest level '%s' needs ", target->levels[0].name);
    appendFeatureNames(message, target->levels[0].required_features);
    message.append(", but this CPU lacks ");
    appendFeatureNames(message, target->levels[0].required_features & ~cpuFeatures);
    return SECTILE_UNSUPPORTED;
  }
  uint64_t missing = target->levels[found].required_features & ~cpuFeatures;
  if (missing != 0) {
    fail(message, SECTILE_UNSUPPORTED, "%s asks for level '%s', but this CPU lacks ", asker,
         wanted);
    appendFeatureNames(message, missing);
    return SECTILE_UNSUPPORTED;
  }
  level = found;
  return SECTILE_OK;
}

sectile_status sectile_package::startWorkers(Message &message) {
  if (options.parallel_for)
    return SECTILE_OK;
  pthread_mutex_lock(&startMutex);
  sectile_status status = SECTILE_OK;
  if (pool.threads() < threads)
    status = pool.start(memory, threads, message);
  pthread_mutex_unlock(&startMutex);
  return status;
}

int32_t sectile_package::findInputAlias(uint32_t input) const {
  for (uint32_t i = 0; i < descriptor->num_aliases; ++i)
    if (static_cast<uint32_t>(descriptor->aliases[i].input) == input)
      return static_cast<int32_t>(i);
  return -1;
}

int32_t sectile_package::findOutputAlias(uint32_t output) const {
  for (uint32_t i = 0; i < descriptor->num_aliases; ++i)
    if (static_cast<uint32_t>(descriptor->aliases[i].output) == output)
      return static_cast<int32_t>(i);
  return -1;
}

//===----------------------------------------------------------------------===//
// C interface
//===----------------------------------------------------------------------===//

sectile_status sectile_package_load(const char *path, const sectile_package_options *given,
                                    sectile_package **out, char *text, size_t textBytes) {
  Message message;
  auto load = [&]() -> sectile_status {
    if (!path || !out)
      return fail(message, SECTILE_INVALID_ARGUMENT,
                  "sectile_package_load expects a path and a place for the package, but got null");
    *out = nullptr;
    sectile_package_options options = {};
    if (sectile_status status = readOptions(options, given, "sectile_package_options", message))
      return status;
    if (options.reserved != 0 || !options.allocator.allocate != !options.allocator.deallocate)
      return fail(message, SECTILE_INVALID_ARGUMENT,
                  "expects reserved options to be 0 and both functions of an allocator");
    Memory memory(options.allocator);
    void *place = memory.allocate(sizeof(sectile_package), alignof(sectile_package));
    if (!place)
      return fail(message, SECTILE_OUT_OF_MEMORY, "out of memory for package '%s'", path);
    sectile_package *package = new (place) sectile_package(options);
    sectile_status status = package->load(path, message);
    if (status != SECTILE_OK) {
      sectile_package_release(package);
      return status;
    }
    // The caller's string need not outlive this call.
    package->options.cpu_level = nullptr;
    package->options.device_name = nullptr;
    *out = package;
    return SECTILE_OK;
  };
  sectile_status status = load();
  message.copyTo(text, textBytes);
  return status;
}

sectile_package *sectile_package_retain(sectile_package *package) {
  package->references.fetch_add(1, std::memory_order_relaxed);
  return package;
}

void sectile_package_release(sectile_package *package) {
  if (!package || package->references.fetch_sub(1, std::memory_order_acq_rel) != 1)
    return;
  package->unload();
  Memory memory = package->memory;
  package->~sectile_package();
  memory.deallocate(package, sizeof(sectile_package));
}

sectile_status sectile_package_get_info(const sectile_package *package,
                                        sectile_package_info *info) {
  const sectile_package_descriptor &descriptor = *package->descriptor;
  sectile_package_info result = {};
  result.compiler_version = descriptor.compiler_version;
  result.model_name = descriptor.model_name;
  result.compile_options = descriptor.options;
  result.target = package->target->name;
  result.num_inputs = descriptor.num_inputs;
  result.num_outputs = descriptor.num_outputs;
  result.num_symbols = descriptor.num_symbols;
  result.num_aliases = descriptor.num_aliases;
  result.num_targets = descriptor.num_targets;
  result.num_kernels = package->target->num_kernels;
  result.num_levels = package->target->num_levels;
  result.level = package->level;
  result.threads = package->threads;
  result.constants = package->constants;
  result.constants_bytes = descriptor.constants_bytes;
  result.constants_hash = descriptor.constants_hash;
  result.weights_file = descriptor.weights_file;
  result.num_pieces = piecesOf(descriptor).size();
  return writeResult(info, result);
}

sectile_status sectile_package_get_piece(const sectile_package *package, uint64_t index,
                                         sectile_piece_info *info) {
  std::span<const sectile_abi_piece> pieces = piecesOf(*package->descriptor);
  if (index >= pieces.size())
    return SECTILE_INVALID_ARGUMENT;
  sectile_piece_info result = {};
  result.name = pieces[index].name;
  result.offset = pieces[index].offset;
  result.bytes = pieces[index].bytes;
  result.hash = pieces[index].hash;
  return writeResult(info, result);
}

static sectile_status writeTensorInfo(sectile_tensor_info *info, const sectile_abi_tensor &tensor,
                                      int32_t alias) {
  sectile_tensor_info result = {};
  result.name = tensor.name;
  result.dtype = tensor.dtype;
  result.rank = tensor.rank;
  result.dims = tensor.dims;
  result.dim_exprs = tensor.dim_exprs;
  result.alias = alias;
  return writeResult(info, result);
}

sectile_status sectile_package_get_input(const sectile_package *package, uint32_t index,
                                         sectile_tensor_info *info) {
  if (index >= package->descriptor->num_inputs)
    return SECTILE_INVALID_ARGUMENT;
  return writeTensorInfo(info, package->descriptor->inputs[index], package->findInputAlias(index));
}

sectile_status sectile_package_get_output(const sectile_package *package, uint32_t index,
                                          sectile_tensor_info *info) {
  if (index >= package->descriptor->num_outputs)
    return SECTILE_INVALID_ARGUMENT;
  return writeTensorInfo(info, package->descriptor->outputs[index],
                         package->findOutputAlias(index));
}

const char *sectile_package_get_symbol(const sectile_package *package, uint32_t index) {
  return index < package->descriptor->num_symbols ? package->descriptor->symbols[index] : nullptr;
}

const char *sectile_package_get_target(const sectile_package *package, uint32_t index) {
  return index < package->descriptor->num_targets ? package->descriptor->targets[index].name
                                                  : nullptr;
}

sectile_status sectile_package_get_alias(const sectile_package *package, uint32_t index,
                                         sectile_alias_info *info) {
  if (index >= package->descriptor->num_aliases)
    return SECTILE_INVALID_ARGUMENT;
  const sectile_abi_alias &alias = package->descriptor->aliases[index];
  sectile_alias_info result = {};
  result.input = static_cast<uint32_t>(alias.input);
  result.output = static_cast<uint32_t>(alias.output);
  result.dim = alias.dim;
  result.capacity = alias.capacity;
  return writeResult(info, result);
}

sectile_status sectile_package_get_kernel(const sectile_package *package, uint32_t index,
                                          sectile_kernel_info *info) {
  if (index >= package->target->num_kernels)
    return SECTILE_INVALID_ARGUMENT;
  const sectile_abi_kernel &kernel = package->target->kernels[index];
  sectile_kernel_info result = {};
  result.name = kernel.name;
  result.nodes = kernel.nodes;
  result.description = kernel.description;
  result.schedule = kernel.schedule;
  return writeResult(info, result);
}

sectile_status sectile_package_get_image(const sectile_package *package, uint32_t index,
                                         sectile_image_info *info) {
  if (!package->device || index >= package->device->num_images)
    return SECTILE_INVALID_ARGUMENT;
  const sectile_abi_image &image = package->device->images[index];
  sectile_image_info result = {};
  result.kind = static_cast<int32_t>(image.kind);
  result.data = image.data;
  result.bytes = image.bytes;
  return writeResult(info, result);
}

sectile_status sectile_package_get_device_kernel(const sectile_package *package, uint32_t kernel,
                                                 sectile_device_kernel_info *info) {
  if (!package->device || kernel >= package->target->num_kernels)
    return SECTILE_INVALID_ARGUMENT;
  const sectile_abi_device_kernel &code = package->device->kernels[kernel];
  sectile_device_kernel_info result = {};
  result.threads = code.threads;
  result.registers = code.registers;
  result.shared_bytes = code.shared_bytes;
  result.spill_bytes = code.spill_bytes;
  if (const int64_t *launchShared = launchSharedOf(*package->descriptor, *package->target))
    result.launch_shared_bytes = launchShared[kernel];
  return writeResult(info, result);
}

sectile_status sectile_package_get_level(const sectile_package *package, uint32_t index,
                                         sectile_level_info *info) {
  if (index >= package->target->num_levels)
    return SECTILE_INVALID_ARGUMENT;
  const sectile_abi_level &level = package->target->levels[index];
  sectile_level_info result = {};
  result.name = level.name;
  result.available = (level.required_features & ~package->cpuFeatures) == 0;
  return writeResult(info, result);
}

/// The innermost loops of one kernel's code; none where the package does not tell.
static std::span<const sectile_abi_loop> loopsOf(const sectile_package &package, uint32_t level,
                                                 uint32_t kernel) {
  const sectile_package_descriptor &descriptor = *package.descriptor;
  if (descriptor.size < offsetof(sectile_package_descriptor, devices) || !descriptor.loop_ends)
    return {};
  size_t number = 0;
  for (const sectile_abi_target *target = descriptor.targets; target != package.target; ++target)
    number += size_t(target->num_levels) * target->num_kernels;
  number += size_t(level) * package.target->num_kernels + kernel;
  uint32_t begin = number == 0 ? 0 : descriptor.loop_ends[number - 1];
  return {descriptor.loops + begin, descriptor.loop_ends[number] - begin};
}

sectile_status sectile_package_get_kernel_code(const sectile_package *package, uint32_t level,
                                               uint32_t kernel, sectile_kernel_code_info *info) {
  if (level >= package->target->num_levels || kernel >= package->target->num_kernels)
    return SECTILE_INVALID_ARGUMENT;
  const sectile_abi_kernel_code &code = package->target->levels[level].kernels[kernel];
  sectile_kernel_code_info result = {};
  result.vector_ops = code.vector_ops;
  result.scalar_ops = code.scalar_ops;
  result.num_loops = static_cast<uint32_t>(loopsOf(*package, level, kernel).size());
  return writeResult(info, result);
}

sectile_status sectile_package_get_loop(const sectile_package *package, uint32_t level,
                                        uint32_t kernel, uint32_t loop, sectile_loop_info *info) {
  if (level >= package->target->num_levels || kernel >= package->target->num_kernels)
    return SECTILE_INVALID_ARGUMENT;
  std::span<const sectile_abi_loop> loops = loopsOf(*package, level, kernel);
  if (loop >= loops.size())
    return SECTILE_INVALID_ARGUMENT;
  sectile_loop_info result = {};
  result.vector_ops = loops[loop].vector_ops;
  result.scalar_ops = loops[loop].scalar_ops;
  return writeResult(info, result);
}
