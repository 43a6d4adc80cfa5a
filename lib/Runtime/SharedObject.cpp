//===- SharedObject.cpp - opening a package's files -------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedObject.h"

#include "File.h"

#include <cerrno>
#include <cinttypes>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace sectile::runtime {

namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "packages exist for x86-64 and AArch64 only"
#endif

sectile_status refuseFile(Message &message, const char *path, const char *reason) {
  return fail(message, SECTILE_INVALID_PACKAGE, "'%s' is not a package: %s", path, reason);
}

/// Checks the parts of an ELF file that the dynamic linker trusts.
sectile_status checkElf(const File &file, uint64_t fileBytes, const char *path, Message &message) {
  Elf64_Ehdr header;
  if (fileBytes < sizeof header || !file.readAt(0, &header, sizeof header))
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
        !file.readAt(offset, &segment, sizeof segment))
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

bool File::readAt(uint64_t offset, void *out, size_t bytes) const {
  char *cursor = static_cast<char *>(out);
  while (bytes > 0) {
    ssize_t got = pread(number, cursor, bytes, static_cast<off_t>(offset));
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

sectile_status SharedObject::open(const char *path, Message &message) {
  static_assert(sizeof resolvedPath >= PATH_MAX);
  if (!realpath(path, resolvedPath))
    return fail(message, SECTILE_SYSTEM, "cannot open package '%s': %s", path, strerror(errno));
  {
    // O_NONBLOCK: opening a FIFO must fail below, not wait for a writer.
    File file(::open(resolvedPath, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status;
    if (!file || fstat(*file, &status) != 0)
      return fail(message, SECTILE_SYSTEM, "cannot open package '%s': %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
      return refuseFile(message, path, "expected a regular file");
    sectile_status checked = checkElf(file, static_cast<uint64_t>(status.st_size), path, message);
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

} // namespace sectile::runtime
