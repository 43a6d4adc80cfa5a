//===- Zip.cpp - files inside of a ZIP archive ------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Section numbers are APPNOTE.TXT's. The directory at the end of the archive is what
// counts; of a member's own header only its length is read, and its name compared.
//
//===----------------------------------------------------------------------===//

#include "sectile/Weights/Zip.h"

#include "Support.h"

#include <algorithm>
#include <unordered_set>

#include <zlib.h>

using namespace sectile;
using namespace sectile::weights;

static constexpr uint32_t kLocalMagic = 0x04034b50, kEntryMagic = 0x02014b50,
                          kEndMagic = 0x06054b50, kEnd64Magic = 0x06064b50,
                          kLocator64Magic = 0x07064b50;
static constexpr uint64_t kLocalBytes = 30, kEntryBytes = 46, kEndBytes = 22, kEnd64Bytes = 56,
                          kLocator64Bytes = 20, kMaxComment = 65535;

namespace {
/// The directory's place.
struct Directory {
  uint64_t offset = 0, bytes = 0, entries = 0;
};
} // namespace

static formats::Failure refuse(const std::string &why, uint64_t at) {
  return {why + " (byte " + std::to_string(at) + ")"};
}

/// 4.3.16, and 4.3.14 where a field overflows.
static formats::Result<Directory> findDirectory(FileBytes bytes) {
  uint64_t size = bytes.size();
  if (size < kEndBytes)
    return refuse("expects a ZIP archive, but it is too short for one", 0);
  uint64_t at = size - kEndBytes, last = at > kMaxComment ? at - kMaxComment : 0;
  auto isEnd = [&] {
    return load<uint32_t>(bytes, at) == kEndMagic &&
           load<uint16_t>(bytes, at + 20) == size - at - kEndBytes;
  };
  while (!isEnd()) {
    if (at == last)
      return refuse("expects a ZIP archive, but it has no directory", size);
    --at;
  }
  Directory directory{load<uint32_t>(bytes, at + 16), load<uint32_t>(bytes, at + 12),
                      load<uint16_t>(bytes, at + 10)};
  if (load<uint16_t>(bytes, at + 4) != 0 && load<uint16_t>(bytes, at + 4) != 0xFFFF)
    return refuse("archives of several disks are not supported", at);
  bool isLarge = directory.offset == 0xFFFFFFFF || directory.bytes == 0xFFFFFFFF ||
                 directory.entries == 0xFFFF;
  if (isLarge && at >= kLocator64Bytes &&
      load<uint32_t>(bytes, at - kLocator64Bytes) == kLocator64Magic) {
    auto place = load<uint64_t>(bytes, at - kLocator64Bytes + 8);
    if (place > size || size - place < kEnd64Bytes || load<uint32_t>(bytes, place) != kEnd64Magic)
      return refuse("expects the directory of a large archive at byte " + std::to_string(place),
                    at);
    directory = {load<uint64_t>(bytes, place + 48), load<uint64_t>(bytes, place + 40),
                 load<uint64_t>(bytes, place + 32)};
  }
  if (directory.offset > at || directory.bytes > at - directory.offset ||
      directory.entries > directory.bytes / kEntryBytes)
    return refuse("a directory of " + std::to_string(directory.entries) + " members in " +
                      std::to_string(directory.bytes) + " bytes from byte " +
                      std::to_string(directory.offset) + " on does not fit",
                  at);
  return directory;
}

/// 4.5.3: sizes and the offset that did not fit in 32 bits, in that order, are in an extra field.
static bool readLargeSizes(FileBytes extra, ZipMember &member) {
  uint64_t *fields[] = {&member.bytes, &member.storedBytes, &member.offset};
  bool isNeeded = false;
  for (uint64_t *field : fields)
    isNeeded |= *field == 0xFFFFFFFF;
  while (isNeeded && extra.size() >= 4) {
    auto kind = load<uint16_t>(extra, 0);
    size_t length = load<uint16_t>(extra, 2);
    if (length > extra.size() - 4)
      return false;
    FileBytes inside = extra.subspan(4, length);
    extra = extra.subspan(4 + length);
    if (kind != 1)
      continue;
    for (uint64_t *field : fields)
      if (*field == 0xFFFFFFFF) {
        if (inside.size() < 8)
          return false;
        *field = load<uint64_t>(inside, 0);
        inside = inside.subspan(8);
      }
    return true;
  }
  return !isNeeded;
}

/// Replaces the offset of a member's header by that of its data, 4.3.7.
static std::optional<formats::Failure> findData(ZipMember &member, FileBytes bytes, uint64_t end) {
  auto fail = [&](const std::string &why) {
    return refuse("member " + quoteName(member.name) + ": " + why, member.offset);
  };
  uint64_t at = member.offset;
  if (at > end || end - at < kLocalBytes || load<uint32_t>(bytes, at) != kLocalMagic)
    return fail("expects its header before the directory");
  uint64_t nameBytes = load<uint16_t>(bytes, at + 26);
  uint64_t data = at + kLocalBytes + nameBytes + load<uint16_t>(bytes, at + 28);
  if (data > end || member.storedBytes > end - data)
    return fail("its " + std::to_string(member.storedBytes) + " bytes do not lie before the " +
                "directory");
  if (nameBytes != member.name.size() ||
      memcmp(bytes.data() + at + kLocalBytes, member.name.data(), nameBytes) != 0)
    return fail("its header has another name");
  member.offset = data;
  return std::nullopt;
}

formats::Result<std::vector<ZipMember>> weights::readZip(FileBytes bytes) {
  auto directory = findDirectory(bytes);
  if (!directory)
    return formats::Failure{directory.getMessage()};
  std::vector<ZipMember> members;
  std::unordered_set<std::string> names;
  uint64_t at = directory->offset, end = at + directory->bytes;
  for (uint64_t i = 0; i < directory->entries; ++i) {
    if (end - at < kEntryBytes || load<uint32_t>(bytes, at) != kEntryMagic)
      return refuse("expects an entry of the directory", at);
    uint64_t nameBytes = load<uint16_t>(bytes, at + 28),
             extraBytes = load<uint16_t>(bytes, at + 30);
    uint64_t length = kEntryBytes + nameBytes + extraBytes + load<uint16_t>(bytes, at + 32);
    if (length > end - at)
      return refuse("an entry of " + std::to_string(length) + " bytes leaves the directory", at);
    ZipMember member;
    member.name.assign(reinterpret_cast<const char *>(bytes.data()) + at + kEntryBytes,
                       static_cast<size_t>(nameBytes));
    std::string what = "member " + quoteName(member.name) + ": ";
    member.checksum = load<uint32_t>(bytes, at + 16);
    member.storedBytes = load<uint32_t>(bytes, at + 20);
    member.bytes = load<uint32_t>(bytes, at + 24);
    member.offset = load<uint32_t>(bytes, at + 42);
    auto flags = load<uint16_t>(bytes, at + 8), method = load<uint16_t>(bytes, at + 10);
    if (flags & 0x2061) // encrypted, patched, strongly encrypted, masked (4.4.4)
      return refuse(what + "encrypted and patched members are not supported", at);
    if (method != 0 && method != 8)
      return refuse(what + "expects it to be stored or deflated, but it has method " +
                        std::to_string(method),
                    at);
    member.isDeflated = method == 8;
    if (!readLargeSizes(bytes.subspan(at + kEntryBytes + nameBytes, extraBytes), member))
      return refuse(what + "expects the sizes of a large member", at);
    if (!member.isDeflated && member.bytes != member.storedBytes)
      return refuse(what + "it is stored in another number of bytes than it has", at);
    if (!names.insert(member.name).second)
      return refuse(what + "its name comes twice", at);
    if (auto failed = findData(member, bytes, directory->offset))
      return *failed;
    members.push_back(std::move(member));
    at += length;
  }
  // Members that share bytes make an archive of any size out of few (zip bombs).
  std::vector<const ZipMember *> order;
  order.reserve(members.size());
  for (const ZipMember &member : members)
    order.push_back(&member);
  std::sort(order.begin(), order.end(),
            [](const ZipMember *a, const ZipMember *b) { return a->offset < b->offset; });
  for (size_t i = 1; i < order.size(); ++i)
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->storedBytes + kLocalBytes)
      return refuse("member " + quoteName(order[i]->name) + " shares bytes with member " +
                        quoteName(order[i - 1]->name),
                    order[i]->offset);
  return members;
}

/// Inflates into chunks that grow, so that a small archive that claims a large member costs
/// nothing.
static bool inflateInto(FileBytes stored, uint64_t wanted, std::vector<uint8_t> &out) {
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) // no header: a raw stream
    return false;
  constexpr uint64_t kChunk = 1 << 20;
  int status = Z_OK;
  uint64_t taken = 0;
  while (status == Z_OK) {
    uint64_t before = out.size(), room = std::min(kChunk, wanted - before);
    out.resize(before + room);
    uint64_t give = std::min(kChunk, stored.size() - taken);
    stream.next_in = const_cast<uint8_t *>(stored.data() + taken);
    stream.avail_in = static_cast<uInt>(give);
    uint8_t extra = 0; // zlib wants a place for the end of the stream too
    auto places = static_cast<uInt>(room ? room : 1);
    stream.next_out = room ? out.data() + before : &extra;
    stream.avail_out = places;
    status = inflate(&stream, Z_NO_FLUSH);
    taken += give - stream.avail_in;
    uint64_t given = places - stream.avail_out;
    if (status == Z_OK && given == 0 && give == stream.avail_in)
      status = Z_DATA_ERROR; // neither took nor gave
    if (given > room)
      status = Z_DATA_ERROR; // more than it claims
    out.resize(before + std::min(given, room));
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END && out.size() == wanted && taken == stored.size();
}

formats::Result<std::vector<uint8_t>> weights::extract(const ZipMember &member, FileBytes bytes,
                                                       uint64_t mostBytes) {
  auto fail = [&](const std::string &why) {
    return refuse("member " + quoteName(member.name) + ": " + why, member.offset);
  };
  if (member.bytes > mostBytes)
    return fail("its " + std::to_string(member.bytes) + " bytes are more than " +
                std::to_string(mostBytes));
  FileBytes stored = bytes.subspan(member.offset, member.storedBytes);
  std::vector<uint8_t> out;
  if (!member.isDeflated)
    out.assign(stored.begin(), stored.end());
  else if (!inflateInto(stored, member.bytes, out))
    return fail("its bytes cannot be inflated to " + std::to_string(member.bytes));
  uLong checksum = crc32_z(0, out.data(), out.size());
  if (checksum != member.checksum)
    return fail("its checksum is wrong");
  return out;
}
