//===- Files.h - reading and writing files ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_FILES_H
#define SECTILE_TOOLS_SECTILE_FILES_H

#include "Result.h"
#include "Tensor.h"

#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sectile::tools {

/// A regular file open for reading, front to back.
class InputFile {
public:
  static Result<InputFile> open(const std::string &path);

  /// Bytes that are left.
  uint64_t remaining() const { return left; }
  const std::string &path() const { return name; }

  /// Fills `out` with the next bytes; a failure if fewer are left.
  Result<Done> read(std::span<std::byte> out);

private:
  struct Close {
    void operator()(FILE *file) const { fclose(file); }
  };
  std::unique_ptr<FILE, Close> file;
  std::string name;
  uint64_t left = 0;
};

/// Writes files so that each appears complete or not at all, and none appears
/// unless all could be written: `write` fills a temporary file beside the final
/// place, `commit` renames them all, and what was not committed is removed.
class OutputFiles {
public:
  OutputFiles() = default;
  OutputFiles(const OutputFiles &) = delete;
  OutputFiles &operator=(const OutputFiles &) = delete;
  ~OutputFiles();

  /// Stages `path` with the concatenation of `parts`.
  Result<Done> write(const std::string &path, std::span<const std::span<const std::byte>> parts);
  Result<Done> write(const std::string &path, std::string_view text);
  Result<Done> commit();

private:
  struct Staged {
    std::string temporary, path;
  };
  std::vector<Staged> staged;
};

/// Makes the folder `path` and those above it, unless they exist.
Result<Done> makeFolders(const std::string &path);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_FILES_H
