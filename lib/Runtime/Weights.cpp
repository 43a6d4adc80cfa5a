//===- Weights.cpp - constants beside a package -----------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Weights.h"

#include "Descriptor.h"
#include "File.h"

#include <cerrno>
#include <cinttypes>
#include <climits>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <sys/mman.h>
#include <sys/stat.h>

namespace sectile::runtime {

namespace {

/// O_NONBLOCK: opening a FIFO must fail, not wait for a writer.
constexpr int kReadFlags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;

/// Whether `file`, just opened, is a regular one of `bytes` bytes.
sectile_status checkFile(const File &file, const char *name, uint64_t bytes, Message &message) {
  if (!file && errno == ELOOP)
    return fail(message, SECTILE_INVALID_PACKAGE,
                "expects weights file '%s' to be a regular file, but it is a symbolic link", name);
  struct stat status;
  if (!file || fstat(*file, &status) != 0)
    return fail(message, SECTILE_SYSTEM, "cannot open weights file '%s' beside the package: %s",
                name, strerror(errno));
  if (!S_ISREG(status.st_mode))
    return fail(message, SECTILE_INVALID_PACKAGE, "expects weights file '%s' to be a regular file",
                name);
  if (static_cast<uint64_t>(status.st_size) != bytes)
    return fail(message, SECTILE_INVALID_PACKAGE,
                "expects weights file '%s' to have %" PRIu64 " bytes, but it has %" PRIu64, name,
                bytes, static_cast<uint64_t>(status.st_size));
  return SECTILE_OK;
}

sectile_status cannotMap(Message &message, const char *name, uint64_t bytes) {
  return fail(message, SECTILE_SYSTEM, "cannot map weights '%s' of %" PRIu64 " bytes: %s", name,
              bytes, strerror(errno));
}

/// The folder of `path`, or an error that no descriptor belongs to.
int openFolderOf(const char *path) {
  char folder[PATH_MAX];
  const char *slash = strrchr(path, '/');
  size_t length = slash ? static_cast<size_t>(slash - path) + 1 : 0;
  if (length + 2 > sizeof folder) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(folder, path, length);
  memcpy(folder + length, ".", 2);
  return ::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

sectile_status mapPiece(const File &folder, const sectile_abi_piece &piece, char *place,
                        Message &message) {
  File file(openat(*folder, piece.name, kReadFlags));
  if (sectile_status status =
          checkFile(file, piece.name, piece.bytes + sizeof(sectile_abi_piece_end), message))
    return status;
  sectile_abi_piece_end end;
  if (!file.readAt(piece.bytes, &end, sizeof end))
    return fail(message, SECTILE_SYSTEM, "cannot read weights file '%s': %s", piece.name,
                strerror(errno));
  if (end.magic != SECTILE_PIECE_MAGIC || end.bytes != piece.bytes || end.hash != piece.hash ||
      memcmp(end.name, piece.name, SECTILE_PIECE_NAME_BYTES) != 0)
    return fail(message, SECTILE_INVALID_PACKAGE,
                "expects weights file '%s' to end in what it holds, but it does not", piece.name);
  void *mapped =
      mmap(place + piece.offset, piece.bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, *file, 0);
  return mapped == MAP_FAILED ? cannotMap(message, piece.name, piece.bytes) : SECTILE_OK;
}

} // namespace

void Mapping::unmap() {
  if (data)
    munmap(const_cast<void *>(data), bytes);
  data = nullptr;
}

sectile_status mapWeights(const char *besidePath, const sectile_package_descriptor &package,
                          Mapping &mapping, Message &message) {
  const char *name = package.weights_file;
  if (name[0] == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return fail(message, SECTILE_INVALID_PACKAGE,
                "expects the weights file to be a bare file name, but got '%s'", name);
  File folder(openFolderOf(besidePath));
  if (!folder)
    return fail(message, SECTILE_SYSTEM, "cannot open the folder of '%s': %s", besidePath,
                strerror(errno));
  std::span<const sectile_abi_piece> pieces = piecesOf(package);
  uint64_t bytes = package.constants_bytes;
  File file(openat(*folder, name, pieces.empty() ? kReadFlags : kReadFlags | O_DIRECTORY));
  void *place = MAP_FAILED;
  if (pieces.empty()) {
    if (sectile_status status = checkFile(file, name, bytes, message))
      return status;
    place = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, *file, 0);
  } else {
    if (!file)
      return fail(message, SECTILE_SYSTEM, "cannot open the folder of weights '%s' beside '%s': %s",
                  name, besidePath, strerror(errno));
    // Zeros, most of which the pieces are mapped over.
    place = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  if (place == MAP_FAILED)
    return cannotMap(message, name, bytes);
  mapping.data = place;
  mapping.bytes = bytes;
  for (const sectile_abi_piece &piece : pieces)
    if (sectile_status status = mapPiece(file, piece, static_cast<char *>(place), message))
      return status;
  return SECTILE_OK;
}

} // namespace sectile::runtime
