//===- WireSkeleton.cpp - a model without its tensors' bytes ----*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WireSkeleton.h"

#include <cstring>

using namespace sectile::frontend;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

/// No field of onnx.proto has this number.
static constexpr uint64_t kRangeField = 1000;

namespace {
/// The messages on the way to a tensor.
enum class Message { Model, Graph, Function, Node, Attribute, Tensor, SparseTensor, Opaque };

enum WireType : unsigned { Varint = 0, Fixed64 = 1, Length = 2, Fixed32 = 5 };
} // namespace

/// What a length-delimited field of a message holds.
static Message childOf(Message parent, uint64_t field) {
  switch (parent) {
  case Message::Model:
    return field == 7 ? Message::Graph : field == 25 ? Message::Function : Message::Opaque;
  case Message::Graph:
    return field == 1    ? Message::Node
           : field == 5  ? Message::Tensor
           : field == 15 ? Message::SparseTensor
                         : Message::Opaque;
  case Message::Function:
    return field == 7 ? Message::Node : Message::Opaque;
  case Message::Node:
    return field == 5 ? Message::Attribute : Message::Opaque;
  case Message::Attribute:
    return field == 5 || field == 10    ? Message::Tensor
           : field == 6 || field == 11  ? Message::Graph
           : field == 22 || field == 23 ? Message::SparseTensor
                                        : Message::Opaque;
  case Message::SparseTensor:
    return field == 1 || field == 2 ? Message::Tensor : Message::Opaque;
  default:
    return Message::Opaque;
  }
}

static void appendVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

namespace {
class Walker {
public:
  Walker(ArrayRef<char> file, const WireLimits &limits) : file(file), limits(limits) {}

  /// Appends the skeleton of the message in [begin, end) to `out`.
  Error walk(Message message, uint64_t begin, uint64_t end, unsigned depth, std::string &out) {
    if (depth > limits.maxNesting)
      return failAt(begin,
                    "expects at most " + llvm::Twine(limits.maxNesting) + " nested messages");
    for (uint64_t at = begin; at < end;) {
      uint64_t fieldBegin = at;
      std::optional<uint64_t> key = varint(at, end);
      if (!key || (*key >> 3) == 0)
        return failAt(fieldBegin, "expects a field");
      uint64_t field = *key >> 3;
      switch (*key & 7) {
      case Varint:
        if (!varint(at, end))
          return failAt(fieldBegin, "expects a number of at most ten bytes");
        break;
      case Fixed64:
      case Fixed32: {
        uint64_t width = (*key & 7) == Fixed64 ? 8 : 4;
        if (end - at < width)
          return failAt(fieldBegin, "the field ends before its value");
        at += width;
        break;
      }
      case Length: {
        std::optional<uint64_t> length = varint(at, end);
        if (!length || *length > end - at)
          return failAt(fieldBegin, "a field of " + llvm::Twine(length.value_or(0)) +
                                        " bytes does not fit in the " + llvm::Twine(end - at) +
                                        " bytes that are left");
        uint64_t bodyBegin = at;
        at += *length;
        if (Error error = lengthField(message, field, *key, fieldBegin, bodyBegin, at, depth, out))
          return error;
        continue;
      }
      default:
        return failAt(fieldBegin,
                      "expects wire type 0, 1, 2 or 5, but got " + llvm::Twine(*key & 7));
      }
      if (Error error = append(out, field, fieldBegin, at))
        return error;
    }
    return Error::success();
  }

private:
  Error lengthField(Message message, uint64_t field, uint64_t key, uint64_t fieldBegin,
                    uint64_t bodyBegin, uint64_t bodyEnd, unsigned depth, std::string &out) {
    if (message == Message::Tensor && field == 9) {
      std::string range;
      appendVarint(range, bodyBegin);
      appendVarint(range, bodyEnd - bodyBegin);
      appendVarint(out, kRangeField << 3 | Length);
      appendVarint(out, range.size());
      out += range;
      return checkSize(out);
    }
    Message child = childOf(message, field);
    if (child == Message::Opaque)
      return append(out, field, fieldBegin, bodyEnd);
    std::string body;
    if (Error error = walk(child, bodyBegin, bodyEnd, depth + 1, body))
      return error;
    appendVarint(out, key);
    appendVarint(out, body.size());
    out += body;
    return checkSize(out);
  }

  Error append(std::string &out, uint64_t field, uint64_t begin, uint64_t end) {
    if (field != kRangeField) // A range that the file brings itself is not ours.
      out.append(file.data() + begin, end - begin);
    return checkSize(out);
  }

  Error checkSize(const std::string &out) {
    if (out.size() <= limits.maxSkeleton)
      return Error::success();
    return llvm::createStringError("expects at most " + llvm::Twine(limits.maxSkeleton) +
                                   " bytes beside the raw tensor data");
  }

  std::optional<uint64_t> varint(uint64_t &at, uint64_t end) const {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && at < end; shift += 7) {
      uint64_t byte = static_cast<unsigned char>(file[at++]);
      if (shift < 64)
        value |= (byte & 0x7f) << shift;
      if (byte < 0x80)
        return value;
    }
    return std::nullopt;
  }

  Error failAt(uint64_t offset, const llvm::Twine &why) {
    return llvm::createStringError("no ONNX model: at byte " + llvm::Twine(offset) + ": " + why);
  }

  ArrayRef<char> file;
  const WireLimits &limits;
};
} // namespace

Expected<std::string> sectile::frontend::makeSkeleton(ArrayRef<char> model,
                                                      const WireLimits &limits) {
  std::string skeleton;
  if (Error error = Walker(model, limits).walk(Message::Model, 0, model.size(), 0, skeleton))
    return error;
  return skeleton;
}

/// Takes a number from the front of well-formed bytes.
static uint64_t takeVarint(StringRef &bytes) {
  uint64_t value = 0;
  for (unsigned shift = 0; !bytes.empty() && shift < 64; shift += 7) {
    unsigned char byte = bytes[0];
    bytes = bytes.drop_front();
    value |= uint64_t(byte & 0x7f) << shift;
    if (byte < 0x80)
      break;
  }
  return value;
}

llvm::SmallVector<StringRef> sectile::frontend::unknownMessages(StringRef fields, uint64_t field) {
  llvm::SmallVector<StringRef> found;
  // Well formed: the walker and the protobuf library both went over it.
  while (!fields.empty()) {
    uint64_t key = takeVarint(fields);
    if ((key & 7) == Varint) {
      takeVarint(fields);
      continue;
    }
    uint64_t length = (key & 7) == Length ? takeVarint(fields) : (key & 7) == Fixed64 ? 8 : 4;
    StringRef body = fields.take_front(length);
    fields = fields.drop_front(body.size());
    if (key == (field << 3 | Length))
      found.push_back(body);
  }
  return found;
}

std::optional<ByteRange> sectile::frontend::rawDataRange(StringRef unknownFields) {
  llvm::SmallVector<StringRef> ranges = unknownMessages(unknownFields, kRangeField);
  if (ranges.empty())
    return std::nullopt;
  // As in protobuf, the last occurrence of a field counts.
  StringRef bytes = ranges.back();
  uint64_t offset = takeVarint(bytes);
  return ByteRange{offset, takeVarint(bytes)};
}
