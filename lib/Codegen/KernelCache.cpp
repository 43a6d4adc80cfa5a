//===- KernelCache.cpp - compiled kernels on disk ---------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "sectile/Codegen/KernelCache.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

#include <elf.h>
#include <link.h>

using namespace sectile;
namespace fs = llvm::sys::fs;

namespace {

/// The first bytes of an entry; the number changes with what follows them.
constexpr llvm::StringLiteral kMagic = "sectile-kernel-2\n";
constexpr llvm::StringLiteral kSuffix = ".kernel";

/// What the linker derived from the whole program: any change of the compiler changes it. Empty
/// where the program was linked without one.
std::string findBuildId() {
  std::string id;
  dl_iterate_phdr(
      [](dl_phdr_info *object, size_t, void *result) {
        for (unsigned i = 0; i < object->dlpi_phnum; ++i) {
          const ElfW(Phdr) &header = object->dlpi_phdr[i];
          if (header.p_type != PT_NOTE)
            continue;
          // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers
          auto *at = reinterpret_cast<const char *>(object->dlpi_addr + header.p_vaddr);
          const char *end = at + header.p_memsz;
          while (at + sizeof(ElfW(Nhdr)) <= end) {
            auto *note = reinterpret_cast<const ElfW(Nhdr) *>(at);
            const char *name = at + sizeof *note;
            const char *bytes = name + llvm::alignTo(note->n_namesz, 4);
            if (note->n_type == NT_GNU_BUILD_ID &&
                llvm::StringRef(name, note->n_namesz) == llvm::StringRef("GNU", 4))
              *static_cast<std::string *>(result) = std::string(bytes, note->n_descsz);
            at = bytes + llvm::alignTo(note->n_descsz, 4);
          }
        }
        return 1; // the program itself comes first; no other object matters
      },
      &id);
  return id;
}

/// Numbers in little endian order and texts behind their length.
class EntryWriter {
public:
  void number(uint64_t value) {
    char bytes[8];
    llvm::support::endian::write64le(bytes, value);
    out.append(bytes, sizeof bytes);
  }
  void text(llvm::StringRef value) {
    number(value.size());
    out += value;
  }
  std::string out;
};

/// Reads what EntryWriter wrote. Behind the end everything is 0 or empty, and `isGood` is false.
class EntryReader {
public:
  explicit EntryReader(llvm::StringRef rest) : rest(rest) {}
  uint64_t number() {
    if (rest.size() < 8) {
      isGood = false;
      return 0;
    }
    uint64_t value = llvm::support::endian::read64le(rest.data());
    rest = rest.drop_front(8);
    return value;
  }
  llvm::StringRef text() {
    uint64_t size = number();
    if (size > rest.size()) {
      isGood = false;
      return {};
    }
    llvm::StringRef value = rest.take_front(size);
    rest = rest.drop_front(size);
    return value;
  }
  /// A number of things that take 8 bytes or more each.
  uint64_t count() {
    uint64_t value = number();
    if (value > rest.size() / 8) {
      isGood = false;
      return 0;
    }
    return value;
  }
  bool isAtEnd() const { return rest.empty(); }
  bool isGood = true;

private:
  llvm::StringRef rest;
};

void write(EntryWriter &writer, const LoopStats &stats) {
  writer.number(uint64_t(stats.vectorOps) << 32 | stats.scalarOps);
}

LoopStats readLoop(EntryReader &reader) {
  uint64_t value = reader.number();
  return {.vectorOps = uint32_t(value >> 32), .scalarOps = uint32_t(value)};
}

std::string serialise(llvm::StringRef key, const CompiledKernel &kernel) {
  EntryWriter writer;
  writer.text(key);
  writer.number(kernel.facts.failures.size());
  for (const std::string &message : kernel.facts.failures)
    writer.text(message);
  // One more than the bytes, or 0 where they depend on sizes.
  writer.number(kernel.facts.scratchBytes ? uint64_t(*kernel.facts.scratchBytes) + 1 : 0);
  writer.number(kernel.stats.size());
  for (const auto &entry : kernel.stats) {
    writer.text(entry.getKey());
    write(writer, entry.getValue().total);
    writer.number(entry.getValue().loops.size());
    for (const LoopStats &loop : entry.getValue().loops)
      write(writer, loop);
  }
  writer.text(kernel.elf);
  return std::move(writer.out);
}

std::optional<CompiledKernel> deserialise(llvm::StringRef key, llvm::StringRef payload) {
  EntryReader reader(payload);
  if (reader.text() != key)
    return std::nullopt;
  CompiledKernel kernel;
  for (uint64_t i = 0, n = reader.count(); i < n; ++i)
    kernel.facts.failures.push_back(reader.text().str());
  if (uint64_t scratch = reader.number())
    kernel.facts.scratchBytes = static_cast<int64_t>(scratch - 1);
  for (uint64_t i = 0, n = reader.count(); i < n; ++i) {
    FunctionStats &stats = kernel.stats[reader.text()];
    stats.total = readLoop(reader);
    for (uint64_t j = 0, loops = reader.count(); j < loops; ++j)
      stats.loops.push_back(readLoop(reader));
  }
  kernel.elf = reader.text().str();
  if (!reader.isGood || !reader.isAtEnd())
    return std::nullopt;
  return kernel;
}

struct Entry {
  std::string path;
  uint64_t bytes;
  llvm::sys::TimePoint<> lastUse;
};

} // namespace

std::unique_ptr<KernelCache> KernelCache::open(llvm::StringRef path, uint64_t mostBytes,
                                               std::string &error) {
  std::string build = findBuildId();
  if (build.empty()) {
    error = "expects a compiler with a build id to keep kernels, but it was linked without";
    return nullptr;
  }
  std::error_code code = fs::create_directories(path);
  if (!code && !fs::is_directory(path)) // what exists is taken to be a folder
    code = std::make_error_code(std::errc::not_a_directory);
  if (!code)
    code = fs::access(path, fs::AccessMode::Write);
  if (code) {
    error = ("cannot write '" + path + "': " + code.message()).str();
    return nullptr;
  }
  return std::unique_ptr<KernelCache>(new KernelCache(path, mostBytes, std::move(build)));
}

KernelCache::Key KernelCache::makeKey(llvm::StringRef text) const {
  llvm::BLAKE3 hasher;
  hasher.update(kMagic);
  hasher.update(build);
  hasher.update(text);
  return llvm::toHex(hasher.final(), /*LowerCase=*/true);
}

std::string KernelCache::pathOf(const Key &key) const {
  llvm::SmallString<128> file(path);
  // Many folders: none grows so long that looking into it takes time.
  llvm::sys::path::append(file, llvm::StringRef(key).take_front(2), key + kSuffix);
  return file.str().str();
}

std::optional<CompiledKernel> KernelCache::lookup(const Key &key) {
  std::string file = pathOf(key);
  std::optional<CompiledKernel> kernel;
  if (auto buffer = llvm::MemoryBuffer::getFile(file, /*IsText=*/false,
                                                /*RequiresNullTerminator=*/false)) {
    llvm::StringRef bytes = (*buffer)->getBuffer();
    if (bytes.consume_front(kMagic) && bytes.size() >= 8) {
      uint64_t sum = llvm::support::endian::read64le(bytes.data());
      bytes = bytes.drop_front(8);
      if (sum == llvm::xxh3_64bits(bytes))
        kernel = deserialise(key, bytes);
    }
    // The time of change is that of the last use: reading leaves none behind on most systems.
    if (int descriptor;
        kernel && !fs::openFileForReadWrite(file, descriptor, fs::CD_OpenExisting, fs::OF_None)) {
      (void)fs::setLastAccessAndModificationTime(descriptor, std::chrono::system_clock::now());
      fs::file_t open = descriptor;
      (void)fs::closeFile(open);
    }
  }
  ++(kernel ? numHits : numMisses);
  return kernel;
}

void KernelCache::store(const Key &key, const CompiledKernel &kernel) {
  std::string file = pathOf(key), payload = serialise(key, kernel);
  char sum[8];
  llvm::support::endian::write64le(sum, llvm::xxh3_64bits(payload));
  int descriptor;
  llvm::SmallString<128> temporary;
  if (fs::create_directories(llvm::sys::path::parent_path(file)) ||
      fs::createUniqueFile(file + ".tmp-%%%%%%", descriptor, temporary))
    return;
  llvm::raw_fd_ostream out(descriptor, /*shouldClose=*/true);
  out << kMagic;
  out.write(sum, sizeof sum);
  out << payload;
  out.close();
  bool isWritten = !out.has_error();
  out.clear_error();
  if (!isWritten || fs::rename(temporary, file)) {
    (void)fs::remove(temporary);
    return;
  }
  hasStored = true;
}

KernelCache::~KernelCache() {
  if (!hasStored)
    return;
  std::vector<Entry> entries;
  uint64_t total = 0;
  std::error_code code;
  auto now = std::chrono::system_clock::now();
  for (fs::directory_iterator folder(path, code), end; folder != end && !code;
       folder.increment(code)) {
    if (llvm::sys::path::filename(folder->path()).size() != 2)
      continue; // not ours
    std::error_code inner;
    for (fs::directory_iterator file(folder->path(), inner); file != end && !inner;
         file.increment(inner)) {
      llvm::StringRef name = llvm::sys::path::filename(file->path());
      auto status = file->status();
      if (!status || status->type() != fs::file_type::regular_file)
        continue;
      if (name.ends_with(kSuffix)) {
        entries.push_back({file->path(), status->getSize(), status->getLastModificationTime()});
        total += status->getSize();
      } else if (name.contains(".tmp-") &&
                 now - status->getLastModificationTime() > std::chrono::hours(1)) {
        (void)fs::remove(file->path()); // its writer was killed
      }
    }
  }
  if (total <= mostBytes)
    return;
  llvm::sort(entries, [](const Entry &a, const Entry &b) {
    return std::tie(a.lastUse, a.path) < std::tie(b.lastUse, b.path);
  });
  // Somewhat more than needed, so that not every compilation has to.
  for (const Entry &entry : entries) {
    if (total <= mostBytes / 8 * 7)
      return;
    if (!fs::remove(entry.path))
      total -= entry.bytes;
  }
}
