//===- SharedObject.h - opening a package's files ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_RUNTIME_SHAREDOBJECT_H
#define SECTILE_LIB_RUNTIME_SHAREDOBJECT_H

#include "Message.h"

#include <cstdint>

namespace sectile::runtime {

/// A loaded shared object.
class SharedObject {
public:
  /// Loads the file at `path`. Refuses, before any of its code runs, what is not
  /// a complete ELF shared object for this architecture: the dynamic linker maps
  /// a truncated one without complaint and dies on the missing pages.
  sectile_status open(const char *path, Message &message);

  /// Address of an exported symbol, or null.
  const void *find(const char *symbol) const;

  /// Path of the file with symbolic links resolved.
  const char *path() const { return resolvedPath; }

  void close();

private:
  void *handle = nullptr;
  char resolvedPath[4096] = {};
};

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_SHAREDOBJECT_H
