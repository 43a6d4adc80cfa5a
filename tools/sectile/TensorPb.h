//===- TensorPb.h - ONNX TensorProto files ----------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_TENSORPB_H
#define SECTILE_TOOLS_SECTILE_TENSORPB_H

#include "Result.h"
#include "Tensor.h"

#include <span>
#include <string>

namespace sectile::tools {

/// Reads a file that holds one serialised onnx.TensorProto, as ONNX's test data
/// does, with values in raw_data or in the field of their type. Fails with
/// kRefused for strings, complex numbers, dtypes the runtime does not have, data
/// outside the file, and whatever is not a whole and consistent message. Memory
/// stays within a small multiple of the size of the file.
Result<Tensor> readTensorPb(const std::string &path);

/// The same for a message in memory; `name` stands in messages.
Result<Tensor> parseTensorPb(std::span<const std::byte> message, const std::string &name);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_TENSORPB_H
