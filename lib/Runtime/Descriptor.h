//===- Descriptor.h - checks of a package's descriptor ----------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_RUNTIME_DESCRIPTOR_H
#define SECTILE_LIB_RUNTIME_DESCRIPTOR_H

#include "Message.h"

#include "sectile/Package/Abi.h"

#include <span>

namespace sectile::runtime {

/// Checks everything in `descriptor` that later code relies on: magic, ABI, size,
/// counts, pointers, dtypes, ranks, dims, aliases, code addresses, constants.
/// SECTILE_INVALID_PACKAGE, or SECTILE_UNSUPPORTED for another ABI; the message
/// names what was expected and found.
sectile_status checkDescriptor(const sectile_package_descriptor &descriptor, Message &message);

/// The files of a folder that the constants lie in; none where they are in one place.
std::span<const sectile_abi_piece> piecesOf(const sectile_package_descriptor &descriptor);

/// What launches of a target's kernels have to give of their shared memory; null: nothing.
const int64_t *launchSharedOf(const sectile_package_descriptor &descriptor,
                              const sectile_abi_target &target);

/// The order of the arguments of a target's kernels; null where the package does not tell.
const char *const *deviceArgumentsOf(const sectile_package_descriptor &descriptor,
                                     const sectile_abi_target &target);

/// What the targets have beside code of the CPU; null in packages that do not tell.
const sectile_abi_device *devicesOf(const sectile_package_descriptor &descriptor);

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_DESCRIPTOR_H
