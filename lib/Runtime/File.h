//===- File.h - files that close themselves ---------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef SECTILE_LIB_RUNTIME_FILE_H
#define SECTILE_LIB_RUNTIME_FILE_H

#include <cstddef>
#include <cstdint>
#include <unistd.h>

namespace sectile::runtime {

/// A file descriptor that closes itself.
class File {
public:
  explicit File(int number) : number(number) {}
  ~File() {
    if (number >= 0)
      ::close(number);
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  explicit operator bool() const { return number >= 0; }
  int operator*() const { return number; }

  /// Reads exactly `bytes` from `offset`; false if there are less or the system fails.
  bool readAt(uint64_t offset, void *out, size_t bytes) const;

private:
  int number;
};

} // namespace sectile::runtime

#endif // SECTILE_LIB_RUNTIME_FILE_H
