//===- Zip.h - files inside of a ZIP archive --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What NumPy's .npz files need of PKWARE's APPNOTE.TXT 6.3.10: one disk, members that
// are stored or deflated, neither encrypted nor patched, with ZIP64's sizes.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_WEIGHTS_ZIP_H
#define SECTILE_WEIGHTS_ZIP_H

#include "sectile/Weights/WeightFile.h"

namespace sectile::weights {

/// A member of an archive.
struct ZipMember {
  std::string name;
  uint64_t offset = 0;      ///< of its data in the archive
  uint64_t storedBytes = 0; ///< that it takes there
  uint64_t bytes = 0;       ///< that it has
  uint32_t checksum = 0;    ///< CRC-32 of those
  bool isDeflated = false;
};

/// The members of an archive. Fails on lengths beyond the file, members that share bytes, repeated
/// names, and what is not supported, naming the member and the byte.
formats::Result<std::vector<ZipMember>> readZip(FileBytes bytes);

/// The contents of a member, of at most `mostBytes`. Fails if they have another length or checksum
/// than the archive says; never allocates more than either.
formats::Result<std::vector<uint8_t>> extract(const ZipMember &member, FileBytes bytes,
                                              uint64_t mostBytes);

} // namespace sectile::weights

#endif // SECTILE_WEIGHTS_ZIP_H
