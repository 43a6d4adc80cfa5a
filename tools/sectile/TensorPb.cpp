//===- TensorPb.cpp - ONNX TensorProto files --------------------*- C++ -*-===//
//
// Part of the Sectile project, under the Apache License v2.0 with LLVM
// Exceptions. SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The wire format is that of protobuf's "Encoding" page, field numbers are those
// of message TensorProto in onnx.proto (IR version 10).
//
//===----------------------------------------------------------------------===//

#include "TensorPb.h"

#include "Files.h"

#include <cstring>

namespace sectile::tools {

namespace {

/// Bounded reader of protobuf's wire format. After a failed read all others fail.
class WireReader {
public:
  explicit WireReader(std::span<const std::byte> bytes) : bytes(bytes) {}

  bool atEnd() const { return bytes.empty() || failed; }
  bool good() const { return !failed; }

  uint64_t readVarint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (bytes.empty())
        break;
      uint64_t byte = std::to_integer<uint64_t>(bytes[0]);
      bytes = bytes.subspan(1);
      if (shift == 63 && byte > 1)
        break;
      value |= (byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return value;
    }
    failed = true;
    return 0;
  }

  std::span<const std::byte> readBytes(uint64_t count) {
    if (failed || count > bytes.size()) {
      failed = true;
      return {};
    }
    std::span<const std::byte> result = bytes.first(count);
    bytes = bytes.subspan(count);
    return result;
  }

  std::span<const std::byte> readLengthDelimited() { return readBytes(readVarint()); }

private:
  std::span<const std::byte> bytes;
  bool failed = false;
};

enum WireType : uint32_t { Varint = 0, Fixed64 = 1, Length = 2, Fixed32 = 5 };

enum Field : uint64_t {
  Dims = 1,
  DataType = 2,
  Segment = 3,
  FloatData = 4,
  Int32Data = 5,
  StringData = 6,
  Int64Data = 7,
  RawData = 9,
  DoubleData = 10,
  Uint64Data = 11,
  ExternalData = 13,
  DataLocation = 14,
};

/// How TensorProto.DataType maps to ours, and which field holds such values where
/// raw_data does not.
struct Type {
  uint64_t proto;
  int32_t dtype;
  Field field;
  /// Of an element, where several share a byte; else 0.
  unsigned packedBits = 0;
};

constexpr Type kTypes[] = {
    {1, SECTILE_F32, FloatData},         {2, SECTILE_U8, Int32Data},
    {3, SECTILE_I8, Int32Data},          {4, SECTILE_U16, Int32Data},
    {5, SECTILE_I16, Int32Data},         {6, SECTILE_I32, Int32Data},
    {7, SECTILE_I64, Int64Data},         {9, SECTILE_BOOL, Int32Data},
    {10, SECTILE_F16, Int32Data},        {11, SECTILE_F64, DoubleData},
    {12, SECTILE_U32, Uint64Data},       {13, SECTILE_U64, Uint64Data},
    {16, SECTILE_BF16, Int32Data},       {17, SECTILE_F8E4M3FN, Int32Data},
    {18, SECTILE_F8E4M3FNUZ, Int32Data}, {19, SECTILE_F8E5M2, Int32Data},
    {20, SECTILE_F8E5M2FNUZ, Int32Data}, {21, SECTILE_U8, Int32Data, 4},
    {22, SECTILE_I8, Int32Data, 4},      {23, SECTILE_U8, Int32Data, 4},
    {24, SECTILE_U8, Int32Data},         {25, SECTILE_U8, Int32Data, 2},
    {26, SECTILE_I8, Int32Data, 2},
};

/// A message whose parts are found but not yet understood.
struct Parts {
  std::vector<int64_t> dims;
  uint64_t type = 0;
  bool hasRaw = false, hasStrings = false, isSegment = false, isExternal = false;
  std::span<const std::byte> raw;
  /// Contents of the typed fields: fixed-size values as they are, varints decoded.
  Bytes floats, doubles;
  std::vector<uint64_t> int32s, int64s, uint64s;
};

constexpr size_t kMaxRank = 64;

void readVarints(WireReader &reader, uint32_t wire, std::vector<uint64_t> &out) {
  if (wire == Varint) {
    out.push_back(reader.readVarint());
    return;
  }
  WireReader packed(reader.readLengthDelimited());
  while (!packed.atEnd())
    out.push_back(packed.readVarint());
  if (!packed.good())
    reader.readBytes(UINT64_MAX); // fails the outer message too
}

void readFixed(WireReader &reader, uint32_t wire, size_t bytes, Bytes &out) {
  std::span<const std::byte> part =
      wire == Length ? reader.readLengthDelimited() : reader.readBytes(bytes);
  out.insert(out.end(), part.begin(), part.end());
}

/// Splits a message into its parts; null on success, else what is wrong.
const char *split(std::span<const std::byte> message, Parts &parts) {
  constexpr const char *kMalformed = "expected a TensorProto, but the message is malformed";
  WireReader reader(message);
  while (!reader.atEnd()) {
    uint64_t tag = reader.readVarint();
    uint64_t field = tag >> 3;
    uint32_t wire = tag & 7;
    bool numbers = wire == Varint || wire == Length;
    bool known = true;
    if (field == Dims && numbers) {
      std::vector<uint64_t> dims;
      readVarints(reader, wire, dims);
      if (dims.size() + parts.dims.size() > kMaxRank)
        return "expected at most 64 dimensions";
      for (uint64_t dim : dims)
        parts.dims.push_back(static_cast<int64_t>(dim));
    } else if (field == DataType && wire == Varint) {
      parts.type = reader.readVarint();
    } else if (field == FloatData && (wire == Fixed32 || wire == Length)) {
      readFixed(reader, wire, 4, parts.floats);
    } else if (field == DoubleData && (wire == Fixed64 || wire == Length)) {
      readFixed(reader, wire, 8, parts.doubles);
    } else if (field == Int32Data && numbers) {
      readVarints(reader, wire, parts.int32s);
    } else if (field == Int64Data && numbers) {
      readVarints(reader, wire, parts.int64s);
    } else if (field == Uint64Data && numbers) {
      readVarints(reader, wire, parts.uint64s);
    } else if (field == RawData && wire == Length) {
      parts.raw = reader.readLengthDelimited();
      parts.hasRaw = true;
    } else if (field == DataLocation && wire == Varint) {
      parts.isExternal |= reader.readVarint() != 0;
    } else {
      known = false;
    }
    if (known)
      continue;
    parts.hasStrings |= field == StringData;
    parts.isSegment |= field == Segment;
    parts.isExternal |= field == ExternalData;
    if (field == 0)
      return kMalformed;
    switch (wire) {
    case Varint:
      reader.readVarint();
      break;
    case Fixed64:
      reader.readBytes(8);
      break;
    case Length:
      reader.readLengthDelimited();
      break;
    case Fixed32:
      reader.readBytes(4);
      break;
    default:
      return kMalformed;
    }
  }
  return reader.good() ? nullptr : kMalformed;
}

/// Whether `value`, a varint of int32_data, lies in the range of `dtype`.
bool fitsInt32Data(uint64_t value, int32_t dtype) {
  int64_t number = static_cast<int64_t>(value);
  switch (dtype) {
  case SECTILE_I8:
    return number >= INT8_MIN && number <= INT8_MAX;
  case SECTILE_I16:
    return number >= INT16_MIN && number <= INT16_MAX;
  case SECTILE_U8:
  case SECTILE_F8E4M3FN:
  case SECTILE_F8E4M3FNUZ:
  case SECTILE_F8E5M2:
  case SECTILE_F8E5M2FNUZ:
    return number >= 0 && number <= UINT8_MAX;
  case SECTILE_I32:
    return number >= INT32_MIN && number <= INT32_MAX;
  case SECTILE_BOOL:
    return number == 0 || number == 1;
  default: // u16, and the bits of f16 and bf16
    return number >= 0 && number <= UINT16_MAX;
  }
}

/// Stores varints as little-endian elements; false if one is out of range.
bool packVarints(const std::vector<uint64_t> &values, const Type &type, Bytes &out) {
  uint32_t bytes = sectile_dtype_bytes(type.dtype);
  int32_t dtype = type.packedBits != 0 ? int32_t(SECTILE_U8) : type.dtype;
  out.resize(values.size() * bytes);
  for (size_t i = 0; i < values.size(); ++i) {
    if (type.field == Int32Data && !fitsInt32Data(values[i], dtype))
      return false;
    if (type.dtype == SECTILE_U32 && values[i] > UINT32_MAX)
      return false;
    memcpy(out.data() + i * bytes, &values[i], bytes);
  }
  return true;
}

/// `count` elements of `packed`, the first in the low bits of the first byte, as a byte each:
/// integers as their value, others as their code.
Bytes unpack(const Bytes &packed, size_t count, const Type &type) {
  Bytes out(count);
  size_t perByte = 8 / type.packedBits;
  unsigned unused = 8 - type.packedBits;
  for (size_t i = 0; i < count; ++i) {
    auto byte = static_cast<unsigned>(packed[i / perByte]);
    auto high = static_cast<uint8_t>(byte >> (i % perByte * type.packedBits) << unused);
    int value = type.dtype == SECTILE_I8 ? static_cast<int8_t>(high) >> unused : high >> unused;
    out[i] = static_cast<std::byte>(value);
  }
  return out;
}

} // namespace

Result<Tensor> parseTensorPb(std::span<const std::byte> message, const std::string &name) {
  auto refuse = [&](const char *reason) {
    return failure(kRefused, "'%s': %s", name.c_str(), reason);
  };
  Parts parts;
  if (const char *reason = split(message, parts))
    return refuse(reason);
  if (parts.isExternal)
    return refuse("expected values inside the message, but they lie in another file");
  if (parts.isSegment || parts.hasStrings)
    return refuse("expected a whole tensor of numbers");
  const Type *type = nullptr;
  for (const Type &candidate : kTypes)
    if (candidate.proto == parts.type)
      type = &candidate;
  if (!type)
    return failure(kRefused, "'%s': expected numbers or booleans, but got ONNX data type %llu",
                   name.c_str(), static_cast<unsigned long long>(parts.type));

  Tensor tensor;
  tensor.dtype = type->dtype;
  tensor.dims = parts.dims;
  std::optional<uint64_t> bytes = countBytes(tensor.dtype, tensor.dims);
  if (!bytes)
    return refuse("expected dimensions of at least 0 and a size below 2^63 bytes");
  if (parts.hasRaw) {
    tensor.data.assign(parts.raw.begin(), parts.raw.end());
  } else if (type->field == FloatData) {
    tensor.data = std::move(parts.floats);
  } else if (type->field == DoubleData) {
    tensor.data = std::move(parts.doubles);
  } else {
    const std::vector<uint64_t> &values = type->field == Int32Data   ? parts.int32s
                                          : type->field == Int64Data ? parts.int64s
                                                                     : parts.uint64s;
    if (!packVarints(values, *type, tensor.data))
      return failure(kRefused, "'%s': a value is out of the range of %s", name.c_str(),
                     sectile_dtype_name(tensor.dtype));
  }
  if (type->packedBits != 0) {
    uint64_t count = *bytes, perByte = 8 / type->packedBits;
    *bytes = count / perByte + (count % perByte != 0);
    if (tensor.data.size() == *bytes) {
      tensor.data = unpack(tensor.data, count, *type);
      return tensor;
    }
  }
  if (tensor.data.size() != *bytes)
    return failure(kRefused, "'%s' holds %s of %llu bytes, but has %zu bytes of data", name.c_str(),
                   describeType(tensor.dtype, tensor.dims).c_str(),
                   static_cast<unsigned long long>(*bytes), tensor.data.size());
  if (tensor.dtype == SECTILE_BOOL)
    for (std::byte &value : tensor.data)
      value = std::byte(value != std::byte(0));
  return tensor;
}

Result<Tensor> readTensorPb(const std::string &path) {
  Result<InputFile> file = InputFile::open(path);
  if (!file)
    return file.failure();
  Bytes message(file->remaining());
  if (Result<Done> read = file->read(message); !read)
    return read.failure();
  return parseTensorPb(message, path);
}

} // namespace sectile::tools
