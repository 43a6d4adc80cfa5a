//===- Pieces.cpp - constants in files that packages share -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pieces.h"

#include "TemporaryFile.h"

#include "sectile/Codegen/Hashing.h"
#include "sectile/Package/Abi.h"

#include "llvm/Support/Endian.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace sectile;

/// Changes with what a constant of given elements, type and packing is written as.
static constexpr StringLiteral kContents = "sectile-piece-1";

/// Constants up to the next that may begin a file.
static ArrayRef<PlannedConstant> takePiece(ArrayRef<PlannedConstant> constants) {
  size_t count = 1;
  while (count < constants.size() && constants[count].offset % SECTILE_PIECE_ALIGNMENT != 0)
    ++count;
  return constants.take_front(count);
}

/// A name that tells elements, types, packings and places.
static std::string nameOf(ArrayRef<PlannedConstant> constants) {
  Hasher hasher(/*isWide=*/true);
  for (const PlannedConstant &constant : constants) {
    std::string text;
    llvm::raw_string_ostream out(text);
    out << kContents << ' ' << constant.value.getShapedType() << ' ' << constant.bytes << ' '
        << constant.offset - constants.front().offset;
    if (constant.memory)
      out << ' ' << constant.memory;
    hasher.update(text.c_str(), text.size() + 1);
    std::string storage;
    ArrayRef<char> raw = getRawBytes(constant.value, storage);
    hasher.update(raw.data(), raw.size());
  }
  return hasher.digestWide();
}

/// The numbers of sectile_abi_piece_end, in front of the name.
static constexpr size_t kEndNumbers = 3;

static std::string makeEnd(const Piece &piece) {
  std::string end(kEndNumbers * 8, '\0');
  llvm::support::endian::write64le(end.data(), SECTILE_PIECE_MAGIC);
  llvm::support::endian::write64le(end.data() + 8, piece.bytes);
  llvm::support::endian::write64le(end.data() + 16, piece.hash);
  return end + piece.name;
}

/// Whether the file at `path` is a finished one of this piece, whose hash it then tells.
static bool isThere(StringRef path, Piece &piece) {
  static_assert(sizeof(sectile_abi_piece_end) == kEndNumbers * 8 + SECTILE_PIECE_NAME_BYTES);
  uint64_t size;
  if (llvm::sys::fs::file_size(path, size) || size != piece.bytes + sizeof(sectile_abi_piece_end))
    return false;
  auto file = llvm::sys::fs::openNativeFileForRead(path);
  if (!file) {
    llvm::consumeError(file.takeError());
    return false;
  }
  char end[sizeof(sectile_abi_piece_end)];
  auto read = llvm::sys::fs::readNativeFileSlice(*file, end, piece.bytes);
  (void)llvm::sys::fs::closeFile(*file); // nothing was written
  if (!read || *read != sizeof end) {
    llvm::consumeError(read.takeError());
    return false;
  }
  piece.hash = llvm::support::endian::read64le(end + 16);
  return StringRef(end, sizeof end) == makeEnd(piece);
}

static LogicalResult writePiece(ArrayRef<PlannedConstant> constants, StringRef path, Piece &piece,
                                Location loc) {
  TemporaryFile file;
  auto write = [&](raw_ostream &out) {
    {
      HashingStream hashing(out);
      writeConstants(constants, piece.bytes, hashing);
      hashing.flush();
      piece.hash = hashing.hash();
    }
    out << makeEnd(piece);
  };
  return failure(failed(file.create(path, "tmp", loc)) || failed(file.fill(write, path, loc)) ||
                 failed(file.moveTo(path, loc)));
}

FailureOr<std::vector<Piece>> sectile::writePieces(ArrayRef<PlannedConstant> constants,
                                                   StringRef folder, Location loc) {
  std::vector<Piece> pieces;
  // As any folder that a user makes: packages are for others, too.
  std::error_code code =
      llvm::sys::fs::create_directories(folder, /*IgnoreExisting=*/true, llvm::sys::fs::all_all);
  if (!code && !llvm::sys::fs::is_directory(folder)) // what exists is taken to be a folder
    code = std::make_error_code(std::errc::not_a_directory);
  if (code)
    return emitError(loc, "cannot write '") << folder << "': " << code.message();
  while (!constants.empty()) {
    ArrayRef<PlannedConstant> taken = takePiece(constants);
    constants = constants.drop_front(taken.size());
    Piece piece;
    piece.offset = taken.front().offset;
    piece.bytes = taken.back().offset + taken.back().bytes - piece.offset;
    if (piece.bytes == 0) // constants without elements
      continue;
    piece.name = nameOf(taken);
    SmallString<128> path(folder);
    llvm::sys::path::append(path, piece.name);
    if (!isThere(path, piece) && failed(writePiece(taken, path, piece, loc)))
      return failure();
    pieces.push_back(std::move(piece));
  }
  return pieces;
}
