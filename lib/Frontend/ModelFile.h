//===- ModelFile.h - the only code that opens files of a model --*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A model is data from anywhere, and may name further files. Every file of a
// model is opened by `MappedFile::open...` and nowhere else, so that one place
// decides what may be read: the model itself, and regular files below its
// folder that are reached without links.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_MODELFILE_H
#define SECTILE_LIB_FRONTEND_MODELFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>

namespace sectile::frontend {

/// A read-only mapping of a whole regular file.
class MappedFile {
public:
  /// Maps the file the user named; links are followed, since the user chose the path.
  static llvm::Expected<std::shared_ptr<MappedFile>> openModel(llvm::StringRef path,
                                                               uint64_t maxBytes);
  /// Maps a file that a model in `folder` refers to. `name` is relative, stays below `folder`,
  /// and neither a component nor the file is a symbolic link; files with several hard links are
  /// refused, since they may be a file of somebody else's.
  static llvm::Expected<std::shared_ptr<MappedFile>>
  openBeside(llvm::StringRef folder, llvm::StringRef name, uint64_t maxBytes);

  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  llvm::ArrayRef<char> bytes() const { return {data, static_cast<size_t>(size)}; }

private:
  MappedFile(const char *data, uint64_t size) : data(data), size(size) {}
  static llvm::Expected<std::shared_ptr<MappedFile>> map(int descriptor, llvm::StringRef shown,
                                                         uint64_t maxBytes, bool refuseHardLinks);
  const char *data;
  uint64_t size;
};

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_MODELFILE_H
