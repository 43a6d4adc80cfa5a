//===- WireSkeleton.h - a model without its tensors' bytes ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The protobuf library copies every `bytes` field into a string. For a model
// of gigabytes that is one copy too many, and it bounds a model to 2 GB. So
// the file is walked once, on the wire format, and copied without the
// `raw_data` of its tensors; each such tensor gets field 1000 instead, with
// the offset and length of the bytes in the file:
//
//   graph { initializer { dims: 4096 raw_data: <8 MB> } }
//   graph { initializer { dims: 4096 1000: <offset, length> } }
//
// The walk also bounds nesting before the library sees a byte.
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_FRONTEND_WIRESKELETON_H
#define SECTILE_LIB_FRONTEND_WIRESKELETON_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sectile::frontend {

/// Where a tensor's raw bytes are in the model file.
struct ByteRange {
  uint64_t offset;
  uint64_t length;
};

struct WireLimits {
  unsigned maxNesting;  ///< messages within messages
  uint64_t maxSkeleton; ///< bytes of the result
};

/// The serialized ModelProto `model` without raw tensor data.
llvm::Expected<std::string> makeSkeleton(llvm::ArrayRef<char> model, const WireLimits &limits);

/// The range that `makeSkeleton` left in a tensor's unknown fields, if it had raw data.
std::optional<ByteRange> rawDataRange(llvm::StringRef unknownFields);

/// The bodies of length-delimited fields of that number in a message's unknown fields: what newer
/// versions of onnx.proto have and the installed one does not.
llvm::SmallVector<llvm::StringRef> unknownMessages(llvm::StringRef unknownFields, uint64_t field);

} // namespace sectile::frontend

#endif // SECTILE_LIB_FRONTEND_WIRESKELETON_H
