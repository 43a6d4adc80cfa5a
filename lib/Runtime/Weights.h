//===- Weights.h - constants beside a package -------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_RUNTIME_WEIGHTS_H
#define SECTILE_LIB_RUNTIME_WEIGHTS_H

#include "Message.h"

#include "sectile/Package/Abi.h"

#include <cstdint>

namespace sectile::runtime {

/// A read-only range of memory that files lie in.
struct Mapping {
  const void *data = nullptr;
  uint64_t bytes = 0;

  void unmap();
};

/// Maps the constants of `package`, whose descriptor has been checked and names a place beside the
/// package at `besidePath`: a regular file of that size, or regular files of pieces in a folder,
/// none behind a symbolic link. Undone by unmap, also after a failure.
sectile_status mapWeights(const char *besidePath, const sectile_package_descriptor &package,
                          Mapping &mapping, Message &message);

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_WEIGHTS_H
