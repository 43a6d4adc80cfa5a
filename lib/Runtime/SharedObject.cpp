//===- SharedObject.cpp - opening a package's files -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedObject.h"

#include <cerrno>
#include <cinttypes>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sectile::runtime {

namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "packages exist for x86-64 and AArch64 only"
#endif

/// A file descriptor that closes itself.
class Descriptor {
public:
  explicit Descriptor(int number) : number(number) {}
  ~Descriptor() {
    if (number >= 0)
      ::close(number);
  }
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  explicit operator bool() const { return number >= 0; }
  int operator*() const { return number; }

private:
  int number;
};

bool readAt(int file, uint64_t offset, void *out, size_t bytes) {
  char *cursor = static_cast<char *>(out);
  while (bytes > 0) {
    ssize_t got = pread(file, cursor, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    cursor += got;
    offset += static_cast<uint64_t>(got);
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

sectile_status refuseFile(Message &message, const char *path, const char *reason) {
  return fail(message, SECTILE_INVALID_PACKAGE, "'%s' is not a package: %s", path, reason);
}

/// Checks the parts of an ELF file that the dynamic linker trusts.
sectile_status checkElf(int file, uint64_t fileBytes, const char *path, Message &message) {
  Elf64_Ehdr header;
  if (fileBytes < sizeof header || !readAt(file, 0, &header, sizeof header))
    return refuseFile(message, path, "expected an ELF shared object, but the file is too short");
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return refuseFile(message, path, "expected an ELF shared object");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_type != ET_DYN)
    return refuseFile(message, path, "expected a 64-bit little-endian ELF shared object");
  if (header.e_machine != kMachine)
    return fail(message, SECTILE_UNSUPPORTED,
                "'%s' is for another architecture: expected ELF machine %u, but got %u", path,
                kMachine, header.e_machine);
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0)
    return refuseFile(message, path, "expected ELF program headers");

  for (uint16_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    uint64_t offset, end;
    if (__builtin_add_overflow(header.e_phoff, uint64_t(i) * sizeof segment, &offset) ||
        __builtin_add_overflow(offset, sizeof segment, &end) || end > fileBytes ||
        !readAt(file, offset, &segment, sizeof segment))
      return refuseFile(message, path, "the file is truncated");
    if (__builtin_add_overflow(segment.p_offset, segment.p_filesz, &end) || end > fileBytes)
      return fail(message, SECTILE_INVALID_PACKAGE,
                  "'%s' is truncated: segment %u needs %" PRIu64 " bytes from offset %" PRIu64
                  ", but the file has %" PRIu64 " bytes",
                  path, i, segment.p_filesz, segment.p_offset, fileBytes);
  }
  return SECTILE_OK;
}

} // namespace

sectile_status SharedObject::open(const char *path, Message &message) {
  static_assert(sizeof resolvedPath >= PATH_MAX);
  if (!realpath(path, resolvedPath))
    return fail(message, SECTILE_SYSTEM, "cannot open package '%s': %s", path, strerror(errno));
  {
    // O_NONBLOCK: opening a FIFO must fail below, not wait for a writer.
    Descriptor file(::open(resolvedPath, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status;
    if (!file || fstat(*file, &status) != 0)
      return fail(message, SECTILE_SYSTEM, "cannot open package '%s': %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
      return refuseFile(message, path, "expected a regular file");
    sectile_status checked = checkElf(*file, static_cast<uint64_t>(status.st_size), path, message);
    if (checked != SECTILE_OK)
      return checked;
  }
  handle = dlopen(resolvedPath, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    return fail(message, SECTILE_INVALID_PACKAGE, "cannot load package '%s': %s", path,
                reason ? reason : "the dynamic linker gives no reason");
  }
  return SECTILE_OK;
}

const void *SharedObject::find(const char *symbol) const { return dlsym(handle, symbol); }

void SharedObject::close() {
  if (handle)
    dlclose(handle);
  handle = nullptr;
}

void MappedFile::unmap() {
  if (data)
    munmap(const_cast<void *>(data), bytes);
  data = nullptr;
}

sectile_status mapFileBeside(const char *besidePath, const char *name, uint64_t bytes,
                             MappedFile &file, Message &message) {
  if (name[0] == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return fail(message, SECTILE_INVALID_PACKAGE,
                "expects the weights file to be a bare file name, but got '%s'", name);
  char folder[PATH_MAX];
  const char *slash = strrchr(besidePath, '/');
  size_t folderBytes = slash ? static_cast<size_t>(slash - besidePath) + 1 : 0;
  if (folderBytes + 2 > sizeof folder)
    return fail(message, SECTILE_SYSTEM, "cannot open weights file '%s': path too long", name);
  memcpy(folder, besidePath, folderBytes);
  memcpy(folder + folderBytes, ".", 2);

  Descriptor directory(::open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory)
    return fail(message, SECTILE_SYSTEM, "cannot open folder '%s': %s", folder, strerror(errno));
  Descriptor opened(openat(*directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!opened && errno == ELOOP)
    return fail(message, SECTILE_INVALID_PACKAGE,
                "expects weights file '%s' to be a regular file, but it is a symbolic link", name);
  struct stat status;
  if (!opened || fstat(*opened, &status) != 0)
    return fail(message, SECTILE_SYSTEM, "cannot open weights file '%s' beside '%s': %s", name,
                besidePath, strerror(errno));
  if (!S_ISREG(status.st_mode))
    return fail(message, SECTILE_INVALID_PACKAGE, "expects weights file '%s' to be a regular file",
                name);
  if (static_cast<uint64_t>(status.st_size) != bytes)
    return fail(message, SECTILE_INVALID_PACKAGE,
                "expects weights file '%s' to have %" PRIu64 " bytes, but it has %" PRIu64, name,
                bytes, static_cast<uint64_t>(status.st_size));
  void *mapped = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, *opened, 0);
  if (mapped == MAP_FAILED)
    return fail(message, SECTILE_SYSTEM, "cannot map weights file '%s' of %" PRIu64 " bytes: %s",
                name, bytes, strerror(errno));
  file.data = mapped;
  file.bytes = bytes;
  return SECTILE_OK;
}

} // namespace sectile::runtime
