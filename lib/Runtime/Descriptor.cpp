//===- Descriptor.cpp - checks of a package's descriptor --------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Descriptor.h"

#include <cinttypes>
#include <cstddef>
#include <cstring>

namespace sectile::runtime {

namespace {

constexpr uint32_t kMaxCount = 1u << 20; // entries of any array
constexpr int32_t kMaxRank = 64;
constexpr uint64_t kConstantsAlignment = 4096;

/// Runs the checks in order; the first failure stops them.
class Checker {
public:
  Checker(const sectile_package_descriptor &descriptor, Message &message)
      : package(descriptor), message(message) {}

  sectile_status check();

private:
  [[gnu::format(printf, 2, 3)]] bool refuse(const char *format, ...);
  bool checkArray(const char *what, uint32_t count, const void *entries);
  bool checkTensors(const char *what, uint32_t count, const sectile_abi_tensor *tensors);
  bool checkSymbols();
  bool checkAliases();
  bool checkTargets();
  bool checkLevel(const sectile_abi_target &target, const sectile_abi_level &level, bool isDevice);
  bool checkDevice(const sectile_abi_target &target, const sectile_abi_device &device);
  bool checkConstants();
  bool checkPieces();
  bool checkLoops();

  const sectile_package_descriptor &package;
  Message &message;
};

bool Checker::refuse(const char *format, ...) {
  message.clear();
  message.append("damaged package: ");
  va_list arguments;
  va_start(arguments, format);
  message.appendArguments(format, arguments);
  va_end(arguments);
  return false;
}

bool Checker::checkArray(const char *what, uint32_t count, const void *entries) {
  if (count > kMaxCount)
    return refuse("expects at most %u %s, but got %u", kMaxCount, what, count);
  if (count > 0 && !entries)
    return refuse("expects an array of %u %s, but got null", count, what);
  return true;
}

bool Checker::checkTensors(const char *what, uint32_t count, const sectile_abi_tensor *tensors) {
  if (!checkArray(what, count, tensors))
    return false;
  for (uint32_t i = 0; i < count; ++i) {
    const sectile_abi_tensor &tensor = tensors[i];
    if (!tensor.name)
      return refuse("entry %u of %s has no name", i, what);
    if (sectile_dtype_bytes(tensor.dtype) == 0)
      return refuse("'%s' in %s has unknown dtype %d", tensor.name, what, tensor.dtype);
    if (tensor.rank < 0 || tensor.rank > kMaxRank)
      return refuse("'%s' in %s expects a rank from 0 to %d, but got %d", tensor.name, what,
                    kMaxRank, tensor.rank);
    if (tensor.rank > 0 && (!tensor.dims || !tensor.dim_exprs))
      return refuse("'%s' in %s has no dims", tensor.name, what);
    for (int32_t d = 0; d < tensor.rank; ++d)
      if (tensor.dims[d] < -1 || !tensor.dim_exprs[d])
        return refuse("'%s' in %s has a bad dimension %d: %" PRId64, tensor.name, what, d,
                      tensor.dims[d]);
  }
  return true;
}

bool Checker::checkSymbols() {
  if (!checkArray("symbols", package.num_symbols, static_cast<const void *>(package.symbols)))
    return false;
  for (uint32_t i = 0; i < package.num_symbols; ++i)
    if (!package.symbols[i])
      return refuse("symbol %u has no name", i);
  return true;
}

bool Checker::checkAliases() {
  if (!checkArray("aliases", package.num_aliases, package.aliases))
    return false;
  for (uint32_t i = 0; i < package.num_aliases; ++i) {
    const sectile_abi_alias &alias = package.aliases[i];
    if (alias.input < 0 || static_cast<uint32_t>(alias.input) >= package.num_inputs ||
        alias.output < 0 || static_cast<uint32_t>(alias.output) >= package.num_outputs)
      return refuse("alias %u names input %d of %u and output %d of %u", i, alias.input,
                    package.num_inputs, alias.output, package.num_outputs);
    const sectile_abi_tensor &input = package.inputs[alias.input];
    const sectile_abi_tensor &output = package.outputs[alias.output];
    if (input.dtype != output.dtype || input.rank != output.rank)
      return refuse("alias of '%s' and '%s' expects one dtype and rank", input.name, output.name);
    bool dimFits = alias.dim >= 0 && alias.dim < input.rank;
    if (!dimFits || alias.capacity < -1 || alias.reserved != 0)
      return refuse("alias of '%s' and '%s' has dimension %d, capacity %" PRId64, input.name,
                    output.name, alias.dim, alias.capacity);
    for (uint32_t j = 0; j < i; ++j)
      if (package.aliases[j].input == alias.input || package.aliases[j].output == alias.output)
        return refuse("'%s' or '%s' appears in two aliases", input.name, output.name);
  }
  return true;
}

bool Checker::checkDevice(const sectile_abi_target &target, const sectile_abi_device &device) {
  if (!checkArray("images", device.num_images, device.images))
    return false;
  if (target.num_kernels > 0 && !device.kernels)
    return refuse("target '%s' does not say what its kernels take", target.name);
  for (uint32_t i = 0; i < device.num_images; ++i)
    if (!device.images[i].data || device.images[i].reserved != 0)
      return refuse("image %u of target '%s' is damaged", i, target.name);
  const int64_t *launchShared = launchSharedOf(package, target);
  for (uint32_t i = 0; launchShared && i < target.num_kernels; ++i)
    if (launchShared[i] < 0 || launchShared[i] > device.kernels[i].shared_bytes)
      return refuse("launches of kernel '%s' give %" PRId64 " of %" PRId64
                    " bytes of shared memory",
                    target.kernels[i].name, launchShared[i], device.kernels[i].shared_bytes);
  for (uint32_t i = 0; i < target.num_kernels; ++i)
    if (device.kernels[i].threads < 1 || device.kernels[i].shared_bytes < 0)
      return refuse("kernel '%s' expects at least one thread, but has %d", target.kernels[i].name,
                    device.kernels[i].threads);
  const char *const *arguments = deviceArgumentsOf(package, target);
  for (uint32_t i = 0; arguments && i < target.num_kernels; ++i)
    if (!arguments[i] || arguments[i][strspn(arguments[i], "bi")] != '\0')
      return refuse("kernel '%s' expects arguments described by 'b' and 'i', but got '%s'",
                    target.kernels[i].name, arguments[i] ? arguments[i] : "");
  if (device.calls_for_memory > 1)
    return refuse("target '%s' asks for memory in a way that this runtime (%s) does not know",
                  target.name, sectile_version());
  if (device.constants_offset > package.constants_bytes ||
      device.constants_offset % kConstantsAlignment != 0)
    return refuse("constants of target '%s' begin at byte %" PRIu64 " of %" PRIu64, target.name,
                  device.constants_offset, package.constants_bytes);
  return true;
}

bool Checker::checkLevel(const sectile_abi_target &target, const sectile_abi_level &level,
                         bool isDevice) {
  if (!level.name)
    return refuse("a level of target '%s' has no name", target.name);
  if (target.num_kernels > 0 && !level.kernels)
    return refuse("level '%s' has no kernels", level.name);
  for (uint32_t i = 0; i < target.num_kernels; ++i) {
    const sectile_abi_kernel_code &code = level.kernels[i];
    if (!code.info || (code.run != nullptr) == isDevice)
      return refuse("kernel '%s' has no code at level '%s'", target.kernels[i].name, level.name);
    if (code.num_failures < 0 || (code.num_failures > 0 && !code.failures))
      return refuse("kernel '%s' has %d failure messages at level '%s'", target.kernels[i].name,
                    code.num_failures, level.name);
    for (int32_t f = 0; f < code.num_failures; ++f)
      if (!code.failures[f])
        return refuse("kernel '%s' has no failure message %d at level '%s'", target.kernels[i].name,
                      f, level.name);
  }
  return true;
}

bool Checker::checkTargets() {
  if (package.num_targets == 0)
    return refuse("expects at least one target");
  if (!checkArray("targets", package.num_targets, package.targets))
    return false;
  const sectile_abi_device *devices = devicesOf(package);
  for (uint32_t t = 0; t < package.num_targets; ++t) {
    const sectile_abi_target &target = package.targets[t];
    bool isDevice = devices && devices[t].num_images > 0;
    if (!target.name)
      return refuse("target %u has no name", t);
    if (!target.prepare || !target.run)
      return refuse("target '%s' has no host program", target.name);
    if (target.num_levels == 0)
      return refuse("target '%s' expects at least one level", target.name);
    if (!checkArray("kernels", target.num_kernels, target.kernels) ||
        !checkArray("levels", target.num_levels, target.levels))
      return false;
    for (uint32_t i = 0; i < target.num_kernels; ++i) {
      const sectile_abi_kernel &kernel = target.kernels[i];
      if (!kernel.name || !kernel.nodes || !kernel.description || !kernel.schedule)
        return refuse("kernel %u of target '%s' is not described", i, target.name);
    }
    for (uint32_t i = 0; i < target.num_levels; ++i)
      if (!checkLevel(target, target.levels[i], isDevice))
        return false;
    if (isDevice && !checkDevice(target, devices[t]))
      return false;
  }
  return true;
}

bool Checker::checkConstants() {
  bool inside = package.constants != nullptr;
  bool beside = package.weights_file != nullptr;
  if (package.constants_bytes > static_cast<uint64_t>(INT64_MAX))
    return refuse("expects constants of at most 2^63 bytes, but got %" PRIu64,
                  package.constants_bytes);
  if (package.constants_bytes == 0 && (inside || beside))
    return refuse("has a place for constants, but none");
  if (package.constants_bytes > 0 && inside == beside)
    return refuse("expects constants either inside the package or beside it");
  if (reinterpret_cast<uintptr_t>(package.constants) % kConstantsAlignment != 0)
    return refuse("expects constants aligned to %" PRIu64 " bytes", kConstantsAlignment);
  return checkPieces();
}

bool Checker::checkPieces() {
  std::span<const sectile_abi_piece> pieces = piecesOf(package);
  if (!pieces.empty() && !package.weights_file)
    return refuse("has pieces of constants, but no folder for them");
  uint64_t end = 0;
  for (const sectile_abi_piece &piece : pieces) {
    if (!piece.name || strlen(piece.name) != SECTILE_PIECE_NAME_BYTES ||
        strspn(piece.name, "0123456789abcdef") != SECTILE_PIECE_NAME_BYTES)
      return refuse("expects pieces to be called by %u digits, but got '%s'",
                    unsigned(SECTILE_PIECE_NAME_BYTES), piece.name ? piece.name : "");
    // What is mapped for a piece reaches to the end of its last page.
    if (piece.offset % SECTILE_PIECE_ALIGNMENT != 0 || piece.offset < end || piece.bytes == 0 ||
        piece.offset > package.constants_bytes ||
        piece.bytes > package.constants_bytes - piece.offset)
      return refuse("expects piece '%s' at a place of its own in %" PRIu64
                    " bytes of constants, but got %" PRIu64 " bytes at %" PRIu64,
                    piece.name, package.constants_bytes, piece.bytes, piece.offset);
    end = piece.offset + piece.bytes;
  }
  return true;
}

bool Checker::checkLoops() {
  if (package.size < offsetof(sectile_package_descriptor, devices) || !package.loop_ends)
    return true;
  uint32_t end = 0;
  size_t number = 0;
  for (uint32_t t = 0; t < package.num_targets; ++t) {
    const sectile_abi_target &target = package.targets[t];
    for (size_t i = 0; i < size_t(target.num_levels) * target.num_kernels; ++i, ++number) {
      if (package.loop_ends[number] < end)
        return refuse("loops of kernel %zu end before they begin", number);
      end = package.loop_ends[number];
    }
  }
  return end == 0 || package.loops || refuse("loops are counted, but not there");
}

sectile_status Checker::check() {
  if (package.magic != SECTILE_PACKAGE_MAGIC)
    return fail(message, SECTILE_INVALID_PACKAGE,
                "not a package: expected magic number 0x%08x, but got 0x%08x",
                SECTILE_PACKAGE_MAGIC, package.magic);
  if (package.abi != SECTILE_PACKAGE_ABI)
    return fail(message, SECTILE_UNSUPPORTED,
                "package has ABI version %u, but this runtime (%s) reads version %u", package.abi,
                sectile_version(), SECTILE_PACKAGE_ABI);
  // What was added since, readers use only where the size covers it.
  constexpr size_t kFirstSize = offsetof(sectile_package_descriptor, loops);
  if (package.size < kFirstSize)
    return fail(message, SECTILE_INVALID_PACKAGE,
                "damaged package: expects a descriptor of at least %zu bytes, but got %" PRIu64,
                kFirstSize, package.size);
  bool good = true;
  if (package.reserved != 0)
    good = refuse("expects a reserved field to be 0, but got %u", package.reserved);
  else if (!package.compiler_version || !package.model_name || !package.options)
    good = refuse("it lacks compiler version, model name or options");
  good = good && checkTensors("inputs", package.num_inputs, package.inputs) &&
         checkTensors("outputs", package.num_outputs, package.outputs) && checkSymbols() &&
         checkAliases() && checkTargets() && checkConstants() && checkLoops();
  return good ? SECTILE_OK : SECTILE_INVALID_PACKAGE;
}

} // namespace

const sectile_abi_device *devicesOf(const sectile_package_descriptor &descriptor) {
  constexpr size_t kSize = offsetof(sectile_package_descriptor, devices) + sizeof(void *);
  return descriptor.size < kSize ? nullptr : descriptor.devices;
}

const int64_t *launchSharedOf(const sectile_package_descriptor &descriptor,
                              const sectile_abi_target &target) {
  constexpr size_t kSize = offsetof(sectile_package_descriptor, launch_shared) + sizeof(void *);
  if (descriptor.size < kSize || !descriptor.launch_shared)
    return nullptr;
  return descriptor.launch_shared[&target - descriptor.targets];
}

const char *const *deviceArgumentsOf(const sectile_package_descriptor &descriptor,
                                     const sectile_abi_target &target) {
  constexpr size_t kSize = offsetof(sectile_package_descriptor, device_arguments) + sizeof(void *);
  if (descriptor.size < kSize || !descriptor.device_arguments)
    return nullptr;
  return descriptor.device_arguments[&target - descriptor.targets];
}

std::span<const sectile_abi_piece> piecesOf(const sectile_package_descriptor &descriptor) {
  constexpr size_t kSize = offsetof(sectile_package_descriptor, num_pieces) + sizeof(uint64_t);
  if (descriptor.size < kSize || !descriptor.pieces)
    return {};
  return {descriptor.pieces, descriptor.num_pieces};
}

sectile_status checkDescriptor(const sectile_package_descriptor &descriptor, Message &message) {
  return Checker(descriptor, message).check();
}

} // namespace sectile::runtime
