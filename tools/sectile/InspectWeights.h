//===- InspectWeights.h - sectile inspect on files of weights ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef SECTILE_TOOLS_SECTILE_INSPECTWEIGHTS_H
#define SECTILE_TOOLS_SECTILE_INSPECTWEIGHTS_H

#include "Args.h"

namespace sectile::tools {

/// Whether a file is no package but one of weights: by the ending of its name or by GGUF's magic.
bool isWeightFile(const std::string &path);

/// Lists the tensors, types, shapes and sizes of a safetensors or GGUF file.
Result<Done> inspectWeights(const Args &args);

} // namespace sectile::tools

#endif // SECTILE_TOOLS_SECTILE_INSPECTWEIGHTS_H
