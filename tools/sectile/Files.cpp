//===- Files.cpp - reading and writing files --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Files.h"

#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace sectile::tools {

Result<InputFile> InputFile::open(const std::string &path) {
  InputFile result;
  result.name = path;
  // O_NONBLOCK: a FIFO is refused below instead of waited for.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat status;
  if (descriptor < 0)
    return tools::failure(kRefused, "cannot open '%s': %s", path.c_str(), strerror(errno));
  result.file.reset(fdopen(descriptor, "rb"));
  if (!result.file || fstat(descriptor, &status) != 0)
    return tools::failure(kRefused, "cannot open '%s': %s", path.c_str(), strerror(errno));
  if (!S_ISREG(status.st_mode))
    return tools::failure(kRefused, "expects '%s' to be a regular file", path.c_str());
  result.left = static_cast<uint64_t>(status.st_size);
  return result;
}

Result<Done> InputFile::read(std::span<std::byte> out) {
  if (out.size() > left)
    return tools::failure(kRefused, "'%s' is truncated: expected %zu more bytes, but got %" PRIu64,
                          name.c_str(), out.size(), left);
  if (fread(out.data(), 1, out.size(), file.get()) != out.size())
    return tools::failure(kRefused, "cannot read '%s': %s", name.c_str(),
                          ferror(file.get()) ? strerror(errno) : "it became shorter");
  left -= out.size();
  return Done{};
}

namespace {

Failure writeFailure(const std::string &path, int error) {
  return failure(kEnvironment, "cannot write '%s': %s", path.c_str(), strerror(error));
}

/// Writes everything; returns 0 or errno.
int writeAll(int file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return errno;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return 0;
}

} // namespace

OutputFiles::~OutputFiles() {
  for (const Staged &file : staged)
    unlink(file.temporary.c_str());
}

Result<Done> OutputFiles::write(const std::string &path,
                                std::span<const std::span<const std::byte>> parts) {
  // The rename of `commit` would replace a device or a pipe by a file.
  struct stat status;
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    return failure(kEnvironment, "cannot write '%s': expects a regular file or a new one",
                   path.c_str());
  std::string temporary = path + ".tmp" + std::to_string(getpid());
  int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0)
    return writeFailure(path, errno);
  staged.push_back({temporary, path});
  int error = 0;
  for (std::span<const std::byte> part : parts)
    if (error == 0)
      error = writeAll(file, part);
  // Network file systems report a full disk only here.
  if (close(file) != 0 && error == 0)
    error = errno;
  if (error != 0)
    return writeFailure(path, error);
  return Done{};
}

Result<Done> OutputFiles::write(const std::string &path, std::string_view text) {
  std::span<const std::byte> part = std::as_bytes(std::span(text.data(), text.size()));
  return write(path, std::span(&part, 1));
}

Result<Done> OutputFiles::commit() {
  for (Staged &file : staged) {
    if (file.temporary.empty())
      continue;
    if (rename(file.temporary.c_str(), file.path.c_str()) != 0)
      return writeFailure(file.path, errno);
    file.temporary.clear();
  }
  staged.clear();
  return Done{};
}

Result<Done> makeFolders(const std::string &path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error && !std::filesystem::is_directory(path, error) && !error)
    error = std::make_error_code(std::errc::not_a_directory);
  if (error)
    return failure(kEnvironment, "cannot make folder '%s': %s", path.c_str(),
                   error.message().c_str());
  return Done{};
}

} // namespace sectile::tools
