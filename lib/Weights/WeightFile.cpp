//===- WeightFile.cpp - tensors of safetensors and GGUF files ---*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support.h"

#include <algorithm>

using namespace sectile;
using namespace sectile::weights;

uint64_t WeightTensor::countElements() const {
  uint64_t count = 1;
  for (uint64_t extent : shape)
    count *= extent;
  return count;
}

const WeightTensor *WeightFile::find(std::string_view name) const {
  for (const WeightTensor &tensor : tensors)
    if (tensor.name == name)
      return &tensor;
  return nullptr;
}

formats::Result<WeightFile> weights::readWeightFile(FileBytes bytes) {
  if (bytes.size() >= 4 && memcmp(bytes.data(), "GGUF", 4) == 0)
    return readGguf(bytes);
  return readSafetensors(bytes);
}

std::optional<uint64_t> weights::countBytes(const ElementType &type,
                                            const std::vector<uint64_t> &shape) {
  // Bits below 2^63, so that sums of two sizes fit too. A zero makes the product zero wherever it
  // stands, but the other extents must fit all the same.
  uint64_t bits = type.bits;
  bool isEmpty = false;
  for (size_t i = 0; i < shape.size(); ++i) {
    uint64_t extent = shape[i];
    if (i + 1 == shape.size()) {
      if (extent % type.elements != 0)
        return std::nullopt;
      extent /= type.elements;
    }
    if (extent == 0) {
      isEmpty = true;
      continue;
    }
    if (bits > (uint64_t(1) << 63) / extent)
      return std::nullopt;
    bits *= extent;
  }
  if (shape.empty() && type.elements != 1)
    return std::nullopt;
  if (isEmpty)
    return 0;
  return bits % 8 == 0 ? std::optional(bits / 8) : std::nullopt;
}

std::optional<std::string> weights::findOverlap(const std::vector<WeightTensor> &tensors,
                                                bool forbidsGaps, uint64_t begin, uint64_t end) {
  std::vector<const WeightTensor *> order;
  order.reserve(tensors.size());
  for (const WeightTensor &tensor : tensors)
    order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const WeightTensor *a, const WeightTensor *b) {
    return a->offset != b->offset ? a->offset < b->offset : a->bytes < b->bytes;
  });
  uint64_t at = begin;
  const WeightTensor *previous = nullptr;
  for (const WeightTensor *tensor : order) {
    if (tensor->offset < at && tensor->bytes > 0)
      return "tensor " + quoteName(tensor->name) + " begins at byte " +
             std::to_string(tensor->offset) + ", inside of tensor " +
             quoteName(previous ? previous->name : "");
    if (forbidsGaps && tensor->offset != at)
      return "tensor " + quoteName(tensor->name) + " begins at byte " +
             std::to_string(tensor->offset) + ", but the one before it ends at byte " +
             std::to_string(at);
    if (tensor->bytes > 0) {
      at = tensor->offset + tensor->bytes;
      previous = tensor;
    }
  }
  if (forbidsGaps && at != end)
    return "the tensors end at byte " + std::to_string(at) + ", but the file has " +
           std::to_string(end) + " bytes";
  return std::nullopt;
}

std::string weights::printShape(const std::vector<uint64_t> &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

std::string weights::quoteName(std::string_view name) {
  constexpr size_t kMost = 100;
  std::string text = "'";
  for (char c : name.substr(0, kMost))
    text += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  return text + (name.size() > kMost ? "...'" : "'");
}
