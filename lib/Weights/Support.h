//===- Support.h - what the readers of weights share ------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_WEIGHTS_SUPPORT_H
#define SECTILE_LIB_WEIGHTS_SUPPORT_H

#include "sectile/Weights/WeightFile.h"

#include <cstring>
#include <optional>

namespace sectile::weights {

/// What metadata keeps of a text.
inline constexpr size_t kMaxMetadataText = 256;

/// A little-endian number at `at`, which must be inside.
template <typename T>
inline T load(FileBytes bytes, uint64_t at) {
  // Files and hosts are little-endian (sectile's hosts all are).
  T value;
  memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// The bytes of a tensor of `type` and `shape`; absent if they are no whole blocks along the last
/// dimension (no whole bytes, for packed elements) or do not fit in 63 bits.
std::optional<uint64_t> countBytes(const ElementType &type, const std::vector<uint64_t> &shape);

/// Two tensors that share bytes, as a message; absent if there are none. With `forbidsGaps` also
/// bytes from `begin` to `end` that no tensor has.
std::optional<std::string> findOverlap(const std::vector<WeightTensor> &tensors, bool forbidsGaps,
                                       uint64_t begin, uint64_t end);

/// "[2, 3]".
std::string printShape(const std::vector<uint64_t> &shape);

/// A name from a file in a message: cut, without control characters.
std::string quoteName(std::string_view name);

} // namespace sectile::weights

#endif // SECTILE_LIB_WEIGHTS_SUPPORT_H
