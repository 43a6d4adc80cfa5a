//===- ModelFile.cpp - the only code that opens files of a model -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelFile.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace sectile::frontend;
using llvm::Expected;
using llvm::StringRef;

namespace {
/// Closes a descriptor at the end of a scope.
struct Descriptor {
  explicit Descriptor(int value) : value(value) {}
  ~Descriptor() {
    if (value >= 0)
      ::close(value);
  }
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  int release() { return std::exchange(value, -1); }
  int value;
};
} // namespace

static llvm::Error refuse(StringRef shown, const llvm::Twine &why) {
  return llvm::createStringError("'" + shown + "': " + why);
}

/// Opens `name` below `folder` one component at a time: for kernels without openat2.
static int openComponents(int folder, StringRef name) {
  llvm::SmallVector<StringRef> parts;
  name.split(parts, '/', -1, /*KeepEmpty=*/false);
  Descriptor at(::dup(folder));
  for (StringRef part : llvm::ArrayRef(parts).drop_back()) {
    int next =
        ::openat(at.value, part.str().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0)
      return -1;
    ::close(std::exchange(at.value, next));
  }
  return ::openat(at.value, parts.back().str().c_str(),
                  O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static int openBelow(int folder, StringRef name) {
  struct open_how how = {};
  how.flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long descriptor = ::syscall(SYS_openat2, folder, name.str().c_str(), &how, sizeof(how));
  if (descriptor >= 0 || (errno != ENOSYS && errno != EPERM))
    return static_cast<int>(descriptor);
  return openComponents(folder, name);
}

Expected<std::shared_ptr<MappedFile>> MappedFile::map(int raw, StringRef shown, uint64_t maxBytes,
                                                      bool refuseHardLinks) {
  Descriptor file(raw);
  if (raw < 0)
    return refuse(shown, llvm::Twine("cannot be opened: ") +
                             (errno == ELOOP ? "it is or lies behind a symbolic link"
                                             : std::strerror(errno)));
  struct stat status;
  if (::fstat(file.value, &status) != 0)
    return refuse(shown, llvm::Twine("cannot be read: ") + std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    return refuse(shown, "expects a regular file");
  if (refuseHardLinks && status.st_nlink > 1)
    return refuse(shown, "expects a file with one hard link, but got " +
                             llvm::Twine(static_cast<uint64_t>(status.st_nlink)));
  uint64_t size = static_cast<uint64_t>(status.st_size);
  if (size == 0)
    return refuse(shown, "the file is empty");
  if (size > maxBytes)
    return refuse(shown, "expects at most " + llvm::Twine(maxBytes) + " bytes, but got " +
                             llvm::Twine(size));
  void *data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (data == MAP_FAILED)
    return refuse(shown, llvm::Twine("cannot be mapped: ") + std::strerror(errno));
  return std::shared_ptr<MappedFile>(new MappedFile(static_cast<const char *>(data), size));
}

MappedFile::~MappedFile() { ::munmap(const_cast<char *>(data), size); }

Expected<std::shared_ptr<MappedFile>> MappedFile::openModel(StringRef path, uint64_t maxBytes) {
  int descriptor = ::open(path.str().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  return map(descriptor, path, maxBytes, /*refuseHardLinks=*/false);
}

Expected<std::shared_ptr<MappedFile>> MappedFile::openBeside(StringRef folder, StringRef name,
                                                             uint64_t maxBytes) {
  if (name.empty() || name.contains('\0') || name.size() > 4096)
    return refuse("external data", "expects a file name");
  if (name.starts_with("/"))
    return refuse(name, "external data must lie in the model's folder, but the path is absolute");
  llvm::SmallVector<StringRef> parts;
  name.split(parts, '/');
  if (llvm::is_contained(parts, "..") || parts.back().empty() || parts.back() == ".")
    return refuse(name, "external data must lie in the model's folder");
  Descriptor at(
      ::open(folder.empty() ? "." : folder.str().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at.value < 0)
    return refuse(folder, llvm::Twine("cannot be opened: ") + std::strerror(errno));
  return map(openBelow(at.value, name), name, maxBytes, /*refuseHardLinks=*/true);
}
