//===- ExternalData.cpp - a model's tensors from other files ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExternalData.h"

#include "lib/Frontend/ModelFile.h"

#include "llvm/ADT/StringMap.h"

#include <onnx.pb.h>

using namespace sectile;
using namespace sectile::quantize;
using llvm::StringRef;
using llvm::Twine;

static constexpr uint64_t kMaxExternalBytes = uint64_t(1) << 40;

static llvm::Error refuse(const Twine &why) { return llvm::createStringError(why); }

namespace {
/// Keeps each file mapped while tensors are read from it.
struct Reader {
  llvm::Error takeIn(onnx::GraphProto &part);
  llvm::Error takeIn(onnx::TensorProto &tensor);

  StringRef folder;
  llvm::StringMap<std::shared_ptr<frontend::MappedFile>> files;
};
} // namespace

llvm::Error Reader::takeIn(onnx::TensorProto &tensor) {
  if (tensor.data_location() != onnx::TensorProto::EXTERNAL)
    return llvm::Error::success();
  std::string location;
  uint64_t offset = 0, length = 0;
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
    StringRef value = entry.value();
    if (entry.key() == "location")
      location = entry.value();
    else if ((entry.key() == "offset" && value.getAsInteger(10, offset)) ||
             (entry.key() == "length" && value.getAsInteger(10, length)))
      return refuse("tensor '" + tensor.name() + "': expects numbers, but got " + entry.key() +
                    " '" + value + "'");
  }
  std::shared_ptr<frontend::MappedFile> &file = files[location];
  if (!file) {
    auto opened = frontend::MappedFile::openBeside(folder, location, kMaxExternalBytes);
    if (!opened)
      return refuse("tensor '" + tensor.name() + "': " + llvm::toString(opened.takeError()));
    file = *opened;
  }
  uint64_t size = file->bytes().size();
  if (offset > size)
    return refuse("tensor '" + tensor.name() + "': offset " + Twine(offset) +
                  " is beyond a file of " + Twine(size) + " bytes");
  if (length == 0)
    length = size - offset;
  if (length > size - offset)
    return refuse("tensor '" + tensor.name() + "': " + Twine(length) + " bytes at offset " +
                  Twine(offset) + " do not fit in a file of " + Twine(size));
  tensor.set_raw_data(file->bytes().data() + offset, length);
  tensor.clear_external_data();
  tensor.clear_data_location();
  return llvm::Error::success();
}

llvm::Error Reader::takeIn(onnx::GraphProto &part) {
  for (onnx::TensorProto &tensor : *part.mutable_initializer())
    if (llvm::Error error = takeIn(tensor))
      return error;
  for (onnx::NodeProto &node : *part.mutable_node())
    for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_t())
        if (llvm::Error error = takeIn(*attribute.mutable_t()))
          return error;
      if (attribute.has_g())
        if (llvm::Error error = takeIn(*attribute.mutable_g()))
          return error;
    }
  return llvm::Error::success();
}

llvm::Error quantize::takeInExternalData(onnx::GraphProto &graph, StringRef folder) {
  return Reader{folder, {}}.takeIn(graph);
}

std::vector<std::string> quantize::moveOutData(onnx::GraphProto &graph, StringRef location) {
  // Pages, so that whoever maps the file finds tensors aligned (onnx/docs/ExternalData.md); what is
  // smaller than its entry would be stays.
  constexpr uint64_t kAlignment = 4096, kLeastBytes = 1024;
  std::vector<std::string> parts;
  uint64_t at = 0;
  for (onnx::TensorProto &tensor : *graph.mutable_initializer()) {
    uint64_t bytes = tensor.raw_data().size();
    if (bytes < kLeastBytes)
      continue;
    std::unique_ptr<std::string> data(tensor.release_raw_data());
    auto add = [&](const char *key, const std::string &value) {
      onnx::StringStringEntryProto *entry = tensor.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    add("location", location.str());
    add("offset", std::to_string(at));
    add("length", std::to_string(bytes));
    parts.push_back(std::move(*data));
    uint64_t padding = (kAlignment - bytes % kAlignment) % kAlignment;
    parts.emplace_back(padding, '\0');
    at += bytes + padding;
  }
  return parts;
}
