//===- weights-fuzzer.cpp - libFuzzer target of files of weights -*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Any bytes must be described or refused; what is described must be readable to its
// last byte, which the address sanitizer watches.
//
//===----------------------------------------------------------------------===//

#include "tools/sectile/Npy.h"

#include "sectile/Weights/WeightFile.h"
#include "sectile/Weights/Zip.h"

#include <algorithm>
#include <cstdlib>

using namespace sectile::weights;

static void readTensors(FileBytes bytes) {
  auto file = readWeightFile(bytes);
  if (!file)
    return;
  std::vector<double> values;
  for (const WeightTensor &tensor : file->tensors) {
    if (tensor.offset > bytes.size() || tensor.bytes > bytes.size() - tensor.offset)
      abort();
    // From both ends; a file may describe many tensors without bytes.
    uint64_t count = tensor.countElements(), block = tensor.type->elements;
    uint64_t some = std::min<uint64_t>(count / block, 4) * block;
    values.resize(some);
    (void)decodeNumbers(tensor, bytes, 0, values);
    (void)decodeNumbers(tensor, bytes, count - some, values);
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FileBytes bytes(data, size);
  readTensors(bytes);
  if (auto members = readZip(bytes))
    for (const ZipMember &member : *members)
      if (auto content = extract(member, bytes, 1 << 20))
        (void)sectile::tools::parseNpy(std::as_bytes(std::span(*content)), "member");
  // Mutations seldom keep a member's checksum.
  (void)sectile::tools::parseNpy(std::as_bytes(bytes), "input");
  return 0;
}
