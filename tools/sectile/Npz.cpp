//===- Npz.cpp - archives of NumPy arrays -----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Args.h"
#include "Files.h"
#include "Npy.h"

#include "sectile/Weights/Zip.h"

namespace sectile::tools {

/// Of one array of an archive, which may claim any size.
static constexpr uint64_t kMaxArrayBytes = uint64_t(1) << 36;

Result<std::vector<std::pair<std::string, Tensor>>> readNpz(const std::string &path) {
  Result<InputFile> file = InputFile::open(path);
  if (!file)
    return file.failure();
  std::vector<uint8_t> bytes(file->remaining());
  if (Result<Done> read = file->read(std::as_writable_bytes(std::span(bytes))); !read)
    return read.failure();
  auto members = weights::readZip(bytes);
  if (!members)
    return failure(kRefused, "'%s': %s", path.c_str(), members.getMessage().c_str());
  std::vector<std::pair<std::string, Tensor>> arrays;
  for (const weights::ZipMember &member : *members) {
    const std::string &name = member.name;
    std::string shown = path + "', array '" + name;
    if (!name.ends_with(".npy"))
      return failure(kRefused, "'%s': expects arrays alone, but got '%s'", path.c_str(),
                     name.c_str());
    auto content = weights::extract(member, bytes, kMaxArrayBytes);
    if (!content)
      return failure(kRefused, "'%s': %s", path.c_str(), content.getMessage().c_str());
    Result<Tensor> tensor = parseNpy(std::as_bytes(std::span(*content)), shown);
    if (!tensor)
      return tensor.failure();
    arrays.emplace_back(name.substr(0, name.size() - 4), std::move(*tensor));
  }
  return arrays;
}

} // namespace sectile::tools
