//===- ExternalData.h - a model's tensors from other files ------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_LIB_QUANTIZE_EXTERNALDATA_H
#define SECTILE_LIB_QUANTIZE_EXTERNALDATA_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace onnx {
class GraphProto;
} // namespace onnx

namespace sectile::quantize {

/// Takes the bytes of tensors that lie in other files, below `folder`, into a graph and those
/// inside its nodes: it will be written as one file.
llvm::Error takeInExternalData(onnx::GraphProto &graph, llvm::StringRef folder);

/// The other way: moves the bytes of a graph's larger initializers out to where the file `location`
/// beside the model will hold them; returns its contents in parts, for a caller that writes it.
std::vector<std::string> moveOutData(onnx::GraphProto &graph, llvm::StringRef location);

} // namespace sectile::quantize

#endif // SECTILE_LIB_QUANTIZE_EXTERNALDATA_H
