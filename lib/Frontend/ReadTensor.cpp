//===- ReadTensor.cpp - constants of a model --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ReadTensor.h"
#include "WireSkeleton.h"

#include "Node.h"

#include <cstring>

using namespace mlir;
using namespace sectile;
using namespace sectile::frontend;

using llvm::Expected;

static llvm::Error refuse(const Twine &why) { return llvm::createStringError(why); }

Expected<Constant> TensorReader::externalBytes(const onnx::TensorProto &proto, uint64_t expected) {
  StringRef location;
  uint64_t offset = 0, length = expected;
  for (const onnx::StringStringEntryProto &entry : proto.external_data()) {
    StringRef value = entry.value();
    if (entry.key() == "location")
      location = value;
    else if (entry.key() == "offset" && value.getAsInteger(10, offset))
      return refuse("external data: expects an offset of at least 0, but got '" + value + "'");
    else if (entry.key() == "length" && value.getAsInteger(10, length))
      return refuse("external data: expects a length of at least 0, but got '" + value + "'");
    else if (entry.key() != "offset" && entry.key() != "length" && entry.key() != "checksum")
      return refuse("external data: expects the keys location, offset, length and checksum, but "
                    "got '" +
                    entry.key() + "'");
  }
  if (!folder)
    return refuse("external data '" + location + "': a model from memory has none");
  if (length != expected)
    return refuse("external data '" + location + "': expects " + Twine(expected) +
                  " bytes, but got a length of " + Twine(length));
  std::shared_ptr<MappedFile> &file = files[location];
  if (!file) {
    Expected<std::shared_ptr<MappedFile>> opened =
        MappedFile::openBeside(*folder, location, options.maxFileBytes);
    if (!opened)
      return refuse("external data " + llvm::toString(opened.takeError()));
    file = *opened;
  }
  ArrayRef<char> bytes = file->bytes();
  if (offset > bytes.size() || length > bytes.size() - offset)
    return refuse("external data '" + location + "': " + Twine(length) + " bytes at offset " +
                  Twine(offset) + " do not fit in a file of " + Twine(bytes.size()));
  return Constant{bytes.slice(offset, length), file};
}

/// The low `width` bytes of each value of a repeated field.
template <typename Field>
static Constant pack(const Field &field, size_t width) {
  auto bytes = std::make_shared<std::string>();
  bytes->resize(field.size() * width);
  char *out = bytes->data();
  for (auto value : field) {
    std::memcpy(out, &value, width);
    out += width;
  }
  return {ArrayRef<char>(bytes->data(), bytes->size()), bytes};
}

Expected<Constant> TensorReader::bytesOf(const onnx::TensorProto &proto, DType dtype,
                                         uint64_t count) {
  unsigned bits = bitsOf(dtype);
  bool isPacked = bits < 8;
  uint64_t expected = isPacked ? llvm::divideCeil(count, 8 / bits) : count * (bits / 8);
  if (expected > options.maxConstantBytes - totalBytes)
    return refuse("expects at most " + Twine(options.maxConstantBytes) +
                  " bytes of constants in all");
  totalBytes += expected;
  if (proto.has_segment())
    return refuse("tensors in segments are not supported");
  if (proto.data_location() == onnx::TensorProto::EXTERNAL)
    return rawDataRange(proto.unknown_fields())
               ? refuse("expects external data or raw data, but got both")
               : externalBytes(proto, expected);
  if (std::optional<ByteRange> range = rawDataRange(proto.unknown_fields())) {
    if (range->length != expected)
      return refuse("expects " + Twine(expected) + " bytes of data for its shape, but got " +
                    Twine(range->length));
    return Constant{model.slice(range->offset, range->length), owner};
  }
  // Each type has one field of the message; the others do not count.
  int64_t found = 0;
  Constant bytes;
  switch (dtype) {
  case DType::F32:
    found = proto.float_data_size();
    bytes = pack(proto.float_data(), 4);
    break;
  case DType::F64:
    found = proto.double_data_size();
    bytes = pack(proto.double_data(), 8);
    break;
  case DType::I64:
    found = proto.int64_data_size();
    bytes = pack(proto.int64_data(), 8);
    break;
  case DType::U32:
  case DType::U64:
    found = proto.uint64_data_size();
    bytes = pack(proto.uint64_data(), bits / 8);
    break;
  default:
    found = proto.int32_data_size();
    bytes = pack(proto.int32_data(), isPacked ? 1 : bits / 8);
    break;
  }
  uint64_t wanted = isPacked ? expected : count;
  if (static_cast<uint64_t>(found) != wanted)
    return refuse("expects " + Twine(wanted) + " values for its shape, but got " + Twine(found));
  return bytes;
}

FailureOr<Tensor *> TensorReader::read(const onnx::TensorProto &proto, Emitter &emit,
                                       std::string &why) {
  std::optional<DType> dtype = dtypeOf(proto.data_type());
  auto fail = [&](const Twine &message) {
    why = ("constant '" + proto.name() + "': " + message).str();
    return failure();
  };
  if (!dtype)
    return fail("elements of " + nameOfNumber(proto.data_type()) + " are not supported");
  if (proto.dims_size() > kMaxRank)
    return fail("expects a rank of at most " + Twine(kMaxRank) + ", but got " +
                Twine(proto.dims_size()));
  Shape shape;
  for (int64_t dim : proto.dims()) {
    if (dim < 0)
      return fail("expects extents of at least 0, but got " + Twine(dim));
    shape.push_back(dim);
  }
  std::optional<int64_t> count = Emitter::product(shape).constant();
  if (!count || *count > INT64_MAX / 16)
    return fail("its shape " + Node::text(shape) + " overflows 64 bits");
  Expected<Constant> bytes = bytesOf(proto, *dtype, static_cast<uint64_t>(*count));
  if (!bytes)
    return fail(llvm::toString(bytes.takeError()));
  return emit.constant(*dtype, std::move(shape), *bytes, proto.name());
}
